//! Values of Python to values of Go, by type, and back.

use std::fmt;
use std::sync::Arc;

use goemu::Value;
use goemu::go::literal::parse_value;
use goemu::go::value::{Bytes, Func, Interface, List, Map, Pointer as GoPointer, Struct};
use goemu::{Image, go::guest::Types};
use goemu_loader::{Field, Kind, Type, TypeRef};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyComplex, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTuple,
};

use crate::callables::Holding;
use crate::errors;
use crate::function::Function;
use crate::program::Program;
use crate::values::{GoFunc, Literal, Opaque, Pointer, Record, Typed};

/// Values inside values.
const MAX_DEPTH: usize = 150;

/// Where in the arguments a value is, for messages.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Param(usize, &'a goemu_loader::Param),
    Result(usize, &'a goemu_loader::Param),
    Value,
    Index(&'a Path<'a>, usize),
    Field(&'a Path<'a>, &'a str),
    Key(&'a Path<'a>),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Param(n, param) => write!(f, "argument {} ({param})", n + 1),
            Path::Result(n, param) => write!(f, "result {} ({param})", n + 1),
            Path::Value => f.write_str("the value"),
            Path::Index(outer, at) => write!(f, "{outer}[{at}]"),
            Path::Field(outer, name) => write!(f, "{outer}.{name}"),
            Path::Key(outer) => write!(f, "{outer}, a key"),
        }
    }
}

impl Path<'_> {
    fn depth(&self) -> usize {
        match self {
            Path::Index(outer, _) | Path::Field(outer, _) | Path::Key(outer) => outer.depth() + 1,
            _ => 0,
        }
    }
}

/// What conversions need to know.
pub(crate) struct Converter<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) program: &'a Bound<'py, Program>,
    /// The call whose addresses are good: one under way, for hooks.
    pub(crate) serial: u64,
    /// Where Python functions go that are arguments; nothing where they cannot be.
    pub(crate) held: Option<&'a Holding>,
}

impl<'a, 'py> Converter<'a, 'py> {
    /// Converts for a call that is under way, or over.
    pub(crate) fn of_call(program: &'a Bound<'py, Program>, serial: u64) -> Converter<'a, 'py> {
        Converter { py: program.py(), program, serial, held: None }
    }

    fn image(&self) -> &Arc<Image> {
        self.program.get().image()
    }

    fn resolve(&self, reference: &TypeRef, path: &Path<'_>) -> PyResult<Arc<Type>> {
        Types::resolve(&**self.image(), reference)
            .map_err(|error| errors::argument(&format!("{path}: {error}")))
    }

    fn wanted(&self, given: &Bound<'py, PyAny>, ty: &Type, path: &Path<'_>) -> PyErr {
        let found = given.get_type().name().map_or_else(|_| "something".to_owned(), |name| name.to_string());
        let article = if ty.name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        errors::argument(&format!("{path}: {article} {ty} is wanted, and this is a Python {found}"))
    }

