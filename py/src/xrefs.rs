//! Who uses a function, an address or a string, and with which constants.

use goemu::go::print::Quoted;
use goemu::machine::Interrupt;
use goemu::reverse::constants::{Known, Site};
use goemu::reverse::decrypt::{Callers, Guesses, call_text};
use goemu::reverse::strings::text_of;
use goemu::reverse::xrefs::{Target, Xref, XrefKind, references, word_text};
use goemu::{Image, Machine, go::names};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::convert::text;
use crate::errors;
use crate::program::Program;

/// Instructions that a call of a site may execute.
const FUEL: u64 = 10_000_000;
/// Bytes of a constant argument.
const MAX_BYTES: usize = 1 << 20;

#[pymethods]
impl Program {
    /// Who uses a function (a name or a function), an address, or text constants that have these bytes in them: dicts of `func`,
    /// `address`, `kind` (`call`, `closure`, `value`, `table`, `taken`, `read`, `written`, `text`, `word`) and `to`, the address
    /// that is used. Calls have `args`, too: str or bytes, a number, or None for each argument that is no known constant, and
    /// `shown`: what is known of each, as text.
    ///
    /// With `call`, the function is called as each site does, and `result` is the text that it gives.
    ///
    /// >>> sorted({use["func"] for use in p.xrefs("main.fib")})[:1]
    /// ['main.fib']
    #[pyo3(signature = (target, *, call=false))]
    fn xrefs<'py>(
        slf: &Bound<'py, Self>,
        target: &Bound<'py, PyAny>,
        call: bool,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let (py, own) = (slf.py(), slf.get());
        let image = own.image();
        let target = wanted(py, image, target)?;
        let found = py.detach(|| references(image, &target, &Interrupt::default()));
        let (mut guesses, mut callers) = (Guesses::default(), Callers::default());
        let mut machine = match call {
            true => Some(own.with(py, Machine::fork)?.map_err(|error| errors::from(py, &error))?),
            false => None,
        };
        if let Some(machine) = &mut machine {
            // What calls need of packages is there where they can be initialised.
            py.detach(|| drop(machine.initialise()));
        }
        let mut all = Vec::new();
        for xref in &found {
            py.check_signals()?;
            let dict = object(py, image, &mut guesses, xref)?;
            if let (Some(machine), Some(site)) = (&mut machine, site(xref)) {
                let given = py.detach(|| {
                    let func = xref.func.and_then(|func| image.func_at(func));
                    let given = call_text(machine, &mut guesses, site, FUEL);
                    given.or_else(|| callers.text(machine, &func?, xref.at, FUEL, &Interrupt::default()))
                });
                dict.set_item("result", given.map(|given| text(py, &given)))?;
            }
            all.push(dict);
        }
        Ok(all)
    }
}

fn wanted(py: Python<'_>, image: &Image, target: &Bound<'_, PyAny>) -> PyResult<Target> {
    if let Ok(function) = target.cast::<crate::function::Function>() {
        return Ok(Target::Function(function.get().entry()));
    }
    if let Ok(bytes) = target.cast::<PyBytes>() {
        return match bytes.as_bytes() {
            [] => Err(PyValueError::new_err("the text is empty")),
            bytes => Ok(Target::Text(bytes.to_vec())),
        };
    }
    if let Ok(address) = target.extract::<u64>() {
        let entry = image.func_at(address).filter(|func| func.entry() == address);
        return Ok(match entry {
            Some(_) => Target::Function(address),
            None => Target::Data(address..address.saturating_add(1)),
        });
    }
    let name = target.extract::<String>()?;
    match names::find(image, &name) {
        Ok(func) => Ok(Target::Function(func.entry())),
        Err(error) => {
            let symbol = image.symbol(&name).filter(|symbol| image.func_at(symbol.addr).is_none());
            let data = symbol.map(|symbol| symbol.addr..symbol.addr.saturating_add(symbol.size.max(1)));
            data.map(Target::Data).ok_or_else(|| errors::from(py, &error))
        }
    }
}

