//! What a function's code does with the places that arguments may be in: which it reads before it writes them,
//! which it saves before it asks for more stack, which it sets before it returns.

use std::collections::{BTreeMap, HashMap};

use goemu_loader::{Func, FuncId, Image};
use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, UsedMemory,
};

use crate::disasm::Walk;
use crate::go::abi::{FLOAT_REGS, INT_REGS, INTS, Place};

/// Instructions looked at in one function; longer functions are looked at up to there.
const MAX_INSNS: usize = 50_000;
/// Words of arguments on the stack that are followed.
const STACK_WORDS: u64 = (64 - INT_REGS - FLOAT_REGS) as u64;

/// Bytes of `morestack_noctxt`, at most.
const MAX_STUB: usize = 16;
/// Registers that may hold results of a call that are passed on.
const PASSED_ON: u8 = 3;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Places on the stack that are read before they are written, by offset from the first argument slot.
    pub(super) stack: BTreeMap<u64, Access>,
    /// How many integer registers there are up to the last that is read before it is written.
    pub(super) read_ints: u8,
    /// The floating-point registers up to the last that is read before it is written, with what is read of each: 4 or
    /// 8 bytes, or 0 where no instruction tells.
    pub(super) read_floats: Vec<u64>,
    /// Registers that are saved before the call of `morestack`, by the offset of their slots.
    pub(super) spills: BTreeMap<u64, Spill>,
    /// How many integer registers, and floating-point registers, are set before some return.
    pub(super) result_ints: usize,
    pub(super) result_floats: usize,
}

/// An access of an argument on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) size: u64,
    pub(super) float: bool,
}

/// A register and how much of it is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spill {
    pub(super) register: Place,
    pub(super) size: u64,
}

/// Follows the code of `func`.
pub(super) fn study(image: &Image, func: &Func<'_>) -> Flow {
    let len = usize::try_from(func.end().saturating_sub(func.entry())).unwrap_or(0);
    let code = image.bytes(func.entry(), len).unwrap_or_default();
    let insns: Vec<Instruction> =
        Walk::new(code, func.entry(), len).take(MAX_INSNS).map(|step| step.insn).collect();
    let mut flow = Flow::default();
    flow.follow(func, &insns);
    flow.find_spills(func, &insns);
    flow.find_results(&insns);
    flow
}

/// Registers that are read with the caller's value in them.
#[derive(Default)]
struct Reads {
    ints: u8,
    floats: Vec<u64>,
}

impl Reads {
    fn add(&mut self, place: Place, insn: &Instruction) {
        match place {
            Place::Int(n) => self.ints = self.ints.max(n + 1),
            Place::Float(n) => {
                let n = usize::from(n);
                self.floats.resize(self.floats.len().max(n + 1), 0);
                if let (Some(size), Some(told)) = (self.floats.get_mut(n), scalar_size(insn)) {
                    *size = told;
                }
            }
            Place::Stack(_) => {}
        }
    }
}

/// Whether the instruction reads this register only to keep its upper half, as conversions and roots do.
fn only_keeps(insn: &Instruction, register: Register) -> bool {
    use Mnemonic as M;
    let keeps = matches!(
        insn.mnemonic(),
        M::Cvtss2sd
            | M::Cvtsd2ss
            | M::Cvtsi2sd
            | M::Cvtsi2ss
            | M::Sqrtsd
            | M::Sqrtss
            | M::Roundsd
            | M::Roundss
    );
    keeps && register == insn.op0_register() && register != insn.op1_register()
}

/// The size of the floating-point number that an instruction computes with, by its name; none of moves between whole
/// registers, and of vectors.
fn scalar_size(insn: &Instruction) -> Option<u64> {
    let name = format!("{:?}", insn.mnemonic());
    match name.get(..5)? {
        "Cvtss" | "Cvtts" if name.contains("ss2") => return Some(4),
        "Cvtsd" | "Cvtts" if name.contains("sd2") => return Some(8),
        _ => {}
    }
    match name.get(name.len().checked_sub(2)?..)? {
        "ss" => Some(4),
        "sd" => Some(8),
        _ => None,
    }
}

/// Places whose value is still the caller's, a bit each.
type Untouched = u64;

