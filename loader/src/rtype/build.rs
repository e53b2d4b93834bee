//! Types from their descriptors.

use std::sync::Arc;

use crate::error::RtypeError;
use crate::gotype::{self, ChanDir, Field, FuncType, Kind, Method, Nest, Param, Signature, Type, TypeRef};

use super::find::Methods;
use super::read::Header;
use super::{Result, Rtypes};

/// In the count of a function type's results: whether it is variadic.
const VARIADIC: u16 = 1 << 15;

impl Rtypes<'_> {
    pub(super) fn build(&self, addr: u64, nest: &mut Nest<'_>) -> Result<Arc<Type>> {
        let refuse = |what| RtypeError { addr, what };
        nest.get(addr, refuse, |inside| {
            let header = self.header(addr)?;
            let kind = self.kind(&header, inside)?;
            let Header { size, align, name, .. } = header;
            if !gotype::fits(&kind, size) || !align.is_power_of_two() || align > 8 {
                return self.fail(addr, "its parts do not fit its size");
            }
            Ok(Type { name: name.into_owned(), size, align, kind, rtype: Some(addr) })
        })
    }

    fn kind(&self, header: &Header<'_>, nest: &mut Nest<'_>) -> Result<Kind> {
        let (addr, at) = (header.addr, self.at);
        let refer = |field| Ok(TypeRef::Rtype(self.word(addr, field)?));
        Ok(match header.kind {
            gotype::BOOL => Kind::Bool,
            gotype::INT..=gotype::INT64 => Kind::Int,
            gotype::UINT..=gotype::UINT64 => Kind::Uint,
            gotype::UINTPTR => Kind::Uintptr,
            gotype::FLOAT32 | gotype::FLOAT64 => Kind::Float,
            gotype::COMPLEX64 | gotype::COMPLEX128 => Kind::Complex,
            gotype::ARRAY => {
                let elem = self.build(self.word(addr, at.array.elem)?, nest)?;
                Kind::Array { elem, len: self.word(addr, at.array.len)? }
            }
            gotype::CHAN => Kind::Chan { elem: refer(at.chan.elem)?, dir: self.chan_dir(addr)? },
            gotype::FUNC => Kind::Func(self.func(header)?),
            gotype::INTERFACE => self.interface(addr, nest)?,
            gotype::MAP => Kind::Map { key: refer(at.map.key)?, elem: refer(at.map.elem)? },
            gotype::POINTER => Kind::Pointer(refer(at.pointer.elem)?),
            gotype::SLICE => Kind::Slice(refer(at.pointer.elem)?),
            gotype::STRING => Kind::String,
            gotype::STRUCT => self.structure(addr, nest)?,
            gotype::UNSAFE_POINTER => Kind::UnsafePointer,
            _ => return self.fail(addr, "its kind is none of Go's"),
        })
    }

    /// `reflect.ChanDir`: 1 receive, 2 send.
    fn chan_dir(&self, addr: u64) -> Result<ChanDir> {
        match self.word(addr, self.at.chan.dir)? {
            1 => Ok(ChanDir::Recv),
            2 => Ok(ChanDir::Send),
            3 => Ok(ChanDir::Both),
            _ => self.fail(addr, "its direction is none of Go's"),
        }
    }

    fn structure(&self, addr: u64, nest: &mut Nest<'_>) -> Result<Kind> {
        let at = &self.at.field;
        let forms = self.facts.forms();
        let mut fields = Vec::new();
        for field in self.slice(addr, self.at.structure.fields, at.sizeof)? {
            let name = self.name(self.word(field, at.name)?)?;
            nest.spend(name.text.len() as u32 / 16, |what| RtypeError { addr, what })?;
            let ty = self.build(self.word(field, at.ty)?, nest)?;
            let offset = self.word(field, at.offset)?;
            let (offset, embedded) = if forms.offsets_tell_embedded() {
                (offset >> 1, offset & 1 != 0)
            } else {
                (offset, name.embedded || name.text.is_empty())
            };
            fields.push(Field { name: name.text.into_owned(), ty, offset, embedded });
        }
        Ok(Kind::Struct(fields))
    }

    /// The tags of a struct's fields, in their order; empty for those without one, and for types that are no structs.
    pub(crate) fn tags_of(&self, ty: u64) -> Result<Vec<String>> {
        let header = self.header(ty)?;
        if header.kind != gotype::STRUCT {
            return Ok(Vec::new());
        }
        let fields = self.slice(ty, self.at.structure.fields, self.at.field.sizeof)?;
        fields.map(|field| Ok(self.name(self.word(field, self.at.field.name)?)?.tag.into_owned())).collect()
    }

    fn interface(&self, addr: u64, nest: &mut Nest<'_>) -> Result<Kind> {
        let at = &self.at.imethod;
        let mut methods = Vec::new();
        for method in self.slice(addr, self.at.interface.methods, at.sizeof)? {
            let name = self.name_at(self.half(method, at.name)?)?.text;
            nest.spend(1 + name.len() as u32 / 16, |what| RtypeError { addr, what })?;
            methods.push(Method { name: name.into_owned() });
        }
        methods.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Kind::Interface { empty: methods.is_empty(), methods })
    }

    pub(super) fn func(&self, header: &Header<'_>) -> Result<FuncType> {
        let at = &self.at.func;
        let params = self.short(header.addr, at.in_count)?;
        let results = self.short(header.addr, at.out_count)?;
        let (variadic, results) = (results & VARIADIC != 0, results & !VARIADIC);
        let count = u64::from(params) + u64::from(results);
        let mut refs = Vec::new();
        for pointer in self.list(header.addr, self.tail(header)?, count, Some(8))? {
            refs.push(TypeRef::Rtype(self.word(pointer, Some(0))?));
        }
        let results = refs.split_off(usize::from(params).min(refs.len()));
        Ok(FuncType { params: refs, results, variadic, results_known: true })
    }

    pub(super) fn method_signature(&self, method: Methods) -> Result<Signature> {
        let func = self.header(method.ty)?;
        if func.kind != gotype::FUNC {
            return self.fail(method.ty, "a method's type is not a function's");
        }
        let FuncType { params, results, variadic, .. } = self.func(&func)?;
        let mut signature = Signature { params: vec![self.receiver(method)?], results: Vec::new(), variadic };
        for param in params {
            signature.params.push(self.param(&param)?);
        }
        for result in results {
            signature.results.push(self.param(&result)?);
        }
        Ok(signature)
    }

    fn receiver(&self, method: Methods) -> Result<Param> {
        let ty = self.ty(method.receiver)?;
        if !method.by_pointer {
            return Ok(Param { name: String::new(), ty });
        }
        let pointer = match self.type_off(self.half(method.receiver, self.at.rtype.ptr_to_this)?) {
            Some(pointer) => self.ty(pointer)?,
            None => Arc::new(Type {
                name: format!("*{ty}"),
                size: 8,
                align: 8,
                kind: Kind::Pointer(TypeRef::Here(ty)),
                rtype: None,
            }),
        };
        Ok(Param { name: String::new(), ty: pointer })
    }

    fn param(&self, reference: &TypeRef) -> Result<Param> {
        match reference {
            TypeRef::Rtype(addr) => Ok(Param { name: String::new(), ty: self.ty(*addr)? }),
            _ => self.fail(0, "a parameter without a descriptor"),
        }
    }
}
