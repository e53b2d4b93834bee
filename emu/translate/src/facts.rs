//! What is known of the addresses that a block uses, so that they need no check.
//!
//! An access may go unchecked where its address is known to lie within [`REACH`] of the guest's space, or not more than
//! the guard above it: there it faults, if it is not the guest's. What is known comes from checks, from accesses that
//! succeeded (each proves its own address), and from instructions whose result is small whatever they are given.

use iced_x86::{Instruction, Mnemonic as M, OpKind, Register};

/// How far outside the space an unchecked access may begin, below it: the state lies deeper.
pub(crate) const REACH: u32 = 1 << 30;

/// How far RSP may be outside the space between blocks.
pub(crate) const RSP_SLACK: u32 = 1 << 21;
/// The two bounds that facts are kept with between blocks: a step between two accesses must not lose them.
const NEAR: u32 = 1 << 12;
const FAR: u32 = 1 << 20;

/// What is known of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) enum Fact {
    #[default]
    Nothing,
    /// It lies in the space, or not more than this outside.
    Near(u32),
    /// It is below 2^34.
    Small,
}

/// Bits that a small number has, at most.
pub(crate) const SMALL_BITS: u32 = 34;

/// What a register was compared with, the flags being those of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Compared {
    Register(u8),
    Number(u64),
}

/// A sum `base + index * scale` that lies in the space, or not more than `slack` outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Sum {
    base: u8,
    index: u8,
    scale: u8,
    slack: u32,
}

/// Sums that are remembered.
const SUMS: usize = 4;
/// Bounds that are remembered.
const BOUNDS: usize = 2;

/// What is known at one place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    registers: [Fact; 16],
    sums: [Option<Sum>; SUMS],
    /// Pairs of registers: the first is not above the second, unsigned. Go's checks of an index say so.
    bounds: [Option<(u8, u8)>; BOUNDS],
    /// A register that is below a number: that a jump by a table goes by. Other blocks do not know of it.
    limit: Option<(u8, u64)>,
    /// How far RSP may be outside.
    rsp: u32,
    /// What the flags compare.
    compared: Option<(u8, Compared)>,
}

impl Default for Facts {
    fn default() -> Facts {
        Facts {
            registers: [Fact::Nothing; 16],
            sums: [None; SUMS],
            bounds: [None; BOUNDS],
            limit: None,
            rsp: RSP_SLACK,
            compared: None,
        }
    }
}

/// How an access can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// As it is.
    Nothing,
    /// After a check of one register.
    Register(Register),
    /// After a check that a register is small, which bounds another one that the address has; then look again.
    Bound(Register),
    /// After a check of base and scaled index, without the displacement.
    Sum,
    /// After a check of the whole address.
    Address,
}

const RSP: usize = 4;
const R14: usize = 14;

/// A 64-bit register's number.
pub(crate) fn number(register: Register) -> Option<usize> {
    (register.is_gpr64()).then(|| register.number())
}

fn shifted(fact: Fact, by: u32) -> Fact {
    match fact {
        Fact::Nothing => Fact::Nothing,
        Fact::Near(slack) if slack.saturating_add(by) <= REACH => Fact::Near(slack + by),
        Fact::Small if by <= REACH => Fact::Near(by),
        Fact::Near(_) | Fact::Small => Fact::Nothing,
    }
}

/// Whether a base and a scaled index make an address that can be accessed.
fn add_up(base: Fact, index: Fact, scale: u32) -> bool {
    match (base, index) {
        // Up to 2^40 + 2^30 + 8 * 2^34 < 2^40 + 2^37 + 2^31.
        (Fact::Small, Fact::Small) => true,
        (Fact::Near(slack), Fact::Small) => slack <= REACH / 2,
        (Fact::Small, Fact::Near(slack)) => scale == 1 && slack <= REACH / 2,
        _ => false,
    }
}

fn distance(displacement: i64) -> u32 {
    u32::try_from(displacement.unsigned_abs()).unwrap_or(u32::MAX)
}

impl Facts {
    fn of(&self, n: usize) -> Fact {
        if n == RSP { Fact::Near(self.rsp) } else { self.registers[n] }
    }

    fn set(&mut self, n: usize, fact: Fact) {
        match fact {
            Fact::Near(slack) if n == RSP => self.rsp = slack,
            Fact::Small if n == RSP => self.rsp = 0,
            Fact::Nothing if n == RSP => self.rsp = u32::MAX,
            _ => self.registers[n] = fact,
        }
    }