impl Flow {
    /// Goes every way through the code as long as a place may be untouched that was not before.
    fn follow(&mut self, func: &Func<'_>, insns: &[Instruction]) {
        let index: HashMap<u64, usize> = insns.iter().enumerate().map(|(i, insn)| (insn.ip(), i)).collect();
        let mut seen: Vec<Untouched> = vec![0; insns.len()];
        let mut waiting = vec![(0, Untouched::MAX)];
        let mut infos = InstructionInfoFactory::new();
        let mut reads = Reads::default();
        while let Some((at, untouched)) = waiting.pop() {
            let (Some(insn), Some(before)) = (insns.get(at), seen.get_mut(at)) else { continue };
            if untouched & !*before == 0 {
                continue;
            }
            *before |= untouched;
            let after = self.step(func, insn, *before, &mut infos, &mut reads);
            let target = || index.get(&insn.near_branch_target()).copied();
            match insn.flow_control() {
                FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => {
                    waiting.push((at + 1, after))
                }
                FlowControl::ConditionalBranch => {
                    waiting.push((at + 1, after));
                    waiting.extend(target().map(|target| (target, after)));
                }
                FlowControl::UnconditionalBranch => waiting.extend(target().map(|target| (target, after))),
                _ => {}
            }
        }
        (self.read_ints, self.read_floats) = (reads.ints, reads.floats);
    }

