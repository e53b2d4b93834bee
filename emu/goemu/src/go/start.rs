//! The functions and variables of the runtime's start, for programs whose names were hashed or removed, and variables that
//! stripped programs do not name.
//!
//! `rt0_go`, which the function table marks, calls `args`, `osinit`, `schedinit`, `newproc` and `mstart` in this order, in every
//! release. What `schedinit` calls is told apart by what it reads: the program's arguments, the list of modules, a text.

use goemu_loader::{Func, FuncId, Image, Os};
use iced_x86::{Code, Instruction, OpKind, Register};

use crate::disasm::code_of;

/// What `mallocinit` says where nobody knows the size of a page. It looks at that first.
const NO_PAGE_SIZE: &[u8] = b"failed to get system page size";
/// The variable of the environment that the collector's start asks for.
const COLLECTOR: &[u8] = b"GOGC";
/// The variables that settings are read from.
const SETTINGS: [&[u8]; 2] = [b"GODEBUG", b"GOTRACEBACK"];
/// What sets them since Go 1.25, one of them, `traceadvanceperiod`, to a second.
const SETS: &str = "runtime.parseRuntimeDebugVars";
const PERIOD: u32 = 1_000_000_000;
/// What finds the processor's features. `schedinit` calls it before it copies them; up to Go 1.21 `cpuinit` does both.
const INITIALIZE: &str = "internal/cpu.Initialize";
/// How many features are copied, at least.
const FEATURES: usize = 3;
/// What Windows' programs call for their environment.
const ENVIRONMENT: &str = "GetEnvironmentStringsW";

/// What was found of the runtime's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Start {
    functions: Vec<(&'static str, u64)>,
    /// The variable that says how many processors there are: `ncpu`, since Go 1.25 `numCPUStartup`.
    pub(crate) processors: Option<u64>,
    /// The variable `physPageSize`.
    pub(crate) page_size: Option<u64>,
    /// What `schedinit` copies of the processor's features since Go 1.22, from and to: compiled code asks the copies.
    pub(crate) features: Vec<(u64, u64)>,
}

impl Start {
    /// Looks for it.
    pub(crate) fn of(image: &Image) -> Start {
        let mut start = Start::default();
        if let Some(osinit) = image.funcs_named("runtime.osinit").into_iter().find(is_no_wrapper) {
            start.processors = stores(&code_of(&osinit), Code::Mov_rm32_r32).last();
            let schedinit = image.funcs_named("runtime.schedinit").into_iter().find(is_no_wrapper);
            start.features = features(&schedinit.map(|func| code_of(&func)).unwrap_or_default()).1;
            return start;
        }
        Start::by_code(image).unwrap_or_default()
    }

    /// Looks for it without names.
    fn by_code(image: &Image) -> Option<Start> {
        let mut start = Start::default();
        let [args, osinit, schedinit] = called_by_rt0(image)?;
        start.processors = stores(&code_of(&osinit), Code::Mov_rm32_r32).last();
        start.functions = vec![("runtime.args", args.entry()), ("runtime.osinit", osinit.entry())];
        let argc = stores(&code_of(&args), Code::Mov_rm32_r32).next();
        let code = code_of(&schedinit);
        for func in calls(image, &code) {
            start.look_at(image, &func, argc);
        }
        let (at, copied) = features(&code);
        if let Some(initialize) = targets(&code[..at]).last().filter(|_| !copied.is_empty()) {
            start.functions.push((INITIALIZE, *initialize));
        }
        start.features = copied;
        Some(start)
    }

    /// Where a function of the runtime's start is, by its name.
    pub(crate) fn function(&self, name: &str) -> Option<u64> {
        self.functions.iter().find(|(found, _)| *found == name).map(|(_, entry)| *entry)
    }

    fn has(&self, name: &str) -> bool {
        self.function(name).is_some()
    }

