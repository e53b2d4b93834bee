//! Which program: `--binary`, or `GOEMU_BINARY`, or the demo that is built in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use goemu::Image;

use crate::output;

/// Four short functions by Go 1.15; their source is `cli/demo/demo.go`.
const DEMO: &[u8] = include_bytes!("../demo/demo-go1.15");

/// The choice of a program.
#[derive(clap::Args)]
pub(crate) struct Binary {
    /// The Go program, or its object files and archives (several: the first that defines a symbol wins); without
    /// one, the built-in demo
    #[arg(short = 'b', long = "binary", value_name = "PATH", env = "GOEMU_BINARY", value_hint = clap::ValueHint::FilePath)]
    paths: Vec<PathBuf>,
}

impl Binary {
    /// The program at this path, or the demo.
    pub(crate) fn named(path: Option<PathBuf>) -> Binary {
        Binary { paths: path.into_iter().collect() }
    }

    /// Maps the program, and says so when it is the demo.
    pub(crate) fn open(&self) -> Result<Image> {
        if self.paths().is_empty() {
            output::note("no program given (-b PATH or GOEMU_BINARY): this is the built-in demo");
        }
        self.open_quietly()
    }

    /// Maps the program.
    pub(crate) fn open_quietly(&self) -> Result<Image> {
        match &self.paths()[..] {
            [] => Ok(Image::parse(DEMO)?),
            [only] => open(only),
            // Errors name the file.
            several => Ok(Image::open_all(several)?),
        }
    }

    /// A variable that is set to nothing is not set.
    fn paths(&self) -> Vec<&Path> {
        self.paths.iter().map(PathBuf::as_path).filter(|path| !path.as_os_str().is_empty()).collect()
    }
}

fn open(path: &Path) -> Result<Image> {
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
