//! Functions of the runtime by what they are, for programs whose names were hashed or removed.
//!
//! Four things cannot be taken from a program that still has to run: the numbers that the runtime gives some of its
//! functions (`_func.funcID`), where each function calls `deferreturn`, the texts with which the runtime dies, and the
//! shape of what compilers write. From these follow the functions that calls cannot do without. What is not found
//! runs from the program's text, or ends in a fault.

mod calls;

use calls::Noted;
use goemu_loader::{Func, FuncId, Image, Os};
use iced_x86::{Code, FlowControl, Instruction, Mnemonic, OpKind, Register};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::disasm::code_of;
use crate::go::start::unwrapped;
use crate::os::imports;

/// Functions that were recognised: their names in the runtime, and where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::runtime) struct Recognised {
    found: Vec<(&'static str, u64)>,
    /// The variable `gomaxprocs`: how many processors there are.
    pub(in crate::runtime) processors: Option<u64>,
    /// The variable `poolcleanup`: what empties pools.
    pub(in crate::runtime) pools: Option<u64>,
}

impl Recognised {
    /// Every function that was recognised.
    pub(in crate::runtime) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.found.iter().copied()
    }

    /// The address of one of them.
    pub(in crate::runtime) fn get(&self, name: &str) -> Option<u64> {
        self.found.iter().find(|(found, _)| *found == name).map(|(_, entry)| *entry)
    }

    fn add(&mut self, name: &'static str, entry: u64) {
        if !self.found.contains(&(name, entry)) {
            self.found.push((name, entry));
        }
    }
}

/// Where a text is that tells a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In its code.
    Own,
    /// It is given it.
    Given,
    /// In the code of what calls it first.
    First,
    /// What has the text calls it, and panics with the text where a check fails.
    Checked,
    /// As before, after it has called another.
    CheckedLast,
}

/// A function by a text of the runtime's.
struct Text {
    text: &'static [u8],
    name: &'static str,
    place: Place,
    /// The first release in which this is so.
    since: u16,
}

const fn text(text: &'static str, name: &'static str, place: Place, since: u16) -> Text {
    Text { text: text.as_bytes(), name, place, since }
}

/// What `procresize` says where it was asked for no processors. It first looks how many there are.
const PROCESSORS: &[u8] = b"procresize: invalid arg";
/// What the functions say that stop the world, start it, and count memory.
const MARKS: [&[u8]; 3] = [
    b"stopTheWorld: holding locks",
    b"startTheWorld: inconsistent mp->nextp",
    b"heapInUse and consistent stats are not equal",
];

#[rustfmt::skip]
const TEXTS: &[Text] = &[
    text("panic on system stack", "throw", Place::Given, 0),
    text("go of nil func value", "fatal", Place::Given, 19),
    text(" [recovered", "printpanics", Place::Own, 0),
    text("go of nil func value", "newproc1", Place::Own, 0),
    text("bad g->status in ready", "ready", Place::Own, 0),
    text("allgadd: bad status Gidle", "allgadd", Place::Own, 0),
    text("bad g status", "goschedImpl", Place::Own, 0),
    text("gopark: bad g status", "gopark", Place::Own, 0),
    text("cgocall nil", "cgocall", Place::Own, 0),
    text("runtime.AddCleanup: ptr is nil", "AddCleanup[*]", Place::Own, 24),
    text("internal error - misuse of itab", "getitab", Place::Own, 0),
    text("failed to get or create weak handle", "getOrAddWeakHandle", Place::Own, 23),
    text("runtime.SetFinalizer: first argument is nil", "SetFinalizer", Place::Own, 0),
    text("addtimer called with initialized timer", "time.startTimer", Place::Own, 14),
    text("invalid timer channel: no capacity", "time.newTimer", Place::Own, 23),
    text("time: Stop called on uninitialized Timer", "time.stopTimer", Place::Checked, 0),
    text("time: Reset called on uninitialized Timer", "time.resetTimer", Place::CheckedLast, 0),
    text("time: Reset called on uninitialized Ticker", RESET_TICKER[0], Place::CheckedLast, 15),
    text("time: Reset called on uninitialized Ticker", RESET_TICKER[1], Place::CheckedLast, 23),
    text("read mem stats", "ReadMemStats", Place::Own, 0),
    text("duplicate sigNoteSetup", "sigNoteSetup", Place::Own, 13),
    text("runtime: netpollinit failed", "internal/poll.runtime_pollServerInit", Place::Own, 0),
    text("coroswitch on exited coro", "coroswitch_m", Place::Own, 23),
    text("mspan.ensureSwept: m is not locked", SWEPT, Place::Own, 0),
    text("signal_recv: inconsistent state", "os/signal.signal_recv", Place::Own, 0),
    text("LockOSThread nesting overflow", "startTemplateThread", Place::First, 10),
    text("runtime: blocked write on free polldesc", "internal/poll.runtime_pollOpen", Place::Own, 0),
];

