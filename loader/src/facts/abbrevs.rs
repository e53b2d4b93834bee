//! Abbreviations of the entries of `.debug_info` that the compiler writes into object files. The linker writes their
//! table, so objects rely on the numbers alone.
//!
//! Go sources: `cmd/internal/dwarf/dwarf.go` (`abbrevs`) and `putvarabbrevgen.go`.

/// One row: releases that have it, tag, whether it has children (`+`), attributes and their forms. An attribute may
/// have releases of its own. Numbers go up by one from 1; a number before a row jumps to it.
///
/// The forms `lo`, `hi` and `line` differ: DWARF 5 has indexes and sizes where others have addresses, and darwin has
/// lines of four bytes.
const ROWS: &str = "\
12- compile_unit+
12- compile_unit+
12- subprogram+ name:string low_pc:lo high_pc:hi frame_base:block1 decl_file:data4 decl_line:udata@21- external:flag
17- subprogram+ name:string low_pc:lo high_pc:hi frame_base:block1 trampoline:flag
12- subprogram+ name:string inline:data1 decl_line:udata@21- external:flag
12- subprogram+ abstract_origin:ref_addr low_pc:lo high_pc:hi frame_base:block1
17- subprogram+ abstract_origin:ref_addr low_pc:lo high_pc:hi frame_base:block1 trampoline:flag
12- inlined_subroutine+ abstract_origin:ref_addr low_pc:lo high_pc:hi call_file:data4 call_line:line
12- inlined_subroutine+ abstract_origin:ref_addr ranges:sec_offset call_file:data4 call_line:line
12- variable name:string location:block1 type:ref_addr external:flag
12- constant name:string type:ref_addr const_value:sdata
12-22 variable name:string decl_line:udata type:ref_addr location:block1
12-22 variable name:string decl_line:udata type:ref_addr location:sec_offset
12-22 variable name:string decl_line:udata type:ref_addr
12-22 variable abstract_origin:ref_addr location:block1
12-22 variable abstract_origin:ref_addr location:sec_offset
12-22 formal_parameter name:string variable_parameter:flag decl_line:udata type:ref_addr location:block1
12-22 formal_parameter name:string variable_parameter:flag decl_line:udata type:ref_addr location:sec_offset
12-22 formal_parameter name:string variable_parameter:flag type:ref_addr
12-22 formal_parameter abstract_origin:ref_addr location:block1
12-22 formal_parameter abstract_origin:ref_addr location:sec_offset
12- lexical_block+ ranges:sec_offset
12- lexical_block+ low_pc:lo high_pc:hi
18-22=41 typedef name:string type:ref_addr dict_index:udata
23-23=31 typedef name:string type:ref_addr dict_index:udata
24-=32 typedef name:string type:ref_addr dict_index:udata
23-23=32 variable name:string decl_line:udata type:ref_addr
24-=33 variable name:string decl_line:udata type:ref_addr
23- formal_parameter name:string variable_parameter:flag type:ref_addr
23- variable abstract_origin:ref_addr location:sec_offset
23- variable abstract_origin:ref_addr location:block1
23- variable name:string decl_line:udata type:ref_addr closure_offset:udata location:sec_offset
23- variable name:string decl_line:udata type:ref_addr closure_offset:udata location:block1
23- variable name:string decl_line:udata type:ref_addr location:sec_offset
23- variable name:string decl_line:udata type:ref_addr location:block1
23- formal_parameter abstract_origin:ref_addr location:sec_offset
23- formal_parameter abstract_origin:ref_addr location:block1
23- formal_parameter name:string variable_parameter:flag decl_line:udata type:ref_addr closure_offset:udata location:sec_offset
23- formal_parameter name:string variable_parameter:flag decl_line:udata type:ref_addr closure_offset:udata location:block1
23- formal_parameter name:string variable_parameter:flag decl_line:udata type:ref_addr location:sec_offset
23- formal_parameter name:string variable_parameter:flag decl_line:udata type:ref_addr location:block1
";

