//! The bytes of one call: argument registers and the stack block, as the assigner laid them out.
//!
//! A frame is filled from values before a call and read after it. It is no machine: the code that runs the call
//! copies it into the processor and onto the guest's stack, and back.

use smallvec::{SmallVec, smallvec};

use crate::go::abi::{FLOAT_REGS, INT_REGS, Piece, Place};

/// Bytes of a value or of a stack block. Most are a few words, and then nothing is allocated for them.
pub type Block = SmallVec<[u8; 64]>;

/// Registers and stack of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// AX BX CX DI SI R8 R9 R10 R11.
    pub ints: [u64; INT_REGS],
    /// The low 64 bits of X0 to X14.
    pub floats: [u64; FLOAT_REGS],
    /// The block that begins at the first argument slot.
    pub stack: Block,
}

/// A piece that is in no register and outside the stack block: it belongs to another call's assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value does not belong in this frame: {0:?}")]
pub struct OutsideFrame(pub Piece);

/// Where the pieces of values lie: a frame, or the processor and the stack itself.
pub trait Places {
    /// The n-th integer register.
    fn int(&self, n: usize) -> Option<u64>;
    /// The low 64 bits of the n-th floating-point register.
    fn float(&self, n: usize) -> Option<u64>;
    /// Bytes of the stack block, from `at` on. `None` where they are outside of it.
    fn stack(&self, at: u64, bytes: &mut [u8]) -> Option<()>;
    /// Bytes of the stack block.
    fn stack_size(&self) -> u64;
}

impl Places for Frame {
    #[inline]
    fn int(&self, n: usize) -> Option<u64> {
        self.ints.get(n).copied()
    }

    #[inline]
    fn float(&self, n: usize) -> Option<u64> {
        self.floats.get(n).copied()
    }

    #[inline]
    fn stack(&self, at: u64, bytes: &mut [u8]) -> Option<()> {
        bytes.copy_from_slice(slice(&self.stack, at, bytes.len() as u64)?);
        Some(())
    }

    fn stack_size(&self) -> u64 {
        self.stack.len() as u64
    }
}

/// Collects a value of `size` bytes from its places, in its memory form. Padding is zero.
///
/// # Errors
/// When a piece lies outside the value or outside these places.
#[inline]
pub fn get(places: &impl Places, pieces: &[Piece], size: u64) -> Result<Block, OutsideFrame> {
    // A value is no larger than the places it is in, so a size that lies allocates nothing.
    let most = places.stack_size() + 8 * (INT_REGS + FLOAT_REGS) as u64;
    let mut bytes = zeroed(size.min(2 * most) as usize);
    for piece in pieces {
        get_piece(places, piece, &mut bytes).ok_or(OutsideFrame(*piece))?;
    }
    Ok(bytes)
}

#[inline]
fn get_piece(places: &impl Places, piece: &Piece, bytes: &mut [u8]) -> Option<()> {
    let part = slice_mut(bytes, piece.offset, piece.size)?;
    match piece.place {
        Place::Int(n) => take(part, places.int(usize::from(n))?),
        Place::Float(n) => take(part, places.float(usize::from(n))?),
        Place::Stack(at) => places.stack(at, part),
    }
}

impl Frame {
    /// An empty frame with a stack block of `stack_size` bytes (`Assignment::stack_size`).
    #[must_use]
    #[inline]
    pub fn new(stack_size: u64) -> Frame {
        Frame { stack: zeroed(usize::try_from(stack_size).unwrap_or(0)), ..Frame::default() }
    }

    /// Puts a value in its places. `bytes` is its memory form.
    ///
    /// # Errors
    /// When a piece lies outside the value or outside this frame.
    #[inline]
    pub fn put(&mut self, pieces: &[Piece], bytes: &[u8]) -> Result<(), OutsideFrame> {
        for piece in pieces {
            self.put_piece(piece, bytes).ok_or(OutsideFrame(*piece))?;
        }
        Ok(())
    }

    /// Collects a value of `size` bytes from its places, in its memory form. Padding is zero.
    ///
    /// # Errors
    /// When a piece lies outside the value or outside this frame.
    #[inline]
    pub fn get(&self, pieces: &[Piece], size: u64) -> Result<Block, OutsideFrame> {
        get(self, pieces, size)
    }

    #[inline]
    fn put_piece(&mut self, piece: &Piece, bytes: &[u8]) -> Option<()> {
        let part = slice(bytes, piece.offset, piece.size)?;
        match piece.place {
            Place::Int(n) => *self.ints.get_mut(usize::from(n))? = word(part)?,
            Place::Float(n) => *self.floats.get_mut(usize::from(n))? = word(part)?,
            Place::Stack(at) => slice_mut(&mut self.stack, at, piece.size)?.copy_from_slice(part),
        }
        Some(())
    }
}

/// So many bytes. Small blocks are zeroed whole, which takes less than a part of a length that is not known.
#[inline]
fn zeroed(size: usize) -> Block {
    const INLINE: usize = 64;
    if size <= INLINE { Block::from_buf_and_len([0; INLINE], size) } else { smallvec![0; size] }
}

/// A little-endian number of up to 8 bytes.
#[inline]
fn word(part: &[u8]) -> Option<u64> {
    let mut word = [0; 8];
    word.get_mut(..part.len())?.copy_from_slice(part);
    Some(u64::from_le_bytes(word))
}

/// The low bytes of a register.
#[inline]
fn take(part: &mut [u8], word: u64) -> Option<()> {
    let len = part.len();
    part.copy_from_slice(word.to_le_bytes().get(..len)?);
    Some(())
}

#[inline]
fn slice(bytes: &[u8], at: u64, size: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(at).ok()?..usize::try_from(at.checked_add(size)?).ok()?)
}

#[inline]
fn slice_mut(bytes: &mut [u8], at: u64, size: u64) -> Option<&mut [u8]> {
    bytes.get_mut(usize::try_from(at).ok()?..usize::try_from(at.checked_add(size)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::{
        abi::assign,
        testing::{anonymous, array, basic, signature},
    };
    use goemu_loader::Abi;

    #[test]
    fn what_is_put_can_be_got_again() {
        let s = anonymous(&[&basic("int8"), &basic("float64"), &basic("string")]);
        let a = array(3, &basic("int16"));
        let sig = signature(&[s.clone(), a.clone()], &[]);
        for abi in [Abi::Abi0, Abi::Internal] {
            let assignment = assign(abi, &sig).unwrap();
            let mut frame = Frame::new(assignment.stack_size);
            let first: Vec<u8> = (1..=32).collect();
            frame.put(&assignment.params[0], &first).unwrap();
            frame.put(&assignment.params[1], &[9; 6]).unwrap();
            let got = frame.get(&assignment.params[0], s.size).unwrap();
            assert_eq!((got[0], &got[8..]), (1, &first[8..]), "{abi:?}");
            assert_eq!(frame.get(&assignment.params[1], a.size).unwrap()[..], [9; 6]);
        }
    }

    #[test]
    fn a_piece_of_another_call_is_an_error() {
        let piece = Piece { offset: 0, size: 8, place: Place::Stack(u64::MAX) };
        assert_eq!(Frame::new(8).put(&[piece], &[0; 8]), Err(OutsideFrame(piece)));
        assert_eq!(Frame::new(8).get(&[piece], u64::MAX), Err(OutsideFrame(piece)));
    }
}
