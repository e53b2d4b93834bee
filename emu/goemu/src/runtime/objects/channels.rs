//! Channels (`runtime/chan.go`), on the runtime's own layout, since compiled code reads lengths and capacities itself.
//!
//! A goroutine that has to wait is suspended in the scheduler, and gets the results of the function that it waits in when another
//! goroutine sends, receives or closes: values go from one to the other directly.

use super::{errors, memory, room, size_of, type_word};
use crate::guest::address_map::SEND_FAILED;
use crate::guest::waiters::{Direction, Waiter, Wants};
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::runtime::hooked::goroutines;

/// Go's addresses have 48 bits; no channel is larger.
const MAX_ALLOC: u64 = 1 << 48;

/// A send or a receive.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) struct Operation {
    pub(in crate::runtime) channel: u64,
    /// Where the value is, or goes; 0 where it is not wanted.
    pub(in crate::runtime) elem: u64,
    pub(in crate::runtime) direction: Direction,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Tried {
    /// It is done; whether a value was sent or received.
    Done(bool),
    /// A closed channel gets no more values.
    Closed,
    Blocks,
}

/// `makechan(t *chantype, size int) *hchan`
pub(in crate::runtime) fn makechan(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, len) = (cx.arg(0)?, cx.arg(1)?);
    let elem_type = type_word(cx, ty, cx.image.facts().types.chan.elem)?;
    let (at, elem) = (cx.image.facts().hchan, size_of(cx, elem_type)?);
    // The lock comes last.
    let head = at.lock + 16;
    let Some(bytes) = elem.checked_mul(len).filter(|bytes| *bytes <= MAX_ALLOC && len <= MAX_ALLOC) else {
        return errors::of_runtime(cx, "makechan: size out of range");
    };
    let channel = room!(cx, head + bytes, ty);
    cx.set_word(channel + at.dataqsiz, len)?;
    cx.set_word(channel + at.buf, channel + head)?;
    cx.memory.write(channel + at.elemsize, (elem as u16).to_le_bytes())?;
    cx.set_word(channel + at.elemtype, elem_type)?;
    cx.set_result(2, 0, channel)?;
    Ok(Action::Return)
}

/// `chanlen(c *hchan) int`
pub(in crate::runtime) fn chanlen(cx: &mut HookContext<'_>) -> HookResult {
    count(cx, cx.image.facts().hchan.qcount)
}

/// `chancap(c *hchan) int`
pub(in crate::runtime) fn chancap(cx: &mut HookContext<'_>) -> HookResult {
    count(cx, cx.image.facts().hchan.dataqsiz)
}

fn count(cx: &mut HookContext<'_>, field: u64) -> HookResult {
    let channel = cx.arg(0)?;
    let count = if channel == 0 { 0 } else { word(cx, channel, field)? };
    cx.set_result(1, 0, count)?;
    Ok(Action::Return)
}

/// `chansend1(c *hchan, elem unsafe.Pointer)`
pub(in crate::runtime) fn chansend1(cx: &mut HookContext<'_>) -> HookResult {
    let operation = Operation { channel: cx.arg(0)?, elem: cx.arg(1)?, direction: Direction::Send };
    match attempt(cx, operation)? {
        Tried::Done(_) => Ok(Action::Return),
        Tried::Closed => send_failed(cx),
        Tried::Blocks => wait(cx, operation, Wants::Nothing),
    }
}

/// `chanrecv1(c *hchan, elem unsafe.Pointer)`
pub(in crate::runtime) fn chanrecv1(cx: &mut HookContext<'_>) -> HookResult {
    receive_or_wait(cx, Wants::Nothing)
}

/// `chanrecv2(c *hchan, elem unsafe.Pointer) (received bool)`
pub(in crate::runtime) fn chanrecv2(cx: &mut HookContext<'_>) -> HookResult {
    receive_or_wait(cx, Wants::Received)
}

fn receive_or_wait(cx: &mut HookContext<'_>, wants: Wants) -> HookResult {
    let operation = Operation { channel: cx.arg(0)?, elem: cx.arg(1)?, direction: Direction::Receive };
    let Tried::Done(received) = attempt(cx, operation)? else { return wait(cx, operation, wants) };
    if matches!(wants, Wants::Received) {
        cx.set_result(2, 0, received.into())?;
    }
    Ok(Action::Return)
}

