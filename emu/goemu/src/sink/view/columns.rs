//! A run as columns of JSON: what is alike stands together, and compresses well.

use std::fmt::{self, Display, Write};

use goemu_loader::Image;
use rustc_hash::FxHashMap;
use serde_json::{Value as Json, json};

use super::Source;
use super::data::{Call, Data};
use crate::disasm::disassemble;
use crate::outcome::Report;

/// Functions whose whole code is shown, and bytes of source.
const MAX_LISTED: usize = 400;
const MAX_SOURCE: usize = 4 << 20;

/// Numbers in one text: it is written and read in less time than a list.
fn numbers<N: Display>(of: impl Iterator<Item = N>) -> String {
    let mut text = String::new();
    for number in of {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{number}");
    }
    text
}

/// Numbers of 64 bits, which numbers of JavaScript do not hold.
fn hexes(of: impl Iterator<Item = u64>) -> String {
    numbers(of.map(Hex))
}

/// Numbers, each as the difference to the one before.
fn differences(of: impl Iterator<Item = u32>) -> String {
    let mut last = 0;
    numbers(of.map(|number| i64::from(number) - i64::from(std::mem::replace(&mut last, number))))
}

struct Hex(u64);

impl Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

fn hex(value: u64) -> String {
    Hex(value).to_string()
}

/// Each text once, and the numbers of texts.
#[derive(Default)]
struct Texts<'a> {
    known: FxHashMap<&'a str, usize>,
    all: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    fn number(&mut self, text: &'a str) -> usize {
        *self.known.entry(text).or_insert_with(|| {
            self.all.push(text);
            self.all.len() - 1
        })
    }

    fn numbers(&mut self, of: impl Iterator<Item = &'a str>) -> String {
        numbers(of.map(|text| self.number(text)))
    }
}

/// Everything that a page shows.
pub(super) fn of(data: &Data, image: &Image, report: &Report, source: Source<'_>) -> Json {
    let Data { insns, registers, vectors, flags, words, calls, events, variables, objects, labels, .. } =
        data;
    let mut files = Texts::default();
    let file = files.numbers(insns.iter().map(|insn| insn.file.as_str()));
    let mut texts = Texts::default();
    let mut run = json!({
        "func": calls.first().map(|call| call.func.as_str()),
        "args": calls.first().map(|call| call.args.join(", ")),
        "go": image.build_info().version,
        "program": image.path().map(|path| path.display().to_string()),
        "outcome": format!("{}: {}", report.outcome.word(), report.outcome),
        "instructions": report.instructions,
        "cut": data.is_cut(),
        "stdout": String::from_utf8_lossy(&report.stdout),
        "stderr": String::from_utf8_lossy(&report.stderr),
        "files": files.all,
        "sources": sources(&files.all, source),
        "insns": {
            "pc": insns.iter().map(|insn| hex(insn.pc)).collect::<Vec<_>>(),
            "place": insns.iter().map(|insn| insn.place.as_str()).collect::<Vec<_>>(),
            "code": insns.iter().map(|insn| insn.code.as_str()).collect::<Vec<_>>(),
            "file": file,
            "line": numbers(insns.iter().map(|insn| insn.line)),
        },
        "listing": listing(data, image),
        "steps": numbers(data.steps.iter()),
        "registers": {
            "step": differences(registers.iter().map(|row| row.0)),
            "number": numbers(registers.iter().map(|row| row.1)),
            "value": hexes(registers.iter().map(|row| row.2)),
        },
        "vectors": {
            "step": differences(vectors.iter().map(|row| row.0)),
            "number": numbers(vectors.iter().map(|row| row.1)),
            "value": numbers(vectors.iter().map(|row| format!("{:x}:{:x}", row.2[1], row.2[0]))),
        },
        "flags": {
            "step": differences(flags.iter().map(|row| row.0)),
            "value": numbers(flags.iter().map(|row| row.1)),
        },
        "words": {
            "step": differences(words.iter().map(|row| row.0)),
            "addr": hexes(words.iter().map(|row| row.1)),
            "value": hexes(words.iter().map(|row| row.2)),
            "written": numbers(words.iter().map(|row| u8::from(row.3))),
        },
        "calls": of_calls(calls, image, &mut texts),
        "events": {
            "step": differences(events.iter().map(|event| event.step)),
            "kind": texts.numbers(events.iter().map(|event| event.kind)),
            "text": texts.numbers(events.iter().map(|event| event.text.as_str())),
        },
        "variables": {
            "step": differences(variables.iter().map(|variable| variable.step)),
            "call": differences(variables.iter().map(|variable| variable.call as u32)),
            "name": texts.numbers(variables.iter().map(|variable| variable.name.as_str())),
            "value": texts.numbers(variables.iter().map(|variable| variable.value.as_str())),
        },
        "objects": {
            "step": differences(objects.iter().map(|object| object.step)),
            "addr": hexes(objects.iter().map(|object| object.addr)),
            "size": numbers(objects.iter().map(|object| object.size)),
            "type": texts.numbers(objects.iter().map(|object| object.ty.as_str())),
        },
        "labels": {
            "step": differences(labels.iter().map(|label| label.step)),
            "addr": hexes(labels.iter().map(|label| label.addr)),
            "text": texts.numbers(labels.iter().map(|label| &*label.text)),
        },
        "goroutines": data.goroutines,
    });
    run["texts"] = texts.all.into();
    run
}

