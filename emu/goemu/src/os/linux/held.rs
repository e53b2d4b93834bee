//! What the kernel keeps for its process of the host's memory: counted exactly now and then, and in between as if nothing were given
//! back.

use std::mem::size_of;

use super::disk::Disk;
use super::epoll::Interest;
use super::files::{File, Files, Open};
use super::net::{Net, Socket};
use super::record::{NODE, record};
use super::threads::{Thread, Threads};
use crate::cpu::Cpu;

/// Bytes that are asked for before what is there is counted again, and the part of what is there that is as good a reason.
const OFTEN: u64 = 16 << 20;
const PART: u64 = 8;
/// What a look at a socket or a packet takes, in instructions.
const SEEN: u64 = 8;

/// The account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// Bytes that there were when they were counted.
    pub(super) bytes: u64,
    /// Bytes that had been asked for by then.
    pub(super) added: u64,
}

impl Held {
    /// Whether it is time to count, when so many bytes have ever been asked for.
    pub(super) fn is_due(self, added: u64) -> bool {
        added.saturating_sub(self.added) > OFTEN.max(self.bytes / PART)
    }

    /// Bytes that there are at most.
    pub(super) fn now(self, added: u64) -> u64 {
        self.bytes.saturating_add(added.saturating_sub(self.added))
    }
}

impl Threads {
    pub(super) fn held(&self) -> u64 {
        self.list.iter().map(|thread| record::<Thread>() + interrupted(thread)).sum()
    }
}

fn interrupted(thread: &Thread) -> u64 {
    thread.signals.nested() as u64 * size_of::<Cpu>() as u64
}

impl Files {
    pub(super) fn held(&self) -> u64 {
        let files: u64 = self.all().map(|(_, open)| record::<Open>() + own(&open.file)).sum();
        files + self.numbers_held() + self.pipes.held()
    }
}

/// What an open file has of its own.
fn own(file: &File) -> u64 {
    match file {
        File::Epoll(interests) => (interests.capacity() * size_of::<Interest>()) as u64,
        File::Node(node) => node.listing.iter().flatten().map(|(name, ..)| name.len() as u64 + NODE).sum(),
        _ => 0,
    }
}

impl Net {
    pub(super) fn held(&self) -> u64 {
        self.sockets.values().map(Socket::weight).sum()
    }

    /// What looking at all sockets takes.
    pub(super) fn count(&self) -> u64 {
        let records = self.sockets.values().map(|socket| 1 + socket.packets.len());
        SEEN * records.sum::<usize>() as u64
    }
}

impl Socket {
    fn weight(&self) -> u64 {
        let packets = self.packets.iter().map(|(_, bytes)| bytes.capacity() as u64 + record::<Socket>() / 4);
        record::<Socket>() + self.data.capacity() as u64 + packets.sum::<u64>() + self.options.bytes
    }
}

impl Disk {
    pub(super) fn held(&self) -> u64 {
        self.nodes().map(|node| record::<super::disk::Node>() + node.weight()).sum()
    }
}
