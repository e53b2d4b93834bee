//! The program `goemu`: one file per subcommand, and no logic of its own; what it does is in the libraries.

mod asked;
mod batch;
mod binary;
mod call;
mod called;
mod calls;
mod changing;
mod check;
mod completions;
mod confined;
mod cover;
mod debug;
mod diff;
mod disasm;
mod explore;
mod export;
mod funcs;
#[cfg(feature = "fuzz")]
mod fuzz;
#[cfg(not(feature = "fuzz"))]
#[path = "no_fuzz.rs"]
mod fuzz;
mod guess;
mod guest;
mod hint;
mod hyphen;
mod info;
mod kept;
mod lines;
mod looking;
mod note;
mod notes;
mod number;
mod output;
mod peek;
mod progress;
mod run;
mod shown;
mod started;
mod stopped;
mod strings;
mod tested;
mod traceback;
mod types;
mod value;
mod view;
mod watch;
mod xrefs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::CompleteEnv;

/// Exit status when goemu could not do what it was asked for.
const FAILED: u8 = 1;

/// Calls single functions of Go programs, without starting them
///
/// The program is mapped, one of its functions runs on an emulated x86-64 processor against a goroutine of
/// goemu's own making, and what it returns is printed as Go would write it. Nothing of it runs on this
/// computer, so it may be untrusted, optimised, stripped, or built for another system.
#[derive(Parser)]
#[command(name = "goemu", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  goemu call main.f1 --trace        call a function of the built-in demo, and watch it
  goemu funcs -b prog 'main.*'      which functions are there?
  goemu call -b prog main.add 2 -3  call one of them
  goemu help call                   arguments, limits, exit status")]
struct Cli {
    /// Keep the rights of a process that may open files and sockets (SECURITY.md)
    #[arg(long, global = true, hide = true)]
    no_sandbox: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Call(Box<call::Args>),
    Batch(batch::Args),
    Check(check::Args),
    Diff(diff::Args),
    Fuzz(fuzz::Args),
    Run(run::Args),
    Explore(Box<explore::Args>),
    Funcs(funcs::Args),
    Debug(debug::Args),
    Strings(strings::Args),
    Peek(peek::PeekArgs),
    Vars(peek::VarsArgs),
    Types(types::Args),
    Xrefs(xrefs::Args),
    Guess(guess::Args),
    Note(note::Args),
    Export(export::Args),
    Disasm(disasm::Args),
    Info(info::Args),
    View(view::Args),
    Completions(completions::Args),
}

/// Bytes of stack that are enough for everything.
const STACK: usize = 8 << 20;

fn main() -> ExitCode {
    // A thread has a heap of its own, which grows page by page: a short call takes a tenth longer in it.
    if stack_limit() >= STACK { run() } else { run_on_own_stack() }
}

/// How large the stack of this thread may become.
#[cfg(target_os = "linux")]
fn stack_limit() -> usize {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Stack)
        .current
        .map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// It is not known.
#[cfg(not(target_os = "linux"))]
fn stack_limit() -> usize {
    0
}

/// Runs where the shell's limit (`ulimit -s`) is too low.
fn run_on_own_stack() -> ExitCode {
    let run = std::thread::Builder::new().stack_size(STACK).spawn(run);
    match run.map(std::thread::JoinHandle::join) {
        Ok(Ok(status)) => status,
        // The panic has said so.
        Ok(Err(_)) => ExitCode::from(101),
        Err(error) => {
            output::complain(&format!("cannot start a thread: {error}"));
            ExitCode::from(FAILED)
        }
    }
}

fn run() -> ExitCode {
    // When a shell asks what a word may become, this answers, and ends the process.
    CompleteEnv::with_factory(Cli::command).complete();
    let cli = match parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    if cli.no_sandbox {
        confined::switch_off();
    }
    let done = match cli.command {
        Command::Call(args) => call::main(&args),
        Command::Batch(args) => batch::main(&args),
        Command::Check(args) => check::main(&args),
        Command::Diff(args) => diff::main(&args),
        Command::Fuzz(args) => fuzz::main(&args),
        Command::Run(args) => run::main(&args),
        Command::Explore(args) => explore::main(&args),
        Command::Funcs(args) => funcs::main(&args),
        Command::Debug(args) => debug::main(&args),
        Command::Strings(args) => strings::main(&args),
        Command::Peek(args) => peek::peek(&args),
        Command::Vars(args) => peek::vars(&args),
        Command::Types(args) => types::main(&args),
        Command::Xrefs(args) => xrefs::main(&args),
        Command::Guess(args) => guess::main(&args),
        Command::Note(args) => note::main(&args),
        Command::Export(args) => export::main(&args),
        Command::Disasm(args) => disasm::main(&args),
        Command::Info(args) => info::main(&args),
        Command::View(args) => view::main(&args),
        Command::Completions(args) => completions::main(&args),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        // The reader has seen enough: `goemu funcs | head`.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&output::message(&error));
            ExitCode::from(FAILED)
        }
    }
}

fn parse(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let args = hyphen::options_first(&command, args);
    let mut matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Help and version as asked for; else what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // There is no output left to report this on.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
        }
        _ => output::complain(&one_line(&error.to_string())),
    }
    ExitCode::from(FAILED)
}

/// What the parser says over several paragraphs, on one line: what is wrong, and tips.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.starts_with("Usage:"));
    let lines = paragraphs.map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("; ").replace("; For more information, try '--help'.", " (see --help)")
}
