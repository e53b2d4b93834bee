//! A session as gdb's target: registers, memory, threads.

use gdbstub::common::Tid;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{MultiThreadBase, MultiThreadResumeOps};
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::breakpoints::BreakpointsOps;
use gdbstub::target::ext::exec_file::ExecFileOps;
use gdbstub::target::ext::host_io::HostIoOps;
use gdbstub::target::ext::libraries::LibrariesOps;
use gdbstub::target::ext::monitor_cmd::MonitorCmdOps;
use gdbstub::target::ext::section_offsets::{Offsets, SectionOffsets, SectionOffsetsOps};
use gdbstub::target::ext::thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps};
use gdbstub::target::{Target, TargetError, TargetResult};
use goemu::machine::GoroutineState;
use goemu::{Error, Report, Session};

use super::files::OpenFiles;
use super::registers::{Number, Regs, X86};
use super::resume::Way;
use super::thread;
use crate::watch::Runner;

/// A session that a debugger looks at.
pub(super) struct Guest<'m> {
    pub(super) runner: Runner<'m>,
    /// What to do when gdb lets it run.
    pub(super) way: Way,
    /// gdb was told that the call is over.
    pub(super) told_end: bool,
    /// The goroutines, until something runs.
    goroutines: Option<Vec<GoroutineState>>,
    /// Whether the breakpoints at these addresses are hardware breakpoints to gdb.
    pub(super) hardware: std::collections::HashSet<u64>,
    /// The files that gdb has opened.
    pub(super) files: OpenFiles,
}

impl<'m> Guest<'m> {
    pub(super) fn new(session: Session<'m>) -> Guest<'m> {
        Guest {
            runner: Runner::new(session),
            way: Way::Continue,
            told_end: false,
            goroutines: None,
            hardware: std::collections::HashSet::new(),
            files: OpenFiles::default(),
        }
    }

    /// Runs the call to its end.
    pub(super) fn finish(self) -> Result<Report, Error> {
        self.runner.into_session().finish()
    }

    /// Something has run, or was changed.
    pub(super) fn moved(&mut self) {
        self.goroutines = None;
    }

    pub(super) fn goroutines(&mut self) -> &[GoroutineState] {
        let session = self.runner.session_mut();
        self.goroutines.get_or_insert_with(|| session.goroutines())
    }

    /// The thread of the running goroutine.
    pub(super) fn current(&mut self) -> Tid {
        thread(self.goroutines().first().map_or(1, |running| running.number))
    }

    fn registers(&mut self, tid: Tid) -> Option<Regs> {
        if tid == self.current() {
            return Some(Regs::of(self.runner.session().machine().cpu()));
        }
        let resting = self.goroutines().iter().find(|goroutine| thread(goroutine.number) == tid)?;
        Some(Regs::resting(resting.at.pc, resting.at.sp, resting.bp))
    }

    /// Changes registers of the running goroutine. Where nothing changes, nothing is written: the history stays.
    fn change(&mut self, tid: Tid, regs: &Regs) -> TargetResult<(), Self> {
        if tid != self.current() {
            return Err(TargetError::NonFatal);
        }
        if *regs != Regs::of(self.runner.session().machine().cpu()) {
            regs.write(self.runner.session_mut().cpu_mut()).ok_or(TargetError::NonFatal)?;
            self.moved();
        }
        Ok(())
    }
}

impl Target for Guest<'_> {
    type Arch = X86;
    type Error = Error;

    fn base_ops(&mut self) -> BaseOps<'_, X86, Error> {
        BaseOps::MultiThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_exec_file(&mut self) -> Option<ExecFileOps<'_, Self>> {
        Some(self)
    }

    fn support_host_io(&mut self) -> Option<HostIoOps<'_, Self>> {
        Some(self)
    }

    fn support_libraries(&mut self) -> Option<LibrariesOps<'_, Self>> {
        Some(self)
    }

    fn support_section_offsets(&mut self) -> Option<SectionOffsetsOps<'_, Self>> {
        Some(self)
    }
}

impl SectionOffsets for Guest<'_> {
    fn get_section_offsets(&mut self) -> Result<Offsets<u64>, Error> {
        let bias = self.runner.session().machine().image().bias();
        Ok(Offsets::Sections { text: bias, data: bias, bss: Some(bias) })
    }
}

impl MultiThreadBase for Guest<'_> {
    fn read_registers(&mut self, regs: &mut Regs, tid: Tid) -> TargetResult<(), Self> {
        *regs = self.registers(tid).ok_or(TargetError::NonFatal)?;
        Ok(())
    }

    fn write_registers(&mut self, regs: &Regs, tid: Tid) -> TargetResult<(), Self> {
        self.change(tid, regs)
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, start: u64, data: &mut [u8], _: Tid) -> TargetResult<usize, Self> {
        let memory = self.runner.session().machine().memory();
        if memory.read_bytes(start, data).is_ok() {
            return Ok(data.len());
        }
        let byte = |n: usize| memory.read::<1>(start.checked_add(n as u64)?).ok();
        let readable = (0..data.len()).map_while(byte).collect::<Vec<_>>();
        data.iter_mut().zip(&readable).for_each(|(to, [byte])| *to = *byte);
        if readable.is_empty() { Err(TargetError::NonFatal) } else { Ok(readable.len()) }
    }

    fn write_addrs(&mut self, start: u64, data: &[u8], _: Tid) -> TargetResult<(), Self> {
        let memory = self.runner.session_mut().memory_mut();
        // As debuggers do, also where the program itself may not write.
        memory.poke(start, data).map_err(|_| TargetError::NonFatal)?;
        self.moved();
        Ok(())
    }

    fn list_active_threads(&mut self, thread_is_active: &mut dyn FnMut(Tid)) -> Result<(), Error> {
        self.goroutines().iter().for_each(|goroutine| thread_is_active(thread(goroutine.number)));
        Ok(())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }

    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<Tid> for Guest<'_> {
    fn read_register(&mut self, tid: Tid, number: Number, buf: &mut [u8]) -> TargetResult<usize, Self> {
        let bytes = self.registers(tid).and_then(|regs| regs.get(number)).ok_or(TargetError::NonFatal)?;
        let to = buf.get_mut(..bytes.len()).ok_or(TargetError::NonFatal)?;
        to.copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn write_register(&mut self, tid: Tid, number: Number, val: &[u8]) -> TargetResult<(), Self> {
        let mut regs = self.registers(tid).ok_or(TargetError::NonFatal)?;
        regs.set(number, val).ok_or(TargetError::NonFatal)?;
        self.change(tid, &regs)
    }
}

impl ThreadExtraInfo for Guest<'_> {
    fn thread_extra_info(&self, tid: Tid, buf: &mut [u8]) -> Result<usize, Error> {
        let known = self.goroutines.iter().flatten().find(|goroutine| thread(goroutine.number) == tid);
        let text = known.map_or_else(String::new, |goroutine| {
            let image = self.runner.session().machine().image();
            let func = image.func_at(goroutine.at.pc).map_or("", |func| func.name());
            format!("goroutine {} [{}] {func}", goroutine.number, goroutine.status)
        });
        let count = text.len().min(buf.len());
        buf[..count].copy_from_slice(&text.as_bytes()[..count]);
        Ok(count)
    }
}
