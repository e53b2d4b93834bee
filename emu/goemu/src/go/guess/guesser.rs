//! Guesses of functions that lean on each other: callers tell what a function is given, and functions that it calls what they take.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use goemu_loader::{Func, Image, Kind};

use super::callees::{Callee, Callees, Taken, What, described, interface_of};
use super::callers::Callers;
use super::memory::{Known, leaf};
use super::pointers::Pointers;
use super::results::{FoundResult, results};
use super::shapes::Shapes;
use super::trail::{Site, Trail, trail};
use super::typed::{Evidence, GuessedType, TypedGuess, fits_receiver, receiver};
use super::votes::{Votes, Weight};
use super::word::{Root, Step, Value, Word};
use super::{Guess, guess};
use crate::go::abi::Place;
use crate::go::names;

/// Functions between one that is asked for and one whose code is looked at for it.
const DEPTH: u8 = 3;
/// Code that is looked at for one function that is asked for: so many functions of `PIECE` bytes.
const MAX_PIECES: usize = 3000;
const PIECE: u64 = 256;
/// Calls through what calls gave, through what calls gave.
const MAX_CHAIN: usize = 16;

/// What was found of functions, by their addresses and how far they are from the one that is asked for.
type Remembered<T> = RefCell<HashMap<(u64, u8), Rc<Vec<T>>>>;

/// Guesses signatures in one program, and remembers what it found out on the way.
pub struct Guesser<'i> {
    pub(super) image: &'i Image,
    callees: Callees<'i>,
    callers: OnceCell<Callers>,
    shapes: OnceCell<Shapes>,
    studied: RefCell<HashMap<u64, Option<Rc<Studied>>>>,
    params: Remembered<Found>,
    results: Remembered<FoundResult>,
    /// The functions that are being guessed, with what is known of their parameters so far.
    busy: RefCell<HashMap<u64, Vec<Option<Known>>>>,
    left: Cell<usize>,
    chain: Cell<usize>,
}

/// A function whose code was followed.
pub(super) struct Studied {
    pub(super) entry: u64,
    name: String,
    pub(super) places: Guess,
    pub(super) trail: Trail,
    /// For each part of the parameters, the parameter, and where in its value the part is.
    pub(super) parts: Vec<(usize, u64)>,
    pointers: Option<Pointers>,
}

/// A type that was found for a parameter.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) guessed: GuessedType,
    pub(super) known: Option<Known>,
}

/// Guesses the types of what `func` takes and gives.
#[must_use]
pub fn guess_types(image: &Image, func: &Func<'_>) -> TypedGuess {
    Guesser::new(image).types(func)
}

