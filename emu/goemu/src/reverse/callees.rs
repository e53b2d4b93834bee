//! What functions take and give, as far as calls of them need it: found once each, for all machines at work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use goemu_loader::Image;

use super::effects::VECTORS;
use super::own::{converters, is_own};
use crate::cpu::gpr;
use crate::go::abi::Place;
use crate::go::guess::guess;
use crate::hook::INT_REGISTERS;

/// What a function takes and gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Takes {
    /// Registers that it reads: see [`super::effects::bit`].
    pub(super) registers: u32,
    /// Registers that are as before.
    pub(super) kept: u32,
    /// Words of the stack that it reads, by offset from the first argument.
    pub(super) stack: Vec<u64>,
    /// The register that a generic function has its dictionary in.
    pub(super) dictionary: u32,
    /// Whether a string or a slice that it gives is worth a look.
    pub(super) gives_text: bool,
    /// Where on the stack that is; `None` for registers.
    pub(super) text: Option<u64>,
    /// Whether it makes strings of bytes for all.
    pub(super) is_converter: bool,
}

/// What all functions take and give.
pub(super) struct Callees {
    converters: Vec<u64>,
    known: Mutex<HashMap<u64, Arc<Takes>>>,
}

impl Callees {
    pub(super) fn new(image: &Image) -> Callees {
        Callees { converters: converters(image), known: Mutex::default() }
    }

    /// What the code at this address takes.
    pub(super) fn of(&self, image: &Image, entry: u64) -> Arc<Takes> {
        let known = |takes: &HashMap<u64, Arc<Takes>>| takes.get(&entry).cloned();
        if let Some(takes) = known(&self.known.lock().unwrap_or_else(PoisonError::into_inner)) {
            return takes;
        }
        let takes = Arc::new(self.find(image, entry));
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(entry, Arc::clone(&takes));
        takes
    }

    fn find(&self, image: &Image, entry: u64) -> Takes {
        let Some(func) = image.func_at(entry).filter(|func| func.entry() == entry) else {
            // The middle of a function that clears or copies memory.
            let registers = 1 << gpr::RDI | 1 << gpr::RSI;
            return Takes { registers, kept: !(registers | 1 << VECTORS), ..Takes::default() };
        };
        let guess = guess(image, &func);
        let is_converter = self.converters.contains(&entry);
        // Code does not always tell how many registers are results: a text in the first two is one.
        let gives = image.facts().register_abi() || guess.result_words.len() >= 2;
        let mut takes = Takes {
            gives_text: gives && (is_converter || !is_own(image, entry)),
            text: guess.result_words.first().copied(),
            is_converter,
            ..Takes::default()
        };
        // Code that needs the dictionary of a generic function fails without it.
        let dictionary = guess.dictionary.map(|(place, _)| place);
        if dictionary == Some(0) && image.facts().register_abi() {
            takes.dictionary = 1 << INT_REGISTERS[0];
        }
        let params = guess.params.iter().enumerate().filter(|(n, _)| Some(*n) != dictionary);
        for part in params.flat_map(|(_, param)| &param.parts) {
            match part.place {
                Place::Int(n) => {
                    takes.registers |= INT_REGISTERS.get(usize::from(n)).map_or(0, |register| 1 << register);
                }
                Place::Float(n) => takes.registers |= 1 << (16 + u32::from(n)),
                Place::Stack(at) => takes.stack.push(at),
            }
        }
        takes
    }
}
