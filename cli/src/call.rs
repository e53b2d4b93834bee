//! `goemu call`: one function, its arguments, and what came of it.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use goemu::cpu::Level;
use goemu::go::arguments::Argument;
use goemu::go::guess::{Guess, guess_named};
use goemu::go::print::{Format, Style};
use goemu::go::read::{Limits, ReadOptions};
use goemu::machine::{EngineChoice, Process};
use goemu::outcome::{NamedValue, Returned, Runtime};
use goemu::trace::{Detail, Tracer};
use goemu::{Config, Image, LoadError, Machine, Outcome, Report, Value};
use serde_json::{Map, Value as Json, json};

use crate::binary::{Binary, warning};
use crate::{FAILED, completions, number, output, traceback, value};

/// Exit status of a panic and of Go's fatal errors, as Go has it.
const PANICKED: u8 = 2;
/// Exit status when the call had to be stopped.
const STOPPED: u8 = 3;
/// An argument is at most this part of the memory that the program may have: it is there more than once.
const PART_OF_MEMORY: u64 = 4;

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
  --show-args), panic, panic_value, panic_data, traceback, fault, stdout, stderr, instructions, go. A result or
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
  0  it returned
  1  goemu could not: bad file, unknown function, wrong arguments
  2  it panicked, or died of a fatal error, as with Go
  3  it faulted, used up its fuel, or waits for ever
  or the status that it gave to os.Exit

Examples:
  goemu call main.f1 --trace
  goemu call -b prog main.add 2 -3
  goemu call -b prog main.parse '1 + 2' --json | jq -r '.results[0].value'

With a stripped program:
  goemu funcs -b prog 'main.*'         what there is to call
  goemu disasm -b prog decode          what it does with its arguments
  goemu call -b prog decode 5 7        a first try: arguments are guessed
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
    /// Show on standard error what happens: every instruction, the tree of calls, or what Go's runtime does
    #[arg(long, value_name = "DETAIL", num_args = 0..=1, require_equals = true, default_missing_value = "insns")]
    trace: Option<Trace>,
    /// Write the trace to a file instead
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    trace_out: Option<PathBuf>,
    /// Print results as fmt's %+v does, not as %#v: {X:1 Y:2}, hello
    #[arg(long)]
    plain: bool,
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
    /// Print what has a String method by that, too
    #[arg(long)]
    stringers: bool,
    /// Values inside values that are printed [default: 64]
    #[arg(long, value_name = "N", value_parser = number::count)]
    show_depth: Option<u64>,
    /// Elements of a list or map that are printed [default: 4096]
    #[arg(long, value_name = "N", value_parser = number::count)]
    show_elems: Option<u64>,
    /// Bytes of a string that are printed [default: 65536]
    #[arg(long, value_name = "N", value_parser = number::count)]
    show_bytes: Option<u64>,
    /// Pointers inside a value that are followed, one inside the other [default: 0, as Go does]
    #[arg(long, value_name = "N", value_parser = number::count)]
    show_pointers: Option<u64>,
    /// Name types by the whole paths of their packages [default: by the last part, as Go does]
    #[arg(long)]
    show_paths: bool,
    /// First initialise the program's packages, as main does, though the call may use no variables
    #[arg(long)]
    init: bool,
    /// The function's signature in Go syntax: 'func(a int, s string) (string, error)'
    #[arg(long, value_name = "SIGNATURE")]
    sig: Option<String>,
    /// Instructions that the call may execute; long work of the runtime counts as many [default: 1g]
    #[arg(long, value_name = "N", value_parser = number::count)]
    fuel: Option<u64>,
    /// Bytes of memory that the program may have [default: 2g]
    #[arg(long, value_name = "N", value_parser = number::bytes)]
    max_memory: Option<u64>,
    /// Bytes that the stack may grow to [default: 1_000_000_000, as in Go]
    #[arg(long, value_name = "N", value_parser = number::bytes)]
    max_stack: Option<u64>,
    /// What CPUID shows, and so which code programs choose [default: v3]
    #[arg(long, value_name = "LEVEL")]
    cpu: Option<Cpu>,
    /// What runs the program's instructions: the translator where this computer can, or the interpreter [default: interpreter]
    #[arg(long, value_name = "ENGINE")]
    engine: Option<Engine>,
    /// What stands in for Go's runtime: hooks, or the program's own, started up to main.main [default: auto]
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<Choice>,
    /// An argument for the program, os.Args[1:]; one option for each
    #[arg(long = "arg", value_name = "VALUE", allow_hyphen_values = true)]
    argv: Vec<String>,
    /// A variable of the program's environment, which is empty otherwise; one option for each
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// What the program reads from its standard input: a file, or with - the standard input of goemu
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    stdin: Option<String>,
    /// What everything random follows from: the same seed is the same run [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
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
    /// The translator on x86-64 Linux, elsewhere the interpreter
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

/// What a trace shows.
#[derive(Clone, Copy, ValueEnum)]
enum Trace {
    /// Every instruction, what it changed, and between them what Go does
    Insns,
    /// The tree of calls, with arguments and results
    Calls,
    /// Stack growth, defers, panics
    Events,
}

