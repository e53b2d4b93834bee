//! Notes on one program: what a person found out about it, in a file beside it.
//!
//! The file is TOML, to be shared and compared. All of it may be left out but the build ID:
//!
//! ```toml
//! build-id = "Wf2b..."
//!
//! [functions.0x45e1a0]
//! name = "main.decode"
//! sig = "func(blob []byte, key uint8) string"
//! comment = "the decoder"
//!
//! [variables.0x54c1a0]
//! name = "main.config"
//! type = "main.Config"
//!
//! [types]
//! "main.Config" = "struct { Host string; Port int }"
//!
//! [settings]
//! stub = ["main.isDebugged=false"]
//! skip-init = ["main"]
//! ```
//!
//! Addresses are those that the program was linked at, wherever it is put; functions may be named as well. Settings are those of
//! [`changes`](crate::changes), in the words of the options.

mod edit;
mod error;

use std::sync::Arc;

use goemu_loader::sigparse::parse_type;
use goemu_loader::{Image, Type, Variable};
use toml_edit::{DocumentMut, Item, TableLike, Value};

use crate::changes::{Change, Changes, bytes};
use crate::error::Error;
use crate::go::guest::Types;
use crate::go::{generic, names, signature};
use crate::location::number;
pub use error::NotesError;

/// The parts of the file, and what may stand in an entry of each.
const FUNCTION: [&str; 3] = ["name", "sig", "comment"];
const VARIABLE: [&str; 3] = ["name", "type", "comment"];
/// The settings.
pub const SETTINGS: [&str; 7] = ["stub", "set", "patch", "reg", "map", "skip-init", "stop"];

/// Notes on one program.
#[derive(Clone, Debug)]
pub struct Notes {
    document: DocumentMut,
}

/// Reads a file that a setting names.
pub type Contents<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

