//! `goemu types`: the types of a program, with fields and their offsets.

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use goemu::go::print::Quoted;
use goemu::{Image, pattern};
use goemu_loader::{Kind, MethodCode, Type, TypeRef};
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::confined::{Needs, confine};
use crate::output;
use crate::output::{DIM, NAME};

/// List the types of a program, with the fields of structs, methods with their code, and who implements interfaces
///
/// From type descriptors, which stripped programs have as well: those of types that a value in an interface may have.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu types -b prog 'main.*'        of package main
  goemu types -b prog '*http.Server'  one of them, with all fields and offsets
  goemu types -b prog --json | jq -r 'select(.size > 1000) | .name'")]
pub(crate) struct Args {
    /// A part of the name, or all of it with * and ?
    pattern: Option<String>,
    #[command(flatten)]
    binary: Binary,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    confine(&Needs::nothing());
    let (types, unreadable) = found(&image, args.pattern.as_deref());
    let mut out = output::stdout();
    for ty in &types {
        if args.json {
            writeln!(out, "{}", object(&image, ty))?;
        } else {
            write_type(&mut out, &image, ty)?;
        }
    }
    out.flush()?;
    if unreadable > 0 {
        output::note(&format!("{unreadable} more descriptors cannot be read"));
    }
    if types.is_empty() {
        output::complain("no such types");
        return Ok(crate::FAILED);
    }
    Ok(0)
}

/// The types of that name, by name, and how many descriptors cannot be read.
fn found(image: &Image, wanted: Option<&str>) -> (Vec<Arc<Type>>, usize) {
    let (mut types, mut unreadable) = (Vec::new(), 0);
    for reference in image.types() {
        match image.resolve(&reference) {
            Ok(ty) if wanted.is_none_or(|wanted| pattern::matches(wanted, &ty.name)) => types.push(ty),
            Ok(_) => {}
            Err(_) => unreadable += 1,
        }
    }
    types.sort_by(|a, b| a.name.cmp(&b.name));
    types.dedup_by(|a, b| a.name == b.name && a.rtype == b.rtype);
    (types, unreadable)
}

fn write_type(out: &mut impl Write, image: &Image, ty: &Type) -> Result<()> {
    let at = ty.rtype.map_or_else(|| "?".to_owned(), |at| format!("{at:#x}"));
    writeln!(out, "{at}  {NAME}{}{NAME:#}  {DIM}{} bytes{DIM:#}", output::escaped(&ty.name), ty.size)?;
    match &ty.kind {
        Kind::Struct(fields) => {
            let tags = tags(image, ty);
            for (n, field) in fields.iter().enumerate() {
                let (name, of) = (output::escaped(&field.name), output::escaped(&field.ty.name));
                write!(out, "    {:#06x}  {name} {of}", field.offset)?;
                match tags.get(n).filter(|tag| !tag.is_empty()) {
                    Some(tag) => writeln!(out, "  {DIM}{}{DIM:#}", Quoted(tag.as_bytes()))?,
                    None => writeln!(out)?,
                }
            }
        }
        Kind::Interface { methods, .. } => {
            for method in methods {
                writeln!(out, "    {}", output::escaped(&method.name))?;
            }
            for name in implementers(image, ty) {
                writeln!(out, "    {DIM}implemented by{DIM:#} {}", output::escaped(&name))?;
            }
        }
        _ => {}
    }
    for method in methods(image, ty) {
        let at = method.direct.map_or_else(|| "left out".to_owned(), |at| format!("{at:#x}"));
        let ty = method.ty.strip_prefix("func").unwrap_or_default();
        writeln!(out, "    {at}  func {}{}", output::escaped(&method.name), output::escaped(ty))?;
    }
    Ok(())
}

/// The methods of a type, as far as its descriptor can be read.
fn methods(image: &Image, ty: &Type) -> Vec<MethodCode> {
    ty.rtype.and_then(|at| image.methods_of(at).ok()).unwrap_or_default()
}

/// The tags of a struct's fields, as far as its descriptor can be read.
fn tags(image: &Image, ty: &Type) -> Vec<String> {
    ty.rtype.and_then(|at| image.tags_of(at).ok()).unwrap_or_default()
}

/// The types that the program has a table for in this interface.
fn implementers(image: &Image, interface: &Type) -> Vec<String> {
    let tables = image.itabs().into_iter().filter(|(of, ..)| Some(*of) == interface.rtype);
    let names = tables.filter_map(|(_, ty, _)| Some(image.resolve(&TypeRef::Rtype(ty)).ok()?.name.clone()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn object(image: &Image, ty: &Type) -> Json {
    let (mut fields, mut methods) = (Json::Null, Json::Null);
    match &ty.kind {
        Kind::Struct(all) => {
            let tags = tags(image, ty);
            let field = |(n, field): (usize, &goemu_loader::Field)| {
                json!({
                    "name": field.name,
                    "type": field.ty.name,
                    "offset": field.offset,
                    "embedded": field.embedded,
                    "tag": tags.get(n).filter(|tag| !tag.is_empty()),
                })
            };
            fields = all.iter().enumerate().map(field).collect();
        }
        Kind::Interface { methods: all, .. } => {
            methods = all.iter().map(|method| Json::from(method.name.as_str())).collect();
        }
        _ => {}
    }
    json!({
        "name": ty.name,
        "size": ty.size,
        "address": ty.rtype.map(|at| format!("{at:#x}")),
        "fields": fields,
        "methods": methods,
        "implemented_by": implementers(image, ty),
        "method_code": self::methods(image, ty).iter().map(|method| {
            json!({ "name": method.name, "type": method.ty, "address": method.direct.map(|at| format!("{at:#x}")) })
        }).collect::<Vec<_>>(),
    })
}
