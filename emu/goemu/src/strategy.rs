//! Random Go values by type, for property tests with proptest (the feature `proptest`): what [`values`](crate::values)
//! makes and shrinks, as a strategy.
//!
//! ```no_run
//! use goemu::strategy::strategy_for;
//! use goemu::{Image, Machine};
//! use proptest::prelude::*;
//!
//! let machine = std::cell::RefCell::new(Machine::new(Image::open("program")?)?);
//! let normalise = machine.borrow().function("main.normalise", None)?;
//! let image = machine.borrow().image().clone();
//! let config = normalise.signature().map(|signature| strategy_for(&signature.params[0].ty, &*image));
//! proptest!(|(config in config.expect("a signature"))| {
//!     let report = normalise.call(&mut machine.borrow_mut(), &[config]).unwrap();
//!     prop_assert_eq!(report.outcome.word(), "returned");
//! });
//! # Ok::<(), goemu::Error>(())
//! ```

use std::sync::Arc;

use goemu_loader::Type;
use proptest::prelude::{BoxedStrategy, Rng as _, Strategy};
use proptest::strategy::{NewTree, ValueTree};
use proptest::test_runner::TestRunner;

use crate::go::guest::Types;
use crate::go::value::Value;
use crate::values::{Fill, Maker, Random};

/// The greatest size of values, see [`Maker::make`].
const SIZE: usize = 60;

/// Values of this type. Parts of it that `types` does not know are nil, or zero.
pub fn strategy_for(ty: &Type, types: &dyn Types) -> BoxedStrategy<Value> {
    strategy_of(Maker::new(ty, types, &Fill::default()))
}

/// The values of a maker, which says more of them than their type does.
pub fn strategy_of(maker: Maker) -> BoxedStrategy<Value> {
    Values { maker: Arc::new(maker) }.boxed()
}

#[derive(Debug)]
struct Values {
    maker: Arc<Maker>,
}

impl Strategy for Values {
    type Tree = Tree;
    type Value = Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Values> {
        let mut random = Random::new(runner.rng().next_u64());
        let size = random.below(SIZE + 1);
        let current = self.maker.make(&mut random, size);
        // What is simpler is asked for when the test has failed.
        let simpler = Vec::new().into_iter();
        Ok(Tree { maker: Arc::clone(&self.maker), failed: current.clone(), current, simpler })
    }
}

/// A value that proptest makes simpler.
struct Tree {
    maker: Arc<Maker>,
    /// The simplest value that the test failed for.
    failed: Value,
    /// What is tried now.
    current: Value,
    /// What is simpler than `failed` and not tried yet.
    simpler: std::vec::IntoIter<Value>,
}

impl ValueTree for Tree {
    type Value = Value;

    fn current(&self) -> Value {
        self.current.clone()
    }

    /// The test failed for the present value.
    fn simplify(&mut self) -> bool {
        self.failed = self.current.clone();
        self.simpler = self.maker.simpler(&self.failed).into_iter();
        self.complicate()
    }

    /// The test passed for the present value: another that is simpler than the last failure, or that one.
    fn complicate(&mut self) -> bool {
        match self.simpler.next() {
            Some(next) => {
                self.current = next;
                true
            }
            None => {
                self.current = self.failed.clone();
                false
            }
        }
    }
}
