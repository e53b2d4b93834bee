//! `goemu call`: one function, its arguments, and what came of it.

mod each;

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use goemu::go::names::called;
use goemu::{Config, Machine};
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::called::{Called, looks_of};
use crate::calls::argument;
use crate::confined::{Needs, confine};
use crate::guest::{Guest, PART_OF_MEMORY};
use crate::looking::Looking;
use crate::shown::Shown;
use crate::watch::Watching;
use crate::{FAILED, completions, number, output};

/// Call a function and print what it returns
///
/// FUNC is a full name (main.f1, main.(*T).Method), an end of a name that no
/// other function has (f1, Method), or an address (0x45e1a0).
///
/// ARGS are in Go syntax, by the types of the parameters:
///
///   5  0xff  -1.5  'x'  true  nil  hello  "a\tb"
///   '[]int{1, 2}'  'map[string]int{"a": 1}'  '[]byte("abc")'
///   'Point{X: 1, Y: 2}'  '&pkg.Point{1, 2}'  main.variable  '&main.variable'
///   in an interface the type is the value's: 5 is an int, 'uint8(5)'
///   'errors.New("text")'  '&MyError{7}'; functions by name: main.less
///   @FILE and @- (standard input): its bytes, as a string or []byte
///
/// For a method, the receiver is the first argument. Types come from the
/// program's debug information; where that was stripped, the signatures of
/// most methods are known still, and --sig gives those of functions. It may
/// name all types that the program has, and write out others:
/// 'func(p *main.point, o struct{ a, b int }, f ...string) error'.
/// Without one, places for arguments are guessed from the code: they take
/// numbers, or one string or slice where several words belong together,
/// and results are shown as words.
///
/// The results are printed on one line, in Go syntax; errors also as their
/// Error method puts them. What the function itself prints goes to standard
/// output and standard error.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "JSON:
  --json prints one object: function, outcome, results, arguments (with
  --show-args), panic, panic_value, panic_data, traceback, fault, stopped (with --stop), writes (with --watch-mem),
  stdout, stderr, instructions, go. A result or
  argument has name, type, value (as text, in Go syntax) and data, which is an
  object with kind and type, and by its kind
    value        bool, int, uint, uintptr, float (\"NaN\" is a string), string
    real, imag   complex
    len, bytes   hexadecimal, of []byte, and of strings that are not UTF-8
    len, elements                       slice, array
    len, entries: [{key, value}]        map
    fields: [{name, value}]             struct
    address, pointee                    pointer (null where it was not followed)
    dynamic, text                       interface; text is of Error or String
    address, name                       func, chan, unsafe.Pointer
    nil: true; truncated: true with the real len; kind elided, invalid

Exit status:
  0  it returned, or came to --stop
  1  goemu could not: bad file, unknown function, wrong arguments
  2  it panicked, or died of a fatal error, as with Go
  3  it faulted, used up its fuel or its time, or waits for ever
  or the status that it gave to os.Exit

Examples:
  goemu call main.f1 --trace
  goemu call -b prog main.add 2 -3
  goemu call -b prog main.parse '1 + 2' --json | jq -r '.results[0].value'
  goemu call -b prog main.decode --each words.txt

With a stripped program:
  goemu funcs -b prog 'main.*'         what there is to call
  goemu disasm -b prog decode          what it does with its arguments
  goemu call -b prog decode 5 7        a first try: arguments are guessed
  goemu call -b prog decode 5 7 --stub 'main.isDebugged=false' --set '0x54c1a0:bool=true'
  goemu call -b prog decode 5 7 --stop decode+0x40
  goemu call -b prog decode @blob 7 --sig 'func(b []byte, k uint8) (string, error)'
  goemu call -b prog '(*Cache).Get' '&Cache{m: {\"a\": 1}}' a --show-args
  goemu call -b prog adder.func1 3 --captures 'n=&int(5)' --sig 'func(int) int'
  goemu call -b prog 'Map[int,string]' '[]int{1, 2}' strconv.Itoa \\
      --sig 'func([]int, func(int) string) []string'")]
pub(crate) struct Args {
    /// The function: a name, an end of a name, or an address
    #[arg(add = completions::functions())]
    func: String,
    /// Its arguments in Go syntax; after -- all is an argument
    args: Vec<String>,
    #[command(flatten)]
    binary: Binary,
    #[command(flatten)]
    watch: Watching,
    #[command(flatten)]
    looking: Looking,
    /// Print one JSON object: outcome, results, output, instructions
    #[arg(long)]
    json: bool,
    /// Print the arguments again after the call, a line for each: what they refer to may have changed
    #[arg(long)]
    show_args: bool,
    /// The variables that a closure captured: 'n=5, s="x"', or values alone in the closure's order
    ///
    /// Where debug information does not tell, the types are those of the values, 'uint8(5)', and a variable
    /// that somebody changes while the closure has it is a pointer: '&int(5)'.
    #[arg(long, value_name = "VALUES")]
    captures: Option<String>,
    /// First initialise the program's packages, as main does, though the call may use no variables
    #[arg(long)]
    init: bool,
    /// The function's signature in Go syntax: 'func(a int, s string) (string, error)'
    #[arg(long, value_name = "SIGNATURE")]
    sig: Option<String>,
    #[command(flatten)]
    guest: Guest,
    #[command(flatten)]
    shown: Shown,
    /// Call it for every line of a file (-: standard input), from the same start; the line stands where an argument is {},
    /// or is the last argument
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    each: Option<String>,
    /// Calls of --each that run at the same time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count, requires = "each")]
    jobs: Option<u64>,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    if let Some(file) = &args.each {
        return each::main(args, file);
    }
    let (printed, status) = match call(args) {
        Ok(called) if args.json => (print_json(&called.object()), called.status()),
        Ok(called) => (called.print(args.shown.format()), called.status()),
        Err(error) if args.json => (print_json(&json!({ "error": output::message(&error) })), FAILED),
        Err(error) => match excerpt(&error) {
            Some(excerpt) => {
                output::complain(&format!("{}\n{excerpt}", output::message(&error)));
                return Ok(FAILED);
            }
            None => return Err(error),
        },
    };
    match printed {
        // What became of the call is said by the status, though the reader is gone.
        Err(error) if !output::is_broken_pipe(&error) => Err(error),
        _ => Ok(status),
    }
}

/// Where in an argument the mistake is.
fn excerpt(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref()? {
        goemu::Error::Text(error) => error.excerpt(),
        _ => None,
    }
}

fn call(args: &Args) -> Result<Called> {
    let image = args.binary.open()?;
    let go = image.build_info().version.clone();
    let watched = args.watch.wanted().or(args.looking.wanted());
    let config = if watched.is_none() { args.guest.config_of_calls() } else { args.guest.config() }?;
    // Arguments may be the contents of files.
    let most = config.max_memory / PART_OF_MEMORY;
    let given = args.args.iter().map(|arg| argument(arg, most)).collect::<Result<Vec<_>>>()?;
    confine(&args.needs(&config));
    let mut machine = Machine::with_config(image, args.binary.config(config))?;
    machine.set_reading(args.shown.reading(args.show_args));
    let found = machine.find(&args.func)?;
    let (entry, func) = (found.entry(), called(&found));
    if args.init {
        // Calls that need that have no smaller limit for it.
        let fuel = machine.config().fuel;
        machine.set_fuel(fuel.max(Config::default().fuel));
        let done = machine.initialise()?;
        machine.set_fuel(fuel);
        io::stderr().write_all(&done.stderr)?;
        output::stdout().write_all(&done.stdout)?;
    }
    let watched = args.watch.begin(&mut machine, &func)?;
    let looks = args.looking.begin(&mut machine)?;
    let mut call = machine.call_at(entry, &args.func);
    if let Some(sig) = &args.sig {
        call = call.signature(sig).context("--sig")?;
    }
    if let Some(captures) = &args.captures {
        call = call.captures(captures);
    }
    let call = call.literals(&given)?;
    let guess = call.guess().cloned();
    if let Some(guess) = &guess {
        output::note(&format!(
            "the signature of {func} is not known; guessed from its code: {guess} (--sig gives it)"
        ));
    }
    let report = call.run()?;
    // The trace is complete, and written, before the result.
    machine.unobserve();
    watched.end(&mut machine)?;
    looks.dump(machine.memory_after(&report))?;
    if !args.json {
        looks.tell();
    }
    let writes = looks.object();
    let image = Arc::clone(machine.image());
    let engine = machine.engine_name();
    let looks = looks_of(&machine, &report);
    Ok(Called { func, go, image, engine, report, guess, looks, writes })
}

impl Args {
    /// What is opened later.
    fn needs(&self, config: &Config) -> Needs {
        Needs::of(config).writing(self.watch.files()).writing(self.looking.files())
    }
}

pub(crate) fn print_json(object: &Json) -> Result<()> {
    let mut out = output::stdout();
    writeln!(out, "{object}")?;
    Ok(out.flush()?)
}