impl Notes {
    /// Reads notes.
    ///
    /// # Errors
    /// [`NotesError::Syntax`] when it is no TOML, [`NotesError::Entry`] when something in it has no meaning.
    pub fn parse(text: &str) -> Result<Notes, NotesError> {
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            NotesError::Syntax { line, why: error.message().replace('\n', " ") }
        })?;
        let notes = Notes { document };
        notes.check_keys()?;
        Ok(notes)
    }

    /// The build ID of the program that the notes are on.
    pub fn build_id(&self) -> Option<&str> {
        self.document.get("build-id").and_then(Item::as_str)
    }

    /// Whether the notes are on this program.
    ///
    /// # Errors
    /// [`NotesError::OtherProgram`] when they are on another one.
    pub fn check(&self, image: &Image) -> Result<(), NotesError> {
        let (notes, program) = (self.build_id().unwrap_or_default(), image.build_id());
        if notes == program {
            return Ok(());
        }
        Err(NotesError::OtherProgram { notes: notes.to_owned(), program })
    }

    /// Lets an image know names, types, variables and signatures. What is not said here, the image knows as before.
    ///
    /// # Errors
    /// [`NotesError::Entry`] for the first entry that does not fit the program.
    pub fn teach(&self, image: &mut Image) -> Result<(), NotesError> {
        self.teach_types(image)?;
        for (key, entry) in self.entries("variables") {
            let wrong = |why: String| entry_error("variables", key, why);
            let text = |name| text_of(entry, name).ok_or_else(|| wrong(format!("{name} is missing")));
            let address = number(key).ok_or_else(|| wrong("this is no address".to_owned()))?;
            let ty = type_of(image, text("type")?, names::package(text("name")?)).map_err(wrong)?;
            let variable = Variable { address: address.wrapping_add(image.bias()), ty };
            image.give_variable(text("name")?, variable);
        }
        for (key, entry) in self.entries("functions") {
            let wrong = |why: String| entry_error("functions", key, why);
            let entry_point = function(image, key).map_err(wrong)?;
            if let Some(name) = text_of(entry, "name") {
                image.give_name(entry_point, name);
            }
        }
        for (key, entry) in self.entries("functions") {
            let Some(text) = text_of(entry, "sig") else { continue };
            let wrong = |why: String| entry_error("functions", key, why);
            let func = function(image, key).map_err(wrong)?;
            let (func, package) = match image.func_at(func) {
                Some(func) => (func, names::package(func.name()).to_owned()),
                None => continue,
            };
            let parsed = signature::parse(image, text, &package).map_err(|error| wrong(error.to_string()))?;
            let (entry, signature) = (func.entry(), generic::with_hidden(&func, parsed));
            image.give_signature(entry, signature);
        }
        Ok(())
    }

    /// Types may name each other, in any order.
    fn teach_types(&self, image: &mut Image) -> Result<(), NotesError> {
        let Some(table) = self.document.get("types").and_then(Item::as_table_like) else { return Ok(()) };
        let mut open: Vec<(&str, &str)> =
            table.iter().filter_map(|(name, item)| Some((name, item.as_str()?))).collect();
        loop {
            let before = open.len();
            let mut failed = None;
            open.retain(|(name, text)| match type_of(image, text, names::package(name)) {
                Ok(ty) => {
                    image.give_type(name, Arc::new(Type { name: (*name).to_owned(), ..Type::clone(&ty) }));
                    false
                }
                Err(why) => {
                    failed.get_or_insert_with(|| entry_error("types", name, why));
                    true
                }
            });
            match failed {
                Some(error) if open.len() == before => return Err(error),
                Some(_) => {}
                None => return Ok(()),
            }
        }
    }

    /// The settings. A file that one of them names is read by `contents`.
    ///
    /// # Errors
    /// [`NotesError::Change`] for the first that has no meaning.
    pub fn changes(&self, contents: Contents<'_>) -> Result<Changes, NotesError> {
        let mut changes = Changes::default();
        for kind in SETTINGS {
            for text in self.settings(kind) {
                changes.add(change(kind, text, contents)?);
            }
        }
        Ok(changes)
    }

    fn settings(&self, kind: &str) -> impl Iterator<Item = &str> {
        let list = self.document.get("settings").and_then(|settings| settings.get(kind));
        list.and_then(Item::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// The comments, with the functions and addresses that they are on.
    pub fn comments<'n>(&'n self, image: &'n Image) -> impl Iterator<Item = (u64, &'n str)> {
        let functions = self
            .entries("functions")
            .filter_map(|(key, entry)| Some((function(image, key).ok()?, text_of(entry, "comment")?)));
        let variables = self.entries("variables").filter_map(|(key, entry)| {
            Some((number(key)?.wrapping_add(image.bias()), text_of(entry, "comment")?))
        });
        functions.chain(variables)
    }

    fn entries(&self, part: &str) -> impl Iterator<Item = (&str, &dyn TableLike)> {
        let table = self.document.get(part).and_then(Item::as_table_like);
        table
            .into_iter()
            .flat_map(TableLike::iter)
            .filter_map(|(key, item)| Some((key, item.as_table_like()?)))
    }

    /// What is misspelt must not be passed over.
    fn check_keys(&self) -> Result<(), NotesError> {
        for (part, item) in self.document.iter() {
            let table =
                || item.as_table_like().ok_or_else(|| entry_error(part, "", "a table is wanted".to_owned()));
            match part {
                "build-id" if item.is_str() => {}
                "build-id" => return Err(entry_error(part, "", "a text is wanted".to_owned())),
                "functions" => check_entries(part, table()?, &FUNCTION)?,
                "variables" => check_entries(part, table()?, &VARIABLE)?,
                "types" => check_texts(part, table()?, None)?,
                "settings" => check_settings(table()?)?,
                _ => {
                    let why = "build-id, functions, variables, types and settings may stand here".to_owned();
                    return Err(entry_error(part, "", why));
                }
            }
        }
        Ok(())
    }
}

