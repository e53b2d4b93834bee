//! A machine as a place for values: memory from the guest's heap, maps, and the tables of interfaces.

use std::sync::Arc;

use goemu_loader::{Image, Kind, Type, TypeRef};

use crate::call::routine::{Routine, fuel};
use crate::go::guest::{BadAddress, GuestHeap, GuestMemory, HeapError, Types};
use crate::go::map::build::Builder;
use crate::go::map::read_u64;
use crate::guest::hook_heap::HookHeap;
use crate::guest::state::Guest;
use crate::machine::Machine;
use crate::memory::Memory;

/// A machine in which values are placed.
pub(crate) struct MachineHeap<'m> {
    machine: &'m mut Machine,
    /// Instructions that may be executed to place values.
    pub(crate) fuel: i64,
}

impl<'m> MachineHeap<'m> {
    pub(crate) fn new(machine: &'m mut Machine) -> MachineHeap<'m> {
        let fuel = fuel(machine);
        MachineHeap { machine, fuel }
    }

    fn image(&self) -> &Arc<Image> {
        self.machine.image()
    }

    fn plain(&mut self) -> HookHeap<'_> {
        let Guest { image, memory, world, .. } = &mut self.machine.guest;
        HookHeap { image, memory, world }
    }

    fn memory(&self) -> &Memory {
        &self.machine.guest.memory
    }

    /// Key and element of a map type.
    fn map_parts(&self, ty: &Type) -> Result<(Arc<Type>, Arc<Type>), HeapError> {
        let unknown = |_| HeapError::Unsupported(format!("making a {ty}"));
        let resolve = |reference: &TypeRef| Types::resolve(&**self.image(), reference).map_err(unknown);
        match &ty.kind {
            Kind::Map { key, elem } => Ok((resolve(key)?, resolve(elem)?)),
            _ => Err(HeapError::Unsupported(format!("making a map of {ty}"))),
        }
    }

    fn build<T>(
        &mut self,
        ty: &Type,
        build: impl FnOnce(&mut Builder<'_>) -> Result<T, HeapError>,
    ) -> Result<T, HeapError> {
        let (key, elem) = self.map_parts(ty)?;
        let image = Arc::clone(self.image());
        let design = image.map_design();
        build(&mut Builder { heap: self, facts: image.facts(), design, key: &key, elem: &elem })
    }

    /// The closure that hashes the keys of a map type: in its descriptor, or up to Go 1.13 in the key's.
    fn hasher(&self, ty: &Type) -> Result<u64, HeapError> {
        let facts = &self.image().facts().types;
        let none = || {
            let why = "the binary has no type descriptor for it".to_owned();
            HeapError::Failed { what: format!("filling a {ty}"), why }
        };
        let word = |addr: u64, at: Option<u64>| {
            read_u64(self.memory(), addr.checked_add(at?)?).filter(|&word| word != 0)
        };
        let rtype = self.descriptor(ty).ok_or_else(none)?;
        let found = match facts.map.hasher {
            Some(at) => word(rtype, Some(at)),
            None => word(rtype, facts.map.key)
                .and_then(|key| word(key, facts.rtype.alg))
                .and_then(|alg| word(alg, facts.alg.hash)),
        };
        found.ok_or_else(none)
    }

    fn descriptor(&self, ty: &Type) -> Option<u64> {
        self.image().descriptor(ty)
    }

    fn hash(&mut self, ty: &Type, key: u64, seed: u64) -> Result<u64, HeapError> {
        let hasher = self.hasher(ty)?;
        let failed = |why: String| HeapError::Failed { what: format!("hashing a key of a {ty}"), why };
        let code = read_u64(self.memory(), hasher).ok_or(BadAddress(hasher))?;
        let routine =
            Routine::pointed(self.image(), code, 2, 1).ok_or_else(|| failed("no code".to_owned()))?;
        let words = routine.run(self.machine, hasher, &[key, seed], &mut self.fuel).map_err(failed)?;
        words.first().copied().ok_or_else(|| failed("no hash".to_owned()))
    }

    /// Has the runtime make the table of an interface and a type which the program does not put in it itself.
    fn make_itab(&mut self, interface: &Type, dynamic: &Type) -> Result<u64, HeapError> {
        let what = || format!("putting a {dynamic} in an interface {interface}");
        let none = || HeapError::Failed { what: what(), why: "the binary has no type descriptor".to_owned() };
        let (inter, ty) = (self.descriptor(interface), self.descriptor(dynamic));
        let (inter, ty) = (inter.ok_or_else(none)?, ty.ok_or_else(none)?);
        let Some(getitab) = Routine::named(self.image(), "runtime.getitab", 3, 1) else {
            return Err(HeapError::Unsupported(what()));
        };
        let failed = |why| HeapError::Failed { what: what(), why };
        const CAN_FAIL: u64 = 1;
        let words = getitab.run(self.machine, 0, &[inter, ty, CAN_FAIL], &mut self.fuel).map_err(failed)?;
        match words.first() {
            Some(&itab) if itab != 0 => Ok(itab),
            _ => Err(self.not_implemented(interface, dynamic, ty)),
        }
    }

    fn not_implemented(&self, interface: &Type, dynamic: &Type, rtype: u64) -> HeapError {
        let methods = match &interface.kind {
            Kind::Interface { methods, .. } => methods.as_slice(),
            _ => &[],
        };
        let lacks = |name: &str| !matches!(self.image().method_code(rtype, name), Ok(Some(_)));
        HeapError::NotImplemented {
            ty: dynamic.to_string(),
            interface: interface.to_string(),
            missing: methods.iter().map(|method| method.name.clone()).find(|name| lacks(name)),
        }
    }
}

impl GuestMemory for MachineHeap<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), BadAddress> {
        GuestMemory::read(self.memory(), addr, buf)
    }
}

impl GuestHeap for MachineHeap<'_> {
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), HeapError> {
        self.plain().write(addr, bytes)
    }

    fn alloc(&mut self, size: u64, align: u64) -> Result<u64, HeapError> {
        self.plain().alloc(size, align)
    }

    fn make_map(&mut self, ty: &Type, entries: u64) -> Result<u64, HeapError> {
        self.build(ty, |builder| builder.make(entries))
    }

    fn map_slot(&mut self, ty: &Type, map: u64, key: u64) -> Result<u64, HeapError> {
        let seed = self.build(ty, |builder| builder.seed(map))?;
        let hash = self.hash(ty, key, seed)?;
        self.build(ty, |builder| builder.slot(map, hash, key))
    }

    fn itab(&mut self, interface: &Type, dynamic: &Type) -> Result<u64, HeapError> {
        match self.plain().itab(interface, dynamic) {
            Ok(itab) => Ok(itab),
            Err(_) => self.make_itab(interface, dynamic),
        }
    }
}
