//! Go's tokens, as far as values and types need them (Go specification, "Lexical elements").

use super::{Fail, LiteralProblem, text};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A name without its package: `main`, `Point`, `nil`; or a package's path, as far as its first dot behind the last
    /// slash: `encoding/json`.
    Name(&'a str),
    /// Any number, as written.
    Number(&'a str),
    /// A character in single quotes.
    Rune(char),
    /// A string, its escapes resolved. It need not be UTF-8.
    Str(Vec<u8>),
    /// One of `()[]{},:;.&*+-^<=`.
    Punct(char),
    /// `...`
    Ellipsis,
    /// The end of the text.
    End,
}

impl Token<'_> {
    /// How a message calls it.
    pub(super) fn describe(&self) -> String {
        match self {
            Token::Name(text) | Token::Number(text) => abridged(text),
            Token::Rune(_) => "a rune".to_owned(),
            Token::Str(_) => "a string".to_owned(),
            Token::Punct(c) => format!("'{c}'"),
            Token::Ellipsis => "'...'".to_owned(),
            Token::End => "the end".to_owned(),
        }
    }
}

/// A piece of a literal as messages show it.
pub(super) fn abridged(text: &str) -> String {
    const LONGEST: usize = 60;
    let shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() { shown + "..." } else { shown }
}

/// Reads tokens from a text. Copying it is how the parser looks ahead.
#[derive(Clone, Copy)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// Where the next token begins, in bytes, or the space before it.
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Where the next token begins.
    pub(super) fn skip_space(&mut self) -> usize {
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.at
    }

    /// The text from `start` to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, Fail> {
        let start = self.skip_space();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let (token, len) = match first {
            '"' | '`' => {
                let (bytes, len) = text::string(rest).map_err(|e| e.shift(start))?;
                (Token::Str(bytes), len)
            }
            '\'' => {
                let (rune, len) = text::rune(rest).map_err(|e| e.shift(start))?;
                (Token::Rune(rune), len)
            }
            _ if rest.starts_with("...") => (Token::Ellipsis, 3),
            '.' if !rest.get(1..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())) => {
                (Token::Punct('.'), 1)
            }
            '0'..='9' | '.' => {
                let number = number(rest);
                (Token::Number(number), number.len())
            }
            c if c.is_alphabetic() || c == '_' => {
                let folders = folders(rest);
                let last = rest.get(folders..).unwrap_or_default();
                let in_name = |c: char| c.is_alphanumeric() || c == '_' || folders > 0 && "-%~".contains(c);
                let end = folders + last.find(|c: char| !in_name(c)).unwrap_or(last.len());
                let (name, _) = rest.split_at(end);
                (Token::Name(name), end)
            }
            c if "()[]{},:;&*+-^<=".contains(c) => (Token::Punct(c), 1),
            c => return Err(Fail { at: start, flaw: LiteralProblem::Character(c) }),
        };
        self.at += len;
        Ok(token)
    }
}

/// How many bytes of the beginning are folders of a package's path: `encoding/` of `encoding/json.Token`.
fn folders(rest: &str) -> usize {
    let end = rest.find(|c: char| !(c.is_alphanumeric() || "_.-%~/".contains(c))).unwrap_or(rest.len());
    rest.get(..end).and_then(|path| path.rfind('/')).map_or(0, |slash| slash + 1)
}

/// The longest beginning that can be a number: whether it is one is decided when it is converted.
fn number(rest: &str) -> &str {
    let hex = rest.starts_with("0x") || rest.starts_with("0X");
    let mut previous = ' ';
    let end = rest.find(|c: char| {
        let exponent = if hex { "pP" } else { "eE" };
        let sign = (c == '+' || c == '-') && exponent.contains(previous);
        previous = c;
        !(c.is_ascii_alphanumeric() || c == '_' || c == '.' || sign)
    });
    rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest)
}
