//! Lists, structs, maps, pointers, functions: what is made of other values, or refers to them.

use std::{collections::HashSet, sync::Arc};

use goemu_loader::{Field, Kind, Type, TypeRef};

use super::{
    Fail, LiteralProblem, MAX_ELEMS, Parsed, Parser, Token,
    type_name::{TypeName, same},
};
use crate::go::{
    read::is_byte,
    value::{Bytes, Func, List, Map, Pointer, Struct, Value},
    write::{Problem, no_field},
};

impl Parser<'_> {
    /// `{...}` of this type, whose name has been passed over if there was one, or what else may stand for it.
    pub(super) fn composite(&mut self, ty: &Type) -> Parsed<Value> {
        if *self.peek()? == Token::Punct('{') {
            return match &ty.kind {
                Kind::Slice(elem) => {
                    let elem = self.resolve(elem)?;
                    self.list(ty, &elem, None)
                }
                Kind::Array { elem, len } => self.list(ty, elem, Some(*len)),
                Kind::Map { key, elem } => self.map(key, elem),
                Kind::Struct(fields) => self.structure(ty, fields),
                _ => Err(self.unexpected(&format!("a {ty}"))),
            };
        }
        if let Kind::Slice(elem) = &ty.kind
            && is_byte(&*self.resolve(elem)?)
            && let Some(bytes) = self.text()?
        {
            return Ok(Value::Bytes(Bytes { ty: None, bytes }));
        }
        match ty.kind {
            Kind::Slice(_) | Kind::Map { .. } => self.nil_or_variable(ty),
            _ => match self.variable(ty)? {
                Some(variable) => Ok(variable),
                None => Err(self.no_variable(ty)?),
            },
        }
    }

    fn resolve(&mut self, reference: &TypeRef) -> Parsed<Arc<Type>> {
        let types = self.types;
        types.resolve(reference).map_err(|error| self.fail(error))
    }

    /// The elements of a slice, or of an array of `len`.
    fn list(&mut self, ty: &Type, elem: &Type, len: Option<u64>) -> Parsed<Value> {
        let start = self.start();
        self.expect('{')?;
        let mut elems = Vec::new();
        // Elements with an index may leave others out, before and after.
        let mut next = 0;
        while !self.accept('}')? {
            if let Some(index) = self.index()? {
                next = index;
            }
            self.more(next.saturating_add(1).saturating_sub(elems.len() as u64))?;
            elems.resize(elems.len().max(next as usize + 1), None);
            let at = self.start();
            let value = self.value(elem)?;
            match elems.get_mut(next as usize) {
                Some(place @ None) => *place = Some((at, value)),
                _ => return Err(Fail { at, flaw: LiteralProblem::Twice(format!("element {next}")) }),
            }
            next += 1;
            self.comma('}')?;
        }
        if let Some(len) = len.filter(|len| (elems.len() as u64) > *len) {
            let problem = Problem::Count { what: ty.to_string(), want: len, got: elems.len() };
            return Err(Fail { at: start, flaw: problem.into() });
        }
        if is_byte(elem) {
            return bytes(elems).map(|bytes| Value::Bytes(Bytes { ty: None, bytes }));
        }
        let elems = elems.into_iter().map(|e| e.map_or_else(|| zero(elem), |(_, value)| value)).collect();
        Ok(Value::List(List { ty: None, elems }))
    }

    /// A list has so many elements more.
    fn more(&mut self, elems: u64) -> Parsed<()> {
        self.elems = self.elems.saturating_add(elems);
        if self.elems > MAX_ELEMS { Err(self.fail(LiteralProblem::TooMany)) } else { Ok(()) }
    }

    /// `7:` before an element.
    fn index(&mut self) -> Parsed<Option<u64>> {
        let before = self.lexer;
        if let Token::Number(text) = *self.peek()? {
            self.next()?;
            if self.accept(':')? {
                let index =
                    super::number::parse(text).and_then(|(n, _)| n.int()).and_then(|n| u64::try_from(n).ok());
                let flaw = || LiteralProblem::Number(text.to_owned());
                return index.map(Some).ok_or_else(|| self.fail(flaw()));
            }
        }
        self.restore(before);
        Ok(None)
    }

    /// A comma, unless the end follows.
    fn comma(&mut self, end: char) -> Parsed<()> {
        if *self.peek()? == Token::Punct(end) || self.accept(',')? {
            return Ok(());
        }
        Err(self.unexpected(&format!("',' or '{end}'")))
    }

    fn map(&mut self, key: &TypeRef, elem: &TypeRef) -> Parsed<Value> {
        let (key, elem) = (self.resolve(key)?, self.resolve(elem)?);
        self.expect('{')?;
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        while !self.accept('}')? {
            let at = self.start();
            let k = self.value(&key)?;
            // As Go's compiler does, for keys that are constants.
            if !seen.insert(k.to_string()) {
                return Err(Fail { at, flaw: LiteralProblem::Twice(k.to_string()) });
            }
            self.expect(':')?;
            entries.push((k, self.value(&elem)?));
            self.comma('}')?;
        }
        Ok(Value::Map(Map { ty: None, entries }))
    }

    fn structure(&mut self, ty: &Type, fields: &[Field]) -> Parsed<Value> {
        let start = self.start();
        self.expect('{')?;
        let mut given = Vec::new();
        let named = self.field_name()?.is_some();
        while !self.accept('}')? {
            let at = self.start();
            let field = if named {
                self.named_field(ty, fields)?
            } else {
                positional(ty, fields, given.len(), start)?
            };
            if named && field.name != "_" && given.iter().any(|(name, _)| *name == field.name) {
                return Err(Fail { at, flaw: LiteralProblem::Twice(format!("field {}", field.name)) });
            }
            given.push((field.name.clone(), self.value(&field.ty)?));
            self.comma('}')?;
        }
        if !named && !given.is_empty() && given.len() < fields.len() {
            return Err(Fail { at: start, flaw: count(ty, fields, given.len()).into() });
        }
        Ok(Value::Struct(Struct { ty: None, fields: given }))
    }

    /// The name before a colon that begins here; only looked at.
    fn field_name(&mut self) -> Parsed<Option<String>> {
        let before = self.lexer;
        let Token::Name(name) = *self.peek()? else { return Ok(None) };
        self.next()?;
        let is_field = self.accept(':')?;
        self.restore(before);
        Ok(is_field.then(|| name.to_owned()))
    }

    fn named_field<'f>(&mut self, ty: &Type, fields: &'f [Field]) -> Parsed<&'f Field> {
        let Some(name) = self.field_name()? else { return Err(self.unexpected("a field's name and ':'")) };
        let Some(field) = fields.iter().find(|f| f.name == name) else {
            return Err(self.fail(no_field(ty, &name, fields)));
        };
        self.next()?;
        self.expect(':')?;
        Ok(field)
    }

    pub(super) fn pointer(&mut self, ty: &Type, elem: &TypeRef) -> Parsed<Value> {
        // Inside a list or map the type of elements may be left out, with its &.
        if *self.peek()? == Token::Punct('{') {
            let elem = self.resolve(elem)?;
            return self.composite(&elem).map(Value::pointer_to);
        }
        if !self.accept('&')? {
            return self.nil_or_variable(ty);
        }
        let elem = self.resolve(elem)?;
        if let Some((addr, _)) = self.variable_named(&elem)? {
            return Ok(Value::Pointer(Pointer { ty: None, addr, pointee: None }));
        }
        self.value(&elem).map(Value::pointer_to)
    }

    /// What is left for types that have no literals of their own.
    pub(super) fn nil_or_variable(&mut self, ty: &Type) -> Parsed<Value> {
        if *self.peek()? == Token::Name("nil") {
            self.next()?;
            return Ok(Value::Nil(None));
        }
        match self.variable(ty)? {
            Some(variable) => Ok(variable),
            None => Err(self.no_variable(ty)?),
        }
    }

    /// What is wrong where a variable may stand and none is known.
    fn no_variable(&mut self, ty: &Type) -> Parsed<Fail> {
        let at = self.start();
        Ok(match self.path()? {
            Some((name, _)) if name.contains('.') => {
                Fail { at, flaw: LiteralProblem::NoName { kind: "debug information of a variable", name } }
            }
            _ => self.unexpected(&format!("a {ty}")),
        })
    }

    /// A number where an address is printed: `(*main.T)(0xc000010000)`.
    pub(super) fn address(&mut self, ty: &Type) -> Parsed<Option<Value>> {
        let at = |parser: &mut Self| match parser.number()? {
            Some(number) => match number.re.int().and_then(|n| u64::try_from(n).ok()) {
                Some(addr) => Ok(addr),
                None => Err(parser.unexpected("an address")),
            },
            None => Err(parser.unexpected("an address")),
        };
        Ok(Some(match ty.kind {
            Kind::Pointer(_) => Value::Pointer(Pointer { ty: None, addr: at(self)?, pointee: None }),
            Kind::UnsafePointer => Value::UnsafePointer(at(self)?),
            Kind::Chan { .. } => Value::Chan { ty: None, addr: at(self)? },
            Kind::Func(_) => Value::Func(Func { code: at(self)?, ..Func::default() }),
            _ => return Ok(None),
        }))
    }

    /// A function by name, which ends where the argument or element does.
    pub(super) fn function(&mut self, ty: &Type) -> Parsed<Value> {
        if *self.peek()? == Token::Name("nil") {
            return self.nil_or_variable(ty);
        }
        let (at, before) = (self.start(), self.lexer);
        self.pass_function_name()?;
        let name = self.lexer.since(at).trim().to_owned();
        if let Some(code) = self.types.func_named(&name) {
            return Ok(Value::Func(Func { code, name: Some(name), ..Func::default() }));
        }
        let after = self.lexer;
        self.restore(before);
        if let Some(variable) = self.variable(ty)? {
            return Ok(variable);
        }
        self.restore(after);
        Err(Fail { at, flaw: LiteralProblem::NoName { kind: "function", name } })
    }

    fn pass_function_name(&mut self) -> Parsed<()> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                Token::Punct('(' | '[' | '{') => open += 1,
                Token::Punct(')' | ']' | '}') if open > 0 => open -= 1,
                Token::Punct(')' | ']' | '}' | ',') if open == 0 => return Ok(()),
                Token::End => return Ok(()),
                _ => {}
            }
            self.next()?;
        }
    }

    /// The value of a package variable, if that is what stands here.
    pub(super) fn variable(&mut self, ty: &Type) -> Parsed<Option<Value>> {
        let found = self.variable_named(ty)?;
        Ok(found.map(|(addr, name)| Value::Variable { name, addr }))
    }

    /// Address and name of a package variable of this type, passed over if it stands here.
    fn variable_named(&mut self, ty: &Type) -> Parsed<Option<(u64, String)>> {
        let at = self.start();
        let Some((name, after)) = self.path()? else { return Ok(None) };
        let Some((addr, of)) = self.types.variable(&name) else { return Ok(None) };
        if let Some(of) = of.filter(|of| !same(&of.name, &ty.name)) {
            let flaw = LiteralProblem::Mismatch { given: of.name.clone(), wanted: ty.name.clone() };
            return Err(Fail { at, flaw });
        }
        self.restore(after);
        Ok(Some((addr, name)))
    }

    /// `make([]int, 3)`, `make(map[string]int)`, `new(int)`; the name has been seen, not passed over.
    pub(super) fn allocation(&mut self, call: &TypeName, ty: &Type) -> Parsed<Value> {
        self.next()?;
        self.expect('(')?;
        let Some(name) = self.type_name()? else { return Err(self.unexpected("a type")) };
        let value = match &ty.kind {
            Kind::Pointer(elem) if call.text == "new" => {
                let elem = self.resolve(elem)?;
                self.must_be(&name, &elem)?;
                Value::pointer_to(zero(&elem))
            }
            Kind::Slice(elem) if call.text == "make" => {
                self.must_be(&name, ty)?;
                let elem = self.resolve(elem)?;
                self.make_slice(&elem)?
            }
            Kind::Map { .. } if call.text == "make" => {
                self.must_be(&name, ty)?;
                Value::Map(Map::default())
            }
            Kind::Chan { .. } if call.text == "make" => {
                return Err(Fail { at: call.at, flaw: LiteralProblem::Channel });
            }
            _ => {
                let flaw = LiteralProblem::Mismatch {
                    given: format!("{}({})", call.text, name.text),
                    wanted: ty.name.clone(),
                };
                return Err(Fail { at: call.at, flaw });
            }
        };
        // A capacity or a size hint makes no difference that a function could rely on.
        if self.accept(',')? {
            self.number()?;
        }
        self.expect(')')?;
        Ok(value)
    }

    fn make_slice(&mut self, elem: &Type) -> Parsed<Value> {
        self.expect(',')?;
        let len = self.number()?.and_then(|n| n.re.int()).and_then(|n| u64::try_from(n).ok());
        let Some(len) = len else { return Err(self.unexpected("a length")) };
        self.more(len)?;
        let len = len as usize;
        Ok(if is_byte(elem) {
            Value::Bytes(Bytes { ty: None, bytes: vec![0; len] })
        } else {
            Value::List(List { ty: None, elems: vec![zero(elem); len] })
        })
    }
}

