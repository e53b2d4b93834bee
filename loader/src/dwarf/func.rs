//! Functions: which entry describes the code at an address, and the signature in it.

use std::{collections::HashSet, sync::Arc};

use crate::facts::Forms;
use crate::{GoVersion, Param, Signature};

use super::order::{self, Listed};
use super::{Doubt, Dwarf, Local, Result, Unit, Written, at, die, die::Die, malformed};

/// Bytes of the names of one function's parameters.
const MAX_NAMES: usize = 1 << 20;

/// A function with code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Its first instruction.
    address: u64,
    /// Its offset in `.debug_info`.
    offset: usize,
}

impl<'a> Dwarf<'a> {
    /// The offset in `.debug_info` of the function that starts at `address`, in its unit.
    pub(super) fn func_at(&self, unit: &Unit<'a>, address: u64) -> Result<Option<usize>> {
        let key = die::section_offset(unit, unit.header.root_offset());
        let known = lock(&self.index.funcs).get(&key).cloned();
        let funcs = match known {
            Some(funcs) => funcs,
            None => {
                let funcs = self.funcs(unit)?;
                lock(&self.index.funcs).insert(key, funcs.clone());
                funcs
            }
        };
        let found = funcs.binary_search_by_key(&address, |func| func.address).ok();
        Ok(found.and_then(|i| funcs.get(i)).map(|func| func.offset))
    }

    /// All functions of a unit, by address.
    fn funcs(&self, unit: &Unit<'a>) -> Result<Arc<[Entry]>> {
        let mut funcs = Vec::new();
        let mut entries = unit.entries_raw(None).map_err(at(0))?;
        while !entries.is_empty() {
            let (depth, inside) = (entries.next_depth(), entries.next_offset());
            let offset = die::section_offset(unit, inside);
            let Some(abbrev) = entries.read_abbreviation().map_err(at(offset))? else { continue };
            if depth != 1 || abbrev.tag() != gimli::DW_TAG_subprogram {
                entries.skip_attributes(abbrev.attributes()).map_err(at(offset))?;
                continue;
            }
            for spec in abbrev.attributes() {
                let attr = entries.read_attribute(*spec).map_err(at(offset))?;
                if attr.name() == gimli::DW_AT_low_pc
                    && let Some(address) = self.gimli.attr_address(unit, attr.value()).map_err(at(offset))?
                {
                    funcs.push(Entry { address, offset });
                }
            }
        }
        funcs.sort_unstable();
        Ok(funcs.into())
    }

    /// The signature of the function at an offset of `.debug_info`.
    pub(super) fn signature(
        &self,
        unit: &Unit<'a>,
        offset: usize,
        compiler: Option<GoVersion>,
    ) -> Result<Written> {
        let name = self.origin(self.die(unit, offset)?)?.name.unwrap_or_default();
        let (mut params, mut results) = (Vec::new(), Vec::new());
        let (mut seen, mut seen_bytes, mut ranges_over_func) = (HashSet::new(), 0, false);
        self.each_child(unit, offset, |die| {
            if die.tag != gimli::DW_TAG_formal_parameter {
                ranges_over_func |= die.name.is_some_and(|name| name.starts_with("#yield"));
                return Ok(());
            }
            let (origin, frame) = (die.origin, die.frame);
            let die = self.origin(die)?;
            let param_name = die.name.as_deref().unwrap_or_default();
            seen_bytes += param_name.len();
            if seen_bytes > MAX_NAMES {
                return malformed(die.offset, "a function with too long names");
            }
            // The compiler writes some results twice.
            if matches!(param_name, "" | "_") || seen.insert(param_name.to_owned()) {
                let number = param_name.strip_prefix("~r").and_then(|number| number.parse().ok());
                let param = self.param(&die)?;
                let receiver = !die.result && is_method_of(&name, &param.ty.name);
                let list = if die.result { &mut results } else { &mut params };
                list.push(Listed { param, origin, number, frame, receiver });
            }
            Ok(())
        })?;
        let ordered = order::settle(&mut params, compiler) & order::settle(&mut results, compiler);
        let plain = |list: Vec<Listed>| list.into_iter().map(|listed| listed.param).collect();
        let mut signature = Signature { params: plain(params), results: plain(results), variadic: false };
        if let Some(place) = dictionary_place(&name, compiler)
            && !signature.params.iter().any(Param::is_dictionary)
        {
            signature.params.insert(place.min(signature.params.len()), Param::dictionary());
        }
        let doubt = match ordered {
            false => Some(Doubt::Order),
            true => (ranges_over_func && signature.results.is_empty()).then_some(Doubt::Results),
        };
        Ok(Written { signature, doubt })
    }

