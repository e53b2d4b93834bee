//! Captured variables: `n=5, s="x"`, or values alone in the closure's order.

use std::sync::Arc;

use goemu_loader::{Kind, Type};

use super::{LiteralError, Parsed, Parser, Token};
use crate::go::guest::Types;
use crate::go::value::{Interface, Value};

/// The type of a captured variable.
#[derive(Clone, Debug)]
pub(crate) struct CaptureType {
    /// What the closure holds.
    pub(crate) ty: Arc<Type>,
    /// Of a shared variable, which the closure has a pointer to: its own type.
    pub(crate) to: Option<Arc<Type>>,
}

/// A captured variable as it was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) name: Option<String>,
    /// What the closure holds.
    pub(crate) ty: Arc<Type>,
    pub(crate) value: Value,
    /// Whether the closure has a pointer to the variable.
    pub(crate) shared: bool,
}

/// Reads captured variables. `types` knows their types by number or name; the type of others is that of the
/// literal, as in an interface.
///
/// # Errors
/// When the text is not a list of values.
pub(crate) fn parse_captures(
    text: &str,
    types: &dyn Fn(usize, Option<&str>) -> Option<CaptureType>,
    of: &dyn Types,
) -> Result<Vec<Given>, LiteralError> {
    super::with_parser(text, of, |parser| {
        let mut given = Vec::new();
        while *parser.peek()? != Token::End {
            given.push(parser.capture(given.len(), types)?);
            if *parser.peek()? != Token::End {
                parser.expect(',')?;
            }
        }
        Ok(given)
    })
}

impl Parser<'_> {
    fn capture(
        &mut self,
        index: usize,
        types: &dyn Fn(usize, Option<&str>) -> Option<CaptureType>,
    ) -> Parsed<Given> {
        let name = self.captured_name()?;
        match types(index, name.as_deref()) {
            Some(CaptureType { ty, to: Some(to) }) => {
                let value = Value::pointer_to(self.value(&to)?);
                Ok(Given { name, ty, value, shared: true })
            }
            Some(CaptureType { ty, to: None }) => {
                let value = self.value(&ty)?;
                Ok(Given { name, ty, value, shared: false })
            }
            None => self.own_type(name),
        }
    }

    /// `n=`, passed over if it stands here.
    fn captured_name(&mut self) -> Parsed<Option<String>> {
        let before = self.lexer;
        if let Token::Name(name) = *self.peek()? {
            self.next()?;
            if self.accept('=')? {
                return Ok(Some(name.to_owned()));
            }
        }
        self.restore(before);
        Ok(None)
    }

    /// A value whose type only the literal tells.
    fn own_type(&mut self, name: Option<String>) -> Parsed<Given> {
        let kind = Kind::Interface { empty: true, methods: Vec::new() };
        let any = Type { name: "interface {}".to_owned(), size: 16, align: 8, kind, rtype: None };
        let start = self.start();
        match self.value(&any)? {
            Value::Interface(Interface { ty: Some(ty), value, .. }) => {
                Ok(Given { name, ty, value: *value, shared: false })
            }
            _ => Err(super::Fail { at: start, flaw: super::LiteralProblem::NoOwnType }),
        }
    }
}
