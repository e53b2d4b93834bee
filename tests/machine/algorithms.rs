//! Whole algorithms of Go's library give the native result at each level of the architecture: programs are
//! initialised, so that they choose the code that the level allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goemu::cpu::Level;
use goemu::observe::{Interest, Observer, View};
use goemu::{Config, Image, Machine};
use goemu_tests::fixtures::{Outcome, binary, cases, present};
use goemu_tests::table::{Build, Ending, call, source};
use iced_x86::{CpuidFeature, EncodingKind, Instruction};

/// Every function of these programs.
const SIGNATURE: &str = "func(n int) string";
/// The build that is run on each level.
const NEWEST: &str = "algorithms-go1.27-stripped";

/// What these return natively where the processor has no FMA (`GODEBUG=cpu.fma=off`): the library uses it where it
/// can, and then rounds less often.
const WITHOUT_FMA: [(&str, &str); 2] =
    [("main.functions", r#""ee30dd6b182713f0""#), ("main.exponentials", r#""4ae86f6987907411""#)];

/// An initialised machine of this level; `None` where the fixture is not built.
fn machine(build: &str, level: Level) -> Option<Machine> {
    let image = Image::open(binary(build)?).expect("a Go program");
    let config = Config { cpu: level, fuel: 20_000_000_000, ..Config::default() };
    let mut machine = Machine::with_config(image, config).expect("a machine");
    machine.initialise().unwrap_or_else(|error| panic!("{build}: {error}"));
    Some(machine)
}

/// Compares all cases of a build that CI has.
fn compare(build: &str, level: Level) {
    present([build]);
    compare_if_there(build, level);
}

/// Compares all cases of a build, where it is there.
fn compare_if_there(build: &str, level: Level) {
    let Some(mut machine) = machine(build, level) else { return };
    let build = Build::new(build);
    let mut cases = cases(build.program(), build.version);
    if level < Level::V3 {
        for (function, results) in WITHOUT_FMA {
            for case in cases.iter_mut().filter(|case| case.function == function) {
                case.outcome = Outcome::Returned(results.to_owned());
            }
        }
    }
    assert!(cases.len() > 30, "{}: only {} cases", build.name, cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let (expected, found) = (Ending::from(case), call(&mut machine, case, Some(SIGNATURE)));
        match found {
            Ok(found) if found == expected => {}
            Ok(found) => wrong.push(format!("{}\n    native: {expected}\n    goemu:  {found}", source(case))),
            Err(error) => wrong.push(format!("{}\n    error: {error}", source(case))),
        }
    }
    assert!(wrong.is_empty(), "{} at {level:?}:\n{}", build.name, wrong.join("\n"));
}

#[test]
fn first_processors() {
    compare(NEWEST, Level::V1);
}

#[test]
fn without_avx() {
    compare(NEWEST, Level::V2);
}

#[test]
fn with_avx2() {
    compare(NEWEST, Level::V3);
}

/// Code for GOAMD64=v3 asks for nothing: a real processor of an earlier level would refuse the program.
#[test]
fn built_for_avx2() {
    compare("algorithms-v3-go1.23-stripped", Level::V3);
}

/// The builds that `cargo xtask fixtures` leaves, where it ran.
#[test]
fn other_builds() {
    for release in [19, 23] {
        for level in [Level::V1, Level::V2, Level::V3] {
            compare_if_there(&format!("algorithms-go1.{release}-stripped"), level);
        }
    }
    for release in [19, 27] {
        compare_if_there(&format!("algorithms-v3-go1.{release}-stripped"), Level::V3);
    }
}

/// Which kinds of instructions were executed.
#[derive(Clone, Default)]
struct Seen {
    vex: Arc<AtomicBool>,
    aes: Arc<AtomicBool>,
    sha: Arc<AtomicBool>,
}

impl Observer for Seen {
    fn interest(&self) -> Interest {
        Interest::INSTRUCTIONS
    }

    fn before(&mut self, _: &View<'_>, insn: &Instruction) {
        let features = insn.code().cpuid_features();
        self.vex.fetch_or(insn.code().encoding() == EncodingKind::VEX, Ordering::Relaxed);
        self.aes.fetch_or(features.contains(&CpuidFeature::AES), Ordering::Relaxed);
        self.sha.fetch_or(features.contains(&CpuidFeature::SHA), Ordering::Relaxed);
    }
}

/// A level chooses the code: VEX, AES and SHA instructions that a call of `sealed` executes.
#[test]
fn levels_choose_the_code() {
    let expected = [(Level::V1, [false; 3]), (Level::V2, [false, true, false]), (Level::V3, [true; 3])];
    for (level, expected) in expected {
        let Some(mut machine) = machine(NEWEST, level) else { continue };
        let seen = Seen::default();
        machine.observe(seen.clone());
        let call = machine.call("main.sealed").and_then(|call| call.signature(SIGNATURE));
        call.and_then(|call| call.arg(128).run()).expect("a call");
        let kinds = [seen.vex, seen.aes, seen.sha].map(|kind| kind.load(Ordering::Relaxed));
        assert_eq!(kinds, expected, "{level:?}: VEX, AES, SHA");
    }
}