    /// The variables of the function at an offset of `.debug_info`.
    pub(super) fn locals(&self, unit: &Unit<'a>, offset: usize) -> Result<Vec<Local>> {
        let (mut locals, mut seen_bytes) = (Vec::new(), 0);
        self.each_child(unit, offset, |die| {
            if !matches!(die.tag, gimli::DW_TAG_formal_parameter | gimli::DW_TAG_variable) {
                return Ok(());
            }
            let closure_offset = die.closure;
            let die = self.origin(die)?;
            let name = die.name.as_deref().unwrap_or_default();
            seen_bytes += name.len();
            if seen_bytes > MAX_NAMES {
                return malformed(die.offset, "a function with too long names");
            }
            if let Some(ty) = die.ty {
                let ty = self.build(ty)?;
                let closure_offset = closure_offset.or(die.closure);
                let by_reference = name.starts_with('&');
                locals.push(Local { name: source_name(name), ty, by_reference, closure_offset });
            }
            Ok(())
        })?;
        Ok(locals)
    }

    /// A function that was also inlined somewhere keeps what its copies share in an abstract entry.
    fn origin(&self, die: Die) -> Result<Die> {
        match die.origin {
            Some(origin) => Ok(self.die_at(origin)?.1),
            None => Ok(die),
        }
    }

    fn param(&self, die: &Die) -> Result<Param> {
        let Some(ty) = die.ty else { return malformed(die.offset, "a parameter without a type") };
        Ok(Param { name: source_name(die.name.as_deref().unwrap_or_default()), ty: self.build(ty)? })
    }
}

/// Whether a function of this name is a method of the type of that name.
fn is_method_of(func: &str, ty: &str) -> bool {
    func.strip_prefix(ty).is_some_and(|rest| rest.starts_with('.'))
}

/// Where a generic function takes its dictionary: in front, but methods of 1.20 and later behind the receiver.
/// Up to 1.24 only unoptimised functions list it. (Functions inside a generic one find it in their closure.)
pub(crate) fn dictionary_place(name: &str, compiler: Option<GoVersion>) -> Option<usize> {
    let (outer, rest) = name.rsplit_once(']')?;
    let compares_types = name.starts_with("type:.") || name.starts_with("type..");
    if !outer.contains("[go.shape.") || compares_types {
        return None;
    }
    let is_method = match rest.trim_start_matches(')').strip_prefix('.') {
        Some(method) if method.contains(['.', '-']) => return None,
        Some(method) => !is_made_up(method),
        None => return rest.is_empty().then_some(0),
    };
    let after_receiver = compiler.is_none_or(|go| Forms::of(go.minor).dictionary_after_receiver());
    is_method.then_some(if after_receiver { 1 } else { 0 })
}

/// Whether the compiler made up this last part of a name, for a function inside another.
fn is_made_up(last: &str) -> bool {
    ["func", "gowrap", "deferwrap"].iter().any(|made| {
        last.strip_prefix(made).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// The name as in the source. The compiler names what has none (`~r0` results, `~p0` parameters, `~b0` blanks,
/// `.this` receivers of wrappers), and marks what stands for a variable that a closure shares: `&count`.
pub(super) fn source_name(name: &str) -> String {
    match name.strip_prefix('~') {
        Some(made) if made.starts_with('b') => "_".to_owned(),
        Some(_) => String::new(),
        None if name.starts_with('.') && name != ".dict" => String::new(),
        None => name.strip_prefix('&').unwrap_or(name).to_owned(),
    }
}

/// A poisoned lock only says that another thread panicked; what it guards is whole.
pub(super) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
