//! What `check` and `fuzz` ask of a function, as options.

use anyhow::{Context, Result};
use goemu::Machine;
use goemu::go::guess::guess_types;
use goemu::testing::{Check, Finding, Property};
use regex_lite::Regex;

use crate::binary::Binary;
use crate::tested::{Tried, shell};
use crate::{number, output};

/// What is to hold of a function, beside that it returns.
#[derive(clap::Args)]
#[command(next_help_heading = "Properties")]
pub(crate) struct Asked {
    /// Panics whose text matches are as they should be
    #[arg(long, value_name = "REGEXP")]
    panics: Option<String>,
    /// Another function of the program gives the same
    #[arg(long, value_name = "FUNC")]
    same_as: Option<String>,
    /// Another function, given the results, gives the arguments; errors are no results
    #[arg(long, value_name = "FUNC")]
    inverse: Option<String>,
    /// The function, given its result, gives it again
    #[arg(long)]
    idempotent: bool,
    /// The last two arguments may change places
    #[arg(long)]
    commutes: bool,
    /// The first argument that has an order may grow, and the result does not get smaller
    #[arg(long)]
    monotone: bool,
    /// A function that takes the arguments and the results gives true
    #[arg(long, value_name = "FUNC")]
    holds: Option<String>,
    /// The result does not depend on chance, and arguments are left as they are
    #[arg(long)]
    pure: bool,
    /// The result, in Go syntax
    #[arg(long, value_name = "LITERAL")]
    expect: Option<String>,
    /// No call takes more instructions
    #[arg(long, value_name = "N", value_parser = number::count)]
    max_instructions: Option<u64>,
    /// Only arguments that this function gives true for
    #[arg(long, value_name = "FUNC")]
    assume: Option<String>,
}

impl Asked {
    fn properties(&self) -> Vec<Property> {
        let named = [
            self.same_as.clone().map(Property::SameAs),
            self.inverse.clone().map(Property::Inverse),
            self.holds.clone().map(Property::Holds),
            self.expect.clone().map(Property::Expect),
            self.idempotent.then_some(Property::Idempotent),
            self.commutes.then_some(Property::Commutes),
            self.monotone.then_some(Property::Monotone),
            self.pure.then_some(Property::Pure),
        ];
        named.into_iter().flatten().collect()
    }

    /// The signature that a function is to be given values by, where the program has none of it: the user's, or a guess, which is
    /// said. What it takes is enough where nothing is asked of results.
    pub(crate) fn signature(&self, machine: &Machine, func: &str, tried: &Tried) -> Result<Option<String>> {
        if tried.sig.is_some() || !self.properties().is_empty() || self.assume.is_some() {
            return Ok(tried.sig.clone());
        }
        let function = machine.function(func, None)?;
        let image = machine.image();
        let Some(found) = image.func_at(function.entry()).filter(|_| function.signature().is_none()) else {
            return Ok(None);
        };
        let guess = guess_types(image, &found).to_string();
        output::note(&format!(
            "the signature of {} is not known; guessed from its code: {} (--sig gives it): failures may be such as no caller causes",
            output::escaped(function.name()),
            output::escaped(&guess)
        ));
        Ok(Some(guess))
    }

    /// The check of a function.
    pub(crate) fn check(
        &self,
        machine: &Machine,
        func: &str,
        sig: Option<&str>,
        tried: &Tried,
    ) -> Result<Check> {
        let mut check = Check::new(machine, func, sig)?;
        for constraint in &tried.constraints {
            check = check.constrain(machine, constraint).context("--arg")?;
        }
        for property in self.properties() {
            let option = property.name();
            check = check.property(machine, property).with_context(|| format!("--{option}"))?;
        }
        if let Some(assume) = &self.assume {
            check = check.assume(machine, assume).context("--assume")?;
        }
        if let Some(most) = self.max_instructions {
            check = check.max_instructions(most);
        }
        if let Some(text) = &self.panics {
            let regex = Regex::new(text).with_context(|| format!("--panics {text}"))?;
            check = check.allow_panics(move |text| regex.is_match(text));
        }
        Ok(check)
    }

    /// The command that shows a finding again.
    pub(crate) fn repeat(
        &self,
        binary: &Binary,
        sig: Option<&str>,
        finding: &Finding,
        tried: &Tried,
    ) -> String {
        let returns = finding.property == "returns";
        let mut words = vec!["goemu".to_owned(), if returns { "call" } else { "check" }.to_owned()];
        words.extend(binary.words());
        words.push(finding.subject.clone());
        if !returns {
            words.extend(self.properties().iter().flat_map(option));
            let most = self.max_instructions.iter();
            words.extend(most.flat_map(|n| ["--max-instructions".to_owned(), n.to_string()]));
        }
        // What did not return, or was too large, was so within the limits of tests. `call` has others.
        let state = finding.state;
        let limited = returns && !finding.what.starts_with("panic: ");
        words.extend(match limited {
            true => tried.words_with_limits(sig, state),
            false => tried.words(sig, state),
        });
        words.push("--".to_owned());
        words.extend(finding.input.iter().map(|given| given.value.clone()));
        shell(&words)
    }
}

/// A property as the option that asks for it.
fn option(property: &Property) -> Vec<String> {
    let name = property.name();
    match name.split_once(' ') {
        Some((name, value)) => vec![format!("--{name}"), value.to_owned()],
        None => vec![format!("--{name}")],
    }
}
