//! What `check` and `fuzz` ask of a function, as options.

use anyhow::{Context, Result};
use goemu::testing::{Check, Finding, Property};
use goemu::{Image, Machine};
use regex_lite::Regex;

use crate::number;
use crate::tested::{self, Tried, shell};

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

    /// The check of a function.
    pub(crate) fn check(&self, machine: &Machine, func: &str, tried: &Tried) -> Result<Check> {
        let mut check = Check::new(machine, func, tried.sig.as_deref())?;
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
    pub(crate) fn repeat(&self, image: &Image, finding: &Finding, tried: &Tried) -> String {
        let returns = finding.property == "returns";
        let mut words = vec!["goemu".to_owned(), if returns { "call" } else { "check" }.to_owned()];
        words.extend(tested::program(image));
        words.push(finding.subject.clone());
        if !returns {
            words.extend(self.properties().iter().flat_map(Property::words));
            let most = self.max_instructions.iter();
            words.extend(most.flat_map(|n| ["--max-instructions".to_owned(), n.to_string()]));
        }
        // What did not return, or was too large, was so within the limits of tests. `call` has others.
        let limited = returns && !finding.what.starts_with("panic: ");
        words.extend(if limited { tried.words_with_limits() } else { tried.words() });
        words.push("--".to_owned());
        words.extend(finding.input.iter().map(|given| given.value.clone()));
        shell(&words)
    }
}
