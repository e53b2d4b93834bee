//! Strategies by name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Decision;

/// How the threads of a started program take turns. All but the first and the last follow from the seed.
///
/// ```
/// use goemu::program::Strategy;
///
/// let strategy: Strategy = "pct:3/40000".parse()?;
/// assert_eq!(strategy, Strategy::Pct { depth: 3, length: 40_000 });
/// assert_eq!(strategy.to_string(), "pct:3/40000");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// Each runs until it waits, or for a million instructions while others can run. The next one is the next in order.
    #[default]
    Turns,
    /// Each runs for a random number of instructions, whose mean a run draws once; then any other.
    Random,
    /// Probabilistic concurrency testing: threads have random priorities, and the first of them runs. At `depth - 1` random points
    /// the running one becomes the last.
    Pct {
        /// How many decisions a failure may need, one more than points.
        depth: u32,
        /// Instructions among which the points are drawn, counted while more than one thread can run; 0: not known.
        length: u64,
    },
    /// As in a replay without decisions, but that at random points the running thread is delayed: from a microsecond to 65 milliseconds.
    Delay {
        /// Points.
        delays: u32,
        /// As in `Pct`.
        length: u64,
    },
    /// These decisions. Between them a thread runs until it waits, and threads that look for work find it before others go on.
    Replay(Arc<[Decision]>),
}

/// The defaults of a strategy.
const DEPTH: u32 = 3;
const DELAYS: u32 = 2;

impl Strategy {
    /// The same for a run of this length, where the strategy needs one and has none.
    #[must_use]
    pub fn for_length(self, known: u64) -> Strategy {
        match self {
            Strategy::Pct { depth, length: 0 } => Strategy::Pct { depth, length: known },
            Strategy::Delay { delays, length: 0 } => Strategy::Delay { delays, length: known },
            other => other,
        }
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Strategy, String> {
        let (name, numbers) = text.split_once(':').unwrap_or((text, ""));
        let (count, length) = numbers.split_once('/').unwrap_or((numbers, ""));
        let number = |text: &str, default: u64| match text {
            "" => Ok(default),
            text => text.parse().map_err(|_| format!("{text:?} is no number")),
        };
        let count = |default: u32| {
            let count = number(count, u64::from(default))?;
            u32::try_from(count)
                .ok()
                .filter(|count| (1..=1000).contains(count))
                .ok_or("a number from 1 to 1000 is needed".to_owned())
        };
        let length = number(length, 0)?;
        match name {
            "turns" if numbers.is_empty() => Ok(Strategy::Turns),
            "random" if numbers.is_empty() => Ok(Strategy::Random),
            "pct" => Ok(Strategy::Pct { depth: count(DEPTH)?, length }),
            "delay" => Ok(Strategy::Delay { delays: count(DELAYS)?, length }),
            _ => {
                Err("strategies are turns, random, pct[:DEPTH[/LENGTH]] and delay[:DELAYS[/LENGTH]]"
                    .to_owned())
            }
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, count, length) = match self {
            Strategy::Turns => return f.write_str("turns"),
            Strategy::Random => return f.write_str("random"),
            Strategy::Replay(_) => return f.write_str("replay"),
            Strategy::Pct { depth, length } => ("pct", depth, length),
            Strategy::Delay { delays, length } => ("delay", delays, length),
        };
        write!(f, "{name}:{count}")?;
        if *length == 0 { Ok(()) } else { write!(f, "/{length}") }
    }
}
