//! What was translated: blocks by guest address, and what each place of the code stands for.

use std::io;

use goemu_x86::coverage::Path;
use iced_x86::{MemoryOperand, Register};
use rustc_hash::FxHashMap;

use crate::emit::{Emitter, operand};
use crate::facts::Facts;
use crate::host::code::CodeMemory;
use crate::host::enter::LEAVE;
use crate::layout::{self, ARRIVED};

/// One translation of a guest block: for what is known where it is entered.
pub(crate) struct Version {
    pub(crate) facts: Facts,
    /// Instructions that were executed where it begins and are not yet counted down.
    pub(crate) pending: i32,
    /// Instructions since the last look at fuel, at most, where it begins.
    pub(crate) since: i32,
    /// Where its code lies.
    pub(crate) place: u32,
    /// Whether it assumes nothing.
    plain: bool,
}

impl Version {
    pub(crate) fn new(facts: Facts, pending: i32, since: i32, place: u32) -> Version {
        let plain = facts.weight() == 0 && since >= ARRIVED;
        Version { facts, pending, since, place, plain }
    }
}

/// Where the guest is, if the host refuses something in the code from a place on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) place: u32,
    pub(crate) pc: u64,
    /// Instructions executed before it and not yet counted down.
    pub(crate) pending: i32,
    /// What RSP is to be raised by.
    pub(crate) off: u8,
    pub(crate) at: At,
    /// Edges that were taken before it and not yet counted.
    pub(crate) taken: Path,
}

/// What finds the guest's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// [`Spot::pc`]
    Pc,
    /// The quadword below RSP: a return went there.
    Return,
    /// The state's field for jumps.
    Jump,
    /// [`Spot::pc`]; RDI is one of the host's addresses.
    Biased,
    /// [`Spot::pc`]; it is looked whether R14 is an address, up to this place of the code.
    Look { end: u32 },
    /// [`Spot::pc`], a call that was expected to go elsewhere; its way through the table begins at this place.
    Guess { other: u32 },
}

/// Why code leaves of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stub {
    /// The interpreter goes on there.
    Interpret { pc: u64, pending: i32 },
    /// Control comes to an address that is not translated, or a stop; where its jump lies, to be changed once it is.
    Arrive { pc: u64, pending: i32, jump: u32 },
    /// No entry of the table of returns.
    Return,
    /// No entry of the table of jumps.
    Jump,
    /// The block at an address is looked at; then its code goes on at a place.
    Look { pc: u64, pending: i32, next: u32 },
}

/// Blocks that are kept at most: each takes some 200 bytes beside its code.
const MOST_BLOCKS: usize = 1 << 18;

/// All translated code of one machine.
pub(crate) struct Cache {
    pub(crate) code: CodeMemory,
    versions: FxHashMap<u64, Vec<Version>>,
    /// In the order of their places.
    pub(crate) spots: Vec<Spot>,
    pub(crate) stubs: Vec<Stub>,
    /// Jumps to addresses that are not translated.
    waiting: FxHashMap<u64, Vec<u32>>,
    /// Entries through the tables.
    entries: FxHashMap<(u64, bool), u32>,
    /// What the tables have where they have no entry: of returns, of jumps.
    misses: (u32, u32),
    /// What they have where addresses share an entry: this looks into the second table.
    shared: (u32, u32),
    /// Places that jumps by tables go to, one table after the other.
    pub(crate) switches: Vec<u32>,
    /// Blocks that are kept.
    blocks: usize,
}

impl Cache {
    pub(crate) fn new() -> io::Result<Cache> {
        let mut cache = Cache {
            code: CodeMemory::new()?,
            versions: FxHashMap::default(),
            spots: Vec::new(),
            stubs: Vec::new(),
            waiting: FxHashMap::default(),
            entries: FxHashMap::default(),
            misses: (0, 0),
            shared: (0, 0),
            switches: Vec::new(),
            blocks: 0,
        };
        cache.clear();
        Ok(cache)
    }

    /// Bytes of code that there are.
    pub(crate) fn code_size(&self) -> usize {
        self.code.used()
    }

