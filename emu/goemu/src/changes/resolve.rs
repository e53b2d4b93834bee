//! Changes of one program: names are looked up, values parsed.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use goemu_loader::{Func, Image, Kind, Os, Signature, Type};

use super::{Change, Changes};
use crate::cpu::gpr;
use crate::disasm::Walk;
use crate::error::Error;
use crate::go::abi::{Assignment, assign};
use crate::go::literal::{parse_value, quoted, split};
use crate::go::value::Value;
use crate::go::{names, signature};
use crate::guest::address_map::{ANYWHERE, RETURN_ADDR};
use crate::location::{check, describe, locate, number};
use crate::memory::{Contents, Memory, MemoryError, PAGE, Perm};
use crate::pattern;

/// Where memory may be put: nothing of goemu's is there.
const FREE: [Range<u64>; 2] = [PAGE..ANYWHERE.start, ANYWHERE.end..RETURN_ADDR];

/// The changes of one program.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) stubs: Vec<Stub>,
    /// By name: what functions of C libraries give.
    pub(crate) imports: HashMap<String, CResult>,
    pub(crate) variables: Vec<Variable>,
    patches: Vec<(u64, Arc<[u8]>)>,
    maps: Vec<(Range<u64>, Arc<[u8]>, Perm)>,
    registers: Vec<(Register, u128)>,
    /// Initialisers that return at once, by their addresses.
    pub(crate) skipped: Vec<u64>,
    /// Whether no package is initialised.
    pub(crate) skips_all: bool,
    pub(crate) stops: Vec<u64>,
}

/// A function that gives results instead of running.
#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) entry: u64,
    pub(crate) signature: Signature,
    pub(crate) places: Assignment,
    pub(crate) results: Vec<Value>,
}

/// What a function of a C library gives.
#[derive(Clone, Debug)]
pub(crate) enum CResult {
    Number(u64),
    /// The address of this text.
    Text(Vec<u8>),
}

/// A variable that has another value.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) addr: u64,
    pub(crate) ty: Arc<Type>,
    pub(crate) value: Value,
    /// The change as it is written.
    pub(crate) change: String,
}

#[derive(Clone, Copy, Debug)]
enum Register {
    General(u8),
    Vector(usize),
}

impl Variable {
    /// Whether it can be set before the program has run anything.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(
            self.ty.kind,
            Kind::Bool | Kind::Int | Kind::Uint | Kind::Uintptr | Kind::Float | Kind::Complex | Kind::String
        )
    }
}

impl Resolved {
    /// Whether nothing is changed.
    pub(crate) fn is_empty(&self) -> bool {
        let Resolved { stubs, imports, variables, patches, maps, registers, skipped, skips_all, stops } =
            self;
        let hooks = stubs.is_empty() && imports.is_empty() && skipped.is_empty() && stops.is_empty();
        let memory = variables.is_empty() && patches.is_empty() && maps.is_empty();
        hooks && memory && registers.is_empty() && !skips_all
    }

    /// Looks everything up.
    pub(crate) fn of(changes: &Changes, image: &Image) -> Result<Resolved, Error> {
        let mut resolved = Resolved::default();
        // Stops are checked against the code, which patches change.
        let (stops, others): (Vec<_>, Vec<_>) =
            changes.iter().partition(|change| matches!(change, Change::Stop(_)));
        for change in others.into_iter().chain(stops) {
            resolved.add(change, image).map_err(|error| match error {
                error @ (Error::Change { .. } | Error::NoInitialisers { .. }) => error,
                error => Error::Change { change: change.to_string(), why: error.to_string() },
            })?;
        }
        Ok(resolved)
    }

