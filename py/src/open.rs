//! Opening programs.

use std::path::PathBuf;
use std::sync::Arc;

use goemu::cpu::Level;
use goemu::machine::{EngineChoice, Process};
use goemu::outcome::Runtime;
use goemu::{Config, Image, LoadError};
use goemu_loader::LoadOptions;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use sha2::{Digest, Sha256};

use crate::errors;
use crate::program::Program;

/// Where a program comes from.
#[derive(Clone)]
pub(crate) enum Source {
    Paths(Vec<PathBuf>),
    Bytes(Arc<[u8]>),
}

impl Source {
    fn of(given: &Bound<'_, PyAny>) -> PyResult<Source> {
        if let Ok(bytes) = given.cast::<PyBytes>() {
            return Ok(Source::Bytes(Arc::from(bytes.as_bytes())));
        }
        if given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>() {
            return Ok(Source::Paths(given.extract()?));
        }
        match given.extract::<PathBuf>() {
            Ok(path) => Ok(Source::Paths(vec![path])),
            Err(_) => {
                Err(PyTypeError::new_err("a program is a path, a list of paths of object files, or bytes"))
            }
        }
    }

    fn open(&self, options: LoadOptions) -> Result<Image, (String, LoadError)> {
        use LoadError::{Directory, Io, NotAFile};
        match self {
            Source::Bytes(bytes) => options.parse(bytes.to_vec()).map_err(|error| (String::new(), error)),
            Source::Paths(paths) => match &paths[..] {
                [only] => options.open(only).map_err(|error| match error {
                    // These name the file themselves.
                    Io { .. } | Directory(_) | NotAFile(_) => (String::new(), error),
                    _ => (format!("{}: ", only.display()), error),
                }),
                several => options.open_all(several).map_err(|error| (String::new(), error)),
            },
        }
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Source::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Source::Paths(paths) => format!("{} files", paths.len()),
        }
    }

    /// What a pickle has of it: paths with a checksum, or the bytes.
    pub(crate) fn pickled<'py>(
        &self,
        py: Python<'py>,
        _image: &Image,
    ) -> PyResult<(Bound<'py, PyAny>, Option<String>)> {
        match self {
            Source::Bytes(bytes) => Ok((PyBytes::new(py, bytes).into_any(), None)),
            Source::Paths(paths) => {
                let absolute = paths.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>()?;
                Ok((absolute.clone().into_pyobject(py)?.into_any(), Some(checksum(&absolute)?)))
            }
        }
    }
}

/// The SHA-256 of some files, one after the other.
pub(crate) fn checksum(paths: &[PathBuf]) -> PyResult<String> {
    let mut hash = Sha256::new();
    for path in paths {
        hash.update(std::fs::read(path)?);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The checksum that pickles compare.
#[pyfunction]
#[pyo3(name = "_checksum")]
pub(crate) fn checksum_of(paths: Vec<PathBuf>) -> PyResult<String> {
    checksum(&paths)
}

/// Where the program is to be, and what is changed of it, as `open` was told.
#[derive(Clone)]
pub(crate) struct Asked {
    base: Option<u64>,
    dump_base: Option<u64>,
    changes: Vec<String>,
}

/// What `open` was told, for another process.
pub(crate) fn settings<'py>(
    py: Python<'py>,
    config: &Config,
    asked: &Asked,
    fuel: u64,
    timeout: Option<f64>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("fuel", fuel)?;
    dict.set_item("timeout", timeout)?;
    dict.set_item("changes", &asked.changes)?;
    dict.set_item("seed", config.seed)?;
    dict.set_item("max_memory", config.max_memory)?;
    dict.set_item("max_stack", config.max_stack)?;
    dict.set_item("runtime", config.runtime.map(|runtime| runtime.to_string()))?;
    dict.set_item(
        "engine",
        match config.engine {
            EngineChoice::Auto => "auto",
            EngineChoice::Interpreter => "interpreter",
            EngineChoice::Translator => "translator",
        },
    )?;
    dict.set_item(
        "cpu",
        match config.cpu {
            Level::V1 => "v1",
            Level::V2 => "v2",
            Level::V3 => "v3",
        },
    )?;
    dict.set_item("base", asked.base)?;
    dict.set_item("dump_base", asked.dump_base)?;
    dict.set_item("args", config.process.args.clone())?;
    dict.set_item("env", config.process.env.iter().cloned().collect::<std::collections::BTreeMap<_, _>>())?;
    dict.set_item("stdin", PyBytes::new(py, &config.process.stdin))?;
    dict.set_item("max_output", config.max_output)?;
    dict.set_item("processors", config.processors)?;
    dict.set_item("faults", (!config.faults.is_empty()).then(|| config.faults.to_string()))?;
    crate::files::settings(py, &config.files, &dict)?;
    Ok(dict)
}

/// Opens a Go program: a path, a list of paths of object files and archives, or bytes.
///
/// `fuel` is the number of instructions that a call may execute, `timeout` the seconds that it may take, `seed` what everything
/// random follows from, `runtime` what serves calls (`None`, "hooked", "real"), `engine` what runs them ("interpreter", "auto",
/// "translator"); `args`, `env` and `stdin` are what the program is given. `base` moves a position-independent program, `dump_base`
/// takes a file for a dump of memory. `dirs` are files and folders that the program is given: paths in the guest with paths of this
/// computer, or with a pair of one and "ro", "overlay" (it writes to a copy in memory; the default) or "rw"; `cwd` is its working
/// directory, `max_files` the bytes that its files may have, `max_output` those that a call may print, `processors` the number that
/// it sees. `faults` are what goes wrong on purpose, where it runs on its own runtime, by the seed: "delays", "drops", "short", "full",
/// "clock", several with commas between them, or "all". `changes` are texts: `stub main.roll=4`, `set main.debug=true`, `patch main.f=90 90`,
/// `map FILE@ADDRESS:rx`, `reg DX=5`, `skip-init PACKAGE`, `stop ADDRESS`.
///
/// >>> p = goemu.open("prog")
/// >>> p.main.fib(20)
/// 6765
/// >>> goemu.open("nothing")
/// Traceback (most recent call last):
///     ...
/// goemu._errors.LoadError: cannot read nothing: No such file or directory (os error 2)
#[pyfunction]
#[pyo3(signature = (source, *, fuel=None, timeout=None, seed=None, runtime=None, engine=None, cpu=None, max_memory=None, max_stack=None,
                    args=None, env=None, stdin=None, base=None, dump_base=None, changes=None, dirs=None, cwd=None, max_files=None,
                    max_output=None, processors=None, faults=None))]
