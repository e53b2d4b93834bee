//! Parts of the state that most calls leave as they are: going back to what they are already costs nothing.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};

static VERSIONS: AtomicU64 = AtomicU64::new(1);

/// A value, and which version of it this is, if it was not changed since.
#[derive(Debug)]
pub struct Tracked<T> {
    value: T,
    /// 0: it may have changed.
    version: u64,
}

impl<T> Tracked<T> {
    pub(crate) fn new(value: T) -> Tracked<T> {
        Tracked { value, version: 0 }
    }

    /// Changes what others go back to: that is another version.
    pub(crate) fn revise(&mut self, change: impl FnOnce(&mut T)) {
        change(&mut self.value);
        self.version = VERSIONS.fetch_add(1, Ordering::Relaxed);
    }
}

impl<T> Deref for Tracked<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Tracked<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        self.version = 0;
        &mut self.value
    }
}

impl<T: Clone> Clone for Tracked<T> {
    /// A version to go back to.
    fn clone(&self) -> Tracked<T> {
        Tracked { value: self.value.clone(), version: VERSIONS.fetch_add(1, Ordering::Relaxed) }
    }

    #[inline]
    fn clone_from(&mut self, from: &Tracked<T>) {
        if self.version == 0 || self.version != from.version {
            self.value.clone_from(&from.value);
            self.version = from.version;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often it was gone back to.
    #[derive(Debug)]
    struct Part(u32, u32);

    impl Clone for Part {
        fn clone(&self) -> Part {
            Part(self.0, 0)
        }

        fn clone_from(&mut self, from: &Part) {
            (self.0, self.1) = (from.0, self.1 + 1);
        }
    }

    #[test]
    fn what_did_not_change_is_not_copied() {
        let mut part = Tracked::new(Part(1, 0));
        let mut start = part.clone();
        part.clone_from(&start);
        part.clone_from(&start);
        assert_eq!((part.0, part.1), (1, 1));
        part.0 = 2;
        part.clone_from(&start);
        assert_eq!((part.0, part.1), (1, 2));
        start.0 = 3;
        for copies in [3, 4] {
            part.clone_from(&start);
            assert_eq!((part.0, part.1), (3, copies), "a start that has changed has no version");
        }
        start.revise(|part| part.0 = 4);
        part.clone_from(&start);
        part.clone_from(&start);
        assert_eq!((part.0, part.1), (4, 5));
        let other = Tracked::new(Part(5, 0)).clone();
        part.clone_from(&other);
        assert_eq!(part.0, 5);
        part.clone_from(&start.clone());
        assert_eq!(part.0, 4);
    }
}
