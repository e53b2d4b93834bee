//! Rust source as words and marks: comments are left out, and literals are one token each.

/// A word, mark or literal of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// The line, counted from 1.
    pub(super) line: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or keyword.
    Word,
    /// A number, string, character or lifetime.
    Literal,
    /// Punctuation.
    Mark,
}

impl Token<'_> {
    pub(super) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }

    pub(super) fn is_word(&self) -> bool {
        self.kind == Kind::Word
    }
}

/// The marks of more than one character that the checks look at.
const LONG_MARKS: [&str; 11] = ["..=", "::", "<=", ">=", "==", "!=", "=>", "->", "..", "&&", "||"];

/// The tokens of a source file.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner { rest: text, line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = scanner.next() {
        tokens.push(token);
    }
    tokens
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Scanner<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        let first = self.rest.chars().next()?;
        let (kind, len) = match first {
            '"' => (Kind::Literal, quoted(self.rest, 0)),
            '\'' => (Kind::Literal, character_or_lifetime(self.rest)),
            '0'..='9' => (Kind::Literal, number(self.rest)),
            c if is_word(c) => match prefixed_literal(self.rest) {
                Some(len) => (Kind::Literal, len),
                None => (Kind::Word, word(self.rest)),
            },
            c => {
                let long = LONG_MARKS.iter().find(|mark| self.rest.starts_with(**mark));
                (Kind::Mark, long.map_or(c.len_utf8(), |mark| mark.len()))
            }
        };
        let line = self.line;
        Some(Token { kind, text: self.take(len), line })
    }

    /// Takes `len` bytes, and counts their lines.
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken
    }

    /// Skips white space and comments.
    fn skip_space(&mut self) {
        loop {
            let space = self.rest.len() - self.rest.trim_start().len();
            let len = if space > 0 {
                space
            } else if self.rest.starts_with("//") {
                self.rest.find('\n').unwrap_or(self.rest.len())
            } else if self.rest.starts_with("/*") {
                block_comment(self.rest)
            } else {
                return;
            };
            self.take(len);
        }
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn word(text: &str) -> usize {
    text.find(|c| !is_word(c)).unwrap_or(text.len())
}

/// A number with its suffix. `0..5` is a number and a range.
fn number(text: &str) -> usize {
    let whole = word(text);
    let rest = &text[whole..];
    match rest.strip_prefix('.') {
        Some(digits) if digits.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + word(digits),
        _ => whole,
    }
}

/// The length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0usize);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a string in quotes, escapes included, that begins at `start`.
fn quoted(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at <= start) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a literal that begins with a letter: `b"x"`, `b'x'`, `c"x"`, `r"x"`, `br#"x"#`, `r#word`.
fn prefixed_literal(text: &str) -> Option<usize> {
    let letters = text.find(|c: char| !matches!(c, 'b' | 'c' | 'r'))?;
    let (prefix, rest) = text.split_at(letters);
    match prefix {
        "b" if rest.starts_with('\'') => Some(1 + character_or_lifetime(rest)),
        "b" | "c" if rest.starts_with('"') => Some(quoted(text, letters)),
        "r" | "br" | "cr" => {
            let hashes = rest.find(|c| c != '#')?;
            let body = rest[hashes..].strip_prefix('"')?;
            let end = format!("\"{}", &rest[..hashes]);
            let len = body.find(&end).map_or(body.len(), |at| at + end.len());
            Some(letters + hashes + 1 + len)
        }
        _ => None,
    }
}

/// The length of `'x'`, `'\n'` or `'lifetime`.
fn character_or_lifetime(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((at, '\\')) => {
            // What is escaped may be a quote.
            let escaped = text[at + 1..].chars().next().map_or(0, char::len_utf8);
            let body = at + 1 + escaped;
            text[body..].find('\'').map_or(text.len(), |end| body + end + 1)
        }
        Some((_, c)) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ if is_word(c) => 1 + word(&text[1..]),
            _ => 1,
        },
        None => text.len(),
    }
}

