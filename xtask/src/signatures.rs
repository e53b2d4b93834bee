//! `cargo xtask signatures`: functions of random signatures, natively and in goemu.
//!
//! A seed makes a Go program whose functions take and give values of random types: numbers of all widths, complex
//! numbers, strings, slices, interfaces with what they hold, arrays of no, one and more elements, structs in structs,
//! parts without size, receivers, variadic ones, and more of them than there are registers. Each tells in a string
//! what it was given, and gives some of it back in reverse. It is built by every release, run natively, and called:
//! both must say the same, or the assigner has put an argument, or looked for a result, where the compiler did not.
//! One such program is checked in (`testdata/go/signatures`), so that its cases are tested without Go.

use std::fmt::Write;
use std::path::PathBuf;
use std::{fs, iter};

use anyhow::{Context, Result, bail};
use goemu::{Error, Image, Machine, Outcome};
use goemu_loader::LoadError;

use crate::fixtures::{cases, native};
use crate::run::{root, run};
use crate::toolchains::{self, go_command};

/// What `cargo xtask signatures` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that `cargo xtask toolchains` filled.
    #[arg(long, default_value_os_t = toolchains::default_dir())]
    toolchains: PathBuf,
    /// The first program's seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many programs.
    #[arg(long, default_value_t = 4)]
    count: u64,
    /// The releases that build them, by minor version.
    #[arg(long, value_delimiter = ',', default_values_t = [15, 19, 23, 27])]
    versions: Vec<u16>,
    /// Only print the program of the seed.
    #[arg(long)]
    print: bool,
}

/// Functions in a program.
const FUNCTIONS: usize = 60;
/// Struct types in a program.
const STRUCTS: usize = 12;

