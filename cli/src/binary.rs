//! Which program: `--binary`, or `GOEMU_BINARY`, or the demo that is built in.

use std::path::PathBuf;

use anyhow::{Context, Result};
use goemu::Image;

use crate::output;

/// Four short functions by Go 1.15; their source is `cli/demo/demo.go`.
const DEMO: &[u8] = include_bytes!("../demo/demo-go1.15");

/// The choice of a program.
#[derive(clap::Args)]
pub(crate) struct Binary {
    /// The Go program; without one, the built-in demo
    #[arg(short = 'b', long = "binary", value_name = "PATH", env = "GOEMU_BINARY", value_hint = clap::ValueHint::FilePath)]
    path: Option<PathBuf>,
}

impl Binary {
    /// Maps the program.
    pub(crate) fn open(&self) -> Result<Image> {
        // A variable that is set to nothing is not set.
        match self.path.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => open(path),
            None => {
                output::note("no program given (-b PATH or GOEMU_BINARY): this is the built-in demo");
                Ok(Image::parse(DEMO)?)
            }
        }
    }
}

fn open(path: &PathBuf) -> Result<Image> {
    use goemu::LoadError::{Directory, Io, NotAFile};
    match Image::open(path) {
        // These name the file themselves.
        Err(error @ (Io { .. } | Directory(_) | NotAFile(_))) => Err(error.into()),
        opened => opened.with_context(|| path.display().to_string()),
    }
}

/// Whether the program's debug information was left in it.
pub(crate) fn has_debug_info(image: &Image) -> bool {
    [".debug_info", ".zdebug_info"].iter().any(|name| image.section(name).is_some())
}
