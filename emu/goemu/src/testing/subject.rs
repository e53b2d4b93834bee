//! A function that is given values: what it takes, and how to make that.

use std::sync::Arc;

use goemu_loader::{Kind, Param, Type};

use super::constraint::Constraint;
use super::finding::Given;
use crate::call::function::Function;
use crate::error::Error;
use crate::go::generic;
use crate::go::names;
use crate::go::value::Value;
use crate::machine::Machine;
use crate::values::{Dictionary, Fill, Maker, Private, Random, Unwritable};

/// Tries to make a value that a constraint allows, before the constraint makes one.
const TRIES: usize = 20;

/// A function whose arguments can be made.
#[derive(Clone, Debug)]
pub struct Subject {
    function: Function,
    inputs: Vec<Input>,
}

/// An argument: what it is called, and how it is made.
#[derive(Clone, Debug)]
pub struct Input {
    /// The parameter's name, or one made up for it.
    pub name: String,
    /// Its type.
    pub ty: Arc<Type>,
    /// Makes its values.
    pub maker: Maker,
    /// What its values are kept to.
    pub(super) constraint: Option<Constraint>,
}

impl Subject {
    /// A function of the program; the signature, in Go syntax, where the program has none of it.
    ///
    /// # Errors
    /// When there is no such function, nothing tells its signature, or no values of a parameter can be made.
    pub fn new(machine: &Machine, func: &str, signature: Option<&str>) -> Result<Subject, Error> {
        let function = machine.function(func, signature)?;
        let image = machine.image();
        let name = function.name().to_owned();
        let untestable = |why: String| Error::Untestable { func: name.clone(), why };
        if function.needs_captures() {
            return Err(untestable("it is a closure, which needs the variables that it captured".to_owned()));
        }
        let signature = function.signature().ok_or_else(|| Error::NoSignature(name.clone()))?;
        let signature = generic::without_dictionary(signature);
        let found = image.func_at(function.entry()).ok_or(Error::NoFunctionAt(function.entry()))?;
        let fill = Fill {
            present: false,
            private: private(names::package(&name)),
            dictionary: Arc::new(Dictionary::of(&found)),
        };
        let mut inputs = Vec::new();
        for (at, param) in signature.params.iter().enumerate() {
            let present = at == 0 && is_method(&name);
            let maker = Maker::new(&param.ty, &**image, &Fill { present, ..fill.clone() });
            let input =
                Input { name: shown_name(param, at), ty: Arc::clone(&param.ty), maker, constraint: None };
            if let Some(why) = input.maker.unfit() {
                return Err(untestable(format!(
                    "no value can be made of {} {}: {why}",
                    input.name, input.ty
                )));
            }
            inputs.push(input);
        }
        Ok(Subject { function, inputs })
    }

