//! The types that guessed parameters and results may have, each with a reason.

use std::fmt;

use goemu_loader::{Image, Kind};

use super::callees::{described, interface_of};
use super::memory::Known;
use super::pointers::Pointers;
use super::trail::{Trail, Use};
use super::word::Word;
use super::{Guess, GuessedParam};
use crate::go::names;

/// A signature that a function may have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypedGuess {
    /// The parameters, receiver first.
    pub params: Vec<GuessedType>,
    /// The results in integer registers; nothing is known of others.
    pub results: Vec<GuessedType>,
    /// The places that this was made of.
    pub places: Guess,
}

/// A type that a value may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuessedType {
    /// The type, in Go syntax.
    pub name: String,
    /// How that is known.
    pub why: String,
    /// Whether something speaks for it. If not, it is what is most frequent in such a place.
    pub known: bool,
}

impl GuessedType {
    pub(super) fn known(name: &str, why: impl Into<String>) -> GuessedType {
        GuessedType { name: name.to_owned(), why: why.into(), known: true }
    }

    pub(super) fn usual(name: &str, why: &str) -> GuessedType {
        GuessedType { name: name.to_owned(), why: why.to_owned(), known: false }
    }
}

impl fmt::Display for TypedGuess {
    /// `func(*main.T, string) (int, error)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |types: &[GuessedType]| types.iter().map(|ty| ty.name.as_str()).collect::<Vec<_>>().join(", ");
        write!(f, "func({})", list(&self.params))?;
        match &self.results[..] {
            [] => Ok(()),
            [only] => write!(f, " {}", only.name),
            results => write!(f, " ({})", list(results)),
        }
    }
}

/// The type of the receiver that a name tells: `*main.T` of `main.(*T).Method`.
pub(super) fn receiver(name: &str) -> Option<String> {
    let package = names::package(name);
    let rest = name.get(package.len() + 1..)?;
    if rest.contains('[') {
        return None;
    }
    let (receiver, method) = rest.split_once('.')?;
    // Closures are no methods: `main.(*T).Method.func1`, `main.f.func1`, `main.f.gowrap1`.
    if method.contains('.') || method.contains('-') || is_numbered(method) {
        return None;
    }
    match receiver.strip_prefix("(*").and_then(|receiver| receiver.strip_suffix(')')) {
        Some(pointer) => Some(format!("*{package}.{pointer}")),
        None => Some(format!("{package}.{receiver}")),
    }
}

/// Whether a name is one that the compiler gives to closures, or to initialisers.
fn is_numbered(name: &str) -> bool {
    let digits = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let has_number = digits.len() < name.len();
    digits.is_empty() || has_number && matches!(digits, "func" | "gowrap" | "deferwrap" | "init.")
}

/// Whether the first parameter can be the receiver.
pub(super) fn fits_receiver(image: &Image, name: &str, param: &GuessedParam) -> bool {
    if name.starts_with('*') {
        return matches!(&param.parts[..], [only] if only.size == 8 && !only.float);
    }
    match image.type_named(name).ok().flatten() {
        Some(ty) => param.parts.iter().map(|part| part.size).sum::<u64>() <= ty.size,
        None => true,
    }
}

/// What one parameter is, by what is done with it.
pub(super) struct Evidence<'a> {
    pub(super) image: &'a Image,
    pub(super) trail: &'a Trail,
    pub(super) param: &'a GuessedParam,
    /// The number of its first part among all.
    pub(super) first: usize,
    pub(super) pointers: Option<&'a Pointers>,
}

