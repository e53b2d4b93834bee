//! Turns of threads where a schedule decides, and which of them runs next.

use super::threads::{On, Threads, Wait};
use crate::guest::clock;
use crate::guest::schedule::{Place, TURN, Turn};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;
use crate::outcome::Outcome;

/// How long a thread is stopped at first, in nanoseconds.
const REST: u64 = 100_000;

impl Threads {
    /// Where a thread is. The registers of the running one are in the processor.
    pub(super) fn place(&self, at: usize, cx: &HookContext<'_>) -> Place {
        let Some(thread) = self.list.get(at) else { return Place::default() };
        let is_running = at == self.running && thread.wait.is_none();
        let fs = if is_running { cx.cpu.fs_base } else { thread.cpu.fs_base };
        let goroutine = goroutine(cx, fs.wrapping_add_signed(self.g_slot));
        let in_own = is_running && self.own_code.has(cx.cpu.rip);
        Place { thread: thread.tid, ran: thread.ran, goroutine, in_own }
    }

    pub(super) fn places(&self, threads: &[usize], cx: &HookContext<'_>) -> Vec<Place> {
        threads.iter().map(|&at| self.place(at, cx)).collect()
    }

    /// The numbers of threads.
    pub(super) fn numbers(&self, threads: &[usize]) -> Vec<u32> {
        threads.iter().map(|&at| self.list[at].tid).collect()
    }

    /// The same, where a schedule decides.
    pub(super) fn scheduled_turn(&mut self, cx: &mut HookContext<'_>) -> Result<Option<Outcome>, HookError> {
        let ready: Vec<usize> = self.ready().collect();
        let places = self.places(&ready, cx);
        match self.schedule.turn(self.place(self.running, cx), &places) {
            Turn::GoOn => {}
            Turn::Switch(to) => self.change(cx, ready[to]),
            Turn::Stall(nanoseconds) => {
                let deadline = Some(clock::now(cx.cpu).saturating_add(nanoseconds));
                let running = self.running();
                running.wait = Some(Wait { on: On::Stall, deadline, late: 0 });
                running.cpu.clone_from(cx.cpu);
                if let SyscallReturn::End(outcome) = self.go_on(cx)? {
                    return Ok(Some(outcome));
                }
            }
        }
        Ok(None)
    }

    /// Lets the other threads do what they have begun, before a schedule counts.
    pub(super) fn rest(&mut self, cx: &mut HookContext<'_>) -> Result<(), HookError> {
        if self.schedule.is_usual() {
            return Ok(());
        }
        let deadline = Some(clock::now(cx.cpu).saturating_add(REST));
        let running = self.running();
        running.wait = Some(Wait { on: On::Stall, deadline, late: 0 });
        running.cpu.clone_from(cx.cpu);
        self.go_on(cx).map(drop)
    }

    /// Ends the running thread's turn.
    pub(super) fn give_way(&mut self, cx: &mut HookContext<'_>) -> Result<Option<Outcome>, HookError> {
        if self.schedule.is_usual() {
            self.used = TURN;
            return self.turn(cx);
        }
        self.wake_late(clock::now(cx.cpu));
        if self.ready().next().is_none() {
            // Only a stopped thread can do what is waited for.
            let stalls = self
                .list
                .iter()
                .filter_map(|thread| thread.wait.filter(|wait| wait.on == On::Stall)?.deadline);
            if let Some(first) = stalls.min() {
                cx.world.outside.pass(cx.cpu, first);
                self.wake_late(clock::now(cx.cpu));
            }
        }
        let ready: Vec<usize> = self.ready().collect();
        if !ready.is_empty() {
            let places = self.places(&ready, cx);
            let next = self.schedule.choose(self.place(self.running, cx), &places, true);
            self.change(cx, ready[next]);
        }
        Ok(None)
    }

    /// Picks the thread to run; the running one is the last choice.
    pub(super) fn choose(&mut self, cx: &HookContext<'_>) -> Option<usize> {
        let alive = self.list.get(self.running).is_some_and(|running| running.wait.is_none());
        let own = alive.then_some(self.running);
        if self.schedule.is_usual() {
            return self.ready().next().or(own);
        }
        let ready: Vec<usize> = self.ready().chain(own).collect();
        match ready[..] {
            [] => None,
            [only] => Some(only),
            _ => {
                let places = self.places(&ready, cx);
                let at = self.schedule.choose(self.place(self.running, cx), &places, false);
                ready.get(at).copied()
            }
        }
    }
}

/// The number of the goroutine that a thread with its `g` in this word runs, perhaps on the thread's own stack; 0: none, it is in Go's
/// scheduler.
fn goroutine(cx: &HookContext<'_>, slot: u64) -> u64 {
    let facts = cx.image.facts();
    let field = |of: u64, field: u64| if of == 0 { 0 } else { cx.word(of.wrapping_add(field)).unwrap_or(0) };
    let m = field(cx.word(slot).unwrap_or(0), facts.g.m);
    field(field(m, facts.m.curg), facts.g.goid)
}
