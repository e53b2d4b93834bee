//! `cargo xtask defers`: random programs of deferred calls and panics, natively and in goemu.
//!
//! A seed makes a Go program of functions that defer, panic, recover, panic again, and call each other. It is built by
//! every release, run natively, and its functions are called: both must end the same. One such program is checked in
//! (`testdata/go/defers`), so that its cases are tested without Go.

use std::fmt::Write;
use std::path::PathBuf;
use std::{fs, iter};

use anyhow::{Context, Result, bail};
use goemu::machine::Config;
use goemu::outcome::Runtime;
use goemu::{Image, Machine, Outcome};

use crate::fixtures::{cases, native};
use crate::run::{root, run};
use crate::toolchains::{self, go_command};

/// What `cargo xtask defers` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that `cargo xtask toolchains` filled.
    #[arg(long, default_value_os_t = toolchains::default_dir())]
    toolchains: PathBuf,
    /// The first program's seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many programs.
    #[arg(long, default_value_t = 10)]
    count: u64,
    /// The releases that build them, by minor version.
    #[arg(long, value_delimiter = ',', default_values_t = [15, 21, 27])]
    versions: Vec<u16>,
    /// Only print the program of the seed.
    #[arg(long)]
    print: bool,
}

/// Functions in a program.
const FUNCTIONS: usize = 40;
/// Arguments that each is called with.
const ARGUMENTS: [i64; 4] = [0, 1, 2, 5];

