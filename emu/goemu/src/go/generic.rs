//! Generic functions: the compiler makes one function for all types of one shape, and tells it the types by a
//! dictionary, a hidden argument.
//!
//! The linker's symbol for the dictionary of `main.Map[int,string]` is `main..dict.Map[int,string]`. Stripped programs
//! have the dictionaries still; calls of the function show which.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use goemu_loader::facts::Rules;
use goemu_loader::sigparse::parse_type;
use goemu_loader::{Func, Image, Kind, Param, Signature, Type, TypeRef};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Mnemonic, OpKind, Register};

use crate::error::Error;
use crate::go::abi::{INTS, Piece, Place, assign};
use crate::go::guest::Types;
use crate::go::names::{full_name, split, without_number};
use crate::go::value::Value;

/// Bytes of code that are searched for calls.
const MAX_CODE: u64 = 256 << 20;

/// What stands before the underlying type in the name of a shape.
const SHAPE: &str = "go.shape.";
/// Words of a dictionary that are looked at.
const WORDS: u64 = 32;

/// The dictionary that a function of this user's name is given, in the register of this number.
///
/// # Errors
/// When it is not to be found, or there are several and the name does not tell which.
pub(crate) fn dictionary(image: &Image, func: &Func<'_>, name: &str, register: usize) -> Result<u64, Error> {
    let fail = |why: String| Error::Dictionary { func: func.name().to_owned(), why };
    let arguments = type_arguments(name).filter(|list| !list.contains("go.shape.") && *list != "...");
    let named = symbols(image, func);
    let known: Vec<_> = named.iter().map(|(list, _)| format!("[{list}]")).collect();
    if let Some(arguments) = arguments {
        let wanted = tight(image, arguments);
        if let Some((_, at)) = named.iter().find(|(list, _)| tight(image, list) == wanted) {
            return Ok(*at);
        }
        if !named.is_empty() {
            return Err(fail(format!("the binary has those for {}", known.join(", "))));
        }
    }
    let mut used = callers(image, func, register);
    if let Some(arguments) = arguments.filter(|_| used.len() > 1) {
        used.retain(|&at| holds(image, at, arguments));
    }
    let mut used = used.into_iter();
    match (used.next(), used.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => {
            Err(fail("the binary has no symbol for it, and no call of the function shows it".to_owned()))
        }
        (Some(_), Some(_)) if known.is_empty() => {
            Err(fail("calls of the function show several, and what tells them apart was stripped".to_owned()))
        }
        (Some(_), Some(_)) => Err(fail(format!("say which types, of {}", known.join(", ")))),
    }
}

/// The dictionary of the generic function that a closure was made in, which captures it beside its variables. None
/// for all other functions.
pub(crate) fn captured_dictionary(
    image: &Image,
    closure: &Func<'_>,
    name: &str,
) -> Option<Result<u64, Error>> {
    let outer = around(image, closure)?;
    let place = outer.dictionary_place()?;
    let register = if place == 0 { Some(0) } else { register_of(image, &outer, place) };
    let unknown = || Error::Dictionary {
        func: outer.name().to_owned(),
        why: "the types of its receiver are not known".to_owned(),
    };
    Some(register.ok_or_else(unknown).and_then(|register| dictionary(image, &outer, name, register)))
}

/// The instance of a generic function that a closure was made in: `main.Map[go.shape.int]` for
/// `main.Map[go.shape.int].func1`.
pub(crate) fn around<'i>(image: &'i Image, closure: &Func<'i>) -> Option<Func<'i>> {
    let mut name = full_name(image, closure);
    let types = name.rfind(']')?;
    while let Some((outer, _)) = name.rsplit_once('.').filter(|(outer, _)| outer.len() > types) {
        if let [only] = image.funcs_named(outer)[..]
            && only.dictionary_place().is_some()
        {
            return Some(only);
        }
        name = outer;
    }
    None
}

