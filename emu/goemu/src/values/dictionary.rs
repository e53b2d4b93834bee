//! A program's constants, as the code of a function has them: numbers that it compares with, words that it names.

use std::collections::{BTreeSet, VecDeque};

use goemu_loader::{Func, Image, SymbolKind};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use crate::disasm::Walk;
use crate::go::names;

/// Functions whose code is looked at.
const FUNCTIONS: usize = 64;
/// Constants of a kind.
const CONSTANTS: usize = 512;
/// Bytes of a word.
const LONGEST: u64 = 64;
/// Instructions between an address and its length.
const NEAR: usize = 6;

/// Constants of a program, which its functions are likely to compare their arguments with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// Numbers.
    pub numbers: Vec<i64>,
    /// Parts of strings.
    pub words: Vec<Vec<u8>>,
}

impl Dictionary {
    /// The constants of a function, and of those of its package that it calls.
    #[must_use]
    pub fn of(func: &Func<'_>) -> Dictionary {
        let image = func.image();
        let package = names::package(func.name());
        let mut found = Found::default();
        let (mut todo, mut seen) = (VecDeque::from([*func]), BTreeSet::from([func.entry()]));
        let mut looked = 0;
        while let Some(func) = todo.pop_front().filter(|_| looked < FUNCTIONS) {
            looked += 1;
            for callee in found.look(&func) {
                let Some(callee) = image.func_at(callee) else { continue };
                let runtime = names::package(callee.name()) == "runtime" && package != "runtime";
                if !runtime && seen.insert(callee.entry()) {
                    todo.push_back(callee);
                }
            }
        }
        let numbers = found.numbers.into_iter().take(CONSTANTS).collect();
        Dictionary { numbers, words: found.words.into_iter().take(CONSTANTS).collect() }
    }
}

#[derive(Default)]
struct Found {
    numbers: BTreeSet<i64>,
    words: BTreeSet<Vec<u8>>,
}

impl Found {
    /// Notes the constants of a function; gives the functions that it calls.
    fn look(&mut self, func: &Func<'_>) -> Vec<u64> {
        let image = func.image();
        let size = usize::try_from(func.end().saturating_sub(func.entry())).unwrap_or(0);
        let code = image.bytes(func.entry(), size).unwrap_or_default();
        let insns: Vec<Instruction> =
            Walk::new(code, func.entry(), size).map(|decoded| decoded.insn).collect();
        let mut calls = Vec::new();
        for (at, insn) in insns.iter().enumerate() {
            if insn.is_call_near() || insn.is_jmp_near() {
                calls.push(insn.near_branch_target());
            }
            self.immediate(insn);
            let near = insns.get(at + 1..).unwrap_or_default();
            self.string(image, insn, near.get(..NEAR).unwrap_or(near));
        }
        calls
    }

    /// A number in an instruction. Short strings are compared as numbers, too.
    fn immediate(&mut self, insn: &Instruction) {
        let last = insn.op_count().saturating_sub(1);
        let number = match insn.op_kind(last) {
            OpKind::Immediate8 | OpKind::Immediate8to16 | OpKind::Immediate8to32 | OpKind::Immediate8to64 => {
                i64::from(insn.immediate8() as i8)
            }
            OpKind::Immediate16 => i64::from(insn.immediate16()),
            OpKind::Immediate32 | OpKind::Immediate32to64 => i64::from(insn.immediate32() as i32),
            OpKind::Immediate64 => insn.immediate64() as i64,
            _ => return,
        };
        let stack = matches!(insn.op0_register(), Register::RSP | Register::RBP);
        let tells = matches!(
            insn.mnemonic(),
            Mnemonic::Cmp | Mnemonic::Mov | Mnemonic::Xor | Mnemonic::Sub | Mnemonic::Imul | Mnemonic::Test
        );
        if stack || !tells {
            return;
        }
        self.numbers.insert(number);
        let width = match insn.op_kind(last) {
            OpKind::Immediate8 => 1,
            OpKind::Immediate16 => 2,
            OpKind::Immediate32 | OpKind::Immediate32to64 => 4,
            OpKind::Immediate64 => 8,
            _ => return,
        };
        let bytes = number.to_le_bytes();
        let word = bytes.get(..width).unwrap_or_default();
        // Of numbers that are compared, any bytes may be a word: file formats begin with such.
        let compared = width >= 4 && insn.mnemonic() != Mnemonic::Imul && !word.contains(&0);
        if compared || word.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            self.words.insert(word.to_vec());
        }
    }

    /// A string: the address of read-only data, and a length nearby.
    fn string(&mut self, image: &Image, insn: &Instruction, near: &[Instruction]) {
        if insn.mnemonic() != Mnemonic::Lea || !insn.is_ip_rel_memory_operand() {
            return;
        }
        let addr = insn.ip_rel_memory_address();
        if image.symbol_at(addr).is_some_and(|symbol| symbol.kind == SymbolKind::Func) {
            return;
        }
        let length = |insn: &Instruction| match (insn.mnemonic(), insn.op_kind(1)) {
            (Mnemonic::Mov, OpKind::Immediate32 | OpKind::Immediate32to64) => {
                Some(u64::from(insn.immediate32()))
            }
            _ => None,
        };
        let Some(len) = near.iter().find_map(length).filter(|len| (1..=LONGEST).contains(len)) else {
            return;
        };
        let bytes = image.bytes(addr, len as usize).unwrap_or_default();
        if std::str::from_utf8(bytes)
            .is_ok_and(|text| !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_whitespace()))
        {
            self.words.insert(bytes.to_vec());
        }
    }
}
