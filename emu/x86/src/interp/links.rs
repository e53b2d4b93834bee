//! What leads to each block: so that one can be dropped, and the others stay.

use super::code::Id;

/// A way out of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Next,
    Taken,
}

/// Lists of ways, one for each block: those that lead there, or did.
#[derive(Default)]
pub(super) struct Links {
    /// The first way that leads to a block.
    first: Vec<u32>,
    /// The way that follows one in its list.
    after: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Links {
    /// There is a block more, and nothing leads to it.
    pub(super) fn add(&mut self) {
        self.first.push(NONE);
        self.after.extend([NONE; 2]);
    }

    /// A block leads to another, and nowhere else by that way: it is in one list at most, as a link is made once and broken once.
    pub(super) fn join(&mut self, from: Id, way: Way, to: Id) {
        let way = from.number() * 2 + usize::from(way == Way::Taken);
        if let (Some(after), Some(first)) = (self.after.get_mut(way), self.first.get_mut(to.number())) {
            *after = std::mem::replace(first, way as u32);
        }
    }

    /// What leads to a block, or did. Nothing does any more.
    pub(super) fn part(&mut self, to: Id) -> Vec<(Id, Way)> {
        let mut ways = Vec::new();
        let mut next = self.first.get_mut(to.number()).map_or(NONE, |first| std::mem::replace(first, NONE));
        while next != NONE {
            let way = next as usize;
            ways.push((Id::of(way / 2), if way.is_multiple_of(2) { Way::Next } else { Way::Taken }));
            next = self.after.get_mut(way).map_or(NONE, |after| std::mem::replace(after, NONE));
        }
        ways
    }
}
