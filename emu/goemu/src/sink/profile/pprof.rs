//! The format of pprof: `profile.proto` of github.com/google/pprof.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use goemu_loader::{Frame, Image};
use rustc_hash::FxHashMap;

use super::Counts;
use super::wire::Fields;
use crate::sink::calls::Node;

/// Puts a profile together.
struct Builder<'a> {
    image: &'a Image,
    profile: Fields,
    strings: FxHashMap<String, u64>,
    functions: FxHashMap<(u64, u64), u64>,
    locations: FxHashMap<u64, u64>,
    /// The locations of calls, innermost first.
    stacks: FxHashMap<Node, Vec<u64>>,
}

/// Numbers of fields, by message.
mod field {
    pub(super) mod profile {
        pub(crate) const SAMPLE_TYPE: u32 = 1;
        pub(crate) const SAMPLE: u32 = 2;
        pub(crate) const MAPPING: u32 = 3;
        pub(crate) const LOCATION: u32 = 4;
        pub(crate) const FUNCTION: u32 = 5;
        pub(crate) const STRING_TABLE: u32 = 6;
        pub(crate) const DEFAULT_SAMPLE_TYPE: u32 = 14;
    }
    pub(super) mod value_type {
        pub(crate) const TYPE: u32 = 1;
        pub(crate) const UNIT: u32 = 2;
    }
    pub(super) mod sample {
        pub(crate) const LOCATION_ID: u32 = 1;
        pub(crate) const VALUE: u32 = 2;
    }
    pub(super) mod mapping {
        pub(crate) const ID: u32 = 1;
        pub(crate) const MEMORY_START: u32 = 2;
        pub(crate) const MEMORY_LIMIT: u32 = 3;
        pub(crate) const FILENAME: u32 = 5;
        /// Functions, file names, line numbers, inlined frames.
        pub(crate) const HAS: [u32; 4] = [7, 8, 9, 10];
    }
    pub(super) mod location {
        pub(crate) const ID: u32 = 1;
        pub(crate) const MAPPING_ID: u32 = 2;
        pub(crate) const ADDRESS: u32 = 3;
        pub(crate) const LINE: u32 = 4;
    }
    pub(super) mod line {
        pub(crate) const FUNCTION_ID: u32 = 1;
        pub(crate) const LINE: u32 = 2;
    }
    pub(super) mod function {
        pub(crate) const ID: u32 = 1;
        pub(crate) const NAME: u32 = 2;
        pub(crate) const SYSTEM_NAME: u32 = 3;
        pub(crate) const FILENAME: u32 = 4;
    }
}

/// Writes what was counted.
pub(super) fn write(counts: &Counts, image: &Image, to: impl Write) -> io::Result<()> {
    let mut to = GzEncoder::new(to, Compression::default());
    to.write_all(&profile(counts, image))?;
    to.finish()?.flush()
}

fn profile(counts: &Counts, image: &Image) -> Vec<u8> {
    let mut builder = Builder {
        image,
        profile: Fields::default(),
        strings: FxHashMap::default(),
        functions: FxHashMap::default(),
        locations: FxHashMap::default(),
        stacks: FxHashMap::default(),
    };
    builder.head();
    for ((node, pc), values) in values(counts) {
        let mut places = vec![builder.location(pc)];
        places.extend(builder.stack(counts, node));
        let mut sample = Fields::default();
        sample.numbers(field::sample::LOCATION_ID, &places);
        sample.numbers(field::sample::VALUE, &values.map(|n| n.min(i64::MAX as u64)));
        builder.profile.message(field::profile::SAMPLE, &sample);
    }
    builder.profile.into_bytes()
}

