//! Captured variables: code of a closure finds them behind a pointer in DX, and not among its parameters.
//!
//! A closure is a pointer to its code and the captured variables, one behind the other like fields of a struct: the
//! variable itself where it is not changed, a pointer to it where it is shared. Debug information of Go 1.23 and later
//! says where most are; others lie in the order in which they are given here. What was made in a generic function also
//! has that function's dictionary: behind the variables, and up to Go 1.19 in front of them.

use std::cell::RefCell;
use std::sync::Arc;

use goemu_loader::facts::Rules;
use goemu_loader::{Func, Image, Kind, Local, Type};
use iced_x86::{Decoder, DecoderOptions, FlowControl, InstructionInfoFactory, OpAccess, Register};

use crate::error::Error;
use crate::go::guest::{GuestHeap, Types};
use crate::go::literal::{self, CaptureType, Given};
use crate::go::names::full_name;
use crate::go::read::Reader;
use crate::go::value::{Pointer, Value};
use crate::go::write::{ValueError, Writer};
use crate::outcome::NamedValue;

/// Instructions at the start of a function in which it looks at its context, if it has one.
const LOOKED_AT: usize = 64;
/// Bytes of a pointer.
const WORD: u64 = 8;
/// The first captured variable lies behind the pointer to the code.
const FIRST: u64 = WORD;
/// A closure is no larger than this.
const MAX_SIZE: u64 = 1 << 20;

/// A captured variable and its value.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) name: String,
    pub(crate) ty: Arc<Type>,
    offset: u64,
    pub(crate) value: Value,
    /// Whether the closure has a pointer to it.
    pub(crate) shared: bool,
}

impl Capture {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.ty.size)
    }

    /// The variable as it is now; `at` is its place in the closure.
    pub(crate) fn read(&self, at: u64, reader: &Reader<'_>) -> NamedValue {
        let held = reader.at(&self.ty, at);
        let ty = self.ty.name.as_str();
        let (ty, value) = match held {
            Value::Pointer(Pointer { pointee: Some(to), .. }) if self.shared => {
                (ty.strip_prefix('*').unwrap_or(ty), *to)
            }
            other => (ty, other),
        };
        NamedValue { name: self.name.clone(), ty: ty.to_owned(), value }
    }
}

/// The captured variables that a function is called with.
#[derive(Clone, Debug)]
pub(crate) struct Closure {
    pub(crate) captures: Vec<Capture>,
    size: u64,
    /// Where the dictionary is, and its address.
    dictionary: Option<(u64, u64)>,
}

impl Closure {
    /// The captured variables in a text: `n=5, s="x"` or, in their order, `5, "x"`. `dictionary` is that of the
    /// generic function around.
    ///
    /// # Errors
    /// When the text is malformed, or it is not known where a variable belongs.
    pub(crate) fn parse(
        image: &Image,
        func: &Func<'_>,
        text: &str,
        dictionary: Option<Result<u64, Error>>,
    ) -> Result<Closure, Error> {
        let fail = |why: String| Error::Captures { func: func.name().to_owned(), why };
        let known = captured(image, func);
        let outer = outer_variables(image, func);
        let unknown = RefCell::new(None);
        let types = |index: usize, name: Option<&str>| {
            let local = variable(&known, &outer, index, name);
            if let (None, Some(name), true) = (local, name, !known.is_empty() || !outer.is_empty()) {
                unknown.borrow_mut().get_or_insert_with(|| name.to_owned());
            }
            type_of(image, local?)
        };
        let given = literal::parse_captures(text, &types, image);
        if let Some(name) = unknown.take() {
            return Err(fail(format!("there is no {name}; it may have {}", possible(&known, outer))));
        }
        let given = given.map_err(|error| fail(error.to_string()))?;
        let first = image.go_version().is_some_and(|version| Rules::of(version).dictionary_first());
        let start = if first && dictionary.is_some() { FIRST + WORD } else { FIRST };
        let mut closure = Closure::place(func, &known, given, start)?;
        let reads = context_size(func);
        match dictionary {
            Some(Ok(dictionary)) => closure.add_dictionary(dictionary, first, reads),
            // Code that does not look at it can do without.
            Some(Err(error)) if first || closure.size < reads => return Err(error),
            _ => {}
        }
        if closure.size < reads {
            let given = closure.size - FIRST;
            let missing = format!("its code reads {} bytes of them, and {given} are given", reads - FIRST);
            return Err(fail(missing));
        }
        Ok(closure)
    }

