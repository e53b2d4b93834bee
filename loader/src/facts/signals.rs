//! How each system tells Go's runtime of a fault (`runtime/defs_*_amd64.go`, `runtime/sigtab*.go`).

use crate::layout::Os;

/// What the runtime finds in `g` after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signal {
    /// `g.sig`
    pub number: u32,
    /// `g.sigcode0`
    pub code: u64,
    /// What the runtime calls it; on Windows, which has exceptions, its number.
    pub name: &'static str,
}

/// What a system makes of faults that Go makes panics of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signals {
    /// An access to memory that is not there.
    pub memory: Signal,
    /// A division by zero.
    pub divide: Signal,
}

impl Signals {
    /// Those of a system.
    pub fn of(os: Os) -> Signals {
        if os == Os::Windows {
            // EXCEPTION_ACCESS_VIOLATION, whose code is 0 for a read; EXCEPTION_INT_DIVIDE_BY_ZERO.
            return Signals {
                memory: Signal { number: 0xc000_0005, code: 0, name: "0xc0000005" },
                divide: Signal { number: 0xc000_0094, code: 0, name: "0xc0000094" },
            };
        }
        let divide = match os {
            Os::Darwin => 7,
            Os::FreeBsd | Os::DragonFly => 2,
            _ => 1,
        };
        // SIGSEGV with SEGV_MAPERR, SIGFPE with FPE_INTDIV.
        Signals {
            memory: Signal { number: 11, code: 1, name: "SIGSEGV: segmentation violation" },
            divide: Signal { number: 8, code: divide, name: "SIGFPE: floating-point exception" },
        }
    }

    /// The one that `g.sig` names.
    pub fn numbered(&self, number: u32) -> Option<Signal> {
        [self.memory, self.divide].into_iter().find(|signal| signal.number == number)
    }
}
