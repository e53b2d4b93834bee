//! Arguments of a call as a user gives them: in Go syntax, each text by the type of its parameter.

use std::cmp::Ordering;

use goemu_loader::{Kind, Param, Signature, Type};

use crate::go::guest::Types;
use crate::go::literal::{LiteralError, parse_value};
use crate::go::value::{List, Value};
use crate::go::write::{Problem, ValueError};

/// Characters that an excerpt has before a mistake, and from there on.
const BEFORE: usize = 40;
const AFTER: usize = 30;

/// An argument as a user gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument<'a> {
    /// In Go syntax.
    Text(&'a str),
    /// As it is, as the contents of a file are.
    Value(Value),
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(text: &'a str) -> Argument<'a> {
        Argument::Text(text)
    }
}

/// Why a text is no argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// There are more or fewer than the function has parameters.
    #[error(transparent)]
    Count(ValueError),
    /// A text is no value of its parameter's type.
    #[error("argument {number} ({param}), {error}")]
    Literal {
        /// Which argument, from 1.
        number: usize,
        /// Its parameter.
        param: String,
        /// The text.
        text: String,
        /// What is wrong with the text.
        error: Box<LiteralError>,
    },
}

impl ArgumentError {
    /// The part of the text that is wrong, with a mark below it.
    pub fn excerpt(&self) -> Option<String> {
        let ArgumentError::Literal { text, error, .. } = self else { return None };
        let column = error.column.saturating_sub(1);
        let from = column.saturating_sub(BEFORE);
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let shown: String = text.chars().skip(from).take(BEFORE + AFTER).map(plain).collect();
        let dots = if from > 0 { "..." } else { "" };
        let indent = " ".repeat(dots.len() + column - from);
        Some(format!("  {dots}{shown}\n  {indent}^"))
    }
}