    /// Whether a register is known to be below 2^[`SMALL_BITS`].
    pub(crate) fn is_small(&self, register: Register) -> bool {
        number(register).is_some_and(|n| self.of(n) == Fact::Small)
    }

    /// Whether a register is known to be below a number.
    pub(crate) fn is_below(&self, register: Register, number: u64) -> bool {
        let Some((n, limit)) = self.limit else { return false };
        usize::from(n) == register.number() && register.is_gpr64() && limit <= number
    }

    /// What is said of a register that a jump by a table goes by is kept, if `from` says it.
    pub(crate) fn keep_limit(&mut self, from: &Facts, index: Register) {
        self.limit = from.limit.filter(|(n, _)| usize::from(*n) == index.number());
    }

    /// What an access needs. Not for RSP and R14 alone as base, which are safe by invariant where the displacement is small.
    pub(crate) fn need(&self, base: Register, index: Register, scale: u32, displacement: i64) -> Need {
        if distance(displacement) > REACH / 2 {
            return Need::Address;
        }
        match (number(base), number(index)) {
            (None, None) => Need::Nothing,
            (Some(b), None) => match self.of(b) {
                Fact::Near(slack) if slack > REACH / 2 => Need::Register(base),
                Fact::Nothing => Need::Register(base),
                Fact::Near(_) | Fact::Small => Need::Nothing,
            },
            (b, Some(x)) => {
                let b_fact = b.map_or(Fact::Small, |b| self.of(b));
                let fine = add_up(b_fact, self.of(x), scale);
                let known = b.is_some_and(|b| {
                    let same =
                        |sum: &Sum| (sum.base, sum.index, u32::from(sum.scale)) == (b as u8, x as u8, scale);
                    self.sums.iter().flatten().any(|sum| same(sum) && sum.slack <= REACH / 2)
                });
                match (fine || known, b_fact, self.of(x), self.bound_of(x)) {
                    (true, ..) => Need::Nothing,
                    _ if b == Some(R14) || x == R14 => Need::Sum,
                    // The base alone is an address, if the index is one of a table.
                    (_, Fact::Nothing, Fact::Small, _) => Need::Register(base),
                    (_, _, Fact::Nothing | Fact::Near(_), Some(bound)) => Need::Bound(bound),
                    _ => Need::Sum,
                }
            }
        }
    }

    /// Whether what is known of two registers is enough for their sum.
    fn adds_up(&self, base: usize, index: usize, scale: u32) -> bool {
        add_up(self.of(base), self.of(index), scale)
    }

    /// The register that is not below this one, as far as was seen.
    fn bound_of(&self, n: usize) -> Option<Register> {
        let (_, bound) = self.bounds.iter().flatten().find(|(low, _)| usize::from(*low) == n)?;
        Some(Register::RAX + u32::from(*bound))
    }

    /// A register is small, and so are those that it bounds.
    pub(crate) fn prove_small(&mut self, register: Register) {
        let Some(n) = number(register) else { return };
        self.set(n, Fact::Small);
        for slot in &mut self.bounds {
            if let Some((low, _)) = slot.filter(|(_, bound)| usize::from(*bound) == n) {
                self.registers[usize::from(low)] = Fact::Small;
                *slot = None;
            }
        }
    }

    /// What is known where a branch is taken, or not taken, by the low bits of its opcode.
    pub(crate) fn where_branch(&self, condition: u8, taken: bool) -> Facts {
        let mut facts = self.clone();
        let (Some((a, with)), condition) = (self.compared, condition ^ u8::from(!taken)) else {
            return facts;
        };
        if let (2 | 6, Compared::Number(b)) = (condition, with)
            && b >> SMALL_BITS == 0
        {
            facts.limit = Some((a, b + u64::from(condition == 6)));
        }
        match (condition, with) {
            // Below, or equal.
            (2 | 6, Compared::Number(b)) if b >> SMALL_BITS == 0 => facts.set(a.into(), Fact::Small),
            (2 | 6, Compared::Register(b)) => facts.bounded(a, b),
            // Above, or equal.
            (3 | 7, Compared::Register(b)) => facts.bounded(b, a),
            _ => {}
        }
        facts
    }

    /// The first register is not above the second.
    fn bounded(&mut self, low: u8, bound: u8) {
        match (self.of(low.into()), self.of(bound.into())) {
            (Fact::Small, _) => {}
            (_, Fact::Small) => self.set(low.into(), Fact::Small),
            _ if self.bounds.contains(&Some((low, bound))) => {}
            _ => {
                self.bounds.rotate_right(1);
                self.bounds[0] = Some((low, bound));
            }
        }
    }

