//! What there is to do before an instruction, found out once for each.

use std::sync::Arc;

use goemu_loader::{Func, FuncId, Image};
use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, MemorySize, Mnemonic, OpAccess, Register, UsedMemory,
};
use rustc_hash::FxHashMap;

use super::class::{self, Class};
use super::roles::{self, Role, SyncAtomic};
use crate::cpu::Cpu;
use crate::disasm::instructions;

/// What is to be done before an instruction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) does: Does,
    /// How far the return address of its function is from the stack pointer.
    pub(super) depth: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Does {
    /// A function with a role begins.
    Begins(Role),
    /// It returns.
    Ends(Role),
    /// Accesses memory.
    Accesses(Vec<Operand>),
    /// Accesses memory as one instruction that no other can interrupt, or may be such a load.
    Atomic(Operand, Atomic),
    /// Package sync reads memory: perhaps an atomic load, and if not, no access that counts.
    MayLoad(Operand),
    /// Copies or fills by a repeated string instruction, with elements of this size.
    Repeats {
        element: u64,
        reads: bool,
    },
    /// Writes the place in a channel's buffer that is next; `send` tells which.
    ChannelIndex {
        operand: Operand,
        send: bool,
    },
    /// Asks the system.
    Syscall,
    /// The system has answered.
    Answered,
    /// Calls a finalizer, or a coroutine's function for the first time.
    CallsFinalizer,
    CallsCoroutine,
}

/// An operand in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operand {
    base: Option<u8>,
    index: Option<u8>,
    scale: u8,
    displacement: u64,
    pub(super) size: u64,
    pub(super) reads: bool,
    pub(super) writes: bool,
}

/// An instruction that no other interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Atomic {
    pub(super) what: Operation,
    /// The register with the number that is added.
    pub(super) source: Option<u8>,
    /// Of a function of package sync.
    pub(super) lock: Option<SyncAtomic>,
    /// Whether the instruction is in assembly that everybody calls.
    pub(super) for_caller: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Load,
    Store,
    /// Stores, and perhaps uses what was there.
    Exchange,
    Add,
    CompareExchange,
    Other,
}

