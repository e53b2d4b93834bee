//! One job: LibAFL's loop over a machine of its own.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use goemu::values::Random;
use goemu::{Machine, Value};
use libafl::corpus::{Corpus, InMemoryCorpus};
use libafl::events::tcp::TcpEventManager;
use libafl::events::{
    EventConfig, EventFirer, EventReceiver, ProgressReporter, SendExiting, SimpleEventManager,
};
use libafl::feedbacks::CrashFeedback;
use libafl::fuzzer::{Evaluator, Fuzzer, StdFuzzer};
use libafl::monitors::NopMonitor;
use libafl::schedulers::QueueScheduler;
use libafl::stages::StdMutationalStage;
use libafl::state::{HasCorpus, StdState};
use libafl_bolts::ClientId;
use libafl_bolts::rands::StdRand;
use libafl_bolts::tuples::tuple_list;

use crate::corpus;
use crate::executor::{Novel, Target};
use crate::hints::{Hints, Seen, Watcher};
use crate::input::{Args, Codec};
use crate::mutator::Typed;
use crate::{Error, Shared, lock};

/// Inputs that are made where there are none.
const FIRST: usize = 64;
/// Inputs of the corpus that are run again to leave some out, and how long that may take: a user may have pressed Ctrl-C and wait.
const MINIMISED: usize = 4096;
const MINIMISING: Duration = Duration::from_secs(2);

type State = StdState<InMemoryCorpus<Args>, Args, StdRand, InMemoryCorpus<Args>>;

/// Fuzzes until enough was done; `broker` is where other jobs are.
pub(crate) fn run(
    shared: &Shared,
    machine: &mut Machine,
    number: usize,
    broker: Option<&str>,
) -> Result<(), Error> {
    match broker {
        None => with(shared, machine, number, SimpleEventManager::new(NopMonitor::new())),
        Some(address) => {
            let manager = TcpEventManager::builder().build_from_client(
                &address,
                ClientId(u32::MAX),
                EventConfig::from_name("goemu"),
            )?;
            with(shared, machine, number, manager)
        }
    }
}

fn with<EM>(shared: &Shared, machine: &mut Machine, number: usize, mut manager: EM) -> Result<(), Error>
where
    EM: EventFirer<Args, State> + EventReceiver<Args, State> + ProgressReporter<State> + SendExiting,
{
    let subject = shared.check.subject();
    let codec = Codec::new(subject, machine.image()).install();
    let seed = machine.config().seed.wrapping_add(number as u64);
    let hints = Rc::new(RefCell::new(Hints::default()));
    let novel = Rc::new(Cell::new(false));
    let mut feedback = Novel(Rc::clone(&novel));
    let mut objective = CrashFeedback::new();
    let mut target = Target::new(shared, machine, novel);
    let rand = StdRand::with_seed(seed);
    let (inputs, solutions) = (InMemoryCorpus::new(), InMemoryCorpus::new());
    let mut state = StdState::new(rand, inputs, solutions, &mut feedback, &mut objective)?;
    let mut fuzzer = StdFuzzer::new(QueueScheduler::new(), feedback, objective);
    let mut stages = tuple_list!(StdMutationalStage::new(Typed::new(subject, Rc::clone(&hints))));
    let mut kept = Kept { shared, codec, hints, known: 0, paths: Vec::new() };
    let mut search = || -> Result<(), Error> {
        for args in first(shared, &kept.codec, seed, number)? {
            let input = Args(args);
            fuzzer.evaluate_input(&mut state, &mut target, &mut manager, &input)?;
            kept.look(&state, &mut target)?;
            if shared.is_over() {
                return Ok(());
            }
        }
        if state.corpus().count() == 0 {
            let empty = Args(subject.make(&mut Random::new(seed), 0));
            fuzzer.add_input(&mut state, &mut target, &mut manager, empty)?;
        }
        while !shared.is_over() {
            fuzzer.fuzz_one(&mut stages, &mut target, &mut state, &mut manager)?;
            kept.look(&state, &mut target)?;
        }
        Ok(())
    };
    match search() {
        Ok(()) | Err(Error::Libafl(libafl::Error::ShuttingDown)) => {}
        // What was found until then is kept.
        Err(Error::Libafl(libafl::Error::OsError(..))) => shared.lost.store(true, Ordering::Relaxed),
        Err(error) => return Err(error),
    }
    kept.minimise(&state, &mut target)?;
    // The broker may be gone already.
    let _ = manager.send_exiting();
    Ok(())
}

