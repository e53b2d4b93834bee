//! Places in a program as people write them: an address, a function, a variable, an offset from one.

use goemu_loader::Image;

use crate::error::Error;
use crate::go::names;

/// The address that a text means: `0x45e1a0`, `main.f1`, `main.table`, `main.f1+0x10`.
///
/// A number is taken as it is, whether anything is there or not; see [`check`].
///
/// # Errors
/// [`Error::NoSuchPlace`] when the program has nothing of that name, or several functions.
pub fn locate(image: &Image, text: &str) -> Result<u64, Error> {
    let text = text.trim();
    if let Some(addr) = number(text) {
        return Ok(addr);
    }
    if let Some(addr) = named(image, text) {
        return Ok(addr);
    }
    let (name, offset) = match text.rsplit_once('+').map(|(name, offset)| (name, number(offset))) {
        Some((name, Some(offset))) => (name.trim_end(), offset),
        _ => (text, 0),
    };
    let base = match number(name).or_else(|| named(image, name)) {
        Some(base) => base,
        None => names::find(image, name)
            .map(|func| func.entry())
            .map_err(|error| Error::NoSuchPlace { text: text.to_owned(), why: error.to_string() })?,
    };
    base.checked_add(offset).ok_or_else(|| Error::NoSuchPlace {
        text: text.to_owned(),
        why: "it is beyond the last address".to_owned(),
    })
}

/// Whether all of a range lies in the program's memory.
///
/// # Errors
/// [`Error::Outside`] when it does not; it says where the address is if it counts from another base.
pub fn check(image: &Image, addr: u64, len: u64) -> Result<(), Error> {
    let last = addr.saturating_add(len.saturating_sub(1));
    let mut at = addr;
    // Segments are sorted.
    for segment in image.segments() {
        if segment.contains(at) {
            match segment.addr.checked_add(segment.mem_size) {
                Some(end) if end <= last => at = end,
                _ => return Ok(()),
            }
        }
    }
    let other = image
        .at_other_bases(at)
        .find(|(_, there)| image.segments().iter().any(|segment| segment.contains(*there)));
    Err(Error::Outside { addr: at, base: image.base(), other })
}

/// A function, or a variable of a program with symbols, by its full name.
fn named(image: &Image, name: &str) -> Option<u64> {
    if image.funcs_named(name).is_empty() {
        let given =
            || image.given_variables().find(|(known, _)| *known == name).map(|(_, known)| known.address);
        return image.symbol(name).map(|symbol| symbol.addr).or_else(given);
    }
    names::find(image, name).ok().map(|func| func.entry())
}

/// A number as addresses are written: hexadecimal behind `0x`, else decimal; `_` between digits.
pub fn number(text: &str) -> Option<u64> {
    let digits = text.trim().replace('_', "");
    match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with('+') => u64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None if digits.starts_with('+') => None,
        None => digits.parse().ok(),
    }
}

/// A place as listings show it: `main.f1+0x10`, or the address where it is in no function.
pub fn describe(image: &Image, addr: u64) -> String {
    match image.func_at(addr) {
        Some(func) if func.entry() == addr => func.name().to_owned(),
        Some(func) => format!("{}+{:#x}", func.name(), addr - func.entry()),
        None if given(image, addr).is_some() => given(image, addr).unwrap_or_default(),
        None => match image.symbol_at(addr) {
            Some(symbol) if symbol.addr == addr => symbol.name.to_owned(),
            Some(symbol) => format!("{}+{:#x}", symbol.name, addr - symbol.addr),
            None => format!("{addr:#x}"),
        },
    }
}

/// The variable at an address that the user has named.
fn given(image: &Image, addr: u64) -> Option<String> {
    let (name, variable) = image.given_variables().find(|(_, variable)| {
        addr.checked_sub(variable.address).is_some_and(|offset| offset < variable.ty.size.max(1))
    })?;
    let offset = addr - variable.address;
    Some(if offset == 0 { name.to_owned() } else { format!("{name}+{offset:#x}") })
}
