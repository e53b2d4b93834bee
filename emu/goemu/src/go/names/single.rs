//! Functions that a program has once, by what they are, where their names were hashed or removed.

use goemu_loader::{Func, FuncId, Image};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// `runtime.main`, which runs the initialisation tasks and calls `main.main`.
pub(crate) fn runtime_main(image: &Image) -> Option<Func<'_>> {
    let named = image.funcs_named("runtime.main");
    let real = named.iter().find(|func| func.func_id() != FuncId::Wrapper).or(named.first());
    real.copied().or_else(|| image.funcs().find(|func| func.func_id() == FuncId::RuntimeMain))
}

/// `main.main`. `runtime.main` calls it through a function value that the file has; it calls no other that way.
pub(super) fn program_main(image: &Image) -> Option<Func<'_>> {
    let func = runtime_main(image)?;
    let size = usize::try_from(func.end().checked_sub(func.entry())?).ok()?;
    let code = image.bytes(func.entry(), size)?;
    let insns: Vec<Instruction> =
        Decoder::with_ip(64, code, func.entry(), DecoderOptions::NONE).iter().collect();
    let values = insns.windows(3).filter_map(called_value);
    let entries = values.filter_map(|value| image.read_u64(value));
    { entries }.find_map(|entry| image.func_at(entry).filter(|func| func.entry() == entry))
}

/// The function value of `MOVQ value, AX; LEAQ value, DX; CALL AX`, where `DX` is what a closure finds itself in.
fn called_value(insns: &[Instruction]) -> Option<u64> {
    let [first, second, call] = insns else { return None };
    let calls = call.mnemonic() == Mnemonic::Call && call.op0_kind() == OpKind::Register;
    let loads = |insn: &Instruction, mnemonic, register| {
        insn.mnemonic() == mnemonic && insn.op0_register() == register && insn.is_ip_rel_memory_operand()
    };
    let pair = |code: &Instruction, value: &Instruction| {
        loads(code, Mnemonic::Mov, call.op0_register())
            && loads(value, Mnemonic::Lea, Register::RDX)
            && code.ip_rel_memory_address() == value.ip_rel_memory_address()
    };
    let found = calls && (pair(first, second) || pair(second, first));
    found.then(|| first.ip_rel_memory_address())
}
