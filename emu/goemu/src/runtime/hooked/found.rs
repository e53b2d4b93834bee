//! How the functions of Go's runtime are found in a program, for who wants to know before a call.

use std::collections::HashSet;

use goemu_loader::Image;

use super::{body, recognise, release_of, runtime_name};

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
    let release = release_of(image);
    let hooked = |name: &&str| body(name, release).is_some();
    let named: HashSet<&str> =
        image.funcs().filter_map(|func| runtime_name(func.name())).filter(hooked).collect();
    let nameless = is_nameless(image, &named);
    let mut recognised: Vec<&str> = Vec::new();
    if nameless {
        let known = recognise::recognise(image);
        recognised.extend(known.all().map(|(name, _)| name).filter(|name| !named.contains(name)));
    }
    recognised.sort_unstable();
    recognised.dedup();
    let mut named: Vec<String> = named.into_iter().map(str::to_owned).collect();
    named.sort_unstable();
    Found { named, recognised, nameless }
}

/// Whether the program's names were taken away. Objects have theirs, but no runtime.
pub(super) fn is_nameless(image: &Image, hooked: &HashSet<&str>) -> bool {
    let complete = hooked.contains("mallocgc") && hooked.contains("morestack");
    !complete && !image.is_linked_here()
}