    /// Gives each variable its place: those that debug information places theirs, the others what these leave, in
    /// the order in which they are given.
    fn place(func: &Func<'_>, known: &[Local], given: Vec<Given>, start: u64) -> Result<Closure, Error> {
        let fail = |why: String| Error::Captures { func: func.name().to_owned(), why };
        let local = |index: usize, given: &Given| match &given.name {
            Some(name) => known.iter().find(|local| local.name == *name),
            None => known.get(index).filter(|_| all_placed(known)),
        };
        let placed = |(index, given): (usize, &Given)| {
            let at = local(index, given)?.closure_offset?;
            Some((at, at.checked_add(given.ty.size)?))
        };
        let taken: Vec<(u64, u64)> = given.iter().enumerate().filter_map(placed).collect();
        let mut closure = Closure { captures: Vec::new(), size: start, dictionary: None };
        let mut end = start;
        for (index, item) in given.into_iter().enumerate() {
            let place = match placed((index, &item)) {
                Some(place) => Some(place),
                None => free(&taken, end, &item.ty),
            };
            let Some((offset, after)) = place.filter(|&(_, after)| after <= MAX_SIZE) else {
                return Err(fail("they are too large".to_owned()));
            };
            let Given { name, ty, value, shared } = item;
            if closure.captures.iter().any(|other| offset < other.end() && other.offset < after) {
                return Err(fail(format!("give them in the closure's order: {}", listed(known))));
            }
            if !taken.contains(&(offset, after)) {
                end = after;
            }
            closure.size = closure.size.max(after);
            closure.captures.push(Capture { name: name.unwrap_or_default(), ty, offset, value, shared });
        }
        Ok(closure)
    }

    fn add_dictionary(&mut self, dictionary: u64, first: bool, reads: u64) {
        // Of variables behind which it lies some may not have been given, because the code has no use for them.
        let behind = self.size.next_multiple_of(WORD).max(reads.saturating_sub(WORD));
        let offset = if first { FIRST } else { behind };
        self.dictionary = Some((offset, dictionary));
        self.size = self.size.max(offset.saturating_add(WORD));
    }

    /// Makes the closure in the guest: its address, and the values as they are there.
    pub(crate) fn make(
        &self,
        code: u64,
        heap: &mut dyn GuestHeap,
        types: &dyn Types,
    ) -> Result<u64, ValueError> {
        let closure = heap.alloc(self.size, 8)?;
        heap.write(closure, &code.to_le_bytes())?;
        if let Some((offset, dictionary)) = self.dictionary {
            heap.write(closure.wrapping_add(offset), &dictionary.to_le_bytes())?;
        }
        for Capture { name, ty, offset, value, .. } in &self.captures {
            let bytes = Writer::new(heap, types).encode(value, ty);
            let bytes = bytes.map_err(|error| error.at(&format!("captured variable {name}")))?;
            heap.write(closure.wrapping_add(*offset), &bytes)?;
        }
        Ok(closure)
    }

    /// Where each captured variable is in the closure at this address.
    pub(crate) fn places(&self, closure: u64) -> impl Iterator<Item = (&Capture, u64)> {
        self.captures.iter().map(move |capture| (capture, closure.wrapping_add(capture.offset)))
    }
}

/// Why a function cannot be called without its captured variables, if it cannot.
pub(crate) fn refusal(image: &Image, func: &Func<'_>) -> Option<Error> {
    let size = context_size(func);
    if size == 0 {
        return None;
    }
    let known = captured(image, func);
    let why = match listed(&known) {
        list if list.is_empty() => {
            format!("it captures {} bytes of variables: give them", size.saturating_sub(FIRST))
        }
        list => format!("it captures {list}: give them"),
    };
    Some(Error::Captures { func: func.name().to_owned(), why: why + ", as in 'name=value, ...'" })
}

/// Bytes of its closure that the start of a function's code reads, the pointer to the code included; 0 where it does
/// not look at DX before it sets it. Assembly has uses of its own for DX.
fn context_size(func: &Func<'_>) -> u64 {
    if func.is_asm() {
        return 0;
    }
    let size = usize::try_from(func.end().saturating_sub(func.entry()).min(1024)).unwrap_or(0);
    let Some(code) = func.image().bytes(func.entry(), size) else { return 0 };
    let mut decoder = Decoder::with_ip(64, code, func.entry(), DecoderOptions::NONE);
    let (mut factory, mut size) = (InstructionInfoFactory::new(), 0);
    for insn in decoder.iter().take(LOOKED_AT) {
        if matches!(
            insn.flow_control(),
            FlowControl::Call | FlowControl::Return | FlowControl::UnconditionalBranch
        ) {
            break;
        }
        let info = factory.info(&insn);
        for memory in info.used_memory().iter().filter(|memory| memory.base() == Register::RDX) {
            let bytes = memory.memory_size().size() as u64;
            if memory.index() == Register::None && memory.displacement() < MAX_SIZE {
                size = size.max(memory.displacement().saturating_add(bytes));
            }
        }
        let copied = insn.mnemonic() == iced_x86::Mnemonic::Mov
            && insn.op_count() == 2
            && insn.op_kind(1) == iced_x86::OpKind::Register
            && insn.op_register(1) == Register::RDX;
        if copied {
            size = size.max(FIRST);
        }
        let written = info.used_registers().iter().any(|used| {
            used.register().full_register() == Register::RDX
                && !matches!(used.access(), OpAccess::Read | OpAccess::CondRead)
        });
        if written {
            break;
        }
    }
    size
}

