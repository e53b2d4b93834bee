//! What Go's runtime does, and how its functions are called, where that changed from release to release and no offset
//! shows it.
//!
//! Go sources: `runtime/panic.go`, `runtime/proc.go`, `runtime/traceback.go`, `runtime/select.go`, `runtime/time.go`,
//! `runtime/error.go`, `runtime/string.go`, `cmd/compile/internal/ssagen/ssa.go`.

use crate::version::GoVersion;

use super::{Facts, NEWEST};

/// The layout of a program's maps, where its build settings do not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maps {
    /// Buckets of eight with overflow chains (up to Go 1.23).
    Buckets,
    /// Swiss tables, unless an experiment was turned off (Go 1.24 and later).
    Swiss,
}

/// The rules of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    minor: u16,
}

impl Facts {
    /// What is known of the newest release.
    #[must_use]
    pub fn newest() -> Facts {
        Facts::of(GoVersion::new(NEWEST, 0))
    }

    /// What this release's runtime does.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules::of(self.version)
    }
}

impl Rules {
    /// The rules of a release.
    #[must_use]
    pub fn of(version: GoVersion) -> Rules {
        Rules { minor: version.minor }
    }

    /// Whether the release is one of these, first and last by their minor versions.
    #[must_use]
    pub fn is_within(self, (first, last): (u16, u16)) -> bool {
        (first..=last).contains(&self.minor)
    }

    /// Whether the release is newer than all that the facts know.
    #[must_use]
    pub fn is_unknown(self) -> bool {
        self.minor > NEWEST
    }

    /// Whether a dictionary begins with the type arguments; else it has the types that the function needs. In a closure's
    /// context it is then the first variable; else the last.
    #[must_use]
    pub fn dictionary_first(self) -> bool {
        self.minor <= 19
    }

    /// The layout of maps.
    #[must_use]
    pub fn maps(self) -> Maps {
        if self.minor <= 23 { Maps::Buckets } else { Maps::Swiss }
    }

    /// Whether the length in front of a descriptor's name is a varint; else it is two bytes, the high one first.
    #[must_use]
    pub fn names_have_varints(self) -> bool {
        super::Forms::of(self.minor).names_have_varints()
    }

    /// Whether `internal/cpu` is given `GODEBUG` when it starts; else it looks for it.
    #[must_use]
    pub fn cpu_is_given_settings(self) -> bool {
        self.minor >= 21
    }

    /// Whether the monotonic clock of Linux is read with `clock_gettime`; else it is the time of day.
    #[must_use]
    pub fn has_monotonic_clock(self) -> bool {
        self.minor >= 16
    }

    /// Whether `go` and `defer` statements pass a closure alone; else size and closure.
    #[must_use]
    pub fn starts_closures(self) -> bool {
        self.minor >= 18
    }

    /// Whether the size that `newproc` and `deferproc` are passed is that of arguments behind it; else it is 0.
    #[must_use]
    pub fn copies_arguments(self) -> bool {
        self.minor < 17
    }

    /// Whether `newproc1` leaves the new goroutine to its caller, which puts it in a queue.
    #[must_use]
    pub fn newproc1_returns_g(self) -> bool {
        self.minor >= 15
    }

    /// Whether `growslice` gets the old array, the new length, the old capacity, how many elements are added, and the type;
    /// else type, slice and capacity.
    #[must_use]
    pub fn growslice_gets_lengths(self) -> bool {
        self.minor >= 20
    }

    /// Whether cleanups run on goroutines of their own; else on that of finalizers.
    #[must_use]
    pub fn cleanups_have_goroutines(self) -> bool {
        self.minor >= 25
    }

    /// Whether `AddCleanup` panics where the cleanup itself would keep the object.
    #[must_use]
    pub fn refuses_cleanups_that_never_run(self) -> bool {
        self.minor >= 26
    }

    /// Whether a goroutine's creation is shown with the number of the goroutine that created it.
    #[must_use]
    pub fn shows_creators(self) -> bool {
        self.minor >= 21
    }

    /// Whether deferred functions return to an instruction of `deferreturn`; else to the CALL of `deferreturn`.
    #[must_use]
    pub fn deferreturn_loops(self) -> bool {
        self.minor >= 18
    }

