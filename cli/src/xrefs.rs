//! `goemu xrefs`: who uses a function, an address or a string, and with what.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use goemu::go::print::Quoted;
use goemu::reverse::constants::{Known, Site};
use goemu::reverse::decrypt::{Callers, Guesses, call_text};
use goemu::reverse::strings::text_of;
use goemu::reverse::xrefs::{Target, Xref, XrefKind, calls, references, word_text};
use goemu::{Image, Machine};
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::calls::initialise;
use crate::confined::{Needs, confine};
use crate::guest::Guest;
use crate::output::{DIM, NAME};
use crate::progress::Told;
use crate::{completions, number, output};

/// Instructions that a call of --call may execute.
const FUEL: u64 = 10_000_000;
/// Time of such a call, where the user says nothing, and of running all ways to the calls of a function.
const TIME: Duration = Duration::from_secs(2);
const WALK: Duration = Duration::from_secs(10);

/// Show who uses a function, an address or a string
///
/// Of a function: its calls, as far as code names it, directly, as a closure or in the table of an interface, with the arguments
/// that are constant. Of an address (0x5a1230, or two with a - between them): who takes, reads or writes it. Of a string (in
/// quotes: '\"text\"'): who names one that has it in it.
///
/// Each line: address, function, what it does; a call's arguments are words in their order, ? where nothing is known.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu xrefs -b prog main.decode             who calls it, and with what
  goemu xrefs -b prog main.decode --call      and what it returns for that
  goemu xrefs -b prog main.decode --callees   whom it calls
  goemu xrefs -b prog 0x54c1a0                who uses this variable
  goemu xrefs -b prog '\"password\"'            who names a string with this in it")]
pub(crate) struct Args {
    /// A function (a name, an end of one), an address or a range of them, or a text in double quotes
    #[arg(add = completions::functions())]
    target: String,
    #[command(flatten)]
    binary: Binary,
    /// Show whom the function calls instead
    #[arg(long)]
    callees: bool,
    /// Call the function as each site does, and show the text that it gives: with the arguments, where all are known, or
    /// where the calls are, in the functions around them
    #[arg(long, conflicts_with = "callees")]
    call: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    guest: Guest,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    let config = args.guest.config()?;
    confine(&Needs::of(&config));
    let mut machine = Machine::with_config(image, args.binary.config(config))?;
    let image = machine.image().clone();
    let target = target(&machine, &args.target)?;
    let mut out = output::stdout();
    if args.callees {
        return callees(args, &image, &target, &mut out);
    }
    let mut told = Told::new(true, None)?;
    let found = references(&image, &target, &told.interrupt());
    told.done();
    if args.call {
        initialise(&mut machine);
    }
    let (mut guesses, mut callers) = (Guesses::default(), Callers::default());
    for xref in &found {
        let given = match (args.call, &xref.kind) {
            (true, XrefKind::Call(site) | XrefKind::Closure(site)) => {
                let limit = |time| Instant::now().checked_add(args.guest.timeout().unwrap_or(time));
                machine.set_deadline(limit(TIME));
                let given = call_text(&mut machine, &mut guesses, site, FUEL);
                machine.set_deadline(limit(WALK));
                let func = xref.func.and_then(|func| image.func_at(func));
                let interrupt = told.interrupt();
                let around = |func| callers.text(&mut machine, &func, xref.at, FUEL, &interrupt);
                Some(given.or_else(|| func.and_then(around)))
            }
            _ => None,
        };
        if args.json {
            writeln!(out, "{}", object(&image, &mut guesses, xref, given.as_ref()))?;
        } else {
            write_line(&mut out, &image, &mut guesses, xref, given.as_ref())?;
        }
    }
    out.flush()?;
    if told.is_interrupted() {
        output::note("interrupted: not all functions were looked at");
    }
    if found.is_empty() {
        output::complain(&format!(
            "nobody uses {}, as far as code and data tell",
            output::escaped(&args.target)
        ));
        return Ok(crate::FAILED);
    }
    Ok(0)
}

/// What a person asks for.
fn target(machine: &Machine, text: &str) -> Result<Target> {
    if let Some(rest) = text.strip_prefix('"') {
        let text = rest.strip_suffix('"').unwrap_or(rest);
        if text.is_empty() {
            bail!("the text is empty");
        }
        return Ok(Target::Text(text.as_bytes().to_vec()));
    }
    if let Some((from, to)) = text.split_once('-').filter(|(from, _)| from.starts_with("0x")) {
        let address = |text: &str| number::address(text).map_err(anyhow::Error::msg);
        return Ok(Target::Data(address(from)?..address(to)?));
    }
    if text.starts_with("0x") {
        let addr = number::address(text).map_err(anyhow::Error::msg)?;
        let func = machine.image().func_at(addr).filter(|func| func.entry() == addr);
        return Ok(if func.is_some() {
            Target::Function(addr)
        } else {
            Target::Data(addr..addr.saturating_add(1))
        });
    }
    let image = machine.image();
    match machine.find(text) {
        Ok(func) => Ok(Target::Function(func.entry())),
        Err(error) => match image.symbol(text).filter(|symbol| image.func_at(symbol.addr).is_none()) {
            Some(symbol) => Ok(Target::Data(symbol.addr..symbol.addr.saturating_add(symbol.size.max(1)))),
            None => Err(error.into()),
        },
    }
}

