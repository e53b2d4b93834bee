//! `goemu guess`: what a function may take and give, and why.

use std::io::Write;

use anyhow::Result;
use goemu::go::abi::Place;
use goemu::go::guess::{GuessedPart, GuessedType, TypedGuess, guess_types};
use goemu::go::names;
use goemu_loader::KnownFrom;
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::confined::{Needs, confine};
use crate::output::{DIM, NAME};
use crate::{completions, output};

/// Registers of integers in Go's order.
const INTS: [&str; 9] = ["AX", "BX", "CX", "DI", "SI", "R8", "R9", "R10", "R11"];

/// Guess what a function takes and gives, and say why
///
/// For programs that do not tell it. Which registers and words of the stack arguments are in is known from what Go keeps for
/// tracebacks, and from what the code reads; their types are guessed from what the code, its callers and the functions
/// that it calls do with them. A type for which nothing speaks is marked: it is what is most frequent in such a place.
/// Functions of Go's library are known by their names.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu guess -b prog main.decode
  goemu guess -b prog 0x45e1a0 --json | jq -r .signature
  goemu note -b prog sig main.decode \"$(goemu guess -b prog main.decode --json | jq -r .signature)\"")]
pub(crate) struct Args {
    /// The function: a name, an end of a name, or an address
    #[arg(add = completions::functions())]
    func: String,
    #[command(flatten)]
    binary: Binary,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    confine(&Needs::nothing());
    let func = names::find(&image, &args.func)?;
    let known = image.signature_from(&func).ok().flatten();
    let known = known.map(|(signature, from)| (signature.to_string(), from));
    let guess = guess_types(&image, &func);
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", object(func.name(), known.as_ref(), &guess))?;
    } else {
        write(&mut out, func.name(), known.as_ref(), &guess)?;
    }
    out.flush()?;
    Ok(0)
}

fn write(
    out: &mut impl Write,
    func: &str,
    known: Option<&(String, KnownFrom)>,
    guess: &TypedGuess,
) -> Result<()> {
    writeln!(out, "{NAME}{}{NAME:#}  {}", output::escaped(func), output::escaped(&guess.to_string()))?;
    if let Some((known, from)) = known {
        let from = match from {
            KnownFrom::Given => "the user gave",
            KnownFrom::Library => "known by its name, of Go's library",
            _ => "the program tells",
        };
        writeln!(out, "{from}: {}", output::escaped(known))?;
    }
    for (ty, param) in guess.params.iter().zip(&guess.places.params) {
        let places: Vec<String> = param.parts.iter().map(place).collect();
        line(out, &places.join(" "), ty)?;
    }
    for ty in &guess.results {
        line(out, "result", ty)?;
    }
    if guess.places.params.is_empty() && guess.results.is_empty() {
        writeln!(out, "it neither reads arguments nor sets results")?;
    }
    Ok(())
}

fn line(out: &mut impl Write, places: &str, ty: &GuessedType) -> Result<()> {
    let mark = if ty.known { "" } else { "?" };
    let (name, why) = (output::escaped(&ty.name), output::escaped(&ty.why));
    writeln!(out, "  {places:<12} {name}{mark}  {DIM}{why}{DIM:#}")?;
    Ok(())
}

/// Where a part is.
fn place(part: &GuessedPart) -> String {
    match part.place {
        Place::Int(n) => INTS.get(usize::from(n)).map_or_else(|| "?".to_owned(), |name| (*name).to_owned()),
        Place::Float(n) => format!("X{n}"),
        Place::Stack(offset) => format!("{offset}(FP)"),
    }
}

fn object(func: &str, known: Option<&(String, KnownFrom)>, guess: &TypedGuess) -> Json {
    let ty = |ty: &GuessedType| json!({ "type": ty.name, "why": ty.why, "known": ty.known });
    let params = guess.params.iter().zip(&guess.places.params).map(|(guessed, param)| {
        let mut object = ty(guessed);
        object["places"] = param.parts.iter().map(place).collect();
        object["sizes"] = param.parts.iter().map(|part| part.size).collect();
        object
    });
    json!({
        "function": func,
        "signature": guess.to_string(),
        "known": known.map(|(known, _)| known),
        "from_library": known.is_some_and(|(_, from)| *from == KnownFrom::Library),
        "params": params.collect::<Vec<_>>(),
        "results": guess.results.iter().map(ty).collect::<Vec<_>>(),
    })
}
