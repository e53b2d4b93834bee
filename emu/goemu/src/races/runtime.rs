//! What the runtime does, function by function: goroutines, channels, timers, allocations, and accesses on the program's
//! behalf.

use super::detector::{Detector, word};
use super::goroutines::{Pending, Who};
use super::objects::Object;
use super::orders::{FILES, Point};
use super::plan::Operand;
use super::roles::{Range, Role};
use super::shadow::Kind;
use super::stacks::UNKNOWN;
use crate::cpu::gpr;
use crate::observe::View;

const READ: Kind = Kind { write: false, atomic: false };
const WRITE: Kind = Kind { write: true, atomic: false };

// Of Linux.
const SYS_READ: u64 = 0;
const SYS_WRITE: u64 = 1;
const SYS_PREAD: u64 = 17;
const SYS_PWRITE: u64 = 18;

/// Most channels of a select statement: Go allows no more.
const MOST_CASES: u64 = 1 << 16;

impl Detector {
    fn depth(&mut self, at: &View<'_>, index: usize) -> u64 {
        let (_, hi) = self.stack_bounds(at, index);
        hi.wrapping_sub(at.cpu.gpr(gpr::RSP))
    }

    /// A call begins whose end, or whose arguments, will matter.
    fn push(&mut self, at: &View<'_>, index: usize, role: Role, args: [u64; 3]) {
        let depth = self.depth(at, index);
        let pending = &mut self.run.goroutines.all[index].pending;
        // Those that are deeper are over, by a panic; the same one begins again on a larger stack.
        pending.retain(|call| call.depth < depth);
        pending.push(Pending { role, depth, args, channels: Vec::new(), clock: None });
    }

    /// A function with a role begins.
    pub(super) fn begins(&mut self, at: &View<'_>, index: usize, role: Role) {
        let arg = |n| self.arg(at, n);
        match role {
            Role::Go => {
                let stack = self.stack_around(at, index, 0);
                self.run.goroutines.all[index].going = stack;
            }
            Role::MakesGoroutine => {
                let creator = arg(if self.image.facts().rules().starts_closures() { 1 } else { 3 });
                self.push(at, index, role, [creator, 0, 0]);
            }
            Role::EndsGoroutine => self.run.goroutines.end(index),
            Role::Allocates => self.push(at, index, role, [arg(0), arg(1), 0]),
            Role::ChanSend | Role::ChanRecv => self.channel_begins(at, index, role),
            Role::ChanClose => self.closes(at, index),
            Role::Select => self.select_begins(at, index),
            Role::HandsOver | Role::TakesOver => self.meets(at, index, role),
            Role::MapRead { map } => self.map(at, index, arg(map.into()), READ),
            Role::MapWrite { map } => self.map(at, index, arg(map.into()), WRITE),
            Role::Range(range) => self.range(at, index, range),
            Role::Semacquire => {
                let caller = word(at, at.cpu.gpr(gpr::RSP));
                self.push(at, index, role, [arg(0), caller, 0]);
            }
            Role::WaitGroupWait | Role::PoolGet | Role::AfterAll => {
                self.push(at, index, role, [arg(0), 0, 0])
            }
            Role::PoolPut => self.release_merged(index, arg(2), Point::Pooled),
            Role::MakesTimer => {
                self.push(at, index, role, [0; 3]);
                let g = &mut self.run.goroutines.all[index];
                let clock = g.goroutine.as_mut().map(|goroutine| goroutine.knows.release());
                if let Some(call) = g.pending.last_mut() {
                    call.clock = clock;
                }
            }
            Role::StartsTimer => self.release_merged(index, arg(0), Point::Timer),
            Role::TimerFires { timer } => {
                let clock = self.run.orders.timer(arg(timer.into())).cloned();
                self.run.goroutines.all[index].timer = clock;
            }
            Role::CoroutineSwitches => {
                let coroutine = arg(0);
                self.push(at, index, role, [coroutine, 0, 0]);
                self.release(index, coroutine, Point::Coroutine);
            }
            Role::CoroutineEnds => {
                let coroutine = self.run.goroutines.all[index].coroutine;
                self.release(index, coroutine, Point::Coroutine);
            }
        }
    }

