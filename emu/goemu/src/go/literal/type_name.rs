//! Types in Go syntax, as names: what a literal calls its type, and whether that is the type wanted.

use std::sync::Arc;

use goemu_loader::{Kind, Type, TypeRef};

use super::{Fail, Lexer, LiteralProblem, Parsed, Parser, Token};

/// A type as written, in the spelling of Go's own tools: `[]uint8`, `map[string]interface {}`.
#[derive(Clone, Debug)]
pub(super) struct TypeName {
    pub(super) text: String,
    pub(super) at: usize,
}

/// Names that are values, and words that begin no type.
const VALUES: [&str; 9] = ["nil", "true", "false", "Inf", "inf", "NaN", "nan", "Infi", "NaNi"];

impl Parser<'_> {
    /// The type that begins here; nothing if no type can begin like this.
    pub(super) fn type_name(&mut self) -> Parsed<Option<TypeName>> {
        let at = self.start();
        let text = match self.peek()? {
            Token::Name(name) if VALUES.contains(name) => None,
            Token::Name(_) | Token::Punct('[' | '*' | '<') => Some(self.nested(Parser::type_text)?),
            _ => None,
        };
        Ok(text.map(|text| TypeName { text, at }))
    }

    /// An error unless a value of the type of this name may be a `ty`: it is that type, or what that is
    /// declared to be. Packages may be left out.
    pub(super) fn must_be(&self, name: &TypeName, ty: &Type) -> Parsed<()> {
        if same(&name.text, &ty.name) || self.underlying(ty).is_some_and(|under| same(&name.text, &under)) {
            return Ok(());
        }
        let flaw = LiteralProblem::Mismatch { given: name.text.clone(), wanted: ty.name.clone() };
        Err(Fail { at: name.at, flaw })
    }

    /// The name of a list, map or pointer type without the name that it was declared by.
    fn underlying(&self, ty: &Type) -> Option<String> {
        let name = |t: &TypeRef| self.types.resolve(t).ok().map(|t| t.name.clone());
        Some(match &ty.kind {
            Kind::Slice(elem) => format!("[]{}", name(elem)?),
            Kind::Pointer(elem) => format!("*{}", name(elem)?),
            Kind::Array { elem, len } => format!("[{len}]{}", elem.name),
            Kind::Map { key, elem } => format!("map[{}]{}", name(key)?, name(elem)?),
            _ => return None,
        })
    }

    /// The type of this name, from the binary.
    pub(super) fn named(&mut self, name: &TypeName) -> Parsed<Arc<Type>> {
        let unknown = || Fail { at: name.at, flaw: LiteralProblem::NoType(name.text.clone()) };
        self.types.named(&name.text).ok_or_else(unknown)
    }

    fn type_text(&mut self) -> Parsed<String> {
        let prefix = match self.next()? {
            Token::Punct('*') => "*".to_owned(),
            Token::Punct('[') => self.length()?,
            Token::Punct('<') => {
                self.expect('-')?;
                self.keyword("chan")?;
                "<-chan ".to_owned()
            }
            Token::Name("chan") if self.accept('<')? => {
                self.expect('-')?;
                "chan<- ".to_owned()
            }
            Token::Name("chan") => "chan ".to_owned(),
            Token::Name("map") => {
                self.expect('[')?;
                let key = self.nested(Parser::type_text)?;
                self.expect(']')?;
                format!("map[{key}]")
            }
            Token::Name(word @ ("struct" | "interface")) => return self.braces(word),
            Token::Name("func") => return self.func_text(),
            Token::Name(name) => return self.qualified(name),
            _ => return Err(self.unexpected("a type")),
        };
        Ok(prefix + &self.nested(Parser::type_text)?)
    }

    /// After `[`: `]`, `3]` or `...]`.
    fn length(&mut self) -> Parsed<String> {
        let prefix = match self.peek()? {
            Token::Number(n) => format!("[{n}]"),
            Token::Ellipsis => "[...]".to_owned(),
            _ => {
                self.expect(']')?;
                return Ok("[]".to_owned());
            }
        };
        self.next()?;
        self.expect(']')?;
        Ok(prefix)
    }

    fn keyword(&mut self, word: &str) -> Parsed<()> {
        if *self.peek()? != Token::Name(word) {
            return Err(self.unexpected(word));
        }
        self.next().map(|_| ())
    }

    /// `interface {}` or `struct { X int; Y, Z string }`, or an interface with methods, as it is written.
    fn braces(&mut self, word: &str) -> Parsed<String> {
        self.expect('{')?;
        let mut parts = Vec::new();
        while *self.peek()? != Token::Punct('}') {
            let mut names = Vec::new();
            loop {
                match self.next()? {
                    Token::Name(name) => names.push(name.to_owned()),
                    _ => return Err(self.unexpected("a name")),
                }
                if !self.accept(',')? {
                    break;
                }
            }
            if word == "interface" {
                parts.push(names.concat() + &self.parameters()?);
            } else {
                let ty = self.nested(Parser::type_text)?;
                parts.extend(names.iter().map(|name| format!("{name} {ty}")));
            }
            if !self.accept(';')? {
                break;
            }
        }
        self.expect('}')?;
        Ok(if parts.is_empty() {
            format!("{word} {{}}")
        } else {
            format!("{word} {{ {} }}", parts.join("; "))
        })
    }

    fn func_text(&mut self) -> Parsed<String> {
        Ok(format!("func{}", self.parameters()?))
    }

    /// `(int, string) error`, without names.
    fn parameters(&mut self) -> Parsed<String> {
        self.expect('(')?;
        let params = self.type_list()?;
        let operand = self.operand_follows()?;
        let results = match self.peek()? {
            Token::Punct('(') if operand => String::new(),
            Token::Punct('(') => {
                self.next()?;
                format!(" ({})", self.type_list()?)
            }
            Token::Name(_) | Token::Punct('*' | '[' | '<') => format!(" {}", self.nested(Parser::type_text)?),
            _ => String::new(),
        };
        Ok(format!("({params}){results}"))
    }

    /// Whether what is next is not the parenthesis of results, but of a conversion: `[]func()(nil)`, as Go
    /// prints it.
    fn operand_follows(&mut self) -> Parsed<bool> {
        let before = self.lexer;
        self.next()?;
        let operand = matches!(self.peek()?, Token::Number(_) | Token::Name("nil"));
        self.restore(before);
        Ok(operand)
    }

    fn type_list(&mut self) -> Parsed<String> {
        let mut types = Vec::new();
        while !self.accept(')')? {
            if !types.is_empty() {
                self.expect(',')?;
            }
            let variadic = *self.peek()? == Token::Ellipsis;
            if variadic {
                self.next()?;
            }
            let ty = self.nested(Parser::type_text)?;
            types.push(if variadic { format!("...{ty}") } else { ty });
        }
        Ok(types.join(", "))
    }

    /// A name with its package, and the type arguments of a generic one.
    fn qualified(&mut self, first: &str) -> Parsed<String> {
        let mut name = first.to_owned();
        while self.accept('.')? {
            match self.next()? {
                Token::Name(part) => name = format!("{name}.{part}"),
                _ => return Err(self.unexpected("a name")),
            }
        }
        if *self.peek()? == Token::Punct('[') {
            name += &self.type_arguments()?;
        }
        Ok(match name.as_str() {
            "byte" => "uint8".to_owned(),
            "rune" => "int32".to_owned(),
            "any" => "interface {}".to_owned(),
            _ => name,
        })
    }

    /// `[int,string]`; Go's own names have no space there.
    fn type_arguments(&mut self) -> Parsed<String> {
        self.expect('[')?;
        let mut types = Vec::new();
        while !self.accept(']')? {
            if !types.is_empty() {
                self.expect(',')?;
            }
            types.push(self.nested(Parser::type_text)?);
        }
        Ok(format!("[{}]", types.join(",")))
    }
}

