//! The Python package: its wheel is built, installed in a clean environment, and tested there. What that needs (Python, pip's
//! packages, crates) may be missing: then it is said, and nothing is tested.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::run::{command, output, root, run};

/// How long pip, and how long the tests, may take.
const PIP: Duration = Duration::from_secs(60);
const TESTS: Duration = Duration::from_secs(600);
/// What the tests need of pip.
const PACKAGES: [&str; 5] = ["maturin>=1.7,<2", "pytest>=7", "hypothesis>=6", "mypy>=1.10", "numpy>=1.20"];
/// The least version of Python.
const LEAST: (u32, u32) = (3, 9);

/// Builds, installs and tests.
pub(crate) fn main() -> Result<()> {
    println!("\n== python");
    let python = std::env::var("GOEMU_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    match prepare(&python) {
        Ok(tools) => tools.test(),
        Err(why) => {
            println!("the Python package is NOT tested: {why:#}");
            Ok(())
        }
    }
}

/// An environment with what builds and tests wheels.
struct Tools {
    bin: PathBuf,
    folder: PathBuf,
}

fn prepare(python: &str) -> Result<Tools> {
    let version = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let version = output(&mut command(python, ["-c", version])).context("there is no Python")?;
    let mut numbers = version.split_whitespace().filter_map(|n| n.parse::<u32>().ok());
    if numbers.next().zip(numbers.next()).is_none_or(|version| version < LEAST) {
        bail!("{python} is older than {}.{}", LEAST.0, LEAST.1);
    }
    let folder = root().join("target/python");
    fs::create_dir_all(&folder)?;
    let venv = folder.join("venv");
    output(command(python, ["-m", "venv", "--clear"]).arg(&venv)).context("no environment can be made")?;
    let tools = Tools { bin: venv.join("bin"), folder };
    let mut pip = tools.pip();
    pip.args(PACKAGES);
    within(PIP, &mut pip).context("pip cannot install what the tests need")?;
    let manifest = root().join("py/Cargo.toml");
    let mut fetch = command("cargo", ["fetch", "--manifest-path"]);
    fetch.arg(&manifest).env("CARGO_NET_RETRY", "1").env("CARGO_HTTP_TIMEOUT", "10");
    within(PIP, &mut fetch).context("its crates cannot be fetched")?;
    Ok(tools)
}

impl Tools {
    fn pip(&self) -> Command {
        let quick = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "10"];
        let mut pip = command(self.bin.join("python"), ["-m", "pip", "install"]);
        pip.args(quick);
        pip
    }

    fn test(&self) -> Result<()> {
        let py = root().join("py");
        let wheels = self.folder.join("wheels");
        if wheels.exists() {
            fs::remove_dir_all(&wheels)?;
        }
        let mut build = command(self.bin.join("maturin"), ["build", "--profile", "dev", "--out"]);
        let path = std::env::join_paths([self.bin.clone()].into_iter().chain(paths()))?;
        build.arg(&wheels).env("PATH", &path).env("CARGO_TARGET_DIR", self.folder.join("build"));
        run(build.current_dir(&py))?;
        let wheel = only_file(&wheels)?;
        run(self.pip().arg("--no-deps").arg("--force-reinstall").arg(wheel))?;
        let tests = command(self.bin.join("python"), ["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]);
        self.step(tests, &py.join("tests"))?;
        let types = command(self.bin.join("python"), ["-m", "mypy", "--strict", "python/goemu"]);
        self.step(types, &py)?;
        let stubs = [
            "-m",
            "mypy.stubtest",
            "goemu._goemu",
            "--allowlist",
            "stubtest.txt",
            "--ignore-unused-allowlist",
        ];
        self.step(command(self.bin.join("python"), stubs), &py)
    }

    fn step(&self, mut step: Command, folder: &Path) -> Result<()> {
        step.current_dir(folder).env_remove("PYTHONPATH").env("GOEMU_TESTDATA", root().join("testdata"));
        within(TESTS, &mut step)
    }
}

fn paths() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut files = fs::read_dir(folder)?;
    let first = files.next().context("maturin made no wheel")??;
    Ok(first.path())
}

/// Runs a command, and ends it when its time is over.
fn within(time: Duration, command: &mut Command) -> Result<()> {
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let end = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(()) } else { bail!("{status}: {command:?}") };
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            bail!("it takes longer than {} s: {command:?}", time.as_secs());
        }
        sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_ended() {
        let error = within(Duration::from_millis(100), &mut command("sleep", ["60"])).unwrap_err();
        assert!(error.to_string().contains("takes longer"), "{error}");
        assert!(within(Duration::from_secs(60), &mut command("true", [""; 0])).is_ok());
        assert!(within(Duration::from_secs(60), &mut command("false", [""; 0])).is_err());
    }
}
