//! Running to breakpoints and watchpoints, in both directions, a part at a time.

use std::ops::Range;

use goemu::cpu::Cpu;
use goemu::decode::decode;
use goemu::memory::Memory;
use goemu::{Error, Session, Stop};
use iced_x86::{InstructionInfoFactory, OpAccess, Register};

/// Steps that are looked at in one piece, when going back: at first, and at most.
const FIRST_PIECE: u64 = 1 << 14;
const LARGEST_PIECE: u64 = 1 << 19;

/// What a watchpoint stops at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The bytes change.
    Write,
    /// An instruction reads them.
    Read,
    /// Either.
    Any,
}

/// Bytes that are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watchpoint {
    /// Their addresses.
    pub bytes: Range<u64>,
    /// What stops.
    pub access: Access,
}

/// Why a run has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// A step was taken.
    Stepped,
    /// RIP is at a breakpoint.
    Breakpoint,
    /// Watched bytes were read or written.
    Watched(Watchpoint),
    /// The call is over.
    Ended,
    /// Going back has come to the beginning.
    Beginning,
}

/// Lets a session run to what stops it.
pub struct Runner<'m> {
    session: Session<'m>,
    watchpoints: Vec<Watchpoint>,
    info: InstructionInfoFactory,
}

/// What watched bytes were before a step, and what the step reads.
struct Before {
    values: Vec<Vec<u8>>,
    read: Option<Watchpoint>,
}

impl<'m> Runner<'m> {
    /// Runs this session.
    pub fn new(session: Session<'m>) -> Runner<'m> {
        Runner { session, watchpoints: Vec::new(), info: InstructionInfoFactory::new() }
    }

    /// The session.
    pub fn session(&self) -> &Session<'m> {
        &self.session
    }

