//! Which symbol a reference means.

use std::collections::HashMap;

use crate::facts::{Forms, SymKind};
use crate::goobj::{Abi, Object, Ref, RefIndex};

/// A symbol of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SymId {
    pub(super) object: u32,
    pub(super) symbol: u32,
}

/// What a reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Meaning<'l> {
    /// A symbol that counts.
    Symbol(SymId),
    /// A name that no object defines.
    Undefined(&'l str, Abi),
}

/// Aliases that lead to aliases are followed so far.
const MAX_ALIASES: usize = 8;

/// The names of all objects.
pub(super) struct Resolver<'l, 'a> {
    objects: &'l [Object<'a>],
    names: HashMap<(&'l str, Abi), SymId>,
    /// Whether functions of one name are one function, whatever the convention: up to Go 1.16 there is one.
    one_convention: bool,
}

impl<'l, 'a> Resolver<'l, 'a> {
    pub(super) fn new(objects: &'l [Object<'a>]) -> Self {
        let mut names = HashMap::new();
        for (object, symbols) in (0..).zip(objects) {
            for (symbol, defined) in (0..).zip(&symbols.symbols) {
                if defined.abi != Abi::Static {
                    names.entry((defined.name.as_str(), defined.abi)).or_insert(SymId { object, symbol });
                }
            }
        }
        let one_convention =
            objects.first().is_some_and(|object| !Forms::of(object.header.go.minor).two_conventions());
        Resolver { objects, names, one_convention }
    }

    /// The symbol of this name that counts.
    pub(super) fn named(&self, name: &str, abi: Abi) -> Option<SymId> {
        let mut found = *self.names.get(&(name, abi))?;
        for _ in 0..MAX_ALIASES {
            let symbol = self.objects.get(found.object as usize)?.symbols.get(found.symbol as usize)?;
            if symbol.kind != SymKind::AbiAlias {
                return Some(found);
            }
            let target = symbol.relocs.first().and_then(|reloc| reloc.target)?;
            match self.reference(found.object, target)? {
                Ref::Named(name, abi) => found = *self.names.get(&(name.as_str(), *abi))?,
                Ref::Defined(symbol) => found.symbol = *symbol,
            }
        }
        None
    }

    fn reference(&self, object: u32, index: RefIndex) -> Option<&'l Ref> {
        let objects: &'l [Object<'a>] = self.objects;
        objects.get(object as usize)?.refs.get(index as usize)
    }

    /// Whether this is the symbol that counts, of those of its name.
    pub(super) fn counts(&self, id: SymId, name: &str, abi: Abi) -> bool {
        abi == Abi::Static || self.names.get(&(name, abi)) == Some(&id)
    }

    /// What a reference of an object means.
    pub(super) fn meaning(&self, object: u32, index: RefIndex) -> Option<Meaning<'l>> {
        match self.reference(object, index)? {
            Ref::Defined(symbol) => self.own(SymId { object, symbol: *symbol }),
            Ref::Named(name, abi) => Some(self.by_name(name, *abi)),
        }
    }

    /// An object's own symbol, or the one of its name that counts instead.
    fn own(&self, id: SymId) -> Option<Meaning<'l>> {
        let objects: &'l [Object<'a>] = self.objects;
        let symbol = objects.get(id.object as usize)?.symbols.get(id.symbol as usize)?;
        match symbol.abi {
            Abi::Static => Some(Meaning::Symbol(id)),
            abi => Some(Meaning::Symbol(self.named(&symbol.name, abi)?)),
        }
    }

    fn by_name(&self, name: &'l str, abi: Abi) -> Meaning<'l> {
        let other = if abi == Abi::Internal { Abi::Abi0 } else { Abi::Internal };
        let is_text =
            |id: &SymId| self.objects[id.object as usize].symbols[id.symbol as usize].kind == SymKind::Text;
        let found = self.named(name, abi).or_else(|| {
            // Variables are in no convention.
            self.named(name, other).filter(|id| self.one_convention || !is_text(id))
        });
        found.map_or(Meaning::Undefined(name, abi), Meaning::Symbol)
    }
}
