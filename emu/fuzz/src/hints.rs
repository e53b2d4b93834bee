//! What parts of an input are compared with: numbers by CMP, bytes by the runtime's comparisons. Where a value that is found in the
//! input, as bytes or as decimal text, is compared with another, that one is put in its place.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use goemu::Machine;
use goemu::Value;
use goemu::cpu::Cpu;
use goemu::observe::{Interest, Observer, View};
use goemu::values::Random;
use goemu_loader::Func;
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use crate::lock;

/// Pairs that are kept.
const PAIRS: usize = 4096;
/// Bytes of a comparison.
const LONGEST: usize = 64;
/// Comparisons of one call, and different ones of numbers.
const COMPARED: usize = 20_000;
const NUMBERS: usize = 512;

/// Bytes, and what they were compared with.
type Pair = (Vec<u8>, Vec<u8>);

/// What inputs were compared with.
#[derive(Default)]
pub(crate) struct Hints {
    pairs: Vec<Pair>,
    known: HashSet<Pair>,
}

impl Hints {
    /// Takes what was seen of one call with these arguments.
    pub(crate) fn add(&mut self, seen: &Seen, args: &[Value]) {
        for pair in lock(&seen.pairs).drain(..) {
            self.keep(pair);
        }
        // A number that the input has as text.
        let mut random = Random::new(0);
        for (a, b) in std::mem::take(&mut *lock(&seen.numbers)) {
            let pair = (a.to_string().into_bytes(), b.to_string().into_bytes());
            let mut copy = args.to_vec();
            if copy.iter_mut().any(|value| replace(value, &pair.0, &pair.1, &mut random)) {
                self.keep(pair);
            }
        }
    }

    fn keep(&mut self, pair: Pair) {
        if self.pairs.len() < PAIRS && self.known.insert(pair.clone()) {
            self.pairs.push(pair);
        }
    }

    /// Puts what something was compared with in its place. Whether there was such a thing.
    pub(crate) fn apply(&self, args: &mut [Value], random: &mut Random) -> bool {
        /// Pairs that are tried.
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            let Some((from, to)) = random.pick(&self.pairs) else { return false };
            let at = random.below(args.len());
            if args.get_mut(at).is_some_and(|value| replace(value, from, to, random)) {
                return true;
            }
        }
        false
    }
}

/// Replaces bytes in a value.
fn replace(value: &mut Value, from: &[u8], to: &[u8], random: &mut Random) -> bool {
    match value {
        Value::String(bytes) => replace_bytes(bytes, from, to, random),
        Value::Bytes(b) => replace_bytes(&mut b.bytes, from, to, random),
        Value::Int(n) => replace_number(*n as u64, from, to).map(|new| *n = new as i64).is_some(),
        Value::Uint(n) | Value::Uintptr(n) => replace_number(*n, from, to).map(|new| *n = new).is_some(),
        Value::List(list) => list.elems.iter_mut().any(|value| replace(value, from, to, random)),
        Value::Struct(s) => s.fields.iter_mut().any(|(_, value)| replace(value, from, to, random)),
        Value::Map(map) => map.entries.iter_mut().any(|(_, value)| replace(value, from, to, random)),
        Value::Pointer(pointer) => {
            pointer.pointee.as_deref_mut().is_some_and(|value| replace(value, from, to, random))
        }
        Value::Interface(of) => replace(&mut of.value, from, to, random),
        _ => false,
    }
}

fn replace_bytes(bytes: &mut Vec<u8>, from: &[u8], to: &[u8], random: &mut Random) -> bool {
    if from.is_empty() || from.len() > bytes.len() {
        return false;
    }
    let found: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(at, _)| at)
        .collect();
    let Some(&at) = random.pick(&found) else { return false };
    bytes.splice(at..at + from.len(), to.iter().copied());
    true
}

/// The number with its low bytes replaced, where they are `from`.
fn replace_number(n: u64, from: &[u8], to: &[u8]) -> Option<u64> {
    let bytes = n.to_le_bytes();
    if from.len() != to.len() || bytes.get(..from.len()) != Some(from) {
        return None;
    }
    // The sign goes along.
    let mut wide = [if to.last().is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 }; 8];
    wide.get_mut(..to.len())?.copy_from_slice(to);
    Some(u64::from_le_bytes(wide))
}

/// What was compared in one call.
#[derive(Default)]
pub(crate) struct Seen {
    pairs: Mutex<Vec<Pair>>,
    /// Numbers, and what they were compared with.
    numbers: Mutex<BTreeSet<(i64, i64)>>,
}

/// Watches one call for comparisons.
pub(crate) struct Watcher {
    seen: Arc<Seen>,
    /// Entries of functions that compare the bytes at AX and BX, as many as CX says.
    equal: HashSet<u64>,
    left: usize,
}

