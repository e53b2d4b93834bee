//! The checked-in binaries and what their cases did natively (`testdata/README.md`).

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

pub use crate::releases::VERSIONS;

/// A file below `testdata`.
pub fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(path)
}

/// A fixture by name, such as `corpus-go1.27-pie`: the checked-in one, else the one that
/// `cargo xtask fixtures` left in `target/fixtures`, else `None`.
pub fn binary(name: &str) -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fixtures").join(name);
    [testdata("bin").join(name), built].into_iter().find(|path| path.exists())
}

/// Set where every fixture has to be there, as CI builds them (`cargo xtask fixtures --compared`).
const ALL_THERE: &str = "GOEMU_ALL_FIXTURES";

/// Those of these fixtures that are there, in order. Says which are not.
///
/// # Panics
/// When one is not there and all have to be.
#[allow(clippy::print_stderr, reason = "a test says what it leaves out")]
pub fn present(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let (there, missing): (Vec<String>, Vec<String>) =
        names.into_iter().map(Into::into).partition(|name: &String| binary(name).is_some());
    if !missing.is_empty() {
        let missing = format!("not built: {} (cargo xtask fixtures --compared)", missing.join(", "));
        assert!(std::env::var_os(ALL_THERE).is_none(), "{missing}");
        eprintln!("{missing}");
    }
    there
}

/// The releases whose build `PROGRAM-go1.N-MODE` is there, see [`present`].
///
/// # Panics
/// Like [`present`].
pub fn releases(program: &str, mode: &str, among: &[u16]) -> Vec<u16> {
    let name = |version: &u16| format!("{program}-go1.{version}{mode}");
    let there = present(among.iter().map(name));
    among.iter().copied().filter(|version| there.contains(&name(version))).collect()
}

/// The names of all fixtures that [`binary`] finds, sorted.
pub fn all_binaries() -> Vec<String> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fixtures");
    let folders = [testdata("bin"), built].into_iter().filter_map(|folder| fs::read_dir(folder).ok());
    let names = folders.flatten().map(|entry| entry.expect("a readable folder").file_name());
    let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.into_iter().collect()
}

/// All checked-in builds of the corpus, by name.
pub fn checked_in() -> Vec<PathBuf> {
    let entries = fs::read_dir(testdata("bin")).expect("testdata/bin is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("corpus-")));
    paths.sort();
    paths
}

/// One call and what it did natively.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The minor versions of the Go releases in which it did this.
    pub versions: Vec<u16>,
    /// The function's symbol: `main.f1`.
    pub function: String,
    /// Each argument as Go source.
    pub args: Vec<String>,
    /// How the call ended.
    pub outcome: Outcome,
    /// What it wrote to stderr.
    pub printed: String,
}

/// How a call ended natively.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It returned these results, as Go source, separated by `, `.
    Returned(String),
    /// Its panic was not recovered.
    Panicked {
        /// What Go prints after `panic: `.
        text: String,
        /// The functions of package main on the stack, innermost first, each `function:line`, in the default
        /// build.
        frames: Vec<String>,
    },
    /// A fatal error ended the program: what Go prints after `fatal error: `.
    Fatal(String),
}

/// The cases of a program (`corpus`, `library`) in one Go release.
pub fn cases(program: &str, version: u16) -> Vec<Case> {
    let path = testdata(&format!("native/{program}.tsv"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(case).filter(|case| case.versions.contains(&version)).collect()
}

/// The signature of a function, as the source of a program has it on one line.
pub fn signature_in_source(program: &str, function: &str) -> Option<String> {
    let head = format!("func {}(", function.rsplit('.').next()?);
    let files = fs::read_dir(testdata(&format!("go/{program}"))).ok()?;
    let texts = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let of = |text: &str| {
        let line = text.lines().find(|line| line.starts_with(&head))?;
        Some(format!("func({}", line[head.len()..].strip_suffix(" {")?))
    };
    texts.filter_map(|text| of(&text)).next()
}

fn case(row: &str) -> Case {
    let columns: Vec<&str> = row.split('\t').collect();
    let [versions, function, outcome, results, printed, frames, args @ ..] = columns.as_slice() else {
        panic!("six columns and the arguments expected: {row}");
    };
    let minor = |version: &str| version.strip_prefix("1.").and_then(|minor| minor.parse().ok());
    let known = |version: &u16| VERSIONS.contains(version);
    let release = |version| minor(version).filter(known).unwrap_or_else(|| panic!("Go {version}?: {row}"));
    Case {
        versions: versions.split(',').map(release).collect(),
        function: (*function).to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        outcome: match *outcome {
            "returned" => Outcome::Returned((*results).to_owned()),
            "panicked" => Outcome::Panicked {
                text: unescape(results),
                frames: frames.split_whitespace().map(str::to_owned).collect(),
            },
            "fatal" => Outcome::Fatal(unescape(results)),
            other => panic!("unknown outcome {other}: {row}"),
        },
        printed: unescape(printed),
    }
}

/// Undoes `\n`, `\t` and `\\`.
fn unescape(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                other => plain.extend(other),
            },
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read() {
        let case = case("1.15,1.27\tmain.f\tpanicked\ta\\n\\tb\\\\\t\tmain.g:3 main.f:9\t1\t\"x\\n\"");
        assert_eq!(case.versions, [15, 27]);
        assert_eq!(case.args, ["1", "\"x\\n\""]);
        let frames = vec!["main.g:3".to_owned(), "main.f:9".to_owned()];
        assert_eq!(case.outcome, Outcome::Panicked { text: "a\n\tb\\".to_owned(), frames });
    }
}
