//! What functions take and give that a function calls: by their signatures, and for a few of the runtime by their names, where a
//! type descriptor among the arguments tells more.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use goemu_loader::sigparse::parse_type;
use goemu_loader::{Abi, FuncType, Image, Kind, Param, Signature, Type, TypeRef};

use super::memory::{Known, resolved};
use super::word::Word;
use crate::go::abi::{INT_REGS, Piece, Place, assign};

/// What is known of the functions that were asked for.
pub(super) struct Callees<'i> {
    image: &'i Image,
    known: RefCell<HashMap<u64, Option<Rc<Callee>>>>,
}

/// What a function takes and gives in integer registers.
pub(super) struct Callee {
    pub(super) name: String,
    pub(super) comes_back: Back,
    pub(super) params: Vec<Taken>,
    pub(super) results: Vec<Taken>,
    /// The register of the descriptor that its shape is made of.
    descriptor: Option<usize>,
}

/// What a call leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// It does not return.
    Never,
    /// It returns with all registers as they were.
    Unchanged,
    /// It returns.
    Returns,
}

/// What is in a register.
pub(super) struct Taken {
    pub(super) register: usize,
    pub(super) what: What,
}

/// A word of a value.
pub(super) enum What {
    /// The word at this offset of a value of this type.
    Typed(Arc<Type>, u64),
    /// A letter of a shape, and which word of its value it is.
    Letter(char, u64),
}

/// Functions of the runtime: arguments as text, a letter for each register. `t` is the descriptor of the type that others are
/// made of: `m` is it, `p` a pointer to it, `e` a slice of it, of a map `k` a pointer to the key and `v` to the element; `s` the two words
/// of a string, `b` the three of a slice of bytes, `r` of runes, `S` of strings, `a` the two of any, `i` a number, `f` a bool, `c` a
/// channel, `_` anything. Behind `>` what it gives.
const RUNTIME: &[(&str, &str)] = &[
    ("newobject", "t>p"),
    ("makeslice", "t__>e"),
    ("makeslice64", "t__>e"),
    ("makemap", "t__>m"),
    ("makemap64", "t__>m"),
    ("makechan", "t_>m"),
    ("mapaccess1", "tmk>v"),
    ("mapaccess2", "tmk>vf"),
    ("mapaccess1_fast32", "tm_>v"),
    ("mapaccess2_fast32", "tm_>vf"),
    ("mapaccess1_fast64", "tm_>v"),
    ("mapaccess2_fast64", "tm_>vf"),
    ("mapaccess1_faststr", "tmss>v"),
    ("mapaccess2_faststr", "tmss>vf"),
    ("mapassign", "tmk>v"),
    ("mapassign_fast32", "tm_>v"),
    ("mapassign_fast32ptr", "tm_>v"),
    ("mapassign_fast64", "tm_>v"),
    ("mapassign_fast64ptr", "tm_>v"),
    ("mapassign_faststr", "tmss>v"),
    ("mapdelete", "tmk"),
    ("mapdelete_faststr", "tmss"),
    ("mapdelete_fast32", "tm_"),
    ("mapdelete_fast64", "tm_"),
    ("mapiterinit", "tm"),
    ("mapIterStart", "tm"),
    ("mapclear", "tm"),
    ("mapclone", "tm>m"),
    ("typedmemmove", "tpp"),
    ("typedmemclr", "tp"),
    ("convT", "tp"),
    ("convTnoptr", "tp"),
    ("convTstring", "ss"),
    ("convTslice", "bbb"),
    ("concatstring2", "_ssss>ss"),
    ("concatstring3", "_ssssss>ss"),
    ("concatstring4", "_ssssssss>ss"),
    ("concatstrings", "_SSS>ss"),
    ("cmpstring", "ssss>i"),
    ("printstring", "ss"),
    ("gopanic", "aa"),
    ("stringtoslicebyte", "_ss>bbb"),
    ("stringtoslicerune", "_ss>rrr"),
    ("slicerunetostring", "_rrr>ss"),
    ("slicebytetostring", "_b_>ss"),
    ("slicebytetostringtmp", "b_>ss"),
    ("intstring", "_i>ss"),
    ("countrunes", "ss>i"),
    ("decoderune", "ssi"),
    ("chansend1", "c_"),
    ("chanrecv1", "c_"),
    ("chanrecv2", "c_>f"),
    ("closechan", "c"),
    ("growslice", "e___t>eee"),
];

/// Beginnings of names of functions of the runtime that do not return.
const NEVER: &[&str] = &["panic", "goPanic", "gopanic", "throw", "fatal", "unreachableMethod"];

