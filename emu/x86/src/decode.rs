//! Bytes to instructions to blocks. The only user of iced's decoder in this crate; it knows no engine.

use iced_x86::{Code, Decoder, DecoderError, DecoderOptions, FlowControl, Instruction, OpKind};

use crate::memory::{MemFault, Memory};

/// Bytes of the longest instruction.
pub const MAX_INSN: usize = 15;

/// The most instructions in a block, and those that most blocks have at most.
const MAX_BLOCK: usize = 64;
const USUAL: usize = 8;

/// Bytes that are fetched together.
const FETCHED: usize = 64;

/// How control leaves a block at its last instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockEnd {
    /// To the next instruction.
    Next,
    /// To this address.
    Jump(u64),
    /// To this address, or to the next instruction.
    Branch(u64),
    /// To this address, with the next instruction's as return address.
    Call(u64),
    /// To an address in a register or in memory; or the instruction traps.
    Indirect,
}

/// A run of instructions that is entered at the top only.
#[derive(Clone, Debug)]
pub struct Block {
    /// The instructions, at least one, each with its address and length.
    pub insns: Vec<Instruction>,
    /// How control leaves it.
    pub end: BlockEnd,
}

impl Block {
    /// Address of the first instruction.
    pub fn start(&self) -> u64 {
        self.insns.first().map_or(0, |insn| insn.ip())
    }

    /// Address after the last instruction.
    pub fn next(&self) -> u64 {
        self.insns.last().map_or(0, |insn| insn.next_ip())
    }

    /// Whether fuel is tested, and the cost of long operations taken, where control leaves by the target that
    /// [`Block::end`] names: where that is a call, or does not lie behind its branch. The rule does not depend on where
    /// blocks begin, so that all engines agree. Returns and indirect jumps always poll.
    pub fn polls(&self) -> bool {
        match self.end {
            BlockEnd::Jump(to) | BlockEnd::Branch(to) | BlockEnd::Call(to) => {
                self.insns.last().is_some_and(|insn| polls(insn, to))
            }
            BlockEnd::Next | BlockEnd::Indirect => false,
        }
    }
}

/// Whether fuel is tested after an instruction that went to `target`: a call, a return, an indirect jump, or a branch
/// whose target does not lie behind it. The rule of [`Block::polls`], for callers that execute single instructions.
pub fn polls(insn: &Instruction, target: u64) -> bool {
    match insn.flow_control() {
        FlowControl::Call | FlowControl::IndirectCall | FlowControl::IndirectBranch | FlowControl::Return => {
            true
        }
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => target <= insn.ip(),
        _ => false,
    }
}

/// Decodes one instruction. Bytes that are no instruction give one with [`Code::INVALID`]; an instruction
/// that continues on a page without code is a fault of that page.
///
/// # Errors
/// [`MemFault`] if the first byte may not be executed, or the instruction continues where there is no code.
pub fn decode(memory: &Memory, pc: u64) -> Result<Instruction, MemFault> {
    let mut bytes = [0; MAX_INSN];
    let len = memory.fetch(pc, &mut bytes)?;
    let mut decoder = Decoder::with_ip(64, &bytes[..len], pc, DecoderOptions::NONE);
    let insn = decoder.decode();
    if decoder.last_error() == DecoderError::NoMoreBytes && len < MAX_INSN {
        memory.fetch(pc.wrapping_add(len as u64), &mut [0])?;
    }
    Ok(insn)
}

/// Decodes from `pc` to the end of the block there: a change of control, an instruction that leaves for
/// the kernel, or an address for which `stop` holds.
///
/// # Errors
/// Those of [`decode`] for the first instruction. A later one that cannot be fetched ends the block before it.
pub fn decode_block(memory: &Memory, pc: u64, stop: impl Fn(u64) -> bool) -> Result<Block, MemFault> {
    let mut insns = Vec::with_capacity(USUAL);
    let mut next = pc;
    loop {
        // Bytes are fetched for several instructions at once: all that lie whole in them are decoded from there.
        let mut bytes = [0; FETCHED];
        let len = memory.fetch(next, &mut bytes);
        let mut decoder =
            Decoder::with_ip(64, &bytes[..*len.as_ref().unwrap_or(&0)], next, DecoderOptions::NONE);
        loop {
            let left = decoder.max_position() - decoder.position();
            let decoded = if left >= MAX_INSN { Ok(decoder.decode()) } else { decode(memory, next) };
            match decoded {
                Ok(insn) => insns.push(insn),
                Err(fault) if insns.is_empty() => return Err(fault),
                // It faults when it is reached.
                Err(_) => return Ok(Block { insns, end: BlockEnd::Next }),
            }
            let last = &insns[insns.len() - 1];
            if let Some(end) = block_end(last) {
                return Ok(Block { insns, end });
            }
            next = last.next_ip();
            if insns.len() >= MAX_BLOCK || stop(next) {
                return Ok(Block { insns, end: BlockEnd::Next });
            }
            if left < 2 * MAX_INSN {
                break;
            }
        }
    }
}

fn block_end(insn: &Instruction) -> Option<BlockEnd> {
    let near = matches!(insn.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64);
    match insn.flow_control() {
        FlowControl::Next if insn.code() == Code::INVALID => Some(BlockEnd::Indirect),
        // HLT leaves, and iced counts it as an ordinary instruction.
        FlowControl::Next if insn.code() == Code::Hlt => Some(BlockEnd::Next),
        FlowControl::Next => None,
        FlowControl::UnconditionalBranch if near => Some(BlockEnd::Jump(insn.near_branch_target())),
        FlowControl::ConditionalBranch if near => Some(BlockEnd::Branch(insn.near_branch_target())),
        FlowControl::Call if near => Some(BlockEnd::Call(insn.near_branch_target())),
        // After the system call is answered, execution continues with the next instruction.
        FlowControl::Call => Some(BlockEnd::Next),
        _ => Some(BlockEnd::Indirect),
    }
}
