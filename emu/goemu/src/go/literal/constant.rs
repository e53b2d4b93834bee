//! Constants: what stands for a bool, a number or a string, checked against its type.

use goemu_loader::{Kind, Type};

use super::{Fail, LiteralProblem, Parsed, Parser, Token, number, number::Constant, token::abridged};
use crate::go::{
    value::Value,
    write::{Problem, fits},
};

/// A number without a type.
pub(super) struct Number {
    pub(super) re: Constant,
    /// The imaginary part, if one was written.
    pub(super) im: Option<Constant>,
    /// Whether it is a rune, whose own type is `int32`.
    pub(super) rune: bool,
    /// Whether infinity was written, and did not come from rounding.
    infinite: bool,
    /// Where it was written, and how.
    pub(super) at: usize,
    text: String,
}

impl Parser<'_> {
    /// A value of a basic type but string.
    pub(super) fn basic(&mut self, ty: &Type) -> Parsed<Value> {
        if let Some(variable) = self.variable(ty)? {
            return Ok(variable);
        }
        if ty.kind == Kind::Bool {
            let value = match *self.peek()? {
                Token::Name("true") => true,
                Token::Name("false") => false,
                _ => return Err(self.unexpected(&format!("a {ty}"))),
            };
            self.next()?;
            return Ok(Value::Bool(value));
        }
        match self.number()? {
            Some(number) => number.of(ty),
            None => Err(self.unexpected(&format!("a {ty}"))),
        }
    }

    pub(super) fn string(&mut self, ty: &Type) -> Parsed<Value> {
        if let Some(variable) = self.variable(ty)? {
            return Ok(variable);
        }
        match self.text()? {
            Some(bytes) => Ok(Value::String(bytes)),
            None => Err(self.unexpected(&format!("a {ty}"))),
        }
    }

    /// The string that stands here, if one does.
    pub(super) fn text(&mut self) -> Parsed<Option<Vec<u8>>> {
        if !matches!(self.peek()?, Token::Str(_)) {
            return Ok(None);
        }
        Ok(match self.next()? {
            Token::Str(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// The number that begins here, in parentheses or not; nothing if none does.
    pub(super) fn number(&mut self) -> Parsed<Option<Number>> {
        let start = self.start();
        let before = self.lexer;
        let parenthesis = self.accept('(')?;
        let number = match self.sum()? {
            Some(number) => number,
            None => {
                self.restore(before);
                return Ok(None);
            }
        };
        if parenthesis {
            self.expect(')')?;
        }
        let text = abridged(self.lexer.since(start).trim());
        Ok(Some(Number { at: start, text, ..number }))
    }

    /// One number, or a real and an imaginary one.
    fn sum(&mut self) -> Parsed<Option<Number>> {
        if let Token::Name("complex") = self.peek()? {
            return self.complex_call().map(Some);
        }
        let Some(first) = self.term()? else { return Ok(None) };
        if first.im.is_some() || !matches!(self.peek()?, Token::Punct('+' | '-')) {
            return Ok(Some(first));
        }
        match self.term()? {
            Some(second) if second.im.is_some() => {
                Ok(Some(Number { re: first.re, infinite: first.infinite || second.infinite, ..second }))
            }
            _ => Err(self.unexpected("an imaginary number")),
        }
    }

    /// `complex(1, 2)`
    fn complex_call(&mut self) -> Parsed<Number> {
        self.next()?;
        self.expect('(')?;
        let re = self.nested(Parser::sum)?;
        self.expect(',')?;
        let im = self.nested(Parser::sum)?;
        let (Some(re), Some(im)) = (re, im) else { return Err(self.unexpected("a number")) };
        self.expect(')')?;
        Ok(Number { re: re.re, im: Some(im.re), infinite: re.infinite || im.infinite, ..im })
    }

    /// A number with its sign.
    fn term(&mut self) -> Parsed<Option<Number>> {
        let at = self.start();
        let minus = self.accept('-')?;
        let plus = !minus && self.accept('+')?;
        let plain = |re, im, infinite| Number { re, im, rune: false, infinite, at, text: String::new() };
        let zero = Constant::Int(0);
        let number = match *self.peek()? {
            Token::Number(text) => {
                let flaw = LiteralProblem::Number(abridged(text));
                let (constant, imaginary) = number::parse(text).ok_or(Fail { at, flaw })?;
                if imaginary { plain(zero, Some(constant), false) } else { plain(constant, None, false) }
            }
            Token::Rune(c) => {
                Number { rune: true, ..plain(Constant::Int(i128::from(u32::from(c))), None, false) }
            }
            Token::Name("Inf" | "inf") => plain(Constant::float(f64::INFINITY), None, true),
            Token::Name("NaN" | "nan") => plain(Constant::float(f64::NAN), None, false),
            Token::Name("Infi") => plain(zero, Some(Constant::float(f64::INFINITY)), true),
            Token::Name("NaNi") => plain(zero, Some(Constant::float(f64::NAN)), false),
            Token::Name("math") => return self.math(minus).map(Some),
            _ if minus || plus => return Err(self.unexpected("a number")),
            _ => return Ok(None),
        };
        self.next()?;
        Ok(Some(if minus { number.negated() } else { number }))
    }

    /// `math.Inf(1)`, `math.NaN()`, and the limits of the integer types: `math.MaxInt64`.
    fn math(&mut self, minus: bool) -> Parsed<Number> {
        let at = self.start();
        let Some((path, after)) = self.path()? else { return Err(self.unexpected("a number")) };
        self.restore(after);
        let (constant, infinite) = match path.as_str() {
            "math.NaN" => {
                self.expect('(')?;
                self.expect(')')?;
                (Constant::float(f64::NAN), false)
            }
            "math.Inf" => {
                self.expect('(')?;
                let sign = self.nested(Parser::term)?.and_then(|n| n.re.int());
                let Some(sign) = sign else { return Err(self.unexpected("an integer")) };
                self.expect(')')?;
                (Constant::float(if sign < 0 { f64::NEG_INFINITY } else { f64::INFINITY }), true)
            }
            name => {
                let flaw = LiteralProblem::NoName { kind: "constant", name: name.to_owned() };
                (limit(name).ok_or(Fail { at, flaw })?, false)
            }
        };
        let number = Number { re: constant, im: None, rune: false, infinite, at, text: String::new() };
        Ok(if minus { number.negated() } else { number })
    }
}

/// The constants of package math that arguments like to be.
fn limit(name: &str) -> Option<Constant> {
    let name = name.strip_prefix("math.")?;
    let bits = |digits: &str| if digits.is_empty() { Some(64) } else { digits.parse().ok() };
    let of = |digits: &str| bits(digits).filter(|bits| matches!(bits, 8 | 16 | 32 | 64));
    Some(match name {
        "Pi" => Constant::float(std::f64::consts::PI),
        "E" => Constant::float(std::f64::consts::E),
        "MaxFloat64" => Constant::float(f64::MAX),
        "MaxFloat32" => Constant::float(f64::from(f32::MAX)),
        "SmallestNonzeroFloat64" => Constant::float(5e-324),
        _ if name.starts_with("MaxInt") => Constant::Int((1 << (of(name.get(6..)?)? - 1)) - 1),
        _ if name.starts_with("MinInt") => Constant::Int(-(1 << (of(name.get(6..)?)? - 1))),
        _ if name.starts_with("MaxUint") => Constant::Int((1 << of(name.get(7..)?)?) - 1),
        _ => return None,
    })
}

impl Number {
    fn negated(self) -> Number {
        match self.im {
            Some(im) => Number { im: Some(im.negated()), ..self },
            None => Number { re: self.re.negated(), ..self },
        }
    }

    /// This number as a value of a numeric type.
    pub(super) fn of(&self, ty: &Type) -> Parsed<Value> {
        match ty.kind {
            Kind::Int | Kind::Uint | Kind::Uintptr => self.integer(ty),
            Kind::Float if ty.size == 4 => self.real(ty).and_then(|n| self.f32(n, ty)).map(Value::Float32),
            Kind::Float => self.real(ty).and_then(|n| self.f64(n, ty)).map(Value::Float64),
            Kind::Complex => {
                let im = self.im.as_ref().unwrap_or(&Constant::Int(0));
                Ok(if ty.size == 8 {
                    Value::Complex64(self.f32(&self.re, ty)?, self.f32(im, ty)?)
                } else {
                    Value::Complex128(self.f64(&self.re, ty)?, self.f64(im, ty)?)
                })
            }
            _ => {
                let flaw = LiteralProblem::Expected { wanted: format!("a {ty}"), found: self.text.clone() };
                Err(self.fail(flaw))
            }
        }
    }

    fn integer(&self, ty: &Type) -> Parsed<Value> {
        let constant = self.real(ty)?;
        // Too large for 128 bits, or for a float: whole all the same, unless infinity was meant.
        let huge = !constant.f64().is_nan() && constant.f64().abs() >= 1e30 && !self.infinite;
        let n = match constant.int() {
            Some(n) => n,
            None if huge => return Err(self.overflow(ty)),
            None => {
                return Err(
                    self.fail(LiteralProblem::Fraction { value: self.text.clone(), ty: ty.to_string() })
                );
            }
        };
        if !fits(n, ty) {
            return Err(self.overflow(ty));
        }
        Ok(match ty.kind {
            Kind::Int => Value::Int(n as i64),
            Kind::Uintptr => Value::Uintptr(n as u64),
            _ => Value::Uint(n as u64),
        })
    }

    /// The number, if it has no imaginary part.
    fn real(&self, ty: &Type) -> Parsed<&Constant> {
        match &self.im {
            Some(im) if im.f64() != 0.0 => {
                Err(self
                    .fail(LiteralProblem::Expected { wanted: format!("a {ty}"), found: self.text.clone() }))
            }
            _ => Ok(&self.re),
        }
    }

    fn f64(&self, constant: &Constant, ty: &Type) -> Parsed<f64> {
        let n = constant.f64();
        if n.is_infinite() && !self.infinite { Err(self.overflow(ty)) } else { Ok(n) }
    }

    fn f32(&self, constant: &Constant, ty: &Type) -> Parsed<f32> {
        let n = constant.f32();
        if n.is_infinite() && !self.infinite { Err(self.overflow(ty)) } else { Ok(n) }
    }

    fn overflow(&self, ty: &Type) -> Fail {
        self.fail(Problem::Overflow { value: self.text.clone(), ty: ty.to_string() })
    }

    fn fail(&self, flaw: impl Into<LiteralProblem>) -> Fail {
        Fail { at: self.at, flaw: flaw.into() }
    }
}
