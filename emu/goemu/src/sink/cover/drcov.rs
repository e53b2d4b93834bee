//! Coverage by blocks: the format of DynamoRIO's drcov, which Lighthouse, bncov and Cartographer read.

use std::io::{self, Write};

use goemu_loader::Image;

use super::{Block, Blocks};

/// Bytes that one entry of the table can say.
const MAX_BLOCK: u64 = u16::MAX as u64;

impl Blocks {
    /// Writes a drcov file, version 2: each block once, with its offset from the program's lowest address.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_drcov(&self, image: &Image, to: &mut impl Write) -> io::Result<()> {
        let segments = image.segments();
        let base = segments.iter().map(|segment| segment.addr).min().unwrap_or(0);
        let end =
            segments.iter().map(|segment| segment.addr.saturating_add(segment.mem_size)).max().unwrap_or(0);
        let path = image.path().map_or_else(|| "demo".into(), |path| path.to_string_lossy());
        let blocks: Vec<_> = self.0.iter().flat_map(|block| entries(block, base)).collect();
        writeln!(to, "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov")?;
        writeln!(to, "Module Table: version 2, count 1")?;
        writeln!(to, "Columns: id, base, end, entry, checksum, timestamp, path")?;
        let entry = image.entry().unwrap_or(0);
        writeln!(to, " 0, {base:#018x}, {end:#018x}, {entry:#018x}, 0x00000000, 0x00000000, {path}")?;
        writeln!(to, "BB Table: {} bbs", blocks.len())?;
        for (start, size) in blocks {
            to.write_all(&start.to_le_bytes())?;
            to.write_all(&size.to_le_bytes())?;
            to.write_all(&0_u16.to_le_bytes())?;
        }
        to.flush()
    }
}

/// A block as entries: offset and size. Code that is not the program's has none.
fn entries(block: &Block, base: u64) -> impl Iterator<Item = (u32, u16)> + use<> {
    let Block { start, end, .. } = *block;
    (start..end).step_by(MAX_BLOCK as usize).filter_map(move |at| {
        let offset = u32::try_from(at.checked_sub(base)?).ok()?;
        Some((offset, u16::try_from((end - at).min(MAX_BLOCK)).ok()?))
    })
}
