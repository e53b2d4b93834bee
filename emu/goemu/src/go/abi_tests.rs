use proptest::prelude::*;

use super::*;
use crate::go::testing::{Ty, anonymous, any, array, basic, func, interface, pointer, signature, slice};

/// One line per value: its registers or its stack slot, and its spill slot; then the block's layout.
fn dump(abi: Abi, params: &[Ty], results: &[Ty]) -> String {
    let a = assign(abi, &signature(params, results)).unwrap();
    let mut lines: Vec<String> = Vec::new();
    for (pieces, spill) in a.params.iter().zip(&a.spills) {
        let spill = spill.map(|s| format!(" spill {s}")).unwrap_or_default();
        lines.push(format!("in {}{spill}", places(pieces)));
    }
    lines.extend(a.results.iter().map(|p| format!("out {}", places(p))));
    lines.push(format!("results {} spills {} size {}", a.results_offset, a.spill_offset, a.stack_size));
    lines.join("\n")
}

fn places(pieces: &[Piece]) -> String {
    let place = |p: &Piece| match p.place {
        Place::Int(n) => format!("I{n}"),
        Place::Float(n) => format!("F{n}"),
        Place::Stack(at) => format!("{at}(stack)"),
    };
    pieces.iter().map(place).collect::<Vec<_>>().join(" ")
}

fn basics(names: &str) -> Vec<Ty> {
    names.split_whitespace().map(basic).collect()
}

#[track_caller]
fn check(params: &[Ty], results: &[Ty], expected: &str) {
    let expected: Vec<_> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(dump(Abi::Internal, params, results), expected.join("\n"));
}

#[test]
fn one_number() {
    check(
        &basics("int32"),
        &basics("int32"),
        "in I0 spill 0
         out I0
         results 0 spills 0 size 8",
    );
}

#[test]
fn spill_slots_are_padded_as_structs_are() {
    let i32 = basic("int32");
    let s = anonymous(&[&basic("int8"), &basic("int16"), &anonymous(&[]), &i32, &basic("int64")]);
    let params = [i32.clone(), s, anonymous(&[]), array(1, &i32)];
    check(
        &params,
        &[],
        "in I0 spill 0
         in I1 I2 I3 I4 spill 8
         in 0(stack)
         in I5 spill 24
         results 0 spills 0 size 32",
    );
    // One byte lies between the first field and the second.
    let assigned = assign(Abi::Internal, &signature(&params, &[])).unwrap();
    let ends = assigned.params[1].iter().map(|piece| (piece.offset, piece.offset + piece.size));
    assert_eq!(ends.collect::<Vec<_>>(), [(0, 1), (2, 4), (4, 8), (8, 16)]);
}

#[test]
fn registers_that_a_value_takes() {
    let (i8, i16) = (basic("int8"), basic("int16"));
    let s = anonymous(&[&i8, &i8, &anonymous(&[]), &i8, &i16]);
    let numbers = "int8 int16 int32 int64 float32 float64 complex64 complex128";
    let types = basics(numbers).into_iter().chain([s.clone(), anonymous(&[&s, &s])]);
    for (ty, count) in types.zip([1, 1, 1, 1, 1, 1, 2, 2, 4, 8]) {
        let places = &assign(Abi::Internal, &signature(std::slice::from_ref(&ty), &[])).unwrap().params[0];
        let registers = places.iter().filter(|piece| !matches!(piece.place, Place::Stack(_)));
        assert_eq!(registers.count(), count, "{ty}");
    }
    // Three of them would take twelve, of nine.
    check(&[anonymous(&[&s, &s, &s])], &[], "in 0(stack)\nresults 24 spills 24 size 24");
}

#[test]
fn numbers_fill_both_register_files_then_the_stack() {
    let params = "int8 int16 int32 int64 float32 float32 float64 float64 int8 int16 int32 int64 \
                  float32 float32 float64 float64 complex128 complex128 complex128 complex128 complex64 \
                  int8 int16 int32 int64 int8 int16 int32 int64";
    check(
        &basics(params),
        &basics("int32 float64 float64"),
        "in I0 spill 56
         in I1 spill 58
         in I2 spill 60
         in I3 spill 64
         in F0 spill 72
         in F1 spill 76
         in F2 spill 80
         in F3 spill 88
         in I4 spill 96
         in I5 spill 98
         in I6 spill 100
         in I7 spill 104
         in F4 spill 112
         in F5 spill 116
         in F6 spill 120
         in F7 spill 128
         in F8 F9 spill 136
         in F10 F11 spill 152
         in F12 F13 spill 168
         in 0(stack)
         in 16(stack)
         in I8 spill 184
         in 24(stack)
         in 28(stack)
         in 32(stack)
         in 40(stack)
         in 42(stack)
         in 44(stack)
         in 48(stack)
         out I0
         out F0
         out F1
         results 56 spills 56 size 192",
    );
}

