//! Constants through the code of one function: what calls are given, which addresses are used, which strings are named.
//!
//! Code is followed in the order of its addresses. Registers and slots of the frame hold a constant, an address or the value of a
//! variable, as long as every way to the place agrees: at the target of a jump nothing is known any more.

use std::collections::HashMap;

use goemu_loader::{Func, Image};
use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};
use rustc_hash::FxHashSet;

use crate::disasm::Walk;
use crate::go::abi::INTS;

/// Instructions looked at in one function.
const MAX_INSNS: usize = 200_000;
/// Slots of the frame that are followed.
const MAX_SLOTS: usize = 4096;
/// Bytes of a string constant at most.
const MAX_STRING: u64 = 1 << 20;
/// Instructions between the pointer and the length of one string.
const NEAR: usize = 6;

/// What is known of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Known {
    /// This number.
    Number(u64),
    /// The address of something in the program.
    Address(u64),
    /// The value that a variable has then.
    Variable {
        /// Its address.
        addr: u64,
        /// Its size in bytes: 1, 2, 4 or 8.
        size: u8,
        /// Whether it is signed.
        signed: bool,
    },
    /// The address of a slot in the function's frame, from the stack pointer.
    Slot(i64),
}

/// What a call calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Callee {
    /// The function at this address.
    Function(u64),
    /// The closure at this address, which runs that code.
    Closure {
        /// The address of the function value.
        value: u64,
        /// Its code.
        code: u64,
    },
    /// Something that the code does not tell: a function value, or a method of an interface.
    Unknown,
}

/// A call, or a jump to another function, and what it is given as far as that is constant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Site {
    /// Where it is.
    pub at: u64,
    /// Where it returns to.
    pub next: u64,
    /// What it calls.
    pub callee: Callee,
    /// AX BX CX DI SI R8 R9 R10 R11.
    pub registers: [Option<Known>; 9],
    /// Words of the frame from the stack pointer on, by offset.
    pub stack: Vec<(i64, Known)>,
}

impl Site {
    /// The code that it calls, where that is known.
    #[must_use]
    pub fn callee_entry(&self) -> Option<u64> {
        match self.callee {
            Callee::Function(entry) | Callee::Closure { code: entry, .. } => Some(entry),
            Callee::Unknown => None,
        }
    }
}

/// An instruction that uses an address of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Use {
    /// Where it is.
    pub at: u64,
    /// The address that it uses.
    pub addr: u64,
    /// What for.
    pub kind: UseKind,
}

/// What an address is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseKind {
    /// It is taken.
    Taken,
    /// What is there is read.
    Read,
    /// It is written, or read and written.
    Written,
}

/// A string constant that code names: pointer and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Literal {
    /// The instruction that names it.
    pub at: u64,
    /// Where its bytes are.
    pub addr: u64,
    /// How many.
    pub len: u64,
    /// Whether pointer and length stand in places that belong together.
    pub sure: bool,
}

/// What was found in one function.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Constants {
    /// Calls in order.
    pub sites: Vec<Site>,
    /// Uses of addresses in order.
    pub uses: Vec<Use>,
    /// String constants in order.
    pub literals: Vec<Literal>,
}

/// Follows the constants of a function.
#[must_use]
pub fn study(func: &Func<'_>) -> Constants {
    let size = usize::try_from(func.end().saturating_sub(func.entry())).unwrap_or(0);
    let code = func.image().bytes(func.entry(), size).unwrap_or_default();
    let insns: Vec<Instruction> =
        Walk::new(code, func.entry(), size).take(MAX_INSNS).map(|step| step.insn).collect();
    let range = func.entry()..func.end();
    let targets: FxHashSet<u64> =
        insns.iter().filter_map(jump_target).filter(|target| range.contains(target)).collect();
    let mut flow = Flow {
        image: func.image(),
        range,
        registers: HashMap::new(),
        slots: HashMap::new(),
        places: HashMap::new(),
        pointers: Vec::new(),
        numbers: Vec::new(),
        found: Constants::default(),
        infos: InstructionInfoFactory::new(),
    };
    for (index, insn) in insns.iter().enumerate() {
        if targets.contains(&insn.ip()) {
            flow.forget();
        }
        flow.step(index, insn);
    }
    flow.found.literals.sort_by_key(|literal| (literal.at, !literal.sure));
    flow.found.literals.dedup_by_key(|literal| literal.at);
    flow.found
}

