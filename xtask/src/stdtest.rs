//! `cargo xtask stdtest`: the tests of Go's standard library, natively and under `goemu run`.
//!
//! Each package's test binary (`go test -c`) is run twice, in its folder, with the same environment: by this computer and by goemu, which
//! gets Go's tree by `--dir`. Compared is what became of each test that passes natively. Neither may start the `go` command. What
//! the runs wrote stays in `target/stdtest`, and `docs/stdtest.md` is made of all that is there, so packages can be run one by one.

mod report;
mod verdicts;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, bail};

use crate::run::{output, root};
use crate::toolchains::{self, go_command};

/// What `cargo xtask stdtest` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that `cargo xtask toolchains` filled.
    #[arg(long, default_value_os_t = toolchains::default_dir())]
    toolchains: PathBuf,
    /// The goemu to run; one that is optimised.
    #[arg(long, default_value_os_t = root().join("target/release/goemu"))]
    goemu: PathBuf,
    /// The releases whose libraries are tested.
    #[arg(long, value_delimiter = ',', default_value = "1.19,1.23,1.27")]
    releases: Vec<String>,
    /// Seconds that a package may take under goemu.
    #[arg(long, default_value_t = 600)]
    timeout: u64,
    /// Run again what was run already.
    #[arg(long)]
    again: bool,
    /// Make the table only, of what was run already.
    #[arg(long)]
    table: bool,
    /// Only these packages.
    packages: Vec<String>,
}

/// The packages whose tests are run.
const PATTERNS: [&str; 45] = [
    "strings",
    "bytes",
    "sort",
    "strconv",
    "math/...",
    "unicode/...",
    "container/...",
    "encoding/...",
    "compress/...",
    "archive/...",
    "crypto/...",
    "hash/...",
    "image/...",
    "text/...",
    "html/...",
    "go/...",
    "regexp/...",
    "bufio",
    "io/...",
    "os",
    "os/signal",
    "os/user",
    "path/...",
    "time/...",
    "context",
    "sync/...",
    "errors",
    "fmt",
    "log/...",
    "maps",
    "slices",
    "iter",
    "reflect",
    "net",
    "net/url",
    "net/netip",
    "net/textproto",
    "net/http",
    "net/http/httptest",
    "net/rpc/...",
    "testing/...",
    "database/sql/...",
    "expvar",
    "runtime",
    "unique",
];
/// How long a package's tests may take natively.
const NATIVE: Duration = Duration::from_secs(300);

/// What both runs are given.
const ARGS: [&str; 2] = ["-test.short", "-test.v"];

/// Tests that end the whole program where they cannot start the `go` command, so that none after them is reached: goemu does not run
/// them, and they count as such that do not pass. The flag for that came with Go 1.20; in Go 1.19 they start nothing.
const ENDING: [(&str, &[&str]); 1] = [("go/types", &["ExampleScope", "ExampleMethodSet"])];

/// Those of a package.
fn ending(package: &str) -> &'static [&'static str] {
    ENDING.iter().find(|(of, _)| *of == package).map_or(&[], |(_, tests)| *tests)
}

pub(crate) fn main(args: &Args) -> Result<()> {
    for release in args.releases.iter().filter(|_| !args.table) {
        let tree = args.toolchains.join(format!("go{release}"));
        let tree = fs::canonicalize(&tree).with_context(|| format!("there is no {}", tree.display()))?;
        give_time_zones(&tree, &args.toolchains)?;
        for package in packages(&tree, &args.packages)? {
            let said = run(args, release, &tree, &package).with_context(|| package.clone())?;
            println!("go{release} {package}: {said}");
        }
    }
    report::write(&work(), &root().join("docs/stdtest.md"))
}

/// Debian's packages of Go leave out the time zones, without which no test of package time begins: those of another release do.
fn give_time_zones(tree: &Path, toolchains: &Path) -> Result<()> {
    const ZONES: &str = "lib/time/zoneinfo.zip";
    let to = tree.join(ZONES);
    if to.exists() {
        return Ok(());
    }
    let mut others: Vec<PathBuf> = Vec::new();
    for other in fs::read_dir(toolchains)? {
        others.push(other?.path().join(ZONES));
    }
    others.sort();
    if let (Some(from), Some(folder)) = (others.iter().rfind(|zones| zones.exists()), to.parent()) {
        fs::create_dir_all(folder)?;
        fs::copy(from, &to)?;
    }
    Ok(())
}

fn work() -> PathBuf {
    root().join("target/stdtest")
}