    /// The function.
    #[must_use]
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// Its full name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.function.name()
    }

    /// Its arguments in order.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Keeps an argument to what a text allows: `1 in 0..100`, `2 one of "a", "b"`, `s len 0..8`; the argument is
    /// its number, from 1, or its name.
    ///
    /// # Errors
    /// When the text is no constraint, or of no argument.
    pub fn constrain(&mut self, machine: &Machine, text: &str) -> Result<(), Error> {
        let why = |why: String| Error::Untestable { func: self.function.name().to_owned(), why };
        let (which, rest) = text.trim().split_once(char::is_whitespace).ok_or_else(|| {
            why(format!("{text} is no constraint: write '1 in 0..100', '1 len 0..8' or '1 one of 2, 3'"))
        })?;
        let number = which.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let at = number.or_else(|| self.inputs.iter().position(|input| input.name == which));
        let known = || self.inputs.iter().map(|input| input.name.clone()).collect::<Vec<_>>().join(", ");
        let unknown = || why(format!("there is no argument {which}: it takes {}", known()));
        let at = at.filter(|at| *at < self.inputs.len()).ok_or_else(unknown)?;
        let constraint = Constraint::parse(rest, &self.inputs[at].ty, &**machine.image()).map_err(why)?;
        self.inputs[at].constraint = Some(constraint);
        Ok(())
    }

    /// Arguments of this size, which is from 0 to 100.
    #[must_use]
    pub fn make(&self, random: &mut Random, size: usize) -> Vec<Value> {
        self.inputs.iter().map(|input| input.make(random, size)).collect()
    }

    /// Changes one of the arguments a little.
    pub fn mutate(&self, args: &mut [Value], random: &mut Random, size: usize) {
        let at = random.below(self.inputs.len());
        let (Some(input), Some(value)) = (self.inputs.get(at), args.get_mut(at)) else { return };
        let before = value.clone();
        input.maker.mutate(value, random, size);
        if !input.allows(value) {
            *value = before;
        }
    }

    /// Whether the constraints allow these arguments.
    #[must_use]
    pub fn allows(&self, args: &[Value]) -> bool {
        self.inputs.iter().zip(args).all(|(input, value)| input.allows(value))
    }

    /// The arguments in Go syntax, as goemu's commands read them.
    #[must_use]
    pub fn literals(&self, args: &[Value]) -> Vec<String> {
        self.inputs.iter().zip(args).map(|(input, value)| input.maker.literal(value)).collect()
    }

    /// The arguments as a finding has them.
    pub(super) fn given(&self, args: &[Value]) -> Vec<Given> {
        let named = self.inputs.iter().zip(self.literals(args));
        let given =
            named.map(|(input, value)| Given { name: input.name.clone(), ty: input.ty.name.clone(), value });
        given.collect()
    }

    /// The arguments as Go source in a file of the function's package.
    ///
    /// # Errors
    /// What such a file cannot say.
    pub fn sources(&self, args: &[Value]) -> Result<Vec<String>, Unwritable> {
        let package = names::package(self.name());
        self.inputs.iter().zip(args).map(|(input, value)| input.maker.source(value, package)).collect()
    }

    /// One more argument, which is made as this one.
    pub(super) fn add_like(&mut self, at: usize, name: String) {
        if let Some(input) = self.inputs.get(at).cloned() {
            self.inputs.push(Input { name, ..input });
        }
    }
}

impl Input {
    fn make(&self, random: &mut Random, size: usize) -> Value {
        let Some(constraint) = &self.constraint else { return self.maker.make(random, size) };
        if let Some(value) = constraint.make(random) {
            return value;
        }
        let mut value = self.maker.make(random, size);
        for _ in 0..TRIES {
            if constraint.allows(&value) {
                break;
            }
            value = self.maker.make(random, size);
        }
        constraint.forced(value, |random, size| self.maker.make(random, size), random)
    }

    fn allows(&self, value: &Value) -> bool {
        self.constraint.as_ref().is_none_or(|constraint| constraint.allows(value))
    }
}

/// What a parameter is called: by its number where the source gives it no name.
fn shown_name(param: &Param, at: usize) -> String {
    match param.name.as_str() {
        "" | "_" => format!("arg{}", at + 1),
        name => name.to_owned(),
    }
}

/// Whether a function's first argument is a receiver, which callers have.
pub(super) fn is_method(name: &str) -> bool {
    let package = names::package(name);
    let rest = name.get(package.len()..).unwrap_or(name).trim_start_matches('.');
    let rest = rest.split('[').next().unwrap_or(rest);
    rest.starts_with('(') || (rest.contains('.') && !rest.contains(".func"))
}

/// Whose fields without an exported name are made up: those of the function's own package, as its tests do. In Go's own packages
/// such fields depend on each other.
fn private(package: &str) -> Private {
    match is_standard(package) {
        true => Private::None,
        false => Private::Of(package.to_owned()),
    }
}

/// Whether a package is one of Go's own.
pub(super) fn is_standard(package: &str) -> bool {
    let first = package.split('/').next().unwrap_or(package);
    names::is_standard(first)
}

/// Whether a value of this type has an order that `<` compares by.
pub(super) fn is_ordered(ty: &Type) -> bool {
    matches!(ty.kind, Kind::Int | Kind::Uint | Kind::Uintptr | Kind::Float | Kind::String)
}