fn site(xref: &Xref) -> Option<&Site> {
    match &xref.kind {
        XrefKind::Call(site) | XrefKind::Closure(site) => Some(site),
        _ => None,
    }
}

fn object<'py>(
    py: Python<'py>,
    image: &Image,
    guesses: &mut Guesses,
    xref: &Xref,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let func = xref.func.and_then(|func| image.func_at(func));
    dict.set_item("func", func.map(|func| func.name().to_owned()))?;
    dict.set_item("address", xref.at)?;
    let (kind, to) = match &xref.kind {
        XrefKind::Call(site) => ("call", site.callee_entry()),
        XrefKind::Closure(site) => ("closure", site.callee_entry()),
        XrefKind::Value(at) => ("value", Some(*at)),
        XrefKind::Table(at) => ("table", Some(*at)),
        XrefKind::Taken(at) => ("taken", Some(*at)),
        XrefKind::Read(at) => ("read", Some(*at)),
        XrefKind::Written(at) => ("written", Some(*at)),
        XrefKind::Text(at, _) => ("text", Some(*at)),
        XrefKind::Word(at) => ("word", Some(*at)),
        _ => ("other", None),
    };
    dict.set_item("kind", kind)?;
    dict.set_item("to", to)?;
    if let Some(site) = site(xref) {
        let Arguments { values, shown } = Arguments::of(py, image, guesses, site)?;
        dict.set_item("args", values)?;
        dict.set_item("shown", shown)?;
    }
    Ok(dict)
}

/// The arguments of a call: constants, and what is known of each as text.
#[derive(Default)]
struct Arguments<'py> {
    values: Vec<Bound<'py, PyAny>>,
    shown: Vec<String>,
}

impl<'py> Arguments<'py> {
    /// Those of a site, by the words that each parameter has. Where the function does not tell parameters apart, an address and a
    /// length of text are one.
    fn of(py: Python<'py>, image: &Image, guesses: &mut Guesses, site: &Site) -> PyResult<Arguments<'py>> {
        let words = guesses.words(image, site);
        let guess = site.callee_entry().and_then(|entry| guesses.of(image, entry));
        let sizes: Vec<usize> = guess
            .map(|guess| guess.params.iter().map(|param| param.parts.len()).collect())
            .unwrap_or_default();
        let is_grouped = sizes.iter().any(|size| *size > 1) && sizes.iter().sum::<usize>() == words.len();
        let mut all = Arguments::default();
        let (mut rest, mut sizes) = (words.as_slice(), sizes.into_iter());
        while !rest.is_empty() {
            let pair = [rest.first().copied().flatten(), rest.get(1).copied().flatten()];
            let size = match is_grouped {
                true => sizes.next().unwrap_or(1),
                false if text_of(image, pair).is_some() => 2,
                false => 1,
            };
            let (own, after) = rest.split_at(size.min(rest.len()));
            all.add(py, image, own)?;
            rest = after;
        }
        Ok(all)
    }

    fn add(&mut self, py: Python<'py>, image: &Image, words: &[Option<Known>]) -> PyResult<()> {
        let bytes = |addr, len| image.bytes(addr, usize::try_from(len).ok().filter(|len| *len <= MAX_BYTES)?);
        let (value, shown) = match words {
            [Some(Known::Number(number))] => (number.into_bound_py_any(py)?, None),
            [Some(Known::Address(addr)), Some(Known::Number(len)), rest @ ..] if rest.len() < 2 => {
                match (bytes(*addr, *len), rest) {
                    (Some(bytes), []) => (text(py, bytes), Some(Quoted(bytes).to_string())),
                    (Some(bytes), _) => (PyBytes::new(py, bytes).into_any(), Some(Quoted(bytes).to_string())),
                    (None, _) => (py.None().into_bound(py), None),
                }
            }
            _ => (py.None().into_bound(py), None),
        };
        let word =
            |word: &Option<Known>| word.map_or_else(|| "?".to_owned(), |known| word_text(image, known));
        self.values.push(value);
        self.shown.push(shown.unwrap_or_else(|| words.iter().map(word).collect::<Vec<_>>().join(" ")));
        Ok(())
    }
}
