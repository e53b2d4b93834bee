//! Types of the program.

use std::sync::{Arc, Mutex};

use goemu_loader::{Kind, Type, TypeRef};
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyComplex, PyDict, PyTuple};

use crate::convert::{Converter, Path};
use crate::errors;
use crate::program::Program;
use crate::values::{Record, Typed, html};

/// Elements of an array that a zero value has in Python.
const MOST_ELEMS: u64 = 1 << 16;

/// A Go type. Calling it makes a value: of a struct a record, `Point(X=1, Y=2)`; of another type a value that carries its
/// type into an interface, `p.types["uint8"](7)`.
///
/// >>> t.types["main.point"](x=1)
/// main.point(x=1, y=0)
/// >>> t.main.describe(t.types["uint8"](7))
/// 'uint8 7'
#[pyclass(module = "goemu", frozen)]
pub(crate) struct GoType {
    pub(crate) program: Py<Program>,
    pub(crate) ty: Arc<Type>,
}

impl GoType {
    fn of(&self, py: Python<'_>, ty: Arc<Type>) -> GoType {
        GoType { program: self.program.clone_ref(py), ty }
    }

    fn refers(&self, py: Python<'_>, reference: &TypeRef) -> Option<GoType> {
        let ty = self.program.get().image().resolve(reference).ok()?;
        Some(self.of(py, ty))
    }
}

#[pymethods]
impl GoType {
    /// The type as Go source writes it.
    #[getter]
    fn name(&self) -> &str {
        &self.ty.name
    }

    /// Bytes in memory.
    #[getter]
    fn size(&self) -> u64 {
        self.ty.size
    }

