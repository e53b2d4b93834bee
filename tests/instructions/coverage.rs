//! Every instruction that a program may execute in 64-bit mode is carried out, or stands below with the reason why not.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use expect_test::expect_file;
use goemu::exit::Form;
use goemu_tests::fixtures::testdata;
use goemu_tests::form::codes;
use iced_x86::{Code, CpuidFeature as F, EncodingKind};

/// Extensions that goemu's processor does not have, and CPUID does not show: executing one is a fault that names it.
const EXTENSIONS: &[(&[F], &str)] = &[
    (&[F::AVX512F, F::AVX512BW, F::AVX512DQ, F::GFNI], "beyond x86-64-v3"),
    (
        &[
            F::AVX_IFMA,
            F::AVX_NE_CONVERT,
            F::AVX_VNNI,
            F::AVX_VNNI_INT16,
            F::AVX_VNNI_INT8,
            F::SHA512,
            F::SM3,
            F::SM4,
            F::CMPCCXADD,
            F::RAO_INT,
            F::MOVDIRI,
            F::MOVDIR64B,
            F::ENQCMD,
            F::SERIALIZE,
            F::WAITPKG,
            F::PTWRITE,
            F::UINTR,
            F::AESKLE,
        ],
        "newer than x86-64-v3",
    ),
    (&[F::AMX_TILE, F::AMX_INT8, F::AMX_BF16, F::AMX_FP16, F::AMX_COMPLEX], "matrices"),
    (
        &[F::SSE4A, F::FMA4, F::XOP, F::D3NOW, F::CLZERO, F::MONITORX, F::MCOMMIT, F::RDPRU, F::SEV_ES],
        "AMD's alone",
    ),
    (
        &[
            F::PADLOCK_ACE,
            F::PADLOCK_GMI,
            F::PADLOCK_PHE,
            F::PADLOCK_PMM,
            F::PADLOCK_RNG,
            F::PADLOCK_UNDOC,
            F::KNC,
        ],
        "of other processors",
    ),
    (&[F::RTM, F::HLE_or_RTM, F::TSXLDTRK], "transactions"),
    (&[F::CET_SS, F::PKU, F::SGX1, F::SMX], "needs a kernel that switches it on"),
    (&[F::SVM, F::VMX], "virtual machines"),
    (&[F::MONITOR, F::PCOMMIT, F::SEP], "not for programs in 64-bit mode"),
];

/// Single instructions.
const INSTRUCTIONS: &[(&[&str], &str)] = &[
    (
        &["Fstenv", "Fstcw", "Fclex", "Finit", "Fsave", "Fstsw", "Feni", "Fdisi", "Fsetpm"],
        "two instructions: WAIT, and the one with N",
    ),
    (&["Retfq", "Retfd", "Retfw", "Iretq", "Iretd", "Iretw", "Call_m16", "Jmp_m16"], "to other segments"),
    (
        &["Mov_Sreg", "Popw_FS", "Popw_GS", "Popq_FS", "Popq_GS", "Lss", "Lfs", "Lgs"],
        "loads a segment register",
    ),
    (&["Sldt", "Str", "Verr", "Verw", "Smsw", "Lar", "Lsl", "Sgdt", "Sidt"], "reads what is the kernel's"),
    (&["Bswap_r16"], "its result is undefined"),
    (&["Fstpnce_sti"], "not documented"),
    (&["Ud0"], "the form of old processors"),
    (
        &["_16", "rel16", "Retnw", "Call_rm16", "Jmp_rm16"],
        "a branch of 16 bits: on Intel's processors the prefix does not count",
    ),
    (&["Bnd"], "decoded as the NOPs that they are where there is no MPX"),
];

#[test]
fn every_instruction_is_there_or_named() {
    let there: HashSet<Code> = codes().collect();
    let missing = Code::values().filter(|code| {
        let op = code.op_code();
        let encoded = matches!(op.encoding(), EncodingKind::Legacy | EncodingKind::VEX);
        op.is_instruction() && op.mode64() && encoded && !op.is_privileged() && !there.contains(code)
    });
    let unnamed: Vec<Code> = missing.filter(|&code| reason(code).is_none()).collect();
    assert!(unnamed.is_empty(), "no handler and no reason: {unnamed:?}");
}

/// docs/unsupported.md: of instructions that are there in other forms, the forms; of others, the names.
#[test]
fn what_is_missing_is_documented() {
    let there: HashSet<Code> = codes().collect();
    let known: HashSet<_> = there.iter().map(|code| code.mnemonic()).collect();
    let mut missing: BTreeMap<&str, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for code in Code::values().filter(|code| !there.contains(code)) {
        let op = code.op_code();
        if !op.is_instruction() || !op.mode64() {
            continue;
        }
        let why = match op.encoding() {
            EncodingKind::Legacy | EncodingKind::VEX if op.is_privileged() => "for kernels",
            EncodingKind::Legacy | EncodingKind::VEX => reason(code).unwrap_or_default(),
            EncodingKind::EVEX => "AVX-512",
            _ => continue,
        };
        let (forms, names) = missing.entry(why).or_default();
        match why {
            "AVX-512" => continue,
            _ if known.contains(&code.mnemonic()) => forms.push(Form::new(code, &[]).name()),
            _ => names.push(format!("{:?}", code.mnemonic()).to_uppercase()),
        }
    }
    let mut text = HEAD.to_owned();
    for (why, (mut forms, mut names)) in missing {
        for list in [&mut forms, &mut names] {
            list.sort();
            list.dedup();
        }
        let all: Vec<String> = names.into_iter().chain(forms).map(|name| format!("`{name}`")).collect();
        let all = if why == "AVX-512" { "all of them".to_owned() } else { all.join(", ") };
        writeln!(text, "| {why} | {all} |").expect("a text");
    }
    expect_file![testdata("../docs/unsupported.md")].assert_eq(&text);
}

const HEAD: &str = "# Instructions that goemu does not have

goemu's processor has what x86-64-v3 has, with AES, PCLMULQDQ, ADX, SHA and x87, for programs in 64-bit mode. What is missing is a fault that names
the form and its bytes: `unsupported instruction POP FS (..: 0f a1)`. This page is made of the table of handlers (`cargo xtask bless`): for each
reason, instructions that are missing, and forms that are missing of those that are there.

| why | which |
|---|---|
";

/// Why an instruction is not there.
fn reason(code: Code) -> Option<&'static str> {
    let name = format!("{code:?}");
    let of_extension =
        EXTENSIONS.iter().find(|(all, _)| all.iter().any(|f| code.cpuid_features().contains(f)));
    let itself = INSTRUCTIONS.iter().find(|(names, _)| {
        names.iter().any(|part| {
            if part.starts_with(char::is_uppercase) { name.starts_with(part) } else { name.contains(part) }
        })
    });
    of_extension.map(|(_, why)| *why).or_else(|| itself.map(|(_, why)| *why))
}

#[test]
fn reasons_are_needed() {
    let there: HashSet<Code> = codes().collect();
    let absent: Vec<Code> =
        Code::values().filter(|code| !there.contains(code) && code.op_code().mode64()).collect();
    for feature in EXTENSIONS.iter().flat_map(|(all, _)| all.iter()) {
        assert!(absent.iter().any(|code| code.cpuid_features().contains(feature)), "{feature:?} is there");
    }
    for part in INSTRUCTIONS.iter().flat_map(|(names, _)| names.iter()) {
        assert!(absent.iter().any(|code| format!("{code:?}").contains(part)), "{part} is there");
    }
}
