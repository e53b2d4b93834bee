//! A goroutine of our own making: `g`, `m`, `p` and `g0` laid out in guest memory by the facts of the
//! program's version, the thread-local slot that points to `g`, and a stack that grows in place.
//!
//! This is the least that Go code needs to run without its runtime having been started: the fields set here
//! are those that compiled code, defers, panics and the memory-less parts of the runtime read.

use goemu_loader::{Facts, Image, Os};

use crate::cpu::{Cpu, gpr};
use crate::go::tls;
use crate::guest::address_map::{STACK_END, STRUCTS};
use crate::guest::panicking::Panicking;
use crate::memory::{Contents, Memory, MemoryError, PAGE, Perm};

/// Address space that is kept for the first goroutine's stack, and that no other has.
const FIRST_STACK: u64 = 64 << 30;
/// Size of g0's stack: the runtime expects 64 KiB from the system at least.
const G0_STACK: u64 = 256 << 10;

// Offsets of the parts from STRUCTS.
const G: u64 = 0;
const G0: u64 = 0x1000;
const M: u64 = 0x2000;
const P: u64 = 0x8000;
const TLS: u64 = 0x10000;
const TEB: u64 = 0x11000;
const MCACHE: u64 = 0x14000;
const DEFER_POOLS: u64 = 0x18000;
const STRUCTS_SIZE: u64 = 0x1a000;
const G0_STACK_LO: u64 = 0x100_0000;

/// Bytes at the top of a stack that are kept for the arguments and results of the outermost call, where they
/// need no more.
pub(crate) const TOP_BLOCK: u64 = 128;

/// The running goroutine.
#[derive(Clone, Debug)]
pub struct Goroutine {
    /// Address of its `g`.
    pub g: u64,
    /// Lowest address of its stack.
    pub stack_lo: u64,
    /// End of its stack.
    pub stack_hi: u64,
    /// Bytes that the stack may grow to.
    pub max_stack: u64,
    /// Bytes that there is address space for, where that is less.
    pub(crate) room: u64,
    /// Its number; the first has 1.
    pub id: u64,
    /// Where the `go` statement was that started it (its function goes on there), and the goroutine's number.
    pub(crate) creator: Option<(u64, u64)>,
    /// The function that it started with.
    pub(crate) start: u64,
    /// The coroutine that it was made for (`runtime.coro`).
    pub(crate) coro: Option<u64>,
    /// The place of its stack; none for the first goroutine, which has its own.
    pub(crate) stack: Option<u64>,
    /// Without a runtime: the panics under way, newest last.
    pub(crate) panics: Vec<Panicking>,
    /// The lowest stack address that is mapped.
    mapped: u64,
    /// Where the structures lie that all goroutines share.
    base: u64,
    /// The words by which code finds `g` without a register.
    slots: [Option<u64>; 2],
}

/// Address space of the first stacks that are not the first goroutine's: more than the 512 MiB that Go's own limit lets a
/// stack grow to, the next doubling being beyond it.
const LARGE_STACK: u64 = 640 << 20;
/// How many have that.
const LARGE_STACKS: u64 = 128;
/// Address space of all others: 8 MiB and a guard.
const SMALL_STACK: u64 = (8 << 20) + (64 << 10);

/// What a goroutine needs of the program it belongs to.
struct Layout<'a> {
    facts: &'a Facts,
    base: u64,
    /// The stack guard of the target system, in bytes above the stack's low end.
    guard: u64,
}

impl Goroutine {
    /// Lays everything out in memory, and points the processor at it.
    pub(crate) fn new(
        image: &Image,
        memory: &mut Memory,
        cpu: &mut Cpu,
        max_stack: u64,
    ) -> Result<Goroutine, MemoryError> {
        let base = scaled(STRUCTS, memory.space());
        let stack_hi = scaled(STACK_END, memory.space());
        let rw = Perm::READ | Perm::WRITE;
        memory.map(base..base + STRUCTS_SIZE, rw, Contents::Zero)?;
        let g0_lo = base + G0_STACK_LO;
        memory.map(g0_lo..g0_lo + G0_STACK, rw, Contents::Zero)?;
        let layout = Layout { facts: image.facts(), base, guard: stack_guard(image) };
        let mut words = layout.words(g0_lo);
        let local = thread_local(image, base);
        let mut holders = local.iter().filter(|(_, value)| *value == base + G).map(|(addr, _)| *addr);
        let slots = [holders.next(), holders.next()];
        words.extend(local);
        for (addr, value) in words {
            memory.poke(addr, &value.to_le_bytes())?;
        }
        let facts = image.facts();
        for (at, state) in [
            (base + G + facts.g.atomicstatus, facts.numbers.g_running),
            (base + P + facts.p.status, facts.numbers.p_running),
        ] {
            memory.poke(at, &(state as u32).to_le_bytes())?;
        }
        set_segments(image, cpu, base);
        let room = stack_hi - (g0_lo + G0_STACK) - PAGE;
        let mut goroutine = Goroutine {
            g: base + G,
            stack_lo: stack_hi,
            stack_hi,
            max_stack,
            room,
            id: 1,
            creator: None,
            start: 0,
            coro: None,
            panics: Vec::new(),
            stack: None,
            mapped: stack_hi,
            base,
            slots,
        };
        goroutine.set_stack(image, memory, min_stack(image))?;
        goroutine.set_top(image, memory, stack_hi - TOP_BLOCK)?;
        Ok(goroutine)
    }

