//! `cargo xtask fixtures`: builds the programs of `testdata/go` by every pinned Go release in every mode,
//! runs them natively, and writes down what their cases did.
//!
//! All binaries go to `target/fixtures`; the few that tests cannot do without ([`CHECKED_IN`]) are copied to `testdata/bin`.
//! Tests run the others where they have been built; CI builds those that it compares ([`COMPARED`]).
//! Checksums of all of them stand in `testdata/bin/SHA256SUMS`: a build is the same on every machine. The object files
//! in `testdata/objects` are compiled, too.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    run::{root, run, sha256},
    toolchains::{self, go_command},
};
use releases::VERSIONS;

pub(crate) mod cases;
pub(crate) mod native;
mod objects;
#[path = "../../tests/harness/releases.rs"]
#[allow(unreachable_pub, reason = "the tests' library shows it")]
mod releases;
pub(crate) mod tracebacks;
mod vendored;

/// What `cargo xtask fixtures` takes.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// The folder that `cargo xtask toolchains` filled.
    #[arg(long, default_value_os_t = toolchains::default_dir())]
    toolchains: PathBuf,
    /// Also build for other systems than Linux.
    #[arg(long)]
    all_systems: bool,
    /// Also build what needs gcc: shared libraries, plugins, external linking. What gcc makes differs between
    /// machines, so these have no checksums.
    #[arg(long)]
    cgo: bool,
    /// Take new checksums where they differ from the recorded ones: sources or toolchains have changed.
    #[arg(long)]
    accept: bool,
    /// Build what CI compares beside the checked-in binaries, and nothing else: nothing is run or recorded.
    #[arg(long, conflicts_with_all = ["accept", "only", "all_systems", "cgo"])]
    compared: bool,
    /// Build those whose names contain this, and leave native results alone but those of a whole program; `objects`:
    /// the object files.
    #[arg(long)]
    only: Option<String>,
}

impl Args {
    /// The binaries that are asked for, of one program and release.
    fn fixtures(&self, program: &'static str, version: u16) -> impl Iterator<Item = Fixture> {
        let compared = self.compared;
        let modes = MODES.iter().filter(move |mode| self.all_systems || compared || mode.os == "linux");
        let modes = modes.filter(|mode| self.cgo || !mode.cgo);
        let modes = modes.filter(move |mode| program != "cgo" || USES_C.contains(&mode.suffix));
        let modes = modes.filter(move |mode| mode.versions.contains(&version));
        let only = only_mode(program);
        let modes = modes.filter(move |mode| {
            only.is_none_or(|(suffix, versions)| mode.suffix == suffix && versions.contains(&version))
        });
        // Go 1.25 asks more of Windows than other releases, where package os is initialised.
        let asks_more =
            move |mode: &Mode| (program, version, mode.suffix) == ("world", 25, "-windows-stripped");
        let modes = modes
            .filter(move |mode| matches!(program, "corpus" | "cgo") || !mode.corpus_only || asks_more(mode));
        let fixtures = modes.map(move |mode| Fixture { program, version, mode });
        let fixtures = fixtures.filter(move |fixture| !compared || COMPARED.contains(&&*fixture.name()));
        fixtures.filter(|fixture| self.only.as_ref().is_none_or(|part| fixture.name().contains(part)))
    }
}

/// The builds that a clone has: those that examples and tests name, of the oldest and the newest release and of each system.
const CHECKED_IN: [&str; 24] = [
    "bad-go1.27-stripped",
    "cgo-go1.15-gcc",
    "cgo-go1.27-gcc-pie",
    "corpus-go1.15",
    "corpus-go1.15-darwin-stripped",
    "corpus-go1.15-pie",
    "corpus-go1.15-stripped",
    "corpus-go1.15-windows-stripped",
    "corpus-go1.27",
    "corpus-go1.27-darwin",
    "corpus-go1.27-pie",
    "corpus-go1.27-stripped",
    "corpus-go1.27-windows",
    "decoders-go1.21-stripped",
    "decoders-go1.27-stripped",
    "hostile-go1.27-stripped",
    "planted-go1.27",
    "process-go1.15-stripped",
    "process-go1.27-stripped",
    "races-go1.27",
    "typed-go1.15-stripped",
    "typed-go1.27",
    "whole-go1.27-stripped",
    "world-go1.27",
];

