//! Go's values that Python has no type for.

use std::sync::Arc;

use goemu_loader::{Kind, Type};
use pyo3::PyClass;
use pyo3::exceptions::{PyAttributeError, PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

use crate::function::Function;
use crate::program::Program;
use crate::types::GoType;

/// A struct. Fields are attributes; `dict(record)` and `record.asdict()` have them all.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Record {
    pub(crate) program: Py<Program>,
    pub(crate) ty: Arc<Type>,
    pub(crate) names: Vec<String>,
    pub(crate) values: std::sync::Mutex<Vec<Py<PyAny>>>,
}

impl Record {
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| own == name)
    }

    pub(crate) fn all(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let values = self.values.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        values.iter().map(|value| value.clone_ref(py)).collect()
    }

    fn no_field(&self, name: &str) -> PyErr {
        PyAttributeError::new_err(format!(
            "{} has no field {name}; its fields are {}",
            self.ty,
            self.names.join(", ")
        ))
    }
}

#[pymethods]
impl Record {
    /// The Go type.
    #[getter(_type)]
    fn get_type(&self, py: Python<'_>) -> GoType {
        GoType { program: self.program.clone_ref(py), ty: self.ty.clone() }
    }

    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        let at = self.place(name).ok_or_else(|| self.no_field(name))?;
        let values = self.values.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        values.get(at).map(|value| value.clone_ref(py)).ok_or_else(|| self.no_field(name))
    }

    fn __setattr__(&self, name: &str, value: Py<PyAny>) -> PyResult<()> {
        let at = self.place(name).ok_or_else(|| self.no_field(name))?;
        let old = {
            let mut values = self.values.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let slot = values.get_mut(at).ok_or_else(|| self.no_field(name))?;
            std::mem::replace(slot, value)
        };
        // Its destructor may do anything: not under the lock.
        drop(old);
        Ok(())
    }

    fn __getitem__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if let Ok(name) = key.extract::<String>() {
            return self.__getattr__(py, &name);
        }
        let at = key.extract::<usize>()?;
        let values = self.all(py);
        values
            .into_iter()
            .nth(at)
            .ok_or_else(|| PyIndexError::new_err(format!("{} has no field {at}", self.ty)))
    }

    fn __dir__(&self) -> Vec<String> {
        self.names.iter().cloned().chain(["asdict".to_owned(), "keys".to_owned()]).collect()
    }

    /// The names of the fields.
    fn keys(&self) -> Vec<String> {
        self.names.clone()
    }

    /// A dict of the fields.
    fn asdict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, value) in self.names.iter().zip(self.all(py)) {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    fn __len__(&self) -> usize {
        self.names.len()
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let mine = self.all(py);
        let theirs = if let Ok(record) = other.cast::<Record>() {
            if record.get().ty.name != self.ty.name {
                return Ok(false);
            }
            record.get().all(py)
        } else if let Ok(tuple) = other.cast::<PyTuple>() {
            tuple.iter().map(Bound::unbind).collect()
        } else {
            return Ok(false);
        };
        Ok(mine.len() == theirs.len() && PyTuple::new(py, mine)?.eq(PyTuple::new(py, theirs)?)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyTuple::new(py, self.all(py))?.hash()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (py, this) = (slf.py(), slf.get());
        guarded(slf, "{...}", || {
            let mut parts = Vec::new();
            for (name, value) in this.names.iter().zip(this.all(py)) {
                parts.push(format!("{name}={}", value.bind(py).repr()?));
            }
            Ok(format!("{}({})", this.ty, parts.join(", ")))
        })
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<String> {
        html(slf.py(), "record", slf)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let make = py.import("goemu._pickle")?.getattr("record")?;
        let values = PyList::new(py, self.all(py))?;
        Ok((make, (self.program.clone_ref(py), self.ty.name.clone(), values).into_pyobject(py)?))
    }
}

/// Reprs of values that contain themselves end.
pub(crate) fn guarded<T: PyClass>(
    of: &Bound<'_, T>,
    inside: &str,
    repr: impl FnOnce() -> PyResult<String>,
) -> PyResult<String> {
    use std::cell::RefCell;
    thread_local!(static UNDER_WAY: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) });
    let at = of.as_ptr() as usize;
    if UNDER_WAY.with_borrow(|list| list.contains(&at) || list.len() > 60) {
        return Ok(inside.to_owned());
    }
    UNDER_WAY.with_borrow_mut(|list| list.push(at));
    let text = repr();
    UNDER_WAY.with_borrow_mut(|list| list.retain(|other| *other != at));
    text
}

/// HTML for notebooks, which Python makes.
pub(crate) fn html(py: Python<'_>, kind: &str, of: &Bound<'_, impl PyClass>) -> PyResult<String> {
    py.import("goemu._html")?.getattr(kind)?.call1((of.as_any(),))?.extract()
}

/// A pointer that is not nil. `value` is what it points at, as far as that was read; the attributes of a struct there are
/// the pointer's, too.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Pointer {
    pub(crate) program: Py<Program>,
    pub(crate) ty: Option<Arc<Type>>,
    #[pyo3(get)]
    pub(crate) address: u64,
    #[pyo3(get)]
    pub(crate) value: Py<PyAny>,
    /// Whether the value was read.
    pub(crate) is_read: bool,
    /// The call that it comes from.
    pub(crate) serial: u64,
}

