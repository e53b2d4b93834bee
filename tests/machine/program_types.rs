//! What binaries of every release say about types and signatures, against their source and against each other.

use std::fs;

use goemu_loader::sigparse::parse_signature;
use goemu_loader::{Image, Kind, LoadError, Param, Signature, Type};
use goemu_tests::fixtures::{VERSIONS, binary, releases, testdata};

/// A fixture, if it is checked in or was built.
fn open(name: &str) -> Option<Image> {
    let path = binary(name)?;
    Some(Image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Builds with debug information: those of every release, and those in other modes that are there.
fn with_debug_information() -> impl Iterator<Item = (u16, String, Image)> {
    let modes = ["", "-noopt", "-pie"];
    releases("corpus", "", &VERSIONS).into_iter().flat_map(move |version| {
        modes.into_iter().filter_map(move |mode| {
            let name = format!("corpus-go1.{version}{mode}");
            let image = open(&name)?;
            Some((version, name, image))
        })
    })
}

/// A declaration in the source of the corpus.
struct Declaration {
    /// The function's symbol.
    symbol: String,
    /// `func (r T) Name(...) ...`
    text: String,
}

/// The functions of the corpus that are not generic, as of a release.
fn declarations(version: u16, image: &Image) -> Vec<Declaration> {
    let files = fs::read_dir(testdata("go/corpus")).expect("the corpus is there");
    let mut found = Vec::new();
    for file in files {
        let path = file.expect("a readable folder").path();
        if path.extension().is_none_or(|extension| extension != "go") {
            continue;
        }
        let source = fs::read_to_string(&path).expect("readable source");
        let since = source.lines().next().and_then(|line| line.strip_prefix("//go:build go1.")?.parse().ok());
        if since.is_none_or(|since: u16| since <= version) {
            found.extend(source.lines().filter_map(|line| declaration(line, image)));
        }
    }
    found
}

fn declaration(line: &str, image: &Image) -> Option<Declaration> {
    let rest = line.strip_prefix("func ")?;
    let (receiver, rest) = match rest.strip_prefix('(') {
        Some(rest) => {
            rest.split_once(") ").map(|(receiver, rest)| (receiver.split(' ').next_back(), rest))?
        }
        None => (None, rest),
    };
    let name = rest.split('(').next()?;
    let symbol = match receiver {
        Some(ty) if ty.starts_with('*') => format!("main.({ty}).{name}"),
        Some(ty) => format!("main.{ty}.{name}"),
        None => format!("main.{name}"),
    };
    if symbol.contains('[') {
        return None;
    }
    // The body starts at the first brace before which there is a whole signature.
    let braces = line.match_indices('{').map(|(at, _)| line[..at].trim_end());
    let text = braces.into_iter().find(|text| parse(text, image).is_ok())?.to_owned();
    Some(Declaration { symbol, text })
}

fn parse(text: &str, image: &Image) -> Result<Signature, goemu_loader::sigparse::SigError> {
    parse_signature(text, &|name| image.type_named(name).expect("readable types"))
}

/// Names, types and sizes, with no name for blanks.
fn shape(params: &[Param]) -> Vec<(&str, &str, u64, u64)> {
    let name = |param: &'_ Param| if param.name == "_" { 0 } else { param.name.len() };
    params.iter().map(|p| (&p.name[..name(p)], p.ty.name.as_str(), p.ty.size, p.ty.align)).collect()
}

#[test]
fn signatures_are_those_of_the_source() {
    for (version, name, image) in with_debug_information() {
        let (mut same, mut unnamed) = (0, 0);
        for Declaration { symbol, text } in declarations(version, &image) {
            let expected = parse(&text, &image).expect("it was parsed before");
            let names = || expected.params.iter().all(|param| !matches!(param.name.as_str(), "" | "_"));
            for func in image.funcs_named(&symbol) {
                match image.signature(&func) {
                    Ok(Some(found)) if version <= 21 && found.unnamed() == found && !names() => unnamed += 1,
                    Ok(Some(found)) => {
                        assert_eq!(shape(&found.params), shape(&expected.params), "{name}: {text}");
                        assert_eq!(shape(&found.results), shape(&expected.results), "{name}: {text}");
                        same += 1;
                    }
                    Err(LoadError::Unnamed { .. }) if version <= 21 && !names() => unnamed += 1,
                    // A result without a name that is returned from a range-over-func loop.
                    Err(LoadError::Unnamed { .. }) if symbol.starts_with("main.range") => unnamed += 1,
                    other => panic!("{name}: {text}: {other:?}"),
                }
            }
        }
        assert!(same > 120 && unnamed < 10, "{name}: {same} signatures compared, {unnamed} without names");
    }
}

#[test]
fn some_names_tell_the_signature() {
    for name in ["corpus-go1.15-stripped", "corpus-go1.27-stripped"] {
        let image = open(name).expect("it is checked in");
        for function in ["main.main", "errors.init", "runtime.init.0", "main.init.0"] {
            let [func] = image.funcs_named(function)[..] else { panic!("{name}: {function}") };
            let signature = image.signature(&func).expect("readable types");
            assert_eq!(
                signature.map(|signature| signature.to_string()).as_deref(),
                Some("func()"),
                "{function}"
            );
        }
    }
}

#[test]
fn every_function_has_a_signature() {
    for (version, name, image) in with_debug_information() {
        let (mut known, mut missing) = (0, Vec::new());
        for func in image.funcs() {
            match image.signature(&func) {
                Ok(Some(_)) => known += 1,
                Ok(None) if func.is_asm() || func.name().starts_with("go:textfips") => {}
                Err(LoadError::Unnamed { .. }) if version <= 21 || func.name().contains("range") => {
                    missing.push(func.name());
                }
                other => panic!("{name}: {func:?}: {other:?}"),
            }
        }
        assert!(known > 1000 && missing.len() < 20, "{name}: {known} known, missing {missing:?}");
    }
}

#[test]
fn signatures_are_parsed_as_they_are_shown() {
    for (_, name, image) in with_debug_information() {
        let mut count = 0;
        for func in image.funcs().filter(|func| func.name().starts_with("main.")) {
            let Ok(Some(signature)) = image.signature(&func) else { continue };
            let text = signature.to_string();
            if text.contains("go.shape.") {
                continue;
            }
            let parsed =
                parse(&text, &image).unwrap_or_else(|error| panic!("{name}: {func:?} {text}: {error}"));
            assert_eq!(parsed.to_string(), text, "{name}: {func:?}");
            assert_eq!(shape(&parsed.params), shape(&signature.params), "{name}: {func:?} {text}");
            count += 1;
        }
        assert!(count > 150, "{name}: {count}");
    }
}

/// What the kinds of two types must have in common.
fn parts(ty: &Type) -> Vec<(String, u64, u64)> {
    match &ty.kind {
        Kind::Struct(fields) => fields
            .iter()
            .map(|field| (format!("{} {}", field.name, field.embedded), field.offset, field.ty.size))
            .collect(),
        Kind::Array { elem, len } => vec![("array".to_owned(), *len, elem.size)],
        Kind::Interface { empty, methods } => {
            methods.iter().map(|method| (method.name.clone(), (*empty).into(), 0)).collect()
        }
        Kind::Func(func) => {
            vec![(func.variadic.to_string(), func.params.len() as u64, func.results.len() as u64)]
        }
        Kind::Chan { dir, .. } => vec![(format!("{dir:?}"), 0, 0)],
        other => vec![(format!("{:?}", std::mem::discriminant(other)), 0, 0)],
    }
}

#[test]
fn descriptors_agree_with_debug_information() {
    for (_, name, image) in with_debug_information() {
        let (mut same, mut others) = (0, 0);
        for reference in image.types() {
            let found = image.resolve(&reference).unwrap_or_else(|error| panic!("{name}: {error}"));
            let described = image.type_named(&found.name).expect("readable types");
            let Some(described) = described.filter(|described| described.rtype == found.rtype) else {
                // Debug information has the whole path of its package in the name.
                others += 1;
                continue;
            };
            assert_eq!((found.size, found.align), (described.size, described.align), "{name}: {found}");
            assert_eq!(parts(&found), parts(&described), "{name}: {found}");
            same += 1;
        }
        assert!(
            same > 400 && others < same / 10,
            "{name}: {same} types agree, {others} are not found by name"
        );
    }
}

#[test]
fn basic_types_have_their_descriptors() {
    for (_, name, image) in with_debug_information() {
        for basic in ["uintptr", "int", "uint8", "string", "float64", "bool"] {
            let found = image.type_named(basic).expect("readable types").expect(basic);
            assert_eq!(found.rtype, image.descriptor_named(basic), "{name}: {basic}");
        }
    }
}

#[test]
fn stripped_binaries_know_their_methods() {
    let mut versions = 0;
    for version in VERSIONS {
        let Some(stripped) = open(&format!("corpus-go1.{version}-stripped")) else { continue };
        let Some(whole) = open(&format!("corpus-go1.{version}")) else { continue };
        versions += 1;
        let mut methods = 0;
        for func in stripped.funcs().filter(|func| func.name().starts_with("main.")) {
            let Some(found) = stripped.signature(&func).expect("readable descriptors") else { continue };
            let twin = whole.funcs_named(func.name());
            let expected = twin.iter().find_map(|twin| whole.signature(twin).ok().flatten());
            let expected = expected.unwrap_or_else(|| panic!("{func:?} is in the whole build"));
            assert_eq!(found.unnamed().to_string(), expected.unnamed().to_string(), "go1.{version} {func:?}");
            methods += 1;
        }
        assert!(methods > 10, "go1.{version}: {methods}");
        assert!(stripped.type_named("main.show").expect("readable descriptors").is_none());
        assert!(stripped.type_named("error").expect("readable descriptors").is_some());
    }
    assert!(versions > 1, "no stripped builds");
}

#[test]
fn damaged_descriptors_are_errors() {
    for version in releases("corpus", "", &[15, 21, 27]) {
        let path = binary(&format!("corpus-go1.{version}")).expect("it is built");
        let bytes = fs::read(&path).expect("a readable file");
        let image = Image::parse(bytes.clone()).expect("a Go binary");
        let types = image.module().and_then(|module| module.types).expect("descriptors");
        let segment = image.segments().iter().find(|s| (s.addr..s.addr + s.mem_size).contains(&types.start));
        let segment = segment.expect("descriptors are mapped");
        let start = (segment.file_offset + (types.start - segment.addr)) as usize;
        let len = (types.end - types.start) as usize;
        let mut seed = u64::from(version);
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for round in 0..25 {
            let mut damaged = bytes.clone();
            for _ in 0..1 << (round % 12) {
                damaged[start + random(len)] = random(256) as u8;
            }
            let Ok(image) = Image::parse(damaged) else { continue };
            let good = image.types().filter(|reference| image.resolve(reference).is_ok()).count();
            assert!(round > 0 || good > 100, "go1.{version}: {good}");
            for func in image.funcs() {
                let _ = image.signature(&func);
            }
            let _ = image.type_named("main.Point");
        }
    }
}
