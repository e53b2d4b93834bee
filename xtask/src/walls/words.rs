//! Words that only some files may have: `unsafe`, the crates that read formats, printing, the host.

use super::{
    Violation,
    imports::all_paths,
    tokens::Token,
    workspace::{Crate, File},
};

/// Words that stand in a row in code, or begin a path, and where they may.
struct Rule {
    words: &'static [&'static str],
    /// The crates that it holds for; none: all.
    crates: &'static [&'static str],
    /// The files and folders that may have them.
    may: &'static [&'static str],
    /// Code of tests may have them.
    tests_may: bool,
    why: &'static str,
}

/// The crates that are libraries.
const LIBRARIES: &[&str] =
    &["goemu-memory", "goemu-x86", "goemu-translate", "goemu-loader", "goemu-go", "goemu", "goemu-debug"];

/// The crates that run guests.
const EMULATOR: &[&str] = &["goemu-memory", "goemu-x86", "goemu-translate", "goemu"];

const UNSAFE: &[&str] = &[
    "emu/memory/src/region.rs",
    "emu/x86/src/alu/float/host.rs",
    "emu/translate/src/host/code.rs",
    "emu/translate/src/host/enter.rs",
    "emu/translate/src/host/signals.rs",
    "loader/src/source.rs",
    "tests/harness/native.rs",
];
/// A signal handler must find what its thread runs.
const SIGNALS: &[&str] = &["emu/translate/src/host/signals.rs"];
const GOBLIN: &[&str] = &[
    "loader/src/format/elf.rs",
    "loader/src/format/macho.rs",
    "loader/src/format/macho/",
    "loader/src/format/pe.rs",
];
const GIMLI: &[&str] = &["loader/src/dwarf.rs", "loader/src/dwarf/"];
/// They map a file that the caller opened, and open what the caller gives the guest, by descriptors beneath it.
const GIVEN: &[&str] =
    &["emu/memory/src/lib.rs", "emu/memory/src/region.rs", "emu/goemu/src/os/linux/disk/given.rs"];

const RULES: [Rule; 14] = [
    everywhere(&["unsafe"], UNSAFE, "the files that may are named in ARCHITECTURE.md"),
    everywhere(&["static", "mut"], &[], "no state is global"),
    everywhere(&["thread_local", "!"], SIGNALS, "no state is global"),
    shipped(&["goblin", "::"], &[], GOBLIN, "a format is read in its own file"),
    shipped(&["gimli", "::"], &[], GIMLI, "debug information is read in dwarf"),
    shipped(&["print", "!"], LIBRARIES, &[], "libraries never print"),
    shipped(&["println", "!"], LIBRARIES, &[], "libraries never print"),
    shipped(&["eprint", "!"], LIBRARIES, &[], "libraries never print"),
    shipped(&["eprintln", "!"], LIBRARIES, &[], "libraries never print"),
    shipped(&["dbg", "!"], LIBRARIES, &[], "libraries never print"),
    shipped(&["std", "::", "fs"], EMULATOR, GIVEN, "the guest reaches no file"),
    shipped(&["std", "::", "net"], EMULATOR, &[], "the guest reaches no network"),
    shipped(&["std", "::", "process"], EMULATOR, &[], "the guest reaches no process"),
    shipped(&["std", "::", "env"], EMULATOR, &[], "the guest reaches no environment"),
];

const fn everywhere(words: &'static [&'static str], may: &'static [&'static str], why: &'static str) -> Rule {
    Rule { words, crates: &[], may, tests_may: false, why }
}

const fn shipped(
    words: &'static [&'static str],
    crates: &'static [&'static str],
    may: &'static [&'static str],
    why: &'static str,
) -> Rule {
    Rule { words, crates, may, tests_may: true, why }
}

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    let mut found: Vec<Violation> = RULES.iter().flat_map(|rule| without_file(rule, crates)).collect();
    for of in crates {
        for file in &of.files {
            let (all, shipped) = (file.tokens(), file.shipped());
            for rule in
                RULES.iter().filter(|rule| rule.crates.is_empty() || rule.crates.contains(&of.name.as_str()))
            {
                found.extend(check_file(file, if rule.tests_may { &shipped } else { &all }, rule));
            }
        }
    }
    found
}

