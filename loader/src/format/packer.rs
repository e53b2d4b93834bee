//! Packers: programs that compress another program inside its file.

use crate::{LoadError, bytes};

/// How far from the start and from the end of a file a packer's mark is looked for.
const PACKER_WINDOW: usize = 4096;

/// The packer of a file that is packed: it may have no Go tables in sight, or headers that no longer fit it.
pub(crate) fn packed(file: &[u8]) -> Option<LoadError> {
    let start = file.get(..PACKER_WINDOW).unwrap_or(file);
    let end = file.len().checked_sub(PACKER_WINDOW).and_then(|start| file.get(start..)).unwrap_or(file);
    let marked = [start, end].iter().any(|part| bytes::find(part, b"UPX!").is_some());
    marked.then_some(LoadError::Packed { packer: "UPX", hint: "upx -d FILE" })
}
