//! Where the parts of arguments go in a function's code: what is done with them, and what is returned.
//!
//! Code is followed in the order of its addresses. Registers and slots of the frame hold a part of an argument, an address, a
//! number; where two ways meet, only what both agree on.

use std::collections::{BTreeMap, HashMap, HashSet};

use goemu_loader::{Func, Image};
use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic as M, OpAccess, OpKind, Register};

use super::Guess;
use super::callees::{Back, Callees};
use super::word::{Root, Step, Value, Word};
use crate::disasm::Walk;
use crate::go::abi::{INT_REGS, INTS, Place};

/// Where a function finds the closure that it belongs to.
const CONTEXT: Register = Register::RDX;
/// Instructions looked at in one function.
const MAX_INSNS: usize = 20_000;
/// Slots of the frame that are followed.
const MAX_SLOTS: usize = 1024;
/// Calls and stores that are remembered of one function.
const MAX_SITES: usize = 1024;
/// Uses that are remembered of one part.
const MAX_USES: usize = 64;

/// What is done with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// So many bytes are read or written there.
    Access {
        at: i64,
        size: u64,
        scale: u64,
    },
    /// It is an index, or is computed with.
    Number,
    /// As above, where only numbers without a sign are treated so.
    Unsigned,
    Signed,
    /// It is compared as a number without a sign.
    Above,
    /// It is compared with 0, or with this number.
    Compared(Option<u64>),
    /// What is read through it at this offset is called.
    Called(i64),
    /// It is compared with an address of the program.
    Is(u64),
}

/// What was seen.
#[derive(Default)]
pub(super) struct Trail {
    pub(super) uses: BTreeMap<usize, Vec<Use>>,
    /// The integer registers at each return: which instruction set them, and what is known of them.
    pub(super) returns: Vec<Vec<(Set, Option<Word>)>>,
    /// Calls in the order of their addresses.
    pub(super) sites: Vec<Site>,
    /// Values that are written where others point.
    pub(super) stores: Vec<Store>,
    /// Parts, and what they are compared with.
    pub(super) equals: Vec<(usize, Value)>,
}

/// A call.
pub(super) struct Site {
    /// The function that is called, where the code tells.
    pub(super) target: Option<u64>,
    /// What is called, where it was read.
    pub(super) through: Option<Value>,
    /// What the integer registers hold.
    pub(super) held: [Option<Word>; INT_REGS],
}

/// A value that is written.
pub(super) struct Store {
    /// The address that it is written to.
    pub(super) to: Value,
    pub(super) word: Word,
}

/// The instruction that has set a register which was not read since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// None.
    No,
    /// A function that was called last may have.
    Perhaps,
    /// An instruction.
    Yes,
}

#[derive(Clone, Default)]
struct State {
    registers: HashMap<Register, Word>,
    slots: HashMap<i64, Word>,
    /// Registers that were set, and not read since.
    unread: HashSet<Register>,
    /// Registers that a call may have set, and that were not read since.
    passed: HashSet<Register>,
}

impl State {
    /// Leaves what the other has as well.
    fn meet(&mut self, other: &State) {
        self.registers.retain(|register, word| match other.registers.get(register) {
            Some(other) if other == word => true,
            Some(other) if other.is_flag() && word.is_flag() => {
                *word = Word::Flag;
                true
            }
            _ => false,
        });
        self.slots.retain(|slot, word| other.slots.get(slot) == Some(word));
        self.passed = self.passed.union(&other.passed).copied().collect();
        self.unread.retain(|register| other.unread.contains(register) || other.passed.contains(register));
    }
}

