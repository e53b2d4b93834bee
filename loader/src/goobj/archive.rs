//! Archives (`!<arch>`), as the compiler and `go tool pack` write them: members one behind the other, each with a
//! header of text.

use crate::{LoadError, bytes};

const MAGIC: &[u8] = b"!<arch>\n";
/// Size of a member's header: name 16, date 12, owner 6, group 6, mode 8, size 10, mark 2.
const HEADER: u64 = 60;

/// A file in an archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
    /// Where the bytes are in the archive.
    pub(super) offset: u64,
}

pub(super) fn is(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

/// The members in order.
pub(super) fn members(file: &[u8]) -> Result<Vec<Member<'_>>, LoadError> {
    let mut members = Vec::new();
    let mut at = MAGIC.len() as u64;
    while at < file.len() as u64 {
        let malformed = |what| LoadError::Malformed { what, offset: at };
        let header = bytes::slice(file, at, HEADER)
            .ok_or_else(|| malformed("archive: expected the header of a member"))?;
        let text =
            |range| bytes::text(header.get::<std::ops::Range<usize>>(range).unwrap_or_default()).trim_end();
        if !header.ends_with(b"`\n") {
            return Err(malformed("archive: expected a member's header to end in a grave accent"));
        }
        let size: u64 =
            text(48..58).parse().map_err(|_| malformed("archive: expected the size of a member"))?;
        let offset = at + HEADER;
        let end = offset.saturating_add(size);
        let Some(bytes) = bytes::slice(file, offset, size) else {
            return Err(LoadError::Truncated {
                what: "a member of the archive".to_owned(),
                end,
                len: file.len() as u64,
            });
        };
        members.push(Member { name: text(0..16).trim_end_matches('/'), bytes, offset });
        at = end.saturating_add(end & 1);
    }
    Ok(members)
}
