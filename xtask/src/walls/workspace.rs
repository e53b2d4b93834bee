//! The crates of the workspace, and their source files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::tokens::{Token, tokens, without_tests};

/// A crate: its manifest, and its source files.
#[derive(Debug, Default)]
pub(super) struct Crate {
    pub(super) name: String,
    /// The folder, from the root of the repository.
    pub(super) folder: String,
    /// What it depends on, each with its section: `dependencies`, `dev-dependencies`, `build-dependencies`.
    pub(super) dependencies: Vec<(String, String)>,
    pub(super) files: Vec<File>,
}

/// A source file.
#[derive(Debug)]
pub(super) struct File {
    /// The path from the root of the repository.
    pub(super) path: String,
    /// The module that it is, such as `go::names`; the crate's root is empty. None: not below `src`.
    pub(super) module: Option<String>,
    /// Only tests have it.
    pub(super) is_test: bool,
    pub(super) text: String,
}

impl File {
    /// All tokens, tests included.
    pub(super) fn tokens(&self) -> Vec<Token<'_>> {
        tokens(&self.text)
    }

    /// The tokens that are not only in tests.
    pub(super) fn shipped(&self) -> Vec<Token<'_>> {
        if self.is_test { Vec::new() } else { without_tests(&self.tokens()).0 }
    }
}

impl Crate {
    /// The name that code gives the crate.
    pub(super) fn ident(&self) -> String {
        self.name.replace('-', "_")
    }

    /// A crate of these files, for the tests of the checks.
    #[cfg(test)]
    pub(super) fn planted(name: &str, files: &[(&str, &str)]) -> Crate {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            module: module(path),
            is_test: false,
            text: (*text).to_owned(),
        };
        let mut planted =
            Crate { name: name.to_owned(), files: files.iter().map(file).collect(), ..Crate::default() };
        planted.mark_tests();
        planted
    }

    /// Marks the files that only tests have.
    fn mark_tests(&mut self) {
        let mut modules = Vec::new();
        for file in &self.files {
            let Some(module) = &file.module else { continue };
            for test in without_tests(&file.tokens()).1 {
                modules.push(match test.strip_suffix(".rs") {
                    // `#[path]` counts from the folder of the file that says it.
                    Some(stem) => join(module.rsplit_once("::").map_or("", |(parent, _)| parent), stem),
                    None => join(module, test),
                });
            }
        }
        for file in &mut self.files {
            file.is_test = match &file.module {
                Some(module) => modules.iter().any(|test| is_within(module, test)),
                None => true,
            };
        }
    }
}

