//! Every string of a program: constants, what its packages hold when they are initialised, and what its decoders make.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use goemu_loader::{Func, Image, Perm};

use super::callees::Callees;
use super::constants::{Known, Literal, is_address, is_constant_data};
use super::is_text;
use super::outside::{Outside, writable};
pub use super::own::is_own;
use super::owners::Owners;
use super::walk::{Made, Setting, Walked, walk};
use super::xrefs::{find, scan, words};
use crate::error::Error;
use crate::interp::Interpreter;
use crate::machine::{EngineChoice, Interrupt, Machine};
use crate::pool::{Follow, Pool, Progress};

/// Bytes of a string.
const MAX_LEN: u64 = 64 << 10;
/// What registers and bytes hold of which nothing is known: the first and the second time. Neither is an address.
pub(super) const FILLS: [u8; 2] = [0xa7, 0x5b];

/// What is looked for, and how long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bytes that a string has at least.
    pub min: usize,
    /// Whether decoders are run.
    pub decode: bool,
    /// Instructions for each call that a function makes; all its calls have a hundred times that.
    pub fuel: u64,
    /// Time for each function, on a host where these instructions take longer.
    pub time: Duration,
    /// Machines at work.
    pub jobs: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            min: 4,
            decode: true,
            fuel: 2_000_000,
            time: Duration::from_secs(60),
            jobs: crate::pool::cores(),
        }
    }
}

/// Where a string comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Code names it, or constant data.
    Constant,
    /// Packages made it as they were initialised.
    Initialised,
    /// A decoder made it.
    Decoded,
}

/// How sure it is that the program has this string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// It looks like one.
    Possible,
    /// Pointer and length stand near each other, or a piece of code gave it once.
    Likely,
    /// Pointer and length belong together, or nothing but constants went into it.
    Certain,
}

/// A place in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The instruction, or the word of data.
    pub at: u64,
    /// The entry of the function that it is in.
    pub func: Option<u64>,
}

/// A string.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its bytes.
    pub value: Vec<u8>,
    /// Where it comes from.
    pub origin: Origin,
    /// Where it is in memory; of decoded ones, the entry of the function that makes it.
    pub addr: u64,
    /// The code that names it, or calls the decoder.
    pub users: Vec<Place>,
    /// How sure that is.
    pub certainty: Certainty,
}

/// All that was found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The strings, by origin and address.
    pub strings: Vec<Found>,
    /// Functions that were run.
    pub tried: usize,
    /// Functions that were not run any more.
    pub left: usize,
    /// Functions that were not run to their end, because they take too long.
    pub cut: usize,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