/// The number of the integer register in which a function takes a parameter.
fn register_of(image: &Image, func: &Func<'_>, place: usize) -> Option<usize> {
    let signature = with_hidden(func, image.signature(func).ok()??);
    match assign(func.abi(), &signature).ok()?.params.get(place)?[..] {
        [Piece { place: Place::Int(register), .. }] => Some(usize::from(register)),
        _ => None,
    }
}

/// The arguments with the dictionary among them, where the signature has it.
pub(crate) fn with_dictionary(signature: &Signature, args: &[Value], dictionary: u64) -> Option<Vec<Value>> {
    let place = signature.params.iter().position(|param| param.is_dictionary())?;
    let mut whole = args.to_vec();
    // Debug information of unoptimised functions calls it a number.
    let word = match signature.params.get(place)?.ty.kind {
        Kind::Uintptr => Value::Uintptr(dictionary),
        _ => Value::UnsafePointer(dictionary),
    };
    whole.insert(place.min(args.len()), word);
    Some(whole)
}

/// Types in types that are renamed.
const RENAMED: usize = 6;

/// The signature with the types of the source, as far as they are known: the compiler's has `go.shape.int` for all
/// types that are an `int` underneath.
pub(crate) fn with_source_types(
    image: &Image,
    func: &Func<'_>,
    name: &str,
    mut signature: Signature,
) -> Signature {
    let shaped = |param: &Param| param.ty.name.contains(SHAPE);
    if !signature.params.iter().chain(&signature.results).any(shaped) {
        return signature;
    }
    let names = Renaming { image, pairs: renamed(image, func, name) };
    for param in signature.params.iter_mut().chain(&mut signature.results) {
        param.ty = names.rename(&param.ty, RENAMED);
    }
    signature
}

/// Shapes of a function, and the type arguments that a user named in their place.
fn renamed(image: &Image, func: &Func<'_>, name: &str) -> Vec<(String, String)> {
    let symbol = image.symbol_at(func.entry()).filter(|symbol| symbol.addr == func.entry());
    let full = symbol.map_or(func.name(), |symbol| symbol.name);
    let (Some(shapes), Some(arguments)) = (type_arguments(full), type_arguments(name)) else {
        return Vec::new();
    };
    let (shapes, arguments) = (split(shapes), split(arguments));
    if shapes.len() != arguments.len() || arguments.iter().any(|argument| argument.contains(SHAPE)) {
        return Vec::new();
    }
    let whole =
        |part: &&str| Types::named(image, part).map_or_else(|| (*part).to_owned(), |ty| ty.name.clone());
    let pairs: Vec<_> =
        shapes.iter().map(|shape| (*shape).to_owned()).zip(arguments.iter().map(whole)).collect();
    // Two types of one shape cannot be told apart.
    let is_clear = |(shape, ty): &&(String, String)| pairs.iter().all(|(s, t)| s != shape || t == ty);
    pairs.iter().filter(is_clear).cloned().collect()
}

struct Renaming<'i> {
    image: &'i Image,
    pairs: Vec<(String, String)>,
}