    /// The value of a Go type that something in Python stands for.
    pub(crate) fn value(
        &self,
        given: &Bound<'py, PyAny>,
        ty: &Arc<Type>,
        path: &Path<'_>,
    ) -> PyResult<Value> {
        if path.depth() > MAX_DEPTH {
            return Err(errors::argument(&format!("{path}: the value is nested more than {MAX_DEPTH} deep")));
        }
        if let Ok(literal) = given.cast::<Literal>() {
            return parse_value(&literal.get().text, ty, &**self.image())
                .map_err(|error| errors::argument(&format!("{path}: {error}")));
        }
        let interface = matches!(ty.kind, Kind::Interface { .. });
        if let (Ok(typed), false) = (given.cast::<Typed>(), interface) {
            return self.value(typed.get().value.bind(self.py), ty, path);
        }
        match &ty.kind {
            Kind::Bool => match given.cast::<PyBool>() {
                Ok(b) => Ok(Value::Bool(b.is_true())),
                Err(_) => Err(self.wanted(given, ty, path)),
            },
            Kind::Int | Kind::Uint | Kind::Uintptr => self.integer(given, ty, path),
            Kind::Float => self.float(given, ty, path),
            Kind::Complex => self.complex(given, ty, path),
            Kind::String => match self.bytes(given) {
                Some(bytes) => Ok(Value::String(bytes?)),
                None => Err(self.wanted(given, ty, path)),
            },
            _ if given.is_none() => self.nil(given, ty, path),
            Kind::Slice(elem) => {
                let elem = self.resolve(elem, path)?;
                self.list(given, ty, &elem, path)
            }
            Kind::Array { elem, .. } => self.list(given, ty, elem, path),
            Kind::Struct(fields) => self.structure(given, ty, fields, path),
            Kind::Map { key, elem } => {
                let (key, elem) = (self.resolve(key, path)?, self.resolve(elem, path)?);
                self.map(given, ty, (&key, &elem), path)
            }
            Kind::Pointer(to) => self.pointer(given, to, path),
            Kind::Interface { .. } => self.dynamic(given, ty, path),
            Kind::Func(_) => self.func(given, ty, path),
            Kind::Chan { .. } | Kind::UnsafePointer => self.opaque(given, ty, path),
        }
    }

    fn nil(&self, given: &Bound<'py, PyAny>, ty: &Arc<Type>, path: &Path<'_>) -> PyResult<Value> {
        match ty.kind {
            Kind::Struct(_) | Kind::Array { .. } => Err(self.wanted(given, ty, path)),
            _ => Ok(Value::Nil(None)),
        }
    }

    fn integer(&self, given: &Bound<'py, PyAny>, ty: &Type, path: &Path<'_>) -> PyResult<Value> {
        let index = || given.hasattr("__index__").unwrap_or(false);
        if given.is_instance_of::<PyBool>() || !(given.is_instance_of::<PyInt>() || index()) {
            return Err(self.wanted(given, ty, path));
        }
        let over = || PyOverflowError::new_err(format!("{path}: {given} overflows {ty}"));
        let bits = 8 * ty.size.clamp(1, 8) as u32;
        if ty.kind == Kind::Int {
            let n = given.extract::<i64>().map_err(|_| over())?;
            let shift = 64 - bits;
            if n << shift >> shift == n { Ok(Value::Int(n)) } else { Err(over()) }
        } else {
            let n = given.extract::<u64>().map_err(|_| over())?;
            let fits = bits == 64 || n >> bits == 0;
            let value = if ty.kind == Kind::Uintptr { Value::Uintptr(n) } else { Value::Uint(n) };
            if fits { Ok(value) } else { Err(over()) }
        }
    }

    fn float(&self, given: &Bound<'py, PyAny>, ty: &Type, path: &Path<'_>) -> PyResult<Value> {
        let plain = given.is_instance_of::<PyFloat>() || given.is_instance_of::<PyInt>();
        let text = given.is_instance_of::<PyString>() || given.is_instance_of::<PyBool>();
        if text || !(plain || given.hasattr("__float__")?) {
            return Err(self.wanted(given, ty, path));
        }
        let number = given.extract::<f64>().map_err(|error| errors::argument(&format!("{path}: {error}")))?;
        if ty.size == 8 {
            return Ok(Value::Float64(number));
        }
        let narrow = number as f32;
        if narrow.is_infinite() && number.is_finite() {
            return Err(PyOverflowError::new_err(format!("{path}: {number} overflows {ty}")));
        }
        Ok(Value::Float32(narrow))
    }

    fn complex(&self, given: &Bound<'py, PyAny>, ty: &Type, path: &Path<'_>) -> PyResult<Value> {
        let (re, im) = if let Ok(number) = given.cast::<PyComplex>() {
            (number.getattr("real")?.extract::<f64>()?, number.getattr("imag")?.extract::<f64>()?)
        } else if given.is_instance_of::<PyFloat>() || given.is_instance_of::<PyInt>() {
            (given.extract::<f64>()?, 0.0)
        } else {
            return Err(self.wanted(given, ty, path));
        };
        Ok(if ty.size == 8 { Value::Complex64(re as f32, im as f32) } else { Value::Complex128(re, im) })
    }

