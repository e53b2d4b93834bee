//! One row per mnemonic: the function that selects its handler. A row names a function, or tries two in turn if the
//! mnemonic stands for two families. Scalar instructions are here, the others in the files below.

#[macro_use]
mod lane;

mod float;
mod fma;
mod mmx;
mod packed_int;
mod resize;
mod vector;
mod x87;

use iced_x86::{Instruction, Mnemonic as M};

use super::op::{Handler, Op};
use super::ops::arith::{self, binary, compare, ternary, unary};
use super::ops::shift::{self, double_shift, plain_shift};
use super::ops::{bits, branch, mov, muldiv, processor, segment, stack, string, system};

/// Selects the handler for an instruction's operands.
type Pick = fn(&Instruction) -> Option<Handler>;

/// An instruction as an operation. Without a handler, it is an operation that traps.
pub(crate) fn lower(insn: &Instruction) -> Op {
    Op::new(handler(insn).unwrap_or_else(|| system::missing(insn)), insn)
}

fn handler(insn: &Instruction) -> Option<Handler> {
    pick(insn.mnemonic(), mmx::is_mmx(insn)).and_then(|pick| pick(insn))
}

/// The operation that replaces a guarded instruction.
pub(super) fn barrier(insn: &Instruction) -> Op {
    Op::new(system::guarded(), insn)
}

/// Whether there is a handler for exactly this form.
pub fn supports(insn: &Instruction) -> bool {
    handler(insn).is_some()
}

/// The row of a mnemonic, or of its form on MMX registers.
pub(super) fn pick(mnemonic: M, on_mmx: bool) -> Option<Pick> {
    if on_mmx {
        return mmx::shared(mnemonic).or_else(|| mmx::pick(mnemonic));
    }
    general(mnemonic)
        .or_else(|| flow(mnemonic))
        .or_else(|| vector::pick(mnemonic))
        .or_else(|| processor(mnemonic))
        .or_else(|| x87::pick(mnemonic))
        .or_else(|| mmx::pick(mnemonic))
}