/// The builds that CI makes for its tests: the releases between, other modes, programs of one table each.
const COMPARED: [&str; 35] = [
    "algorithms-go1.27-stripped",
    "algorithms-v3-go1.23-stripped",
    "bad-go1.15-stripped",
    "corners-go1.15-stripped",
    "corners-go1.21-stripped",
    "corners-go1.23-stripped",
    "corners-go1.24-stripped",
    "corners-go1.27-stripped",
    "corpus-go1.15-noopt",
    "corpus-go1.19",
    "corpus-go1.21",
    "corpus-go1.22",
    "corpus-go1.23",
    "corpus-go1.23-checkptr",
    "corpus-go1.24",
    "corpus-go1.25",
    "corpus-go1.26",
    "corpus-go1.27-noopt",
    "defers-go1.15-stripped",
    "defers-go1.27-stripped",
    "library-go1.27",
    "profiled-go1.24-stripped",
    "profiled-go1.27-stripped",
    "races-go1.23",
    "races-go1.25",
    "signatures-go1.15",
    "signatures-go1.27",
    "tracing-go1.15-stripped",
    "tracing-go1.21-stripped",
    "tracing-go1.22-stripped",
    "tracing-go1.24-stripped",
    "tracing-go1.25-stripped",
    "tracing-go1.27-stripped",
    "world-go1.15",
    "world-go1.25-windows-stripped",
];

/// The programs: folders of `testdata/go`; `-v3` is one that is built for GOAMD64=v3, whose floating-point results
/// may differ, since products are added without being rounded.
const PROGRAMS: [&str; 19] = [
    "corpus",
    "library",
    "world",
    "defers",
    "typed",
    "algorithms",
    "algorithms-v3",
    "signatures",
    "bad",
    "corners",
    "process",
    "planted",
    "profiled",
    "decoders",
    "whole",
    "hostile",
    "races",
    "tracing",
    "cgo",
];

/// The only mode in which a program is built, and by which releases.
fn only_mode(program: &str) -> Option<(&'static str, &'static [u16])> {
    match program {
        "algorithms" | "algorithms-v3" => Some(("-stripped", &[19, 23, 27])),
        "defers" | "bad" => Some(("-stripped", &[15, 27])),
        "process" => Some(("-stripped", &[15, 19, 21, 23, 25, 27])),
        "whole" | "hostile" => Some(("-stripped", &[27])),
        "corners" => Some(("-stripped", &VERSIONS)),
        "profiled" => Some(("-stripped", &[21, 23, 24, 25, 26, 27])),
        "signatures" => Some(("", &[15, 27])),
        "planted" => Some(("", &[27])),
        "tracing" => Some(("-stripped", &VERSIONS)),
        "races" => Some(("", &[23, 25, 27])),
        "decoders" => Some(("-stripped", &[21, 27])),
        _ => None,
    }
}

/// The modes of the program that has C in it.
const USES_C: [&str; 2] = ["-gcc", "-gcc-pie"];

/// How a program can be built.
struct Mode {
    /// What is appended to the binary's name.
    suffix: &'static str,
    flags: &'static [&'static str],
    /// The target system; only Linux programs are run.
    os: &'static str,
    versions: &'static [u16],
    /// Whether no other program is built so.
    corpus_only: bool,
    /// Whether gcc links it.
    cgo: bool,
}

/// The releases that build for other systems.
const ABROAD: [u16; 4] = [15, 19, 23, 27];

/// The ways to build for Linux.
const fn linux(suffix: &'static str, flags: &'static [&'static str]) -> Mode {
    Mode { suffix, flags, os: "linux", versions: &VERSIONS, corpus_only: false, cgo: false }
}

/// The ways to build for other systems.
const fn abroad(suffix: &'static str, os: &'static str, flags: &'static [&'static str]) -> Mode {
    Mode { suffix, flags, os, versions: &ABROAD, corpus_only: true, cgo: false }
}

