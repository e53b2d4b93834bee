//! What is known of a program, for other tools: functions, names, signatures, types as C, strings, comments.
//!
//! The result is JSON ([`export`]); the scripts in [`SCRIPTS`] put it into a disassembler's database, wherever the program is
//! loaded there.

mod c;

use std::collections::{BTreeMap, HashMap, HashSet};

use goemu_loader::{Func, Image, Kind, Type, TypeRef};
use serde_json::{Value as Json, json};

use super::strings::{Listing, Origin};
use crate::go::names::{full_name, package};

/// A disassembler, and a script for it that reads the JSON file beside it.
pub const SCRIPTS: [(&str, &str); 3] = [
    ("ida", include_str!("export/ida.py")),
    ("ghidra", include_str!("export/ghidra.py")),
    ("binja", include_str!("export/binja.py")),
];

/// Bytes of a string that a comment shows.
const MAX_COMMENT: usize = 256;

/// All that is known of a program. `strings` come from [`super::strings::list`], `comments` are the user's.
#[must_use]
pub fn export<'c>(image: &Image, strings: &Listing, comments: impl Iterator<Item = (u64, &'c str)>) -> Json {
    let recovered = recovered(image);
    let mut labels = HashSet::new();
    let functions: Vec<Json> =
        image.defined_funcs().map(|func| function(image, &func, &recovered, &mut labels)).collect();
    let types = c::declarations(image);
    json!({
        "goemu": 1,
        "build_id": image.build_id(),
        "go": image.build_info().version,
        "base": image.base(),
        "functions": functions,
        "types": types.iter().map(|(name, c)| json!({ "name": name, "c": c })).collect::<Vec<_>>(),
        "prelude": c::PRELUDE,
        "strings": strings.strings.iter().filter(|found| found.origin == Origin::Constant).map(|found| {
            json!({ "address": found.addr, "length": found.value.len(), "value": text(&found.value) })
        }).collect::<Vec<_>>(),
        "variables": variables(image),
        "comments": all_comments(strings, comments),
    })
}

fn function(
    image: &Image,
    func: &Func<'_>,
    recovered: &HashMap<u64, String>,
    labels: &mut HashSet<String>,
) -> Json {
    let name = full_name(image, func);
    let other = recovered.get(&func.entry()).filter(|other| !is_said_by(name, other));
    let shown = other.map_or(name, String::as_str);
    // Disassemblers have names of their own for what has none.
    let label = (!shown.is_empty()).then(|| {
        let mut label = label(shown);
        if !labels.insert(label.clone()) {
            label = format!("{label}_{:x}", func.entry());
            labels.insert(label.clone());
        }
        label
    });
    let signature = image.signature(func).ok().flatten().map(|signature| signature.to_string());
    let line = func.line_at(func.entry()).map(|line| format!("{}:{}", line.file, line.line));
    json!({
        "address": func.entry(),
        "end": func.end(),
        "name": name,
        "recovered": other,
        "label": label,
        "signature": signature,
        "line": line,
    })
}

/// Names of methods by their code, as types and the tables of interfaces tell them.
fn recovered(image: &Image) -> HashMap<u64, String> {
    let mut found = HashMap::new();
    let entry = |code: u64| image.func_at(code).filter(|func| func.entry() == code).is_some();
    for reference in image.types() {
        let TypeRef::Rtype(at) = reference else { continue };
        let (Ok(ty), Ok(methods)) = (image.resolve(&reference), image.methods_of(at)) else { continue };
        for method in methods {
            if let Some(code) = method.direct.filter(|code| entry(*code)) {
                found.entry(code).or_insert_with(|| method_name(&ty.name, &method.name));
            }
        }
    }
    let facts = &image.facts().itab;
    for (interface, ty, itab) in image.itabs() {
        let resolve = |at: u64| image.resolve(&TypeRef::Rtype(at)).ok();
        let (Some(interface), Some(ty)) = (resolve(interface), resolve(ty)) else { continue };
        let Kind::Interface { methods, .. } = &interface.kind else { continue };
        for (method, at) in methods.iter().zip((itab.saturating_add(facts.fun)..).step_by(8)) {
            if let Some(code) = image.read_u64(at).filter(|code| entry(*code)) {
                found.entry(code).or_insert_with(|| method_name(&ty.name, &method.name));
            }
        }
    }
    found
}

/// As Go names methods: `main.(*T).Method` of the type `*main.T`.
fn method_name(ty: &str, method: &str) -> String {
    match ty.strip_prefix('*') {
        Some(elem) => {
            let own = package(elem);
            let rest = elem.get(own.len() + 1..).filter(|_| !own.is_empty()).unwrap_or(elem);
            if own.is_empty() { format!("(*{rest}).{method}") } else { format!("{own}.(*{rest}).{method}") }
        }
        None => format!("{ty}.{method}"),
    }
}

/// Whether a function's own name tells the method: wrappers and instances of generic functions are spelt in other ways.
fn is_said_by(name: &str, recovered: &str) -> bool {
    let method = |name: &str| name.rsplit('.').next().unwrap_or_default().trim_end_matches("-fm").to_owned();
    !name.is_empty() && method(name) == method(recovered)
}

/// A name that assemblers take.
fn label(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    let mut label: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if label.starts_with(|c: char| c.is_ascii_digit()) {
        label.insert(0, '_');
    }
    label
}

fn variables(image: &Image) -> Vec<Json> {
    let data = image.module().map(|module| [module.noptrdata, module.data, module.bss, module.noptrbss]);
    let is_data = |addr: u64| data.is_some_and(|spans| spans.iter().any(|span| span.contains(addr)));
    let mut found: BTreeMap<u64, (String, Option<String>)> = BTreeMap::new();
    for symbol in image.symbols().filter(|symbol| is_data(symbol.addr) && !symbol.name.contains("..")) {
        let ty = image.variable(symbol.name).ok().flatten().map(|variable| variable.ty.name.clone());
        found.insert(symbol.addr, (symbol.name.to_owned(), ty));
    }
    for (name, variable) in image.given_variables() {
        found.insert(variable.address, (name.to_owned(), Some(variable.ty.name.clone())));
    }
    let object = |(addr, (name, ty)): (u64, (String, Option<String>))| json!({ "address": addr, "name": name, "label": label(&name), "type": ty });
    found.into_iter().map(object).collect()
}

/// The user's comments, and where decoders are called what they make.
fn all_comments<'c>(strings: &Listing, comments: impl Iterator<Item = (u64, &'c str)>) -> Vec<Json> {
    let mut all: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for found in strings.strings.iter().filter(|found| found.origin == Origin::Decoded) {
        for user in &found.users {
            all.entry(user.at).or_default().push(format!("= {:?}", text(&found.value)));
        }
    }
    for (addr, comment) in comments {
        all.entry(addr).or_default().push(comment.to_owned());
    }
    all.into_iter().map(|(addr, texts)| json!({ "address": addr, "text": texts.join("\n") })).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MAX_COMMENT).unwrap_or(bytes)).into_owned()
}

/// The type of this descriptor, if it is a struct with a name.
fn named_struct(ty: &Type) -> bool {
    matches!(ty.kind, Kind::Struct(_)) && !ty.name.starts_with("struct ")
}
