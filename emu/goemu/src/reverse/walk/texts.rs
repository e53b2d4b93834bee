//! The texts that are noted on a way: what calls give and are given, and what lies in objects and in the frame.

use std::ops::Range;

use iced_x86::Instruction;

use super::super::callees::Takes;
use super::super::is_text;
use super::{MAX_AROUND, MAX_LEN, MIN_BYTES, Made, Walker};
use crate::cpu::gpr;
use crate::hook::INT_REGISTERS;

impl Walker<'_> {
    /// Notes the text that a callee gave.
    pub(super) fn result(&mut self, at: u64, callee: u64, takes: &Takes) {
        if !takes.gives_text {
            return;
        }
        let (addr, len) = match takes.text {
            None => (self.gpr(gpr::RAX), self.gpr(gpr::RBX)),
            Some(offset) => {
                let sp = self.gpr(gpr::RSP);
                let word = |at: u64| self.machine.memory().read(sp.wrapping_add(at)).map(u64::from_le_bytes);
                let (Ok(addr), Ok(len)) = (word(offset), word(offset + 8)) else { return };
                (addr, len)
            }
        };
        let maker = if takes.is_converter { self.entry } else { callee };
        self.note(addr, len, 1, at, maker, true);
        if takes.text.is_none() {
            self.pointed_at(at, maker);
        }
    }

    /// Notes the text of the slice or string that a callee gave a pointer to.
    fn pointed_at(&mut self, at: u64, maker: u64) {
        let pointer = self.gpr(gpr::RAX);
        if self.objects.last().is_some_and(|object| object.start == pointer) {
            let word = |at: u64| self.machine.memory().read(at).map(u64::from_le_bytes).unwrap_or(0);
            let (addr, len) = (word(pointer), word(pointer.wrapping_add(8)));
            self.note(addr, len, MIN_BYTES, at, maker, true);
        }
    }

    /// Notes texts that are handed to a call, or back.
    pub(super) fn given_texts(&mut self, insn: &Instruction) {
        let known = |n: usize| self.registers.unknown & 1 << INT_REGISTERS[n] == 0;
        let pairs: Vec<(u64, u64)> = (0..8)
            .filter(|n| known(*n) && known(n + 1))
            .map(|n| (self.gpr(INT_REGISTERS[n]), self.gpr(INT_REGISTERS[n + 1])))
            .collect();
        for (addr, len) in pairs {
            self.note(addr, len, MIN_BYTES, insn.ip(), self.entry, false);
        }
    }

    pub(super) fn returned(&mut self) {
        let insn = self.code.at(self.machine.guest.cpu.rip).map(|(insn, _)| *insn);
        if let Some(insn) = insn.filter(|_| self.image.facts().register_abi()) {
            self.given_texts(&insn);
        }
    }

    /// Notes the text of an object, or in the frame, before something unknown is written into it.
    pub(super) fn spoilt(&mut self, addr: u64, size: u64, at: u64) {
        if let Some(object) = self.objects.iter().find(|object| object.contains(&addr)).cloned() {
            self.note_object(&object, at);
        } else if self.bytes.frame().contains(&addr) && (addr..addr + size).all(|at| self.is_text_byte(at)) {
            let text = self.text_around(addr);
            if text.end - text.start >= MIN_BYTES {
                let text = self.slice_around(addr).unwrap_or(text);
                self.note(text.start, text.end - text.start, MIN_BYTES, at, self.entry, false);
            }
        }
    }

    /// Whether the byte there is known, and may be of a text.
    fn is_text_byte(&self, at: u64) -> bool {
        let mut byte = [0];
        self.machine.memory().peek(at, &mut byte);
        self.bytes.are_known(at, 1) && (byte[0] >= b' ' || matches!(byte[0], b'\n' | b'\t' | b'\r'))
    }

    /// The known bytes around a place in the frame that may be of a text.
    fn text_around(&self, addr: u64) -> Range<u64> {
        let frame = self.bytes.frame();
        let most =
            addr.saturating_sub(MAX_AROUND).max(frame.start)..addr.saturating_add(MAX_AROUND).min(frame.end);
        // Arrays begin where code takes an address.
        let sp = self.gpr(gpr::RSP);
        let arrays = || self.code.arrays.iter().map(|offset| sp.wrapping_add(*offset));
        let from = arrays().filter(|at| *at <= addr).max().map_or(most.start, |at| at.max(most.start));
        let to = arrays().filter(|at| *at > addr).min().map_or(most.end, |at| at.min(most.end));
        let start = (from..addr).rev().take_while(|at| self.is_text_byte(*at)).last().unwrap_or(addr);
        let end = (addr..to).take_while(|at| self.is_text_byte(*at)).last().map_or(addr, |last| last + 1);
        start..end
    }

    /// What a slice in the frame says of the array that a place is in.
    fn slice_around(&self, addr: u64) -> Option<Range<u64>> {
        let frame = self.bytes.frame();
        let word = |at: u64| {
            let known = self.bytes.are_known(at, 8);
            self.machine.memory().read(at).ok().map(u64::from_le_bytes).filter(|_| known)
        };
        let slice = |at: u64| {
            let start = word(at).filter(|start| frame.contains(start) && *start <= addr)?;
            let len = word(at + 8).filter(|len| *len <= MAX_LEN)?;
            (addr < start + len && start + len <= frame.end).then_some(start..start + len)
        };
        let words = frame.start.next_multiple_of(8)..frame.end.saturating_sub(8);
        words.step_by(8).find_map(slice)
    }

    /// Notes the texts of objects as the way ends.
    pub(super) fn left_behind(&mut self) {
        let at = self.machine.guest.cpu.rip;
        for object in self.objects.clone() {
            self.note_object(&object, at);
        }
    }

    /// Notes the text that an object is, but for zeros at its end.
    fn note_object(&mut self, object: &Range<u64>, at: u64) {
        let size = (object.end - object.start).min(MAX_LEN);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        self.machine.memory().peek(object.start, &mut bytes);
        let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        self.note(object.start, len, MIN_BYTES, at, self.entry, false);
    }

    /// Notes a text that was made on the way.
    fn note(&mut self, addr: u64, len: u64, min: u64, at: u64, maker: u64, given: bool) {
        let fresh = addr >= self.heap && addr < self.machine.guest.world.heap_range().end
            || self.bytes.frame().contains(&addr);
        if !fresh || !(min..=MAX_LEN).contains(&len) || !self.bytes.are_known(addr, len) {
            return;
        }
        let mut value = vec![0; usize::try_from(len).unwrap_or(0)];
        if self.machine.memory().read_bytes(addr, &mut value).is_ok()
            && is_text(&value)
            && !self.is_noted(&value, at, given)
        {
            self.made.push(Made { value, at, maker, given });
        }
    }

    /// Whether a text was noted before: there, or anywhere where it is only handed on.
    fn is_noted(&mut self, value: &[u8], at: u64, given: bool) -> bool {
        let first = self.seen.insert((value.to_vec(), None));
        if given { !self.seen.insert((value.to_vec(), Some(at))) } else { !first }
    }
}
