//! Text to tokens.

use super::SigError;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A keyword, a name, or a type's full name: `func`, `a`, `encoding/json.Token`, `main.Pair[int,string]`.
    Name(&'t str),
    /// A whole number.
    Number(&'t str),
    /// A quoted or backquoted string, as written.
    Text(&'t str),
    /// Anything else: `(`, `...`, `<-`.
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// A token and its column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexeme<'t> {
    pub(super) token: Token<'t>,
    pub(super) column: usize,
}

const SIGNS: [&str; 11] = ["...", "<-", "(", ")", "[", "]", "{", "}", "*", ",", ";"];

pub(super) fn lex(text: &str) -> Result<Vec<Lexeme<'_>>, SigError> {
    let mut lexemes = Vec::new();
    let (mut rest, mut column) = (text, 1);
    loop {
        let trimmed = rest.trim_start();
        column += taken(rest, trimmed).chars().count();
        let (token, after) = next(trimmed, column)?;
        lexemes.push(Lexeme { token, column });
        if token == Token::End {
            return Ok(lexemes);
        }
        column += taken(trimmed, after).chars().count();
        rest = after;
    }
}

/// What `text` has in front of its end `rest`.
fn taken<'t>(text: &'t str, rest: &str) -> &'t str {
    text.get(..text.len() - rest.len()).unwrap_or_default()
}

/// The token that `text` starts with, and what follows it.
fn next(text: &str, column: usize) -> Result<(Token<'_>, &str), SigError> {
    let Some(first) = text.chars().next() else { return Ok((Token::End, "")) };
    if let Some(sign) = SIGNS.into_iter().find(|sign| text.starts_with(sign)) {
        return Ok((Token::Sign(sign), text.get(sign.len()..).unwrap_or_default()));
    }
    let (token, len): (fn(_) -> _, _) = match first {
        '"' | '`' => (Token::Text, text_len(text, first)),
        c if c.is_ascii_digit() => (Token::Number, number_len(text)),
        c if c.is_alphabetic() || matches!(c, '_' | '.') => (Token::Name, name_len(text)),
        _ => (Token::Name, None),
    };
    match len.filter(|&len| len > 0).and_then(|len| text.split_at_checked(len)) {
        Some((taken, after)) => Ok((token(taken), after)),
        None => Err(SigError::Expected { expected: "a type or a name", column, found: format!("'{first}'") }),
    }
}

fn number_len(text: &str) -> Option<usize> {
    Some(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The length of a string with its quotes; `None` if it does not end.
fn text_len(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The length of a name. Paths of packages have more characters than Go's identifiers; the type arguments of
/// an instance follow its name at once, as the compiler writes it.
fn name_len(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some(&(at, c)) = chars.peek() {
        let rest = text.get(at..)?;
        match c {
            '[' if at > 0 && text.get(..at) != Some("map") => return Some(at + arguments_len(rest)?),
            '.' if rest.starts_with("..") => return Some(at),
            c if c.is_alphanumeric() || "_./-%~@+·".contains(c) => {}
            _ => return Some(at),
        }
        chars.next();
    }
    Some(text.len())
}

/// The length of `[...]` with everything in it; `None` if it does not end.
fn arguments_len(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}
