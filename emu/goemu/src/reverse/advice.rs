//! What a person should know of a program before anything else, and do first.

use std::time::Duration;

use goemu_loader::Image;

use crate::error::Error;
use crate::go::names::{are_hashed, package};
use crate::machine::{Config, Machine};
use crate::runtime::found;

/// Something that a person should know of a program before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// It says that another Go built it than its tables show.
    OtherRelease {
        /// Minor number of the release that it names.
        told: u16,
        /// That of its tables.
        tables: u16,
    },
    /// It does not say which Go built it.
    NoRelease {
        /// Minor number of the release that its tables look like.
        tables: u16,
    },
    /// The magic number of its function table was changed.
    NoMagic,
    /// It has no section headers.
    NoSections,
    /// Source positions of its own functions were removed.
    NoPositions,
    /// All names are hashed or removed.
    NamesRemoved,
    /// The program's own names are hashed, and Go's are not.
    NamesHashed,
    /// It has no debug information.
    NoDebugInformation,
    /// It is a dump of memory.
    Dump,
    /// It can be placed anywhere.
    Movable {
        /// Where it is placed.
        base: u64,
    },
    /// None of all that.
    Nothing,
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Advice::OtherRelease { told, tables } => {
                return write!(
                    f,
                    "it says that Go 1.{told} built it, and its tables are those of Go 1.{tables}"
                );
            }
            Advice::NoRelease { tables } => {
                return write!(
                    f,
                    "it does not say which Go built it: its tables look like those of Go 1.{tables}"
                );
            }
            Advice::NoMagic => {
                "the magic number of its function table was changed, which hides it from other tools"
            }
            Advice::NoSections => "it has no section headers",
            Advice::NoPositions => "source positions of its own functions were removed, as garble -tiny does",
            Advice::NamesRemoved => "all names are hashed or removed: functions have addresses alone",
            Advice::NamesHashed => "the program's own names are hashed, as garble does it, and Go's are not",
            Advice::NoDebugInformation => "debug information was stripped",
            Advice::Dump => "it is a dump of memory: variables are as they were then",
            Advice::Movable { base } => return write!(f, "addresses count from {base:#x}"),
            Advice::Nothing => "nothing stands in the way",
        })
    }
}

/// What to know first, the most important one first. Nothing of the program is run; see [`initialisation`].
#[must_use]
pub fn advice(image: &Image) -> Vec<Advice> {
    let mut advice = suspicions(image);
    if found(image).nameless {
        advice.push(Advice::NamesRemoved);
    } else if are_hashed(image) {
        advice.push(Advice::NamesHashed);
    }
    if ![".debug_info", ".zdebug_info"].iter().any(|name| image.section(name).is_some()) {
        advice.push(Advice::NoDebugInformation);
    }
    if image.is_dump() {
        advice.push(Advice::Dump);
    }
    if image.target().position_independent && !image.is_dump() {
        advice.push(Advice::Movable { base: image.base() });
    }
    if advice.is_empty() {
        advice.push(Advice::Nothing);
    }
    advice
}

/// What looks as if somebody changed it on purpose.
fn suspicions(image: &Image) -> Vec<Advice> {
    let mut found = Vec::new();
    let facts = image.facts();
    let tables = facts.version.minor;
    match image.go_version() {
        Some(version) if !facts.are_of(version) && !facts.is_newer() && !facts.guessed => {
            found.push(Advice::OtherRelease { told: version.minor, tables });
        }
        None => found.push(Advice::NoRelease { tables }),
        Some(_) => {}
    }
    if !image.table_format().has_magic {
        found.push(Advice::NoMagic);
    }
    if image.sections().is_empty() && !image.is_linked_here() {
        found.push(Advice::NoSections);
    }
    let own = || image.defined_funcs().filter(|func| !crate::go::names::is_own_package(package(func.name())));
    if own().next().is_some()
        && own().all(|func| func.line_at(func.entry()).is_none_or(|line| line.line <= 1))
    {
        found.push(Advice::NoPositions);
    }
    found
}

/// Whether the program's packages can be initialised without starting it, within so much of the host's time: functions and instructions that it took.
///
/// # Errors
/// Why not; or that it takes longer.
pub fn initialisation(
    image: impl Into<std::sync::Arc<Image>>,
    time: Duration,
) -> Result<(usize, u64), Error> {
    let config = Config { deadline: Some(time), ..Config::default() };
    let done = Machine::with_config(image, config)?.initialise()?;
    Ok((done.functions, done.instructions))
}
