//! What an argument is kept to: a range, some values, a length.

use goemu_loader::{Kind, Type};

use crate::go::guest::Types;
use crate::go::literal::parse_value;
use crate::go::value::{Bytes, List, Map, Value};
use crate::values::{Random, same};

/// What values of an argument are allowed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constraint {
    /// Integers from the first to the last.
    Whole(i128, i128),
    /// Floating-point numbers, likewise; the last only where it is included.
    Real(f64, f64, bool),
    /// Of so many bytes or elements, the last number included.
    Length(usize, usize),
    /// One of these.
    OneOf(Vec<Value>),
}

impl Constraint {
    /// `in 0..100`, `in 0..=100`, `len 0..8`, `one of 1, 2, 3`.
    pub(super) fn parse(text: &str, ty: &Type, types: &dyn Types) -> Result<Constraint, String> {
        let text = text.trim();
        if let Some(range) = text.strip_prefix("in ") {
            return Constraint::range(range, ty);
        }
        if let Some(range) = text.strip_prefix("len ") {
            let has_length = matches!(ty.kind, Kind::String | Kind::Slice(_) | Kind::Map { .. });
            if !has_length {
                return Err(format!("a {ty} has no length"));
            }
            let (from, to, included) = bounds(range)?;
            let number = |text: &str| text.parse::<usize>().map_err(|_| format!("{text} is no length"));
            let last = number(to)?;
            let last = if included { Some(last) } else { last.checked_sub(1) };
            return filled(number(from)?, last, range).map(|(from, to)| Constraint::Length(from, to));
        }
        if let Some(values) = text.strip_prefix("one of ") {
            let parse = |text: &str| parse_value(text, ty, types).map_err(|error| format!("{text}: {error}"));
            let values: Vec<Value> = parts(values).into_iter().map(parse).collect::<Result<_, _>>()?;
            return Ok(Constraint::OneOf(values));
        }
        Err(format!("{text} is no constraint: write 'in 0..100', 'len 0..8' or 'one of 2, 3'"))
    }

    fn range(text: &str, ty: &Type) -> Result<Constraint, String> {
        let (from, to, included) = bounds(text)?;
        match ty.kind {
            Kind::Int | Kind::Uint | Kind::Uintptr => {
                let number = |text: &str| whole(text).ok_or_else(|| format!("{text} is no whole number"));
                let last = number(to)?;
                let last = if included { Some(last) } else { last.checked_sub(1) };
                filled(number(from)?, last, text).map(|(from, to)| Constraint::Whole(from, to))
            }
            Kind::Float => {
                let number = |text: &str| text.parse::<f64>().map_err(|_| format!("{text} is no number"));
                filled(number(from)?, Some(number(to)?), text).map(|(a, b)| Constraint::Real(a, b, included))
            }
            _ => Err(format!("a {ty} has no range; write 'one of', or 'len 0..8'")),
        }
    }

    pub(super) fn allows(&self, value: &Value) -> bool {
        match (self, value) {
            (Constraint::Whole(from, to), Value::Int(n)) => (*from..=*to).contains(&i128::from(*n)),
            (Constraint::Whole(from, to), Value::Uint(n) | Value::Uintptr(n)) => {
                (*from..=*to).contains(&i128::from(*n))
            }
            (Constraint::Real(from, to, included), Value::Float64(n)) => within(*n, *from, *to, *included),
            (Constraint::Real(from, to, included), Value::Float32(n)) => {
                within(f64::from(*n), *from, *to, *included)
            }
            (Constraint::Length(from, to), value) => (*from..=*to).contains(&length(value)),
            (Constraint::OneOf(values), value) => values.iter().any(|one| same(one, value)),
            _ => false,
        }
    }

    /// A value, where the constraint alone tells all that there are.
    pub(super) fn make(&self, random: &mut Random) -> Option<Value> {
        match self {
            Constraint::OneOf(values) => random.pick(values).cloned(),
            _ => None,
        }
    }