fn callees(args: &Args, image: &Image, target: &Target, out: &mut impl Write) -> Result<u8> {
    let Target::Function(entry) = target else { bail!("--callees wants a function") };
    let Some(func) = image.func_at(*entry) else { bail!("no function at {entry:#x}") };
    let mut guesses = Guesses::default();
    for site in calls(&func) {
        let callee = site.callee_entry().and_then(|callee| image.func_at(callee));
        let name = callee.map_or("?", |callee| callee.name());
        let arguments = arguments(image, &mut guesses, &site);
        if args.json {
            writeln!(
                out,
                "{}",
                json!({ "at": format!("{:#x}", site.at), "function": name, "arguments": arguments })
            )?;
        } else {
            writeln!(
                out,
                "{:#x}  {NAME}{}{NAME:#}({})",
                site.at,
                output::escaped(name),
                arguments.join(", ")
            )?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// The words of a call's arguments, strings where two belong together.
fn arguments(image: &Image, guesses: &mut Guesses, site: &Site) -> Vec<String> {
    let words = guesses.words(image, site);
    let mut texts = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let pair = [words[at], words.get(at + 1).copied().flatten()];
        if let Some(text) = text_of(image, pair) {
            texts.push(Quoted(&text).to_string());
            at += 2;
        } else {
            texts.push(words[at].map_or("?".to_owned(), |known| shown(image, known)));
            at += 1;
        }
    }
    texts
}

fn shown(image: &Image, known: Known) -> String {
    output::escaped(&word_text(image, known))
}

/// What an xref does, as text.
fn what(image: &Image, guesses: &mut Guesses, kind: &XrefKind) -> String {
    match kind {
        XrefKind::Call(site) => format!("calls ({})", arguments(image, guesses, site).join(", ")),
        XrefKind::Closure(site) => {
            format!("calls as a closure ({})", arguments(image, guesses, site).join(", "))
        }
        XrefKind::Value(at) => format!("takes it as a function value (at {at:#x})"),
        XrefKind::Table(at) => format!("in the table of an interface (at {at:#x})"),
        XrefKind::Taken(addr) => format!("takes the address {addr:#x}"),
        XrefKind::Read(addr) => format!("reads {addr:#x}"),
        XrefKind::Written(addr) => format!("writes {addr:#x}"),
        XrefKind::Text(addr, len) => {
            let bytes =
                usize::try_from(*len).ok().and_then(|len| image.bytes(*addr, len)).unwrap_or_default();
            format!("names {}", Quoted(bytes))
        }
        XrefKind::Word(addr) => format!("by the word at {addr:#x}"),
        _ => String::new(),
    }
}

fn place(image: &Image, xref: &Xref) -> String {
    match xref.func.and_then(|func| image.func_at(func)) {
        Some(func) => format!("{}+{:#x}", output::escaped(func.name()), xref.at.saturating_sub(func.entry())),
        None => "data".to_owned(),
    }
}

fn write_line(
    out: &mut impl Write,
    image: &Image,
    guesses: &mut Guesses,
    xref: &Xref,
    given: Option<&Option<Vec<u8>>>,
) -> Result<()> {
    let (place, what) = (place(image, xref), what(image, guesses, &xref.kind));
    let given = match given {
        Some(Some(text)) => format!(" = {}", Quoted(text)),
        Some(None) => format!(" {DIM}gives no text{DIM:#}"),
        None => String::new(),
    };
    writeln!(out, "{:#x}  {NAME}{place}{NAME:#}  {what}{given}", xref.at)?;
    Ok(())
}

fn object(image: &Image, guesses: &mut Guesses, xref: &Xref, given: Option<&Option<Vec<u8>>>) -> Json {
    let arguments = match &xref.kind {
        XrefKind::Call(site) | XrefKind::Closure(site) => Json::from(arguments(image, guesses, site)),
        _ => Json::Null,
    };
    let func = xref.func.and_then(|func| image.func_at(func));
    json!({
        "at": format!("{:#x}", xref.at),
        "function": func.map(|func| func.name()),
        "what": what(image, guesses, &xref.kind),
        "arguments": arguments,
        "text": given.and_then(|text| text.as_deref()).map(String::from_utf8_lossy),
    })
}
