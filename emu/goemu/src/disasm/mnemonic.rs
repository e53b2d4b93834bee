//! The names of instructions: Intel's mnemonic in upper case, a letter for the size of its operands if Go's
//! assembler requires one, and the decorations of EVEX instructions.

use core::fmt::{self, Write};

use iced_x86::{Code, EncodingKind, Instruction, Mnemonic, OpKind, Register, RoundingControl};

use super::prefix::Prefixes;

/// Writes the name of `insn`, with its suffixes.
pub(super) fn write(out: &mut dyn Write, insn: &Instruction, prefixes: &Prefixes) -> fmt::Result {
    match special_name(insn) {
        Some(name) => out.write_str(name)?,
        None => write!(Upper(out), "{:?}", insn.mnemonic())?,
    }
    match insn.code().encoding() {
        EncodingKind::Legacy => out.write_str(legacy_suffix(insn, prefixes)),
        EncodingKind::EVEX => {
            out.write_str(vector_suffix(insn, true))?;
            write_decorations(out, insn)
        }
        _ => out.write_str(vector_suffix(insn, false)),
    }
}

/// Passes words on in upper case.
struct Upper<'a>(&'a mut dyn Write);

impl Write for Upper<'_> {
    fn write_str(&mut self, word: &str) -> fmt::Result {
        let mut upper = [0; 32]; // the longest mnemonic has 17 letters
        let upper = upper.get_mut(..word.len()).ok_or(fmt::Error)?;
        upper.copy_from_slice(word.as_bytes());
        upper.make_ascii_uppercase();
        self.0.write_str(str::from_utf8(upper).map_err(|_| fmt::Error)?)
    }
}

/// The name in upper case, if it differs from Intel's mnemonic.
fn special_name(insn: &Instruction) -> Option<&'static str> {
    Some(match insn.mnemonic() {
        Mnemonic::Movsd if insn.code() != Code::Movsd_m32_m32 => "MOVSD_XMM",
        Mnemonic::Cmpsd if insn.code() != Code::Cmpsd_m32_m32 => "CMPSD_XMM",
        Mnemonic::Sal => "SHL",
        Mnemonic::Int3 => "INT",
        Mnemonic::Int1 => "ICEBP",
        Mnemonic::Wait => "FWAIT",
        Mnemonic::Retf => "LRET",
        Mnemonic::Jmp if insn.is_jmp_far_indirect() => "LJMP",
        Mnemonic::Call if insn.is_call_far_indirect() => "LCALL",
        Mnemonic::Pcmpestri64 => "PCMPESTRI",
        Mnemonic::Pcmpestrm64 => "PCMPESTRM",
        Mnemonic::Sysretq => "SYSRET",
        Mnemonic::Sysexitq => "SYSEXIT",
        _ => return None,
    })
}

fn size_letter(bits: u32) -> &'static str {
    match bits {
        8 => "B",
        16 => "W",
        32 => "L",
        64 => "Q",
        _ => "",
    }
}

/// The size of a legacy instruction's operands, as a letter, if the name has one.
///
/// Memory decides; then a single 64-bit register (`PUSHQ AX`); then the prefixes: an operation on a byte
/// register is spelled with an `L`.
fn legacy_suffix(insn: &Instruction, prefixes: &Prefixes) -> &'static str {
    let mnemonic = insn.mnemonic();
    if is_extension_unknown_to_the_tool(mnemonic) {
        return size_letter(register_bits(insn.op0_register()));
    }
    if !has_size(mnemonic) {
        return "";
    }
    let memory = memory_bits(insn);
    let bits = if memory != 0 {
        memory
    } else if insn.op_count() == 1 && insn.op0_register().is_gpr64() {
        64
    } else {
        prefixes.operand_size
    };
    size_letter(bits)
}

/// Bits of the memory operand that the name depends on; 0 if there is none.
fn memory_bits(insn: &Instruction) -> u32 {
    let memory = insn.op_kinds().any(|kind| kind == OpKind::Memory);
    // The memory of these has a size that no operand has.
    let sizeless = matches!(
        insn.mnemonic(),
        Mnemonic::Lea | Mnemonic::Fldenv | Mnemonic::Frstor | Mnemonic::Call | Mnemonic::Jmp
    );
    if !memory || sizeless { 0 } else { u32::try_from(insn.memory_size().size()).unwrap_or(0) * 8 }
}

fn register_bits(register: Register) -> u32 {
    u32::try_from(register.size()).unwrap_or(0) * 8
}

