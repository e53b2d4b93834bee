//! Which program: `--binary`, or `GOEMU_BINARY`, or the demo that is built in.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use goemu::changes::Changes;
use goemu::notes::NotesError;
use goemu::{Config, Image};
use goemu_loader::LoadOptions;
use goemu_loader::facts::{NEWEST, Rules};

use crate::{notes, number, output};

/// Four short functions by Go 1.15; their source is `cli/demo/demo.go`.
const DEMO: &[u8] = include_bytes!("../demo/demo-go1.15");

/// Their source.
pub(crate) const DEMO_SOURCE: &str = include_str!("../demo/demo.go");

/// The choice of a program.
#[derive(clap::Args)]
pub(crate) struct Binary {
    /// The Go program, or its object files and archives (several: the first that defines a symbol wins); without
    /// one, the built-in demo
    #[arg(short = 'b', long = "binary", value_name = "PATH", env = "GOEMU_BINARY", value_hint = clap::ValueHint::FilePath)]
    paths: Vec<PathBuf>,
    /// Put a position-independent program here, to have the addresses that another tool shows (objdump and IDA: 0, Ghidra:
    /// 0x100000)
    #[arg(long, value_name = "ADDRESS", value_parser = number::address)]
    base: Option<u64>,
    /// Take the file for a dump of memory, with or without headers, whose first byte was at this address
    #[arg(long, value_name = "ADDRESS", value_parser = number::address, conflicts_with = "base")]
    dump_base: Option<u64>,
    /// What is noted of the program (`goemu note`): names, signatures, types, settings ["" for none; default: PATH.goemu.toml]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    notes: Option<PathBuf>,
    #[arg(skip)]
    settings: OnceLock<Changes>,
}

/// An option with its value, as words of a command: none where there is no value.
pub(crate) fn option(name: &str, value: Option<String>) -> impl Iterator<Item = String> {
    value.map(|value| [format!("--{name}"), value]).into_iter().flatten()
}

impl Binary {
    /// The program at this path, or the demo.
    pub(crate) fn named(path: Option<PathBuf>) -> Binary {
        Binary {
            paths: path.into_iter().collect(),
            base: None,
            dump_base: None,
            notes: None,
            settings: OnceLock::new(),
        }
    }

    /// The same with these notes.
    pub(crate) fn with_notes(self, notes: Option<PathBuf>) -> Binary {
        Binary { notes, ..self }
    }

    /// A configuration with the settings that are noted of the program, which was opened before. Those of the command line
    /// hold where they contradict them.
    pub(crate) fn config(&self, config: Config) -> Config {
        let mut changes = self.settings.get().cloned().unwrap_or_default();
        changes.append(config.changes);
        Config { changes, ..config }
    }

    /// Reads the program, and says what is unusual: the demo, a damaged file, an unknown release of Go.
    pub(crate) fn open(&self) -> Result<Image> {
        if self.paths().is_empty() {
            output::note("no program given (-b PATH or GOEMU_BINARY): this is the built-in demo");
        }
        let mut image = self.open_quietly()?;
        self.take_notes(&mut image)?;
        let path = image.path().map_or(String::new(), |path| format!("{}: ", path.display()));
        for remark in image.remarks() {
            output::note(&format!("{path}{}", remark));
        }
        if let Some(warning) = warning(&image) {
            output::note(&warning);
        }
        Ok(image)
    }

    /// Reads the notes, if there are any, and lets the image know them.
    fn take_notes(&self, image: &mut Image) -> Result<()> {
        let Some(file) = self.notes_file() else { return Ok(()) };
        let Some(notes) = notes::read(&file, self.notes.is_some())? else { return Ok(()) };
        let what = || format!("notes {}", file.display());
        match notes.check(image) {
            Err(error @ NotesError::OtherProgram { .. }) if self.notes.is_none() => {
                output::note(&format!(
                    "{} is not used: {error} (`goemu note adopt` keeps them)",
                    file.display()
                ));
                return Ok(());
            }
            checked => checked.with_context(what)?,
        }
        notes.teach(image).with_context(what)?;
        let changes = notes.changes(&|path| notes::beside(&file, path)).with_context(what)?;
        // It was opened before, and the same was read.
        let _ = self.settings.set(changes);
        Ok(())
    }

    /// These options again, for a command that repeats something.
    pub(crate) fn words(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut words: Vec<String> =
            self.paths().into_iter().flat_map(|of| ["-b".to_owned(), path(of)]).collect();
        let mut option = |name: &str, value| words.extend(option(name, value));
        option("base", self.base.map(|base| format!("{base:#x}")));
        option("dump-base", self.dump_base.map(|base| format!("{base:#x}")));
        option("notes", self.notes.as_deref().map(path));
        words
    }

    /// Where the notes are, or would be.
    pub(crate) fn notes_file(&self) -> Option<PathBuf> {
        match &self.notes {
            Some(file) => Some(file.clone()).filter(|file| !file.as_os_str().is_empty()),
            None => {
                let mut file = self.only()?.as_os_str().to_owned();
                file.push(".goemu.toml");
                Some(file.into())
            }
        }
    }

    /// Reads the program.
    pub(crate) fn open_quietly(&self) -> Result<Image> {
        match &self.paths()[..] {
            [] => Ok(self.options().parse(DEMO)?),
            [only] => open(only, self.options()),
            // Errors name the file.
            several => Ok(self.options().open_all(several)?),
        }
    }

    fn options(&self) -> LoadOptions {
        let options = LoadOptions::default();
        let options = self.base.map_or(options, |base| options.base(base));
        self.dump_base.map_or(options, |base| options.dump_base(base))
    }

    /// The program's file, where it is one.
    pub(crate) fn only(&self) -> Option<&Path> {
        if let [only] = self.paths()[..] { Some(only) } else { None }
    }

    /// A variable that is set to nothing is not set.
    fn paths(&self) -> Vec<&Path> {
        self.paths.iter().map(PathBuf::as_path).filter(|path| !path.as_os_str().is_empty()).collect()
    }
}

fn open(path: &Path, options: LoadOptions) -> Result<Image> {
    use goemu::LoadError::{Directory, Io, NotAFile};
    match options.open(path) {
        // These name the file themselves.
        Err(error @ (Io { .. } | Directory(_) | NotAFile(_))) => Err(error.into()),
        opened => opened.with_context(|| path.display().to_string()),
    }
}

/// What may be wrong with everything that is said of a program: it is of a newer release than all known ones.
pub(crate) fn warning(image: &Image) -> Option<String> {
    let newest = format!("go1.{NEWEST}");
    let version = image.go_version().filter(|version| Rules::of(*version).is_unknown())?;
    let taken = if image.facts().learned {
        format!("the runtime's structures are as its debug information says, all else as in {newest}")
    } else {
        format!("its runtime is taken to be like that of {newest}")
    };
    Some(format!("built by {version}, which is newer than {newest}, the newest that goemu knows: {taken}"))
}

/// Whether the program's debug information was left in it.
pub(crate) fn has_debug_info(image: &Image) -> bool {
    [".debug_info", ".zdebug_info"].iter().any(|name| image.section(name).is_some())
}