    fn add(&mut self, change: &Change, image: &Image) -> Result<(), Error> {
        let wrong = |why: String| Error::Change { change: change.to_string(), why };
        match change {
            Change::Stub { func, results } => self.stub(image, func, results)?,
            Change::Set { variable, ty, value } => {
                let (addr, ty) = variable_at(image, variable, ty.as_deref(), &wrong)?;
                let value = parse_value(value, &ty, image).map_err(|error| wrong(error.to_string()))?;
                self.variables.push(Variable { addr, ty, value, change: change.to_string() });
            }
            Change::Patch { place, bytes } => {
                let addr = locate(image, place)?;
                check(image, addr, bytes.len() as u64)?;
                self.patches.push((addr, Arc::clone(bytes)));
            }
            Change::Map { addr, bytes, perm } => {
                let range = *addr..addr.saturating_add((bytes.len() as u64).max(1));
                if !FREE.iter().any(|free| free.start <= range.start && range.end <= free.end) {
                    return Err(wrong(format!(
                        "memory can be put between {:#x} and {:#x}",
                        FREE[0].start, FREE[0].end
                    )));
                }
                self.maps.push((range, Arc::clone(bytes), *perm));
            }
            Change::Register { register, value } => {
                self.registers
                    .push((numbered(register).ok_or_else(|| wrong("no such register".to_owned()))?, *value));
            }
            Change::SkipInit(None) => self.skips_all = true,
            Change::SkipInit(Some(package)) => {
                let found = initialisers(image, package);
                if found.is_empty() {
                    return Err(Error::NoInitialisers { package: package.clone() });
                }
                self.skipped.extend(found);
            }
            Change::Stop(place) => {
                let addr = locate(image, place)?;
                check(image, addr, 1)?;
                self.stops.push(self.instruction(image, addr).map_err(wrong)?);
            }
        }
        Ok(())
    }

    fn stub(&mut self, image: &Image, func: &str, results: &str) -> Result<(), Error> {
        if image.imports().iter().any(|import| import.name == func) {
            return self.c_stub(func, results);
        }
        let found = match names::find(image, func) {
            // Programs for Windows look functions up by their names.
            Err(Error::NoSuchFunction { .. }) if image.target().os == Os::Windows && !func.contains('.') => {
                return self.c_stub(func, results);
            }
            found => found?,
        };
        self.stubs.push(Stub::of(image, &found, func, results)?);
        Ok(())
    }

    fn c_stub(&mut self, func: &str, results: &str) -> Result<(), Error> {
        let result = match (results.trim(), number(results)) {
            ("nil" | "NULL" | "false", _) => Some(CResult::Number(0)),
            ("true", _) => Some(CResult::Number(1)),
            (_, Some(number)) => Some(CResult::Number(number)),
            (text, None) => match text.parse::<i64>() {
                Ok(number) => Some(CResult::Number(number as u64)),
                Err(_) => quoted(text).map(CResult::Text),
            },
        };
        let why = || {
            "a function of a C library gives a number, or a text in quotes, whose address it gives".to_owned()
        };
        let change = || format!("stub {func}={results}");
        self.imports
            .insert(func.to_owned(), result.ok_or_else(|| Error::Change { change: change(), why: why() })?);
        Ok(())
    }

    /// An address where an instruction begins.
    fn instruction(&self, image: &Image, addr: u64) -> Result<u64, String> {
        let Some(func) = image.func_at(addr) else { return Ok(addr) };
        let patched =
            |(at, bytes): &(u64, Arc<[u8]>)| *at < func.end() && at + bytes.len() as u64 > func.entry();
        if self.patches.iter().any(patched) {
            return Ok(addr);
        }
        let size = usize::try_from(func.end().saturating_sub(func.entry())).unwrap_or(0);
        let code = image.bytes(func.entry(), size).unwrap_or_default();
        let starts = Walk::new(code, func.entry(), size).map(|decoded| decoded.insn.ip());
        match { starts }.take_while(|start| *start <= addr).last() {
            Some(start) if start != addr => Err(format!(
                "no instruction begins there: one does at {start:#x} ({})",
                describe(image, start)
            )),
            _ => Ok(addr),
        }
    }

    /// Changes the program in memory, as it is mapped.
    pub(crate) fn write(&self, memory: &mut Memory) -> Result<(), Error> {
        for (range, bytes, perm) in &self.maps {
            let mapped = memory.map(range.clone(), *perm, Contents::Zero);
            mapped.map_err(|error| {
                let change = format!("map {:#x} ({} bytes)", range.start, bytes.len());
                let advice = match error {
                    MemoryError::Occupied { .. } => "; to change what is there, patch it",
                    _ => "",
                };
                Error::Change { change, why: format!("{error}{advice}") }
            })?;
            memory.poke(range.start, bytes)?;
        }
        self.patches.iter().try_for_each(|(addr, bytes)| Ok(memory.poke(*addr, bytes)?))
    }

    /// The memory that there is beside the program's.
    pub(crate) fn mapped(&self) -> impl Iterator<Item = Range<u64>> {
        self.maps.iter().map(|(range, ..)| range.clone())
    }

