//! Sequences of instructions: goemu and the host processor end in the same state, or fault at the same place in the
//! same state; and arbitrary bytes do no harm.

use goemu_tests::{
    form::{Case, case, codes},
    host::{host_has, lacking, say},
    native::{CODE, Native, State},
    oracle::engines,
    random::Random,
    state::random_state,
    vendor::RULES,
};
use iced_x86::{Code, CpuidFeature, FlowControl, Instruction, Mnemonic as M, OpKind, Register};

/// Registers, and memory at addresses that no instruction before can change; every flag defined; nothing that asks for
/// the host's clock, identity or stack.
fn simple(case: &Case) -> bool {
    let insn = &case.insn;
    let excluded = matches!(
        insn.mnemonic(),
        M::Hlt
            | M::Cpuid
            | M::Rdtsc
            | M::Rdtscp
            | M::Rdrand
            | M::Rdseed
            | M::Xgetbv
            | M::Rcpps
            | M::Vrcpps
            | M::Rcpss
            | M::Vrcpss
            | M::Rsqrtps
            | M::Vrsqrtps
            | M::Rsqrtss
            | M::Vrsqrtss
            | M::Leave
            | M::Rdpid
            | M::Xlatb
            | M::Rdfsbase
            | M::Rdgsbase
            | M::Wrfsbase
            | M::Wrgsbase
    );
    let x87 = [CpuidFeature::FPU, CpuidFeature::FPU287, CpuidFeature::FPU387];
    let vendors_differ = RULES.iter().any(|rule| (rule.covers)(insn, &State::default()));
    // OF is undefined after nine rotations of eight bits and the carry, which iced takes for none.
    let rotates = matches!(insn.mnemonic(), M::Rcl | M::Rcr);
    !excluded
        && !vendors_differ
        && !rotates
        && insn.rflags_undefined() == 0
        && !insn.is_stack_instruction()
        && insn.flow_control() == FlowControl::Next
        && (insn.mnemonic() == M::Lea || !has_memory(insn) || stays_in_window(insn))
        && !insn.is_string_instruction()
        && !insn.cpuid_features().iter().any(|feature| x87.contains(feature))
}

fn has_memory(insn: &Instruction) -> bool {
    insn.op_kinds().any(|kind| matches!(kind, OpKind::Memory | OpKind::MemorySegRDI))
}

/// Whether the address follows from the instruction alone.
fn stays_in_window(insn: &Instruction) -> bool {
    let fixed = matches!(insn.memory_base(), Register::None | Register::RIP);
    let bit_string = matches!(insn.mnemonic(), M::Bt | M::Bts | M::Btr | M::Btc);
    let loads_control = matches!(insn.mnemonic(), M::Ldmxcsr | M::Vldmxcsr);
    let saves = [CpuidFeature::FXSR, CpuidFeature::XSAVE, CpuidFeature::XSAVEC, CpuidFeature::XSAVEOPT];
    let whole_state = insn.cpuid_features().iter().any(|feature| saves.contains(feature));
    insn.op_kinds().any(|kind| kind == OpKind::Memory)
        && fixed
        && insn.memory_index() == Register::None
        && !bit_string
        && !loads_control
        && !whole_state
}

fn sequence(forms: &[Code], random: &mut Random) -> Vec<Case> {
    let length = 2 + random.below(12);
    (0..length).filter_map(|_| case(random.pick(forms), CODE, random)).filter(simple).collect()
}

#[test]
fn sequences_agree_with_the_processor() {
    let forms: Vec<Code> = codes().filter(|&code| host_has(code)).collect();
    let missing = lacking(codes());
    if !missing.is_empty() {
        say(&format!("sequences have no instructions of {}, the processor lacks them", missing.join(", ")));
    }
    let (mut native, mut engines, mut random) = (Native::lock(), engines(), Random(1));
    let mut longest = 0;
    for _ in 0..4000 {
        let cases = sequence(&forms, &mut random);
        let Some(first) = cases.first() else { continue };
        longest = longest.max(cases.len());
        let code: Vec<u8> = cases.iter().flat_map(|case| case.bytes.iter().copied()).collect();
        let before = random_state(first, &mut random);
        let mut host: State = before.clone();
        let place = |trap: goemu_tests::native::Trap| (trap.vector, trap.at);
        let outcome = native.run(&code, &mut host).map_err(place);
        for (engine, emulated) in &mut engines {
            let mut guest = before.clone();
            emulated.place(&code);
            assert_eq!(outcome, emulated.run(&mut guest).map_err(place), "{engine}: {code:02x?}");
            assert!(host == guest, "{engine}: {code:02x?}: the states differ");
        }
    }
    assert!(longest > 4, "the sequences are too short to mean anything");
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    let mut random = Random(2);
    for _ in 0..200_000 {
        let bytes: Vec<u8> = (0..15).map(|_| random.bits() as u8).collect();
        let insn = iced_x86::Decoder::with_ip(64, &bytes, CODE, 0).decode();
        // Asking for the handler is what decoding does with it.
        let known = goemu::interp::supports(&insn);
        assert!(!(known && insn.is_invalid()), "{bytes:02x?} is no instruction");
    }
}
