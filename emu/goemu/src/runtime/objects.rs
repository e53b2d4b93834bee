//! Go's runtime for programs that were linked without it (object files), in Rust.
//!
//! Compiled code calls functions of the runtime for much that Go's statements mean: `append`, conversions, panics.
//! Where there is a runtime, these run from the program's own text. Where there is none, the ones below are carried
//! out here. A call of anything else that no object defines ends in an error that names it, when it is reached.

mod alloc;
mod bounds;
mod channels;
mod complex;
mod convert;
mod equal;
mod errors;
mod hash;
mod iface;
mod maps;
mod memory;
mod panics;
mod print;
mod rangefunc;
mod select;
mod strings;

use std::sync::Arc;

use goemu_loader::Image;
use goemu_loader::facts::Rules;

use crate::error::Error;
use crate::guest::address_map;
use crate::hook::{Action, Cx, Hooks, Refused};
use crate::runtime::hooked::{self, Body, goroutines};

/// One row of the table: the function, without `runtime.`; releases that have it with this meaning; the body.
struct Entry {
    name: &'static str,
    versions: (u16, u16),
    body: Body,
}

const ANY: (u16, u16) = (0, u16::MAX);

macro_rules! table {
    ($($name:literal $versions:expr => $body:path,)+) => {
        &[$(Entry { name: $name, versions: $versions, body: $body }),+]
    };
}

