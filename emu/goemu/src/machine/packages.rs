//! When the packages of a program are initialised: before the first call that uses a package variable. Calls that
//! use none pay nothing.

use super::Machine;
use super::boot::can_start;
use crate::error::Error;
use crate::go::value::Value;
use crate::go::variables;

/// Instructions that initialisation may execute, whatever a call may.
const FUEL: i64 = 1 << 30;

/// What [`Machine::initialise`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Initialised {
    /// Functions that ran to their end.
    pub functions: usize,
    /// Instructions executed.
    pub instructions: u64,
    /// Functions of the runtime that need a started one: what they did is undone.
    pub skipped: Vec<String>,
    /// What the program wrote to its standard output meanwhile.
    pub stdout: Vec<u8>,
    /// What the program wrote to its standard error meanwhile.
    pub stderr: Vec<u8>,
}

/// What package variables are like.
#[derive(Clone, Debug, Default)]
pub(super) enum Packages {
    /// As they are in the file. Instructions that use them are guarded.
    #[default]
    AsInFile,
    /// As in a started program.
    Initialised(Initialised),
    /// As they are in the file, for this reason.
    Failed(String),
}

impl Packages {
    /// What the packages printed as they were initialised.
    pub(super) fn printed(&self) -> Option<(&Vec<u8>, &Vec<u8>)> {
        match self {
            Packages::Initialised(done) => Some((&done.stdout, &done.stderr)),
            Packages::AsInFile | Packages::Failed(_) => None,
        }
    }
}

impl Machine {
    /// Uses of package variables end in [`Error::Uninitialised`] from now on.
    pub(crate) fn bar_variables(&mut self) {
        self.engine.set_bar(variables::bar(&self.guest.image));
        self.set_barred(true);
    }

    /// Package variables may be used from now on.
    pub(crate) fn unbar_variables(&mut self) {
        self.engine.set_bar(None);
        self.set_barred(false);
    }

    fn set_barred(&mut self, guarded: bool) {
        self.guest.world.guarded = guarded;
        self.start.world.revise(|world| world.guarded = guarded);
    }

    /// Packages are not initialised, now or when a call needs it: the user wants it so. The program is not started either.
    pub(super) fn skip_packages(&mut self) -> Result<(), Error> {
        self.unbar_variables();
        self.set_variables()?;
        self.keep_state();
        self.packages = Packages::Initialised(Initialised::default());
        self.own_start = true;
        Ok(())
    }

    /// Says whether the program is on its way to `main.main`, in this state and in the one that calls start from.
    pub(crate) fn set_starting(&mut self, starting: bool) {
        self.guest.world.starting = starting;
        self.start.world.revise(|world| world.starting = starting);
    }

    /// Whether packages are initialised.
    pub(crate) fn is_initialised(&self) -> bool {
        self.booted.is_some() || matches!(self.packages, Packages::Initialised(_))
    }

    /// Notes that packages are initialised.
    pub(crate) fn initialised(&mut self, done: &Initialised) {
        self.packages = Packages::Initialised(done.clone());
    }

    /// Initialises the packages for a call that uses their variables. Where that fails, the call uses them as they
    /// are, unless there is a better way: `false`.
    pub(super) fn ensure_initialised(&mut self) -> Result<bool, Error> {
        if matches!(self.packages, Packages::Failed(_)) {
            return Ok(false);
        }
        // Observers of calls see calls alone.
        let observers = std::mem::take(&mut self.observers);
        let done = self.off_the_clock(|machine| machine.initialise_with(FUEL));
        self.observers = observers;
        match done {
            Ok(_) => Ok(true),
            // It may work another time.
            Err(error) if self.must_end() => Err(error),
            Err(error @ (Error::Initialisation { .. } | Error::Unsupported { .. })) => {
                self.packages = Packages::Failed(error.to_string());
                let real = self.config.runtime.is_none() && can_start(&self.guest.image);
                if !real {
                    self.unbar_variables();
                }
                Ok(!real)
            }
            Err(error) => Err(error),
        }
    }

    /// Initialises the packages, if they are not yet, as the first call does that uses their variables: its output is dropped, and it
    /// has a limit of its own instead of the fuel of calls.
    ///
    /// # Errors
    /// When it has to end early. Where it fails, calls go on as they would without this.
    pub fn ready_packages(&mut self) -> Result<(), Error> {
        if self.waits() {
            self.ensure_initialised()?;
        }
        Ok(())
    }

    /// Whether packages may still be initialised when a call needs it.
    pub(super) fn waits(&self) -> bool {
        matches!(self.packages, Packages::AsInFile)
    }

    /// The error for a call of a function whose arguments have package variables, before these have their values.
    pub(crate) fn not_ready_for<'v>(
        &mut self,
        func: &str,
        args: impl IntoIterator<Item = &'v Value>,
    ) -> Result<(), Error> {
        let early = self.waits() && self.guest.world.guarded;
        if !early || !args.into_iter().any(|arg| variables::are_in(arg, &self.guest.image)) {
            return Ok(());
        }
        self.early = Some(func.to_owned());
        Err(Error::Uninitialised { func: func.to_owned() })
    }

    /// Why the present call uses variables that are not initialised, if it does.
    pub(crate) fn uninitialised(&self) -> Option<&str> {
        match &self.packages {
            Packages::Failed(why) => Some(why),
            Packages::AsInFile | Packages::Initialised(_) => None,
        }
    }

    /// RIP is at an instruction that uses a package variable, before it has its value.
    pub(super) fn not_initialised(&mut self) -> Error {
        let pc = self.guest.cpu.rip;
        let func =
            self.guest.image.func_at(pc).map_or_else(|| format!("{pc:#x}"), |func| func.name().to_owned());
        self.early = Some(func.clone());
        Error::Uninitialised { func }
    }
}
