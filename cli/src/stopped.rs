//! Where a run was stopped: registers, stack, calls.

use std::fmt::Write as _;

use goemu::outcome::Stopped;
use goemu::{Image, location};
use serde_json::{Map, Value as Json, json};

/// Registers in a line.
const COLUMNS: usize = 4;

/// As text, in lines.
pub(crate) fn text(stopped: &Stopped, image: &Image) -> String {
    let mut text = format!("stopped at {:#x} ({})\n", stopped.pc, stopped.place);
    for row in stopped.registers.chunks(COLUMNS) {
        let words: Vec<String> = row.iter().map(|(name, value)| format!("{name:<3} {value:#018x}")).collect();
        // Nothing can go wrong with a string.
        let _ = writeln!(text, "{}", words.join("  "));
    }
    let _ = writeln!(text, "flags {:#x}\n", stopped.flags);
    for (addr, word) in &stopped.stack {
        let place = place_of(image, *word).map_or(String::new(), |place| format!("  {place}"));
        let _ = writeln!(text, "{addr:#x}  {word:#018x}{place}");
    }
    let _ = write!(text, "\n{}", stopped.traceback);
    text.trim_end().to_owned()
}

/// What a word of the stack points to, if that is something of the program's.
fn place_of(image: &Image, word: u64) -> Option<String> {
    let known = image.func_at(word).is_some() || image.symbol_at(word).is_some();
    known.then(|| location::describe(image, word))
}

/// As a JSON object.
pub(crate) fn object(stopped: &Stopped) -> Json {
    let registers: Map<String, Json> =
        stopped.registers.iter().map(|(name, value)| ((*name).to_owned(), hex(*value))).collect();
    let stack: Vec<Json> = stopped
        .stack
        .iter()
        .map(|(addr, word)| json!({ "address": hex(*addr), "word": hex(*word) }))
        .collect();
    json!({
        "address": hex(stopped.pc),
        "place": stopped.place,
        "registers": registers,
        "flags": hex(stopped.flags),
        "stack": stack,
    })
}

fn hex(number: u64) -> Json {
    format!("{number:#x}").into()
}