/// What is carried out here.
const HELPERS: &[Entry] = table! {
    "newobject" ANY => alloc::newobject,
    "makeslice" (12, u16::MAX) => alloc::makeslice,
    "makeslice64" (12, u16::MAX) => alloc::makeslice,
    "makeslicecopy" (15, u16::MAX) => alloc::makeslicecopy,
    "growslice" (0, 19) => alloc::growslice_to_capacity,
    "growslice" (20, u16::MAX) => alloc::growslice,
    "growsliceBuf" (26, u16::MAX) => alloc::growslice_buf,
    "growsliceNoAlias" (26, u16::MAX) => alloc::growslice,
    "growsliceBufNoAlias" (26, u16::MAX) => alloc::growslice_buf,
    "moveSlice" (26, u16::MAX) => alloc::move_slice,
    "moveSliceNoScan" (26, u16::MAX) => alloc::move_slice_no_scan,
    "moveSliceNoCap" (26, u16::MAX) => alloc::move_slice_no_cap,
    "moveSliceNoCapNoScan" (26, u16::MAX) => alloc::move_slice_no_cap_no_scan,
    "memmove" ANY => memory::memmove,
    "memclrNoHeapPointers" ANY => memory::memclr,
    "memclrHasPointers" ANY => memory::memclr,
    "typedmemmove" ANY => memory::typedmemmove,
    "typedmemclr" ANY => memory::typedmemclr,
    "typedslicecopy" (15, u16::MAX) => memory::typedslicecopy,
    "slicestringcopy" (0, 15) => memory::slicestringcopy,
    "slicecopy" (15, u16::MAX) => memory::slicecopy,
    "wbZero" ANY => memory::typedmemclr,
    "wbMove" ANY => memory::typedmemmove,
    "cmpstring" ANY => memory::cmpstring,
    "memequal" ANY => equal::memequal,
    "memequal0" ANY => equal::memequal0,
    "memequal8" ANY => equal::memequal8,
    "memequal16" ANY => equal::memequal16,
    "memequal32" ANY => equal::memequal32,
    "memequal64" ANY => equal::memequal64,
    "memequal128" ANY => equal::memequal128,
    "memequal_varlen" ANY => equal::memequal_varlen,
    "strequal" ANY => equal::strequal,
    "f32equal" ANY => equal::f32equal,
    "f64equal" ANY => equal::f64equal,
    "c64equal" ANY => equal::c64equal,
    "c128equal" ANY => equal::c128equal,
    "interequal" ANY => equal::interequal,
    "nilinterequal" ANY => equal::nilinterequal,
    "efaceeq" ANY => equal::efaceeq,
    "ifaceeq" ANY => equal::ifaceeq,
    "memhash" ANY => hash::memhash,
    "memhash_varlen" ANY => hash::memhash_varlen,
    "memhash0" ANY => hash::memhash0,
    "memhash8" ANY => hash::memhash8,
    "memhash16" ANY => hash::memhash16,
    "memhash32" ANY => hash::memhash32,
    "memhash64" ANY => hash::memhash64,
    "memhash128" ANY => hash::memhash128,
    "strhash" ANY => hash::strhash,
    "f32hash" ANY => hash::f32hash,
    "f64hash" ANY => hash::f64hash,
    "c64hash" ANY => hash::c64hash,
    "c128hash" ANY => hash::c128hash,
    "interhash" ANY => hash::interhash,
    "nilinterhash" ANY => hash::nilinterhash,
    "typehash" ANY => hash::typehash,
    "fastrand" (0, 21) => hash::random,
    "rand32" (22, u16::MAX) => hash::random,
    "rand" (22, u16::MAX) => hash::random,
    "makemap_small" ANY => maps::makemap_small,
    "makemap" ANY => maps::makemap,
    "makemap64" ANY => maps::makemap,
    "mapaccess1" ANY => maps::mapaccess1,
    "mapaccess2" ANY => maps::mapaccess2,
    "mapassign" ANY => maps::mapassign,
    "mapdelete" ANY => maps::mapdelete,
    "mapaccess1_fast32" ANY => maps::mapaccess1_fast32,
    "mapaccess2_fast32" ANY => maps::mapaccess2_fast32,
    "mapassign_fast32" ANY => maps::mapassign_fast32,
    "mapdelete_fast32" ANY => maps::mapdelete_fast32,
    "mapaccess1_fast64" ANY => maps::mapaccess1_fast64,
    "mapaccess2_fast64" ANY => maps::mapaccess2_fast64,
    "mapassign_fast64" ANY => maps::mapassign_fast64,
    "mapdelete_fast64" ANY => maps::mapdelete_fast64,
    "mapaccess1_faststr" ANY => maps::mapaccess1_faststr,
    "mapaccess2_faststr" ANY => maps::mapaccess2_faststr,
    "mapassign_faststr" ANY => maps::mapassign_faststr,
    "mapdelete_faststr" ANY => maps::mapdelete_faststr,
    "mapassign_fast32ptr" ANY => maps::mapassign_fast64,
    "mapassign_fast64ptr" ANY => maps::mapassign_fast64,
    "mapaccess1_fat" ANY => maps::mapaccess1_fat,
    "mapaccess2_fat" ANY => maps::mapaccess2_fat,
    "mapclear" ANY => maps::mapclear,
    "mapiterinit" ANY => maps::mapiterinit,
    "mapiternext" ANY => maps::mapiternext,
    "mapIterStart" (24, u16::MAX) => maps::mapiterinit,
    "mapIterNext" (24, u16::MAX) => maps::mapiternext,
    "concatstrings" ANY => strings::concatstrings,
    "concatstring2" ANY => strings::concatstring2,
    "concatstring3" ANY => strings::concatstring3,
    "concatstring4" ANY => strings::concatstring4,
    "concatstring5" ANY => strings::concatstring5,
    "concatbytes" (24, u16::MAX) => strings::concatbytes,
    "concatbyte2" (24, u16::MAX) => strings::concatbyte2,
    "concatbyte3" (24, u16::MAX) => strings::concatbyte3,
    "concatbyte4" (24, u16::MAX) => strings::concatbyte4,
    "concatbyte5" (24, u16::MAX) => strings::concatbyte5,
    "slicebytetostring" ANY => strings::slicebytetostring,
    "slicebytetostringtmp" ANY => strings::slicebytetostringtmp,
    "stringtoslicebyte" ANY => strings::stringtoslicebyte,
    "stringtoslicerune" ANY => strings::stringtoslicerune,
    "slicerunetostring" ANY => strings::slicerunetostring,
    "intstring" ANY => strings::intstring,
    "decoderune" ANY => strings::decoderune,
    "countrunes" ANY => strings::countrunes,
    "convT16" ANY => convert::conv16,
    "convT32" ANY => convert::conv32,
    "convT64" ANY => convert::conv64,
    "convTstring" ANY => convert::conv_string,
    "convTslice" ANY => convert::conv_slice,
    "convT" (18, u16::MAX) => convert::conv,
    "convTnoptr" (18, u16::MAX) => convert::conv,
    "convT2E" (12, 17) => convert::conv_interface,
    "convT2Enoptr" (12, 17) => convert::conv_interface,
    "convT2I" (12, 17) => convert::conv_to_iface,
    "convT2Inoptr" (12, 17) => convert::conv_to_iface,
    "typeAssert" (22, u16::MAX) => iface::type_assert,
    "interfaceSwitch" (22, u16::MAX) => iface::interface_switch,
    "assertE2I" (0, 16) => iface::assert_any,
    "assertE2I2" (0, 21) => iface::assert_any_or_nil,
    "assertI2I" (0, 16) => iface::assert_iface,
    "assertI2I" (17, 21) => iface::assert_itab_to_itab,
    "assertI2I2" (0, 21) => iface::assert_iface_or_nil,
    "convI2I" (0, 17) => iface::conv_iface,
    "convI2I" (18, 21) => iface::conv_itab_to_itab,
    "assertE2I" (17, u16::MAX) => iface::assert_to_itab,
    "assertE2I2" (22, u16::MAX) => iface::assert_to_itab_or_nil,
    "panicdottypeE" ANY => iface::panicdottype_e,
    "panicdottypeI" ANY => iface::panicdottype_i,
    "panicnildottype" ANY => iface::panicnildottype,
    "printlock" ANY => print::nothing,
    "printunlock" ANY => print::nothing,
    "printint" ANY => print::int,
    "printuint" ANY => print::uint,
    "printuintptr" ANY => print::uint,
    "printhex" ANY => print::hex,
    "printpointer" ANY => print::hex,
    "printbool" ANY => print::boolean,
    "printstring" ANY => print::string,
    "printfloat" (0, 25) => print::float,
    "printfloat64" (26, u16::MAX) => print::float64,
    "printfloat32" (26, u16::MAX) => print::float32,
    "printcomplex" (0, 25) => print::complex,
    "printcomplex128" (26, u16::MAX) => print::complex128,
    "printcomplex64" (26, u16::MAX) => print::complex64,
    "printsp" ANY => print::space,
    "printnl" ANY => print::newline,
    "printeface" ANY => print::interface,
    "printiface" ANY => print::interface,
    "printslice" ANY => print::slice,
    "complex128div" ANY => complex::complex128div,
    "makechan" ANY => channels::makechan,
    "makechan64" ANY => channels::makechan,
    "chanlen" ANY => channels::chanlen,
    "chancap" ANY => channels::chancap,
    "chansend1" ANY => channels::chansend1,
    "chanrecv1" ANY => channels::chanrecv1,
    "chanrecv2" ANY => channels::chanrecv2,
    "closechan" ANY => channels::closechan,
    "selectnbsend" ANY => channels::selectnbsend,
    "selectnbrecv" ANY => channels::selectnbrecv,
    "selectnbrecv2" (0, 16) => channels::selectnbrecv2,
    "selectgo" ANY => select::selectgo,
    "block" ANY => select::block,
    "Gosched" ANY => goroutines::yield_to_others,
    "deferrangefunc" (22, u16::MAX) => rangefunc::deferrangefunc,
    "deferprocat" (22, u16::MAX) => rangefunc::deferprocat,
    "panicrangeexit" (22, 22) => rangefunc::panicrangeexit,
    "panicrangestate" (23, u16::MAX) => rangefunc::panicrangestate,
    "gopanic" ANY => panics::gopanic,
    "gorecover" (0, 25) => panics::gorecover_argp,
    "gorecover" (26, u16::MAX) => panics::gorecover,
    "deferreturn" ANY => panics::deferreturn,
    "sigpanic" (0, 16) => panics::sigpanic,
    "sigpanic0" (17, u16::MAX) => panics::sigpanic,
    "panicindex" (0, 12) => bounds::index_out_of_range,
    "panicslice" (0, 12) => bounds::slice_out_of_range,
    "panicBounds" (26, u16::MAX) => bounds::encoded,
    "panicwrap" ANY => errors::nil_receiver,
    "panicdivide" ANY => errors::divide,
    "panicshift" ANY => errors::shift,
    "panicoverflow" ANY => errors::overflow,
    "panicmakeslicelen" ANY => errors::makeslice_len,
    "panicmakeslicecap" ANY => errors::makeslice_cap,
    "panicunsafeslicelen" ANY => errors::unsafe_slice_len,
    "panicunsafeslicenilptr" ANY => errors::unsafe_slice_nil,
    "panicunsafestringlen" ANY => errors::unsafe_string_len,
    "panicunsafestringnilptr" ANY => errors::unsafe_string_nil,
    "boundsError.Error" ANY => errors::bounds_text,
    "errorString.Error" ANY => errors::error_string_text,
    "TypeAssertionError.Error" ANY => errors::assertion_text,
    "TypeAssertionError.RuntimeError" ANY => print::nothing,
    "boundsError.RuntimeError" ANY => print::nothing,
    "errorString.RuntimeError" ANY => print::nothing,
};

