//! What values say of themselves: the `Error` methods of errors, and `String` methods where they are wanted, run in
//! the guest after a call has returned.

use std::sync::Arc;

use goemu_loader::Image;

use crate::go::guest::Types;
use crate::go::helpers;
use crate::go::routine::{FUEL, Routine};
use crate::go::value::{Interface, Value};
use crate::machine::Machine;

/// Values whose methods are run for one call.
const MAX_TEXTS: usize = 1000;
/// Bytes of a text that are read.
const MAX_TEXT: u64 = 64 << 10;

/// Runs methods of values.
pub(crate) struct Texts<'m> {
    machine: &'m mut Machine,
    image: Arc<Image>,
    /// Names of the methods, the preferred one first.
    methods: &'static [&'static str],
    fuel: i64,
    left: usize,
}

impl<'m> Texts<'m> {
    /// Runs `Error` methods, and `String` methods of what has none if `stringers` is set.
    pub(crate) fn new(machine: &'m mut Machine, errors: bool, stringers: bool) -> Texts<'m> {
        let image = Arc::clone(machine.image());
        let methods: &[_] = match (errors, stringers) {
            (true, true) => &["Error", "String"],
            (true, false) => &["Error"],
            (false, true) => &["String"],
            (false, false) => &[],
        };
        Texts { machine, image, methods, fuel: FUEL, left: MAX_TEXTS }
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

    fn text(&mut self, held: &Interface) -> Option<String> {
        let rtype = self.image.descriptor(held.ty.as_ref()?)?;
        if self.image.is_linked_here()
            && self.methods.contains(&"Error")
            && let Some(text) = helpers::error_text(&self.machine.cx(), rtype, held.data)
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
        self.machine.memory.read_bytes(addr, &mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
