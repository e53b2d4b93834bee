//! Python functions as arguments: the guest calls them through function values.
//!
//! A place is an address of the machine that calls Python. It holds a function while a call uses it, and until another call takes the
//! place for a function of the same type. After `p.keep()` the guest may have kept the address, and the place stays as it is.

use std::sync::{Arc, Mutex, PoisonError};

use goemu::{Error, Value};
use goemu_loader::{Param, Type};
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;
use pyo3::{PyTraverseError, PyVisit};

use crate::errors;
use crate::hooks::{HookTable, Running, given_results, objects};
use crate::program::Program;

/// One address.
struct Place {
    ty: Arc<Type>,
    /// Where its function is in the table.
    at: usize,
    value: Value,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A call that is prepared or under way has it.
    Used,
    /// The call is over.
    Free,
    /// The guest may have kept it.
    Kept,
}

/// The places of a program.
#[derive(Clone, Default)]
pub(crate) struct Callables {
    table: HookTable,
    places: Arc<Mutex<Vec<Place>>>,
}

/// The places that the arguments of a call have, until it is over.
#[derive(Default)]
pub(crate) struct Holding {
    of: Callables,
    places: Mutex<Vec<usize>>,
}

impl Callables {
    pub(crate) fn hold(&self) -> Holding {
        Holding { of: self.clone(), places: Mutex::default() }
    }

    /// The state that the last call has left is kept.
    pub(crate) fn keep(&self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter_mut().for_each(|place| place.state = State::Kept);
    }

    /// The machine is gone.
    pub(crate) fn clear(&self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.table.clear();
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.table.traverse(visit)
    }

    /// Takes a free place of this type.
    fn reuse(&self, ty: &Type, callable: &Bound<'_, PyAny>) -> Option<(usize, Value)> {
        let (index, at, value) = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            let free = |place: &Place| place.state == State::Free && *place.ty == *ty;
            let index = places.iter().position(free)?;
            let place = places.get_mut(index)?;
            place.state = State::Used;
            (index, place.at, place.value.clone())
        };
        self.table.put(at, callable.clone().unbind());
        Some((index, value))
    }
}

impl Holding {
    /// A function value of this type that calls a Python function.
    pub(crate) fn value(
        &self,
        program: &Bound<'_, Program>,
        ty: &Arc<Type>,
        callable: &Bound<'_, PyAny>,
    ) -> PyResult<Value> {
        let (index, value) = match self.of.reuse(ty, callable) {
            Some(reused) => reused,
            None => self.place(program, ty, callable)?,
        };
        self.places.lock().unwrap_or_else(PoisonError::into_inner).push(index);
        Ok(value)
    }

    fn place(
        &self,
        program: &Bound<'_, Program>,
        ty: &Arc<Type>,
        callable: &Bound<'_, PyAny>,
    ) -> PyResult<(usize, Value)> {
        let (py, own) = (program.py(), program.get());
        let signature = goemu::call::host_function::signature_of(own.image(), ty);
        let unknown = |_| {
            errors::argument(&format!(
                "a Python function cannot be a {ty}: give p.function a sig with func(...) in its place"
            ))
        };
        let results = signature.map_err(unknown)?.results;
        let at = self.of.table.add(callable.clone().unbind());
        let weak = PyWeakrefReference::new(program.as_any())?.unbind();
        let running = Running::new(self.of.table.clone(), at, weak, own.pending.clone(), None);
        let placed = own.with_any(py, |machine| {
            machine.host_function_of(ty, move |cx, args| {
                let given = running.run(
                    cx,
                    |program, call| {
                        let given = call(objects(program, args)?)?;
                        results_of(program, &results, &given).map(Some)
                    },
                    None,
                )?;
                given.ok_or_else(|| Error::Hook("a Python function that is gone".to_owned()))
            })
        });
        let placed = placed.and_then(|placed| placed.map_err(|error| errors::from(py, &error)));
        let value = placed.inspect_err(|_| {
            self.of.table.remove(at);
        })?;
        let mut places = self.of.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.push(Place { ty: Arc::clone(ty), at, value: value.clone(), state: State::Used });
        Ok((places.len() - 1, value))
    }
}

fn results_of(
    program: &Bound<'_, Program>,
    results: &[Param],
    given: &Bound<'_, PyAny>,
) -> PyResult<Vec<Value>> {
    let values = given_results(program.py(), program, results, given)?;
    values.ok_or_else(|| {
        errors::argument("there is no function behind a Python function: goemu.original is for p.replace")
    })
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mine = self.places.get_mut().unwrap_or_else(PoisonError::into_inner);
        if mine.is_empty() {
            return;
        }
        let mut places = self.of.places.lock().unwrap_or_else(PoisonError::into_inner);
        for index in mine.drain(..) {
            if let Some(place) = places.get_mut(index).filter(|place| place.state == State::Used) {
                place.state = State::Free;
            }
        }
    }
}
