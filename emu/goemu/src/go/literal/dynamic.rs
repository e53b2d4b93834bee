//! What stands for an interface: there the type comes from the literal, not from the parameter.

use std::sync::Arc;

use goemu_loader::{Kind, Type};

use super::{
    Fail, Head, LiteralProblem, Parsed, Parser, Token,
    type_name::{TypeName, same},
};
use crate::go::value::{Interface, Pointer, Value};

impl Parser<'_> {
    /// A value of an interface type.
    pub(super) fn dynamic(&mut self, ty: &Type) -> Parsed<Value> {
        if *self.peek()? == Token::Name("nil") {
            self.next()?;
            return Ok(Value::Nil(None));
        }
        match self.head()? {
            Head::Composite(name) => {
                let held = self.named(&name)?;
                self.composite(&held).map(|value| hold(held, value))
            }
            Head::Conversion(name) => self.converted(&name, ty),
            Head::None if self.accept('&')? => self.address_of(),
            Head::None => self.by_default(ty),
        }
    }

    /// `T(value)`; a conversion to an interface type changes nothing.
    fn converted(&mut self, name: &TypeName, ty: &Type) -> Parsed<Value> {
        match name.text.as_str() {
            "math.Inf" | "math.NaN" | "complex" => return self.by_default(ty),
            "make" | "new" => return self.allocated(name),
            "errors.New" => return self.new_error(name),
            _ => {}
        }
        if same(&name.text, &ty.name) || matches!(name.text.as_str(), "interface {}" | "error") {
            self.type_and_paren()?;
            let value = self.value(ty)?;
            self.expect(')')?;
            return Ok(value);
        }
        let held = self.named(name)?;
        let value = self.conversion(name, &held)?;
        Ok(if matches!(held.kind, Kind::Interface { .. }) { value } else { hold(held, value) })
    }

    /// `errors.New("text")`, which is a pointer to a struct of that text.
    fn new_error(&mut self, call: &TypeName) -> Parsed<Value> {
        let held = self.named(&TypeName { text: "*errors.errorString".to_owned(), at: call.at })?;
        let text = self.named(&TypeName { text: "string".to_owned(), at: call.at })?;
        self.type_and_paren()?;
        let text = self.string(&text)?;
        self.expect(')')?;
        Ok(hold(held, Value::pointer_to(Value::tuple([text]))))
    }

    /// `make(T, n)` holds a T, `new(T)` a *T.
    fn allocated(&mut self, call: &TypeName) -> Parsed<Value> {
        let before = self.lexer;
        self.next()?;
        self.expect('(')?;
        let Some(mut name) = self.type_name()? else { return Err(self.unexpected("a type")) };
        if call.text == "new" {
            let elem = self.named(&name)?;
            name.text = format!("*{}", elem.name);
        }
        self.restore(before);
        let held = self.named(&name)?;
        self.allocation(call, &held).map(|value| hold(held, value))
    }

    /// After `&`: a composite literal, or a variable whose type is known.
    fn address_of(&mut self) -> Parsed<Value> {
        let head = self.head()?;
        if let Head::Composite(name) | Head::Conversion(name) = &head {
            let elem = self.named(name)?;
            let held = self.named(&TypeName { text: format!("*{}", elem.name), at: name.at })?;
            let value = match head {
                Head::Conversion(_) => self.conversion(name, &elem)?,
                _ => self.composite(&elem)?,
            };
            return Ok(hold(held, Value::pointer_to(value)));
        }
        let at = self.start();
        match self.path()? {
            Some((name, after)) => {
                let unknown = || Fail {
                    at,
                    flaw: LiteralProblem::NoName { kind: "variable of known type", name: name.clone() },
                };
                let (addr, Some(of)) = self.types.variable(&name).ok_or_else(unknown)? else {
                    return Err(unknown());
                };
                let held = self.named(&TypeName { text: format!("*{}", of.name), at })?;
                self.restore(after);
                let pointer = Pointer { ty: None, addr, pointee: None };
                Ok(hold(held, Value::Pointer(pointer)))
            }
            None => Err(self.unexpected("a composite literal or a variable")),
        }
    }

    /// A constant of the type that Go gives constants, or a variable.
    fn by_default(&mut self, ty: &Type) -> Parsed<Value> {
        let at = self.start();
        let name = |text: &str| TypeName { text: text.to_owned(), at };
        match self.peek()? {
            Token::Str(_) => {
                let held = self.named(&name("string"))?;
                self.string(&held).map(|value| hold(held, value))
            }
            Token::Name("true" | "false") => {
                let held = self.named(&name("bool"))?;
                self.basic(&held).map(|value| hold(held, value))
            }
            _ => match self.number()? {
                Some(number) => {
                    let default = match (&number.im, &number.re) {
                        (Some(_), _) => "complex128",
                        (None, _) if number.rune => "int32",
                        (None, super::number::Constant::Int(_)) => "int",
                        (None, super::number::Constant::Float(..)) => "float64",
                    };
                    let held = self.named(&name(default))?;
                    number.of(&held).map(|value| hold(held, value))
                }
                None => self.held_variable(ty),
            },
        }
    }

    fn held_variable(&mut self, ty: &Type) -> Parsed<Value> {
        let at = self.start();
        let Some((name, after)) = self.path()? else { return Err(self.unexpected(&format!("a {ty}"))) };
        let unknown = || Fail {
            at,
            flaw: LiteralProblem::NoName { kind: "variable of known type", name: name.clone() },
        };
        let (addr, Some(of)) = self.types.variable(&name).ok_or_else(unknown)? else { return Err(unknown()) };
        self.restore(after);
        let value = Value::Variable { name, addr };
        match (&of.kind, &ty.kind) {
            // A variable of an interface type is copied as it is: its first word is a type's address, or that of a table
            // of this interface's methods.
            (Kind::Interface { empty: true, .. }, Kind::Interface { empty: true, .. }) => Ok(value),
            (Kind::Interface { .. }, _) if same(&of.name, &ty.name) => Ok(value),
            (Kind::Interface { .. }, _) => {
                let flaw = LiteralProblem::Mismatch { given: of.name.clone(), wanted: ty.name.clone() };
                Err(Fail { at, flaw })
            }
            _ => Ok(hold(of, value)),
        }
    }
}

fn hold(ty: Arc<Type>, value: Value) -> Value {
    Value::Interface(Interface { ty: Some(ty), value: Box::new(value), data: 0, text: None })
}
