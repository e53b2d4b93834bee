//! An image as a source of types and names.

use std::sync::Arc;

use goemu_loader::facts::Maps;
use goemu_loader::{Facts, Image, SymbolKind, Type, TypeRef};

use crate::go::guest::{BadAddress, GuestMemory, MapDesign, TypeError, Types};
use crate::go::implement;
use crate::go::names;
use crate::memory::Memory;

impl Types for Image {
    fn resolve(&self, reference: &TypeRef) -> Result<Arc<Type>, TypeError> {
        Image::resolve(self, reference).map_err(|error| TypeError(error.to_string()))
    }

    fn named(&self, name: &str) -> Option<Arc<Type>> {
        let exact = |name: &str| self.type_named(name).ok().flatten();
        exact(name).or_else(|| exact(&in_main(name)).filter(|_| in_main(name) != name))
    }

    fn descriptor(&self, ty: &Type) -> Option<u64> {
        ty.rtype.or_else(|| self.descriptor_named(&ty.name))
    }

    fn func_at(&self, code: u64) -> Option<String> {
        Image::func_at(self, code).filter(|func| func.entry() == code).map(|func| func.name().to_owned())
    }

    fn func_named(&self, name: &str) -> Option<u64> {
        let exact = self.funcs_named(name).first().map(|func| func.entry());
        exact.or_else(|| names::find(self, name).ok().map(|func| func.entry()))
    }

    fn variable(&self, name: &str) -> Option<(u64, Option<Arc<Type>>)> {
        let exact = |name: &str| Image::variable(self, name).ok().flatten();
        if let Some(variable) = exact(name).or_else(|| exact(&in_main(name))) {
            return Some((variable.address, Some(variable.ty)));
        }
        // Without debug information a symbol has the address, and the caller may know the type.
        let symbol = |name: &str| self.symbol(name).filter(|symbol| symbol.kind != SymbolKind::Func);
        let symbol = symbol(name).or_else(|| symbol(&in_main(name)))?;
        self.func_at(symbol.addr).is_none().then_some((symbol.addr, None))
    }

    fn implementers(&self, interface: &Type, most: usize) -> Vec<Arc<Type>> {
        implement::implementers(self, interface, most)
    }

    fn functions_of(&self, ty: &Type, most: usize) -> Vec<(String, u64)> {
        implement::functions_of(self, ty, most)
    }

    fn facts(&self) -> &Facts {
        Image::facts(self)
    }

    /// The version names the experiments that a program was built with: `go1.24.4 X:noswissmap`.
    fn map_design(&self) -> MapDesign {
        let experiment = |name| self.build_info().version.contains(name);
        match Image::facts(self).rules().maps() {
            Maps::Buckets => MapDesign::Buckets,
            Maps::Swiss if experiment("noswissmap") => MapDesign::Buckets,
            Maps::Swiss if experiment("mapsplitgroup") => MapDesign::SwissSplit,
            Maps::Swiss => MapDesign::Swiss,
        }
    }
}

impl GuestMemory for Memory {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), BadAddress> {
        self.read_bytes(addr, buf).map_err(|fault| BadAddress(fault.addr))
    }

    /// As much as the guest itself may take, whatever it has: a call tells the same after any other.
    fn room(&self) -> u64 {
        self.allowance()
    }
}

/// A type or variable as people name it in the program's own package: `[]point` is `[]main.point`.
fn in_main(name: &str) -> String {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(name.len() + 8);
    let mut rest = name;
    while let Some(start) = rest.find(is_letter) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|c: char| !is_letter(c) && !"./".contains(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let own =
            !word.contains('.') && !word.starts_with(|c: char| c.is_ascii_digit()) && !is_predeclared(word);
        out.push_str(before);
        out.push_str(if own { "main." } else { "" });
        out.push_str(word);
        rest = after;
    }
    out + rest
}

/// Predeclared types, and the words that types are made with.
fn is_predeclared(word: &str) -> bool {
    const WORDS: [&str; 10] =
        ["bool", "string", "byte", "rune", "error", "any", "map", "chan", "func", "uintptr"];
    const SIZED: [&str; 4] = ["int", "uint", "float", "complex"];
    let sized = |name: &str| {
        word.strip_prefix(name).is_some_and(|n| matches!(n, "" | "8" | "16" | "32" | "64" | "128"))
    };
    WORDS.contains(&word) || matches!(word, "struct" | "interface") || SIZED.iter().any(|name| sized(name))
}

#[cfg(test)]
mod tests {
    use super::in_main;

    #[test]
    fn types_of_the_main_package_need_no_package() {
        for (name, full) in [
            ("point", "main.point"),
            ("[]*point", "[]*main.point"),
            ("map[string][2]point", "map[string][2]main.point"),
            ("map[uint8]http.Header", "map[uint8]http.Header"),
            ("integer", "main.integer"),
            ("é", "main.é"),
        ] {
            assert_eq!(in_main(name), full);
        }
    }
}