#[pymethods]
impl Pointer {
    /// The Go type.
    #[getter]
    fn r#type(&self, py: Python<'_>) -> Option<GoType> {
        let ty = self.ty.clone()?;
        Some(GoType { program: self.program.clone_ref(py), ty })
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.value.bind(py).getattr(name)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.value.bind(py).get_item(key)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Pointer>().is_ok_and(|other| {
            let other = other.get();
            other.address == self.address && other.serial == self.serial
        })
    }

    fn __hash__(&self) -> u64 {
        self.address
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let this = slf.get();
        let address = this.address;
        guarded(slf, &format!("&({address:#x})"), || match this.is_read {
            true => Ok(format!("&{}", this.value.bind(slf.py()).repr()?)),
            false => Ok(format!("({})({address:#x})", this.ty.as_ref().map_or("*?", |ty| &ty.name))),
        })
    }
}

/// A value with its Go type: what an interface holds, or what `p.types["uint8"](7)` makes.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Typed {
    pub(crate) program: Py<Program>,
    pub(crate) ty: Arc<Type>,
    #[pyo3(get)]
    pub(crate) value: Py<PyAny>,
}

#[pymethods]
impl Typed {
    /// The dynamic type.
    #[getter]
    fn r#type(&self, py: Python<'_>) -> GoType {
        GoType { program: self.program.clone_ref(py), ty: self.ty.clone() }
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.value.bind(py).getattr(name)
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        match other.cast::<Typed>() {
            Ok(other) => {
                let other = other.get();
                Ok(self.ty.name == other.ty.name && self.value.bind(py).eq(other.value.bind(py))?)
            }
            Err(_) => self.value.bind(py).eq(other),
        }
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.value.bind(py).hash()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let this = slf.get();
        guarded(slf, "(...)", || {
            let value = this.value.bind(slf.py()).repr()?;
            let own = matches!(this.ty.kind, Kind::Struct(_) | Kind::Pointer(_));
            Ok(if own { value.to_string() } else { format!("{}({value})", this.ty) })
        })
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let make = py.import("goemu._pickle")?.getattr("typed")?;
        let parts = (self.program.clone_ref(py), self.ty.name.clone(), self.value.clone_ref(py));
        Ok((make, parts.into_pyobject(py)?))
    }
}

/// A function value that is not nil. It can be called where it captured nothing, or where the state of its program that it lives
/// in was kept (`p.keep()`).
#[pyclass(module = "goemu", frozen)]
pub(crate) struct GoFunc {
    pub(crate) program: Py<Program>,
    pub(crate) ty: Option<Arc<Type>>,
    #[pyo3(get)]
    pub(crate) closure: u64,
    #[pyo3(get)]
    pub(crate) code: u64,
    #[pyo3(get)]
    pub(crate) name: Option<String>,
    pub(crate) serial: u64,
}

#[pymethods]
impl GoFunc {
    /// The Go type.
    #[getter]
    fn r#type(&self, py: Python<'_>) -> Option<GoType> {
        let ty = self.ty.clone()?;
        Some(GoType { program: self.program.clone_ref(py), ty })
    }

    #[pyo3(signature = (*args))]
    fn __call__<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let program = self.program.bind(py);
        if !program.get().is_live(self.closure, self.serial) {
            return Err(PyTypeError::new_err(format!(
                "{} has captured variables of a call that is over: p.keep() after that call keeps them",
                self.name.as_deref().unwrap_or("the function")
            )));
        }
        let function = Function::of_closure(program, self.code, self.closure, self.ty.as_ref())?;
        function.call(py, args)
    }

    fn __repr__(&self) -> String {
        let ty = self.ty.as_ref().map_or("func", |ty| &ty.name);
        let name = self.name.clone().unwrap_or_else(|| format!("{:#x}", self.code));
        format!("<{ty} {name}>")
    }
}

/// What Python can only hold on to: channels, unsafe pointers, and values that could not be read.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Opaque {
    pub(crate) ty: Option<Arc<Type>>,
    #[pyo3(get)]
    pub(crate) kind: &'static str,
    #[pyo3(get)]
    pub(crate) address: u64,
    #[pyo3(get)]
    pub(crate) why: String,
}

#[pymethods]
impl Opaque {
    fn __repr__(&self) -> String {
        let ty = self.ty.as_ref().map_or("", |ty| &ty.name);
        let why = if self.why.is_empty() { String::new() } else { format!(" {}", self.why) };
        format!("<{} {ty} {:#x}{why}>", self.kind, self.address)
    }
}

/// A Go literal as text, for any argument: `goemu.lit("&Point{X: 1}")`.
///
/// >>> t.main.describe(goemu.lit("&rect{2, 3}"))
/// 'shape 6'
#[pyclass(module = "goemu", name = "lit", frozen)]
pub(crate) struct Literal {
    #[pyo3(get)]
    pub(crate) text: String,
}

#[pymethods]
impl Literal {
    #[new]
    fn new(text: String) -> Literal {
        Literal { text }
    }

    fn __repr__(&self) -> String {
        format!("lit({:?})", self.text)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyType>, (String,)) {
        (py.get_type::<Literal>(), (self.text.clone(),))
    }
}