/// What sets a ticker anew: up to Go 1.22, and since.
const RESET_TICKER: [&str; 2] = ["time.modTimer", "time.resetTimer"];

/// The functions that are recognised, and by what.
pub(in crate::runtime) const HOW: &[(&str, &str)] = &[
    ("morestack", "its number (funcID)"),
    ("morestack_noctxt", "clears DX and jumps to morestack"),
    ("mallocgc", "what functions of newobject's shape call"),
    ("mallocgcTinySC*", "calls with a type's size and the type"),
    ("mallocgcSmallNoScanSC*", "calls with a type's size and the type"),
    ("mallocgcSmallScanNoHeaderSC*", "calls with a type's size and the type"),
    ("deferreturn", "the call that functions with defers record"),
    ("gopanic", "its number (funcID)"),
    ("fatalpanic", "called by gopanic, goes to the system's stack twice"),
    ("throw", "is given a text of gopanic's"),
    ("fatal", "is given a text of newproc1's"),
    ("newproc", "a text of newproc1, which does its work"),
    ("gopark", "a text in it"),
    ("ready", "a text in it"),
    ("goschedImpl", "a text in it"),
    ("goexit1", "what goexit calls, which has a number (funcID)"),
    ("SetFinalizer", "a text in it"),
    ("AddCleanup[*]", "a text in it"),
    (STRONG[0], "keeps its thread, has a span swept, and does not die"),
    (STRONG[1], "keeps its thread, has a span swept (since Go 1.25 looks at the modules), and does not die"),
    ("chanlen", "looks for a channel's timer, and loads nothing but its first word"),
    ("chancap", "looks for a channel's timer, and loads nothing but its second word"),
    ("GoroutineProfile", "stops the world for a text"),
    ("goroutineProfileWithLabels", "stops the world for a text"),
    ("goroutineProfileWithLabelsConcurrent", "stops the world twice"),
    ("cgocall", "a text in it"),
    ("time.startTimer", "a text of addtimer, which does its work"),
    ("time.newTimer", "a text in it"),
    ("time.stopTimer", "is called where a check does not panic with a text"),
    ("time.resetTimer", "is called where a check does not panic with a text"),
    ("time.modTimer", "is called where a check does not panic with a text"),
    ("timeSleep", "calls gopark with the reason of those who sleep"),
    ("GC", "calls twice what waits for the collector"),
    ("stopTheWorld", "goes to the system's stack for what has a text"),
    ("startTheWorld", "goes to the system's stack for what has a text"),
    ("os/signal.signal_recv", "a text in it"),
    ("os/signal.signalWaitUntilIdle", "waits for a variable of signal_recv"),
    ("sigNoteSetup", "a text in it"),
    ("GOMAXPROCS", "looks how many processors there are, and stops the world"),
    ("SetDefaultGOMAXPROCS", "as GOMAXPROCS, and takes a note back"),
    ("ReadMemStats", "goes to the system's stack for what has a text"),
    ("runtime/debug.setMaxStack", "sets a variable that runtime.main sets"),
    ("runtime/debug.setMaxThreads", "sets a variable that schedinit sets"),
    ("internal/poll.runtime_pollServerInit", "a text of netpollinit, which does its work"),
    ("newcoro", "makes an object, and starts a goroutine on the system's stack"),
    ("coroswitch", "leaves its stack for what has a text"),
    ("startTemplateThread", "is called first by what has a text"),
    ("internal/poll.runtime_pollOpen", "a text in it"),
    ("getitab", "a text in it"),
    ("getOrAddWeakHandle", "a text in it"),
    ("asmcgocall", "its number (funcID)"),
    ("nanotime1", "has the address of the clock that Windows shows"),
    ("time.now", "has the address of the clock that Windows shows"),
];

/// What follows a weak pointer: in Go 1.23, and since.
const STRONG: [&str; 2] = ["internal/weak.runtime_makeStrongFromWeak", "weak.runtime_makeStrongFromWeak"];
/// What waits until a span is swept. What follows a weak pointer calls it among its last: after it one function, and what grows the stack.
const SWEPT: &str = "(*mspan).ensureSwept";
const LAST: usize = 3;
/// Bytes of a function that has the shape of `newobject`.
const SMALL: u64 = 0x70;
/// Instructions between an argument and the call that it is for.
const NEAR: usize = 8;
/// Bytes of the largest object that the allocator has an entry point of its own for.
const MAX_SIZED: u64 = 512;

