//! Arguments in Go syntax: text to a value, by the type of the parameter.
//!
//! What Go accepts as an expression of constants and composite literals is accepted here, and a little more:
//!
//! - numbers in all bases, runes, `1+2i`; `Inf`, `NaN`, `math.Inf(-1)`, `math.NaN()`; `true`, `nil`
//! - strings with all escapes, and raw strings; for a `string` parameter, text that begins with neither
//!   quote nor backquote is the string itself, because shells take quotes away
//! - `[]int{1, 2}`, `[3]byte{2: 1}`, `map[string]int{"a": 1}`, `main.Point{X: 1}`, `Point{1, 2}`, and `{1, 2}`
//!   alone, since the type is known; `[]byte("text")`, and `"text"` alone where bytes are wanted
//! - `&main.Point{1, 2}`, `&5`, `new(int)`, `make([]int, 9)`; `(*main.Point)(0xc000010000)`
//! - `uint8(5)`; in an interface the type comes from the value: `5` is an `int`, `any(uint8(5))` a `uint8`
//! - package variables (`main.config`, `&main.cache`) and functions (`main.less`) by name
//!
//! ```
//! use goemu::go::{guest::{TypeError, Types}, literal::parse_value, value::Value};
//! use goemu_loader::{Kind, Type, TypeRef};
//! # use std::sync::Arc;
//! # struct NoTypes;
//! # impl Types for NoTypes {
//! #     fn resolve(&self, _: &TypeRef) -> Result<Arc<Type>, TypeError> { Err(TypeError("none".into())) }
//! # }
//! let uint8 = Type { name: "uint8".into(), size: 1, align: 1, kind: Kind::Uint, rtype: None };
//! assert_eq!(parse_value("0x_ff", &uint8, &NoTypes), Ok(Value::Uint(255)));
//! let error = parse_value("300", &uint8, &NoTypes).unwrap_err();
//! assert_eq!(error.to_string(), "column 1: 300 overflows uint8");
//! ```

use goemu_loader::{Kind, Type};

use crate::go::{
    guest::{TypeError, Types},
    value::Value,
    write::Problem,
};

mod captures;
mod composite;
mod constant;
mod dynamic;
mod number;
mod text;
mod token;
mod type_name;

pub(crate) use captures::{CaptureType, Given, parse_captures};
use token::{Lexer, Token};
use type_name::TypeName;

/// Values inside values.
const MAX_DEPTH: usize = 100;
/// Elements of all lists of a value, those included that `make` and indexes ask for without writing them.
const MAX_ELEMS: u64 = 1 << 24;

/// A text that is not a value of the type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {flaw}")]
pub struct LiteralError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub flaw: LiteralProblem,
}

