//! Edges that are counted together.
//!
//! Translated code does not count an edge where it is taken, but where control has come from one place alone since: then one counter
//! counts all of the edges that were taken on the way.

use std::sync::atomic::Ordering;

use rustc_hash::FxHashMap;

use super::counters::{Counters, add};

/// Edges of a path, at most.
const LONGEST: u8 = 16;
/// Paths of more than one edge.
const MOST: usize = 1 << 18;
/// Counters of one path, at most: an addition waits for the one before it to the same counter, and code that counts a path at several
/// places need not.
const PLACES: usize = 4;

/// Edges that control took one after the other and that are not counted yet: none, or one, or several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(Kind);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Kind {
    #[default]
    None,
    /// The edge of a number.
    One(u32),
    /// A longer path, by its number.
    More(u32),
}

/// A path, and an edge after it.
#[derive(Clone, Copy, Debug)]
struct More {
    before: Path,
    edge: u32,
    len: u8,
}

#[derive(Debug)]
pub(super) struct Paths {
    paths: Vec<More>,
    numbers: FxHashMap<(Path, u32), u32>,
    /// What each counter counts.
    counted: Vec<Path>,
    counters: Counters,
    /// The counters of a path, by a number of the place.
    places: FxHashMap<(Path, usize), u32>,
}

impl Path {
    /// Whether nothing was taken.
    pub fn is_empty(self) -> bool {
        self == Path::default()
    }
}

impl Default for Paths {
    fn default() -> Paths {
        Paths {
            paths: Vec::new(),
            numbers: FxHashMap::default(),
            counted: Vec::new(),
            counters: Counters::new(2 * MOST),
            places: FxHashMap::default(),
        }
    }
}

impl Paths {
    /// The path that an edge makes longer. `None` if there can be none.
    pub(super) fn join(&mut self, before: Path, edge: u32) -> Option<Path> {
        let len = match before.0 {
            Kind::None => return Some(Path(Kind::One(edge))),
            Kind::One(_) => 2,
            Kind::More(number) => self.paths.get(number as usize)?.len + 1,
        };
        if let Some(&known) = self.numbers.get(&(before, edge)) {
            return Some(Path(Kind::More(known)));
        }
        if len > LONGEST || self.paths.len() >= MOST {
            return None;
        }
        let number = self.paths.len() as u32;
        self.paths.push(More { before, edge, len });
        self.numbers.insert((before, edge), number);
        Some(Path(Kind::More(number)))
    }

    /// A counter for a path at one of several places. `None` where a single edge has no further one.
    pub(super) fn counter(&mut self, path: Path, place: usize) -> Option<*mut u64> {
        let (long, place) = (matches!(path.0, Kind::More(_)), place % PLACES);
        // Half of the room is for first counters of paths.
        let room = self.counted.len() < self.counters.most() / 2;
        let place = if room || !long { place } else { 0 };
        if let Some(&number) = self.places.get(&(path, place)) {
            return self.counters.get(number as usize).map(|counter| counter.as_ptr());
        }
        if self.edges(path).next().is_none() || !(room || long) {
            return None;
        }
        let number = self.counted.len();
        let counter = self.counters.make(number)?.as_ptr();
        self.counted.push(path);
        self.places.insert((path, place), number as u32);
        Some(counter)
    }

    /// The edges of a path, the last one first.
    pub(super) fn edges(&self, path: Path) -> impl Iterator<Item = u32> {
        let mut rest = path;
        std::iter::from_fn(move || {
            let edge;
            (edge, rest) = match rest.0 {
                Kind::None => return None,
                Kind::One(edge) => (edge, Path::default()),
                Kind::More(number) => {
                    let more = self.paths.get(number as usize)?;
                    (more.edge, more.before)
                }
            };
            Some(edge)
        })
    }

    /// Shows what was counted: each edge, perhaps several times, and how often.
    pub(super) fn each(&self, mut show: impl FnMut(u32, u64)) {
        for (at, counter) in self.counters.first(self.counted.len()) {
            match counter.load(Ordering::Relaxed) {
                0 => {}
                count => self.edges(self.counted[at]).for_each(|edge| show(edge, count)),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = &std::sync::atomic::AtomicU64> {
        self.counters.first(self.counted.len()).map(|(_, counter)| counter)
    }

    /// Sets all counts to 0.
    pub(super) fn clear(&self) {
        self.counters.first(self.counted.len()).for_each(|(_, counter)| counter.store(0, Ordering::Relaxed));
    }

    /// Adds what was counted to the edges' own counters, and sets the counts here to 0.
    pub(super) fn settle(&self, own: &Counters) {
        self.each(|edge, count| {
            if let Some(own) = own.get(edge as usize) {
                add(own, count);
            }
        });
        self.clear();
    }
}
