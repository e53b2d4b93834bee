//! `cargo xtask clean`: no false alarm of `goemu check` on functions of Go's library that are as they should be, and docs/clean.md.
//!
//! A program refers to all exported functions and methods of some packages. Each is checked on a million values. What is found
//! is run natively, as the Go test that goemu makes of it: a panic with the same text is Go's own, which is allowed from then on,
//! until the million is full. All else is a false alarm. What came of each function stays in `target/clean`.

mod kept;
mod report;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use crate::run::{output, root};
use crate::toolchains::{self, go_command};

/// What `cargo xtask clean` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that `cargo xtask toolchains` filled.
    #[arg(long, default_value_os_t = toolchains::default_dir())]
    toolchains: PathBuf,
    /// The goemu to run; one that is optimised.
    #[arg(long, default_value_os_t = root().join("target/release/goemu"))]
    goemu: PathBuf,
    /// Values for each function.
    #[arg(long, default_value_t = 1_000_000)]
    runs: u64,
    /// Machines at work.
    #[arg(long, default_value_t = 1)]
    jobs: u32,
    /// Check again what was checked already.
    #[arg(long)]
    again: bool,
    /// Only functions whose names contain one of these.
    only: Vec<String>,
}

/// The release whose library is tested.
const RELEASE: &str = "go1.27";

/// The packages whose functions take plain values.
const PACKAGES: [&str; 4] = ["strings", "strconv", "sort", "unicode/utf8"];

/// Values that the program has beside the functions: types whose methods are tested, and functions for those that take some.
const VALUES: &str = "new(strings.Builder), new(strings.Reader), new(strings.Replacer), new(strconv.NumError), sort.IntSlice{},
	sort.Float64Slice{}, sort.StringSlice{}, unicode.IsLetter, unicode.ToUpper, given.Above, given.Less, given.Compare,";

/// Functions that others can be given, in a package that tests can import.
const FUNCTIONS: &str = "package given

func Above(i int) bool   { return i > 3 }
func Less(i, j int) bool { return i < j }
func Compare(i int) int  { return 3 - i }
";

/// What arguments are kept to where all values would take more time or memory than a call may: natively as well.
const LIMITS: [(&str, &str); 6] = [
    ("strings.Repeat", "2 in -10..5000"),
    ("strings.(*Builder).Grow", "2 in -10..100000"),
    ("sort.Search", "1 in -10..100000"),
    ("strconv.AppendFloat", "4 in -2..50"),
    ("strconv.FormatFloat", "3 in -2..50"),
    ("strconv.FormatComplex", "3 in -2..50"),
];

/// A finding of goemu's, and what Go makes of it.
struct Panic {
    input: String,
    text: String,
    native: bool,
}

/// What came of one function.
struct Tested {
    func: String,
    runs: u64,
    seconds: f64,
    panics: Vec<Panic>,
    /// Why it cannot be given values.
    skipped: Option<String>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let tree = args.toolchains.join(RELEASE);
    let tree = fs::canonicalize(&tree).with_context(|| format!("there is no {}", tree.display()))?;
    let goemu =
        fs::canonicalize(&args.goemu).with_context(|| format!("there is no {}", args.goemu.display()))?;
    let work = root().join("target/clean");
    fs::create_dir_all(&work)?;
    let bench = Bench { goemu, tree, work, runs: args.runs, jobs: args.jobs };
    bench.build()?;
    let mut kept = kept::Kept::open(&bench.work.join(format!("{}.jsonl", args.runs)), args.again)?;
    for package in PACKAGES {
        for func in bench.functions(package)? {
            let asked = args.only.is_empty() || args.only.iter().any(|part| func.contains(part.as_str()));
            if asked && kept.of(&func).is_none() {
                let tested = bench.test(&func).with_context(|| func.clone())?;
                println!("{}", report::line(&tested));
                kept.add(tested)?;
            }
        }
    }
    let all: BTreeMap<&str, Vec<&Tested>> =
        PACKAGES.iter().map(|package| (*package, kept.package(package))).collect();
    let alarms =
        all.values().flatten().flat_map(|tested| &tested.panics).filter(|panic| !panic.native).count();
    fs::write(root().join("docs/clean.md"), report::page(&all, args.runs))?;
    if alarms > 0 {
        bail!("{alarms} false alarms");
    }
    Ok(())
}

/// Where all is done.
struct Bench {
    goemu: PathBuf,
    tree: PathBuf,
    work: PathBuf,
    runs: u64,
    jobs: u32,
}