/// Lists the strings of the program in a machine, which is best initialised. What decoders make is found by running them on machines in
/// its state; `progress` is told how many were run of how many, and may end that.
///
/// # Errors
/// The host may refuse memory for the machines.
pub fn list(
    mut machine: Machine,
    options: &Options,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Listing, Error> {
    let image = machine.image().clone();
    let mut strings = Strings::default();
    let survey = survey(&image, interrupt);
    strings.constants(&image, &survey);
    strings.data(&image, &survey);
    strings.initialised(&mut machine, &image);
    let mut listing = Listing::default();
    if options.decode {
        let (ran, all) = decode(machine, options, interrupt, progress)?;
        listing.tried = ran.len();
        listing.left = all - ran.len();
        listing.cut = ran.iter().filter(|ran| ran.is_cut).count();
        strings.decoded(ran);
    }
    listing.interrupted = interrupt.is_raised();
    listing.strings = strings.found;
    listing.strings.retain(|found| found.value.len() >= options.min);
    listing.strings.sort_by_key(|found| (found.origin, found.addr));
    Ok(listing)
}

/// What one pass over all code finds.
struct Survey {
    literals: Vec<(u64, Literal)>,
    /// Addresses of data that instructions name: by address, the instructions.
    uses: HashMap<u64, Vec<Place>>,
}

fn survey(image: &Image, interrupt: &Interrupt) -> Survey {
    let parts = scan(image, interrupt, |func, constants| {
        (func.entry(), constants.literals.clone(), constants.uses.clone())
    });
    let mut survey = Survey { literals: Vec::new(), uses: HashMap::new() };
    for (entry, literals, uses) in parts {
        survey.literals.extend(literals.into_iter().map(|literal| (entry, literal)));
        for one in uses {
            survey.uses.entry(one.addr).or_default().push(Place { at: one.at, func: Some(entry) });
        }
    }
    survey
}

/// What came of one function.
struct Ran {
    func: u64,
    made: Vec<Made>,
    is_cut: bool,
}

/// Runs all ways through all functions but Go's own.
fn decode(
    mut machine: Machine,
    options: &Options,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<(Vec<Ran>, usize), Error> {
    let image = machine.image().clone();
    if machine.config().engine == EngineChoice::Auto {
        // Calls are short, and each begins at a state that was saved: the host would protect pages for the translator each time.
        machine.set_engine(|| Box::new(Interpreter::new()));
        machine.memory_mut().unhost_code();
    }
    let mut funcs: Vec<u64> =
        image.defined_funcs().map(|func| func.entry()).filter(|entry| !is_own(&image, *entry)).collect();
    // Packages lie behind those that they use. The program's own come first, for who does not wait for all.
    funcs.reverse();
    let all = funcs.len();
    let (callees, outside) = (Callees::new(&image), Outside::of(&machine));
    let setting = Setting { callees: &callees, outside: &outside, fuel: options.fuel, interrupt };
    let mut pool =
        Pool::new(machine).jobs(options.jobs).time_each(Some(options.time)).interrupted_by(interrupt.clone());
    let work = |machine: &mut Machine, entry: u64| {
        let began = Instant::now();
        let walked = image.func_at(entry).map(|func| texts(machine, &setting, &func)).unwrap_or_default();
        let is_cut = walked.is_cut || began.elapsed() >= options.time;
        Ran { func: entry, made: walked.made, is_cut }
    };
    let mut gather = Gather { ran: Vec::new(), progress: &mut |done| progress(done, all) };
    pool.run(funcs.into_iter(), work, &mut gather)?;
    gather.ran.reverse();
    Ok((gather.ran, all))
}

/// The texts that a function makes of what is known: those that it makes whatever the unknown is.
fn texts(machine: &mut Machine, setting: &Setting<'_>, func: &Func<'_>) -> Walked {
    let Walked { mut made, mut is_cut } = walk(machine, setting, func, FILLS[0]);
    if !made.is_empty() {
        let second = walk(machine, setting, func, FILLS[1]);
        is_cut |= second.is_cut;
        let again: HashSet<Made> = second.made.into_iter().collect();
        made.retain(|made| again.contains(made));
        // What lies around a text before it is cut out, or a part of it.
        let has = |whole: &[u8], part: &[u8]| whole.windows(part.len()).any(|window| window == part);
        let given: Vec<Vec<u8>> =
            made.iter().filter(|made| made.given).map(|made| made.value.clone()).collect();
        let around = |value: &[u8]| given.iter().any(|text| has(value, text) || has(text, value));
        made.retain(|made| made.given || !around(&made.value) && !is_in_file(func.image(), &made.value));
        // What is left of a text that is changed byte by byte.
        let all: Vec<Vec<u8>> = made.iter().map(|made| made.value.clone()).collect();
        let part = |value: &[u8]| all.iter().any(|whole| whole.len() > value.len() && has(whole, value));
        made.retain(|made| made.given || !part(&made.value));
    }
    Walked { made, is_cut }
}

/// Whether constant data has these bytes.
fn is_in_file(image: &Image, text: &[u8]) -> bool {
    let mut constant = image.segments().iter().filter(|segment| !segment.perm.contains(Perm::WRITE));
    constant.any(|segment| find(image.segment_bytes(segment), text).is_some())
}

struct Gather<'p> {
    ran: Vec<Ran>,
    progress: &'p mut dyn FnMut(usize) -> ControlFlow<()>,
}

impl Follow<Ran> for Gather<'_> {
    fn result(&mut self, ran: Ran) -> ControlFlow<()> {
        self.ran.push(ran);
        ControlFlow::Continue(())
    }

    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        (self.progress)(progress.done)
    }
}

#[derive(Default)]
struct Strings {
    found: Vec<Found>,
    /// Where the string is that has this address and length.
    index: HashMap<(u64, u64), usize>,
}

impl Strings {
    fn add(&mut self, key: (u64, u64), found: Found) {
        match self.index.get(&key) {
            Some(&at) => {
                let known = &mut self.found[at];
                known.certainty = known.certainty.max(found.certainty);
                known.users.extend(found.users);
                known.users.sort_unstable();
                known.users.dedup();
            }
            None => {
                self.index.insert(key, self.found.len());
                self.found.push(found);
            }
        }
    }

