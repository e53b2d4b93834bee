//! `goemu debug`: one call, for a debugger to step through, forwards and back.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};
use goemu::{Machine, Report};
use goemu_debug::gdb::{self, Connection, Left};

use crate::binary::Binary;
use crate::calls::argument;
use crate::guest::{Guest, PART_OF_MEMORY};
use crate::{called, completions, output};

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

In gdb:
  break main.f1.func1     watch *(long*)0xc000012340     continue
  reverse-stepi           reverse-continue               info threads
  monitor goroutines      monitor defers                 monitor stack 2"
)]
pub(crate) struct Args {
    /// The function: a name, an end of a name, or an address
    #[arg(add = completions::functions())]
    func: String,
    /// Its arguments in Go syntax; after -- all is an argument
    args: Vec<String>,
    #[command(flatten)]
    binary: Binary,
    /// Wait for the debugger at this port of the loopback address [default: a free one]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Speak with the debugger by standard input and output
    #[arg(long, conflicts_with = "port")]
    stdio: bool,
    /// The function's signature in Go syntax: 'func(a int, s string) (string, error)'
    #[arg(long, value_name = "SIGNATURE")]
    sig: Option<String>,
    /// The variables that a closure captured: 'n=5, s="x"'
    #[arg(long, value_name = "VALUES")]
    captures: Option<String>,
    #[command(flatten)]
    guest: Guest,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    let mut machine = Machine::with_config(image, args.guest.config()?)?;
    let most = machine.config().max_memory / PART_OF_MEMORY;
    let given = args.args.iter().map(|arg| argument(arg, most)).collect::<Result<Vec<_>>>()?;
    let mut call = machine.call(&args.func)?;
    if let Some(sig) = &args.sig {
        call = call.signature(sig).context("--sig")?;
    }
    if let Some(captures) = &args.captures {
        call = call.captures(captures);
    }
    let session = call.literals(&given)?.start()?;
    let connection = args.connect()?;
    match gdb::serve(session, connection)? {
        Left::Ended(report) | Left::Detached(report) => args.tell(&report),
        Left::Gone => Ok(0),
        Left::Broken(why) => bail!("the debugger and goemu do not understand each other: {why}"),
    }
}

impl Args {
    fn connect(&self) -> Result<Connection> {
        if self.stdio {
            return Ok(Connection::stdio());
        }
        let port = self.port.unwrap_or(0);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("cannot wait at port {port}; without --port a free one is taken"))?;
        let port = listener.local_addr()?.port();
        let program = self.binary.only().map_or_else(String::new, |path| format!("{} ", path.display()));
        let mut out = output::stdout();
        writeln!(out, "gdb {program}-ex 'target remote 127.0.0.1:{port}'")?;
        out.flush()?;
        let (stream, _) = listener.accept().context("no debugger could connect")?;
        Ok(Connection::tcp(stream)?)
    }

    /// How the call ended; standard output may be the debugger's.
    fn tell(&self, report: &Report) -> Result<u8> {
        if !self.stdio {
            let mut out = output::stdout();
            out.write_all(&report.stdout)?;
            writeln!(out, "{}: {}", report.outcome.word(), report.outcome)?;
            out.flush()?;
        }
        Ok(called::status(&report.outcome))
    }
}