/// Looks at every function of the program.
pub(in crate::runtime) fn recognise(image: &Image) -> Recognised {
    let mut scan = Scan::of(image);
    image.funcs().for_each(|func| scan.function(&func));
    scan.conclude()
}

struct Scan<'i> {
    image: &'i Image,
    texts: Vec<&'static Text>,
    systemstack: FxHashSet<u64>,
    /// How many functions of the shape of `newobject` call this one.
    makers: FxHashMap<u64, usize>,
    /// Functions that are given the size of a type, and the type.
    sized: FxHashSet<u64>,
    /// Calls of `systemstack` in a function.
    switches: FxHashMap<u64, usize>,
    /// What `gopanic` calls.
    by_gopanic: Vec<u64>,
    /// Functions that keep their thread and, since Go 1.25, look where the program's variables are, with what they call.
    keepers: Vec<(u64, Vec<u64>)>,
    noted: Noted,
    /// How often a text tells that a function is this one.
    votes: FxHashMap<(&'static str, u64), usize>,
    found: Recognised,
}

impl<'i> Scan<'i> {
    fn of(image: &'i Image) -> Scan<'i> {
        let rules = image.facts().rules();
        let systemstack = image.funcs().filter(|func| func.func_id() == FuncId::Systemstack);
        Scan {
            image,
            texts: TEXTS.iter().filter(|text| rules.is_within((text.since, u16::MAX))).collect(),
            systemstack: systemstack.map(|func| func.entry()).collect(),
            makers: FxHashMap::default(),
            sized: FxHashSet::default(),
            switches: FxHashMap::default(),
            by_gopanic: Vec::new(),
            keepers: Vec::new(),
            noted: Noted::default(),
            votes: FxHashMap::default(),
            found: Recognised::default(),
        }
    }

    fn function(&mut self, func: &Func<'_>) {
        let code = code_of(func);
        let entry = func.entry();
        if func.func_id() == FuncId::Morestack {
            self.found.add("morestack", entry);
        }
        if func.func_id() == FuncId::Goexit
            && let Some(target) = code.iter().find_map(call_target)
        {
            self.found.add("goexit1", target);
            // What a wrapper calls is called by others, too.
            let own = self.image.func_at(target).map(|func| unwrapped(self.image, func).entry());
            self.found.add("goexit1", own.unwrap_or(target));
        }
        if is_morestack_noctxt(self.image, &code) {
            self.found.add("morestack_noctxt", entry);
        }
        if let Some(target) = func.deferreturn().and_then(|at| call_at(&code, at)) {
            self.found.add("deferreturn", target);
        }
        if self.image.target().os == Os::Windows {
            self.on_windows(func, &code);
        }
        let calls = || code.iter().filter_map(call_target);
        if func.func_id() == FuncId::Gopanic {
            self.by_gopanic.extend(calls());
            self.found.add("gopanic", entry);
        }
        if self.image.facts().rules().is_within((23, u16::MAX)) && self.may_follow(&code) {
            self.keepers.push((entry, calls().collect()));
        }
        let switches = calls().filter(|target| self.systemstack.contains(target)).count();
        if switches > 0 {
            self.switches.insert(entry, switches);
        }
        self.noted.look_at(self.image, entry, &code, switches > 0);
        if let Some(target) = as_newobject(func, &code, self.image.facts().register_abi()) {
            *self.makers.entry(target).or_default() += 1;
        }
        self.texts(entry, &code);
        if self.image.facts().rules().has_sized_allocators() {
            self.sized(&code);
        }
    }

    /// Whether code counts up a lock of its thread (`acquirem`) and, since there are weak pointers to variables of the program, has the
    /// address of the first module.
    fn may_follow(&self, code: &[Instruction]) -> bool {
        let keeps = |insn: &Instruction| insn.code() == Code::Inc_rm32 && insn.op0_kind() == OpKind::Memory;
        let module = self.image.module().map(|module| module.addr);
        let looks = |insn: &Instruction| is_address(insn) && Some(insn.ip_rel_memory_address()) == module;
        code.iter().any(keeps) && (!self.has_weak_variables() || code.iter().any(looks))
    }

    fn has_weak_variables(&self) -> bool {
        self.image.facts().rules().is_within((25, u16::MAX))
    }

    /// What follows a weak pointer: it keeps its thread, and has a span swept, after which it calls one function alone. Others that do so die
    /// of what they find, or do more.
    fn strong(&self) -> Option<(&'static str, u64)> {
        let rules = self.image.facts().rules();
        let (throw, swept) = (self.found.get("throw")?, self.found.get(SWEPT));
        let is_it = |(_, calls): &&(u64, Vec<u64>)| {
            !calls.contains(&throw)
                && (self.has_weak_variables()
                    || calls.iter().rev().take(LAST).any(|call| Some(*call) == swept))
        };
        let [(entry, _)] = self.keepers.iter().filter(is_it).collect::<Vec<_>>()[..] else { return None };
        Some((STRONG[usize::from(!rules.is_within((23, 23)))], *entry))
    }

    fn on_windows(&mut self, func: &Func<'_>, code: &[Instruction]) {
        if func.func_id() == FuncId::Asmcgocall {
            self.found.add("asmcgocall", func.entry());
        }
        let is_clock = |insn: &Instruction| {
            matches!(insn.code(), Code::Mov_r32_imm32 | Code::Mov_rm64_imm32)
                && insn.immediate(1) == imports::CLOCK
        };
        if code.iter().any(is_clock) {
            self.found.add("nanotime1", func.entry());
        }
    }

    /// Functions that have one of the texts, and those that are given it.
    fn texts(&mut self, entry: u64, code: &[Instruction]) {
        for (at, insn) in code.iter().enumerate().filter(|(_, insn)| is_address(insn)) {
            let addr = insn.ip_rel_memory_address();
            // What is panicked with is a string, whose first word is where the text is.
            let places = [Some(addr), self.image.read_u64(addr)];
            let at_place =
                |place: u64, text: &Text| self.image.bytes(place, text.text.len()) == Some(text.text);
            let has = |text: &&&Text| places.iter().flatten().any(|place| at_place(*place, text));
            let matching: Vec<&Text> = self.texts.iter().filter(has).copied().collect();
            for text in matching {
                let checked = || calls::calls_after_check(self.image, code, at);
                let target = match text.place {
                    Place::Own => Some(entry),
                    Place::Given => next_call(&code[at..]),
                    Place::First => calls::first_call(self.image, code),
                    Place::Checked => checked().first().copied(),
                    Place::CheckedLast => checked().last().copied(),
                };
                let Some(target) = target else { continue };
                match text.place {
                    // Code that was put where it is called looks otherwise here and there.
                    Place::Checked | Place::CheckedLast => {
                        *self.votes.entry((text.name, target)).or_default() += 1;
                    }
                    _ => self.found.add(text.name, target),
                }
            }
            for (mark, text) in self.noted.marks.iter_mut().zip(MARKS) {
                if self.image.bytes(addr, text.len()) == Some(text) {
                    *mark = Some(entry);
                }
            }
            if self.image.bytes(addr, PROCESSORS.len()) == Some(PROCESSORS) {
                self.found.processors = first_tested(code);
            }
        }
    }

    /// Calls of the allocator's entry points for objects of one size: AX holds the size, BX the type, whose first
    /// word is the size of one element.
    fn sized(&mut self, code: &[Instruction]) {
        let Some(types) = self.image.module().and_then(|module| module.types) else { return };
        for (at, insn) in code.iter().enumerate() {
            let ty = insn.ip_rel_memory_address();
            if !is_address(insn) || insn.op0_register() != Register::RBX || !types.contains(ty) {
                continue;
            }
            // Between the call before and the one that it is for.
            let is_call = |insn: &Instruction| insn.flow_control() == FlowControl::Call;
            let before = code[..at].iter().rev().take(NEAR).take_while(|insn| !is_call(insn));
            let after = code[at..].iter().take(NEAR).take_while(|insn| !is_call(insn));
            let Some(size) = before.chain(after).find_map(|insn| constant(insn, Register::EAX)) else {
                continue;
            };
            let elem = self.image.read_u64(ty).unwrap_or(0);
            let fits = elem > 0 && size.is_multiple_of(elem) && size <= MAX_SIZED;
            if let Some(target) = next_call(&code[at..]).filter(|_| fits) {
                self.sized.insert(target);
            }
        }
    }

    fn conclude(mut self) -> Recognised {
        // `newobject` and the copies of it for other packages agree.
        let mallocgc =
            self.makers.iter().max_by_key(|(entry, count)| (**count, **entry)).map(|(entry, _)| *entry);
        if let Some(mallocgc) = mallocgc {
            self.found.add("mallocgc", mallocgc);
            for entry in std::mem::take(&mut self.sized) {
                self.found.add("mallocgc", entry);
            }
        }
        let votes = std::mem::take(&mut self.votes);
        for (name, entry) in votes.keys() {
            let most = votes.iter().filter(|((of, _), _)| of == name).max_by_key(|((_, at), n)| (**n, *at));
            if most.is_some_and(|((_, at), _)| at == entry) {
                self.found.add(name, *entry);
            }
        }
        std::mem::take(&mut self.noted).conclude(self.image, &mut self.found);
        self.found.pools = calls::pool_cleanup(self.image, &self.found);
        if let Some((name, entry)) = self.strong() {
            self.found.add(name, entry);
        }
        let throw = self.found.get("throw");
        // It prints on the system's stack, and exits there. `traceAdvance` goes there more often.
        let switches = |entry: &u64| self.switches.get(entry).copied().filter(|count| *count >= 2);
        let candidates = self.by_gopanic.iter().filter(|entry| Some(**entry) != throw);
        let fatalpanic = candidates.filter_map(|entry| Some((switches(entry)?, *entry))).min();
        if let Some((_, fatalpanic)) = fatalpanic {
            self.found.add("fatalpanic", fatalpanic);
        }
        self.found
    }
}

/// `MOVL $0, DX; JMP morestack`
fn is_morestack_noctxt(image: &Image, code: &[Instruction]) -> bool {
    let [clear, jump, ..] = code else { return false };
    let clears = constant(clear, Register::EDX) == Some(0)
        || clear.code() == Code::Xor_r32_rm32 && clear.op0_register() == Register::EDX;
    clears
        && jump.flow_control() == FlowControl::UnconditionalBranch
        && image.func_at(jump.near_branch_target()).is_some_and(|func| func.func_id() == FuncId::Morestack)
}

/// What a function calls that has the shape of `newobject(typ)`: `mallocgc(typ.size, typ, true)` and nothing else.
fn as_newobject(func: &Func<'_>, code: &[Instruction], register_abi: bool) -> Option<u64> {
    if func.end().saturating_sub(func.entry()) > SMALL {
        return None;
    }
    let call = code.iter().position(|insn| insn.code() == Code::Call_rel32_64)?;
    let before = &code[..call];
    let loads_size = before.iter().any(|insn| {
        insn.code() == Code::Mov_r64_rm64
            && insn.op1_kind() == OpKind::Memory
            && insn.memory_base() == Register::RAX
            && insn.memory_displacement64() == 0
    });
    let zeroed = before.iter().any(|insn| match insn.code() {
        Code::Mov_rm8_imm8 => !register_abi && insn.immediate8() == 1 && insn.memory_displacement64() == 16,
        _ => register_abi && constant(insn, Register::ECX) == Some(1),
    });
    // Growing the stack is the only other call.
    let calls = code.iter().filter(|insn| insn.flow_control() == FlowControl::Call).count();
    let other = code.iter().any(|insn| insn.flow_control() == FlowControl::IndirectCall);
    (loads_size && zeroed && calls <= 2 && !other).then(|| call_target(&code[call])).flatten()
}

/// `MOV register, constant`
fn constant(insn: &Instruction, register: Register) -> Option<u64> {
    let sets = insn.code() == Code::Mov_r32_imm32 && insn.op0_register() == register;
    sets.then(|| insn.immediate32().into())
}

/// `LEA register, [RIP + n]`
fn is_address(insn: &Instruction) -> bool {
    insn.code() == Code::Lea_r64_m && insn.is_ip_rel_memory_operand()
}

/// The first variable of 32 bits that code loads and looks at: `MOVL variable(SB), register; TESTL register, register`
fn first_tested(code: &[Instruction]) -> Option<u64> {
    let loads = |insn: &Instruction| insn.code() == Code::Mov_r32_rm32 && insn.is_ip_rel_memory_operand();
    let pair = |(load, test): &(&Instruction, &Instruction)| {
        loads(load) && test.code() == Code::Test_rm32_r32 && test.op0_register() == load.op0_register()
    };
    let told = || code.iter().filter(|insn| insn.mnemonic() != Mnemonic::Nop);
    told().zip(told().skip(1)).find(pair).map(|(load, _)| load.ip_rel_memory_address())
}

fn call_target(insn: &Instruction) -> Option<u64> {
    (insn.code() == Code::Call_rel32_64).then(|| insn.near_branch_target())
}

fn call_at(code: &[Instruction], at: u64) -> Option<u64> {
    code.iter().find(|insn| insn.ip() == at).and_then(call_target)
}

/// The next call, if it is near.
fn next_call(code: &[Instruction]) -> Option<u64> {
    code.iter().take(NEAR).find_map(call_target)
}
