//! What users call functions, on programs of several releases: who is meant, or what the message says.

use goemu::go::names::find;
use goemu_tests::fixtures::{binary, present, testdata};
use goemu_tests::work::{GRAIN, least_work};

/// Release, what is asked for, and the name of the function or a part of the message.
const NAMES: &str = "
1.27  f1                             = main.f1
1.27  'main.f1'                      = main.f1
1.27  f1()                           = main.f1
1.27  f1.func1                       = main.f1.func1
1.27  main.(*rect).area              = main.(*rect).area
1.27  main.rect.area                 = main.(*rect).area
1.27  (*rect).area                   = main.(*rect).area
1.27  rect.area                      = main.(*rect).area
1.27  circle.area                    = main.circle.area
1.27  (*circle).area                 = main.(*circle).area
1.27  area                           ! ambiguous: main.circle.area (0x
1.27  raise                          = main.raise
1.27  rect.aera                      ! did you mean main.(*rect).area?
1.27  fibb                           ! did you mean main.fib?
1.27  nosuch                         ! no function nosuch
1.27  main.largest                   ! largest[go.shape.float64] (0x4a3000), main.largest[go.shape.string]
1.27  main.largest[int]              = main.largest[go.shape.int]
1.27  largest[int64]                 ! no function largest[int64]
1.27  largest[string]                = main.largest[go.shape.string]
1.27  largest[bool]                  ! no function largest[bool]
1.27  mapTo[int, string]             = main.mapTo[go.shape.int,go.shape.string]
1.27  mapTo[int,main.pair[string,int]] = main.mapTo[go.shape.int,go.shape.struct { main.key string; main.value int }]
1.27  typeName[[]main.stack[int]]    = main.typeName[go.shape.[]main.stack[int]]
1.27  runtime.goexit.abi0            = runtime.goexit
1.27  runtime.add                    ! runtime.add has no code to call: it is inlined wherever it is called, in runtime.makechan,
1.15  runtime.add                    ! runtime.cgoCheckTypedBlock, and 68 more
1.23  mapTo[int,string]              = main.mapTo[go.shape.int,go.shape.string]
1.19  mapTo[int,string]              = main.mapTo[...]
1.19  mapTo                          ! main.mapTo[go.shape.int_0,go.shape.string_1] (0x
1.19  main.mapTo[...]                ! ambiguous
1.19  (*box).area                    = main.(*box).area
1.19  stack.push                     = main.(*stack[...]).push
1.15  (*point).scale                 = main.(*point).scale
1.15  point.scale                    = main.(*point).scale
1.15  f1.func1                       = main.f1.func1
";

#[test]
fn names_as_users_write_them() {
    for row in NAMES.lines().filter(|row| !row.is_empty()) {
        let (version, rest) = row.split_once(' ').unwrap();
        let (name, mark, expected) = match rest.split_once(" = ") {
            Some((name, expected)) => (name, '=', expected),
            None => rest.split_once(" ! ").map(|(name, expected)| (name, '!', expected)).unwrap(),
        };
        let Some(build) = present([format!("corpus-go{version}")]).pop() else { continue };
        let image = goemu::Image::open(binary(&build).unwrap()).unwrap();
        match find(&image, name.trim()) {
            Ok(func) => assert_eq!(('=', func.name()), (mark, expected), "{row}"),
            Err(error) => {
                let text = error.to_string();
                assert!(mark == '!' && text.contains(expected), "{row}: {text}");
            }
        }
    }
}

#[test]
fn absurd_names_are_refused() {
    let image = goemu::Image::open(testdata("bin/corpus-go1.27")).unwrap();
    for name in
        ["", "[", "]]", "(", "()", "''", ".", "/", "%", "0x", "0xfffffffffffffffff", "é", "\0", "[[[int]"]
    {
        assert!(find(&image, name).is_err(), "{name:?}");
    }
}

/// Names of up to 7 MiB: work grows with their length, not with its square.
#[test]
fn long_names_take_time_by_their_length() {
    let image = goemu::Image::open(testdata("bin/corpus-go1.27")).unwrap();
    for part in ["a", "main.", "[", "(*", "f[int,", "%2e", "*?"] {
        let asked = |parts: usize| {
            let name = part.repeat(parts);
            assert!(find(&image, &name).is_err(), "{part}");
        };
        // Against a base that takes long enough to be measured.
        let (base, long) = (least_work(2, || asked(1 << 17)), least_work(1, || asked(1 << 20)));
        assert!(long < 24 * base.max(GRAIN), "{part}: {base:?} for one eighth, {long:?} for the whole");
    }
}