/// What is wrong with a literal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiteralProblem {
    /// Something else than what must stand here.
    #[error("{wanted} is wanted here, not {found}")]
    Expected {
        /// What may stand here.
        wanted: String,
        /// What does.
        found: String,
    },
    /// A character that no token begins with.
    #[error("{0:?} cannot stand here")]
    Character(char),
    /// No closing quote.
    #[error("the closing quote is missing")]
    Unterminated,
    /// An escape that Go does not have.
    #[error("unknown escape")]
    Escape,
    /// Not one character in single quotes.
    #[error("a rune is one character in single quotes")]
    Rune,
    /// Not a number.
    #[error("{0} is not a number")]
    Number(String),
    /// A fraction where an integer is wanted.
    #[error("{value} is not an integer, and {ty} is wanted")]
    Fraction {
        /// The number.
        value: String,
        /// The type.
        ty: String,
    },
    /// A value of one type where another is wanted.
    #[error("a {given} is given, and {wanted} is wanted")]
    Mismatch {
        /// The type written.
        given: String,
        /// The type of the parameter.
        wanted: String,
    },
    /// A type that the binary does not know.
    #[error("the binary has no type {0}")]
    NoType(String),
    /// Neither a constant nor a variable or function of the binary.
    #[error("the binary has no {kind} {name}")]
    NoName {
        /// What it should be.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A channel that does not exist yet.
    #[error("channels cannot be made here: nil, or a variable of the program that has one")]
    Channel,
    /// A field given twice.
    #[error("{0} is given twice")]
    Twice(String),
    /// A variable as an element of a list of bytes, or the like.
    #[error("a constant is wanted here")]
    NotConstant,
    /// A value whose type nothing tells.
    #[error("the type of this is not known: write it as a conversion, T(value)")]
    NoOwnType,
    /// More elements than one may ask for, in all lists together.
    #[error("more than {MAX_ELEMS} elements")]
    TooMany,
    /// Nested too deeply.
    #[error("the value is nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// A value that the type cannot hold.
    #[error(transparent)]
    Value(#[from] Problem),
    /// A part of the type is not known.
    #[error(transparent)]
    Type(#[from] TypeError),
}

/// The value of type `ty` that `text` is.
///
/// # Errors
/// When it is none; the error says where.
pub fn parse_value(text: &str, ty: &Type, types: &dyn Types) -> Result<Value, LiteralError> {
    let bare = text.trim_start();
    if ty.kind == Kind::String && !bare.starts_with(['"', '`']) {
        return Ok(Value::from(text));
    }
    with_parser(text, types, |parser| parser.whole(ty))
}

/// The bytes of a string literal with its quotes; `None` where the text is something else.
#[must_use]
pub fn quoted(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let (bytes, len) = text.starts_with(['"', '`']).then(|| text::string(text).ok()).flatten()?;
    (len == text.len()).then_some(bytes)
}

/// Values between commas, but for commas in quotes and brackets.
#[must_use]
pub fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut quote, mut escaped) = (Vec::new(), 0, 0_usize, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !text.trim().is_empty() || !parts.is_empty() {
        parts.push(&text[from..]);
    }
    parts
}

fn with_parser<T>(
    text: &str,
    types: &dyn Types,
    parse: impl FnOnce(&mut Parser<'_>) -> Parsed<T>,
) -> Result<T, LiteralError> {
    let mut parser = Parser { lexer: Lexer::new(text), peeked: None, types, depth: 0, elems: 0 };
    parse(&mut parser).map_err(|fail| {
        let before = text.get(..fail.at).unwrap_or(text);
        LiteralError { column: before.chars().count() + 1, flaw: fail.flaw }
    })
}

/// What is wrong, and where in bytes.
#[derive(Debug)]
struct Fail {
    at: usize,
    flaw: LiteralProblem,
}

impl Fail {
    /// The same, in a text that begins `by` bytes later.
    fn shift(mut self, by: usize) -> Fail {
        self.at += by;
        self
    }
}

type Parsed<T> = Result<T, Fail>;

struct Parser<'a> {
    /// Where the next token begins.
    lexer: Lexer<'a>,
    /// The next token and what follows it, if it has been looked at.
    peeked: Option<(Token<'a>, Lexer<'a>)>,
    types: &'a dyn Types,
    depth: usize,
    /// Elements of lists so far.
    elems: u64,
}

/// The type that a literal begins with, and what it makes of it.
enum Head {
    /// `T{`
    Composite(TypeName),
    /// `T(` or `(T)(`
    Conversion(TypeName),
    /// No type.
    None,
}

impl<'a> Parser<'a> {
    fn whole(&mut self, ty: &Type) -> Parsed<Value> {
        let value = self.value(ty)?;
        match self.peek()? {
            Token::End => Ok(value),
            _ => Err(self.unexpected("the end")),
        }
    }

    /// A value of this type.
    fn value(&mut self, ty: &Type) -> Parsed<Value> {
        self.nested(|parser| match &ty.kind {
            Kind::Interface { .. } => parser.dynamic(ty),
            _ => parser.typed(ty),
        })
    }

    /// One level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fail(LiteralProblem::TooDeep));
        }
        let value = parse(self);
        self.depth -= 1;
        value
    }

    fn typed(&mut self, ty: &Type) -> Parsed<Value> {
        // The names of functions may look like nothing else: main.(*T).Method, main.Map[...].
        if matches!(ty.kind, Kind::Func(_))
            && !matches!(self.peek()?, Token::Name("func") | Token::Punct('('))
        {
            return self.function(ty);
        }
        match self.head()? {
            Head::Composite(name) => {
                self.must_be(&name, ty)?;
                self.composite(ty)
            }
            Head::Conversion(name) => self.conversion(&name, ty),
            Head::None => self.plain(ty),
        }
    }

    /// A value that does not begin with a type.
    fn plain(&mut self, ty: &Type) -> Parsed<Value> {
        match &ty.kind {
            Kind::Bool | Kind::Int | Kind::Uint | Kind::Uintptr | Kind::Float | Kind::Complex => {
                self.basic(ty)
            }
            Kind::String => self.string(ty),
            Kind::Slice(_) | Kind::Array { .. } | Kind::Map { .. } | Kind::Struct(_) => self.composite(ty),
            Kind::Pointer(elem) => self.pointer(ty, elem),
            Kind::Func(_) => self.function(ty),
            Kind::UnsafePointer | Kind::Chan { .. } | Kind::Interface { .. } => self.nil_or_variable(ty),
        }
    }

    /// `T(value)`, or a call of one of the few functions that there are.
    fn conversion(&mut self, name: &TypeName, ty: &Type) -> Parsed<Value> {
        match name.text.as_str() {
            "make" | "new" => self.allocation(name, ty),
            "math.Inf" | "math.NaN" | "complex" => self.basic(ty),
            _ => {
                self.must_be(name, ty)?;
                self.type_and_paren()?;
                let value = self.operand(ty)?;
                self.expect(')')?;
                Ok(value)
            }
        }
    }

    /// What stands in the parentheses of a conversion: also the address of what is printed as one.
    fn operand(&mut self, ty: &Type) -> Parsed<Value> {
        if let Token::Number(_) = self.peek()?
            && let Some(value) = self.address(ty)?
        {
            return Ok(value);
        }
        self.value(ty)
    }

    /// Looks at what the literal begins with. A composite's type is passed over; a conversion is not.
    fn head(&mut self) -> Parsed<Head> {
        let before = self.lexer;
        let parenthesis = *self.peek()? == Token::Punct('(');
        if parenthesis {
            self.next()?;
        }
        let name = match self.type_name() {
            Ok(Some(name)) => name,
            // After a parenthesis anything may follow; else what looks like a type must be one.
            Ok(None) => return Ok(self.back(before)),
            Err(_) if parenthesis => return Ok(self.back(before)),
            Err(fail) => return Err(fail),
        };
        if parenthesis && !self.accept(')')? {
            return Ok(self.back(before));
        }
        match self.peek()? {
            Token::Punct('{') if !parenthesis => Ok(Head::Composite(name)),
            Token::Punct('(') => {
                self.restore(before);
                Ok(Head::Conversion(name))
            }
            _ => Ok(self.back(before)),
        }
    }

    fn back(&mut self, to: Lexer<'a>) -> Head {
        self.restore(to);
        Head::None
    }

    /// Passes over the type of a conversion, which `head` has seen, and its parenthesis.
    fn type_and_paren(&mut self) -> Parsed<()> {
        let parenthesis = self.accept('(')?;
        self.type_name()?;
        if parenthesis {
            self.expect(')')?;
        }
        self.expect('(')
    }

    // Tokens.

    fn peek(&mut self) -> Parsed<&Token<'a>> {
        if self.peeked.is_none() {
            let mut after = self.lexer;
            let token = after.next()?;
            self.peeked = Some((token, after));
        }
        Ok(self.peeked.as_ref().map_or(&Token::End, |(token, _)| token))
    }

    fn next(&mut self) -> Parsed<Token<'a>> {
        self.peek()?;
        let Some((token, after)) = self.peeked.take() else { return Ok(Token::End) };
        self.lexer = after;
        Ok(token)
    }

    /// Whether this character is next; it is passed over then.
    fn accept(&mut self, c: char) -> Parsed<bool> {
        let is_next = *self.peek()? == Token::Punct(c);
        if is_next {
            self.next()?;
        }
        Ok(is_next)
    }

    fn expect(&mut self, c: char) -> Parsed<()> {
        if self.accept(c)? { Ok(()) } else { Err(self.unexpected(&format!("'{c}'"))) }
    }

    fn restore(&mut self, to: Lexer<'a>) {
        self.lexer = to;
        self.peeked = None;
    }

    /// Where the next token begins.
    fn start(&mut self) -> usize {
        self.lexer.skip_space()
    }

    fn fail(&mut self, flaw: impl Into<LiteralProblem>) -> Fail {
        Fail { at: self.start(), flaw: flaw.into() }
    }

    fn unexpected(&mut self, wanted: &str) -> Fail {
        let found = self.peek().map_or_else(|_| "something else".to_owned(), Token::describe);
        self.fail(LiteralProblem::Expected { wanted: wanted.to_owned(), found })
    }
}

#[cfg(test)]
#[path = "literal_tests.rs"]
mod tests;