/// The inputs to begin with: those of the folder, and some that are made.
fn first(shared: &Shared, codec: &Codec, seed: u64, number: usize) -> Result<Vec<Vec<Value>>, Error> {
    let mut inputs = Vec::new();
    if let Some(folder) = &shared.options.corpus {
        let (read, junk) = corpus::read(folder, codec)?;
        inputs = read;
        if number == 0 {
            shared.junk.store(junk, Ordering::Relaxed);
        }
    }
    let mut random = Random::new(seed);
    inputs.extend((0..FIRST).map(|size| shared.check.subject().make(&mut random, size)));
    inputs.retain(|args| shared.check.subject().allows(args));
    Ok(inputs)
}

/// What is kept of inputs that reach something new.
struct Kept<'s> {
    shared: &'s Shared,
    codec: Arc<Codec>,
    hints: Rc<RefCell<Hints>>,
    /// Inputs that were looked at.
    known: usize,
    /// Where inputs were written.
    paths: Vec<Option<PathBuf>>,
}

impl Kept<'_> {
    /// Looks at inputs and failures that are new.
    fn look(&mut self, state: &State, target: &mut Target<'_>) -> Result<(), Error> {
        while self.known < state.corpus().count() {
            let args = input(state, self.known)?;
            self.known += 1;
            self.shared.corpus.fetch_add(1, Ordering::Relaxed);
            let path =
                self.shared.options.corpus.as_ref().map(|folder| corpus::write(folder, &self.codec, &args));
            let path = path.and_then(|written| written.map_err(|why| self.unwritten(why)).ok());
            self.paths.push(path);
            self.watch(target, &args);
        }
        for (args, failure) in std::mem::take(&mut target.failures) {
            let runs = self.shared.runs.load(Ordering::Relaxed);
            let found = target.uncounted(|machine| self.shared.check.finding(machine, &args, runs));
            // Where it does not fail again, because somebody wants an end, it is told as it was.
            let found = found.ok().flatten();
            let mut finding = found.unwrap_or_else(|| self.shared.check.finding_of(&args, &failure, runs));
            finding.key = failure.key;
            if let Some(folder) = &self.shared.options.corpus {
                let literals: Vec<String> = finding.input.iter().map(|given| given.value.clone()).collect();
                let smallest = self.codec.parse(&literals).unwrap_or(args);
                let written = corpus::write(&folder.join(corpus::CRASHES), &self.codec, &smallest);
                let _ = written.map_err(|why| self.unwritten(why));
            }
            lock(&self.shared.findings).push(finding);
            if !self.shared.options.keep_going {
                self.shared.stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn unwritten(&self, why: String) {
        *lock(&self.shared.unwritten) = Some(why);
    }

    /// Calls the function once more, and notes what is compared.
    fn watch(&self, target: &mut Target<'_>, args: &[Value]) {
        let seen = Arc::new(Seen::default());
        target.machine.observe(Watcher::new(target.machine, Arc::clone(&seen)));
        target.trace(args);
        target.machine.unobserve();
        self.hints.borrow_mut().add(&seen, args);
    }

    /// Leaves inputs out that reach nothing which others do not reach. An input whose edges are not known stays, and one without a
    /// file stands for no other.
    fn minimise(&mut self, state: &State, target: &mut Target<'_>) -> Result<(), Error> {
        let until = Instant::now() + MINIMISING;
        target.end_at(until);
        let mut traces = Vec::new();
        for at in 0..self.known.min(MINIMISED) {
            let is_kept = self.shared.options.corpus.is_none() || self.path(at).is_some();
            if !is_kept || Instant::now() >= until {
                continue;
            }
            let args = input(state, at)?;
            let size: usize = self.codec.literals(&args).iter().map(String::len).sum();
            traces.extend(target.trace(&args).map(|edges| (at, size, edges)));
        }
        let sizes: Vec<_> = traces.iter().map(|(_, size, edges)| (*size, edges.as_slice())).collect();
        let fewest = corpus::fewest(&sizes);
        let left_out: HashSet<usize> =
            traces.iter().zip(fewest).filter(|(_, kept)| !kept).map(|((at, ..), _)| *at).collect();
        // Two inputs may have one file.
        let stay = (0..self.known).filter(|at| !left_out.contains(at));
        let used: HashSet<&PathBuf> = stay.filter_map(|at| self.path(at)).collect();
        let go = left_out.iter().filter_map(|at| self.path(*at)).filter(|path| !used.contains(path));
        corpus::remove(go.cloned());
        self.shared.minimised.fetch_add(self.known - left_out.len(), Ordering::Relaxed);
        Ok(())
    }

    /// The file of the input of this number.
    fn path(&self, at: usize) -> Option<&PathBuf> {
        self.paths.get(at)?.as_ref()
    }
}

/// The input of this number.
fn input(state: &State, at: usize) -> Result<Vec<Value>, Error> {
    let corpus = state.corpus();
    let id = corpus.nth(at);
    let mut testcase = corpus.get(id)?.borrow_mut();
    Ok(testcase.load_input(corpus)?.0.clone())
}