    /// A function that `schedinit` calls.
    fn look_at(&mut self, image: &Image, func: &Func<'_>, argc: Option<u64>) {
        let code = code_of(func);
        let callees = calls(image, &code);
        let mut within = callees.iter().map(code_of).collect::<Vec<_>>();
        if self.page_size.is_none() && has_text(image, &code, NO_PAGE_SIZE) {
            self.page_size = loads(&code, 8).next();
        }
        let is_module = |insn: &Instruction| {
            insn.code() == Code::Lea_r64_m
                && image.module().is_some_and(|module| insn.ip_rel_memory_address() == module.addr)
        };
        // `moduledataverify` goes through the list, too, and calls one function.
        if !self.has("runtime.modulesinit") && code.iter().any(is_module) && callees.len() > 1 {
            self.functions.push(("runtime.modulesinit", func.entry()));
        }
        // Since Go 1.25 there are two functions, the second of which has the texts.
        let reads_settings = SETTINGS.iter().all(|name| has_text(image, &code, name));
        if reads_settings && self.has(SETS) {
            self.functions.push(("runtime.finishDebugVarsSetup", func.entry()));
        } else if reads_settings {
            self.functions.push(("runtime.parsedebugvars", func.entry()));
        } else if code.iter().any(sets_period) {
            self.functions.push((SETS, func.entry()));
        }
        if !features(&code).1.is_empty() {
            self.functions.push(("runtime.cpuinit", func.entry()));
        }
        within.push(code);
        if !self.has("runtime.gcinit") && within.iter().any(|code| has_text(image, code, COLLECTOR)) {
            self.functions.push(("runtime.gcinit", func.entry()));
        }
        // `goenvs` may call `goenvs_unix`, which does its work, and nothing else.
        let own = if callees.len() == 1 { &within[..] } else { &within[callees.len()..] };
        let asks = |variable: Option<u64>, size| {
            own.iter().any(|code| {
                // `getGodebugEarly` asks, too, and keeps nothing.
                stores(code, Code::Mov_rm64_r64).next().is_some()
                    && loads(code, size).any(|addr| Some(addr) == variable)
            })
        };
        let environment = image.imports().iter().find(|import| import.name == ENVIRONMENT);
        let takes = match image.target().os {
            Os::Windows => asks(environment.map(|import| import.addr), 8),
            _ => asks(argc, 4),
        };
        // Elsewhere `goargs` comes first.
        let name = match image.target().os {
            Os::Windows => "runtime.goenvs",
            _ if self.has("runtime.goargs") => "runtime.goenvs",
            _ => "runtime.goargs",
        };
        if takes && !self.has(name) {
            self.functions.push((name, func.entry()));
        }
    }
}

/// `schedinit`.
pub(crate) fn scheduler_start(image: &Image) -> Option<Func<'_>> {
    called_by_rt0(image).map(|[.., schedinit]| schedinit)
}

/// The variable that says that nobody asks for a profile of memory, and the rate of samples, which `schedinit` makes 0 then.
pub(crate) fn memory_profile(image: &Image) -> Option<[u64; 2]> {
    const NEAR: usize = 3;
    let code = code_of(&scheduler_start(image)?);
    let of_zero = |insn: &Instruction, code: Code| {
        insn.code() == code && insn.is_ip_rel_memory_operand() && insn.immediate(1) == 0
    };
    let asks = code.iter().enumerate().filter(|(_, insn)| of_zero(insn, Code::Cmp_rm8_imm8));
    asks.filter_map(|(at, asked)| {
        let mut after = code[at + 1..].iter().take(NEAR);
        let cleared = after.find(|insn| of_zero(insn, Code::Mov_rm64_imm32))?;
        Some([asked.ip_rel_memory_address(), cleared.ip_rel_memory_address()])
    })
    .next()
}

