//! What a person should know of a program before anything else, and do first.

use std::time::Duration;

use goemu_loader::Image;

use crate::error::Error;
use crate::go::names::{are_hashed, package};
use crate::machine::{Config, Machine};
use crate::runtime::found;

/// A sentence each, the most important one first. Nothing of the program is run; see [`initialisation`].
#[must_use]
pub fn advice(image: &Image) -> Vec<String> {
    let mut advice = suspicions(image);
    let runtime = found(image);
    if runtime.nameless {
        advice.push(
            "all names are hashed or removed: functions have addresses alone; `goemu strings` and `goemu xrefs` find the way in".to_owned(),
        );
    } else if are_hashed(image) {
        advice.push(
            "the program's own names are hashed, as garble does it, and Go's are not: `goemu strings` shows what its decoders make"
                .to_owned(),
        );
    }
    let has_dwarf = [".debug_info", ".zdebug_info"].iter().any(|name| image.section(name).is_some());
    if !has_dwarf {
        advice.push(
            "debug information was stripped: `goemu guess FUNC` proposes signatures, `goemu note` keeps them, `goemu types` lists types"
                .to_owned(),
        );
    }
    if image.is_dump() {
        advice.push("it is a dump of memory: variables are as they were then".to_owned());
    }
    if image.target().position_independent && !image.is_dump() {
        let base = image.base();
        advice.push(format!(
            "addresses count from {base:#x}: for those of objdump and IDA give --base 0, for Ghidra's --base 0x100000"
        ));
    }
    if advice.is_empty() {
        advice.push("nothing stands in the way: `goemu funcs` lists what there is to call".to_owned());
    }
    advice
}

/// What looks as if somebody changed it on purpose.
fn suspicions(image: &Image) -> Vec<String> {
    let mut found = Vec::new();
    let facts = image.facts();
    let tables = facts.version.minor;
    match image.go_version() {
        Some(version) if !facts.are_of(version) && !facts.is_newer() && !facts.guessed => {
            found.push(format!(
                "it says that Go 1.{} built it, and its tables are those of Go 1.{tables}",
                version.minor
            ));
        }
        None => found
            .push(format!("it does not say which Go built it: its tables look like those of Go 1.{tables}")),
        Some(_) => {}
    }
    if !image.table_format().has_magic {
        found.push(
            "the magic number of its function table was changed, which hides it from other tools".to_owned(),
        );
    }
    if image.sections().is_empty() && !image.is_linked_here() {
        found.push("it has no section headers".to_owned());
    }
    let own = || image.defined_funcs().filter(|func| !crate::go::names::is_own_package(package(func.name())));
    if own().next().is_some()
        && own().all(|func| func.line_at(func.entry()).is_none_or(|line| line.line <= 1))
    {
        found.push("source positions of its own functions were removed, as garble -tiny does".to_owned());
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
