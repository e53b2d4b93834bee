//! `goemu note`: what was found out about a program, in a file beside it.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use goemu::location::{describe, locate};
use goemu::notes::{Notes, NotesError};
use goemu::{Config, Image, Machine};

use crate::binary::Binary;
use crate::{notes, output};

/// Note what you find out about a program: names, signatures, types, settings
///
/// Notes are TOML in PROGRAM.goemu.toml, or where --notes says. All commands read them: functions have the
/// names and signatures that are noted, stubs and other settings are in place. They belong to one build of
/// the program, which its build ID tells.
///
///   name FUNC NAME        a function is called so from now on
///   sig FUNC SIGNATURE    what it takes and gives, in Go syntax
///   var ADDRESS NAME TYPE a package variable
///   type NAME TYPE        a type, to be named in signatures
///   comment PLACE TEXT    for listings, and for what `goemu export` writes
///   stub, set, patch, reg, map, skip-init, stop TEXT
///                         as the options of `goemu call` have them
///   forget WHAT           what was noted of a function, address, type or setting
///   adopt                 keep notes of another build: names hold, addresses may not
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:
  goemu note -b prog name 0x45e1a0 main.decode
  goemu note -b prog sig main.decode 'func(b []byte, key uint8) string'
  goemu call -b prog decode @blob 7
  goemu note -b prog stub 'main.isDebugged=false'
  goemu note -b prog                     what is noted")]
pub(crate) struct Args {
    /// What to note; without it, all notes are shown
    what: Option<What>,
    /// Of what, and the text
    words: Vec<String>,
    #[command(flatten)]
    binary: Binary,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Name,
    Sig,
    Var,
    Type,
    Comment,
    Stub,
    Set,
    Patch,
    Reg,
    Map,
    SkipInit,
    Stop,
    Forget,
    Adopt,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let file = args.binary.notes_file().context("notes belong to one program: give it by -b PATH")?;
    let Some(what) = args.what else { return show(&file) };
    let mut image = args.binary.open_quietly()?;
    let mut notes = notes::read(&file, false)?.unwrap_or_else(|| Notes::new(&image));
    match notes.check(&image) {
        Err(NotesError::OtherProgram { .. }) if what == What::Adopt => {}
        checked => checked.with_context(|| format!("notes {}", file.display()))?,
    }
    if what == What::Adopt {
        notes.adopt(&image);
    } else {
        notes.teach(&mut image).with_context(|| format!("notes {}", file.display()))?;
        note(&mut notes, &image, what, &args.words)?;
    }
    check(args, &notes, &file)?;
    notes::write(&file, &notes)?;
    Ok(0)
}

fn show(file: &Path) -> Result<u8> {
    let Some(notes) = notes::read(file, false)? else {
        output::complain(&format!("nothing is noted: there is no {}", file.display()));
        return Ok(crate::FAILED);
    };
    let mut out = output::stdout();
    write!(out, "{}", output::escaped_lines(&notes.to_string()))?;
    out.flush()?;
    Ok(0)
}

/// Whether everything in the notes fits the program.
fn check(args: &Args, notes: &Notes, file: &Path) -> Result<()> {
    let mut image = args.binary.open_quietly()?;
    notes.teach(&mut image)?;
    let changes = notes.changes(&|path| notes::beside(file, path))?;
    if !changes.is_empty() {
        Machine::with_config(image, Config { changes, ..Config::default() })?;
    }
    Ok(())
}

fn note(notes: &mut Notes, image: &Image, what: What, words: &[String]) -> Result<()> {
    let text = |index: usize| words.get(index).map(String::as_str);
    let wanted = |usage: &str| anyhow!("goemu note {usage} is wanted");
    let kind = what.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    match (what, text(0), text(1), text(2), words.len()) {
        (What::Name | What::Sig, Some(func), Some(text), None, _) => {
            let func = named(image, func)?;
            notes.note_function(image, func, &kind, text);
        }
        (What::Name, ..) => return Err(wanted("name FUNC NAME")),
        (What::Sig, ..) => return Err(wanted("sig FUNC SIGNATURE")),
        (What::Var, Some(place), Some(name), Some(ty), 3) => {
            let addr = locate(image, place)?;
            notes.note_variable(image, addr, "name", name);
            notes.note_variable(image, addr, "type", ty);
        }
        (What::Var, ..) => return Err(wanted("var ADDRESS NAME TYPE")),
        (What::Type, Some(name), Some(definition), None, _) => notes.note_type(name, definition),
        (What::Type, ..) => return Err(wanted("type NAME TYPE")),
        (What::Comment, Some(place), Some(text), None, _) => {
            let addr = locate(image, place)?;
            match image.func_at(addr) {
                Some(func) if func.entry() == addr => notes.note_function(image, addr, "comment", text),
                Some(_) => bail!(
                    "{} is inside a function: comments are on functions and variables",
                    describe(image, addr)
                ),
                None => comment_on_variable(notes, image, addr, text)?,
            }
        }
        (What::Comment, ..) => return Err(wanted("comment PLACE TEXT")),
        (What::Forget, Some(what), None, ..) => {
            if !notes.forget(image, what) {
                bail!("nothing is noted of {}", output::escaped(what));
            }
        }
        (What::Forget, ..) => return Err(wanted("forget WHAT")),
        (What::SkipInit, None, ..) => notes.note_setting(&kind, "")?,
        (_, Some(text), None, ..) => notes.note_setting(&kind, text)?,
        _ => return Err(wanted(&format!("{kind} TEXT"))),
    }
    Ok(())
}

/// A comment on a variable that is noted.
fn comment_on_variable(notes: &mut Notes, image: &Image, addr: u64, text: &str) -> Result<()> {
    if !image.given_variables().any(|(_, variable)| variable.address == addr) {
        bail!("{addr:#x} is no variable that is noted: goemu note var {addr:#x} NAME TYPE");
    }
    notes.note_variable(image, addr, "comment", text);
    Ok(())
}

/// Where the function begins that a word means.
fn named(image: &Image, word: &str) -> Result<u64> {
    let addr = locate(image, word)?;
    match image.func_at(addr).filter(|func| func.entry() == addr) {
        Some(func) => Ok(func.entry()),
        None => Err(goemu::go::names::no_function_at(image, addr).into()),
    }
}