impl<'i> Callees<'i> {
    pub(super) fn new(image: &'i Image) -> Callees<'i> {
        Callees { image, known: RefCell::default() }
    }

    /// What is known of the function that begins there, if there is one.
    pub(super) fn at(&self, entry: u64) -> Option<Rc<Callee>> {
        if let Some(known) = self.known.borrow().get(&entry) {
            return known.clone();
        }
        let found = self.find(entry).map(Rc::new);
        self.known.borrow_mut().insert(entry, found.clone());
        found
    }

    fn find(&self, entry: u64) -> Option<Callee> {
        let func = self.image.func_at(entry).filter(|func| func.entry() == entry)?;
        let name = func.name().to_owned();
        let short = name.strip_prefix("runtime.").unwrap_or_default();
        let comes_back = match () {
            () if short.starts_with("gcWriteBarrier") => Back::Unchanged,
            () if NEVER.iter().any(|never| short.starts_with(never)) => Back::Never,
            () => Back::Returns,
        };
        if let Some((_, shape)) = RUNTIME.iter().find(|(known, _)| *known == short) {
            let (params, results) = shape.split_once('>').unwrap_or((shape, ""));
            let (params, results, descriptor) = (letters(params), letters(results), params.find('t'));
            return Some(Callee { name, comes_back, params, results, descriptor });
        }
        let signature = self.image.signature(&func).ok().flatten();
        let Some(signature) = signature else {
            let (params, results) = (Vec::new(), Vec::new());
            return Some(Callee { name, comes_back, params, results, descriptor: None });
        };
        Callee::of(name, comes_back, func.abi(), &signature)
    }

    /// Whether the function there has a signature that need not be guessed.
    pub(super) fn is_known(&self, entry: u64) -> bool {
        self.at(entry).is_some_and(|callee| !callee.params.is_empty() || !callee.results.is_empty())
    }
}

impl Callee {
    fn of(name: String, comes_back: Back, abi: Abi, signature: &Signature) -> Option<Callee> {
        let places = assign(abi, signature).ok()?;
        let taken = |types: &[Param], places: &[Vec<Piece>]| {
            let of = |(param, pieces): (&Param, &Vec<Piece>)| {
                let piece = |piece: &Piece| match piece.place {
                    Place::Int(n) => Some(Taken {
                        register: n.into(),
                        what: What::Typed(Arc::clone(&param.ty), piece.offset),
                    }),
                    _ => None,
                };
                pieces.iter().filter_map(piece).collect::<Vec<_>>()
            };
            types.iter().zip(places).flat_map(of).collect::<Vec<_>>()
        };
        Some(Callee {
            name,
            comes_back,
            params: taken(&signature.params, &places.params),
            results: taken(&signature.results, &places.results),
            descriptor: None,
        })
    }

    /// What a function of this type takes, called through a function value or, with a receiver first, through an interface.
    pub(super) fn through(image: &Image, func: &FuncType, receiver: bool) -> Option<Callee> {
        let param = |to: &TypeRef| Some(Param { name: String::new(), ty: resolved(image, to)? });
        let list = |types: &[TypeRef]| types.iter().map(param).collect::<Option<Vec<_>>>();
        let (mut params, results) = (list(&func.params)?, list(&func.results)?);
        if !func.results_known {
            return None;
        }
        if receiver {
            params
                .insert(0, Param { name: String::new(), ty: parse_type("unsafe.Pointer", &|_| None).ok()? });
        }
        let signature = Signature { params, results, variadic: false };
        let name = if receiver { "a method of an interface" } else { "a function value" };
        Callee::of(name.to_owned(), Back::Returns, Abi::Internal, &signature)
    }
}

fn letters(shape: &str) -> Vec<Taken> {
    let mut taken = Vec::new();
    let (mut last, mut word) = ('_', 0);
    for (register, letter) in shape.chars().enumerate() {
        let width = match letter {
            's' | 'a' => 2,
            'b' | 'r' | 'S' | 'e' => 3,
            _ => 1,
        };
        word = if letter == last && word + 1 < width { word + 1 } else { 0 };
        last = letter;
        if !matches!(letter, '_' | 't') {
            taken.push(Taken { register, what: What::Letter(letter, word) });
        }
    }
    taken
}

impl What {
    /// What it is, where the registers hold this at the call.
    pub(super) fn known(
        &self,
        callee: &Callee,
        image: &Image,
        held: &[Option<Word>; INT_REGS],
    ) -> Option<Known> {
        let (letter, word) = match self {
            What::Typed(ty, offset) => return Some(Known::In(Arc::clone(ty), *offset)),
            What::Letter(letter, word) => (*letter, *word),
        };
        let fixed = |name: &str| Some(Known::In(parse_type(name, &|_| None).ok()?, 8 * word));
        let ty = || described(image, held.get(callee.descriptor?)?.as_ref()?);
        let of_map = |key: bool| {
            let ty = ty()?;
            let Kind::Map { key: of_key, elem } = &ty.kind else { return None };
            Some(Known::To(resolved(image, if key { of_key } else { elem })?, 0))
        };
        match letter {
            's' => fixed("string"),
            'b' => fixed("[]uint8"),
            'r' => fixed("[]int32"),
            'S' => fixed("[]string"),
            'a' => fixed("any"),
            'i' => fixed("int"),
            'f' => fixed("bool"),
            'm' => Some(Known::of(&ty()?)),
            'p' => Some(Known::To(ty()?, 0)),
            'e' => Some(Known::In(slice_of(ty()?), 8 * word)),
            'k' => of_map(true),
            'v' => of_map(false),
            _ => None,
        }
    }
}

fn slice_of(elem: Arc<Type>) -> Arc<Type> {
    let name = format!("[]{}", elem.name);
    Arc::new(Type { name, size: 24, align: 8, kind: Kind::Slice(TypeRef::Here(elem)), rtype: None })
}

/// The type whose descriptor a word is the address of.
pub(super) fn described(image: &Image, word: &Word) -> Option<Arc<Type>> {
    let Word::Address(addr) = word else { return None };
    let types = image.module()?.types?;
    if !types.contains(*addr) {
        return None;
    }
    image.resolve(&TypeRef::Rtype(*addr)).ok()
}

/// The interface type of the table at an address.
pub(super) fn interface_of(image: &Image, itab: u64) -> Option<Arc<Type>> {
    let inter = image.read_u64(itab.checked_add(image.facts().itab.inter)?)?;
    let ty = image.read_u64(itab.checked_add(image.facts().itab.ty)?)?;
    image.itab(inter, ty).filter(|known| *known == itab)?;
    described(image, &Word::Address(inter))
}
