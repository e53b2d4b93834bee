//! The documents name files and folders that are there.

use std::path::Path;

use anyhow::Result;

use super::Violation;

/// The documents that lead through the code.
const DOCUMENTS: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "RELEASE-CHECKLIST.md",
    "testdata/README.md",
];

/// A name in backquotes that begins so is a path from the root.
const FOLDERS: [&str; 9] =
    ["cli/", "docs/", "emu/", "fuzz/", "loader/", "testdata/", "tests/", "xtask/", ".github/"];

pub(super) fn check(root: &Path) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root.join(document))?;
        found.extend(check_text(document, &text, |path| root.join(path).exists()));
    }
    Ok(found)
}

fn check_text(document: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    let missing = |(_, path): &(usize, &str)| !path.contains(['*', '{', ' ', '<']) && !exists(path);
    let named = text.lines().enumerate().flat_map(|(at, line)| paths(line).map(move |path| (at + 1, path)));
    named
        .filter(missing)
        .map(|(line, path)| Violation {
            wall: "paths",
            path: document.to_owned(),
            line,
            what: format!("{path} is not there"),
        })
        .collect()
}

/// The paths from the root that a line has in backquotes.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_is_found() {
        let found = |text: &str| check_text("README.md", text, |path| path == "emu/memory").len();
        assert_eq!(found("see `emu/memory` and `go/names`, emu/x86"), 0);
        assert_eq!(found("see `emu/x86/src/lib.rs` and `emu/memory`"), 1);
        assert_eq!(found("all of `emu/*`, `loader/src/{a,b}.rs`"), 0);
    }
}
