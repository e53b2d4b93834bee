//! Atomic instructions, and the locks of package sync that are made of them.
//!
//! Go's memory model orders atomic operations as they are executed: each that reads comes after those that wrote what it reads. Locks
//! order less than their instructions would: an unlock comes before the next lock, and nothing else.
//!
//! The compiler may lose that an instruction was inlined from package sync: it then counts as the program's own. That orders more, and
//! must not order less, so that the number of readers of a `sync.RWMutex` tells what locks have let known at its semaphores, too.

use super::class::{self, Class};
use super::detector::{Detector, word};
use super::orders::Point;
use super::plan::{Atomic, Operand, Operation};
use super::roles::SyncAtomic;
use super::shadow::Kind;
use crate::cpu::gpr;
use crate::observe::View;

// Of `sync.Mutex`: the bits of the state with which it cannot be had.
const LOCKED_OR_STARVING: u64 = 1 | 4;
// Of `sync.RWMutex`: offsets from the number of readers.
const READER_SEMAPHORE: u64 = 4;
const WRITER_SEMAPHORE: u64 = 8;
/// The readers that a writer takes away.
const MAX_READERS: i32 = 1 << 30;
/// Of `sync.WaitGroup`: the offset of the semaphore from the counter.
const WAIT_SEMAPHORE: u64 = 8;

impl Detector {
    /// The running goroutine comes after what was let known at a word; whether anything was.
    pub(super) fn acquire_word(&mut self, index: usize, addr: u64) -> bool {
        self.acquire(index, addr, Point::Word)
    }

    /// The same for any point.
    pub(super) fn acquire(&mut self, index: usize, addr: u64, point: Point) -> bool {
        let Some(clock) = self.run.orders.get(addr, point) else { return false };
        if let Some(goroutine) = &mut self.run.goroutines.all[index].goroutine {
            goroutine.knows.acquire(clock);
        }
        true
    }

    /// Publishes a goroutine's clock at a point for those that come after; what was published there before is forgotten.
    pub(super) fn release(&mut self, index: usize, addr: u64, point: Point) {
        let Some(goroutine) = &mut self.run.goroutines.all[index].goroutine else { return };
        let clock = goroutine.knows.release();
        self.run.orders.set(addr, point, clock);
    }

    /// The same, beside what others let known there.
    pub(super) fn release_merged(&mut self, index: usize, addr: u64, point: Point) {
        let Some(goroutine) = &mut self.run.goroutines.all[index].goroutine else { return };
        let clock = match self.run.orders.get(addr, point) {
            Some(before) => goroutine.knows.release_merged(before),
            None => goroutine.knows.release(),
        };
        self.run.orders.set(addr, point, clock);
    }

    /// An atomic instruction is about to be executed.
    pub(super) fn atomic(
        &mut self,
        at: &View<'_>,
        index: usize,
        depth: u64,
        operand: &Operand,
        atomic: Atomic,
    ) {
        let addr = operand.addr(at.cpu);
        let (lo, hi) = self.stack_bounds(at, index);
        if lo <= addr && addr < hi {
            return;
        }
        let mut lock = atomic.lock;
        if atomic.for_caller {
            let pc = word(at, at.cpu.gpr(gpr::RSP).wrapping_add(depth));
            if class::of_caller(&self.image, pc) == Class::Runtime {
                return;
            }
            let frames = self.image.inlined_at(pc.wrapping_sub(1));
            lock = super::roles::lock(frames.iter().map(|frame| frame.func));
        }
        match lock.or_else(|| of_writer(at, operand, atomic)) {
            Some(lock) => self.lock(at, index, depth, operand, atomic, lock),
            None => self.own(at, index, depth, operand, atomic),
        }
    }

    /// An atomic operation of the program's own.
    fn own(&mut self, at: &View<'_>, index: usize, depth: u64, operand: &Operand, atomic: Atomic) {
        let addr = operand.addr(at.cpu);
        let writes = match atomic.what {
            Operation::Load => false,
            Operation::CompareExchange => succeeds(at, operand),
            Operation::Store | Operation::Exchange | Operation::Add | Operation::Other => true,
        };
        let kind = Kind { write: writes, atomic: true };
        self.access(at, index, depth, (addr, operand.size), kind);
        if atomic.what != Operation::Store {
            self.acquire_word(index, addr);
        }
        if writes {
            self.release(index, addr, Point::Word);
        }
    }