impl<'i> Guesser<'i> {
    /// Nothing is read before it is asked for.
    #[must_use]
    pub fn new(image: &'i Image) -> Guesser<'i> {
        Guesser {
            image,
            callees: Callees::new(image),
            callers: OnceCell::new(),
            shapes: OnceCell::new(),
            studied: RefCell::default(),
            params: RefCell::default(),
            results: RefCell::default(),
            busy: RefCell::default(),
            left: Cell::new(0),
            chain: Cell::new(0),
        }
    }

    /// Guesses the types of what `func` takes and gives.
    #[must_use]
    pub fn types(&self, func: &Func<'_>) -> TypedGuess {
        self.left.set(MAX_PIECES);
        let params = self.params(func.entry(), DEPTH).iter().map(|found| found.guessed.clone()).collect();
        let results = self.results(func.entry(), DEPTH).iter().map(|found| found.guessed.clone()).collect();
        let places =
            self.studied(func.entry()).map_or_else(|| guess(self.image, func), |it| it.places.clone());
        TypedGuess { params, results, places }
    }

    /// The function that begins there, followed; none where there is none, or enough were looked at.
    fn studied(&self, entry: u64) -> Option<Rc<Studied>> {
        if let Some(known) = self.studied.borrow().get(&entry) {
            return known.clone();
        }
        if self.left.get() == 0 {
            return None;
        }
        let func = self.image.func_at(entry).filter(|func| func.entry() == entry);
        let pieces = func.map_or(0, |func| func.end().saturating_sub(func.entry()) / PIECE);
        let cost = usize::try_from(pieces).unwrap_or(usize::MAX).saturating_add(1);
        self.left.set(self.left.get().saturating_sub(cost));
        let studied = func.map(|func| Rc::new(Studied::of(self.image, &self.callees, &func)));
        self.studied.borrow_mut().insert(entry, studied.clone());
        studied
    }

    /// The types of the parameters of the function that begins there.
    pub(super) fn params(&self, entry: u64, depth: u8) -> Rc<Vec<Found>> {
        if let Some(known) = self.params.borrow().get(&(entry, depth)) {
            return Rc::clone(known);
        }
        let Some(studied) = self.studied(entry).filter(|_| !self.busy.borrow().contains_key(&entry)) else {
            return Rc::default();
        };
        self.busy.borrow_mut().insert(entry, vec![None; studied.places.params.len()]);
        let told: Vec<_> = (0..studied.places.params.len()).map(|index| self.told(&studied, index)).collect();
        for (index, found) in told.iter().enumerate() {
            self.note(entry, index, found.as_ref().and_then(|found| found.known.clone()));
        }
        let mut params = Vec::new();
        for (index, found) in told.into_iter().enumerate() {
            let found = found.unwrap_or_else(|| self.found(&studied, index, depth));
            self.note(entry, index, found.known.clone());
            params.push(found);
        }
        self.busy.borrow_mut().remove(&entry);
        let params = Rc::new(params);
        self.params.borrow_mut().insert((entry, depth), Rc::clone(&params));
        params
    }

    fn note(&self, entry: u64, index: usize, known: Option<Known>) {
        if let Some(param) = self.busy.borrow_mut().get_mut(&entry).and_then(|params| params.get_mut(index)) {
            *param = known;
        }
    }

    /// The types of the results of the function that begins there.
    pub(super) fn results(&self, entry: u64, depth: u8) -> Rc<Vec<FoundResult>> {
        if let Some(known) = self.results.borrow().get(&(entry, depth)) {
            return Rc::clone(known);
        }
        let Some(studied) = self.studied(entry) else { return Rc::default() };
        if let Some(told) = self.told_results(entry) {
            return Rc::new(told);
        }
        // A function that gives what it is given by itself.
        self.results.borrow_mut().insert((entry, depth), Rc::default());
        let found = Rc::new(results(self, &studied, depth));
        self.results.borrow_mut().insert((entry, depth), Rc::clone(&found));
        found
    }

    /// The results of a function whose signature is known; none of others.
    fn told_results(&self, entry: u64) -> Option<Vec<FoundResult>> {
        let callee = self.callees.at(entry)?;
        let begins = |taken: &Taken| match &taken.what {
            What::Typed(ty, 0) => Some(FoundResult {
                guessed: GuessedType::known(&self.image.full_type_name(ty), "its signature"),
                known: Some(Known::of(ty)),
                at: taken.register,
                words: ty.size.div_ceil(8) as usize,
            }),
            _ => None,
        };
        let told: Vec<_> = callee.results.iter().filter_map(begins).collect();
        (!told.is_empty()).then_some(told)
    }

    /// What names and signatures tell of a parameter.
    fn told(&self, studied: &Studied, index: usize) -> Option<Found> {
        let param = studied.places.params.get(index)?;
        if studied.places.dictionary.is_some_and(|(place, _)| place == index) {
            let guessed = GuessedType::known("uintptr", "the dictionary of a generic function");
            return Some(Found { guessed, known: None });
        }
        if studied.name.starts_with("type:.") || studied.name.starts_with("type..") {
            return Some(of_type(&studied.name, index));
        }
        let by_name = receiver(&studied.name).filter(|_| index == 0);
        if let Some(name) = by_name.filter(|name| fits_receiver(self.image, name, param)) {
            let named = |name: &str| self.image.type_named(name).ok().flatten();
            let known = match name.strip_prefix('*') {
                Some(to) => named(to).map(|ty| Known::To(ty, 0)),
                None => named(&name).map(|ty| Known::of(&ty)),
            };
            let guessed = GuessedType::known(&name, "the receiver, by the function's name");
            return Some(Found { guessed, known });
        }
        let Place::Int(first) = param.parts.first()?.place else { return None };
        let callee = self.callees.at(studied.entry)?;
        let taken = callee.params.iter().find(|taken| taken.register == usize::from(first))?;
        let What::Typed(ty, 0) = &taken.what else { return None };
        Some(Found {
            guessed: GuessedType::known(&self.image.full_type_name(ty), "its signature"),
            known: Some(Known::of(ty)),
        })
    }

    /// What code tells of a parameter.
    fn found(&self, studied: &Studied, index: usize, depth: u8) -> Found {
        let Some(param) = studied.places.params.get(index) else {
            return Found { guessed: GuessedType::usual("int", "nothing"), known: None };
        };
        let first = studied.parts.iter().position(|(of, _)| *of == index).unwrap_or(usize::MAX);
        let sizes: Vec<u64> = param.parts.iter().map(|part| part.size).collect();
        let mut votes = Votes::default();
        if !param.parts.iter().any(|part| part.float) {
            self.own_votes(studied, first, &sizes, depth, &mut votes);
            let first = param.parts.first().map(|part| part.place);
            if let (Some(Place::Int(register)), true) = (first, depth > 0) {
                self.caller_votes(studied.entry, register.into(), &sizes, depth - 1, &mut votes);
            }
        }
        let evidence = Evidence {
            image: self.image,
            trail: &studied.trail,
            param,
            first,
            pointers: studied.pointers.as_ref(),
        };
        match votes.best(|name, known| evidence.may_be(name, known)) {
            Some((name, known, why)) => Found { guessed: GuessedType::known(&name, why), known },
            None => {
                let guessed = evidence.ty();
                Found {
                    guessed: self.by_shape(studied, first, &sizes, &guessed).unwrap_or(guessed),
                    known: None,
                }
            }
        }
    }

    /// The struct of the function's package that a parameter may be, or point to, where nothing else tells.
    fn by_shape(
        &self,
        studied: &Studied,
        first: usize,
        sizes: &[u64],
        guessed: &GuessedType,
    ) -> Option<GuessedType> {
        let package = names::package(&studied.name);
        let shapes = || self.shapes.get_or_init(|| Shapes::of(self.image));
        if guessed.name == "unsafe.Pointer" {
            let name = shapes().pointed(package, studied.trail.uses.get(&first)?)?;
            let why = "no other struct of the package has such fields";
            return Some(GuessedType::usual(&format!("*{name}"), why));
        }
        if guessed.name.starts_with("struct {") {
            let name = shapes().passed(package, sizes)?;
            return Some(GuessedType::usual(name, "no other struct of the package has such parts"));
        }
        None
    }

    /// What the function itself does with a parameter.
    fn own_votes(&self, studied: &Studied, first: usize, sizes: &[u64], depth: u8, votes: &mut Votes) {
        let is_it = |word: &Option<Word>| word.as_ref().and_then(Word::part) == Some(first);
        for site in &studied.trail.sites {
            for (register, _) in site.held.iter().enumerate().filter(|(_, word)| is_it(word)) {
                self.taken(studied, site, register, sizes, depth, votes);
            }
        }
        for store in studied.trail.stores.iter().filter(|store| store.word.part() == Some(first)) {
            if let Some(Known::To(ty, at)) = self.resolve(studied, &store.to, depth)
                && let Some((known, name)) = Known::In(ty.clone(), at).fitting(self.image, sizes)
            {
                votes.add(name, Some(known), Weight::Kept, || {
                    format!("it is kept in a {}", self.image.full_type_name(&ty))
                });
            }
        }
        for (_, other) in studied.trail.equals.iter().filter(|(part, _)| *part == first) {
            if let Some((known, name)) =
                self.resolve(studied, other, depth).and_then(|other| other.fitting(self.image, sizes))
            {
                votes.add(name, Some(known), Weight::Compared, || {
                    "it is compared with such a value".to_owned()
                });
            }
        }
    }

    /// What is known of the function that is called.
    fn callee(&self, studied: &Studied, site: &Site, depth: u8) -> Option<Rc<Callee>> {
        if let Some(target) = site.target {
            return self.callees.at(target);
        }
        let through = site.through.as_ref()?;
        let (Step::Load(at), steps) = through.steps.split_last()? else { return None };
        let from = Value { root: through.root, steps: steps.into() };
        let Known::In(ty, offset) = self.resolve(studied, &from, depth)? else { return None };
        let (ty, 0) = leaf(&ty, offset)? else { return None };
        match &ty.kind {
            Kind::Func(func) if *at == 0 => Callee::through(self.image, func, false).map(Rc::new),
            Kind::Interface { .. } => {
                let first = self.image.facts().itab.fun;
                let index = u64::try_from(*at).ok()?.checked_sub(first)? / 8;
                let method = self.image.interface_method(ty.rtype?, index)?;
                let method = self.image.resolve(&method).ok()?;
                let Kind::Func(func) = &method.kind else { return None };
                Callee::through(self.image, func, true).map(Rc::new)
            }
            _ => None,
        }
    }

    /// What a function that is called takes in a register.
    fn taken(
        &self,
        studied: &Studied,
        site: &Site,
        register: usize,
        sizes: &[u64],
        depth: u8,
        votes: &mut Votes,
    ) {
        let Some(callee) = self.callee(studied, site, depth) else { return };
        if let Some(taken) = callee.params.iter().find(|taken| taken.register == register) {
            let known = taken.what.known(&callee, self.image, &site.held);
            match (known.and_then(|known| known.fitting(self.image, sizes)), &taken.what) {
                (Some((known, name)), _) => {
                    votes.add(name, Some(known), Weight::Known, || format!("{} takes it", callee.name));
                }
                (None, What::Letter('m', _)) if *sizes == [8] => {
                    let why = || format!("{} takes it", callee.name);
                    votes.add("map[string]int".to_owned(), None, Weight::Vague, why);
                }
                (None, What::Letter('c', _)) if *sizes == [8] => {
                    votes.add("chan int".to_owned(), None, Weight::Vague, || {
                        format!("{} takes it", callee.name)
                    });
                }
                _ => {}
            }
            return;
        }
        let Some(target) = site.target.filter(|target| depth > 0 && !self.callees.is_known(*target)) else {
            return;
        };
        let Some(other) = self.studied(target) else { return };
        let begins = |param: &super::GuessedParam| {
            param.parts.first().is_some_and(|part| part.place == Place::Int(register as u8))
        };
        let Some(index) = other.places.params.iter().position(begins) else { return };
        if let Some(Found { guessed, known: Some(known) }) = self.params(target, depth - 1).get(index)
            && let Some((known, name)) = known.fitting(self.image, sizes).filter(|_| guessed.known)
        {
            votes.add(name, Some(known), Weight::Guessed, || format!("{} seems to take it", callee.name));
        }
    }

    /// What callers have in the register that a parameter begins in.
    fn caller_votes(&self, entry: u64, register: usize, sizes: &[u64], depth: u8, votes: &mut Votes) {
        let callers = self.callers.get_or_init(|| Callers::of(self.image));
        for &caller in callers.of_func(entry) {
            let Some(studied) = self.studied(caller).filter(|_| caller != entry) else { continue };
            for site in studied.trail.sites.iter().filter(|site| site.target == Some(entry)) {
                let Some(Some(word)) = site.held.get(register) else { continue };
                let second = site.held.get(register + 1).and_then(Option::as_ref);
                let why = || format!("{} gives it that", studied.name);
                match word {
                    Word::Value(value) => {
                        if let Some((known, name)) = self
                            .resolve(&studied, value, depth)
                            .and_then(|known| known.fitting(self.image, sizes))
                        {
                            votes.add(name, Some(known), Weight::Caller, why);
                        }
                    }
                    Word::Flag if *sizes == [1] => votes.add("bool".to_owned(), None, Weight::Caller, why),
                    Word::Address(addr) => self.constant(*addr, second, sizes, votes, why),
                    _ => {}
                }
            }
        }
    }

    /// What the address of a constant tells.
    fn constant(
        &self,
        addr: u64,
        second: Option<&Word>,
        sizes: &[u64],
        votes: &mut Votes,
        why: impl FnOnce() -> String,
    ) {
        if *sizes != [8, 8] {
            return;
        }
        if let Some(interface) = interface_of(self.image, addr) {
            let known = Some(Known::of(&interface));
            votes.add(self.image.full_type_name(&interface), known, Weight::Known, why);
        } else if described(self.image, &Word::Address(addr)).is_some() {
            votes.add("any".to_owned(), None, Weight::Caller, why);
        } else if matches!(second, Some(Word::Number(_))) {
            votes.add("string".to_owned(), None, Weight::Caller, why);
        }
    }

    /// What is known of a value in a function.
    pub(super) fn resolve(&self, studied: &Studied, value: &Value, depth: u8) -> Option<Known> {
        let chain = self.chain.get();
        if chain >= MAX_CHAIN {
            return None;
        }
        self.chain.set(chain + 1);
        let known = self.resolved(studied, value, depth);
        self.chain.set(chain);
        known
    }

    fn resolved(&self, studied: &Studied, value: &Value, depth: u8) -> Option<Known> {
        let mut known = match value.root {
            Root::Part(part) => {
                let (param, at) = *studied.parts.get(part)?;
                let so_far = self.busy.borrow().get(&studied.entry).map(|params| params.get(param).cloned());
                let known = match so_far {
                    Some(known) => known??,
                    None => self.params(studied.entry, depth).get(param)?.known.clone()?,
                };
                match known {
                    Known::In(ty, 0) => Known::In(ty, at),
                    other if at == 0 => other,
                    _ => return None,
                }
            }
            Root::Result(site, register) => {
                let site = studied.trail.sites.get(site)?;
                self.given(studied, site, register, depth)?
            }
            Root::Variable(_) | Root::Closure => return None,
        };
        for step in &value.steps {
            known = known.step(self.image, *step)?;
        }
        Some(known)
    }

    /// Whether a call gives something in a register.
    pub(super) fn gives(&self, studied: &Studied, site: usize, register: usize, depth: u8) -> bool {
        let Some(site) = studied.trail.sites.get(site) else { return false };
        let Some(callee) = self.callee(studied, site, depth) else { return false };
        if !callee.params.is_empty() || !callee.results.is_empty() {
            return callee.results.iter().any(|result| result.register == register);
        }
        let (Some(target), Some(depth)) = (site.target, depth.checked_sub(1)) else { return false };
        let results = self.results(target, depth);
        results.iter().any(|found| (found.at..found.at + found.words).contains(&register))
    }

    /// What a function that is called gives in a register.
    fn given(&self, studied: &Studied, site: &Site, register: usize, depth: u8) -> Option<Known> {
        let callee = self.callee(studied, site, depth)?;
        if let Some(result) = callee.results.iter().find(|result| result.register == register) {
            return result.what.known(&callee, self.image, &site.held);
        }
        let target = site.target.filter(|target| !self.callees.is_known(*target))?;
        let depth = depth.checked_sub(1)?;
        let results = self.results(target, depth);
        let found = results.iter().find(|found| (found.at..found.at + found.words).contains(&register))?;
        match found.known.clone()? {
            Known::In(ty, at) => Some(Known::In(ty, at.saturating_add(8 * (register - found.at) as u64))),
            to => Some(to),
        }
    }
}

impl Studied {
    fn of(image: &Image, callees: &Callees<'_>, func: &Func<'_>) -> Studied {
        let places = guess(image, func);
        let trail = trail(image, callees, func, &places);
        let mut parts = Vec::new();
        for (index, param) in places.params.iter().enumerate() {
            let start = param.parts.first().and_then(|part| part.slot);
            for (n, part) in param.parts.iter().enumerate() {
                let at = part.slot.zip(start).and_then(|(at, start)| at.checked_sub(start));
                parts.push((index, at.unwrap_or(8 * n as u64)));
            }
        }
        let pointers = Pointers::of(func);
        Studied { entry: func.entry(), name: func.name().to_owned(), places, trail, parts, pointers }
    }
}

/// What the functions that the compiler makes for types take: `type:.eq.main.T` two pointers to values that it compares,
/// `type:.hash.main.T` a pointer and a seed.
fn of_type(name: &str, index: usize) -> Found {
    let after = |what: &str| name.split_once(what).map(|(_, ty)| ty);
    let (eq, hash) = (after(".eq."), after(".hash."));
    let name = match eq.or(hash) {
        _ if eq.is_none() && index > 0 => "uintptr".to_owned(),
        Some(ty) if ty.contains('.') => format!("*{ty}"),
        // One for all types that are laid out so (Go 1.27): `type:.eq.SM4K4M8`.
        _ => "unsafe.Pointer".to_owned(),
    };
    Found { guessed: GuessedType::known(&name, "the compiler makes such functions for types"), known: None }
}
