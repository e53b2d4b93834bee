//! The heap as a place for values, for hooks.

use goemu_loader::{Image, Type};

use crate::go::guest::{BadAddress, GuestHeap, GuestMemory, HeapError, Types};
use crate::guest::world::World;
use crate::memory::Memory;

/// A guest's memory and the heap in it, where no guest code may run: in hooks.
pub(crate) struct HookHeap<'a> {
    pub(crate) image: &'a Image,
    pub(crate) memory: &'a mut Memory,
    pub(crate) world: &'a mut World,
}

impl GuestMemory for HookHeap<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), BadAddress> {
        GuestMemory::read(self.memory, addr, buf)
    }
}

impl GuestHeap for HookHeap<'_> {
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), HeapError> {
        self.memory.write_bytes(addr, bytes).map_err(|fault| BadAddress(fault.addr).into())
    }

    fn alloc(&mut self, size: u64, align: u64) -> Result<u64, HeapError> {
        if size == 0 {
            self.world.alloc(self.memory, 0)
        } else {
            self.world.alloc_aligned(self.memory, size, align)
        }
    }

    /// One that the program has; no code runs that could make another.
    fn itab(&mut self, interface: &Type, dynamic: &Type) -> Result<u64, HeapError> {
        let (inter, ty) = (self.image.descriptor(interface), self.image.descriptor(dynamic));
        let known = inter.zip(ty).and_then(|(inter, ty)| self.image.itab(inter, ty));
        known
            .ok_or_else(|| HeapError::Unsupported(format!("putting a {dynamic} in an interface {interface}")))
    }
}
