//! Breakpoints and watchpoints that gdb sets.

use std::ops::Range;

use gdbstub::target::TargetResult;
use gdbstub::target::ext::breakpoints::{
    Breakpoints, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint, SwBreakpointOps,
    WatchKind,
};

use super::target::Guest;
use crate::watch::{Access, Watchpoint};

/// Bytes of a watchpoint, and watchpoints, at most: each step looks at all of them.
const MAX_BYTES: u64 = 1 << 12;

impl Breakpoints for Guest<'_> {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Guest<'_> {
    fn add_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        self.runner.session_mut().add_breakpoint(addr);
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.hardware.contains(&addr) || self.runner.session_mut().remove_breakpoint(addr))
    }
}

impl HwBreakpoint for Guest<'_> {
    fn add_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        self.hardware.insert(addr);
        self.runner.session_mut().add_breakpoint(addr);
        Ok(true)
    }

    fn remove_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        self.hardware.remove(&addr);
        Ok(self.runner.session_mut().remove_breakpoint(addr))
    }
}

fn bytes(addr: u64, len: u64) -> Option<Range<u64>> {
    (1..=MAX_BYTES).contains(&len).then(|| addr.checked_add(len).map(|end| addr..end)).flatten()
}

fn access(kind: WatchKind) -> Access {
    match kind {
        WatchKind::Write => Access::Write,
        WatchKind::Read => Access::Read,
        WatchKind::ReadWrite => Access::Any,
    }
}

impl HwWatchpoint for Guest<'_> {
    fn add_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        let Some(bytes) = bytes(addr, len) else { return Ok(false) };
        self.runner.watch(Watchpoint { bytes, access: access(kind) });
        Ok(true)
    }

    fn remove_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        let Some(bytes) = bytes(addr, len) else { return Ok(false) };
        Ok(self.runner.unwatch(&Watchpoint { bytes, access: access(kind) }))
    }
}
