//! Object files (`go tool compile`): numbers that change from release to release. Go 1.12 to 1.27.
//!
//! Go sources: `cmd/internal/objabi/reloctype.go` and `symkind.go`, `cmd/internal/goobj/builtinlist.go`.

use crate::facts::layouts;
use crate::version::GoVersion;

/// Whether the objects of a release can be read.
pub(crate) fn has_known_objects(version: GoVersion) -> bool {
    version.minor >= 12
}

layouts! {
    /// Numbers of the kinds of relocations that amd64 objects have (`objabi.RelocType`).
    Relocs "" {
        addr          "R_ADDR":            u64         = 4 => 1;
        addr_off      "R_ADDROFF":         Option<u64> = 7 => 5;
        weak_addr_off "R_WEAKADDROFF":     Option<u64> = 8 => 6, 17 => _;
        size          "R_SIZE":            Option<u64> = 8 => 7, 17 => 6;
        call          "R_CALL":            Option<u64> = 8 => 8, 17 => 7;
        call_ind      "R_CALLIND":         Option<u64> = 8 => 11, 17 => 10;
        constant      "R_CONST":           Option<u64> = 8 => 14, 14 => 15, 17 => 14, 18 => 13;
        pcrel         "R_PCREL":           Option<u64> = 8 => 15, 14 => 16, 17 => 15, 18 => 14;
        tls_le        "R_TLS_LE":          Option<u64> = 8 => 16, 14 => 17, 17 => 16, 18 => 15;
        tls_ie        "R_TLS_IE":          Option<u64> = 8 => 17, 14 => 18, 17 => 17, 18 => 16;
        use_field     "R_USEFIELD":        Option<u64> = 8 => 22, 14 => 23, 17 => 22, 18 => 21;
        use_type      "R_USETYPE":         Option<u64> = 8 => 23, 14 => 24, 17 => 23, 18 => 22;
        use_iface     "R_USEIFACE":        Option<u64> = 16 => 25, 17 => 24, 18 => 23;
        use_iface_method "R_USEIFACEMETHOD": Option<u64> = 16 => 26, 17 => 25, 18 => 24;
        use_named_method "R_USENAMEDMETHOD|R_USEGENERICIFACEMETHOD": Option<u64> = 18 => 25;
        method_off    "R_METHODOFF":       Option<u64> = 8 => 24, 14 => 25, 16 => 27, 17 => 26;
        keep          "R_KEEP":            Option<u64> = 17 => 27;
        got_pcrel     "R_GOTPCREL":        Option<u64> = 8 => 26, 14 => 27, 16 => 29;
        dwarf_sec_ref "R_DWARFSECREF":     Option<u64> = 10 => 28, 14 => 29, 16 => 31;
        init_order    "R_INITORDER":       Option<u64> = 21 => 81, 22 => 91, 24 => 95, 26 => 99, 27 => 102;
        dwarf_text_1  "R_DWTXTADDR_U1":    Option<u64> = 25 => 96, 26 => 100, 27 => 103;
        dwarf_text_2  "R_DWTXTADDR_U2":    Option<u64> = 25 => 97, 26 => 101, 27 => 104;
        dwarf_text_3  "R_DWTXTADDR_U3":    Option<u64> = 25 => 98, 26 => 102, 27 => 105;
        dwarf_text_4  "R_DWTXTADDR_U4":    Option<u64> = 25 => 99, 26 => 103, 27 => 106;
    }
}

/// In a relocation's kind (Go 1.17 and later): its target need not exist (`objabi.R_WEAK`).
pub(crate) const WEAK: u64 = 0x8000;

/// What a symbol of an object file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SymKind {
    Text,
    Rodata,
    /// Variables that start with a value.
    Data,
    /// Variables that start as zero.
    Bss,
    /// A thread-local variable: the slot of `g`.
    Tls,
    /// An entry of `.debug_info`.
    DwarfInfo,
    /// Another name for a function, the target of the only relocation (Go 1.12 to 1.16).
    AbiAlias,
    /// Nothing that is loaded and nothing that is read here: lines, locations, ranges, unwinding.
    Other,
}

/// Kinds by their number (`objabi.SymKind`).
pub(crate) fn sym_kind(minor: u16, number: u8) -> Option<SymKind> {
    use SymKind::{AbiAlias, Bss, Data, DwarfInfo, Other, Rodata, Text, Tls};
    const TO_12: [Option<SymKind>; 12] =
        kinds([Text, Rodata, Data, Data, Bss, Bss, Tls, DwarfInfo, Other, Other, AbiAlias]);
    const TO_15: [Option<SymKind>; 13] =
        kinds([Text, Rodata, Data, Data, Bss, Bss, Tls, DwarfInfo, Other, Other, Other, AbiAlias]);
    // Units, constants, functions, abstract functions, types, variables; ranges, locations, lines.
    const TO_16: [Option<SymKind>; 18] = kinds([
        Text, Rodata, Data, Data, Bss, Bss, Tls, Other, DwarfInfo, DwarfInfo, DwarfInfo, DwarfInfo,
        DwarfInfo, Other, Other, Other, AbiAlias,
    ]);
    // The same without aliases.
    const TO_23: [Option<SymKind>; 17] = kinds([
        Text, Rodata, Data, Data, Bss, Bss, Tls, Other, DwarfInfo, DwarfInfo, DwarfInfo, DwarfInfo,
        DwarfInfo, Other, Other, Other,
    ]);
    // Text, rodata, noptrdata and data have a variant for FIPS 140 each.
    const SINCE_24: [Option<SymKind>; 21] = kinds([
        Text, Text, Rodata, Rodata, Data, Data, Data, Data, Bss, Bss, Tls, Other, DwarfInfo, DwarfInfo,
        DwarfInfo, DwarfInfo, DwarfInfo, Other, Other, Other,
    ]);
    let kinds: &[Option<SymKind>] = match minor {
        ..=12 => &TO_12,
        13..=15 => &TO_15,
        16 => &TO_16,
        17..=23 => &TO_23,
        24.. => &SINCE_24,
    };
    match kinds.get(usize::from(number)) {
        Some(kind) => *kind,
        // Counters of coverage and fuzzing are variables; unwinding tables of Windows are not needed.
        None => Some(Other),
    }
}