    /// The running goroutine of a program that was started, before it is known which one that is.
    pub(crate) fn unknown(max_stack: u64) -> Goroutine {
        Goroutine {
            g: 0,
            stack_lo: 0,
            stack_hi: 0,
            max_stack,
            room: 0,
            id: 1,
            creator: None,
            start: 0,
            coro: None,
            panics: Vec::new(),
            stack: None,
            mapped: 0,
            base: 0,
            slots: [None; 2],
        }
    }

    /// Another goroutine runs, or the same one on another stack.
    pub(crate) fn follow(&mut self, image: &Image, memory: &Memory, g: u64) {
        let word = |at: u64| memory.read(g.wrapping_add(at)).map_or(0, u64::from_le_bytes);
        let at = &image.facts().g;
        (self.g, self.stack_lo, self.stack_hi) = (g, word(at.stack_lo), word(at.stack_hi));
    }

    /// A goroutine with its `g` at this address, this number, and its stack in this place. None where there is no room
    /// for another stack.
    pub(crate) fn another(
        &self,
        image: &Image,
        memory: &mut Memory,
        (g, id, stack): (u64, u64, u64),
    ) -> Result<Option<Goroutine>, MemoryError> {
        let first = scaled(STACK_END, memory.space()).saturating_sub(FIRST_STACK);
        let end = first / LARGE_STACK * LARGE_STACK;
        let (above, space) = place(stack);
        let lowest = self.base + G0_STACK_LO + G0_STACK + space;
        let Some(stack_hi) = end.checked_sub(above).filter(|hi| *hi > lowest) else { return Ok(None) };
        let room = space - PAGE;
        let mut other = Goroutine {
            g,
            id,
            room,
            coro: None,
            stack: Some(stack),
            panics: Vec::new(),
            stack_lo: stack_hi,
            stack_hi,
            mapped: stack_hi,
            ..*self
        };
        // The goroutine that had this stack before has left its pages.
        while memory.perm(other.mapped - PAGE).is_some() && other.mapped > stack_hi - room {
            other.mapped -= PAGE;
        }
        other.set_stack(image, memory, min_stack(image))?;
        let facts = image.facts();
        let m = self.base + M;
        let words = [(facts.g.m, m), (facts.g.sched + facts.gobuf.g, g), (facts.g.goid, id)];
        words.iter().try_for_each(|(at, value)| memory.poke(g + at, &value.to_le_bytes()))?;
        memory.poke(g + facts.g.atomicstatus, &(facts.numbers.g_running as u32).to_le_bytes())?;
        Ok(Some(other))
    }

    /// The frame that a goroutine's function begins with: its arguments, and the address that it returns to. Gives the
    /// stack pointer.
    pub(crate) fn set_first_frame(
        &mut self,
        image: &Image,
        memory: &mut Memory,
        args: &[u8],
        return_addr: u64,
    ) -> Result<u64, MemoryError> {
        let block = (self.stack_hi - TOP_BLOCK.max(args.len() as u64)) & !15;
        let size = (self.stack_hi - block + min_stack(image)).next_power_of_two();
        self.set_stack(image, memory, size)?;
        self.set_top(image, memory, block)?;
        memory.poke(block, args)?;
        memory.poke(block - 8, &return_addr.to_le_bytes())?;
        Ok(block - 8)
    }

    /// Makes it the one that code finds.
    pub(crate) fn make_current(&self, image: &Image, memory: &mut Memory) -> Result<(), MemoryError> {
        let curg = self.base + M + image.facts().m.curg;
        let mut words = self.slots.iter().flatten().chain([&curg]);
        words.try_for_each(|at| memory.poke(*at, &self.g.to_le_bytes()))
    }

    /// Tells `g` where the outermost frame's arguments begin: unwinders end there.
    pub(crate) fn set_top(&self, image: &Image, memory: &mut Memory, top: u64) -> Result<(), MemoryError> {
        match image.facts().g.stktopsp {
            Some(at) => memory.poke(self.g + at, &top.to_le_bytes()),
            None => Ok(()),
        }
    }

    /// The address of the `m` that all goroutines share.
    pub(crate) fn m(&self) -> u64 {
        self.base + M
    }

    /// The memory of the structures that all goroutines share, and of the system's stack.
    pub(crate) fn shared(&self) -> [std::ops::Range<u64>; 2] {
        let g0 = self.base + G0_STACK_LO;
        [self.base..self.base + STRUCTS_SIZE, g0..g0 + G0_STACK]
    }

    /// Bytes of stack.
    pub fn stack_size(&self) -> u64 {
        self.stack_hi.saturating_sub(self.stack_lo)
    }