    /// The session, to be changed.
    pub fn session_mut(&mut self) -> &mut Session<'m> {
        &mut self.session
    }

    /// The session, when the debugger is gone.
    pub fn into_session(self) -> Session<'m> {
        self.session
    }

    /// Watches bytes.
    pub fn watch(&mut self, watchpoint: Watchpoint) {
        self.watchpoints.push(watchpoint);
    }

    /// Watches them no more; whether they were watched.
    pub fn unwatch(&mut self, watchpoint: &Watchpoint) -> bool {
        let before = self.watchpoints.len();
        self.watchpoints.retain(|known| known != watchpoint);
        before > self.watchpoints.len()
    }

    /// Takes one step.
    ///
    /// # Errors
    /// Those of [`Session::step`].
    pub fn step(&mut self) -> Result<Stopped, Error> {
        let before = self.look();
        let stop = self.session.step()?;
        Ok(if stop == Stop::Ended { Stopped::Ended } else { self.hit(before).unwrap_or(Stopped::Stepped) })
    }

    /// Takes steps while RIP is in a range.
    ///
    /// # Errors
    /// Those of [`Session::step`].
    pub fn step_in(&mut self, range: &Range<u64>, most: u64) -> Result<Option<Stopped>, Error> {
        for _ in 0..most {
            let stopped = self.step()?;
            let pc = self.session.machine().cpu().rip;
            if stopped != Stopped::Stepped || !range.contains(&pc) {
                return Ok(Some(stopped));
            }
            if self.session.breakpoints().contains(&pc) {
                return Ok(Some(Stopped::Breakpoint));
            }
        }
        Ok(None)
    }

    /// Runs for about so many instructions; `None` where there is nothing to stop at.
    ///
    /// # Errors
    /// Those of [`Session::resume`].
    pub fn run(&mut self, most: u64) -> Result<Option<Stopped>, Error> {
        if self.watchpoints.is_empty() {
            return Ok(match self.session.resume_for(most)? {
                Stop::Breakpoint => Some(Stopped::Breakpoint),
                Stop::Ended => Some(Stopped::Ended),
                _ => None,
            });
        }
        // Watching takes some hundred instructions of the host for each of the guest.
        for _ in 0..(most >> 6).max(1) {
            let stopped = self.step()?;
            if stopped != Stopped::Stepped {
                return Ok(Some(stopped));
            }
            if self.session.breakpoints().contains(&self.session.machine().cpu().rip) {
                return Ok(Some(Stopped::Breakpoint));
            }
        }
        Ok(None)
    }

    /// Takes one step back.
    ///
    /// # Errors
    /// Those of [`Session::step_back`].
    pub fn step_back(&mut self) -> Result<Stopped, Error> {
        Ok(back(self.session.step_back()?))
    }

    /// Runs back to the last breakpoint or watchpoint. A watchpoint stops before the step that it is about.
    ///
    /// # Errors
    /// Those of [`Session::resume_back`].
    pub fn run_back(&mut self) -> Result<Stopped, Error> {
        if self.watchpoints.is_empty() {
            return Ok(back(self.session.resume_back()?));
        }
        self.search_back(|session| {
            let pc = session.machine().cpu().rip;
            session.breakpoints().contains(&pc).then_some(Stopped::Breakpoint)
        })
    }

    /// Goes back to the last state at which `stops` says so, or before which watched bytes are accessed. `stops` is asked about
    /// states in the order of the run, of one piece of it after the other, the last piece first.
    ///
    /// # Errors
    /// Those of [`Session::go_to`].
    pub fn search_back(
        &mut self,
        mut stops: impl FnMut(&Session<'m>) -> Option<Stopped>,
    ) -> Result<Stopped, Error> {
        let (mut end, mut piece) = (self.session.position(), FIRST_PIECE);
        loop {
            let wanted = end.saturating_sub(piece);
            self.session.go_to(wanted)?;
            let start = self.session.position();
            let mut last = None;
            while self.session.position() < end {
                let at = self.session.position();
                if let Some(stopped) = stops(&self.session) {
                    last = Some((at, stopped));
                }
                match self.step()? {
                    Stopped::Watched(watchpoint) => last = Some((at, Stopped::Watched(watchpoint))),
                    Stopped::Ended => break,
                    _ => {}
                }
            }
            if let Some((position, stopped)) = last {
                self.session.go_to(position)?;
                return Ok(stopped);
            }
            if start == 0 || start > wanted || start >= end {
                self.session.go_to(start)?;
                return Ok(Stopped::Beginning);
            }
            (end, piece) = (start, (piece * 4).min(LARGEST_PIECE));
        }
    }

    /// Before a step.
    fn look(&mut self) -> Before {
        let Runner { session, watchpoints, info } = self;
        let (cpu, memory) = (session.machine().cpu(), session.machine().memory());
        let values = watchpoints.iter().map(|watchpoint| value(memory, &watchpoint.bytes)).collect();
        let reading = watchpoints.iter().filter(|watchpoint| watchpoint.access != Access::Write);
        let mut reading = reading.peekable();
        let read = reading.peek().is_some().then(|| reads(cpu, memory, info)).and_then(|reads| {
            let overlaps =
                |bytes: &Range<u64>| reads.iter().any(|r| r.start < bytes.end && bytes.start < r.end);
            reading.find(|watchpoint| overlaps(&watchpoint.bytes)).cloned()
        });
        Before { values, read }
    }

    /// After it: what it has done to watched bytes.
    fn hit(&self, before: Before) -> Option<Stopped> {
        let memory = self.session.machine().memory();
        let changed = self.watchpoints.iter().zip(&before.values).find(|(watchpoint, old)| {
            watchpoint.access != Access::Read && value(memory, &watchpoint.bytes) != **old
        });
        changed.map(|(watchpoint, _)| watchpoint.clone()).or(before.read).map(Stopped::Watched)
    }
}

fn back(stop: Stop) -> Stopped {
    match stop {
        Stop::Breakpoint => Stopped::Breakpoint,
        Stop::Beginning => Stopped::Beginning,
        Stop::Ended => Stopped::Ended,
        Stop::Stepped | Stop::Paused => Stopped::Stepped,
    }
}

/// Bytes; those that cannot be read are not there.
fn value(memory: &Memory, bytes: &Range<u64>) -> Vec<u8> {
    bytes.clone().map_while(|addr| memory.read(addr).ok().map(|[byte]: [u8; 1]| byte)).collect()
}

/// The bytes that the instruction at RIP reads.
fn reads(cpu: &Cpu, memory: &Memory, info: &mut InstructionInfoFactory) -> Vec<Range<u64>> {
    use OpAccess::{CondRead, Read, ReadCondWrite, ReadWrite};
    let Ok(insn) = decode(memory, cpu.rip) else { return Vec::new() };
    let used = info.info(&insn).used_memory().iter();
    let range = |used: &iced_x86::UsedMemory| {
        let register = |register, _, _| {
            Some(match register {
                Register::FS => cpu.fs_base,
                Register::GS => cpu.gs_base,
                Register::CS | Register::DS | Register::ES | Register::SS => 0,
                other => cpu.get(other),
            })
        };
        let addr = used.virtual_address(0, register)?;
        let reads = matches!(used.access(), Read | CondRead | ReadWrite | ReadCondWrite);
        reads.then(|| addr..addr.saturating_add(used.memory_size().size() as u64))
    };
    used.filter_map(range).collect()
}
