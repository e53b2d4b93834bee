//! What changes in Go's runtime from release to release, each fact once.
//!
//! A fact is a row: a field of a runtime structure, its name in Go, and a cell for every release that moved
//! it. A cell holds from its release (the 17 of Go 1.17) until the next cell; `_` ends a field. So the row
//!
//! ```text
//! stktopsp "stktopsp": Option<u64> = 6 => 168, 9 => 128, 23 => 136, 25 => 128;
//! ```
//!
//! says that `g.stktopsp` came with Go 1.6 and moved in 1.9, 1.23 and 1.25. The type says whether every
//! release has the field (`u64`, which the compiler checks: the first cell must be [`OLDEST`]) or not
//! (`Option<u64>`). Offsets are in bytes, for 64-bit systems.
//!
//! A new release of Go: set [`NEWEST`], run the test that compares [`Facts::rows`] with the DWARF of a binary
//! built by it, and add a cell where it fails.

mod abbrevs;
mod cpu;
mod forms;
mod growth;
mod learn;
mod maps;
mod objects;
mod rules;
mod runtime;
mod signals;
mod tables;
mod texts;
mod traces;
mod types;

pub(crate) use abbrevs::{Abbrev, abbrevs};
pub use cpu::X86;
pub(crate) use forms::{Forms, IndexedObject, Releases, TableMagic, TypeHash};
pub use growth::Growth;
pub use learn::Found;
pub(crate) use learn::look_up;
pub use maps::{Hmap, MapRules, SwissMap, SwissTable};
pub(crate) use objects::{
    ObjectNames, Prefixes, Relocs, SymKind, WEAK, builtin_is_abi0, builtin_is_data, builtins,
    has_known_objects, object_names, prefixes, sym_kind,
};
pub use rules::{Maps, Rules};
pub use runtime::{
    BoundsError, Defer, Eface, G, Gobuf, Hchan, InitTask, InterfaceSwitch, Itab, M, Numbers, P, Panic, Scase,
    Stack, Sudog, Timer, TypeAssert, WbBuf, WinCall,
};
pub use signals::{Signal, Signals};
pub use tables::{
    Func, FuncData, FuncIds, InlinedCall, Module, PcData, Pclntab, StackObject, TraceArgs, TraceLimits,
};
pub(crate) use texts::Texts;
pub use traces::TraceForm;

pub use types::{
    ArrayType, ChanType, FuncType, Imethod, InterfaceType, MapType, Method, PtrType, Rtype, StructField,
    StructType, TypeAlg, TypeFacts, UncommonType,
};

use crate::layout::Os;
use crate::version::GoVersion;

/// The oldest release that the rows know: Go 1.4.
pub const OLDEST: u16 = 4;

/// The newest release that the rows know: Go 1.27.
pub const NEWEST: u16 = 27;

/// From which release on (its minor version) a fact has which value; `None`: it is gone.
pub(crate) type Cells = &'static [(u16, Option<u64>)];

/// A row for tools that check facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The Go type or variable: `runtime.g`.
    pub of: &'static str,
    /// The field's name in Go, or several that it had over time with `|` between them.
    pub field: &'static str,
    /// Its offset in bytes; of the field `sizeof`, the size of the whole type. None: this release has no
    /// such field.
    pub offset: Option<u64>,
}

impl Row {
    /// The names that the field had over time, newest first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.field.split('|')
    }
}

/// The value that cells give a release.
fn lookup(cells: Cells, minor: u16) -> Option<u64> {
    cells.iter().rev().find(|(since, _)| *since <= minor).and_then(|(_, value)| *value)
}

/// What a row may be read as.
trait Value: Sized {
    /// Whether the fact may be missing in some releases.
    const OPTIONAL: bool;
    fn of(cells: Cells, minor: u16) -> Self;
    /// Takes over what a program says.
    fn learn(&mut self, found: Found);
}

