//! The Go releases that fixtures are built with. `xtask` has this file as a module, too.

/// Their minor versions.
pub const VERSIONS: [u16; 9] = [15, 19, 21, 22, 23, 24, 25, 26, 27];
