//! The guest's state beside memory and processor: heap, input and output, clock, records that replace those of a runtime.
//! Part of the machine's state: a snapshot restores it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use goemu_loader::Image;

use crate::go::guest::HeapError;
use crate::guest::address_map::{BESIDE, HEAP, MAPPINGS};
use crate::guest::arena::Arena;
use crate::guest::heap::{Heap, Kind};
use crate::guest::lifetimes::Lifetimes;
use crate::guest::outside::Outside;
use crate::guest::parts::{Ending, Libraries, Linked, Output, Part, Pending};
use crate::guest::process::Process;
use crate::guest::scheduler::Scheduler;
use crate::guest::tracing::Tracing;
use crate::memory::Memory;

/// The guest's state beside memory and processor.
#[derive(Debug)]
pub struct World {
    pub(crate) heap: Heap,
    mappings: Arena,
    /// The object that all allocations of size 0 share.
    nothing: Option<u64>,
    /// Why the outcome of the call may be goemu's doing, and not the program's own.
    pub(crate) doubt: Option<&'static str>,
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
    pub(crate) output: Output,
    /// Whether nothing but hooks is to serve calls: what they cannot is refused as by a system that does not allow it.
    pub(crate) alone: bool,
    /// The goroutines that are not running.
    pub(crate) scheduler: Scheduler,
    /// `GOMAXPROCS`, as the program has set it.
    pub(crate) processors: u32,
    /// The variable in which the program looks how many goroutines there are.
    pub(crate) goroutine_count: Option<u64>,
    /// Where the runtime's own code ends, where names do not tell what is its own; else 0.
    pub(crate) runtime_end: u64,
    /// `debug.SetMaxStack` and `debug.SetMaxThreads`, where the program has called them.
    pub(crate) max_stack: Option<u64>,
    pub(crate) max_threads: Option<u64>,
    /// Whether chance decides which goroutine runs next.
    pub(crate) random_order: bool,
    /// The address that functions of goroutines return to.
    pub(crate) return_addr: u64,
    /// The `g` of the goroutine that calls are made on, once that is known.
    pub(crate) call_g: Option<u64>,
    /// What the user has functions of C libraries return, by name.
    pub(crate) imports: Arc<HashMap<String, u64>>,
    /// Whether the program has not come to `main.main`: its packages are being initialised, or it is being started.
    pub(crate) starting: bool,
    /// Whether package variables are guarded: packages are not initialised yet.
    pub(crate) guarded: bool,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) linked: Linked,
    pub(crate) libraries: Libraries,
    pub(crate) ending: Ending,
    pub(crate) pending: Pending,
    pub(crate) tracing: Tracing,
}

impl World {
    /// An empty heap in a space of `space` bytes, behind what the program has there: the heap of a process that was dumped.
    pub(crate) fn new(space: u64, process: &Process, image: &Image) -> World {
        const STEP: u64 = 64 << 20;
        let ends = image.segments().iter().map(|segment| segment.addr.saturating_add(segment.mem_size));
        let own = ends.filter(|end| HEAP.contains(end)).max().map(|end| end.next_multiple_of(STEP));
        let (heap, mappings) =
            (Heap::new(own.unwrap_or(HEAP.start)..HEAP.end, space), Arena::new(MAPPINGS, space));
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
            mappings,
            nothing: None,
            doubt: None,
            process: Arc::default(),
            outside: Outside::default(),
            input_read: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            output: Output::default(),
            alone: false,
            scheduler: Scheduler::default(),
            processors: 1,
            goroutine_count: None,
            runtime_end: 0,
            max_stack: None,
            max_threads: None,
            random_order: false,
            return_addr: 0,
            call_g: None,
            imports: Arc::default(),
            starting: false,
            guarded: false,
            lifetimes: Lifetimes::default(),
            linked: Linked::default(),
            libraries: Libraries::default(),
            ending: Ending::default(),
            pending: Pending::default(),
            tracing: Tracing::default(),
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

    /// Where the object of the heap begins that is there, and has a size.
    pub(crate) fn object(&self, at: u64) -> Option<u64> {
        self.heap.base(at).filter(|base| self.nothing != Some(*base))
    }

    /// The part of the heap that objects are in.
    pub(crate) fn heap_range(&self) -> Range<u64> {
        self.heap.start()..self.heap.top()
    }

    /// Zeroed pages, as the system call mmap gives them.
    pub(crate) fn map_pages(&mut self, memory: &mut Memory, size: u64) -> Result<u64, HeapError> {
        self.mappings.take(memory, size, crate::memory::PAGE)
    }

    /// The same, which can be read only: they take no memory.
    pub(crate) fn map_to_read(&mut self, memory: &mut Memory, size: u64) -> Result<u64, HeapError> {
        self.mappings.take_to_read(memory, size)
    }

    /// Whether all of a range was given by [`World::map_pages`].
    pub(crate) fn gave_pages(&self, range: &Range<u64>) -> bool {
        self.mappings.first() <= range.start && range.end <= self.mappings.rest().start
    }

    /// About how many bytes of the host's memory are kept here for the guest.
    pub(crate) fn held(&self) -> u64 {
        let output = (self.stdout.len() + self.stderr.len()) as u64;
        output + self.scheduler.held() + self.lifetimes.held() + self.tracing.held()
    }

    /// What is there now is part of the state that calls start from.
    pub(crate) fn keep(&mut self) {
        self.heap.keep();
        self.doubt = None;
        (self.lifetimes.watched, self.lifetimes.unserved) = (false, false);
    }

    /// Whether anything was placed in the heap that is not the program's own.
    pub(crate) fn has_placed(&self) -> bool {
        self.heap.top() != self.heap.start()
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
        let fits = usize::try_from(self.output.left).unwrap_or(usize::MAX).min(bytes.len());
        out.extend_from_slice(&bytes[..fits]);
        self.output.left -= fits as u64;
        self.output.spent |= fits < bytes.len();
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
        let World {
            heap,
            mappings,
            nothing,
            doubt,
            process,
            // Not of the state: what is outside goes on.
            outside: _,
            input_read,
            stdout,
            stderr,
            output,
            scheduler,
            processors,
            goroutine_count,
            runtime_end,
            max_stack,
            max_threads,
            random_order,
            return_addr,
            call_g,
            imports,
            starting,
            guarded,
            alone,
            lifetimes,
            linked,
            libraries,
            ending,
            pending,
            tracing,
        } = from;
        self.heap.clone_from(heap);
        self.mappings.clone_from(mappings);
        (self.nothing, self.doubt) = (*nothing, *doubt);
        if !Arc::ptr_eq(&self.process, process) {
            self.process.clone_from(process);
        }
        self.stdout.clone_from(stdout);
        self.stderr.clone_from(stderr);
        (self.input_read, self.output) = (*input_read, *output);
        if !Arc::ptr_eq(&self.imports, imports) {
            self.imports.clone_from(imports);
        }
        (self.starting, self.alone) = (*starting, *alone);
        self.scheduler.clone_from(scheduler);
        (self.processors, self.goroutine_count) = (*processors, *goroutine_count);
        self.runtime_end = *runtime_end;
        self.random_order = *random_order;
        (self.max_stack, self.max_threads) = (*max_stack, *max_threads);
        (self.return_addr, self.call_g, self.guarded) = (*return_addr, *call_g, *guarded);
        self.lifetimes.restore(lifetimes);
        self.linked.restore(linked);
        self.libraries.restore(libraries);
        self.ending.restore(ending);
        self.pending.restore(pending);
        self.tracing.restore(tracing);
    }
}
