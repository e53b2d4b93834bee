//! Steps as lines of JSON, written piece by piece: a trace has millions of them.

use crate::cpu::Ymm;
use crate::trace::{MemoryEffect, Moment, Step};

/// Writes the line of a step over what the buffer holds.
pub(super) fn write(line: &mut String, step: &Step<'_>, moment: Moment) {
    line.clear();
    line.push_str(r#"{"type":"step","n":"#);
    number(line, moment.instructions);
    line.push_str(r#","goroutine":"#);
    number(line, moment.goroutine);
    line.push_str(r#","pc":"#);
    hex(line, step.instruction().ip().into());
    line.push_str(r#","place":"#);
    text(line, step.place());
    line.push_str(r#","code":"#);
    text(line, step.code());
    if let Some(position) = step.position() {
        line.push_str(r#","file":"#);
        text(line, &position.file);
        line.push_str(r#","line":"#);
        number(line, position.line.into());
    }
    list(line, "registers", ['{', '}'], step.registers(), |line, (name, value)| {
        text(line, name);
        line.push(':');
        register(line, value);
    });
    list(line, "memory", ['[', ']'], step.memory(), access);
    list(line, "flags", ['{', '}'], step.flags(), |line, (name, set)| {
        text(line, name);
        line.push(':');
        line.push_str(word(set));
    });
    if let Some(taken) = step.taken() {
        line.push_str(r#","taken":"#);
        line.push_str(word(taken));
    }
    if !step.finished {
        line.push_str(r#","finished":false"#);
    }
    line.push_str("}\n");
}

/// A field with a list, unless that is empty.
fn list<T>(
    line: &mut String,
    name: &str,
    [open, close]: [char; 2],
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut String, T),
) {
    let mut any = false;
    for item in items {
        if any {
            line.push(',');
        } else {
            line.push_str(",\"");
            line.push_str(name);
            line.push_str("\":");
            line.push(open);
            any = true;
        }
        write(line, item);
    }
    if any {
        line.push(close);
    }
}

fn access(line: &mut String, effect: MemoryEffect) {
    let MemoryEffect { addr, size, read, written, before, after } = effect;
    line.push_str(r#"{"addr":"#);
    hex(line, addr.into());
    line.push_str(r#","size":"#);
    number(line, size as u64);
    line.push_str(r#","read":"#);
    line.push_str(word(read));
    line.push_str(r#","written":"#);
    line.push_str(word(written));
    for (name, value) in [(r#","before":"#, before), (r#","after":"#, after)] {
        if let Some(value) = value {
            line.push_str(name);
            hex(line, value);
        }
    }
    line.push('}');
}

fn register(line: &mut String, [low, high]: Ymm) {
    if high == 0 {
        return hex(line, low);
    }
    line.push_str("\"0x");
    digits(line, high, 1);
    digits(line, low, 32);
    line.push('"');
}

fn word(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// A string with hexadecimal digits, as numbers of JSON do not hold 64 bits.
fn hex(line: &mut String, value: u128) {
    line.push_str("\"0x");
    digits(line, value, 1);
    line.push('"');
}

/// So many digits, or as many as it takes.
fn digits(line: &mut String, value: u128, least: u32) {
    let needed = (u128::BITS - value.leading_zeros()).div_ceil(4).max(least);
    for place in (0..needed).rev() {
        let digit = (value >> (4 * place)) as u8 & 0xf;
        line.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
    }
}

fn number(line: &mut String, value: u64) {
    let mut rest = value;
    let mut bytes = [0; 20];
    let mut first = bytes.len();
    loop {
        first -= 1;
        bytes[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    bytes[first..].iter().for_each(|byte| line.push(char::from(*byte)));
}

fn text(line: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        line.push('"');
        line.push_str(text);
        line.push('"');
    } else {
        // A string can always be written.
        line.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut String)) -> serde_json::Value {
        let mut line = String::new();
        write(&mut line);
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        for value in [0, 9, 10, 0xf, 0x10, u64::MAX] {
            assert_eq!(written(|line| number(line, value)), value);
            assert_eq!(written(|line| hex(line, value.into())), format!("{value:#x}"));
        }
        assert_eq!(written(|line| register(line, [5, 0])), "0x5");
        assert_eq!(written(|line| register(line, [5, 3])), format!("0x3{:032x}", 5));
        assert_eq!(written(|line| register(line, [u128::MAX; 2])), format!("0x{}", "f".repeat(64)));
        for value in ["", "main.f1+0x1c", "a\"b\\c", "\u{1}\n\t\u{7f}", "\u{2028}é"] {
            assert_eq!(written(|line| text(line, value)), value);
        }
    }
}
