//! Debug information that is damaged, and what the parts make of small inputs. What real binaries give is
//! tested on the fixtures (`tests/machine/program_types.rs`).

use std::collections::HashMap;

use proptest::prelude::*;

use crate::Image;

use super::func::dictionary_place;
use super::section::WANTED;
use super::{Dwarf, Index, Place};

/// Names of sections and their contents, inflated.
type Sections = HashMap<String, Vec<u8>>;

fn image(version: &str) -> Image {
    let path = format!("{}/../cli/demo/demo-go{version}", env!("CARGO_MANIFEST_DIR"));
    Image::open(path).unwrap()
}

fn sections(image: &Image) -> Sections {
    let section = |name: &str| image.object().section_data(name).ok();
    let index = Index::new(section, Place::default()).unwrap().unwrap();
    let dwarf = Dwarf::new(&index, section, None);
    let debug = &dwarf.gimli;
    let contents = WANTED.map(|id| {
        let bytes = match id {
            gimli::SectionId::DebugInfo => gimli::Section::reader(&debug.debug_info).slice(),
            gimli::SectionId::DebugAbbrev => gimli::Section::reader(&debug.debug_abbrev).slice(),
            gimli::SectionId::DebugAddr => gimli::Section::reader(&debug.debug_addr).slice(),
            gimli::SectionId::DebugRanges => gimli::Section::reader(debug.ranges.debug_ranges()).slice(),
            gimli::SectionId::DebugRngLists => gimli::Section::reader(debug.ranges.debug_rnglists()).slice(),
            _ => &[],
        };
        (id.name().to_owned(), bytes.to_vec())
    });
    contents.into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect()
}

/// Asks everything that can be asked, and counts what was answered.
fn exercise(sections: &Sections, entries: &[u64], offsets: impl Iterator<Item = usize>) -> usize {
    let section = |name: &str| sections.get(name).map(Vec::as_slice);
    let Ok(Some(index)) = Index::new(section, Place::default()) else { return 0 };
    let dwarf = Dwarf::new(&index, section, None);
    let signatures =
        entries.iter().filter(|&&entry| matches!(dwarf.signature_at(entry), Ok(Some(_)))).count();
    let types = offsets.filter(|&offset| dwarf.type_at(offset).is_ok()).count();
    let named = ["int", "error", "runtime.g"]
        .into_iter()
        .filter(|name| matches!(dwarf.type_named(name), Ok(Some(_))));
    let variables = usize::from(matches!(dwarf.variable("runtime.buildVersion"), Ok(Some(_))));
    signatures + types + named.count() + variables
}

#[test]
fn damage_is_an_error() {
    for version in ["1.15", "1.27"] {
        let image = image(version);
        let whole = sections(&image);
        let entries: Vec<u64> = image.funcs().map(|func| func.entry()).step_by(7).collect();
        let len = whole[".debug_info"].len();
        let offsets = || (0..len).step_by(len / 200);
        assert!(exercise(&whole, &entries, offsets()) > entries.len() / 2, "{version}");
        let mut seed = 1u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below.max(1)
        };
        for round in 0..60 {
            let mut damaged = whole.clone();
            for (name, bytes) in &mut damaged {
                let hits = if name == ".debug_abbrev" { round % 4 } else { round % 16 * 8 };
                for _ in 0..hits {
                    let at = random(bytes.len());
                    bytes[at] = random(256) as u8;
                }
                if round % 8 == 7 {
                    bytes.truncate(random(bytes.len()));
                }
            }
            exercise(&damaged, &entries, offsets());
        }
    }
}

#[test]
fn dictionaries_of_generic_functions() {
    let place = |name, minor| dictionary_place(name, Some(crate::GoVersion::new(minor, 0)));
    for (name, before, since) in [
        ("main.max[go.shape.int]", Some(0), Some(0)),
        ("main.Pair[go.shape.int,go.shape.[]int].Swap", Some(0), Some(1)),
        ("main.(*Pair[go.shape.string]).Set", Some(0), Some(1)),
        ("main.max[go.shape.int].func1", None, None),
        ("main.(*Pair[go.shape.int]).Set.func1", None, None),
        ("main.(*Pair[go.shape.int]).Set-fm", None, None),
        ("main.max[int]", None, None),
        ("main.f", None, None),
        ("type:.eq.main.Pair[go.shape.int]", None, None),
    ] {
        assert_eq!((place(name, 19), place(name, 20)), (before, since), "{name}");
    }
}

proptest! {
    /// Compressed sections whose headers lie are refused, and cost no memory.
    #[test]
    fn compressed_sections_are_checked(size in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let old = [&b"ZLIB"[..], &size.to_be_bytes(), &bytes].concat();
        let section = |name: &str| (name == ".zdebug_info").then_some(old.as_slice());
        prop_assert!(Index::new(section, Place::default()).is_err());
        let new = [&1u64.to_le_bytes()[..], &size.to_le_bytes(), &1u64.to_le_bytes(), &[0x78], &bytes].concat();
        let section = |name: &str| (name == ".debug_info").then_some(new.as_slice());
        prop_assert!(Index::new(section, Place::default()).is_err());
    }
}