fn jump_target(insn: &Instruction) -> Option<u64> {
    let jumps =
        matches!(insn.flow_control(), FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch);
    (jumps && insn.op0_kind() == OpKind::NearBranch64).then(|| insn.near_branch_target())
}

struct Flow<'i> {
    image: &'i Image,
    range: std::ops::Range<u64>,
    registers: HashMap<Register, Known>,
    /// Words of the frame by their offset from the stack pointer, which moves in prologue and epilogue only.
    slots: HashMap<i64, Known>,
    /// Where registers were loaded from, if what variables point at is what it is in the file: function values in tables.
    places: HashMap<Register, u64>,
    /// Addresses that were named last, with the number of the instruction: they may be strings.
    pointers: Vec<(usize, u64, u64)>,
    /// Numbers that were named last, with the number of the instruction: they may be lengths.
    numbers: Vec<(usize, u64)>,
    found: Constants,
    infos: InstructionInfoFactory,
}

impl Flow<'_> {
    fn forget(&mut self) {
        self.registers.clear();
        self.slots.clear();
        self.places.clear();
    }

    fn step(&mut self, index: usize, insn: &Instruction) {
        self.note_use(index, insn);
        match insn.flow_control() {
            FlowControl::Call | FlowControl::IndirectCall => self.call(insn),
            FlowControl::UnconditionalBranch | FlowControl::IndirectBranch | FlowControl::Return => {
                self.leave(insn);
            }
            FlowControl::Next => {
                self.assign(index, insn);
                self.load(insn);
            }
            _ => {}
        }
    }

    /// Notes what an instruction says of an address, and numbers that may be lengths.
    fn note_use(&mut self, index: usize, insn: &Instruction) {
        let immediate = (0..insn.op_count()).find(|&op| is_immediate(insn.op_kind(op)));
        if let Some(number) = immediate.map(|op| insn.immediate(op)).filter(|n| (1..=MAX_STRING).contains(n))
        {
            self.numbers.push((index, number));
            self.pair_near(index);
        }
        let addr = if insn.is_ip_rel_memory_operand() {
            insn.ip_rel_memory_address()
        } else if insn.mnemonic() == Mnemonic::Mov && immediate.is_some() {
            // Programs at low addresses may name them as numbers; assembly does.
            return;
        } else {
            return;
        };
        let kind = self.use_kind(insn);
        self.found.uses.push(Use { at: insn.ip(), addr, kind });
        if kind == UseKind::Taken && self.may_be_text(addr) {
            self.pointers.push((index, insn.ip(), addr));
            self.pair_near(index);
        }
    }

    fn use_kind(&mut self, insn: &Instruction) -> UseKind {
        if insn.mnemonic() == Mnemonic::Lea {
            return UseKind::Taken;
        }
        let writes = self.infos.info(insn).used_memory().iter().any(|memory| {
            matches!(
                memory.access(),
                OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite
            )
        });
        if writes { UseKind::Written } else { UseKind::Read }
    }

    /// Whether bytes at an address may be those of a string: constant, and no code.
    fn may_be_text(&self, addr: u64) -> bool {
        is_constant_data(self.image, addr)
    }

    /// A pointer and a number that stand near each other may be a string.
    fn pair_near(&mut self, index: usize) {
        let near = |at: usize| index.saturating_sub(at) <= NEAR;
        self.pointers.retain(|(at, ..)| near(*at));
        self.numbers.retain(|(at, _)| near(*at));
        let (Some(&(_, at, addr)), Some(&(_, len))) = (self.pointers.last(), self.numbers.last()) else {
            return;
        };
        self.add_literal(at, addr, len, false);
    }

    fn add_literal(&mut self, at: u64, addr: u64, len: u64, sure: bool) {
        let text = usize::try_from(len).ok().and_then(|len| self.image.bytes(addr, len));
        let ok = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok() && (sure || super::is_text(bytes));
        if (1..=MAX_STRING).contains(&len) && self.may_be_text(addr) && text.is_some_and(ok) {
            self.found.literals.push(Literal { at, addr, len, sure });
        }
    }

    /// Adds the strings that words which belong together are.
    fn strings_of(&mut self, at: u64, words: &[Option<Known>]) {
        for pair in words.windows(2) {
            if let [Some(Known::Address(addr)), Some(Known::Number(len))] = *pair {
                let named = self.found.uses.iter().rev().take(4 * NEAR).find(|one| one.addr == addr);
                let at = named.map_or(at, |one| one.at);
                self.add_literal(at, addr, len, true);
            }
        }
    }

    fn words(&self) -> [Option<Known>; 9] {
        INTS.map(|register| self.registers.get(&register).copied())
    }

    fn call(&mut self, insn: &Instruction) {
        let callee = self.callee(insn);
        self.site(insn, callee);
        // Every register is the callee's, and so are the words above the stack pointer that it gets its arguments in, where
        // those are on the stack.
        self.registers.clear();
        self.places.clear();
        if !self.image.facts().register_abi() {
            self.slots.clear();
        }
    }

    fn site(&mut self, insn: &Instruction, callee: Callee) {
        let registers = self.words();
        self.strings_of(insn.ip(), &registers);
        let mut stack: Vec<(i64, Known)> = self.slots.iter().map(|(at, known)| (*at, *known)).collect();
        stack.sort_unstable_by_key(|(at, _)| *at);
        stack.truncate(64);
        self.found.sites.push(Site { at: insn.ip(), next: insn.next_ip(), callee, registers, stack });
    }

    fn callee(&self, insn: &Instruction) -> Callee {
        if insn.op0_kind() == OpKind::NearBranch64 {
            return Callee::Function(insn.near_branch_target());
        }
        let entry = |code: u64| self.image.func_at(code).is_some_and(|func| func.entry() == code);
        // The code itself: a method out of the table of an interface.
        let code = match insn.op0_kind() {
            OpKind::Register => match self.registers.get(&insn.op0_register()) {
                Some(&(Known::Address(code) | Known::Number(code))) => Some(code),
                _ => None,
            },
            _ => self.in_table(insn).and_then(|addr| self.image.read_u64(addr)),
        };
        // A function value that is known: its code is the first word. That of a variable is the one in the file.
        let value = match self.registers.get(&Register::RDX) {
            Some(&Known::Address(value)) => Some(value),
            Some(&Known::Variable { addr, size: 8, .. }) => self.image.read_u64(addr),
            _ => None,
        };
        let closure = value.and_then(|value| Some((value, self.image.read_u64(value)?)));
        match (closure.filter(|(_, code)| entry(*code)), code.filter(|code| entry(*code))) {
            (Some((value, code)), known) if known.is_none_or(|known| known == code) => {
                Callee::Closure { value, code }
            }
            (_, Some(code)) => Callee::Function(code),
            _ => self.by_table(insn).unwrap_or(Callee::Unknown),
        }
    }

    /// A function value that was loaded by way of variables: the one that is there in the file.
    fn by_table(&self, insn: &Instruction) -> Option<Callee> {
        let value = self.image.read_u64(*self.places.get(&Register::RDX)?)?;
        let code = self.image.read_u64(value)?;
        let loaded = match insn.op0_kind() {
            OpKind::Register => self.places.get(&insn.op0_register()) == Some(&value),
            _ => insn.memory_base() == Register::RDX && insn.memory_displacement64() == 0,
        };
        let is_entry = self.image.func_at(code).is_some_and(|func| func.entry() == code);
        (loaded && is_entry).then_some(Callee::Closure { value, code })
    }

    /// Keeps where a register is loaded from.
    fn load(&mut self, insn: &Instruction) {
        // These write others, too; so do instructions of strings, and multiplications and divisions by one operand.
        let exchanges = matches!(insn.mnemonic(), Mnemonic::Xchg | Mnemonic::Cmpxchg | Mnemonic::Xadd);
        let plain = matches!(insn.op0_kind(), OpKind::Register | OpKind::Memory) && insn.op_count() >= 2;
        if exchanges || !plain {
            self.places.clear();
        }
        if insn.op0_kind() != OpKind::Register {
            return;
        }
        let loads = insn.code() == Code::Mov_r64_rm64 && insn.op1_kind() == OpKind::Memory;
        let place = if loads { self.place(insn) } else { None };
        self.places.remove(&insn.op0_register().full_register());
        if let Some(place) = place {
            self.places.insert(insn.op0_register(), place);
        }
    }

    fn place(&self, insn: &Instruction) -> Option<u64> {
        if insn.is_ip_rel_memory_operand() {
            return Some(insn.ip_rel_memory_address());
        }
        let base = *self.places.get(&insn.memory_base()).filter(|_| insn.memory_index() == Register::None)?;
        let pointer = self.image.read_u64(base).filter(|pointer| is_address(self.image, *pointer))?;
        Some(pointer.wrapping_add(insn.memory_displacement64()))
    }

    /// A jump out of the function is a call; a return gives results.
    fn leave(&mut self, insn: &Instruction) {
        match jump_target(insn) {
            Some(target) if !self.range.contains(&target) => self.site(insn, Callee::Function(target)),
            _ => {
                let words = self.words();
                self.strings_of(insn.ip(), &words);
            }
        }
        self.forget();
    }

    fn assign(&mut self, index: usize, insn: &Instruction) {
        let value = self.value(insn);
        if insn.op0_kind() == OpKind::Register && value.is_some() {
            let full = insn.op0_register().full_register();
            if let Some(value) = value {
                self.registers.insert(full, value);
            }
            return;
        }
        if let (Some(slot), Mnemonic::Mov) = (slot(insn), insn.mnemonic())
            && insn.op0_kind() == OpKind::Memory
        {
            match value.filter(|_| insn.memory_size().size() == 8) {
                Some(value) if self.slots.len() < MAX_SLOTS => {
                    self.slots.insert(slot, value);
                    self.pair_slots(insn.ip(), slot);
                }
                _ => {
                    self.slots.remove(&(slot & !7));
                }
            }
            return;
        }
        self.pair_stores(index, insn);
        self.clobber(insn);
    }

    /// A pointer and a length that were stored side by side in the frame.
    fn pair_slots(&mut self, at: u64, slot: i64) {
        for first in [slot - 8, slot] {
            let words = [self.slots.get(&first).copied(), self.slots.get(&(first + 8)).copied()];
            self.strings_of(at, &words);
        }
    }

    /// A length that is stored behind a pointer, in memory that is not the frame: the nearest pair is taken.
    fn pair_stores(&mut self, index: usize, insn: &Instruction) {
        if insn.mnemonic() == Mnemonic::Mov && insn.op0_kind() == OpKind::Memory {
            self.pair_near(index);
        }
    }

    /// What the written operand gets.
    fn value(&self, insn: &Instruction) -> Option<Known> {
        match insn.code() {
            Code::Mov_r32_imm32 | Code::Mov_r64_imm64 | Code::Mov_rm64_imm32 => {
                Some(Known::Number(insn.immediate(1)))
            }
            Code::Xor_r32_rm32 | Code::Xor_rm32_r32
                if insn.op1_kind() == OpKind::Register && insn.op0_register() == insn.op1_register() =>
            {
                Some(Known::Number(0))
            }
            Code::Lea_r64_m if insn.is_ip_rel_memory_operand() => {
                Some(Known::Address(insn.ip_rel_memory_address()))
            }
            Code::Lea_r64_m => slot(insn).map(Known::Slot),
            Code::Mov_r64_rm64 | Code::Mov_rm64_r64 if insn.op1_kind() == OpKind::Register => {
                self.registers.get(&insn.op1_register()).copied()
            }
            Code::Mov_r32_rm32 | Code::Mov_rm32_r32
                if insn.op1_kind() == OpKind::Register && insn.op0_kind() == OpKind::Register =>
            {
                match self.registers.get(&insn.op1_register().full_register()) {
                    Some(Known::Number(number)) => Some(Known::Number(*number & 0xffff_ffff)),
                    _ => None,
                }
            }
            Code::Mov_r64_rm64 if !insn.is_ip_rel_memory_operand() => match slot(insn) {
                Some(slot) => self.slots.get(&slot).copied(),
                None => self.in_table(insn).map(|addr| self.variable(addr, 8, false)),
            },
            _ if insn.is_ip_rel_memory_operand() && insn.op1_kind() == OpKind::Memory => {
                let signed = match insn.mnemonic() {
                    Mnemonic::Mov | Mnemonic::Movzx => false,
                    Mnemonic::Movsx | Mnemonic::Movsxd => true,
                    _ => return None,
                };
                let size = insn.memory_size().size();
                let whole = insn.op0_register().size() >= 4;
                let addr = insn.ip_rel_memory_address();
                (whole && matches!(size, 1 | 2 | 4 | 8)).then(|| self.variable(addr, size as u8, signed))
            }
            _ => None,
        }
    }

    /// The address of a word of constant data that is named by its table's address: a method in the table of an interface.
    fn in_table(&self, insn: &Instruction) -> Option<u64> {
        let Some(&Known::Address(table)) = self.registers.get(&insn.memory_base()) else { return None };
        let addr = table.wrapping_add(insn.memory_displacement64());
        let direct = insn.memory_index() == Register::None && insn.memory_base() != Register::RSP;
        (direct && is_constant_data(self.image, addr)).then_some(addr)
    }

    /// The value of a variable: what the file has, where nothing can change it.
    fn variable(&self, addr: u64, size: u8, signed: bool) -> Known {
        match self.image.read_u64(addr).filter(|_| size == 8 && is_constant_data(self.image, addr)) {
            Some(word) if is_address(self.image, word) => Known::Address(word),
            Some(word) => Known::Number(word),
            None => Known::Variable { addr, size, signed },
        }
    }

    /// Forgets what an instruction writes.
    fn clobber(&mut self, insn: &Instruction) {
        let info = self.infos.info(insn);
        for used in info.used_registers() {
            let writes = !matches!(
                used.access(),
                OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess | OpAccess::None
            );
            if !writes {
                continue;
            }
            let full = used.register().full_register();
            if full == Register::RSP {
                // Prologue, epilogue, PUSH and POP: offsets are others from here on.
                self.slots.clear();
            }
            self.registers.remove(&full);
        }
        for used in info.used_memory() {
            let writes =
                !matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess);
            if writes && used.base() == Register::RSP && used.index() == Register::None {
                let from = used.displacement().cast_signed() & !7;
                let size = (used.memory_size().size() as i64).max(8);
                (from..from + size).step_by(8).for_each(|at| {
                    self.slots.remove(&at);
                });
            }
        }
    }
}

fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

/// The slot of the frame that an operand is: `[RSP + n]`.
fn slot(insn: &Instruction) -> Option<i64> {
    let direct = insn.memory_base() == Register::RSP && insn.memory_index() == Register::None;
    direct.then(|| insn.memory_displacement64().cast_signed())
}

/// Whether an address is in the program's constant data.
pub(crate) fn is_constant_data(image: &Image, addr: u64) -> bool {
    use goemu_loader::Perm;
    // Since Go 1.27 descriptors are known to be a part of this range; before, strings lie among what it has.
    let module = image.module();
    let descriptors = module.and_then(|module| Some((module.types?.start, module.typedesclen?)));
    if descriptors.is_some_and(|(start, len)| addr >= start && addr - start < len) {
        return false;
    }
    let segment = image.segments().iter().find(|segment| segment.contains(addr));
    let readable = |perm: Perm| perm.contains(Perm::READ) && !perm.contains(Perm::WRITE);
    segment.is_some_and(|segment| readable(segment.perm)) && image.func_at(addr).is_none()
}

/// Whether a number is the address of something in the program.
pub(crate) fn is_address(image: &Image, addr: u64) -> bool {
    image.segments().iter().any(|segment| segment.contains(addr))
}
