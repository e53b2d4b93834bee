//! `goemu peek` and `goemu vars`: what is in memory, as the file has it or once packages are initialised.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use goemu::go::guest::Types;
use goemu::go::read::{Limits, Reader};
use goemu::machine::Interrupt;
use goemu::reverse::strings::Place as User;
use goemu::reverse::unnamed::{Unnamed, unnamed};
use goemu::{Image, Machine, Value, pattern};
use goemu_loader::{Type, Variable};
use serde_json::json;

use crate::binary::Binary;
use crate::calls::initialise;
use crate::confined::{Needs, confine};
use crate::guest::Guest;
use crate::output::{DIM, NAME};
use crate::shown::Shown;
use crate::{number, output};

/// Bytes that are shown at most.
const MAX_BYTES: u64 = 1 << 20;
/// Users of a variable without a name that are shown.
const MAX_USERS: usize = 4;
/// Bytes of a line.
const LINE: usize = 16;

/// Show memory: bytes, or a value of a type
///
/// As the file has it, or with --init once packages are initialised.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu peek -b prog 0x54c1a0                       64 bytes from there on
  goemu peek -b prog 0x54c1a0+0x200
  goemu peek -b prog 0x54c1a0:string --init         the string whose pointer and length are there
  goemu peek -b prog 0x54c1a0:main.config --init")]
pub(crate) struct PeekArgs {
    /// ADDRESS, ADDRESS+LENGTH or ADDRESS:TYPE
    place: String,
    #[command(flatten)]
    binary: Binary,
    /// First initialise the program's packages
    #[arg(long)]
    init: bool,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    guest: Guest,
}

/// List package variables with their types and values
///
/// Of programs with debug information, which tells where variables are and of which types, and those that were noted (`goemu note
/// var`). Of others, the places that code names, as what they look like: PATTERN is for what they hold and for who uses
/// them. The values are those of the file, or with --init those once packages are initialised.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu vars -b prog 'main.*'            as they are in the file
  goemu vars -b prog 'main.*' --init     as main finds them
  goemu vars -b prog config --json | jq -r .value
  goemu vars -b stripped 'main.*' --init what code of package main uses")]
pub(crate) struct VarsArgs {
    /// A part of the name, or all of it with * and ?
    pattern: Option<String>,
    #[command(flatten)]
    binary: Binary,
    /// First initialise the program's packages
    #[arg(long)]
    init: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    guest: Guest,
}

/// What is to be shown.
enum Place {
    Bytes(u64, u64),
    Value(u64, Arc<Type>),
}

pub(crate) fn peek(args: &PeekArgs) -> Result<u8> {
    let machine = machine(&args.binary, &args.guest, args.init)?;
    let place = place(machine.image(), &args.place)?;
    let mut out = output::stdout();
    match place {
        Place::Bytes(addr, len) => write_bytes(&mut out, &machine, addr, len)?,
        Place::Value(addr, ty) => {
            let value = value(&machine, &args.shown, addr, &ty);
            writeln!(out, "{}", args.shown.format().show(&value))?;
        }
    }
    out.flush()?;
    Ok(0)
}

fn machine(binary: &Binary, guest: &Guest, init: bool) -> Result<Machine> {
    let (image, config) = (binary.open()?, guest.config()?);
    confine(&Needs::of(&config));
    let mut machine = Machine::with_config(image, binary.config(config))?;
    if init {
        initialise(&mut machine);
    }
    Ok(machine)
}

fn place(image: &Image, text: &str) -> Result<Place> {
    let address = |text: &str| number::address(text).map_err(anyhow::Error::msg);
    if let Some((addr, name)) = text.split_once(':') {
        let addr = address(addr)?;
        let ty = Types::named(image, name)
            .with_context(|| format!("the program has no type {}", output::escaped(name)))?;
        return Ok(Place::Value(addr, ty));
    }
    let (addr, len) = match text.split_once('+') {
        Some((addr, len)) => (address(addr)?, address(len)?),
        None => (address(text)?, 64),
    };
    if len > MAX_BYTES {
        bail!("{len} bytes are more than the {MAX_BYTES} that are shown at once");
    }
    Ok(Place::Bytes(addr, len))
}

fn value(machine: &Machine, shown: &Shown, addr: u64, ty: &Arc<Type>) -> Value {
    let limits: Limits = shown.reading(false).limits;
    let reader = Reader { limits, ..Reader::new(machine.memory(), &**machine.image()) };
    reader.at(ty, addr)
}

/// Lines of hexadecimal bytes, with their characters; what is not mapped is said.
fn write_bytes(out: &mut impl Write, machine: &Machine, addr: u64, len: u64) -> Result<()> {
    let mut bytes = vec![0; usize::try_from(len)?];
    let Ok(()) = machine.memory().read_bytes(addr, &mut bytes) else {
        bail!("there is no memory at all of {addr:#x}+{len:#x} that can be read (see `goemu info`)");
    };
    for (n, line) in bytes.chunks(LINE).enumerate() {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let plain = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
        let text: String = line.iter().map(plain).collect();
        let at = addr.wrapping_add((n * LINE) as u64);
        writeln!(out, "{at:#x}  {:<width$}  {DIM}{text}{DIM:#}", hex.join(" "), width = 3 * LINE - 1)?;
    }
    Ok(())
}

