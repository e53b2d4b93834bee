//! Tokens to types. The grammar is that of the Go specification's sections on types and functions.

use std::sync::Arc;

use crate::{ChanDir, Kind, Param, Signature, Type};

use super::{
    Resolve, SigError,
    compose::{self, Member},
    lexer::{self, Lexeme, Token},
};

/// No hand writes deeper types.
const MAX_DEPTH: usize = 64;

pub(super) struct Parser<'t, 'r> {
    lexemes: Vec<Lexeme<'t>>,
    at: usize,
    depth: usize,
    resolve: Resolve<'r>,
}

/// One entry of a parameter list, before it is known whether the list has names.
enum Entry<'t> {
    /// A name alone: of a parameter whose type follows, or of a type.
    Bare(&'t str, usize),
    /// A type that is no name.
    Type(Arc<Type>, usize),
    /// A name and its type.
    Named(&'t str, Arc<Type>),
}

/// A list of parameters, and whether the last one is `...T`.
struct List {
    params: Vec<Param>,
    variadic: Option<usize>,
}

impl<'t, 'r> Parser<'t, 'r> {
    pub(super) fn new(text: &'t str, resolve: Resolve<'r>) -> Result<Self, SigError> {
        Ok(Self { lexemes: lexer::lex(text)?, at: 0, depth: 0, resolve })
    }

    /// `func (r T) Name(params) results`, receiver and name optional.
    pub(super) fn signature(&mut self) -> Result<Signature, SigError> {
        self.keyword("func")?;
        if matches!(self.peek(), Token::Name(_)) {
            self.next();
            return self.params_and_results();
        }
        let column = self.column();
        let is_method = self.receiver_ahead();
        if !is_method {
            return self.params_and_results();
        }
        let receiver = self.list()?;
        if receiver.params.len() != 1 || receiver.variadic.is_some() {
            return Err(SigError::Expected {
                expected: "one receiver",
                column,
                found: "another list".to_owned(),
            });
        }
        self.next();
        let mut signature = self.params_and_results()?;
        signature.params.splice(0..0, receiver.params);
        Ok(signature)
    }

    /// Whether the list that starts here is followed by a method's name and parameters.
    fn receiver_ahead(&self) -> bool {
        let mut depth = 0usize;
        let ahead = self.lexemes.get(self.at..).unwrap_or_default();
        let close = ahead.iter().position(|lexeme| {
            match lexeme.token {
                Token::Sign("(") => depth += 1,
                Token::Sign(")") => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        });
        let mut after = ahead.iter().skip(close.unwrap_or(ahead.len())).skip(1).map(|lexeme| lexeme.token);
        let name = after.next();
        let is_name = matches!(name, Some(Token::Name(name)) if !is_keyword(name));
        is_name && after.next() == Some(Token::Sign("("))
    }

    fn params_and_results(&mut self) -> Result<Signature, SigError> {
        let List { params, variadic } = self.list()?;
        let results = match self.peek() {
            Token::Sign("(") => {
                let List { params, variadic } = self.list()?;
                if let Some(column) = variadic {
                    return Err(SigError::Variadic { column });
                }
                params
            }
            token if starts_type(token) => vec![Param { name: String::new(), ty: self.ty()? }],
            _ => Vec::new(),
        };
        Ok(Signature { params, results, variadic: variadic.is_some() })
    }

    fn list(&mut self) -> Result<List, SigError> {
        self.sign("(", "'('")?;
        let (mut entries, mut variadic) = (Vec::new(), None);
        while self.peek() != Token::Sign(")") {
            if let Some(column) = variadic {
                return Err(SigError::Variadic { column });
            }
            entries.push(self.entry(&mut variadic)?);
            if !self.take(",") {
                break;
            }
        }
        self.sign(")", "')'")?;
        Ok(List { params: self.names_and_types(entries)?, variadic })
    }

    fn entry(&mut self, variadic: &mut Option<usize>) -> Result<Entry<'t>, SigError> {
        let column = self.column();
        if let Token::Name(name) = self.peek()
            && is_identifier(name)
        {
            self.next();
            let typed = starts_type(self.peek()) || self.peek() == Token::Sign("...");
            return match typed {
                true => Ok(Entry::Named(name, self.maybe_variadic(variadic)?)),
                false => Ok(Entry::Bare(name, column)),
            };
        }
        Ok(Entry::Type(self.maybe_variadic(variadic)?, column))
    }

    fn maybe_variadic(&mut self, variadic: &mut Option<usize>) -> Result<Arc<Type>, SigError> {
        let column = self.column();
        if !self.take("...") {
            return self.ty();
        }
        *variadic = Some(column);
        Ok(compose::slice(self.ty()?))
    }

    /// Settles what bare names are: with one named parameter in the list, all are names.
    fn names_and_types(&self, entries: Vec<Entry<'t>>) -> Result<Vec<Param>, SigError> {
        let named = entries.iter().any(|entry| matches!(entry, Entry::Named(..)));
        let (mut params, mut following) = (Vec::new(), None);
        for entry in entries.into_iter().rev() {
            let (name, ty) = match entry {
                Entry::Named(name, ty) => (name, ty),
                Entry::Bare(name, column) if named => match &following {
                    Some(ty) => (name, Arc::clone(ty)),
                    None => return Err(SigError::Unnamed { column }),
                },
                Entry::Type(_, column) if named => return Err(SigError::Unnamed { column }),
                Entry::Type(ty, _) => ("", ty),
                Entry::Bare(name, column) => ("", self.named(name, column)?),
            };
            following = Some(ty.clone());
            params.push(Param { name: name.to_owned(), ty });
        }
        params.reverse();
        Ok(params)
    }

    pub(super) fn ty(&mut self) -> Result<Arc<Type>, SigError> {
        let column = self.column();
        if self.depth >= MAX_DEPTH {
            return Err(SigError::Depth { column });
        }
        self.depth += 1;
        let ty = self.ty_inside(column);
        self.depth -= 1;
        ty
    }

    fn ty_inside(&mut self, column: usize) -> Result<Arc<Type>, SigError> {
        let token = self.next();
        match token {
            Token::Sign("*") => Ok(compose::pointer(self.ty()?)),
            Token::Sign("[") => self.slice_or_array(column),
            Token::Sign("(") => {
                let ty = self.ty()?;
                self.sign(")", "')'")?;
                Ok(ty)
            }
            Token::Sign("<-") => {
                self.keyword("chan")?;
                Ok(compose::chan(self.ty()?, ChanDir::Recv))
            }
            Token::Name("chan") => {
                let dir = if self.take("<-") { ChanDir::Send } else { ChanDir::Both };
                Ok(compose::chan(self.ty()?, dir))
            }
            Token::Name("map") => self.map(),
            Token::Name("func") => Ok(compose::func(&self.params_and_results()?)),
            Token::Name("struct") => self.structure(column),
            Token::Name("interface") => self.interface(),
            Token::Name(name) => self.named(name, column),
            _ => Err(expected("a type", column, token)),
        }
    }

    fn slice_or_array(&mut self, column: usize) -> Result<Arc<Type>, SigError> {
        if self.take("]") {
            return Ok(compose::slice(self.ty()?));
        }
        let at = self.column();
        let token = self.next();
        let Token::Number(number) = token else { return Err(expected("']' or a length", at, token)) };
        self.sign("]", "']'")?;
        let elem = self.ty()?;
        let len = number.parse().map_err(|_| SigError::Size { column })?;
        compose::array(elem, len).ok_or(SigError::Size { column })
    }

    fn map(&mut self) -> Result<Arc<Type>, SigError> {
        self.sign("[", "'['")?;
        let key = self.ty()?;
        self.sign("]", "']'")?;
        Ok(compose::map(key, self.ty()?))
    }

    fn structure(&mut self, column: usize) -> Result<Arc<Type>, SigError> {
        self.sign("{", "'{'")?;
        let mut members = Vec::new();
        while self.peek() != Token::Sign("}") {
            self.members(&mut members)?;
            if !self.take(";") {
                break;
            }
        }
        self.sign("}", "'}'")?;
        compose::structure(members).ok_or(SigError::Size { column })
    }

    /// `a, b T "tag"`, or `T "tag"`, or `*T "tag"`.
    fn members(&mut self, members: &mut Vec<Member>) -> Result<(), SigError> {
        let embedded = match (self.peek(), self.peek_second()) {
            (Token::Name(name), second) => {
                is_keyword(name) || !(second == Token::Sign(",") || starts_type(second))
            }
            _ => true,
        };
        let mut names = Vec::new();
        if !embedded {
            names.push(self.field_name()?);
            while self.take(",") {
                names.push(self.field_name()?);
            }
        }
        let ty = self.ty()?;
        let tag = match self.peek() {
            Token::Text(tag) => {
                self.next();
                tag
            }
            _ => "",
        };
        if embedded {
            names.push(base_name(&ty.name));
        }
        for name in names {
            members.push(Member { name, ty: ty.clone(), embedded, tag: tag.to_owned() });
        }
        Ok(())
    }

    fn interface(&mut self) -> Result<Arc<Type>, SigError> {
        self.sign("{", "'{'")?;
        let (mut methods, mut empty) = (Vec::new(), true);
        while self.peek() != Token::Sign("}") {
            let column = self.column();
            if let (Token::Name(name), Token::Sign("(")) = (self.peek(), self.peek_second()) {
                self.next();
                let signature = self.params_and_results()?.unnamed().to_string();
                methods.push((name.to_owned(), signature.replacen("func", "", 1)));
                empty = false;
            } else {
                let ty = self.ty()?;
                let Kind::Interface { empty: none, .. } = ty.kind else {
                    return Err(SigError::Expected {
                        expected: "an interface",
                        column,
                        found: ty.name.clone(),
                    });
                };
                if !none {
                    methods.push((ty.name.clone(), String::new()));
                    empty = false;
                }
            }
            if !self.take(";") {
                break;
            }
        }
        self.sign("}", "'}'")?;
        Ok(compose::interface(methods, empty))
    }

    /// A type by name. One without a package is the program's own.
    fn named(&self, name: &str, column: usize) -> Result<Arc<Type>, SigError> {
        let in_main = || (self.resolve)(&format!("main.{name}")).filter(|_| !name.contains('.'));
        compose::predeclared(name)
            .or_else(|| (self.resolve)(name))
            .or_else(in_main)
            .ok_or_else(|| SigError::UnknownType { name: name.to_owned(), column })
    }

    /// The compiler puts the package in front of names that are not exported.
    fn field_name(&mut self) -> Result<String, SigError> {
        let column = self.column();
        match self.next() {
            Token::Name(name) if !is_keyword(name) => Ok(base_name(name)),
            token => Err(expected("a name", column, token)),
        }
    }

    fn keyword(&mut self, word: &'static str) -> Result<(), SigError> {
        let column = self.column();
        match self.next() {
            Token::Name(name) if name == word => Ok(()),
            token => Err(expected(word, column, token)),
        }
    }

    fn sign(&mut self, sign: &str, shown: &'static str) -> Result<(), SigError> {
        if self.take(sign) { Ok(()) } else { Err(expected(shown, self.column(), self.peek())) }
    }

    pub(super) fn end(&mut self) -> Result<(), SigError> {
        match self.peek() {
            Token::End => Ok(()),
            token => Err(expected("the end", self.column(), token)),
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(s) if s == sign);
        if found {
            self.next();
        }
        found
    }

    fn next(&mut self) -> Token<'t> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn peek(&self) -> Token<'t> {
        self.lexemes.get(self.at).map_or(Token::End, |lexeme| lexeme.token)
    }

    fn peek_second(&self) -> Token<'t> {
        self.lexemes.get(self.at + 1).map_or(Token::End, |lexeme| lexeme.token)
    }

    fn column(&self) -> usize {
        self.lexemes.get(self.at).or(self.lexemes.last()).map_or(1, |lexeme| lexeme.column)
    }
}

fn expected(expected: &'static str, column: usize, token: Token<'_>) -> SigError {
    let found = match token {
        Token::Name(text) | Token::Number(text) | Token::Text(text) => text.to_owned(),
        Token::Sign(sign) => format!("'{sign}'"),
        Token::End => "the end".to_owned(),
    };
    SigError::Expected { expected, column, found }
}

fn starts_type(token: Token<'_>) -> bool {
    matches!(token, Token::Name(_) | Token::Sign("*" | "[" | "(" | "<-"))
}

fn is_keyword(name: &str) -> bool {
    matches!(name, "func" | "map" | "chan" | "struct" | "interface")
}

/// Whether this can be the name of a parameter or field. `.dict` is what the compiler calls dictionaries.
fn is_identifier(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (plain && !is_keyword(name)) || name == ".dict"
}

/// A name without pointer, package and type arguments: what a field that embeds this type is called.
fn base_name(name: &str) -> String {
    let name = name.trim_start_matches('*');
    let name = name.split_once('[').map_or(name, |(name, _)| name);
    name.rsplit_once('.').map_or(name, |(_, base)| base).to_owned()
}