    /// Whether calls begin with other registers.
    pub(crate) fn has_registers(&self) -> bool {
        !self.registers.is_empty()
    }

    /// Sets the registers with which calls begin.
    pub(crate) fn set_registers(&self, cpu: &mut crate::cpu::Cpu) {
        for (register, value) in &self.registers {
            match register {
                Register::General(number) => cpu.set_gpr(*number, *value as u64),
                Register::Vector(number) => cpu.ymm[*number][0] = *value,
            }
        }
    }
}

impl Stub {
    fn of(image: &Image, func: &Func<'_>, name: &str, results: &str) -> Result<Stub, Error> {
        let wrong = |why: String| Error::Change { change: format!("stub {name}={results}"), why };
        let known = signature::known(func, name, None)?;
        let signature =
            known.ok_or_else(|| wrong(format!("the results of {} are not known", func.name())))?;
        let texts = match signature.results.len() {
            1 => vec![results],
            _ => split(results),
        };
        if texts.len() != signature.results.len() {
            let (wanted, given) = (signature.results.len(), texts.len());
            return Err(wrong(format!("{} gives {wanted} results, and these are {given}", func.name())));
        }
        let pairs = texts.iter().zip(&signature.results);
        let values = pairs.map(|(text, param)| parse_value(text.trim(), &param.ty, image));
        let results = values.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
        let places = assign(func.abi(), &signature).map_err(|error| wrong(error.to_string()))?;
        Ok(Stub { entry: func.entry(), signature, places, results })
    }
}

/// Address and type of a variable, or of a field of one.
fn variable_at(
    image: &Image,
    text: &str,
    ty: Option<&str>,
    wrong: &dyn Fn(String) -> Error,
) -> Result<(u64, Arc<Type>), Error> {
    if let Some(ty) = ty {
        let addr = locate(image, text)?;
        let ty = type_named(image, ty, names::package(text))?;
        check(image, addr, ty.size)?;
        return Ok((addr, ty));
    }
    if let Some(found) = typed_variable(image, text)? {
        return Ok(found);
    }
    let addr = locate(image, text)?;
    check(image, addr, 1)?;
    Err(wrong(format!("the type of {text} is not known: give it, as in {text}:int=5")))
}

/// The type that a text in Go syntax names.
fn type_named(image: &Image, text: &str, package: &str) -> Result<Arc<Type>, Error> {
    let signature = signature::parse(image, &format!("func(value {text})"), package)?;
    let no_type = || Error::NoSuchPlace { text: text.to_owned(), why: "this is not one type".to_owned() };
    match &signature.params[..] {
        [only] if !signature.variadic => Ok(Arc::clone(&only.ty)),
        _ => Err(no_type()),
    }
}

/// What debug information has of a variable, or of a field: `main.config.Debug`.
fn typed_variable(image: &Image, text: &str) -> Result<Option<(u64, Arc<Type>)>, Error> {
    let ends = [text.len()].into_iter().chain(text.rmatch_indices('.').map(|(dot, _)| dot));
    for end in ends {
        let Some(variable) = image.variable(&text[..end])? else { continue };
        let (mut addr, mut ty) = (variable.address, variable.ty);
        for name in text[end..].split('.').skip(1) {
            let Kind::Struct(fields) = &ty.kind else { return Ok(None) };
            let Some(field) = fields.iter().find(|field| field.name == name) else { return Ok(None) };
            addr = addr.wrapping_add(field.offset);
            let inner = Arc::clone(&field.ty);
            ty = inner;
        }
        return Ok(Some((addr, ty)));
    }
    Ok(None)
}

/// The functions that initialise packages of this name.
fn initialisers(image: &Image, package: &str) -> Vec<u64> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let initialises = |name: &str| name == "init" || name.strip_prefix("init.").is_some_and(is_number);
    let found = image.funcs().filter(|func| {
        let own = names::package(func.name());
        let rest = func.name().get(own.len() + 1..).unwrap_or_default();
        initialises(rest) && pattern::is_match(package, own)
    });
    found.map(|func| func.entry()).collect()
}

fn numbered(register: &str) -> Option<Register> {
    if let Some(number) = gpr::NAMES.iter().position(|name| *name == register) {
        return Some(Register::General(number as u8));
    }
    let number = register.strip_prefix('X')?.parse::<usize>().ok()?;
    (number < 16).then_some(Register::Vector(number))
}