/// Follows the arguments of a function, as they are guessed.
pub(super) fn trail(image: &Image, callees: &Callees, func: &Func<'_>, guess: &Guess) -> Trail {
    let len = usize::try_from(func.end().saturating_sub(func.entry())).unwrap_or(0);
    let code = image.bytes(func.entry(), len).unwrap_or_default();
    let mut follower = Follower {
        callees,
        func,
        state: State::default(),
        ahead: HashMap::new(),
        infos: InstructionInfoFactory::new(),
        compared: None,
        trail: Trail::default(),
    };
    let parts = guess.params.iter().flat_map(|param| &param.parts);
    for (index, part) in parts.enumerate() {
        match part.place {
            Place::Int(n) => {
                let register = INTS.get(usize::from(n)).copied().unwrap_or(Register::None);
                follower.state.registers.insert(register, Word::Value(Value::new(Root::Part(index))));
            }
            Place::Stack(offset) => {
                follower.state.slots.insert(8 + offset as i64, Word::Value(Value::new(Root::Part(index))));
            }
            Place::Float(_) => {}
        }
    }
    let closure = Word::Value(Value::new(Root::Closure));
    follower.state.registers.insert(CONTEXT, closure);
    let mut alive = true;
    for step in Walk::new(code, func.entry(), len).take(MAX_INSNS) {
        let insn = step.insn;
        if let Some(state) = follower.ahead.remove(&insn.ip()) {
            if alive {
                follower.state.meet(&state)
            } else {
                follower.state = state
            }
            alive = true;
        }
        if alive {
            alive = follower.step(&insn);
        }
    }
    follower.trail
}

struct Follower<'i> {
    callees: &'i Callees<'i>,
    func: &'i Func<'i>,
    state: State,
    /// What is known where a jump forwards goes.
    ahead: HashMap<u64, State>,
    infos: InstructionInfoFactory,
    /// The parts that the flags come from.
    compared: Option<Vec<usize>>,
    trail: Trail,
}

