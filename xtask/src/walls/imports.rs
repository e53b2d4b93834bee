//! Which file imports which: every `use` and every path in a file's code, followed to the file that it leads to.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    tokens::Token,
    workspace::{Crate, File, join},
};

/// An import: from a module of a crate to another of it, or to another crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    /// The file that says it.
    pub(super) path: String,
    pub(super) line: usize,
    /// The module that the file is.
    pub(super) from: String,
    /// The module that it leads to.
    pub(super) to: Target,
}

/// Where an import leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// A module of the same crate.
    Module(String),
    /// Another crate of the workspace, by the name that code gives it.
    Crate(String),
}

/// A path as a file has it.
pub(super) struct Path<'a> {
    pub(super) segments: Vec<&'a str>,
    pub(super) line: usize,
    /// The name that a `use` gives it.
    alias: Option<&'a str>,
}

/// The imports between the modules of a crate, and from them to the other crates of `idents`.
pub(super) fn imports(of: &Crate, idents: &BTreeSet<String>) -> Vec<Import> {
    let files = || of.files.iter().filter(|file| !file.is_test);
    let modules: BTreeSet<&str> = files().filter_map(|file| file.module.as_deref()).collect();
    let tokens: Vec<(&File, Vec<Token<'_>>)> = files().map(|file| (file, file.shipped())).collect();
    let names: BTreeMap<&str, Vec<Path<'_>>> =
        tokens.iter().filter_map(|(file, tokens)| Some((file.module.as_deref()?, uses(tokens)))).collect();
    let tree = Tree { modules, names, idents };
    let mut found = BTreeSet::new();
    for (file, tokens) in &tokens {
        let Some(from) = file.module.as_deref() else { continue };
        for path in all_paths(tokens) {
            let Some(to) = tree.resolve(from, &path.segments, 8) else { continue };
            if to != Target::Module(from.to_owned()) {
                found.insert(Import { path: file.path.clone(), line: path.line, from: from.to_owned(), to });
            }
        }
    }
    found.into_iter().collect()
}

struct Tree<'a> {
    modules: BTreeSet<&'a str>,
    /// The `use` declarations of each module.
    names: BTreeMap<&'a str, Vec<Path<'a>>>,
    /// The crates of the workspace.
    idents: &'a BTreeSet<String>,
}

impl Tree<'_> {
    /// The module that a path in `from` leads to: the deepest, through re-exports. `depth` bounds these.
    fn resolve(&self, from: &str, segments: &[&str], depth: usize) -> Option<Target> {
        let (first, rest) = segments.split_first()?;
        let parent = |module: &str| module.rsplit_once("::").map_or("", |(parent, _)| parent).to_owned();
        match *first {
            "crate" => self.descend(String::new(), rest, depth),
            "self" => self.descend(from.to_owned(), rest, depth),
            "super" => {
                let ups = rest.iter().take_while(|segment| **segment == "super").count();
                let module = (0..=ups).fold(from.to_owned(), |module, _| parent(&module));
                self.descend(module, &rest[ups..], depth)
            }
            name if self.modules.contains(join(from, name).as_str()) => {
                self.descend(from.to_owned(), segments, depth)
            }
            name => match self.named(from, name, depth) {
                Some(Target::Module(module)) if self.modules.contains(module.as_str()) => {
                    self.descend(module, rest, depth)
                }
                Some(found) => Some(found),
                None => self.idents.contains(name).then(|| Target::Crate(name.to_owned())),
            },
        }
    }

    /// Follows segments down from a module.
    fn descend(&self, mut module: String, segments: &[&str], depth: usize) -> Option<Target> {
        for segment in segments {
            let child = join(&module, segment);
            if self.modules.contains(child.as_str()) {
                module = child;
            } else {
                return self.named(&module, segment, depth).or(Some(Target::Module(module)));
            }
        }
        Some(Target::Module(module))
    }

    /// What a name means that a module has by `use`.
    fn named(&self, module: &str, name: &str, depth: usize) -> Option<Target> {
        let uses = self.names.get(module).filter(|_| depth > 0)?;
        let path = uses.iter().find(|path| path.alias == Some(name))?;
        // `use name;` of another crate would find itself.
        if path.segments == [name] {
            return self.idents.contains(name).then(|| Target::Crate(name.to_owned()));
        }
        self.resolve(module, &path.segments, depth - 1)
    }
}

/// All paths in a file: those of `use` declarations, written out, and those in its code.
pub(super) fn all_paths<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut all = uses(tokens);
    // A `use` has its paths in code as well, as far as its first brace.
    all.extend(paths(tokens));
    all.sort_by_key(|path| path.line);
    all.dedup_by(|a, b| a.line == b.line && a.segments == b.segments);
    all
}

