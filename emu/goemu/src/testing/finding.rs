//! What a test has found: what failed, the smallest input, how to repeat it.

use std::fmt::{self, Write};

use serde_json::{Value as Json, json};

use super::runner::State;

/// Something that is wrong with a program, and how to see it again. `check`, `diff`, `fuzz` and whatever else looks for failures
/// tell of them in this one form, as text ([`fmt::Display`]), JSON and JUnit's XML ([`junit`]).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// The function, or the program.
    pub subject: String,
    /// What was to hold: `returns`, `idempotent`, `same-as main.g`.
    pub property: String,
    /// What happened instead, in a line.
    pub what: String,
    /// By which failures of one cause are told apart from others: the kind of failure, and the functions it was in.
    pub key: String,
    /// The input that it happens with, as small as was found.
    pub input: Vec<Given>,
    /// More of what was seen, as names and texts: what the functions returned.
    pub details: Vec<(String, String)>,
    /// The stacks, as Go prints them.
    pub traceback: Option<String>,
    /// Why it may not happen again: it depends on chance.
    pub flaky: Option<String>,
    /// What everything random followed from.
    pub seed: u64,
    /// The state of the machine, where a limit was reached and a call in another state may be within it.
    pub state: Option<State>,
    /// Runs until it was found, that one included.
    pub runs: u64,
    /// Runs that made the input smaller.
    pub shrinks: usize,
    /// Whether no smaller input fails, of those that are tried.
    pub minimal: bool,
    /// The command that repeats it.
    pub repeat: Option<String>,
    /// A Go test that fails of it, or why there is none.
    pub test: Option<Result<String, String>>,
}

/// A part of an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// What it is called: a parameter's name.
    pub name: String,
    /// Its type; empty where it has none.
    pub ty: String,
    /// The value, in Go syntax.
    pub value: String,
}

impl Finding {
    /// A finding of which only this is known.
    #[must_use]
    pub fn new(subject: &str, property: &str, what: &str) -> Finding {
        Finding {
            subject: subject.to_owned(),
            property: property.to_owned(),
            what: what.to_owned(),
            ..Finding::default()
        }
    }

    /// All of it as an object.
    #[must_use]
    pub fn json(&self) -> Json {
        let given = |given: &Given| json!({ "name": given.name, "type": given.ty, "value": given.value });
        let details = self.details.iter().map(|(name, text)| (name.clone(), Json::from(text.as_str())));
        json!({
            "subject": self.subject,
            "property": self.property,
            "what": self.what,
            "key": self.key,
            "input": self.input.iter().map(given).collect::<Json>(),
            "details": details.collect::<serde_json::Map<_, _>>(),
            "traceback": self.traceback,
            "flaky": self.flaky,
            "seed": self.seed,
            "runs": self.runs,
            "shrinks": self.shrinks,
            "minimal": self.minimal,
            "repeat": self.repeat,
            "test": self.test.as_ref().and_then(|test| test.as_ref().ok()),
        })
    }
}

impl fmt::Display for Finding {
    /// For a terminal: what comes from the guest is [escaped].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", escaped(&self.subject), escaped(&self.what))?;
        if self.property != "returns" {
            writeln!(f, "  property  {}", escaped(&self.property))?;
        }
        for Given { name, value, .. } in &self.input {
            writeln!(f, "  {name} = {}", escaped(value))?;
        }
        for (name, text) in &self.details {
            writeln!(f, "  {name}: {}", escaped(text))?;
        }
        if let Some(flaky) = &self.flaky {
            writeln!(f, "  flaky: {flaky}")?;
        }
        let runs = if self.runs == 1 { "run" } else { "runs" };
        write!(f, "  after {} {runs} with seed {}", self.runs, self.seed)?;
        match (self.shrinks, self.minimal) {
            (0, _) => writeln!(f)?,
            (shrinks, true) => writeln!(f, "; made as small as can be in {shrinks} more")?,
            (shrinks, false) => writeln!(f, "; made smaller in {shrinks} more")?,
        }
        if let Some(traceback) = &self.traceback {
            writeln!(f)?;
            traceback.trim_end().lines().try_for_each(|line| writeln!(f, "    {}", escaped(line)))?;
            writeln!(f)?;
        }
        self.repeat.iter().try_for_each(|repeat| writeln!(f, "  repeat: {}", escaped(repeat)))
    }
}

