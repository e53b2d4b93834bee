//! What goes wrong on purpose in the system of a program.

use std::fmt;
use std::str::FromStr;

/// Faults of a started program's system, where and when follows from the seed. What they do is what a real system may do at any time, and
/// seldom does.
///
/// ```
/// use goemu::machine::{Config, Faults};
///
/// let faults: Faults = "drops,short".parse()?;
/// let config = Config { faults, ..Config::default() };
/// assert_eq!(config.faults.to_string(), "drops,short");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A system call of sockets and pipes in sixteen takes up to 34 milliseconds longer.
    pub delays: bool,
    /// A read or write of a connection in 128 finds it reset, at both ends.
    pub drops: bool,
    /// A read or write in four, of a file, a pipe or a connection, does a part of what was asked.
    pub short: bool,
    /// The file system is full after some bytes that were written, between 64 and 64 Mi.
    pub full: bool,
    /// At a system call in 256 the clock goes on by up to half a second, as where a computer is busy with something else.
    pub clock: bool,
}

/// A field, to be looked at or set.
type Field = fn(&mut Faults) -> &mut bool;

/// The words for them.
const WORDS: [(&str, Field); 5] = [
    ("delays", |faults| &mut faults.delays),
    ("drops", |faults| &mut faults.drops),
    ("short", |faults| &mut faults.short),
    ("full", |faults| &mut faults.full),
    ("clock", |faults| &mut faults.clock),
];

impl Faults {
    /// All of them.
    pub fn all() -> Faults {
        let mut all = Faults::default();
        WORDS.iter().for_each(|(_, field)| *field(&mut all) = true);
        all
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Faults::default()
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Faults, String> {
        let mut faults = Faults::default();
        for word in text.split(',') {
            match WORDS.iter().find(|(other, _)| *other == word.trim()) {
                Some((_, field)) => *field(&mut faults) = true,
                None if word.trim() == "all" => faults = Faults::all(),
                None => return Err("faults are delays, drops, short, full, clock, and all".to_owned()),
            }
        }
        Ok(faults)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut own = *self;
        let words: Vec<&str> =
            WORDS.iter().filter(|(_, field)| *field(&mut own)).map(|(word, _)| *word).collect();
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::Faults;

    #[test]
    fn faults_are_words() {
        assert_eq!("all".parse(), Ok(Faults::all()));
        assert_eq!(Faults::all().to_string(), "delays,drops,short,full,clock");
        assert_eq!("short, full".parse::<Faults>().unwrap().to_string(), "short,full");
        assert!("".parse::<Faults>().is_err() && "fire".parse::<Faults>().is_err());
    }
}
