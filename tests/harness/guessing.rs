//! How good guesses of signatures are: those of a stripped program, compared with what its other build tells.

use std::fmt;

use goemu::go::abi::{Place, assign};
use goemu::go::guess::{TypedGuess, guess_types};
use goemu_loader::sigparse::parse_type;
use goemu_loader::{Func, Image, Kind, Signature, Type};

/// Counts of one program, or of several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    /// Functions that were compared.
    pub functions: usize,
    /// Those whose words of arguments are all where they should be, with the right sizes.
    pub words: usize,
    /// Those whose parameters all have the right types, and those where they are of the right kinds.
    pub all_types: usize,
    /// See above.
    pub all_kinds: usize,
    /// Parameters of functions whose words are right.
    pub params: usize,
    /// Those with the right type: the same text.
    pub types: usize,
    /// Those of the right kind and size: any pointer for a pointer, a named number for a number.
    pub kinds: usize,
    /// Results in integer registers, those that are found with the right type, and of the right kind.
    pub results: usize,
    /// See above.
    pub result_types: usize,
    /// See above.
    pub result_kinds: usize,
}

/// Compares all functions with parameters that `told` has debug information of, and that `stripped` knows nothing of.
#[must_use]
pub fn score(told: &Image, stripped: &Image) -> Score {
    let mut score = Score::default();
    for func in told.funcs().filter(|func| !func.is_asm()) {
        let Some(signature) = told.signature(&func).ok().flatten() else { continue };
        let Some(other) = stripped.func_at(func.entry()).filter(|other| other.entry() == func.entry()) else {
            continue;
        };
        let known = stripped.signature(&other).ok().flatten().is_some();
        if signature.params.is_empty() && signature.results.is_empty() || known || other.name() != func.name()
        {
            continue;
        }
        score.add(told, &func, &signature, &guess_types(stripped, &other));
    }
    score
}

impl Score {
    fn add(&mut self, image: &Image, func: &Func<'_>, signature: &Signature, guess: &TypedGuess) {
        self.functions += 1;
        if !same_words(func, signature, guess) {
            return;
        }
        self.words += 1;
        // What takes no place cannot be guessed.
        let params: Vec<&Type> =
            signature.params.iter().map(|param| &*param.ty).filter(|ty| ty.size > 0).collect();
        let (mut types, mut kinds) = (0, 0);
        for (ty, guessed) in params.iter().zip(&guess.params) {
            types += usize::from(same_type(ty, &guessed.name));
            kinds += usize::from(same_kind(image, ty, &guessed.name));
        }
        self.params += params.len();
        self.types += types;
        self.kinds += kinds;
        self.all_types += usize::from(types == params.len());
        self.all_kinds += usize::from(kinds == params.len());
        let results =
            signature.results.iter().filter(|result| !matches!(result.ty.kind, Kind::Float | Kind::Complex));
        for (index, result) in results.enumerate() {
            self.results += 1;
            let guessed = guess.results.get(index).map_or("", |guessed| guessed.name.as_str());
            self.result_types += usize::from(same_type(&result.ty, guessed));
            self.result_kinds += usize::from(same_kind(image, &result.ty, guessed));
        }
    }

    /// These counts and those.
    pub fn sum(&mut self, other: Score) {
        let Score {
            functions,
            words,
            all_types,
            all_kinds,
            params,
            types,
            kinds,
            results,
            result_types,
            result_kinds,
        } = other;
        self.functions += functions;
        self.words += words;
        self.all_types += all_types;
        self.all_kinds += all_kinds;
        self.params += params;
        self.types += types;
        self.kinds += kinds;
        self.results += results;
        self.result_types += result_types;
        self.result_kinds += result_kinds;
    }
}

/// A part of the whole, in percent.
#[must_use]
pub fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Score {
            functions,
            words,
            all_types,
            all_kinds,
            params,
            types,
            kinds,
            results,
            result_types,
            result_kinds,
        } = *self;
        write!(
            f,
            "{functions} functions: words {:.1} %, all types {:.1} %, all kinds {:.1} %; {params} parameters: types {:.1} %, kinds \
             {:.1} %; {results} results: types {:.1} %, kinds {:.1} %",
            percent(words, functions),
            percent(all_types, functions),
            percent(all_kinds, functions),
            percent(types, params),
            percent(kinds, params),
            percent(result_types, results),
            percent(result_kinds, results),
        )
    }
}

fn same_words(func: &Func<'_>, signature: &Signature, guess: &TypedGuess) -> bool {
    let Ok(places) = assign(func.abi(), signature) else { return false };
    let text = |place: Place, size: u64| format!("{place:?} {size}");
    let in_register = |place: &Place| !matches!(place, Place::Stack(_));
    let pieces = places.params.iter().flatten().filter(|piece| piece.size > 0 && in_register(&piece.place));
    let mut told: Vec<String> = pieces.map(|piece| text(piece.place, piece.size)).collect();
    let parts = guess.places.params.iter().flat_map(|param| &param.parts);
    let mut found: Vec<String> =
        parts.filter(|part| in_register(&part.place)).map(|part| text(part.place, part.size)).collect();
    told.sort();
    found.sort();
    told == found
}

/// One spelling of a type.
fn plain(name: &str) -> String {
    let name = name.replace("interface {}", "any");
    let word = |word: &str| match word {
        "byte" => "uint8".to_owned(),
        "rune" => "int32".to_owned(),
        // Debug information calls these the same.
        "int64" => "int".to_owned(),
        "uint64" => "uint".to_owned(),
        other => other.to_owned(),
    };
    let mut out = String::new();
    let mut current = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() || matches!(c, '_' | '.' | '/') {
            current.push(c);
        } else {
            out.push_str(&word(&std::mem::take(&mut current)));
            out.push(c);
        }
    }
    out + &word(&current)
}

fn same_type(ty: &Type, guessed: &str) -> bool {
    plain(&ty.name) == plain(guessed)
}

fn same_kind(image: &Image, ty: &Type, guessed: &str) -> bool {
    if same_type(ty, guessed) {
        return true;
    }
    let Ok(guessed) = parse_type(guessed, &|name| image.type_named(name).ok().flatten()) else {
        return false;
    };
    let pointer = |kind: &Kind| matches!(kind, Kind::Pointer(_) | Kind::UnsafePointer);
    let same = std::mem::discriminant(&ty.kind) == std::mem::discriminant(&guessed.kind);
    ty.size == guessed.size && (same || pointer(&ty.kind) && pointer(&guessed.kind))
}
