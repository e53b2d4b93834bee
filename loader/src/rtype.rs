//! The runtime's type descriptors: types, and the signatures of methods, of binaries without debug information.
//!
//! The compiler writes a descriptor (`internal/abi.Type`) for every type that a value in an interface may
//! have, and the linker keeps those that the program can reach. Go 1.7 and later.

mod build;
mod find;
mod itab;
mod read;

use std::sync::{Arc, OnceLock};

use crate::detect::Tables;
use crate::error::RtypeError;
use crate::facts::{Facts, TypeFacts};
use crate::gotype::{Memo, Nest, PREDECLARED, Signature, Type};
use crate::layout::Span;
use crate::moduledata::ModuleData;
use crate::object::Object;

use self::find::Found;
pub use self::itab::MethodCode;

type Result<T> = std::result::Result<T, RtypeError>;

/// What was read of an image's type descriptors so far.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    types: Memo,
    found: OnceLock<Found>,
    itabs: OnceLock<itab::Itabs>,
}

/// The type descriptors of an image.
#[derive(Clone, Copy)]
pub(crate) struct Rtypes<'i> {
    object: &'i Object,
    facts: &'i Facts,
    memory: &'i Memory,
    module: &'i ModuleData,
    at: &'i TypeFacts,
    /// Where descriptors are.
    span: Span,
}

impl<'i> Rtypes<'i> {
    /// `None` if the image has no descriptors that are known here.
    pub(crate) fn new(object: &'i Object, tables: &'i Tables, memory: &'i Memory) -> Option<Self> {
        let (facts, module) = (&tables.facts, tables.module.as_ref()?);
        Some(Rtypes { object, facts, memory, module, at: &facts.types, span: module.types? })
    }

    /// The type whose descriptor is at `addr`.
    pub(crate) fn ty(&self, addr: u64) -> Result<Arc<Type>> {
        self.build(addr, &mut Nest::new(&self.memory.types))
    }

    /// The type of that name, as Go prints it (`json.Token`) or with the whole path of its package
    /// (`encoding/json.Token`).
    pub(crate) fn named(&self, name: &str) -> Result<Option<Arc<Type>>> {
        self.found().named(name).map(|addr| self.ty(addr)).transpose()
    }

    /// The address of the descriptor of the type of that name.
    pub(crate) fn descriptor(&self, name: &str) -> Option<u64> {
        self.found().named(name)
    }

    /// The predeclared type that the type of this descriptor is underneath, if it is one.
    pub(crate) fn predeclared(&self, addr: u64) -> Option<&'static str> {
        let kind = self.header(addr).ok()?.kind;
        PREDECLARED.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)
    }

    /// The signature of the method whose code starts at `entry`, receiver first. Names of parameters are not
    /// known.
    pub(crate) fn method_at(&self, entry: u64) -> Result<Option<Signature>> {
        self.found().method(entry).map(|method| self.method_signature(method)).transpose()
    }

    /// Addresses of all descriptors, ascending.
    pub(crate) fn all(&self) -> &'i [u64] {
        self.found().all()
    }

    fn found(&self) -> &'i Found {
        self.memory.found.get_or_init(|| Found::read(self))
    }
}
