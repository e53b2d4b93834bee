//! Strings and runes in quotes, with Go's escapes (Go specification, "String literals").

use super::{Fail, LiteralProblem};

/// The string that `text` begins with, and its length in the text.
pub(super) fn string(text: &str) -> Result<(Vec<u8>, usize), Fail> {
    if let Some(raw) = text.strip_prefix('`') {
        let end = raw.find('`').ok_or(Fail { at: 0, flaw: LiteralProblem::Unterminated })?;
        let (raw, _) = raw.split_at(end);
        // Carriage returns are not part of a raw string.
        return Ok((raw.bytes().filter(|b| *b != b'\r').collect(), end + 2));
    }
    let mut out = Vec::new();
    let mut at = 1;
    loop {
        let (item, len) = item(text, at, '"')?;
        at += len;
        match item {
            Item::End => return Ok((out, at)),
            Item::Byte(byte) => out.push(byte),
            Item::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// The rune that `text` begins with, and its length in the text.
pub(super) fn rune(text: &str) -> Result<(char, usize), Fail> {
    let bad = |at| Fail { at, flaw: LiteralProblem::Rune };
    let (value, len) = item(text, 1, '\'')?;
    let rune = match value {
        Item::End => return Err(bad(0)),
        Item::Byte(byte) => char::from(byte),
        Item::Char(c) => c,
    };
    match item(text, 1 + len, '\'')? {
        (Item::End, _) => Ok((rune, len + 2)),
        _ => Err(bad(0)),
    }
}

/// What one character or escape stands for.
enum Item {
    /// The closing quote.
    End,
    /// A byte given by its number; in a string it need not be UTF-8.
    Byte(u8),
    Char(char),
}

/// The item at `at`, and its length in the text.
fn item(text: &str, at: usize, quote: char) -> Result<(Item, usize), Fail> {
    let fail = |flaw| Err(Fail { at, flaw });
    let mut chars = text.get(at..).unwrap_or("").chars();
    let escaped = match chars.next() {
        None | Some('\n') => return fail(LiteralProblem::Unterminated),
        Some(c) if c == quote => return Ok((Item::End, 1)),
        Some('\\') => chars.next(),
        Some(c) => return Ok((Item::Char(c), c.len_utf8())),
    };
    let item = match escaped {
        Some('a') => '\x07',
        Some('b') => '\x08',
        Some('f') => '\x0c',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\x0b',
        Some('\\') => '\\',
        Some(c) if c == quote => c,
        Some('x') => return numbered(text, at, at + 2, 2, 16),
        Some('u') => return numbered(text, at, at + 2, 4, 16),
        Some('U') => return numbered(text, at, at + 2, 8, 16),
        Some('0'..='7') => return numbered(text, at, at + 1, 3, 8),
        _ => return fail(LiteralProblem::Escape),
    };
    Ok((Item::Char(item), 2))
}

/// An escape by number, whose `count` digits begin at `digits`. `\x` and octal ones are bytes.
fn numbered(text: &str, at: usize, digits: usize, count: usize, base: u32) -> Result<(Item, usize), Fail> {
    let bad = || Fail { at, flaw: LiteralProblem::Escape };
    let end = digits + count;
    let digits = text.get(digits..end).filter(|d| d.chars().all(|c| c.is_digit(base))).ok_or_else(bad)?;
    let number = u32::from_str_radix(digits, base).map_err(|_| bad())?;
    let item = match count {
        2 | 3 => Item::Byte(u8::try_from(number).map_err(|_| bad())?),
        _ => Item::Char(char::from_u32(number).ok_or_else(bad)?),
    };
    Ok((item, end - at))
}
