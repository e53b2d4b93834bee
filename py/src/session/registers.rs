//! The registers of a session, or of the guest at a hook.

use pyo3::exceptions::{PyAttributeError, PyOverflowError};
use pyo3::prelude::*;

use goemu::cpu::Cpu;

use super::Session;
use crate::context::Context;

/// Whose registers.
enum Of {
    Session(Py<Session>),
    Hook(Py<Context>),
}

/// The registers of a session, or of the guest at a hook, by lower-case name.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Registers {
    of: Of,
}

impl Registers {
    pub(super) fn of_session(session: Py<Session>) -> Registers {
        Registers { of: Of::Session(session) }
    }

    pub(crate) fn of_hook(context: Py<Context>) -> Registers {
        Registers { of: Of::Hook(context) }
    }

    fn see<T: Send>(&self, py: Python<'_>, act: impl FnOnce(&Cpu) -> T + Send) -> PyResult<T> {
        match &self.of {
            Of::Session(session) => session.get().with(py, |session| act(session.machine().cpu())),
            Of::Hook(context) => context.get().with(|guest| act(&guest.cpu)),
        }
    }

    fn change<T: Send>(&self, py: Python<'_>, act: impl FnOnce(&mut Cpu) -> T + Send) -> PyResult<T> {
        match &self.of {
            Of::Session(session) => session.get().with(py, |session| act(session.cpu_mut())),
            Of::Hook(context) => context.get().with(|guest| act(&mut guest.cpu)),
        }
    }
}

/// General-purpose registers in the processor's order.
const NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// A register.
#[derive(Clone, Copy)]
enum Register {
    /// Number, width, and the lowest bit.
    General(u8, u32, u32),
    Rip,
    Rflags,
    /// Number, and whether all 256 bits are meant.
    Vector(usize, bool),
}

fn register(name: &str) -> Option<Register> {
    let whole = |name: &str| NAMES.iter().position(|own| *own == name).map(|at| at as u8);
    if let Some(n) = whole(name) {
        return Some(Register::General(n, 64, 0));
    }
    for (prefix, wide) in [("xmm", false), ("ymm", true)] {
        if let Some(n) = name.strip_prefix(prefix).and_then(|n| n.parse::<usize>().ok()) {
            return (n < 16).then_some(Register::Vector(n, wide));
        }
    }
    match name {
        "rip" | "pc" => return Some(Register::Rip),
        "rflags" | "eflags" => return Some(Register::Rflags),
        "ah" | "ch" | "dh" | "bh" => {
            return whole(&format!("r{}x", &name[..1])).map(|n| Register::General(n, 8, 8));
        }
        "al" | "cl" | "dl" | "bl" => {
            return whole(&format!("r{}x", &name[..1])).map(|n| Register::General(n, 8, 0));
        }
        _ => {}
    }
    for (suffix, bits) in [("d", 32), ("w", 16), ("b", 8)] {
        if let Some(n) = name.strip_suffix(suffix).filter(|base| base.starts_with('r')).and_then(whole) {
            return Some(Register::General(n, bits, 0));
        }
    }
    if let Some(n) = name.strip_prefix('e').and_then(|rest| whole(&format!("r{rest}"))) {
        return Some(Register::General(n, 32, 0));
    }
    if let Some(n) = name.strip_suffix('l').and_then(|rest| whole(&format!("r{rest}"))) {
        return Some(Register::General(n, 8, 0));
    }
    whole(&format!("r{name}")).map(|n| Register::General(n, 16, 0))
}

fn known(name: &str) -> PyResult<Register> {
    register(name).ok_or_else(|| PyAttributeError::new_err(format!("no register {name}")))
}

#[pymethods]
impl Registers {
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let register = known(name)?;
        let words = self.see(py, move |cpu| match register {
            Register::General(n, bits, shift) => {
                let value = cpu.gpr(n) >> shift;
                [u128::from(if bits == 64 { value } else { value & ((1 << bits) - 1) }), 0]
            }
            Register::Rip => [cpu.rip.into(), 0],
            Register::Rflags => [cpu.rflags().into(), 0],
            Register::Vector(n, wide) => {
                let value = cpu.ymm[n];
                [value[0], if wide { value[1] } else { 0 }]
            }
        })?;
        let low = words[0].into_pyobject(py)?.into_any();
        if words[1] == 0 {
            return Ok(low);
        }
        let high = words[1].into_pyobject(py)?.into_any();
        high.call_method1("__lshift__", (128,))?.call_method1("__or__", (low,))
    }

    fn __setattr__(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let register = known(name)?;
        let over = |_| PyOverflowError::new_err(format!("{value} does not fit {name}"));
        let words: [u128; 2] = match register {
            Register::Vector(_, true) => {
                let mask = u128::MAX.into_pyobject(py)?;
                let low = value.call_method1("__and__", (mask,))?.extract::<u128>().map_err(over)?;
                let high = value.call_method1("__rshift__", (128,))?.extract::<u128>().map_err(over)?;
                [low, high]
            }
            Register::Vector(_, false) => [value.extract::<u128>().map_err(over)?, 0],
            Register::General(_, bits, _) => {
                let number = value.extract::<u64>().map_err(over)?;
                if bits < 64 && number >> bits != 0 {
                    return Err(PyOverflowError::new_err(format!("{value} does not fit {name}")));
                }
                [number.into(), 0]
            }
            Register::Rip | Register::Rflags => [value.extract::<u64>().map_err(over)?.into(), 0],
        };
        if matches!((&self.of, register), (Of::Hook(_), Register::Rip)) {
            let text = "a hook cannot set rip: it gives results, or goemu.original to let the function run";
            return Err(PyAttributeError::new_err(text));
        }
        self.change(py, move |cpu| {
            match register {
                Register::General(n, bits, shift) => {
                    let (old, number) = (cpu.gpr(n), words[0] as u64);
                    cpu.set_gpr(
                        n,
                        match bits {
                            // As the processor does, writes of 32 bits clear the others.
                            64 | 32 => number,
                            _ => old & !(((1 << bits) - 1) << shift) | number << shift,
                        },
                    );
                }
                Register::Rip => cpu.rip = words[0] as u64,
                Register::Rflags => cpu.set_rflags(words[0] as u64),
                Register::Vector(n, wide) => {
                    cpu.ymm[n][0] = words[0];
                    if wide {
                        cpu.ymm[n][1] = words[1];
                    }
                }
            }
        })
    }

    fn __dir__(&self) -> Vec<String> {
        let vectors = (0..16).map(|n| format!("xmm{n}"));
        NAMES
            .iter()
            .map(|name| (*name).to_owned())
            .chain(["rip".into(), "rflags".into()])
            .chain(vectors)
            .collect()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let all = self.see(py, |cpu| (cpu.gprs(), cpu.rip, cpu.rflags()))?;
        let mut parts: Vec<String> =
            NAMES.iter().zip(all.0).map(|(name, value)| format!("{name}={value:#x}")).collect();
        parts.push(format!("rip={:#x} rflags={:#x}", all.1, all.2));
        Ok(parts.join(" "))
    }
}