    /// After an instruction that was copied: what its flags say.
    fn compare(&mut self, insn: &Instruction) {
        if insn.rflags_modified() != 0 {
            self.compared = None;
        }
        if insn.mnemonic() != M::Cmp || insn.op0_kind() != OpKind::Register {
            return;
        }
        let plain = |n: usize| n != RSP && n != R14;
        let Some(a) = number(insn.op0_register()).filter(|&n| plain(n)) else { return };
        let with = match insn.op1_kind() {
            OpKind::Memory => None,
            OpKind::Register => {
                number(insn.op1_register()).filter(|&n| plain(n)).map(|n| Compared::Register(n as u8))
            }
            _ => insn.try_immediate(1).ok().map(Compared::Number),
        };
        self.compared = with.map(|with| (a as u8, with));
    }

    /// After a check, or an access that succeeded: the address without its displacement is at most that far outside.
    pub(crate) fn prove(&mut self, base: Register, index: Register, scale: u32, displacement: i64) {
        let slack = distance(displacement);
        if slack > REACH / 2 {
            return;
        }
        match (number(base), number(index)) {
            (Some(b), None) => match self.of(b) {
                Fact::Small => {}
                Fact::Near(known) if known <= slack => {}
                _ => self.set(b, Fact::Near(slack)),
            },
            (Some(b), Some(x)) => {
                let sum = Sum { base: b as u8, index: x as u8, scale: scale as u8, slack };
                let same =
                    |other: &Sum| (other.base, other.index, other.scale) == (sum.base, sum.index, sum.scale);
                // The one that was used last stands first; the last one is forgotten.
                if let Some(at) = self.sums.iter().position(|other| other.as_ref().is_some_and(same)) {
                    let slack = self.sums[at].map_or(slack, |known| known.slack.min(slack));
                    self.sums[at] = Some(Sum { slack, ..sum });
                    self.sums[..=at].rotate_right(1);
                } else if b != R14 && x != R14 && !self.adds_up(b, x, scale) {
                    self.sums.rotate_right(1);
                    self.sums[0] = Some(sum);
                }
            }
            (None, _) => {}
        }
    }

    /// RSP is at most that far outside the space: a check or an access said so.
    pub(crate) fn prove_rsp(&mut self, slack: u32) {
        self.rsp = self.rsp.min(slack);
    }

    /// RSP moved.
    pub(crate) fn move_rsp(&mut self, by: u32) {
        self.rsp = self.rsp.saturating_add(by);
        self.moved(RSP, by);
    }

    /// RSP may be anything, until it is checked.
    pub(crate) fn forget_rsp(&mut self) {
        self.rsp = u32::MAX;
        self.forget_sums(RSP);
    }

    /// A register may be anything.
    pub(crate) fn forget(&mut self, n: usize) {
        self.forget_sums(n);
        self.set(n, Fact::Nothing);
    }

    /// Whether RSP may be used where it is, by PUSH, CALL and RET.
    pub(crate) fn rsp_is_near(&self) -> bool {
        self.rsp <= REACH / 2
    }

    /// Whether RSP may be left so at the end of a block.
    pub(crate) fn rsp_is_settled(&self) -> bool {
        self.rsp <= RSP_SLACK
    }

    /// A register changed: what was said of it and others is not true any more.
    fn forget_bounds(&mut self, n: usize) {
        self.limit = self.limit.filter(|(limited, _)| usize::from(*limited) != n);
        for slot in &mut self.bounds {
            *slot = slot.filter(|&(low, bound)| usize::from(low) != n && usize::from(bound) != n);
        }
        let by_register = |with| matches!(with, Compared::Register(b) if usize::from(b) == n);
        self.compared = self.compared.filter(|&(a, with)| usize::from(a) != n && !by_register(with));
    }

    fn forget_sums(&mut self, n: usize) {
        self.forget_bounds(n);
        let names = |sum: &Sum| usize::from(sum.base) == n || usize::from(sum.index) == n;
        for slot in &mut self.sums {
            *slot = slot.filter(|sum| !names(sum));
        }
    }

    /// A register moved by at most that much; sums that name it too.
    fn moved(&mut self, n: usize, by: u32) {
        self.forget_bounds(n);
        for slot in &mut self.sums {
            let Some(sum) = slot else { continue };
            let as_base = if usize::from(sum.base) == n { by } else { 0 };
            let as_index = if usize::from(sum.index) == n { by.saturating_mul(sum.scale.into()) } else { 0 };
            sum.slack = sum.slack.saturating_add(as_base).saturating_add(as_index);
            if sum.slack > REACH {
                *slot = None;
            }
        }
    }

