//! Run-time errors (`runtime/error.go`): the values that such panics have, and what their methods say.

use goemu_loader::facts::Rules;

use super::panics;
use super::{Room, bytes_at, room, take_room};
use crate::guest::panicking::Frame;
use crate::hook::{Action, HookContext, HookError, HookResult};

/// What is out of range: the fields of `runtime.boundsError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct Bounds {
    pub(in crate::runtime) x: u64,
    pub(in crate::runtime) y: u64,
    pub(in crate::runtime) signed: bool,
    /// `boundsErrorCode`: index of [`TEXTS`].
    pub(in crate::runtime) code: u8,
}

/// By code: what is said, and what where x is negative.
const TEXTS: [(&str, &str); 9] = [
    ("index out of range [%x] with length %y", "index out of range [%x]"),
    ("slice bounds out of range [:%x] with length %y", "slice bounds out of range [:%x]"),
    ("slice bounds out of range [:%x] with capacity %y", "slice bounds out of range [:%x]"),
    ("slice bounds out of range [%x:%y]", "slice bounds out of range [%x:]"),
    ("slice bounds out of range [::%x] with length %y", "slice bounds out of range [::%x]"),
    ("slice bounds out of range [::%x] with capacity %y", "slice bounds out of range [::%x]"),
    ("slice bounds out of range [:%x:%y]", "slice bounds out of range [:%x:]"),
    ("slice bounds out of range [%x:%y:]", "slice bounds out of range [%x::]"),
    ("cannot convert slice with length %y to array or pointer to array with length %x", ""),
];

impl Bounds {
    /// What the error says, in this release's words.
    fn text(self, rules: Rules) -> String {
        let negative = self.signed && self.x.cast_signed() < 0;
        let (text, when_negative) =
            TEXTS.get(usize::from(self.code)).copied().unwrap_or(("out of range", ""));
        let text = match self.code {
            8 if !rules.converts_slices_to_arrays() => {
                "cannot convert slice with length %y to pointer to array with length %x"
            }
            _ if negative => when_negative,
            _ => text,
        };
        let x = if self.signed { self.x.cast_signed().to_string() } else { self.x.to_string() };
        format!("runtime error: {}", text.replace("%x", &x).replace("%y", &self.y.cast_signed().to_string()))
    }
}

/// The descriptor of a type of run-time errors, which the linker has put into the image.
fn descriptor(cx: &HookContext<'_>, name: &str) -> u64 {
    let named = |separator: &str| cx.image.symbol(&format!("type{separator}runtime.{name}"));
    named(":").or_else(|| named(".")).map_or(0, |symbol| symbol.addr)
}

/// Panics, as the function does whose hook this is.
fn panic(cx: &mut HookContext<'_>, ty: u64, data: u64) -> HookResult {
    let frame = Frame { pc: cx.return_address()?, sp: cx.caller_sp() };
    panics::begin(cx, ty, data, frame)
}

/// Panics because something is out of range.
pub(in crate::runtime) fn bounds(cx: &mut HookContext<'_>, bounds: Bounds) -> HookResult {
    let at = cx.image.facts().bounds_error;
    let data = room!(cx, at.size, 0);
    cx.set_word(data.wrapping_add(at.x), bounds.x)?;
    cx.set_word(data.wrapping_add(at.y), bounds.y)?;
    cx.memory.write(data.wrapping_add(at.signed), [bounds.signed.into()])?;
    cx.memory.write(data.wrapping_add(at.code), [bounds.code])?;
    let ty = descriptor(cx, "boundsError");
    panic(cx, ty, data)
}

/// The value of a run-time error that is a text: `runtime.errorString`.
pub(in crate::runtime) fn error_string(
    cx: &mut HookContext<'_>,
    text: &str,
) -> Result<Result<(u64, u64), Action>, HookError> {
    textual(cx, "errorString", text)
}

fn textual(
    cx: &mut HookContext<'_>,
    name: &str,
    text: &str,
) -> Result<Result<(u64, u64), Action>, HookError> {
    let data = match take_room(cx, 16 + text.len() as u64, 0) {
        Room::At(addr) => addr,
        Room::None(action) => return Ok(Err(action)),
    };
    let bytes = data.wrapping_add(16);
    cx.memory.write_bytes(bytes, text.as_bytes())?;
    cx.set_word(data, bytes)?;
    cx.set_word(data.wrapping_add(8), text.len() as u64)?;
    Ok(Ok((descriptor(cx, name), data)))
}

/// `panic(nil)`, since Go 1.21. A value of its own type in Go, with this text.
pub(in crate::runtime) fn nil_panic(cx: &mut HookContext<'_>) -> HookResult {
    const TEXT: &str = "panic called with nil argument";
    if cx.image.facts().rules().nil_panics_say_runtime() { of_runtime(cx, TEXT) } else { plain(cx, TEXT) }
}

/// Panics because an interface holds something else.
pub(in crate::runtime) fn assertion(cx: &mut HookContext<'_>, text: &str) -> HookResult {
    match textual(cx, "TypeAssertionError", &format!("interface conversion: {text}"))? {
        Ok((ty, data)) => panic(cx, ty, data),
        Err(action) => Ok(action),
    }
}

