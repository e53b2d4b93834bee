//! `cargo xtask wild DIR`: programs that were built elsewhere, one row of a table each.
//!
//! Of every file in the folder that is a Go program: what it is, whether all of its functions can be listed and a
//! sample of them disassembled, and whether functions of the standard library give the right values when called
//! by name. Which of them a program contains is up to its linker; up to ten are called.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use goemu::disasm::disassemble;
use goemu::machine::{Booted, Config, Process};
use goemu::outcome::{Returned, Runtime};
use goemu::{Error, Machine, Outcome};
use goemu_loader::{Func, FuncId, Image, Os};

/// Arguments of `cargo xtask wild`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder; folders in it are searched as well.
    dir: PathBuf,
    /// Only initialise programs: no listing, no calls.
    #[arg(long)]
    init: bool,
}

/// A function of the standard library, and one call of it.
struct Probe {
    func: &'static str,
    signature: &'static str,
    args: &'static [&'static str],
    result: &'static str,
}

macro_rules! probes {
    ($($func:literal $signature:literal ($($arg:literal),*) => $result:literal;)+) => {
        &[$(Probe { func: $func, signature: $signature, args: &[$($arg),*], result: $result }),+]
    };
}

/// In the order in which they are tried. Results are as Go's `%#v` has them.
const PROBES: &[Probe] = probes! {
    "strings.ToUpper" "func(s string) string" (r#""chicken soup""#) => r#""CHICKEN SOUP""#;
    "strings.Index" "func(s, substr string) int" (r#""chicken""#, r#""ken""#) => "4";
    "strings.TrimSpace" "func(s string) string" (r#"" \t gopher\n""#) => r#""gopher""#;
    "strings.Repeat" "func(s string, count int) string" (r#""na""#, "3") => r#""nanana""#;
    "strings.Replace" "func(s, old, new string, n int) string" (r#""oink oink oink""#, r#""oink""#, r#""moo""#, "2")
        => r#""moo moo oink""#;
    "strings.Fields" "func(s string) []string" (r#""  foo bar  baz ""#) => r#"[]string{"foo", "bar", "baz"}"#;
    "strconv.FormatInt" "func(i int64, base int) string" ("-255", "16") => r#""-ff""#;
    "strconv.ParseInt" "func(s string, base int, bitSize int) (int64, error)" (r#""-1234""#, "10", "64")
        => "-1234, nil";
    "strconv.Atoi" "func(s string) (int, error)" (r#""4321""#) => "4321, nil";
    "strconv.ParseFloat" "func(s string, bitSize int) (float64, error)" (r#""-2.5e3""#, "64") => "-2500, nil";
    "strconv.FormatFloat" "func(f float64, fmt byte, prec, bitSize int) string" ("0.1", "103", "-1", "64")
        => r#""0.1""#;
    "strconv.Quote" "func(s string) string" (r#""tab\tnul\x00""#) => r#""\"tab\\tnul\\x00\"""#;
    "path.Clean" "func(path string) string" (r#""/a/./b/../c""#) => r#""/a/c""#;
    "path.Join" "func(elem []string) string" (r#"[]string{"a", "../b", "c"}"#) => r#""b/c""#;
    "path.Base" "func(path string) string" (r#""/etc/hosts/""#) => r#""hosts""#;
    "unicode.IsUpper" "func(r rune) bool" ("196") => "true";
    "unicode.ToLower" "func(r rune) rune" ("196") => "228";
    "unicode.IsSpace" "func(r rune) bool" ("8195") => "true";
    "unicode/utf8.DecodeRuneInString" "func(s string) (rune, int)" (r#""世界""#) => "19990, 3";
    "unicode/utf8.DecodeRune" "func(p []byte) (rune, int)" ("[]byte{0xe4, 0xb8, 0x96}") => "19990, 3";
    "unicode/utf8.ValidString" "func(s string) bool" (r#""a\xffb""#) => "false";
    "unicode/utf8.RuneCountInString" "func(s string) int" (r#""héllo""#) => "5";
    "crypto/sha256.Sum256" "func(data []byte) [32]byte" ("[]byte{97, 98, 99}")
        => "[32]uint8{0xba, 0x78, 0x16, 0xbf, 0x8f, 0x1, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, \
            0xb0, 0x3, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x0, 0x15, 0xad}";
    "crypto/md5.Sum" "func(data []byte) [16]byte" ("[]byte{97, 98, 99}")
        => "[16]uint8{0x90, 0x1, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0, 0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72}";
    "bytes.Index" "func(s, sep []byte) int" ("[]byte{1, 2, 3, 4, 5}", "[]byte{3, 4}") => "2";
    "bytes.TrimSpace" "func(s []byte) []byte" ("[]byte{32, 65, 10}") => "[]uint8{0x41}";
    "strings.LastIndex" "func(s, substr string) int" (r#""go gopher""#, r#""go""#) => "3";
    "strings.EqualFold" "func(s, t string) bool" (r#""Go""#, r#""GO""#) => "true";
    "strings.ToLower" "func(s string) string" (r#""ÄB""#) => r#""äb""#;
    "net/url.PathEscape" "func(s string) string" (r#""a b/c""#) => r#""a%20b%2Fc""#;
    "net/url.QueryEscape" "func(s string) string" (r#""a b&c""#) => r#""a+b%26c""#;
    "math.Pow" "func(x, y float64) float64" ("2", "10") => "1024";
    "math.Log" "func(x float64) float64" ("1") => "0";
    "sort.SearchInts" "func(a []int, x int) int" ("[]int{1, 3, 5}", "4") => "2";
    "time.Duration.String" "func(d int64) string" ("5400000000000") => r#""1h30m0s""#;
    "internal/bytealg.IndexByteString" "func(s string, c byte) int" (r#""gopher""#, "112") => "2";
    "html.EscapeString" "func(s string) string" (r#""a""#) => r#""a""#;
};

/// How many functions of a program are called.
const CALLS: usize = 10;
/// How many functions of a program are disassembled.
const LISTED: usize = 500;

/// What was found in one file.
struct Row {
    name: String,
    system: String,
    go: String,
    size: u64,
    functions: usize,
    listed: String,
    called: usize,
    initialised: [Result<u64, String>; 2],
    wrong: Vec<String>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let mut files = Vec::new();
    collect(&args.dir, &mut files)?;
    files.sort();
    println!("| program | system | Go | MB | functions | disassembled | right | hooked, k | real, k |");
    println!("|---|---|---|--:|--:|--:|--:|--:|--:|");
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&args.dir).unwrap_or(file).display().to_string();
        match row(file, &name, args.init) {
            Ok(row) => {
                println!("{}", row.line());
                wrong.extend(row.wrong);
            }
            Err(error) => {
                println!("| {name} | | | | | | | | {error:#} |");
                wrong.push(format!("{name}: {error:#}"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{} things went wrong:\n{}", wrong.len(), wrong.join("\n")) }
}

/// All files below a folder.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

impl Row {
    fn line(&self) -> String {
        let Row { name, system, go, size, functions, listed, called, initialised, wrong } = self;
        let size = *size as f64 / 1e6;
        let right = called - wrong.len().min(*called);
        let [hooked, real] = initialised.each_ref().map(|done| match done {
            Ok(0) => "-".to_owned(),
            Ok(instructions) => instructions.div_ceil(1000).to_string(),
            Err(_) => "no".to_owned(),
        });
        format!(
            "| {name} | {system} | {go} | {size:.1} | {functions} | {listed} | {right}/{called} | {hooked} | {real} |"
        )
    }
}

fn row(file: &Path, name: &str, only_init: bool) -> Result<Row> {
    let size = fs::metadata(file)?.len();
    let image = Arc::new(Image::open(file)?);
    let (mut called, mut listed_funcs) = (0, String::new());
    let mut wrong = Vec::new();
    if !only_init {
        let config = Config { fuel: 50_000_000, ..Config::default() };
        let mut machine = Machine::with_config(Arc::clone(&image), config)?;
        for probe in PROBES.iter().filter(|probe| is_callable(&image, probe.func)).take(CALLS) {
            called += 1;
            if let Err(error) = call(&mut machine, probe) {
                wrong.push(format!("{name}: {}: {error:#}", probe.func));
            }
        }
        listed_funcs = listed(&image);
    }
    let initialised = [hooked(&image), real(&image)];
    for (how, done) in ["hooked", "real"].iter().zip(&initialised) {
        wrong.extend(done.as_ref().err().map(|why| format!("{name}: {how}: {why}")));
    }
    let target = image.target();
    Ok(Row {
        name: name.to_owned(),
        system: format!("{:?}", target.os).to_lowercase(),
        go: image.go_version().map_or_else(|| "?".to_owned(), |version| version.to_string()),
        size,
        functions: image.funcs().filter(|func| !func.name().is_empty()).count(),
        listed: listed_funcs,
        called,
        initialised,
        wrong,
    })
}

/// What programs ask the environment for as they are initialised: whose process it is.
fn user() -> Process {
    let variables = [
        ("HOME", "/root"),
        ("USER", "root"),
        ("USERPROFILE", "C:\\Users\\root"),
        ("APPDATA", "C:\\Users\\root\\AppData\\Roaming"),
        ("LOCALAPPDATA", "C:\\Users\\root\\AppData\\Local"),
    ];
    let env = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Process { env, ..Process::default() }
}

/// Initialises a program's packages with hooks: how many instructions that takes.
fn hooked(image: &Arc<Image>) -> Result<u64, String> {
    let config = Config { runtime: Some(Runtime::Hooked), process: user(), ..Config::default() };
    let mut machine = Machine::with_config(Arc::clone(image), config).map_err(|error| error.to_string())?;
    match machine.initialise() {
        Ok(done) => Ok(done.instructions),
        Err(Error::Initialisation { func, why, others }) => {
            let all = [(func, why)].into_iter().chain(others);
            let all: Vec<String> = all.map(|(func, why)| format!("{func}: {why}")).collect();
            Err(all.join("\n    "))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Starts a program, up to `main.main`; 0 where programs of its system cannot be started.
fn real(image: &Arc<Image>) -> Result<u64, String> {
    let is_library = !image.funcs_named("_rt0_amd64_linux_lib").is_empty();
    if image.target().os != Os::Linux || is_library {
        return Ok(0);
    }
    let config = Config { runtime: Some(Runtime::Real), process: user(), ..Config::default() };
    let machine = Machine::with_config(Arc::clone(image), config).map_err(|error| error.to_string())?;
    match machine.booted() {
        Some(Booted { ended: Some(outcome), .. }) => Err(outcome.to_string()),
        Some(booted) => Ok(booted.instructions),
        None => Err("it was not started".to_owned()),
    }
}

/// Whether the program has the function itself, not only an adapter to it.
fn is_callable(image: &Image, func: &str) -> bool {
    image.funcs_named(func).iter().any(|func| func.func_id() != FuncId::Wrapper)
}

/// Makes one call; an error unless it gives what it should.
fn call(machine: &mut Machine, probe: &Probe) -> Result<()> {
    let report = machine.call(probe.func)?.signature(probe.signature)?.literals(probe.args)?.run()?;
    let Outcome::Returned(Returned::Values(values)) = &report.outcome else {
        bail!("{}", report.outcome);
    };
    let texts: Vec<String> = values.iter().map(|value| value.value.to_string()).collect();
    let result = texts.join(", ").replace("error(nil)", "nil");
    if result != probe.result {
        bail!("{result}, expected {}", probe.result);
    }
    Ok(())
}

/// Disassembles a sample of the functions: how many instructions, and how many bytes that start none.
fn listed(image: &Image) -> String {
    let step = image.func_count() / LISTED + 1;
    // The linker's build ID stands in the text of some systems' programs.
    let is_code = |func: &Func<'_>| !matches!(func.name(), "go.buildid" | "go:buildid");
    let funcs: Vec<_> = image.funcs().filter(is_code).step_by(step).collect();
    let lines = funcs.iter().flat_map(|func| disassemble(image, func));
    let (mut good, mut bad) = (0_u64, 0_u64);
    for line in lines {
        if line.text == "?" || line.text.starts_with("BYTE") { bad += 1 } else { good += 1 }
    }
    if bad == 0 { good.to_string() } else { format!("{good} ({bad} unknown bytes)") }
}