impl Operand {
    fn of(used: &UsedMemory, insn: &Instruction) -> Option<Operand> {
        let register = |register: Register| match register {
            Register::None | Register::RIP => Some(None),
            register if register.is_gpr64() => Some(Some(number(register))),
            _ => None,
        };
        if matches!(used.segment(), Register::FS | Register::GS) {
            return None;
        }
        let access = used.access();
        let conditional = matches!(access, OpAccess::CondRead | OpAccess::CondWrite);
        let reads = matches!(access, OpAccess::Read | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
            || (conditional && access == OpAccess::CondRead);
        let writes = matches!(access, OpAccess::Write | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
            || (conditional && access == OpAccess::CondWrite);
        let size = match used.memory_size() {
            MemorySize::Unknown => return None,
            size => size.size() as u64,
        };
        let displacement =
            if used.base() == Register::RIP { insn.memory_displacement64() } else { used.displacement() };
        let operand = Operand {
            base: register(used.base())?,
            index: register(used.index())?,
            scale: used.scale().trailing_zeros() as u8,
            displacement,
            size,
            reads,
            writes,
        };
        (size > 0 && (reads || writes)).then_some(operand)
    }

    /// Where it is.
    #[inline]
    pub(super) fn addr(&self, cpu: &Cpu) -> u64 {
        let register = |number: Option<u8>| number.map_or(0, |number| cpu.gpr(number));
        register(self.base).wrapping_add(register(self.index) << self.scale).wrapping_add(self.displacement)
    }
}

fn number(register: Register) -> u8 {
    (register as u32).wrapping_sub(Register::RAX as u32) as u8
}

/// Makes plans.
pub(super) struct Planner {
    image: Arc<Image>,
    roles: FxHashMap<u64, Role>,
}

impl Planner {
    pub(super) fn new(image: Arc<Image>) -> Planner {
        let roles = roles::all(&image);
        Planner { image, roles }
    }

    /// What there is to do before an instruction; `None` if nothing.
    pub(super) fn plan(&self, insn: &Instruction) -> Option<Plan> {
        let func = self.image.func_at(insn.ip())?;
        let does = self.does(&func, insn)?;
        let depth = func.sp_delta(insn.ip()).and_then(|delta| u64::try_from(delta).ok()).unwrap_or(0);
        Some(Plan { does, depth })
    }

    fn does(&self, func: &Func<'_>, insn: &Instruction) -> Option<Does> {
        if let Some(role) = self.roles.get(&func.entry()) {
            if insn.ip() == func.entry() {
                return Some(Does::Begins(*role));
            }
            if role.ends() && insn.flow_control() == FlowControl::Return {
                return Some(Does::Ends(*role));
            }
            if let Some(index) = self.channel_index(*role, insn) {
                return Some(index);
            }
        }
        // Those that the runtime makes for itself are in functions of other names.
        if func.is_asm() && func.name().contains("yscall") {
            if insn.mnemonic() == Mnemonic::Syscall {
                return Some(Does::Syscall);
            }
            if self.image.bytes(insn.ip().wrapping_sub(2), 2) == Some(&[0x0f, 0x05]) {
                return Some(Does::Answered);
            }
        }
        match insn.flow_control() {
            FlowControl::IndirectCall | FlowControl::Call if roles::calls_finalizers(func.name()) => {
                return Some(Does::CallsFinalizer);
            }
            FlowControl::IndirectCall if func.name() == "runtime.corostart" => {
                return Some(Does::CallsCoroutine);
            }
            FlowControl::Next => {}
            // Operands of calls are closures and tables, which are not written.
            _ => return None,
        }
        self.accesses(func, insn)
    }

    /// A store into `sendx` or `recvx` of a channel.
    fn channel_index(&self, role: Role, insn: &Instruction) -> Option<Does> {
        if !matches!(role, Role::ChanSend | Role::ChanRecv | Role::Select) {
            return None;
        }
        let facts = &self.image.facts().hchan;
        let operand = operands(insn).into_iter().find(|operand| operand.writes && operand.size == 8)?;
        let send = operand.displacement == facts.sendx;
        let is_index = send || operand.displacement == facts.recvx;
        (is_index && !insn.is_stack_instruction()).then_some(Does::ChannelIndex { operand, send })
    }

    fn accesses(&self, func: &Func<'_>, insn: &Instruction) -> Option<Does> {
        if !touches_memory(insn) {
            return None;
        }
        let stands_alone = func.is_asm() || func.func_id() == FuncId::Wrapper;
        let for_caller = stands_alone && is_atomic(func.name());
        let frames = func.inlined_at(insn.ip());
        let class = class::of(&frames, func.is_asm());
        if class == Class::Runtime && !for_caller {
            return (func.func_id() == FuncId::Wrapper).then(|| wrapped(func, insn))?;
        }
        if insn.has_rep_prefix() || insn.has_repne_prefix() {
            return repeats(insn);
        }
        let operands = operands(insn);
        let lock = roles::lock(frames.iter().map(|frame| frame.func));
        if let Some(what) = operation(insn, frames.first().map_or("", |frame| frame.func), for_caller) {
            let operand = *operands.first()?;
            let source = (insn.op1_register().is_gpr()).then(|| number(insn.op1_register().full_register()));
            return Some(Does::Atomic(operand, Atomic { what, source, lock, for_caller }));
        }
        if class != Class::Program {
            let load = operands.first().filter(|operand| !operand.writes && lock.is_none())?;
            return Some(Does::MayLoad(*load));
        }
        if self.fills_barrier_buffer(func, insn) {
            return None;
        }
        let own: Vec<Operand> =
            operands.into_iter().filter(|operand| operand.writes || !self.is_constant(operand)).collect();
        (!own.is_empty()).then_some(Does::Accesses(own))
    }

    /// Whether an instruction stores a pointer for the collector: `gcWriteBarrier` says in R11 where that has room.
    fn fills_barrier_buffer(&self, func: &Func<'_>, insn: &Instruction) -> bool {
        /// The bytes of code in which all stores follow the call.
        const NEAR: u64 = 160;
        if insn.memory_base() != Register::R11 || insn.memory_index() != Register::None || !is_store(insn) {
            return false;
        }
        let calls = instructions(func, FlowControl::Call);
        let last = calls.iter().rev().find(|call| call.ip() < insn.ip());
        last.is_some_and(|call| {
            let called = self.image.func_at(call.near_branch_target());
            insn.ip() - call.ip() < NEAR
                && called.is_some_and(|func| func.name().starts_with("runtime.gcWriteBarrier"))
        })
    }

    /// Whether an operand is in memory that is not written.
    fn is_constant(&self, operand: &Operand) -> bool {
        let fixed = operand.base.is_none() && operand.index.is_none();
        fixed
            && self.image.segments().iter().any(|segment| {
                let end = segment.addr.saturating_add(segment.mem_size);
                (segment.addr..end).contains(&operand.displacement)
                    && !segment.perm.contains(goemu_loader::Perm::WRITE)
            })
    }
}

/// An atomic instruction of a method that was inlined into its wrapper, as for an embedded lock behind an interface: the tables do not
/// say of the instruction itself where it comes from, and a wrapper has one method.
fn wrapped(func: &Func<'_>, insn: &Instruction) -> Option<Does> {
    let what = operation(insn, "", false)?;
    let source = insn.op1_register().is_gpr().then(|| number(insn.op1_register().full_register()));
    let lock = roles::lock(func.inlined());
    Some(Does::Atomic(*operands(insn).first()?, Atomic { what, source, lock, for_caller: false }))
}

/// A cheap look at whether there may be something to find.
fn touches_memory(insn: &Instruction) -> bool {
    let has_operand = (0..insn.op_count()).any(|n| insn.op_kind(n) == iced_x86::OpKind::Memory);
    let on_own_stack = insn.memory_base() == Register::RSP || insn.memory_base() == Register::RBP;
    let is_string = insn.has_rep_prefix() || insn.has_repne_prefix();
    // Where Go's code looks whether a pointer is nil, it reads a byte of what is there.
    let is_nil_check = insn.mnemonic() == Mnemonic::Test
        && insn.memory_displacement64() == 0
        && insn.op1_register() == Register::AL;
    // A goroutine's record is the runtime's.
    let is_of_g =
        insn.memory_base() == Register::R14 && insn.memory_index() == Register::None && !is_store(insn);
    (has_operand && !on_own_stack && !is_nil_check && !is_of_g) || is_string
}

fn is_store(insn: &Instruction) -> bool {
    let compares = matches!(insn.mnemonic(), Mnemonic::Cmp | Mnemonic::Test);
    insn.op0_kind() == iced_x86::OpKind::Memory && !compares
}

fn operands(insn: &Instruction) -> Vec<Operand> {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(insn);
    info.used_memory().iter().filter_map(|used| Operand::of(used, insn)).collect()
}

/// `REP MOVS`, `REP STOS`
fn repeats(insn: &Instruction) -> Option<Does> {
    let (element, reads) = match insn.mnemonic() {
        Mnemonic::Movsb => (1, true),
        Mnemonic::Movsq => (8, true),
        Mnemonic::Stosb => (1, false),
        Mnemonic::Stosq => (8, false),
        _ => return None,
    };
    Some(Does::Repeats { element, reads })
}

/// The functions that are atomic operations.
fn is_atomic(name: &str) -> bool {
    ["internal/runtime/atomic.", "runtime/internal/atomic.", "sync/atomic."]
        .iter()
        .any(|start| name.starts_with(start))
}

/// What an instruction does if it is atomic. Loads are only where the function says so.
fn operation(insn: &Instruction, func: &str, for_caller: bool) -> Option<Operation> {
    let of_atomic = for_caller || func.starts_with("sync/atomic.") || func.starts_with("internal/sync.");
    let method = func.rsplit('.').next().unwrap_or("");
    match insn.mnemonic() {
        Mnemonic::Xchg if of_atomic && method.starts_with("Store") => Some(Operation::Store),
        Mnemonic::Xchg => Some(Operation::Exchange),
        Mnemonic::Xadd if insn.has_lock_prefix() => Some(Operation::Add),
        Mnemonic::Cmpxchg if insn.has_lock_prefix() => Some(Operation::CompareExchange),
        _ if insn.has_lock_prefix() => Some(Operation::Other),
        _ if of_atomic && !is_store(insn) => Some(Operation::Load),
        _ => None,
    }
}
