//! Why an engine stopped.

use iced_x86::Code;

use crate::memory::{Access, Cause, MemFault};

/// Why an instruction could not be executed, or must not be executed by the engine. It has changed nothing.
///
/// Sixteen bytes, so that a handler's result travels in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The address that could not be reached, for traps of memory.
    pub addr: u64,
    /// What happened.
    pub kind: TrapKind,
}

/// The kinds of [`Trap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapKind {
    /// An access that memory does not allow: #PF.
    Memory(Access, Cause),
    /// A divisor of 0, or a quotient that does not fit: #DE.
    Divide,
    /// An instruction that does not exist, or UD2: #UD.
    Invalid,
    /// An instruction that exists and that this processor does not have.
    Unsupported,
    /// A misaligned operand, or something that only a kernel may do: #GP.
    Protection,
    /// An unmasked floating-point exception: #XM or #MF.
    Float,
    /// INT3, INT n: #BP.
    Breakpoint,
    /// HLT
    Halt,
    /// SYSCALL; RIP is past it.
    Syscall,
    /// A guarded instruction: see `Engine::set_bar`.
    Guarded,
}

impl Trap {
    /// A trap that is not about memory.
    #[inline]
    pub fn new(kind: TrapKind) -> Trap {
        Trap { addr: 0, kind }
    }
}

impl From<MemFault> for Trap {
    #[inline]
    fn from(fault: MemFault) -> Trap {
        Trap { addr: fault.addr, kind: TrapKind::Memory(fault.access, fault.cause) }
    }
}

/// An action of the guest that the processor refuses. May become a Go panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Address of the instruction.
    pub pc: u64,
    /// The kind of fault.
    pub kind: FaultKind,
}

/// An instruction by its form, which its operands make, and by its bytes: `POP FS (X64: 0f a1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Which form it is.
    pub code: Code,
    bytes: [u8; 15],
    len: u8,
}

impl Form {
    /// A form, and the bytes that it was decoded from: 15 at most.
    pub fn new(code: Code, bytes: &[u8]) -> Form {
        let mut form = Form { code, bytes: [0; 15], len: bytes.len().min(15) as u8 };
        form.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        form
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Mnemonic and operands: `POP FS`, `VPXORD zmm k1z zmm zmmm512b32`.
    pub fn name(&self) -> String {
        let name = format!("{:?}", self.code);
        let parts = name.split('_').skip_while(|part| ["VEX", "EVEX", "MVEX", "XOP", "D3NOW"].contains(part));
        let operands: Vec<&str> = parts.skip(1).collect();
        let mnemonic = format!("{:?}", self.code.mnemonic()).to_uppercase();
        if operands.is_empty() { mnemonic } else { format!("{mnemonic} {}", operands.join(" ")) }
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let features: Vec<_> = self.code.cpuid_features().iter().map(|f| format!("{f:?}")).collect();
        let bytes: Vec<_> = self.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        write!(f, "{} ({}: {})", self.name(), features.join(", "), bytes.join(" "))
    }
}

/// The kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An access that memory does not allow.
    Memory(MemFault),
    /// A divisor of 0, or a quotient that does not fit.
    Divide,
    /// Bytes that are no instruction, or UD2.
    Invalid,
    /// An instruction, or a form of one, that goemu does not have.
    Unsupported(Form),
    /// A misaligned operand, or something that only a kernel may do.
    Protection,
    /// An unmasked floating-point exception.
    Float,
    /// INT3
    Breakpoint,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pc = self.pc;
        match self.kind {
            FaultKind::Memory(fault) => {
                write!(f, "{} {:#x} at pc {pc:#x}: {}", fault.attempt(), fault.addr, fault.reason())
            }
            FaultKind::Divide => write!(f, "integer divide error at pc {pc:#x}"),
            FaultKind::Invalid => write!(f, "invalid instruction at pc {pc:#x}"),
            FaultKind::Unsupported(form) => write!(f, "unsupported instruction {form} at pc {pc:#x}"),
            FaultKind::Protection => write!(f, "general protection fault at pc {pc:#x}"),
            FaultKind::Float => write!(f, "floating-point exception at pc {pc:#x}"),
            FaultKind::Breakpoint => write!(f, "breakpoint at pc {pc:#x}"),
        }
    }
}

impl std::error::Error for Fault {}

/// Why an engine came back. RIP and all state are those of the instruction that would run next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// RIP is a stop address.
    Stopped,
    /// The fuel is used up.
    OutOfFuel,
    /// SYSCALL was executed; RIP is past it.
    Syscall,
    /// HLT was executed; RIP is past it.
    Halt,
    /// An instruction faulted; RIP points at it.
    Fault(Fault),
    /// RIP points at an instruction that is guarded.
    Guarded,
}
