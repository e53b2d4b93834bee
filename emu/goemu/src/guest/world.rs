//! The guest's state beside memory and processor: heap, input and output, clock, records that replace those of a runtime.
//! Part of the machine's state: a snapshot restores it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::go::guest::HeapError;
use crate::go::traceback::unwind::Start;
use crate::guest::address_map::{BESIDE, HEAP, MAPPINGS};
use crate::guest::arena::Arena;
use crate::guest::ending::Dying;
use crate::guest::heap::{Heap, Kind};
use crate::guest::map_walk::Walk;
use crate::guest::outside::Outside;
use crate::guest::process::Process;
use crate::guest::scheduler::Scheduler;
use crate::guest::under_way::UnderWay;
use crate::guest::waiters::Waiters;
use crate::memory::Memory;

/// The guest's state beside memory and processor.
#[derive(Debug)]
pub struct World {
    pub(crate) heap: Heap,
    mappings: Arena,
    /// Why the outcome of the call may be goemu's doing, and not the program's own.
    pub(crate) doubt: Option<&'static str>,
    /// Whether the call has asked to be told of what a collection frees: hooks tell nobody.
    pub(crate) watches_collector: bool,
    /// Collections that the program has asked for.
    pub(crate) collections: u32,
    /// Cleanups that objects were given.
    pub(crate) cleanups: u64,
    /// By object: the closure of its finalizer.
    pub(crate) finalizers: BTreeMap<u64, u64>,
    /// The object that all allocations of size 0 share.
    nothing: Option<u64>,
    /// By object: the word that its weak pointers share.
    pub(crate) weak_handles: HashMap<u64, u64>,
    /// Of linked objects, which have no runtime: itabs by interface and type.
    pub(crate) itabs: HashMap<(u64, u64), u64>,
    /// Of linked objects: ranges over maps by the address of their iterators.
    pub(crate) walks: HashMap<u64, Walk>,
    /// Of linked objects: memory that helpers reuse, address and size.
    pub(crate) scratch: Option<(u64, u64)>,
    /// Of linked objects: the goroutines that wait at channels.
    pub(crate) waiters: Waiters,
    /// Arguments, environment and standard input of the program.
    pub(crate) process: Arc<Process>,
    /// The host's clock, signals and input, where they are shared.
    pub(crate) outside: Outside,
    /// Bytes of standard input that the program has read.
    input_read: usize,
    /// Standard output of the guest.
    pub stdout: Vec<u8>,
    /// Standard error of the guest.
    pub stderr: Vec<u8>,
    /// Bytes that the guest may still write to its outputs.
    pub(crate) output_left: u64,
    /// Outputs that nobody reads any more: bits 1 and 2.
    pub(crate) closed_outputs: u8,
    /// Whether the guest wrote more than that.
    pub(crate) output_spent: bool,
    /// Why a started program is ending.
    pub(crate) dying: Option<Dying>,
    /// The two words of the newest panic's value, as `gopanic` was given it.
    pub(crate) panic_value: Option<(u64, u64)>,
    /// Functions of the system's libraries that the program looked up by name.
    pub(crate) found: Vec<String>,
    /// The address of the C library's `errno`, after its first use.
    pub(crate) errno: Option<u64>,
    /// Whether the device that random numbers come from is open.
    pub(crate) random_open: bool,
    /// `GOMAXPROCS`, as the program has set it.
    pub(crate) processors: u32,
    /// Whether the program's C code has been told that Go has started.
    pub(crate) c_knows: bool,
    /// Where in `stderr` the text of an unrecovered panic begins.
    pub(crate) panic_printed_from: usize,
    /// The goroutines that are not running.
    pub(crate) scheduler: Scheduler,
    /// Whether chance decides which goroutine runs next.
    pub(crate) random_order: bool,
    /// The address that functions of goroutines return to.
    pub(crate) return_addr: u64,
    /// The `g` of the goroutine that calls are made on, once that is known.
    pub(crate) call_g: Option<u64>,
    /// Calls of a started program's runtime that are reported when they end.
    pub(crate) under_way: Vec<UnderWay>,
    /// The function that restarts on a larger stack, and the offset of its frame from the stack's end: its call is not
    /// reported twice.
    pub(crate) begins_again: Option<(u64, u64)>,
    /// Whether package variables are guarded: packages are not initialised yet.
    pub(crate) guarded: bool,
    /// Where an unrecovered panic ended the goroutine.
    pub(crate) panic_at: Start,
}

