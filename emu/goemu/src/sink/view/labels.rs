//! What words of the stack are.

use std::sync::Arc;

use goemu_loader::Image;
use rustc_hash::FxHashMap;

use crate::go::abi::{Place, assign};

/// From a step on, the word at an address is this.
pub(super) struct Label {
    pub(super) step: u32,
    pub(super) addr: u64,
    pub(super) text: Arc<str>,
}

/// By function: what the words around the return address of its calls are, and how far above it they lie.
#[derive(Default)]
pub(super) struct Shapes(FxHashMap<u64, Vec<(u64, Arc<str>)>>);

impl Shapes {
    /// The words around a call's return address, at `sp`: that, and the arguments and results that are on the stack.
    pub(super) fn of_call(
        &mut self,
        image: &Image,
        entry: u64,
        sp: u64,
        step: u32,
    ) -> impl Iterator<Item = Label> {
        let shape = self.0.entry(entry).or_insert_with(|| shape(image, entry));
        let label = move |(above, text): &(u64, Arc<str>)| Label {
            step,
            addr: sp.wrapping_add(*above) & !7,
            text: Arc::clone(text),
        };
        shape.iter().map(label)
    }
}

fn shape(image: &Image, entry: u64) -> Vec<(u64, Arc<str>)> {
    let Some(func) = image.func_at(entry) else { return Vec::new() };
    let name = func.name();
    let mut words: Vec<(u64, Arc<str>)> = vec![(0, format!("return address of {name}").into())];
    let signature = image.signature(&func).ok().flatten();
    let Some((signature, places)) =
        signature.and_then(|s| Some((assign(func.abi(), &s).ok()?, s))).map(|(p, s)| (s, p))
    else {
        return words;
    };
    let params = signature.params.iter().zip(&places.params).map(|pair| ("argument", pair));
    let results = signature.results.iter().zip(&places.results).map(|pair| ("result", pair));
    for (what, (param, pieces)) in params.chain(results) {
        for piece in pieces {
            if let Place::Stack(offset) = piece.place {
                let part = if piece.offset == 0 { String::new() } else { format!(" +{}", piece.offset) };
                let text = format!("{what} {} {}{part} of {name}", param.name, param.ty.name);
                words.push((offset.wrapping_add(8), text.into()));
            }
        }
    }
    words
}

/// The words of a record of a deferred call.
pub(super) fn of_defer(image: &Image, record: u64, step: u32) -> Vec<Label> {
    let facts = &image.facts().defer;
    let fields = [(facts.func, "fn"), (facts.sp, "sp"), (facts.pc, "pc"), (facts.link, "link")];
    let label = |(offset, name): (u64, &str)| Label {
        step,
        addr: record.wrapping_add(offset) & !7,
        text: format!("defer record: {name}").into(),
    };
    fields.into_iter().map(label).collect()
}
