//! Package variables of programs without debug information: the places of data that code names, and what is there looks like.

use std::collections::BTreeMap;

use goemu_loader::Image;

use super::strings::{Place, is_own};
use super::xrefs::scan;
use crate::go::guess::{Look, looks};
use crate::machine::{Interrupt, Machine};

/// Bytes that are looked at: those of a slice.
const WORDS: u64 = 24;
/// Users of one variable that are kept.
const MAX_USERS: usize = 64;

/// A variable without a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unnamed {
    /// Its address.
    pub addr: u64,
    /// Its bytes, as far as that is known: those that look like something, or a word.
    pub size: u64,
    /// Its words.
    pub words: Vec<u64>,
    /// What they look like; `None` for numbers.
    pub look: Option<Look>,
    /// The instructions that use it.
    pub users: Vec<Place>,
}

/// The variables of the packages that are not Go's own, in order of address, as they are in the machine now.
#[must_use]
pub fn unnamed(machine: &Machine, interrupt: &Interrupt) -> Vec<Unnamed> {
    let image = machine.image();
    let uses = scan(image, interrupt, |func, constants| {
        let own = is_own(image, func.entry());
        let uses = constants.uses.iter().filter(|one| is_variable(image, one.addr));
        uses.map(|one| (one.addr, Place { at: one.at, func: Some(func.entry()) }, own)).collect::<Vec<_>>()
    });
    let mut places: BTreeMap<u64, (Vec<Place>, bool)> = BTreeMap::new();
    for (addr, user, own) in uses.into_iter().flatten() {
        let place = places.entry(addr).or_default();
        place.1 |= !own;
        if place.0.len() < MAX_USERS {
            place.0.push(user);
        }
    }
    let mut found: Vec<Unnamed> = Vec::new();
    for (addr, (users, wanted)) in places {
        // Code names the parts of a string or a slice, too.
        match found.last_mut().filter(|last| addr < last.addr.saturating_add(last.size)) {
            Some(last) => last.users.extend(users),
            None if wanted => found.push(at(machine, addr, users)),
            None => {}
        }
    }
    found
}

/// The variable at an address.
fn at(machine: &Machine, addr: u64, users: Vec<Place>) -> Unnamed {
    let image = machine.image();
    let words = words(machine, addr, WORDS.min(end(image, addr) - addr));
    let look = looks(image, machine.memory(), &words).into_iter().find(|look| look.first == 0);
    let len = look.as_ref().map_or(1, |look| look.words);
    let words = words[..len.min(words.len())].to_vec();
    Unnamed { addr, size: 8 * words.len() as u64, words, look, users }
}

/// The end of the section of variables that an address is in; the address itself where it is in none.
fn end(image: &Image, addr: u64) -> u64 {
    let Some(module) = image.module() else { return addr };
    let sections = [module.noptrdata, module.data, module.bss, module.noptrbss];
    sections.iter().find(|section| section.contains(addr)).map_or(addr, |section| section.end)
}

fn is_variable(image: &Image, addr: u64) -> bool {
    end(image, addr) > addr
}

fn words(machine: &Machine, addr: u64, size: u64) -> Vec<u64> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    machine.memory().peek(addr, &mut bytes);
    let word = |part: &[u8]| {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        u64::from_le_bytes(word)
    };
    bytes.chunks(8).map(word).collect()
}
