//! What words of the stack are.

use goemu_loader::Image;

use crate::go::abi::{Place, assign};

/// From a step on, the word at an address is this.
pub(super) struct Label {
    pub(super) step: u32,
    pub(super) addr: u64,
    pub(super) text: String,
}

/// The words around a call's return address, at `sp`: that, and the arguments and results that are on the stack.
pub(super) fn of_call(image: &Image, entry: u64, sp: u64, step: u32) -> Vec<Label> {
    let label = |addr: u64, text: String| Label { step, addr: addr & !7, text };
    let Some(func) = image.func_at(entry) else { return Vec::new() };
    let name = func.name();
    let mut labels = vec![label(sp, format!("return address of {name}"))];
    let signature = image.signature(&func).ok().flatten();
    let Some((signature, places)) =
        signature.and_then(|s| Some((assign(func.abi(), &s).ok()?, s))).map(|(p, s)| (s, p))
    else {
        return labels;
    };
    let params = signature.params.iter().zip(&places.params).map(|pair| ("argument", pair));
    let results = signature.results.iter().zip(&places.results).map(|pair| ("result", pair));
    for (what, (param, pieces)) in params.chain(results) {
        for piece in pieces {
            if let Place::Stack(offset) = piece.place {
                let part = if piece.offset == 0 { String::new() } else { format!(" +{}", piece.offset) };
                let param_name = if param.name.is_empty() { "" } else { &param.name };
                let text = format!("{what} {param_name} {}{part} of {name}", param.ty.name);
                labels.push(label(sp.wrapping_add(8).wrapping_add(offset), text));
            }
        }
    }
    labels
}

/// The words of a record of a deferred call.
pub(super) fn of_defer(image: &Image, record: u64, step: u32) -> Vec<Label> {
    let facts = &image.facts().defer;
    let fields = [(facts.func, "fn"), (facts.sp, "sp"), (facts.pc, "pc"), (facts.link, "link")];
    let label = |(offset, name): (u64, &str)| Label {
        step,
        addr: record.wrapping_add(offset) & !7,
        text: format!("defer record: {name}"),
    };
    fields.into_iter().map(label).collect()
}