/// Number 0 is no kind.
const fn kinds<const N: usize, const M: usize>(from: [SymKind; N]) -> [Option<SymKind>; M] {
    let mut kinds = [None; M];
    let mut index = 0;
    while index < N {
        kinds[index + 1] = Some(from[index]);
        index += 1;
    }
    kinds
}

/// Symbols of the runtime that objects name by number (Go 1.15 and later), and the releases that have each, in the
/// order of their numbers.
const BUILTINS: &str = include_str!("builtins.txt");

/// Names of the runtime's numbered symbols.
pub(crate) fn builtins(minor: u16) -> Vec<&'static str> {
    let lives = |row: &&str| {
        let (_, releases) = row.rsplit_once(' ').unwrap_or_default();
        let (from, to) = releases.split_once('-').unwrap_or_default();
        let number = |text: &str| text.parse::<u16>().ok();
        number(from).is_some_and(|from| from <= minor) && number(to).is_none_or(|to| minor <= to)
    };
    BUILTINS.lines().filter(lives).filter_map(|row| row.rsplit_once(' ')).map(|(name, _)| name).collect()
}

/// Whether a numbered symbol is a function in ABI0 (others are ABIInternal, or variables).
pub(crate) fn builtin_is_abi0(name: &str) -> bool {
    name.starts_with("runtime.morestack")
}

/// How listings of objects (`go tool objdump`) are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectNames {
    /// Addresses count from the object, behind its header, and not from the file.
    pub(crate) from_object: bool,
    /// The package that was compiled, `""` in the file, is written `%22%22`: in names of symbols, and in relocations.
    pub(crate) escapes_symbols: bool,
    pub(crate) escapes_relocs: bool,
    /// Relocations mark which of several symbols of one name they mean.
    pub(crate) marks_relocs: bool,
    /// Kinds of relocations have the newer one of two names.
    pub(crate) newer_kinds: bool,
    /// Comparisons have their operands in the order of other instructions.
    pub(crate) reversed_compares: bool,
}

/// The same for a release.
pub(crate) fn object_names(minor: u16) -> ObjectNames {
    ObjectNames {
        from_object: minor >= 16,
        escapes_symbols: minor < 16,
        escapes_relocs: minor < 15,
        marks_relocs: minor >= 16,
        newer_kinds: minor >= 22,
        reversed_compares: minor < 21,
    }
}

/// Whether a numbered symbol is a variable or a type descriptor.
pub(crate) fn builtin_is_data(name: &str) -> bool {
    const DATA: [&str; 4] = ["type:", "type.", "runtime.x86Has", "runtime.arm"];
    name == "runtime.writeBarrier" || DATA.iter().any(|start| name.starts_with(start))
}

/// How `type:` symbols and other symbols that the compiler makes begin: `type.` and `go.` up to Go 1.19.
pub(crate) fn prefixes(minor: u16) -> Prefixes {
    if minor < 20 {
        Prefixes { ty: "type.", itab: "go.itab.", info: "go.info." }
    } else {
        Prefixes { ty: "type:", itab: "go:itab.", info: "go:info." }
    }
}

/// Beginnings of names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefixes {
    /// Type descriptors; with a second punctuation mark, what belongs to them.
    pub(crate) ty: &'static str,
    pub(crate) itab: &'static str,
    /// Entries of `.debug_info`.
    pub(crate) info: &'static str,
}

impl Prefixes {
    /// The type whose descriptor this is: `int` of `type:int`; none of `type:.namedata.int-`.
    pub(crate) fn type_name<'n>(&self, symbol: &'n str) -> Option<&'n str> {
        symbol.strip_prefix(self.ty).filter(|name| !name.starts_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_symbols_by_release() {
        let number = |minor, name: &str| builtins(minor).iter().position(|builtin| *builtin == name);
        let deferreturn = [15, 16, 17, 18, 20, 24, 27].map(|minor| number(minor, "runtime.deferreturn"));
        assert_eq!(deferreturn, [190, 192, 193, 196, 198, 218, 230].map(Some));
        assert_eq!(number(15, "runtime.morestack_noctxt"), Some(197));
        assert_eq!(number(20, "type:uintptr"), Some(234));
    }

    #[test]
    fn kinds_move() {
        assert_eq!(sym_kind(12, 11), Some(SymKind::AbiAlias));
        assert_eq!(sym_kind(15, 8), Some(SymKind::DwarfInfo));
        assert_eq!(sym_kind(23, 10), Some(SymKind::DwarfInfo));
        assert_eq!([sym_kind(24, 10), sym_kind(27, 14)], [Some(SymKind::Bss), Some(SymKind::DwarfInfo)]);
        assert_eq!((sym_kind(27, 0), sym_kind(27, 200)), (None, Some(SymKind::Other)));
    }

    #[test]
    fn type_symbols() {
        assert_eq!(prefixes(27).type_name("type:*main.T"), Some("*main.T"));
        assert_eq!(prefixes(15).type_name("type..namedata.*int-"), None);
    }
}
