//! Values of random types: written to a guest and read back, they are the same; and no memory, however
//! damaged, does worse than give a strange value.

use proptest::prelude::*;

use crate::go::{
    guest::{GuestMemory, MapDesign},
    order::compare,
    read::{Limits, Reader},
    testing::{Space, Ty, anonymous, any, array, basic, func, map, named, pointer, slice, structure},
    value::{Bytes, Func, Interface, Invalid, List, Map, Pointer, Reason, Struct, Value},
    write::Writer,
};
use goemu_loader::{Kind, Type, TypeRef};

const BASICS: [&str; 16] = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "int",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "uintptr",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "string",
];

fn basic_type() -> impl Strategy<Value = Ty> {
    prop::sample::select(&BASICS[..]).prop_map(basic)
}

fn key_type() -> impl Strategy<Value = Ty> {
    prop_oneof![
        4 => prop::sample::select(vec!["int", "uint8", "string", "int16"]).prop_map(basic),
        1 => Just(anonymous(&[&basic("uint8"), &basic("string")])),
        // Larger than 128 bytes: kept outside the bucket.
        1 => Just(array(17, &basic("int"))),
    ]
}

pub(crate) fn any_type() -> impl Strategy<Value = Ty> {
    let leaf = prop_oneof![6 => basic_type(), 1 => Just(any()), 1 => Just(func(&[]))];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|t| slice(&t)),
            inner.clone().prop_map(|t| pointer(&t)),
            (0..4u64, inner.clone()).prop_map(|(n, t)| array(n, &t)),
            (key_type(), inner.clone()).prop_map(|(k, t)| map(&k, &t)),
            // An element larger than 128 bytes: kept outside the bucket too.
            (key_type(), inner.clone())
                .prop_map(|(k, t)| map(&k, &anonymous(&[&t, &array(130, &basic("uint8"))]))),
            prop::collection::vec(inner, 0..4).prop_map(|f| anonymous(&f.iter().collect::<Vec<_>>())),
        ]
    })
}

/// A value as the reader gives it, but without types and addresses.
pub(crate) fn value_of(ty: &Ty) -> BoxedStrategy<Value> {
    let of = |t: &TypeRef| match t {
        TypeRef::Here(t) => t.clone(),
        _ => unreachable!(),
    };
    let or_nil = |s: BoxedStrategy<Value>| prop_oneof![4 => s, 1 => Just(Value::nil())].boxed();
    match &ty.kind {
        Kind::Bool => any_bool(),
        Kind::Int => {
            let shift = 64 - 8 * ty.size;
            proptest::num::i64::ANY.prop_map(move |n| Value::Int(n >> shift)).boxed()
        }
        Kind::Uint => {
            let shift = 64 - 8 * ty.size;
            proptest::num::u64::ANY.prop_map(move |n| Value::Uint(n >> shift)).boxed()
        }
        Kind::Uintptr => proptest::num::u64::ANY.prop_map(Value::Uintptr).boxed(),
        Kind::Float if ty.size == 4 => f32s().prop_map(Value::Float32).boxed(),
        Kind::Float => f64s().prop_map(Value::Float64).boxed(),
        Kind::Complex if ty.size == 8 => (f32s(), f32s()).prop_map(|(a, b)| Value::Complex64(a, b)).boxed(),
        Kind::Complex => (f64s(), f64s()).prop_map(|(a, b)| Value::Complex128(a, b)).boxed(),
        Kind::String => prop::collection::vec(proptest::num::u8::ANY, 0..9).prop_map(Value::String).boxed(),
        Kind::UnsafePointer => Just(Value::UnsafePointer(0)).boxed(),
        Kind::Pointer(to) => {
            let to = value_of(&of(to));
            let pointer = |to| Value::Pointer(Pointer { pointee: Some(Box::new(to)), ..Pointer::default() });
            or_nil(to.prop_map(pointer).boxed())
        }
        Kind::Slice(elem) => or_nil(list_of(&of(elem), 0..5)),
        Kind::Array { elem, len } => list_of(elem, *len as usize..*len as usize + 1),
        Kind::Struct(fields) => {
            let names: Vec<_> = fields.iter().map(|f| f.name.clone()).collect();
            let values: Vec<_> = fields.iter().map(|f| value_of(&f.ty)).collect();
            values.prop_map(move |v| Value::structure(names.iter().cloned().zip(v))).boxed()
        }
        Kind::Interface { .. } => or_nil(prop::sample::select(vec![0, 3, 4]).prop_flat_map(held).boxed()),
        Kind::Map { key, elem } => {
            let entries = prop::collection::vec((value_of(&of(key)), value_of(&of(elem))), 0..20);
            or_nil(entries.prop_map(map_of).boxed())
        }
        Kind::Chan { .. } => Just(Value::nil()).boxed(),
        Kind::Func(_) => {
            let name = Some("main.less".to_owned());
            or_nil(Just(Value::Func(Func { code: 0x40_1000, name, ..Func::default() })).boxed())
        }
    }
}

