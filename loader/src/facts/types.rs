//! Type descriptors, which the compiler writes for every type that a value in an interface may have.
//!
//! Go sources: `internal/abi/type.go` (up to 1.20 `runtime/type.go`),
//! `cmd/compile/internal/reflectdata/reflect.go`. Before Go 1.7 they held pointers instead of offsets, and are
//! not read here.

use crate::facts::{Found, Row, layouts};

layouts! {
    /// The start of every descriptor.
    Rtype "internal/abi.Type|runtime._type" {
        size           "Size_|size":            Option<u64> = 7 => 0;
        ptrdata        "PtrBytes|ptrdata":      Option<u64> = 7 => 8;
        hash           "Hash|hash":             Option<u64> = 7 => 16;
        alg            "alg":                   Option<u64> = 7 => 24, 14 => _;
        tflag          "TFlag|tflag":           Option<u64> = 7 => 20;
        align          "Align_|align":          Option<u64> = 7 => 21;
        kind           "Kind_|kind":            Option<u64> = 7 => 23;
        name           "Str|str":               Option<u64> = 7 => 40;
        ptr_to_this    "PtrToThis|ptrToThis":   Option<u64> = 7 => 44;
        sizeof         "sizeof":                Option<u64> = 7 => 48;
    }

    /// How the keys of a type are hashed and compared, up to Go 1.13; since then the descriptor of a map has its hash
    /// function.
    TypeAlg "runtime.typeAlg" {
        hash           "hash":                  Option<u64> = 7 => 0, 14 => _;
    }

    /// The descriptor of a map type.
    MapType "internal/abi.MapType|internal/abi.SwissMapType|runtime.maptype" {
        key            "Key|key":               Option<u64> = 7 => 48;
        elem           "Elem|elem":             Option<u64> = 7 => 56;
        hasher         "Hasher|hasher":         Option<u64> = 14 => 72;
        sizeof         "sizeof":                Option<u64> = 7 => 88, 11 => 80, 14 => 88, 24 => 112, 27 => 136;
    }

    /// The descriptor of a channel type.
    ChanType "internal/abi.ChanType|runtime.chantype" {
        elem           "Elem|elem":             Option<u64> = 7 => 48;
        dir            "Dir|dir":               Option<u64> = 7 => 56;
        sizeof         "sizeof":                Option<u64> = 7 => 64;
    }

    /// The descriptor of an array type.
    ArrayType "internal/abi.ArrayType|runtime.arraytype" {
        elem           "Elem|elem":             Option<u64> = 7 => 48;
        len            "Len|len":               Option<u64> = 7 => 64;
        sizeof         "sizeof":                Option<u64> = 7 => 72;
    }

    /// The descriptor of a pointer type; those of slices are the same.
    PtrType "internal/abi.PtrType|runtime.ptrtype" {
        elem           "Elem|elem":             Option<u64> = 7 => 48;
        sizeof         "sizeof":                Option<u64> = 7 => 56;
    }

    /// The descriptor of a function type. Pointers to its parameters and results follow, behind the methods'
    /// table where there is one.
    FuncType "internal/abi.FuncType|runtime.functype" {
        in_count       "InCount|inCount":       Option<u64> = 7 => 48;
        out_count      "OutCount|outCount":     Option<u64> = 7 => 50;
        sizeof         "sizeof":                Option<u64> = 7 => 56;
    }

    /// The descriptor of a struct type.
    StructType "internal/abi.StructType|runtime.structtype" {
        fields         "Fields|fields":         Option<u64> = 7 => 56;
        sizeof         "sizeof":                Option<u64> = 7 => 80;
    }

    /// A field in it. From 1.9 to 1.18 the offset is shifted by one, and its lowest bit says that the field is
    /// embedded.
    StructField "internal/abi.StructField|runtime.structfield" {
        name           "Name|name":             Option<u64> = 7 => 0;
        ty             "Typ|typ":               Option<u64> = 7 => 8;
        offset         "Offset|offsetAnon|offset": Option<u64> = 7 => 16;
        sizeof         "sizeof":                Option<u64> = 7 => 24;
    }

    /// The descriptor of an interface type.
    InterfaceType "internal/abi.InterfaceType|runtime.interfacetype" {
        methods        "Methods|mhdr":          Option<u64> = 7 => 56;
        sizeof         "sizeof":                Option<u64> = 7 => 80;
    }

    /// A method in it.
    Imethod "internal/abi.Imethod|runtime.imethod" {
        name           "Name|name":             Option<u64> = 7 => 0;
        ty             "Typ|ityp":              Option<u64> = 7 => 4;
        sizeof         "sizeof":                Option<u64> = 7 => 8;
    }

    /// What follows the descriptor of a type that has a name or methods.
    UncommonType "internal/abi.UncommonType|runtime.uncommontype" {
        pkg_path       "PkgPath|pkgPath|pkgpath": Option<u64> = 7 => 0;
        mcount         "Mcount|mcount":         Option<u64> = 7 => 4;
        moff           "Moff|moff":             Option<u64> = 7 => 8;
        sizeof         "sizeof":                Option<u64> = 7 => 16;
    }

    /// A method of a type.
    Method "internal/abi.Method|runtime.method" {
        name           "Name|name":             Option<u64> = 7 => 0;
        ty             "Mtyp|mtyp":             Option<u64> = 7 => 4;
        ifn            "Ifn|ifn":               Option<u64> = 7 => 8;
        tfn            "Tfn|tfn":               Option<u64> = 7 => 12;
        sizeof         "sizeof":                Option<u64> = 7 => 16;
    }
}

/// The layouts of descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeFacts {
    /// What all have.
    pub rtype: Rtype,
    /// Hashing of keys.
    pub alg: TypeAlg,
    /// Maps.
    pub map: MapType,
    /// Channels.
    pub chan: ChanType,
    /// Arrays.
    pub array: ArrayType,
    /// Pointers and slices.
    pub pointer: PtrType,
    /// Functions.
    pub func: FuncType,
    /// Structs.
    pub structure: StructType,
    /// Their fields.
    pub field: StructField,
    /// Interfaces.
    pub interface: InterfaceType,
    /// Their methods.
    pub imethod: Imethod,
    /// Tables of methods.
    pub uncommon: UncommonType,
    /// Their entries.
    pub method: Method,
}

impl TypeFacts {
    pub(super) fn of(minor: u16) -> Self {
        TypeFacts {
            rtype: Rtype::of(minor),
            alg: TypeAlg::of(minor),
            map: MapType::of(minor),
            chan: ChanType::of(minor),
            array: ArrayType::of(minor),
            pointer: PtrType::of(minor),
            func: FuncType::of(minor),
            structure: StructType::of(minor),
            field: StructField::of(minor),
            interface: InterfaceType::of(minor),
            imethod: Imethod::of(minor),
            uncommon: UncommonType::of(minor),
            method: Method::of(minor),
        }
    }

    pub(super) fn ask(&mut self, ask: &mut dyn FnMut(Row) -> Found) {
        self.rtype.ask(ask);
        self.alg.ask(ask);
        self.map.ask(ask);
        self.chan.ask(ask);
        self.array.ask(ask);
        self.pointer.ask(ask);
        self.func.ask(ask);
        self.structure.ask(ask);
        self.field.ask(ask);
        self.interface.ask(ask);
        self.imethod.ask(ask);
        self.uncommon.ask(ask);
        self.method.ask(ask);
    }
}