/// Panics with an error of the runtime's that says just this (`plainError`).
pub(in crate::runtime) fn of_runtime(cx: &mut HookContext<'_>, text: &str) -> HookResult {
    match textual(cx, "TypeAssertionError", text)? {
        Ok((ty, data)) => panic(cx, ty, data),
        Err(action) => Ok(action),
    }
}

/// Panics with a run-time error of this text.
pub(in crate::runtime) fn plain(cx: &mut HookContext<'_>, text: &str) -> HookResult {
    match error_string(cx, text)? {
        Ok((ty, data)) => panic(cx, ty, data),
        Err(action) => Ok(action),
    }
}

/// `panicwrap()`: the caller is what the compiler makes of a method of values, for pointers: `main.(*T).F`.
pub(in crate::runtime) fn nil_receiver(cx: &mut HookContext<'_>) -> HookResult {
    let caller = cx.image.func_at(cx.return_address()?.wrapping_sub(1));
    let name = caller.as_ref().map_or("", |func| func.name());
    let (package, rest) = name.split_once(".(*").unwrap_or(("", name));
    let (ty, method) = rest.split_once(").").unwrap_or(("", rest));
    let text = format!("value method {package}.{ty}.{method} called using nil *{ty} pointer");
    of_runtime(cx, &text)
}

macro_rules! errors {
    ($($name:ident $text:literal)+) => {
        $(
            #[doc = $text]
            pub(in crate::runtime) fn $name(cx: &mut HookContext<'_>) -> HookResult {
                plain(cx, $text)
            }
        )+
    };
}

errors! {
    divide "integer divide by zero"
    shift "negative shift amount"
    overflow "integer overflow"
    makeslice_len "makeslice: len out of range"
    makeslice_cap "makeslice: cap out of range"
    growslice "growslice: len out of range"
    unsafe_slice_len "unsafe.Slice: len out of range"
    unsafe_slice_nil "unsafe.Slice: ptr is nil and len is not zero"
    unsafe_string_len "unsafe.String: len out of range"
    unsafe_string_nil "unsafe.String: ptr is nil and len is not zero"
}

/// What the error that is at `data` says; none of other types.
pub(in crate::runtime) fn text_of(
    cx: &HookContext<'_>,
    ty: u64,
    data: u64,
) -> Result<Option<String>, HookError> {
    if ty == 0 {
        return Ok(None);
    }
    if ty == descriptor(cx, "boundsError") {
        let at = cx.image.facts().bounds_error;
        let [signed] = cx.memory.read(data.wrapping_add(at.signed))?;
        let [code] = cx.memory.read(data.wrapping_add(at.code))?;
        let (x, y) = (cx.word(data.wrapping_add(at.x))?, cx.word(data.wrapping_add(at.y))?);
        let bounds = Bounds { x, y, signed: signed != 0, code };
        return Ok(Some(bounds.text(cx.image.facts().rules())));
    }
    for (name, prefix) in [("errorString", "runtime error: "), ("TypeAssertionError", "")] {
        if ty == descriptor(cx, name) {
            let text = bytes_at(cx, cx.word(data)?, cx.word(data.wrapping_add(8))?)?;
            return Ok(Some(format!("{prefix}{}", String::from_utf8_lossy(&text))));
        }
    }
    Ok(None)
}

/// `boundsError.Error`, as interfaces call it: the receiver is the data word.
pub(in crate::runtime) fn bounds_text(cx: &mut HookContext<'_>) -> HookResult {
    said(cx, "boundsError")
}

/// `errorString.Error`
pub(in crate::runtime) fn error_string_text(cx: &mut HookContext<'_>) -> HookResult {
    said(cx, "errorString")
}

/// `TypeAssertionError.Error`
pub(in crate::runtime) fn assertion_text(cx: &mut HookContext<'_>) -> HookResult {
    said(cx, "TypeAssertionError")
}

fn said(cx: &mut HookContext<'_>, name: &str) -> HookResult {
    let (ty, data) = (descriptor(cx, name), cx.arg(0)?);
    let text = text_of(cx, ty, data)?.unwrap_or_default();
    let addr = room!(cx, text.len() as u64, 0);
    cx.memory.write_bytes(addr, text.as_bytes())?;
    cx.set_result(1, 0, addr)?;
    cx.set_result(1, 1, text.len() as u64)?;
    Ok(Action::Return)
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Rules};
    use goemu_loader::GoVersion;

    #[test]
    fn texts() {
        let text = |x: i64, y, signed, code, minor| {
            Bounds { x: x.cast_unsigned(), y, signed, code }.text(Rules::of(GoVersion::new(minor, 0)))
        };
        assert_eq!(text(7, 3, true, 0, 15), "runtime error: index out of range [7] with length 3");
        assert_eq!(text(-1, 3, true, 0, 15), "runtime error: index out of range [-1]");
        assert_eq!(
            text(-1, 3, false, 3, 27),
            "runtime error: slice bounds out of range [18446744073709551615:3]"
        );
        let converted = "runtime error: cannot convert slice with length 3 to pointer to array with length 4";
        assert_eq!(text(4, 3, true, 8, 19), converted);
    }
}
