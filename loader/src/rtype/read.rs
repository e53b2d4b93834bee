//! Numbers, names and lists in descriptors.

use std::borrow::Cow;

use crate::error::RtypeError;
use crate::{bytes, gotype};

use super::{Result, Rtypes};

// `internal/abi.TFlag`
const UNCOMMON: u8 = 1 << 0;
const EXTRA_STAR: u8 = 1 << 1;
const NAMED: u8 = 1 << 2;
/// In the flags of a name: a field's tag follows.
const HAS_TAG: u8 = 1 << 1;
/// In the flags of a name: it names an embedded field.
const EMBEDDED: u8 = 1 << 3;
/// The bits of the kind byte that are the kind.
const KIND_MASK: u8 = 0x1f;

/// Longer names are not believed.
const MAX_NAME: u64 = 1 << 16;
/// Longer lists of fields, parameters and methods are not believed.
const MAX_LIST: u64 = 1 << 16;

/// The start of a descriptor.
#[derive(Clone, Debug)]
pub(super) struct Header<'i> {
    pub(super) addr: u64,
    pub(super) size: u64,
    pub(super) align: u64,
    /// `internal/abi.Kind`
    pub(super) kind: u64,
    pub(super) name: Cow<'i, str>,
    /// Whether the type was declared with a name.
    pub(super) named: bool,
    /// Where the table of methods is.
    pub(super) uncommon: Option<u64>,
    /// The end of what every descriptor of this kind has.
    pub(super) end: u64,
}

/// A name and what is noted with it.
pub(super) struct Name<'i> {
    pub(super) text: Cow<'i, str>,
    /// The tag of a field; empty where there is none.
    pub(super) tag: Cow<'i, str>,
    pub(super) embedded: bool,
}

impl<'i> Rtypes<'i> {
    pub(super) fn fail<T>(&self, addr: u64, what: &'static str) -> Result<T> {
        Err(RtypeError { addr, what })
    }

    fn field(&self, addr: u64, field: Option<u64>) -> Result<u64> {
        match field.and_then(|offset| addr.checked_add(offset)) {
            Some(at) => Ok(at),
            None => self.fail(addr, "this release of Go has another form of descriptors"),
        }
    }

    fn need<T>(&self, addr: u64, value: Option<T>) -> Result<T> {
        value.ok_or(RtypeError { addr, what: "it ends outside of the file" })
    }

    pub(super) fn word(&self, addr: u64, field: Option<u64>) -> Result<u64> {
        self.need(addr, self.object.read_u64(self.field(addr, field)?))
    }

    pub(super) fn half(&self, addr: u64, field: Option<u64>) -> Result<u32> {
        self.need(addr, self.object.read_u32(self.field(addr, field)?))
    }

    pub(super) fn short(&self, addr: u64, field: Option<u64>) -> Result<u16> {
        self.need(addr, self.object.read_u16(self.field(addr, field)?))
    }

    fn byte(&self, addr: u64, field: Option<u64>) -> Result<u8> {
        self.need(addr, self.object.read_u8(self.field(addr, field)?))
    }