/// The tokens without the items that only tests have, and the modules that only tests have: their names, or
/// the files that `#[path = ".."]` gives them.
pub(super) fn without_tests<'a>(tokens: &[Token<'a>]) -> (Vec<Token<'a>>, Vec<&'a str>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        match test_attribute(&tokens[at..]) {
            Some(len) => {
                let end = item_end(tokens, at + len);
                modules.extend(module_of(&tokens[at + len..end]));
                at = end;
            }
            None => {
                kept.push(tokens[at]);
                at += 1;
            }
        }
    }
    (kept, modules)
}

/// The name, or the file, of `mod name;` with its attributes.
fn module_of<'a>(item: &[Token<'a>]) -> Option<&'a str> {
    item.last().filter(|last| last.is(";"))?;
    let after = |word: &str, skip: usize| {
        let at = item.iter().position(|token| token.is(word))?;
        item.get(at + skip).map(|token| token.text)
    };
    let name = after("mod", 1)?;
    Some(after("path", 2).map_or(name, |file| file.trim_matches('"')))
}

/// The length of `#[cfg(test)]` and the like, where tokens begin with one.
fn test_attribute(tokens: &[Token<'_>]) -> Option<usize> {
    let begins = ["#", "[", "cfg", "("].iter().zip(tokens).all(|(text, token)| token.is(text));
    if !begins || tokens.len() < 5 {
        return None;
    }
    let end = tokens.iter().position(|token| token.is("]"))?;
    let inside = &tokens[4..end];
    let has = |word: &str| inside.iter().any(|token| token.is(word));
    ((has("test") || has("doctest")) && !has("not") && !has("any")).then_some(end + 1)
}

/// Where the item ends that begins at `at`: after its `;`, or after its braces.
fn item_end(tokens: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        if token.kind != Kind::Mark {
            continue;
        }
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_are_left_out_and_literals_are_one_token() {
        assert_eq!(texts("a // b\n/* c /* d */ e */ f"), ["a", "f"]);
        assert_eq!(texts(r##"x("use \" y", r#"mod " z"#, b'\'', 'a', '\u{1}')"##).len(), 12);
        assert_eq!(
            texts("fn f<'a>(x: &'a str)"),
            ["fn", "f", "<", "'a", ">", "(", "x", ":", "&", "'a", "str", ")"]
        );
        assert_eq!(
            texts("0..=5 1.5e3 a..b x<=y"),
            ["0", "..=", "5", "1.5e3", "a", "..", "b", "x", "<=", "y"]
        );
        assert_eq!(texts("b\"unsafe\" br\"x\" bits"), ["b\"unsafe\"", "br\"x\"", "bits"]);
    }

    #[test]
    fn lines_are_counted_through_literals_and_comments() {
        let lines: Vec<usize> = tokens("a\n\"x\ny\" /*\n*/ b\n").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 4]);
    }

    #[test]
    fn what_only_tests_have_is_left_out() {
        let text = "use a; #[cfg(test)] mod t; #[cfg(test)] #[path = \"x\"] mod u; #[cfg(test)] mod v { fn f() {} } \
                    #[cfg(not(test))] use b; #[cfg(all(test, unix))] fn g() {} c";
        let (kept, modules) = {
            let all = tokens(text);
            without_tests(&all)
        };
        let kept: Vec<&str> = kept.iter().filter(|token| token.is_word()).map(|token| token.text).collect();
        assert_eq!(kept, ["use", "a", "cfg", "not", "test", "use", "b", "c"]);
        assert_eq!(modules, ["t", "x"]);
    }

    #[test]
    fn text_that_ends_too_early_does_not_panic() {
        for text in ["\"a", "'", "'\\", "r#\"a", "/* a", "b'", "#[cfg(test)]", "#[cfg(", "é'é", "1."] {
            let all = tokens(text);
            let _ = without_tests(&all);
        }
    }
}
