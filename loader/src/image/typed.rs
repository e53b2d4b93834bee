//! Types of an image: what its functions take and give, what its variables and interfaces hold.
//!
//! Debug information knows every function; where it was stripped, the runtime's type descriptors still know
//! the methods.

use std::sync::{Arc, OnceLock};

use crate::LoadError;
use crate::argsize::args_size;
use crate::dwarf::{Doubt, Dwarf, Index, Local, Place, Placed, Variable, Written, dictionary_place};
use crate::error::DwarfError;
use crate::facts::{Facts, Found, Row, look_up};
use crate::gotype::{Abi, Signature, Type, TypeRef};
use crate::library;
use crate::object::Object;
use crate::rtype::{self, MethodCode, Rtypes};

use super::{Image, func::Func};

/// What was found out about an image's types so far.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    dwarf: OnceLock<Result<Option<Index>, DwarfError>>,
    rtypes: rtype::Memory,
    pub(crate) library: library::Memory,
}

/// Where a signature is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KnownFrom {
    /// The user gave it.
    Given,
    /// Debug information, the descriptor of a method's type, or what all programs have.
    Program,
    /// The function's name is that of a function of Go's library, whose signature everybody knows.
    Library,
}

impl Image {
    /// What the function takes and gives. `None` if the file does not tell: it was stripped, or the function
    /// is in assembly. In programs without debug information, functions of Go's library are known by their names.
    ///
    /// Debug information leaves out parameters that have no name (up to Go 1.21), and results that have none
    /// where a range-over-func loop returns them; the order of values without size is not always known up to Go
    /// 1.16. Then the signature comes from the method's type, or it is [`LoadError::Unnamed`] or
    /// [`LoadError::Unordered`].
    ///
    /// # Errors
    ///
    /// [`LoadError::Unnamed`] or [`LoadError::Unordered`] if the file tells a part of it; [`LoadError::Dwarf`] or
    /// [`LoadError::Rtype`] if what it tells is malformed.
    pub fn signature(&self, func: &Func<'_>) -> Result<Option<Signature>, LoadError> {
        Ok(self.signature_from(func)?.map(|(signature, _)| signature))
    }

    /// The same, and where it is from.
    ///
    /// # Errors
    ///
    /// As [`Image::signature`].
    pub fn signature_from(&self, func: &Func<'_>) -> Result<Option<(Signature, KnownFrom)>, LoadError> {
        if let Some(given) = self.given().signatures.get(&func.entry()) {
            return Ok(Some((given.clone(), KnownFrom::Given)));
        }
        if let Some(told) = self.told_signature(func)? {
            return Ok(Some((told, KnownFrom::Program)));
        }
        // Debug information tells of all that is Go.
        if self.dwarf()?.is_some() {
            return Ok(None);
        }
        let known = self.library_signature(func.name()).filter(|known| is_whole(func, known));
        Ok(known.map(|known| (known, KnownFrom::Library)))
    }

    /// What the program tells.
    fn told_signature(&self, func: &Func<'_>) -> Result<Option<Signature>, LoadError> {
        let written = match self.dwarf()? {
            Some(dwarf) => dwarf.signature_at(func.entry())?,
            None => None,
        };
        if written.is_none() && takes_nothing(func) {
            return Ok(Some(Signature { params: Vec::new(), results: Vec::new(), variadic: false }));
        }
        if let Some(Written { signature, doubt: None }) = &written
            && is_whole(func, signature)
        {
            return Ok(written.map(|written| written.signature));
        }
        let method = self.rtypes().map(|rtypes| rtypes.method_at(func.entry())).transpose()?.flatten();
        match method.filter(|method| is_whole(func, method)) {
            Some(method) => Ok(Some(method)),
            None => unsure(func, written.as_ref()),
        }
    }

    /// The parameters, results and other variables of a function that debug information has kept: none where
    /// it was stripped.
    ///
    /// # Errors
    ///
    /// [`LoadError::Dwarf`] if debug information is malformed.
    pub fn locals(&self, func: &Func<'_>) -> Result<Vec<Local>, LoadError> {
        let Some(dwarf) = self.dwarf()? else { return Ok(Vec::new()) };
        Ok(dwarf.locals_at(func.entry())?)
    }

    /// The variables that a function has while it is at `pc`, inlined calls' among them, and where each is: none where
    /// debug information was stripped.
    ///
    /// # Errors
    ///
    /// [`LoadError::Dwarf`] if debug information is malformed.
    pub fn locals_at(&self, func: &Func<'_>, pc: u64) -> Result<Vec<Placed>, LoadError> {
        let Some(dwarf) = self.dwarf()? else { return Ok(Vec::new()) };
        let section = |name: &str| self.object().section_data(name).ok();
        Ok(dwarf.with_places(section)?.placed_at(func.entry(), pc)?)
    }

