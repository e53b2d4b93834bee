//! When a guess is right: the same words, the same type, the same kind.

use std::mem::discriminant;

use goemu::go::abi::{Place, assign};
use goemu::go::guess::TypedGuess;
use goemu_loader::sigparse::parse_type;
use goemu_loader::{Func, Image, Kind, Signature, Type, printed_name};

/// Whether all words of arguments are where they should be.
pub(super) fn same_words(func: &Func<'_>, signature: &Signature, guess: &TypedGuess) -> bool {
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

/// The names of types in a text, and what is between them.
fn pieces(name: &str, word: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut current = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-') {
            current.push(c);
        } else {
            out.push_str(&word(&std::mem::take(&mut current)));
            out.push(c);
        }
    }
    out + &word(&current)
}

/// One spelling of a type.
fn plain(name: &str) -> String {
    pieces(&name.replace("interface {}", "any"), |word| match word {
        "byte" => "uint8".to_owned(),
        "rune" => "int32".to_owned(),
        // Debug information calls these the same.
        "int64" => "int".to_owned(),
        "uint64" => "uint".to_owned(),
        other => other.to_owned(),
    })
}

/// A type with all names of packages' types taken to be one.
pub(super) fn shape(name: &str) -> String {
    let all = pieces(&plain(name), |word| {
        if word.contains('.') && word != "unsafe.Pointer" { "T" } else { word }.to_owned()
    });
    // What is between braces is not told apart.
    match all.split_once('{') {
        Some((before, _)) => before.trim_end().to_owned() + " {..}",
        None => all,
    }
}

pub(super) fn same_type(ty: &Type, guessed: &str) -> bool {
    plain(&ty.name) == plain(guessed)
}

/// The same, where one may have the names of packages without their folders, as Go prints types.
pub(super) fn same_printed(ty: &Type, known: &str) -> bool {
    printed_name(&plain(&ty.name)) == printed_name(&plain(known))
}

pub(super) fn same_kind(image: &Image, ty: &Type, guessed: &str) -> bool {
    if same_type(ty, guessed) {
        return true;
    }
    let Ok(guessed) = parse_type(guessed, &|name| image.type_named(name).ok().flatten()) else {
        return false;
    };
    let pointer = |kind: &Kind| matches!(kind, Kind::Pointer(_) | Kind::UnsafePointer);
    let same = discriminant(&ty.kind) == discriminant(&guessed.kind);
    ty.size == guessed.size && (same || pointer(&ty.kind) && pointer(&guessed.kind))
}
