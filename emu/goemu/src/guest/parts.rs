//! What parts of the runtime, of the system and of its libraries remember of a guest: each is used by one of them.
//! All go back to the state that calls start from with [`World`](super::world::World).

use std::collections::HashMap;

use super::ending::Dying;
use super::map_walk::Walk;
use super::under_way::UnderWay;
use super::waiters::Waiters;
use crate::go::traceback::unwind::Start;

/// A part that holds nothing in most calls, and then costs next to nothing to restore.
pub(crate) trait Part: Clone {
    /// Whether nothing in it may differ from that of another that is empty.
    fn is_empty(&self) -> bool;

    /// Makes this what `from` is.
    fn restore(&mut self, from: &Self) {
        if !(self.is_empty() && from.is_empty()) {
            self.clone_from(from);
        }
    }
}

/// What linked object files, which have no runtime, would keep in theirs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Linked {
    /// Itabs by interface and type.
    pub(crate) itabs: HashMap<(u64, u64), u64>,
    /// Ranges over maps by the address of their iterators.
    pub(crate) walks: HashMap<u64, Walk>,
    /// Memory that helpers reuse, address and size.
    pub(crate) scratch: Option<(u64, u64)>,
    /// The goroutines that wait at channels.
    pub(crate) waiters: Waiters,
}

impl Part for Linked {
    fn is_empty(&self) -> bool {
        let Linked { itabs, walks, scratch, waiters } = self;
        itabs.is_empty() && walks.is_empty() && scratch.is_none() && waiters.is_empty()
    }
}

/// What the system's libraries remember.
#[derive(Clone, Debug, Default)]
pub(crate) struct Libraries {
    /// Functions that the program looked up by name.
    pub(crate) found: Vec<String>,
    /// The address of the C library's `errno`, after its first use.
    pub(crate) errno: Option<u64>,
    /// Whether the device that random numbers come from is open.
    pub(crate) random_open: bool,
    /// Whether the program's C code has been told that Go has started.
    pub(crate) c_knows: bool,
}

impl Part for Libraries {
    fn is_empty(&self) -> bool {
        let Libraries { found, errno, random_open, c_knows } = self;
        found.is_empty() && errno.is_none() && !random_open && !c_knows
    }
}

/// How a panic, or a started program, is ending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending {
    /// Why a started program is ending.
    pub(crate) dying: Option<Dying>,
    /// The two words of the newest panic's value, as `gopanic` was given it.
    pub(crate) panic_value: Option<(u64, u64)>,
    /// Where an unrecovered panic ended the goroutine.
    pub(crate) panic_at: Start,
    /// Where in standard error the text of an unrecovered panic begins.
    pub(crate) printed_from: usize,
}

impl Part for Ending {
    fn is_empty(&self) -> bool {
        let Ending { dying, panic_value, panic_at, printed_from } = self;
        let nowhere = *panic_at == Start::default() && *printed_from == 0;
        dying.is_none() && panic_value.is_none() && nowhere
    }
}

/// What observers will be told of a started program's runtime when its calls end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// Calls that are reported when they end.
    pub(crate) under_way: Vec<UnderWay>,
    /// The function that restarts on a larger stack, and the offset of its frame from the stack's end: its call is not
    /// reported twice.
    pub(crate) begins_again: Option<(u64, u64)>,
}

impl Part for Pending {
    fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.begins_again.is_none()
    }
}

/// How much the guest may still write to its outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Bytes that are left.
    pub(crate) left: u64,
    /// Whether the guest wrote more than that.
    pub(crate) spent: bool,
    /// Outputs without a reader: bits 1 and 2.
    pub(crate) closed: u8,
}

impl Default for Output {
    fn default() -> Output {
        Output { left: u64::MAX, spent: false, closed: 0 }
    }
}
