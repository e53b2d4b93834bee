//! Where things are in the guard below the guest's space, as displacements from its start, which is the base of GS.
//!
//! All lie between -2^31 and -2^30: an instruction reaches them by a displacement alone, and no access of the guest's does,
//! because what is not checked may be off by 2^30 at most ([`crate::facts::REACH`]).

use goemu_memory::{BUMPED, HostPages, PAGE};

const START: i32 = i32::MIN;

/// The registers and what else [`State`](crate::host::enter::State) holds.
pub(crate) const STATE: i32 = START;

/// Quadwords of all numbers from -4096 to 4095: what is added to the count of instructions.
const NUMBERS: i32 = START + 0x1000;
pub(crate) const NUMBERS_LEN: usize = 0x2000;

/// Where returns go: an address of the code cache for each value of the return address's low 16 bits.
pub(crate) const RETURNS: i32 = START + 0x2_0000;
/// The same for indirect jumps and calls, by [`slot_of_jump`]: functions begin at multiples of 32, so that the low bits alone
/// would be the same for many.
pub(crate) const JUMPS: i32 = START + 0xa_0000;
/// Entries of each table.
pub(crate) const TABLE_LEN: usize = 0x1_0000;

/// Where addresses go that share an entry of those tables: by [`second_slot`].
pub(crate) const SECOND_RETURNS: i32 = START + 0x12_0000;
pub(crate) const SECOND_JUMPS: i32 = START + 0x12_8000;
/// Entries of each of these.
pub(crate) const SECOND_LEN: usize = 0x1000;
/// The bits of CRC32 that number them. Addresses below 2^32 that share an entry of [`JUMPS`] differ in the upper half.
pub(crate) const SECOND_BITS: u64 = (SECOND_LEN as u64 - 1) << 16;

/// Sizes of the objects that were handed out, and what their types say of pointers.
pub(crate) const SIZES: i32 = START + 0x13_0000;
pub(crate) const POINTERS: i32 = SIZES + 8 * BUMPED as i32;

/// Addresses of the code cache for jumps by tables of the guest's.
pub(crate) const SWITCHES: i32 = START + 0x14_0000;
pub(crate) const SWITCHES_LEN: usize = 0x1_0000;

/// Readable bytes with nothing before them: the count of instructions left, used as an index, faults at 0 and below.
const POLL: i32 = START + 0x80_0000;
/// Instructions that code runs for before it is asked, at most.
pub(crate) const CHUNK: i64 = 0x10_0000;

/// Instructions that code may have run for without a look at fuel where a return, or control from outside, comes to it.
pub(crate) const ARRIVED: i32 = 192;
/// Instructions by which translated code may run over, which are kept back when it is entered: the most that it runs without a
/// look, and some to spare.
pub(crate) const MARGIN: i64 = 512;

/// Bits of an address in the guest's space.
pub(crate) const SPACE_BITS: u32 = 40;

/// A readable page with nothing after it for 2^30 bytes: 16 bits of an address, used as an index of quadwords from its last, or the
/// high 30 as one of bytes, fault unless they are 0.
const TRIP: i32 = START + 0x100_0000;

/// The displacement for an index that must be 0.
pub(crate) const TRIPWIRE: i32 = TRIP + 0x1000 - 8;
/// The displacement for an index of bytes below 2^30 that must be 0.
pub(crate) const TRIPWIRE_OF_BYTES: i32 = TRIP + 0x1000 - 1;
/// The displacement for an index of quadwords that must be 255 and is not more.
pub(crate) const ALL_ONES: i32 = POLL - 255 * 8;

/// The displacement for the count of instructions left, of which `pending` are used already.
pub(crate) fn poll(pending: i32) -> i32 {
    POLL - 1 - pending
}

/// What the instruction CRC32 makes of 0 and an address, or of the low half of an address and 0.
fn crc(addr: u64) -> u64 {
    const POLYNOMIAL: u64 = 0x82f6_3b78;
    (0..64).fold(addr, |crc, _| crc >> 1 ^ if crc & 1 != 0 { POLYNOMIAL } else { 0 })
}

/// The entry for an address in the table of jumps: the low bits of the CRC of its low half.
pub(crate) fn slot_of_jump(addr: u64) -> u16 {
    crc(addr & 0xffff_ffff) as u16
}

/// The entry for an address in a second table.
pub(crate) fn second_slot(addr: u64) -> u16 {
    ((crc(addr) & SECOND_BITS) >> SECOND_BITS.trailing_zeros()) as u16
}

/// Where the last table ends, from the state on.
pub(crate) const TABLES_END: usize = (SWITCHES - START) as usize + 8 * SWITCHES_LEN;

/// The displacement of a number.
pub(crate) fn number(n: i32) -> i32 {
    NUMBERS + 8 * (n + NUMBERS_LEN as i32 / 2)
}

/// All that is committed; the rest of the guard stays without memory.
pub(crate) fn pages() -> [HostPages; 3] {
    let below = |at: i32| u64::from(at.unsigned_abs());
    [
        HostPages { below: below(STATE), len: TABLES_END as u64, write: true },
        HostPages { below: below(POLL), len: CHUNK as u64, write: false },
        HostPages { below: below(TRIP), len: PAGE, write: false },
    ]
}
