//! Traces for Tenet, the trace explorer for IDA and Binary Ninja.
//!
//! Each line is the state after one instruction: the registers that differ from the line before, RIP, and the memory that
//! the instruction read (`mr`) or wrote (`mw`), as address and bytes. The first line has all registers.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::out::Out;
use crate::cpu::Cpu;
use crate::trace::{Detail, Record, Sink, Step};

/// In the order in which [`Cpu`] numbers them.
const NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// Bytes of the largest operand: what FXSAVE writes.
const MAX_OPERAND: usize = 512;

/// Writes a run as a log for Tenet. Once a write fails, the rest is dropped.
pub struct Tenet<W> {
    to: Out<W>,
    line: String,
    /// The registers as the log has them.
    known: Option<[u64; 16]>,
}

impl<W: Write> Tenet<W> {
    /// A log. Give it a buffered writer.
    pub fn new(to: W) -> Tenet<W> {
        Tenet { to: Out::new(to), line: String::new(), known: None }
    }

    /// The error that ended the log, if one did.
    pub fn failure(&self) -> Option<&io::Error> {
        self.to.failure()
    }

    /// Adds the registers that the log does not have yet.
    fn add_registers(&mut self, cpu: &Cpu) {
        let known = self.known;
        let now: [u64; 16] = std::array::from_fn(|n| cpu.gpr(n as u8));
        for (n, (name, value)) in NAMES.iter().zip(now).enumerate() {
            if known.is_none_or(|known| known[n] != value) {
                let _ = write!(self.line, "{name}={value:#x},");
            }
        }
        self.known = Some(now);
    }

    /// Adds the memory of an instruction.
    fn add_memory(&mut self, step: &Step<'_>) {
        for effect in step.memory() {
            for (word, wanted, value) in
                [("mr", effect.read, effect.before), ("mw", effect.written, effect.after)]
            {
                let mut bytes = [0; MAX_OPERAND];
                let Some(bytes) = bytes.get_mut(..effect.size).filter(|_| wanted) else { continue };
                match value {
                    Some(value) => {
                        bytes.iter_mut().zip(value.to_le_bytes()).for_each(|(to, byte)| *to = byte)
                    }
                    // Larger than what a step keeps.
                    None if step.view().memory.read_bytes(effect.addr, bytes).is_ok() => {}
                    None => continue,
                }
                let _ = write!(self.line, ",{word}={:#x}:", effect.addr);
                bytes.iter().for_each(|byte| {
                    let _ = write!(self.line, "{byte:02x}");
                });
            }
        }
    }

    fn end_line(&mut self) {
        self.line.push('\n');
        let line = &self.line;
        self.to.write(|to| to.write_all(line.as_bytes()));
        self.line.clear();
    }
}

impl<W: Write> Sink for Tenet<W> {
    fn detail(&self) -> Detail {
        Detail::Instructions
    }

    fn record(&mut self, record: &Record<'_>) {
        match record {
            Record::Event(event) if matches!(event.event, crate::observe::Event::CallBegins { .. }) => {
                self.known = None;
                self.add_registers(event.at.cpu);
                let _ = write!(self.line, "rip={:#x}", event.at.cpu.rip);
                self.end_line();
            }
            Record::Step(step) => {
                let cpu = step.view().cpu;
                self.add_registers(cpu);
                let _ = write!(self.line, "rip={:#x}", cpu.rip);
                self.add_memory(step);
                self.end_line();
            }
            _ => {}
        }
    }

    fn finish(&mut self) {
        self.to.write(Write::flush);
    }
}
