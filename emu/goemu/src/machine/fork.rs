//! A second machine in the state that calls start from.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use super::Machine;
use crate::error::Error;
use crate::hook::{Gate, Gated, Hook};
use crate::observe::Observers;

impl Machine {
    /// Another machine with the same program, which starts calls from the same state: initialised packages, kept changes,
    /// the program started, if this machine has it. It may run on another thread, and neither sees what the other does.
    ///
    /// Users' hooks are shared: they are called by both. Observers and coverage stay here. See [`crate::pool`] for many of them at work.
    ///
    /// # Errors
    /// The host may refuse memory.
    pub fn fork(&mut self) -> Result<Machine, Error> {
        self.fork_behind(Gate::default())
    }

    /// The gate is that of the users' hooks, which a machine shares with its program that was started.
    fn fork_behind(&mut self, gate: Gate) -> Result<Machine, Error> {
        self.reset()?;
        let mut guest = self.guest.duplicate()?;
        let start = guest.save();
        let make = self.make_engine.as_ref();
        let engine = make.map_or_else(|| self.config.engine.make(&guest.memory), |make| make());
        let mut forked = Machine {
            guest,
            config: self.config.clone(),
            engine,
            make_engine: self.make_engine.clone(),
            hooks: self.hooks.clone(),
            gate,
            own_hooks: Vec::new(),
            observers: Observers::default(),
            changes: Arc::clone(&self.changes),
            coverage: None,
            of_observer: None,
            os: self.os.fork(),
            call_goroutine: self.call_goroutine,
            return_addr: self.return_addr,
            event_hooks: self.event_hooks,
            events_wanted: self.events_wanted,
            chooses: false,
            breakpoints: HashSet::new(),
            sink: None,
            resets: 0,
            stopping: self.stopping.clone(),
            part: i64::MAX,
            bursts: false,
            allocates: false,
            carried: 0,
            answered: 0,
            start,
            booted: self.booted.clone(),
            packages: self.packages.clone(),
            early: None,
            real: None,
            unstartable: self.unstartable.clone(),
            real_only: self.real_only.clone(),
            reading: self.reading,
            own_start: self.own_start,
            shown_stack: self.shown_stack,
            sigpanic: OnceCell::new(),
        };
        forked.take_hooks(&self.own_hooks);
        if let Some(real) = &mut self.real {
            let mut real = real.fork_behind(forked.gate.clone())?;
            real.exchange_hooks(&self.own_hooks, &forked.own_hooks);
            forked.real = Some(Box::new(real));
        }
        if forked.guest.world.guarded {
            forked.bar_variables();
        }
        forked.mind_observers();
        forked.set_stops();
        Ok(forked)
    }

    /// Puts users' hooks of another machine behind the gate of this one, in their places.
    fn take_hooks(&mut self, others: &[(u64, Arc<Gated>)]) {
        let gate = &self.gate;
        let own = |(addr, other): &(u64, Arc<Gated>)| {
            let (hook, instead) = (Arc::clone(&other.hook), other.instead.clone());
            (*addr, Arc::new(Gated { hook, instead, gate: gate.clone() }))
        };
        let own: Vec<_> = others.iter().map(own).collect();
        self.exchange_hooks(others, &own);
        self.own_hooks = own;
    }

    fn exchange_hooks(&mut self, old: &[(u64, Arc<Gated>)], new: &[(u64, Arc<Gated>)]) {
        for ((addr, old), (_, new)) in old.iter().zip(new) {
            let (old, new): (Arc<dyn Hook>, Arc<dyn Hook>) = (Arc::clone(old) as _, Arc::clone(new) as _);
            self.hooks.exchange(*addr, &old, &new);
        }
    }
}
