//! An image as a source of types and names.

use std::sync::Arc;

use goemu_loader::{Image, Type, TypeRef};

use crate::go::guest::{BadAddress, GuestHeap, GuestMemory, HeapError, MapDesign, TypeError, Types};
use crate::go::world::World;
use crate::memory::Memory;

impl Types for Image {
    fn resolve(&self, reference: &TypeRef) -> Result<Arc<Type>, TypeError> {
        Image::resolve(self, reference).map_err(|error| TypeError(error.to_string()))
    }

    fn named(&self, name: &str) -> Option<Arc<Type>> {
        self.type_named(name).ok().flatten()
    }

    fn func_at(&self, code: u64) -> Option<String> {
        Image::func_at(self, code).filter(|func| func.entry() == code).map(|func| func.name().to_owned())
    }

    fn func_named(&self, name: &str) -> Option<u64> {
        self.funcs_named(name).first().map(|func| func.entry())
    }

    fn variable(&self, name: &str) -> Option<(u64, Option<Arc<Type>>)> {
        let variable = Image::variable(self, name).ok().flatten()?;
        Some((variable.address, Some(variable.ty)))
    }

    fn map_design(&self) -> MapDesign {
        if self.facts().version.minor >= 24 { MapDesign::Swiss } else { MapDesign::Buckets }
    }
}

impl GuestMemory for Memory {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), BadAddress> {
        self.read_bytes(addr, buf).map_err(|fault| BadAddress(fault.addr))
    }
}

/// A guest's memory and the heap in it.
pub(crate) struct Heap<'a> {
    pub(crate) memory: &'a mut Memory,
    pub(crate) world: &'a mut World,
}

impl GuestMemory for Heap<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), BadAddress> {
        GuestMemory::read(self.memory, addr, buf)
    }
}

impl GuestHeap for Heap<'_> {
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
}