    /// Blocks that are kept.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.code.clear();
        self.versions.clear();
        self.spots.clear();
        self.stubs.clear();
        self.waiting.clear();
        self.entries.clear();
        self.switches.clear();
        self.blocks = 0;
        let mut emitter = Emitter::new(0);
        self.misses.0 = emitter.here();
        emit_stub(&mut emitter, 0);
        self.misses.1 = emitter.here();
        emit_stub(&mut emitter, 1);
        self.stubs.extend([Stub::Return, Stub::Jump]);
        self.shared = (self.emit_shared(&mut emitter, true), self.emit_shared(&mut emitter, false));
        let code = emitter.finish().unwrap_or_default();
        self.code.append(&code);
    }

    fn emit_shared(&mut self, emitter: &mut Emitter, returns: bool) -> u32 {
        let (at, addr) = found(returns);
        let place = emitter.here();
        self.spots.push(Spot { place, pc: 0, pending: 0, off: 0, at, taken: Path::default() });
        emitter.second_slot(addr);
        emitter.jump_by_table(if returns { layout::SECOND_RETURNS } else { layout::SECOND_JUMPS });
        place
    }

    /// Whether so many blocks and ways out are kept that all should be forgotten: such code may take no bytes.
    pub(crate) fn is_full(&self) -> bool {
        self.blocks > MOST_BLOCKS || self.stubs.len() > MOST_BLOCKS
    }

    /// The host's addresses for what the tables do not have.
    pub(crate) fn misses(&self) -> (u64, u64) {
        (self.address(self.misses.0), self.address(self.misses.1))
    }

    /// The host's address for entries of a table that several addresses share.
    pub(crate) fn shared(&self, returns: bool) -> u64 {
        self.address(if returns { self.shared.0 } else { self.shared.1 })
    }

    pub(crate) fn address(&self, place: u32) -> u64 {
        self.code.start() + u64::from(place)
    }

    pub(crate) fn versions(&self, pc: u64) -> &[Version] {
        self.versions.get(&pc).map_or(&[], Vec::as_slice)
    }

    /// The version that assumes nothing.
    pub(crate) fn plain(&self, pc: u64) -> Option<&Version> {
        self.versions(pc).iter().find(|version| version.plain)
    }

    pub(crate) fn add(&mut self, pc: u64, version: Version) {
        let plain = version.plain;
        let (pending, place) = (version.pending, version.place);
        self.versions.entry(pc).or_default().push(version);
        self.blocks += 1;
        if plain && let Some(jumps) = self.waiting.remove(&pc) {
            let to = if pending == 0 { Some(place) } else { self.adjusted(place, pending) };
            if let Some(to) = to {
                jumps.iter().for_each(|&jump| self.patch(jump, to));
            }
        }
    }

    /// Makes a jump go on at a place.
    fn patch(&mut self, jump: u32, to: u32) {
        let by = i64::from(to) - (i64::from(jump) + 4);
        if let Ok(by) = i32::try_from(by) {
            self.code.patch(jump as usize, &by.to_le_bytes());
        }
    }

    /// A way to a block for those that have counted all down.
    fn adjusted(&mut self, place: u32, pending: i32) -> Option<u32> {
        let mut emitter = Emitter::new(self.code.used() as u32);
        let start = emitter.here();
        emitter.count(pending);
        emitter.jump_back(place);
        let code = emitter.finish()?;
        self.code.append(&code).then_some(start)
    }

    /// A jump, whose displacement lies there, waits for an address to be translated.
    pub(crate) fn wait(&mut self, pc: u64, jump: u32) {
        self.waiting.entry(pc).or_default().push(jump);
    }

    /// The way through a table to a translated address, made when it is first asked for: it proves that the guest's address
    /// is really that one, and adds 1 to `counter`. `None` if it is not translated, or no code fits.
    pub(crate) fn entry(&mut self, pc: u64, returns: bool, counter: Option<u64>) -> Option<u32> {
        if let Some(&entry) = self.entries.get(&(pc, returns)) {
            return Some(entry);
        }
        let (place, pending) = self.plain(pc).map(|version| (version.place, version.pending))?;
        let mut emitter = Emitter::new(self.code.used() as u32);
        emitter.align(16);
        let entry = emitter.here();
        let constant = emitter.label();
        let (at, found) = found(returns);
        let spot = Spot { place: entry, pc, pending: 0, off: 0, at, taken: Path::default() };
        emitter.expect(found, constant);
        if let Some(counter) = counter {
            emitter.add_one(counter);
        }
        emitter.count(pending);
        emitter.jump_back(place);
        emitter.bind(constant);
        emitter.quad(pc);
        let code = emitter.finish()?;
        if !self.code.append(&code) {
            return None;
        }
        self.spots.push(spot);
        self.entries.insert((pc, returns), entry);
        Some(entry)
    }

    /// The way that returns take to an address.
    pub(crate) fn add_return(&mut self, pc: u64, entry: u32) {
        self.entries.insert((pc, true), entry);
    }

    /// Passes over what follows an address up to a place, from now on.
    pub(crate) fn pass_over(&mut self, address: u64, end: u32) {
        /// JMP rel8
        const JUMP: u8 = 0xeb;
        let place = address.wrapping_sub(self.code.start());
        if let Ok(by) = i8::try_from(i64::from(end) - place.cast_signed() - 2) {
            self.code.patch(place as usize, &[JUMP, by.to_le_bytes()[0]]);
        }
    }

    /// What is at an address is a jump to a place, from now on.
    pub(crate) fn redirect(&mut self, address: u64, to: u32) {
        /// JMP rel32
        const JUMP: u8 = 0xe9;
        let jump = address.wrapping_sub(self.code.start());
        self.code.patch(jump as usize, &[JUMP]);
        self.patch(jump as u32 + 1, to);
    }

    /// Where the guest is when the host refuses something at an address.
    pub(crate) fn spot(&self, address: u64) -> Option<Spot> {
        let place = u32::try_from(address.checked_sub(self.code.start())?).ok()?;
        let after = self.spots.partition_point(|spot| spot.place <= place);
        self.spots.get(after.checked_sub(1)?).copied()
    }
}

/// Where control finds the guest's address that it goes to: after a return, after an indirect jump.
fn found(returns: bool) -> (At, MemoryOperand) {
    if returns {
        (At::Return, operand(Register::RSP, -8))
    } else {
        (At::Jump, crate::emit::at(layout::STATE + crate::host::enter::JUMP))
    }
}

/// The way out through a stub.
pub(crate) fn emit_stub(emitter: &mut Emitter, number: u32) {
    emitter.set(crate::emit::T, number.into());
    emitter.jump_to_field(LEAVE);
}
