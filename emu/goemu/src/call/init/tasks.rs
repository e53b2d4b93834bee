//! Where a program keeps its initialisation tasks, and what they say.
//!
//! Nothing is found by the name of a variable, since stripping takes those: the runtime's tasks, and up to Go 1.20
//! those of the packages, are found as operands of `runtime.main`, which runs them and which the function table marks.

use std::collections::HashSet;

use goemu_loader::{Image, Table};
use iced_x86::{Decoder, DecoderOptions, Mnemonic};

use super::named;
use crate::error::Error;
use crate::go::names::{self, single};
use crate::memory::Memory;

/// More tasks, functions or dependencies than any program has.
const MANY: u64 = 1 << 16;

/// The initialisation of one package.
#[derive(Debug)]
pub(super) struct Task {
    /// Address of its state; none before Go 1.13.
    pub(super) state: Option<u64>,
    /// Entries of the functions to call, in order.
    pub(super) functions: Vec<u64>,
    /// Addresses of the tasks that go before (Go 1.13 to 1.20).
    needs: Vec<u64>,
}

/// What has not run yet, in order.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    pub(super) runtime: Vec<Task>,
    pub(super) packages: Vec<Task>,
    /// Whether the runtime's have run, as in a dump of a process.
    pub(super) started: bool,
}

impl Tasks {
    pub(super) fn of(image: &Image, memory: &Memory) -> Result<Tasks, Error> {
        let finder = Finder { image, memory };
        if image.is_linked_here() {
            return Ok(Tasks { packages: finder.of_objects(), ..Tasks::default() });
        }
        let found = match (image.facts().inittask.state, image.module().and_then(|module| module.inittasks)) {
            (None, _) => finder.functions(),
            (Some(_), Some(table)) => finder.ordered(table),
            (Some(_), None) => finder.linked(),
        };
        let missing =
            || Error::Unsupported { what: "initialising a program without tasks".to_owned(), caller: None };
        let mut tasks = found.ok_or_else(missing)?;
        // The packages' list has the runtime's, too.
        let before: HashSet<_> = tasks.runtime.iter().map(|task| task.state).collect();
        tasks.packages.retain(|task| !before.contains(&task.state));
        Ok(tasks)
    }
}

struct Finder<'a> {
    image: &'a Image,
    memory: &'a Memory,
}