    /// The type that a reference names.
    ///
    /// # Errors
    ///
    /// [`LoadError::UnknownType`] if nothing in the file describes it; [`LoadError::Dwarf`] or [`LoadError::Rtype`] if
    /// its description is malformed.
    pub fn resolve(&self, reference: &TypeRef) -> Result<Arc<Type>, LoadError> {
        match reference {
            TypeRef::Here(ty) => Ok(ty.clone()),
            TypeRef::Dwarf(offset) => match self.known_type(*offset) {
                Some(known) => Ok(known),
                None => Ok(self.dwarf()?.ok_or(LoadError::UnknownType)?.type_at(*offset)?),
            },
            TypeRef::Rtype(addr) => Ok(self.rtypes().ok_or(LoadError::UnknownType)?.ty(*addr)?),
            TypeRef::Unknown => Err(LoadError::UnknownType),
        }
    }

    /// The type of that name: `main.Point`, `[]encoding/json.Token`, `*int`, `main.Pair[int,string]`.
    ///
    /// # Errors
    ///
    /// [`LoadError::Dwarf`] or [`LoadError::Rtype`] if its description is malformed.
    pub fn type_named(&self, name: &str) -> Result<Option<Arc<Type>>, LoadError> {
        if let Some(given) = self.given().types.get(name) {
            return Ok(Some(Arc::clone(given)));
        }
        if let Some(dwarf) = self.dwarf()?
            && let Some(ty) = dwarf.type_named(name)?
        {
            return Ok(Some(ty));
        }
        Ok(self.rtypes().map(|rtypes| rtypes.named(name)).transpose()?.flatten())
    }

    /// The package variable of that name: `main.count`, `encoding/json.textUnmarshalerType`. Only debug
    /// information knows them, and the user.
    ///
    /// # Errors
    ///
    /// [`LoadError::Dwarf`] if debug information is malformed.
    pub fn variable(&self, name: &str) -> Result<Option<Variable>, LoadError> {
        if let Some(given) = self.given().variables.get(name) {
            return Ok(Some(given.clone()));
        }
        let Some(dwarf) = self.dwarf()? else { return Ok(None) };
        Ok(dwarf.variable(name)?)
    }

    /// What the program's types say of a fact about the runtime.
    ///
    /// # Errors
    ///
    /// [`LoadError::Dwarf`] or [`LoadError::Rtype`] if the description of the type is malformed.
    pub fn look_up(&self, row: &Row) -> Result<Found, LoadError> {
        look_up(row, |name| match self.type_named(name)? {
            Some(ty) => Ok(Some(ty)),
            // `internal/cpu.X86` is a variable whose type has no name.
            None => Ok(self.variable(name)?.map(|variable| variable.ty)),
        })
    }

    /// The types that have a descriptor at run time, which those have that a value in an interface may have:
    /// references for [`Image::resolve`].
    pub fn types(&self) -> impl Iterator<Item = TypeRef> {
        let all = self.rtypes().map(|rtypes| rtypes.all()).unwrap_or_default();
        all.iter().copied().map(TypeRef::Rtype)
    }

    /// The code of a method that a type has, as interfaces call it: it takes the interface's data word. `None`
    /// where the type has no such method, or the linker left it out because no code calls it.
    ///
    /// # Errors
    ///
    /// [`LoadError::Rtype`] if the type's descriptor is malformed.
    pub fn method_code(&self, rtype: u64, name: &str) -> Result<Option<u64>, LoadError> {
        let Some(rtypes) = self.rtypes() else { return Ok(None) };
        Ok(rtypes.method_code(rtype, name)?)
    }

    /// The code of a method like `Error` or `String`, which takes nothing and gives a string; as
    /// [`Image::method_code`].
    ///
    /// # Errors
    ///
    /// [`LoadError::Rtype`] if the type's descriptor is malformed.
    pub fn text_method(&self, rtype: u64, name: &str) -> Result<Option<u64>, LoadError> {
        let Some(rtypes) = self.rtypes() else { return Ok(None) };
        Ok(rtypes.text_method(rtype, name)?)
    }

    /// The descriptor of the type of this name.
    pub fn descriptor_named(&self, name: &str) -> Option<u64> {
        self.rtypes()?.descriptor(name)
    }

