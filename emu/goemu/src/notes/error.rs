//! What is wrong with notes.

use crate::error::Error;

/// Why notes cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotesError {
    /// It is no TOML.
    #[error("line {line}: {why}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong there.
        why: String,
    },
    /// They are on another program.
    #[error("these notes are on another program: its build ID is {notes:?}, and this one's is {program:?}")]
    OtherProgram {
        /// The build ID in the notes.
        notes: String,
        /// That of the program.
        program: String,
    },
    /// An entry that has no meaning, or does not fit the program.
    #[error("{key}: {why}")]
    Entry {
        /// The entry: `functions.0x45e1a0`.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// A setting that is none.
    #[error(transparent)]
    Change(Box<Error>),
}
