//! How good guesses of signatures are: those of a stripped program, compared with what its other build tells.

mod same;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use goemu::go::guess::{GuessedType, Guesser, TypedGuess};
use goemu::go::names;
use goemu_loader::{Func, Image, Kind, KnownFrom, Param, Signature, Type};

use same::{same_kind, same_printed, same_type, same_words, shape};

/// Counts of some functions.
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
    /// Parameters whose type is said to be known, and those of them that have it.
    pub sure: usize,
    /// See above.
    pub sure_types: usize,
    /// Results in integer registers, those that are found with the right type, and of the right kind.
    pub results: usize,
    /// See above.
    pub result_types: usize,
    /// See above.
    pub result_kinds: usize,
}

/// A parameter whose type is not the one that was guessed.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// The function, and the number of its parameter.
    pub func: String,
    /// See above.
    pub param: usize,
    /// What it is.
    pub told: String,
    /// What it was guessed to be, and why.
    pub guessed: GuessedType,
}

/// What was counted in one program, or in several.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By whose functions they are.
    pub by_origin: BTreeMap<Origin, Score>,
    /// Wrong types, by shape of what they are and of what was guessed.
    pub confusion: BTreeMap<(String, String), usize>,
    /// Each of them.
    pub wrong: Vec<Wrong>,
    /// Functions of Go's library, which are known by their names.
    pub by_name: ByName,
    /// What was counted: the same function of the same release counts once, whatever programs it is in.
    seen: HashSet<String>,
}

/// What was counted of functions that are known by their names.
#[derive(Clone, Debug, Default)]
pub struct ByName {
    /// Functions.
    pub functions: usize,
    /// Those with exactly the types that debug information tells.
    pub right: usize,
    /// The others, with both signatures.
    pub wrong: Vec<String>,
}

impl ByName {
    fn add(&mut self, told: &Signature, known: &Signature, name: &str) {
        let same = |told: &[Param], known: &[Param]| {
            told.len() == known.len()
                && told.iter().zip(known).all(|(told, known)| same_printed(&told.ty, &known.ty.name))
        };
        self.functions += 1;
        if same(&told.params, &known.params) && same(&told.results, &known.results) {
            self.right += 1;
        } else {
            self.wrong.push(format!("{name}: {told} is known as {known}"));
        }
    }
}

/// Whose function it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Go's runtime and what it stands on.
    Runtime,
    /// Other packages of Go's library.
    Library,
    /// What the compiler makes for types, `type:.eq.main.T`: their names tell all.
    Compiler,
    /// Others.
    Program,
}

impl Origin {
    fn of(func: &Func<'_>) -> Origin {
        if func.name().starts_with("type:.") || func.name().starts_with("type..") {
            return Origin::Compiler;
        }
        let package = names::package(func.name());
        let in_library = |name: &str| !name.split('/').next().unwrap_or_default().contains('.');
        match package {
            "runtime" | "sync/atomic" => Origin::Runtime,
            _ if package.starts_with("runtime/") || package.starts_with("internal/") => Origin::Runtime,
            "main" => Origin::Program,
            _ if package.starts_with("cmd/") => Origin::Program,
            _ if in_library(package) || package.starts_with("vendor/") => Origin::Library,
            _ => Origin::Program,
        }
    }
}

impl Report {
    /// Compares all functions with parameters that `told` has debug information of, and that `stripped` knows nothing of.
    pub fn compare(&mut self, told: &Image, stripped: &Image) {
        let release = told.facts().version.minor;
        let guesser = Guesser::new(stripped);
        for func in told.funcs().filter(|func| !func.is_asm()) {
            let Some(signature) = told.signature(&func).ok().flatten() else { continue };
            let Some(other) = stripped.func_at(func.entry()).filter(|other| other.entry() == func.entry())
            else {
                continue;
            };
            let empty = signature.params.is_empty() && signature.results.is_empty();
            if empty || other.name() != func.name() {
                continue;
            }
            let known = stripped.signature_from(&other).ok().flatten();
            if let Some((known, from)) = known {
                if from == KnownFrom::Library && self.seen.insert(format!("{release} {}", func.name())) {
                    self.by_name.add(&signature, &known, func.name());
                }
                continue;
            }
            if self.seen.insert(format!("{release} {} {signature}", func.name())) {
                self.add(told, &func, &signature, &guesser.types(&other));
            }
        }
    }

