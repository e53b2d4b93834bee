//! Variables of functions, looked at where a line begins.

use goemu_loader::{Image, Placed};
use rustc_hash::FxHashMap;

use crate::cpu::gpr;
use crate::go::locals::{self, Called};
use crate::go::read::{Limits, Reader};
use crate::go::traceback::unwind::Start;
use crate::observe::View;

/// Lines whose variables are looked at.
const MAX_LOOKS: u32 = 200_000;
/// A page shows the beginning of a value.
const LIMITS: Limits = Limits { depth: 4, pointers: 2, elems: 16, bytes: 64, work: 256 };

/// What debug information has said of addresses, and what variables were last.
#[derive(Default)]
pub(super) struct Locals {
    lines: FxHashMap<u64, Option<(u64, u32)>>,
    placed: FxHashMap<u64, Vec<Placed>>,
    last: FxHashMap<(usize, String), String>,
    at: Option<(usize, u32)>,
    looks: u32,
}

impl Locals {
    /// The variables that have changed, where the machine comes to another line of the call with this number, which is one of
    /// the function at `entry`.
    pub(super) fn changed(&mut self, at: &View<'_>, call: usize, entry: u64) -> Vec<(String, String)> {
        let Some((func, line)) = self.line(at.image, at.cpu.rip) else { return Vec::new() };
        // The call of a function that has just been entered is told of later.
        if func != entry || self.at == Some((call, line)) || self.looks >= MAX_LOOKS {
            return Vec::new();
        }
        self.at = Some((call, line));
        self.looks += 1;
        let start = Start { pc: at.cpu.rip, sp: at.cpu.gpr(gpr::RSP), trap: true };
        // Inlined calls have variables of their own: the function's are those of the last call of the frame.
        let Some(called) = locals::frame_at(at.image, at.memory, start) else { return Vec::new() };
        let reader = Reader { limits: LIMITS, ..Reader::new(at.memory, at.image) };
        let variables = locals::read(self.placed(at.image, &called), &called, Some(at.cpu), &reader);
        let mut changed = Vec::new();
        for variable in variables {
            let key = (call, variable.name);
            let value = match (variable.value, self.last.contains_key(&key)) {
                (Ok(value), _) => value.to_string(),
                (Err(missing), true) => format!("({missing})"),
                (Err(_), false) => continue,
            };
            if self.last.get(&key) != Some(&value) {
                changed.push((key.1.clone(), value.clone()));
                self.last.insert(key, value);
            }
        }
        changed
    }

    /// Whether there were more lines than are looked at.
    pub(super) fn are_cut(&self) -> bool {
        self.looks >= MAX_LOOKS
    }

    /// The function and the line at an address; none within Go's runtime, and where neither is known.
    fn line(&mut self, image: &Image, pc: u64) -> Option<(u64, u32)> {
        *self.lines.entry(pc).or_insert_with(|| {
            let func = image.func_at(pc)?;
            let runtime = func.name().starts_with("runtime.") || func.name().starts_with("internal/runtime/");
            let line = func.inlined_at(pc).last()?.line?.line;
            (!runtime).then_some((func.entry(), line))
        })
    }

    fn placed(&mut self, image: &Image, called: &Called<'_>) -> &[Placed] {
        let found = || locals::placed(image, called).unwrap_or_default();
        self.placed.entry(called.frame.pc).or_insert_with(found)
    }
}
