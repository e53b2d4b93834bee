//! Where the parts of arguments go in a function's code: what is done with them, and what is returned.
//!
//! Code is followed in the order of its addresses. Registers and slots of the frame hold a part of an argument, an address, a
//! number; where two ways meet, only what both agree on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use goemu_loader::{Func, Image};
use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic as M, OpAccess, OpKind, Register};

use super::Guess;
use super::callees::{Callee, callee};
use crate::disasm::Walk;
use crate::go::abi::{INTS, Place};

/// Instructions looked at in one function.
const MAX_INSNS: usize = 20_000;
/// Slots of the frame that are followed.
const MAX_SLOTS: usize = 1024;
/// Uses that are remembered of one part.
const MAX_USES: usize = 64;

/// What a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The n-th part of all arguments.
    Part(usize),
    /// What was read through that part.
    Loaded(usize, i64),
    /// An address in the program.
    Address(u64),
    Number(u64),
    /// 0 or 1.
    Flag,
    /// The n-th word of a value of this type.
    Of(Arc<str>, usize),
}

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
    /// It is compared with 0, or with this number.
    Compared(Option<u64>),
    /// What is read through it at this offset is called.
    Called(i64),
    /// It is compared with an address of the program.
    Is(u64),
    /// A function takes it as the n-th word of a value of this type.
    Given(Arc<str>, usize, String),
}

/// What was seen.
#[derive(Default)]
pub(super) struct Trail {
    pub(super) uses: BTreeMap<usize, Vec<Use>>,
    /// The integer registers at each return: which instruction set them, and what is known of them.
    pub(super) returns: Vec<Vec<(Set, Option<Word>)>>,
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
        self.registers.retain(|register, word| other.registers.get(register) == Some(word));
        self.slots.retain(|slot, word| other.slots.get(slot) == Some(word));
        self.passed = self.passed.union(&other.passed).copied().collect();
        self.unread.retain(|register| other.unread.contains(register) || other.passed.contains(register));
    }
}

/// Follows the arguments of a function, as they are guessed.
pub(super) fn trail(image: &Image, func: &Func<'_>, guess: &Guess) -> Trail {
    let len = usize::try_from(func.end().saturating_sub(func.entry())).unwrap_or(0);
    let code = image.bytes(func.entry(), len).unwrap_or_default();
    let mut follower = Follower {
        image,
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
                follower.state.registers.insert(register, Word::Part(index));
            }
            Place::Stack(offset) => {
                follower.state.slots.insert(8 + offset as i64, Word::Part(index));
            }
            Place::Float(_) => {}
        }
    }
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
    image: &'i Image,
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
            FlowControl::Call => {
                self.call(insn.near_branch_target());
                true
            }
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
        match self.state.registers.get(&register.full_register()) {
            Some(Word::Part(part)) => Some(*part),
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
            M::Jb | M::Jbe | M::Ja | M::Jae => Use::Unsigned,
            _ => return,
        };
        for part in self.compared.clone().into_iter().flatten() {
            self.add(part, used.clone());
        }
    }

    /// What the function calls is given.
    fn call(&mut self, target: u64) {
        let callee = callee(self.image, target, self.state.registers.get(&Register::RAX), |n| {
            self.state.registers.get(INTS.get(n)?).cloned()
        });
        if let Some(Callee { name, params, results }) = callee {
            for (register, (ty, word)) in &params {
                let held = INTS.get(*register).and_then(|register| self.state.registers.get(register));
                if let Some(Word::Part(part)) = held {
                    self.add(*part, Use::Given(Arc::clone(ty), *word, name.clone()));
                }
            }
            self.forget();
            for (register, word) in results {
                if let Some(register) = INTS.get(register) {
                    self.state.registers.insert(*register, word);
                    self.state.unread.insert(*register);
                }
            }
        } else {
            self.forget();
        }
    }

    fn indirect(&mut self, insn: &Instruction) {
        let through = match insn.op0_kind() {
            OpKind::Register => self.state.registers.get(&insn.op0_register().full_register()).cloned(),
            OpKind::Memory => self
                .part(insn.memory_base())
                .map(|part| Word::Loaded(part, insn.memory_displacement64() as i64)),
            _ => None,
        };
        if let Some(Word::Loaded(part, at)) = through {
            self.add(part, Use::Called(at));
        }
        self.forget();
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
        let stored = matches!(insn.op0_kind(), OpKind::Memory).then(|| self.slot(insn)).flatten();
        let clears = insn.mnemonic() == M::Xor && insn.op0_register() == insn.op1_register();
        let info = self.infos.info(insn);
        for used in info.used_registers() {
            let register = used.register().full_register();
            let keeps =
                matches!(used.access(), OpAccess::Write | OpAccess::CondWrite | OpAccess::NoMemAccess);
            if !keeps && !clears {
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
            match value {
                Some(value) if self.state.slots.len() < MAX_SLOTS => _ = self.state.slots.insert(slot, value),
                _ => _ = self.state.slots.remove(&slot),
            }
        }
    }

    /// What an instruction puts in its first operand.
    fn value(&self, insn: &Instruction) -> Option<Word> {
        match insn.mnemonic() {
            M::Mov | M::Movzx | M::Movsxd if insn.op1_kind() == OpKind::Register => {
                self.state.registers.get(&insn.op1_register().full_register()).cloned()
            }
            M::Mov | M::Movzx if insn.op1_kind() == OpKind::Memory => self.loaded(insn),
            M::Mov if !matches!(insn.op1_kind(), OpKind::Register | OpKind::Memory) => {
                Some(Word::Number(insn.immediate(1)))
            }
            M::Xor if insn.op0_register() == insn.op1_register() => Some(Word::Number(0)),
            M::Lea if insn.is_ip_rel_memory_operand() => Some(Word::Address(insn.ip_rel_memory_address())),
            name if format!("{name:?}").starts_with("Set") => Some(Word::Flag),
            _ => None,
        }
    }

    fn loaded(&self, insn: &Instruction) -> Option<Word> {
        if let Some(slot) = self.slot(insn) {
            return self.state.slots.get(&slot).cloned();
        }
        let part = self.part(insn.memory_base()).filter(|_| insn.memory_index() == Register::None)?;
        Some(Word::Loaded(part, insn.memory_displacement64() as i64))
    }
}