    fn add(&mut self, image: &Image, func: &Func<'_>, signature: &Signature, guess: &TypedGuess) {
        let score = self.by_origin.entry(Origin::of(func)).or_default();
        score.functions += 1;
        if !same_words(func, signature, guess) {
            return;
        }
        score.words += 1;
        // What takes no place cannot be guessed; the dictionary of a generic function is the compiler's.
        let given = guess.params.iter().enumerate();
        let given =
            given.filter(|(place, _)| guess.places.dictionary.is_none_or(|(hidden, _)| hidden != *place));
        let params: Vec<&Type> = signature
            .params
            .iter()
            .filter(|param| param.ty.size > 0 && !param.is_dictionary())
            .map(|param| &*param.ty)
            .collect();
        let (mut types, mut kinds) = (0, 0);
        for (ty, (index, guessed)) in params.iter().zip(given) {
            let right = same_type(ty, &guessed.name);
            types += usize::from(right);
            kinds += usize::from(same_kind(image, ty, &guessed.name));
            score.sure += usize::from(guessed.known);
            score.sure_types += usize::from(guessed.known && right);
            if !right {
                *self.confusion.entry((shape(&ty.name), shape(&guessed.name))).or_default() += 1;
                self.wrong.push(Wrong {
                    func: func.name().to_owned(),
                    param: index,
                    told: ty.name.clone(),
                    guessed: guessed.clone(),
                });
            }
        }
        score.params += params.len();
        score.types += types;
        score.kinds += kinds;
        score.all_types += usize::from(types == params.len());
        score.all_kinds += usize::from(kinds == params.len());
        let results =
            signature.results.iter().filter(|result| !matches!(result.ty.kind, Kind::Float | Kind::Complex));
        for (index, result) in results.enumerate() {
            score.results += 1;
            let guessed = guess.results.get(index).map_or("", |guessed| guessed.name.as_str());
            let right = same_type(&result.ty, guessed);
            if !right {
                let guessed = if guessed.is_empty() { "nothing".to_owned() } else { shape(guessed) };
                *self
                    .confusion
                    .entry((format!("result {}", shape(&result.ty.name)), guessed))
                    .or_default() += 1;
            }
            score.result_types += usize::from(right);
            score.result_kinds += usize::from(same_kind(image, &result.ty, guessed));
        }
    }

    /// The counts of all origins together, without what the compiler makes.
    #[must_use]
    pub fn all(&self) -> Score {
        let written = self.by_origin.iter().filter(|(origin, _)| **origin != Origin::Compiler);
        written.fold(Score::default(), |sum, (_, score)| sum.plus(score))
    }
}

impl Score {
    fn plus(self, other: &Score) -> Score {
        Score {
            functions: self.functions + other.functions,
            words: self.words + other.words,
            all_types: self.all_types + other.all_types,
            all_kinds: self.all_kinds + other.all_kinds,
            params: self.params + other.params,
            types: self.types + other.types,
            kinds: self.kinds + other.kinds,
            sure: self.sure + other.sure,
            sure_types: self.sure_types + other.sure_types,
            results: self.results + other.results,
            result_types: self.result_types + other.result_types,
            result_kinds: self.result_kinds + other.result_kinds,
        }
    }
}

/// A part of the whole, in percent.
#[must_use]
pub fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |part, whole| format!("{:.1} %", percent(part, whole));
        let Score { functions, params, results, sure, .. } = *self;
        write!(
            f,
            "{functions} functions: words {}, all types {}, all kinds {}; ",
            of(self.words, functions),
            of(self.all_types, functions),
            of(self.all_kinds, functions),
        )?;
        write!(
            f,
            "{params} parameters: types {}, kinds {}; ",
            of(self.types, params),
            of(self.kinds, params)
        )?;
        write!(f, "{sure} said to be known: types {}; ", of(self.sure_types, sure))?;
        write!(
            f,
            "{results} results: types {}, kinds {}",
            of(self.result_types, results),
            of(self.result_kinds, results)
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (origin, score) in &self.by_origin {
            writeln!(f, "{origin:?}: {score}")?;
        }
        writeln!(f, "All: {}", self.all())?;
        let ByName { functions, right, .. } = self.by_name;
        write!(f, "Known by name: {functions} functions, {:.1} % exactly", percent(right, functions))
    }
}
