//! The form of execution traces, as the runtime of a release writes them (Go 1.11 and later).
//!
//! Go sources: `readTrace0` in `runtime/trace.go` (`trace2.go` in Go 1.22; `ReadTrace` up to Go 1.18), `traceFrequency` and
//! `traceSyncBatch` there. The numbers of events, of which later releases only ever got more: up to Go 1.21 in `runtime/trace.go`,
//! then others in `runtime/trace2event.go`, `runtime/traceevent.go` and, from Go 1.25 on, `internal/trace/tracev2/events.go`.

/// The form of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceForm {
    minor: u16,
}

impl TraceForm {
    /// The form of a release.
    #[must_use]
    pub fn of(minor: u16) -> TraceForm {
        TraceForm { minor }
    }

    /// What a trace begins with: the release that its form is of.
    #[must_use]
    pub fn header(self) -> [u8; 16] {
        *match self.minor {
            ..=18 => b"go 1.11 trace\0\0\0",
            19..=20 => b"go 1.19 trace\0\0\0",
            21 => b"go 1.21 trace\0\0\0",
            22 => b"go 1.22 trace\0\0\0",
            23..=24 => b"go 1.23 trace\0\0\0",
            25 => b"go 1.25 trace\0\0\0",
            _ => b"go 1.26 trace\0\0\0",
        }
    }

    /// Whether it consists of generations, which can be read one by one; else it is one list of events, with the stacks at its end.
    #[must_use]
    pub fn has_generations(self) -> bool {
        self.minor >= 22
    }

    /// Whether a generation has a batch that relates its clock to those of the system; else it has the clock's frequency only.
    #[must_use]
    pub fn has_clocks(self) -> bool {
        self.minor >= 25
    }

    /// Whether who reads a trace is told where a generation ends, by an event of its own.
    #[must_use]
    pub fn tells_ends(self) -> bool {
        self.minor >= 25
    }
}
