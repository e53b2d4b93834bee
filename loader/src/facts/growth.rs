//! How slices grow, and the sizes that the allocator rounds up to: capacities are visible to programs.
//!
//! Go sources: `runtime/slice.go` (`growslice`, `nextslicecap`), `runtime/sizeclasses.go`, `runtime/msize.go`.

/// Sizes of small objects, without the 24 that Go 1.16 added.
const SIZES: [u64; 66] = [
    8, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416,
    448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200,
    3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336,
    16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
];
const PAGE: u64 = 8192;
/// Objects with pointers that are larger than this have a word in front of them (Go 1.22 and later).
const HEADER_ABOVE: u64 = 512;
const HEADER: u64 = 8;

/// The rules of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    minor: u16,
}

impl Growth {
    /// The rules of a release.
    pub fn of(minor: u16) -> Growth {
        Growth { minor }
    }

    /// The capacity that a slice gets that has to hold `needed` elements, before rounding. Up to Go 1.17 small
    /// slices double up to 1024 elements; since then growth slows down from 256 on.
    pub fn capacity(self, len: u64, cap: u64, needed: u64) -> u64 {
        if needed > cap.saturating_mul(2) {
            return needed;
        }
        let (small, measure) = if self.minor >= 18 { (256, cap) } else { (1024, len) };
        if measure < small {
            return cap.saturating_mul(2);
        }
        let mut grown = cap;
        while grown < needed {
            let step = if self.minor >= 18 { grown.saturating_add(3 * small) >> 2 } else { grown / 4 };
            grown = grown.saturating_add(step.max(1));
        }
        grown
    }

    /// The sizes of small objects, the first of which is none.
    pub fn sizes(self) -> impl Iterator<Item = u64> {
        let added = (self.minor >= 16).then_some(24);
        [0, 8, 16].into_iter().chain(added).chain(SIZES.into_iter().skip(2))
    }

    /// The bytes of an object of `size` bytes that its program can use (`roundupsize`).
    pub fn rounded(self, size: u64, has_pointers: bool) -> u64 {
        let (taken, header) = self.with_header(size, has_pointers);
        taken - header
    }

    /// The bytes that an object of `size` bytes takes of the allocator's memory.
    pub fn taken(self, size: u64, has_pointers: bool) -> u64 {
        self.with_header(size, has_pointers).0
    }

    /// The bytes of an object, and those of them that say where its pointers are.
    fn with_header(self, size: u64, has_pointers: bool) -> (u64, u64) {
        let header = if self.minor >= 22 && has_pointers && size > HEADER_ABOVE { HEADER } else { 0 };
        let asked = size.saturating_add(header);
        if self.minor >= 16 && (17..=24).contains(&asked) {
            return (24, 0);
        }
        match SIZES.iter().find(|class| **class >= asked) {
            Some(class) => (*class, header),
            None => (size.checked_next_multiple_of(PAGE).unwrap_or(size), 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities() {
        assert_eq!(Growth::of(15).capacity(5, 5, 6), 10);
        assert_eq!(Growth::of(15).capacity(1024, 1024, 1025), 1280);
        assert_eq!(Growth::of(27).capacity(512, 512, 513), 832);
        assert_eq!(Growth::of(27).capacity(0, 0, 3), 3);
    }

    #[test]
    fn sizes() {
        assert_eq!([5, 24, 33, 0].map(|size| Growth::of(15).rounded(size, false)), [8, 32, 48, 8]);
        assert_eq!(Growth::of(16).rounded(24, false), 24);
        assert_eq!([1024, 1025].map(|size| Growth::of(27).rounded(size, true)), [1144, 1144]);
        assert_eq!(Growth::of(27).rounded(40_000, false), 40_960);
    }
}
