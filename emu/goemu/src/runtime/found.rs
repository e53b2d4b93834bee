//! How the functions of Go's runtime are found in a program, for callers that want to know before a call.

use std::collections::HashSet;

use goemu_loader::Image;

use super::hooked::recognise;
use super::table::{self, Release};
use crate::go::names::are_hashed;

/// The functions of the runtime that hooks stand at, by how they are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// By their names.
    pub named: Vec<String>,
    /// By what they are, where names were hashed or removed.
    pub recognised: Vec<&'static str>,
    /// Whether the names of functions that every program has are missing.
    pub nameless: bool,
}

/// Looks for them, as a machine does.
#[must_use]
pub fn found(image: &Image) -> Found {
    let release = Release::of(image);
    let names = image.funcs().map(|func| func.name());
    let hooked: HashSet<&str> = names.filter(|name| table::hooked(name, release).is_some()).collect();
    let nameless = is_nameless(image, &hooked);
    let mut recognised: Vec<&str> = Vec::new();
    if nameless || is_hashed(image, &hooked) {
        let known = recognise::recognise(image);
        recognised
            .extend(known.all().map(|(name, _)| name).filter(|name| !hooked.contains(&*table::full(name))));
    }
    recognised.sort_unstable();
    recognised.dedup();
    let mut named: Vec<String> = hooked.into_iter().map(|name| table::short(name).to_owned()).collect();
    named.sort_unstable();
    Found { named, recognised, nameless }
}

/// Whether the program's names were taken away. Objects have theirs, but no runtime.
pub(super) fn is_nameless(image: &Image, hooked: &HashSet<&str>) -> bool {
    let complete = hooked.contains("runtime.mallocgc") && hooked.contains("runtime.morestack");
    !complete && !image.is_linked_here()
}

/// Whether names of Go's library were hashed, though the runtime has its own: of what other packages call of it, none has its name.
pub(super) fn is_hashed(image: &Image, hooked: &HashSet<&str>) -> bool {
    hooked.iter().all(|name| name.starts_with("runtime.")) && are_hashed(image)
}

/// The functions of the runtime that are recognised by what they are, and where they are: those that hooks would stand at in a program
/// without names. Names that the program has are not asked.
#[must_use]
pub fn recognised(image: &Image) -> Vec<(&'static str, u64)> {
    recognise::recognise(image).all().collect()
}

/// How a function is recognised where names are hashed or gone; none where it then runs from the program's text.
#[must_use]
pub fn recognised_by(name: &str) -> Option<&'static str> {
    let name = table::short(name);
    recognise::HOW.iter().find(|(known, _)| *known == name).map(|(_, how)| *how)
}
