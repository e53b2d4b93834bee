//! What a type is made of, looked up once: shapes that refer to each other by number, so that types may contain themselves.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use goemu_loader::{Field, Kind, Type, TypeRef};

use super::Dictionary;
use crate::go::guest::Types;
use crate::go::names;
use crate::go::read::is_byte;

/// Pointers, lists, maps and interfaces inside each other.
pub(super) const DEPTH: usize = 4;
/// Shapes of one plan.
const SHAPES: usize = 4096;
/// Types that an interface is given, functions that a function value is.
const ALTERNATIVES: usize = 8;
/// Interfaces and function types of one plan whose alternatives are looked for, which takes a pass over the program's types or
/// functions; all others are nil.
const SEARCHES: usize = 16;
const FUNCTION_SEARCHES: usize = 2;
/// Structs and arrays inside each other.
const NESTED: usize = 64;

/// Makes, changes, shrinks and prints the values of one type.
#[derive(Clone, Debug)]
pub struct Maker {
    pub(super) shapes: Vec<Shape>,
    pub(super) root: Id,
    pub(super) dictionary: Arc<Dictionary>,
}

/// The number of a shape.
pub(super) type Id = usize;

/// What a type is, with all that making and printing a value of it needs.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// The type, for printing.
    pub(super) ty: Arc<Type>,
    pub(super) form: Form,
}

/// What values of a type consist of.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// No value but nil, or zero: why.
    Nothing(String),
    Bool,
    /// Of so many bits.
    Int(u32),
    Uint(u32),
    Uintptr,
    Float32,
    Float64,
    Complex64,
    Complex128,
    String,
    /// A slice of bytes, or an array of so many.
    Bytes(Option<u64>),
    Slice(Id),
    Array(Id, u64),
    /// Names and shapes; none where the field stays zero.
    Struct(Vec<(String, Option<Id>)>),
    /// A pointer, and whether it may be nil.
    Pointer(Id, bool),
    Map(Id, Id),
    /// The types that it may hold, and whether it may be nil.
    Interface(Vec<(Arc<Type>, Id)>, bool),
    /// Functions of the program: names and code.
    Func(Vec<(String, u64)>),
}

/// Which fields without an exported name are given values; the others are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Private {
    /// Those of all types.
    #[default]
    All,
    /// Those of types of this package.
    Of(String),
    /// None.
    None,
}

/// How values are made.
#[derive(Clone, Debug, Default)]
pub struct Fill {
    /// Whether the value itself, where it is a pointer or an interface, is never nil, as receivers are.
    pub present: bool,
    /// Which fields without an exported name are given values.
    pub private: Private,
    /// The program's constants.
    pub dictionary: Arc<Dictionary>,
}

impl Maker {
    /// A maker of values of this type. Parts of it that `types` does not know are nil, or zero.
    #[must_use]
    pub fn new(ty: &Type, types: &dyn Types, fill: &Fill) -> Maker {
        let mut planner = Planner {
            types,
            fill,
            shapes: Vec::new(),
            known: HashMap::new(),
            todo: VecDeque::new(),
            interfaces: HashMap::new(),
            functions: HashMap::new(),
            held: Vec::new(),
        };
        let root = planner.shape(&Arc::new(ty.clone()), 0, 0);
        while let Some((id, ty, depth)) = planner.todo.pop_front() {
            planner.fill_in(id, &ty, depth);
        }
        let (mut shapes, mut present) = (planner.shapes, planner.held);
        present.extend(fill.present.then_some(root));
        for id in present {
            let form = shapes.get_mut(id).map(|shape| &mut shape.form);
            if let Some(Form::Pointer(_, nil) | Form::Interface(_, nil)) = form {
                *nil = false;
            }
        }
        Maker { shapes, root, dictionary: Arc::clone(&fill.dictionary) }
    }

    /// Why no value of the type can be made, but nil.
    #[must_use]
    pub fn unfit(&self) -> Option<&str> {
        let mut id = self.root;
        for _ in 0..=DEPTH {
            match self.form(id) {
                Form::Nothing(why) => return Some(why),
                Form::Pointer(to, _) => id = *to,
                Form::Slice(elem) | Form::Array(elem, _) | Form::Map(_, elem) => id = *elem,
                _ => return None,
            }
        }
        None
    }

