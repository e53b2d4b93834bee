//! Questions about the whole file: functions, disassembly, how it was built.

use goemu::disasm::disassemble;
use goemu::go::names::{are_hashed, find, package};
use goemu_loader::{Abi, Func, Signature};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors;
use crate::hooks::matches;
use crate::program::{Program, function_name};

/// A function of the file.
#[pyclass(module = "goemu", frozen, get_all)]
pub(crate) struct FunctionInfo {
    /// The full name.
    name: String,
    /// Where it begins.
    address: u64,
    /// Bytes of code.
    size: u64,
    /// The path of its package.
    package: String,
    /// In Go syntax, where it is known.
    signature: Option<String>,
    /// The source file.
    file: Option<String>,
    /// The source line.
    line: Option<u32>,
    /// `ABIInternal` or `ABI0`.
    abi: &'static str,
}

impl FunctionInfo {
    fn of(func: &Func<'_>) -> FunctionInfo {
        let line = func.line_at(func.entry());
        let signature = func.image().signature(func).ok().flatten();
        FunctionInfo {
            name: func.name().to_owned(),
            address: func.entry(),
            size: func.end().saturating_sub(func.entry()),
            package: package(func.name()).to_owned(),
            signature: signature.as_ref().map(Signature::to_string),
            file: line.map(|line| line.file.to_owned()),
            line: line.map(|line| line.line),
            abi: match func.abi() {
                Abi::Abi0 => "ABI0",
                Abi::Internal => "ABIInternal",
            },
        }
    }
}

#[pymethods]
impl FunctionInfo {
    /// A dict of it, as data frames are made of.
    fn asdict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("name", &self.name)?;
        dict.set_item("address", self.address)?;
        dict.set_item("size", self.size)?;
        dict.set_item("package", &self.package)?;
        dict.set_item("signature", &self.signature)?;
        dict.set_item("file", &self.file)?;
        dict.set_item("line", self.line)?;
        dict.set_item("abi", self.abi)?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        format!("<{:#x} {} {}>", self.address, self.name, self.signature.as_deref().unwrap_or(""))
    }
}

/// An instruction of a listing.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Line {
    /// Its address.
    #[pyo3(get)]
    address: u64,
    bytes: Vec<u8>,
    /// In the syntax of Go's assembler.
    #[pyo3(get)]
    text: String,
    /// The source file.
    #[pyo3(get)]
    file: Option<String>,
    /// The source line.
    #[pyo3(get)]
    line: Option<u32>,
}

#[pymethods]
impl Line {
    /// Its bytes.
    #[getter]
    fn bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    fn asdict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("address", self.address)?;
        dict.set_item("bytes", PyBytes::new(py, &self.bytes))?;
        dict.set_item("text", &self.text)?;
        dict.set_item("file", &self.file)?;
        dict.set_item("line", self.line)?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        format!("<{:#x} {}>", self.address, self.text)
    }
}

#[pymethods]
impl Program {
    /// The functions whose names match a pattern (`main.*`), in order of address; all without one.
    ///
    /// >>> [f.signature for f in p.functions("main.fib")]
    /// ['func(n int) int']
    #[pyo3(signature = (pattern=None))]
    fn functions(&self, py: Python<'_>, pattern: Option<&str>) -> Vec<FunctionInfo> {
        let image = self.image();
        py.detach(|| {
            let wanted = |func: &Func<'_>| pattern.is_none_or(|pattern| matches(pattern, func.name()));
            image.defined_funcs().filter(wanted).map(|func| FunctionInfo::of(&func)).collect()
        })
    }

    /// The instructions of a function.
    fn disassemble<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let name = match name.cast::<crate::function::Function>() {
            Ok(function) => format!("{:#x}", function.get().entry()),
            Err(_) => function_name(name)?,
        };
        let image = self.image();
        let func = find(image, &name).map_err(|error| errors::from(py, &error))?;
        let lines = disassemble(image, &func).map(|line| Line {
            address: line.address,
            bytes: line.bytes.to_vec(),
            text: line.text,
            file: line.source.map(|source| source.file.to_owned()),
            line: line.source.map(|source| source.line),
        });
        let lines: Vec<Line> = lines.collect();
        py.import("goemu._watch")?.getattr("Listing")?.call1((func.name(), lines))
    }

    /// How the program was built, and what was found in it: a dict.
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (image, dict) = (self.image(), PyDict::new(py));
        let build = image.build_info();
        let target = image.target();
        dict.set_item("go", &build.version)?;
        dict.set_item("path", &build.path)?;
        dict.set_item("module", build.main.as_ref().map(|module| module.path.clone()))?;
        let deps: Vec<(String, String)> =
            build.deps.iter().map(|module| (module.path.clone(), module.version.clone())).collect();
        dict.set_item("dependencies", deps)?;
        let settings = PyDict::new(py);
        build.settings.iter().try_for_each(|(key, value)| settings.set_item(key, value))?;
        dict.set_item("settings", settings)?;
        dict.set_item("os", format!("{:?}", target.os).to_lowercase())?;
        dict.set_item("position_independent", target.position_independent)?;
        dict.set_item("base", image.base())?;
        dict.set_item("dump", image.is_dump())?;
        dict.set_item("remarks", image.remarks().to_vec())?;
        dict.set_item("runtime", format!("go1.{}", image.facts().version.minor))?;
        dict.set_item("names_hashed", are_hashed(image))?;
        dict.set_item("functions", image.defined_funcs().count())?;
        dict.set_item("symbols", image.symbols().count())?;
        dict.set_item("types", image.types().count())?;
        let sections: Vec<String> = image.sections().iter().map(|section| section.name.clone()).collect();
        dict.set_item("sections", sections)?;
        Ok(dict)
    }
}