    /// The value, or one like it that is allowed.
    pub(super) fn forced(
        &self,
        value: Value,
        make: impl Fn(&mut Random, usize) -> Value,
        random: &mut Random,
    ) -> Value {
        if self.allows(&value) {
            return value;
        }
        match (self, value) {
            (Constraint::Whole(from, to), value) => {
                let span = (to - from) as u128 + 1;
                let n = from + (u128::from(random.bits()) % span) as i128;
                if matches!(value, Value::Int(_)) { Value::Int(n as i64) } else { unsigned(&value, n) }
            }
            (Constraint::Real(from, to, _), value) => {
                let part = (random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
                let n = from + (to - from) * part;
                if matches!(value, Value::Float32(_)) { Value::Float32(n as f32) } else { Value::Float64(n) }
            }
            (Constraint::Length(from, to), value) => {
                let wanted = from + random.below((to - from).min(200) + 1);
                (0..64).fold(value, |value, _| resized(value, wanted, make(random, 100)))
            }
            (Constraint::OneOf(_), value) => value,
        }
    }
}

fn unsigned(like: &Value, n: i128) -> Value {
    if matches!(like, Value::Uintptr(_)) { Value::Uintptr(n as u64) } else { Value::Uint(n as u64) }
}

/// The value with so many elements; further ones are taken from another.
fn resized(value: Value, wanted: usize, more: Value) -> Value {
    match (value, more) {
        (Value::String(mut bytes), Value::String(more)) => {
            bytes.extend(more);
            bytes.truncate(wanted);
            Value::String(bytes)
        }
        (Value::Bytes(mut b), Value::Bytes(more)) => {
            b.bytes.extend(more.bytes);
            b.bytes.truncate(wanted);
            Value::Bytes(b)
        }
        (Value::List(mut list), Value::List(more)) => {
            list.elems.extend(more.elems);
            list.elems.truncate(wanted);
            Value::List(list)
        }
        (Value::Map(mut map), Value::Map(more)) => {
            let new = |key: &Value| map.entries.iter().all(|(known, _)| !same(known, key));
            let added: Vec<_> = more.entries.into_iter().filter(|(key, _)| new(key)).collect();
            map.entries.extend(added);
            map.entries.truncate(wanted);
            Value::Map(map)
        }
        (Value::Nil(_), more) if wanted > 0 => more,
        (value, _) => value,
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::String(bytes) | Value::Bytes(Bytes { bytes, .. }) => bytes.len(),
        Value::List(List { elems, .. }) => elems.len(),
        Value::Map(Map { entries, .. }) => entries.len(),
        _ => 0,
    }
}

fn within(n: f64, from: f64, to: f64, included: bool) -> bool {
    n >= from && (n < to || (included && n == to))
}

/// The ends of `0..100` or `0..=100`, and whether the last is included.
fn bounds(text: &str) -> Result<(&str, &str, bool), String> {
    let (from, to) = text.split_once("..").ok_or_else(|| format!("{text} is no range: write 0..100"))?;
    let (to, included) = to.strip_prefix('=').map_or((to, false), |to| (to, true));
    Ok((from.trim(), to.trim(), included))
}

fn filled<T: PartialOrd>(from: T, to: Option<T>, text: &str) -> Result<(T, T), String> {
    match to {
        Some(to) if from <= to => Ok((from, to)),
        _ => Err(format!("{text} is an empty range")),
    }
}

fn whole(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let digits = digits.replace('_', "");
    let n = match digits.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16),
        None => digits.parse::<i128>(),
    };
    n.ok().and_then(|n| n.checked_mul(sign)).filter(|n| n.abs() <= 1 << 64)
}

/// What commas separate, outside of quotes and brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut deep, mut quote, mut escaped) = (Vec::new(), 0, 0_i32, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{' | '(' | '[') => deep += 1,
            (None, '}' | ')' | ']') => deep -= 1,
            (None, ',') if deep <= 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::{Constraint, parts};
    use crate::go::testing::{Space, basic, slice};
    use crate::go::value::Value;
    use crate::values::Random;

    #[test]
    fn commas_separate_outside_of_quotes_and_brackets() {
        assert_eq!(parts(r#""a,b", {1, 2}, 'x'"#), [r#""a,b""#, "{1, 2}", "'x'"]);
    }

    #[test]
    fn ranges_values_and_lengths() {
        let types = Space::new().types();
        let parse = |text: &str, ty: &str| Constraint::parse(text, &basic(ty), &types);
        let range = parse("in 0..100", "int").unwrap();
        assert_eq!(range, Constraint::Whole(0, 99));
        assert!(range.allows(&Value::Int(99)) && !range.allows(&Value::Int(100)));
        assert_eq!(parse("in -0x10..=5", "int8"), Ok(Constraint::Whole(-16, 5)));
        assert_eq!(parse("in 5..5", "int"), Err("5..5 is an empty range".to_owned()));
        assert_eq!(parse("len 0..3", "int"), Err("a int has no length".to_owned()));
        let mut random = Random::new(1);
        for _ in 0..100 {
            assert!(range.allows(&range.forced(Value::Int(-7), |_, _| Value::Int(0), &mut random)));
        }
        let one = parse("one of 2, 3", "int").unwrap();
        assert!(one.allows(&Value::Int(3)) && !one.allows(&Value::Int(4)));
        let length = Constraint::parse("len 2..=2", &slice(&basic("int")), &types).unwrap();
        let made = length.forced(Value::nil(), |_, _| Value::from(vec![7]), &mut random);
        assert!(length.allows(&made), "{made}");
    }
}
