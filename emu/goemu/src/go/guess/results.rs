//! What a function's integer registers hold at all its returns.

use super::callees::{described, interface_of};
use super::guesser::{Guesser, Studied};
use super::memory::Known;
use super::trail::Set;
use super::typed::GuessedType;
use super::word::{Root, Value, Word};
use crate::go::abi::Place;

/// A type that was found for a result.
#[derive(Clone)]
pub(super) struct FoundResult {
    pub(super) guessed: GuessedType,
    pub(super) known: Option<Known>,
    /// The register that it begins in, and how many it takes.
    pub(super) at: usize,
    pub(super) words: usize,
}

pub(super) fn results(guesser: &Guesser<'_>, studied: &Studied, depth: u8) -> Vec<FoundResult> {
    let trail = &studied.trail;
    // A result is set on every way out; an argument may be in the right place already.
    let stays = |at: usize, word: &Option<Word>| {
        let parts = studied.places.params.iter().flat_map(|param| &param.parts);
        let part = parts.into_iter().position(|part| part.place == Place::Int(at as u8));
        part.is_some_and(|part| word.as_ref().and_then(Word::part) == Some(part))
    };
    // What a function gives that is called last, without more being done with it.
    let passed = |at: usize, word: &Option<Word>| match word {
        Some(Word::Value(Value { root: Root::Result(site, register), steps })) => {
            *register == at && steps.is_empty() && guesser.gives(studied, *site, at, depth)
        }
        _ => false,
    };
    let is_set = |at: usize| {
        let mut words = trail.returns.iter().filter_map(|words| words.get(at));
        let some = words.clone().any(|(set, word)| *set == Set::Yes || passed(at, word));
        some && words.all(|(set, word)| *set != Set::No || stays(at, word))
    };
    let mut results = Vec::new();
    let mut at = 0;
    while is_set(at) {
        let found = result(guesser, studied, at, depth);
        at += found.words.max(1);
        results.push(found);
    }
    error_last(studied, &mut results);
    results
}

/// Two words that come last, of which nothing is known but that some return sets both to 0, are an error as a rule.
fn error_last(studied: &Studied, results: &mut Vec<FoundResult>) {
    let Some([first, second]) = results.last_chunk() else { return };
    if first.guessed.known || second.guessed.known {
        return;
    }
    let at = first.at;
    let pairs = || studied.trail.returns.iter().filter_map(|words| words.get(at..at + 2));
    let zero = |word: &Option<Word>| *word == Some(Word::Number(0));
    let number = |word: &Option<Word>| matches!(word, Some(Word::Number(1..) | Word::Flag));
    let nil = pairs().any(|words| words.iter().all(|(_, word)| zero(word)));
    if nil && !pairs().any(|words| words.iter().any(|(_, word)| number(word))) {
        results.truncate(results.len() - 2);
        let guessed = GuessedType::usual("error", "two words, both 0 at some return");
        results.push(FoundResult { guessed, known: None, at, words: 2 });
    }
}

/// The result that begins in a register.
fn result(guesser: &Guesser<'_>, studied: &Studied, at: usize, depth: u8) -> FoundResult {
    let held = |at: usize| studied.trail.returns.iter().filter_map(move |words| words.get(at)?.1.as_ref());
    let image = guesser.image;
    for word in held(at) {
        if let Word::Address(addr) = word {
            if let Some(interface) = interface_of(image, *addr) {
                let guessed = GuessedType::known(
                    &image.full_type_name(&interface),
                    "it returns a value in that interface",
                );
                return FoundResult { guessed, known: Some(Known::of(&interface)), at, words: 2 };
            }
            if described(image, word).is_some() {
                let guessed = GuessedType::known("any", "it returns a value with its type");
                return FoundResult { guessed, known: None, at, words: 2 };
            }
            if held(at + 1).any(|word| matches!(word, Word::Number(_))) {
                let guessed = GuessedType::known("string", "it returns a constant");
                return FoundResult { guessed, known: None, at, words: 2 };
            }
        }
        if let Word::Value(value) = word
            && let Some((known, name, words)) = of_value(guesser, studied, value, depth)
        {
            let why = match value.root {
                Root::Result(..) if value.steps.is_empty() => "a function that it calls gives that",
                Root::Part(_) if value.steps.is_empty() => "it returns an argument",
                _ => "it returns a value of that type",
            };
            return FoundResult { guessed: GuessedType::known(&name, why), known: Some(known), at, words };
        }
    }
    let numbers = || held(at).filter(|word| !matches!(word, Word::Value(_)));
    let both = [0, 1].iter().all(|number| numbers().any(|word| *word == Word::Number(*number)));
    if numbers().all(Word::is_flag) && (both || numbers().any(|word| *word == Word::Flag)) {
        return FoundResult {
            guessed: GuessedType::known("bool", "it is 0 or 1"),
            known: None,
            at,
            words: 1,
        };
    }
    FoundResult { guessed: GuessedType::usual("int", "one word"), known: None, at, words: 1 }
}

/// The smallest value that begins with a word.
fn of_value(
    guesser: &Guesser<'_>,
    studied: &Studied,
    value: &Value,
    depth: u8,
) -> Option<(Known, String, usize)> {
    guesser.resolve(studied, value, depth)?.whole(guesser.image)
}