/// `args`, `osinit` and `schedinit`.
fn called_by_rt0(image: &Image) -> Option<[Func<'_>; 3]> {
    let rt0 = image.funcs().find(|func| func.func_id() == FuncId::Rt0Go)?;
    let targets = targets(&code_of(&rt0));
    let is_mstart = |target: &u64| image.func_at(*target).is_some_and(|func| is(image, func, FuncId::Mstart));
    let mstart = targets.iter().position(is_mstart)?;
    let before =
        |count: usize| Some(unwrapped(image, image.func_at(*targets.get(mstart.checked_sub(count)?)?)?));
    Some([before(4)?, before(3)?, before(2)?])
}

/// Whether a function, or the one that a wrapper calls, has this number.
fn is(image: &Image, func: Func<'_>, id: FuncId) -> bool {
    func.func_id() == id || unwrapped(image, func).func_id() == id
}

fn is_no_wrapper(func: &Func<'_>) -> bool {
    func.func_id() != FuncId::Wrapper
}

/// What a wrapper between calling conventions calls; other functions themselves.
pub(crate) fn unwrapped<'i>(image: &'i Image, func: Func<'i>) -> Func<'i> {
    if is_no_wrapper(&func) {
        return func;
    }
    let code = code_of(&func);
    let jump = code.iter().find(|insn| insn.code() == Code::Jmp_rel32_64 || insn.code() == Code::Jmp_rel8_64);
    let jumped = jump.and_then(|jump| image.func_at(jump.near_branch_target()));
    let jumped = jumped.filter(|to| to.entry() != func.entry() && !is_growing(image, to));
    calls(image, &code).into_iter().next().or(jumped).unwrap_or(func)
}

/// The functions that code calls, each once, in order; none that grows the stack.
fn calls<'i>(image: &'i Image, code: &[Instruction]) -> Vec<Func<'i>> {
    let mut found: Vec<Func<'i>> = Vec::new();
    for target in targets(code) {
        let Some(func) = image.func_at(target).filter(|func| func.entry() == target) else { continue };
        if !is_growing(image, &func) && !found.iter().any(|known| known.entry() == target) {
            found.push(func);
        }
    }
    found
}

/// Whether a function is `morestack`, or does nothing but jump to it.
fn is_growing(image: &Image, func: &Func<'_>) -> bool {
    if func.func_id() == FuncId::Morestack {
        return true;
    }
    let code = code_of(func);
    let jump = code.iter().take(2).find(|insn| insn.is_jmp_short_or_near());
    jump.is_some_and(|jump| {
        image.func_at(jump.near_branch_target()).is_some_and(|to| to.func_id() == FuncId::Morestack)
    })
}

fn targets(code: &[Instruction]) -> Vec<u64> {
    let calls = code.iter().filter(|insn| insn.code() == Code::Call_rel32_64);
    calls.map(Instruction::near_branch_target).collect()
}

/// The variables that code stores a register in by such an instruction.
fn stores(code: &[Instruction], by: Code) -> impl Iterator<Item = u64> {
    let stores = move |insn: &&Instruction| insn.code() == by && insn.is_ip_rel_memory_operand();
    code.iter().filter(stores).map(Instruction::ip_rel_memory_address)
}

/// What code copies of the processor's features, from and to, and where it begins: bytes one after the other, from one variable's fields.
fn features(code: &[Instruction]) -> (usize, Vec<(u64, u64)>) {
    let copies = |two: &[Instruction]| match two {
        [load, store] => {
            let is_copy = load.code() == Code::Movzx_r32_rm8
                && store.code() == Code::Mov_rm8_r8
                && two.iter().all(Instruction::is_ip_rel_memory_operand)
                && load.op0_register() == store.op1_register().full_register32();
            is_copy.then(|| (load.ip_rel_memory_address(), store.ip_rel_memory_address()))
        }
        _ => None,
    };
    for at in 0..code.len() {
        let copied: Vec<_> = code[at..].chunks(2).map_while(copies).collect();
        if copied.len() >= FEATURES {
            return (at, copied);
        }
    }
    (0, Vec::new())
}

