//! A failure as a Go test, for a file beside the function.

use std::collections::BTreeSet;

use super::check::Check;
use super::finding::escaped;
use super::property::Property;
use super::runner::Failure;
use super::subject::is_method;
use crate::go::generic;
use crate::go::names;
use crate::go::value::Value;
use crate::values::{function_source, package_base};

/// A file with a test that fails as these arguments did.
///
/// # Errors
/// Why there is none: what Go cannot say outside of the package.
pub(super) fn write(check: &Check, args: &[Value], failure: &Failure) -> Result<String, String> {
    let subject = check.subject();
    let package = names::package(subject.name());
    let sources = subject.sources(args).map_err(|error| error.to_string())?;
    let call = Call::of(subject.name(), package)?;
    let signature = subject.function().signature();
    let count = signature.map_or(0, |signature| generic::without_dictionary(signature).results.len());
    let own = check.own_count(sources.len());
    let body = body(check, &call, (&sources, own), count, failure)?;
    let name: String = subject
        .name()
        .get(package.len()..)
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    let mut letters = name.chars();
    let name: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let base = package_base(package);
    let mut imports = BTreeSet::from(["testing".to_owned()]);
    for (word, path) in [("reflect.", "reflect"), ("math.", "math"), ("errors.", "errors")] {
        if body.contains(word) {
            imports.insert(path.to_owned());
        }
    }
    for input in subject.inputs() {
        for path in input.maker.packages() {
            let named = body.contains(&format!("{}.", package_base(&path)));
            if path != package && named {
                imports.insert(path);
            }
        }
    }
    let imports: String = imports.iter().map(|path| format!("\t\"{path}\"\n")).collect();
    let what = escaped(&failure.what);
    Ok(format!(
        "package {base}\n\nimport (\n{imports})\n\n// {what}\nfunc Test{name}Found(t *testing.T) {{\n{body}}}\n"
    ))
}

/// How a function is called in its package.
struct Call {
    name: String,
    method: bool,
}

impl Call {
    fn of(full: &str, package: &str) -> Result<Call, String> {
        let rest = full.get(package.len()..).unwrap_or(full).trim_start_matches('.');
        if rest.contains(".func") || rest.contains('-') {
            return Err(format!("{full} has no name in Go"));
        }
        let method = is_method(full);
        let name = if method { rest.rsplit('.').next().unwrap_or(rest) } else { rest };
        let name = name.split('[').next().unwrap_or(name);
        Ok(Call { name: name.to_owned(), method })
    }

    fn with(&self, args: &[String]) -> String {
        match (self.method, args.split_first()) {
            (true, Some((receiver, rest))) => format!("({receiver}).{}({})", self.name, rest.join(", ")),
            _ => format!("{}({})", self.name, args.join(", ")),
        }
    }
}

/// The statements of the test.
fn body(
    check: &Check,
    call: &Call,
    (sources, own): (&[String], usize),
    count: usize,
    failure: &Failure,
) -> Result<String, String> {
    let args = sources.get(..own).unwrap_or(sources);
    let of = |name: &str| -> Result<String, String> {
        let package = names::package(check.subject().name());
        let whole =
            if names::package(name).is_empty() { format!("{package}.{name}") } else { name.to_owned() };
        function_source(&whole, package).map_err(|error| error.to_string())
    };
    let results = |prefix: &str| (0..count).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>().join(", ");
    let rule = check.properties().find(|property| property.name() == failure.property);
    let compared = |first: String, second: String, why: &str| {
        let (got, want) = (results("got"), results("want"));
        format!(
            "\t{got} := {first}\n\t{want} := {second}\n\tif !reflect.DeepEqual([]any{{{got}}}, []any{{{want}}}) \
             {{\n\t\tt.Errorf(\"{why}: %v, %v\", []any{{{got}}}, []any{{{want}}})\n\t}}\n"
        )
    };
    Ok(match rule {
        None => format!("\t{}\n", call.with(args)),
        Some(Property::SameAs(other)) => {
            compared(call.with(args), format!("{}({})", of(other)?, args.join(", ")), "the results differ")
        }
        Some(Property::Commutes) => {
            let mut swapped = args.to_vec();
            let last = swapped.len().saturating_sub(2);
            swapped[last..].reverse();
            compared(call.with(args), call.with(&swapped), "the order of the arguments matters")
        }
        Some(Property::Idempotent) => {
            compared(call.with(args), call.with(&[call.with(args)]), "twice is not once")
        }
        Some(Property::Holds(predicate)) => {
            let got = results("got");
            let all: Vec<String> =
                args.iter().cloned().chain([got.clone()]).filter(|part| !part.is_empty()).collect();
            format!(
                "\t{got} := {}\n\tif !{}({}) {{\n\t\tt.Errorf(\"it does not hold: %v\", []any{{{got}}})\n\t}}\n",
                call.with(args),
                of(predicate)?,
                all.join(", "),
            )
        }
        Some(Property::Expect(text)) if count == 1 => format!(
            "\tif got := {}; !reflect.DeepEqual(got, {text}) {{\n\t\tt.Errorf(\"got %v\", got)\n\t}}\n",
            call.with(args),
        ),
        Some(Property::Monotone) if count == 1 => {
            let (at, extra) = check.grown().ok_or("nothing grows")?;
            let mut greater = args.to_vec();
            if let (Some(to), Some(from)) = (greater.get_mut(at), sources.get(extra)) {
                to.clone_from(from);
            }
            format!(
                "\tif low, high := {}, {}; low > high {{\n\t\tt.Errorf(\"the result gets smaller: %v, %v\", low, high)\n\t}}\n",
                call.with(args),
                call.with(&greater),
            )
        }
        Some(Property::Inverse(other)) if count == 1 && args.len() == 1 => format!(
            "\twant := {}\n\tif got := {}({}); !reflect.DeepEqual(got, want) {{\n\t\tt.Errorf(\"it is not undone: %v, %v\", got, want)\n\t}}\n",
            args[0],
            of(other)?,
            call.with(&["want".to_owned()]),
        ),
        Some(other) => return Err(format!("{} is not written as a Go test", other.name())),
    })
}