    /// Those that code names.
    fn constants(&mut self, image: &Image, survey: &Survey) {
        // What is sure first: it tells which of the others are parts of it.
        for sure in [true, false] {
            for (func, literal) in survey.literals.iter().filter(|(_, literal)| literal.sure == sure) {
                let bytes = usize::try_from(literal.len).ok().and_then(|len| image.bytes(literal.addr, len));
                let Some(value) = bytes.map(<[u8]>::to_vec) else { continue };
                let certainty = if sure { Certainty::Certain } else { Certainty::Likely };
                let users = vec![Place { at: literal.at, func: Some(*func) }];
                let (origin, addr) = (Origin::Constant, literal.addr);
                self.add((addr, literal.len), Found { value, origin, addr, users, certainty });
            }
        }
    }

    /// Those that are pointer and length in data.
    fn data(&mut self, image: &Image, survey: &Survey) {
        let owners = Owners::of(image, &survey.uses);
        words(image, |at, addr| {
            let len = image.read_u64(at.wrapping_add(8)).unwrap_or(0);
            if !(1..=MAX_LEN).contains(&len) || !is_constant_data(image, addr) {
                return ControlFlow::Continue(());
            }
            let bytes = usize::try_from(len).ok().and_then(|len| image.bytes(addr, len));
            if let Some(value) = bytes.filter(|bytes| is_text(bytes)).map(<[u8]>::to_vec) {
                let users = survey.uses.get(&at).cloned().unwrap_or_default();
                let certainty = if users.is_empty() { Certainty::Likely } else { Certainty::Certain };
                // Elements of lists, and fields, are used by who uses the whole.
                let users = if users.is_empty() { owners.users(at) } else { users };
                let users = if users.is_empty() { vec![Place { at, func: None }] } else { users };
                self.add((addr, len), Found { value, origin: Origin::Constant, addr, users, certainty });
            }
            ControlFlow::Continue(())
        });
    }

    /// Those that are in variables, or in what these refer to, once packages are initialised.
    fn initialised(&mut self, machine: &mut Machine, image: &Image) {
        if !machine.is_initialised() || machine.reset().is_err() {
            return;
        }
        for range in writable(machine) {
            self.in_memory(machine, image, range);
        }
    }

    fn in_memory(&mut self, machine: &Machine, image: &Image, range: Range<u64>) {
        let memory = machine.memory();
        let word = |at: u64| memory.read(at).ok().map(u64::from_le_bytes);
        for at in range.step_by(8) {
            let (Some(addr), Some(len)) = (word(at), word(at + 8)) else { continue };
            let fits = (1..=MAX_LEN).contains(&len) && addr != 0 && !is_address(image, addr);
            let Some(mut bytes) = usize::try_from(len).ok().filter(|_| fits).map(|len| vec![0; len]) else {
                continue;
            };
            if memory.read_bytes(addr, &mut bytes).is_ok() && is_text(&bytes) {
                let func = None;
                let found = Found {
                    value: bytes,
                    origin: Origin::Initialised,
                    addr,
                    users: vec![Place { at, func }],
                    certainty: Certainty::Likely,
                };
                self.add((addr, len), found);
            }
        }
    }

    /// Those that decoders made: each once for the function that makes it.
    fn decoded(&mut self, ran: Vec<Ran>) {
        let mut made: BTreeMap<(u64, Vec<u8>), (Certainty, Vec<Place>)> = BTreeMap::new();
        for (func, one) in
            ran.into_iter().flat_map(|ran| ran.made.into_iter().map(move |one| (ran.func, one)))
        {
            let certainty = if one.given { Certainty::Certain } else { Certainty::Likely };
            let known = made.entry((one.maker, one.value)).or_insert((certainty, Vec::new()));
            known.0 = known.0.max(certainty);
            known.1.push(Place { at: one.at, func: Some(func) });
        }
        for ((addr, value), (certainty, mut users)) in made {
            users.sort_unstable();
            users.dedup();
            self.found.push(Found { value, origin: Origin::Decoded, addr, users, certainty });
        }
    }
}

/// A literal's words, to show calls: a string where an address and a length stand side by side.
#[must_use]
pub fn text_of(image: &Image, pair: [Option<Known>; 2]) -> Option<Vec<u8>> {
    let [Some(Known::Address(addr)), Some(Known::Number(len))] = pair else { return None };
    let bytes =
        image.bytes(addr, usize::try_from(len).ok().filter(|len| (1..=MAX_LEN as usize).contains(len))?)?;
    is_text(bytes).then(|| bytes.to_vec())
}
