//! What is kept of a run: what each step changed, so that a page can show the state at any of them.

use goemu_loader::Image;
use rustc_hash::FxHashMap;

use super::labels::{self, Label, Shapes};
use super::locals::Locals;
use crate::cpu::{Cpu, Ymm, gpr};
use crate::memory::Memory;
use crate::observe::{Event, View};
use crate::trace::{CallChange, CallKind, EventRecord, Moment, Record, Step, Written};

/// Words of the stack that are looked at after what goemu has carried out itself, which no instruction shows.
const LOOKED_AT: u64 = 40;
/// Words above the first return address that are known from the beginning.
const ABOVE: u64 = 16;
/// Records of other kinds than steps that are kept, for each step that is.
const RECORDS: usize = 2;

/// An instruction of the program.
pub(super) struct Insn {
    pub(super) pc: u64,
    pub(super) place: String,
    pub(super) code: String,
    pub(super) file: String,
    pub(super) line: u32,
}

/// A call.
pub(super) struct Call {
    pub(super) start: u32,
    pub(super) end: Option<u32>,
    /// The call around it.
    pub(super) parent: Option<usize>,
    pub(super) func: String,
    pub(super) entry: u64,
    pub(super) args: Vec<String>,
    pub(super) results: Option<String>,
    pub(super) sp: u64,
    pub(super) why: &'static str,
    goroutine: u64,
}