    /// Makes the stack `size` bytes, and tells `g`.
    pub(crate) fn set_stack(
        &mut self,
        image: &Image,
        memory: &mut Memory,
        size: u64,
    ) -> Result<(), MemoryError> {
        let lo = self.stack_hi - size;
        let first = lo / PAGE * PAGE;
        if first < self.mapped {
            memory.map(first..self.mapped, Perm::READ | Perm::WRITE, Contents::Zero)?;
            self.mapped = first;
        }
        self.stack_lo = lo;
        let (g, guard) = (&image.facts().g, lo + stack_guard(image));
        let fields =
            [(g.stack_lo, lo), (g.stack_hi, self.stack_hi), (g.stackguard0, guard), (g.stackguard1, guard)];
        fields.into_iter().try_for_each(|(at, value)| memory.poke(self.g + at, &value.to_le_bytes()))
    }

    /// Puts the processor in the state in which Go code is entered: `g` where the convention wants it.
    pub(crate) fn enter(&self, image: &Image, cpu: &mut Cpu) {
        cpu.set_gpr(gpr::RBP, 0);
        cpu.direction = false;
        if image.facts().register_abi() {
            cpu.set_gpr(gpr::R14, self.g);
            cpu.ymm[15] = [0; 2];
        }
    }
}

impl Layout<'_> {
    /// The words to write: (address, value).
    fn words(&self, g0_lo: u64) -> Vec<(u64, u64)> {
        let Facts { g, m, p, gobuf, .. } = self.facts;
        let [g_at, g0_at, m_at, p_at] = [G, G0, M, P].map(|part| self.base + part);
        let g0_hi = g0_lo + G0_STACK - 64;
        let g0_guard = g0_lo + self.guard;
        let mut words = vec![
            (g_at + g.m, m_at),
            (g_at + g.sched + gobuf.g, g_at),
            (g_at + g.goid, 1),
            (g0_at + g.m, m_at),
            (g0_at + g.stack_lo, g0_lo),
            (g0_at + g.stack_hi, g0_hi),
            (g0_at + g.stackguard0, g0_guard),
            (g0_at + g.stackguard1, g0_guard),
            (g0_at + g.sched + gobuf.g, g0_at),
            (g0_at + g.sched + gobuf.sp, g0_hi),
            (m_at + m.g0, g0_at),
            (m_at + m.curg, g_at),
            (m_at + m.p, p_at),
            (p_at + p.m, m_at),
            (p_at + p.mcache, self.base + MCACHE),
        ];
        // Pools of defer records, one for each size. Without room the runtime indexes an empty slice.
        let (pools, room) = (self.facts.numbers.defer_pools, self.facts.numbers.defer_pool);
        for pool in 0..pools {
            let slice = p_at + p.deferpool + 24 * pool;
            words.push((slice, self.base + DEFER_POOLS + 8 * room * pool));
            words.push((slice + 16, room));
        }
        words
    }
}

/// The words by which code finds `g` without a register, for each system (`cmd/internal/obj/x86/obj6.go`).
fn thread_local(image: &Image, base: u64) -> Vec<(u64, u64)> {
    let (g, tls, teb) = (base + G, base + TLS, base + TEB);
    match image.target().os {
        // GS:0x30, a slot of pthread's keys; GS:0x8a0 up to Go 1.10.
        Os::Darwin => vec![(teb + 0x30, g), (teb + 0x8a0, g)],
        // GS:0x28 holds the address of the slot. Since Go 1.20 the 0x28 is a variable, 0 before start-up.
        Os::Windows => vec![(teb + 0x28, tls), (teb, tls), (tls, g)],
        _ => vec![(tls.wrapping_add_signed(tls::slot(image)), g)],
    }
}

fn set_segments(image: &Image, cpu: &mut Cpu, base: u64) {
    match image.target().os {
        Os::Darwin | Os::Windows => cpu.gs_base = base + TEB,
        _ => cpu.fs_base = base + TLS,
    }
}

/// Where a stack that is not the first goroutine's ends, in bytes below where the first of them does, and its address
/// space.
fn place(stack: u64) -> (u64, u64) {
    match stack.checked_sub(LARGE_STACKS) {
        None => (stack * LARGE_STACK, LARGE_STACK),
        Some(small) => (LARGE_STACKS * LARGE_STACK + small.saturating_mul(SMALL_STACK), SMALL_STACK),
    }
}

/// Windows needs room for the system below Go's guard.
fn stack_system(image: &Image) -> u64 {
    if image.target().os == Os::Windows { 4096 } else { 0 }
}

/// Bytes from the stack's low end to `stackguard0`.
pub(crate) fn stack_guard(image: &Image) -> u64 {
    image.facts().stack.guard + stack_system(image)
}

/// Bytes of the smallest stack.
pub(crate) fn min_stack(image: &Image) -> u64 {
    (image.facts().stack.min + stack_system(image)).next_power_of_two()
}

/// An address of the full space, in a smaller one.
fn scaled(addr: u64, space: u64) -> u64 {
    if space >= 1 << 40 { addr } else { (addr >> (40 - space.ilog2())) / PAGE * PAGE }
}
