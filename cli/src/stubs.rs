//! `--stub`: functions of the program that give what the user says instead of running.

use anyhow::{Context, Result, bail};
use goemu::go::literal::parse_value;
use goemu::{Machine, Value};

#[derive(clap::Args)]
pub(crate) struct Stubs {
    /// Let a function whose signature is known give this instead of running: 'main.isDebugged=false', 'main.read="x", nil'; one option for
    /// each
    #[arg(long, value_name = "FUNC=VALUES")]
    stub: Vec<String>,
}

impl Stubs {
    /// Puts them in place.
    pub(crate) fn apply(&self, machine: &mut Machine) -> Result<()> {
        self.stub.iter().try_for_each(|stub| apply(machine, stub).with_context(|| format!("--stub {stub:?}")))
    }
}

fn apply(machine: &mut Machine, stub: &str) -> Result<()> {
    let Some((name, values)) = stub.split_once('=') else { bail!("FUNC=VALUES is wanted") };
    let image = machine.image().clone();
    let function = machine.function(name, None)?;
    let Some(signature) = function.signature() else { bail!("the results of {name} are not known") };
    let texts = if signature.results.len() == 1 { vec![values] } else { split(values) };
    if texts.len() != signature.results.len() {
        bail!("{name} gives {} results, and these are {}", signature.results.len(), texts.len());
    }
    let value =
        |(text, param): (&&str, &goemu_loader::Param)| Ok(parse_value(text.trim(), &param.ty, &*image)?);
    let results = texts.iter().zip(&signature.results).map(value).collect::<Result<Vec<Value>>>()?;
    Ok(machine.replace(name, None, move |_| Some(results.clone()))?)
}

/// Values that commas divide, but for those in quotes and brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut quote, mut escaped) = (Vec::new(), 0, 0_usize, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !text.trim().is_empty() || !parts.is_empty() {
        parts.push(&text[from..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn values_are_divided_at_outer_commas() {
        assert_eq!(split(r#"[]int{1, 2}, "a,\"b", nil"#), ["[]int{1, 2}", r#" "a,\"b""#, " nil"]);
        assert_eq!(split(""), [""; 0]);
    }
}
