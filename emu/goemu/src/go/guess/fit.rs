//! Arguments for guessed parameters: numbers for the parts, or one string or slice for what may be one.

use std::sync::Arc;

use goemu_loader::sigparse::parse_type;
use goemu_loader::{Param, Signature, Type, TypeRef};

use crate::go::abi::{Assignment, Piece};
use crate::go::arguments::Argument;
use crate::go::guess::{Guess, GuessedPart};
use crate::go::guest::{TypeError, Types};
use crate::go::literal::parse_value;
use crate::go::value::Value;

/// Bytes above the return address at least: the guess may be wrong.
const MIN_BLOCK: u64 = 512;

impl Guess {
    /// Types for these arguments, and where the guess has them: a number is one part; a string fills two, a slice
    /// three that belong together.
    ///
    /// # Errors
    /// When there are too many or too few.
    pub(crate) fn fit(
        &self,
        args: &[Argument<'_>],
        named: &dyn Fn(&str) -> Option<Arc<Type>>,
    ) -> Option<(Signature, Assignment)> {
        let mut signature = Signature { params: Vec::new(), results: Vec::new(), variadic: false };
        let mut places = Vec::new();
        let mut args = args.iter();
        for (index, param) in self.params.iter().enumerate() {
            if let (Some(_), [part]) = (self.known_dictionary(index), &param.parts[..]) {
                signature.params.push(Param::dictionary());
                places.push(vec![Piece { offset: 0, size: part.size, place: part.place }]);
                continue;
            }
            let first = args.clone().next()?;
            if let Some(ty) = whole(first, param.parts.len(), named) {
                args.next();
                signature.params.push(Param { name: String::new(), ty });
                let words = param.parts.iter().zip(0u64..);
                places.push(
                    words.map(|(part, n)| Piece { offset: 8 * n, size: 8, place: part.place }).collect(),
                );
                continue;
            }
            for part in &param.parts {
                let ty = number(args.next()?, part)?;
                signature.params.push(Param { name: String::new(), ty });
                places.push(vec![Piece { offset: 0, size: part.size, place: part.place }]);
            }
        }
        let spills = vec![None; places.len()];
        let block = self.block.max(MIN_BLOCK);
        let assignment = Assignment {
            params: places,
            results: Vec::new(),
            spills,
            results_offset: 0,
            spill_offset: 0,
            stack_size: block,
        };
        args.next().is_none().then_some((signature, assignment))
    }
}

/// The type of an argument that fills so many words at once.
fn whole(arg: &Argument<'_>, words: usize, named: &dyn Fn(&str) -> Option<Arc<Type>>) -> Option<Arc<Type>> {
    let name = match (arg, words) {
        (Argument::Text(text), 2) if !is_number(text) => "string",
        (Argument::Value(Value::String(_)), 2) => "string",
        (Argument::Value(Value::String(_)), 3) => "[]byte",
        (Argument::Text(text), 3) if text.trim_start().starts_with("[]") => {
            text.trim_start().split(['{', '(']).next().unwrap_or_default()
        }
        _ => return None,
    };
    parse_type(name, named).ok()
}

/// Whether a text can be one of the two words that a string has, and so is none itself.
fn is_number(text: &str) -> bool {
    let numbers = ["int64", "uint64", "float64", "bool"];
    let mut types = numbers.iter().filter_map(|name| parse_type(name, &|_| None).ok());
    types.any(|ty| parse_value(text, &ty, &Nothing).is_ok())
}

/// A program that has no types.
struct Nothing;

impl Types for Nothing {
    fn resolve(&self, _: &TypeRef) -> Result<Arc<Type>, TypeError> {
        Err(TypeError("not known".to_owned()))
    }
}

/// The type of a number for a part: of either sign, or with a fraction.
fn number(arg: &Argument<'_>, part: &GuessedPart) -> Option<Arc<Type>> {
    let negative = matches!(arg, Argument::Text(text) if text.trim_start().starts_with('-'));
    let name = part.type_name();
    let name = if negative && !part.float { name.trim_start_matches('u') } else { &name };
    parse_type(name, &|_| None).ok()
}
