//! Filling in relocations.

use crate::LoadError;
use crate::facts::SymKind;
use crate::goobj::{Reloc, Symbol};
use crate::layout::Os;

use super::place::Placed;
use super::resolve::{Meaning, SymId};
use super::{Linker, malformed};

/// GS offset of the slot in which darwin keeps `g`.
const DARWIN_TLS: i64 = 0x30;

impl Linker<'_, '_> {
    /// Fills in the relocations of everything that is loaded.
    pub(super) fn fill_in(&self, placed: &mut Placed<'_>) -> Result<(), LoadError> {
        let mut placed_symbols: Vec<(SymId, u64)> =
            placed.addrs.iter().map(|(id, addr)| (*id, *addr)).collect();
        placed_symbols.sort_unstable();
        for (id, addr) in placed_symbols {
            let symbol = self.symbol(id);
            if symbol.kind == SymKind::Bss {
                continue;
            }
            for reloc in symbol.relocs.iter().filter(|reloc| reloc.size > 0) {
                self.fill(placed, id, symbol, addr, reloc)?;
            }
        }
        Ok(())
    }

    fn fill(
        &self,
        placed: &mut Placed<'_>,
        id: SymId,
        symbol: &Symbol<'_>,
        addr: u64,
        reloc: &Reloc,
    ) -> Result<(), LoadError> {
        let end = u64::from(reloc.offset) + u64::from(reloc.size);
        if end > symbol.size {
            return malformed("symbol: expected its relocations inside of it", symbol);
        }
        let at = addr + u64::from(reloc.offset);
        let is = |kind: Option<u64>| kind == Some(reloc.kind);
        let kinds = &self.relocs;
        let target = self.target(placed, id, reloc);
        let value = if reloc.kind == kinds.addr {
            target.unwrap_or(0).wrapping_add_signed(reloc.add)
        } else if is(kinds.call) || is(kinds.pcrel) {
            self.relative(symbol, reloc, at, target)?
        } else if is(kinds.got_pcrel) {
            self.address_for_load(placed, symbol, at)?;
            self.relative(symbol, reloc, at, target)?
        } else if is(kinds.tls_le) {
            self.tls_offset().wrapping_add(reloc.add).cast_unsigned()
        } else if is(kinds.tls_ie) {
            self.offset_for_load(placed, symbol, at)?;
            self.tls_offset().cast_unsigned()
        } else if is(kinds.addr_off) || is(kinds.weak_addr_off) || is(kinds.method_off) {
            target.map_or(0, |target| self.section_offset(placed, target).wrapping_add_signed(reloc.add))
        } else if is(kinds.size) {
            let meaning = reloc.target.and_then(|target| self.resolver.meaning(id.object, target));
            let size = if let Some(Meaning::Symbol(id)) = meaning { self.symbol(id).size } else { 0 };
            size.wrapping_add_signed(reloc.add)
        } else if is(kinds.constant) {
            reloc.add.cast_unsigned()
        } else {
            return malformed("symbol: expected relocations of kinds that amd64 has", symbol);
        };
        self.write(placed, symbol, at, reloc.size, value)
    }

    /// The address that a relocation refers to; none of a target that need not exist, and does not.
    fn target(&self, placed: &Placed<'_>, id: SymId, reloc: &Reloc) -> Option<u64> {
        match self.resolver.meaning(id.object, reloc.target?)? {
            Meaning::Symbol(id) => placed.addrs.get(&id).copied(),
            Meaning::Undefined(name, abi) => placed.stand_in(name, abi).filter(|_| !reloc.weak),
        }
    }

    /// From behind the operand to the target.
    fn relative(
        &self,
        symbol: &Symbol<'_>,
        reloc: &Reloc,
        at: u64,
        target: Option<u64>,
    ) -> Result<u64, LoadError> {
        let next = at + u64::from(reloc.size);
        let distance = target.unwrap_or(next).wrapping_add_signed(reloc.add).wrapping_sub(next).cast_signed();
        match i32::try_from(distance) {
            Ok(distance) => Ok(i64::from(distance).cast_unsigned()),
            Err(_) => malformed("symbol: expected the target of a relocation in reach", symbol),
        }
    }

    /// Where Linux and most others keep `g` below the thread pointer; darwin and Windows have slots.
    pub(super) fn tls_offset(&self) -> i64 {
        match self.os {
            Os::Darwin => DARWIN_TLS,
            Os::Windows => 0,
            _ => self.facts.linux_tls_g(),
        }
    }

    /// `nameOff`, `typeOff`, `textOff`: from the start of the types, or of the text.
    fn section_offset(&self, placed: &Placed<'_>, target: u64) -> u64 {
        let text = &placed.text;
        let start = if (text.addr..text.end()).contains(&target) { text.addr } else { placed.rodata.addr };
        target.wrapping_sub(start)
    }

    /// `MOVQ sym@GOT(IP), reg` becomes `LEAQ sym(IP), reg`: there is no table between.
    fn address_for_load(
        &self,
        placed: &mut Placed<'_>,
        symbol: &Symbol<'_>,
        at: u64,
    ) -> Result<(), LoadError> {
        match placed.text.at(at.wrapping_sub(2), 1) {
            Some([opcode]) if *opcode == 0x8b => *opcode = 0x8d,
            _ => return malformed("symbol: expected a MOVQ before the relocation R_GOTPCREL", symbol),
        }
        Ok(())
    }

    /// `MOVQ off@GOTTPOFF(IP), reg` becomes `MOVQ $off, reg`.
    fn offset_for_load(
        &self,
        placed: &mut Placed<'_>,
        symbol: &Symbol<'_>,
        at: u64,
    ) -> Result<(), LoadError> {
        match placed.text.at(at.wrapping_sub(3), 3) {
            Some([rex, opcode, modrm]) if *opcode == 0x8b => {
                let register = (*modrm >> 3) & 7;
                // The register's high bit moves from REX.R to REX.B.
                (*rex, *opcode, *modrm) = (0x48 | (*rex >> 2 & 1), 0xc7, 0xc0 | register);
                Ok(())
            }
            _ => malformed("symbol: expected a MOVQ before the relocation R_TLS_IE", symbol),
        }
    }

    fn write(
        &self,
        placed: &mut Placed<'_>,
        symbol: &Symbol<'_>,
        at: u64,
        size: u8,
        value: u64,
    ) -> Result<(), LoadError> {
        let bytes = value.to_le_bytes();
        let place = [&mut placed.text, &mut placed.rodata, &mut placed.data]
            .into_iter()
            .find_map(|blob| blob.at(at, size.into()));
        match (place, bytes.get(..size.into())) {
            (Some(place), Some(bytes)) => {
                place.copy_from_slice(bytes);
                Ok(())
            }
            _ => malformed("symbol: expected relocations of at most eight bytes", symbol),
        }
    }
}