/// Numbers of the DWARF standard, and of Go.
const NAMES: [(&str, u16); 27] = [
    ("compile_unit", 0x11),
    ("subprogram", 0x2e),
    ("inlined_subroutine", 0x1d),
    ("variable", 0x34),
    ("constant", 0x27),
    ("formal_parameter", 0x05),
    ("lexical_block", 0x0b),
    ("typedef", 0x16),
    ("name", 0x03),
    ("low_pc", 0x11),
    ("high_pc", 0x12),
    ("frame_base", 0x40),
    ("decl_file", 0x3a),
    ("decl_line", 0x3b),
    ("external", 0x3f),
    ("trampoline", 0x56),
    ("inline", 0x20),
    ("abstract_origin", 0x31),
    ("call_file", 0x58),
    ("call_line", 0x59),
    ("ranges", 0x55),
    ("location", 0x02),
    ("type", 0x49),
    ("const_value", 0x1c),
    ("variable_parameter", 0x4b),
    ("closure_offset", 0x2907),
    ("dict_index", 0x2906),
];

/// One abbreviation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Abbrev {
    pub(crate) number: u16,
    pub(crate) tag: u16,
    pub(crate) children: bool,
    /// Attributes and forms.
    pub(crate) attributes: Vec<(u16, u16)>,
}

/// The abbreviations of a release, for DWARF 5 or earlier, for darwin or another system.
pub(crate) fn abbrevs(minor: u16, dwarf5: bool, darwin: bool) -> Vec<Abbrev> {
    let form = |name: &str| match name {
        "lo" if dwarf5 => 0x1b,
        "lo" => 0x01,
        "hi" if dwarf5 => 0x0f,
        "hi" => 0x01,
        "line" if darwin => 0x06,
        "line" | "udata" => 0x0f,
        "string" => 0x08,
        "block1" => 0x0a,
        "data1" => 0x0b,
        "flag" => 0x0c,
        "sdata" => 0x0d,
        "data4" => 0x06,
        "ref_addr" => 0x10,
        _ => 0x17,
    };
    let mut abbrevs = Vec::new();
    let mut number = 0;
    for row in ROWS.lines() {
        let mut words = row.split(' ');
        let (releases, jump) = split(words.next().unwrap_or_default(), '=');
        if !within(releases, minor) {
            continue;
        }
        number = jump.parse().unwrap_or(number + 1);
        let tag = words.next().unwrap_or_default();
        let attribute = |word: &str| {
            let (name, rest) = split(word, ':');
            let (form_name, releases) = split(rest, '@');
            (releases.is_empty() || within(releases, minor)).then(|| (named(name), form(form_name)))
        };
        abbrevs.push(Abbrev {
            number,
            tag: named(tag.trim_end_matches('+')),
            children: tag.ends_with('+'),
            attributes: words.filter_map(attribute).collect(),
        });
    }
    abbrevs
}

fn split(text: &str, at: char) -> (&str, &str) {
    text.split_once(at).unwrap_or((text, ""))
}

/// Whether `12-` or `12-22` holds a release.
fn within(releases: &str, minor: u16) -> bool {
    let (from, to) = split(releases, '-');
    from.parse().is_ok_and(|from: u16| from <= minor) && to.parse().map_or(true, |to: u16| minor <= to)
}

fn named(name: &str) -> u16 {
    NAMES.iter().find(|(known, _)| *known == name).map_or(0, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_move_with_releases() {
        let parameter = |minor| {
            let all = abbrevs(minor, false, false);
            all.iter()
                .filter(|a| a.tag == 0x05 && a.attributes.len() == 5)
                .map(|a| a.number)
                .collect::<Vec<_>>()
        };
        assert_eq!(parameter(12), [15, 16]);
        assert_eq!(parameter(20), [17, 18]);
        assert_eq!(parameter(23), [44, 45]);
        assert_eq!(parameter(27), [45, 46]);
    }

    #[test]
    fn every_name_is_known() {
        for minor in [12, 17, 22, 23, 27] {
            for abbrev in abbrevs(minor, true, true) {
                assert!(
                    abbrev.tag != 0 && abbrev.attributes.iter().all(|(name, _)| *name != 0),
                    "{abbrev:?}"
                );
            }
        }
    }

    #[test]
    fn forms_differ_by_format() {
        let function = |dwarf5, darwin| {
            let all = abbrevs(27, dwarf5, darwin);
            all.iter()
                .find(|a| a.tag == 0x1d)
                .map(|a| a.attributes.iter().map(|(_, form)| *form).collect::<Vec<_>>())
        };
        assert_eq!(function(false, true), Some(vec![0x10, 0x01, 0x01, 0x06, 0x06]));
        assert_eq!(function(true, false), Some(vec![0x10, 0x1b, 0x0f, 0x06, 0x0f]));
    }
}