#[rustfmt::skip]
fn general(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Mov => |insn| mov::mov(insn).or_else(|| segment::read(insn)),
        M::Movzx => mov::movzx,
        M::Movsx | M::Movsxd => mov::movsx,
        M::Lea => mov::lea,
        M::Add => binary::<arith::Add>,
        M::Adc => binary::<arith::Adc>,
        M::Sub => binary::<arith::Sub>,
        M::Sbb => binary::<arith::Sbb>,
        M::And => binary::<arith::And>,
        M::Or => binary::<arith::Or>,
        M::Xor => binary::<arith::Xor>,
        M::Adcx => binary::<arith::Adcx>,
        M::Adox => binary::<arith::Adox>,
        M::Andn => ternary::<arith::Andn>,
        M::Cmp => compare::<arith::Sub>,
        M::Test => compare::<arith::And>,
        M::Inc => unary::<arith::Inc>,
        M::Dec => unary::<arith::Dec>,
        M::Neg => unary::<arith::Neg>,
        M::Not => unary::<arith::Not>,
        M::Shl | M::Sal => shift::shift::<shift::Shl>,
        M::Shr => shift::shift::<shift::Shr>,
        M::Sar => shift::shift::<shift::Sar>,
        M::Rol => shift::rotate::<shift::Rol, shift::RolBy>,
        M::Ror => shift::rotate::<shift::Ror, shift::RorBy>,
        M::Rcl => shift::shift::<shift::Rcl>,
        M::Rcr => shift::shift::<shift::Rcr>,
        M::Shld => double_shift::<shift::Shld>,
        M::Shrd => double_shift::<shift::Shrd>,
        M::Shlx => plain_shift::<shift::Shlx>,
        M::Shrx => plain_shift::<shift::Shrx>,
        M::Sarx => plain_shift::<shift::Sarx>,
        M::Rorx => shift::rorx,
        M::Mul => muldiv::mul,
        M::Imul => muldiv::imul,
        M::Div => muldiv::div,
        M::Idiv => muldiv::idiv,
        M::Mulx => muldiv::mulx,
        M::Cbw => muldiv::cbw,
        M::Cwde => muldiv::cwde,
        M::Cdqe => muldiv::cdqe,
        M::Cwd => muldiv::cwd,
        M::Cdq => muldiv::cdq,
        M::Cqo => muldiv::cqo,
        M::Bt => bits::bt,
        M::Bts => bits::bts,
        M::Btr => bits::btr,
        M::Btc => bits::btc,
        M::Bsf => bits::bsf,
        M::Bsr => bits::bsr,
        M::Tzcnt => bits::count::<bits::Tzcnt>,
        M::Lzcnt => bits::count::<bits::Lzcnt>,
        M::Popcnt => bits::count::<bits::Popcnt>,
        M::Blsr => bits::count::<bits::Blsr>,
        M::Blsi => bits::count::<bits::Blsi>,
        M::Blsmsk => bits::count::<bits::Blsmsk>,
        M::Bextr => bits::field::<bits::Bextr>,
        M::Bzhi => bits::field::<bits::Bzhi>,
        M::Pdep => bits::field::<bits::Pdep>,
        M::Pext => bits::field::<bits::Pext>,
        M::Bswap => bits::bswap,
        M::Movbe => bits::movbe,
        M::Crc32 => bits::crc32,
        M::Xchg => mov::xchg,
        M::Xadd => arith::xadd,
        M::Cmpxchg => mov::cmpxchg,
        M::Cmpxchg8b => mov::cmpxchg8b,
        M::Cmpxchg16b => mov::cmpxchg16b,
        M::Cmova | M::Cmovae | M::Cmovb | M::Cmovbe | M::Cmove | M::Cmovg | M::Cmovge | M::Cmovl | M::Cmovle
        | M::Cmovne | M::Cmovno | M::Cmovnp | M::Cmovns | M::Cmovo | M::Cmovp | M::Cmovs => mov::cmov,
        M::Seta | M::Setae | M::Setb | M::Setbe | M::Sete | M::Setg | M::Setge | M::Setl | M::Setle
        | M::Setne | M::Setno | M::Setnp | M::Setns | M::Seto | M::Setp | M::Sets => mov::set,
        M::Stc | M::Clc | M::Cmc => mov::carry,
        M::Std | M::Cld => mov::direction,
        M::Lahf => mov::lahf,
        M::Sahf => mov::sahf,
        M::Nop | M::Pause | M::Endbr64 | M::Prefetchnta | M::Prefetcht0 | M::Prefetcht1 | M::Prefetcht2
        | M::Prefetch | M::Prefetchw | M::Lfence | M::Mfence | M::Sfence => mov::nop,
        // Encodings set aside as NOPs, for extensions that are switched off here: CET, MPX, hints.
        M::Endbr32 | M::Rdsspd | M::Rdsspq | M::Prefetchwt1 | M::Prefetchit0 | M::Prefetchit1 | M::Cldemote
        | M::Reservednop => mov::nop,
        M::Xlatb => string::xlat,
        M::Movsb | M::Movsw | M::Movsq | M::Stosb | M::Stosw | M::Stosd | M::Stosq | M::Lodsb | M::Lodsw
        | M::Lodsd | M::Lodsq | M::Cmpsb | M::Cmpsw | M::Cmpsq | M::Scasb | M::Scasw | M::Scasd
        | M::Scasq => string::string,
        _ => return None,
    })
}

#[rustfmt::skip]
fn flow(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Push => |insn| stack::push_operand(insn).or_else(|| segment::push(insn)),
        M::Pop => stack::pop_operand,
        M::Pushf | M::Pushfq => stack::pushf,
        M::Popf | M::Popfq => stack::popf,
        M::Enter => stack::enter,
        M::Leave => stack::leave,
        M::Call => stack::call,
        M::Ret => stack::ret,
        M::Jmp => branch::jmp,
        M::Ja | M::Jae | M::Jb | M::Jbe | M::Je | M::Jg | M::Jge | M::Jl | M::Jle | M::Jne | M::Jno
        | M::Jnp | M::Jns | M::Jo | M::Jp | M::Js => branch::jcc,
        M::Jrcxz | M::Jecxz => branch::jrcxz,
        M::Loop | M::Loope | M::Loopne => branch::loops,
        M::Syscall | M::Hlt | M::Int1 | M::Int3 | M::Int | M::Rdpmc | M::Ud0 | M::Ud1 | M::Ud2 => system::leaves,
        _ => return None,
    })
}

fn processor(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Cpuid => processor::cpuid,
        M::Xgetbv => processor::xgetbv,
        M::Rdtsc | M::Rdtscp => processor::rdtsc,
        M::Rdrand | M::Rdseed => processor::random,
        M::Rdpid => processor::rdpid,
        M::Ldmxcsr | M::Vldmxcsr => processor::ldmxcsr,
        M::Stmxcsr | M::Vstmxcsr => processor::stmxcsr,
        M::Rdfsbase | M::Rdgsbase | M::Wrfsbase | M::Wrgsbase => processor::segment,
        M::Clflush | M::Clflushopt | M::Clwb => processor::flush,
        _ => return None,
    })
}
