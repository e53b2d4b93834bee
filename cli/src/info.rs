//! `goemu info`: how a program was built, and what was found in it.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::Result;
use goemu::Image;
use goemu_loader::{DUMPED_GPRS, DumpedThread, Module, Os, Perm};
use serde_json::{Value as Json, json};

use crate::binary::{Binary, has_debug_info, warning};
use crate::confined::{Needs, Walls, confine};
use crate::{hint, number, output};
use goemu::go::names::{are_hashed, package};
use goemu::machine::EngineChoice;
use goemu::reverse::advice::{advice, initialisation};
use goemu::runtime::{Found, found as found_runtime};

/// Show how a program was built, and what goemu finds in it
///
/// First what `go version -m` prints, then the target, functions, and what is known of them; whether packages can be initialised,
/// and what one should know and do first.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    binary: Binary,
    /// Time of this computer that initialising packages may take: 10s, 200ms
    #[arg(long, value_name = "TIME", value_parser = number::time, default_value = "3s")]
    timeout: Duration,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    confine(&Needs::nothing());
    let mut out = output::stdout();
    if args.json {
        let (mut object, image) = (object(&image), Arc::new(image));
        object["initialised"] = initialised(&image, args.timeout).into();
        if !image.threads().is_empty() {
            object["threads"] = image.threads().iter().map(|of| thread(&image, of)).collect();
        }
        object["advice"] = advice(&image).iter().map(hint::advice).collect();
        writeln!(out, "{object}")?;
    } else {
        write_build(&mut out, &image)?;
        for (key, value) in found(&image) {
            writeln!(out, "{key:<12} {value}")?;
        }
        let image = Arc::new(image);
        writeln!(out, "{:<12} {}", "initialised", initialised(&image, args.timeout))?;
        for thread in image.threads() {
            let place = output::escaped(&place_of(&image, thread.rip));
            writeln!(out, "{:<12} {} at {:#x} ({place})", "thread", thread.id, thread.rip)?;
        }
        writeln!(out, "\nwhat to know first")?;
        for known in advice(&image) {
            writeln!(out, "  {}", output::escaped(&hint::advice(&known)))?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// Whether packages can be initialised, and what that takes.
fn initialised(image: &Arc<Image>, time: Duration) -> String {
    match initialisation(Arc::clone(image), time) {
        Ok((functions, instructions)) => format!("by {functions} functions in {instructions} instructions"),
        Err(error) => output::escaped(&format!("no: {error}")),
    }
}

/// The function around an address.
fn place_of(image: &Image, addr: u64) -> String {
    image.func_at(addr).map_or_else(
        || "not the program's code".to_owned(),
        |func| format!("{}+{:#x}", func.name(), addr - func.entry()),
    )
}

/// A thread of a dumped process.
fn thread(image: &Image, thread: &DumpedThread) -> Json {
    let registers = DUMPED_GPRS.iter().zip(thread.gprs);
    let mut registers: serde_json::Map<String, Json> =
        registers.map(|(name, value)| ((*name).to_owned(), format!("{value:#x}").into())).collect();
    registers.insert("flags".to_owned(), format!("{:#x}", thread.rflags).into());
    json!({
        "id": thread.id,
        "pc": format!("{:#x}", thread.rip),
        "place": place_of(image, thread.rip),
        "registers": registers,
    })
}

/// The same lines as `go version -m`.
fn write_build(out: &mut impl Write, image: &Image) -> Result<()> {
    let build = image.build_info();
    let path = image.path().map_or("demo".into(), |path| path.to_string_lossy());
    let version = if build.version.is_empty() { "unknown version of Go" } else { &build.version };
    writeln!(out, "{path}: {version}")?;
    if !build.path.is_empty() {
        writeln!(out, "\tpath\t{}", build.path)?;
    }
    if let Some(module) = &build.main {
        write_module(out, "mod", module)?;
    }
    for module in &build.deps {
        write_module(out, "dep", module)?;
    }
    for (key, value) in &build.settings {
        writeln!(out, "\tbuild\t{}={}", quoted(key), quoted(value))?;
    }
    Ok(())
}

fn write_module(out: &mut impl Write, word: &str, module: &Module) -> Result<()> {
    write!(out, "\t{word}\t{}\t{}", module.path, module.version)?;
    match &module.replaced_by {
        Some(by) => {
            writeln!(out)?;
            write_module(out, "=>", by)
        }
        None => Ok(writeln!(out, "\t{}", module.sum)?),
    }
}

/// A part of a setting, in quotes where it has to be (`runtime/debug.BuildInfo.String`).
fn quoted(text: &str) -> String {
    if !text.contains([' ', '\t', '\r', '\n', '"', '`']) { text.to_owned() } else { format!("{text:?}") }
}

/// What goemu found, in the order in which it is shown.
fn found(image: &Image) -> Vec<(&'static str, String)> {
    let facts = image.facts();
    let guess = match (facts.learned, facts.is_newer(), facts.guessed) {
        (true, ..) => " (newer than all known releases; structures from debug information)",
        (_, true, _) => " (newer than all known releases)",
        (_, _, true) => " (guessed from its tables)",
        _ => "",
    };
    let calls = if facts.register_abi() { "in registers (ABIInternal)" } else { "on the stack (ABI0)" };
    let signatures = if has_debug_info(image) {
        "from debug information"
    } else {
        "of methods only (give others with --sig)"
    };
    let symbols = match image.symbols().count() {
        0 => "none (stripped)".to_owned(),
        count => count.to_string(),
    };
    let runtime = found_runtime(image);
    vec![
        ("target", target(image)),
        ("runtime", format!("go1.{}{guess}", facts.version.minor)),
        ("arguments", calls.to_owned()),
        ("sections", sections(image)),
        ("table", table(image)),
        ("names", names(image, &runtime).to_owned()),
        ("hooks", hooks(&runtime)),
        ("functions", image.defined_funcs().count().to_string()),
        ("packages", packages(image).to_string()),
        ("symbols", symbols),
        ("signatures", signatures.to_owned()),
        ("types", image.types().count().to_string()),
        ("engine", engine()),
        ("sandbox", Walls::here().told()),
    ]
}

/// Why code cannot be translated on this computer; `None` where it can.
pub(crate) fn interpreted_because() -> Option<&'static str> {
    static WHY: LazyLock<Option<String>> = LazyLock::new(EngineChoice::why_interpreted);
    WHY.as_deref()
}

/// What runs guest code on this computer.
fn engine() -> String {
    interpreted_because().map_or_else(|| "translator".to_owned(), |why| format!("interpreter ({why})"))
}

/// The format of the function table.
fn table(image: &Image) -> String {
    let format = image.table_format();
    let magic = if format.has_magic { "" } else { ", its magic number changed" };
    format!("of functions, in the format of {}{magic}", format.since)
}

/// Whether functions have the names that they have in the source, as far as Go's runtime shows.
fn names(image: &Image, runtime: &Found) -> &'static str {
    match () {
        () if runtime.nameless => "hashed or removed (call by address)",
        () if are_hashed(image) => "hashed, but for Go's own packages (call by address or by the hash)",
        () => "as in the source",
    }
}