/// The ways to build for Linux with gcc's help.
const fn with_gcc(suffix: &'static str, flags: &'static [&'static str]) -> Mode {
    Mode { suffix, flags, os: "linux", versions: &[15, 19, 23, 27], corpus_only: true, cgo: true }
}

const WHOLE: &[&str] = &["-ldflags=-buildid="];
const STRIPPED: &[&str] = &["-ldflags=-buildid= -s -w"];
const PIE: &[&str] = &["-ldflags=-buildid= -s -w", "-buildmode=pie"];

static MODES: [Mode; 20] = [
    linux("", WHOLE),
    linux("-noopt", &["-ldflags=-buildid=", "-gcflags=-N -l"]),
    linux("-stripped", STRIPPED),
    linux("-pie", &["-ldflags=-buildid=", "-buildmode=pie"]),
    // Conversions of unsafe pointers are checked.
    Mode {
        versions: &[19, 23, 27],
        corpus_only: true,
        ..linux("-checkptr", &["-ldflags=-buildid= -s -w", "-gcflags=all=-d=checkptr"])
    },
    abroad("-darwin", "darwin", WHOLE),
    abroad("-darwin-stripped", "darwin", STRIPPED),
    // Earlier releases leave it to the system's linker.
    Mode { versions: &[19, 23, 27], ..abroad("-darwin-pie", "darwin", PIE) },
    abroad("-windows", "windows", WHOLE),
    Mode { versions: &[15, 19, 23, 25, 27], ..abroad("-windows-stripped", "windows", STRIPPED) },
    abroad("-windows-pie", "windows", PIE),
    abroad("-freebsd", "freebsd", STRIPPED),
    abroad("-openbsd", "openbsd", STRIPPED),
    abroad("-netbsd", "netbsd", STRIPPED),
    with_gcc("-gcc", &["-ldflags=-linkmode=external"]),
    with_gcc("-gcc-pie", &["-ldflags=-linkmode=external -s -w", "-buildmode=pie"]),
    with_gcc("-gcc-static", &["-ldflags=-linkmode=external -extldflags=-static -s -w"]),
    with_gcc("-shared", &["-buildmode=c-shared", "-ldflags=-s -w"]),
    Mode { versions: &[19, 23, 27], ..with_gcc("-plugin", &["-buildmode=plugin"]) },
    Mode {
        versions: &[19, 23, 27],
        ..with_gcc("-plugin-stripped", &["-buildmode=plugin", "-ldflags=-s -w"])
    },
];

/// One binary.
struct Fixture {
    program: &'static str,
    version: u16,
    mode: &'static Mode,
}

impl Fixture {
    /// `corpus-go1.27-pie`
    fn name(&self) -> String {
        format!("{}-go1.{}{}", self.program, self.version, self.mode.suffix)
    }

    fn is_checked_in(&self) -> bool {
        CHECKED_IN.contains(&&*self.name())
    }

    /// The folder of its sources, and the level of the architecture that it is compiled for.
    fn sources(&self) -> (&'static str, &'static str) {
        match self.program.strip_suffix("-v3") {
            Some(folder) => (folder, "v3"),
            None => (self.program, "v1"),
        }
    }
}

/// Builds what CI compares, with toolchains that are fetched where they are not there yet.
pub(crate) fn compared() -> Result<()> {
    let built = root().join("target/fixtures");
    if COMPARED.iter().all(|name| built.join(name).exists()) {
        return check(&built);
    }
    toolchains::main(&toolchains::Args::default())?;
    main(&Args { toolchains: toolchains::default_dir(), compared: true, ..Args::default() })
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let built = root().join("target/fixtures");
    for folder in [&built, &root().join("testdata/bin"), &root().join("testdata/native")] {
        fs::create_dir_all(folder)?;
    }
    for program in PROGRAMS {
        let mut table = native::Table::default();
        for version in VERSIONS {
            let folder = program.strip_suffix("-v3").unwrap_or(program);
            let cases = cases::find(&root().join("testdata/go").join(folder), version)?;
            for fixture in args.fixtures(program, version) {
                let binary = built.join(fixture.name());
                build(&fixture, &cases, args, &binary)
                    .with_context(|| format!("building {}", fixture.name()))?;
                if !args.compared && fixture.mode.os == "linux" && (program == "cgo" || !fixture.mode.cgo) {
                    native::run(&binary, &cases, fixture.mode.suffix.is_empty())
                        .and_then(|outcomes| table.add(version, &cases, outcomes))
                        .with_context(|| format!("running {}", fixture.name()))?;
                }
            }
        }
        let file = root().join(format!("testdata/native/{program}.tsv"));
        if !table.is_empty() && args.only.as_deref().is_none_or(|only| only == program) {
            fs::write(&file, table.to_tsv()).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    if args.compared {
        return check(&built);
    }
    if args.only.is_none() {
        demos(args)?;
    }
    for (name, folder, flags) in APART {
        if args.only.as_deref().is_none_or(|only| name.contains(only)) {
            apart(args, name, folder, flags)?;
        }
    }
    check_in(args, &built)?;
    if args.only.as_deref().is_none_or(|only| only == "objects") {
        objects::main(&args.toolchains)?;
    }
    if args.only.is_none() {
        tracebacks::main()?;
    }
    Ok(())
}

/// Builds one program in a folder of its own, with the generated cases beside its sources.
fn build(fixture: &Fixture, cases: &cases::Cases, args: &Args, binary: &Path) -> Result<()> {
    println!("{}", fixture.name());
    let sources = root().join("testdata/go");
    let work = root().join("target/fixtures-src").join(fixture.program);
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    fs::copy(sources.join("harness.go"), work.join("harness.go"))?;
    let (folder, level) = fixture.sources();
    for entry in fs::read_dir(sources.join(folder))? {
        let entry = entry?;
        fs::copy(entry.path(), work.join(entry.file_name()))?;
    }
    fs::write(work.join("cases.go"), cases.to_go())?;
    go_build(args, fixture.version, (folder, level), &work, fixture.mode, binary)
}

/// `go build` of a folder as a module, in a way that gives the same bytes everywhere.
fn go_build(
    args: &Args,
    version: u16,
    (module, level): (&str, &str),
    folder: &Path,
    mode: &Mode,
    binary: &Path,
) -> Result<()> {
    let toolchain = args.toolchains.join(format!("go1.{version}"));
    let borrowed = vendored::add(folder, &toolchain, version)?;
    fs::write(folder.join("go.mod"), format!("module {module}\n\ngo 1.{version}\n{borrowed}"))?;
    let mut go = go_command(&toolchain);
    go.args(["build", "-trimpath"]).args(mode.flags);
    if version >= 18 {
        go.arg("-buildvcs=false");
    }
    if mode.cgo {
        go.env("CGO_ENABLED", "1");
    }
    go.env("GOOS", mode.os).env("GOARCH", "amd64").env("GOAMD64", level);
    run(go.arg("-o").arg(binary).arg(".").current_dir(folder))
}

/// The two builds of the demo: one that reads like the source, and one as people build today.
fn demos(args: &Args) -> Result<()> {
    let demo = root().join("cli/demo");
    for (version, mode) in [(15, &MODES[1]), (27, &MODES[0])] {
        let work = root().join("target/fixtures-src/demo");
        fs::create_dir_all(&work)?;
        fs::copy(demo.join("demo.go"), work.join("demo.go"))?;
        go_build(args, version, ("demo", "v1"), &work, mode, &demo.join(format!("demo-go1.{version}")))?;
    }
    Ok(())
}

/// Programs without cases, which are not run natively: the test binary with bugs of concurrency, whose symbols tell functions of a test, and
/// one whose goroutines wait for each other.
const APART: [(&str, &str, &[&str]); 2] = [
    ("concurrency-go1.27", "concurrency", &["-ldflags=-buildid= -w"]),
    ("waits-go1.27-stripped", "waits", STRIPPED),
];

fn apart(args: &Args, name: &str, folder: &str, flags: &'static [&'static str]) -> Result<()> {
    let (sources, work) =
        (root().join("testdata/go").join(folder), root().join("target/fixtures-src").join(folder));
    fs::create_dir_all(&work)?;
    for entry in fs::read_dir(sources)? {
        let entry = entry?;
        fs::copy(entry.path(), work.join(entry.file_name()))?;
    }
    let mode = linux("", flags);
    go_build(args, 27, (folder, "v1"), &work, &mode, &root().join("testdata/bin").join(name))
}

/// Checks what CI compares against the recorded checksums.
fn check(built: &Path) -> Result<()> {
    let recorded = recorded()?;
    for name in COMPARED {
        let sum = sha256(&built.join(name))?;
        match recorded.get(name) {
            Some(recorded) if *recorded == sum => {}
            Some(_) => {
                bail!("{name} is not what SHA256SUMS says: `cargo xtask fixtures --accept` records it")
            }
            None => bail!("SHA256SUMS lacks {name}"),
        }
    }
    Ok(())
}

/// The checksums in `testdata/bin/SHA256SUMS`, by name.
fn recorded() -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(root().join("testdata/bin/SHA256SUMS"))?;
    let rows = text.lines().filter_map(|row| row.split_once("  "));
    Ok(rows.map(|(sum, name)| (name.to_owned(), sum.to_owned())).collect())
}

/// Checks what was built against the recorded checksums, copies what is checked in, and writes the checksums; those of
/// others stay.
fn check_in(args: &Args, built: &Path) -> Result<()> {
    let bin = root().join("testdata/bin");
    let file = bin.join("SHA256SUMS");
    let recorded = recorded()?;
    let mut sums = if args.only.is_some() { recorded.clone() } else { BTreeMap::new() };
    let (mut differing, mut copies) = (Vec::new(), Vec::new());
    for program in PROGRAMS {
        for version in VERSIONS {
            for fixture in args.fixtures(program, version) {
                let binary = built.join(fixture.name());
                if !fixture.mode.cgo {
                    let sum = sha256(&binary)?;
                    if recorded.get(&fixture.name()).is_some_and(|recorded| *recorded != sum) {
                        differing.push(fixture.name());
                    }
                    sums.insert(fixture.name(), sum);
                }
                if fixture.is_checked_in() {
                    copies.push((binary, bin.join(fixture.name())));
                }
            }
        }
    }
    for (name, ..) in APART {
        if let Ok(sum) = sha256(&bin.join(name)) {
            if recorded.get(name).is_some_and(|recorded| *recorded != sum) {
                differing.push(name.to_owned());
            }
            sums.insert(name.to_owned(), sum);
        }
    }
    if !differing.is_empty() && !args.accept {
        bail!("not what SHA256SUMS says (--accept takes them): {}", differing.join(", "));
    }
    for (binary, to) in copies {
        fs::copy(&binary, &to)?;
    }
    let rows: String = sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    fs::write(file, rows)?;
    Ok(())
}
