//! `goemu debug`: one call, for a debugger to step through, forwards and back.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use goemu::{Config, Machine, Report, Session};
use goemu_debug::dap;
use goemu_debug::gdb::{self, Connection, Left};
use serde_json::Value as Json;

use crate::binary::Binary;
use crate::calls::argument;
use crate::confined::{Needs, Sockets, confine};
use crate::guest::{Guest, PART_OF_MEMORY};
use crate::{called, completions, hint, output};

/// Let gdb step through a call, forwards and back
///
/// The call waits at its first instruction for a debugger that speaks gdb's
/// remote protocol: gdb, lldb, IDA, Ghidra. It can step and run backwards, from
/// the end of the call too: reverse-stepi, reverse-continue. Goroutines are
/// threads. `monitor help` lists what gdb itself does not know of Go.
///
/// FUNC and ARGS are those of `goemu call`.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(
    after_long_help = "Only this computer can connect. One debugger is served; the command ends with it.

Exit status: that of the call, as `goemu call` has it, where it came to its end; 0 where the debugger ended it.

Examples:
  goemu debug main.f1                     prints the command for gdb
  goemu debug -b prog main.parse '1 + 2' --port 1234
  gdb prog -ex 'target remote | goemu debug -b prog main.parse x --stdio'
  goemu debug --dap                       what editors start: docs/debugging.md

In gdb:
  break main.f1.func1     watch *(long*)0xc000012340     continue
  reverse-stepi           reverse-continue               info threads
  monitor goroutines      monitor defers                 monitor stack 2"
)]
pub(crate) struct Args {
    /// The function: a name, an end of a name, or an address
    #[arg(add = completions::functions(), required_unless_present = "dap")]
    func: Option<String>,
    /// Its arguments in Go syntax; after -- all is an argument
    args: Vec<String>,
    #[command(flatten)]
    binary: Binary,
    #[command(flatten)]
    door: Door,
    /// The function's signature in Go syntax: 'func(a int, s string) (string, error)'
    #[arg(long, value_name = "SIGNATURE")]
    sig: Option<String>,
    /// The variables that a closure captured: 'n=5, s="x"'
    #[arg(long, value_name = "VALUES")]
    captures: Option<String>,
    #[command(flatten)]
    guest: Guest,
}

/// How the debugger comes in.
#[derive(clap::Args)]
pub(crate) struct Door {
    /// Wait for the debugger at this port of the loopback address [default: a free one]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Speak with the debugger by standard input and output
    #[arg(long, conflicts_with = "port")]
    stdio: bool,
    /// Be a debug adapter on standard input and output, for VS Code, nvim-dap and others
    #[arg(long, conflicts_with_all = ["port", "stdio"])]
    pub(crate) dap: bool,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    if args.door.dap {
        return adapt(args);
    }
    let (image, config) = (args.binary.open()?, args.guest.config()?);
    let (asked, entry) = (Asked::of(args), args.door.open()?);
    confine(&asked.needs(&config).sockets(entry.sockets()));
    let mut machine = Machine::with_config(image, args.binary.config(config))?;
    let session = asked.start(&mut machine)?;
    let report = entry.gdb(session, args.binary.only())?;
    Ok(report.map_or(0, |report| called::status(&report.outcome)))
}

/// What is called.
struct Asked {
    func: String,
    args: Vec<String>,
    sig: Option<String>,
    captures: Option<String>,
}

impl Asked {
    fn of(args: &Args) -> Asked {
        let Args { func, args, sig, captures, .. } = args;
        let func = func.clone().unwrap_or_default();
        Asked { func, args: args.clone(), sig: sig.clone(), captures: captures.clone() }
    }

    /// What an editor wants to launch, where that says more than the command line.
    fn or(self, launch: &Json) -> Asked {
        let text = |name: &str| launch[name].as_str().map(str::to_owned);
        let args = launch["args"].as_array().map(|args| {
            args.iter().map(|arg| arg.as_str().map_or_else(|| arg.to_string(), str::to_owned)).collect()
        });
        Asked {
            func: text("func").unwrap_or(self.func),
            args: args.unwrap_or(self.args),
            sig: text("sig").or(self.sig),
            captures: text("captures").or(self.captures),
        }
    }

