//! Facts on Go's releases stand in `loader/src/facts`: no other code compares a release with a number.

use super::{
    Violation,
    tokens::Token,
    workspace::{Crate, File},
};

/// The crates that know of Go.
const CRATES: [&str; 3] = ["goemu-loader", "goemu", "goemu-cli"];

/// Where releases may be compared, and why.
const MAY: [(&str, &str); 3] = [
    ("loader/src/facts.rs", "the rows of facts"),
    ("loader/src/facts/", "the rows of facts"),
    ("loader/src/version.rs", "what a release is, and its order"),
];

/// Marks that compare, or make a range.
const COMPARISONS: [&str; 8] = ["<", "<=", ">", ">=", "==", "!=", "..", "..="];

/// Methods that compare.
const METHODS: [&str; 5] = ["max", "min", "cmp", "clamp", "contains"];

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    let of_go = crates.iter().filter(|of| CRATES.contains(&of.name.as_str()));
    let files = of_go.flat_map(|of| &of.files).filter(|file| !may(&file.path));
    files.flat_map(check_file).collect()
}

fn may(path: &str) -> bool {
    MAY.iter().any(|(may, _)| path == *may || (may.ends_with('/') && path.starts_with(may)))
}

fn check_file(file: &File) -> Vec<Violation> {
    let tokens = file.shipped();
    let is_test = |at: &usize| is_tested(&tokens, *at) || is_made(&tokens[*at..]);
    let places = (0..tokens.len()).filter(is_test);
    places
        .map(|at| Violation {
            wall: "versions",
            path: file.path.clone(),
            line: tokens[at].line,
            what: "a test of Go's release: give the fact a name in loader/src/facts".to_owned(),
        })
        .collect()
}

/// Whether the token is a minor version that is compared, matched, or looked for in a range.
fn is_tested(tokens: &[Token<'_>], at: usize) -> bool {
    if !tokens[at].is("minor") {
        return false;
    }
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let is_call = text(at + 1) == "(" && text(at + 2) == ")";
    let after = if is_call { at + 3 } else { at + 1 };
    if COMPARISONS.contains(&text(after)) || (text(after) == "." && METHODS.contains(&text(after + 1))) {
        return true;
    }
    let start = operand_start(tokens, at);
    let before = |back: usize| start.checked_sub(back).map_or("", text);
    COMPARISONS.contains(&before(1))
        || (before(1) == "(" && METHODS.contains(&before(2)))
        || is_matched(tokens, start)
}

/// Where the operand begins that ends at `at`: `&cx.image.facts().version.minor` at the `&`.
fn operand_start(tokens: &[Token<'_>], at: usize) -> usize {
    let is_part = |token: &Token<'_>| token.is_word() || matches!(token.text, "." | "&" | "*" | "::");
    let mut start = at;
    while let Some(before) = start.checked_sub(1) {
        let ends_call = tokens[before].is(")") && before > 0 && tokens[before - 1].is("(");
        match (ends_call, is_part(&tokens[before]) && !is_keyword(tokens[before].text)) {
            (true, _) => start = before - 1,
            (_, true) => start = before,
            _ => break,
        }
    }
    start
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "match" | "if" | "while" | "return" | "let" | "in" | "else")
}

/// Whether an operand is what a `match` or `matches!` looks at, alone or in a tuple.
fn is_matched(tokens: &[Token<'_>], start: usize) -> bool {
    let before = tokens[..start].iter().rev();
    let mut statement = before.take_while(|token| !matches!(token.text, ";" | "{" | "}" | "=>" | "="));
    statement.any(|token| token.is("match") || token.is("matches"))
}

/// Whether tokens make a release of a number: `GoVersion::new(21, 0)`.
fn is_made(tokens: &[Token<'_>]) -> bool {
    ["GoVersion", "::", "new"].iter().zip(tokens).all(|(text, token)| token.is(text)) && tokens.len() > 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        let planted = Crate::planted("goemu", &[("src/go/x.rs", text)]);
        check(&[planted]).len()
    }

    #[test]
    fn a_test_of_a_release_is_found() {
        for text in [
            "if minor < 16 { 3 } else { 6 }",
            "if cx.image.facts().version.minor >= 21 { }",
            "if facts.minor() < 18 { }",
            "let x = (13..=25).contains(&minor);",
            "texts.filter(|text| text.since <= self.minor)",
            "match image.facts().version.minor { 21 => 1, _ => 2 }",
            "let x = match (self.code, minor) { };",
            "matches!(version.minor, 13..=25)",
            "let x = format.minor.max(since);",
            "(1..minor)",
            "if go != GoVersion::new(21, 0) { }",
            "let is_old = |version: GoVersion| version.minor <= FIRST;",
        ] {
            assert_eq!(found(&format!("fn f() {{ {text} }}")), 1, "{text}");
        }
    }

    #[test]
    fn what_only_names_a_release_is_not() {
        for text in [
            "let minor = cx.image.facts().version.minor;",
            "Growth::of(cx.image.facts().version.minor)",
            "fn args(minor: u16) -> u64 { known(minor) }",
            "format!(\"go1.{}\", facts.version.minor)",
            "if a < b { f(minor) }",
            "match kind { Kind::A => f(x.minor), _ => 0 }",
        ] {
            assert_eq!(found(&format!("fn f() {{ {text} }}")), 0, "{text}");
        }
    }

    #[test]
    fn facts_and_tests_may() {
        let text = "fn f() { minor < 16 }";
        assert!(check(&[Crate::planted("goemu-loader", &[("loader/src/facts/maps.rs", text)])]).is_empty());
        assert_eq!(found(&format!("#[cfg(test)] mod tests {{ {text} }}")), 0);
    }
}