    /// Notes what the instruction reads of what is untouched; gives what is untouched after it.
    fn step(
        &mut self,
        func: &Func<'_>,
        insn: &Instruction,
        untouched: Untouched,
        infos: &mut InstructionInfoFactory,
        seen: &mut Reads,
    ) -> Untouched {
        let info = infos.info(insn);
        let mut written = 0;
        for used in info.used_registers() {
            let Some(place) = register(used.register()) else { continue };
            let Some(bit) = bit(place) else { continue };
            if reads(used.access()) && bit & untouched != 0 && !only_keeps(insn, used.register()) {
                seen.add(place, insn);
            }
            if writes(used.access()) {
                written |= bit;
            }
        }
        for used in info.used_memory() {
            let Some(offset) = argument_offset(func, insn.ip(), used) else { continue };
            let size = used.memory_size().size() as u64;
            let words = (offset / 8..offset.saturating_add(size).div_ceil(8))
                .filter_map(|word| bit(Place::Stack(word * 8)));
            let words: Untouched = words.fold(0, |all, bit| all | bit);
            if reads(used.access()) && words & untouched != 0 {
                self.note(insn, offset, size);
            }
            if writes(used.access()) {
                written |= words;
            }
        }
        let after = untouched & !written;
        let calls = matches!(insn.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
        if calls { after & !register_bits() } else { after }
    }

    /// Notes a read of the stack; one of several words at once is a read of each.
    fn note(&mut self, insn: &Instruction, offset: u64, size: u64) {
        let float = insn
            .op_kinds()
            .zip(0..)
            .any(|(kind, n)| kind == OpKind::Register && is_vector(insn.op_register(n)));
        let scalar = matches!(size, 1 | 2 | 4 | 8);
        for at in (offset..offset.saturating_add(size)).step_by(8).take(STACK_WORDS as usize) {
            let access = Access { size: size.min(8), float: float && scalar };
            let known = self.stack.entry(at).or_insert(access);
            if access.size > known.size {
                *known = access;
            }
        }
    }

    /// The stores before the call of `morestack`, which a jump to the entry follows.
    fn find_spills(&mut self, func: &Func<'_>, insns: &[Instruction]) {
        let entry = func.entry();
        let again =
            |insn: &Instruction| insn.mnemonic() == Mnemonic::Jmp && insn.near_branch_target() == entry;
        let Some(jump) = insns.iter().rposition(again) else { return };
        let before = insns.get(..jump).unwrap_or_default();
        let Some(call) = before.iter().rposition(|insn| insn.flow_control() != FlowControl::Next) else {
            return;
        };
        if !before.get(call).is_some_and(|call| asks_for_stack(func.image(), call)) {
            return;
        }
        let stores = before.get(..call).unwrap_or_default().iter().rev();
        let stores = stores.skip_while(|insn| insn.mnemonic() == Mnemonic::Nop);
        self.spills = stores.map_while(spill).collect();
    }

    /// The registers that are set between the last call or jump and a return.
    fn find_results(&mut self, insns: &[Instruction]) {
        let mut infos = InstructionInfoFactory::new();
        let returns = insns.iter().enumerate().filter(|(_, insn)| insn.flow_control() == FlowControl::Return);
        for (at, _) in returns {
            let before = insns.get(..at).unwrap_or_default().iter().rev();
            let mut set = 0;
            for insn in before {
                match insn.flow_control() {
                    FlowControl::Next | FlowControl::ConditionalBranch => {}
                    FlowControl::Call | FlowControl::IndirectCall => {
                        // What is passed on is what the callee returned.
                        let first = bit(Place::Int(0)).unwrap_or(0);
                        if set & first == 0 {
                            set |= (0..PASSED_ON)
                                .filter_map(|n| bit(Place::Int(n)))
                                .fold(0, |all, bit| all | bit);
                        }
                        break;
                    }
                    _ => break,
                }
                for used in infos.info(insn).used_registers().iter().filter(|used| writes(used.access())) {
                    set |= register(used.register()).and_then(bit).unwrap_or(0);
                }
            }
            let leading = |place: &dyn Fn(u8) -> Place, most: usize| {
                (0..most).take_while(|n| bit(place(*n as u8)).is_some_and(|bit| set & bit != 0)).count()
            };
            self.result_ints = self.result_ints.max(leading(&Place::Int, INT_REGS));
            self.result_floats = self.result_floats.max(leading(&Place::Float, FLOAT_REGS));
        }
    }
}

/// The bit of a place; none for places far up the stack.
fn bit(place: Place) -> Option<Untouched> {
    let index = match place {
        Place::Int(n) => u32::from(n),
        Place::Float(n) => INT_REGS as u32 + u32::from(n),
        Place::Stack(offset) if offset / 8 < STACK_WORDS => {
            (INT_REGS + FLOAT_REGS) as u32 + (offset / 8) as u32
        }
        Place::Stack(_) => return None,
    };
    1u64.checked_shl(index)
}

/// The bits of all registers.
fn register_bits() -> Untouched {
    (1 << (INT_REGS + FLOAT_REGS)) - 1
}

/// The register of the convention that a processor's register is part of.
fn register(register: Register) -> Option<Place> {
    if is_vector(register) {
        return u8::try_from(register.number())
            .ok()
            .filter(|n| usize::from(*n) < FLOAT_REGS)
            .map(Place::Float);
    }
    let n = INTS.iter().position(|int| *int == register.full_register())?;
    u8::try_from(n).ok().map(Place::Int)
}

fn is_vector(register: Register) -> bool {
    register.is_xmm() || register.is_ymm() || register.is_zmm()
}

fn reads(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

/// Whether the value that was there is gone.
fn writes(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::ReadWrite)
}

/// Where in the caller's block of arguments an access is; none if it is elsewhere.
fn argument_offset(func: &Func<'_>, pc: u64, used: &UsedMemory) -> Option<u64> {
    if used.base() != Register::RSP || used.index() != Register::None {
        return None;
    }
    let frame = u64::try_from(func.sp_delta(pc)?).ok()?;
    used.displacement().checked_sub(frame.checked_add(8)?).filter(|offset| *offset < STACK_WORDS * 8)
}

/// Whether it calls `morestack`, or the few instructions that lead there.
fn asks_for_stack(image: &Image, call: &Instruction) -> bool {
    if !call.is_call_near() {
        return false;
    }
    let Some(callee) = image.func_at(call.near_branch_target()) else { return false };
    let is_it =
        |func: &Func<'_>| func.func_id() == FuncId::Morestack || func.name().starts_with("runtime.morestack");
    let leads_there = || {
        let code = image.bytes(callee.entry(), MAX_STUB).unwrap_or_default();
        let mut steps = Walk::new(code, callee.entry(), MAX_STUB).map(|step| step.insn);
        let jump = steps.find(|insn| insn.flow_control() == FlowControl::UnconditionalBranch);
        jump.and_then(|jump| image.func_at(jump.near_branch_target())).is_some_and(|func| is_it(&func))
    };
    is_it(&callee) || leads_there()
}

/// `MOVQ AX, 8(SP)`: a register saved in its slot.
fn spill(insn: &Instruction) -> Option<(u64, Spill)> {
    let stores = insn.op0_kind() == OpKind::Memory && insn.op1_kind() == OpKind::Register;
    let on_stack = insn.memory_base() == Register::RSP && insn.memory_index() == Register::None;
    let register = register(insn.op1_register()).filter(|_| stores && on_stack)?;
    let offset = insn.memory_displacement64().checked_sub(8)?;
    Some((offset, Spill { register, size: insn.memory_size().size() as u64 }))
}
