//! Which code a method of a type is: by the type's own table, and by the tables (`itab`) that interfaces use.

use std::collections::HashMap;

use super::{Result, Rtypes};

/// More tables than this are not believed.
const MAX_ITABS: u64 = 1 << 20;

/// A method of a type, as its descriptor has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodCode {
    /// Its name.
    pub name: String,
    /// Its type without the receiver, `func(int) string`; empty where the linker left it out.
    pub ty: String,
    /// Its code as interfaces call it: it takes the interface's data word. `None` where the linker left it out.
    pub by_interface: Option<u64>,
    /// Its code as the program calls it.
    pub direct: Option<u64>,
}

/// The tables of the image, by the descriptors of interface and type.
pub(super) type Itabs = HashMap<(u64, u64), u64>;

impl Rtypes<'_> {
    /// The code of the method of this name as interfaces call it.
    pub(crate) fn method_code(&self, ty: u64, name: &str) -> Result<Option<u64>> {
        let header = self.header(ty)?;
        let at = &self.at.method;
        for method in self.methods(&header)? {
            if self.name_at(self.half(method, at.name)?)?.text == name {
                return Ok(self.text_off(self.half(method, at.ifn)?));
            }
        }
        Ok(None)
    }

    /// The same for a method that takes nothing and gives a string: `Error` and `String`.
    pub(crate) fn text_method(&self, ty: u64, name: &str) -> Result<Option<u64>> {
        let header = self.header(ty)?;
        let at = &self.at.method;
        for method in self.methods(&header)? {
            if self.name_at(self.half(method, at.name)?)?.text != name {
                continue;
            }
            let code = self.text_off(self.half(method, at.ifn)?);
            let gives_text = match self.type_off(self.half(method, at.ty)?) {
                Some(ty) => self.header(ty)?.name == "func() string",
                None => false,
            };
            return Ok(code.filter(|_| gives_text));
        }
        Ok(None)
    }

    /// The methods of a type: their names, and their code as interfaces call it and as the program does.
    pub(crate) fn methods_of(&self, ty: u64) -> Result<Vec<MethodCode>> {
        let header = self.header(ty)?;
        let at = &self.at.method;
        let method = |method: u64| {
            let name = self.name_at(self.half(method, at.name)?)?.text.into_owned();
            let ty = self.type_off(self.half(method, at.ty)?);
            let ty = ty.map(|ty| self.header(ty).map(|header| header.name.into_owned())).transpose()?;
            let [by_interface, direct] =
                [at.ifn, at.tfn].map(|at| self.half(method, at).map(|off| self.text_off(off)));
            Ok(MethodCode { name, ty: ty.unwrap_or_default(), by_interface: by_interface?, direct: direct? })
        };
        self.methods(&header)?.map(method).collect()
    }

    /// All tables: the descriptors of interface and type, and the address.
    pub(crate) fn all_itabs(&self) -> Vec<(u64, u64, u64)> {
        let tables = self.memory.itabs.get_or_init(|| self.itabs());
        let mut all: Vec<_> = tables.iter().map(|((interface, ty), itab)| (*interface, *ty, *itab)).collect();
        all.sort_unstable_by_key(|(.., itab)| *itab);
        all
    }

    /// The table for values of a type in an interface, which the compiler or the linker made.
    pub(crate) fn itab(&self, interface: u64, ty: u64) -> Option<u64> {
        self.memory.itabs.get_or_init(|| self.itabs()).get(&(interface, ty)).copied()
    }

    fn itabs(&self) -> Itabs {
        let at = &self.facts.itab;
        let entry = |itab: u64| {
            let interface = self.object.read_u64(itab.checked_add(at.inter)?)?;
            let ty = self.object.read_u64(itab.checked_add(at.ty)?)?;
            Some(((interface, ty), itab))
        };
        match (self.module.itabs, self.module.itablinks) {
            (Some(table), _) => {
                self.walk_itabs(table.addr, table.len).into_iter().filter_map(entry).collect()
            }
            (None, Some(links)) => {
                let link = |i: u64| self.object.read_u64(links.addr.checked_add(i.checked_mul(8)?)?);
                (0..links.len.min(MAX_ITABS)).map_while(link).filter_map(entry).collect()
            }
            (None, None) => Itabs::new(),
        }
    }

    /// Tables one behind the other (Go 1.27 and later): each has a word for every method of its interface.
    fn walk_itabs(&self, start: u64, bytes: u64) -> Vec<u64> {
        let facts = self.facts;
        let methods = |itab: u64| {
            let interface = self.object.read_u64(itab.checked_add(facts.itab.inter)?)?;
            let (list, elem) = (self.at.interface.methods, self.at.imethod.sizeof);
            Some(self.slice(interface, list, elem).ok()?.count() as u64)
        };
        let end = start.saturating_add(bytes);
        let (mut found, mut itab) = (Vec::new(), start);
        while itab < end
            && (found.len() as u64) < MAX_ITABS
            && let Some(methods) = methods(itab)
        {
            found.push(itab);
            itab = itab.saturating_add(facts.itab.fun).saturating_add(8 * methods.max(1));
        }
        found
    }
}