    /// The type that values are made of.
    #[must_use]
    pub fn ty(&self) -> Option<&Arc<Type>> {
        self.shapes.get(self.root).map(|shape| &shape.ty)
    }

    /// The packages of types that values may have, and of functions that they may be.
    pub(crate) fn packages(&self) -> Vec<String> {
        let bare = |ty: &Type| names::package(ty.name.trim_start_matches(['*', '[', ']'])).to_owned();
        let mut packages: Vec<String> = self.shapes.iter().map(|shape| bare(&shape.ty)).collect();
        for shape in &self.shapes {
            if let Form::Func(functions) = &shape.form {
                packages.extend(functions.iter().map(|(name, _)| names::package(name).to_owned()));
            }
        }
        packages.retain(|package| !package.is_empty());
        packages.sort();
        packages.dedup();
        packages
    }

    pub(super) fn form(&self, id: Id) -> &Form {
        /// For a number that no shape has.
        static NOTHING: Form = Form::Nothing(String::new());
        self.shapes.get(id).map_or(&NOTHING, |shape| &shape.form)
    }
}

/// What a reference to a type is known by.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Dwarf(usize),
    Rtype(u64),
    Here(usize),
}

struct Planner<'p> {
    types: &'p dyn Types,
    fill: &'p Fill,
    shapes: Vec<Shape>,
    known: HashMap<Key, Id>,
    /// Shapes that references lead to, to be filled in.
    todo: VecDeque<(Id, Arc<Type>, usize)>,
    /// What was found for interfaces and function types, by their names.
    interfaces: HashMap<String, Vec<Arc<Type>>>,
    functions: HashMap<String, Vec<(String, u64)>>,
    /// Pointers in interfaces, which are not nil: methods of such values are not to be called.
    held: Vec<Id>,
}