pub(crate) fn vars(args: &VarsArgs) -> Result<u8> {
    let machine = machine(&args.binary, &args.guest, args.init)?;
    let image = machine.image().clone();
    let mut out = output::stdout();
    let (mut shown, mut untyped) = (0_usize, 0_usize);
    for (name, variable) in variables(&image, args.pattern.as_deref()) {
        let Some(Variable { address, ty, .. }) = variable else {
            untyped += 1;
            continue;
        };
        shown += 1;
        let value = value(&machine, &args.shown, address, &ty);
        let text = args.shown.format().show(&value).to_string();
        if args.json {
            let address = format!("{address:#x}");
            writeln!(out, "{}", json!({ "address": address, "name": name, "type": ty.name, "value": text }))?;
        } else {
            let (name, ty, text) = (output::escaped(name), output::escaped(&ty.name), output::escaped(&text));
            writeln!(out, "{address:#x}  {NAME}{name}{NAME:#} {ty} = {text}")?;
        }
    }
    out.flush()?;
    if untyped > 0 {
        output::note(&format!("{untyped} more have no type in the debug information"));
    }
    if shown > 0 {
        return Ok(0);
    }
    let found = unnamed(&machine, &Interrupt::default());
    let wanted = |variable: &&Unnamed| wants(args, &image, variable);
    let found: Vec<&Unnamed> = found.iter().filter(wanted).collect();
    for variable in &found {
        write_unnamed(&mut out, args, &image, variable)?;
    }
    out.flush()?;
    if found.is_empty() {
        output::complain("no such variables");
        return Ok(crate::FAILED);
    }
    let when = if args.init { "" } else { "; with --init, as they are once packages are initialised" };
    output::note(&format!(
        "no debug information tells of these: they are the places that code names, shown as what they look like{when}"
    ));
    Ok(0)
}

/// Whether a variable without a name is asked for: by what it holds, or by who uses it.
fn wants(args: &VarsArgs, image: &Image, variable: &Unnamed) -> bool {
    let Some(wanted) = args.pattern.as_deref() else { return true };
    let is_wanted = |text: &str| pattern::matches(wanted, text);
    variable.look.iter().any(|look| is_wanted(&look.text))
        || variable.users.iter().any(|place| is_wanted(&user(image, place)))
}

/// A function that uses a variable.
fn user(image: &Image, place: &User) -> String {
    let func = place.func.and_then(|func| image.func_at(func));
    func.map_or_else(|| format!("{:#x}", place.at), |func| func.name().to_owned())
}

fn write_unnamed(out: &mut impl Write, args: &VarsArgs, image: &Image, variable: &Unnamed) -> Result<()> {
    let mut users: Vec<String> = variable.users.iter().map(|place| user(image, place)).collect();
    users.dedup();
    let ty = variable.look.as_ref().map(|look| look.ty.as_str());
    let text = match &variable.look {
        Some(look) => look.text.clone(),
        None => format!("{:#x}", variable.words.first().copied().unwrap_or(0)),
    };
    let at = format!("{:#x}", variable.addr);
    if args.json {
        let object = json!({ "address": at, "name": null, "type": ty, "value": text, "size": variable.size, "users": users });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let more = users.len().saturating_sub(MAX_USERS);
    users.truncate(MAX_USERS);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let (text, users) = (output::escaped(&text), output::escaped(&users.join(", ")));
    let ty = output::escaped(ty.unwrap_or("number")).to_string();
    writeln!(out, "{at}  {ty} {NAME}{text}{NAME:#}  {DIM}{users}{more}{DIM:#}")?;
    Ok(())
}

/// Symbols of data, in order of address, with what debug information has of them.
fn variables<'i>(image: &'i Image, wanted: Option<&str>) -> Vec<(&'i str, Option<Variable>)> {
    let is_data = |addr: u64| {
        let module = image.module();
        let sections = module.map(|module| [module.noptrdata, module.data, module.bss, module.noptrbss]);
        sections.is_some_and(|sections| sections.iter().any(|section| section.contains(addr)))
    };
    let symbols = image.symbols().filter(|symbol| is_data(symbol.addr) && !symbol.name.contains(".."));
    let mut symbols: Vec<_> =
        symbols.filter(|symbol| wanted.is_none_or(|wanted| pattern::matches(wanted, symbol.name))).collect();
    symbols.sort_by_key(|symbol| symbol.addr);
    let given = image
        .given_variables()
        .filter(|(name, _)| wanted.is_none_or(|wanted| pattern::matches(wanted, name)));
    let known = symbols.into_iter().map(|symbol| (symbol.name, image.variable(symbol.name).ok().flatten()));
    given.map(|(name, variable)| (name, Some(variable.clone()))).chain(known).collect()
}
