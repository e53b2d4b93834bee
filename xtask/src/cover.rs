//! `cargo xtask cover`: coverage of the same tests by `go test -cover` and by goemu, statement by statement.
//!
//! The tests of some packages of the standard library are run natively with Go's own counters, which the compiler puts into the source, and
//! by `goemu explore --cover`, which counts what ran of a program without any. Go has a number for each block of statements, goemu for
//! each line that has code. A block ran in goemu if one of the lines ran that are its alone, or, where it has none, one that it
//! shares. Prints a table for docs/traces.md, and each block of which the two differ.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{output, root};
use crate::toolchains::{self, go_command};

/// What `cargo xtask cover` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that `cargo xtask toolchains` filled.
    #[arg(long, default_value_os_t = toolchains::default_dir())]
    toolchains: PathBuf,
    /// The goemu to run; one that is optimised.
    #[arg(long, default_value_os_t = root().join("target/release/goemu"))]
    goemu: PathBuf,
    /// The release whose packages are tested.
    #[arg(long, default_value = "1.27")]
    release: String,
    /// Only these packages.
    packages: Vec<String>,
}

/// Packages whose tests do the same in each run.
const PACKAGES: [&str; 12] = [
    "container/heap",
    "container/list",
    "container/ring",
    "encoding/base64",
    "encoding/csv",
    "encoding/hex",
    "html",
    "path",
    "sort",
    "text/scanner",
    "text/tabwriter",
    "unicode/utf16",
];

/// Go's blocks that may differ, of a thousand; more, and something is wrong.
const ALLOWED: usize = 10;

/// A block of statements, as `go test -cover` tells it.
struct Block {
    file: String,
    /// The lines that it begins and ends on.
    lines: std::ops::RangeInclusive<u32>,
    statements: usize,
    ran: bool,
}

