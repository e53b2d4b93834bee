//! Every form that goemu executes, against the host processor.
//!
//! `GOEMU_ORACLE_STATES` is the number of states a form (`cargo xtask oracle` sets it); `GOEMU_ORACLE_FORMS` limits
//! the run to forms whose name contains it; `GOEMU_ORACLE_TABLE` names a file for the summary.

use std::{collections::BTreeMap, env, fmt::Write as _, fs};

use goemu_tests::{
    form::{case, codes},
    host::{host_has, lacking, say},
    native::{CODE, Native},
    oracle::{Emulated, compare, engines, undefined_result},
    random::Random,
    state::{askable, random_state},
    vendor::RULES,
};
use iced_x86::{Code, Mnemonic as M};

/// States a form without being asked for more: a second or two.
const QUICK: u64 = 24;
/// States before other operands are chosen.
const PER_ENCODING: u64 = 4;

/// What there is no sense in comparing: the host's own clock, identity and random numbers, the bases of its segments,
/// and what leaves for a kernel.
fn comparable(code: Code) -> bool {
    use iced_x86::FlowControl as Flow;
    let own = matches!(
        code.mnemonic(),
        M::Cpuid
            | M::Rdtsc
            | M::Rdtscp
            | M::Rdrand
            | M::Rdseed
            | M::Xgetbv
            | M::Rdpid
            | M::Rdfsbase
            | M::Rdgsbase
            | M::Wrfsbase
            | M::Wrgsbase
    );
    let leaves = matches!(code.mnemonic(), M::Hlt | M::Syscall | M::Int | M::Int1 | M::Int3 | M::Rdpmc);
    !own && !leaves && code.flow_control() != Flow::Exception
}

#[derive(Default)]
struct Tally {
    forms: u64,
    states: u64,
    differences: u64,
    unproven: u64,
}

/// Compares all forms on an engine.
fn compare_all(emulated: &mut Emulated) -> BTreeMap<String, Tally> {
    let states = env::var("GOEMU_ORACLE_STATES").ok().and_then(|n| n.parse().ok()).unwrap_or(QUICK);
    let only = env::var("GOEMU_ORACLE_FORMS").unwrap_or_default();
    let mut native = Native::lock();
    let (mut tallies, mut failures) = (BTreeMap::<String, Tally>::new(), String::new());
    for code in codes().filter(|&code| comparable(code) && format!("{code:?}").contains(&only)) {
        let feature = code.cpuid_features().first().map_or_else(String::new, |f| format!("{f:?}"));
        let tally = tallies.entry(feature).or_default();
        tally.forms += 1;
        if !host_has(code) {
            tally.unproven += 1;
            continue;
        }
        if let Some(failure) = check(code, states, &mut native, emulated, tally) {
            writeln!(failures, "{failure}").expect("a string takes it");
        }
    }
    let forms: u64 = tallies.values().map(|tally| tally.forms).sum();
    assert!(!only.is_empty() || forms > 1000, "only {forms} forms were found");
    assert!(failures.is_empty(), "{failures}");
    tallies
}

#[test]
fn every_form_agrees_with_the_processor() {
    let tallies = compare_all(&mut Emulated::default());
    let unproven: u64 = tallies.values().map(|tally| tally.unproven).sum();
    if unproven > 0 {
        let features = lacking(codes().filter(|&code| comparable(code))).join(", ");
        say(&format!("{unproven} forms are not compared, the processor lacks them: {features}"));
    }
    if let Ok(path) = env::var("GOEMU_ORACLE_TABLE") {
        fs::write(path, table(&tallies)).expect("the table can be written");
    }
}

#[test]
fn every_form_agrees_with_the_processor_when_translated() {
    for (engine, mut emulated) in engines().into_iter().skip(1) {
        let states: u64 = compare_all(&mut emulated).values().map(|tally| tally.states).sum();
        assert!(states > 0, "{engine}");
    }
}