    /// It returns.
    pub(super) fn ends(&mut self, at: &View<'_>, index: usize, role: Role) {
        let depth = self.depth(at, index);
        let pending = &mut self.run.goroutines.all[index].pending;
        pending.retain(|call| call.depth <= depth);
        let Some(call) = pending.pop_if(|call| call.depth == depth && call.role == role) else { return };
        let [first, second, _] = call.args;
        match role {
            Role::MakesGoroutine => {
                let args = if self.image.facts().rules().starts_closures() { 3 } else { 5 };
                self.goroutine_made(at, index, self.result(at, args, 0), first);
            }
            Role::Allocates => self.allocated(at, index, (self.result(at, 3, 0), first, second)),
            Role::ChanRecv => {
                let received = self.result(at, 3, 0) & 0xff != 0;
                // Without registers both results are bytes of one word.
                let (selected, received) = if self.image.facts().register_abi() {
                    (received, self.result(at, 3, 1) & 0xff != 0)
                } else {
                    (received, self.result(at, 3, 0) & 0xff00 != 0)
                };
                if selected && !received {
                    self.acquire(index, first, Point::Closed);
                }
            }
            Role::Select => self.select_ends(at, index, &call),
            Role::Semacquire => self.semacquired(index, first, second),
            Role::WaitGroupWait => {
                // The counter has 8 bytes, and begins where that is aligned.
                self.acquire_word(index, first.next_multiple_of(8));
                self.acquire_word(index, first);
            }
            Role::PoolGet => {
                let object = self.result(at, 1, 1);
                self.acquire(index, object, Point::Pooled);
            }
            Role::MakesTimer => {
                if let Some(clock) = call.clock {
                    let timer = self.result(at, 5, 0);
                    self.run.orders.set(timer, Point::Timer, clock);
                }
            }
            Role::CoroutineSwitches => _ = self.acquire(index, first, Point::Coroutine),
            Role::AfterAll => self.run.goroutines.learn_all(index),
            _ => {}
        }
    }

    /// `newproc1` has made a goroutine: it comes after the `go` statement.
    fn goroutine_made(&mut self, at: &View<'_>, index: usize, new: u64, creator: u64) {
        let facts = &self.image.facts().g;
        let id = word(at, new.wrapping_add(facts.goid));
        let parent = self.run.goroutines.index(creator);
        let g = &mut self.run.goroutines.all[parent];
        let (clock, creator, created) = match &mut g.goroutine {
            Some(goroutine) => (Some(goroutine.knows.release()), goroutine.id, g.going),
            // A timer's function may have a goroutine of its own.
            None => (self.run.goroutines.all[index].timer.clone(), 0, UNKNOWN),
        };
        let child = self.run.goroutines.index(new);
        self.run.goroutines.begin(child, Who { id, ended: false, creator, created }, clock.as_ref());
    }

    fn allocated(&mut self, at: &View<'_>, index: usize, (addr, size, ty): (u64, u64, u64)) {
        if addr == 0 || size == 0 {
            return;
        }
        self.run.shadow.forget(addr, size);
        self.run.orders.forget(addr, size);
        let goroutine = self.run.goroutines.all[index].goroutine.as_ref().map_or(0, |goroutine| goroutine.id);
        let stack = if goroutine == 0 { UNKNOWN } else { self.stack_around(at, index, 0) };
        self.run.objects.add(Object { addr, size, ty, stack, goroutine });
    }

    /// An access by a function of the runtime, at its entry, for its caller.
    fn for_caller(&mut self, at: &View<'_>, index: usize, range: (u64, u64), kind: Kind) {
        self.access(at, index, 0, range, kind);
    }

    fn map(&mut self, at: &View<'_>, index: usize, map: u64, kind: Kind) {
        if self.run.goroutines.all[index].goroutine.is_some() && self.is_called_by_program(at) {
            self.for_caller(at, index, (map, 8), kind);
        }
    }

