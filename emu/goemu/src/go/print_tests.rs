use super::*;
use crate::go::{
    testing::{Ty, any, array, basic, chan, func, interface, map, named, pointer, slice, structure},
    value::{Interface, Reason},
};

#[test]
fn floats_are_printed_as_go_prints_them() {
    for row in include_str!("../../../../testdata/values/floats.tsv").lines() {
        let fields: Vec<_> = row.split('\t').collect();
        let n = f64::from_bits(u64::from_str_radix(fields[0], 16).unwrap());
        assert_eq!(Value::Float64(n).to_string(), fields[1], "{row}");
        assert_eq!(Value::Float32(n as f32).to_string(), fields[2], "{row}");
    }
}

#[test]
fn strings_are_quoted_as_go_quotes_them() {
    for row in include_str!("../../../../testdata/values/quotes.tsv").lines() {
        let (hex, quoted) = row.split_once('\t').unwrap();
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|d| u8::from_str_radix(str::from_utf8(d).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(Quoted(&bytes).to_string(), quoted);
    }
}

fn list(ty: &Ty, elems: Vec<Value>) -> Value {
    Value::List(List { ty: Some(ty.clone()), elems })
}

fn at(ty: &Ty, addr: u64, to: Value) -> Value {
    Value::Pointer(Pointer { ty: Some(ty.clone()), addr, pointee: Some(Box::new(to)) })
}

fn point() -> (Ty, Value) {
    let ty = structure("main.Point", &[("X", &basic("int")), ("Y", &basic("int"))]);
    let fields = vec![("X".to_owned(), Value::Int(1)), ("Y".to_owned(), Value::Int(-2))];
    (ty.clone(), Value::Struct(Struct { ty: Some(ty), fields }))
}

#[track_caller]
fn check(value: &Value, go: &str, plain: &str) {
    assert_eq!(value.to_string(), go);
    assert_eq!(Format::new(Style::Plain).show(value).to_string(), plain);
}

#[test]
fn numbers_and_text() {
    check(&Value::Bool(true), "true", "true");
    check(&Value::Uint(255), "0xff", "255");
    check(&Value::Uintptr(16), "0x10", "16");
    check(&Value::Complex128(1.5, -2.0), "(1.5-2i)", "(1.5-2i)");
    check(&Value::Complex64(f32::NAN, f32::INFINITY), "(NaN+Infi)", "(NaN+Infi)");
    check(&Value::Complex128(-0.0, f64::NAN), "(-0+NaNi)", "(-0+NaNi)");
    check(&Value::from("a\"b"), r#""a\"b""#, "a\"b");
}

#[test]
fn lists_structs_and_maps() {
    let (ty, p) = point();
    check(&p, "main.Point{X:1, Y:-2}", "{X:1 Y:-2}");
    check(
        &list(&slice(&ty), vec![p.clone(), p.clone()]),
        "[]main.Point{main.Point{X:1, Y:-2}, main.Point{X:1, Y:-2}}",
        "[{X:1 Y:-2} {X:1 Y:-2}]",
    );
    check(&list(&array(0, &basic("int")), vec![]), "[0]int{}", "[]");
    let bytes = Value::Bytes(Bytes { ty: Some(slice(&basic("uint8"))), bytes: vec![1, 255] });
    check(&bytes, "[]byte{0x1, 0xff}", "[1 255]");
    let inside = list(&slice(&slice(&basic("uint8"))), vec![bytes]);
    check(&inside, "[][]uint8{[]uint8{0x1, 0xff}}", "[[1 255]]");
    let ty = map(&basic("string"), &basic("int"));
    let entries = vec![(Value::from("a"), Value::Int(1)), (Value::from("b"), Value::Int(2))];
    check(&Value::Map(Map { ty: Some(ty), entries }), r#"map[string]int{"a":1, "b":2}"#, "map[a:1 b:2]");
}

#[test]
fn only_the_outermost_pointer_is_followed() {
    let (ty, p) = point();
    let to_point = pointer(&ty);
    let p = at(&to_point, 0xc000010000, p);
    check(&p, "&main.Point{X:1, Y:-2}", "&{X:1 Y:-2}");
    let inside = list(&slice(&to_point), vec![p]);
    check(&inside, "[]*main.Point{(*main.Point)(0xc000010000)}", "[0xc000010000]");
    let following = Format { pointers: 1, ..Format::default() };
    assert_eq!(following.show(&inside).to_string(), "[]*main.Point{&main.Point{X:1, Y:-2}}");
    let number = at(&pointer(&basic("int")), 0xc000010000, Value::Int(5));
    check(&number, "(*int)(0xc000010000)", "0xc000010000");
    assert_eq!(following.show(&number).to_string(), "&int(5)");
}

#[test]
fn nils() {
    let nil = |ty: Ty| Value::Nil(Some(ty));
    check(&nil(slice(&basic("int"))), "[]int(nil)", "[]");
    check(&nil(slice(&basic("uint8"))), "[]byte(nil)", "[]");
    check(&nil(map(&basic("int"), &any())), "map[int]interface {}(nil)", "map[]");
    check(&nil(pointer(&basic("int"))), "(*int)(nil)", "<nil>");
    check(&nil(func(&[&basic("int")])), "(func(int))(nil)", "<nil>");
    check(&nil(chan(&basic("int"))), "(chan int)(nil)", "<nil>");
    check(&nil(interface("error", &["Error"])), "error(nil)", "<nil>");
    check(&Value::UnsafePointer(0), "(unsafe.Pointer)(nil)", "<nil>");
}

#[test]
fn interfaces_functions_and_channels() {
    let error = structure("errors.errorString", &[("s", &basic("string"))]);
    let fields = vec![("s".to_owned(), Value::from("bad"))];
    let value = at(&pointer(&error), 0xc000010000, Value::Struct(Struct { ty: Some(error.clone()), fields }));
    let mut held = Interface { ty: Some(pointer(&error)), value: Box::new(value), data: 0, text: None };
    let go = r#"&errors.errorString{s:"bad"}"#;
    check(&Value::Interface(held.clone()), go, "&{s:bad}");
    held.text = Some("bad".to_owned());
    check(&Value::Interface(held), &format!("{go} /* bad */"), "bad");

    let less = Func { ty: Some(func(&[])), closure: 0x1000, code: 0x2000, name: None };
    check(&Value::Func(less.clone()), "(func())(0x2000)", "0x2000");
    check(&Value::Func(Func { name: Some("main.less".to_owned()), ..less }), "main.less", "main.less");
    check(&Value::Chan { ty: Some(chan(&basic("int"))), addr: 0x10 }, "(chan int)(0x10)", "0x10");
}

#[test]
fn what_is_beyond_the_limits_is_said() {
    let ty = named("main.List", &slice(&basic("int")));
    let cut = Value::Truncated { value: Box::new(list(&ty, vec![Value::Int(1)])), len: 1000 };
    check(&cut, "main.List{1, /* 999 more */}", "[1 ... (999 more)]");
    let text = Value::Truncated { value: Box::new(Value::from("ab")), len: 5 };
    check(&text, r#""ab" /* 3 more bytes */"#, "ab... (3 more bytes)");
    let few = Format { elems: 2, depth: 1, ..Format::default() };
    let inner = list(&ty, vec![Value::Int(7); 5]);
    assert_eq!(few.show(&inner).to_string(), "main.List{7, 7, /* 3 more */}");
    let nested = list(&slice(&ty), vec![inner]);
    assert_eq!(few.show(&nested).to_string(), "[]main.List{main.List{..., ..., /* 3 more */}}");
    let bad = Invalid { ty: Some(ty), addr: 0xdead, reason: Reason::Unreadable };
    check(&Value::Invalid(bad), "(main.List)(0xdead /* unreadable */)", "0xdead (unreadable)");
}
