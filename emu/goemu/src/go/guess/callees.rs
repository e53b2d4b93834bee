//! What functions take and give that a function calls: by their signatures, and for a few of the runtime by their names, where a
//! type descriptor among the arguments tells more.

use std::sync::Arc;

use goemu_loader::{Image, Type, TypeRef};

use super::trail::Word;
use crate::go::abi::{Place, assign};

/// What a function takes and gives in integer registers, in the order in which Go hands them out.
pub(super) struct Callee {
    pub(super) name: String,
    /// Register, type, and which word of a value of that type it is.
    pub(super) params: Vec<(usize, (Arc<str>, usize))>,
    pub(super) results: Vec<(usize, Word)>,
}

/// Functions of the runtime: arguments as text, a letter for each register. `t` is the descriptor of the type that others are
/// made of: `m` is it, `e` a slice of it, `p` a pointer to it; `s` the two words of a string, `b` the three of a slice of bytes, `c` a channel,
/// `_` anything. Behind `>` what it gives.
const RUNTIME: &[(&str, &str)] = &[
    ("newobject", "t>p"),
    ("mapaccess1", "tm"),
    ("mapaccess2", "tm"),
    ("mapaccess1_fast32", "tm"),
    ("mapaccess2_fast32", "tm"),
    ("mapaccess1_fast64", "tm"),
    ("mapaccess2_fast64", "tm"),
    ("mapaccess1_faststr", "tmss"),
    ("mapaccess2_faststr", "tmss"),
    ("mapassign", "tm"),
    ("mapassign_fast32", "tm"),
    ("mapassign_fast64", "tm"),
    ("mapassign_fast64ptr", "tm"),
    ("mapassign_faststr", "tmss"),
    ("mapdelete", "tm"),
    ("mapdelete_faststr", "tmss"),
    ("mapdelete_fast64", "tm"),
    ("mapiterinit", "tm"),
    ("mapIterStart", "tm"),
    ("mapclear", "tm"),
    ("typedmemmove", "tpp"),
    ("typedmemclr", "tp"),
    ("convT", "tp"),
    ("convTstring", "ss"),
    ("convTslice", "bbb"),
    ("concatstring2", "_ssss>ss"),
    ("concatstring3", "_ssssss>ss"),
    ("concatstring4", "_ssssssss>ss"),
    ("cmpstring", "ssss"),
    ("printstring", "ss"),
    ("stringtoslicebyte", "_ss>bbb"),
    ("stringtoslicerune", "_ss"),
    ("slicebytetostring", "_b_>ss"),
    ("intstring", "_i>ss"),
    ("chansend1", "c_"),
    ("chanrecv1", "c_"),
    ("chanrecv2", "c_"),
    ("closechan", "c"),
    ("growslice", "e____"),
];

/// What the function at this address takes and gives; `held` is what registers hold at the call.
pub(super) fn callee(
    image: &Image,
    entry: u64,
    first: Option<&Word>,
    held: impl Fn(usize) -> Option<Word>,
) -> Option<Callee> {
    let func = image.func_at(entry).filter(|func| func.entry() == entry)?;
    let name = func.name();
    if let Some(short) = name.strip_prefix("runtime.")
        && let Some((_, shape)) = RUNTIME.iter().find(|(known, _)| *known == short)
    {
        let descriptor = if short == "growslice" { held(4) } else { first.cloned() };
        let ty = descriptor.and_then(|word| described(image, &word));
        return Some(of_runtime(name, shape, ty.as_deref()));
    }
    let signature = image.signature(&func).ok()??;
    let places = assign(func.abi(), &signature).ok()?;
    let mut callee = Callee { name: name.to_owned(), params: Vec::new(), results: Vec::new() };
    for (param, pieces) in signature.params.iter().zip(&places.params) {
        let ty: Arc<str> = param.ty.name.as_str().into();
        for piece in pieces {
            if let Place::Int(n) = piece.place {
                callee.params.push((usize::from(n), (Arc::clone(&ty), (piece.offset / 8) as usize)));
            }
        }
    }
    for (result, pieces) in signature.results.iter().zip(&places.results) {
        let ty: Arc<str> = result.ty.name.as_str().into();
        for piece in pieces {
            if let Place::Int(n) = piece.place {
                let word = Word::Of(Arc::clone(&ty), (piece.offset / 8) as usize);
                callee.results.push((usize::from(n), word));
            }
        }
    }
    Some(callee)
}

fn of_runtime(name: &str, shape: &str, ty: Option<&Type>) -> Callee {
    let (params, results) = shape.split_once('>').unwrap_or((shape, ""));
    let words = |shape: &str| {
        let mut words: Vec<(usize, (Arc<str>, usize))> = Vec::new();
        let (mut last, mut word) = ('_', 0);
        for (register, letter) in shape.chars().enumerate() {
            let width = match letter {
                's' => 2,
                'b' => 3,
                _ => 1,
            };
            word = if letter == last && word + 1 < width { word + 1 } else { 0 };
            last = letter;
            if let Some(ty) = named(letter, ty) {
                words.push((register, (ty, word)));
            }
        }
        words
    };
    let results = words(results).into_iter().map(|(register, (ty, word))| (register, Word::Of(ty, word)));
    Callee { name: name.to_owned(), params: words(params), results: results.collect() }
}

/// The type that a letter stands for.
fn named(letter: char, ty: Option<&Type>) -> Option<Arc<str>> {
    match letter {
        's' => Some("string".into()),
        'b' => Some("[]byte".into()),
        'i' => Some("int64".into()),
        'c' => Some("chan".into()),
        'm' => Some(ty.map_or_else(|| "map".into(), |ty| ty.name.as_str().into())),
        'p' => Some(ty.map_or_else(|| "unsafe.Pointer".into(), |ty| format!("*{}", ty.name).into())),
        'e' => Some(ty.map_or_else(|| "[]".into(), |ty| format!("[]{}", ty.name).into())),
        _ => None,
    }
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