impl Renaming<'_> {
    fn rename(&self, ty: &Arc<Type>, depth: usize) -> Arc<Type> {
        if depth == 0 || !ty.name.contains(SHAPE) {
            return ty.clone();
        }
        if let Some(whole) = self.whole(ty) {
            return whole;
        }
        let mut renamed = Type::clone(ty);
        renamed.name = self.name(&ty.name);
        // The descriptor, if there is one, is that of the shape.
        renamed.rtype = None;
        renamed.kind = match &ty.kind {
            Kind::Slice(elem) => Kind::Slice(self.reference(elem, depth)),
            Kind::Pointer(elem) => Kind::Pointer(self.reference(elem, depth)),
            Kind::Map { key, elem } => {
                Kind::Map { key: self.reference(key, depth), elem: self.reference(elem, depth) }
            }
            Kind::Array { elem, len } => Kind::Array { elem: self.rename(elem, depth - 1), len: *len },
            Kind::Struct(fields) => {
                let mut fields = fields.clone();
                fields.iter_mut().for_each(|field| field.ty = self.rename(&field.ty, depth - 1));
                Kind::Struct(fields)
            }
            other => other.clone(),
        };
        Arc::new(renamed)
    }

    /// The type that a shape stands for: of pointers the shape does not even have what they point to.
    fn whole(&self, shape: &Type) -> Option<Arc<Type>> {
        let (_, name) = self.pairs.iter().find(|(shaped, _)| *shaped == shape.name)?;
        let ty = parse_type(name, &|name| Types::named(self.image, name)).ok()?;
        (ty.size == shape.size).then_some(ty)
    }

    fn reference(&self, reference: &TypeRef, depth: usize) -> TypeRef {
        match Types::resolve(self.image, reference) {
            Ok(ty) if ty.name.contains(SHAPE) => TypeRef::Here(self.rename(&ty, depth - 1)),
            _ => reference.clone(),
        }
    }

    /// A name with types for shapes; for shapes whose type is not known, what they are underneath.
    fn name(&self, name: &str) -> String {
        let mut plain = String::with_capacity(name.len());
        let mut rest = name;
        while let Some(start) = rest.find(SHAPE) {
            let (before, shaped) = rest.split_at(start);
            plain.push_str(before);
            rest = match self.pairs.iter().find_map(|(shape, ty)| Some((ty, ends(shaped, shape)?))) {
                Some((ty, after)) => {
                    plain.push_str(ty);
                    after
                }
                None => {
                    let under = shaped.get(SHAPE.len()..).unwrap_or_default();
                    let sign = under.find(in_word).unwrap_or(under.len());
                    let end = under.get(sign..).and_then(|word| word.find(|c| !in_word(c)));
                    let (word, after) = under.split_at(end.map_or(under.len(), |end| sign + end));
                    plain.push_str(without_number(word));
                    after
                }
            };
        }
        plain + rest
    }
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || "_./".contains(c)
}

/// What follows a shape at the start of a text.
fn ends<'t>(text: &'t str, shape: &str) -> Option<&'t str> {
    text.strip_prefix(shape).filter(|after| !after.starts_with(in_word))
}

/// The signature of an instance of a generic function with the hidden parameter that a user's does not have.
pub(crate) fn with_hidden(func: &Func<'_>, mut signature: Signature) -> Signature {
    let missing = func.dictionary_place().filter(|_| !signature.params.iter().any(Param::is_dictionary));
    if let Some(place) = missing {
        signature.params.insert(place.min(signature.params.len()), Param::dictionary());
    }
    signature
}

/// The signature that a user sees.
pub(crate) fn without_dictionary(signature: &Signature) -> Cow<'_, Signature> {
    if !signature.params.iter().any(Param::is_dictionary) {
        return Cow::Borrowed(signature);
    }
    let mut seen = signature.clone();
    seen.params.retain(|param| !param.is_dictionary());
    Cow::Owned(seen)
}

/// `int,string` of `Map[int,string]`, of `(*List[int]).Push`.
fn type_arguments(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once('[')?;
    rest.rsplit_once(']').map(|(list, _)| list)
}

/// A list of type arguments in one spelling: whole names, no blanks.
fn tight(image: &Image, list: &str) -> String {
    let whole = |part: &&str| {
        let name = Types::named(image, part).map_or_else(|| (*part).to_owned(), |ty| ty.name.clone());
        name.replace(' ', "")
    };
    split(list).iter().map(whole).collect::<Vec<_>>().join(",")
}

