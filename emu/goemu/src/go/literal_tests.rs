use proptest::prelude::*;

use super::*;
use crate::go::{
    print::{Format, Style},
    read::Reader,
    round_trip::typed_value,
    testing::{Space, Ty, any, array, basic, chan, func, interface, map, named, pointer, slice, structure},
    write::Writer,
};

/// The types of the rows, by name.
fn type_of(name: &str) -> Ty {
    if let Some(rest) = name.strip_prefix("[]") {
        return slice(&type_of(rest));
    }
    if let Some(rest) = name.strip_prefix('*') {
        return pointer(&type_of(rest));
    }
    if let Some((key, elem)) =
        name.strip_prefix("map[").and_then(|n| n.rsplit_once(']').map(|_| split_map(n)))
    {
        return map(&type_of(key), &type_of(elem));
    }
    if let Some((len, elem)) = name.strip_prefix('[').and_then(|n| n.split_once(']')) {
        return array(len.parse().unwrap(), &type_of(elem));
    }
    let (int, string) = (basic("int"), basic("string"));
    let point = structure("main.Point", &[("X", &int), ("Y", &int)]);
    match name {
        "main.Point" => point,
        "main.Color" => named(name, &basic("uint8")),
        "main.Celsius" => named(name, &basic("float64")),
        "main.Name" => named(name, &string),
        "main.List" => named(name, &slice(&int)),
        "main.Table" => named(name, &map(&string, &type_of("main.List"))),
        "main.Line" => structure(name, &[("From", &point), ("To", &point), ("Label", &string)]),
        "main.Pair[string,int]" => structure(name, &[("Key", &string), ("Val", &int)]),
        "main.Mixed" => structure(
            name,
            &[
                ("A", &basic("int8")),
                ("B", &basic("float64")),
                ("C", &string),
                ("D", &slice(&basic("uint8"))),
                ("E", &map(&string, &int)),
                ("F", &any()),
                ("G", &pointer(&point)),
                ("_", &basic("int32")),
                ("H", &array(2, &basic("bool"))),
                ("I", &basic("complex64")),
                ("Point", &point),
            ],
        ),
        "struct { A int }" => structure(name, &[("A", &int)]),
        "struct {}" => structure(name, &[]),
        "interface {}" => any(),
        "error" => interface(name, &["Error"]),
        "func()" => func(&[]),
        "func(int) string" => named(name, &func(&[&int])),
        "chan int" => chan(&int),
        "<-chan int" => named(name, &chan(&int)),
        name => basic(name),
    }
}

/// `K]V`, with brackets in K.
fn split_map(rest: &str) -> (&str, &str) {
    let mut open = 1;
    let end = rest.find(|c| {
        open += i32::from(c == '[') - i32::from(c == ']');
        open == 0
    });
    let (key, elem) = rest.split_at(end.unwrap());
    (key, &elem[1..])
}

/// A guest with descriptors for what the rows put in interfaces.
fn space() -> Space {
    let mut space = Space::new();
    let names = [
        "int32",
        "main.Color",
        "main.Name",
        "main.Point",
        "*main.Point",
        "[]int",
        "[]uint8",
        "[]interface {}",
        "map[string]int",
    ];
    for name in names {
        space.describe(&type_of(name));
    }
    space
}

/// What a guest has when `text` was written there as a `ty`, in both styles.
fn seen(text: &str, ty: &Ty) -> Result<(String, String), LiteralError> {
    let mut space = space();
    let types = space.types();
    let value = parse_value(text, ty, &types)?;
    let bytes = Writer::new(&mut space, &types).encode(&value, ty).unwrap();
    let value = Reader::new(&space, &types).decode(ty, &bytes);
    Ok((value.to_string(), Format::new(Style::Plain).show(&value).to_string()))
}

#[test]
fn literals_become_what_go_makes_of_them() {
    for row in include_str!("../../../../testdata/values/literals.tsv").lines() {
        let fields: Vec<_> = row.split('\t').collect();
        let (ty, text) = (type_of(fields[0]), fields[1]);
        let (go, plain) = seen(text, &ty).unwrap_or_else(|e| panic!("{row}: {e}"));
        // A nil interface has lost its type when package fmt sees it.
        let nil = matches!(ty.kind, Kind::Interface { .. }) && fields[2] == "<nil>";
        let want = if nil { format!("{}(nil)", ty.name) } else { fields[2].to_owned() };
        assert_eq!(go, want, "{row}");
        assert_eq!(plain.replace(['\n', '\t'], " "), fields[3], "{row}");
    }
}

