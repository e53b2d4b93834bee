//! All descriptors of an image, by name and by the code of their methods.
//!
//! Up to Go 1.26 the linker lists those types that reflection may have to find (`typelinks`: the ones without
//! a name); the others are what these refer to. Since Go 1.27 descriptors lie one behind the other, without a
//! list.

use std::collections::HashMap;

use crate::gotype;

use super::read::Header;
use super::{Result, Rtypes};

/// A method's code, and what it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Methods {
    /// The descriptor of the type that has the method.
    pub(super) receiver: u64,
    /// Whether this code takes a pointer to that type: what interfaces call for methods of large values.
    pub(super) by_pointer: bool,
    /// The descriptor of the method's type, without receiver.
    pub(super) ty: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    all: Vec<u64>,
    names: HashMap<String, u64>,
    methods: HashMap<u64, Methods>,
}

impl Found {
    pub(super) fn read(rtypes: &Rtypes<'_>) -> Self {
        let mut found = Found::default();
        let mut seen = HashMap::new();
        let mut waiting = rtypes.roots();
        // References and names take room among the descriptors, which few of them share.
        let mut left = rtypes.span.end.saturating_sub(rtypes.span.start).saturating_mul(4);
        while let Some(addr) = waiting.pop() {
            if !rtypes.span.contains(addr) || seen.insert(addr, ()).is_some() {
                continue;
            }
            // A descriptor that cannot be read hides no other.
            if let Ok(header) = rtypes.header(addr) {
                let before = waiting.len();
                found.add_name(rtypes, &header);
                let _ = rtypes.refers_to(&header, &mut waiting);
                let _ = found.add_methods(rtypes, &header, &mut waiting);
                found.all.push(addr);
                let cost = (waiting.len() - before + header.name.len()) as u64;
                left = left.saturating_sub(cost);
            }
            if left == 0 {
                break;
            }
        }
        found.all.sort_unstable();
        found
    }

    pub(super) fn all(&self) -> &[u64] {
        &self.all
    }

    pub(super) fn named(&self, name: &str) -> Option<u64> {
        let short = || gotype::short_name(name).and_then(|short| self.names.get(&short));
        self.names.get(name).or_else(short).copied()
    }

    pub(super) fn method(&self, entry: u64) -> Option<Methods> {
        self.methods.get(&entry).copied()
    }

    fn add_name(&mut self, rtypes: &Rtypes<'_>, header: &Header<'_>) {
        if header.named
            && let Ok(Some(path)) = rtypes.pkg_path(header)
            && let Some((_, name)) = split_package(&header.name)
        {
            self.names.entry(format!("{path}.{name}")).or_insert(header.addr);
        }
        self.names.entry(header.name.clone().into_owned()).or_insert(header.addr);
    }

    fn add_methods(
        &mut self,
        rtypes: &Rtypes<'_>,
        header: &Header<'_>,
        waiting: &mut Vec<u64>,
    ) -> Result<()> {
        let at = &rtypes.at.method;
        for method in rtypes.methods(header)? {
            let Some(ty) = rtypes.type_off(rtypes.half(method, at.ty)?) else { continue };
            waiting.push(ty);
            let code = |field| Ok(rtypes.text_off(rtypes.half(method, field)?));
            let (direct, interface) = (code(at.tfn)?, code(at.ifn)?);
            let receiver = header.addr;
            if let Some(entry) = interface.filter(|_| interface != direct) {
                self.methods.entry(entry).or_insert(Methods { receiver, by_pointer: true, ty });
            }
            if let Some(entry) = direct {
                self.methods.insert(entry, Methods { receiver, by_pointer: false, ty });
            }
        }
        Ok(())
    }
}

