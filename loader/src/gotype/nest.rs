//! Laying out types that hold each other by value, whatever the file claims.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Type;

/// No struct of a real program nests this deep by value.
const MAX_DEPTH: u32 = 64;
/// Parts of a type that is laid out in full: what walks it takes time in proportion.
const MAX_PARTS: u32 = 1 << 20;

/// Types that were laid out before, by where their description is.
#[derive(Debug, Default)]
pub(crate) struct Memo(Mutex<HashMap<u64, Built>>);

/// A type, and how many types it is made of.
#[derive(Clone, Debug)]
struct Built {
    ty: Arc<Type>,
    parts: u32,
}

/// The place of a type that is being laid out inside others.
pub(crate) struct Nest<'m> {
    memo: &'m Memo,
    depth: u32,
    parts: u32,
}

impl<'m> Nest<'m> {
    pub(crate) fn new(memo: &'m Memo) -> Self {
        Nest { memo, depth: 0, parts: 0 }
    }

    /// The type described at `key`, which `make` lays out if that was not done before. `refuse` makes the error
    /// of a type that holds too much, or itself.
    pub(crate) fn get<E>(
        &mut self,
        key: u64,
        refuse: impl Fn(&'static str) -> E,
        make: impl FnOnce(&mut Nest<'m>) -> Result<Type, E>,
    ) -> Result<Arc<Type>, E> {
        let built = match self.memo.find(key) {
            Some(built) => built,
            None if self.depth >= MAX_DEPTH => return Err(refuse("types nest too deep")),
            None => {
                let mut inside = Nest { memo: self.memo, depth: self.depth + 1, parts: 1 };
                let ty = Arc::new(make(&mut inside)?);
                self.memo.keep(key, Built { ty, parts: inside.parts })
            }
        };
        self.spend(built.parts, &refuse)?;
        Ok(built.ty)
    }

    /// Counts what the current type is made of beside types: names, 16 bytes of them as one part.
    pub(crate) fn spend<E>(&mut self, parts: u32, refuse: impl Fn(&'static str) -> E) -> Result<(), E> {
        self.parts = self.parts.saturating_add(parts);
        if self.parts > MAX_PARTS { Err(refuse("a type of too many parts")) } else { Ok(()) }
    }
}

impl Memo {
    /// A poisoned lock only says that another thread panicked; what it guards is whole.
    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Built>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: u64) -> Option<Built> {
        self.map().get(&key).cloned()
    }

    /// The type described at `key`, if it was laid out before.
    pub(crate) fn known(&self, key: u64) -> Option<Arc<Type>> {
        self.map().get(&key).filter(|built| built.parts <= MAX_PARTS).map(|built| Arc::clone(&built.ty))
    }

    fn keep(&self, key: u64, built: Built) -> Built {
        self.map().insert(key, built.clone());
        built
    }
}