/// Something in an interface, of the n-th type that a [`Space`] describes.
fn held(n: usize) -> BoxedStrategy<Value> {
    let ty = Space::new().described()[n].clone();
    value_of(&ty)
        .prop_map(move |value| {
            Value::Interface(Interface { ty: Some(ty.clone()), value: Box::new(value), data: 0, text: None })
        })
        .boxed()
}

fn map_of(mut entries: Vec<(Value, Value)>) -> Value {
    entries.sort_by(|a, b| compare(&a.0, &b.0));
    entries.dedup_by(|a, b| compare(&a.0, &b.0).is_eq());
    Value::Map(Map { ty: None, entries })
}

fn list_of(elem: &Ty, len: std::ops::Range<usize>) -> BoxedStrategy<Value> {
    if elem.kind == Kind::Uint && elem.size == 1 {
        let bytes = prop::collection::vec(proptest::num::u8::ANY, len);
        return bytes.prop_map(|bytes| Value::Bytes(Bytes { ty: None, bytes })).boxed();
    }
    prop::collection::vec(value_of(elem), len).prop_map(|elems| Value::List(List { ty: None, elems })).boxed()
}

fn any_bool() -> BoxedStrategy<Value> {
    proptest::bool::ANY.prop_map(Value::Bool).boxed()
}

fn f32s() -> impl Strategy<Value = f32> {
    proptest::num::f32::NORMAL | proptest::num::f32::ZERO | proptest::num::f32::INFINITE
}

fn f64s() -> impl Strategy<Value = f64> {
    proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::INFINITE
}

/// The value without types and addresses.
pub(crate) fn bare(value: Value) -> Value {
    let all = |elems: Vec<Value>| elems.into_iter().map(bare).collect();
    match value {
        Value::Bytes(b) => Value::Bytes(Bytes { ty: None, ..b }),
        Value::List(list) => Value::List(List { ty: None, elems: all(list.elems) }),
        Value::Struct(s) => Value::Struct(Struct {
            ty: None,
            fields: s.fields.into_iter().map(|(n, v)| (n, bare(v))).collect(),
        }),
        Value::Map(m) => Value::Map(Map {
            ty: None,
            entries: m.entries.into_iter().map(|(k, v)| (bare(k), bare(v))).collect(),
        }),
        Value::Pointer(p) => {
            Value::Pointer(Pointer { ty: None, addr: 0, pointee: p.pointee.map(|to| Box::new(bare(*to))) })
        }
        Value::Interface(i) => Value::Interface(Interface { value: Box::new(bare(*i.value)), data: 0, ..i }),
        Value::Func(f) => Value::Func(Func { ty: None, closure: 0, ..f }),
        Value::Nil(_) => Value::nil(),
        other => other,
    }
}

fn written(value: &Value, ty: &Type, space: &mut Space) -> Vec<u8> {
    let types = space.types();
    Writer::new(space, &types).encode(value, ty).unwrap().into_vec()
}

pub(crate) fn typed_value() -> impl Strategy<Value = (Ty, Value)> {
    any_type().prop_flat_map(|ty| {
        let value = value_of(&ty);
        (Just(ty), value)
    })
}