/// Something that Go did.
pub(super) struct Marked {
    pub(super) step: u32,
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// A variable that has got a value.
pub(super) struct Variable {
    pub(super) step: u32,
    pub(super) call: usize,
    pub(super) name: String,
    pub(super) value: String,
}

/// An object on the heap.
pub(super) struct Object {
    pub(super) step: u32,
    pub(super) addr: u64,
    pub(super) size: u64,
    pub(super) ty: String,
}

/// Registers, vector registers and flags after a step.
struct Last {
    registers: [u64; 16],
    vectors: [Ymm; 16],
    flags: u16,
}

/// A run.
pub(super) struct Data {
    limit: u32,
    cut: bool,
    known: FxHashMap<u64, u32>,
    pub(super) insns: Vec<Insn>,
    /// The instruction of each step.
    pub(super) steps: Vec<u32>,
    /// Registers that a step changed: step, number, value.
    pub(super) registers: Vec<(u32, u8, u64)>,
    /// The same of vector registers.
    pub(super) vectors: Vec<(u32, u8, Ymm)>,
    /// Flags that a step changed.
    pub(super) flags: Vec<(u32, u16)>,
    /// Words of memory that a step wrote or that were found to have changed: step, address, value, whether it wrote it.
    pub(super) words: Vec<(u32, u64, u64, bool)>,
    pub(super) calls: Vec<Call>,
    open: Vec<usize>,
    pub(super) events: Vec<Marked>,
    pub(super) variables: Vec<Variable>,
    pub(super) objects: Vec<Object>,
    pub(super) labels: Vec<Label>,
    /// The goroutine that runs from a step on.
    pub(super) goroutines: Vec<(u32, u64)>,
    last: Option<Last>,
    /// The memory as the page knows it.
    memory: FxHashMap<u64, u64>,
    /// goemu itself may have changed the stack.
    unseen: bool,
    locals: Locals,
    shapes: Shapes,
}

impl Data {
    pub(super) fn new(limit: u32) -> Data {
        Data {
            limit,
            cut: false,
            known: FxHashMap::default(),
            insns: Vec::new(),
            steps: Vec::new(),
            registers: Vec::new(),
            vectors: Vec::new(),
            flags: Vec::new(),
            words: Vec::new(),
            calls: Vec::new(),
            open: Vec::new(),
            events: Vec::new(),
            variables: Vec::new(),
            objects: Vec::new(),
            labels: Vec::new(),
            goroutines: Vec::new(),
            last: None,
            memory: FxHashMap::default(),
            unseen: false,
            locals: Locals::default(),
            shapes: Shapes::default(),
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The number of the next step.
    fn next(&self) -> u32 {
        self.steps.len() as u32
    }

    pub(super) fn record(&mut self, record: &Record<'_>, moment: Moment, image: &Image) {
        if let Record::Event(EventRecord { event: Event::CallBegins { .. }, at, .. }) = record {
            *self = Data::new(self.limit);
            self.begin(at, moment);
        }
        let ends = matches!(record, Record::Event(event) if matches!(event.event, Event::CallEnded(_)));
        self.cut |= self.next() >= self.limit || self.events.len() / RECORDS > self.limit as usize;
        if self.cut && !ends {
            return;
        }
        if self.goroutines.last().is_none_or(|(_, goroutine)| *goroutine != moment.goroutine) {
            self.goroutines.push((self.next(), moment.goroutine));
        }
        match record {
            Record::Step(step) => {
                self.end_hooked(step.instruction().ip(), moment, image);
                self.step(step);
                self.look_at_variables(step.view(), moment);
            }
            Record::Call(change) => self.call(change, moment, image),
            Record::Written(written) => self.written(written),
            Record::StackCheck(check) => self.tell("stack_check", check.to_string()),
            Record::Event(event) => self.event(event),
        }
    }

    fn begin(&mut self, at: &View<'_>, moment: Moment) {
        self.goroutines.push((0, moment.goroutine));
        let sp = at.cpu.gpr(gpr::RSP);
        self.look(at.memory, sp, sp.saturating_add(8 * ABOVE));
        self.registers_of(at.cpu, 0);
    }

    /// Tells of words in which the memory differs from what the page knows.
    fn look(&mut self, memory: &Memory, from: u64, to: u64) {
        (from..to).step_by(8).for_each(|addr| self.word(memory, addr, false));
    }

    fn word(&mut self, memory: &Memory, addr: u64, written: bool) {
        let addr = addr & !7;
        let Ok(value) = memory.read(addr).map(u64::from_le_bytes) else { return };
        if self.memory.insert(addr, value) != Some(value) {
            self.words.push((self.next(), addr, value, written));
        }
    }

    /// Tells of registers that differ from what the page knows.
    fn registers_of(&mut self, cpu: &Cpu, step: u32) {
        let first = self.last.is_none();
        let last = self.last.get_or_insert(Last { registers: [0; 16], vectors: [[0; 2]; 16], flags: 0 });
        let now: [u64; 16] = std::array::from_fn(|n| cpu.gpr(n as u8));
        if first || last.registers != now {
            for (n, (old, new)) in last.registers.iter_mut().zip(now).enumerate() {
                if first || *old != new {
                    self.registers.push((step, n as u8, new));
                    *old = new;
                }
            }
        }
        if last.vectors != cpu.ymm {
            for (n, (old, new)) in last.vectors.iter_mut().zip(cpu.ymm).enumerate() {
                if *old != new {
                    self.vectors.push((step, n as u8, new));
                    *old = new;
                }
            }
        }
        let flags = cpu.rflags() as u16;
        if first || last.flags != flags {
            self.flags.push((step, flags));
            last.flags = flags;
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        let View { cpu, memory, .. } = *step.view();
        if self.unseen {
            let sp = cpu.gpr(gpr::RSP);
            self.look(memory, sp, sp.saturating_add(8 * LOOKED_AT));
        }
        self.unseen = !step.finished;
        let number = self.next();
        for effect in step.memory() {
            let end = effect.addr.saturating_add(effect.size as u64);
            (effect.addr & !7..end).step_by(8).for_each(|addr| self.word(memory, addr, effect.written));
        }
        self.registers_of(cpu, number);
        let insn = self.insn(step);
        self.steps.push(insn);
    }

    /// Ends a call that a hook has carried out, where the code around it goes on: nothing of it has returned.
    fn end_hooked(&mut self, pc: u64, moment: Moment, image: &Image) {
        let own = |open: &&usize| self.calls[**open].goroutine == moment.goroutine;
        let Some(&call) = self.open.iter().rev().find(own) else { return };
        let entry = image.func_at(pc).map(|func| func.entry());
        let around = self.calls[call].parent.map(|parent| self.calls[parent].entry);
        if entry.is_some() && entry != Some(self.calls[call].entry) && entry == around {
            self.open.retain(|open| *open != call);
            self.calls[call].end = Some(self.next());
        }
    }

    /// Tells of variables that have changed, where another line begins.
    fn look_at_variables(&mut self, at: &View<'_>, moment: Moment) {
        let own = |open: &&usize| self.calls[**open].goroutine == moment.goroutine;
        let Some(&call) = self.open.iter().rev().find(own) else { return };
        let cut = self.locals.are_cut();
        let changed = self.locals.changed(at, call, self.calls[call].entry);
        let step = self.next().saturating_sub(1);
        let variables = changed.into_iter().map(|(name, value)| Variable { step, call, name, value });
        self.variables.extend(variables);
        if self.locals.are_cut() && !cut {
            self.tell(
                "note",
                "variables of the lines from here on are not shown: there are too many".to_owned(),
            );
        }
    }

    fn insn(&mut self, step: &Step<'_>) -> u32 {
        let pc = step.instruction().ip();
        if let Some(&known) = self.known.get(&pc)
            && self.insns.get(known as usize).is_some_and(|insn| insn.code == step.code())
        {
            return known;
        }
        let number = self.insns.len() as u32;
        let (file, line) = step.position().map_or((String::new(), 0), |at| (at.file.clone(), at.line));
        self.insns.push(Insn {
            pc,
            place: step.place().to_owned(),
            code: step.code().to_owned(),
            file,
            line,
        });
        self.known.insert(pc, number);
        number
    }

    fn tell(&mut self, kind: &'static str, text: String) {
        // What follows an instruction belongs to it; what comes before the first one, to that.
        self.events.push(Marked { step: self.next().saturating_sub(1), kind, text });
    }

    fn call(&mut self, change: &CallChange, moment: Moment, image: &Image) {
        let CallChange { func, arguments, entry, sp, kind, .. } = change;
        let is_inside = |call: &Call| call.goroutine == moment.goroutine && call.sp <= *sp;
        let mut ended = Vec::new();
        self.open.retain(|&open| {
            let over = is_inside(&self.calls[open]);
            if over {
                ended.push(open);
            }
            !over
        });
        let step = self.next();
        for call in ended {
            self.calls[call].end = Some(step);
            if let (CallKind::Returned(results), true) = (kind, self.calls[call].sp == *sp) {
                self.calls[call].results.clone_from(results);
            }
        }
        let why = match kind {
            CallKind::Returned(_) => return,
            CallKind::Deferred { .. } => "deferred",
            CallKind::ByRuntime => "called by Go's runtime",
            CallKind::Jumped { .. } => "jumped to",
            CallKind::Entered if change.announced && step > 0 => "deferred",
            CallKind::Entered => "called",
        };
        if let CallKind::Deferred { .. } = kind {
            self.tell("open_defer", change.to_string());
        }
        let own = |open: &&usize| self.calls[**open].goroutine == moment.goroutine;
        let parent = self.open.iter().rev().find(own).copied();
        self.labels.extend(self.shapes.of_call(image, *entry, *sp, step));
        let number = self.calls.len();
        self.open.push(number);
        self.calls.push(Call {
            start: step,
            end: None,
            parent,
            func: func.clone(),
            entry: *entry,
            args: arguments.clone(),
            results: None,
            sp: *sp,
            why,
            goroutine: moment.goroutine,
        });
    }

    fn written(&mut self, written: &Written) {
        if let Written::Result { func, result, value, .. } = written {
            let call = self.open.iter().rev().find(|open| self.calls[**open].func == *func).copied();
            if let Some(call) = call {
                let name = if result.is_empty() { "the result" } else { result }.to_owned();
                let step = self.next().saturating_sub(1);
                self.variables.push(Variable { step, call, name, value: value.clone() });
            }
        }
        self.tell("written", written.to_string());
    }

    fn event(&mut self, record: &EventRecord<'_>) {
        let View { image, memory, .. } = *record.at;
        let step = self.next();
        self.unseen = true;
        match record.event {
            Event::Allocated { addr, size, ty } => {
                let known = image.resolve(&goemu_loader::TypeRef::Rtype(*ty)).ok().filter(|_| *ty != 0);
                let ty = known.map_or_else(String::new, |ty| ty.name.to_string());
                self.objects.push(Object { step, addr: *addr, size: *size, ty });
                self.look(memory, *addr, addr.saturating_add((*size).min(8 * LOOKED_AT)));
            }
            Event::DeferPushed { record, .. } => {
                let found = labels::of_defer(image, *record, step);
                found.iter().for_each(|label| self.word(memory, label.addr, false));
                self.labels.extend(found);
            }
            _ => {}
        }
        self.tell(record.event.kind(), record.words.to_owned());
    }
}