    /// Whether a function that recovers goes on behind its `deferproc`, which returns 1; else at its `deferreturn`.
    #[must_use]
    pub fn recovers_at_deferproc(self) -> bool {
        self.minor <= 24
    }

    /// Whether `panic(nil)` becomes a panic of its own type, by default.
    #[must_use]
    pub fn nil_panics_have_a_type(self) -> bool {
        self.minor >= 21
    }

    /// Whether the error of `panic(nil)` is a run-time error by its text.
    #[must_use]
    pub fn nil_panics_say_runtime(self) -> bool {
        self.minor < 27
    }

    /// Whether a slice that is too short for a conversion is reported with arrays as well as pointers to them.
    #[must_use]
    pub fn converts_slices_to_arrays(self) -> bool {
        self.minor >= 20
    }

    /// Whether there is a function for each kind of index out of range, with its numbers in registers.
    #[must_use]
    pub fn bounds_by_registers(self) -> bool {
        (13..=25).contains(&self.minor)
    }

    /// Whether looking for a key without a hash in an empty map has an error of its own.
    #[must_use]
    pub fn missing_hash_of_a_lookup(self) -> bool {
        self.minor >= 25
    }

    /// Whether `selectgo` is given sends and receives apart, and whether it blocks; else cases that say what they are.
    #[must_use]
    pub fn select_counts_sends(self) -> bool {
        self.minor >= 16
    }

    /// Whether `selectnbrecv` also tells whether a value was received.
    #[must_use]
    pub fn selectnbrecv_tells_received(self) -> bool {
        self.minor >= 17
    }

    /// Whether `slicebytetostring` and its likes are given a pointer and a length; else a slice.
    #[must_use]
    pub fn strings_of_pointers(self) -> bool {
        self.minor >= 15
    }

    /// Whether the generator of random numbers in `m` may be a shift register, which must not be zero.
    #[must_use]
    pub fn shifts_for_chance(self) -> bool {
        self.minor <= 18
    }

    /// Whether it has two words of 32 bits; else one.
    #[must_use]
    pub fn has_two_words_for_chance(self) -> bool {
        self.minor >= 10
    }

    /// Whether `time.resetTimer` is given time and period; else they are in the timer.
    #[must_use]
    pub fn timers_are_reset_with_a_period(self) -> bool {
        self.minor >= 23
    }

    /// Whether `time.resetTimer` tells whether the timer was active.
    #[must_use]
    pub fn reset_timers_tell(self) -> bool {
        self.minor >= 15
    }

    /// Whether there are allocators for objects of one size.
    #[must_use]
    pub fn has_sized_allocators(self) -> bool {
        self.minor >= 26
    }

    /// Whether fatal errors are told from those of the program, and show the runtime's functions of other goroutines.
    #[must_use]
    pub fn has_fatal(self) -> bool {
        self.minor >= 19
    }

    /// Whether tracebacks show the functions that run finalizers and cleanups.
    #[must_use]
    pub fn shows_finalizers(self) -> bool {
        self.minor >= 25
    }

    /// Whether methods of the runtime are shown in tracebacks by receiver and method; else by the last part of the name.
    #[must_use]
    pub fn shows_exported_methods(self) -> bool {
        self.minor >= 23
    }

    /// Whether tracebacks show arguments by their types; else word by word.
    #[must_use]
    pub fn shows_typed_arguments(self) -> bool {
        self.minor >= 17
    }

    /// Whether tracebacks shorten type arguments to `[...]`.
    #[must_use]
    pub fn shortens_type_arguments(self) -> bool {
        self.minor >= 21
    }

    /// Whether methods may have type parameters of their own.
    #[must_use]
    pub fn has_generic_methods(self) -> bool {
        self.minor >= 27
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_from_its_release_on() {
        let rules = |minor| Rules::of(GoVersion::new(minor, 0));
        assert!(!rules(17).starts_closures() && rules(18).starts_closures());
        assert!(rules(NEWEST + 1).is_unknown() && !rules(NEWEST).is_unknown());
        assert!(rules(12).is_within((12, 12)) && !rules(12).is_within((13, u16::MAX)));
    }
}