/// The packages of a tree that have tests.
fn packages(tree: &Path, only: &[String]) -> Result<Vec<String>> {
    let known = |pattern: &&&str| tree.join("src").join(pattern.trim_end_matches("/...")).is_dir();
    let format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}";
    let mut go = go_command(tree);
    go.args(["list", "-f", format]).args(PATTERNS.iter().filter(known));
    let list = output(go.current_dir(tree.join("src")))?;
    let internal = |package: &str| package.split('/').any(|part| part == "internal");
    let wanted = |package: &&str| {
        !package.is_empty()
            && !internal(package)
            && (only.is_empty() || only.iter().any(|one| one == package))
    };
    Ok(list.lines().filter(wanted).map(str::to_owned).collect())
}

/// Runs a package's tests both ways, and says how that went.
fn run(args: &Args, release: &str, tree: &Path, package: &str) -> Result<String> {
    let base = work().join(release).join(package.replace('/', "_"));
    fs::create_dir_all(base.parent().unwrap_or(&base))?;
    let folder = tree.join("src").join(package);
    if args.again || !base.with_extension("native").exists() {
        let test = build(tree, package, &base)?;
        let mut native = Command::new(&test);
        native.args(ARGS).env_clear().envs(environment(tree)).current_dir(&folder);
        timed(&mut native, &base.with_extension("native"), NATIVE)?;
    }
    if args.again || !base.with_extension("goemu").exists() {
        let test = build(tree, package, &base)?;
        let tree = tree.display();
        let mut emulated = Command::new(&args.goemu);
        emulated.args(["run", "--timeout", &args.timeout.to_string(), "--dir", &format!("{tree}:{tree}")]);
        emulated.args(["--processors", "4"]).arg("--cwd").arg(&folder);
        for (name, value) in environment(Path::new(&tree.to_string())) {
            emulated.arg("--env").arg(format!("{name}={value}"));
        }
        emulated.arg(&test).args(ARGS).current_dir(work());
        if let (tests @ [_, ..], false) = (ending(package), release == "1.19") {
            emulated.arg(format!("-test.skip=^({})$", tests.join("|")));
        }
        timed(
            &mut emulated,
            &base.with_extension("goemu"),
            Duration::from_secs(args.timeout.saturating_add(60)),
        )?;
    }
    // The programs of all packages take gigabytes.
    let _ = fs::remove_file(base.with_extension("test"));
    let compared = verdicts::Compared::read(&base, package)?;
    Ok(compared.line())
}

/// What both runs find in their environment: no `go` command.
fn environment(tree: &Path) -> [(&'static str, String); 5] {
    [
        ("GOROOT", tree.display().to_string()),
        ("HOME", "/tmp".to_owned()),
        ("PATH", "/nowhere".to_owned()),
        ("TMPDIR", "/tmp".to_owned()),
        // Tests that would build programs look whether this is set, and do not then.
        ("GO_GCFLAGS", "-l".to_owned()),
    ]
}

fn build(tree: &Path, package: &str, base: &Path) -> Result<PathBuf> {
    let test = base.with_extension("test");
    if !test.exists() {
        let mut go = go_command(tree);
        go.args(["test", "-c", "-o"]).arg(&test).arg(package).current_dir(tree.join("src"));
        output(&mut go)?;
    }
    Ok(test)
}

/// Runs a command, and keeps in a file what it writes, then how it ended and the processor time that it took.
fn timed(command: &mut Command, to: &Path, limit: Duration) -> Result<()> {
    let part = to.with_extension("part");
    let file = fs::File::create(&part)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let (before, began) = (children()?, Instant::now());
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break status.to_string();
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break format!("stopped after {} seconds", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(5));
    };
    let mut text = fs::read(&part)?;
    text.extend(format!("\n{}{ended}\n{:.2}\n", verdicts::END, children()? - before).into_bytes());
    fs::remove_file(&part)?;
    Ok(fs::write(to, text)?)
}

/// Seconds of processor time that the programs took that were started here and have ended.
fn children() -> Result<f64> {
    /// Of the times in that file.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, after) = stat.rsplit_once(") ").context("/proc/self/stat")?;
    let fields: Vec<&str> = after.split(' ').collect();
    let [user, system] = [13, 14].map(|at| fields.get(at).and_then(|text| text.parse::<f64>().ok()));
    match (user, system) {
        (Some(user), Some(system)) => Ok((user + system) / TICKS),
        _ => bail!("/proc/self/stat is not understood"),
    }
}