impl Bench {
    /// Builds the program that refers to all functions, and to methods by names that it is given.
    fn build(&self) -> Result<()> {
        let mut text = String::from(
            "package main\n\nimport (\n\t\"os\"\n\t\"reflect\"\n\t\"unicode\"\n\t\"clean/given\"\n",
        );
        for package in PACKAGES {
            writeln!(text, "\t{package:?}")?;
        }
        writeln!(text, ")\n\nvar all = []any{{\n\t{VALUES}")?;
        for package in PACKAGES {
            let doc =
                output(go_command(&self.tree).args(["doc", "-short", package]).current_dir(&self.work))?;
            let short = package.rsplit('/').next().unwrap_or(package);
            for name in doc.lines().filter_map(|line| line.strip_prefix("func ")) {
                let end = name.find(['(', '[']).unwrap_or(name.len());
                if !name[end..].starts_with('[') {
                    writeln!(text, "\t{short}.{},", &name[..end])?;
                }
            }
        }
        let main = "func main() {
	for _, one := range all {
		println(reflect.ValueOf(one).MethodByName(os.Args[1]).IsValid())
	}
}\n";
        write!(text, "}}\n\n{main}")?;
        fs::create_dir_all(self.work.join("given"))?;
        fs::write(self.work.join("given/given.go"), FUNCTIONS)?;
        fs::write(self.work.join("main.go"), text)?;
        fs::write(self.work.join("go.mod"), "module clean\n\ngo 1.27\n")?;
        output(
            go_command(&self.tree).args(["build", "-trimpath", "-o", "clean", "."]).current_dir(&self.work),
        )?;
        Ok(())
    }

    /// The exported functions of a package that the program has, but those that the compiler made of others: a method of a
    /// pointer that calls that of the value.
    fn functions(&self, package: &str) -> Result<Vec<String>> {
        let mut goemu = Command::new(&self.goemu);
        goemu.args(["funcs", "-b", "clean", "--json", "--package", package]).current_dir(&self.work);
        let listed = output(&mut goemu)?;
        let mut names = Vec::new();
        for line in listed.lines() {
            let func: Json = serde_json::from_str(line)?;
            let name = func["name"].as_str().context("a function without a name")?;
            let own = name.strip_prefix(package).unwrap_or(name).trim_start_matches('.');
            let plain = !own.contains("func") && !own.contains('-') && !own.contains('[');
            let exported = own
                .split('.')
                .all(|part| part.trim_start_matches(['(', '*']).starts_with(char::is_uppercase));
            if plain && exported {
                names.push(name.to_owned());
            }
        }
        let values: Vec<String> = names.clone();
        names.retain(|name| {
            !values.contains(&name.replace("(*", "").replace(')', "")) || !name.contains("(*")
        });
        Ok(names)
    }

    /// Checks a function, and each failure natively, until no new one comes.
    fn test(&self, func: &str) -> Result<Tested> {
        let began = Instant::now();
        let mut tested =
            Tested { func: func.to_owned(), runs: 0, seconds: 0.0, panics: Vec::new(), skipped: None };
        loop {
            let allowed: Vec<String> = tested.panics.iter().map(|panic| pattern(&panic.text)).collect();
            let mut goemu = Command::new(&self.goemu);
            goemu.args(["check", "-b", "clean", func, "--json", "-q"]).current_dir(&self.work);
            goemu.args(["--runs", &self.runs.to_string(), "--jobs", &self.jobs.to_string()]);
            if !allowed.is_empty() {
                goemu.args(["--panics", &allowed.join("|")]);
            }
            for (_, kept) in LIMITS.iter().filter(|(of, _)| *of == func) {
                goemu.args(["--arg", kept]);
            }
            let out = goemu.output().context("cannot start goemu")?;
            tested.seconds = began.elapsed().as_secs_f64();
            if out.status.code() == Some(1) {
                tested.skipped = Some(String::from_utf8_lossy(&out.stderr).trim().to_owned());
                return Ok(tested);
            }
            let checked: Json = serde_json::from_slice(&out.stdout)
                .with_context(|| format!("{goemu:?}: {}", String::from_utf8_lossy(&out.stderr)))?;
            tested.runs = checked["runs"].as_u64().context("no runs")?;
            let finding = &checked["finding"];
            if finding.is_null() {
                return Ok(tested);
            }
            let panic = self.natively(finding)?;
            let known = tested.panics.iter().any(|other| other.text == panic.text);
            let go_on = panic.native && !known;
            tested.panics.push(panic);
            if !go_on {
                return Ok(tested);
            }
        }
    }

    /// Runs the test that goemu made of a finding.
    fn natively(&self, finding: &Json) -> Result<Panic> {
        let what = finding["what"].as_str().context("a finding of nothing")?;
        let values = finding["input"].as_array().context("no input")?;
        let input: Vec<&str> = values.iter().filter_map(|value| value["value"].as_str()).collect();
        let text = what.strip_prefix("panic: ").unwrap_or(what).to_owned();
        let native = match finding["test"].as_str() {
            Some(test) => {
                let said = self.go_test(test, finding["subject"].as_str().unwrap_or_default())?;
                said.contains(&format!("panic: {text}"))
            }
            None => false,
        };
        Ok(Panic { input: input.join(", "), text, native })
    }

    /// What a test of the tested package says, made one of another package.
    fn go_test(&self, test: &str, subject: &str) -> Result<String> {
        let package = PACKAGES.iter().find(|package| subject.starts_with(&format!("{package}.")));
        let package = package.context("a finding of another package")?;
        let folder = self.work.join("native");
        fs::create_dir_all(&folder)?;
        let (_, body) = test.split_once('\n').context("a test of one line")?;
        let text = format!("package native\n\nimport . {package:?}\n{body}");
        fs::write(folder.join("found_test.go"), text)?;
        let out = go_command(&self.tree).args(["test", "./native"]).current_dir(&self.work).output()?;
        Ok(String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
    }
}

/// A regular expression for panics with a text, whatever its numbers are.
fn pattern(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if pattern.ends_with("[0-9]+") => {}
            '0'..='9' => pattern.push_str("[0-9]+"),
            '-' => pattern.push_str("-?"),
            c if c.is_alphanumeric() || c == ' ' => pattern.push(c),
            c => pattern.extend(['\\', c]),
        }
    }
    pattern.replace("-?[0-9]+", "[0-9]+").replace("[0-9]+", "-?[0-9]+")
}