/// What Go does not have, and people type.
#[test]
fn types_that_are_known_need_not_be_written() {
    for (ty, text, want) in [
        ("[]int", "{1, 2}", "[]int{1, 2}"),
        ("[]int", " { 1 , 2 , } ", "[]int{1, 2}"),
        (
            "main.Line",
            "{{1, 2}, {Y: 3}, \"x\"}",
            r#"main.Line{From:main.Point{X:1, Y:2}, To:main.Point{X:0, Y:3}, Label:"x"}"#,
        ),
        ("main.Point", "main.Point{1, 2}", "main.Point{X:1, Y:2}"),
        ("[]*main.Point", "{nil}", "[]*main.Point{(*main.Point)(nil)}"),
        ("*main.Point", "{1, 2}", "&main.Point{X:1, Y:2}"),
        ("[]uint8", "\"hi\"", "[]byte{0x68, 0x69}"),
        ("main.Pair[string,int]", "Pair[string, int]{\"a\", 1}", r#"main.Pair[string,int]{Key:"a", Val:1}"#),
        ("float64", "NaN", "NaN"),
        ("float64", "nan", "NaN"),
        ("float32", "-inf", "-Inf"),
        ("interface {}", "inf", "+Inf"),
        ("float64", "-Inf", "-Inf"),
        ("float64", "-0", "-0"),
        ("complex128", "(NaN+Infi)", "(NaN+Infi)"),
        ("complex128", "Inf-2i", "(+Inf-2i)"),
        ("string", "plain text, no quotes", r#""plain text, no quotes""#),
        ("string", "", r#""""#),
        ("main.Name", "it's", r#""it's""#),
        ("*int", "(*int)(0xc000000000)", "(*int)(0xc000000000 /* unreadable */)"),
        ("unsafe.Pointer", "(unsafe.Pointer)(0x10)", "(unsafe.Pointer)(0x10)"),
        ("func()", "main.less", "main.less"),
    ] {
        assert_eq!(seen(text, &type_of(ty)).unwrap_or_else(|e| panic!("{text}: {e}")).0, want);
    }
}

#[test]
fn messages_are_short() {
    for (ty, text) in [("int8", "9".repeat(9999)), ("int8", "x".repeat(9999)), ("int8", "0x".repeat(9999))] {
        let message = seen(&text, &type_of(ty)).expect_err(&text).to_string();
        assert!(message.len() < 120 && message.contains("..."), "{message}");
    }
    let message = seen("{9: make(chan int)}", &type_of("[]int")).unwrap_err().to_string();
    assert!(message.starts_with("column 5: "), "{message}");
}

#[test]
fn messages_say_where_and_what() {
    for (ty, text, message) in [
        ("uint8", "300", "column 1: 300 overflows uint8"),
        ("[]uint8", "[]byte{1, 256}", "column 11: 256 overflows uint8"),
        ("int8", "-129", "column 1: -129 overflows int8"),
        ("int", "1.5", "column 1: 1.5 is not an integer, and int is wanted"),
        ("int", "0x8000_0000_0000_0000", "column 1: 0x8000_0000_0000_0000 overflows int"),
        ("int", "1e400", "column 1: 1e400 overflows int"),
        ("int", "Inf", "column 1: Inf is not an integer, and int is wanted"),
        ("int", "2i", "column 1: a int is wanted here, not 2i"),
        ("int", "08", "column 1: 08 is not a number"),
        ("int", "", "column 1: a int is wanted here, not the end"),
        ("int", "5 6", "column 3: the end is wanted here, not 6"),
        ("int", "five", "column 1: a int is wanted here, not five"),
        ("int", "uint8(5)", "column 1: a uint8 is given, and int is wanted"),
        ("int", "(5", "column 3: ')' is wanted here, not the end"),
        ("bool", "1", "column 1: a bool is wanted here, not 1"),
        ("float32", "1e39", "column 1: 1e39 overflows float32"),
        ("float64", "1e999", "column 1: 1e999 overflows float64"),
        ("string", "\"abc", "column 5: the closing quote is missing"),
        ("string", "\"a\\qb\"", "column 3: unknown escape"),
        ("string", "\"é\\ud800\"", "column 3: unknown escape"),
        ("int32", "'ab'", "column 1: a rune is one character in single quotes"),
        ("[]int", "[]int{1, x}", "column 10: a int is wanted here, not x"),
        ("[]int", "[]int{1 2}", "column 9: ',' or '}' is wanted here, not 2"),
        ("[]int", "[]string{}", "column 1: a []string is given, and []int is wanted"),
        ("[]int", "[1, 2]", "column 3: ']' is wanted here, not ','"),
        ("[2]int", "{1, 2, 3}", "column 1: [2]int takes 2 values, not 3"),
        ("[2]int", "{1: 1, 1: 2}", "column 11: element 1 is given twice"),
        ("main.Point", "Point{Z: 1}", "column 7: main.Point has no field Z; its fields are X, Y"),
        ("main.Point", "Point{X: 1, X: 2}", "column 13: field X is given twice"),
        ("main.Point", "Point{1}", "column 6: main.Point takes 2 values, not 1"),
        ("main.Point", "Point{1, 2, 3}", "column 6: main.Point takes 2 values, not 3"),
        ("main.Point", "Point{X: 1, 2}", "column 13: a field's name and ':' is wanted here, not 2"),
        ("map[string]int", "{\"a\": 1, \"a\": 2}", "column 10: \"a\" is given twice"),
        ("interface {}", "Nope{}", "column 1: the binary has no type Nope"),
        ("interface {}", "uint8(256)", "column 7: 256 overflows uint8"),
        ("[]int", "main.more", "column 1: the binary has no debug information of a variable main.more"),
        (
            "chan int",
            "make(chan int)",
            "column 1: channels cannot be made here: nil, or a variable of the program that has one",
        ),
        ("func()", "main.more", "column 1: the binary has no function main.more"),
        ("int", "#", "column 1: '#' cannot stand here"),
        ("[]int", "{9999999999: 1}", "column 14: more than 16777216 elements"),
        ("[][]int", "{{16000000: 1}, {1000000: 1}}", "column 27: more than 16777216 elements"),
    ] {
        let error = seen(text, &type_of(ty)).expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn bombs_are_refused() {
    let types = space().types();
    let deep = "[]any{".repeat(100_000);
    assert_eq!(parse_value(&deep, &any(), &types).unwrap_err().flaw, LiteralProblem::TooDeep);
    let deep = format!("{}int(nil)", "[]".repeat(100_000));
    assert_eq!(parse_value(&deep, &any(), &types).unwrap_err().flaw, LiteralProblem::TooDeep);
    let huge = parse_value("make([]int, 1000000000000)", &slice(&basic("int")), &types);
    assert_eq!(huge.unwrap_err().flaw, LiteralProblem::TooMany);
}

/// Beginnings, ends and middles of literals, and things that are none.
fn garbage() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ",",
        ":",
        "&",
        "*",
        "-",
        "+",
        "0x",
        "1",
        "2i",
        "1e9",
        "\"a\"",
        "`",
        "'",
        "\\",
        "nil",
        "main.Point",
        "Point",
        "[]int",
        "map[string]int",
        "any",
        "X",
        "math.Inf",
        "complex",
        "make",
        "new",
        "...",
        ".",
        "struct",
        "interface",
        "func",
        "chan",
        "<-",
        "int8",
        " ",
        "世",
        "NaN",
        "Inf",
        "_",
        "\0",
        "=",
        ";",
    ]);
    prop::collection::vec(pieces, 0..20).prop_map(|p| p.concat())
}

proptest! {
    // Values are large, so that making one smaller step by step takes long.
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// What is printed can be typed in again.
    #[test]
    fn what_is_printed_is_a_literal((ty, value) in typed_value()) {
        let mut space = space();
        let types = space.types();
        let bytes = Writer::new(&mut space, &types).encode(&value, &ty).unwrap();
        let following = Format { pointers: 16, ..Format::default() };
        let value = Reader::new(&space, &types).decode(&ty, &bytes);
        let printed = following.show(&value).to_string();
        let again = match parse_value(&printed, &ty, &types) {
            Ok(value) => value,
            Err(e) => return Err(TestCaseError::fail(format!("{printed}\n{e}"))),
        };
        let bytes = Writer::new(&mut space, &types).encode(&again, &ty).unwrap();
        let again = Reader::new(&space, &types).decode(&ty, &bytes);
        // Where a pointer is not followed its address is printed, which a new variable changes.
        prop_assert_eq!(following.show(&again).to_string(), printed);
    }

    #[test]
    fn no_text_does_worse_than_be_an_error((ty, _) in typed_value(), text in garbage()) {
        let types = space().types();
        for ty in [&*ty, &*any(), &*type_of("main.Mixed")] {
            if let Err(error) = parse_value(&text, ty, &types) {
                prop_assert!(error.column <= text.chars().count() + 1);
            }
        }
    }
}
