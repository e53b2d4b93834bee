//! What speaks for the types of one parameter.

use super::memory::Known;

/// How much a reason weighs.
#[derive(Clone, Copy)]
pub(super) enum Weight {
    /// Code says so whose types are known.
    Known = 8,
    /// It is kept where a value of that type is.
    Kept = 6,
    /// A caller has such a value.
    Caller = 5,
    /// A function is called with it of which the same is guessed.
    Guessed = 3,
    /// It is compared with such a value.
    Compared = 2,
    /// Values of other types are converted to this one without any instruction.
    Vague = 1,
}

/// What speaks for a type.
struct Vote {
    name: String,
    known: Option<Known>,
    weight: u32,
    why: String,
    strongest: u32,
}

/// What speaks for each type.
#[derive(Default)]
pub(super) struct Votes(Vec<Vote>);

impl Votes {
    pub(super) fn add(
        &mut self,
        name: String,
        known: Option<Known>,
        weight: Weight,
        why: impl FnOnce() -> String,
    ) {
        let vague = matches!(name.as_str(), "unsafe.Pointer" | "uintptr");
        let weight = if vague { Weight::Vague } else { weight } as u32;
        match self.0.iter_mut().find(|vote| vote.name == name) {
            Some(vote) => {
                vote.weight += weight;
                if weight > vote.strongest {
                    (vote.strongest, vote.why) = (weight, why());
                }
            }
            None => self.0.push(Vote { name, known, weight, why: why(), strongest: weight }),
        }
    }

    /// The type that most speaks for, of those that may be.
    pub(super) fn best(
        self,
        may_be: impl Fn(&str, Option<&Known>) -> bool,
    ) -> Option<(String, Option<Known>, String)> {
        let fit = self.0.into_iter().filter(|vote| may_be(&vote.name, vote.known.as_ref()));
        // Of the same weight, the first one.
        let best = fit.reduce(|best, vote| if vote.weight > best.weight { vote } else { best })?;
        Some((best.name, best.known, best.why))
    }
}
