//! `cargo xtask library`: writes the table of what the functions of Go's library take and give, from the sources of some releases
//! for three systems. Go's own type checker reads them, in a program of its own (`library/list.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use flate2::{Compression, write::ZlibEncoder};

use crate::run::{output, root, run};
use crate::toolchains::{default_dir, go_command};

/// Text of a block at least; a package is whole in one.
const BLOCK: usize = 24_000;
/// Systems whose packages are read. What they declare differently is left out.
const SYSTEMS: [&str; 3] = ["linux", "windows", "darwin"];

/// What `cargo xtask library` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that holds a `go1.N` for each release.
    #[arg(long, default_value_os_t = default_dir())]
    dir: PathBuf,
    /// Releases that are read, in order.
    #[arg(default_values = ["22", "23", "24", "25", "26", "27"])]
    releases: Vec<u16>,
}

/// By package and name: what each release has for it. None where systems differ.
type Table = BTreeMap<String, BTreeMap<String, BTreeMap<u16, Option<String>>>>;

pub(crate) fn main(args: &Args) -> Result<()> {
    let mut table = Table::new();
    for &release in &args.releases {
        for system in SYSTEMS {
            let listing = list(&args.dir.join(format!("go1.{release}")), system)?;
            add(&mut table, release, &listing);
            eprintln!("go1.{release} {system}: {} lines", listing.lines().count());
        }
    }
    let to = root().join("loader/src/library/table.bin");
    let bytes = pack(&text(&table, &args.releases))?;
    println!("{}: {} bytes, {} packages", to.display(), bytes.len(), table.len());
    std::fs::write(&to, bytes).with_context(|| to.display().to_string())
}

/// What the packages of a release declare for a system.
fn list(tree: &std::path::Path, system: &str) -> Result<String> {
    let program = root().join("target/list-library");
    let source = root().join("xtask/src/library/list.go");
    // Releases without this setting, or that always have it, ignore it.
    let go = || {
        let mut go = go_command(tree);
        go.env("GO111MODULE", "off");
        go
    };
    run(go().args(["build", "-o"]).arg(&program).arg(&source))?;
    let mut list = go();
    let mut command = std::process::Command::new(&program);
    command.envs(list.env("GOOS", system).get_envs().filter_map(|(name, value)| Some((name, value?))));
    output(&mut command)
}

fn add(table: &mut Table, release: u16, listing: &str) {
    let aliases = aliases(listing);
    let mut package = "";
    for line in listing.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let (name, text) = match columns[..] {
            ["package", name] => {
                package = name;
                continue;
            }
            ["func", name, text] => (name.to_owned(), text),
            ["type", name, text] => (format!(":{name}"), text),
            _ => continue,
        };
        // Commands' packages are in no program but theirs.
        if package.starts_with("cmd/") || text.len() > 1000 {
            continue;
        }
        let text = Some(with_names(text, &aliases));
        let known = table.entry(package.to_owned()).or_default().entry(name).or_default();
        let first = known.entry(release).or_insert_with(|| text.clone());
        if *first != text {
            *first = None;
        }
    }
}

/// What the aliases in a listing stand for.
fn aliases(listing: &str) -> BTreeMap<String, String> {
    let mut package = "";
    let mut aliases = BTreeMap::new();
    for line in listing.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["package", name] => package = name,
            ["alias", name, to] => _ = aliases.insert(format!("{package}.{name}"), to.to_owned()),
            _ => {}
        }
    }
    aliases
}

/// The text with what aliases stand for.
fn with_names(text: &str, aliases: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_alphanumeric() || matches!(c, '_' | '.' | '/') {
            word.push(c);
            continue;
        }
        out.push_str(aliases.get(&word).unwrap_or(&word));
        word.clear();
        out.push(c);
    }
    out.pop();
    out
}

/// The lines of each package.
fn text(table: &Table, releases: &[u16]) -> Vec<(String, String)> {
    let lines = |names: &BTreeMap<String, BTreeMap<u16, Option<String>>>| {
        let mut lines = String::new();
        for (name, known) in names {
            let texts: BTreeSet<&String> = known.values().flatten().collect();
            match (texts.first(), texts.len(), known.values().all(Option::is_some)) {
                (Some(only), 1, true) => _ = writeln!(lines, "{name}\t{only}"),
                _ => spans(&mut lines, name, known, releases),
            }
        }
        lines
    };
    table.iter().map(|(package, names)| (package.clone(), lines(names))).collect()
}

/// A line for each run of releases with the same text.
fn spans(lines: &mut String, name: &str, known: &BTreeMap<u16, Option<String>>, releases: &[u16]) {
    let at = |release: &u16| known.get(release).and_then(Option::as_ref);
    for run in releases.chunk_by(|one, other| at(one) == at(other)) {
        if let (Some(from), Some(to), Some(text)) = (run.first(), run.last(), run.first().and_then(at)) {
            _ = writeln!(lines, "{name}\t{text}\t{from}-{to}");
        }
    }
}

/// The table as `loader/src/library.rs` reads it.
fn pack(packages: &[(String, String)]) -> Result<Vec<u8>> {
    let (mut header, mut blocks) = (String::new(), Vec::new());
    let mut rest = packages.iter().filter(|(_, lines)| !lines.is_empty()).peekable();
    while let Some((first, _)) = rest.peek() {
        let mut block = String::new();
        while let Some((package, lines)) = rest.next_if(|_| block.len() < BLOCK) {
            _ = write!(block, "={package}\n{lines}");
        }
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
        packed.write_all(block.as_bytes())?;
        let packed = packed.finish()?;
        _ = writeln!(header, "{first} {}", packed.len());
        blocks.extend(packed);
    }
    Ok([header.as_bytes(), b"\n", &blocks].concat())
}