    fn range(&mut self, at: &View<'_>, index: usize, range: Range) {
        if self.run.goroutines.all[index].goroutine.is_none() || !self.is_called_by_program(at) {
            return;
        }
        let arg = |n| self.arg(at, n);
        let size_of = |ty: u64| word(at, ty);
        let (reads, writes) = match range {
            Range::Move => ([(arg(1), arg(2)), (0, 0)], (arg(0), arg(2))),
            Range::Clear => ([(0, 0); 2], (arg(0), arg(1))),
            Range::Equal => ([(arg(0), arg(2)), (arg(1), arg(2))], (0, 0)),
            Range::MoveTyped => ([(arg(2), size_of(arg(0))), (0, 0)], (arg(1), size_of(arg(0)))),
            Range::ClearTyped => ([(0, 0); 2], (arg(1), size_of(arg(0)))),
            Range::CopySlice => {
                let size = arg(2).min(arg(4)).saturating_mul(size_of(arg(0)));
                ([(arg(3), size), (0, 0)], (arg(1), size))
            }
            Range::Grow => {
                let size = arg(1).wrapping_sub(arg(3)).saturating_mul(size_of(arg(4)));
                ([(arg(0), size), (0, 0)], (0, 0))
            }
            Range::ToString => ([(arg(1), arg(2)), (0, 0)], (0, 0)),
        };
        for range in reads {
            self.for_caller(at, index, range, READ);
        }
        self.for_caller(at, index, writes, WRITE);
    }

    fn channel_begins(&mut self, at: &View<'_>, index: usize, role: Role) {
        let channel = self.arg(at, 0);
        self.push(at, index, role, [channel, 0, 0]);
        if let Some(call) = self.run.goroutines.all[index].pending.last_mut() {
            call.channels.push(channel);
        }
        if role == Role::ChanSend {
            self.sends(at, index, channel);
        }
    }

    /// Sending is a read of what closing writes: both at once are a race.
    fn sends(&mut self, at: &View<'_>, index: usize, channel: u64) {
        let buf = self.image.facts().hchan.buf;
        if channel != 0 {
            self.for_caller(at, index, (channel.wrapping_add(buf), 8), READ);
        }
    }

    fn closes(&mut self, at: &View<'_>, index: usize) {
        let (channel, buf) = (self.arg(at, 0), self.image.facts().hchan.buf);
        if channel != 0 {
            self.for_caller(at, index, (channel.wrapping_add(buf), 8), WRITE);
            self.release(index, channel, Point::Closed);
        }
    }

    fn select_begins(&mut self, at: &View<'_>, index: usize) {
        let rules = self.image.facts().rules();
        let (cases, facts) = (self.arg(at, 0), self.image.facts().scase);
        let (sends, all) = if rules.select_counts_sends() {
            (self.arg(at, 3), self.arg(at, 3).saturating_add(self.arg(at, 4)))
        } else {
            (0, self.arg(at, 2))
        };
        self.push(at, index, Role::Select, [sends, 0, 0]);
        let channels: Vec<u64> = (0..all.min(MOST_CASES))
            .map(|n| word(at, cases.wrapping_add(n * facts.size).wrapping_add(facts.channel)))
            .collect();
        for channel in channels.iter().take(usize::try_from(sends).unwrap_or(0)) {
            self.sends(at, index, *channel);
        }
        if let Some(call) = self.run.goroutines.all[index].pending.last_mut() {
            call.channels = channels;
        }
    }

    fn select_ends(&mut self, at: &View<'_>, index: usize, call: &Pending) {
        let args = if self.image.facts().rules().select_counts_sends() { 6 } else { 3 };
        let (chosen, received) = (self.result(at, args, 0), self.result(at, args, 1) & 0xff != 0);
        if (chosen as i64) < 0 || received || chosen < call.args[0] {
            return;
        }
        let chosen = usize::try_from(chosen).ok().and_then(|chosen| call.channels.get(chosen));
        if let Some(channel) = chosen {
            self.acquire(index, *channel, Point::Closed);
        }
    }

