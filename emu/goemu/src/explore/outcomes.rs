//! Outcomes of many runs: which there were, how often, and the first run of each. As JSON they can be put together again.

use serde_json::{Value as Json, json};

use super::seen::{Seen, SeenKind};
use crate::program::Strategy;

/// Kinds of outcomes that are kept; what is new after that is counted only.
const MOST: usize = 1000;

/// A run: what everything in it follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId {
    /// The seed.
    pub seed: u64,
    /// What decided which thread ran.
    pub strategy: Strategy,
}

/// What came of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcomes {
    /// How many runs there were.
    pub runs: u64,
    /// Runs in which something failed.
    pub failed: u64,
    /// Instructions of all runs.
    pub instructions: u64,
    /// What was seen; failures first, then by how often.
    pub list: Vec<Distinct>,
    /// Outcomes that were not kept, because there were too many different ones.
    pub dropped: u64,
}

/// Something that was seen in runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Distinct {
    /// It, in the first of them.
    pub seen: Seen,
    /// In how many runs.
    pub count: u64,
    /// The one of them with the smallest seed.
    pub first: RunId,
}

impl Outcomes {
    /// Counts what was seen in a run.
    pub(super) fn add(&mut self, id: &RunId, seen: Vec<Seen>, instructions: u64) {
        // What an interrupt has ended was not a whole run.
        if seen.iter().any(|seen| seen.kind == SeenKind::Fault && seen.key == "interrupted") {
            return;
        }
        self.runs += 1;
        self.instructions = self.instructions.saturating_add(instructions);
        self.failed += u64::from(seen.iter().any(|seen| seen.kind.is_failure()));
        for seen in seen {
            self.put(Distinct { seen, count: 1, first: id.clone() });
        }
        self.sort();
    }

    fn put(&mut self, new: Distinct) {
        let same = |old: &Distinct| old.seen.key == new.seen.key && old.seen.kind == new.seen.kind;
        match self.list.iter().position(same) {
            Some(at) => {
                let old = &mut self.list[at];
                old.count += new.count;
                if new.first.seed < old.first.seed {
                    (old.first, old.seen) = (new.first, new.seen);
                }
            }
            None if self.list.len() < MOST => self.list.push(new),
            None => self.dropped += new.count,
        }
    }

    fn sort(&mut self) {
        self.list
            .sort_by_key(|one| (!one.seen.kind.is_failure(), std::cmp::Reverse(one.count), one.first.seed));
    }

    /// Tells runs that ended well with another output than most from those.
    pub(super) fn name_outputs(&mut self) {
        let passed = |one: &Distinct| matches!(one.seen.kind, SeenKind::Passed | SeenKind::Output);
        let most = self
            .list
            .iter()
            .filter(|one| passed(one))
            .max_by_key(|one| (one.count, std::cmp::Reverse(one.first.seed)));
        let Some(usual) = most.map(|one| one.seen.key.clone()) else { return };
        for one in self.list.iter_mut().filter(|one| passed(one)) {
            let is_usual = one.seen.key == usual;
            one.seen.kind = if is_usual { SeenKind::Passed } else { SeenKind::Output };
            one.seen.what =
                if is_usual { "exit status 0" } else { "exit status 0, with another output" }.to_owned();
        }
        self.sort();
    }

    /// Counts another output than the usual one as a failure.
    pub fn fail_outputs(&mut self) {
        for one in self.list.iter_mut().filter(|one| one.seen.kind == SeenKind::Output) {
            one.seen.kind = SeenKind::Differs;
            self.failed += one.count;
        }
        self.sort();
    }

    /// The failures among them.
    pub fn failures(&self) -> impl Iterator<Item = &Distinct> {
        self.list.iter().filter(|one| one.seen.kind.is_failure())
    }

    /// Puts those of other runs of the same program to these.
    pub fn merge(&mut self, others: Outcomes) {
        self.runs += others.runs;
        self.failed += others.failed;
        self.instructions = self.instructions.saturating_add(others.instructions);
        self.dropped += others.dropped;
        for mut one in others.list {
            // Which output is the usual one is decided anew.
            if one.seen.kind == SeenKind::Output {
                one.seen.kind = SeenKind::Passed;
            }
            self.put(one);
        }
        self.name_outputs();
        self.sort();
    }

    /// All of it as an object.
    #[must_use]
    pub fn json(&self) -> Json {
        let one = |one: &Distinct| {
            json!({
                "kind": one.seen.kind.word(),
                "key": one.seen.key,
                "what": one.seen.what,
                "stacks": one.seen.stacks,
                "count": one.count,
                "failure": one.seen.kind.is_failure(),
                "seed": one.first.seed,
                "strategy": one.first.strategy.to_string(),
            })
        };
        json!({
            "runs": self.runs,
            "failed": self.failed,
            "instructions": self.instructions,
            "dropped": self.dropped,
            "outcomes": self.list.iter().map(one).collect::<Json>(),
        })
    }

    /// Those of an object that [`Outcomes::json`] has made.
    ///
    /// # Errors
    /// What is missing in it, or not understood.
    pub fn of_json(json: &Json) -> Result<Outcomes, String> {
        let number =
            |of: &Json, name: &str| of[name].as_u64().ok_or_else(|| format!("there is no number {name:?}"));
        let text = |of: &Json, name: &str| {
            of[name].as_str().map(str::to_owned).ok_or_else(|| format!("there is no text {name:?}"))
        };
        let one = |of: &Json| {
            let kind = SeenKind::of_word(&text(of, "kind")?).ok_or("there is a kind that is not known")?;
            let mut seen = Seen::new(kind, text(of, "key")?, text(of, "what")?);
            seen.stacks = text(of, "stacks")?;
            let first = RunId { seed: number(of, "seed")?, strategy: text(of, "strategy")?.parse()? };
            Ok::<Distinct, String>(Distinct { seen, count: number(of, "count")?, first })
        };
        let list = json["outcomes"].as_array().ok_or("there are no \"outcomes\"")?;
        Ok(Outcomes {
            runs: number(json, "runs")?,
            failed: number(json, "failed")?,
            instructions: number(json, "instructions")?,
            dropped: number(json, "dropped")?,
            list: list.iter().map(one).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(runs: &[(u64, SeenKind, &str)]) -> Outcomes {
        let mut all = Outcomes::default();
        for &(seed, kind, key) in runs {
            all.add(&RunId { seed, strategy: Strategy::Random }, vec![Seen::new(kind, key, key)], 10);
        }
        all.name_outputs();
        all
    }

    #[test]
    fn shards_put_together_are_the_whole() {
        let runs = [
            (1, SeenKind::Passed, "a"),
            (2, SeenKind::Panicked, "p"),
            (3, SeenKind::Passed, "b"),
            (4, SeenKind::Passed, "b"),
            (5, SeenKind::Panicked, "p"),
        ];
        let whole = outcomes(&runs);
        let (one, two) = (outcomes(&runs[..3]), outcomes(&runs[3..]));
        let mut merged = Outcomes::of_json(&two.json()).unwrap();
        merged.merge(Outcomes::of_json(&one.json()).unwrap());
        assert_eq!(merged, whole);
        assert_eq!(whole.list[0].first.seed, 2);
        assert_eq!(whole.list[1].seen.key, "b");
        assert_eq!(whole.list[2].seen.kind, SeenKind::Output);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert!(Outcomes::of_json(&json!({})).is_err());
        assert!(Outcomes::of_json(&json!({"runs": 1, "outcomes": [{"kind": "?"}]})).is_err());
    }
}