    /// `int`, `struct`, `slice`, `map`, ...
    #[getter]
    pub(crate) fn kind(&self) -> &'static str {
        kind(&self.ty.kind)
    }

    /// A struct's fields: names and types.
    #[getter]
    fn fields(&self, py: Python<'_>) -> Vec<(String, GoType)> {
        match &self.ty.kind {
            Kind::Struct(fields) => {
                fields.iter().map(|field| (field.name.clone(), self.of(py, field.ty.clone()))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Fields with their offsets: `(name, type, offset)`.
    #[getter]
    fn layout(&self) -> Vec<(String, String, u64)> {
        match &self.ty.kind {
            Kind::Struct(fields) => {
                fields.iter().map(|field| (field.name.clone(), field.ty.name.clone(), field.offset)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What a slice, array, pointer, map or channel is of.
    #[getter]
    fn elem(&self, py: Python<'_>) -> Option<GoType> {
        match &self.ty.kind {
            Kind::Slice(elem) | Kind::Pointer(elem) | Kind::Map { elem, .. } | Kind::Chan { elem, .. } => {
                self.refers(py, elem)
            }
            Kind::Array { elem, .. } => Some(self.of(py, elem.clone())),
            _ => None,
        }
    }

    /// A map's key type.
    #[getter]
    fn key(&self, py: Python<'_>) -> Option<GoType> {
        match &self.ty.kind {
            Kind::Map { key, .. } => self.refers(py, key),
            _ => None,
        }
    }

    /// An array's length.
    #[getter]
    fn length(&self) -> Option<u64> {
        match self.ty.kind {
            Kind::Array { len, .. } => Some(len),
            _ => None,
        }
    }

    /// The zero value.
    fn zero<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        zero(self.program.bind(py), &self.ty, 0)
    }

    /// The value of a Go literal: `p.types["[]int"].literal("{1, 2}")`.
    fn literal<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
        let image = self.program.get().image();
        let value = goemu::go::literal::parse_value(text, &self.ty, &**image)
            .map_err(|error| errors::argument(&error.to_string()))?;
        let value = typed(value, &self.ty);
        Converter::of_call(self.program.bind(py), 0).object(&value)
    }

    #[pyo3(signature = (*args, **fields))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        fields: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let converter = Converter::of_call(self.program.bind(py), 0);
        let Kind::Struct(own) = &self.ty.kind else {
            if fields.is_some_and(|fields| !fields.is_empty()) || args.len() != 1 {
                return Err(PyTypeError::new_err(format!("{} takes one value", self.ty)));
            }
            let value = args.get_item(0)?;
            // Checked now, so that the message points at its cause.
            converter.value(&value, &self.ty, &Path::Value)?;
            let typed =
                Typed { program: self.program.clone_ref(py), ty: self.ty.clone(), value: value.unbind() };
            return Ok(Bound::new(py, typed)?.into_any());
        };
        if args.len() > own.len() {
            return Err(PyTypeError::new_err(format!(
                "{} takes {} values, not {}",
                self.ty,
                own.len(),
                args.len()
            )));
        }
        let mut values: Vec<Option<Bound<'py, PyAny>>> = args.iter().map(Some).collect();
        values.resize(own.len(), None);
        for (name, value) in fields.into_iter().flatten() {
            let name = name.extract::<String>()?;
            let Some(at) = own.iter().position(|field| field.name == name) else {
                let known: Vec<&str> = own.iter().map(|field| field.name.as_str()).collect();
                let known = known.join(", ");
                return Err(PyTypeError::new_err(format!(
                    "{} has no field {name}; its fields are {known}",
                    self.ty
                )));
            };
            if let Some(slot) = values.get_mut(at) {
                *slot = Some(value);
            }
        }
        let mut all = Vec::with_capacity(own.len());
        for (field, value) in own.iter().zip(values) {
            all.push(match value {
                Some(value) => {
                    converter.value(&value, &field.ty, &Path::Field(&Path::Value, &field.name))?;
                    value.unbind()
                }
                None => zero(self.program.bind(py), &field.ty, 0)?.unbind(),
            });
        }
        let names = own.iter().map(|field| field.name.clone()).collect();
        let record = Record {
            program: self.program.clone_ref(py),
            ty: self.ty.clone(),
            names,
            values: Mutex::new(all),
        };
        Ok(Bound::new(py, record)?.into_any())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<GoType>().is_ok_and(|other| other.get().ty.name == self.ty.name)
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.ty.name.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("<Go type {}>", self.ty)
    }

    fn __str__(&self) -> String {
        self.ty.name.clone()
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<String> {
        html(slf.py(), "type", slf)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let make = py.import("goemu._pickle")?.getattr("type_")?;
        Ok((make, (self.program.clone_ref(py), self.ty.name.clone()).into_pyobject(py)?))
    }
}

/// The value, with its type where it is a composite one that a literal made.
fn typed(value: goemu::Value, ty: &Arc<Type>) -> goemu::Value {
    use goemu::Value;
    match value {
        Value::Struct(mut value) => {
            value.ty.get_or_insert_with(|| ty.clone());
            if let Kind::Struct(fields) = &ty.kind {
                for (name, inner) in &mut value.fields {
                    if let Some(field) = fields.iter().find(|field| field.name == *name) {
                        let taken = std::mem::replace(inner, Value::nil());
                        *inner = typed(taken, &field.ty);
                    }
                }
            }
            Value::Struct(value)
        }
        Value::List(mut value) => {
            value.ty.get_or_insert_with(|| ty.clone());
            if let Kind::Array { elem, .. } = &ty.kind {
                value.elems = value.elems.into_iter().map(|inner| typed(inner, elem)).collect();
            }
            Value::List(value)
        }
        other => other,
    }
}

/// One word for a kind.
pub(crate) fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Int => "int",
        Kind::Uint => "uint",
        Kind::Uintptr => "uintptr",
        Kind::Float => "float",
        Kind::Complex => "complex",
        Kind::String => "string",
        Kind::UnsafePointer => "unsafe.Pointer",
        Kind::Pointer(_) => "pointer",
        Kind::Slice(_) => "slice",
        Kind::Array { .. } => "array",
        Kind::Struct(_) => "struct",
        Kind::Interface { .. } => "interface",
        Kind::Map { .. } => "map",
        Kind::Chan { .. } => "chan",
        Kind::Func(_) => "func",
    }
}

/// The zero value of a type, in Python.
fn zero<'py>(program: &Bound<'py, Program>, ty: &Arc<Type>, depth: usize) -> PyResult<Bound<'py, PyAny>> {
    let py = program.py();
    Ok(match &ty.kind {
        Kind::Bool => false.into_pyobject(py)?.to_owned().into_any(),
        Kind::Int | Kind::Uint | Kind::Uintptr => 0_i64.into_pyobject(py)?.into_any(),
        Kind::Float => 0.0_f64.into_pyobject(py)?.into_any(),
        Kind::Complex => PyComplex::from_doubles(py, 0.0, 0.0).into_any(),
        Kind::String => "".into_pyobject(py)?.into_any(),
        Kind::Array { elem, len } if elem.size == 1 && elem.kind == Kind::Uint => {
            PyBytes::new(py, &vec![0; (*len).min(1 << 24) as usize]).into_any()
        }
        Kind::Array { elem, len } => {
            if *len > MOST_ELEMS || depth > 20 {
                return Err(PyTypeError::new_err(format!(
                    "{ty} is too large for a zero value: give its elements"
                )));
            }
            let elems = (0..*len).map(|_| zero(program, elem, depth + 1)).collect::<PyResult<Vec<_>>>()?;
            PyTuple::new(py, elems)?.into_any()
        }
        Kind::Struct(fields) if depth <= 20 => {
            let values = fields.iter().map(|field| Ok(zero(program, &field.ty, depth + 1)?.unbind()));
            let values = values.collect::<PyResult<Vec<_>>>()?;
            let names = fields.iter().map(|field| field.name.clone()).collect();
            let program = program.clone().unbind();
            Bound::new(py, Record { program, ty: ty.clone(), names, values: Mutex::new(values) })?.into_any()
        }
        _ => py.None().into_bound(py),
    })
}

/// The types of a program: `p.types["main.Point"]`.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Types {
    pub(crate) program: Py<Program>,
}

