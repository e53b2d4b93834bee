//! What a guest is given and may use: options of all commands that run guest code.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use goemu::Config;
use goemu::cpu::Level;
use goemu::machine::{Access, Dir, EngineChoice, Files, Process};
use goemu::outcome::Runtime;

use crate::changing::Changing;
use crate::number;

/// An argument is at most this part of the memory that the program may have: it is there more than once.
pub(crate) const PART_OF_MEMORY: u64 = 4;
/// What a call may take that has the default fuel: loads that miss all caches of the host take hundreds of times as long as others,
/// natively too, and fuel does not tell them apart.
const TIME: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Guest {
    #[command(flatten)]
    limits: Limits,
    /// What stands in for Go's runtime: hooks, or the program's own, started up to main.main [default: auto]
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<Choice>,
    /// An argument for the program, os.Args[1:]; one option for each
    #[arg(long = "arg", value_name = "VALUE", allow_hyphen_values = true)]
    argv: Vec<String>,
    /// What the program reads from its standard input: a file, or with - the standard input of goemu
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    stdin: Option<String>,
}

/// What whole programs and single calls alike are given.
#[derive(clap::Args)]
pub(crate) struct Limits {
    /// Instructions that may be executed; long work of the runtime counts as many [default: 1g; explore: 200m; run: no limit]
    #[arg(long, value_name = "N", value_parser = number::count)]
    fuel: Option<u64>,
    /// Time of this computer that a call or run may take, with all that it brings: 10s, 1.5s, 200ms, 2m [default: 10s for calls that
    /// nothing watches and without --fuel; explore: 60s; each function of strings: 10s; each call of xrefs: 2s; else no limit]
    #[arg(long, value_name = "TIME", value_parser = number::time)]
    timeout: Option<Duration>,
    /// Bytes of memory that the program may have [default: 2g]
    #[arg(long, value_name = "N", value_parser = number::bytes)]
    max_memory: Option<u64>,
    /// Bytes that the stack may grow to [default: 1_000_000_000, as in Go]
    #[arg(long, value_name = "N", value_parser = number::bytes)]
    max_stack: Option<u64>,
    /// Bytes that the program may write to its standard output and error together [default: 64m; run: no limit]
    #[arg(long, value_name = "N", value_parser = number::bytes)]
    max_output: Option<u64>,
    /// Bytes that the program's files may have, which are in memory [default: 1g]
    #[arg(long, value_name = "N", value_parser = number::bytes)]
    max_files: Option<u64>,
    /// What CPUID shows, and so which code programs choose [default: v3]
    #[arg(long, value_name = "LEVEL")]
    cpu: Option<Cpu>,
    /// What runs the program's instructions: the translator where this computer can, or the interpreter [default: auto]
    #[arg(long, value_name = "ENGINE")]
    engine: Option<Engine>,
    /// A variable of the program's environment, which is empty otherwise; one option for each
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Give the program a folder or file of this computer: for reading (ro), for reading and for writing to a copy in memory
    /// (overlay, the default), or for writing (rw)
    #[arg(long = "dir", value_name = "HOST:GUEST[:ro|overlay|rw]", value_parser = dir)]
    dirs: Vec<Dir>,
    /// What everything random follows from: the same seed is the same run [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    changing: Changing,
}

/// What serves a call as Go's runtime.
#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    /// Hooks; and where they cannot, the call is made again in the program's own
    Auto,
    /// Hooks, on a goroutine of goemu's making: any program, never started
    Hooked,
    /// The program's own, which is started and has come to main.main: programs for Linux
    Real,
}

/// What runs instructions.
#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    /// The translator where this computer can run its code, else the interpreter
    Auto,
    /// One instruction after the other: everywhere
    Interpreter,
    /// Hot code runs on this computer's processor
    Translator,
}

impl From<Engine> for EngineChoice {
    fn from(engine: Engine) -> EngineChoice {
        match engine {
            Engine::Auto => EngineChoice::Auto,
            Engine::Interpreter => EngineChoice::Interpreter,
            Engine::Translator => EngineChoice::Translator,
        }
    }
}

/// Levels of the x86-64 architecture.
#[derive(Clone, Copy, ValueEnum)]
enum Cpu {
    /// To SSE2
    V1,
    /// To SSE4.2 and POPCNT, with AES and PCLMULQDQ
    V2,
    /// To AVX2, FMA, BMI1 and BMI2, with ADX and SHA
    V3,
}

impl From<Cpu> for Level {
    fn from(cpu: Cpu) -> Level {
        match cpu {
            Cpu::V1 => Level::V1,
            Cpu::V2 => Level::V2,
            Cpu::V3 => Level::V3,
        }
    }
}

