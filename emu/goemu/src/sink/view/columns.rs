//! A run as columns of JSON: what is alike stands together, and compresses well.

use std::collections::BTreeMap;

use goemu_loader::Image;
use serde_json::{Value as Json, json};

use super::Source;
use super::data::Data;
use crate::disasm::disassemble;
use crate::outcome::Report;

/// Functions whose whole code is shown, and bytes of source.
const MAX_LISTED: usize = 400;
const MAX_SOURCE: usize = 4 << 20;

/// Numbers of steps, each as the difference to the one before.
fn steps(of: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut last = 0;
    of.map(|step| step.wrapping_sub(std::mem::replace(&mut last, step))).collect()
}

/// A number of 64 bits, which JSON's numbers do not hold.
fn hex(value: u64) -> String {
    format!("{value:x}")
}

/// Everything that a page shows.
pub(super) fn of(data: &Data, image: &Image, report: &Report, source: Source<'_>) -> Json {
    let Data {
        insns,
        registers,
        vectors,
        flags,
        words,
        reads,
        calls,
        events,
        variables,
        objects,
        labels,
        ..
    } = data;
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    for insn in insns {
        let next = files.len();
        files.entry(&insn.file).or_insert(next);
    }
    let mut names: Vec<&str> = vec![""; files.len()];
    files.iter().for_each(|(name, number)| names[*number] = name);
    json!({
        "func": calls.first().map(|call| call.func.as_str()),
        "args": calls.first().map(|call| call.args.join(", ")),
        "go": image.build_info().version,
        "program": image.path().map(|path| path.display().to_string()),
        "outcome": format!("{}: {}", report.outcome.word(), report.outcome),
        "instructions": report.instructions,
        "cut": data.is_cut(),
        "stdout": String::from_utf8_lossy(&report.stdout),
        "stderr": String::from_utf8_lossy(&report.stderr),
        "files": names,
        "sources": texts(&names, source),
        "insns": {
            "pc": insns.iter().map(|insn| hex(insn.pc)).collect::<Vec<_>>(),
            "place": insns.iter().map(|insn| insn.place.as_str()).collect::<Vec<_>>(),
            "code": insns.iter().map(|insn| insn.code.as_str()).collect::<Vec<_>>(),
            "file": insns.iter().map(|insn| files[insn.file.as_str()]).collect::<Vec<_>>(),
            "line": insns.iter().map(|insn| insn.line).collect::<Vec<_>>(),
        },
        "listing": listing(data, image),
        "steps": data.steps,
        "registers": {
            "step": steps(registers.iter().map(|row| row.0)),
            "number": registers.iter().map(|row| row.1).collect::<Vec<_>>(),
            "value": registers.iter().map(|row| hex(row.2)).collect::<Vec<_>>(),
        },
        "vectors": {
            "step": steps(vectors.iter().map(|row| row.0)),
            "number": vectors.iter().map(|row| row.1).collect::<Vec<_>>(),
            "value": vectors.iter().map(|row| format!("{:x}:{:x}", row.2[1], row.2[0])).collect::<Vec<_>>(),
        },
        "flags": {
            "step": steps(flags.iter().map(|row| row.0)),
            "value": flags.iter().map(|row| row.1).collect::<Vec<_>>(),
        },
        "words": {
            "step": steps(words.iter().map(|row| row.0)),
            "addr": words.iter().map(|row| hex(row.1)).collect::<Vec<_>>(),
            "value": words.iter().map(|row| hex(row.2)).collect::<Vec<_>>(),
            "written": words.iter().map(|row| u8::from(row.3)).collect::<Vec<_>>(),
        },
        "reads": {
            "step": steps(reads.iter().map(|row| row.0)),
            "addr": reads.iter().map(|row| hex(row.1)).collect::<Vec<_>>(),
        },
        "calls": calls.iter().map(|call| json!({
            "start": call.start, "end": call.end, "parent": call.parent, "func": call.func, "args": call.args,
            "names": parameters(image, call.entry), "results": call.results, "sp": hex(call.sp), "why": call.why,
        })).collect::<Vec<_>>(),
        "events": events.iter().map(|event| json!([event.step, event.kind, event.text])).collect::<Vec<_>>(),
        "variables": variables.iter().map(|v| json!([v.step, v.call, v.name, v.value])).collect::<Vec<_>>(),
        "objects": objects.iter().map(|o| json!([o.step, hex(o.addr), o.size, o.ty])).collect::<Vec<_>>(),
        "labels": labels.iter().map(|l| json!([l.step, hex(l.addr), l.text])).collect::<Vec<_>>(),
        "goroutines": data.goroutines,
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
fn texts(names: &[&str], source: Source<'_>) -> Json {
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