/// All numbers by call and address, in the order of these.
fn values(counts: &Counts) -> Vec<((Node, u64), [u64; 3])> {
    let mut values: FxHashMap<(Node, u64), [u64; 3]> = FxHashMap::default();
    for (&(node, start), &count) in &counts.blocks {
        for &pc in counts.code.get(&start).into_iter().flatten() {
            values.entry((node, pc)).or_default()[0] += count;
        }
    }
    for (&(node, pc), &(objects, bytes)) in &counts.allocated {
        let known = values.entry((node, pc)).or_default();
        (known[1], known[2]) = (known[1] + objects, known[2] + bytes);
    }
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable();
    values
}

impl Builder<'_> {
    fn head(&mut self) {
        self.string("");
        let types = [("instructions", "count"), ("alloc_objects", "count"), ("alloc_space", "bytes")];
        for (ty, unit) in types {
            let mut value = Fields::default();
            value.number(field::value_type::TYPE, self.string(ty));
            value.number(field::value_type::UNIT, self.string(unit));
            self.profile.message(field::profile::SAMPLE_TYPE, &value);
        }
        let default = self.string("instructions");
        self.profile.number(field::profile::DEFAULT_SAMPLE_TYPE, default);
        let path = self.image.path().map_or_else(|| "demo".to_owned(), |path| path.display().to_string());
        let segments = self.image.segments();
        let mut mapping = Fields::default();
        mapping.number(field::mapping::ID, 1);
        mapping.number(field::mapping::MEMORY_START, segments.iter().map(|s| s.addr).min().unwrap_or(0));
        let end = segments.iter().map(|s| s.addr.saturating_add(s.mem_size)).max().unwrap_or(0);
        mapping.number(field::mapping::MEMORY_LIMIT, end);
        mapping.number(field::mapping::FILENAME, self.string(&path));
        field::mapping::HAS.iter().for_each(|has| mapping.number(*has, 1));
        self.profile.message(field::profile::MAPPING, &mapping);
    }

    fn string(&mut self, text: &str) -> u64 {
        if let Some(known) = self.strings.get(text) {
            return *known;
        }
        let at = self.strings.len() as u64;
        self.profile.text(field::profile::STRING_TABLE, text);
        self.strings.insert(text.to_owned(), at);
        at
    }

    fn function(&mut self, frame: &Frame<'_>) -> u64 {
        let name = self.string(frame.func);
        let filename = self.string(frame.line.map_or("", |line| line.file));
        let next = self.functions.len() as u64 + 1;
        let id = *self.functions.entry((name, filename)).or_insert(next);
        if id == next {
            let mut function = Fields::default();
            function.number(field::function::ID, id);
            function.number(field::function::NAME, name);
            function.number(field::function::SYSTEM_NAME, name);
            function.number(field::function::FILENAME, filename);
            self.profile.message(field::profile::FUNCTION, &function);
        }
        id
    }

    fn location(&mut self, pc: u64) -> u64 {
        if let Some(known) = self.locations.get(&pc) {
            return *known;
        }
        let id = self.locations.len() as u64 + 1;
        let mut location = Fields::default();
        location.number(field::location::ID, id);
        location.number(field::location::MAPPING_ID, 1);
        location.number(field::location::ADDRESS, pc);
        for frame in self.image.inlined_at(pc) {
            let mut line = Fields::default();
            line.number(field::line::FUNCTION_ID, self.function(&frame));
            line.number(field::line::LINE, frame.line.map_or(0, |line| line.line.into()));
            location.message(field::location::LINE, &line);
        }
        self.profile.message(field::profile::LOCATION, &location);
        self.locations.insert(pc, id);
        id
    }

    /// The places that a call was made from, innermost first.
    fn stack(&mut self, counts: &Counts, node: Node) -> Vec<u64> {
        if let Some(known) = self.stacks.get(&node) {
            return known.clone();
        }
        let mut sites = Vec::new();
        let mut at = node;
        while let Some((parent, site)) = counts.calls.tree.parent(at) {
            if site != 0 {
                sites.push(self.location(site));
            }
            at = parent;
        }
        self.stacks.insert(node, sites.clone());
        sites
    }
}