    /// A place of a channel's buffer is filled or emptied: its number is about to go up. A use of a place comes after the use
    /// before.
    pub(super) fn channel_index(&mut self, at: &View<'_>, index: usize, operand: &Operand, send: bool) {
        let facts = &self.image.facts().hchan;
        let addr = operand.addr(at.cpu);
        let channel = addr.wrapping_sub(if send { facts.sendx } else { facts.recvx });
        let calls = &self.run.goroutines.all[index].pending;
        if !calls.last().is_some_and(|call| call.channels.contains(&channel)) {
            return;
        }
        let place = word(at, addr);
        // After the last place it is set to the first.
        if place < word(at, channel.wrapping_add(facts.dataqsiz)) {
            self.uses_place(index, channel, place);
        }
    }

    fn uses_place(&mut self, index: usize, channel: u64, place: u64) {
        let point = Point::Buffered(place);
        let g = &mut self.run.goroutines.all[index];
        match &mut g.goroutine {
            Some(goroutine) => {
                let clock = goroutine.knows.release();
                if let Some(before) = self.run.orders.set(channel, point, clock) {
                    goroutine.knows.acquire(&before);
                }
            }
            // A timer's function sends without a goroutine.
            None => {
                let clock = g.timer.clone().unwrap_or_default();
                self.run.orders.set(channel, point, clock);
            }
        }
    }

    /// `send(c, sg, ..)`, `recv(c, sg, ..)`: another goroutine waits for this one.
    fn meets(&mut self, at: &View<'_>, index: usize, role: Role) {
        let (channel, waiting) = (self.arg(at, 0), self.arg(at, 1));
        let facts = &self.image.facts().hchan;
        let (size, place) =
            (word(at, channel.wrapping_add(facts.dataqsiz)), word(at, channel.wrapping_add(facts.recvx)));
        let other = word(at, waiting.wrapping_add(self.image.facts().sudog.g));
        let other = self.run.goroutines.index(other);
        if size != 0 {
            // As if the value went through the buffer.
            self.uses_place(index, channel, place);
            self.uses_place(other, channel, place);
            return;
        }
        let _ = role;
        let mine = self.clock_of(index);
        let theirs = self.clock_of(other);
        for (index, clock) in [(other, mine), (index, theirs)] {
            if let (Some(goroutine), Some(clock)) = (&mut self.run.goroutines.all[index].goroutine, clock) {
                goroutine.knows.acquire(&clock);
            }
        }
    }

    /// What a `g` lets others know.
    fn clock_of(&mut self, index: usize) -> Option<super::clock::Clock> {
        let g = &mut self.run.goroutines.all[index];
        match &mut g.goroutine {
            Some(goroutine) => Some(goroutine.knows.release()),
            None => g.timer.clone(),
        }
    }

    /// `corostart` calls the coroutine's function.
    pub(super) fn coroutine_begins(&mut self, at: &View<'_>, index: usize) {
        let coroutine = at.cpu.gpr(gpr::RAX);
        let known = &mut self.run.goroutines.all[index].coroutine;
        // The deferred call at its end is an indirect one, too.
        if *known == 0 {
            *known = coroutine;
            self.acquire(index, coroutine, Point::Coroutine);
        }
    }

    /// A write to a file comes before a read from one, as Go's race detector has it.
    pub(super) fn syscall(&mut self, at: &View<'_>, index: usize, depth: u64) {
        let (number, data, size) = (at.cpu.gpr(gpr::RAX), at.cpu.gpr(gpr::RSI), at.cpu.gpr(gpr::RDX));
        self.run.goroutines.all[index].syscall = (number, data);
        if matches!(number, SYS_WRITE | SYS_PWRITE) {
            self.release_merged(index, FILES, Point::Word);
            self.access(at, index, depth, (data, size), READ);
        }
    }

    pub(super) fn answered(&mut self, at: &View<'_>, index: usize, depth: u64) {
        let (number, data) = self.run.goroutines.all[index].syscall;
        let result = at.cpu.gpr(gpr::RAX) as i64;
        if !matches!(number, SYS_READ | SYS_PREAD) || result < 0 {
            return;
        }
        self.access(at, index, depth, (data, result as u64), WRITE);
        self.acquire(index, FILES, Point::Word);
    }
}