    /// Text and what is bytes.
    fn bytes(&self, given: &Bound<'py, PyAny>) -> Option<PyResult<Vec<u8>>> {
        if let Ok(text) = given.cast::<PyString>() {
            let encoded = text.call_method1("encode", ("utf-8", "surrogateescape"));
            return Some(encoded.and_then(|bytes| Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())));
        }
        if let Ok(bytes) = given.cast::<PyBytes>() {
            return Some(Ok(bytes.as_bytes().to_vec()));
        }
        if let Ok(array) = given.cast::<PyByteArray>() {
            return Some(Ok(array.to_vec()));
        }
        if given.is_instance_of::<PyMemoryView>() {
            let bytes = given.call_method0("tobytes");
            return Some(bytes.and_then(|bytes| Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())));
        }
        None
    }

    fn list(
        &self,
        given: &Bound<'py, PyAny>,
        ty: &Arc<Type>,
        elem: &Arc<Type>,
        path: &Path<'_>,
    ) -> PyResult<Value> {
        let is_byte = elem.kind == Kind::Uint && elem.size == 1;
        if is_byte && let Some(bytes) = self.bytes(given) {
            return Ok(Value::Bytes(Bytes { ty: Some(ty.clone()), bytes: bytes? }));
        }
        if given.is_instance_of::<PyString>() || given.is_instance_of::<PyDict>() {
            return Err(self.wanted(given, ty, path));
        }
        let Ok(items) = given.try_iter() else { return Err(self.wanted(given, ty, path)) };
        let mut elems = Vec::new();
        for (at, item) in items.enumerate() {
            elems.push(self.value(&item?, elem, &Path::Index(path, at))?);
        }
        Ok(Value::List(List { ty: Some(ty.clone()), elems }))
    }

    fn structure(
        &self,
        given: &Bound<'py, PyAny>,
        ty: &Arc<Type>,
        fields: &[Field],
        path: &Path<'_>,
    ) -> PyResult<Value> {
        let mut values = Vec::new();
        let mut put = |name: &str, value: &Bound<'py, PyAny>| -> PyResult<()> {
            let field = fields.iter().find(|field| field.name == name).ok_or_else(|| {
                let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                errors::argument(&format!(
                    "{path}: {ty} has no field {name}; its fields are {}",
                    known.join(", ")
                ))
            })?;
            values.push((name.to_owned(), self.value(value, &field.ty, &Path::Field(path, name))?));
            Ok(())
        };
        if let Ok(record) = given.cast::<Record>() {
            let record = record.get();
            for (name, value) in record.names.iter().zip(record.all(self.py)) {
                if name != "_" {
                    put(name, value.bind(self.py))?;
                }
            }
        } else if let Ok(dict) = given.cast::<PyDict>() {
            for (key, value) in dict.iter() {
                put(&key.str()?.to_string(), &value)?;
            }
        } else if let Ok(tuple) = given.cast::<PyTuple>() {
            if tuple.len() != fields.len() {
                let text = format!("{path}: {ty} takes {} values, not {}", fields.len(), tuple.len());
                return Err(errors::argument(&text));
            }
            for (field, value) in fields.iter().zip(tuple.iter()) {
                put(&field.name, &value)?;
            }
        } else if let Ok(own) = given.getattr("__dataclass_fields__") {
            for name in own.try_iter()? {
                let name = name?.str()?.to_string();
                put(&name, &given.getattr(name.as_str())?)?;
            }
        } else {
            return Err(self.wanted(given, ty, path));
        }
        Ok(Value::Struct(Struct { ty: Some(ty.clone()), fields: values }))
    }

    fn map(
        &self,
        given: &Bound<'py, PyAny>,
        ty: &Arc<Type>,
        (key, elem): (&Arc<Type>, &Arc<Type>),
        path: &Path<'_>,
    ) -> PyResult<Value> {
        let Ok(items) = given.call_method0("items") else { return Err(self.wanted(given, ty, path)) };
        let mut entries = Vec::new();
        for (at, item) in items.try_iter()?.enumerate() {
            let (k, v): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item?.extract()?;
            entries.push((
                self.value(&k, key, &Path::Key(path))?,
                self.value(&v, elem, &Path::Index(path, at))?,
            ));
        }
        Ok(Value::Map(Map { ty: Some(ty.clone()), entries }))
    }

    fn pointer(&self, given: &Bound<'py, PyAny>, to: &TypeRef, path: &Path<'_>) -> PyResult<Value> {
        let Ok(pointer) = given.cast::<Pointer>() else {
            // A pointer to a new variable that holds the value.
            let to = self.resolve(to, path)?;
            return Ok(Value::pointer_to(self.value(given, &to, path)?));
        };
        let pointer = pointer.get();
        if pointer.serial == self.serial || self.program.get().is_live(pointer.address, pointer.serial) {
            return Ok(Value::Pointer(GoPointer { ty: None, addr: pointer.address, pointee: None }));
        }
        if !pointer.is_read {
            return Err(errors::argument(&format!(
                "{path}: the pointer is of a call that is over, and what it points at was not read: p.keep() after that \
                 call keeps it"
            )));
        }
        let to = self.resolve(to, path)?;
        Ok(Value::pointer_to(self.value(pointer.value.bind(self.py), &to, path)?))
    }

    /// What an interface is to hold.
    fn dynamic(&self, given: &Bound<'py, PyAny>, ty: &Arc<Type>, path: &Path<'_>) -> PyResult<Value> {
        let with_type = |ty: Arc<Type>, value| {
            Value::Interface(Interface { ty: Some(ty), value: Box::new(value), data: 0, text: None })
        };
        if let Ok(typed) = given.cast::<Typed>() {
            let typed = typed.get();
            let value = self.value(typed.value.bind(self.py), &typed.ty, path)?;
            return Ok(with_type(typed.ty.clone(), value));
        }
        if let Ok(record) = given.cast::<Record>() {
            let ty = record.get().ty.clone();
            return Ok(with_type(ty.clone(), self.value(given, &ty, path)?));
        }
        if let Ok(pointer) = given.cast::<Pointer>()
            && let Some(ty) = pointer.get().ty.clone()
        {
            return Ok(with_type(ty.clone(), self.value(given, &ty, path)?));
        }
        if let Ok(error) = given.getattr("_go_value") {
            return if error.is_none() {
                self.new_error(given, ty, path)
            } else {
                self.value(&error, ty, path)
            };
        }
        if let Ok(b) = given.cast::<PyBool>() {
            return Ok(Value::Bool(b.is_true()));
        }
        if given.is_instance_of::<PyInt>() {
            let over = |_| PyOverflowError::new_err(format!("{path}: {given} overflows int"));
            return Ok(Value::Int(given.extract().map_err(over)?));
        }
        if given.is_instance_of::<PyFloat>() {
            return Ok(Value::Float64(given.extract()?));
        }
        if let Ok(text) = given.cast::<PyString>() {
            return Ok(Value::String(self.bytes(text.as_any()).transpose()?.unwrap_or_default()));
        }
        if let Some(bytes) = self.bytes(given) {
            return Ok(Value::Bytes(Bytes { ty: None, bytes: bytes? }));
        }
        let found = given.get_type().name().map_or_else(|_| "value".to_owned(), |name| name.to_string());
        Err(errors::argument(&format!(
            "{path}: which Go type is this Python {found} to have in a {ty}? Say it: p.types[\"...\"](value)"
        )))
    }

    /// A `GoError` that Python has made: what `errors.New` makes of its text.
    fn new_error(&self, error: &Bound<'py, PyAny>, ty: &Arc<Type>, path: &Path<'_>) -> PyResult<Value> {
        let text = self.bytes(&error.getattr("text")?).transpose()?;
        let text =
            text.ok_or_else(|| errors::argument(&format!("{path}: the text of a GoError is no text")))?;
        let empty = parse_value("errors.New(\"\")", ty, &**self.image());
        match empty.map_err(|error| errors::argument(&format!("{path}: {error}")))? {
            Value::Interface(made) => {
                let value = Box::new(Value::pointer_to(Value::tuple([Value::String(text)])));
                Ok(Value::Interface(Interface { value, ..made }))
            }
            other => Ok(other),
        }
    }

    fn func(&self, given: &Bound<'py, PyAny>, ty: &Arc<Type>, path: &Path<'_>) -> PyResult<Value> {
        if let Ok(func) = given.cast::<GoFunc>() {
            let func = func.get();
            let good = func.serial == self.serial || self.program.get().is_live(func.closure, func.serial);
            let closure = if good { func.closure } else { 0 };
            let name = func.name.clone();
            if !good {
                return Err(errors::argument(&format!("{path}: the function is of a call that is over")));
            }
            return Ok(Value::Func(Func { ty: None, closure, code: func.code, name }));
        }
        if let Ok(func) = given.cast::<Function>() {
            let code = func.get().entry();
            return Ok(Value::Func(Func { ty: None, closure: 0, code, name: None }));
        }
        match self.held {
            _ if !given.is_callable() => Err(self.wanted(given, ty, path)),
            Some(held) => held.value(self.program, ty, given),
            None => Err(errors::argument(&format!(
                "{path}: a Python function can be an argument of a call, and nothing else that is a {ty}"
            ))),
        }
    }

    fn opaque(&self, given: &Bound<'py, PyAny>, ty: &Arc<Type>, path: &Path<'_>) -> PyResult<Value> {
        let unsafe_pointer = ty.kind == Kind::UnsafePointer;
        if let Ok(opaque) = given.cast::<Opaque>() {
            let addr = opaque.get().address;
            return Ok(if unsafe_pointer {
                Value::UnsafePointer(addr)
            } else {
                Value::Chan { ty: None, addr }
            });
        }
        match given.extract::<u64>() {
            Ok(addr) if unsafe_pointer => Ok(Value::UnsafePointer(addr)),
            _ => Err(self.wanted(given, ty, path)),
        }
    }

    /// What a value of Go is in Python.
    pub(crate) fn object(&self, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        Ok(match value {
            Value::Bool(b) => PyBool::new(py, *b).to_owned().into_any(),
            Value::Int(n) => n.into_pyobject(py)?.into_any(),
            Value::Uint(n) | Value::Uintptr(n) => n.into_pyobject(py)?.into_any(),
            Value::Float32(n) => PyFloat::new(py, f64::from(*n)).into_any(),
            Value::Float64(n) => PyFloat::new(py, *n).into_any(),
            Value::Complex64(re, im) => PyComplex::from_doubles(py, (*re).into(), (*im).into()).into_any(),
            Value::Complex128(re, im) => PyComplex::from_doubles(py, *re, *im).into_any(),
            Value::String(bytes) => text(py, bytes),
            Value::Bytes(bytes) => PyBytes::new(py, &bytes.bytes).into_any(),
            Value::List(list) => self.elements(list)?,
            Value::Struct(record) => self.record(record)?,
            Value::Map(map) => self.entries(map)?,
            Value::Pointer(pointer) => {
                let value = match &pointer.pointee {
                    Some(to) => self.object(to)?.unbind(),
                    None => py.None(),
                };
                let (program, ty) = (self.program.clone().unbind(), pointer.ty.clone());
                let is_read = pointer.pointee.is_some();
                let pointer =
                    Pointer { program, ty, address: pointer.addr, value, is_read, serial: self.serial };
                Bound::new(py, pointer)?.into_any()
            }
            Value::Interface(interface) => self.interface(interface)?,
            Value::Func(func) => {
                let (program, ty) = (self.program.clone().unbind(), func.ty.clone());
                let (closure, code, name) = (func.closure, func.code, func.name.clone());
                Bound::new(py, GoFunc { program, ty, closure, code, name, serial: self.serial })?.into_any()
            }
            Value::Nil(_) => py.None().into_bound(py),
            Value::Chan { ty, addr } => self.hold("chan", ty.clone(), *addr, String::new())?,
            Value::UnsafePointer(addr) => self.hold("unsafe.Pointer", None, *addr, String::new())?,
            Value::Variable { name, addr } => self.hold("variable", None, *addr, name.clone())?,
            Value::Truncated { value, len } => {
                let part = self.object(value)?;
                errors::classes(py)?.getattr("Truncated")?.call1((part, *len))?
            }
            Value::Elided => self.hold("elided", None, 0, String::new())?,
            Value::Invalid(invalid) => {
                self.hold("unreadable", invalid.ty.clone(), invalid.addr, invalid.reason.to_string())?
            }
            other => self.hold("unknown", None, 0, other.to_string())?,
        })
    }

    fn hold(
        &self,
        kind: &'static str,
        ty: Option<Arc<Type>>,
        address: u64,
        why: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(Bound::new(self.py, Opaque { ty, kind, address, why })?.into_any())
    }

    fn elements(&self, list: &List) -> PyResult<Bound<'py, PyAny>> {
        let elems = list.elems.iter().map(|elem| self.object(elem)).collect::<PyResult<Vec<_>>>()?;
        let is_array = list.ty.as_ref().is_some_and(|ty| matches!(ty.kind, Kind::Array { .. }));
        Ok(if is_array {
            PyTuple::new(self.py, elems)?.into_any()
        } else {
            PyList::new(self.py, elems)?.into_any()
        })
    }

    fn record(&self, record: &Struct) -> PyResult<Bound<'py, PyAny>> {
        let values = record
            .fields
            .iter()
            .map(|(_, value)| Ok(self.object(value)?.unbind()))
            .collect::<PyResult<_>>()?;
        let names = record.fields.iter().map(|(name, _)| name.clone()).collect();
        let ty = record.ty.clone().unwrap_or_else(|| {
            let kind = Kind::Struct(Vec::new());
            Arc::new(Type { name: "struct".to_owned(), size: 0, align: 1, kind, rtype: None })
        });
        let record = Record {
            program: self.program.clone().unbind(),
            ty,
            names,
            values: std::sync::Mutex::new(values),
        };
        Ok(Bound::new(self.py, record)?.into_any())
    }

    /// A dict; a list of pairs where a key cannot be in one.
    fn entries(&self, map: &Map) -> PyResult<Bound<'py, PyAny>> {
        let entries = map.entries.iter().map(|(k, v)| Ok((self.object(k)?, self.object(v)?)));
        let entries = entries.collect::<PyResult<Vec<_>>>()?;
        let dict = PyDict::new(self.py);
        for (key, value) in &entries {
            if dict.set_item(key, value).is_err() {
                return Ok(PyList::new(self.py, entries)?.into_any());
            }
        }
        Ok(dict.into_any())
    }

    fn interface(&self, interface: &Interface) -> PyResult<Bound<'py, PyAny>> {
        let value = self.object(&interface.value)?;
        let held = match &interface.ty {
            // These know their types.
            Some(ty) if !value.is_instance_of::<Record>() && !value.is_instance_of::<Pointer>() => {
                let typed =
                    Typed { program: self.program.clone().unbind(), ty: ty.clone(), value: value.unbind() };
                Bound::new(self.py, typed)?.into_any()
            }
            _ => value,
        };
        match &interface.text {
            Some(text) => errors::classes(self.py)?.getattr("GoError")?.call1((text, held)),
            None => Ok(held),
        }
    }
}

/// A string: bytes where it is not UTF-8.
pub(crate) fn text<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyAny> {
    match std::str::from_utf8(bytes) {
        Ok(text) => PyString::new(py, text).into_any(),
        Err(_) => PyBytes::new(py, bytes).into_any(),
    }
}