/// Sets hooks on the functions that no object defines.
pub(crate) fn install(image: &Image, hooks: &mut Hooks) {
    let rules = image.facts().rules();
    for func in image.funcs().filter(|func| image.is_undefined_func(func.entry())) {
        let name = hooked::runtime_name(func.name());
        let body = name.and_then(|name| body(name, rules));
        let body = body.or_else(|| name.and_then(|name| hooked::replacement(name, image)));
        hooks.add(func.entry(), Arc::new(body.unwrap_or(undefined)));
    }
    hooks.add(address_map::DEFERRED_RETURNED, Arc::new(panics::deferred_returned as Body));
    hooks.add(address_map::SEND_FAILED, Arc::new(channels::send_failed as Body));
    hooks.add(address_map::ERROR_SAID, Arc::new(panics::error_said as Body));
}

fn body(name: &str, rules: Rules) -> Option<Body> {
    let holds = |entry: &&Entry| entry.name == name && rules.is_within(entry.versions);
    HELPERS.iter().find(holds).map(|entry| entry.body).or_else(|| bounds::body(name, rules))
}

/// What a run-time error says that was made here; none of other values.
pub(crate) fn error_text(cx: &Cx<'_>, ty: u64, data: u64) -> Option<String> {
    errors::text_of(cx, ty, data).ok().flatten()
}