impl Planner<'_> {
    fn add(&mut self, ty: &Arc<Type>, form: Form) -> Id {
        self.shapes.push(Shape { ty: Arc::clone(ty), form });
        self.shapes.len() - 1
    }

    /// The shape of a type whose memory is part of another's.
    fn shape(&mut self, ty: &Arc<Type>, depth: usize, nested: usize) -> Id {
        let id = self.add(ty, Form::Nothing(String::new()));
        if nested < NESTED && self.shapes.len() < SHAPES {
            let form = self.form(ty, depth, nested);
            self.set(id, form);
        }
        id
    }

    fn set(&mut self, id: Id, form: Form) {
        if let Some(shape) = self.shapes.get_mut(id) {
            shape.form = form;
        }
    }

    fn fill_in(&mut self, id: Id, ty: &Arc<Type>, depth: usize) {
        let form = self.form(ty, depth, 0);
        self.set(id, form);
    }

    fn form(&mut self, ty: &Arc<Type>, depth: usize, nested: usize) -> Form {
        let bits = 8 * ty.size.clamp(1, 8) as u32;
        match &ty.kind {
            Kind::Bool => Form::Bool,
            Kind::Int => Form::Int(bits),
            Kind::Uint => Form::Uint(bits),
            Kind::Uintptr => Form::Uintptr,
            Kind::Float if ty.size == 4 => Form::Float32,
            Kind::Float => Form::Float64,
            Kind::Complex if ty.size == 8 => Form::Complex64,
            Kind::Complex => Form::Complex128,
            Kind::String => Form::String,
            Kind::Struct(fields) => self.structure(ty, fields, depth, nested),
            Kind::Array { elem, len } if is_byte(elem) => Form::Bytes(Some(*len)),
            Kind::Array { elem, len } => Form::Array(self.shape(elem, depth, nested + 1), *len),
            Kind::Slice(elem) => match self.behind(elem, depth) {
                Ok(id) if self.shapes.get(id).is_some_and(|shape| is_byte(&shape.ty)) => Form::Bytes(None),
                Ok(id) => Form::Slice(id),
                Err(why) => Form::Nothing(why),
            },
            Kind::Pointer(to) => {
                self.behind(to, depth).map_or_else(Form::Nothing, |id| Form::Pointer(id, true))
            }
            Kind::Map { key, elem } => match (self.behind(key, depth), self.behind(elem, depth)) {
                (Ok(key), Ok(elem)) => Form::Map(key, elem),
                (Err(why), _) | (_, Err(why)) => Form::Nothing(why),
            },
            Kind::Interface { .. } => self.interface(ty, depth),
            Kind::Func(_) => self.function(ty),
            Kind::Chan { .. } => Form::Nothing(format!("a {ty} is the runtime's")),
            Kind::UnsafePointer => Form::Nothing("an unsafe.Pointer may point to anything".to_owned()),
        }
    }

    fn structure(&mut self, ty: &Type, fields: &[Field], depth: usize, nested: usize) -> Form {
        let private = match &self.fill.private {
            Private::All => true,
            Private::None => false,
            Private::Of(package) => is_of(&ty.name, package),
        };
        let mut shapes = Vec::with_capacity(fields.len());
        for field in fields {
            let given = field.name != "_" && (private || is_exported(&field.name));
            let id = given.then(|| self.shape(&field.ty, depth, nested + 1));
            shapes.push((field.name.clone(), id));
        }
        Form::Struct(shapes)
    }

    /// The shape that a reference leads to: filled in later, so that types may contain themselves.
    fn behind(&mut self, reference: &TypeRef, depth: usize) -> Result<Id, String> {
        let ty = self.types.resolve(reference).map_err(|error| error.to_string())?;
        let key = match reference {
            TypeRef::Dwarf(offset) => Key::Dwarf(*offset),
            TypeRef::Rtype(addr) => Key::Rtype(*addr),
            _ => Key::Here(Arc::as_ptr(&ty) as usize),
        };
        match self.known.get(&key) {
            Some(id) => Ok(*id),
            None => {
                let id = self.later(&ty, depth)?;
                self.known.insert(key, id);
                Ok(id)
            }
        }
    }

    fn later(&mut self, ty: &Arc<Type>, depth: usize) -> Result<Id, String> {
        if depth > DEPTH || self.shapes.len() >= SHAPES {
            return Err(format!("a {ty} lies too deep"));
        }
        let id = self.add(ty, Form::Nothing(String::new()));
        self.todo.push_back((id, Arc::clone(ty), depth + 1));
        Ok(id)
    }

    fn interface(&mut self, ty: &Arc<Type>, depth: usize) -> Form {
        let mut held = Vec::new();
        let found = match self.interfaces.get(&ty.name) {
            Some(found) => found.clone(),
            None if self.interfaces.len() < SEARCHES => self.types.implementers(ty, ALTERNATIVES),
            None => return Form::Nothing(format!("a {ty} is one interface of too many")),
        };
        self.interfaces.insert(ty.name.clone(), found.clone());
        for dynamic in found {
            let pointer = matches!(dynamic.kind, Kind::Pointer(_));
            let key = dynamic.rtype.map(Key::Rtype).filter(|_| !pointer);
            let known = key.as_ref().and_then(|key| self.known.get(key).copied());
            let Some(id) = known.or_else(|| self.later(&dynamic, depth).ok()) else { continue };
            if let Some(key) = key {
                self.known.insert(key, id);
            }
            self.held.extend(pointer.then_some(id));
            held.push((dynamic, id));
        }
        match held.is_empty() {
            true => Form::Nothing(format!("the program has no type that it puts in a {ty}")),
            false => Form::Interface(held, true),
        }
    }

    fn function(&mut self, ty: &Type) -> Form {
        let found = match self.functions.get(&ty.name) {
            Some(found) => found.clone(),
            None if self.functions.len() < FUNCTION_SEARCHES => self.types.functions_of(ty, ALTERNATIVES),
            None => return Form::Nothing(format!("a {ty} is one function type of too many")),
        };
        self.functions.insert(ty.name.clone(), found.clone());
        match found {
            none if none.is_empty() => Form::Nothing(format!("the program has no function that is a {ty}")),
            found => Form::Func(found),
        }
    }
}

/// Whether a name begins with an upper-case letter, as exported ones do.
pub(super) fn is_exported(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_uppercase)
}

/// Whether a type is of this package, or has no name of its own.
fn is_of(name: &str, package: &str) -> bool {
    name.starts_with("struct {") || names::package(name) == package
}