impl Value for Option<u64> {
    const OPTIONAL: bool = true;
    fn of(cells: Cells, minor: u16) -> Self {
        lookup(cells, minor)
    }
    fn learn(&mut self, found: Found) {
        match found {
            Found::Offset(offset) => *self = Some(offset),
            Found::NoField => *self = None,
            Found::NoType => {}
        }
    }
}

impl Value for u64 {
    const OPTIONAL: bool = false;
    /// `whole` has made sure that there is a value for every release.
    fn of(cells: Cells, minor: u16) -> Self {
        lookup(cells, minor).unwrap_or_default()
    }
    fn learn(&mut self, found: Found) {
        if let Found::Offset(offset) = found {
            *self = offset;
        }
    }
}

/// Whether cells are in order, and hold for every release where they must.
const fn whole(cells: Cells, optional: bool) -> bool {
    let mut index = 0;
    while index < cells.len() {
        let (since, value) = cells[index];
        if since < OLDEST || since > NEWEST || (value.is_none() && !optional) {
            return false;
        }
        if index > 0 && cells[index - 1].0 >= since {
            return false;
        }
        index += 1;
    }
    !cells.is_empty() && (optional || cells[0].0 == OLDEST)
}

/// One cell's value: a number, or `_` for a field that is gone.
macro_rules! cell {
    (_) => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

/// Makes a struct of each table of rows: a public field per row, the constructor that picks the cells of a
/// release, and the list of rows for checkers. Tables whose Go name is "" are constants: no type to check.
macro_rules! layouts {
    ($(
        $(#[$doc:meta])*
        $table:ident $go:literal {
            $( $field:ident $name:literal: $type:ty = $($since:literal => $value:tt),+; )+
        }
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        #[allow(unreachable_pub, reason = "some tables are for the loader alone")]
        pub struct $table {
            $( #[doc = concat!("`", $name, "`")] pub $field: $type, )+
        }

        impl $table {
            pub(crate) fn of(minor: u16) -> Self {
                Self { $( $field: {
                    const CELLS: $crate::facts::Cells = &[$(($since, $crate::facts::cell!($value))),+];
                    const {
                        assert!($crate::facts::whole(CELLS, <$type as $crate::facts::Value>::OPTIONAL))
                    };
                    <$type as $crate::facts::Value>::of(CELLS, minor)
                }, )+ }
            }

            /// Asks about each row what a program says of it, and believes that.
            #[allow(dead_code, reason = "tables of constants have nothing to ask about")]
            pub(crate) fn ask(&mut self, ask: &mut dyn FnMut($crate::facts::Row) -> $crate::facts::Found) {
                $( {
                    let row = $crate::facts::Row { of: $go, field: $name, offset: self.$field.into() };
                    $crate::facts::Value::learn(&mut self.$field, ask(row));
                } )+
            }
        }
    )+};
}
use {cell, layouts};

/// All that goemu knows about the runtime of one release of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The release that these are the facts of.
    pub version: GoVersion,
    /// Whether they are a guess: the binary does not tell its version, or it is older or newer than all known
    /// ones and gets the facts of the nearest.
    pub guessed: bool,
    /// Whether the structures are laid out as the program's debug information has them: its release is newer than
    /// all known ones.
    pub learned: bool,
    /// Goroutines.
    pub g: G,
    /// Saved registers of a goroutine.
    pub gobuf: Gobuf,
    /// Threads.
    pub m: M,
    /// Processors, in the scheduler's sense.
    pub p: P,
    /// A processor's write barrier buffer.
    pub wb_buf: WbBuf,
    /// Calls of Windows' libraries.
    pub win_call: WinCall,
    /// Deferred calls.
    pub defer: Defer,
    /// Panics under way.
    pub panic: Panic,
    /// Stack sizes and guards.
    pub stack: Stack,
    /// Interface tables.
    pub itab: Itab,
    /// Values of type `any`.
    pub eface: Eface,
    /// Channels.
    pub hchan: Hchan,
    /// Goroutines that wait for channels.
    pub sudog: Sudog,
    /// Cases of select statements.
    pub scase: Scase,
    /// Timers.
    pub timer: Timer,
    /// Maps up to Go 1.23.
    pub hmap: Hmap,
    /// Maps since Go 1.24.
    pub swiss_map: SwissMap,
    /// Their tables.
    pub swiss_table: SwissTable,
    /// What maps have in common.
    pub map_rules: MapRules,
    /// Package initialisation.
    pub inittask: InitTask,
    /// Panics over indexes.
    pub bounds_error: BoundsError,
    /// Assertions to interfaces.
    pub type_assert: TypeAssert,
    /// Type switches.
    pub interface_switch: InterfaceSwitch,
    /// Numbers that no structure shows.
    pub numbers: Numbers,
    /// What the runtime and its assembly believe about the processor.
    pub x86: X86,
    /// The function table's header.
    pub pclntab: Pclntab,
    /// One function's record.
    pub func: Func,
    /// One inlined call.
    pub inlined_call: InlinedCall,
    /// The runtime's table of tables.
    pub module: Module,
    /// Indexes of pc-value tables.
    pub pcdata: PcData,
    /// Indexes of per-function data.
    pub funcdata: FuncData,
    /// Variables of frames that are reached by address.
    pub stack_object: StackObject,
    /// Codes of the programs that print arguments in tracebacks.
    pub trace_args: TraceArgs,
    /// How long tracebacks are.
    pub trace_limits: TraceLimits,
    /// Numbers of functions that the runtime treats specially.
    pub func_ids: FuncIds,
    /// Type descriptors.
    pub types: TypeFacts,
}

impl Facts {
    /// The facts of a release; of the nearest known one, marked as a guess, where this one is not known.
    pub fn of(version: GoVersion) -> Facts {
        let minor = version.minor.clamp(OLDEST, NEWEST);
        Facts {
            version,
            guessed: minor != version.minor,
            learned: false,
            g: G::of(minor),
            gobuf: Gobuf::of(minor),
            m: M::of(minor),
            p: P::of(minor),
            wb_buf: WbBuf::of(minor),
            win_call: WinCall::of(minor),
            defer: Defer::of(minor),
            panic: Panic::of(minor),
            stack: Stack::of(minor),
            itab: Itab::of(minor),
            eface: Eface::of(minor),
            hchan: Hchan::of(minor),
            sudog: Sudog::of(minor),
            scase: Scase::of(minor),
            timer: Timer::of(minor),
            hmap: Hmap::of(minor),
            swiss_map: SwissMap::of(minor),
            swiss_table: SwissTable::of(minor),
            map_rules: MapRules::of(minor),
            inittask: InitTask::of(minor),
            bounds_error: BoundsError::of(minor),
            type_assert: TypeAssert::of(minor),
            interface_switch: InterfaceSwitch::of(minor),
            numbers: Numbers::of(minor),
            x86: X86::of(minor),
            pclntab: Pclntab::of(minor),
            func: Func::of(minor),
            inlined_call: InlinedCall::of(minor),
            module: Module::of(minor),
            pcdata: PcData::of(minor),
            funcdata: FuncData::of(minor),
            stack_object: StackObject::of(minor),
            trace_args: TraceArgs::of(minor),
            trace_limits: TraceLimits::of(minor),
            func_ids: FuncIds::of(minor),
            types: TypeFacts::of(minor),
        }
    }

    /// The facts for a system: where they differ, they are those of Linux before.
    ///
    /// `runtime.m` has two fields of different sizes: the signal stack (`gsignalStack`, Go 1.9 and later) and the
    /// signal mask (`sigset`, Go 1.6 and later). Windows has neither, some systems have a larger mask.
    pub(crate) fn on(self, os: Os) -> Facts {
        let minor = self.version.minor;
        let by = match os {
            // Debug information is the system's own.
            _ if self.learned => 0,
            Os::Windows if minor >= 9 => -48,
            Os::Windows if minor >= 6 => -8,
            Os::FreeBsd | Os::NetBsd | Os::DragonFly | Os::Solaris | Os::Illumos if minor >= 6 => 8,
            _ => 0,
        };
        Facts { m: self.m.moved(by), ..self }
    }

    /// Whether Go code passes arguments in registers (ABIInternal of Go 1.17 and later).
    pub fn register_abi(&self) -> bool {
        self.forms().two_conventions()
    }

    /// Offset from the thread pointer (FS) at which Linux programs keep `g`.
    pub fn linux_tls_g(&self) -> i64 {
        if self.version.minor >= 5 { -8 } else { -16 }
    }

    /// Asks about every row of a structure what a program says of it, and believes that.
    fn ask(&mut self, ask: &mut dyn FnMut(Row) -> Found) {
        self.g.ask(ask);
        self.gobuf.ask(ask);
        self.m.ask(ask);
        self.p.ask(ask);
        self.wb_buf.ask(ask);
        self.defer.ask(ask);
        self.panic.ask(ask);
        self.itab.ask(ask);
        self.eface.ask(ask);
        self.hchan.ask(ask);
        self.sudog.ask(ask);
        self.scase.ask(ask);
        self.timer.ask(ask);
        self.hmap.ask(ask);
        self.swiss_map.ask(ask);
        self.swiss_table.ask(ask);
        self.inittask.ask(ask);
        self.bounds_error.ask(ask);
        self.type_assert.ask(ask);
        self.interface_switch.ask(ask);
        self.x86.ask(ask);
        self.func.ask(ask);
        self.inlined_call.ask(ask);
        self.module.ask(ask);
        self.types.ask(ask);
    }

    /// Every offset as (type, field, offset), for tools that compare them with the DWARF of a binary.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut facts = *self;
        facts.ask(&mut |row| {
            rows.push(row);
            Found::NoType
        });
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_until_the_next() {
        const CELLS: Cells = &[(6, Some(168)), (9, Some(128)), (22, None)];
        assert_eq!(
            [5, 6, 8, 9, 21, 22, 27].map(|minor| lookup(CELLS, minor)),
            [None, Some(168), Some(168), Some(128), Some(128), None, None]
        );
    }

    #[test]
    fn rows_must_be_ordered_and_whole() {
        assert!(whole(&[(4, Some(0)), (9, Some(8))], false));
        assert!(!whole(&[(5, Some(0))], false));
        assert!(!whole(&[(4, Some(0)), (9, None)], false));
        assert!(!whole(&[(9, Some(0)), (4, Some(8))], true));
        assert!(!whole(&[(NEWEST + 1, Some(0))], true));
        assert!(!whole(&[], true));
    }

    #[test]
    fn unknown_releases_get_the_nearest_facts_marked_as_a_guess() {
        let newest = Facts::of(GoVersion::new(NEWEST, 3));
        let newer = Facts::of(GoVersion::new(NEWEST + 1, 0));
        assert!(newer.guessed && !newest.guessed);
        assert_eq!(newer.rows(), newest.rows());
        assert!(newer.register_abi());
        assert!(Facts::of(GoVersion::new(2, 0)).guessed);
    }

    #[test]
    fn fields_of_one_type_do_not_share_an_offset() {
        for minor in OLDEST..=NEWEST {
            let rows = Facts::of(GoVersion::new(minor, 0)).rows();
            for (index, a) in rows.iter().enumerate() {
                let clash = rows.iter().skip(index + 1).find(|b| {
                    a.of == b.of && a.offset.is_some() && a.offset == b.offset && b.field != "sizeof"
                });
                assert_eq!(clash, None, "{a:?} in go1.{minor}");
            }
        }
    }

    #[test]
    fn fields_lie_inside_their_type() {
        for minor in OLDEST..=NEWEST {
            let rows = Facts::of(GoVersion::new(minor, 0)).rows();
            for size in rows.iter().filter(|row| row.field == "sizeof" && row.offset.is_some()) {
                let outside = rows.iter().find(|row| row.of == size.of && row.offset > size.offset);
                assert_eq!(outside, None, "{size:?} in go1.{minor}");
            }
        }
    }
}