impl Watcher {
    pub(crate) fn new(machine: &Machine, seen: Arc<Seen>) -> Watcher {
        let names = ["runtime.memequal", "internal/bytealg.memequal", "runtime.memequal_varlen"];
        let image = machine.image();
        let entries = names.iter().flat_map(|name| image.funcs_named(name));
        let equal = entries
            .filter(|func| func.abi() == goemu_loader::Abi::Internal)
            .map(|func: Func<'_>| func.entry());
        Watcher { seen, equal: equal.collect(), left: COMPARED }
    }

    fn note(&mut self, a: &[u8], b: &[u8]) {
        if a != b && !a.is_empty() {
            let mut pairs = lock(&self.seen.pairs);
            pairs.push((a.to_vec(), b.to_vec()));
            pairs.push((b.to_vec(), a.to_vec()));
            self.left = self.left.saturating_sub(1);
        }
    }

    fn note_numbers(&mut self, a: i64, b: i64) {
        let mut numbers = lock(&self.seen.numbers);
        if a != b && numbers.len() < NUMBERS {
            numbers.extend([(a, b), (b, a)]);
        }
    }

    /// The bytes that `memequal` is given.
    fn bytes(&mut self, at: &View<'_>) {
        const AX: u8 = 0;
        const CX: u8 = 1;
        const BX: u8 = 3;
        let len = usize::try_from(at.cpu.gpr(CX)).unwrap_or(usize::MAX);
        if !(1..=LONGEST).contains(&len) {
            return;
        }
        let read = |addr: u64| {
            let mut bytes = vec![0; len];
            at.memory.read_bytes(addr, &mut bytes).ok().map(|()| bytes)
        };
        if let (Some(a), Some(b)) = (read(at.cpu.gpr(AX)), read(at.cpu.gpr(BX))) {
            self.note(&a, &b);
        }
    }
}

impl Observer for Watcher {
    fn interest(&self) -> Interest {
        Interest::BEFORE
    }

    fn before(&mut self, at: &View<'_>, insn: &Instruction) {
        if self.left == 0 {
            return;
        }
        if self.equal.contains(&insn.ip()) {
            return self.bytes(at);
        }
        if let Some((a, b)) = compared(at, insn) {
            self.note(&a, &b);
            self.note_numbers(signed(&a), signed(&b));
        }
    }
}

/// Little-endian bytes as a number.
fn signed(bytes: &[u8]) -> i64 {
    let fill = if bytes.last().is_some_and(|last| *last >= 0x80) { 0xff } else { 0 };
    let mut wide = [fill; 8];
    wide.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    i64::from_le_bytes(wide)
}

/// The operands of a CMP, as bytes.
fn compared(at: &View<'_>, insn: &Instruction) -> Option<Pair> {
    if insn.mnemonic() != Mnemonic::Cmp {
        return None;
    }
    let size = match insn.op_kind(0) {
        OpKind::Register => insn.op0_register().size(),
        OpKind::Memory => insn.memory_size().size(),
        _ => return None,
    };
    let operand = |n: u32| -> Option<[u8; 8]> {
        match insn.op_kind(n) {
            OpKind::Register => Some(value(at.cpu, insn.op_register(n))?.to_le_bytes()),
            OpKind::Memory => {
                let addr = insn.virtual_address(n, 0, |register, _, _| value(at.cpu, register))?;
                let mut bytes = [0; 8];
                at.memory.read_bytes(addr, bytes.get_mut(..size)?).ok()?;
                Some(bytes)
            }
            _ => Some(insn.immediate(n).to_le_bytes()),
        }
    };
    let (a, b) = (operand(0)?, operand(1)?);
    Some((a.get(..size)?.to_vec(), b.get(..size)?.to_vec()))
}

/// The value of a register of any width; 0 of what an address has no part in.
fn value(cpu: &Cpu, register: Register) -> Option<u64> {
    if register == Register::RIP || register.is_segment_register() {
        return Some(0);
    }
    if !register.is_gpr() {
        return None;
    }
    let high = matches!(register, Register::AH | Register::BH | Register::CH | Register::DH);
    let word = cpu.gpr(u8::try_from(register.full_register().number()).ok()?);
    Some(match register.size() {
        1 if high => word >> 8 & 0xff,
        1 => word & 0xff,
        2 => word & 0xffff,
        4 => word & 0xffff_ffff,
        _ => word,
    })
}

#[cfg(test)]
mod tests {
    use goemu::Value;
    use goemu::values::Random;

    use super::{Hints, Seen, lock};

    /// A number that the function has read from text is compared with another: that is written as text.
    #[test]
    fn numbers_in_texts_are_replaced_as_texts() {
        let (mut hints, seen) = (Hints::default(), Seen::default());
        lock(&seen.numbers).extend([(80, 7331), (7331, 80), (5, 6)]);
        let mut args = [Value::String(b"port 80".to_vec())];
        hints.add(&seen, &args);
        assert_eq!(hints.pairs, [(b"80".to_vec(), b"7331".to_vec())]);
        assert!(hints.apply(&mut args, &mut Random::new(1)));
        assert_eq!(args, [Value::String(b"port 7331".to_vec())]);
    }
}