fn design() -> impl Strategy<Value = MapDesign> {
    prop::sample::select(vec![MapDesign::Buckets, MapDesign::Swiss, MapDesign::SwissSplit])
}

/// Memory in which everything is readable and nothing makes sense.
struct Noise(u64);

impl GuestMemory for Noise {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), crate::go::guest::BadAddress> {
        for (i, byte) in buf.iter_mut().enumerate() {
            let n = (addr.wrapping_add(i as u64)).wrapping_mul(self.0 | 1);
            *byte = (n >> 29) as u8 & (n >> 37) as u8;
        }
        Ok(())
    }
}

proptest! {
    // Values are large, so that making one smaller step by step takes long.
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again((ty, value) in typed_value(), design in design()) {
        let mut space = Space::with_maps(design);
        let bytes = written(&value, &ty, &mut space);
        prop_assert_eq!(bytes.len() as u64, ty.size);
        let types = space.types();
        prop_assert_eq!(bare(Reader::new(&space, &types).decode(&ty, &bytes)), value);
    }

    #[test]
    fn damaged_memory_costs_bounded_work(
        ty in any_type(),
        design in design(),
        seed in proptest::num::u64::ANY,
        addr in proptest::num::u64::ANY,
    ) {
        let types = Space::with_maps(design).types();
        let memory = Noise(seed);
        let limits = Limits { work: 10_000, ..Limits::default() };
        let value = Reader { limits, ..Reader::new(&memory, &types) }.at(&ty, addr);
        prop_assert!(value.to_string().len() < 10_000_000);
    }
}

/// Memory of zeros, which leaves so much of the host's for values.
struct Narrow(u64);

impl GuestMemory for Narrow {
    fn read(&self, _: u64, buf: &mut [u8]) -> Result<(), crate::go::guest::BadAddress> {
        buf.fill(0);
        Ok(())
    }

    fn room(&self) -> u64 {
        self.0
    }
}

#[test]
fn values_are_read_as_far_as_there_is_room() {
    let ty = array(50_000, &basic("int"));
    let types = Space::new().types();
    let read = |room| {
        let value = Reader::new(&Narrow(room), &types).at(&ty, 0);
        format!("{value:?}").matches("Int(0)").count()
    };
    assert_eq!(read(u64::MAX), 50_000);
    assert!((10_000..20_000).contains(&read(1 << 20)), "{}", read(1 << 20));
}

#[test]
fn a_list_that_ends_in_itself_is_read_once_around() {
    let mut node = structure("main.Node", &[("N", &basic("int")), ("Next", &pointer(&basic("int")))]);
    // The pointer's type is given by its descriptor, as in a binary: a type can refer to itself.
    let mut space = Space::new();
    let rtype = space.described().len() as u64 + Space::RTYPES;
    let Kind::Struct(fields) = &mut Ty::make_mut(&mut node).kind else { unreachable!() };
    let next = Type { kind: Kind::Pointer(TypeRef::Rtype(rtype)), ..(*fields[1].ty).clone() };
    fields[1].ty = Ty::new(next);
    let node = space.describe(&node);
    let bytes = [1u64.to_le_bytes(), Space::BASE.to_le_bytes()].concat();
    let at = crate::go::guest::GuestHeap::alloc(&mut space, 16, 8).unwrap();
    crate::go::guest::GuestHeap::write(&mut space, at, &bytes).unwrap();
    let types = space.types();
    let value = Reader::new(&space, &types).decode(&pointer(&node), &at.to_le_bytes());
    assert_eq!(value.field("N"), Some(&Value::Int(1)));
    let Some(Value::Pointer(next)) = value.field("Next") else { panic!("{value}") };
    assert_eq!((next.addr, &next.pointee), (at, &None));
}

