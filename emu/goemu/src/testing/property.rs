//! What is to hold of a function, beside that it returns.

use std::cmp::Ordering;

use goemu_loader::{Param, Signature};

use super::subject::{Subject, is_ordered};
use crate::call::function::Function;
use crate::error::Error;
use crate::go::generic;
use crate::go::guest::Types;
use crate::go::literal::parse_value;
use crate::go::value::Value;
use crate::machine::Machine;

/// What is to hold of a function, for all arguments. Functions are named as [`Machine::call`] finds them.
///
/// Results that end in an `error` that is not nil are no results: `Inverse`, `Idempotent`, `Commutes`, `Monotone` hold for them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Property {
    /// Another function that takes the same gives the same: results, and whether it panics.
    SameAs(String),
    /// Another function, given the results, gives the arguments.
    Inverse(String),
    /// The function, given its result, gives it again.
    Idempotent,
    /// The last two arguments may change places.
    Commutes,
    /// The first argument that has an order may grow, and the result does not get smaller.
    Monotone,
    /// A function that takes arguments and results, and gives `true`.
    Holds(String),
    /// Chance does not matter (map order, scheduling), and arguments stay as they are.
    Pure,
    /// The results, in Go syntax.
    Expect(String),
}

impl Property {
    /// The property in a word or two.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Property::SameAs(other) => format!("same-as {other}"),
            Property::Inverse(other) => format!("inverse {other}"),
            Property::Holds(predicate) => format!("holds {predicate}"),
            Property::Expect(literal) => format!("expect {literal}"),
            Property::Idempotent => "idempotent".to_owned(),
            Property::Commutes => "commutes".to_owned(),
            Property::Monotone => "monotone".to_owned(),
            Property::Pure => "pure".to_owned(),
        }
    }
}

/// A property with what is needed to test it.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) property: Property,
    /// The other function that it names.
    pub(super) other: Option<Function>,
    /// Of [`Property::Expect`].
    pub(super) expected: Vec<Value>,
    /// Of [`Property::Monotone`]: which argument grows, and which input is its greater value.
    pub(super) ordered: Option<(usize, usize)>,
}

impl Rule {
    pub(super) fn new(machine: &Machine, subject: &mut Subject, property: Property) -> Result<Rule, Error> {
        let image = machine.image();
        let name = subject.name().to_owned();
        let untestable = |why: &str| Error::Untestable { func: name.clone(), why: why.to_owned() };
        let signature = signature(subject)?;
        let mut rule = Rule { property: property.clone(), other: None, expected: Vec::new(), ordered: None };
        let (params, results) = (&signature.params, without_error(&signature.results));
        match &property {
            Property::SameAs(other) => {
                rule.other = Some(function(machine, other, &signature.params, &signature.results)?);
            }
            Property::Inverse(other) => rule.other = Some(function(machine, other, results, params)?),
            Property::Holds(other) => {
                let all: Vec<Param> = params.iter().chain(&signature.results).cloned().collect();
                rule.other = Some(function(machine, other, &all, &[boolean(machine)?])?);
            }
            Property::Idempotent => {
                let same = params.len() == 1 && results.len() == 1 && params[0].ty.name == results[0].ty.name;
                same.then_some(())
                    .ok_or_else(|| untestable("it does not give one value of the type that it takes"))?;
            }
            Property::Commutes => {
                let last = params.len().checked_sub(2).and_then(|from| params.get(from..));
                let same = last.is_some_and(|last| last[0].ty.name == last[1].ty.name);
                same.then_some(()).ok_or_else(|| untestable("its last two arguments are not of one type"))?;
            }
            Property::Monotone => {
                let at = params.iter().position(|param| is_ordered(&param.ty));
                let at = at.ok_or_else(|| untestable("no argument has an order"))?;
                if !results.first().is_some_and(|result| is_ordered(&result.ty)) {
                    return Err(untestable("its result has no order"));
                }
                let input = subject.inputs().len();
                let name = format!("{}'", subject.inputs()[at].name);
                subject.add_like(at, name);
                rule.ordered = Some((at, input));
            }
            Property::Expect(text) => {
                let [only] = results else { return Err(untestable("it does not give exactly one result")) };
                let value = parse_value(text, &only.ty, &**image as &dyn Types);
                let value = value.map_err(|error| untestable(&format!("{text} is no result: {error}")))?;
                rule.expected = vec![value];
            }
            Property::Pure => {}
        }
        Ok(rule)
    }
}

/// What the function takes and gives.
fn signature(subject: &Subject) -> Result<Signature, Error> {
    let signature = subject.function().signature();
    let signature = signature.ok_or_else(|| Error::NoSignature(subject.name().to_owned()))?;
    Ok(generic::without_dictionary(signature).into_owned())
}

fn boolean(machine: &Machine) -> Result<Param, Error> {
    let ty = Types::named(&**machine.image(), "bool");
    let none = || Error::NoSignature("bool".to_owned());
    Ok(Param { name: String::new(), ty: ty.ok_or_else(none)? })
}

/// A function that takes and gives this: checked where the program tells, else believed.
pub(super) fn function(
    machine: &Machine,
    name: &str,
    params: &[Param],
    results: &[Param],
) -> Result<Function, Error> {
    let wanted = Signature { params: params.to_vec(), results: results.to_vec(), variadic: false };
    let found = machine.find(name)?;
    let function = match machine.image().signature(&found) {
        Ok(Some(_)) => machine.function(name, None)?,
        _ => Function::new(&found, Some(wanted.clone()))?,
    };
    let names = |params: &[Param]| params.iter().map(|param| param.ty.name.clone()).collect::<Vec<_>>();
    let known = function.signature().map(|known| generic::without_dictionary(known).into_owned());
    let fits = known.as_ref().is_none_or(|known| {
        let given = names(without_error(&known.results));
        names(&known.params) == names(params)
            && (given == names(results) || names(&known.results) == names(results))
    });
    match fits {
        true => Ok(function),
        false => Err(Error::Types {
            func: found.name().to_owned(),
            signature: known.map(|known| known.to_string()).unwrap_or_default(),
            why: format!("a {} is wanted", wanted.unnamed()),
        }),
    }
}

/// The results but a last error.
pub(super) fn without_error(results: &[Param]) -> &[Param] {
    match results.split_last() {
        Some((last, rest)) if last.ty.name == "error" && !rest.is_empty() => rest,
        _ => results,
    }
}

/// How two values of one type compare, where `<` compares them; NaN with nothing.
pub(super) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) | (Value::Uintptr(a), Value::Uintptr(b)) => Some(a.cmp(b)),
        (Value::Float64(a), Value::Float64(b)) => a.partial_cmp(b),
        (Value::Float32(a), Value::Float32(b)) => a.partial_cmp(b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