/// A setting in the words of the options.
///
/// # Errors
/// [`NotesError::Change`] when the text has no meaning.
pub fn change(kind: &str, text: &str, contents: Contents<'_>) -> Result<Change, NotesError> {
    let given = |text: &str| match text.trim().strip_prefix('@') {
        Some(path) => contents(path),
        None => bytes(text),
    };
    let change = match kind {
        "stub" => Change::stub(text),
        "set" => Change::set(text),
        "patch" => Change::patch(text, given),
        "reg" => Change::register(text),
        "map" => Change::map(text, contents),
        "skip-init" => Ok(Change::SkipInit((!text.is_empty()).then(|| text.to_owned()))),
        "stop" => Ok(Change::Stop(text.to_owned())),
        _ => return Err(entry_error("settings", kind, format!("{} may stand here", SETTINGS.join(", ")))),
    };
    change.map_err(|error| NotesError::Change(Box::new(error)))
}

fn entry_error(part: &str, key: &str, why: String) -> NotesError {
    let key = if key.is_empty() { part.to_owned() } else { format!("{part}.{key}") };
    NotesError::Entry { key, why }
}

fn text_of<'t>(entry: &'t dyn TableLike, name: &str) -> Option<&'t str> {
    entry.get(name).and_then(Item::as_str)
}

fn check_entries(part: &str, table: &dyn TableLike, known: &[&str]) -> Result<(), NotesError> {
    table.iter().try_for_each(|(key, item)| match item.as_table_like() {
        Some(entry) => check_texts(&format!("{part}.{key}"), entry, Some(known)),
        None => Err(entry_error(part, key, "a table is wanted".to_owned())),
    })
}

fn check_texts(part: &str, table: &dyn TableLike, known: Option<&[&str]>) -> Result<(), NotesError> {
    table.iter().try_for_each(|(key, item)| match known {
        Some(known) if !known.contains(&key) => {
            Err(entry_error(part, key, format!("{} may stand here", known.join(", "))))
        }
        _ if !item.is_str() => Err(entry_error(part, key, "a text is wanted".to_owned())),
        _ => Ok(()),
    })
}

fn check_settings(table: &dyn TableLike) -> Result<(), NotesError> {
    table.iter().try_for_each(|(key, item)| {
        if !SETTINGS.contains(&key) {
            return Err(entry_error("settings", key, format!("{} may stand here", SETTINGS.join(", "))));
        }
        let texts = item.as_array().is_some_and(|list| list.iter().all(Value::is_str));
        if texts { Ok(()) } else { Err(entry_error("settings", key, "a list of texts is wanted".to_owned())) }
    })
}

/// Where the function begins that a key means: an address as the program was linked, or a name.
fn function(image: &Image, key: &str) -> Result<u64, String> {
    let Some(address) = number(key) else {
        return names::find(image, key).map(|func| func.entry()).map_err(|error: Error| error.to_string());
    };
    let address = address.wrapping_add(image.bias());
    match image.func_at(address).filter(|func| func.entry() == address) {
        Some(func) => Ok(func.entry()),
        None => Err("no function begins at this address".to_owned()),
    }
}

/// The type that a text in Go syntax means in a package.
fn type_of(image: &Image, text: &str, package: &str) -> Result<Arc<Type>, String> {
    let own = |name: &str| {
        let in_package = !package.is_empty() && !name.contains('.');
        in_package.then(|| image.type_named(&format!("{package}.{name}")).ok().flatten()).flatten()
    };
    parse_type(text, &|name| own(name).or_else(|| Types::named(image, name)))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_meaning_is_an_error() {
        for (text, message) in [
            ("x", "line 1"),
            ("build-id = 5", "build-id: a text is wanted"),
            ("\n\nfunctions = [", "line 3"),
            ("function = {}", "function: build-id, functions"),
            ("functions = 5", "functions: a table is wanted"),
            ("[functions]\na = 5", "functions.a: a table is wanted"),
            ("[functions.a]\nnam = 'x'", "functions.a.nam: name, sig, comment may stand here"),
            ("[variables.a]\nname = 5", "variables.a.name: a text is wanted"),
            ("[types]\na = 5", "types.a: a text is wanted"),
            ("[settings]\nstubs = []", "settings.stubs: stub, set, patch"),
            ("[settings]\nstub = 'x'", "settings.stub: a list of texts is wanted"),
        ] {
            let error = Notes::parse(text).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|error| error.contains(message)), "{text}: {error:?}");
        }
        assert!(Notes::parse("").is_ok_and(|notes| notes.build_id().is_none()));
    }
}
