//! What a word in a function may be: where it comes from, and the way from there.

use smallvec::SmallVec;

/// Steps that are remembered of the way to a value.
const MAX_STEPS: usize = 4;

/// What a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A value that the code does not make itself, and what was done with it.
    Value(Value),
    /// An address in the program.
    Address(u64),
    Number(u64),
    /// 0 or 1.
    Flag,
}

/// A value, by where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) root: Root,
    pub(super) steps: SmallVec<[Step; 2]>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// The n-th part of all arguments.
    Part(usize),
    /// What the n-th call gives, in the integer register of this number.
    Result(usize, usize),
    /// What is in the package variable at this address.
    Variable(u64),
    /// The closure that runs.
    Closure,
}

/// What is done on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What is there at this offset is read.
    Load(i64),
    /// An element of what is there is read, at this offset in it.
    Elem(i64),
    /// So much is added.
    Add(i64),
    /// A multiple of something is added, and so much.
    Index(i64),
}

impl Value {
    pub(super) fn new(root: Root) -> Value {
        Value { root, steps: SmallVec::new() }
    }

    /// The value that a step leads to; none where that would be too far.
    pub(super) fn then(&self, step: Step) -> Option<Value> {
        let mut next = self.clone();
        let far = next.steps.len() >= MAX_STEPS;
        match (next.steps.last_mut(), step) {
            (_, Step::Add(0)) => {}
            (Some(Step::Add(to) | Step::Index(to)), Step::Add(more)) => *to = to.checked_add(more)?,
            (Some(last @ Step::Add(_)), Step::Load(more)) => {
                let Step::Add(to) = *last else { return None };
                *last = Step::Load(to.checked_add(more)?);
            }
            (Some(last @ Step::Index(_)), Step::Load(more) | Step::Elem(more)) => {
                let Step::Index(to) = *last else { return None };
                *last = Step::Elem(to.checked_add(more)?);
            }
            _ if far => return None,
            (_, step) => next.steps.push(step),
        }
        Some(next)
    }

    /// The word behind this one, where it was read.
    pub(super) fn behind(&self, bytes: i64) -> Option<Value> {
        let mut next = self.clone();
        match next.steps.last_mut()? {
            Step::Load(at) | Step::Elem(at) => *at = at.checked_add(bytes)?,
            _ => return None,
        }
        Some(next)
    }
}

impl Word {
    /// Whether it is 0 or 1.
    pub(super) fn is_flag(&self) -> bool {
        matches!(self, Word::Flag | Word::Number(0 | 1))
    }

    /// The part of an argument that it is, unchanged.
    pub(super) fn part(&self) -> Option<usize> {
        match self {
            Word::Value(Value { root: Root::Part(part), steps }) if steps.is_empty() => Some(*part),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(taken: &[Step]) -> Option<Vec<Step>> {
        let value = taken.iter().try_fold(Value::new(Root::Part(0)), |value, step| value.then(*step))?;
        Some(value.steps.to_vec())
    }

    #[test]
    fn steps_are_put_together() {
        use Step::{Add, Elem, Index, Load};
        assert_eq!(steps(&[Add(0)]), Some(vec![]));
        assert_eq!(steps(&[Add(8), Add(8), Load(16)]), Some(vec![Load(32)]));
        assert_eq!(steps(&[Index(8), Load(8)]), Some(vec![Elem(16)]));
        assert_eq!(steps(&[Load(8), Load(8)]), Some(vec![Load(8), Load(8)]));
        assert_eq!(steps(&[Add(i64::MAX), Load(1)]), None);
        assert_eq!(steps(&[Load(0); MAX_STEPS]).map(|steps| steps.len()), Some(MAX_STEPS));
        assert_eq!(steps(&[Load(0); MAX_STEPS + 1]), None);
    }
}
