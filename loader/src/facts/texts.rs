//! Texts that the runtime of every program has since some release, for programs that do not say which built them.

/// A text, and the first release (minor version) whose runtime has it.
const TEXTS: [(&str, u16); 4] = [
    ("page trace flush", 22),
    ("ts set in timer", 23),
    ("synctest.Run", 24),
    ("GOMAXPROCS updater (idle)", 25),
];

/// Which of the texts a program has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts([bool; TEXTS.len()]);

impl Texts {
    pub(crate) fn of(bytes: &[u8]) -> Texts {
        Texts(TEXTS.map(|(text, _)| bytes.windows(text.len()).any(|part| part == text.as_bytes())))
    }

    /// How many of them a release of this minor version would not have, or would have beside these.
    pub(crate) fn differ(self, minor: u16) -> usize {
        let expected = TEXTS.map(|(_, since)| minor >= since);
        self.0.iter().zip(expected).filter(|(has, expected)| **has != *expected).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_has_the_texts_since_its_own() {
        for minor in [15, 21, 22, 23, 24, 25, 26, 27] {
            let path = format!("{}/../target/fixtures/corpus-go1.{minor}", env!("CARGO_MANIFEST_DIR"));
            let kept = format!("{}/../testdata/bin/corpus-go1.{minor}", env!("CARGO_MANIFEST_DIR"));
            // Those that are not checked in are built for continuous integration.
            let Ok(bytes) = std::fs::read(kept).or_else(|_| std::fs::read(path)) else { continue };
            assert_eq!(Texts::of(&bytes).differ(minor), 0, "Go 1.{minor}");
        }
    }
}