/// The values that these arguments are, one for each parameter.
///
/// The last parameter may be variadic: the texts for it are given one by one, or as in Go as one slice that is
/// followed by three dots, `[]int{1, 2}...`. Debug information does not tell such a parameter from a slice: where
/// the last one is a slice, more arguments than parameters are its elements.
///
/// # Errors
/// When there are too many or too few, or one of them is no value of its parameter's type.
pub fn parse(sig: &Signature, args: &[Argument<'_>], types: &dyn Types) -> Result<Vec<Value>, ArgumentError> {
    let last = sig.params.last();
    let may_be_variadic = || last.is_some_and(|param| matches!(param.ty.kind, Kind::Slice(_)));
    let spread = || matches!(args.last(), Some(Argument::Text(text)) if text.trim_end().ends_with("..."));
    match args.len().cmp(&sig.params.len()) {
        _ if sig.variadic && args.len() + 1 >= sig.params.len() => parse_all(sig, last, args, types),
        Ordering::Equal if may_be_variadic() && spread() => parse_all(sig, last, args, types),
        Ordering::Equal => parse_all(sig, None, args, types),
        Ordering::Greater if may_be_variadic() => {
            parse_all(sig, last, args, types).map_err(|_| wrong_count(sig, args))
        }
        _ => Err(wrong_count(sig, args)),
    }
}

fn wrong_count(sig: &Signature, args: &[Argument<'_>]) -> ArgumentError {
    let problem = Problem::Arguments { got: args.len(), signature: sig.to_string() };
    ArgumentError::Count(problem.into())
}

/// The values of arguments, all that the last parameter leaves being elements of it if that is variadic.
fn parse_all(
    sig: &Signature,
    variadic: Option<&Param>,
    args: &[Argument<'_>],
    types: &dyn Types,
) -> Result<Vec<Value>, ArgumentError> {
    let fixed = sig.params.len() - usize::from(variadic.is_some());
    let (first, rest) = args.split_at(fixed);
    let numbered = first.iter().zip(&sig.params).enumerate();
    let mut values = numbered
        .map(|(i, (arg, param))| parse_one(i + 1, arg, param, &param.ty, types))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(param) = variadic {
        values.push(parse_rest(fixed + 1, rest, param, types)?);
    }
    Ok(values)
}

fn parse_one(
    number: usize,
    arg: &Argument<'_>,
    param: &Param,
    ty: &Type,
    types: &dyn Types,
) -> Result<Value, ArgumentError> {
    let text = match arg {
        Argument::Text(text) => text,
        Argument::Value(value) => return Ok(value.clone()),
    };
    parse_value(text, ty, types).map_err(|error| ArgumentError::Literal {
        number,
        param: param.to_string(),
        text: (*text).to_owned(),
        error: Box::new(error),
    })
}

/// The slice that these arguments are for a variadic parameter.
fn parse_rest(
    number: usize,
    args: &[Argument<'_>],
    param: &Param,
    types: &dyn Types,
) -> Result<Value, ArgumentError> {
    if let [Argument::Text(text)] = args
        && let Some(slice) = text.trim_end().strip_suffix("...")
        && let Ok(value) = parse_value(slice, &param.ty, types)
    {
        return Ok(value);
    }
    if args.is_empty() {
        return Ok(Value::Nil(Some(param.ty.clone())));
    }
    if let [Argument::Text(text)] = args
        && let Some(value) = whole_list(text, &param.ty, types)
    {
        return Ok(value);
    }
    // A variadic parameter's type is a slice.
    let Kind::Slice(elem) = &param.ty.kind else { return Ok(Value::Nil(None)) };
    let elem = types.resolve(elem).map_err(|error| ArgumentError::Literal {
        number,
        param: param.to_string(),
        text: String::new(),
        error: Box::new(LiteralError { column: 1, flaw: error.into() }),
    })?;
    let elems = args.iter().zip(number..).map(|(arg, n)| parse_one(n, arg, param, &elem, types));
    Ok(Value::List(List { ty: Some(param.ty.clone()), elems: elems.collect::<Result<_, _>>()? }))
}

/// The slice `[]string{"a"}` that somebody forgot the dots behind: as a string it would have quotes.
fn whole_list(text: &str, slice: &Type, types: &dyn Types) -> Option<Value> {
    let Kind::Slice(elem) = &slice.kind else { return None };
    let strings = matches!(types.resolve(elem).ok()?.kind, Kind::String);
    if strings && text.trim_start().starts_with("[]") { parse_value(text, slice, types).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::testing::{Space, Ty, basic, slice};

    fn sig(params: &[(&str, Ty)], variadic: bool) -> Signature {
        let params = params.iter().map(|(name, ty)| Param { name: (*name).to_owned(), ty: ty.clone() });
        Signature { params: params.collect(), results: Vec::new(), variadic }
    }

    fn texts(sig: &Signature, texts: &[&str]) -> Result<Vec<String>, String> {
        let args: Vec<_> = texts.iter().copied().map(Argument::from).collect();
        let values = parse(sig, &args, &Space::new().types()).map_err(|error| error.to_string())?;
        Ok(values.iter().map(Value::to_string).collect())
    }

    #[test]
    fn one_for_each_parameter() {
        let sig = sig(&[("a", basic("int")), ("s", basic("string"))], false);
        assert_eq!(texts(&sig, &["-5", "hi"]).unwrap(), ["-5", r#""hi""#]);
        assert_eq!(texts(&sig, &["1"]).unwrap_err(), "1 argument given to func(a int, s string)");
        assert_eq!(texts(&sig, &["1", "2", "3"]).unwrap_err(), "3 arguments given to func(a int, s string)");
        let message = texts(&sig, &["x", "y"]).unwrap_err();
        assert!(message.starts_with("argument 1 (a int), column 1: "), "{message}");
    }

    #[test]
    fn variadic_ones_one_by_one_or_spread() {
        let sig = sig(&[("a", basic("int")), ("rest", slice(&basic("string")))], true);
        assert_eq!(texts(&sig, &["1"]).unwrap(), ["1", "[]string(nil)"]);
        assert_eq!(texts(&sig, &["1", "x", "y..."]).unwrap(), ["1", r#"[]string{"x", "y..."}"#]);
        assert_eq!(texts(&sig, &["1", r#"[]string{"x"}..."#]).unwrap(), ["1", r#"[]{"x"}"#]);
        assert_eq!(texts(&sig, &["1", r#"[]string{"x"}"#]).unwrap(), ["1", r#"[]{"x"}"#]);
        assert_eq!(texts(&sig, &["1", "[]x"]).unwrap(), ["1", r#"[]string{"[]x"}"#]);
        assert_eq!(texts(&sig, &["1", "wait..."]).unwrap(), ["1", r#"[]string{"wait..."}"#]);
        assert!(texts(&sig, &[]).is_err());
    }

    #[test]
    fn elements_of_a_last_slice_where_nothing_tells_what_is_variadic() {
        let sig = sig(&[("a", basic("int")), ("rest", slice(&basic("int")))], false);
        assert_eq!(texts(&sig, &["1", "2", "3"]).unwrap(), ["1", "[]int{2, 3}"]);
        assert_eq!(texts(&sig, &["1", "[]int{2}..."]).unwrap(), ["1", "[]{2}"]);
        assert_eq!(texts(&sig, &["1", "[]int{2}"]).unwrap(), ["1", "[]{2}"]);
        for wrong in [&["1"][..], &["1", "[]int{2}", "3"]] {
            let message = texts(&sig, wrong).unwrap_err();
            assert_eq!(message, format!("{} given to func(a int, rest []int)", count(wrong.len())));
        }
        assert!(texts(&sig, &["1", "2"]).is_err());
    }

    fn count(n: usize) -> String {
        format!("{n} argument{}", if n == 1 { "" } else { "s" })
    }
}