/// What debug information says of a closure's captured variables, in their order where that is known.
fn captured(image: &Image, func: &Func<'_>) -> Vec<Local> {
    let mut locals = image.locals(func).unwrap_or_default();
    let placed = locals.iter().any(|local| local.closure_offset.is_some());
    locals.retain(|local| if placed { local.closure_offset.is_some() } else { local.by_reference });
    locals.sort_by_key(|local| local.closure_offset);
    locals
}

fn all_placed(known: &[Local]) -> bool {
    let mut end = FIRST;
    known.iter().all(|local| {
        let next = local.ty.align.max(1);
        let follows = local.closure_offset == end.checked_next_multiple_of(next);
        end = local.closure_offset.unwrap_or(end).saturating_add(local.ty.size);
        follows
    })
}

/// The first place from `end` on that a variable of this type fits into, between those that are taken.
fn free(taken: &[(u64, u64)], end: u64, ty: &Type) -> Option<(u64, u64)> {
    let mut at = end;
    loop {
        at = at.checked_next_multiple_of(ty.align.max(1))?;
        let after = at.checked_add(ty.size)?;
        match taken.iter().find(|(start, stop)| at < *stop && *start < after) {
            Some((_, stop)) => at = *stop,
            None => return Some((at, after)),
        }
    }
}

/// The variables of the functions around a closure: `main.f` and `main.f.func1` for `main.f.func1.2`.
fn outer_variables(image: &Image, func: &Func<'_>) -> Vec<Local> {
    let mut found = image.locals(func).unwrap_or_default();
    let mut name = full_name(image, func);
    while let Some((outer, _)) = name.rsplit_once('.') {
        for func in image.funcs_named(outer) {
            found.extend(image.locals(&func).unwrap_or_default());
        }
        name = outer;
    }
    found
}

/// A captured variable: by its name, or by its number where the closure's variables are all known.
fn variable<'l>(
    known: &'l [Local],
    outer: &'l [Local],
    index: usize,
    name: Option<&str>,
) -> Option<&'l Local> {
    match name {
        Some(name) => known.iter().chain(outer).find(|local| local.name == name),
        None => known.get(index).filter(|_| all_placed(known)),
    }
}

fn type_of(types: &dyn Types, local: &Local) -> Option<CaptureType> {
    let to = match &local.ty.kind {
        Kind::Pointer(elem) if local.by_reference => Some(types.resolve(elem).ok()?),
        _ => None,
    };
    Some(CaptureType { ty: local.ty.clone(), to })
}

/// What a closure may have captured: its variables where they are known, else all that are around it.
fn possible(known: &[Local], outer: Vec<Local>) -> String {
    if known.iter().any(|local| local.closure_offset.is_some()) && all_placed(known) {
        return listed(known);
    }
    let mut all: Vec<Local> = Vec::new();
    for local in known.iter().cloned().chain(outer) {
        if !matches!(local.name.as_str(), "" | "_" | ".dict")
            && all.iter().all(|other| other.name != local.name)
        {
            all.push(Local { closure_offset: None, ..local });
        }
    }
    listed(&all)
}

/// `n int, s string`; of shared variables their own types. Between them may be some that have no name any more.
fn listed(known: &[Local]) -> String {
    let ty =
        |local: &Local| local.ty.name.get(usize::from(local.by_reference)..).unwrap_or_default().to_owned();
    let mut shown = Vec::new();
    let mut end = FIRST;
    for local in known {
        if let Some(offset) = local.closure_offset {
            let gap = offset.saturating_sub(end.next_multiple_of(local.ty.align.max(1)));
            if gap > 0 {
                shown.push(format!("{gap} bytes whose name is lost"));
            }
            end = offset.saturating_add(local.ty.size);
        }
        shown.push(format!("{} {}", local.name, ty(local)));
    }
    shown.join(", ")
}