/// Whether two names mean one type: equal, but for packages that the first leaves out, and the length of an
/// array that it leaves to be counted.
pub(super) fn same(given: &str, wanted: &str) -> bool {
    let (mut given, mut wanted) = (words(given), words(wanted));
    loop {
        match (given.next(), wanted.next()) {
            (None, None) => return true,
            (Some("..."), Some(w)) if w.starts_with(|c: char| c.is_ascii_digit()) => {}
            (Some(g), Some(w)) if g == w || w.strip_suffix(g).is_some_and(|p| p.ends_with(['.', '/'])) => {}
            // Descriptors of types do not have the folders of a package's path.
            (Some(g), Some(w)) if w.contains('.') && g.strip_suffix(w).is_some_and(|p| p.ends_with('/')) => {}
            _ => return false,
        }
    }
}

/// The names and signs of a type. A package's path is part of the name.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let in_name = |c: char| c.is_alphanumeric() || "._/-%~".contains(c);
        let end =
            if in_name(first) { rest.find(|c| !in_name(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

impl<'a> Parser<'a> {
    /// The name with its package that begins here, and what follows it; only looked at.
    pub(super) fn path(&mut self) -> Parsed<Option<(String, Lexer<'a>)>> {
        let before = self.lexer;
        let Token::Name(first) = *self.peek()? else { return Ok(None) };
        self.next()?;
        let mut path = first.to_owned();
        while self.accept('.')? {
            match self.next()? {
                Token::Name(part) => path = format!("{path}.{part}"),
                _ => return Err(self.unexpected("a name")),
            }
        }
        let after = self.lexer;
        self.restore(before);
        Ok(Some((path, after)))
    }
}
