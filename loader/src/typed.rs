//! Types of an image: what its functions take and give, what its variables and interfaces hold.
//!
//! Debug information knows every function; where it was stripped, the runtime's type descriptors still know
//! the methods.

use std::sync::{Arc, OnceLock};

use crate::LoadError;
use crate::dwarf::{Dwarf, DwarfError, Index, Place, Variable};
use crate::func::Func;
use crate::gotype::{Signature, Type, TypeRef};
use crate::image::Image;

/// What was found out about an image's types so far.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    dwarf: OnceLock<Result<Option<Index>, DwarfError>>,
}

impl Image {
    /// What the function takes and gives. `None` if the file does not tell.
    pub fn signature(&self, func: &Func<'_>) -> Result<Option<Signature>, LoadError> {
        let Some(dwarf) = self.dwarf()? else { return Ok(None) };
        Ok(dwarf.signature_at(func.entry())?)
    }

    /// The type that a reference names. Types that are not known are `None`.
    pub fn resolve(&self, reference: &TypeRef) -> Result<Option<Arc<Type>>, LoadError> {
        match reference {
            TypeRef::Here(ty) => Ok(Some(ty.clone())),
            TypeRef::Dwarf(offset) => match self.dwarf()? {
                Some(dwarf) => Ok(Some(dwarf.type_at(*offset)?)),
                None => Ok(None),
            },
            TypeRef::Rtype(_) | TypeRef::Unknown => Ok(None),
        }
    }

    /// The type of that name: `main.Point`, `[]encoding/json.Token`, `*int`, `main.Pair[int,string]`.
    pub fn type_named(&self, name: &str) -> Result<Option<Arc<Type>>, LoadError> {
        let Some(dwarf) = self.dwarf()? else { return Ok(None) };
        Ok(dwarf.type_named(name)?)
    }

    /// The package variable of that name: `main.count`, `encoding/json.textUnmarshalerType`.
    pub fn variable(&self, name: &str) -> Result<Option<Variable>, LoadError> {
        let Some(dwarf) = self.dwarf()? else { return Ok(None) };
        Ok(dwarf.variable(name)?)
    }

    /// Debug information, if the file has any.
    fn dwarf(&self) -> Result<Option<Dwarf<'_>>, DwarfError> {
        let section = |name: &str| self.object().section_data(name).ok();
        let index = self.typed().dwarf.get_or_init(|| {
            let types = self.module().and_then(|module| module.types).map(|types| types.start);
            Index::new(section, Place { bias: self.bias(), types })
        });
        let index = index.as_ref().map_err(Clone::clone)?;
        Ok(index.as_ref().map(|index| Dwarf::new(index, section)))
    }
}