    /// What is opened later: the files that have arguments.
    fn needs(&self, config: &Config) -> Needs {
        Needs::of(config).reading(self.args.iter().filter_map(|arg| arg.strip_prefix('@')))
    }

    fn start<'m>(&self, machine: &'m mut Machine) -> Result<Session<'m>> {
        let most = machine.config().max_memory / PART_OF_MEMORY;
        let given = self.args.iter().map(|arg| argument(arg, most)).collect::<Result<Vec<_>>>()?;
        let mut call = machine.call(&self.func)?;
        if let Some(sig) = &self.sig {
            call = call.signature(sig).context("--sig")?;
        }
        if let Some(captures) = &self.captures {
            call = call.captures(captures);
        }
        Ok(call.literals(&given)?.start()?)
    }
}

/// Serves an editor.
fn adapt(args: &Args) -> Result<u8> {
    let mut editor = dap::Editor::new(io::stdin(), io::stdout());
    let Some(launch) = editor.launch() else { return Ok(0) };
    let asked = Asked::of(args).or(&launch);
    let open = || {
        let program = launch["program"].as_str().map(PathBuf::from);
        let image = match program {
            Some(program) => Binary::named(Some(program)).open_quietly()?,
            None => args.binary.open_quietly()?,
        };
        let config = args.guest.config()?;
        confine(&asked.needs(&config));
        anyhow::Ok(Machine::with_config(image, args.binary.config(config))?)
    };
    let mut machine = match open() {
        Ok(machine) => machine,
        Err(error) => {
            editor.refuse(&output::message(&error));
            return Err(error);
        }
    };
    match asked.start(&mut machine) {
        Ok(session) => match editor.serve(session)? {
            dap::Left::Ended(report) => Ok(called::status(&report.outcome)),
            dap::Left::Gone => Ok(0),
        },
        Err(error) => {
            editor.refuse(&output::message(&error));
            Err(error)
        }
    }
}

impl Door {
    /// The first of these options that was given.
    pub(crate) fn wanted(&self) -> Option<&'static str> {
        let given = [("--port", self.port.is_some()), ("--stdio", self.stdio), ("--dap", self.dap)];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// Opens it, before the process is confined.
    pub(crate) fn open(&self) -> Result<Entry> {
        if self.stdio {
            return Ok(Entry::Stdio);
        }
        let port = self.port.unwrap_or(0);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("cannot wait at port {port}; without --port a free one is taken"))?;
        Ok(Entry::Port(listener))
    }
}

/// Where a debugger comes in.
pub(crate) enum Entry {
    Stdio,
    Port(TcpListener),
}

impl Entry {
    /// What letting it in needs.
    pub(crate) fn sockets(&self) -> Sockets {
        if let Entry::Port(_) = self { Sockets::Accept } else { Sockets::None }
    }

    /// Lets gdb have a session, and tells how it ended; `None` where the debugger left before.
    pub(crate) fn gdb(self, session: Session<'_>, program: Option<&Path>) -> Result<Option<Box<Report>>> {
        let is_stdio = matches!(self, Entry::Stdio);
        let connection = self.connect(program)?;
        match gdb::serve(session, connection)? {
            Left::Ended(report) | Left::Detached(report) => {
                if !is_stdio {
                    tell(&report)?;
                }
                Ok(Some(report))
            }
            Left::Gone => Ok(None),
            Left::Broken(why) => bail!("the debugger and goemu do not understand each other: {why}"),
        }
    }

    /// Waits for the first debugger. The port is closed then, so that others are refused.
    fn connect(self, program: Option<&Path>) -> Result<Connection> {
        let Entry::Port(listener) = self else { return Ok(Connection::stdio()) };
        let port = listener.local_addr()?.port();
        let program = program.map_or_else(String::new, |path| format!("{} ", path.display()));
        let mut out = output::stdout();
        writeln!(out, "gdb {program}-ex 'target remote 127.0.0.1:{port}'")?;
        out.flush()?;
        let (stream, _) = listener.accept().context("no debugger could connect")?;
        Ok(Connection::tcp(stream)?)
    }
}

/// Shows how the run ended, on standard output, which the debugger does not use.
fn tell(report: &Report) -> Result<()> {
    let mut out = output::stdout();
    out.write_all(&report.stdout)?;
    writeln!(out, "{}: {}", report.outcome.word(), hint::outcome(&report.outcome))?;
    Ok(out.flush()?)
}
