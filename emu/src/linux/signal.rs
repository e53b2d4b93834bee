//! Signals: what a program wants done is noted and told again, and none is ever sent.

use super::{Args, Kernel, errno};
use crate::hook::{Cx, Refused};
use crate::os::Answer;

/// Signals that there are, from 1.
const COUNT: usize = 64;
/// Bytes of the kernel's `struct sigaction`: handler, flags, restorer, mask.
const ACTION: usize = 32;

/// What is to be done for each signal.
#[derive(Clone)]
pub(super) struct Signals {
    actions: Vec<[u8; ACTION]>,
}

impl Default for Signals {
    fn default() -> Signals {
        Signals { actions: vec![[0; ACTION]; COUNT + 1] }
    }
}

/// `struct sigaltstack`: address, flags, size.
#[derive(Clone, Copy)]
pub(super) struct AltStack([u64; 3]);

impl Default for AltStack {
    fn default() -> AltStack {
        const SS_DISABLE: u64 = 2;
        AltStack([0, SS_DISABLE, 0])
    }
}

/// `rt_sigaction(signal, new, old, size)`
pub(super) fn rt_sigaction(kernel: &mut Kernel, cx: &mut Cx<'_>, args: Args) -> Result<Answer, Refused> {
    let [signal, new, old, ..] = args;
    let signal = usize::try_from(signal).ok().filter(|&signal| signal > 0);
    let Some(action) = signal.and_then(|signal| kernel.signals.actions.get_mut(signal)) else {
        return Ok(Answer::Return(-errno::EINVAL));
    };
    let before = *action;
    if new != 0 {
        *action = cx.memory.read(new)?;
    }
    if old != 0 {
        cx.memory.write(old, before)?;
    }
    Ok(Answer::Return(0))
}

/// `rt_sigprocmask(how, new, old, size)`: as none is sent, none need be held back.
pub(super) fn rt_sigprocmask(_: &mut Kernel, cx: &mut Cx<'_>, args: Args) -> Result<Answer, Refused> {
    if args[2] != 0 {
        cx.set_word(args[2], 0)?;
    }
    Ok(Answer::Return(0))
}

/// `sigaltstack(new, old)`
pub(super) fn sigaltstack(kernel: &mut Kernel, cx: &mut Cx<'_>, args: Args) -> Result<Answer, Refused> {
    let stack = &mut kernel.threads.running().alt_stack;
    let before = *stack;
    if args[0] != 0 {
        let word = |n: u64| cx.word(args[0].wrapping_add(8 * n));
        *stack = AltStack([word(0)?, word(1)?, word(2)?]);
    }
    if args[1] != 0 {
        for (n, word) in before.0.into_iter().enumerate() {
            cx.set_word(args[1].wrapping_add(8 * n as u64), word)?;
        }
    }
    Ok(Answer::Return(0))
}
