//! What values say of themselves: the `Error` methods of errors, and `String` methods where they are wanted, run in
//! the guest after a call has returned.

use std::sync::Arc;

use goemu_loader::{Image, Kind, Type, TypeRef};

use crate::call::place::MachineHeap;
use crate::call::routine::{LEAST, MOST, Routine};
use crate::go::guest::{GuestHeap, Types};
use crate::go::value::{Interface, Pointer, Value};
use crate::go::write::Writer;
use crate::machine::Machine;
use crate::runtime::objects;

/// Values whose methods are run for one call.
const MAX_TEXTS: usize = 1000;
/// Bytes of a text that are read.
const MAX_TEXT: u64 = 64 << 10;

/// Runs methods of values.
pub(crate) struct Stringers<'m> {
    machine: &'m mut Machine,
    image: Arc<Image>,
    /// Names of the methods, the preferred one first.
    methods: &'static [&'static str],
    fuel: i64,
    left: usize,
}

impl<'m> Stringers<'m> {
    /// Runs `Error` methods if the first is set, and `String` methods of what has none if the second is. A call that left
    /// little of its fuel has some for this.
    pub(crate) fn new(machine: &'m mut Machine, methods: (bool, bool), fuel: i64) -> Stringers<'m> {
        let image = Arc::clone(machine.image());
        let methods: &[_] = match methods {
            (true, true) => &["Error", "String"],
            (true, false) => &["Error"],
            (false, true) => &["String"],
            (false, false) => &[],
        };
        let fuel = fuel.clamp(LEAST.cast_signed(), MOST.cast_signed());
        Stringers { machine, image, methods, fuel, left: MAX_TEXTS }
    }

    /// Adds their texts to all values in interfaces, however deep. A method that does not return adds none.
    pub(crate) fn add(&mut self, value: &mut Value) {
        match value {
            Value::Interface(held) => {
                held.text = self.text(held);
                self.add(&mut held.value);
            }
            Value::List(list) => list.elems.iter_mut().for_each(|elem| self.add(elem)),
            Value::Struct(s) => s.fields.iter_mut().for_each(|(_, field)| self.add(field)),
            Value::Map(map) => map.entries.iter_mut().for_each(|(key, elem)| {
                self.add(key);
                self.add(elem);
            }),
            Value::Pointer(pointer) => {
                if let Some(to) = &mut pointer.pointee {
                    self.add(to);
                }
            }
            Value::Truncated { value, .. } => self.add(value),
            _ => {}
        }
    }

    /// The same, and of all values of types with such methods: each becomes what an interface would hold.
    pub(crate) fn add_typed(&mut self, value: &mut Value, ty: &Arc<Type>) {
        match value {
            Value::Interface(held) => {
                held.text = self.text(held);
                if let Some(ty) = &held.ty {
                    self.inside(&mut held.value, ty);
                }
            }
            Value::Truncated { value, .. } => self.inside(value, ty),
            _ => {
                self.inside(value, ty);
                self.describe(value, ty);
            }
        }
    }

    /// Goes on to the parts of a value.
    fn inside(&mut self, value: &mut Value, ty: &Arc<Type>) {
        let image = Arc::clone(&self.image);
        let resolve = |reference: &TypeRef| Types::resolve(&*image, reference).ok();
        match (value, &ty.kind) {
            (Value::List(list), Kind::Array { elem, .. }) => self.list(&mut list.elems, Some(elem.clone())),
            (Value::List(list), Kind::Slice(elem)) => self.list(&mut list.elems, resolve(elem)),
            (Value::Struct(s), Kind::Struct(fields)) => {
                for ((_, value), field) in s.fields.iter_mut().zip(fields) {
                    self.add_typed(value, &field.ty);
                }
            }
            (Value::Map(map), Kind::Map { key, elem }) => {
                let (Some(key), Some(elem)) = (resolve(key), resolve(elem)) else { return };
                for (k, v) in &mut map.entries {
                    self.add_typed(k, &key);
                    self.add_typed(v, &elem);
                }
            }
            (Value::Pointer(Pointer { pointee: Some(to), .. }), Kind::Pointer(elem)) => {
                if let Some(elem) = resolve(elem) {
                    self.inside(to, &elem);
                }
            }
            _ => {}
        }
    }

    fn list(&mut self, elems: &mut [Value], elem: Option<Arc<Type>>) {
        if let Some(elem) = elem {
            elems.iter_mut().for_each(|value| self.add_typed(value, &elem));
        }
    }

    /// Makes of a value whose type has a method what an interface holds, with the method's text.
    fn describe(&mut self, value: &mut Value, ty: &Arc<Type>) {
        let Some(rtype) = self.image.descriptor(ty) else { return };
        let has = |name: &&str| matches!(self.image.text_method(rtype, name), Ok(Some(_)));
        if matches!(ty.kind, Kind::Interface { .. }) || self.left == 0 || !self.methods.iter().any(has) {
            return;
        }
        let Some(data) = self.data_word(value, ty) else {
            self.left -= 1;
            return;
        };
        let mut held = Interface { ty: Some(ty.clone()), value: Box::new(value.clone()), data, text: None };
        held.text = self.text(&held);
        if held.text.is_some() {
            *value = Value::Interface(held);
        }
    }

    /// The data word of an interface that holds this value.
    fn data_word(&mut self, value: &Value, ty: &Arc<Type>) -> Option<u64> {
        let image = Arc::clone(&self.image);
        let mut guest = MachineHeap::new(self.machine);
        guest.fuel = self.fuel;
        let bytes = Writer::new(&mut guest, &*image).encode(value, ty).ok();
        self.fuel = guest.fuel;
        let bytes = bytes?;
        if image.is_direct(ty) {
            return bytes.first_chunk().map(|word| u64::from_le_bytes(*word));
        }
        let mut guest = MachineHeap::new(self.machine);
        let at = guest.alloc(ty.size.max(1), ty.align.max(1)).ok()?;
        guest.write(at, &bytes).ok()?;
        Some(at)
    }

    fn text(&mut self, held: &Interface) -> Option<String> {
        let rtype = self.image.descriptor(held.ty.as_ref()?)?;
        if self.image.is_linked_here()
            && self.methods.contains(&"Error")
            && let Some(text) = objects::error_text(&self.machine.cx(), rtype, held.data)
        {
            return Some(text);
        }
        let code = self.methods.iter().find_map(|name| self.image.text_method(rtype, name).ok().flatten())?;
        self.left = self.left.checked_sub(1)?;
        let words = Routine::pointed(&self.image, code, 1, 2)?
            .run(self.machine, 0, &[held.data], &mut self.fuel)
            .ok()?;
        let [addr, len] = words[..] else { return None };
        let mut bytes = vec![0; usize::try_from(len.min(MAX_TEXT)).ok()?];
        self.machine.guest.memory.read_bytes(addr, &mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