#[pymethods]
impl Types {
    fn __getitem__(&self, py: Python<'_>, name: &str) -> PyResult<GoType> {
        find(self.program.bind(py), name)
    }

    fn get(&self, py: Python<'_>, name: &str) -> Option<GoType> {
        find(self.program.bind(py), name).ok()
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> bool {
        find(self.program.bind(py), name).is_ok()
    }

    fn _ipython_key_completions_(&self) -> Vec<String> {
        self.names()
    }

    /// The names of the types that have descriptors.
    fn names(&self) -> Vec<String> {
        let image = self.program.get().image();
        let named = image.types().filter_map(|reference| image.resolve(&reference).ok());
        let mut names: Vec<String> = named.map(|ty| ty.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn __len__(&self) -> usize {
        self.names().len()
    }

    fn __iter__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let names = slf.get().names().into_pyobject(slf.py())?;
        Ok(names.try_iter()?.into_any().unbind())
    }
}

/// A type by name, or as Go writes types: `[]main.Point`.
pub(crate) fn find(program: &Bound<'_, Program>, name: &str) -> PyResult<GoType> {
    let image = program.get().image();
    let of = |ty| GoType { program: program.clone().unbind(), ty };
    if let Some(ty) = goemu::go::guest::Types::named(&**image, name) {
        return Ok(of(ty));
    }
    let unknown = |why: &str| PyKeyError::new_err(format!("no type {name} in the program{why}"));
    let named = |name: &str| goemu::go::guest::Types::named(&**image, name);
    let signature = goemu_loader::sigparse::parse_signature(&format!("func(_ {name})"), &named)
        .map_err(|error| unknown(&format!(": {error}")))?;
    signature.params.into_iter().next().map(|param| of(param.ty)).ok_or_else(|| unknown(""))
}
