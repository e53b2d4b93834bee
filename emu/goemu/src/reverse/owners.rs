//! Who uses a word of data: the code that names the object that the word is in, or what points at that object.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use goemu_loader::Image;

use super::xrefs::words;

/// Bytes behind the start of an object in which its words are.
const MAX_OBJECT: u64 = 4096;
/// Objects that point at each other: a slice at its array, a struct at that.
const MAX_DEPTH: usize = 4;

/// The objects in data, by their start.
pub(super) struct Owners<'u, T> {
    uses: &'u HashMap<u64, Vec<T>>,
    /// What code does not name: the first word that points at it.
    pointed: BTreeMap<u64, Option<u64>>,
}

impl<'u, T: Clone> Owners<'u, T> {
    pub(super) fn of(image: &Image, uses: &'u HashMap<u64, Vec<T>>) -> Owners<'u, T> {
        let module = image.module();
        let data: Vec<_> = module.iter().flat_map(|module| [&module.noptrdata, &module.data]).collect();
        let mut pointed: BTreeMap<u64, Option<u64>> = uses.keys().map(|addr| (*addr, None)).collect();
        words(image, |at, addr| {
            if data.iter().any(|section| section.contains(addr)) {
                pointed.entry(addr).or_insert(Some(at));
            }
            ControlFlow::Continue(())
        });
        Owners { uses, pointed }
    }

    /// The code that uses the object that a word is in: none where that is not known.
    pub(super) fn users(&self, mut at: u64) -> Vec<T> {
        for _ in 0..MAX_DEPTH {
            match self.pointed.range(..=at).next_back() {
                Some((start, _)) if at - start >= MAX_OBJECT => break,
                Some((start, None)) => return self.uses.get(start).cloned().unwrap_or_default(),
                Some((_, Some(word))) => at = *word,
                None => break,
            }
        }
        Vec::new()
    }
}
