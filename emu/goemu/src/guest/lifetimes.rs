//! What the collector and the program owe each other, which Go keeps as the specials of its heap (`runtime/mheap.go`): finalizers,
//! cleanups, weak pointers; what has been freed and is still to be told; what is pinned; and how often there was a collection.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;

use super::parts::Part;

/// Bytes of an entry of a table, about.
const ENTRY: u64 = 48;

/// A closure that is to be called, with the first words of its arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    pub(crate) closure: u64,
    pub(crate) args: [u64; 2],
    /// How many of them there are.
    pub(crate) count: usize,
}

impl Owed {
    pub(crate) fn words(&self) -> &[u64] {
        self.args.get(..self.count).unwrap_or_default()
    }
}

/// How many queues there are.
pub(crate) const QUEUES: usize = 2;

/// Calls that the collector owes, which one goroutine makes one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    pub(crate) calls: VecDeque<Owed>,
    /// The number of the goroutine that makes them; none while there is nothing to do.
    pub(crate) goroutine: Option<u64>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.goroutine.is_none()
    }
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lifetimes {
    /// Whether the call has asked to be told of what a collection frees.
    pub(crate) watched: bool,
    /// Whether it has asked so in a way that hooks do not serve: a collection then cannot be right.
    pub(crate) unserved: bool,
    /// Collections that the program has asked for.
    pub(crate) collections: u32,
    /// When the last of them were, in nanoseconds since 1970: as many as `MemStats` tells of.
    pub(crate) collected: VecDeque<u64>,
    /// The goroutine whose collection has emptied pools, and is about to begin.
    pub(crate) emptied_pools: Option<u64>,
    /// By object: its finalizer.
    pub(crate) finalizers: BTreeMap<u64, Owed>,
    /// By address in an object: its cleanups and their numbers, the oldest first.
    pub(crate) cleanups: BTreeMap<u64, Vec<(u64, Owed)>>,
    /// The number of the newest cleanup.
    pub(crate) newest_cleanup: u64,
    /// How many of them wait for their objects.
    pub(crate) cleanups_set: u64,
    /// The object that is being given a cleanup.
    pub(crate) gets_cleanup: Option<u64>,
    /// A table of arenas that has none, once somebody has looked for one.
    pub(crate) no_arenas: Option<u64>,
    /// By address in an object: the word that its weak pointers share.
    pub(crate) weak_handles: BTreeMap<u64, u64>,
    /// What is still to be called: finalizers, and cleanups, which have goroutines of their own since Go 1.25.
    pub(crate) owed: [Queue; QUEUES],
    /// By object: how often it is pinned, for pointers that are given to C.
    pub(crate) pins: FxHashMap<u64, u64>,
    /// By the set of a `Pinner`: the objects that it has pinned, as often as it has.
    pub(crate) pinned_by: FxHashMap<u64, Vec<u64>>,
    /// How many those are in all.
    pub(crate) pinned: u64,
}

impl Lifetimes {
    /// About how many bytes of the host's memory the records take.
    pub(crate) fn held(&self) -> u64 {
        let pins = self.pins.len() + self.pinned_by.len();
        (self.records() + pins as u64) * ENTRY + self.pinned * 16
    }

    /// How many records there are that a collection looks at.
    pub(crate) fn records(&self) -> u64 {
        let owed: usize = self.owed.iter().map(|queue| queue.calls.len()).sum();
        let objects = self.finalizers.len() + self.cleanups.len() + self.weak_handles.len();
        (objects + owed) as u64 + self.cleanups_set
    }

    /// Whether an object has anything that a collection is to see to.
    pub(crate) fn has_specials(&self) -> bool {
        !(self.finalizers.is_empty() && self.cleanups.is_empty() && self.weak_handles.is_empty())
    }
}

impl Part for Lifetimes {
    fn is_empty(&self) -> bool {
        let Lifetimes {
            watched,
            unserved,
            collections,
            collected: _,
            emptied_pools,
            finalizers,
            cleanups,
            newest_cleanup,
            cleanups_set: _,
            gets_cleanup,
            no_arenas,
            weak_handles,
            owed,
            pins,
            pinned_by,
            pinned: _,
        } = self;
        let counted = *watched || *unserved || *collections > 0 || *newest_cleanup > 0;
        !counted
            && emptied_pools.is_none()
            && gets_cleanup.is_none()
            && no_arenas.is_none()
            && finalizers.is_empty()
            && cleanups.is_empty()
            && weak_handles.is_empty()
            && owed.iter().all(Queue::is_empty)
            && pins.is_empty()
            && pinned_by.is_empty()
    }
}
