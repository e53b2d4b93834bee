//! What the objects refer to and do not define, and what each of these names is taken for.

use std::collections::BTreeMap;

use crate::facts::SymKind;
use crate::goobj::{Abi, Reloc, Symbol};

use super::resolve::Meaning;
use super::{Linker, known};

/// What a name that no object defines is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StandIn {
    Variable,
    /// The closure of a function, `f·f`.
    Closure,
    Function,
}

/// Names that no object defines, with what they are, in order of name. Functions alone are told apart by convention, and
/// only where there are two.
pub(super) type Wanted<'l> = BTreeMap<(&'l str, Abi), StandIn>;

impl<'l> Linker<'l, '_> {
    /// Names that the loaded symbols refer to and no object defines.
    pub(super) fn wanted(&self) -> Wanted<'l> {
        let mut wanted = Wanted::new();
        for id in self.defined() {
            let symbol = self.symbol(id);
            if !matches!(symbol.kind, SymKind::Text | SymKind::Rodata | SymKind::Data) {
                continue;
            }
            for reloc in symbol.relocs.iter().filter(|reloc| reloc.size > 0 && !reloc.weak) {
                let meaning = reloc.target.and_then(|target| self.resolver.meaning(id.object, target));
                let Some(Meaning::Undefined(name, abi)) = meaning else { continue };
                let what = self.stand_in(symbol, reloc, name);
                let abi = if what == StandIn::Function { self.convention(abi) } else { Abi::Internal };
                let known = wanted.entry((name, abi)).or_insert(what);
                *known = what.max(*known);
            }
        }
        for (name, abi) in known::always(self.facts.register_abi()) {
            if self.named(name).is_none() {
                wanted.entry((name, self.convention(*abi))).or_insert(StandIn::Function);
            }
        }
        // The functions behind closures.
        let closures: Vec<&str> =
            wanted.iter().filter(|(_, what)| **what == StandIn::Closure).map(|(key, _)| key.0).collect();
        for closure in closures {
            let func = closure.trim_end_matches("·f");
            if self.named(func).is_none() {
                wanted.entry((func, Abi::Internal)).or_insert(StandIn::Function);
            }
        }
        wanted
    }

    /// The convention by which a function is told apart from others of its name.
    pub(super) fn convention(&self, abi: Abi) -> Abi {
        if abi == Abi::Abi0 && self.facts.register_abi() { Abi::Abi0 } else { Abi::Internal }
    }

    fn stand_in(&self, from: &Symbol<'_>, reloc: &Reloc, name: &str) -> StandIn {
        let is = |kind: Option<u64>| kind == Some(reloc.kind);
        if name.ends_with("·f") {
            return StandIn::Closure;
        }
        let method = from.name.starts_with(self.prefixes.itab) && self.prefixes.type_name(name).is_none();
        if is(self.relocs.call) || is(self.relocs.method_off) || method {
            return StandIn::Function;
        }
        StandIn::Variable
    }
}
