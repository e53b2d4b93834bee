//! Who uses a function, an address or a string, and with which constants.

use goemu::machine::Interrupt;
use goemu::reverse::constants::{Known, Site};
use goemu::reverse::decrypt::{Guesses, call_text};
use goemu::reverse::strings::text_of;
use goemu::reverse::xrefs::{Target, Xref, XrefKind, references, word_text};
use goemu::{Image, Machine, go::names};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::convert::text;
use crate::errors;
use crate::program::Program;

/// Instructions that a call of a site may execute.
const FUEL: u64 = 10_000_000;

#[pymethods]
impl Program {
    /// Who uses a function (a name or a function), an address, or text constants that have these bytes in them: dicts of `func`,
    /// `address`, `kind` (`call`, `closure`, `value`, `table`, `taken`, `read`, `written`, `text`, `word`) and `to`, the address
    /// that is used. Calls have `args`, too: a text, a number, or None for each argument of which nothing is known; what is known
    /// but no constant is a text in `shown`, which has all of them.
    ///
    /// With `call`, the function is called as each site does, where all arguments are known, and `result` is the text that it gives.
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
        let mut guesses = Guesses::default();
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
                let given = py.detach(|| call_text(machine, &mut guesses, site, FUEL));
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
        let (args, shown) = arguments(py, image, &guesses.words(image, site))?;
        dict.set_item("args", args)?;
        dict.set_item("shown", shown)?;
    }
    Ok(dict)
}

/// The arguments of a call by its words: an address and a length of text are one.
fn arguments<'py>(
    py: Python<'py>,
    image: &Image,
    words: &[Option<Known>],
) -> PyResult<(Bound<'py, PyList>, Vec<String>)> {
    let (args, mut shown) = (PyList::empty(py), Vec::new());
    let mut rest = words;
    while let [first, after @ ..] = rest {
        rest = after;
        let next = after.first().copied().flatten();
        if let Some(bytes) = text_of(image, [*first, next]) {
            args.append(text(py, &bytes))?;
            shown.push(goemu::go::print::Quoted(&bytes).to_string());
            rest = after.get(1..).unwrap_or_default();
            continue;
        }
        let number = match first {
            Some(Known::Number(number)) => number.into_bound_py_any(py)?,
            _ => py.None().into_bound(py),
        };
        args.append(number)?;
        shown.push(first.map_or_else(|| "?".to_owned(), |known| word_text(image, known)));
    }
    Ok((args, shown))
}