impl Rtypes<'_> {
    /// Descriptors that others are found from.
    fn roots(&self) -> Vec<u64> {
        match (self.module.typelinks, self.module.typedesclen) {
            (_, Some(len)) => self.walk(self.span.start.saturating_add(len).min(self.span.end)),
            (Some(links), None) => {
                let len = links.len.min(self.span.end.saturating_sub(self.span.start));
                let link = |index: u64| {
                    let offset = self.object.read_u32(links.addr.checked_add(index.checked_mul(4)?)?)?;
                    self.span.start.checked_add(offset.into())
                };
                (0..len).map_while(link).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    /// Descriptors one behind the other (`runtime.moduleTypelinks`), from behind a first empty word.
    fn walk(&self, end: u64) -> Vec<u64> {
        let mut found = Vec::new();
        let mut addr = self.span.start.saturating_add(8);
        while addr < end
            && let Ok(header) = self.header(addr)
            && let Ok(next) = self.next(&header)
        {
            found.push(addr);
            addr = next;
        }
        found
    }

    /// Where the next descriptor is (`internal/abi.Type.DescriptorSize`).
    fn next(&self, header: &Header<'_>) -> Result<u64> {
        let at = self.at;
        let (count, size) = match header.kind {
            gotype::FUNC => {
                let results = self.short(header.addr, at.func.out_count)? & 0x7fff;
                (u64::from(self.short(header.addr, at.func.in_count)?) + u64::from(results), 8)
            }
            gotype::INTERFACE => {
                (self.slice(header.addr, at.interface.methods, at.imethod.sizeof)?.count() as u64, 8)
            }
            gotype::STRUCT => {
                (self.slice(header.addr, at.structure.fields, at.field.sizeof)?.count() as u64, 24)
            }
            _ => (0, 0),
        };
        let methods = self.methods(header)?.count() as u64;
        let end = self.tail(header)?.checked_add(count * size + methods * 16);
        match end.and_then(|end| end.checked_next_multiple_of(8)) {
            Some(end) => Ok(end),
            None => self.fail(header.addr, "it ends outside of the file"),
        }
    }

    /// Adds the descriptors that one refers to.
    fn refers_to(&self, header: &Header<'_>, to: &mut Vec<u64>) -> Result<()> {
        let (addr, at) = (header.addr, self.at);
        to.extend(self.type_off(self.half(addr, at.rtype.ptr_to_this)?));
        match header.kind {
            gotype::ARRAY | gotype::CHAN | gotype::POINTER | gotype::SLICE => {
                to.push(self.word(addr, at.pointer.elem)?);
            }
            gotype::MAP => to.extend([self.word(addr, at.map.key)?, self.word(addr, at.map.elem)?]),
            gotype::FUNC => {
                let func = self.func(header)?;
                let refs = func.params.into_iter().chain(func.results);
                to.extend(refs.filter_map(|reference| match reference {
                    gotype::TypeRef::Rtype(addr) => Some(addr),
                    _ => None,
                }));
            }
            gotype::STRUCT => {
                for field in self.slice(addr, at.structure.fields, at.field.sizeof)? {
                    to.push(self.word(field, at.field.ty)?);
                }
            }
            gotype::INTERFACE => {
                for method in self.slice(addr, at.interface.methods, at.imethod.sizeof)? {
                    to.extend(self.type_off(self.half(method, at.imethod.ty)?));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The import path of the package that declares the named type of this descriptor.
    pub(crate) fn package(&self, addr: u64) -> Option<String> {
        let header = self.header(addr).ok().filter(|header| header.named)?;
        self.pkg_path(&header).ok().flatten()
    }

    /// The descriptor of the type of the method at this place of an interface's table.
    pub(crate) fn interface_method(&self, interface: u64, index: u64) -> Result<Option<u64>> {
        let header = self.header(interface)?;
        if header.kind != gotype::INTERFACE {
            return Ok(None);
        }
        let (list, elem) = (self.at.interface.methods, self.at.imethod.sizeof);
        let method =
            usize::try_from(index).ok().and_then(|index| self.slice(interface, list, elem).ok()?.nth(index));
        let Some(method) = method else { return Ok(None) };
        Ok(self.type_off(self.half(method, self.at.imethod.ty)?))
    }

    /// The import path of the package that declares a type.
    fn pkg_path(&self, header: &Header<'_>) -> Result<Option<String>> {
        let Some(uncommon) = header.uncommon else { return Ok(None) };
        let path = self.name_at(self.half(uncommon, self.at.uncommon.pkg_path)?)?.text;
        Ok(Some(path.into_owned()).filter(|path| !path.is_empty()))
    }
}

/// `json`, `Token` of `json.Token`; type arguments may hold dots.
fn split_package(name: &str) -> Option<(&str, &str)> {
    name.split_once('.').filter(|(package, _)| !package.contains(['[', ' ', '*']))
}
