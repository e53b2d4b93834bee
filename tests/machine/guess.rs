//! What is guessed of functions, against what their debug information says.

use goemu::go::abi::{Place, assign};
use goemu::go::guess::guess;
use goemu_loader::{Abi, Func, Image, Signature};
use goemu_tests::fixtures::{VERSIONS, binary, releases, testdata};
use goemu_tests::guessing::{Report, percent};

/// Where parts of arguments are, and their sizes, in order of place.
type Parts = Vec<(String, u64)>;

fn place(place: Place) -> String {
    format!("{place:?}")
}

/// As the signature has them; values on the stack are taken apart only by the guess.
fn told(func: &Func<'_>, signature: &Signature) -> Option<Parts> {
    let places = assign(func.abi(), signature).ok()?;
    let pieces = places.params.iter().flatten().filter(|piece| piece.size > 0);
    let mut parts: Parts = Vec::new();
    for piece in pieces {
        match piece.place {
            Place::Stack(_) => return None,
            register => parts.push((place(register), piece.size)),
        }
    }
    parts.sort();
    Some(parts)
}

fn guessed(image: &Image, func: &Func<'_>) -> Parts {
    let guess = guess(image, func);
    let parts = guess.params.iter().flat_map(|param| &param.parts);
    let mut parts: Parts = parts.map(|part| (place(part.place), part.size)).collect();
    parts.sort();
    parts
}

#[test]
fn register_arguments_are_where_debug_information_has_them() {
    for version in releases("corpus", "", &VERSIONS).into_iter().filter(|&version| version > 16) {
        let image = Image::open(binary(&format!("corpus-go1.{version}")).unwrap()).unwrap();
        let (mut right, mut wrong) = (0, Vec::new());
        for func in image.funcs().filter(|func| func.abi() == Abi::Internal && !func.is_asm()) {
            let Some(signature) = image.signature(&func).ok().flatten() else { continue };
            let Some(told) = told(&func, &signature) else { continue };
            let found = guessed(&image, &func);
            if found == told {
                right += 1;
            } else {
                wrong.push(format!("{} {signature}\n   {told:?}\n   {found:?}", func.name()));
            }
        }
        assert!(right > 1500, "1.{version}: {right} functions");
        assert!(wrong.is_empty(), "1.{version}: {}", wrong.join("\n"));
    }
}

/// Where everything is on the stack, the guess is what is read of it: no more than the arguments, and mostly all.
#[test]
fn stack_arguments_lie_before_the_results() {
    let image = Image::open(testdata("bin/corpus-go1.15")).unwrap();
    let (mut right, mut less) = (0, 0);
    for func in image.funcs().filter(|func| !func.is_asm()) {
        let Some(signature) = image.signature(&func).ok().flatten() else { continue };
        let end = assign(Abi::Abi0, &signature).unwrap().results_offset;
        let guess = guess(&image, &func);
        let found = guess.result_words.first().copied().unwrap_or(guess.block);
        match found.cmp(&end) {
            std::cmp::Ordering::Equal => right += 1,
            std::cmp::Ordering::Greater => panic!("{} {signature} is not {guess}", func.name()),
            // The last arguments are not read.
            std::cmp::Ordering::Less => less += 1,
        }
    }
    assert!(right > 1500 && less < 50, "{right} right, {less} less");
}

/// Calls of functions of stripped programs without a signature.
#[test]
fn calls_of_guessed_functions() {
    for (build, call, expected) in [
        ("corpus-go1.27-stripped", "main.fib 20", "AX=0x1a6d"),
        ("corpus-go1.27-stripped", "main.crc32 0 '[]byte(\"123456789\")", "AX=0xcbf43926"),
        ("corpus-go1.15-stripped", "main.fib 20", "8(FP)=0x1a6d"),
        ("corpus-go1.27-stripped", "main.levenshtein kitten sitting", "AX=0x3"),
        ("corpus-go1.27-stripped", "main.largest[int] 5 []int{3,9,1}", "AX=0x9"),
    ] {
        let image = Image::open(testdata(&format!("bin/{build}"))).unwrap();
        let mut machine = goemu::Machine::new(image).unwrap();
        let mut words = call.split(' ');
        let name = words.next().unwrap();
        let args: Vec<&str> = words.map(|word| word.trim_start_matches('\'')).collect();
        let report = machine.call(name).unwrap().literals(&args).unwrap().run().unwrap();
        let found = report.outcome.to_string();
        assert!(found == expected || found.starts_with(&format!("{expected} ")), "{call}: {found}");
        let none: [&str; 0] = [];
        let refused = machine.call(name).unwrap().literals(&none).err().unwrap().to_string();
        assert!(refused.contains("guessed to be func("), "{refused}");
    }
}

/// Types and kinds of parameters that are right in the corpus, in percent.
const TYPES: f64 = 50.0;
const KINDS: f64 = 75.0;

/// The types of parameters in a stripped program, compared with what the same program tells unstripped.
#[test]
fn types_of_parameters_are_found() {
    let open = |name: &str| Image::open(testdata(&format!("bin/{name}"))).unwrap();
    let mut report = Report::default();
    report.compare(&open("corpus-go1.27"), &open("corpus-go1.27-stripped"));
    let score = report.all();
    assert!(score.functions > 1000, "{report}");
    assert!(percent(score.words, score.functions) > 99.0, "{report}");
    assert!(percent(score.types, score.params) > TYPES, "{report}");
    assert!(percent(score.kinds, score.params) > KINDS, "{report}");
    let by_name = &report.by_name;
    assert!(by_name.functions > 20, "{report}");
    assert!(percent(by_name.right, by_name.functions) > 98.0, "{report}\n{}", by_name.wrong.join("\n"));
}

/// Functions of Go's library are called by their signatures where the program tells none of them.
#[test]
fn functions_of_the_library_are_known_by_name() {
    let image = Image::open(testdata("bin/corpus-go1.27-stripped")).unwrap();
    let mut machine = goemu::Machine::new(image).unwrap();
    for (func, args, expected) in [
        ("internal/strconv.FormatInt", &["-42", "10"][..], "\"-42\""),
        ("internal/bytealg.Compare", &["[]byte(\"a\")", "[]byte(\"b\")"], "-1"),
    ] {
        let report = machine.call(func).unwrap().literals(args).unwrap().run().unwrap();
        assert_eq!(report.outcome.to_string(), expected, "{func}");
    }
}