#[test]
fn arrays_of_one_travel_in_registers_longer_ones_do_not() {
    let i32 = basic("int32");
    let (a0, a1, a2) = (array(0, &i32), array(1, &i32), array(2, &i32));
    let a11 = array(1, &a1);
    check(
        &[a1.clone(), a0.clone(), a11.clone(), a2.clone()],
        &[a2, a1, a0, a11],
        "in I0 spill 16
         in 0(stack)
         in I1 spill 20
         in 0(stack)
         out 8(stack)
         out I0
         out 16(stack)
         out I1
         results 8 spills 16 size 24",
    );
}

#[test]
fn structs_are_taken_apart_field_by_field() {
    let (i8, i16, i64) = (basic("int8"), basic("int16"), basic("int64"));
    let s = anonymous(&[&i8, &i8, &anonymous(&[]), &i8, &i16]);
    check(
        &[i8.clone(), s.clone(), i64],
        &[s, i8, basic("int32")],
        "in I0 spill 0
         in I1 I2 I3 I4 spill 2
         in I5 spill 8
         out I0 I1 I2 I3
         out I4
         out I5
         results 0 spills 0 size 16",
    );
}

#[test]
fn nested_structs_mix_register_files() {
    let empty = anonymous(&[]);
    let s = anonymous(&[&basic("int64"), &empty]);
    let fs = anonymous(&[&basic("float64"), &s, &empty]);
    check(
        &[s.clone(), s, fs.clone()],
        &[fs.clone(), fs],
        "in I0 spill 0
         in I1 spill 16
         in F0 I2 spill 32
         out F0 I0
         out F1 I1
         results 0 spills 0 size 64",
    );
}

#[test]
fn a_long_array_inside_keeps_a_struct_on_the_stack() {
    let empty = anonymous(&[]);
    let s = anonymous(&[&array(2, &basic("int64")), &empty]);
    let s2 = anonymous(&[&array(3, &basic("int16")), &empty]);
    let fs = anonymous(&[&basic("float64"), &s, &empty]);
    let ab2 = array(2, &basic("bool"));
    check(
        &[s, ab2.clone(), s2, fs.clone(), fs.clone()],
        &[fs.clone(), ab2, fs],
        "in 0(stack)
         in 24(stack)
         in 26(stack)
         in 40(stack)
         in 80(stack)
         out 120(stack)
         out 160(stack)
         out 168(stack)
         results 120 spills 208 size 208",
    );
}

#[test]
fn what_does_not_fit_leaves_registers_to_smaller_values() {
    let (i8, ints, str) = (basic("int8"), slice(&basic("int32")), basic("string"));
    check(
        &[ints.clone(), i8.clone(), ints.clone(), i8.clone(), str.clone(), i8, basic("int64"), ints.clone()],
        &[str.clone(), basic("int64"), str, ints],
        "in I0 I1 I2 spill 48
         in I3 spill 72
         in I4 I5 I6 spill 80
         in I7 spill 104
         in 0(stack)
         in I8 spill 105
         in 16(stack)
         in 24(stack)
         out I0 I1
         out I2
         out I3 I4
         out I5 I6 I7
         results 48 spills 48 size 112",
    );
}

#[test]
fn interfaces_and_pointers() {
    let i16 = basic("int16");
    let s = anonymous(&[&i16, &i16, &basic("bool")]);
    let (ei, nei) = (any(), interface("main.I", &["F"]));
    let pei = pointer(&ei);
    check(
        &[s, ei.clone(), ei.clone(), nei.clone(), pei.clone(), nei.clone(), i16],
        &[ei, nei, pei],
        "in I0 I1 I2 spill 32
         in I3 I4 spill 40
         in I5 I6 spill 56
         in I7 I8 spill 72
         in 0(stack)
         in 8(stack)
         in 24(stack)
         out I0 I1
         out I2 I3
         out I4
         results 32 spills 32 size 88",
    );
}

#[test]
fn a_receiver_is_the_first_argument() {
    let i16 = basic("int16");
    let s = anonymous(&[&i16, &i16, &i16]);
    let a7 = array(7, &pointer(&s));
    let f64 = basic("float64");
    check(
        &[s.clone(), pointer(&s), a7.clone(), f64.clone(), i16.clone(), i16.clone(), i16],
        &[a7, f64, basic("int64")],
        "in I0 I1 I2 spill 112
         in I3 spill 120
         in 0(stack)
         in F0 spill 128
         in I4 spill 136
         in I5 spill 138
         in I6 spill 140
         out 56(stack)
         out F0
         out I0
         results 56 spills 112 size 144",
    );
}

#[test]
fn a_zero_size_array_of_many_still_keeps_its_struct_on_the_stack() {
    let s = anonymous(&[&basic("int64"), &array(5, &anonymous(&[]))]);
    check(&[s], &[], "in 0(stack)\nresults 16 spills 16 size 16");
}

#[test]
fn abi0_is_a_packed_block() {
    let params = [basic("int8"), basic("int32"), basic("string"), func(&[]), basic("bool")];
    let results = [basic("bool"), basic("complex128")];
    let expected = "in 0(stack)\nin 4(stack)\nin 8(stack)\nin 24(stack)\nin 32(stack)\n\
                    out 40(stack)\nout 48(stack)\nresults 40 spills 64 size 64";
    assert_eq!(dump(Abi::Abi0, &params, &results), expected);
}

