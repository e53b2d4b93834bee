//! Vector clocks: what a goroutine knows of the others.
//!
//! Each goroutine has a slot and a count in it, which goes up whenever it lets others know what it did. Knowing the count of
//! a slot is knowing all that the slot's goroutine knew then: vectors are merged only where that tells something new, and
//! shared where it does not.

use std::sync::Arc;

/// What somebody has let others know.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    known: Arc<Vec<u32>>,
    /// Whose it is, with the count; none for one that was merged of several.
    own: Option<(u16, u32)>,
}

/// What a goroutine knows.
#[derive(Clone, Debug)]
pub(super) struct Knowledge {
    pub(super) slot: u16,
    /// Its own count.
    pub(super) now: u32,
    /// The counts of others, by slot.
    known: Arc<Vec<u32>>,
}

impl Knowledge {
    /// A goroutine that begins knowing nothing.
    pub(super) fn new(slot: u16) -> Knowledge {
        Knowledge { slot, now: 1, known: Arc::default() }
    }

    /// Another goroutine takes over the slot. What the last one has let known, it knows.
    pub(super) fn taken_over(&self) -> Knowledge {
        Knowledge { slot: self.slot, now: self.now + 1, known: Arc::clone(&self.known) }
    }

    /// Whether what a slot's goroutine did at a count came before.
    #[inline]
    pub(super) fn knows(&self, slot: u16, count: u32) -> bool {
        slot == self.slot || self.known.get(usize::from(slot)).is_some_and(|known| *known >= count)
    }

    /// Lets others know.
    pub(super) fn release(&mut self) -> Clock {
        let clock = Clock { known: Arc::clone(&self.known), own: Some((self.slot, self.now)) };
        self.now += 1;
        clock
    }

    /// Lets others know, beside what they were let known before.
    pub(super) fn release_merged(&mut self, before: &Clock) -> Clock {
        if self.knows_all(before) {
            return self.release();
        }
        let mut known = Vec::clone(&self.known);
        raise(&mut known, self.slot, self.now);
        before.own.iter().for_each(|(slot, count)| raise(&mut known, *slot, *count));
        merge(&mut known, &before.known);
        self.now += 1;
        Clock { known: Arc::new(known), own: None }
    }

    /// Learns what was let known.
    pub(super) fn acquire(&mut self, clock: &Clock) {
        if self.knows_all(clock) {
            return;
        }
        let known = Arc::make_mut(&mut self.known);
        merge(known, &clock.known);
        clock.own.iter().for_each(|(slot, count)| raise(known, *slot, *count));
    }

    fn knows_all(&self, clock: &Clock) -> bool {
        match clock.own {
            Some((slot, count)) => self.knows(slot, count),
            None => clock.known.iter().zip(0..).all(|(count, slot)| self.knows(slot, *count)),
        }
    }
}

fn raise(known: &mut Vec<u32>, slot: u16, count: u32) {
    let slot = usize::from(slot);
    if known.len() <= slot {
        known.resize(slot + 1, 0);
    }
    known[slot] = known[slot].max(count);
}

fn merge(known: &mut Vec<u32>, others: &[u32]) {
    if known.len() < others.len() {
        known.resize(others.len(), 0);
    }
    known.iter_mut().zip(others).for_each(|(mine, other)| *mine = (*mine).max(*other));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_acquires_knows_what_came_before() {
        let (mut a, mut b, mut c) = (Knowledge::new(0), Knowledge::new(1), Knowledge::new(2));
        let first = a.now;
        let clock = a.release();
        let second = a.now;
        assert!(!b.knows(0, first));
        b.acquire(&clock);
        assert!(b.knows(0, first) && !b.knows(0, second));
        // Through others, too.
        let through = b.release();
        c.acquire(&through);
        assert!(c.knows(0, first) && c.knows(1, 1) && !c.knows(1, 2));
    }

    #[test]
    fn merged_clocks_have_all() {
        let (mut a, mut b, mut c) = (Knowledge::new(0), Knowledge::new(1), Knowledge::new(2));
        let one = a.release();
        let both = b.release_merged(&one);
        c.acquire(&both);
        assert!(c.knows(0, 1) && c.knows(1, 1));
        // The merged clock is the waiting goroutine's to know, not that of those who were merged.
        assert!(!b.knows(0, 1) && !a.knows(1, 1));
    }

    #[test]
    fn a_slot_goes_on_counting() {
        let mut a = Knowledge::new(3);
        let mut other = Knowledge::new(0);
        other.acquire(&a.release());
        let next = a.taken_over();
        assert!(other.knows(3, 1) && !other.knows(3, next.now));
    }
}
