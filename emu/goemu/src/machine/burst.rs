//! Many calls, one right after another.

use goemu_translate::ThreadSignals;

use super::Machine;
use super::run::Ready;

/// A burst; its end, also where it ends in a panic.
struct Burst<'m> {
    machine: &'m mut Machine,
    /// Dropped last: a call that was made on another thread may have left this one as it was during calls.
    _signals: ThreadSignals,
}

impl Drop for Burst<'_> {
    fn drop(&mut self) {
        self.machine.bursts = false;
        drop(Ready(self.machine));
    }
}

impl Machine {
    /// Lets calls follow each other with nothing of the host's in between: what translated code needs of it is prepared for many calls at
    /// once, where each takes five system calls otherwise. So short calls take half the time.
    ///
    /// Meanwhile signals to this thread wait, for 256 calls at most: whatever else is done here should be short. Within the burst of
    /// one machine, another one's calls are made as ever.
    ///
    /// ```
    /// use goemu::{Image, Machine};
    ///
    /// # let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/typed-go1.27");
    /// let mut machine = Machine::new(Image::open(program)?)?;
    /// let pack = machine.func::<(&[u8], i64), String>("main.pack")?;
    /// machine.burst(|machine| {
    ///     for n in 0..1000 {
    ///         assert_eq!(pack.call(machine, (b"n", n))?.unwrap(), format!("n{n}"));
    ///     }
    ///     Ok::<(), goemu::Error>(())
    /// })?;
    /// # Ok::<(), goemu::Error>(())
    /// ```
    pub fn burst<T>(&mut self, calls: impl FnOnce(&mut Machine) -> T) -> T {
        let Some(signals) = ThreadSignals::hold() else { return calls(self) };
        self.engine.keep_ready(true);
        self.bursts = true;
        calls(Burst { machine: self, _signals: signals }.machine)
    }

    /// Whether this call is one of a burst, and on its thread.
    pub(super) fn bursts_here(&self) -> bool {
        self.bursts && ThreadSignals::are_held()
    }
}
