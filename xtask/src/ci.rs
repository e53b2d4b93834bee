//! `cargo xtask ci`: everything that has to hold before a change is merged, closed by the count of the tests. And
//! `cargo xtask bless`: accepts what the golden tests see now.

use std::{
    fmt,
    io::{BufRead, BufReader},
    process::Stdio,
};

use anyhow::{Context, Result, bail};

use crate::{
    fixtures, python,
    run::{command, output, root, run},
    walls,
};

/// What has the fuzzer, which LibAFL makes long to build.
const FUZZ: &str = "goemu-cli/fuzz,goemu-tests/fuzz";

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

pub(crate) fn main() -> Result<()> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    println!("\n== walls");
    walls::main()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--features", FUZZ, "--", "-D", "warnings"], &[])?;
    cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    deny()?;
    let all_fixtures = fixtures();
    let tally = test(all_fixtures)?;
    bare_host()?;
    limited_hosts()?;
    fuzzer()?;
    python::main()?;
    println!("\n{tally}");
    Ok(())
}

/// Builds LibAFL and what uses it, and runs their tests: 75 to 130 s of processor time after the other tests.
fn fuzzer() -> Result<()> {
    let build = ["test", "--workspace", "--features", FUZZ, "--test", "fuzz", "--test", "cli"];
    cargo(&[&build[..], &["--no-run"]].concat(), &[])?;
    cargo(&["test", "--workspace", "--features", FUZZ, "--test", "fuzz", "--quiet"], &[])?;
    cargo(&["test", "--workspace", "--features", FUZZ, "--test", "cli", "--quiet", "--", "fuzzed::"], &[])
}

/// Builds the programs that tests compare and a clone lacks; says whether they are there. Go comes from pip and Debian's apt:
/// where these do not answer, the tests run on what the clone has.
fn fixtures() -> bool {
    println!("\n== fixtures");
    let built = fixtures::compared();
    if let Err(error) = &built {
        println!("NOT built, so that tests compare what is checked in alone: {error:#}");
    }
    built.is_ok()
}

/// Runs the comparisons with the processor once more as on one that has nothing beyond the first x86-64.
fn bare_host() -> Result<()> {
    println!("\n== as on a processor without AVX, SSE3, BMI and all that came later");
    let args = ["test", "--workspace", "--lib", "--test", "instructions", "--test", "rows", "--quiet"];
    cargo(&args, &[("GOEMU_HOST_LACKS", "all")])
}

/// Runs the tests of guest memory where the address space is limited: to one guest space without guards, and to small spaces.
fn limited_hosts() -> Result<()> {
    for (kilobytes, threads) in [(1_181_116_006, 1), (33_554_432, 4)] {
        println!("\n== as on a host with `ulimit -v {kilobytes}`");
        let tests = format!("cargo test --package goemu-memory --lib --quiet -- --test-threads={threads}");
        let line = format!("ulimit -v {kilobytes} && exec {tests}");
        run(command("sh", ["-c", &line]).current_dir(root()))?;
    }
    Ok(())
}

/// Runs the golden tests so that they overwrite what they compare with.
pub(crate) fn bless() -> Result<()> {
    cargo(&["test", "--workspace", "--no-fail-fast"], &[("UPDATE_EXPECT", "1")])
}

/// Checks licences, duplicates and sources of dependencies, where cargo-deny is installed. Advisories need a network, and
/// change without a commit: the public CI checks them.
fn deny() -> Result<()> {
    let is_installed = output(&mut command("cargo", ["deny", "--version"])).is_ok();
    if !is_installed {
        println!(
            "\n== cargo deny: not installed, so licences and duplicates of dependencies are NOT checked"
        );
        return Ok(());
    }
    cargo(&["deny", "check", "bans", "licenses", "sources"], &[])
}

fn cargo(args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    println!("\n== cargo {}", args.join(" "));
    run(command("cargo", args).envs(env.iter().copied()).current_dir(root()))
}

/// Runs all tests, shows what they print, and closes with one line that counts them all.
fn test(all_fixtures: bool) -> Result<Tally> {
    let args = ["test", "--workspace", "--no-fail-fast"];
    println!("\n== cargo {}", args.join(" "));
    let mut cargo = command("cargo", args);
    if all_fixtures {
        cargo.env("GOEMU_ALL_FIXTURES", "1");
    }
    let mut child = cargo.current_dir(root()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("cargo's output")?;
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        tally.add(&line);
    }
    let status = child.wait()?;
    println!("\n{tally}");
    if !status.success() {
        bail!("cargo test: {status}");
    }
    Ok(tally)
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Tally {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`; others say nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((n, "passed")) => self.passed += n.parse().unwrap_or(0),
                Some((n, "failed")) => self.failed += n.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_several_test_binaries_add_up() {
        let mut tally = Tally::default();
        tally.add(
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        );
        tally.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        tally.add("test some::name ... ok");
        assert_eq!(tally, Tally { passed: 13, failed: 2 });
    }
}
