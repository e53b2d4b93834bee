//! Functions of Go's own packages, as far as names tell.

use goemu_loader::Image;

use crate::go::{names, variables};

/// Whether a program may hide what its packages are called: it does not say how it was built.
fn is_hidden(image: &Image) -> bool {
    image.build_info().version.is_empty()
}

/// Whether a function is of Go's own packages, as far as names tell.
pub fn is_own(image: &Image, entry: u64) -> bool {
    image.func_at(entry).is_some_and(|func| {
        // What has no name at all may be anybody's.
        if func.name().is_empty() {
            return false;
        }
        let package = names::package(func.name());
        if is_hidden(image) { variables::is_runtime(image, entry) } else { names::is_own_package(package) }
    })
}

/// The functions that make a string of a slice of bytes.
pub(super) fn converters(image: &Image) -> Vec<u64> {
    let names = ["runtime.slicebytetostring"];
    names.iter().flat_map(|name| image.funcs_named(name)).map(|func| func.entry()).collect()
}
