//! Strings in Go's double quotes, as `strconv.Quote` writes them.

use std::fmt::{self, Formatter, Write};

/// Bytes that are printed as a quoted Go string. They need not be UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            chunk.valid().chars().try_for_each(|c| escape(f, c))?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        f.write_char('"')
    }
}

fn escape(f: &mut Formatter<'_>, c: char) -> fmt::Result {
    let letter = match c {
        '"' | '\\' => c,
        '\x07' => 'a',
        '\x08' => 'b',
        '\x0c' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\x0b' => 'v',
        c if is_print(c) => return f.write_char(c),
        '\0'..' ' | '\x7f' => return write!(f, "\\x{:02x}", u32::from(c)),
        '\0'..='\u{ffff}' => return write!(f, "\\u{:04x}", u32::from(c)),
        _ => return write!(f, "\\U{:08x}", u32::from(c)),
    };
    write!(f, "\\{letter}")
}

fn is_print(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\0'..='\u{9f}' => false,
        // Rust's escapes leave printable characters alone. After another character, so that
        // combining ones count as Go counts them.
        _ => {
            let mut buf = ['x', c].into_iter().collect::<String>();
            let whole = buf.len();
            buf = buf.escape_debug().collect();
            buf.len() == whole
        }
    }
}