    /// After an instruction that was copied: what its results are. `written` are the registers that it writes. What it does
    /// to RSP, if it is no [`step`], the caller says.
    pub(crate) fn after(&mut self, insn: &Instruction, written: impl Iterator<Item = Register>) {
        self.change(insn, written);
        self.compare(insn);
    }

    fn change(&mut self, insn: &Instruction, written: impl Iterator<Item = Register>) {
        if let Some((register, by)) = step(insn) {
            let n = register.number();
            let fact = shifted(self.of(n), by);
            self.moved(n, by);
            return self.set(n, fact);
        }
        let result = self.result(insn);
        for register in written.filter(|register| register.is_gpr()) {
            let n = register.full_register().number();
            let is_result =
                insn.op0_kind() == OpKind::Register && insn.op0_register().full_register().number() == n;
            let fact = match (is_result, register.size()) {
                _ if n == RSP => continue,
                (true, 4 | 8) => result,
                (_, 1 | 2) if self.of(n) == Fact::Small => Fact::Small,
                (_, 1 | 2) => shifted(self.of(n), 0x1_0000),
                _ => Fact::Nothing,
            };
            self.forget_sums(n);
            self.set(n, fact);
        }
    }

    /// What is known of the first operand, a register of 32 or 64 bits that is written.
    fn result(&self, insn: &Instruction) -> Fact {
        match insn.op0_register().size() {
            // The upper half is cleared, if it is written at all.
            4 if !matches!(insn.mnemonic(), M::Bsf | M::Bsr | M::Cmpxchg | M::Xchg | M::Xadd) => Fact::Small,
            8 => self.wide_result(insn).or_else(|| self.either(insn)).unwrap_or_default(),
            _ => Fact::Nothing,
        }
    }

    /// What is known of a register operand other than R14.
    fn operand(&self, insn: &Instruction, n: u32) -> Option<Fact> {
        let register = (insn.op_kind(n) == OpKind::Register).then(|| number(insn.op_register(n)))?;
        register.filter(|&n| n != R14).map(|n| self.of(n))
    }

    fn wide_result(&self, insn: &Instruction) -> Option<Fact> {
        let last = insn.op_count() - 1;
        let imm = insn.try_immediate(last).ok();
        let small = |n| self.operand(insn, n) == Some(Fact::Small);
        match (insn.mnemonic(), imm) {
            (M::Mov, None) => self.operand(insn, 1),
            (M::Mov | M::And, Some(imm)) => (imm <= u64::from(u32::MAX)).then_some(Fact::Small),
            (M::And, None) => (small(0) || small(1)).then_some(Fact::Small),
            (M::Shr, Some(by)) if (30..64).contains(&by) => Some(Fact::Small),
            // Below 2^39: an address, if it is one at all.
            (M::Shl | M::Sal, Some(0..=5)) => small(0).then_some(Fact::Near(0)),
            (M::Add, None) => (small(0) && small(1)).then_some(Fact::Near(0)),
            (M::Shr, _) => small(0).then_some(Fact::Small),
            (M::Xor | M::Sub, None) => (insn.op1_kind() == OpKind::Register
                && insn.op0_register() == insn.op1_register())
            .then_some(Fact::Small),
            (M::Movzx | M::Popcnt | M::Tzcnt | M::Lzcnt, _) => Some(Fact::Small),
            (M::Lea, _) if insn.memory_index() == Register::None && insn.memory_base() != Register::R14 => {
                let base = number(insn.memory_base())?;
                Some(shifted(self.of(base), distance(insn.memory_displacement64() as i64)))
            }
            (M::Lea, _) => {
                let of = |register| match register {
                    Register::None => Some(Fact::Small),
                    Register::R14 => None,
                    other => Some(self.of(number(other)?)),
                };
                let (base, index) = (of(insn.memory_base())?, of(insn.memory_index())?);
                // Below 2^38, before it moves.
                let small = base == Fact::Small && index == Fact::Small;
                small.then(|| shifted(Fact::Small, distance(insn.memory_displacement64() as i64)))
            }
            _ => None,
        }
    }

    /// CMOV gives one of two.
    fn either(&self, insn: &Instruction) -> Option<Fact> {
        if !cmov(insn) {
            return None;
        }
        match (self.operand(insn, 0)?, self.operand(insn, 1)?) {
            (Fact::Nothing, _) | (_, Fact::Nothing) => None,
            (Fact::Small, Fact::Small) => Some(Fact::Small),
            (Fact::Near(a), Fact::Near(b)) => Some(Fact::Near(a.max(b))),
            (Fact::Near(a), Fact::Small) | (Fact::Small, Fact::Near(a)) => Some(Fact::Near(a)),
        }
    }