impl From<Trace> for Detail {
    fn from(trace: Trace) -> Detail {
        match trace {
            Trace::Insns => Detail::Instructions,
            Trace::Calls => Detail::Calls,
            Trace::Events => Detail::Events,
        }
    }
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let (printed, status) = match call(args) {
        Ok(called) if args.json => (print_json(&called.object()), called.status()),
        Ok(called) => (called.print(args.format()), called.status()),
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
        // What became of the call is said by the status, though nobody reads the rest.
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

/// A call that was made.
struct Called {
    /// The full name of the function.
    func: String,
    /// The version of Go that built the program; empty where it is not known.
    go: String,
    image: Arc<Image>,
    /// What ran its instructions.
    engine: &'static str,
    report: Report,
    /// What was guessed, where the signature is not known.
    guess: Option<Guess>,
}

fn call(args: &Args) -> Result<Called> {
    let image = args.binary.open()?;
    let go = image.build_info().version.clone();
    let mut machine = Machine::with_config(image, args.config()?)?;
    machine.set_reading(args.reading());
    let func = machine.find(&args.func)?.name().to_owned();
    if args.init {
        let done = machine.initialise()?;
        io::stderr().write_all(&done.stderr)?;
        output::stdout().write_all(&done.stdout)?;
    }
    if let Some(tracer) = args.tracer()? {
        machine.observe(tracer);
    }
    let most = machine.config().max_memory / PART_OF_MEMORY;
    let guess = args.sig.is_none().then(|| guess_of(&machine, &args.func)).flatten();
    let mut call = machine.call(&args.func)?;
    if let Some(sig) = &args.sig {
        call = call.signature(sig).context("--sig")?;
    }
    if let Some(captures) = &args.captures {
        call = call.captures(captures);
    }
    let given = args.args.iter().map(|arg| argument(arg, most)).collect::<Result<Vec<_>>>()?;
    let call = call.literals(&given)?;
    if let Some(guess) = &guess {
        output::note(&format!(
            "the signature of {func} is not known; guessed from its code: {guess} (--sig gives it)"
        ));
    }
    let report = call.run()?;
    // The trace is complete, and written, before the result.
    machine.unobserve();
    let image = Arc::clone(machine.image());
    let engine = machine.engine_name();
    Ok(Called { func, go, image, engine, report, guess })
}

/// What is guessed of a function whose signature is not known.
fn guess_of(machine: &Machine, name: &str) -> Option<Guess> {
    let func = machine.find(name).ok()?;
    let image = machine.image();
    let unknown = matches!(image.signature(&func), Ok(None) | Err(LoadError::Unnamed { .. }));
    unknown.then(|| guess_named(image, &func, name))
}

/// An argument: a text, or the contents of a file where it begins with `@`, of so many bytes at most.
fn argument(text: &str, most: u64) -> Result<Argument<'_>> {
    match text.strip_prefix('@') {
        Some(path) => Ok(Argument::Value(Value::String(contents(path, text, most)?))),
        None => Ok(Argument::Text(text)),
    }
}

/// What is in a file, or in standard input (`-`): so many bytes at most.
fn contents(path: &str, text: &str, most: u64) -> Result<Vec<u8>> {
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

/// What was asked for, or what is usual.
fn size(asked: Option<u64>, usual: usize) -> usize {
    asked.map_or(usual, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

impl Args {
    fn config(&self) -> Result<Config> {
        let default = Config::default();
        let max_memory = self.max_memory.unwrap_or(default.max_memory);
        let stdin = match &self.stdin {
            Some(path) => contents(path, &format!("--stdin {path}"), max_memory / PART_OF_MEMORY)?.into(),
            None => Arc::default(),
        };
        Ok(Config {
            max_memory,
            max_stack: self.max_stack.unwrap_or(default.max_stack),
            cpu: self.cpu.map_or(default.cpu, Level::from),
            seed: self.seed.unwrap_or(default.seed),
            fuel: self.fuel.unwrap_or(default.fuel),
            runtime: match self.runtime {
                None | Some(Choice::Auto) => None,
                Some(Choice::Hooked) => Some(Runtime::Hooked),
                Some(Choice::Real) => Some(Runtime::Real),
            },
            engine: self.engine.map_or(default.engine, EngineChoice::from),
            process: Process { args: self.argv.clone(), env: self.env.clone(), stdin },
        })
    }

    /// What is made of the values. What is printed must be read.
    fn reading(&self) -> ReadOptions {
        let limits = Limits::default();
        ReadOptions {
            limits: Limits {
                depth: size(self.show_depth, limits.depth),
                elems: self.show_elems.unwrap_or(limits.elems),
                bytes: self.show_bytes.unwrap_or(limits.bytes),
                pointers: size(self.show_pointers, 0).saturating_add(limits.pointers),
                ..limits
            },
            errors: true,
            stringers: self.stringers,
            arguments: self.show_args,
        }
    }

    fn format(&self) -> Format {
        let format = Format::new(if self.plain { Style::Plain } else { Style::Go });
        Format {
            depth: size(self.show_depth, format.depth),
            elems: size(self.show_elems, format.elems),
            bytes: size(self.show_bytes, format.bytes),
            pointers: size(self.show_pointers, format.pointers),
            paths: self.show_paths,
            ..format
        }
    }

    fn tracer(&self) -> Result<Option<Tracer<Box<dyn Write + Send>>>> {
        let detail = match (self.trace, &self.trace_out) {
            (None, None) => return Ok(None),
            (trace, _) => trace.unwrap_or(Trace::Insns).into(),
        };
        let out: Box<dyn Write + Send> = match &self.trace_out {
            Some(path) => {
                let file = File::create(path);
                Box::new(file.with_context(|| format!("cannot write the trace to {}", path.display()))?)
            }
            None => Box::new(io::stderr()),
        };
        Ok(Some(Tracer::new(Box::new(BufWriter::new(out)), detail)))
    }
}

impl Called {
    fn status(&self) -> u8 {
        match &self.report.outcome {
            Outcome::Returned(_) => 0,
            Outcome::Panicked(_) => PANICKED,
            // As wait(2) has it: the lowest eight bits.
            Outcome::Exited { code, .. } => code.to_le_bytes()[0],
            _ => STOPPED,
        }
    }

    /// The guest's output where it belongs, then the results, or why there are none.
    fn print(&self, format: Format) -> Result<()> {
        let Report { outcome, stdout, stderr, .. } = &self.report;
        // The guest's bytes as they are. Its results are shown also where nobody reads its standard error.
        let _ = io::stderr().write_all(stderr);
        io::stdout().write_all(stdout)?;
        let mut out = output::stdout();
        match outcome {
            Outcome::Returned(Returned::Values(values)) if values.is_empty() => {}
            Outcome::Returned(Returned::Values(values)) => {
                let texts: Vec<_> = values.iter().map(|v| format.show(&v.value).to_string()).collect();
                writeln!(out, "{}", texts.join(", "))?;
            }
            // Labelled by the names of the registers.
            Outcome::Returned(registers) => writeln!(out, "{registers}")?,
            // The runtime has printed the reason.
            Outcome::Exited { fatal: Some(_), .. } => output::say(&traceback::text(outcome)),
            Outcome::Exited { .. } => {}
            // As Go says it.
            Outcome::Panicked(_) | Outcome::Deadlock(_) => {
                output::say(&format!("{outcome}\n{}", traceback::text(outcome)));
            }
            _ => output::complain(&outcome.to_string()),
        }
        // What an argument points to is what may have changed.
        let following = Format { pointers: format.pointers.max(1), ..format };
        for NamedValue { name, ty, value } in &self.report.arguments {
            let name = if name.is_empty() { "_" } else { name };
            writeln!(out, "{name} {ty} = {}", following.show(value))?;
        }
        out.flush()?;
        if let Some(why) = &self.report.uninitialised {
            output::note(&format!("package variables may have the values that they have in the file: {why}"));
        }
        Ok(())
    }

    fn object(&self) -> Json {
        let Report { outcome, runtime, uninitialised, stdout, stderr, instructions, .. } = &self.report;
        let text = |bytes: &[u8]| Json::from(String::from_utf8_lossy(bytes));
        let mut object = json!({
            "function": self.func,
            "outcome": outcome.word(),
            "results": [],
            "panic": null,
            "fault": null,
            "stdout": text(stdout),
            "stderr": text(stderr),
            "instructions": instructions,
            "uninitialised": uninitialised,
            "warning": warning(&self.image),
            "runtime": runtime.to_string(),
            "engine": self.engine,
            "go": self.go,
            "guessed": self.guess.as_ref().map(Guess::to_string),
        });
        match outcome {
            Outcome::Returned(Returned::Values(values)) => {
                object["results"] = values.iter().map(|v| value::named(v, &self.image)).collect();
            }
            Outcome::Returned(returned) => object["registers"] = registers(returned),
            Outcome::Panicked(panic) => {
                object["panic"] = panic.text.as_str().into();
                object["panic_value"] = panic.value.to_string().into();
                object["panic_data"] = value::value(&panic.value, &self.image);
            }
            Outcome::Faulted { fault, .. } => object["fault"] = fault.to_string().into(),
            Outcome::Exited { code, fatal } => {
                object["fault"] = fatal.as_ref().map(|fatal| fatal.text.as_str()).into();
                object["exit_code"] = (*code).into();
            }
            _ => {}
        }
        if let Some(stacks) = outcome.traceback() {
            object["traceback"] = traceback::object(stacks);
        }
        if !self.report.arguments.is_empty() {
            let arguments = self.report.arguments.iter();
            object["arguments"] = arguments.map(|v| value::named(v, &self.image)).collect();
        }
        object
    }
}

/// The registers, or words of the stack, by their names.
fn registers(returned: &Returned) -> Json {
    let text = returned.to_string();
    let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
    Json::Object(pairs.map(|(name, value)| (name.to_owned(), value.into())).collect::<Map<_, _>>())
}

fn print_json(object: &Json) -> Result<()> {
    let mut out = output::stdout();
    writeln!(out, "{object}")?;
    Ok(out.flush()?)
}