/// How many blocks are told alike.
#[derive(Default)]
struct Counts {
    blocks: usize,
    statements: usize,
    both: usize,
    neither: usize,
    /// The compiler left no code on any of their lines.
    without_code: usize,
    /// They differ, and have no line that is theirs alone.
    shared: usize,
    differ: usize,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let tree = args.toolchains.join(format!("go{}", args.release));
    let tree = fs::canonicalize(&tree).with_context(|| format!("there is no {}", tree.display()))?;
    let goemu =
        fs::canonicalize(&args.goemu).with_context(|| format!("there is no {}", args.goemu.display()))?;
    let work = root().join("target/cover");
    fs::create_dir_all(&work)?;
    println!(
        "| package | blocks | statements | ran in both | in neither | no code | differ, lines shared | differ |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    let (mut all, mut told) = (Counts::default(), Vec::new());
    let given: Vec<&str> = args.packages.iter().map(String::as_str).collect();
    for package in if given.is_empty() { &PACKAGES[..] } else { &given } {
        let blocks = natively(&tree, package, &work)?;
        let lines = emulated(&goemu, &tree, package, &work)?;
        let counts = compare(&blocks, &lines, &mut told)?;
        println!("| `{package}` {}", counts.row());
        all.add(&counts);
    }
    println!("| all {}", all.row());
    told.iter().for_each(|line| println!("{line}"));
    if all.differ * 1000 > all.blocks * ALLOWED {
        bail!("{} of {} blocks differ", all.differ, all.blocks);
    }
    Ok(())
}

/// What Go's own counters say.
fn natively(tree: &Path, package: &str, work: &Path) -> Result<Vec<Block>> {
    let profile = work.join("native.out");
    let mut go = go_command(tree);
    go.args(["test", "-short", "-count=1", "-covermode=count", "-coverprofile"]).arg(&profile).arg(package);
    output(go.current_dir(tree.join("src")))?;
    let text = fs::read_to_string(&profile)?;
    text.lines().skip(1).map(|line| block(line).with_context(|| line.to_owned())).collect()
}

/// `container/list/list.go:32.2,34.1 1 169`: from, to, statements, times. What ends in the first column has nothing of that line.
fn block(line: &str) -> Option<Block> {
    let (file, rest) = line.rsplit_once(':')?;
    let [range, statements, times] = rest.split(' ').collect::<Vec<_>>()[..] else { return None };
    let (from, to) = range.split_once(',')?;
    let number = |place: &str| -> Option<(u32, u32)> {
        let (line, column) = place.split_once('.')?;
        Some((line.parse().ok()?, column.parse().ok()?))
    };
    let ((first, _), (last, column)) = (number(from)?, number(to)?);
    let last = if column == 1 && last > first { last - 1 } else { last };
    Some(Block {
        file: file.to_owned(),
        lines: first..=last,
        statements: statements.parse().ok()?,
        ran: times != "0",
    })
}

/// Which lines of which files have code, and whether it ran: what goemu says.
fn emulated(
    goemu: &Path,
    tree: &Path,
    package: &str,
    work: &Path,
) -> Result<HashMap<String, BTreeMap<u32, bool>>> {
    let (test, profile) = (work.join("package.test"), work.join("goemu.out"));
    let mut go = go_command(tree);
    go.args(["test", "-c", "-trimpath", "-o"]).arg(&test).arg(package).current_dir(tree.join("src"));
    output(&mut go)?;
    let shown = tree.display();
    let mut run = Command::new(goemu);
    run.args(["explore", "--budget", "1", "--fuel", "20g", "--dir", &format!("{shown}:{shown}")]);
    run.args(["--env", &format!("GOROOT={shown}"), "--cwd"]).arg(tree.join("src").join(package));
    run.arg("--cover").arg(&profile).arg(&test).arg("-test.short");
    output(run.current_dir(work))?;
    let mut files: HashMap<String, BTreeMap<u32, bool>> = HashMap::new();
    for line in fs::read_to_string(&profile)?.lines().skip(1) {
        let one = block(line).with_context(|| line.to_owned())?;
        let ran = files.entry(one.file).or_default().entry(*one.lines.start()).or_default();
        *ran |= one.ran;
    }
    Ok(files)
}

fn compare(
    blocks: &[Block],
    files: &HashMap<String, BTreeMap<u32, bool>>,
    told: &mut Vec<String>,
) -> Result<Counts> {
    let mut owners: HashMap<(&str, u32), usize> = HashMap::new();
    for block in blocks {
        block.lines.clone().for_each(|line| *owners.entry((&block.file, line)).or_default() += 1);
    }
    let mut counts = Counts::default();
    for block in blocks {
        counts.blocks += 1;
        counts.statements += block.statements;
        let lines = files.get(&block.file).with_context(|| format!("goemu has no {}", block.file))?;
        let with_code: Vec<(u32, bool)> =
            lines.range(block.lines.clone()).map(|(line, ran)| (*line, *ran)).collect();
        let own: Vec<(u32, bool)> = with_code
            .iter()
            .copied()
            .filter(|(line, _)| owners[&(block.file.as_str(), *line)] == 1)
            .collect();
        let shares = own.is_empty();
        let decides = if shares { with_code } else { own };
        let ran = decides.iter().any(|(_, ran)| *ran);
        if decides.is_empty() {
            counts.without_code += 1;
        } else if ran == block.ran {
            *(if ran { &mut counts.both } else { &mut counts.neither }) += 1;
        } else {
            *(if shares { &mut counts.shared } else { &mut counts.differ }) += 1;
            let (first, last) = (block.lines.start(), block.lines.end());
            let which = if block.ran { "Go's counters alone" } else { "goemu alone" };
            let why = if shares { ", on lines that it shares" } else { "" };
            told.push(format!("{}:{first}-{last}: ran says {which}{why}", block.file));
        }
    }
    Ok(counts)
}

impl Counts {
    fn row(&self) -> String {
        let Counts { blocks, statements, both, neither, without_code, shared, differ } = self;
        format!("| {blocks} | {statements} | {both} | {neither} | {without_code} | {shared} | {differ} |")
    }

    fn add(&mut self, other: &Counts) {
        self.blocks += other.blocks;
        self.statements += other.statements;
        self.both += other.both;
        self.neither += other.neither;
        self.without_code += other.without_code;
        self.shared += other.shared;
        self.differ += other.differ;
    }
}
