//! What became of a package's tests, in both runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// What begins the line after the output of a run.
pub(super) const END: &str = "#### ended: ";

/// What is said of a test that goemu was not given, as it starts a program.
pub(super) const NOT_RUN: &str = "not run: it would start a program, and end all tests where it cannot";

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Fail,
    Skip,
}

/// A run of a test binary.
pub(super) struct Ran {
    /// Tests, also those inside of others, by name.
    pub(super) tests: BTreeMap<String, Verdict>,
    /// What tests wrote.
    said: BTreeMap<String, String>,
    /// The test that was begun last.
    pub(super) last: Option<String>,
    /// Whether it came to its summary.
    pub(super) whole: bool,
    /// How it ended.
    pub(super) ended: String,
    /// Seconds of processor time.
    pub(super) seconds: f64,
}

/// A test that passes natively, and not here.
pub(super) struct Other {
    pub(super) name: String,
    /// `None`: there is none.
    pub(super) verdict: Option<Verdict>,
    /// What it said, if anything.
    pub(super) said: String,
}

/// Both runs of a package.
pub(super) struct Compared {
    pub(super) native: Ran,
    pub(super) here: Ran,
}

impl Ran {
    fn read(path: &Path) -> Result<Ran> {
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        let (output, end) = text.rsplit_once(END).with_context(|| format!("{} is cut", path.display()))?;
        let (ended, seconds) = end.trim().split_once('\n').unwrap_or((end, "0"));
        let mut ran = Ran::of(output);
        (ran.ended, ran.seconds) = (ended.to_owned(), seconds.trim().parse().unwrap_or(0.0));
        Ok(ran)
    }

    /// The tests of `-test.v`. A verdict may follow other output in its line.
    fn of(output: &str) -> Ran {
        const WORDS: [(&str, Verdict); 3] =
            [("--- PASS: ", Verdict::Pass), ("--- FAIL: ", Verdict::Fail), ("--- SKIP: ", Verdict::Skip)];
        /// They say of which test the following lines are.
        const HEADINGS: [&str; 3] = ["=== RUN   ", "=== CONT  ", "=== NAME  "];
        /// Characters of a test's text that are kept.
        const MOST: usize = 400;
        let (mut tests, mut said) = (BTreeMap::new(), BTreeMap::<String, String>::new());
        let (mut running, mut heading) = (String::new(), String::new());
        for line in output.lines() {
            if let Some((word, name)) =
                HEADINGS.iter().find_map(|word| Some((word, line.split_once(word)?.1)))
            {
                heading = without_addresses(name.trim());
                if word == &HEADINGS[0] {
                    running.clone_from(&heading);
                }
                continue;
            }
            let found = WORDS.iter().find_map(|(word, verdict)| Some((line.split_once(word)?.1, *verdict)));
            let Some((name, verdict)) = found.filter(|(rest, _)| rest.ends_with("s)")) else {
                let text = said.entry(heading.clone()).or_default();
                if !line.starts_with("===") && text.len() < MOST {
                    *text += line.trim();
                    text.push(' ');
                }
                continue;
            };
            let name = without_addresses(name.rsplit_once(" (").map_or(name, |(name, _)| name));
            if heading == name {
                heading.clear();
            }
            tests.insert(name, verdict);
        }
        let end = output.lines().rev().take_while(|line| !line.starts_with("=== RUN"));
        let whole = end.into_iter().any(|line| matches!(line, "PASS" | "FAIL"));
        let last = Some(running).filter(|name| !name.is_empty());
        Ran { tests, said, last, whole, ended: String::new(), seconds: 0.0 }
    }
}

/// Some tests are named by values, and these by their addresses.
fn without_addresses(name: &str) -> String {
    let mut parts = name.split("0x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += "0x";
        plain += part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    plain
}

impl Compared {
    /// Reads what two runs have left.
    pub(super) fn read(base: &Path, package: &str) -> Result<Compared> {
        let native = Ran::read(&base.with_extension("native"))?;
        let mut here = Ran::read(&base.with_extension("goemu"))?;
        for test in super::ending(package).iter().filter(|test| !here.tests.contains_key(**test)) {
            here.said.insert((*test).to_owned(), NOT_RUN.to_owned());
        }
        Ok(Compared { native, here })
    }

    /// How many pass natively.
    pub(super) fn passed(&self) -> usize {
        self.native.tests.values().filter(|verdict| **verdict == Verdict::Pass).count()
    }

    /// Those of them that do not here. Of a test and what is inside of it, the innermost.
    pub(super) fn others(&self) -> Vec<Other> {
        let passed = self.native.tests.iter().filter(|(_, verdict)| **verdict == Verdict::Pass);
        let other = |(name, _): (&String, _)| {
            let verdict = self.here.tests.get(name).copied();
            let said = self.here.said.get(name).cloned().unwrap_or_default();
            (verdict != Some(Verdict::Pass)).then(|| Other { name: name.clone(), verdict, said })
        };
        passed.filter_map(other).collect()
    }

    /// A line that says it.
    pub(super) fn line(&self) -> String {
        let (passed, others) = (self.passed(), self.others());
        let whole =
            if self.here.whole { String::new() } else { format!(", not to its end ({})", self.here.ended) };
        format!(
            "{} of {passed}{whole}, {:.2} s natively, {:.2} s here",
            passed - others.len(),
            self.native.seconds,
            self.here.seconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Ran, Verdict};

    #[test]
    fn verdicts_are_read() {
        let ran = Ran::of(
            "=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n=== RUN   TestB/x y\n    b_test.go:1: bad\n\
             noise\n--- FAIL: TestB (0.01s)\n    --- FAIL: TestB/x y (0.01s)\n=== RUN   TestC\n    c_test.go:3: why\n\
             --- SKIP: TestC (0.00s)\nFAIL\n",
        );
        assert_eq!(ran.tests["TestA"], Verdict::Pass);
        assert_eq!((ran.tests["TestB"], ran.tests["TestB/x y"]), (Verdict::Fail, Verdict::Fail));
        assert_eq!(ran.tests["TestC"], Verdict::Skip);
        assert_eq!(ran.said["TestC"].trim(), "c_test.go:3: why");
        assert!(ran.whole);
        assert_eq!(ran.said["TestB/x y"].trim(), "b_test.go:1: bad noise");
        let paused = Ran::of(
            "=== RUN   TestF\n=== PAUSE TestF\n=== RUN   TestG\n=== CONT  TestF\n f.go: no\n--- FAIL: TestF (0.00s)\n",
        );
        assert!(paused.said["TestF"].contains("f.go: no"));
        assert!(Ran::of("--- PASS: TestE/0xc000 (0.00s)\nPASS\n").tests.contains_key("TestE/0x"));
        let cut = Ran::of("=== RUN   TestD\nd_test.go: panic\n");
        assert!(!cut.whole && cut.said["TestD"].contains("panic"));
    }
}
