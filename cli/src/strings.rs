//! `goemu strings`: every string of a program, and those that it makes of itself.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use goemu::go::names::{is_own_package, package};
use goemu::go::print::Quoted;
use goemu::pattern;
use goemu::reverse::strings::{Certainty, Found, Listing, Options, Origin, Place, list};
use goemu::{Image, Machine};
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::calls::{initialise, jobs};
use crate::confined::{Needs, confine};
use crate::guest::Guest;
use crate::output::{DIM, NAME};
use crate::progress::Told;
use crate::{number, output};

/// Users of one string that are shown.
const MAX_USERS: usize = 8;

/// List the strings of a program, and those that its decoders make
///
/// Constants come with the code that names them. Packages are initialised, and what their variables hold then is listed as
/// well. Decoders are found by what they do: all ways through each function are run on what is known (constants, package variables,
/// and what is made of them), and text that comes out counts if it is the same whatever the rest is.
///
/// Each line: origin, certainty, address (of decoded strings, the function that makes it), the string, who uses it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu strings -b prog                     all but those that only Go's own packages use
  goemu strings -b prog --origin decoded    what decoders make
  goemu strings -b prog 'https?://*'        those with this in them (* and ?: all of it)
  goemu strings -b prog --json | jq -r 'select(.origin == \"decoded\") | .value'")]
pub(crate) struct Args {
    /// A part of the string, or all of it with * and ?
    pattern: Option<String>,
    #[command(flatten)]
    binary: Binary,
    /// Bytes that a string has at least
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "4")]
    min: u64,
    /// Only strings from there
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<From>,
    /// Also strings that only Go's own packages use, as far as names tell
    #[arg(long)]
    all: bool,
    /// Run nothing: constants only
    #[arg(long)]
    no_run: bool,
    /// Time that all may take: what was found by then is listed
    #[arg(long, value_name = "TIME", value_parser = number::time)]
    budget: Option<Duration>,
    /// Functions that run at the same time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    jobs: Option<u64>,
    /// Tell no progress
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    guest: Guest,
}

/// Where a string comes from.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum From {
    /// Code or data names it
    Constant,
    /// Packages made it as they were initialised
    Initialised,
    /// A decoder makes it
    Decoded,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    let config = args.guest.config()?;
    confine(&Needs::of(&config));
    let mut machine = Machine::with_config(image, args.binary.config(config))?;
    if !args.no_run {
        initialise(&mut machine);
    }
    let image = machine.image().clone();
    let mut told = Told::new(args.quiet, args.budget)?;
    let mut options = Options::default();
    options.min = usize::try_from(args.min).unwrap_or(usize::MAX);
    options.decode = !args.no_run;
    options.time = args.guest.timeout().unwrap_or(options.time);
    options.jobs = jobs(args.jobs);
    let listing = list(machine, &options, &told.interrupt(), &mut |done, all| {
        told.tell(|| format!("{done} of {all} functions"))
    })?;
    told.done();
    write(args, &image, &listing)
}

fn write(args: &Args, image: &Image, listing: &Listing) -> Result<u8> {
    let mut out = output::stdout();
    let (mut shown, mut own) = (0_usize, 0_usize);
    for found in listing.strings.iter().filter(|found| args.wants(found)) {
        if !args.all && is_own(image, found) {
            own += 1;
            continue;
        }
        shown += 1;
        if args.json {
            writeln!(out, "{}", object(image, found))?;
        } else {
            write_line(&mut out, image, found)?;
        }
    }
    out.flush()?;
    if own > 0 {
        output::note(&format!("{own} strings that only Go's own packages use are not shown (--all)"));
    }
    note_rest(listing);
    if shown == 0 {
        output::complain("no such strings");
        return Ok(crate::FAILED);
    }
    Ok(0)
}

/// What was not run.
pub(crate) fn note_rest(listing: &Listing) {
    if listing.interrupted || listing.left > 0 {
        output::note(&format!("ended early: {} functions were not run", listing.left));
    }
    if listing.cut > 0 {
        output::note(&format!("{} functions were not run to their end: they take too long", listing.cut));
    }
}

impl Args {
    fn wants(&self, found: &Found) -> bool {
        let origin = match found.origin {
            Origin::Constant => From::Constant,
            Origin::Initialised => From::Initialised,
            Origin::Decoded => From::Decoded,
        };
        let text = String::from_utf8_lossy(&found.value);
        (self.origin.is_empty() || self.origin.contains(&origin))
            && self.pattern.as_ref().is_none_or(|wanted| pattern::matches(wanted, &text))
    }
}

/// Whether only Go's own packages use a string, as far as that is known.
fn is_own(image: &Image, found: &Found) -> bool {
    let own = |place: &Place| {
        let func = place.func.and_then(|func| image.func_at(func));
        func.map_or(found.origin != Origin::Constant, |func| {
            !func.name().is_empty() && is_own_package(package(func.name()))
        })
    };
    // What has no name is as likely theirs.
    found.origin != Origin::Initialised && found.users.iter().all(own)
        || found.origin == Origin::Constant && found.users.iter().all(|place| place.func.is_none())
}

fn write_line(out: &mut impl Write, image: &Image, found: &Found) -> Result<()> {
    let text = Quoted(&found.value);
    let (origin, certainty) = (origin_word(found.origin), certainty_word(found.certainty));
    let users = users(image, found);
    writeln!(out, "{origin:<11} {certainty:<8} {:#x} {NAME}{text}{NAME:#}  {DIM}{users}{DIM:#}", found.addr)?;
    Ok(())
}

fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Constant => "constant",
        Origin::Initialised => "initialised",
        Origin::Decoded => "decoded",
    }
}

fn certainty_word(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Possible => "possible",
        Certainty::Likely => "likely",
        Certainty::Certain => "certain",
    }
}

/// Who uses a string, as far as that fits a line.
fn users(image: &Image, found: &Found) -> String {
    let mut texts: Vec<String> =
        found.users.iter().take(MAX_USERS).map(|place| place_text(image, place)).collect();
    if found.users.len() > MAX_USERS {
        texts.push(format!("and {} more", found.users.len() - MAX_USERS));
    }
    texts.join(", ")
}

fn place_text(image: &Image, place: &Place) -> String {
    match place.func.and_then(|func| image.func_at(func)) {
        Some(func) => {
            format!("{}+{:#x}", output::escaped(func.name()), place.at.saturating_sub(func.entry()))
        }
        None => match image.symbol_at(place.at) {
            Some(symbol) => {
                format!("{}+{:#x}", output::escaped(symbol.name), place.at.saturating_sub(symbol.addr))
            }
            None => format!("data at {:#x}", place.at),
        },
    }
}

fn object(image: &Image, found: &Found) -> Json {
    let user = |place: &Place| {
        let func = place.func.and_then(|func| image.func_at(func)).map(|func| func.name());
        json!({ "at": format!("{:#x}", place.at), "function": func })
    };
    json!({
        "origin": origin_word(found.origin),
        "certainty": certainty_word(found.certainty),
        "address": format!("{:#x}", found.addr),
        "value": String::from_utf8_lossy(&found.value),
        "users": found.users.iter().map(user).collect::<Vec<_>>(),
    })
}