/// The paths of all `use` declarations.
fn uses<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some(at) = rest.iter().position(|token| token.is("use")) {
        rest = &rest[at + 1..];
        let end = rest.iter().position(|token| token.is(";")).unwrap_or(rest.len());
        let mut tree = &rest[..end];
        use_tree(&mut tree, &[], &mut found);
        rest = &rest[end..];
    }
    found
}

/// One tree of a `use`: `a::b`, `a::{b, c}`, `a::b as c`, `a::*`.
fn use_tree<'a>(tokens: &mut &[Token<'a>], prefix: &[&'a str], found: &mut Vec<Path<'a>>) {
    let mut segments = prefix.to_vec();
    let line = tokens.first().map_or(0, |token| token.line);
    let mut alias = None;
    while let Some((token, rest)) = tokens.split_first() {
        match token.text {
            "{" => {
                *tokens = rest;
                while tokens.first().is_some_and(|token| !token.is("}")) {
                    use_tree(tokens, &segments, found);
                    if tokens.first().is_some_and(|token| token.is(",")) {
                        *tokens = &tokens[1..];
                    }
                }
                *tokens = tokens.get(1..).unwrap_or_default();
                return;
            }
            "," | "}" => break,
            "as" => {
                alias = rest.first().map(|token| token.text);
                *tokens = rest.get(1..).unwrap_or_default();
                continue;
            }
            "::" | "*" => {}
            // `use a::{self, b}`
            "self" if !segments.is_empty() => {}
            text => segments.push(text),
        }
        *tokens = rest;
    }
    let alias = alias.or(segments.last().copied());
    found.push(Path { segments, line, alias });
}

/// The paths in code: words with `::` between them. Those of `use` declarations are [`uses`]: what stands before a `{` there
/// is no import by itself.
fn paths<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].is("use") && !tokens.get(at + 1).is_some_and(|next| next.is("<")) {
            at += tokens[at..].iter().position(|token| token.is(";")).unwrap_or(tokens.len());
            continue;
        }
        let starts = tokens[at].is_word() && !(at > 0 && tokens[at - 1].is("::"));
        let mut end = at + 1;
        if starts {
            while end + 1 < tokens.len() && tokens[end].is("::") && tokens[end + 1].is_word() {
                end += 2;
            }
            if end > at + 1 {
                let segments = tokens[at..end].iter().filter(|token| token.is_word()).map(|token| token.text);
                found.push(Path { segments: segments.collect(), line: tokens[at].line, alias: None });
            }
        }
        at = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<String> {
        let planted = Crate::planted(
            "goemu",
            &[
                ("src/lib.rs", "pub use machine::Machine;"),
                ("src/cpu.rs", "mod flags; pub use flags::Flags;"),
                ("src/cpu/flags.rs", ""),
                ("src/machine.rs", ""),
                ("src/go.rs", "mod names; mod value;"),
                ("src/go/names.rs", text),
                ("src/go/value.rs", ""),
            ],
        );
        let idents = BTreeSet::from(["goemu_loader".to_owned()]);
        let found = imports(&planted, &idents).into_iter().filter(|import| import.from == "go::names");
        found
            .map(|import| match import.to {
                Target::Module(module) => module,
                Target::Crate(ident) => format!("{ident}!"),
            })
            .collect()
    }

    #[test]
    fn imports_are_followed_to_their_files() {
        assert_eq!(targets("use crate::machine;"), ["machine"]);
        assert_eq!(targets("use crate::{cpu::{self, Flags}};"), ["cpu", "cpu::flags"]);
        assert_eq!(targets("use crate::Machine;"), ["machine"]);
        assert_eq!(targets("use crate::go::{value::Value};"), ["go::value"], "and not `go`");
        assert_eq!(targets("use super::value::Value as V;"), ["go::value"]);
        assert_eq!(targets("use super::super::machine::*;"), ["machine"]);
        assert_eq!(targets("fn f() { crate::machine::go() }"), ["machine"]);
        assert_eq!(targets("use crate::cpu; fn f() { cpu::flags::g() }"), ["cpu", "cpu::flags"]);
        assert_eq!(targets("use goemu_loader::{Image, Func};"), ["goemu_loader!"]);
        assert_eq!(targets("fn f(x: goemu_loader::Image) {}"), ["goemu_loader!"]);
        assert_eq!(targets("use goemu_loader as loader;\nfn f(x: loader::Image) {}"), ["goemu_loader!"; 2]);
        assert_eq!(targets("#[cfg(test)] mod tests { use crate::machine; } use std::fmt;"), [""; 0]);
        assert_eq!(targets("// use crate::machine;\nfn f() { Vec::new() }"), [""; 0]);
    }
}
