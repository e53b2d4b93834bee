//! What the functions of Go's library take and give: public facts, which programs without debug information keep the names of.
//!
//! `cargo xtask library` writes the table from the sources of Go: blocks of text, compressed each for itself, so that
//! only those are read that hold a package which is asked for.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;
use std::sync::OnceLock;

use flate2::read::ZlibDecoder;

/// A line `PACKAGE LENGTH` for each block, with its first package, an empty line, and the blocks.
///
/// A block has a line `=PACKAGE` before the lines of a package, `NAME<TAB>SIGNATURE` for functions and `:NAME<TAB>TYPE` for
/// types; a third column has the releases, `21-24`, where others have another signature.
static TABLE: &[u8] = include_bytes!("library/table.bin");

/// What was read of the table so far.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    blocks: OnceLock<Vec<Block>>,
}

/// Some packages.
#[derive(Debug)]
struct Block {
    first: &'static str,
    packed: &'static [u8],
    lines: OnceLock<Lines>,
}

/// The lines of a block by the full names of what they are about.
#[derive(Debug, Default)]
struct Lines {
    text: String,
    by_name: HashMap<String, Vec<Line>>,
}

/// One line: where its text is, and the releases that it is of.
#[derive(Debug)]
struct Line {
    text: Range<usize>,
    releases: Option<(u16, u16)>,
}

impl Memory {
    /// The parameters and results of a function or method, without its receiver: `(s string, substr string) int`.
    pub(crate) fn func(&self, name: &str, release: u16) -> Option<&str> {
        self.find(package(name)?, name, release)
    }

    /// What a named type is underneath; structs are not in the table.
    pub(crate) fn ty(&self, name: &str, release: u16) -> Option<&str> {
        self.find(package(name)?, &format!(":{name}"), release)
    }

    fn find(&self, package: &str, key: &str, release: u16) -> Option<&str> {
        let blocks = self.blocks.get_or_init(|| blocks(TABLE));
        let at = blocks.partition_point(|block| block.first <= package).checked_sub(1)?;
        let lines = blocks.get(at)?;
        let lines = lines.lines.get_or_init(|| Lines::unpack(lines.packed));
        let holds = |line: &&Line| line.releases.is_none_or(|(from, to)| (from..=to).contains(&release));
        lines.text.get(lines.by_name.get(key)?.iter().find(holds)?.text.clone())
    }
}

/// The package of a name.
pub(crate) fn package(name: &str) -> Option<&str> {
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = name.get(last..)?.find('.')?;
    name.get(..last + dot)
}

fn blocks(table: &'static [u8]) -> Vec<Block> {
    let end = table.windows(2).position(|two| two == b"\n\n").unwrap_or(0);
    let header = table.get(..end).and_then(|header| std::str::from_utf8(header).ok()).unwrap_or_default();
    let mut rest = table.get(end + 2..).unwrap_or_default();
    let mut blocks = Vec::new();
    for (first, len) in header.lines().filter_map(|line| line.split_once(' ')) {
        let Some((packed, after)) = len.parse().ok().and_then(|len| rest.split_at_checked(len)) else {
            break;
        };
        blocks.push(Block { first, packed, lines: OnceLock::new() });
        rest = after;
    }
    blocks
}

impl Lines {
    fn unpack(packed: &[u8]) -> Lines {
        let mut lines = Lines::default();
        // The table is part of the program: it can be read, or a test fails.
        if ZlibDecoder::new(packed).read_to_string(&mut lines.text).is_err() {
            lines.text.clear();
        }
        let mut package = "";
        let mut at = 0;
        for line in lines.text.lines() {
            let start = at;
            at += line.len() + 1;
            if let Some(name) = line.strip_prefix('=') {
                package = name;
                continue;
            }
            let mut columns = line.split('\t');
            let (Some(name), Some(text)) = (columns.next(), columns.next()) else { continue };
            let key = match name.strip_prefix(':') {
                Some(name) => format!(":{package}.{name}"),
                None => format!("{package}.{name}"),
            };
            let start = start + name.len() + 1;
            let releases = columns.next().and_then(|span| span.split_once('-'));
            let releases = releases.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            lines.by_name.entry(key).or_default().push(Line { text: start..start + text.len(), releases });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_can_be_read() {
        let memory = Memory::default();
        assert_eq!(memory.func("strings.Index", 27), Some("(s string, substr string) int"));
        assert_eq!(memory.func("strings.(*Builder).Grow", 15), Some("(n int)"));
        assert_eq!(memory.ty("time.Duration", 21), Some("int64"));
        assert_eq!(memory.func("strings.Nothing", 27), None);
        assert_eq!(memory.func("main.main", 27), None);
        assert_eq!(memory.func("zzz.z", 27), None);
        assert_eq!(memory.func("", 27), None);
        let blocks = memory.blocks.get().unwrap();
        assert!(blocks.len() > 10, "{}", blocks.len());
        let size: usize = blocks.iter().map(|block| block.packed.len()).sum();
        assert!(size < 200_000, "{size} bytes");
        for block in blocks {
            let lines = Lines::unpack(block.packed);
            assert!(!lines.by_name.is_empty(), "{}", block.first);
            let first = lines.text.lines().next().unwrap();
            assert_eq!(first, format!("={}", block.first));
        }
    }
}
