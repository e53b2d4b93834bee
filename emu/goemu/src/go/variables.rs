//! Package variables: which instructions use them.
//!
//! A call sees package variables as a started program has them, and a call that uses none should not wait for all
//! packages to be initialised. Compiled code names a variable by its address, relative to RIP, so its uses are
//! known as soon as an instruction is decoded: until packages are initialised, a machine bars them.

use std::ops::Range;
use std::sync::Arc;

use goemu_loader::Image;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register};

use crate::engine::Bar;
use crate::go::value::Value;

/// What compiled code names by itself, and no initialisation writes: what a map gives for a missing key, the address
/// of what has no size, boxed small numbers.
const CONSTANT: [&str; 4] =
    ["runtime.zeroVal", "runtime.zerobase", "runtime.staticuint64s", "runtime.staticbytes"];
/// Parts of names of variables that the compiler makes for itself: caches that begin empty, type descriptors,
/// dictionaries.
const MADE: [&str; 3] = ["..typeAssert.", "..interfaceSwitch.", "..dict."];
/// Beginnings of such names. Up to Go 1.19 with a dot.
const MADE_PREFIX: [&str; 4] = ["type:", "type.", "go:", "go."];

/// Packages whose code reads its own variables in every program, however little of it was started. Not so the hooks
/// on a program's end: initialisation sets functions that they call.
const RUNTIME: [&str; 5] =
    ["runtime.", "runtime/", "internal/runtime/", "internal/bytealg.", "internal/cpu."];

const EXIT_HOOKS: &str = "internal/runtime/exithook.";

/// Size of `runtime.writeBarrier`: a flag, or several, and padding.
const WRITE_BARRIER: u64 = 16;

/// Bars the uses of package variables. None where the program does not say where variables are.
pub(crate) fn bar(image: &Arc<Image>) -> Option<Bar> {
    let module = image.module()?;
    let sections = [module.noptrdata, module.data, module.bss, module.noptrbss];
    let barrier = write_barrier(image);
    // The runtime's code cannot be told from other code then: what it uses waits for initialisation, too.
    let nameless = !image.is_linked_here() && image.funcs_named("runtime.mallocgc").is_empty();
    let image = Arc::clone(image);
    Some(Arc::new(move |insn| {
        let Some(addr) = named_address(insn) else { return false };
        sections.iter().any(|section| section.contains(addr))
            && !barrier.as_ref().is_some_and(|barrier| barrier.contains(&addr))
            && (nameless || !is_runtime(&image, insn.ip()))
            && !is_constant(&image, addr)
    }))
}

/// Whether a value is a package variable's, or holds one or a pointer to one: it is as the variable is when it is written.
pub(crate) fn are_in(value: &Value, image: &Image) -> bool {
    let is_in = |value: &Value| are_in(value, image);
    match value {
        Value::Variable { .. } => true,
        Value::List(list) => list.elems.iter().any(is_in),
        Value::Struct(value) => value.fields.iter().any(|(_, value)| is_in(value)),
        Value::Map(map) => map.entries.iter().any(|(key, value)| is_in(key) || is_in(value)),
        Value::Interface(interface) => is_in(&interface.value),
        Value::Pointer(pointer) => {
            is_variable(image, pointer.addr) || pointer.pointee.as_deref().is_some_and(is_in)
        }
        Value::UnsafePointer(addr) | Value::Chan { addr, .. } => is_variable(image, *addr),
        _ => false,
    }
}

fn is_variable(image: &Image, addr: u64) -> bool {
    let sections = image.module().map(|module| [module.noptrdata, module.data, module.bss, module.noptrbss]);
    sections.is_some_and(|sections| sections.iter().any(|section| section.contains(addr)))
        && !is_constant(image, addr)
}

/// The address that an instruction names.
fn named_address(insn: &Instruction) -> Option<u64> {
    if insn.is_ip_rel_memory_operand() {
        return Some(insn.ip_rel_memory_address());
    }
    // Of a variable in the first 2 GiB. TLS looks alike, but for its segment.
    let absolute = insn.memory_base() == Register::None && insn.memory_displ_size() >= 4;
    (absolute && insn.segment_prefix() == Register::None).then(|| insn.memory_displacement64())
}

/// `runtime.writeBarrier`, which compiled code asks before it stores a pointer: the variable that `typedmemmove`
/// compares.
pub(crate) fn write_barrier(image: &Image) -> Option<Range<u64>> {
    let func = image.funcs_named("runtime.typedmemmove").into_iter().next()?;
    let code = image.bytes(func.entry(), usize::try_from(func.end().checked_sub(func.entry())?).ok()?)?;
    let insns = Decoder::with_ip(64, code, func.entry(), DecoderOptions::NONE).into_iter();
    let compares = |insn: &Instruction| insn.mnemonic() == Mnemonic::Cmp && insn.is_ip_rel_memory_operand();
    let start = { insns }.find(compares)?.ip_rel_memory_address() & !7;
    Some(start..start.saturating_add(WRITE_BARRIER))
}

/// Whether code belongs to the runtime. Assembly functions of it have no package in their names (`memeqbody`).
pub(crate) fn is_runtime(image: &Image, pc: u64) -> bool {
    image.func_at(pc).is_some_and(|func| is_of_runtime(func.name()))
}

/// Whether a function of this name does.
pub(crate) fn is_of_runtime(name: &str) -> bool {
    let own = RUNTIME.iter().chain(&MADE_PREFIX).any(|package| name.starts_with(package));
    !name.contains('.') || own && !name.starts_with(EXIT_HOOKS)
}

fn is_constant(image: &Image, addr: u64) -> bool {
    image.symbol_at(addr).is_some_and(|symbol| {
        let name = symbol.name;
        CONSTANT.contains(&name)
            || MADE.iter().any(|part| name.contains(part))
            || MADE_PREFIX.iter().any(|prefix| name.starts_with(prefix))
    })
}
