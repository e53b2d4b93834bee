//! What is accepted, how it is laid out, what is refused and where.

use std::sync::Arc;

use proptest::prelude::*;

use crate::{ChanDir, Kind, Type};

use super::{SigError, parse_signature, parse_type};

fn nothing(_: &str) -> Option<Arc<Type>> {
    None
}

fn ty(text: &str) -> Arc<Type> {
    parse_type(text, &nothing).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What a signature reads as after parsing.
fn shown(text: &str) -> String {
    parse_signature(text, &nothing).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

fn error(text: &str) -> String {
    match parse_signature(text, &nothing) {
        Ok(signature) => panic!("{text}: parsed as {signature}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn signatures() {
    for (text, expected) in [
        ("func()", "func()"),
        ("func(int, string) error", "func(int, string) error"),
        ("func(a, b int) (n int, err error)", "func(a int, b int) (n int, err error)"),
        ("func(a []byte, k uint8) (string, error)", "func(a []uint8, k uint8) (string, error)"),
        ("func(format string, args ...any) rune", "func(format string, args ...interface {}) int32"),
        ("func(...int)", "func(...int)"),
        ("func (p *[2]int) Scale(k int)", "func(p *[2]int, k int)"),
        ("func ([2]int) Len() int", "func([2]int) int"),
        ("func Name(int,) (int)", "func(int) int"),
        (
            "func(func(int) (bool, error), chan<- func()) func() func()",
            "func(func(int) (bool, error), chan<- func()) func() func()",
        ),
        ("func(.dict *[1]uintptr, a uint16,)", "func(.dict *[1]uintptr, a uint16)"),
        ("func(_ int, _ string)", "func(_ int, _ string)"),
        (
            "func(m map[[2]string][]*int, c chan (<-chan int))",
            "func(m map[[2]string][]*int, c chan (<-chan int))",
        ),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn layouts_are_those_of_amd64() {
    for (text, size, align, offsets) in [
        ("struct{}", 0, 1, vec![]),
        ("struct { a int8; b int64; c bool }", 24, 8, vec![0, 8, 16]),
        ("struct { a, b int8; c int16 }", 4, 2, vec![0, 1, 2]),
        ("struct { a int32; end struct{} }", 8, 4, vec![0, 4]),
        ("struct { start struct{}; a int32 }", 4, 4, vec![0, 0]),
        ("struct { s string; e error; l []int; m map[int]int }", 64, 8, vec![0, 16, 32, 56]),
        ("struct { c complex64; f [3]float32 }", 20, 4, vec![0, 8]),
        ("struct { a [0]int64; b bool }", 8, 8, vec![0, 0]),
    ] {
        let ty = ty(text);
        let Kind::Struct(fields) = &ty.kind else { panic!("{text} is {:?}", ty.kind) };
        assert_eq!((ty.size, ty.align), (size, align), "{text}");
        assert_eq!(fields.iter().map(|field| field.offset).collect::<Vec<_>>(), offsets, "{text}");
    }
    assert_eq!((ty("[3]struct { a int64; b bool }").size, ty("complex128").align), (48, 8));
}

#[test]
fn names_are_the_runtimes() {
    for (text, name) in [
        ("struct{ X,Y int; *int `json:\"x\"` }", "struct { X int; Y int; *int `json:\"x\"` }"),
        (
            "interface{ Write(p []byte) (n int, err error); Close() error }",
            "interface { Close() error; Write([]uint8) (int, error) }",
        ),
        ("interface{}", "interface {}"),
        ("interface { any }", "interface {}"),
        ("func(a ...string)", "func(...string)"),
        ("unsafe.Pointer", "unsafe.Pointer"),
    ] {
        assert_eq!(ty(text).name, name);
    }
    let Kind::Interface { empty, methods } = &ty("interface { F(); error }").kind else { panic!() };
    assert!(!empty && methods.iter().any(|method| method.name == "F"));
    assert!(matches!(ty("<-chan int").kind, Kind::Chan { dir: ChanDir::Recv, .. }));
}

#[test]
fn names_of_the_binary_are_resolved() {
    let resolve = |name: &str| {
        let known =
            ["main.Pair[int,struct { X []int }]", "encoding/json.Token", "main.Point"].contains(&name);
        known.then(|| Arc::new(Type { name: name.to_owned(), ..Type::clone(&ty("int8")) }))
    };
    let parse = |text| parse_signature(text, &resolve).map(|signature| signature.to_string());
    let text = "func(main.Pair[int,struct { X []int }], encoding/json.Token) main.Point";
    assert_eq!(parse(text).as_deref(), Ok(text));
    assert_eq!(parse("func(p Point, q ...*Point)").as_deref(), Ok("func(p main.Point, q ...*main.Point)"));
    assert_eq!(
        parse("func(json.Token)"),
        Err(SigError::UnknownType { name: "json.Token".to_owned(), column: 6 })
    );
}

#[test]
fn errors_point_at_the_column() {
    for (text, message) in [
        ("func(a []byte, b", "expected ')' at column 17: found the end"),
        ("func(a []byte, k uint8", "expected ')' at column 23: found the end"),
        ("func(a int) (string", "expected ')' at column 20: found the end"),
        ("func(a int; b int)", "expected ')' at column 11: found ';'"),
        ("fun(a int)", "expected func at column 1: found fun"),
        ("func(ä pointer)", "unknown type pointer at column 8: "),
        ("func(a int, string)", "a parameter without a name (or type) at column 13: "),
        ("func(a ...int, b int)", "misplaced ... at column 8: "),
        ("func() (a ...int)", "misplaced ... at column 11: "),
        ("func(a [x]int)", "expected ']' or a length at column 9: found x"),
        ("func(a [99999999999999999999]int)", "the type at column 8 is too large"),
        ("func(a [1152921504606846976]int)", "the type at column 8 is too large"),
        ("func(map[string int)", "expected ']' at column 17: found int"),
        ("func(a int) int int", "expected the end at column 17: found int"),
        ("func(a $)", "expected a type or a name at column 8: found '$'"),
        ("func(struct { int \"tag)", "expected a type or a name at column 19: found '\"'"),
        ("func (a, b int) F(c int)", "expected one receiver at column 6: "),
        ("func(interface { int })", "expected an interface at column 18: found int"),
    ] {
        let got = error(text);
        let known =
            got.starts_with(message) || message.starts_with("unknown type b") && got.contains("column 16");
        assert!(known, "{text}: {got}");
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("func({}int)", "[]".repeat(100_000));
    assert!(error(&deep).starts_with("types nest too deep at column "), "{}", error(&deep));
    let wide = format!("func({})", ["int"; 5000].join(", "));
    assert_eq!(shown(&wide), wide);
}

/// Types as their runtime names write them.
fn type_text() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "bool",
        "int",
        "int8",
        "uint16",
        "uintptr",
        "float32",
        "complex128",
        "string",
        "error",
        "unsafe.Pointer",
        "interface {}",
        "struct {}",
        "func()",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            inner.clone().prop_map(|elem| format!("*{elem}")),
            inner.clone().prop_map(|elem| format!("[]{elem}")),
            (0..9u8, inner.clone()).prop_map(|(len, elem)| format!("[{len}]{elem}")),
            (inner.clone(), inner.clone()).prop_map(|(key, elem)| format!("map[{key}]{elem}")),
            inner.clone().prop_map(|elem| format!("chan<- {elem}")),
            inner.clone().prop_map(|elem| format!("<-chan {elem}")),
            list.clone().prop_map(|types| format!("func({}) bool", types.join(", "))),
            list.clone().prop_map(|types| format!("func(...{}) ({0}, error)", types.concat_first())),
            list.prop_map(|types| {
                let fields: Vec<_> = types.iter().enumerate().map(|(i, ty)| format!("F{i} {ty}")).collect();
                format!("struct {{ {} }}", fields.join("; "))
            }),
            inner.prop_map(|ty| format!("interface {{ M(int) {ty}; N() }}")),
        ]
    })
}

trait ConcatFirst {
    fn concat_first(&self) -> String;
}

impl ConcatFirst for Vec<String> {
    fn concat_first(&self) -> String {
        self.first().cloned().unwrap_or_default()
    }
}

proptest! {
    #[test]
    fn what_is_shown_is_parsed_to_the_same(text in type_text()) {
        let once = ty(&text);
        prop_assert_eq!(&once.name, &text);
        prop_assert_eq!(&ty(&once.name), &once);
    }

    #[test]
    fn signatures_too(params in prop::collection::vec(type_text(), 0..4), result in type_text()) {
        let text = format!("func({}) {result}", params.join(", "));
        prop_assert_eq!(shown(&text), text);
    }

    #[test]
    fn no_text_panics(text in "(func|\\PC|[(){}\\[\\]*,;.<\"`a-z0-9 ]|struct|chan|map|interface){0,24}") {
        let _ = parse_signature(&text, &nothing);
        let _ = parse_type(&text, &nothing);
    }
}
