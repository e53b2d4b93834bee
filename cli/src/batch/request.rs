//! One line of a batch: which call is asked for.

use anyhow::{Result, anyhow, bail};
use serde_json::{Map, Value as Json};

use crate::calls;

/// Values inside values.
const MAX_DEPTH: usize = 64;

/// A call that a line asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) id: Json,
    func: String,
    args: Vec<String>,
    sig: Option<String>,
    captures: Option<String>,
    pub(super) fuel: Option<u64>,
}

impl Request {
    /// Reads a line; a mistake comes with the id, if there is one.
    pub(super) fn parse(line: &str) -> Result<Request, (Json, anyhow::Error)> {
        let object = match serde_json::from_str(line) {
            Ok(Json::Object(object)) => object,
            Ok(_) => return Err((Json::Null, anyhow!("a request is an object, {{\"func\": \"main.f\"}}"))),
            Err(error) => return Err((Json::Null, anyhow!("not JSON: {error}"))),
        };
        let id = object.get("id").cloned().unwrap_or(Json::Null);
        Request::of(object).map_err(|error| (id, error))
    }

    fn of(object: Map<String, Json>) -> Result<Request> {
        let (mut id, mut func, mut args) = (Json::Null, None, Vec::new());
        let (mut sig, mut captures, mut fuel) = (None, None, None);
        for (key, value) in object {
            match (key.as_str(), value) {
                ("id", value) => id = value,
                ("func", Json::String(name)) => func = Some(name),
                ("args", Json::Array(values)) => args = values.iter().map(argument).collect::<Result<_>>()?,
                ("sig", Json::String(text)) => sig = Some(text),
                ("captures", Json::String(text)) => captures = Some(text),
                ("fuel", value) if value.is_u64() => fuel = value.as_u64(),
                ("sig" | "captures" | "fuel", Json::Null) => {}
                ("func" | "args" | "sig" | "captures" | "fuel", _) => {
                    bail!("{key} has a value of the wrong kind")
                }
                _ => bail!("{key:?} is no part of a request: func, args, sig, captures, fuel and id are"),
            }
        }
        let func = func.ok_or_else(|| anyhow!("func is missing"))?;
        Ok(Request { id, func, args, sig, captures, fuel })
    }

    pub(super) fn as_call(&self) -> calls::Request<'_> {
        calls::Request {
            func: &self.func,
            args: &self.args,
            sig: self.sig.as_deref(),
            captures: self.captures.as_deref(),
        }
    }
}

/// An argument: a text as it is, anything else in Go syntax.
fn argument(value: &Json) -> Result<String> {
    match value {
        Json::String(text) => Ok(text.clone()),
        value => literal(value, 0),
    }
}

/// A value inside another in Go syntax.
fn literal(value: &Json, depth: usize) -> Result<String> {
    if depth > MAX_DEPTH {
        bail!("an argument has more than {MAX_DEPTH} values inside each other");
    }
    let inside = |value: &Json| literal(value, depth + 1);
    match value {
        Json::Null => Ok("nil".to_owned()),
        Json::Bool(_) | Json::Number(_) => Ok(value.to_string()),
        Json::String(text) => Ok(quoted(text.as_bytes())),
        Json::Array(values) => {
            Ok(format!("{{{}}}", values.iter().map(inside).collect::<Result<Vec<_>>>()?.join(", ")))
        }
        Json::Object(object) => {
            let only = object.iter().next().filter(|_| object.len() == 1);
            match only.map(|(key, value)| (key.as_str(), value)) {
                Some(("$string", Json::String(text))) => Ok(quoted(text.as_bytes())),
                Some(("$bytes", Json::String(hex))) => Ok(quoted(&bytes(hex)?)),
                Some(("$map", Json::Object(entries))) => {
                    let entry = |(key, value): (&String, &Json)| {
                        Ok(format!("{}: {}", quoted(key.as_bytes()), inside(value)?))
                    };
                    Ok(format!("{{{}}}", entries.iter().map(entry).collect::<Result<Vec<_>>>()?.join(", ")))
                }
                Some((key, _)) if key.starts_with('$') => {
                    bail!("{key} is not known here: $string, $bytes (hexadecimal) and $map (an object) are")
                }
                _ => {
                    let field = |(key, value): (&String, &Json)| Ok(format!("{key}: {}", inside(value)?));
                    Ok(format!("{{{}}}", object.iter().map(field).collect::<Result<Vec<_>>>()?.join(", ")))
                }
            }
        }
    }
}

/// Bytes as a string in Go syntax.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let wrong = || anyhow!("$bytes is hexadecimal, two digits for each byte");
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let byte = |at: usize| hex.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    (0..hex.len()).step_by(2).map(|at| byte(at).ok_or_else(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_go_syntax() {
        for (value, text) in [
            (json!("plain"), "plain"),
            (json!(-3), "-3"),
            (json!(1.5), "1.5"),
            (json!(null), "nil"),
            (json!([1, [2, "a\"b"]]), r#"{1, {2, "a\"b"}}"#),
            (json!({ "X": 1, "Y": [true] }), "{X: 1, Y: {true}}"),
            (json!({ "$string": "5" }), "\"5\""),
            (json!({ "$string": "\u{e9}" }), "\"\\xc3\\xa9\""),
            (json!({ "$bytes": "00ff41" }), "\"\\x00\\xffA\""),
            (json!({ "$map": { "a": 1 } }), "{\"a\": 1}"),
        ] {
            assert_eq!(argument(&value).unwrap(), text, "{value}");
        }
        for value in [json!({ "$bytes": "0" }), json!({ "$bytes": "zz" }), json!({ "$what": 1 })] {
            assert!(argument(&value).is_err(), "{value}");
        }
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        assert!(argument(&deep).is_err());
    }

    #[test]
    fn mistakes_keep_the_id() {
        for (line, id, message) in [
            ("[", json!(null), "not JSON"),
            ("[]", json!(null), "an object"),
            (r#"{"id": 7}"#, json!(7), "func is missing"),
            (r#"{"id": "a", "func": 1}"#, json!("a"), "func has a value"),
            (r#"{"id": [1], "func": "f", "arg": []}"#, json!([1]), "\"arg\" is no part"),
        ] {
            let (found, error) = Request::parse(line).unwrap_err();
            assert_eq!(found, id, "{line}");
            assert!(error.to_string().contains(message), "{line}: {error}");
        }
    }
}