/// Whether a module is another, or below it. All are below the root, which is empty.
pub(super) fn is_within(module: &str, of: &str) -> bool {
    of.is_empty() || module.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The path of a module's child.
pub(super) fn join(module: &str, child: &str) -> String {
    if module.is_empty() { child.to_owned() } else { format!("{module}::{child}") }
}

/// The crates that the workspace's manifest names, and the fuzz targets beside it.
pub(super) fn read(root: &Path) -> Result<Vec<Crate>> {
    let manifest = read_text(&root.join("Cargo.toml"))?;
    let mut folders = members(&manifest);
    folders.push("fuzz".to_owned());
    folders.iter().map(|folder| read_crate(root, folder, &folders)).collect()
}

/// The crates that are workspaces of their own, because of what they need.
pub(super) fn beside(root: &Path) -> Result<Vec<Crate>> {
    let folders = ["emu/fuzz", "py"].map(str::to_owned);
    folders.iter().map(|folder| read_crate(root, folder, &folders)).collect()
}

fn read_crate(root: &Path, folder: &str, all: &[String]) -> Result<Crate> {
    let manifest = read_text(&root.join(folder).join("Cargo.toml"))?;
    let mut found = Crate { folder: folder.to_owned(), ..parse_manifest(&manifest) };
    let mut paths = Vec::new();
    collect(&root.join(folder), &mut paths)?;
    paths.sort();
    for path in paths {
        let relative = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        // A crate may lie in the folder of another.
        let is_nested = |other: &&String| {
            other.len() > folder.len()
                && other.starts_with(folder)
                && relative.starts_with(&format!("{other}/"))
        };
        if all.iter().find(is_nested).is_none() {
            let module = relative.strip_prefix(folder).and_then(module);
            let text = read_text(&path)?;
            found.files.push(File { path: relative, module, is_test: false, text });
        }
    }
    found.mark_tests();
    Ok(found)
}

fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The Rust files below a folder.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !matches!(&*name, "target" | "corpus" | "artifacts") && !name.starts_with('.') {
                collect(&path, paths)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// The module that a file is, by its path in its crate's folder: `/src/go/names.rs` is `go::names`.
fn module(path: &str) -> Option<String> {
    let path = path.trim_start_matches('/').strip_prefix("src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    Some(if matches!(path, "lib" | "main") { String::new() } else { path.replace('/', "::") })
}

/// The members of a workspace's manifest.
fn members(manifest: &str) -> Vec<String> {
    let list = manifest.split_once("\nmembers = [").and_then(|(_, rest)| rest.split_once(']'));
    let list = list.map_or("", |(list, _)| list);
    list.split(',')
        .map(|name| name.trim().trim_matches('"').to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// The name and the dependencies of a manifest.
fn parse_manifest(manifest: &str) -> Crate {
    let mut found = Crate::default();
    let mut section = "";
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            // `[dependencies.name]`
            if let Some((kind, name)) = name.rsplit_once('.').filter(|(kind, _)| is_dependencies(kind)) {
                found.dependencies.push((kind.to_owned(), name.to_owned()));
            }
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let key = key.trim();
            if section == "package" && key == "name" {
                value.trim().trim_matches('"').clone_into(&mut found.name);
            } else if is_dependencies(section) {
                let name = key.split('.').next().unwrap_or(key);
                found.dependencies.push((section.to_owned(), name.to_owned()));
            }
        }
    }
    found
}

/// Whether a section lists dependencies, of all targets or of one.
fn is_dependencies(section: &str) -> bool {
    section.rsplit('.').next().is_some_and(|last| last.ends_with("dependencies"))
        && !section.starts_with("workspace")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read() {
        let members = members(
            "[workspace]\nmembers = [\n  \"loader\",\n  \"emu/x86\",\n]\ndefault-members = [\"a\"]\n",
        );
        assert_eq!(members, ["loader", "emu/x86"]);
        let found = parse_manifest(
            "[package]\nname = \"goemu-x\"\n[dependencies]\na.workspace = true\n# b = 1\nc = { path = \"../c\" }\n\
             [features]\nd = []\n[dev-dependencies]\ne = \"1\"\n[target.'cfg(unix)'.dependencies]\nf = \"1\"\n\
             [dependencies.g]\nversion = \"1\"\n",
        );
        assert_eq!(found.name, "goemu-x");
        let names: Vec<&str> = found.dependencies.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["a", "c", "e", "f", "g"]);
    }

    #[test]
    fn files_are_modules() {
        let names =
            ["/src/lib.rs", "/src/go.rs", "/src/go/names.rs", "/src/go/mod.rs", "/tests/a.rs"].map(module);
        assert_eq!(
            names,
            [Some(""), Some("go"), Some("go::names"), Some("go"), None].map(|name| name.map(str::to_owned))
        );
    }

    #[test]
    fn files_of_tests_are_marked() {
        let planted = Crate::planted(
            "goemu",
            &[
                ("src/go.rs", "#[cfg(test)] mod testing; mod names;"),
                ("src/go/testing.rs", ""),
                ("src/go/testing/space.rs", ""),
                ("src/go/names.rs", "#[cfg(test)] #[path = \"names_tests.rs\"] mod tests;"),
                ("src/go/names_tests.rs", ""),
                ("tests/x.rs", ""),
            ],
        );
        let tests: Vec<bool> = planted.files.iter().map(|file| file.is_test).collect();
        assert_eq!(tests, [false, true, true, false, true, true]);
    }
}