impl World {
    /// An empty heap in a space of `space` bytes.
    pub(crate) fn new(space: u64, process: &Process) -> World {
        let (heap, mappings) = (Heap::new(HEAP, space), Arena::new(MAPPINGS, space));
        World { process: Arc::new(process.clone()), ..World::with(heap, mappings) }
    }

    /// Maps the first step of the heap, as part of the state that calls start from: most calls need no more, and so map
    /// nothing. Where there is no room for it, the first allocation says so.
    pub(crate) fn prepare(&mut self, memory: &mut Memory) {
        self.heap.prepare(memory);
        self.heap.limit(memory.limit());
    }

    /// Room for arguments only: the program has a heap of its own.
    pub(crate) fn beside(space: u64, process: &Process) -> World {
        let (heap, mappings) = (Heap::new(BESIDE, space), Arena::new(BESIDE.end..BESIDE.end, space));
        World { process: Arc::new(process.clone()), ..World::with(heap, mappings) }
    }

    fn with(heap: Heap, mappings: Arena) -> World {
        World {
            heap,
            doubt: None,
            watches_collector: false,
            collections: 0,
            finalizers: BTreeMap::new(),
            cleanups: 0,
            mappings,
            dying: None,
            nothing: None,
            weak_handles: HashMap::new(),
            itabs: HashMap::new(),
            process: Arc::default(),
            outside: Outside::default(),
            input_read: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            output_left: u64::MAX,
            output_spent: false,
            closed_outputs: 0,
            panic_value: None,
            found: Vec::new(),
            errno: None,
            c_knows: false,
            processors: 1,
            random_open: false,
            walks: HashMap::new(),
            scratch: None,
            waiters: Waiters::default(),
            panic_printed_from: 0,
            panic_at: Start::default(),
            scheduler: Scheduler::default(),
            random_order: false,
            return_addr: 0,
            call_g: None,
            under_way: Vec::new(),
            begins_again: None,
            guarded: false,
        }
    }

    /// Zeroed memory, aligned as Go's size classes are. It is never freed.
    ///
    /// # Errors
    /// [`HeapError`] when the limit of memory is reached.
    pub fn alloc(&mut self, memory: &mut Memory, size: u64) -> Result<u64, HeapError> {
        self.alloc_object(memory, size, Kind::Fixed)
    }

    /// The same for an object of the program, which a collection may free.
    pub(crate) fn alloc_object(
        &mut self,
        memory: &mut Memory,
        size: u64,
        kind: Kind,
    ) -> Result<u64, HeapError> {
        if size > 0 {
            let align = if size.is_multiple_of(16) || size > 16 { 16 } else { 8 };
            return self.heap.take(memory, size, align, kind);
        }
        if let Some(nothing) = self.nothing {
            return Ok(nothing);
        }
        let nothing = self.heap.take(memory, 8, 8, Kind::Fixed)?;
        self.nothing = Some(nothing);
        Ok(nothing)
    }

    /// Zeroed memory at a multiple of `align`.
    ///
    /// # Errors
    /// [`HeapError`] when the limit of memory is reached.
    pub fn alloc_aligned(&mut self, memory: &mut Memory, size: u64, align: u64) -> Result<u64, HeapError> {
        self.heap.take(memory, size.max(1), align.clamp(1, 1 << 20), Kind::Fixed)
    }

    /// The part of the heap that objects are in.
    pub(crate) fn heap_range(&self) -> Range<u64> {
        self.heap.start()..self.heap.top()
    }

    /// Zeroed pages, as the system call mmap gives them.
    pub(crate) fn map_pages(&mut self, memory: &mut Memory, size: u64) -> Result<u64, HeapError> {
        self.mappings.take(memory, size, crate::memory::PAGE)
    }

    /// Whether all of a range was given by [`World::map_pages`].
    pub(crate) fn gave_pages(&self, range: &Range<u64>) -> bool {
        self.mappings.first() <= range.start && range.end <= self.mappings.rest().start
    }

    /// What is there now is part of the state that calls start from.
    pub(crate) fn keep(&mut self) {
        self.heap.keep();
        (self.doubt, self.watches_collector) = (None, false);
    }

    /// Whether anything was placed in the heap that is not the program's own.
    pub(crate) fn has_placed(&self) -> bool {
        self.heap.top() != self.heap.start()
    }

