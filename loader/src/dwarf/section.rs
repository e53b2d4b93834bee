//! The sections of debug information: as they lie in the file, or inflated.
//!
//! Go compresses them since 1.11: to `.zdebug_*` (`ZLIB`, size, zlib stream) up to 1.18, then as ELF's
//! `SHF_COMPRESSED` (`Elf64_Chdr`, zlib stream). A section that did not get smaller is left as it was.

use std::collections::HashMap;

use flate2::{Decompress, FlushDecompress, Status};
use gimli::{EndianSlice, LittleEndian, SectionId};

use crate::error::DwarfError;

use super::{Result, Slice};

/// What signatures and types need. Lines and frames are for others.
pub(super) const WANTED: [SectionId; 8] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugAddr,
    SectionId::DebugStr,
    SectionId::DebugLineStr,
    SectionId::DebugStrOffsets,
];

/// What tells where variables are: read when somebody asks for that.
pub(super) const PLACES: [SectionId; 2] = [SectionId::DebugLoc, SectionId::DebugLocLists];

/// No binary comes near this; a hostile header may.
const MAX_INFLATED: u64 = 1 << 30;
/// Deflate cannot do better than 258 bytes for two bits.
const MAX_RATIO: u64 = 1032;

/// The sections that were compressed.
#[derive(Debug)]
pub(super) struct Inflated(HashMap<&'static str, Vec<u8>>);

impl Inflated {
    pub(super) fn new<'a>(wanted: &[SectionId], section: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Self> {
        let mut inflated = HashMap::new();
        for id in wanted {
            let name = id.name();
            let Some(stream) = compressed(&section, name) else { continue };
            let bytes =
                inflate(stream).map_err(|what| DwarfError::Section { section: name.to_owned(), what })?;
            inflated.insert(name, bytes);
        }
        Ok(Self(inflated))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The lists of places, of [`PLACES`].
    pub(super) fn lists<'a>(
        &'a self,
        section: impl Fn(&str) -> Option<&'a [u8]>,
    ) -> gimli::LocationLists<Slice<'a>> {
        let bytes = |id: SectionId| {
            self.0.get(id.name()).map(Vec::as_slice).or_else(|| section(id.name())).unwrap_or_default()
        };
        gimli::LocationLists::new(
            gimli::DebugLoc::new(bytes(SectionId::DebugLoc), LittleEndian),
            gimli::DebugLocLists::new(bytes(SectionId::DebugLocLists), LittleEndian),
        )
    }

    /// The sections as gimli wants them; what is not there is empty.
    pub(super) fn sections<'a>(
        &'a self,
        section: impl Fn(&str) -> Option<&'a [u8]>,
    ) -> gimli::Dwarf<Slice<'a>> {
        let load = |id: SectionId| -> std::result::Result<Slice<'a>, std::convert::Infallible> {
            let inflated = self.0.get(id.name()).map(Vec::as_slice);
            let bytes = if WANTED.contains(&id) { inflated.or_else(|| section(id.name())) } else { None };
            Ok(EndianSlice::new(bytes.unwrap_or_default(), LittleEndian))
        };
        match gimli::Dwarf::load(load) {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }
}

/// A zlib stream and the size that it should inflate to.
#[derive(Clone, Copy)]
struct Stream<'a> {
    bytes: &'a [u8],
    size: u64,
}

/// The stream in the section with this name, if that section is there and compressed.
fn compressed<'a>(section: impl Fn(&str) -> Option<&'a [u8]>, name: &str) -> Option<Stream<'a>> {
    if let Some(bytes) = section(name) {
        return chdr(bytes);
    }
    let old = section(&name.replacen('.', ".z", 1))?;
    let (size, bytes) = old.strip_prefix(b"ZLIB")?.split_first_chunk::<8>()?;
    Some(Stream { bytes, size: u64::from_be_bytes(*size) })
}

/// Takes off an `Elf64_Chdr`: type 1 (zlib), reserved, size, alignment. No section of DWARF starts like one:
/// 1 is too short for a unit's length, and is not an abbreviation whose tag is 0.
fn chdr(bytes: &[u8]) -> Option<Stream<'_>> {
    let (kind, rest) = bytes.split_first_chunk::<8>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (_align, bytes) = rest.split_first_chunk::<8>()?;
    let zlib = u64::from_le_bytes(*kind) == 1 && bytes.first().is_some_and(|method| method & 0xf == 8);
    zlib.then_some(Stream { bytes, size: u64::from_le_bytes(*size) })
}

fn inflate(stream: Stream<'_>) -> std::result::Result<Vec<u8>, &'static str> {
    let possible = (stream.bytes.len() as u64).saturating_mul(MAX_RATIO).min(MAX_INFLATED);
    if stream.size > possible {
        return Err("too large when inflated");
    }
    let size = usize::try_from(stream.size).map_err(|_| "too large when inflated")?;
    let mut out = Vec::with_capacity(size);
    let status = Decompress::new(true).decompress_vec(stream.bytes, &mut out, FlushDecompress::Finish);
    match status {
        Ok(Status::StreamEnd) if out.len() == size => Ok(out),
        Ok(_) => Err("does not inflate to the size it should have"),
        Err(_) => Err("is not a zlib stream"),
    }
}