fn positional<'f>(ty: &Type, fields: &'f [Field], index: usize, start: usize) -> Parsed<&'f Field> {
    fields.get(index).ok_or_else(|| Fail { at: start, flaw: count(ty, fields, index + 1).into() })
}

fn count(ty: &Type, fields: &[Field], got: usize) -> Problem {
    Problem::Count { what: ty.to_string(), want: fields.len() as u64, got }
}

/// Elements of a list of bytes; those that were left out are zero.
fn bytes(elems: Vec<Option<(usize, Value)>>) -> Parsed<Vec<u8>> {
    let byte = |elem| match elem {
        None => Ok(0),
        // The parser has checked the range.
        Some((_, Value::Uint(n))) => Ok(n as u8),
        Some((at, _)) => Err(Fail { at, flaw: LiteralProblem::NotConstant }),
    };
    elems.into_iter().map(byte).collect()
}

/// The zero value of a type. Lists and structs that are not full are zero where nothing is given.
pub(super) fn zero(ty: &Type) -> Value {
    match &ty.kind {
        Kind::Bool => Value::Bool(false),
        Kind::Int => Value::Int(0),
        Kind::Uint => Value::Uint(0),
        Kind::Uintptr => Value::Uintptr(0),
        Kind::Float if ty.size == 4 => Value::Float32(0.0),
        Kind::Float => Value::Float64(0.0),
        Kind::Complex if ty.size == 8 => Value::Complex64(0.0, 0.0),
        Kind::Complex => Value::Complex128(0.0, 0.0),
        Kind::String => Value::String(Vec::new()),
        Kind::UnsafePointer => Value::UnsafePointer(0),
        Kind::Array { .. } => Value::List(List::default()),
        Kind::Struct(_) => Value::Struct(Struct::default()),
        _ => Value::Nil(None),
    }
}