    /// What is kept across the end of a block, of the registers that matter there (bits).
    pub(crate) fn settled(&self, live: u16) -> Facts {
        let lives = |n: u8| live >> n & 1 != 0;
        let rounded = |slack: u32| [NEAR, FAR].into_iter().find(|&bound| slack <= bound);
        let fact = |fact: Fact| match fact {
            Fact::Near(slack) => rounded(slack).map_or(Fact::Nothing, Fact::Near),
            other => other,
        };
        let mut registers = self.registers.map(fact);
        (registers[RSP], registers[R14]) = (Fact::Nothing, Fact::Nothing);
        (0..16).filter(|&n| !lives(n)).for_each(|n| registers[usize::from(n)] = Fact::Nothing);
        let sum = |sum: Option<Sum>| {
            let sum = sum.filter(|sum| lives(sum.base) && lives(sum.index))?;
            Some(Sum { slack: rounded(sum.slack)?, ..sum })
        };
        let mut sums = self.sums.map(sum);
        sums.sort_unstable();
        let lives = |bound: Option<(u8, u8)>| bound.filter(|&(low, high)| lives(low) && lives(high));
        let mut bounds = self.bounds.map(lives);
        bounds.sort_unstable();
        Facts { registers, sums, bounds, limit: None, rsp: RSP_SLACK, compared: None }
    }

    /// The same without what steps and accesses have said of addresses: it changes from round to round of a loop.
    pub(crate) fn reduced(&self) -> Facts {
        let small = |fact| if fact == Fact::Small { fact } else { Fact::Nothing };
        Facts { registers: self.registers.map(small), sums: [None; SUMS], limit: None, ..self.clone() }
    }

    /// Forgets what is known with less precision than in another round of the same loop: it would not be known at all after a few.
    pub(crate) fn widen(&mut self, other: &Facts) {
        for (fact, other) in self.registers.iter_mut().zip(&other.registers) {
            if let (Fact::Near(slack), Fact::Near(before)) = (*fact, other)
                && slack > *before
            {
                *fact = Fact::Nothing;
            }
        }
    }

    /// Whether all that these facts say is known here.
    pub(crate) fn imply(&self, weaker: &Facts) -> bool {
        let registers = self.registers.iter().zip(&weaker.registers).all(|(have, want)| match (have, want) {
            (_, Fact::Nothing) | (Fact::Small, _) => true,
            (Fact::Near(have), Fact::Near(want)) => have <= want,
            _ => false,
        });
        let has = |want: &Sum| {
            self.sums
                .iter()
                .flatten()
                .any(|have| Sum { slack: want.slack, ..*have } == *want && have.slack <= want.slack)
        };
        let bounds = weaker.bounds.iter().flatten().all(|want| self.bounds.contains(&Some(*want)));
        let limit = weaker.limit.is_none() || weaker.limit == self.limit;
        registers && bounds && limit && weaker.sums.iter().flatten().all(has)
    }

    /// How much they say.
    pub(crate) fn weight(&self) -> usize {
        self.registers.iter().filter(|fact| **fact != Fact::Nothing).count()
            + self.sums.iter().flatten().count()
            + self.bounds.iter().flatten().count()
            + usize::from(self.limit.is_some())
    }
}

fn cmov(insn: &Instruction) -> bool {
    insn.op_count() == 2 && insn.mnemonic() >= M::Cmova && insn.mnemonic() <= M::Cmovs
}

/// A 64-bit register that an instruction moves by a constant: which, and how far.
pub(crate) fn step(insn: &Instruction) -> Option<(Register, u32)> {
    if insn.op0_kind() != OpKind::Register
        || !insn.op0_register().is_gpr64()
        || insn.op0_register() == Register::R14
    {
        return None;
    }
    let by = match insn.mnemonic() {
        M::Inc | M::Dec => 1,
        M::Add | M::Sub if !matches!(insn.op1_kind(), OpKind::Register | OpKind::Memory) => {
            distance(insn.try_immediate(1).ok()? as i64)
        }
        M::Lea if insn.memory_base() == insn.op0_register() && insn.memory_index() == Register::None => {
            distance(insn.memory_displacement64() as i64)
        }
        _ => return None,
    };
    (by <= FAR).then_some((insn.op0_register(), by))
}