/// A function that is neither in the objects nor here.
fn undefined(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let from = cx.return_address().ok().and_then(|pc| cx.image.func_at(pc.wrapping_sub(1)));
    let name = cx.func().map_or("a function", |func| func.name()).to_owned();
    Err(Error::Undefined { name, caller: from.map(|func| func.name().to_owned()) }.into())
}

/// Where a field of a type descriptor is; its layout is known in every release that has objects.
fn type_word(cx: &Cx<'_>, ty: u64, field: Option<u64>) -> Result<u64, Refused> {
    Ok(cx.word(ty.wrapping_add(field.unwrap_or_default()))?)
}

/// The size of the values of a type.
fn size_of(cx: &Cx<'_>, ty: u64) -> Result<u64, Refused> {
    type_word(cx, ty, cx.image.facts().types.rtype.size)
}

/// Most bytes that are copied between host and guest at once: no object is larger than the guest's memory.
const MAX_BYTES: u64 = 1 << 31;

/// Bytes of the guest.
fn bytes_at(cx: &Cx<'_>, addr: u64, len: u64) -> Result<Vec<u8>, Refused> {
    if len > MAX_BYTES {
        // What is not there cannot be read.
        cx.word(addr.wrapping_add(MAX_BYTES))?;
    }
    let mut bytes = vec![0; len.min(MAX_BYTES) as usize];
    cx.memory.read_bytes(addr, &mut bytes)?;
    Ok(bytes)
}

/// Memory for an object, or the end of the call.
enum Room {
    At(u64),
    None(Action),
}

fn take_room(cx: &mut Cx<'_>, size: u64, ty: u64) -> Room {
    match cx.world.alloc(cx.memory, size) {
        Ok(addr) => {
            cx.emit(|_| crate::observe::Event::Allocated { addr, size, ty });
            Room::At(addr)
        }
        Err(_) => Room::None(hooked::out_of_memory(cx)),
    }
}

/// Takes memory for an object in a hook's body; without, the call ends.
macro_rules! room {
    ($cx:expr, $size:expr, $ty:expr) => {
        match $crate::runtime::objects::take_room($cx, $size, $ty) {
            $crate::runtime::objects::Room::At(addr) => addr,
            $crate::runtime::objects::Room::None(action) => return Ok(action),
        }
    };
}
use room;
