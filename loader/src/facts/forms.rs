//! Forms that changed from release to release and that no offset shows: how names, fields and tables are written.
//!
//! Go sources: `reflect/type.go`, `cmd/compile/internal/reflectdata/reflect.go`, `cmd/compile/internal/types/type.go`,
//! `cmd/internal/goobj/objfile.go`, `internal/abi/symtab.go`.

use crate::version::GoVersion;

use super::{Facts, NEWEST, layouts};

/// How a type's hash follows from the SHA-256 sum of its name: from its first four bytes, changed in one way or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeHash {
    /// It is the MD5 sum of another text, which is not computed here (up to Go 1.18).
    Md5,
    /// All bits of the sum are inverted (Go 1.19 to 1.23).
    Inverted,
    /// The sum is rotated left by eight bytes (Go 1.24).
    Rotated,
    /// The bits of the first byte are inverted (Go 1.25 and later).
    FirstInverted,
}

/// The forms of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forms {
    minor: u16,
}

impl Forms {
    pub(crate) fn of(minor: u16) -> Forms {
        Forms { minor }
    }

    /// Whether functions have two calling conventions, ABI0 and ABIInternal.
    pub(crate) fn two_conventions(self) -> bool {
        self.minor >= 17
    }

    /// Whether the length in front of a descriptor's name is a varint; else it is two bytes, the high one first.
    pub(crate) fn names_have_varints(self) -> bool {
        self.minor >= 17
    }

    /// Whether the name of a field says in its flags that the field is embedded.
    pub(crate) fn names_tell_embedded(self) -> bool {
        self.minor >= 19
    }

    /// Whether a field's offset is shifted by one, and its lowest bit says that the field is embedded.
    pub(crate) fn offsets_tell_embedded(self) -> bool {
        (9..=18).contains(&self.minor)
    }

    /// Whether a descriptor's flag for pointer-shaped types is in `TFlag`; else it is in the kind.
    pub(crate) fn direct_is_tflag(self) -> bool {
        self.minor >= 26
    }

    /// How types are hashed.
    pub(crate) fn type_hash(self) -> TypeHash {
        match self.minor {
            ..=18 => TypeHash::Md5,
            19..=23 => TypeHash::Inverted,
            24 => TypeHash::Rotated,
            25.. => TypeHash::FirstInverted,
        }
    }

    /// Whether `_func.deferreturn` is the offset of the operand of a CALL; else it is that of the instruction.
    pub(crate) fn deferreturn_is_operand(self) -> bool {
        self.minor < 14
    }

    /// Whether `_func.flag` marks functions that are written in assembly.
    pub(crate) fn flags_tell_assembly(self) -> bool {
        self.minor >= 18
    }

    /// Whether `_func.args` of a function may be the size that it has in the other convention.
    pub(crate) fn args_in_either_convention(self) -> bool {
        self.minor >= 22
    }

    /// Whether the closures of open-coded defers lie one behind the other; else each has a place of its own.
    pub(crate) fn open_defers_in_a_row(self) -> bool {
        self.minor >= 22
    }

    /// Whether open-coded defers have arguments; else all are in their closures.
    pub(crate) fn open_defers_have_args(self) -> bool {
        self.minor < 18
    }

    /// Whether debug information lists parameters in the order of the source; else in the order of their addresses.
    pub(crate) fn params_as_declared(self) -> bool {
        self.minor >= 17
    }

    /// Whether a generic method takes its dictionary behind the receiver; else in front of it.
    pub(crate) fn dictionary_after_receiver(self) -> bool {
        self.minor >= 20
    }
}

impl Facts {
    /// How this release writes names, fields and tables.
    pub(crate) fn forms(&self) -> Forms {
        Forms::of(self.version.minor)
    }
}

impl IndexedObject {
    /// The format that starts with this magic, and the release: development versions may name themselves after either
    /// release around them.
    pub(crate) fn by_magic(magic: &[u8], minor: u16) -> (IndexedObject, u16) {
        let since = match magic {
            b"\0go115ld" => 15,
            b"\0go116ld" => 16,
            b"\0go117ld" => 17,
            b"\0go118ld" => 18,
            _ => 20,
        };
        (IndexedObject::of(since), minor.max(since))
    }
}

layouts! {
    /// The indexed format of object files (`cmd/internal/goobj`, Go 1.15 and later).
    IndexedObject "" {
        blocks          "offsets in the header (nBlk)":       u64         = 4 => 15, 16 => 20, 18 => 19;
        symbol          "size of a symbol (SymSize)":         u64         = 4 => 20, 16 => 21;
        reloc           "size of a relocation (RelocSize)":   u64         = 4 => 22, 17 => 23;
        reloc_kind      "size of a relocation's kind":        u64         = 4 => 1, 17 => 2;
        ref_names       "number of the block of names of other packages' symbols": u64 = 4 => 13, 16 => 18, 18 => 17;
        hashed_lists    "lists of symbols known by a hash":   Option<u64> = 16 => 2;
        func_id         "size of FuncInfo.FuncID and Flag":   Option<u64> = 16 => 4;
        func_flag       "number of the byte FuncInfo.Flag":   Option<u64> = 17 => 1;
        start_line      "size of FuncInfo.StartLine":         Option<u64> = 20 => 4;
        tables_in_block "pc-value tables are in a block of their own": Option<u64> = 15 => 1, 16 => _;
        tables_in_func  "pc-value tables are symbols that FuncInfo names": Option<u64> = 16 => 1, 18 => _;
    }
}

/// Releases in a row, by their minor versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Releases {
    oldest: u16,
    newest: u16,
}

impl Releases {
    /// Those whose function table has a header with offsets that count from its start (Go 1.18 and later).
    pub(crate) const OFFSETS_FROM_HEADER: Releases = Releases { oldest: 18, newest: u16::MAX };

    pub(crate) fn contains(self, version: GoVersion) -> bool {
        (self.oldest..=self.newest).contains(&version.minor)
    }

    /// The known ones, newest first.
    pub(crate) fn known(self) -> impl Iterator<Item = GoVersion> {
        (self.oldest..=self.newest.min(NEWEST)).rev().map(|minor| GoVersion::new(minor, 0))
    }
}

/// First four bytes of a function table (`internal/abi.PCLnTabMagic`), and the releases that write them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableMagic {
    pub(crate) magic: u32,
    pub(crate) releases: Releases,
    /// The release that brought the format: the oldest one is older than the first whose runtime is known.
    pub(crate) since: GoVersion,
}

const fn table(magic: u32, oldest: u16, newest: u16, since: u16) -> TableMagic {
    TableMagic { magic, releases: Releases { oldest, newest }, since: GoVersion::new(since, 0) }
}

/// All of them, oldest first.
const TABLE_MAGICS: [TableMagic; 4] = [
    table(0xffff_fffb, 4, 15, 2),
    table(0xffff_fffa, 16, 17, 16),
    table(0xffff_fff0, 18, 19, 18),
    table(0xffff_fff1, 20, u16::MAX, 20),
];

impl TableMagic {
    /// The row of these four bytes.
    pub(crate) fn of(magic: u32) -> Option<&'static TableMagic> {
        TABLE_MAGICS.iter().find(|table| table.magic == magic)
    }

    /// What a release writes.
    pub(crate) fn written_by(version: GoVersion) -> &'static TableMagic {
        let [oldest, ..] = &TABLE_MAGICS;
        TABLE_MAGICS.iter().find(|table| table.releases.contains(version)).unwrap_or(oldest)
    }
}
