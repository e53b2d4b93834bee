use super::{Fill, Maker, Random, same, shrink};
use crate::go::literal::parse_value;
use crate::go::testing::{Space, Ty, array, basic, map, pointer, slice, structure};
use crate::go::value::Value;

fn maker(ty: &Ty) -> Maker {
    Maker::new(ty, &Space::new().types(), &Fill::default())
}

fn types() -> Vec<Ty> {
    let point = structure("main.point", &[("X", &basic("int")), ("name", &basic("string"))]);
    let mut all: Vec<Ty> =
        ["bool", "int", "int8", "uint16", "uint64", "uintptr", "float32", "float64", "complex128", "string"]
            .iter()
            .map(|name| basic(name))
            .collect();
    all.extend([
        slice(&basic("uint8")),
        slice(&basic("int")),
        array(3, &basic("uint8")),
        array(2, &point),
        map(&basic("string"), &slice(&point)),
        pointer(&point),
        pointer(&basic("int")),
        slice(&pointer(&basic("string"))),
        point,
    ]);
    all
}

/// What is printed can be read again, and is the same value.
#[test]
fn literals_are_read_as_what_they_were() {
    let mut random = Random::new(1);
    for ty in types() {
        let maker = maker(&ty);
        for size in 0..200 {
            let value = maker.make(&mut random, size / 2);
            let text = maker.literal(&value);
            let read = parse_value(&text, &ty, &Space::new().types());
            let read = read.unwrap_or_else(|error| panic!("{ty}: {text}: {error}"));
            assert!(same(&read, &value), "{ty}: {text}: {read}");
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_values() {
    for ty in types() {
        let maker = maker(&ty);
        let make = |seed| {
            let mut random = Random::new(seed);
            let mut value = maker.make(&mut random, 50);
            maker.mutate(&mut value, &mut random, 50);
            maker.literal(&value)
        };
        assert_eq!(make(7), make(7));
    }
}

/// Changed values are values of the type, too; and they do change.
#[test]
fn changes_keep_the_type() {
    let mut random = Random::new(2);
    for ty in types() {
        let maker = maker(&ty);
        let mut value = maker.make(&mut random, 30);
        let mut changed = 0;
        for _ in 0..300 {
            let before = value.clone();
            maker.mutate(&mut value, &mut random, 30);
            changed += usize::from(!same(&before, &value));
            let text = maker.literal(&value);
            parse_value(&text, &ty, &Space::new().types())
                .unwrap_or_else(|error| panic!("{ty}: {text}: {error}"));
        }
        assert!(changed > 100, "{ty}: {changed}");
    }
}

/// Shrinking ends, and finds the smallest value that has a property.
#[test]
fn shrinking_finds_the_smallest() {
    fn smallest(ty: &Ty, fails: impl Fn(&Value) -> bool) -> String {
        let maker = maker(ty);
        let mut random = Random::new(3);
        let value = (0..).map(|_| maker.make(&mut random, 90)).find(|value| fails(value)).expect("endless");
        let makers = [maker];
        let shrunk = shrink(&makers, vec![value], 100_000, |args| Ok::<_, ()>(fails(&args[0]))).unwrap();
        assert!(shrunk.minimal);
        makers[0].literal(&shrunk.args[0])
    }
    let int = |value: &Value| i64::try_from(value).unwrap();
    assert_eq!(smallest(&basic("int"), |value| int(value) > 41), "42");
    assert_eq!(smallest(&basic("int"), |value| int(value) < -5), "-6");
    assert_eq!(smallest(&basic("float64"), |value| f64::try_from(value).unwrap() > 2.5), "3");
    let ints = slice(&basic("int"));
    assert_eq!(smallest(&ints, |value| Vec::<i64>::try_from(value).unwrap().len() > 2), "[]int{0, 0, 0}");
    assert_eq!(
        smallest(&ints, |value| Vec::<i64>::try_from(value).unwrap().iter().any(|n| *n > 9)),
        "[]int{10}"
    );
    let text = |value: &Value| matches!(value, Value::String(text) if text.len() > 3 && text.ends_with(b":"));
    assert_eq!(smallest(&basic("string"), text), r#""aaa:""#);
    let present = |value: &Value| matches!(value, Value::Pointer(_));
    assert_eq!(smallest(&pointer(&basic("int")), present), "&int(0)");
}

#[test]
fn source_names_types_as_a_file_of_the_package_does() {
    let point = structure("example.org/geo/v2.Point", &[("X", &basic("int"))]);
    let maker = maker(&slice(&point));
    let value = Value::from(vec![Value::structure([("X", Value::from(1))])]);
    assert_eq!(maker.source(&value, "main").unwrap(), "[]geo.Point{{X: 1}}");
    assert_eq!(maker.source(&value, "example.org/geo/v2").unwrap(), "[]Point{{X: 1}}");
    assert_eq!(maker.literal(&value), "[]example.org/geo/v2.Point{{X: 1}}");
    let hidden = structure("other.T", &[("x", &basic("int"))]);
    let maker = self::maker(&hidden);
    let error = maker.source(&Value::structure([("x", Value::from(1))]), "main").unwrap_err();
    assert_eq!(error.to_string(), "other.T.x is not exported by its package");
}
