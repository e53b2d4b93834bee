//! Objects of the guest's heap, and the code that allocated them.

use std::collections::{BTreeMap, VecDeque};

/// An object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) addr: u64,
    pub(super) size: u64,
    /// Address of its type's descriptor, or 0.
    pub(super) ty: u64,
    /// The stack that allocated it.
    pub(super) stack: u32,
    /// The goroutine that allocated it; 0 where the runtime did.
    pub(super) goroutine: u64,
}

/// The newest objects.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    by_addr: BTreeMap<u64, Object>,
    order: VecDeque<u64>,
    most: usize,
}

impl Objects {
    /// So many at most.
    pub(super) fn new(most: usize) -> Objects {
        Objects { by_addr: BTreeMap::new(), order: VecDeque::new(), most: most.max(1) }
    }

    /// An object was allocated, in the place of those that were there.
    pub(super) fn add(&mut self, object: Object) {
        let end = object.addr.saturating_add(object.size.max(1));
        while let Some((&addr, old)) = self.by_addr.range(..end).next_back() {
            if old.addr.saturating_add(old.size.max(1)) <= object.addr {
                break;
            }
            self.by_addr.remove(&addr);
        }
        self.by_addr.insert(object.addr, object);
        self.order.push_back(object.addr);
        while self.order.len() > self.most {
            if let Some(addr) = self.order.pop_front() {
                self.by_addr.remove(&addr);
            }
        }
    }

    /// The object that has an address.
    pub(super) fn at(&self, addr: u64) -> Option<Object> {
        let (_, object) = self.by_addr.range(..=addr).next_back()?;
        (addr - object.addr < object.size.max(1)).then_some(*object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(addr: u64, size: u64) -> Object {
        Object { addr, size, ty: 0, stack: 0, goroutine: 1 }
    }

    #[test]
    fn new_objects_take_the_place_of_old_ones() {
        let mut objects = Objects::new(10);
        objects.add(object(0x1000, 16));
        objects.add(object(0x1010, 16));
        assert_eq!(objects.at(0x101f), Some(object(0x1010, 16)));
        objects.add(object(0x1008, 16));
        assert_eq!((objects.at(0x1000), objects.at(0x1018)), (None, None));
        assert_eq!(objects.at(0x1017), Some(object(0x1008, 16)));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut objects = Objects::new(2);
        (1..=3).for_each(|n| objects.add(object(n * 64, 64)));
        assert_eq!((objects.at(64), objects.at(128)), (None, Some(object(128, 64))));
    }
}
