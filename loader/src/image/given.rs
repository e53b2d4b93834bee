//! What the user knows of a program beside what its file says, and by which a program is known again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Image;
use crate::dwarf::Variable;
use crate::gotype::{Signature, Type};
use crate::layout::Perm;
use crate::link::sha256;

/// Names, signatures, types and variables that the user gave.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// By the first addresses of functions.
    pub(crate) names: HashMap<u64, String>,
    pub(crate) signatures: HashMap<u64, Signature>,
    pub(crate) types: HashMap<String, Arc<Type>>,
    pub(crate) variables: BTreeMap<String, Variable>,
}

/// What precedes the build ID at the beginning of the code, in programs that are no ELF files.
const MARK: &[u8] = b"\xff Go build ID: \"";
/// Bytes of code that tell programs apart that have no build ID.
const SAMPLE: u64 = 1 << 20;
/// The longest build ID.
const MAX_ID: usize = 256;

impl Image {
    /// Calls the function that begins at `entry` so from now on. It is still found by its own name.
    pub fn give_name(&mut self, entry: u64, name: &str) {
        self.named.forget();
        self.given.names.insert(entry, name.to_owned());
    }

    /// Takes the function that begins at `entry` to have this signature, whatever the file says.
    pub fn give_signature(&mut self, entry: u64, signature: Signature) {
        self.given.signatures.insert(entry, signature);
    }

    /// Adds a type of this name, or another definition of it.
    pub fn give_type(&mut self, name: &str, ty: Arc<Type>) {
        self.given.types.insert(name.to_owned(), ty);
    }

    /// Adds a package variable.
    pub fn give_variable(&mut self, name: &str, variable: Variable) {
        self.given.variables.insert(name.to_owned(), variable);
    }

    /// The variables that were given, by name.
    pub fn given_variables(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.given.variables.iter().map(|(name, variable)| (name.as_str(), variable))
    }

    /// What tells this program from others: Go's build ID, or where that was removed, a hash of the beginning of its code and of
    /// the sizes of its segments.
    pub fn build_id(&self) -> String {
        self.go_build_id().unwrap_or_else(|| self.hash())
    }

    /// The ID that the Go command gave the program.
    fn go_build_id(&self) -> Option<String> {
        let note = self.section_data(".note.go.buildid").ok();
        let id = match &note {
            // Sizes of name and ID, a kind, "Go\0\0".
            Some(note) => note.get(16..).map(|id| id.strip_suffix(b"\0").unwrap_or(id))?,
            None => {
                let text = self.module()?.text;
                let code = self.bytes(text.start, (text.end - text.start).min(MAX_ID as u64) as usize)?;
                let id = code.strip_prefix(MARK)?;
                id.get(..id.iter().position(|byte| *byte == b'"')?)?
            }
        };
        let plain = !id.is_empty() && id.len() <= MAX_ID && id.iter().all(u8::is_ascii_graphic);
        plain.then(|| String::from_utf8_lossy(id).into_owned())
    }

    fn hash(&self) -> String {
        let mut message = Vec::new();
        for segment in self.segments() {
            let addr = segment.addr.wrapping_sub(self.bias());
            message.extend(
                [addr, segment.file_size, segment.mem_size].iter().flat_map(|word| word.to_le_bytes()),
            );
            if segment.perm.contains(Perm::EXEC) {
                let bytes = self.segment_bytes(segment);
                message.extend(&bytes[..bytes.len().min(SAMPLE as usize)]);
            }
        }
        let hex: String = sha256(&message).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }
}