#[allow(clippy::too_many_arguments, reason = "keywords of a Python function")]
pub(crate) fn open(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    fuel: Option<u64>,
    timeout: Option<f64>,
    seed: Option<u64>,
    runtime: Option<&str>,
    engine: Option<&str>,
    cpu: Option<&str>,
    max_memory: Option<u64>,
    max_stack: Option<u64>,
    args: Option<Vec<String>>,
    env: Option<std::collections::BTreeMap<String, String>>,
    stdin: Option<Vec<u8>>,
    base: Option<u64>,
    dump_base: Option<u64>,
    changes: Option<Vec<String>>,
    dirs: Option<&Bound<'_, PyDict>>,
    cwd: Option<String>,
    max_files: Option<u64>,
    max_output: Option<u64>,
    processors: Option<u32>,
    faults: Option<&str>,
) -> PyResult<Program> {
    let default = Config::default();
    let stdin = stdin.map_or_else(|| Arc::clone(&default.process.stdin), Arc::from);
    let env = env.unwrap_or_default().into_iter().collect();
    let config = Config {
        fuel: fuel.unwrap_or(default.fuel),
        seed: seed.unwrap_or(default.seed),
        max_memory: max_memory.unwrap_or(default.max_memory),
        max_stack: max_stack.unwrap_or(default.max_stack),
        runtime: match runtime {
            None | Some("auto") => None,
            Some("hooked") => Some(Runtime::Hooked),
            Some("real") => Some(Runtime::Real),
            Some(other) => return Err(unknown("runtime", other, "auto, hooked, real")),
        },
        engine: match engine {
            None => default.engine,
            Some("interpreter") => EngineChoice::Interpreter,
            Some("auto") => EngineChoice::Auto,
            Some("translator") => EngineChoice::Translator,
            Some(other) => return Err(unknown("engine", other, "interpreter, auto, translator")),
        },
        cpu: match cpu {
            None => default.cpu,
            Some("v1") => Level::V1,
            Some("v2") => Level::V2,
            Some("v3") => Level::V3,
            Some(other) => return Err(unknown("cpu", other, "v1, v2, v3")),
        },
        changes: crate::changes::parse(py, changes.as_deref().unwrap_or_default())?,
        max_output: max_output.unwrap_or(default.max_output),
        processors: match processors {
            Some(count) if !(1..=64).contains(&count) => {
                return Err(PyValueError::new_err("a program sees 1 to 64 processors"));
            }
            given => given.unwrap_or(default.processors),
        },
        faults: faults.map_or(Ok(default.faults), str::parse).map_err(PyValueError::new_err)?,
        files: crate::files::given(dirs, cwd, max_files)?,
        process: Process { args: args.unwrap_or_default(), env, stdin, ..Process::default() },
        ..default
    };
    let source = Source::of(source)?;
    let options = LoadOptions::default();
    let options = base.map_or(options, |base| options.base(base));
    let options = dump_base.map_or(options, |base| options.dump_base(base));
    let image = py.detach(|| source.open(options));
    let image = image.map_err(|(path, error)| match path.as_str() {
        "" => errors::load(py, &error),
        path => errors::own(py, "LoadError", &format!("{path}{error}")),
    })?;
    let asked = Asked { base, dump_base, changes: changes.unwrap_or_default() };
    let program = Program::new(image, config, source, asked);
    program.set_timeout(timeout)?;
    Ok(program)
}

fn unknown(what: &str, given: &str, known: &str) -> PyErr {
    PyValueError::new_err(format!("no {what} {given}: one of {known}"))
}