    /// Reads what all descriptors have.
    pub(super) fn header(&self, addr: u64) -> Result<Header<'i>> {
        if !self.span.contains(addr) {
            return self.fail(addr, "it lies outside of the image's types");
        }
        let at = &self.at.rtype;
        let tflag = self.byte(addr, at.tflag)?;
        let kind = u64::from(self.byte(addr, at.kind)? & KIND_MASK);
        if !(gotype::BOOL..=gotype::UNSAFE_POINTER).contains(&kind) {
            return self.fail(addr, "its kind is none of Go's");
        }
        let end = self.field(addr, self.base_size(kind))?;
        let mut name = self.name_at(self.half(addr, at.name)?)?.text;
        if tflag & EXTRA_STAR != 0 {
            name = match name {
                Cow::Borrowed(name) => name.strip_prefix('*').unwrap_or(name).into(),
                Cow::Owned(name) => name.strip_prefix('*').unwrap_or(&name).to_owned().into(),
            };
        }
        Ok(Header {
            addr,
            size: self.word(addr, at.size)?,
            align: u64::from(self.byte(addr, at.align)?),
            kind,
            name,
            named: tflag & NAMED != 0,
            uncommon: (tflag & UNCOMMON != 0).then_some(end),
            end,
        })
    }

    /// The size of a descriptor of this kind, without what is appended to it.
    fn base_size(&self, kind: u64) -> Option<u64> {
        use crate::gotype::{ARRAY, CHAN, FUNC, INTERFACE, MAP, POINTER, SLICE, STRUCT};
        match kind {
            ARRAY => self.at.array.sizeof,
            CHAN => self.at.chan.sizeof,
            FUNC => self.at.func.sizeof,
            INTERFACE => self.at.interface.sizeof,
            MAP => self.at.map.sizeof,
            POINTER | SLICE => self.at.pointer.sizeof,
            STRUCT => self.at.structure.sizeof,
            _ => self.at.rtype.sizeof,
        }
    }

    /// What lies behind a descriptor and its table of methods: a function type's pointers.
    pub(super) fn tail(&self, header: &Header<'_>) -> Result<u64> {
        match header.uncommon {
            Some(uncommon) => self.field(uncommon, self.at.uncommon.sizeof),
            None => Ok(header.end),
        }
    }

    /// The name at an offset from the types' start (`nameOff`).
    pub(super) fn name_at(&self, offset: u32) -> Result<Name<'i>> {
        match self.span.start.checked_add(offset.into()) {
            Some(addr) if offset != 0 => self.name(addr),
            _ => Ok(Name { text: "".into(), tag: "".into(), embedded: false }),
        }
    }

    /// The name at `addr`: flags, length, text, and the tag in the same form. Lengths are two bytes up to Go 1.16, varints since.
    pub(super) fn name(&self, addr: u64) -> Result<Name<'i>> {
        // A tag may be as long as a name.
        let available = self.span.end.saturating_sub(addr).min(2 * MAX_NAME);
        let bytes = self.need(addr, self.object.bytes(addr, usize::try_from(available).unwrap_or(0)))?;
        let forms = self.facts.forms();
        let decode = || {
            let (&flags, rest) = bytes.split_first()?;
            let (text, rest) = text(rest, forms.names_have_varints())?;
            // A name is one without its tag, too.
            let tag = Some(rest).filter(|_| flags & HAS_TAG != 0);
            let tag = tag.and_then(|rest| self::text(rest, forms.names_have_varints()));
            let tag = tag.map_or("".into(), |(tag, _)| tag);
            let embedded = forms.names_tell_embedded() && flags & EMBEDDED != 0;
            Some(Name { text, tag, embedded })
        };
        self.need(addr, decode())
    }

    /// The descriptor at an offset from the types' start (`typeOff`); none where the linker dropped it.
    pub(super) fn type_off(&self, offset: u32) -> Option<u64> {
        let addr = self.span.start.checked_add(offset.into())?;
        (offset != 0 && self.span.contains(addr)).then_some(addr)
    }

    /// The code at an offset from the text's start (`textOff`); none where the linker dropped it.
    pub(super) fn text_off(&self, offset: u32) -> Option<u64> {
        let addr = self.module.text.start.checked_add(offset.into())?;
        (offset != 0 && self.module.text.contains(addr)).then_some(addr)
    }

    /// The addresses of the elements of a slice in a descriptor.
    pub(super) fn slice(
        &self,
        addr: u64,
        field: Option<u64>,
        elem: Option<u64>,
    ) -> Result<impl Iterator<Item = u64> + use<>> {
        let start = self.word(addr, field)?;
        let len = self.word(addr, field.and_then(|field| field.checked_add(8)))?;
        self.list(addr, start, len, elem)
    }

    /// The addresses of `len` elements.
    pub(super) fn list(
        &self,
        addr: u64,
        start: u64,
        len: u64,
        elem: Option<u64>,
    ) -> Result<impl Iterator<Item = u64> + use<>> {
        let elem = self.field(0, elem)?;
        if len > MAX_LIST || start.checked_add(len * elem).is_none() {
            return self.fail(addr, "a list in it is too long");
        }
        Ok((0..len).map(move |index| start + index * elem))
    }

    /// The addresses of the entries of a type's table of methods.
    pub(super) fn methods(&self, header: &Header<'_>) -> Result<impl Iterator<Item = u64> + use<>> {
        let at = &self.at.uncommon;
        let (start, len) = match header.uncommon {
            Some(uncommon) => {
                let start = uncommon.saturating_add(self.half(uncommon, at.moff)?.into());
                (start, self.short(uncommon, at.mcount)?.into())
            }
            None => (0, 0),
        };
        self.list(header.addr, start, len, self.at.method.sizeof)
    }
}

/// A text behind its length, and what follows.
fn text(bytes: &[u8], varint: bool) -> Option<(Cow<'_, str>, &[u8])> {
    let mut rest = bytes;
    let len = if varint {
        bytes::take_uvarint(&mut rest)?
    } else {
        let (len, after) = rest.split_first_chunk::<2>()?;
        rest = after;
        u16::from_be_bytes(*len).into()
    };
    let len = usize::try_from(len).ok().filter(|len| *len as u64 <= MAX_NAME)?;
    let (text, rest) = rest.split_at_checked(len)?;
    Some((String::from_utf8_lossy(text), rest))
}