/// The variables of so many bytes that code loads or compares.
fn loads(code: &[Instruction], size: usize) -> impl Iterator<Item = u64> {
    let reads = move |insn: &&Instruction| {
        let is_load = insn.op1_kind() == OpKind::Memory && insn.op0_register() != Register::None
            || insn.mnemonic() == iced_x86::Mnemonic::Cmp;
        is_load && insn.is_ip_rel_memory_operand() && insn.memory_size().size() == size
    };
    code.iter().filter(reads).map(Instruction::ip_rel_memory_address)
}

fn sets_period(insn: &Instruction) -> bool {
    insn.code() == Code::Mov_rm32_imm32 && insn.is_ip_rel_memory_operand() && insn.immediate32() == PERIOD
}

/// Whether code has the address of a text that begins so.
fn has_text(image: &Image, code: &[Instruction], text: &[u8]) -> bool {
    let addresses =
        code.iter().filter(|insn| insn.code() == Code::Lea_r64_m && insn.is_ip_rel_memory_operand());
    { addresses }.any(|insn| image.bytes(insn.ip_rel_memory_address(), text.len()) == Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_code_tells_is_what_the_names_tell() {
        for name in [
            "corpus-go1.15",
            "corpus-go1.15-pie",
            "corpus-go1.15-windows-stripped",
            "corpus-go1.27",
            "corpus-go1.27-darwin",
            "corpus-go1.27-windows",
            "cgo-go1.27-gcc-pie",
        ] {
            let path = format!("{}/../../testdata/bin/{name}", env!("CARGO_MANIFEST_DIR"));
            let image = Image::open(path).unwrap_or_else(|error| panic!("{name}: {error}"));
            let start = Start::by_code(&image).unwrap_or_else(|| panic!("{name} has no start"));
            for (found, entry) in &start.functions {
                let func = image.func_at(*entry).map(|func| func.name());
                let goenvs = *found == "runtime.goenvs" && func == Some("runtime.goenvs_unix");
                assert!(func == Some(found) || goenvs, "{name}: {found} is {func:?}");
            }
            let wanted = ["args", "osinit", "modulesinit", "goenvs", "gcinit"];
            let has = |name: &&str| start.has(&format!("runtime.{name}"));
            assert!(wanted.iter().all(has), "{name}: {start:x?}");
            let settings = has(&"parsedebugvars") || start.has(SETS) && has(&"finishDebugVarsSetup");
            assert!(settings, "{name}: {start:x?}");
            let named =
                |names: [&str; 2]| names.iter().find_map(|name| image.symbol(name)).map(|symbol| symbol.addr);
            // Up to Go 1.21 `cpuinit` copies them.
            let copied = image.facts().version.minor >= 22;
            assert!(
                copied == start.has(INITIALIZE) && copied != start.has("runtime.cpuinit"),
                "{name}: {start:x?}"
            );
            assert_eq!(start.features, Start::of(&image).features, "{name}");
            let (x86, at) = (image.symbol("internal/cpu.X86"), image.facts().x86);
            for (feature, offset) in [("POPCNT", at.popcnt), ("SSE41", at.sse41), ("FMA", at.fma)] {
                let copy = image.symbol(&format!("runtime.x86Has{feature}"));
                if let (true, Some(x86), Some(copy), Some(offset)) = (copied, x86, copy, offset) {
                    let copy = (x86.addr + offset, copy.addr);
                    assert!(start.features.contains(&copy), "{name}: {feature} in {:x?}", start.features);
                }
            }
            for (found, names) in [
                (start.processors, ["runtime.ncpu", "runtime.numCPUStartup"]),
                (start.page_size, ["runtime.physPageSize", "runtime.physPageSize"]),
            ] {
                assert!(found.is_some(), "{name}: {names:?}");
                assert!(named(names).is_none_or(|named| Some(named) == found), "{name}: {names:?}");
            }
        }
    }
}
