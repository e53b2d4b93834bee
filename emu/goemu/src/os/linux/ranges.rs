//! A set of addresses, as sorted ranges that do not touch.

use std::ops::Range;

/// The most ranges of a process, as in Linux (`vm.max_map_count`).
const MOST: usize = 65_530;

/// A set of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Whether the limit is reached.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    /// How many ranges there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first range that shares an address with this one.
    pub(super) fn hit(&self, range: &Range<u64>) -> Option<&Range<u64>> {
        let at = self.0.partition_point(|known| known.end <= range.start);
        self.0.get(at).filter(|known| known.start < range.end)
    }

    /// The parts of a range that are in the set.
    pub(super) fn within(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let from = self.0.partition_point(|known| known.end <= range.start);
        let hits = self.0[from..].iter().take_while(|known| known.start < range.end);
        hits.map(|known| known.start.max(range.start)..known.end.min(range.end)).collect()
    }

    /// Adds a range, parts of which may be in the set.
    pub(super) fn add(&mut self, range: &Range<u64>) {
        let from = self.0.partition_point(|known| known.end < range.start);
        let upto = self.0.partition_point(|known| known.start <= range.end);
        let start =
            self.0.get(from).filter(|_| from < upto).map_or(range.start, |r| r.start.min(range.start));
        let end = upto.checked_sub(1).filter(|_| from < upto).map_or(range.end, |last| self.0[last].end);
        self.0.splice(from..upto, std::iter::once(start..end.max(range.end)));
    }

    /// Removes a range.
    pub(super) fn remove(&mut self, range: &Range<u64>) {
        let from = self.0.partition_point(|known| known.end <= range.start);
        let upto = self.0.partition_point(|known| known.start < range.end).max(from);
        let cut = self.0[from..upto].iter().flat_map(|known| {
            [known.start..known.end.min(range.start), known.start.max(range.end)..known.end]
        });
        let left: Vec<_> = cut.filter(|part| part.start < part.end).collect();
        self.0.splice(from..upto, left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_and_are_cut() {
        let mut set = Ranges::default();
        for range in [10..20, 30..40, 50..60, 20..30] {
            set.add(&range);
        }
        assert_eq!(set.0, [10..40, 50..60]);
        set.add(&(15..55));
        assert_eq!((set.0.len(), &set.0[0]), (1, &(10..60)));
        set.remove(&(20..30));
        set.remove(&(55..99));
        set.remove(&(0..12));
        assert_eq!(set.0, [12..20, 30..55]);
        assert_eq!(set.within(&(15..31)), [15..20, 30..31]);
        assert_eq!((set.hit(&(20..30)), set.hit(&(0..13))), (None, Some(&(12..20))));
        set.remove(&(0..100));
        assert_eq!(set.0, []);
    }

    /// Against a set of single addresses.
    #[test]
    fn any_order_of_changes_is_the_same_set() {
        let (mut set, mut plain) = (Ranges::default(), [false; 64]);
        let mut random = 1_u64;
        for _ in 0..10_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let start = (random >> 33) % 60;
            let range = start..start + 1 + (random >> 40) % 4;
            let add = random >> 50 & 1 == 0;
            if add {
                set.add(&range)
            } else {
                set.remove(&range)
            }
            range.for_each(|at| plain[at as usize] = add);
            let found: Vec<bool> = (0..64).map(|at| set.hit(&(at..at + 1)).is_some()).collect();
            assert_eq!(found, plain);
            assert!(set.0.windows(2).all(|pair| pair[0].end < pair[1].start), "{set:?}");
        }
    }
}