pub(crate) fn main(args: &Args) -> Result<()> {
    if args.print {
        print!("{}", program(args.seed).text);
        return Ok(());
    }
    let mut wrong = Vec::new();
    for seed in (args.seed..).take(usize::try_from(args.count)?) {
        for &version in &args.versions {
            let run = check(args, seed, version).with_context(|| format!("seed {seed}, Go 1.{version}"))?;
            let Run { calls, given, wrong: found } = run;
            println!("seed {seed}, Go 1.{version}: {calls} calls ({given} by --sig), {} wrong", found.len());
            wrong.extend(found);
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{} wrong\n{}", wrong.len(), wrong.join("\n")) }
}

/// What became of a program's calls.
struct Run {
    calls: usize,
    /// Those whose signature debug information has not whole.
    given: usize,
    /// Those that end otherwise than natively.
    wrong: Vec<String>,
}

/// Builds one program by one release, and compares its calls.
fn check(args: &Args, seed: u64, version: u16) -> Result<Run> {
    let work = root().join("target/signatures").join(format!("{seed}-{version}"));
    fs::create_dir_all(&work)?;
    let program = program(seed);
    fs::write(work.join("signatures.go"), &program.text)?;
    fs::copy(root().join("testdata/go/harness.go"), work.join("harness.go"))?;
    let cases = cases::find(&work, version)?;
    fs::write(work.join("cases.go"), cases.to_go())?;
    fs::write(work.join("go.mod"), format!("module signatures\n\ngo 1.{version}\n"))?;
    let mut go = go_command(&args.toolchains.join(format!("go1.{version}")));
    run(go.args(["build", "-o", "signatures", "."]).current_dir(&work))?;
    let outcomes = native::run(&work.join("signatures"), &cases, false)?;
    let mut machine = Machine::new(Image::open(work.join("signatures"))?)?;
    let (mut given, mut wrong) = (0, Vec::new());
    for (case, native) in cases.0.iter().zip(&outcomes) {
        let mut found = call(&mut machine, case, None);
        if matches!(found, Err(Error::Load(LoadError::Unordered { .. }))) {
            given += 1;
            let signature = program.signatures.iter().find(|(name, _)| case.function.ends_with(name));
            found = call(&mut machine, case, signature.map(|(_, text)| text.as_str()));
        }
        let found = found.unwrap_or_else(|error| format!("error: {error}"));
        if found != native.short() {
            let (call, native) = (format!("{}({})", case.function, case.args.join(", ")), native.short());
            wrong.push(format!("seed {seed} Go 1.{version} {call}:\n  native {native}\n  goemu  {found}"));
        }
    }
    fs::remove_dir_all(&work)?;
    Ok(Run { calls: cases.0.len(), given, wrong })
}

/// How a case ends here.
fn call(machine: &mut Machine, case: &cases::Case, signature: Option<&str>) -> Result<String, Error> {
    let texts: Vec<&str> = case.args.iter().map(String::as_str).collect();
    let mut call = machine.call(&case.function)?;
    if let Some(signature) = signature {
        call = call.signature(signature)?;
    }
    Ok(match call.literals(&texts)?.run()?.outcome {
        Outcome::Returned(values) => format!("returned {values}"),
        other => other.to_string(),
    })
}

/// The program of a seed.
fn program(seed: u64) -> Maker {
    let mut make = Maker {
        random: seed,
        structs: Vec::new(),
        printed: Vec::new(),
        signatures: Vec::new(),
        text: HEAD.to_owned(),
    };
    for _ in 0..STRUCTS {
        make.structure();
    }
    for number in 0..FUNCTIONS {
        make.function(number);
    }
    make.show_own();
    make
}

const HEAD: &str = "// Made by cargo xtask signatures --print.

package main

type failure struct{ code int16 }

func (f failure) Error() string { return \"failure\" }

type named interface{ name() string }

type word string

func (w word) name() string { return string(w) }
";

/// Types without parts that the harness shows.
const BASIC: [&str; 18] = [
    "bool",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "uintptr",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "string",
    "[]int",
];

/// Types of variadic parameters that the harness shows.
const VARIADIC: [&str; 4] = ["int", "string", "float64", "byte"];

/// A type of the program.
#[derive(Clone, PartialEq)]
enum Ty {
    Basic(&'static str),
    /// Of which only nil is passed.
    Nil(&'static str),
    /// An interface that holds something.
    Holder(&'static str),
    /// The slice that a variadic parameter is.
    Variadic(&'static str),
    Array(usize, Box<Ty>),
    Struct(usize),
    Empty,
}

/// Writes Go.
struct Maker {
    random: u64,
    /// The fields of the struct types so far.
    structs: Vec<Vec<Ty>>,
    /// Types that results have and the harness does not show.
    printed: Vec<Ty>,
    /// Names of functions, and what they take and give.
    signatures: Vec<(String, String)>,
    text: String,
}

impl Maker {
    /// A number below `limit` (xorshift).
    fn below(&mut self, limit: u64) -> u64 {
        let mut x = self.random.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random = self.random.wrapping_add(x);
        (x >> 11) % limit
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        let index = self.below(list.len() as u64) as usize;
        list[index].clone()
    }

    fn ty(&mut self, depth: usize) -> Ty {
        match self.below(13) {
            12 => Ty::Holder(self.pick(&["interface{}", "error", "named"])),
            0 => Ty::Nil(self.pick(&["*int", "func()", "map[string]int", "chan int", "error"])),
            1 if depth < 3 => {
                let len = self.pick(&[0, 1, 1, 2, 3]);
                Ty::Array(len, Box::new(self.ty(depth + 1)))
            }
            2 if self.below(2) == 0 => Ty::Empty,
            2..=5 if !self.structs.is_empty() => Ty::Struct(self.below(self.structs.len() as u64) as usize),
            _ => Ty::Basic(self.pick(&BASIC)),
        }
    }

    fn structure(&mut self) {
        let fields: Vec<Ty> = (0..self.below(4) + 1).map(|_| self.ty(1)).collect();
        let list: Vec<String> =
            fields.iter().enumerate().map(|(n, ty)| format!("F{n} {}", name(ty))).collect();
        // A String takes everything.
        let _ = write!(self.text, "\ntype S{} struct {{ {} }}\n", self.structs.len(), list.join("; "));
        self.structs.push(fields);
    }

    fn function(&mut self, number: usize) {
        let mut params: Vec<Ty> =
            iter::repeat_with(|| ()).take(self.below(8) as usize + 1).map(|()| self.ty(0)).collect();
        if self.below(6) == 0 {
            params.push(Ty::Variadic(self.pick(&VARIADIC)));
        }
        let shows: Vec<String> =
            params.iter().enumerate().map(|(n, ty)| self.leaves(&format!("p{n}"), ty)).collect();
        let digest = format!("\"\"{}", shows.concat());
        let mut results = vec![("string".to_owned(), digest)];
        for (n, ty) in params.iter().enumerate().rev() {
            if self.has_text(ty) && self.below(3) > 0 {
                self.print(ty);
                results.push((result_name(ty), format!("p{n}")));
            }
        }
        let types: Vec<_> = results.iter().map(|(ty, _)| ty.clone()).collect();
        let values: Vec<_> = results.iter().map(|(_, value)| value.clone()).collect();
        let list: Vec<String> =
            params.iter().enumerate().map(|(n, ty)| format!("p{n} {}", name(ty))).collect();
        // A struct may come first as the receiver.
        let method = matches!(params.first(), Some(Ty::Struct(_)));
        let (head, called) = match (&params[0], list.split_first()) {
            (Ty::Struct(of), Some((receiver, rest))) if method => {
                (format!("({receiver}) m{number}({})", rest.join(", ")), format!("S{of}.m{number}"))
            }
            _ => (format!("f{number}({})", list.join(", ")), format!("f{number}")),
        };
        self.text.push('\n');
        for _ in 0..2 {
            let literals: Vec<String> = params.iter().map(|ty| self.literal(ty)).collect();
            let _ = writeln!(self.text, "//goemu:call {called}({})", literals.join(", "));
        }
        let (types, values) = (types.join(", "), values.join(", "));
        self.signatures.push((called, format!("func({}) ({types})", list.join(", "))));
        let _ = writeln!(self.text, "//go:noinline\nfunc {head} ({types}) {{ return {values} }}");
    }

    /// Go that adds the parts of a value to a string.
    fn leaves(&self, of: &str, ty: &Ty) -> String {
        match ty {
            Ty::Basic(_) | Ty::Holder(_) | Ty::Variadic(_) => format!(" + \" \" + show({of})"),
            Ty::Nil(_) => format!(" + \" \" + show({of} == nil)"),
            Ty::Empty => String::new(),
            Ty::Array(len, elem) => (0..*len).map(|n| self.leaves(&format!("{of}[{n}]"), elem)).collect(),
            Ty::Struct(n) => {
                let fields = self.structs[*n].iter().enumerate();
                fields.map(|(n, ty)| self.leaves(&format!("{of}.F{n}"), ty)).collect()
            }
        }
    }

    /// Whether values are shown whole: those with pointers in them are not, and what is in an interface is shown
    /// otherwise where that is in something.
    fn has_text(&self, ty: &Ty) -> bool {
        let inside = |ty: &Ty| !matches!(ty, Ty::Holder(_)) && self.has_text(ty);
        match ty {
            Ty::Nil(_) => false,
            Ty::Basic(_) | Ty::Holder(_) | Ty::Variadic(_) | Ty::Empty => true,
            Ty::Array(_, elem) => inside(elem),
            Ty::Struct(n) => self.structs[*n].iter().all(inside),
        }
    }

    /// Notes that values of this type, and so of its parts, are shown.
    fn print(&mut self, ty: &Ty) {
        match ty {
            Ty::Array(_, elem) => self.print(elem),
            Ty::Struct(n) => self.structs[*n].clone().iter().for_each(|ty| self.print(ty)),
            _ => {}
        }
        if !matches!(ty, Ty::Basic(_) | Ty::Holder(_) | Ty::Variadic(_)) && !self.printed.contains(ty) {
            self.printed.push(ty.clone());
        }
    }

    /// What the harness asks for types that it does not know.
    fn show_own(&mut self) {
        self.text.push_str("\nfunc showOwn(v interface{}) string {\n\tswitch v := v.(type) {\n");
        self.text.push_str("\tcase failure:\n\t\treturn \"main.failure{code:\" + show(v.code) + \"}\"\n");
        self.text.push_str("\tcase word:\n\t\treturn show(string(v))\n");
        for ty in self.printed.clone() {
            let parts: Vec<String> = match &ty {
                Ty::Array(len, _) => (0..*len).map(|n| format!("show(v[{n}])")).collect(),
                Ty::Struct(of) => {
                    let fields = 0..self.structs[*of].len();
                    fields.map(|n| format!("\"F{n}:\" + show(v.F{n})")).collect()
                }
                _ => Vec::new(),
            };
            let shown = shown_name(&ty);
            let parts = parts.iter().map(|part| format!("{part} + ")).collect::<Vec<_>>().join("\", \" + ");
            let _ = writeln!(
                self.text,
                "\tcase {}:\n\t\t_ = v\n\t\treturn \"{shown}{{\" + {parts}\"}}\"",
                name(&ty)
            );
        }
        self.text.push_str("\t}\n\treturn \"\"\n}\n");
    }

    /// A value in Go source.
    fn literal(&mut self, ty: &Ty) -> String {
        match ty {
            Ty::Nil(_) => "nil".to_owned(),
            Ty::Empty => "struct{}{}".to_owned(),
            Ty::Array(len, elem) => {
                let elems: Vec<String> = (0..*len).map(|_| self.literal(elem)).collect();
                format!("{}{{{}}}", name(ty), elems.join(", "))
            }
            Ty::Struct(n) => {
                let fields = self.structs[*n].clone();
                let values: Vec<String> = fields.iter().map(|ty| self.literal(ty)).collect();
                format!("S{n}{{{}}}", values.join(", "))
            }
            Ty::Basic(name) => self.basic(name),
            Ty::Variadic(name) => {
                let values: Vec<String> = (0..self.below(4)).map(|_| self.basic(name)).collect();
                match values.len() {
                    0 => "nil...".to_owned(),
                    // Debug information does not tell a slice from a variadic parameter.
                    1 => format!("[]{name}{{{}}}...", values.concat()),
                    _ => values.join(", "),
                }
            }
            Ty::Holder("error") => format!("failure{{{}}}", self.basic("int16")),
            Ty::Holder("named") => format!("word({})", self.basic("string")),
            Ty::Holder(_) => {
                let name = self.pick(&BASIC);
                let value = self.basic(name);
                match self.below(3) {
                    0 => format!("failure{{{}}}", self.basic("int16")),
                    1 if matches!(name, "int" | "string" | "bool" | "float64" | "[]int") => value,
                    _ => format!("interface{{}}({name}({value}))"),
                }
            }
        }
    }

    fn basic(&mut self, name: &str) -> String {
        let (n, half) = (self.below(120) + 1, self.below(2) * 5);
        match name {
            "bool" => (n % 2 == 0).to_string(),
            "string" => format!("\"s{n}\""),
            "[]int" => format!("[]int{{{n}, {half}}}"),
            "float32" | "float64" => format!("-{n}.{half}"),
            "complex64" | "complex128" => format!("({n}.{half}-{n}i)"),
            _ if name.starts_with("int") && half > 0 => format!("-{n}"),
            _ => n.to_string(),
        }
    }
}

/// A type as Go source has it.
fn name(ty: &Ty) -> String {
    match ty {
        Ty::Basic(name) | Ty::Nil(name) | Ty::Holder(name) => (*name).to_owned(),
        Ty::Variadic(name) => format!("...{name}"),
        Ty::Empty => "struct{}".to_owned(),
        Ty::Array(len, elem) => format!("[{len}]{}", name(elem)),
        Ty::Struct(n) => format!("S{n}"),
    }
}

/// A type as a result has it.
fn result_name(ty: &Ty) -> String {
    match ty {
        Ty::Variadic(name) => format!("[]{name}"),
        ty => name(ty),
    }
}

/// A type as values of it are shown.
fn shown_name(ty: &Ty) -> String {
    match ty {
        Ty::Empty => "struct {}".to_owned(),
        Ty::Array(len, elem) => format!("[{len}]{}", shown_name(elem)),
        Ty::Struct(n) => format!("main.S{n}"),
        other => name(other),
    }
}