/// The text on one line, without what a terminal would not show as a character, or would show in another place: that is
/// written as Go escapes it. Tabs stay.
#[must_use]
pub fn escaped(text: &str) -> String {
    let moves = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Writing to a string cannot fail.
        match c {
            '\t' => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if c.is_ascii_control() => _ = write!(out, "\\x{:02x}", u32::from(c)),
            c if c.is_control() || moves(c) => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}

/// One test of a suite, as JUnit counts them.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What was tested.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// What came of it.
    pub result: CaseResult,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum CaseResult {
    /// Nothing was found.
    Passed,
    /// This was found.
    Failed(Vec<Finding>),
    /// It could not be tested, for this reason.
    Skipped(String),
}

/// JUnit's XML, which continuous integration reads.
#[must_use]
pub fn junit(suite: &str, cases: &[Case]) -> String {
    let failed = cases.iter().filter(|case| matches!(case.result, CaseResult::Failed(_))).count();
    let skipped = cases.iter().filter(|case| matches!(case.result, CaseResult::Skipped(_))).count();
    let seconds: f64 = cases.iter().map(|case| case.seconds).sum();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" \
         errors=\"0\" skipped=\"{skipped}\" time=\"{seconds:.3}\">\n",
        xml(suite),
        cases.len(),
    );
    for case in cases {
        let head = format!(
            "  <testcase classname=\"goemu\" name=\"{}\" time=\"{:.3}\"",
            xml(&case.name),
            case.seconds
        );
        out += &head;
        match &case.result {
            CaseResult::Passed => out += "/>\n",
            CaseResult::Skipped(why) => {
                _ = writeln!(out, ">\n    <skipped message=\"{}\"/>\n  </testcase>", xml(why))
            }
            CaseResult::Failed(findings) => {
                out += ">\n";
                for finding in findings {
                    let (what, kind, text) =
                        (xml(&finding.what), xml(&finding.property), xml(&finding.to_string()));
                    let failure =
                        format!("    <failure message=\"{what}\" type=\"{kind}\">{text}</failure>\n");
                    out += &failure;
                }
                out += "  </testcase>\n";
            }
        }
    }
    out + "</testsuite>\n"
}

/// Text inside an element or attribute. XML has no place for most control characters, not even escaped.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Case, CaseResult, Finding, Given, junit};

    fn finding() -> Finding {
        let input = vec![Given { name: "s".to_owned(), ty: "string".to_owned(), value: "\"<\"".to_owned() }];
        Finding { input, runs: 3, seed: 1, ..Finding::new("main.f", "returns", "panic: \x1b[31m & more\n") }
    }

    #[test]
    fn text_of_a_guest_does_not_reach_the_terminal_as_it_is() {
        let text = finding().to_string();
        assert!(
            text.starts_with("main.f: panic: \\x1b[31m & more\\n\n  s = \"<\"\n  after 3 runs with seed 1\n"),
            "{text}"
        );
    }

    #[test]
    fn junit_counts_and_escapes() {
        let case = |name: &str, result| Case { name: name.to_owned(), seconds: 0.5, result };
        let xml = junit(
            "a & b",
            &[
                case("main.f", CaseResult::Failed(vec![finding()])),
                case("main.g", CaseResult::Passed),
                case("main.h", CaseResult::Skipped("takes a chan int".to_owned())),
            ],
        );
        let head =
            r#"<testsuite name="a &amp; b" tests="3" failures="1" errors="0" skipped="1" time="1.500">"#;
        assert!(xml.contains(head), "{xml}");
        assert!(xml.contains("message=\"panic: \u{fffd}[31m &amp; more&#10;\""), "{xml}");
        assert!(xml.contains("<skipped message=\"takes a chan int\"/>"), "{xml}");
    }
}