/// The dictionaries of a generic function that the symbol table names: type arguments and address. Up to Go 1.19
/// every method of a type has one, later they share the type's.
fn symbols(image: &Image, func: &Func<'_>) -> Vec<(String, u64)> {
    let name = func.name();
    let slash = name.find('[').and_then(|end| name.get(..end)?.rfind('/')).map_or(0, |at| at + 1);
    let dot = name.get(slash..).and_then(|rest| rest.find('.')).map(|at| slash + at);
    let Some((package, rest)) = dot.and_then(|dot| Some((name.get(..dot)?, name.get(dot + 1..)?))) else {
        return Vec::new();
    };
    let (Some((base, _)), Some((_, tail))) = (rest.split_once('['), rest.rsplit_once(']')) else {
        return Vec::new();
    };
    let (prefix, ty) = (format!("{package}..dict."), base.trim_start_matches("(*"));
    let list = |symbol: &str| {
        let rest = symbol.strip_prefix(&prefix)?;
        let arguments = |base: &str, tail: &str| {
            rest.strip_prefix(base)?
                .strip_prefix('[')?
                .strip_suffix(tail)?
                .strip_suffix(']')
                .map(str::to_owned)
        };
        arguments(base, tail).or_else(|| arguments(ty, ""))
    };
    image.symbols().filter_map(|symbol| Some((list(symbol.name)?, symbol.addr))).collect()
}

/// Whether a dictionary has the descriptors of these types: up to Go 1.19 it begins with them, later it has those that the
/// function needs.
fn holds(image: &Image, dictionary: u64, arguments: &str) -> bool {
    let word = |index: u64| image.read_u64(dictionary.checked_add(8 * index)?);
    let descriptor = |part: &&str| Types::named(image, part).and_then(|ty| image.descriptor(&ty));
    let arguments = split(arguments);
    if image.go_version().is_some_and(|version| Rules::of(version).dictionary_first()) {
        return (0..)
            .zip(&arguments)
            .all(|(index, part)| word(index).is_some() && word(index) == descriptor(part));
    }
    let words: Vec<u64> = (0..WORDS).map_while(word).collect();
    arguments.iter().filter_map(descriptor).all(|rtype| words.contains(&rtype))
}

/// Whether a function is called with a dictionary that has these type arguments.
pub(crate) fn made_for(image: &Image, func: &Func<'_>, arguments: &str) -> bool {
    // Whose receiver is a pointer or a word; of others it is not known where the dictionary is.
    let Some(register) = func.dictionary_place() else { return false };
    callers(image, func, register).into_iter().any(|at| holds(image, at, arguments))
}

/// The dictionaries that calls of a function load: `LEAQ main..dict.f[int](SB), AX; CALL main.f[go.shape.int]`.
fn callers(image: &Image, func: &Func<'_>, register: usize) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let Some(register) = INTS.get(register) else { return found };
    let mut left = MAX_CODE;
    for caller in image.funcs() {
        let size = caller.end().saturating_sub(caller.entry());
        let Some(after) = left.checked_sub(size) else { break };
        left = after;
        let size = usize::try_from(size).unwrap_or(0);
        let Some(code) = image.bytes(caller.entry(), size) else { continue };
        if calls(code, caller.entry(), func.entry()) {
            loaded(code, caller.entry(), func.entry(), *register, &mut found);
        }
    }
    found
}

/// Whether there may be a CALL of this target; cheaper than decoding.
fn calls(code: &[u8], start: u64, target: u64) -> bool {
    code.windows(5).zip(start..).any(|(window, at)| match *window {
        [0xe8, a, b, c, d] => {
            let distance = i64::from(i32::from_le_bytes([a, b, c, d]));
            at.wrapping_add(5).wrapping_add_signed(distance) == target
        }
        _ => false,
    })
}

/// Adds the addresses that this register holds when the target is called.
fn loaded(code: &[u8], start: u64, target: u64, register: Register, found: &mut BTreeSet<u64>) {
    let mut decoder = Decoder::with_ip(64, code, start, DecoderOptions::NONE);
    let mut holds = None;
    for insn in decoder.iter() {
        if insn.flow_control() == FlowControl::Call {
            if insn.is_call_near() && insn.near_branch_target() == target {
                found.extend(holds);
            }
            holds = None;
        } else if insn.op_count() > 0
            && insn.op_kind(0) == OpKind::Register
            && insn.op_register(0).full_register() == register
        {
            let address = insn.mnemonic() == Mnemonic::Lea && insn.is_ip_rel_memory_operand();
            holds = address.then(|| insn.ip_rel_memory_address());
        }
    }
}
