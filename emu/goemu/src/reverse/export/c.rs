//! Go's types as C: structs with the same layout.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use goemu_loader::{Image, Kind, Type};

use super::{label, named_struct};

/// What all declarations need.
pub(super) const PRELUDE: &str = "typedef signed char int8_t; typedef short int16_t; typedef int int32_t; typedef long long int64_t;
typedef unsigned char uint8_t; typedef unsigned short uint16_t; typedef unsigned int uint32_t; typedef unsigned long long uint64_t;
struct GoString { char *ptr; int64_t len; };
struct GoSlice { void *ptr; int64_t len; int64_t cap; };
struct GoIface { void *tab; void *data; };
struct GoEface { void *type; void *data; };
";

/// Types inside types.
const MAX_DEPTH: usize = 64;

/// The structs of a program, each behind those that it contains: their Go names, and declarations in C.
pub(super) fn declarations(image: &Image) -> Vec<(String, String)> {
    let all = image.types().filter_map(|reference| image.resolve(&reference).ok());
    let structs: BTreeMap<String, Arc<Type>> =
        all.filter(|ty| named_struct(ty)).map(|ty| (ty.name.clone(), ty)).collect();
    let mut writer = Writer { done: HashSet::new(), labels: HashSet::new(), out: Vec::new() };
    structs.values().for_each(|ty| writer.declare(ty, 0));
    writer.out
}

struct Writer {
    done: HashSet<String>,
    labels: HashSet<String>,
    out: Vec<(String, String)>,
}

impl Writer {
    fn declare(&mut self, ty: &Type, depth: usize) {
        let Kind::Struct(fields) = &ty.kind else { return };
        if depth > MAX_DEPTH || !self.done.insert(ty.name.clone()) {
            return;
        }
        fields.iter().for_each(|field| self.inside(&field.ty, depth + 1));
        let name = identifier(&ty.name);
        if !self.labels.insert(name.clone()) {
            return;
        }
        let mut body = String::new();
        let (mut names, mut end) = (HashSet::new(), 0);
        for field in fields.iter().filter(|field| field.ty.size > 0) {
            if field.offset > end && field.offset - end >= field.ty.align {
                body.push_str(&format!(" uint8_t _pad{end:x}[{}];", field.offset - end));
            }
            let mut name = identifier(&field.name);
            while !names.insert(name.clone()) {
                name = format!("{name}_{:x}", field.offset);
            }
            body.push_str(&format!(" {};", member(&field.ty, &name, &self.done)));
            end = field.offset.saturating_add(field.ty.size);
        }
        if body.is_empty() {
            return;
        }
        self.out.push((ty.name.clone(), format!("struct {name} {{{body} }};")));
    }

    /// Declares what a value contains.
    fn inside(&mut self, ty: &Type, depth: usize) {
        match &ty.kind {
            Kind::Struct(_) if named_struct(ty) => self.declare(ty, depth),
            Kind::Array { elem, .. } if depth < MAX_DEPTH => self.inside(elem, depth + 1),
            _ => {}
        }
    }
}

/// A member of this type and name.
fn member(ty: &Type, name: &str, declared: &HashSet<String>) -> String {
    match &ty.kind {
        Kind::Bool => format!("uint8_t {name}"),
        Kind::Int => format!("int{}_t {name}", 8 * ty.size),
        Kind::Uint | Kind::Uintptr => format!("uint{}_t {name}", 8 * ty.size),
        Kind::Float if ty.size == 4 => format!("float {name}"),
        Kind::Float => format!("double {name}"),
        Kind::Complex if ty.size == 8 => format!("float {name}[2]"),
        Kind::Complex => format!("double {name}[2]"),
        Kind::String => format!("struct GoString {name}"),
        Kind::Slice(_) => format!("struct GoSlice {name}"),
        Kind::Interface { methods, .. } if methods.is_empty() => format!("struct GoEface {name}"),
        Kind::Interface { .. } => format!("struct GoIface {name}"),
        Kind::Struct(_) if named_struct(ty) && declared.contains(&ty.name) => {
            format!("struct {} {name}", identifier(&ty.name))
        }
        Kind::Array { elem, len } if elem.size > 0 => {
            // The inner dimension comes last.
            member(elem, &format!("{name}[{len}]"), declared)
        }
        Kind::Struct(_) | Kind::Array { .. } if ty.align == 8 && ty.size.is_multiple_of(8) => {
            format!("uint64_t {name}[{}]", ty.size / 8)
        }
        Kind::Struct(_) | Kind::Array { .. } => format!("uint8_t {name}[{}]", ty.size),
        _ => format!("void *{name}"),
    }
}

/// A word that is no keyword of C, and has letters of C alone.
fn identifier(name: &str) -> String {
    const KEYWORDS: [&str; 44] = [
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "class",
        "new",
        "delete",
        "this",
        "template",
        "operator",
        "private",
        "public",
        "namespace",
        "bool",
    ];
    let name = label(name).replace(['.', '$'], "_");
    if KEYWORDS.contains(&name.as_str()) { format!("{name}_") } else { name }
}