pub(crate) fn main(args: &Args) -> Result<()> {
    if args.print {
        print!("{}", program(args.seed));
        return Ok(());
    }
    let mut wrong = Vec::new();
    for seed in (args.seed..).take(usize::try_from(args.count)?) {
        for &version in &args.versions {
            for flags in [&[][..], &["-gcflags=-N -l"]] {
                let (found, panics) = check(args, seed, version, flags)
                    .with_context(|| format!("seed {seed}, Go 1.{version}"))?;
                let (flags, count) = (flags.join(" "), found.len());
                println!("seed {seed}, Go 1.{version} {flags}: {count} wrong, {panics} panics");
                wrong.extend(found);
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{} wrong\n{}", wrong.len(), wrong.join("\n")) }
}

/// The calls of one program in one build that end otherwise than natively, and how many end in a panic.
fn check(args: &Args, seed: u64, version: u16, flags: &[&str]) -> Result<(Vec<String>, usize)> {
    let work = root().join("target/defers").join(format!("{seed}-{version}-{}", flags.len()));
    fs::create_dir_all(&work)?;
    fs::write(work.join("defers.go"), program(seed))?;
    fs::copy(root().join("testdata/go/harness.go"), work.join("harness.go"))?;
    let cases = cases::find(&work, version)?;
    fs::write(work.join("cases.go"), cases.to_go())?;
    fs::write(work.join("go.mod"), format!("module defers\n\ngo 1.{version}\n"))?;
    let mut go = go_command(&args.toolchains.join(format!("go1.{version}")));
    run(go.arg("build").args(flags).args(["-o", "defers", "."]).current_dir(&work))?;
    let outcomes = native::run(&work.join("defers"), &cases, false)?;
    let hooked = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
    let mut machine = Machine::with_config(Image::open(work.join("defers"))?, hooked)?;
    let mut wrong = Vec::new();
    for (case, native) in cases.0.iter().zip(&outcomes) {
        let texts: Vec<&str> = case.args.iter().map(String::as_str).collect();
        let ended = machine.call(&case.function)?.literals(&texts)?.run();
        let found = match ended.map(|report| report.outcome) {
            Ok(Outcome::Returned(values)) => format!("returned {values}"),
            Ok(Outcome::Panicked(panic)) => format!("panicked {}", panic.text),
            Ok(other) => other.to_string(),
            Err(error) => format!("error: {error}"),
        };
        if found != native.short() {
            let call = format!("{}({})", case.function, texts.join(", "));
            wrong
                .push(format!("seed {seed} Go 1.{version} {call}: native {}, goemu {found}", native.short()));
        }
    }
    fs::remove_dir_all(&work)?;
    let panics = outcomes.iter().filter(|outcome| outcome.short().starts_with("panicked"));
    Ok((wrong, panics.count()))
}

/// The program of a seed.
fn program(seed: u64) -> String {
    let text = format!("// Made by cargo xtask defers --seed {seed} --print.\n{HEAD}");
    let mut make = Maker { random: seed, text, indent: 1, labels: 0, literals: 0, alone: false };
    for function in 0..FUNCTIONS {
        make.function(function);
    }
    make.text
}

const HEAD: &str = "
package main

import \"runtime\"

type failure struct{ code int }

func (f failure) Error() string { return \"failure\" }

var array [3]int

var _ = runtime.Goexit

func code(e interface{}) int {
	switch e := e.(type) {
	case int:
		return e
	case string:
		return len(e)
	case error:
		return 100 + len(e.Error())
	}
	return -1
}

func showOwn(v interface{}) string { return \"\" }
";

/// Writes Go.
struct Maker {
    random: u64,
    text: String,
    indent: usize,
    /// Variables that were named so far.
    labels: usize,
    /// Function literals around, which have no result.
    literals: usize,
    /// Whether statements run on a goroutine of their own, and may end it.
    alone: bool,
}

impl Maker {
    /// A number below `n` (`SplitMix64`).
    fn below(&mut self, n: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn line(&mut self, text: &str) {
        let tabs: String = iter::repeat_n('\t', self.indent).collect();
        let _ = writeln!(self.text, "{tabs}{text}");
    }

    fn function(&mut self, number: usize) {
        self.text.push('\n');
        for argument in ARGUMENTS {
            let _ = writeln!(self.text, "//goemu:call f{number}({argument})");
        }
        let _ = writeln!(self.text, "//\n//go:noinline\nfunc f{number}(x int) (s int) {{");
        self.alone = self.below(4) == 0;
        if self.alone {
            self.goroutine(number);
        } else {
            (0..3 + self.below(4)).for_each(|_| self.statement(number, 0));
        }
        if self.below(2) == 0 {
            let add = self.below(9);
            self.line(&format!("return s*3 + {add}"));
        } else {
            self.line("return");
        }
        self.text.push_str("}\n");
    }

    /// All that a function does, on a goroutine that it waits for, and whose panic it takes over.
    fn goroutine(&mut self, number: usize) {
        self.line("done := make(chan interface{}, 1)");
        self.line("go func() {");
        (self.indent, self.literals) = (2, 1);
        self.line("defer close(done)");
        self.line("defer func() { if e := recover(); e != nil { done <- e } }()");
        (0..3 + self.below(4)).for_each(|_| self.statement(number, 0));
        (self.indent, self.literals) = (1, 0);
        self.line("}()");
        self.line("if e := <-done; e != nil { panic(e) }");
    }

    fn block(&mut self, head: &str, number: usize, depth: usize, tail: &str) {
        let literal = usize::from(head.ends_with("func() {"));
        self.line(head);
        self.indent += 1;
        self.literals += literal;
        for _ in 0..=self.below(2) {
            self.statement(number, depth + 1);
        }
        self.literals -= literal;
        self.indent -= 1;
        self.line(tail);
    }

    fn statement(&mut self, number: usize, depth: usize) {
        let k = self.below(10);
        match self.below(if depth < 3 { 13 } else { 7 }) {
            0 => self.line(&format!("s = s*3 + {k}")),
            1 => self.line(&format!("defer func() {{ s = s*7 + {k} }}()")),
            2 => self.line(&format!("defer func(k int) {{ s = s*5 + k }}(x + {k})")),
            3 => self.panics(k),
            4 if number > 0 => {
                let other = self.below(number as u64);
                self.line(&format!("s += f{other}(x + {k})"));
            }
            4 => self.line("s++"),
            5 if self.alone => self.line(&format!("if x%4 == {} {{ runtime.Goexit() }}", k % 4)),
            5 => self.line(&format!("array[{}] = s", k % 3)),
            6 if self.literals == 0 => self.line(&format!("if x == {k} {{ return s + 1 }}")),
            6 => self.line(&format!("if x == {k} {{ return }}")),
            7 => self.block(&format!("if x%3 == {} {{", k % 3), number, depth, "}"),
            8 => {
                self.labels += 1;
                let i = format!("i{}", self.labels);
                self.line(&format!("for {i} := 0; {i} < {}; {i}++ {{", 1 + k % 4));
                self.indent += 1;
                self.line(&format!("{i} := {i}"));
                self.line(&format!("defer func() {{ s = s*3 + {i} }}()"));
                self.indent -= 1;
                self.line("}");
            }
            9 => self.block("defer func() {", number, depth, "}()"),
            10 => self.block("func() {", number, depth, "}()"),
            _ => self.recovers(number, depth),
        }
    }

    fn panics(&mut self, k: u64) {
        let condition = format!("if x%4 == {} ", k % 4);
        let what = match self.below(6) {
            0 => format!("panic({k})"),
            1 => format!("panic(\"text {k}\")"),
            2 => format!("panic(failure{{{k}}})"),
            3 => format!("array[x+{k}] = 1"),
            4 => "s /= x - x".to_owned(),
            _ => "var p *failure; s += p.code".to_owned(),
        };
        self.line(&format!("{condition}{{ {what} }}"));
    }

    fn recovers(&mut self, number: usize, depth: usize) {
        self.line("defer func() {");
        self.indent += 1;
        self.line("if e := recover(); e != nil {");
        self.indent += 1;
        self.line("s = s*11 + code(e)");
        if self.below(3) == 0 {
            self.line("panic(e)");
        } else if self.below(3) == 0 {
            self.literals += 1;
            self.statement(number, depth + 1);
            self.literals -= 1;
        }
        self.indent -= 1;
        self.line("}");
        self.indent -= 1;
        self.line("}()");
    }
}