/// A run may change engines at any block, so both give flags the same value where the manual gives them none. The
/// interpreter has those of Intel's processors.
#[test]
fn undefined_flags_are_those_of_intels_processors() {
    if !processor().contains("Intel") {
        say("undefined flags are not compared: the processor is not Intel's");
        return;
    }
    let [(_, mut one), (_, mut other)] =
        <[_; 2]>::try_from(engines()).unwrap_or_else(|_| panic!("no translator"));
    let mut failures = String::new();
    for code in codes().filter(|&code| comparable(code) && host_has(code)) {
        let mut random = Random(code as u64);
        for _ in 0..6 {
            let Some(case) = case(code, CODE, &mut random).filter(|case| case.insn.rflags_undefined() != 0)
            else {
                continue;
            };
            one.place(&case.bytes);
            other.place(&case.bytes);
            for _ in 0..8 {
                let before = random_state(&case, &mut random);
                let (mut a, mut b) = (before.clone(), before.clone());
                let differ = one.run(&mut a) != other.run(&mut b) || a != b;
                if differ && !undefined_result(&case.insn, &before) && failures.len() < 4000 {
                    let flags = (before.rflags, a.rflags, b.rflags, before.gpr[1]);
                    writeln!(failures, "{code:?} {:02x?}: {flags:x?}", case.bytes)
                        .expect("a string takes it");
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Compares one form on many states; the first difference, with all that is needed to see it again.
fn check(
    code: Code,
    states: u64,
    native: &mut Native,
    emulated: &mut Emulated,
    tally: &mut Tally,
) -> Option<String> {
    let mut random = Random(code as u64);
    let (mut failure, mut current) = (None, None);
    for n in 0..states {
        if n % PER_ENCODING == 0 || current.is_none() {
            current = (0..16).find_map(|_| case(code, CODE, &mut random));
            emulated.place(&current.as_ref()?.bytes);
        }
        let case = current.as_ref()?;
        let before = random_state(case, &mut random);
        if !askable(case, &before) {
            continue;
        }
        tally.states += 1;
        let found = compare(native, emulated, case, &before);
        if !found.is_empty() {
            tally.differences += 1;
            failure.get_or_insert_with(|| {
                format!(
                    "{code:?} {:02x?} mxcsr {:#x} rflags {:#x}\n    {}",
                    case.bytes,
                    before.mxcsr,
                    before.rflags,
                    found.join("\n    ")
                )
            });
        }
    }
    failure
}

fn table(tallies: &BTreeMap<String, Tally>) -> String {
    let mut text = format!(
        "# Instructions compared with the processor\n\n\
         Written by `cargo xtask oracle` on {}. A form is an\n\
         encoding with its operand sizes; a state is one choice of registers, flags, MXCSR and memory. Not\n\
         proven: the processor lacks the instruction. Not in the table: system calls, traps, and what reads the\n\
         processor's own identity, clock, random numbers and segments.\n\n\
         | extension | forms | states | differences | not proven |\n|---|---|---|---|---|\n",
        processor()
    );
    let mut total = Tally::default();
    for tally in tallies.values() {
        total.forms += tally.forms;
        total.states += tally.states;
        total.differences += tally.differences;
        total.unproven += tally.unproven;
    }
    let rows = tallies.iter().map(|(feature, tally)| (feature.as_str(), tally));
    for (feature, tally) in rows.chain([("all", &total)]) {
        let Tally { forms, states, differences, unproven } = tally;
        writeln!(text, "| {feature} | {forms} | {states} | {differences} | {unproven} |")
            .expect("a string takes it");
    }
    text + &rules()
}

/// What is not compared.
fn rules() -> String {
    let mut text = String::from(
        "\n## Where processors differ\n\n\
         Undefined flags are not compared, nor is this, in which processors of different makers, or the manual and\n\
         processors, differ:\n\n| instructions | what goemu does, and others |\n|---|---|\n",
    );
    for rule in RULES {
        writeln!(text, "| {} | {} |", rule.what, rule.why).expect("a string takes it");
    }
    text
}

/// The processor's name for itself.
fn processor() -> String {
    let words = (0x8000_0002..=0x8000_0004_u32).flat_map(|leaf| {
        let answer = std::arch::x86_64::__cpuid(leaf);
        [answer.eax, answer.ebx, answer.ecx, answer.edx]
    });
    let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
