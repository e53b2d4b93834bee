//! The types that guessed parameters and results may have, each with a reason.

use std::fmt;

use goemu_loader::{Func, Image};

use super::callees::described;
use super::trail::{Set, Trail, Use, Word, trail};
use super::{Guess, GuessedParam, guess};
use crate::go::abi::Place;
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
    fn known(name: &str, why: impl Into<String>) -> GuessedType {
        GuessedType { name: name.to_owned(), why: why.into(), known: true }
    }

    fn usual(name: &str, why: &str) -> GuessedType {
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

/// Guesses the types of what `func` takes and gives.
#[must_use]
pub fn guess_types(image: &Image, func: &Func<'_>) -> TypedGuess {
    let places = guess(image, func);
    let trail = trail(image, func, &places);
    let receiver = receiver(func.name());
    let mut first = 0;
    let mut params = Vec::new();
    for (index, param) in places.params.iter().enumerate() {
        let evidence = Evidence { image, trail: &trail, param, first };
        let by_name = receiver.as_deref().filter(|_| index == 0 && fits_receiver(image, &receiver, param));
        params.push(match by_name {
            Some(receiver) => GuessedType::known(receiver, "the receiver, by the function's name"),
            None if places.dictionary.is_some_and(|(place, _)| place == index) => {
                GuessedType::known("uintptr", "the dictionary of a generic function")
            }
            None => evidence.ty(),
        });
        first += param.parts.len();
    }
    let results = results(image, &trail, &places, &params);
    TypedGuess { params, results, places }
}

/// The type of the receiver that a name tells: `*main.T` of `main.(*T).Method`.
fn receiver(name: &str) -> Option<String> {
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
fn fits_receiver(image: &Image, receiver: &Option<String>, param: &GuessedParam) -> bool {
    let Some(name) = receiver else { return false };
    if name.starts_with('*') {
        return matches!(&param.parts[..], [only] if only.size == 8 && !only.float);
    }
    match image.type_named(name).ok().flatten() {
        Some(ty) => param.parts.iter().map(|part| part.size).sum::<u64>() <= ty.size,
        None => true,
    }
}

struct Evidence<'a> {
    image: &'a Image,
    trail: &'a Trail,
    param: &'a GuessedParam,
    /// The number of its first part among all.
    first: usize,
}

impl Evidence<'_> {
    fn uses(&self, part: usize) -> &[Use] {
        self.trail.uses.get(&(self.first + part)).map_or(&[], Vec::as_slice)
    }

    fn ty(&self) -> GuessedType {
        let sizes: Vec<u64> = self.param.parts.iter().map(|part| part.size).collect();
        if let Some(given) = self.given() {
            return given;
        }
        match (&sizes[..], &self.param.parts[..]) {
            ([size], [only]) if only.float => GuessedType::known(
                if *size == 4 { "float32" } else { "float64" },
                "it is in a vector register",
            ),
            ([8], _) => self.word(),
            ([size], _) => self.small(*size),
            ([8, 8], [pointer, second]) if !pointer.float && !second.float => self.pair(),
            ([8, 8, 8], _) => self.triple(),
            _ => {
                let fields = self.param.parts.iter().map(|part| part.type_name()).collect::<Vec<_>>();
                GuessedType::usual(
                    &format!("struct {{ _ {} }}", fields.join("; _ ")),
                    "its parts belong together",
                )
            }
        }
    }

    /// What a function takes it as, that is called with it.
    fn given(&self) -> Option<GuessedType> {
        let vague = |ty: &str| matches!(ty, "unsafe.Pointer" | "map" | "chan" | "[]" | "uintptr");
        let words = self.param.parts.len();
        self.uses(0).iter().find_map(|used| match used {
            Use::Given(ty, 0, by) if !vague(ty) && words_of(self.image, ty) == Some(words) => {
                Some(GuessedType::known(ty, format!("{by} takes it")))
            }
            _ => None,
        })
    }

    /// A value of one word.
    fn word(&self) -> GuessedType {
        let uses = self.uses(0);
        let has = |wanted: &dyn Fn(&Use) -> bool| uses.iter().any(wanted);
        if has(&|used| matches!(used, Use::Called(0))) {
            return GuessedType::known("func()", "what it points to is called");
        }
        for used in uses {
            match used {
                Use::Given(ty, 0, by) if matches!(&**ty, "map" | "chan" | "unsafe.Pointer") => {
                    let name = match &**ty {
                        "map" => "map[string]int",
                        "chan" => "chan int",
                        _ => "unsafe.Pointer",
                    };
                    return GuessedType::known(name, format!("{by} takes it"));
                }
                Use::Given(ty, 0, by) if ty.starts_with("[]") => {
                    return GuessedType::known(&format!("*{}", &ty[2..]), format!("{by} takes it"));
                }
                _ => {}
            }
        }
        if let Some(Use::Access { at, size, .. }) =
            uses.iter().find(|used| matches!(used, Use::Access { .. }))
        {
            return self.pointer(*at, *size);
        }
        if has(&|used| matches!(used, Use::Unsigned)) && !has(&|used| matches!(used, Use::Signed)) {
            return GuessedType::known("uint", "it is treated as a number without a sign");
        }
        if has(&|used| matches!(used, Use::Number | Use::Signed)) {
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
        let unsigned = uses.contains(&Use::Unsigned);
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
                    return GuessedType::known(&interface, "it is compared with a table of that interface");
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
            matches!(used, Use::Number | Use::Signed | Use::Unsigned)
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
            Use::Given(ty, 0, _) if ty.starts_with("[]") && ty.len() > 2 => Some(ty[2..].to_owned()),
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

/// How many words a value of the type of this name takes.
fn words_of(image: &Image, name: &str) -> Option<usize> {
    match name {
        "string" | "error" | "any" | "interface {}" => Some(2),
        name if name.starts_with("[]") => Some(3),
        name if name.starts_with(['*'])
            || name.starts_with("map[")
            || name.starts_with("chan ")
            || name.starts_with("func(") =>
        {
            Some(1)
        }
        name => {
            let ty = image.type_named(name).ok().flatten()?;
            match ty.kind {
                goemu_loader::Kind::Struct(_) | goemu_loader::Kind::Array { .. } => None,
                _ => Some(ty.size.div_ceil(8) as usize),
            }
        }
    }
}

/// The interface type of the table at an address.
fn interface_of(image: &Image, itab: u64) -> Option<String> {
    let inter = image.read_u64(itab.checked_add(image.facts().itab.inter)?)?;
    let ty = image.read_u64(itab.checked_add(image.facts().itab.ty)?)?;
    image.itab(inter, ty).filter(|known| *known == itab)?;
    Some(described(image, &Word::Address(inter))?.name.clone())
}

/// What the integer registers hold at all returns.
fn results(image: &Image, trail: &Trail, places: &Guess, params: &[GuessedType]) -> Vec<GuessedType> {
    let mut results = Vec::new();
    let mut at = 0;
    let held = |at: usize| trail.returns.iter().filter_map(move |words| words.get(at)?.1.as_ref());
    // A result is set on every way out; an argument may be in the right place already.
    let stays = |at: usize, word: &Option<Word>| {
        let part = places
            .params
            .iter()
            .flat_map(|param| &param.parts)
            .position(|part| part.place == Place::Int(at as u8));
        part.is_some_and(|part| *word == Some(Word::Part(part)))
    };
    let is_set = |at: usize| {
        let mut words = trail.returns.iter().filter_map(|words| words.get(at));
        let some = words.clone().any(|(set, _)| *set == Set::Yes);
        some && words.all(|(set, word)| *set != Set::No || stays(at, word))
    };
    while is_set(at) {
        let (ty, words) = result(image, &held, at, places, params);
        results.push(ty);
        at += words;
    }
    results
}

/// The result that begins in a register, and how many it takes.
fn result<'t, I: Iterator<Item = &'t Word>>(
    image: &Image,
    held: &dyn Fn(usize) -> I,
    at: usize,
    places: &Guess,
    params: &[GuessedType],
) -> (GuessedType, usize) {
    let numbered =
        |(index, param): (usize, &GuessedParam)| (0..param.parts.len()).map(move |word| (index, word));
    let all: Vec<(usize, usize)> = places.params.iter().enumerate().flat_map(numbered).collect();
    for word in held(at) {
        match word {
            Word::Of(ty, 0) => {
                let words = words_of(image, ty).unwrap_or(1);
                return (GuessedType::known(ty, "a function that it calls gives that"), words);
            }
            Word::Address(addr) => {
                if let Some(interface) = interface_of(image, *addr) {
                    return (GuessedType::known(&interface, "it returns a value in that interface"), 2);
                }
                if described(image, word).is_some() {
                    return (GuessedType::known("any", "it returns a value with its type"), 2);
                }
                if held(at + 1).any(|word| matches!(word, Word::Number(_))) {
                    return (GuessedType::known("string", "it returns a constant"), 2);
                }
            }
            Word::Part(part) => {
                let Some((index, 0)) = all.get(*part).copied() else { continue };
                if let (Some(ty), Some(param)) = (params.get(index), places.params.get(index)) {
                    return (GuessedType::known(&ty.name, "it returns an argument"), param.parts.len());
                }
            }
            _ => {}
        }
    }
    let words: Vec<&Word> = held(at).collect();
    if !words.is_empty()
        && words.iter().any(|word| **word == Word::Flag)
        && words.iter().all(|word| matches!(word, Word::Flag | Word::Number(0 | 1)))
    {
        return (GuessedType::known("bool", "it is 0 or 1"), 1);
    }
    (GuessedType::usual("int", "one word"), 1)
}
