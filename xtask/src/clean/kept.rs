//! What was found of each function, kept in a file, so that functions can be checked one by one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};

use super::{Panic, Tested};

/// A line of JSON for each function.
pub(super) struct Kept {
    path: PathBuf,
    tested: Vec<Tested>,
}

impl Kept {
    /// What is there, or nothing.
    pub(super) fn open(path: &Path, again: bool) -> Result<Kept> {
        if again && path.exists() {
            fs::remove_file(path)?;
        }
        let text = if path.exists() { fs::read_to_string(path)? } else { String::new() };
        let tested = text.lines().map(|line| read(&serde_json::from_str(line)?));
        Ok(Kept { path: path.to_owned(), tested: tested.collect::<Result<_>>()? })
    }

    pub(super) fn of(&self, func: &str) -> Option<&Tested> {
        self.tested.iter().find(|tested| tested.func == func)
    }

    /// Those of a package.
    pub(super) fn package(&self, package: &str) -> Vec<&Tested> {
        let of =
            |tested: &&Tested| tested.func.strip_prefix(package).is_some_and(|rest| rest.starts_with('.'));
        self.tested.iter().filter(of).collect()
    }

    pub(super) fn add(&mut self, tested: Tested) -> Result<()> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.path)?;
        let panics: Vec<Json> = tested
            .panics
            .iter()
            .map(|panic| json!({"input": panic.input, "text": panic.text, "native": panic.native}))
            .collect();
        let Tested { func, runs, seconds, skipped, .. } = &tested;
        writeln!(
            file,
            "{}",
            json!({"func": func, "runs": runs, "seconds": seconds, "skipped": skipped, "panics": panics})
        )?;
        self.tested.push(tested);
        Ok(())
    }
}

fn read(line: &Json) -> Result<Tested> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let panics = line["panics"].as_array().context("no panics")?.iter().map(|panic| {
        Ok(Panic {
            input: text(&panic["input"]).context("no input")?,
            text: text(&panic["text"]).context("no text")?,
            native: panic["native"].as_bool().context("whose panic?")?,
        })
    });
    Ok(Tested {
        func: text(&line["func"]).context("no function")?,
        runs: line["runs"].as_u64().context("no runs")?,
        seconds: line["seconds"].as_f64().context("no seconds")?,
        panics: panics.collect::<Result<_>>()?,
        skipped: text(&line["skipped"]),
    })
}