impl Finder<'_> {
    /// Of object files: the tasks that they define, each behind those that it needs; up to Go 1.12 the function of
    /// package main. What no object defines is not waited for, and there may be nothing to do.
    fn of_objects(&self) -> Vec<Task> {
        if self.image.facts().inittask.state.is_none() {
            return self.functions().map(|tasks| tasks.packages).unwrap_or_default();
        }
        let defined = self.image.symbols().filter(|symbol| symbol.name.ends_with("..inittask"));
        let defined = defined.filter(|symbol| self.image.undefined_variable(symbol.addr).is_none());
        let (mut seen, mut ordered) = (HashSet::new(), Vec::new());
        for symbol in defined {
            let with_needs = self.with_needs(symbol.addr);
            let tasks = with_needs.unwrap_or_else(|| self.task(symbol.addr).into_iter().collect());
            ordered.extend(tasks.into_iter().filter(|task| seen.insert(task.state)));
        }
        self.pending(ordered)
    }

    /// Up to Go 1.12: functions that call one another.
    fn functions(&self) -> Option<Tasks> {
        let main = named(self.image, "main.init")?;
        let task = Task { state: None, functions: vec![main.entry()], needs: Vec::new() };
        Some(Tasks { packages: vec![task], ..Tasks::default() })
    }

    /// Since Go 1.21: two lists, `runtime_inittasks` and the module's.
    fn ordered(&self, packages: Table) -> Option<Tasks> {
        let headers = self.operands(Mnemonic::Mov).into_iter().filter_map(|at| {
            let (list, len) = (self.word(at)?, self.word(at.checked_add(8)?)?);
            self.list(list, len).filter(|tasks| !tasks.is_empty())
        });
        let runtime = { headers }.next().unwrap_or_default();
        let packages = self.list(packages.addr, packages.len)?;
        let started = self.have_run(&runtime);
        Some(Tasks { runtime: self.pending(runtime), packages: self.pending(packages), started })
    }

    /// Go 1.13 to 1.20: a task for the runtime and one for package main, with those that each needs.
    fn linked(&self) -> Option<Tasks> {
        let mut tasks = Tasks::default();
        // The runtime's is the first that is run.
        let hashed = names::are_hashed(self.image);
        let mut found = false;
        for root in self.operands(Mnemonic::Lea) {
            let Some(ordered) = self.with_needs(root) else { continue };
            let is_first = hashed && !found;
            found = true;
            if is_first || ordered.last().is_some_and(|task| self.is_runtime(task)) {
                tasks.started = self.have_run(&ordered);
                tasks.runtime = self.pending(ordered);
            } else {
                tasks.packages = self.pending(ordered);
            }
        }
        found.then_some(tasks)
    }

    fn is_runtime(&self, task: &Task) -> bool {
        let name =
            |entry: &u64| self.image.func_at(*entry).is_some_and(|func| func.name().starts_with("runtime."));
        task.functions.iter().any(name)
    }

    /// The variables that `runtime.main` uses by instructions of this kind, in the order of its code.
    fn operands(&self, mnemonic: Mnemonic) -> Vec<u64> {
        let Some(main) = single::runtime_main(self.image) else { return Vec::new() };
        let size = usize::try_from(main.end().saturating_sub(main.entry())).unwrap_or(0);
        let code = self.image.bytes(main.entry(), size).unwrap_or_default();
        let decoder = Decoder::with_ip(64, code, main.entry(), DecoderOptions::NONE);
        let relative = decoder.into_iter().filter(|insn| insn.mnemonic() == mnemonic);
        relative.filter(|i| i.is_ip_rel_memory_operand()).map(|i| i.ip_rel_memory_address()).collect()
    }

    /// A task and all that it needs, those first, each once (`runtime.doInit`).
    fn with_needs(&self, root: u64) -> Option<Vec<Task>> {
        let (mut seen, mut ordered, mut open) = (HashSet::new(), Vec::new(), vec![(root, None)]);
        while let Some((at, task)) = open.pop() {
            match task {
                Some(task) => ordered.push(task),
                None if seen.insert(at) => {
                    let task = self.task(at)?;
                    let needs: Vec<u64> = task.needs.iter().rev().copied().collect();
                    open.push((at, Some(task)));
                    open.extend(needs.into_iter().map(|need| (need, None)));
                }
                None => {}
            }
        }
        Some(ordered)
    }

    /// A list of pointers to tasks; `None` where it is something else.
    fn list(&self, at: u64, len: u64) -> Option<Vec<Task>> {
        self.words(at, len)?.into_iter().map(|at| self.task(at)).collect()
    }

    /// The task at an address; `None` where something else is there.
    fn task(&self, at: u64) -> Option<Task> {
        let layout = &self.image.facts().inittask;
        let (state, nfns) = (at.checked_add(layout.state?)?, at.checked_add(layout.nfns?)?);
        let (count, needs, list) = match layout.ndeps {
            Some(ndeps) => (self.word(nfns)?, self.word(at.checked_add(ndeps)?)?, nfns.checked_add(8)?),
            None => (u64::from(self.half(nfns)?), 0, nfns.checked_add(4)?),
        };
        if ![0, self.done()].contains(&self.half(state)?) {
            return None;
        }
        let needs = self.words(list, needs)?;
        let functions = self.words(list.checked_add(8 * needs.len() as u64)?, count)?;
        let is_function = |entry: &u64| self.image.func_at(*entry).is_some_and(|func| func.entry() == *entry);
        let plausible = functions.iter().all(is_function) && functions.len() + needs.len() > 0;
        plausible.then_some(Task { state: Some(state), functions, needs })
    }

    /// The state of what has run.
    fn done(&self) -> u32 {
        self.image.facts().numbers.init_done as u32
    }

    /// Whether all of them have run.
    fn have_run(&self, tasks: &[Task]) -> bool {
        !tasks.is_empty() && tasks.iter().all(|task| self.has_run(task))
    }

    fn has_run(&self, task: &Task) -> bool {
        task.state.and_then(|at| self.half(at)) == Some(self.done())
    }

    /// Those that have not run.
    fn pending(&self, mut tasks: Vec<Task>) -> Vec<Task> {
        tasks.retain(|task| !self.has_run(task));
        tasks
    }

    fn words(&self, at: u64, count: u64) -> Option<Vec<u64>> {
        if count > MANY {
            return None;
        }
        (0..count).map(|n| self.word(at.checked_add(8 * n)?)).collect()
    }

    fn word(&self, at: u64) -> Option<u64> {
        self.memory.read(at).ok().map(u64::from_le_bytes)
    }

    fn half(&self, at: u64) -> Option<u32> {
        self.memory.read(at).ok().map(u32::from_le_bytes)
    }
}