/// Whether the name of a legacy instruction ends with the size of its operands.
fn has_size(mnemonic: Mnemonic) -> bool {
    use Mnemonic as M;
    matches!(
        mnemonic,
        M::Adc
            | M::Add
            | M::And
            | M::Bsf
            | M::Bsr
            | M::Bt
            | M::Btc
            | M::Btr
            | M::Bts
            | M::Cmp
            | M::Cmpxchg
            | M::Cvtsi2sd
            | M::Cvtsi2ss
            | M::Cvtsd2si
            | M::Cvtss2si
            | M::Cvttsd2si
            | M::Cvttss2si
            | M::Dec
            | M::Div
            | M::Fldenv
            | M::Frstor
            | M::Idiv
            | M::Imul
            | M::In
            | M::Inc
            | M::Lea
            | M::Mov
            | M::Movnti
            | M::Mul
            | M::Neg
            | M::Nop
            | M::Not
            | M::Or
            | M::Out
            | M::Pop
            | M::Popcnt
            | M::Push
            | M::Rcl
            | M::Rcr
            | M::Rol
            | M::Ror
            | M::Sal
            | M::Sar
            | M::Sbb
            | M::Shl
            | M::Shld
            | M::Shr
            | M::Shrd
            | M::Sub
            | M::Test
            | M::Xadd
            | M::Xchg
            | M::Xor
    )
}

/// Legacy instructions that Go's tool shows as `?`, and that Go's assembler spells with a size.
fn is_extension_unknown_to_the_tool(mnemonic: Mnemonic) -> bool {
    matches!(mnemonic, Mnemonic::Adcx | Mnemonic::Adox | Mnemonic::Rdseed)
}

/// The suffix of a VEX or EVEX instruction: the length of the vector if the operands do not determine it, or the size
/// of a general register.
fn vector_suffix(insn: &Instruction, evex: bool) -> &'static str {
    use Mnemonic as M;
    match insn.mnemonic() {
        M::Andn
        | M::Bextr
        | M::Blsi
        | M::Blsmsk
        | M::Blsr
        | M::Bzhi
        | M::Mulx
        | M::Pdep
        | M::Pext
        | M::Rorx
        | M::Sarx
        | M::Shlx
        | M::Shrx => size_letter(register_bits(insn.op0_register())),
        M::Vcvtsi2sd | M::Vcvtsi2ss => {
            if is_quad(insn) {
                "Q"
            } else {
                "L"
            }
        }
        M::Vcvtsd2si | M::Vcvtss2si | M::Vcvttsd2si | M::Vcvttss2si if is_quad(insn) => "Q",
        M::Vfpclasspd | M::Vfpclassps | M::Vcvtpd2dq => length_letter(insn),
        M::Vcvttpd2dq | M::Vcvtpd2ps if !evex => length_letter(insn),
        _ => "",
    }
}

/// Whether a conversion has a 64-bit integer.
fn is_quad(insn: &Instruction) -> bool {
    let memory_is_source =
        matches!(insn.mnemonic(), Mnemonic::Vcvtsi2sd | Mnemonic::Vcvtsi2ss) && memory_bits(insn) == 64;
    memory_is_source || (0..insn.op_count()).any(|op| insn.op_register(op).is_gpr64())
}

/// The letter of the registers whose length is that of the source.
fn length_letter(insn: &Instruction) -> &'static str {
    match insn.code() {
        Code::VEX_Vcvtpd2dq_xmm_xmmm128
        | Code::VEX_Vcvttpd2dq_xmm_xmmm128
        | Code::VEX_Vcvtpd2ps_xmm_xmmm128
        | Code::EVEX_Vcvtpd2dq_xmm_k1z_xmmm128b64
        | Code::EVEX_Vfpclasspd_kr_k1_xmmm128b64_imm8
        | Code::EVEX_Vfpclassps_kr_k1_xmmm128b32_imm8 => "X",
        Code::VEX_Vcvtpd2dq_xmm_ymmm256
        | Code::VEX_Vcvttpd2dq_xmm_ymmm256
        | Code::VEX_Vcvtpd2ps_xmm_ymmm256
        | Code::EVEX_Vcvtpd2dq_xmm_k1z_ymmm256b64
        | Code::EVEX_Vfpclasspd_kr_k1_ymmm256b64_imm8
        | Code::EVEX_Vfpclassps_kr_k1_ymmm256b32_imm8 => "Y",
        _ => "Z",
    }
}

/// Writes the decorations of EVEX: broadcast, rounding, exceptions off, zeroing.
fn write_decorations(out: &mut dyn Write, insn: &Instruction) -> fmt::Result {
    if insn.is_broadcast() {
        out.write_str(".BCST")?;
    }
    out.write_str(match insn.rounding_control() {
        RoundingControl::RoundToNearest => ".RN_SAE",
        RoundingControl::RoundDown => ".RD_SAE",
        RoundingControl::RoundUp => ".RU_SAE",
        RoundingControl::RoundTowardZero => ".RZ_SAE",
        _ if insn.suppress_all_exceptions() => ".SAE",
        _ => "",
    })?;
    if insn.zeroing_masking() { out.write_str(".Z") } else { Ok(()) }
}