/// `selectnbsend(c *hchan, elem unsafe.Pointer) (selected bool)`
pub(in crate::runtime) fn selectnbsend(cx: &mut HookContext<'_>) -> HookResult {
    let operation = Operation { channel: cx.arg(0)?, elem: cx.arg(1)?, direction: Direction::Send };
    let tried = attempt(cx, operation)?;
    if tried == Tried::Closed {
        return send_failed(cx);
    }
    cx.set_result(2, 0, (tried != Tried::Blocks).into())?;
    Ok(Action::Return)
}

/// `selectnbrecv(elem unsafe.Pointer, c *hchan) (selected, received bool)`; up to Go 1.16 with the first result only.
pub(in crate::runtime) fn selectnbrecv(cx: &mut HookContext<'_>) -> HookResult {
    let operation = Operation { channel: cx.arg(1)?, elem: cx.arg(0)?, direction: Direction::Receive };
    let tried = attempt(cx, operation)?;
    cx.set_result(2, 0, (tried != Tried::Blocks).into())?;
    if cx.image.facts().rules().selectnbrecv_tells_received() {
        cx.set_result(2, 1, (tried == Tried::Done(true)).into())?;
    }
    Ok(Action::Return)
}

/// `selectnbrecv2(elem unsafe.Pointer, received *bool, c *hchan) (selected bool)`
pub(in crate::runtime) fn selectnbrecv2(cx: &mut HookContext<'_>) -> HookResult {
    let operation = Operation { channel: cx.arg(2)?, elem: cx.arg(0)?, direction: Direction::Receive };
    let tried = attempt(cx, operation)?;
    let received = cx.arg(1)?;
    if tried != Tried::Blocks && received != 0 {
        cx.memory.write(received, [(tried == Tried::Done(true)).into()])?;
    }
    cx.set_result(3, 0, (tried != Tried::Blocks).into())?;
    Ok(Action::Return)
}

/// `closechan(c *hchan)`
pub(in crate::runtime) fn closechan(cx: &mut HookContext<'_>) -> HookResult {
    let channel = cx.arg(0)?;
    if channel == 0 {
        return errors::of_runtime(cx, "close of nil channel");
    }
    if is_closed(cx, channel)? {
        return errors::of_runtime(cx, "close of closed channel");
    }
    let at = cx.image.facts().hchan;
    cx.memory.write(channel.wrapping_add(at.closed), 1u32.to_le_bytes())?;
    while let Some(receiver) = cx.world.linked.waiters.take(channel, Direction::Receive) {
        forget(cx, channel, receiver.elem)?;
        wake(cx, &receiver, false)?;
    }
    while let Some(sender) = cx.world.linked.waiters.take(channel, Direction::Send) {
        goroutines::wake_at(cx, sender.g, SEND_FAILED);
    }
    Ok(Action::Return)
}

/// The hook at [`SEND_FAILED`], where the stack is as at the entry of the function that was to send.
pub(in crate::runtime) fn send_failed(cx: &mut HookContext<'_>) -> HookResult {
    errors::of_runtime(cx, "send on closed channel")
}

/// Sends or receives, if that needs no waiting.
pub(in crate::runtime) fn attempt(
    cx: &mut HookContext<'_>,
    operation: Operation,
) -> Result<Tried, HookError> {
    let Operation { channel, elem, direction } = operation;
    match direction {
        _ if channel == 0 => Ok(Tried::Blocks),
        Direction::Send => send(cx, channel, elem),
        Direction::Receive => receive(cx, channel, elem),
    }
}

fn send(cx: &mut HookContext<'_>, channel: u64, elem: u64) -> Result<Tried, HookError> {
    if is_closed(cx, channel)? {
        return Ok(Tried::Closed);
    }
    if let Some(receiver) = cx.world.linked.waiters.take(channel, Direction::Receive) {
        give(cx, channel, receiver.elem, elem)?;
        wake(cx, &receiver, true)?;
        return Ok(Tried::Done(true));
    }
    let at = cx.image.facts().hchan;
    let held = word(cx, channel, at.qcount)?;
    if held >= word(cx, channel, at.dataqsiz)? {
        return Ok(Tried::Blocks);
    }
    let slot = next_slot(cx, channel, at.sendx)?;
    give(cx, channel, slot, elem)?;
    cx.set_word(channel.wrapping_add(at.qcount), held + 1)?;
    Ok(Tried::Done(true))
}

