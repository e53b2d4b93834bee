//! Types as one can write them: with the whole paths of their packages.

use crate::gotype::{FuncType, Kind, Type, TypeRef};

use super::Image;

/// Types in types in types.
const MAX_DEPTH: usize = 8;

impl Image {
    /// The name of a type with the whole path of each package, `*encoding/json.Token`, which no other type of the program
    /// has. Descriptors call it `*json.Token`.
    #[must_use]
    pub fn full_type_name(&self, ty: &Type) -> String {
        self.spelled(ty, 0)
    }

    fn spelled(&self, ty: &Type, depth: usize) -> String {
        if depth >= MAX_DEPTH || ty.rtype.is_none() && !is_composed(&ty.name) {
            return ty.name.clone();
        }
        if let Some(path) = ty.rtype.and_then(|addr| self.rtypes()?.package(addr))
            && let Some((_, name)) = ty.name.split_once('.')
        {
            return format!("{path}.{name}");
        }
        if !is_composed(&ty.name) {
            return ty.name.clone();
        }
        let to = |to: &TypeRef| self.resolve(to).ok().map(|ty| self.spelled(&ty, depth + 1));
        let written = match &ty.kind {
            Kind::Pointer(elem) => to(elem).map(|elem| format!("*{elem}")),
            Kind::Slice(elem) => to(elem).map(|elem| format!("[]{elem}")),
            Kind::Array { elem, len } => Some(format!("[{len}]{}", self.spelled(elem, depth + 1))),
            Kind::Map { key, elem } => to(key).zip(to(elem)).map(|(key, elem)| format!("map[{key}]{elem}")),
            Kind::Func(func) => self.spelled_func(func, depth),
            _ => None,
        };
        written.unwrap_or_else(|| ty.name.clone())
    }

    fn spelled_func(&self, func: &FuncType, depth: usize) -> Option<String> {
        if !func.results_known || func.variadic {
            return None;
        }
        let list = |types: &[TypeRef]| {
            let spelled = |to: &TypeRef| self.resolve(to).ok().map(|ty| self.spelled(&ty, depth + 1));
            types.iter().map(spelled).collect::<Option<Vec<_>>>()
        };
        let (params, results) = (list(&func.params)?, list(&func.results)?);
        let results = match &results[..] {
            [] => String::new(),
            [only] => format!(" {only}"),
            all => format!(" ({})", all.join(", ")),
        };
        Some(format!("func({}){results}", params.join(", ")))
    }

    /// The type of the method that an interface type has at this place of its table, without receiver; by the address of the
    /// interface type's descriptor.
    #[must_use]
    pub fn interface_method(&self, interface: u64, index: u64) -> Option<TypeRef> {
        self.rtypes()?.interface_method(interface, index).ok().flatten().map(TypeRef::Rtype)
    }
}

/// Whether a name is written with those of other types.
fn is_composed(name: &str) -> bool {
    name.starts_with(['*', '[']) || name.starts_with("map[") || name.starts_with("func(")
}