fn check_file(file: &File, tokens: &[Token<'_>], rule: &Rule) -> Vec<Violation> {
    if rule.may.iter().any(|may| file.path == *may || (may.ends_with('/') && file.path.starts_with(may))) {
        return Vec::new();
    }
    let lines = if rule.words.contains(&"::") { path_lines(tokens, rule) } else { word_lines(tokens, rule) };
    lines
        .into_iter()
        .map(|line| Violation {
            wall: "words",
            path: file.path.clone(),
            line,
            what: format!("`{}`: {}", rule.words.concat(), rule.why),
        })
        .collect()
}

/// The lines that have the words of a rule in a row.
fn word_lines(tokens: &[Token<'_>], rule: &Rule) -> Vec<usize> {
    let matches = |window: &&[Token<'_>]| window.iter().zip(rule.words).all(|(token, word)| token.is(word));
    tokens.windows(rule.words.len()).filter(matches).map(|window| window[0].line).collect()
}

/// The lines with a path that begins with the words of a rule, also in the braces of a `use`.
fn path_lines(tokens: &[Token<'_>], rule: &Rule) -> Vec<usize> {
    let words: Vec<&str> = rule.words.iter().copied().filter(|word| *word != "::").collect();
    let paths = all_paths(tokens).into_iter().filter(|path| path.segments.starts_with(&words));
    paths.map(|path| path.line).collect()
}

/// The places of a rule that are not there.
fn without_file(rule: &Rule, crates: &[Crate]) -> Vec<Violation> {
    let is_there = |may: &str| crates.iter().any(|of| of.files.iter().any(|file| file.path.starts_with(may)));
    let missing = rule.may.iter().filter(|may| !is_there(may));
    missing
        .map(|may| Violation {
            wall: "words",
            path: (*may).to_owned(),
            line: 0,
            what: format!("the rule on `{}` names this, which is not there", rule.words.concat()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rule: &Rule, path: &str, text: &str) -> usize {
        let planted = Crate::planted("goemu", &[(path, text)]);
        let file = &planted.files[0];
        check_file(file, &if rule.tests_may { file.shipped() } else { file.tokens() }, rule).len()
    }

    #[test]
    fn a_word_in_the_wrong_place_is_found() {
        for rule in &RULES {
            let tail = if rule.words.last() == Some(&"::") { "x" } else { "" };
            let text = format!("fn f() {{ {} {tail}(0) }}", rule.words.join(" "));
            assert_eq!(found(rule, "src/x.rs", &text), 1, "{text}");
            for may in rule.may {
                let file = if may.ends_with('/') { format!("{may}x.rs") } else { (*may).to_owned() };
                assert_eq!(found(rule, &file, &text), 0, "{text} in {file}");
            }
            let in_test = format!("#[cfg(test)] mod tests {{ {text} }}");
            assert_eq!(found(rule, "src/x.rs", &in_test), usize::from(!rule.tests_may), "{in_test}");
        }
    }

    #[test]
    fn a_path_in_braces_is_found() {
        let text = "use std::{collections::HashMap, fs::{self, File}};";
        let rule = RULES.iter().find(|rule| rule.words == ["std", "::", "fs"]).unwrap();
        assert!(found(rule, "src/x.rs", text) > 0);
        assert_eq!(found(rule, "src/x.rs", "use std::{fmt, io}; use other::fs;"), 0);
    }

    #[test]
    fn text_and_longer_words_are_not_found() {
        let text = "// unsafe println!\nfn unsafe_code() { f(\"unsafe println!\"); std::fmt::x() }";
        assert_eq!(RULES.iter().map(|rule| found(rule, "src/x.rs", text)).sum::<usize>(), 0);
    }

    #[test]
    fn a_rule_for_a_file_that_is_not_there_is_found() {
        let planted = Crate::planted("goemu", &[("loader/src/format/elf.rs", "")]);
        let missing: usize =
            RULES.iter().map(|rule| without_file(rule, std::slice::from_ref(&planted)).len()).sum();
        let listed = [UNSAFE, SIGNALS, GOBLIN, GIMLI, GIVEN];
        assert_eq!(missing, listed.iter().map(|files| files.len()).sum::<usize>() - 1);
    }
}