impl Guest {
    /// The time that a call may take, if one was given.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.limits.timeout
    }

    /// The machine's limits and choices, for calls that nothing watches: they have a limit of time, unless a limit was given.
    pub(crate) fn config_of_calls(&self) -> Result<Config> {
        let config = self.config()?;
        let time = self.limits.fuel.is_none().then_some(TIME);
        Ok(Config { deadline: config.deadline.or(time), ..config })
    }

    /// The machine's limits and choices.
    pub(crate) fn config(&self) -> Result<Config> {
        let config = self.limits.config(&Config::default())?;
        let stdin = match &self.stdin {
            Some(path) => {
                contents(path, &format!("--stdin {path}"), config.max_memory / PART_OF_MEMORY)?.into()
            }
            None => Arc::default(),
        };
        Ok(Config {
            runtime: match self.runtime {
                None | Some(Choice::Auto) => None,
                Some(Choice::Hooked) => Some(Runtime::Hooked),
                Some(Choice::Real) => Some(Runtime::Real),
            },
            process: Process { args: self.argv.clone(), stdin, ..config.process },
            ..config
        })
    }
}

impl Limits {
    /// The seed, if one was given.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The time that a run may take, if one was given.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// These options again, but for the seed.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let numbers = [
            ("--fuel", self.fuel),
            ("--max-memory", self.max_memory),
            ("--max-stack", self.max_stack),
            ("--max-output", self.max_output),
            ("--max-files", self.max_files),
        ];
        for (name, number) in numbers {
            words.extend(number.iter().flat_map(|number| [name.to_owned(), number.to_string()]));
        }
        let level = |cpu: &Cpu| cpu.to_possible_value().map(|value| value.get_name().to_owned());
        words.extend(self.cpu.iter().filter_map(level).flat_map(|name| ["--cpu".to_owned(), name]));
        for (name, value) in &self.env {
            words.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        for dir in &self.dirs {
            let access = match dir.access {
                Access::Read => ":ro",
                Access::Write => ":rw",
                _ => "",
            };
            words.extend(["--dir".to_owned(), format!("{}:{}{access}", dir.host.display(), dir.guest)]);
        }
        words.extend(self.changing.words());
        words
    }

    /// The machine's limits and choices; what is not said is as in `default`.
    pub(crate) fn config(&self, default: &Config) -> Result<Config> {
        let process = default.process.clone();
        let env = if self.env.is_empty() { process.env.clone() } else { self.env.clone() };
        Ok(Config {
            max_memory: self.max_memory.unwrap_or(default.max_memory),
            max_stack: self.max_stack.unwrap_or(default.max_stack),
            max_output: self.max_output.unwrap_or(default.max_output),
            cpu: self.cpu.map_or(default.cpu, Level::from),
            seed: self.seed.unwrap_or(default.seed),
            fuel: self.fuel.unwrap_or(default.fuel),
            deadline: self.timeout.or(default.deadline),
            engine: self.engine.map_or(default.engine, EngineChoice::from),
            process: Process { env, ..process },
            files: Files {
                dirs: self.dirs.clone(),
                room: self.max_files.unwrap_or(default.files.room),
                ..default.files.clone()
            },
            changes: self.changing.changes()?,
            ..default.clone()
        })
    }
}

/// `HOST:GUEST[:ro|overlay|rw]`, or `HOST` where it has the same path in the guest.
fn dir(text: &str) -> Result<Dir, String> {
    let (rest, access) = match text.rsplit_once(':') {
        Some((rest, "ro")) => (rest, Access::Read),
        Some((rest, "overlay")) => (rest, Access::Overlay),
        Some((rest, "rw")) => (rest, Access::Write),
        _ => (text, Access::default()),
    };
    let (host, guest) = rest.split_once(':').unwrap_or((rest, rest));
    if host.is_empty() || !guest.starts_with('/') {
        return Err("HOST:GUEST[:ro|overlay|rw] is wanted, where GUEST begins with /".to_owned());
    }
    Ok(Dir { host: host.into(), guest: guest.to_owned(), access })
}

/// What is in a file, or in standard input (`-`): so many bytes at most.
pub(crate) fn contents(path: &str, text: &str, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut read = |from: &mut dyn Read| from.take(most.saturating_add(1)).read_to_end(&mut bytes);
    let read = if path == "-" {
        read(&mut io::stdin())
    } else {
        File::open(path).and_then(|mut file| match file.metadata()?.len() {
            // Not even begun.
            len if len > most => Ok(usize::MAX),
            _ => read(&mut file),
        })
    };
    let read = read.with_context(|| format!("cannot read {text}"))?;
    if read as u64 > most {
        bail!(
            "{text} has more than {most} bytes, a quarter of the memory that the program may have (--max-memory)"
        );
    }
    Ok(bytes)
}

/// `NAME=VALUE`
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is wanted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        guest: Guest,
    }

    #[test]
    fn calls_with_the_default_fuel_have_a_limit_of_time() {
        let of = |words: &[&str]| {
            let line = Line::try_parse_from([&["goemu"], words].concat()).unwrap();
            line.guest.config_of_calls().unwrap().deadline
        };
        assert_eq!(of(&[]), Some(TIME));
        assert_eq!(of(&["--max-memory", "1g"]), Some(TIME));
        assert_eq!(of(&["--fuel", "1g"]), None);
        assert_eq!(of(&["--timeout", "200ms"]), Some(Duration::from_millis(200)));
        assert_eq!(of(&["--timeout", "2m", "--fuel", "1"]), Some(Duration::from_secs(120)));
        assert_eq!(Line::parse_from(["goemu"]).guest.config().unwrap().deadline, None);
    }
}