#[test]
fn types_that_lie_are_errors_and_cost_no_time() {
    let huge = Ty::new(Type { size: u64::MAX, align: 8, ..(*basic("int64")).clone() });
    assert_eq!(assign(Abi::Internal, &signature(&[huge], &[])), Err(AbiError::Layout));
    let big = array(1 << 40, &basic("int64"));
    assert_eq!(assign(Abi::Abi0, &signature(&[big], &[])), Err(AbiError::TooLarge));
    let mut twice = anonymous(&[]);
    for _ in 0..64 {
        twice = named_struct(&[&twice, &twice]);
    }
    let s = named_struct(&[&basic("int64"), &twice]);
    assert_eq!(assign(Abi::Internal, &signature(&[s], &[])), Err(AbiError::TooComplex));
}

fn named_struct(fields: &[&Ty]) -> Ty {
    crate::go::testing::structure("T", &fields.iter().map(|t| ("F", *t)).collect::<Vec<_>>())
}

fn any_type() -> impl Strategy<Value = Ty> {
    let leaf = prop::sample::select(vec![
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint64",
        "float32",
        "float64",
        "complex64",
        "complex128",
        "string",
        "uintptr",
        "unsafe.Pointer",
    ])
    .prop_map(basic);
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            (0..3u64, inner.clone()).prop_map(|(n, t)| array(n, &t)),
            inner.clone().prop_map(|t| slice(&t)),
            prop::collection::vec(inner, 0..4).prop_map(|f| anonymous(&f.iter().collect::<Vec<_>>())),
            Just(any()),
        ]
    })
}

proptest! {
    /// No two values share a byte of a register or of the stack, and each value's pieces are its own.
    #[test]
    fn places_never_overlap(
        params in prop::collection::vec(any_type(), 0..12),
        results in prop::collection::vec(any_type(), 0..6),
    ) {
        for abi in [Abi::Abi0, Abi::Internal] {
            let a = assign(abi, &signature(&params, &results)).unwrap();
            let mut stack: Vec<(u64, u64)> = Vec::new();
            for (types, places) in [(&params, &a.params), (&results, &a.results)] {
                let mut regs = std::collections::HashSet::new();
                for (ty, pieces) in types.iter().zip(places) {
                    let mut end = 0;
                    for p in pieces {
                        prop_assert!(p.offset >= end && p.offset + p.size <= ty.size);
                        end = p.offset + p.size;
                        match p.place {
                            Place::Int(n) => prop_assert!(n < 9 && regs.insert((0, n))),
                            Place::Float(n) => prop_assert!(n < 15 && regs.insert((1, n))),
                            Place::Stack(at) => stack.push((at, p.size)),
                        }
                    }
                }
            }
            for (ty, spill) in params.iter().zip(&a.spills) {
                stack.extend(spill.map(|at| (at, ty.size)));
            }
            stack.retain(|s| s.1 > 0);
            stack.sort_unstable();
            prop_assert!(stack.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0));
            prop_assert!(stack.last().is_none_or(|s| s.0 + s.1 <= a.stack_size));
            prop_assert_eq!(a.stack_size % 8, 0);
        }
    }
}

/// Package reflect calls functions by an assigner of its own, which must agree with the compiler's.
#[test]
fn random_signatures_are_assigned_as_go_calls_them() {
    for row in include_str!("../../../../testdata/values/assign.tsv").lines() {
        let fields: Vec<_> = row.split('\t').collect();
        let sig = goemu_loader::sigparse::parse_signature(fields[0], &|_| None).unwrap();
        let a = assign(Abi::Internal, &sig).unwrap();
        assert_eq!(
            (pieces(&a.params), pieces(&a.results)),
            (fields[1].to_owned(), fields[2].to_owned()),
            "{row}"
        );
        let sizes: Vec<u64> = fields[3].split(' ').map(|n| n.parse().unwrap()).collect();
        assert_eq!(a.results_offset, sizes[1], "{row}");
        // Reflect aligns the spill area for values of size zero, too, which the compiler has no slots for.
        if !fields[1].contains('-') {
            assert_eq!(a.stack_size - a.spill_offset, sizes[2], "{row}");
        }
    }
}

fn pieces(values: &[Vec<Piece>]) -> String {
    let place = |p: &Piece| {
        let place = match p.place {
            Place::Int(n) => format!("I{n}"),
            Place::Float(n) => format!("F{n}"),
            Place::Stack(at) => format!("S{at}"),
        };
        format!("{}+{}:{place}", p.offset, p.size)
    };
    let value = |pieces: &Vec<Piece>| match pieces.as_slice() {
        [Piece { size: 0, .. }] => "-".to_owned(),
        pieces => pieces.iter().map(place).collect::<Vec<_>>().join(","),
    };
    values.iter().map(value).collect::<Vec<_>>().join(" ")
}
