//! Changes of values: those of their types, parts of other inputs, and what they were compared with.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use goemu::Value;
use goemu::testing::Subject;
use goemu::values::Random;
use libafl::Error;
use libafl::corpus::{Corpus, CorpusId};
use libafl::mutators::{MutationResult, Mutator};
use libafl::state::{HasCorpus, HasRand};
use libafl_bolts::Named;
use libafl_bolts::rands::Rand;

use crate::hints::Hints;
use crate::input::Args;

/// Changes one after the other, at most.
const STACKED: usize = 5;

/// Changes arguments.
pub(crate) struct Typed {
    subject: Subject,
    hints: Rc<RefCell<Hints>>,
}

impl Typed {
    pub(crate) fn new(subject: &Subject, hints: Rc<RefCell<Hints>>) -> Typed {
        Typed { subject: subject.clone(), hints }
    }
}

impl Named for Typed {
    fn name(&self) -> &Cow<'static, str> {
        static NAME: Cow<'static, str> = Cow::Borrowed("typed");
        &NAME
    }
}

impl<S: HasRand + HasCorpus<Args>> Mutator<Args, S> for Typed {
    fn mutate(&mut self, state: &mut S, input: &mut Args) -> Result<MutationResult, Error> {
        let mut random = Random::new(state.rand_mut().next());
        if input.0.is_empty() {
            return Ok(MutationResult::Skipped);
        }
        if random.one_in(24) {
            let size = random.below(101);
            input.0 = self.subject.make(&mut random, size);
            return Ok(MutationResult::Mutated);
        }
        if input.0.len() > 1 && random.one_in(12) {
            splice(state, input, &mut random)?;
        }
        for _ in 0..=random.below(STACKED) {
            let hinted = random.one_in(4) && self.hints.borrow().apply(&mut input.0, &mut random);
            if !hinted {
                let size = 1 + random.below(100);
                self.subject.mutate(&mut input.0, &mut random, size);
            }
        }
        // What a hint has made may not be allowed.
        if !self.subject.allows(&input.0) {
            return Ok(MutationResult::Skipped);
        }
        Ok(MutationResult::Mutated)
    }

    fn post_exec(&mut self, _: &mut S, _: Option<CorpusId>) -> Result<(), Error> {
        Ok(())
    }
}

/// Takes one of the arguments from another input.
fn splice<S: HasCorpus<Args>>(state: &S, input: &mut Args, random: &mut Random) -> Result<(), Error> {
    let corpus = state.corpus();
    let Some(id) = corpus.ids().nth(random.below(corpus.count())) else { return Ok(()) };
    let mut other = corpus.get(id)?.borrow_mut();
    let other = other.load_input(corpus)?;
    let at = random.below(input.0.len());
    if let (Some(to), Some(from)) = (input.0.get_mut(at), other.0.get(at)) {
        *to = Value::clone(from);
    }
    Ok(())
}