impl Follower<'_> {
    /// Follows one instruction; whether the next one comes after it.
    fn step(&mut self, insn: &Instruction) -> bool {
        self.note_uses(insn);
        match insn.flow_control() {
            FlowControl::Next => {
                self.effect(insn);
                true
            }
            FlowControl::ConditionalBranch => {
                self.branch(insn);
                self.jump(insn.near_branch_target(), insn.ip());
                true
            }
            FlowControl::UnconditionalBranch => {
                let target = insn.near_branch_target();
                if (self.func.entry()..self.func.end()).contains(&target) {
                    self.jump(target, insn.ip());
                } else {
                    self.call(target);
                }
                false
            }
            FlowControl::Call => self.call(insn.near_branch_target()),
            FlowControl::IndirectCall => {
                self.indirect(insn);
                true
            }
            FlowControl::Return => {
                let word = |register: &Register| {
                    let set = match self.state.unread.contains(register) {
                        true => Set::Yes,
                        false if self.state.passed.contains(register) => Set::Perhaps,
                        false => Set::No,
                    };
                    (set, self.state.registers.get(register).cloned())
                };
                self.trail.returns.push(INTS.iter().map(word).collect());
                false
            }
            _ => false,
        }
    }

    fn jump(&mut self, target: u64, from: u64) {
        if target <= from {
            return;
        }
        match self.ahead.get_mut(&target) {
            Some(known) => known.meet(&self.state),
            None => {
                self.ahead.insert(target, self.state.clone());
            }
        }
    }

    fn add(&mut self, part: usize, used: Use) {
        let uses = self.trail.uses.entry(part).or_default();
        if uses.len() < MAX_USES && !uses.contains(&used) {
            uses.push(used);
        }
    }

    fn part(&self, register: Register) -> Option<usize> {
        self.state.registers.get(&register.full_register())?.part()
    }

    fn held(&self, register: Register) -> Option<&Value> {
        match self.state.registers.get(&register.full_register()) {
            Some(Word::Value(value)) => Some(value),
            _ => None,
        }
    }

    /// Notes what an instruction does with parts.
    fn note_uses(&mut self, insn: &Instruction) {
        let base = insn.memory_base();
        let has_memory = insn.op_kinds().any(|kind| kind == OpKind::Memory);
        if has_memory && insn.mnemonic() != M::Lea {
            let size = insn.memory_size().size() as u64;
            let at = insn.memory_displacement64() as i64;
            if let Some(part) = self.part(base) {
                let scale = if insn.memory_index() == Register::None {
                    0
                } else {
                    u64::from(insn.memory_index_scale())
                };
                self.add(part, Use::Access { at, size, scale });
            }
            if let Some(index) = self.part(insn.memory_index()) {
                let used = match insn.memory_index_scale() {
                    1 if self.part(base).is_none() => Use::Access { at, size, scale: 1 },
                    _ => Use::Number,
                };
                // With a scale of 1 either may be the base.
                if used == Use::Number || !self.state.registers.contains_key(&base.full_register()) {
                    self.add(index, Use::Number);
                }
            }
        }
        let first = if insn.op0_kind() == OpKind::Register { self.part(insn.op0_register()) } else { None };
        let second = if insn.op1_kind() == OpKind::Register { self.part(insn.op1_register()) } else { None };
        let parts: Vec<usize> = first.into_iter().chain(second).collect();
        match insn.mnemonic() {
            M::Cmp | M::Test => self.compare(insn, &parts),
            M::Add
            | M::Sub
            | M::Imul
            | M::Mul
            | M::Inc
            | M::Dec
            | M::Neg
            | M::Xor
            | M::Or
            | M::And
            | M::Not
            | M::Shl
            | M::Rol
            | M::Bt
            | M::Lea => {
                let memory = [insn.memory_base(), insn.memory_index()];
                let lea = insn.mnemonic() == M::Lea;
                let more: Vec<usize> = if lea {
                    memory.iter().filter_map(|used| self.part(*used)).collect()
                } else {
                    Vec::new()
                };
                let zeroes = insn.op0_register() == insn.op1_register() && insn.mnemonic() == M::Xor;
                for part in parts.into_iter().chain(more).filter(|_| !zeroes) {
                    self.add(part, Use::Number);
                }
            }
            M::Shr | M::Div | M::Movzx => parts.into_iter().for_each(|part| self.add(part, Use::Unsigned)),
            M::Sar | M::Idiv | M::Movsx | M::Movsxd | M::Cvtsi2sd | M::Cvtsi2ss => {
                parts.into_iter().for_each(|part| self.add(part, Use::Signed));
            }
            _ => {}
        }
    }

    fn compare(&mut self, insn: &Instruction, parts: &[usize]) {
        self.compared = Some(parts.to_vec());
        let immediate = insn.op_kinds().enumerate().find_map(|(n, kind)| {
            let number = !matches!(kind, OpKind::Register | OpKind::Memory);
            number.then(|| insn.immediate(n as u32))
        });
        let other = [insn.op0_register(), insn.op1_register()].into_iter().find_map(|register| {
            match self.state.registers.get(&register.full_register()) {
                Some(Word::Address(addr)) => Some(*addr),
                _ => None,
            }
        });
        let registers = [insn.op0_register(), insn.op1_register()];
        for (register, other) in registers.iter().zip(registers.iter().rev()) {
            if insn.mnemonic() == M::Cmp
                && let (Some(part), Some(value)) = (self.part(*register), self.held(*other))
                && self.trail.equals.len() < MAX_USES
            {
                self.trail.equals.push((part, value.clone()));
            }
        }
        for &part in parts {
            self.add(
                part,
                match (insn.mnemonic(), other) {
                    (_, Some(addr)) => Use::Is(addr),
                    (M::Test, None) => Use::Compared(Some(0)),
                    _ => Use::Compared(immediate),
                },
            );
        }
    }

    fn branch(&mut self, insn: &Instruction) {
        let used = match insn.mnemonic() {
            M::Jl | M::Jle | M::Jg | M::Jge | M::Js | M::Jns => Use::Signed,
            M::Jb | M::Jbe | M::Ja | M::Jae => Use::Above,
            _ => return,
        };
        for part in self.compared.clone().into_iter().flatten() {
            self.add(part, used.clone());
        }
    }

    /// Notes a call; whether it comes back.
    fn call(&mut self, target: u64) -> bool {
        let callee = self.callees.at(target);
        match callee.as_ref().map(|callee| callee.comes_back) {
            Some(Back::Never) => return false,
            // It changes no register that Go's code uses.
            Some(Back::Unchanged) => return true,
            _ => {}
        }
        let site = self.site(Some(target), None);
        self.forget();
        let results = callee.iter().flat_map(|callee| &callee.results);
        let known: Vec<usize> = results.map(|result| result.register).collect();
        for (n, register) in INTS.iter().enumerate() {
            self.state.registers.insert(*register, Word::Value(Value::new(Root::Result(site, n))));
            if known.contains(&n) {
                self.state.unread.insert(*register);
            }
        }
        true
    }

    fn site(&mut self, target: Option<u64>, through: Option<Value>) -> usize {
        if self.trail.sites.len() < MAX_SITES {
            let held = INTS.map(|register| self.state.registers.get(&register).cloned());
            self.trail.sites.push(Site { target, through, held });
            return self.trail.sites.len() - 1;
        }
        usize::MAX
    }

    fn indirect(&mut self, insn: &Instruction) {
        let through = match insn.op0_kind() {
            OpKind::Register => self.held(insn.op0_register()).cloned(),
            OpKind::Memory => self
                .held(insn.memory_base())
                .and_then(|value| value.then(Step::Load(insn.memory_displacement64() as i64))),
            _ => None,
        };
        if let Some(Value { root: Root::Part(part), steps }) = &through
            && let [Step::Load(at)] = steps[..]
        {
            self.add(*part, Use::Called(at));
        }
        let site = self.site(None, through);
        self.forget();
        for (n, register) in INTS.iter().enumerate() {
            self.state.registers.insert(*register, Word::Value(Value::new(Root::Result(site, n))));
        }
    }

    /// What a call leaves of registers: nothing.
    fn forget(&mut self) {
        self.state.registers.clear();
        self.state.unread.clear();
        self.state.passed = INTS.into_iter().collect();
        self.compared = None;
    }

    /// Where in the frame an operand is, from the stack pointer at the function's entry.
    fn slot(&self, insn: &Instruction) -> Option<i64> {
        let on_stack = insn.memory_base() == Register::RSP && insn.memory_index() == Register::None;
        let delta = self.func.sp_delta(insn.ip()).filter(|_| on_stack)?;
        (insn.memory_displacement64() as i64).checked_sub(delta)
    }

    /// What an instruction changes.
    fn effect(&mut self, insn: &Instruction) {
        let value = self.value(insn);
        self.note_store(insn, value.as_ref());
        let stored = matches!(insn.op0_kind(), OpKind::Memory).then(|| self.slot(insn)).flatten();
        let clears = insn.mnemonic() == M::Xor && insn.op0_register() == insn.op1_register();
        // What is only looked at may still be a result.
        let looks = matches!(insn.mnemonic(), M::Cmp | M::Test);
        let info = self.infos.info(insn);
        for used in info.used_registers() {
            let register = used.register().full_register();
            let keeps =
                matches!(used.access(), OpAccess::Write | OpAccess::CondWrite | OpAccess::NoMemAccess);
            if !keeps && !clears && !looks {
                self.state.unread.remove(&register);
                self.state.passed.remove(&register);
            }
        }
        let written: Vec<Register> = info
            .used_registers()
            .iter()
            .filter(|used| {
                !matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess)
            })
            .map(|used| used.register().full_register())
            .collect();
        for register in written {
            self.state.registers.remove(&register);
            self.state.unread.insert(register);
            self.state.passed.remove(&register);
        }
        if insn.op0_kind() == OpKind::Register
            && let Some(value) = &value
        {
            self.state.registers.insert(insn.op0_register().full_register(), value.clone());
        }
        if let Some(slot) = stored.filter(|_| insn.mnemonic() != M::Cmp && insn.mnemonic() != M::Test) {
            if insn.memory_size().size() == 16 {
                let second = match &value {
                    Some(Word::Value(value)) => value.behind(8).map(Word::Value),
                    _ => None,
                };
                match second {
                    Some(second) if self.state.slots.len() < MAX_SLOTS => {
                        _ = self.state.slots.insert(slot + 8, second);
                    }
                    _ => _ = self.state.slots.remove(&(slot + 8)),
                }
            }
            match value {
                Some(value) if self.state.slots.len() < MAX_SLOTS => _ = self.state.slots.insert(slot, value),
                _ => _ = self.state.slots.remove(&slot),
            }
        }
    }

    /// Notes a value that is written where another points.
    fn note_store(&mut self, insn: &Instruction, value: Option<&Word>) {
        let moves = matches!(insn.mnemonic(), M::Mov | M::Movups | M::Movdqu);
        if !moves || insn.op0_kind() != OpKind::Memory || self.trail.stores.len() >= MAX_SITES {
            return;
        }
        if let (Some(to), Some(word)) = (self.address(insn), value) {
            self.trail.stores.push(Store { to, word: word.clone() });
        }
    }

    /// The address of an operand in memory, where it is made of a value.
    fn address(&self, insn: &Instruction) -> Option<Value> {
        let at = insn.memory_displacement64() as i64;
        if insn.is_ip_rel_memory_operand() {
            return None;
        }
        let indexed = insn.memory_index() != Register::None;
        let step = if indexed { Step::Index(at) } else { Step::Add(at) };
        self.held(insn.memory_base())?.then(step)
    }

    /// What an instruction puts in its first operand.
    fn value(&self, insn: &Instruction) -> Option<Word> {
        let is_lea = insn.mnemonic() == M::Lea;
        match insn.mnemonic() {
            M::Mov | M::Movzx | M::Movsxd | M::Movups | M::Movdqu if insn.op1_kind() == OpKind::Register => {
                self.state.registers.get(&insn.op1_register().full_register()).cloned()
            }
            M::Mov | M::Movzx | M::Movsx | M::Movsxd | M::Movups | M::Movdqu
                if insn.op1_kind() == OpKind::Memory =>
            {
                self.loaded(insn)
            }
            M::Mov if !matches!(insn.op1_kind(), OpKind::Register | OpKind::Memory) => {
                Some(Word::Number(insn.immediate(1)))
            }
            M::Xor if insn.op0_register() == insn.op1_register() => Some(Word::Number(0)),
            M::Lea if insn.is_ip_rel_memory_operand() => Some(Word::Address(insn.ip_rel_memory_address())),
            M::Lea if insn.memory_base() == Register::RSP => None,
            _ if is_lea => self.address(insn).map(Word::Value),
            M::Add if insn.op0_kind() == OpKind::Register => {
                let step = match insn.op1_kind() {
                    OpKind::Register | OpKind::Memory => Step::Index(0),
                    _ => Step::Add(insn.immediate(1) as i64),
                };
                self.held(insn.op0_register())?.then(step).map(Word::Value)
            }
            name if format!("{name:?}").starts_with("Set") => Some(Word::Flag),
            _ => None,
        }
    }

    fn loaded(&self, insn: &Instruction) -> Option<Word> {
        if let Some(slot) = self.slot(insn) {
            return self.state.slots.get(&slot).cloned();
        }
        if insn.is_ip_rel_memory_operand() {
            return Some(Word::Value(Value::new(Root::Variable(insn.ip_rel_memory_address()))));
        }
        let at = insn.memory_displacement64() as i64;
        let indexed = insn.memory_index() != Register::None;
        let step = if indexed { Step::Elem(at) } else { Step::Load(at) };
        self.held(insn.memory_base())?.then(step).map(Word::Value)
    }
}