/// How goemu finds the functions of Go's runtime that it has hooks for.
fn hooks(runtime: &Found) -> String {
    let named = format!("{} functions of Go's runtime by name", runtime.named.len());
    if !runtime.nameless {
        return named;
    }
    format!("{named}, {} by what they are: {}", runtime.recognised.len(), runtime.recognised.join(", "))
}

/// The number of sections, and the sizes of code and of the function table.
fn sections(image: &Image) -> String {
    let count = image.sections().len();
    let executable = image.segments().iter().filter(|segment| segment.perm.contains(Perm::EXEC));
    // The segment of a Mach-O file that has code has constants, too.
    let text = image.section("__text").map(|text| text.size);
    let code = text.unwrap_or_else(|| executable.map(|segment| segment.mem_size).sum());
    format!("{count}, {code} bytes of code")
}

/// How many packages the functions are of.
fn packages(image: &Image) -> usize {
    let paths: HashSet<&str> = image.defined_funcs().map(|func| package(func.name())).collect();
    paths.len()
}

/// `linux/amd64, position-independent`
fn target(image: &Image) -> String {
    let target = image.target();
    let level = image.build_info().goamd64().map_or(String::new(), |level| format!(" v{level}"));
    let moves = if target.position_independent { ", position-independent" } else { "" };
    format!("{}/amd64{level}{moves}{}", os_name(target.os), place(image))
}

/// Where the program is, if that is not where all tools show it.
fn place(image: &Image) -> String {
    let (base, linked) = (image.base(), image.base().wrapping_sub(image.bias()));
    match (image.is_dump(), image.target().position_independent) {
        (true, _) => format!(", a dump of memory from {base:#x} on"),
        (false, true) if base == linked => format!(", at {base:#x} as linked (--base moves it)"),
        (false, true) => format!(", at {base:#x}, linked at {linked:#x} (--base moves it)"),
        (false, false) => String::new(),
    }
}

/// The system as GOOS has it.
fn os_name(os: Os) -> String {
    format!("{os:?}").to_lowercase()
}

fn object(image: &Image) -> Json {
    let build = image.build_info();
    let module =
        |module: &Module| json!({ "path": module.path, "version": module.version, "sum": module.sum });
    let settings = build.settings.iter().map(|(key, value)| (key.clone(), Json::from(value.as_str())));
    let (format, runtime) = (image.table_format(), found_runtime(image));
    let interpreted = interpreted_because();
    json!({
        "go": build.version,
        "path": build.path,
        "module": build.main.as_ref().map(module),
        "dependencies": build.deps.iter().map(module).collect::<Vec<_>>(),
        "settings": settings.collect::<serde_json::Map<_, _>>(),
        "os": os_name(image.target().os),
        "arch": "amd64",
        "position_independent": image.target().position_independent,
        "base": format!("{:#x}", image.base()),
        "linked_base": format!("{:#x}", image.base().wrapping_sub(image.bias())),
        "dump": image.is_dump(),
        "remarks": image.remarks(),
        "runtime": format!("go1.{}", image.facts().version.minor),
        "runtime_guessed": image.facts().guessed,
        "warning": warning(image),
        "register_arguments": image.facts().register_abi(),
        "sections": image.sections().iter().map(|section| section.name.clone()).collect::<Vec<_>>(),
        "table": { "since": format.since.to_string(), "has_magic": format.has_magic },
        "names_removed": runtime.nameless,
        "names_hashed": are_hashed(image),
        "hooks": { "by_name": runtime.named, "recognised": runtime.recognised },
        "functions": image.defined_funcs().count(),
        "packages": packages(image),
        "symbols": image.symbols().count(),
        "debug_info": has_debug_info(image),
        "types": image.types().count(),
        "engine": if interpreted.is_some() { "interpreter" } else { "translator" },
        "interpreted_because": interpreted,
        "sandbox": Walls::here().names(),
        "sandbox_lacks": Walls::here().missing(),
    })
}
