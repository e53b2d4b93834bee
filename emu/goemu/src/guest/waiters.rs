//! Goroutines that wait at channels. Data alone: they are suspended in the scheduler.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What is done at a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Send,
    Receive,
}

/// A goroutine that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) g: u64,
    /// Where the value is that it sends, or goes that it receives; 0 where it is not wanted.
    pub(crate) elem: u64,
    pub(crate) wants: Wants,
}

/// The results of the function in which it waits.
#[derive(Clone, Debug)]
pub(crate) enum Wants {
    /// `chansend1`, `chanrecv1`
    Nothing,
    /// `chanrecv2`: whether a value was received.
    Received,
    /// `selectgo`: the case, and whether a value was received. The channels are those of all of its cases.
    Case { index: u64, channels: Arc<[u64]> },
}

#[derive(Clone, Debug, Default)]
struct Queues {
    senders: VecDeque<Waiter>,
    receivers: VecDeque<Waiter>,
}

impl Queues {
    fn queue(&mut self, direction: Direction) -> &mut VecDeque<Waiter> {
        match direction {
            Direction::Send => &mut self.senders,
            Direction::Receive => &mut self.receivers,
        }
    }

    fn is_empty(&self) -> bool {
        self.senders.is_empty() && self.receivers.is_empty()
    }
}

/// Waiting goroutines, by the addresses of the channels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters {
    queues: BTreeMap<u64, Queues>,
}

impl Waiters {
    /// Whether no goroutine waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// One more waits, behind the others.
    pub(crate) fn add(&mut self, channel: u64, direction: Direction, waiter: Waiter) {
        self.queues.entry(channel).or_default().queue(direction).push_back(waiter);
    }

    /// The one that has waited longest; it waits nowhere any more.
    pub(crate) fn take(&mut self, channel: u64, direction: Direction) -> Option<Waiter> {
        let waiter = self.queues.get_mut(&channel)?.queue(direction).pop_front()?;
        self.forget(channel, waiter.g);
        if let Wants::Case { channels, .. } = &waiter.wants {
            channels.iter().for_each(|other| self.forget(*other, waiter.g));
        }
        Some(waiter)
    }

    fn forget(&mut self, channel: u64, g: u64) {
        let Some(queues) = self.queues.get_mut(&channel) else { return };
        queues.senders.retain(|waiter| waiter.g != g);
        queues.receivers.retain(|waiter| waiter.g != g);
        if queues.is_empty() {
            self.queues.remove(&channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_taken_from_one_channel_waits_at_none() {
        let mut waiters = Waiters::default();
        let channels: Arc<[u64]> = Arc::new([1, 2]);
        for (index, channel) in (0..).zip([1, 2]) {
            let wants = Wants::Case { index, channels: Arc::clone(&channels) };
            waiters.add(channel, Direction::Receive, Waiter { g: 7, elem: 0, wants });
        }
        waiters.add(2, Direction::Receive, Waiter { g: 8, elem: 0, wants: Wants::Nothing });
        let taken = |waiters: &mut Waiters, channel| waiters.take(channel, Direction::Receive).map(|w| w.g);
        assert!(waiters.take(1, Direction::Send).is_none());
        assert_eq!(taken(&mut waiters, 1), Some(7));
        assert_eq!(taken(&mut waiters, 2), Some(8));
        assert!(waiters.queues.is_empty());
    }
}
