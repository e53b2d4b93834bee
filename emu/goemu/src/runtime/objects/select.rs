//! Select statements of several cases (`runtime/select.go`).

use goemu_loader::facts::Rules;
use std::sync::Arc;

use super::channels::{self, Operation, Tried};
use crate::guest::waiters::{Direction, Waiter, Wants};
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::runtime::hooked::goroutines;

/// Go has no more cases.
const MAX_CASES: u64 = 1 << 16;

/// A case: its number, and what it does.
type Case = (u64, Operation);

/// The cases of a statement, and what `selectgo` answers if none can be carried out; nothing where it waits.
struct Select {
    cases: Vec<Case>,
    otherwise: Option<u64>,
}

/// Words of arguments of `selectgo`.
pub(in crate::runtime) fn args(rules: Rules) -> u64 {
    if rules.select_counts_sends() { 6 } else { 3 }
}

/// `selectgo(cas0 *scase, order0 *uint16, ncases int) (int, bool)`, since Go 1.16
/// `(cas0, order0, pc0, nsends, nrecvs int, block bool)`: one that can be carried out, by chance.
pub(in crate::runtime) fn selectgo(cx: &mut HookContext<'_>) -> HookResult {
    let rules = cx.image.facts().rules();
    let Select { mut cases, otherwise } = read(cx, rules)?;
    shuffle(cx, &mut cases);
    for (index, operation) in &cases {
        match channels::attempt(cx, *operation)? {
            Tried::Blocks => {}
            Tried::Closed => return channels::send_failed(cx),
            Tried::Done(done) => {
                let received = done && operation.direction == Direction::Receive;
                return answer(cx, rules, *index, received);
            }
        }
    }
    match otherwise {
        Some(index) => answer(cx, rules, index, false),
        None => wait(cx, &cases),
    }
}

/// `block()`: a statement without cases.
pub(in crate::runtime) fn block(cx: &mut HookContext<'_>) -> HookResult {
    goroutines::wait_for(cx, "select (no cases)")
}

fn answer(cx: &mut HookContext<'_>, rules: Rules, index: u64, received: bool) -> HookResult {
    let args = args(rules) as usize;
    cx.set_result(args, 0, index)?;
    cx.set_result(args, 1, received.into())?;
    Ok(Action::Return)
}

/// Up to Go 1.15 a case says what it is, `default` among them. Since then sends come first, `default` is not listed,
/// and its number is -1.
fn read(cx: &HookContext<'_>, rules: Rules) -> Result<Select, HookError> {
    let (first, numbers) = (cx.arg(0)?, cx.image.facts().numbers);
    let (count, sends, blocks) = if rules.select_counts_sends() {
        let sends = cx.arg(3)?;
        (sends.saturating_add(cx.arg(4)?), sends, cx.arg(5)? & 0xff != 0)
    } else {
        (cx.arg(2)?, 0, true)
    };
    let layout = cx.image.facts().scase;
    let mut select = Select { cases: Vec::new(), otherwise: (!blocks).then_some(u64::MAX) };
    for index in 0..count.min(MAX_CASES) {
        let at = first.wrapping_add(index * layout.size);
        let kind = match layout.kind {
            Some(kind) => u64::from(u16::from_le_bytes(cx.memory.read(at.wrapping_add(kind))?)),
            None if index < sends => numbers.case_send,
            None => numbers.case_receive,
        };
        if kind == numbers.case_default {
            select.otherwise = Some(index);
            continue;
        }
        let direction = if kind == numbers.case_send { Direction::Send } else { Direction::Receive };
        let channel = cx.word(at.wrapping_add(layout.channel))?;
        // A case without a channel is never chosen.
        if channel != 0 {
            let elem = cx.word(at.wrapping_add(layout.elem))?;
            select.cases.push((index, Operation { channel, elem, direction }));
        }
    }
    Ok(select)
}

/// As the runtime does it: each goes to a place among those before it.
fn shuffle(cx: &mut HookContext<'_>, cases: &mut [Case]) {
    for last in 1..cases.len() {
        let place = cx.cpu.next_random() % (last as u64 + 1);
        cases.swap(place as usize, last);
    }
}

fn wait(cx: &mut HookContext<'_>, cases: &[Case]) -> HookResult {
    let channels: Arc<[u64]> = cases.iter().map(|(_, operation)| operation.channel).collect();
    let g = cx.goroutine.g;
    for (index, Operation { channel, elem, direction }) in cases {
        let wants = Wants::Case { index: *index, channels: Arc::clone(&channels) };
        cx.world.linked.waiters.add(*channel, *direction, Waiter { g, elem: *elem, wants });
    }
    let reason = if cases.is_empty() { "select (no cases)" } else { "select" };
    goroutines::wait_for(cx, reason)
}
