//! Which seeds, how many of them, and for how long.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::number;

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Budget {
    Runs(u64),
    Time(Duration),
}

impl Budget {
    pub(super) fn time(self) -> Option<Duration> {
        match self {
            Budget::Time(time) => Some(time),
            Budget::Runs(_) => None,
        }
    }
}

/// `500`, `10k`, `2m`, `30s`: a number alone is runs, `k` thousands of them; else a time.
pub(super) fn budget(text: &str) -> Result<Budget, String> {
    let runs = text.strip_suffix('k').unwrap_or(text).bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if runs { number::count(text).map(Budget::Runs) } else { number::time(text).map(Budget::Time) }
}

/// `A..B`, both ends in it, or `N` for `1..N`.
pub(super) fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number::count(first)?, number::count(last.trim_start_matches('='))?),
        None => (1, number::count(text)?),
    };
    if first > last { Err("A..B is wanted, where A is not more than B".to_owned()) } else { Ok(first..=last) }
}

/// `K/N`.
pub(super) fn shard(text: &str) -> Result<(u64, u64), String> {
    let numbers = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    numbers
        .filter(|(k, n)| (1..=*n).contains(k))
        .ok_or_else(|| "K/N is wanted, as in 3/8: K from 1 to N".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Budget, budget, seeds, shard};

    #[test]
    fn numbers_of_runs_and_times() {
        assert_eq!(budget("500"), Ok(Budget::Runs(500)));
        assert_eq!(budget("10k"), Ok(Budget::Runs(10_000)));
        assert_eq!(budget("2m"), Ok(Budget::Time(Duration::from_secs(120))));
        assert_eq!((seeds("3..7"), seeds("9")), (Ok(3..=7), Ok(1..=9)));
        assert_eq!(shard("3/8"), Ok((3, 8)));
        assert!(
            seeds("7..3").is_err() && shard("0/8").is_err() && shard("9/8").is_err() && budget("x").is_err()
        );
    }
}
