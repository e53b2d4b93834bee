//! Changing notes. What stands in the file beside, and its comments, stay as they are.

use std::fmt;

use goemu_loader::Image;
use toml_edit::{Array, DocumentMut, Item, Table, Value, value};

use super::{Notes, NotesError, SETTINGS, entry_error};
use crate::location;

impl Notes {
    /// Notes on this program in which nothing stands yet.
    pub fn new(image: &Image) -> Notes {
        let mut notes = Notes { document: DocumentMut::new() };
        notes.adopt(image);
        notes
    }

    /// Makes them notes on this program, whatever they were on before.
    pub fn adopt(&mut self, image: &Image) {
        self.document["build-id"] = value(image.build_id());
    }

    /// Notes something of a function: its `name`, `sig` or `comment`.
    pub fn note_function(&mut self, image: &Image, entry: u64, what: &str, text: &str) {
        self.put("functions", &key(image, entry), what, text);
    }

    /// Notes something of a variable: its `name`, `type` or `comment`.
    pub fn note_variable(&mut self, image: &Image, addr: u64, what: &str, text: &str) {
        self.put("variables", &key(image, addr), what, text);
    }

    /// Notes a type.
    pub fn note_type(&mut self, name: &str, definition: &str) {
        if let Some(table) = self.table("types") {
            table[name] = value(definition);
            table.sort_values();
        }
    }

    /// Notes a setting, of those in [`SETTINGS`], unless it is there already.
    ///
    /// # Errors
    /// [`NotesError::Entry`] when there is no such kind of settings.
    pub fn note_setting(&mut self, kind: &str, text: &str) -> Result<(), NotesError> {
        if !SETTINGS.contains(&kind) {
            return Err(entry_error("settings", kind, format!("{} may stand here", SETTINGS.join(", "))));
        }
        let Some(table) = self.table("settings") else { return Ok(()) };
        let list = table.entry(kind).or_insert_with(|| value(Array::new()));
        let Some(list) = list.as_array_mut() else { return Ok(()) };
        if !list.iter().any(|known| known.as_str() == Some(text)) {
            list.push(text);
        }
        Ok(())
    }

    /// Forgets what is noted of a function or a variable at an address, of a type, or a setting; whether there was anything.
    pub fn forget(&mut self, image: &Image, what: &str) -> bool {
        let mut found = false;
        let address = location::locate(image, what).ok().map(|addr| key(image, addr));
        for part in ["functions", "variables", "types", "settings"] {
            let Some(table) = self.document.get_mut(part).and_then(Item::as_table_mut) else { continue };
            if part == "settings" {
                found |= forget_setting(table, what);
                continue;
            }
            found |= table.remove(what).is_some();
            found |= address.as_ref().is_some_and(|address| table.remove(address).is_some());
        }
        found
    }

    fn put(&mut self, part: &str, key: &str, what: &str, text: &str) {
        let Some(table) = self.table(part) else { return };
        table.set_implicit(true);
        let entry = table.entry(key).or_insert_with(|| Item::Table(Table::new()));
        entry[what] = value(text);
        table.sort_values();
    }

    /// A part of the file. What is none was refused when the notes were read.
    fn table(&mut self, part: &str) -> Option<&mut Table> {
        let item = self.document.entry(part).or_insert_with(|| Item::Table(Table::new()));
        if !item.is_table() {
            let table = std::mem::take(item).into_table().unwrap_or_default();
            *item = Item::Table(table);
        }
        item.as_table_mut()
    }
}

fn forget_setting(table: &mut Table, what: &str) -> bool {
    let mut found = false;
    for (_, list) in table.iter_mut() {
        let Some(list) = list.as_array_mut() else { continue };
        let before = list.len();
        list.retain(|text: &Value| text.as_str() != Some(what));
        found |= list.len() != before;
    }
    found
}

/// The address that the program was linked at.
fn key(image: &Image, addr: u64) -> String {
    format!("{:#x}", addr.wrapping_sub(image.bias()))
}

/// The text of the file.
impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(f)
    }
}