    /// An atomic operation of a lock.
    fn lock(
        &mut self,
        at: &View<'_>,
        index: usize,
        depth: u64,
        operand: &Operand,
        atomic: Atomic,
        lock: SyncAtomic,
    ) {
        let addr = operand.addr(at.cpu);
        let added = atomic.source.map_or(0, |register| at.cpu.gpr(register));
        let old = value(at, operand);
        let exchanged = atomic.what == Operation::CompareExchange && succeeds(at, operand);
        let adds = atomic.what == Operation::Add;
        match lock {
            SyncAtomic::MutexLock if adds || (exchanged && old & LOCKED_OR_STARVING == 0) => {
                self.acquire_word(index, addr);
            }
            SyncAtomic::MutexUnlock if adds => self.release(index, addr, Point::Word),
            SyncAtomic::ReadLock if exchanged || (adds && (old as i32).wrapping_add(added as i32) >= 0) => {
                self.acquire_word(index, addr.wrapping_sub(READER_SEMAPHORE));
            }
            SyncAtomic::ReadUnlock if adds && added as i32 == -1 => {
                self.release_merged(index, addr.wrapping_sub(WRITER_SEMAPHORE), Point::Word);
                self.release_merged(index, addr, Point::Word);
            }
            SyncAtomic::WriteLock => {
                self.write_lock(index, addr, (old as i32, added as i32), (adds, exchanged))
            }
            SyncAtomic::WriteUnlock if adds && added as i32 == MAX_READERS => {
                self.release(index, addr.wrapping_sub(READER_SEMAPHORE), Point::Word);
                self.release_merged(index, addr, Point::Word);
            }
            SyncAtomic::WaitGroupAdd if adds => self.wait_group_add(at, index, depth, addr, (old, added)),
            SyncAtomic::WaitGroupWait if exchanged && old as u32 & 0x7fff_ffff == 0 => {
                // The first waiter must come after the goroutines that have begun to count.
                let write = Kind { write: true, atomic: false };
                self.access(at, index, depth, (addr.wrapping_add(WAIT_SEMAPHORE), 4), write);
            }
            _ => {}
        }
    }

    /// A writer comes when there are no readers: at once, by exchange, or where the last of them has gone since.
    fn write_lock(
        &mut self,
        index: usize,
        addr: u64,
        (old, added): (i32, i32),
        (adds, exchanged): (bool, bool),
    ) {
        let takes = added == -MAX_READERS;
        let readers = if takes || exchanged { addr } else { addr.wrapping_sub(4) };
        let has_it =
            exchanged || (adds && takes && old == 0) || (adds && !takes && old.wrapping_add(added) == 0);
        if has_it {
            self.acquire_word(index, readers.wrapping_sub(READER_SEMAPHORE));
            self.acquire_word(index, readers.wrapping_sub(WRITER_SEMAPHORE));
            self.acquire_word(index, readers);
        }
    }

    fn wait_group_add(
        &mut self,
        at: &View<'_>,
        index: usize,
        depth: u64,
        addr: u64,
        (old, added): (u64, u64),
    ) {
        let (count, delta) = ((old >> 32) as i32, (added >> 32) as i32);
        if delta < 0 {
            self.release_merged(index, addr, Point::Word);
        } else if count == 0 {
            // Must come before the first waiter.
            self.access(at, index, depth, (addr.wrapping_add(WAIT_SEMAPHORE), 4), Kind::default());
        }
    }

    /// A semaphore was waited for.
    pub(super) fn semacquired(&mut self, index: usize, addr: u64, caller: u64) {
        let frames = self.image.inlined_at(caller.wrapping_sub(1));
        match super::roles::lock(frames.iter().map(|frame| frame.func)) {
            Some(SyncAtomic::ReadLock) => {
                self.acquire_word(index, addr);
            }
            Some(SyncAtomic::WriteLock) => {
                self.acquire_word(index, addr);
                self.acquire_word(index, addr.wrapping_add(WRITER_SEMAPHORE - READER_SEMAPHORE));
                self.acquire_word(index, addr.wrapping_add(WRITER_SEMAPHORE));
            }
            _ => {}
        }
    }
}

/// What a writer does to the number of readers, whatever function the instruction is said to be of: no other code adds such numbers.
fn of_writer(at: &View<'_>, operand: &Operand, atomic: Atomic) -> Option<SyncAtomic> {
    let added = atomic.source.filter(|_| atomic.what == Operation::Add && operand.size == 4);
    match added.map(|register| at.cpu.gpr(register) as i32)? {
        MAX_READERS => Some(SyncAtomic::WriteUnlock),
        added if added == -MAX_READERS => Some(SyncAtomic::WriteLock),
        _ => None,
    }
}

/// Whether a `CMPXCHG` will find what it compares with.
fn succeeds(at: &View<'_>, operand: &Operand) -> bool {
    let mask = if operand.size >= 8 { u64::MAX } else { (1 << (8 * operand.size)) - 1 };
    (value(at, operand) ^ at.cpu.gpr(gpr::RAX)) & mask == 0
}

/// What an operand of 8 bytes or fewer has.
fn value(at: &View<'_>, operand: &Operand) -> u64 {
    let addr = operand.addr(at.cpu);
    let half = at.memory.read(addr).map_or(0, u32::from_le_bytes);
    match operand.size {
        8 => word(at, addr),
        4 => half.into(),
        _ => at.memory.read(addr).map_or(0, |[byte]| byte.into()),
    }
}
