//! `goemu funcs`: which functions a program has.

mod callable;

use std::fmt;
use std::io::Write;

use anyhow::{Result, bail};
use clap::ValueEnum;
use goemu::go::names::package;
use goemu::{Func, Image, pattern};
use goemu_loader::{Abi, Signature};
use serde_json::json;

use crate::binary::{Binary, has_debug_info};
use crate::confined::{Needs, confine};
use crate::output::{DIM, NAME};
use crate::{number, output};
use callable::Callable;

/// List functions
///
/// Each line: address, size in bytes, calling convention (ABI0: arguments on the stack; ABIInternal: in
/// registers), name with parameters and results where they are known, source line.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu funcs                                   of the built-in demo
  goemu funcs -b prog 'main.*'                  of package main
  goemu funcs -b prog --sig 'string) (int, error)' --callable
  goemu funcs -b prog --size '>4k' --sort size  the large ones, largest last
  goemu funcs -b prog --callable=no             which cannot be called, and why
  goemu funcs -b prog --json | jq -r .name")]
pub(crate) struct Args {
    /// A part of the name, or all of it with * and ?
    pattern: Option<String>,
    #[command(flatten)]
    binary: Binary,
    /// Only functions of this package, given by its import path
    #[arg(long, value_name = "PATH")]
    package: Option<String>,
    /// Only functions whose source file has this in its path (a part, or all with * and ?)
    #[arg(long, value_name = "PATTERN")]
    file: Option<String>,
    /// Only functions whose signature is known and has this in it (a part, or all with * and ?)
    #[arg(long, value_name = "PATTERN")]
    sig: Option<String>,
    /// Only functions of at least this many bytes
    #[arg(long, value_name = "N", value_parser = number::bytes)]
    min_size: Option<u64>,
    /// Only functions of at most this many bytes
    #[arg(long, value_name = "N", value_parser = number::bytes)]
    max_size: Option<u64>,
    /// Only functions of this size in bytes: 100, '>100', '<=4k'
    #[arg(long, value_name = "SIZE", value_parser = number::comparison)]
    size: Option<number::Comparison>,
    /// Only functions that can be called: with known signatures, with guessed ones, or not at all (and why)
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "yes")]
    callable: Option<How>,
    /// In which order
    #[arg(long, value_name = "KEY", default_value = "address")]
    sort: Key,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// How a function can be called.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum How {
    /// Its signature is known
    Yes,
    /// The places of its arguments are guessed
    Guessed,
    /// It cannot be called
    No,
}

/// What functions are sorted by.
#[derive(Clone, Copy, ValueEnum)]
enum Key {
    Address,
    Name,
    Size,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    confine(&Needs::nothing());
    let mut out = output::stdout();
    let mut found = false;
    for func in args.sorted(&image) {
        let known = image.signature(&func);
        let callable = args.callable.map(|_| Callable::of(&image, &func, &known));
        // What the debug information does not tell, or tells wrongly, is not known.
        let signature = known.ok().flatten();
        if !args.admits_signature(signature.as_ref()) || !args.admits_callable(callable.as_ref()) {
            continue;
        }
        found = true;
        let row = Row { func, signature, callable };
        if args.json { writeln!(out, "{}", row.object())? } else { writeln!(out, "{row}")? }
    }
    out.flush()?;
    if !found {
        bail!("no such functions; `goemu funcs` lists all{}", args.known(&image));
    }
    Ok(0)
}

impl Args {
    /// All that can be said without the signature, cheapest first.
    fn admits(&self, func: &Func<'_>) -> bool {
        let (name, size) = (func.name(), size(func));
        self.pattern.as_ref().is_none_or(|pattern| pattern::matches(pattern, name))
            && self.package.as_ref().is_none_or(|path| package(name) == path)
            && self.size.is_none_or(|wanted| wanted.holds(size))
            && self.min_size.is_none_or(|min| size >= min)
            && self.max_size.is_none_or(|max| size <= max)
            && self.file.as_ref().is_none_or(|pattern| pattern::matches(pattern, file(func)))
    }

    /// The functions that are admitted without their signatures, in order.
    fn sorted<'i>(&self, image: &'i Image) -> Vec<Func<'i>> {
        let mut funcs: Vec<_> = image.defined_funcs().filter(|func| self.admits(func)).collect();
        match self.sort {
            Key::Address => {}
            Key::Name => funcs.sort_by_key(|func| func.name()),
            Key::Size => funcs.sort_by_key(size),
        }
        funcs
    }

    fn admits_callable(&self, callable: Option<&Callable>) -> bool {
        let how = callable.map(|callable| match callable {
            Callable::Yes => How::Yes,
            Callable::Guessed(_) => How::Guessed,
            Callable::No(_) => How::No,
        });
        how == self.callable
    }

    fn admits_signature(&self, signature: Option<&Signature>) -> bool {
        let Some(signature) = signature else { return self.sig.is_none() };
        self.sig.as_ref().is_none_or(|pattern| pattern::matches(pattern, &signature.to_string()))
    }

    /// Why nothing may have been found.
    fn known(&self, image: &Image) -> &'static str {
        let asks = self.sig.is_some() || self.callable == Some(How::Yes);
        if asks && !has_debug_info(image) {
            " (this program has no debug information, which tells signatures)"
        } else {
            ""
        }
    }
}

fn size(func: &Func<'_>) -> u64 {
    func.end().saturating_sub(func.entry())
}

fn file<'i>(func: &Func<'i>) -> &'i str {
    func.line_at(func.entry()).map_or("", |line| line.file)
}

/// One function.
struct Row<'i> {
    func: Func<'i>,
    signature: Option<Signature>,
    /// Where it was asked for.
    callable: Option<Callable>,
}

impl Row<'_> {
    fn abi(&self) -> &'static str {
        match self.func.abi() {
            Abi::Abi0 => "ABI0",
            Abi::Internal => "ABIInternal",
        }
    }

    fn object(&self) -> serde_json::Value {
        let line = self.func.line_at(self.func.entry());
        json!({
            "name": self.func.name(),
            "address": format!("{:#x}", self.func.entry()),
            "size": size(&self.func),
            "abi": self.abi(),
            "signature": self.signature.as_ref().map(Signature::to_string),
            "callable": self.callable.as_ref().map(Callable::word),
            "guess": match &self.callable { Some(Callable::Guessed(guess)) => Some(guess), _ => None },
            "why_not": match &self.callable { Some(Callable::No(why)) => Some(why), _ => None },
            "file": line.map(|line| line.file),
            "line": line.map(|line| line.line),
        })
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let func = &self.func;
        write!(f, "{:#x} {:>6} {:<11} ", func.entry(), size(func), self.abi())?;
        write!(f, "{NAME}{}{NAME:#}", func.name())?;
        if let Some(signature) = &self.signature {
            let text = signature.to_string();
            f.write_str(text.strip_prefix("func").unwrap_or(&text))?;
        }
        if let Some(line) = func.line_at(func.entry()) {
            let file = line.file.rsplit(['/', '\\']).next().unwrap_or_default();
            write!(f, "  {DIM}{file}:{}{DIM:#}", line.line)?;
        }
        if let Some(callable @ (Callable::Guessed(_) | Callable::No(_))) = &self.callable {
            write!(f, "  {callable}")?;
        }
        Ok(())
    }
}