fn receive(cx: &mut HookContext<'_>, channel: u64, elem: u64) -> Result<Tried, HookError> {
    let at = cx.image.facts().hchan;
    let held = word(cx, channel, at.qcount)?;
    let sender = cx.world.linked.waiters.take(channel, Direction::Send);
    if held > 0 {
        let slot = next_slot(cx, channel, at.recvx)?;
        give(cx, channel, elem, slot)?;
        forget(cx, channel, slot)?;
        cx.set_word(channel.wrapping_add(at.qcount), held - 1)?;
    } else if let Some(sender) = &sender {
        give(cx, channel, elem, sender.elem)?;
    } else if is_closed(cx, channel)? {
        forget(cx, channel, elem)?;
        return Ok(Tried::Done(false));
    } else {
        return Ok(Tried::Blocks);
    }
    if let Some(sender) = sender {
        // There is room now for what it wants to send.
        if held > 0 {
            let slot = next_slot(cx, channel, at.sendx)?;
            give(cx, channel, slot, sender.elem)?;
            cx.set_word(channel.wrapping_add(at.qcount), held)?;
        }
        wake(cx, &sender, true)?;
    }
    Ok(Tried::Done(true))
}

/// The present goroutine waits until another one sends, receives or closes.
fn wait(cx: &mut HookContext<'_>, operation: Operation, wants: Wants) -> HookResult {
    let Operation { channel, elem, direction } = operation;
    let reason = match (direction, channel) {
        (Direction::Send, 0) => "chan send (nil chan)",
        (Direction::Receive, 0) => "chan receive (nil chan)",
        (Direction::Send, _) => "chan send",
        (Direction::Receive, _) => "chan receive",
    };
    if channel != 0 {
        let g = cx.goroutine.g;
        cx.world.linked.waiters.add(channel, direction, Waiter { g, elem, wants });
    }
    goroutines::wait_for(cx, reason)
}

/// A goroutine goes on that has waited; whether a value was received.
fn wake(cx: &mut HookContext<'_>, waiter: &Waiter, received: bool) -> Result<(), HookError> {
    let received = u64::from(received && !matches!(waiter.wants, Wants::Nothing));
    match &waiter.wants {
        Wants::Nothing => goroutines::wake_with(cx, waiter.g, 0, &[]),
        Wants::Received => goroutines::wake_with(cx, waiter.g, 2, &[received]),
        Wants::Case { index, .. } => {
            let args = super::select::args(cx.image.facts().rules());
            goroutines::wake_with(cx, waiter.g, args, &[*index, received])
        }
    }
}

fn word(cx: &HookContext<'_>, channel: u64, field: u64) -> Result<u64, HookError> {
    Ok(cx.word(channel.wrapping_add(field))?)
}

fn is_closed(cx: &HookContext<'_>, channel: u64) -> Result<bool, HookError> {
    let closed: [u8; 4] = cx.memory.read(channel.wrapping_add(cx.image.facts().hchan.closed))?;
    Ok(closed != [0; 4])
}

fn elem_size(cx: &HookContext<'_>, channel: u64) -> Result<u64, HookError> {
    Ok(u16::from_le_bytes(cx.memory.read(channel.wrapping_add(cx.image.facts().hchan.elemsize))?).into())
}

/// The slot of the buffer that an index names, which moves on to the next.
fn next_slot(cx: &mut HookContext<'_>, channel: u64, index: u64) -> Result<u64, HookError> {
    let at = cx.image.facts().hchan;
    let number = word(cx, channel, index)?;
    let next = number.wrapping_add(1);
    let next = if next >= word(cx, channel, at.dataqsiz)? { 0 } else { next };
    cx.set_word(channel.wrapping_add(index), next)?;
    let offset = number.wrapping_mul(elem_size(cx, channel)?);
    Ok(word(cx, channel, at.buf)?.wrapping_add(offset))
}

/// Copies an element to where somebody wants it.
fn give(cx: &mut HookContext<'_>, channel: u64, to: u64, from: u64) -> Result<(), HookError> {
    if to == 0 || from == 0 {
        return Ok(());
    }
    let size = elem_size(cx, channel)?;
    memory::copy(cx, to, from, size)
}

/// Zeros an element.
fn forget(cx: &mut HookContext<'_>, channel: u64, elem: u64) -> Result<(), HookError> {
    if elem == 0 {
        return Ok(());
    }
    let size = elem_size(cx, channel)?;
    memory::clear(cx, elem, size)
}