fn of_calls<'a>(calls: &'a [Call], image: &Image, texts: &mut Texts<'a>) -> Json {
    let mut functions: FxHashMap<(u64, &str), usize> = FxHashMap::default();
    let mut known = Vec::new();
    let func = |call: &'a Call| {
        *functions.entry((call.entry, call.func.as_str())).or_insert_with(|| {
            known.push(json!({ "name": call.func, "parameters": parameters(image, call.entry) }));
            known.len() - 1
        })
    };
    // What may be missing is 0, and all else one more.
    let some = |number: Option<usize>| number.map_or(0, |number| number + 1);
    let end = |call: &Call| call.end.map(|end| end.saturating_sub(call.start) as usize);
    let results: Vec<_> =
        calls.iter().map(|call| some(call.results.as_deref().map(|text| texts.number(text)))).collect();
    json!({
        "func": numbers(calls.iter().map(func)),
        "functions": known,
        "start": differences(calls.iter().map(|call| call.start)),
        "length": numbers(calls.iter().map(|call| some(end(call)))),
        "parent": numbers(calls.iter().map(|call| some(call.parent))),
        "count": numbers(calls.iter().map(|call| call.args.len())),
        "args": texts.numbers(calls.iter().flat_map(|call| call.args.iter().map(String::as_str))),
        "results": numbers(results.into_iter()),
        "why": texts.numbers(calls.iter().map(|call| call.why)),
    })
}

/// Names and types of a function's parameters.
fn parameters(image: &Image, entry: u64) -> Vec<String> {
    let func = image.func_at(entry);
    let signature = func.and_then(|func| image.signature(&func).ok().flatten());
    let params = signature.map(|signature| signature.params).unwrap_or_default();
    params.iter().map(|param| format!("{} {}", param.name, param.ty.name).trim().to_owned()).collect()
}

/// The code of the functions that ran, whole.
fn listing(data: &Data, image: &Image) -> Vec<Json> {
    let mut entries: Vec<u64> =
        data.insns.iter().filter_map(|insn| Some(image.func_at(insn.pc)?.entry())).collect();
    entries.sort_unstable();
    entries.dedup();
    let mut all = Vec::new();
    for func in entries.iter().take(MAX_LISTED).filter_map(|entry| image.func_at(*entry)) {
        for line in disassemble(image, &func) {
            let number = line.source.map_or(0, |source| source.line);
            all.push(json!([hex(line.address), func.name(), line.text, number]));
        }
    }
    all
}

/// The texts of the files that were found.
fn sources(names: &[&str], source: Source<'_>) -> Json {
    let mut found = serde_json::Map::new();
    let mut room = MAX_SOURCE;
    for name in names.iter().filter(|name| !name.is_empty()) {
        if let Some(text) = source(name).filter(|text| text.len() <= room) {
            room -= text.len();
            found.insert((*name).to_owned(), text.into());
        }
    }
    found.into()
}