#[test]
fn pointers_that_point_nowhere_are_said_to_be() {
    let space = Space::new();
    let types = space.types();
    let reader = Reader::new(&space, &types);
    let decode = |ty: &Ty, words: &[u64]| {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        reader.decode(ty, &bytes).to_string()
    };
    let ints = slice(&basic("int"));
    assert_eq!(decode(&pointer(&basic("int")), &[0x10]), "(*int)(0x10 /* unreadable */)");
    assert_eq!(decode(&basic("string"), &[0x10, 3]), "(string)(0x10 /* unreadable */)");
    assert_eq!(decode(&basic("string"), &[0x10, u64::MAX]), "(string)(0x10 /* of impossible length */)");
    assert_eq!(decode(&ints, &[0x10, 1 << 62, 1 << 62]), "([]int)(0x10 /* of impossible length */)");
    assert_eq!(decode(&ints, &[0x10, 3, 2]), "([]int)(0x10 /* of impossible length */)");
    assert_eq!(decode(&ints, &[0x10, 3, 3]), "([]int)(0x10 /* unreadable */)");
    assert_eq!(decode(&any(), &[0x10, 0]), "(interface {})(0x10 /* of unknown type */)");
    assert_eq!(decode(&map(&basic("int"), &basic("int")), &[0x10]), "(map[int]int)(0x10 /* unreadable */)");
    assert_eq!(decode(&func(&[]), &[0x10]), "(func())(0x10 /* unreadable */)");
    let unknown = Ty::new(Type { kind: Kind::Slice(TypeRef::Unknown), ..(*ints).clone() });
    let reason = Reason::UnknownType;
    let value = reader.decode(&unknown, &[1; 24]);
    assert_eq!(value, Value::Invalid(Invalid { ty: Some(unknown), addr: 0x0101_0101_0101_0101, reason }));
}

#[test]
fn long_values_are_cut_at_the_limits() {
    let mut space = Space::new();
    let ty = slice(&named("main.ID", &basic("int")));
    let bytes = written(&Value::from((0..100).collect::<Vec<i64>>()), &ty, &mut space);
    let types = space.types();
    let mut reader = Reader::new(&space, &types);
    reader.limits.elems = 3;
    assert_eq!(reader.decode(&ty, &bytes).to_string(), "[]main.ID{0, 1, 2, /* 97 more */}");
    let text = written(&"hello".into(), &basic("string"), &mut space);
    let mut reader = Reader::new(&space, &types);
    reader.limits.bytes = 2;
    assert_eq!(reader.decode(&basic("string"), &text).to_string(), r#""he" /* 3 more bytes */"#);
}

/// A time limits reading as the other limits do: what was read by then is there.
#[test]
fn long_values_are_cut_when_time_is_over() {
    let mut space = Space::new();
    let ty = slice(&basic("int"));
    let bytes = written(&Value::from((0..50_000).collect::<Vec<i64>>()), &ty, &mut space);
    let types = space.types();
    let now = std::time::Instant::now();
    let hour = std::time::Duration::from_secs(3600);
    for (until, whole) in [(None, true), (Some(now + hour), true), (Some(now), false)] {
        let reader = Reader { until, ..Reader::new(&space, &types) };
        match reader.decode(&ty, &bytes) {
            Value::List(list) => assert!(whole && list.elems.len() == 50_000),
            Value::Truncated { value, len: 50_000 } => {
                let Value::List(list) = *value else { panic!("{value}") };
                assert!(!whole && list.elems.len() < 2000, "{}", list.elems.len());
            }
            value => panic!("{value}"),
        }
    }
}

/// Memory of the same word everywhere.
struct Same(u64);

impl GuestMemory for Same {
    fn read(&self, _: u64, buf: &mut [u8]) -> Result<(), crate::go::guest::BadAddress> {
        let word = self.0.to_le_bytes();
        buf.chunks_mut(8).for_each(|part| part.copy_from_slice(&word[..part.len()]));
        Ok(())
    }
}

/// Names are written with each value that has one: a list must not make gigabytes of them.
#[test]
fn long_names_are_work() {
    let types = Space::new().types();
    let long = structure(&format!("main.{}", "x".repeat(4000)), &[("A", &basic("int"))]);
    let lists = |elem: &Ty| array(16, &array(1 << 16, elem));
    for ty in [lists(&func(&[])), lists(&long)] {
        let value = Reader::new(&Same(Space::LONG_NAMED), &types).at(&ty, 0x1000);
        let text = value.to_string();
        assert!(text.contains("xxx") && text.len() < 100 << 20, "{} bytes", text.len());
    }
}