impl Evidence<'_> {
    fn uses(&self, part: usize) -> &[Use] {
        self.trail.uses.get(&(self.first + part)).map_or(&[], Vec::as_slice)
    }

    /// Which parts are pointers, as the garbage collector has it; none where that is not told of this parameter.
    fn pointers(&self) -> Option<Vec<bool>> {
        let pointers = self.pointers?;
        let told = |part: &super::GuessedPart| part.slot.map(|slot| pointers.at(slot));
        let bits: Vec<bool> = self.param.parts.iter().map(told).collect::<Option<_>>()?;
        let used = (0..bits.len()).any(|part| !self.uses(part).is_empty());
        (used || bits.contains(&true)).then_some(bits)
    }

    /// Whether it can have a type, as far as the garbage collector's pointers tell.
    pub(super) fn may_be(&self, name: &str, known: Option<&Known>) -> bool {
        let Some(bits) = self.pointers() else { return true };
        let holds = match known {
            Some(Known::To(..)) => vec![true],
            Some(Known::In(ty, _)) => match &ty.kind {
                Kind::String => vec![true, false],
                Kind::Interface { .. } => vec![false, true],
                Kind::Slice(_) => vec![true, false, false],
                Kind::Struct(_) | Kind::Array { .. } | Kind::Complex | Kind::Float => return true,
                Kind::Bool | Kind::Int | Kind::Uint | Kind::Uintptr => vec![false],
                _ => vec![true],
            },
            None => match name {
                "string" => vec![true, false],
                "any" => vec![false, true],
                _ => return true,
            },
        };
        holds == bits
    }

    pub(super) fn ty(&self) -> GuessedType {
        let sizes: Vec<u64> = self.param.parts.iter().map(|part| part.size).collect();
        let pointers = self.pointers();
        match (&sizes[..], &self.param.parts[..]) {
            ([size], [only]) if only.float => GuessedType::known(
                if *size == 4 { "float32" } else { "float64" },
                "it is in a vector register",
            ),
            ([8], _) => self.word(),
            ([size], _) => self.small(*size),
            ([8, 8], [pointer, second]) if !pointer.float && !second.float => match pointers.as_deref() {
                Some([false, true]) => self.interface(),
                Some([true, false]) => GuessedType::known("string", "a pointer, and a word that is none"),
                Some(_) => self.structure(),
                None => self.pair(),
            },
            ([8, 8, 8], _) if pointers.as_deref().is_none_or(|bits| *bits == [true, false, false]) => {
                self.triple()
            }
            _ => self.structure(),
        }
    }

    fn structure(&self) -> GuessedType {
        let fields = self.param.parts.iter().map(|part| part.type_name()).collect::<Vec<_>>();
        GuessedType::usual(&format!("struct {{ _ {} }}", fields.join("; _ ")), "its parts belong together")
    }

    /// Two words, of which the second is a pointer: an interface.
    fn interface(&self) -> GuessedType {
        let guessed = self.pair();
        match guessed.name.as_str() {
            "string" => GuessedType::usual("any", "a word that is no pointer, and one that is"),
            _ => guessed,
        }
    }

    /// A value of one word.
    fn word(&self) -> GuessedType {
        let uses = self.uses(0);
        let has = |wanted: &dyn Fn(&Use) -> bool| uses.iter().any(wanted);
        if has(&|used| matches!(used, Use::Called(0))) {
            return GuessedType::known("func()", "what it points to is called");
        }
        let pointer = self.pointers().map(|bits| bits[0]);
        if pointer != Some(false)
            && let Some(Use::Access { at, size, .. }) =
                uses.iter().find(|used| matches!(used, Use::Access { .. }))
        {
            return self.pointer(*at, *size);
        }
        if pointer == Some(true) {
            return GuessedType::usual("unsafe.Pointer", "the garbage collector follows it");
        }
        // Indices are compared as numbers without a sign.
        if has(&|used| matches!(used, Use::Unsigned)) && !has(&|used| matches!(used, Use::Signed)) {
            return GuessedType::known("uint", "it is treated as a number without a sign");
        }
        if has(&|used| matches!(used, Use::Number | Use::Signed | Use::Above)) {
            return GuessedType::known("int", "it is computed with");
        }
        GuessedType::usual("int", "one word")
    }

    fn pointer(&self, at: i64, size: u64) -> GuessedType {
        let far = self.uses(0).iter().any(|used| matches!(used, Use::Access { at, .. } if *at != 0));
        if far {
            return GuessedType::known(
                "unsafe.Pointer",
                format!("what it points to is read or written at {at:#x}"),
            );
        }
        let name = match size {
            1 => "*uint8",
            2 => "*uint16",
            4 => "*int32",
            _ => "*int",
        };
        GuessedType::known(name, format!("{size} bytes are read or written where it points"))
    }

    /// A number of less than a word.
    fn small(&self, size: u64) -> GuessedType {
        let uses = self.uses(0);
        let signed = uses.contains(&Use::Signed);
        let unsigned = uses.contains(&Use::Unsigned) || uses.contains(&Use::Above);
        let computed = uses.iter().any(|used| match used {
            Use::Number => true,
            Use::Compared(Some(number)) => *number > 1,
            _ => false,
        });
        let why = format!("{size} bytes");
        match size {
            1 if signed && !unsigned => GuessedType::known("int8", why),
            1 if uses.contains(&Use::Compared(Some(0))) && !computed => {
                GuessedType::known("bool", "it is only compared with 0")
            }
            1 if computed || unsigned => GuessedType::known("uint8", "it is computed with"),
            1 => GuessedType::usual("bool", &why),
            2 if signed => GuessedType::known("int16", why),
            2 => GuessedType::usual("uint16", &why),
            _ if unsigned && !signed => {
                GuessedType::known("uint32", "it is treated as a number without a sign")
            }
            _ if signed => GuessedType::known("int32", "it is treated as a number with a sign"),
            _ => GuessedType::usual("int32", &why),
        }
    }

    /// Two words: a string, or an interface.
    fn pair(&self) -> GuessedType {
        let (first, second) = (self.uses(0), self.uses(1));
        for used in first {
            if let Use::Is(addr) = used {
                if let Some(interface) = interface_of(self.image, *addr) {
                    return GuessedType::known(
                        &self.image.full_type_name(&interface),
                        "it is compared with a table of that interface",
                    );
                }
                if described(self.image, &Word::Address(*addr)).is_some() {
                    return GuessedType::known("any", "its type is asked for");
                }
            }
            if let Use::Called(at) = used {
                return match at {
                    0x18 => GuessedType::known("error", "a method of its table is called"),
                    _ => GuessedType::known("interface { M() }", "a method of its table is called"),
                };
            }
        }
        let is_length = |used: &Use| {
            matches!(used, Use::Number | Use::Signed | Use::Unsigned | Use::Above)
                || matches!(used, Use::Compared(Some(number)) if *number > 0)
        };
        let text = |used: &Use| {
            matches!(used, Use::Access { size: 1, .. }) || matches!(used, Use::Access { scale: 1, .. })
        };
        if second.iter().any(is_length) || first.iter().any(text) {
            return GuessedType::known("string", "its second word is a length");
        }
        if first.iter().any(|used| matches!(used, Use::Access { at: 8 | 0x10, size: 4 | 8, .. })) {
            return GuessedType::known("any", "its first word is a type");
        }
        GuessedType::usual("string", "two words")
    }

    /// Three words: a slice.
    fn triple(&self) -> GuessedType {
        // Several bytes at once are often compared with a text.
        let of_bytes = self.uses(0).iter().any(|used| matches!(used, Use::Access { size: 1, .. }));
        let elem = self.uses(0).iter().find_map(|used| match used {
            Use::Access { .. } if of_bytes => Some("byte".to_owned()),
            Use::Access { size: 2, .. } => Some("uint16".to_owned()),
            Use::Access { size: 4, .. } => Some("int32".to_owned()),
            Use::Access { size: 8, scale: 8, .. } => Some("int".to_owned()),
            Use::Access { at: 8, .. } => Some("string".to_owned()),
            _ => None,
        });
        match elem {
            Some(elem) => GuessedType::known(&format!("[]{elem}"), "the sizes of what is read of it"),
            None => GuessedType::usual("[]byte", "three words"),
        }
    }
}
