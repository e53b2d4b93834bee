//! Functions that were looked up by name: machines ask for the same few again and again, and a program has many thousands.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Image;
use super::func::Func;

/// Names that are remembered, and functions of each.
const NAMES: usize = 256;
const FUNCS: usize = 16;

/// By name, the numbers of the functions.
#[derive(Debug, Default)]
pub(crate) struct Named(Mutex<HashMap<String, Vec<u32>>>);

impl Named {
    pub(crate) fn forget(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Image {
    /// The functions of exactly this name. There are two where a function exists in both calling conventions,
    /// and more where a package has several of one name (`init.0`, instances of a generic function). Names of
    /// the symbol table (`runtime.goexit.abi0`, `main.max[go.shape.int]`) are understood as well.
    pub fn funcs_named<'a>(&'a self, name: &str) -> Vec<Func<'a>> {
        let known = |all: &Vec<u32>| all.iter().map(|&index| Func::new(self, index)).collect();
        if let Some(known) = self.named.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(known)
        {
            return known;
        }
        let found = self.look_for_funcs(name);
        let mut named = self.named.0.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < NAMES && found.len() <= FUNCS {
            named.insert(name.to_owned(), found.iter().map(Func::index).collect());
        }
        found
    }

    fn look_for_funcs(&self, name: &str) -> Vec<Func<'_>> {
        let named: Vec<_> = self.funcs().filter(|func| func.is_named(name)).collect();
        if !named.is_empty() {
            return named;
        }
        let symbol =
            self.symbol(name).and_then(|symbol| self.func_at(symbol.addr).map(|func| (func, symbol)));
        symbol
            .filter(|(func, symbol)| func.entry() == symbol.addr)
            .map(|(func, _)| func)
            .into_iter()
            .collect()
    }
}