    /// Whether everything that may hold much is empty.
    fn holds_nothing(&self) -> bool {
        let World { weak_handles, waiters, itabs, walks, stdout, stderr, dying, found, under_way, .. } = self;
        let tables = weak_handles.is_empty() && itabs.is_empty() && walks.is_empty() && found.is_empty();
        let tables = tables && under_way.is_empty();
        tables && waiters.is_empty() && stdout.is_empty() && stderr.is_empty() && dying.is_none()
    }

    /// Where arguments and what the guest asks for is put.
    pub(crate) fn arenas(&self) -> [Range<u64>; 2] {
        [self.heap.rest(), self.mappings.rest()]
    }

    /// Takes the next bytes of standard input; none at its end. `None`: a signal has come first.
    pub(crate) fn take_input(&mut self, most: usize) -> Option<Vec<u8>> {
        if self.outside.has_input() {
            return self.outside.read(most);
        }
        let rest = self.process.stdin.get(self.input_read..).unwrap_or_default();
        let bytes = rest[..most.min(rest.len())].to_vec();
        self.input_read += bytes.len();
        Some(bytes)
    }

    /// Adds to an output. What is beyond the limit is dropped, and ends the run.
    pub(crate) fn print(&mut self, fd: u64, bytes: &[u8]) {
        let out = if fd == 1 { &mut self.stdout } else { &mut self.stderr };
        let fits = usize::try_from(self.output_left).unwrap_or(usize::MAX).min(bytes.len());
        out.extend_from_slice(&bytes[..fits]);
        self.output_left -= fits as u64;
        self.output_spent |= fits < bytes.len();
    }
}

/// Every call goes back to the state that calls start from by [`Clone::clone_from`]: what holds nothing on either side costs
/// next to nothing there.
impl Clone for World {
    fn clone(&self) -> World {
        let mut world = World::with(self.heap.clone(), self.mappings.clone());
        world.clone_from(self);
        world
    }

    fn clone_from(&mut self, from: &World) {
        // All by name, so that a new one cannot be forgotten.
        let &World {
            ref heap,
            ref mappings,
            ref weak_handles,
            ref waiters,
            ref itabs,
            ref walks,
            ref process,
            ref stdout,
            ref stderr,
            ref dying,
            ref found,
            ref under_way,
            ref scheduler,
            // Not of the state: what is outside goes on.
            outside: _,
            input_read,
            output_left,
            output_spent,
            closed_outputs,
            doubt,
            watches_collector,
            collections,
            cleanups,
            ref finalizers,
            nothing,
            scratch,
            panic_value,
            errno,
            c_knows,
            processors,
            random_open,
            panic_printed_from,
            random_order,
            return_addr,
            call_g,
            begins_again,
            guarded,
            panic_at,
        } = from;
        if !(self.holds_nothing() && from.holds_nothing()) {
            self.weak_handles.clone_from(weak_handles);
            self.waiters.clone_from(waiters);
            self.itabs.clone_from(itabs);
            self.walks.clone_from(walks);
            self.stdout.clone_from(stdout);
            self.stderr.clone_from(stderr);
            self.dying.clone_from(dying);
            self.found.clone_from(found);
            self.under_way.clone_from(under_way);
        }
        if !Arc::ptr_eq(&self.process, process) {
            self.process.clone_from(process);
        }
        self.input_read = input_read;
        (self.output_left, self.output_spent) = (output_left, output_spent);
        self.closed_outputs = closed_outputs;
        self.heap.clone_from(heap);
        self.mappings.clone_from(mappings);
        self.scheduler.clone_from(scheduler);
        (self.nothing, self.collections) = (nothing, collections);
        (self.doubt, self.watches_collector) = (doubt, watches_collector);
        self.cleanups = cleanups;
        if !(self.finalizers.is_empty() && finalizers.is_empty()) {
            self.finalizers.clone_from(finalizers);
        }
        self.scratch = scratch;
        (self.panic_value, self.errno, self.panic_at) = (panic_value, errno, panic_at);
        (self.panic_printed_from, self.begins_again) = (panic_printed_from, begins_again);
        (self.random_order, self.return_addr, self.call_g, self.guarded) =
            (random_order, return_addr, call_g, guarded);
        (self.c_knows, self.processors, self.random_open) = (c_knows, processors, random_open);
    }
}