    /// The predeclared type that a type is underneath: `int64` of `time.Duration`. `None` where that is none, or where
    /// the program has no descriptor of the type; debug information calls `int` and `int64` the same.
    pub fn predeclared(&self, ty: &Type) -> Option<&'static str> {
        let rtypes = self.rtypes()?;
        rtypes.predeclared(ty.rtype.or_else(|| rtypes.descriptor(&ty.name))?)
    }

    /// The table of methods that the compiler or linker made for values of a type in an interface type; both
    /// are descriptors' addresses. Programs compare these tables by address.
    pub fn itab(&self, interface: u64, ty: u64) -> Option<u64> {
        self.rtypes()?.itab(interface, ty)
    }

    /// The methods of a type, by the address of its descriptor.
    ///
    /// # Errors
    ///
    /// [`LoadError::Rtype`] if the descriptor is malformed.
    pub fn methods_of(&self, rtype: u64) -> Result<Vec<MethodCode>, LoadError> {
        let Some(rtypes) = self.rtypes() else { return Ok(Vec::new()) };
        Ok(rtypes.methods_of(rtype)?)
    }

    /// The tags of a struct's fields, by the address of its descriptor, in the order of the fields; empty for those without one.
    ///
    /// # Errors
    ///
    /// [`LoadError::Rtype`] if the descriptor is malformed.
    pub fn tags_of(&self, rtype: u64) -> Result<Vec<String>, LoadError> {
        let Some(rtypes) = self.rtypes() else { return Ok(Vec::new()) };
        Ok(rtypes.tags_of(rtype)?)
    }

    /// The tables that the compiler or linker made for types in interfaces: the descriptors of interface and type, and the
    /// table's address, in order of that.
    pub fn itabs(&self) -> Vec<(u64, u64, u64)> {
        self.rtypes().map(|rtypes| rtypes.all_itabs()).unwrap_or_default()
    }

    /// Type descriptors, if the image has any.
    pub(super) fn rtypes(&self) -> Option<Rtypes<'_>> {
        Rtypes::new(self.object(), self.tables(), &self.typed().rtypes)
    }

    /// A type of the debug information that was asked for before: calls ask for the same ones again and again.
    fn known_type(&self, offset: usize) -> Option<Arc<Type>> {
        match self.typed().dwarf.get() {
            Some(Ok(Some(index))) => index.known_type(offset),
            _ => None,
        }
    }

    /// Debug information, if the file has any.
    fn dwarf(&self) -> Result<Option<Dwarf<'_>>, DwarfError> {
        let section = |name: &str| self.object().section_data(name).ok();
        let index = self.typed().dwarf.get_or_init(|| {
            let types = self.module().and_then(|module| module.types);
            Index::new(section, Place { bias: self.bias(), types })
        });
        let index = index.as_ref().map_err(Clone::clone)?;
        Ok(index.as_ref().map(|index| Dwarf::new(index, section, self.rtypes())))
    }
}

/// The facts for a program of a release that is newer than all known ones: its debug information says how structures
/// are laid out, if it has any that can be read.
pub(crate) fn learned(object: &Object, facts: Facts) -> Facts {
    let section = |name: &str| object.section_data(name).ok();
    let place = Place { bias: object.layout.bias, types: None };
    let Ok(Some(index)) = Index::new(section, place) else { return facts };
    let dwarf = Dwarf::new(&index, section, None);
    facts.learned(|name| {
        let ty = dwarf.type_named(name).ok().flatten();
        ty.or_else(|| Some(dwarf.variable(name).ok()??.ty))
    })
}

impl Func<'_> {
    /// Where an instance of a generic function takes its dictionary: the number of the parameter. `None` for all
    /// other functions.
    pub fn dictionary_place(&self) -> Option<usize> {
        // Up to Go 1.20 the function table leaves the types out.
        let name = self.name().replace("[...]", "[go.shape.T]");
        dictionary_place(&name, self.image().go_version())
    }
}

/// Whether Go lets a function of this name neither take nor give anything: `main.main`, and what initialises a package,
/// which is called `init`, with a number where the source has it (`main.init.0`).
fn takes_nothing(func: &Func<'_>) -> bool {
    let name = func.name();
    let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
    let Some((_, base)) = last.split_once('.') else { return false };
    let base = base.strip_prefix("map.").unwrap_or(base);
    let number = |n: &str| !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit());
    name == "main.main" || base == "init" || base.strip_prefix("init.").is_some_and(number)
}

/// What is said of a function whose signature debug information has not whole.
fn unsure(func: &Func<'_>, written: Option<&Written>) -> Result<Option<Signature>, LoadError> {
    let name = func.name().to_owned();
    match written {
        Some(_) if func.is_asm() => Ok(None),
        None => Ok(None),
        // Nor is it known, then, how much stack it takes.
        Some(Written { signature, doubt: Some(Doubt::Order) }) => {
            Err(LoadError::Unordered { func: name, signature: signature.to_string() })
        }
        Some(_) => Err(LoadError::Unnamed { func: name }),
    }
}

/// Whether a signature needs as much stack as the function table says that the function takes. Where nothing is
/// left out, that may be in either calling convention.
fn is_whole(func: &Func<'_>, signature: &Signature) -> bool {
    let facts = func.image().facts();
    let Some(size) = func.args_size() else { return !func.is_asm() };
    let needs = |in_registers| args_size(signature, in_registers) == Some(size.into());
    let in_registers = facts.register_abi() && func.abi() == Abi::Internal;
    needs(in_registers) || facts.forms().args_in_either_convention() && needs(!in_registers)
}
