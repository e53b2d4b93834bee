//! The network of the guest: sockets that reach each other within the process, by loopback addresses or paths. Nothing
//! beyond loopback can be reached.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::disk::Id;
use super::epoll::{self, Ready};
use super::record::record;
use super::socket_address::Address;
use super::socket_options as options;
use super::{Kernel, errno};

/// Bytes that a socket holds until they are received.
pub(super) const ROOM: usize = 256 << 10;
/// Sockets that a listener holds until they are accepted, at most.
pub(super) const MOST_BACKLOG: usize = 4096;
/// The first port that a socket gets which asks for none.
const FIRST_PORT: u16 = 32_768;

/// What a look for a port takes, in instructions.
const LOOK: u64 = 8;

/// The kind of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Unix,
    V4,
    V6,
    /// To the kernel itself: `rtnetlink`.
    Netlink,
}

/// How bytes are transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Stream,
    Datagram,
    /// Datagrams in a connection (Unix sockets only).
    Packets,
}

/// What a socket is doing.
#[derive(Clone, Debug)]
pub(super) enum State {
    Idle,
    Listening {
        queue: VecDeque<usize>,
        waiting: VecDeque<usize>,
        backlog: usize,
    },
    /// Waits in a full backlog.
    Connecting,
    /// The other end, if it is open.
    Connected(Option<usize>),
}

/// A socket.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) family: Family,
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) local: Option<Address>,
    pub(super) remote: Option<Address>,
    /// Of a stream: bytes that were not received yet.
    pub(super) data: VecDeque<u8>,
    /// Of others: packets and their senders.
    pub(super) packets: VecDeque<(Address, Vec<u8>)>,
    pub(super) held: usize,
    /// The other end sends no more.
    pub(super) ended: bool,
    pub(super) shut_read: bool,
    pub(super) shut_write: bool,
    /// An error that the next call gets.
    pub(super) error: Option<i64>,
    /// The other end has gone, and was written to.
    pub(super) broken: bool,
    pub(super) changes: (u64, u64),
    pub(super) options: options::Options,
    /// For a connection that was not accepted yet, it has no number yet.
    pub(super) node: Option<Id>,
}

/// The sockets.
#[derive(Clone, Debug, Default)]
pub(super) struct Net {
    pub(super) sockets: BTreeMap<usize, Socket>,
    pub(super) next: usize,
    pub(super) ports: u16,
    /// How many Unix sockets have been named by the kernel.
    pub(super) named: u32,
    /// Sockets by the nodes of their paths.
    pub(super) names: BTreeMap<Id, usize>,
    /// Sockets that were looked at so far, and bytes that were copied, as work.
    pub(super) work: u64,
    /// Bytes of the host's memory that sockets have ever asked for.
    pub(super) added: u64,
}

impl Socket {
    pub(super) fn new(family: Family, kind: Kind) -> Socket {
        Socket {
            family,
            kind,
            state: State::Idle,
            local: None,
            remote: None,
            data: VecDeque::new(),
            packets: VecDeque::new(),
            held: 0,
            ended: false,
            shut_read: false,
            shut_write: false,
            error: None,
            broken: false,
            changes: (0, 0),
            options: options::Options::default(),
            node: None,
        }
    }

    /// Something can be read that could not be before.
    pub(super) fn arrived(&mut self) {
        self.changes.0 += 1;
    }

    /// Something can be written that could not be before.
    pub(super) fn drained(&mut self) {
        self.changes.1 += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.held >= ROOM
    }
}

impl Net {
    pub(super) fn add(&mut self, socket: Socket) -> usize {
        self.next += 1;
        self.added += record::<Socket>();
        self.sockets.insert(self.next, socket);
        self.next
    }

    pub(super) fn get(&mut self, socket: usize) -> Result<&mut Socket, i64> {
        self.sockets.get_mut(&socket).ok_or(errno::EBADF)
    }

    /// A free port.
    pub(super) fn free_port(&mut self, kind: Kind) -> Result<u16, i64> {
        self.work += self.sockets.len() as u64;
        let port_of = |socket: &Socket| match &socket.local {
            Some(Address::Net { port, .. }) if socket.kind == kind => Some(*port),
            _ => None,
        };
        let taken: BTreeSet<u16> = self.sockets.values().filter_map(port_of).collect();
        self.work += LOOK * taken.len() as u64;
        for _ in 0..=u16::MAX - FIRST_PORT {
            let port = FIRST_PORT + self.ports % (u16::MAX - FIRST_PORT);
            self.ports = self.ports.wrapping_add(1);
            self.work += LOOK;
            if !taken.contains(&port) {
                return Ok(port);
            }
        }
        Err(errno::EADDRINUSE)
    }

    /// The other end of a connection.
    pub(super) fn peer(&mut self, socket: usize) -> Option<&mut Socket> {
        let State::Connected(Some(peer)) = self.sockets.get(&socket)?.state else { return None };
        self.sockets.get_mut(&peer)
    }

    /// Tells the other end that nothing more comes: no error, or the error that it gets.
    pub(super) fn hang_up(&mut self, socket: usize, error: Option<i64>) {
        if let Some(peer) = self.peer(socket) {
            peer.ended = true;
            peer.error = error.or(peer.error);
            peer.broken |= error.is_some();
            peer.arrived();
            peer.drained();
        }
    }
}

/// The last number of a socket was closed.
pub(super) fn closed(kernel: &mut Kernel, number: usize) {
    let net = &mut kernel.net;
    let Ok(socket) = net.get(number) else { return };
    let unread = socket.held > 0
        || socket.options.get(options::LINGER).is_some_and(|value| options::lingers_not(value));
    let (state, node) = (std::mem::replace(&mut socket.state, State::Idle), socket.node.take());
    match state {
        State::Connected(peer) => {
            if let Ok(socket) = net.get(number) {
                socket.state = State::Connected(peer);
            }
            net.hang_up(number, unread.then_some(errno::ECONNRESET));
            if let Some(peer) = net.peer(number)
                && let State::Connected(end) = &mut peer.state
            {
                *end = None;
            }
        }
        State::Listening { queue, waiting, .. } => {
            for queued in queue {
                net.hang_up(queued, Some(errno::ECONNRESET));
                if let Some(peer) = net.peer(queued)
                    && let State::Connected(end) = &mut peer.state
                {
                    *end = None;
                }
                net.sockets.remove(&queued);
            }
            for client in waiting {
                if let Ok(client) = net.get(client) {
                    (client.state, client.error) = (State::Idle, Some(errno::ECONNREFUSED));
                    client.arrived();
                    client.drained();
                }
            }
        }
        State::Connecting => {
            net.work += net.sockets.len() as u64;
            for socket in net.sockets.values_mut() {
                if let State::Listening { waiting, .. } = &mut socket.state {
                    net.work += waiting.len() as u64;
                    waiting.retain(|client| *client != number);
                }
            }
        }
        State::Idle => {}
    }
    net.sockets.remove(&number);
    if let Some(node) = node {
        net.names.remove(&node);
        kernel.disk().opened(node, false);
    }
}

/// The state of a socket, for threads that wait for it.
pub(super) fn readiness(net: &Net, number: usize) -> Ready {
    let Some(socket) = net.sockets.get(&number) else { return Ready::default() };
    let when = |holds: bool, event: u32| if holds { event } else { 0 };
    let failed = socket.error.is_some();
    let events = match (&socket.state, socket.kind) {
        (State::Listening { queue, .. }, _) => when(!queue.is_empty(), epoll::IN),
        (State::Connecting, _) => 0,
        (State::Idle, Kind::Datagram) | (State::Connected(_), Kind::Datagram) => {
            when(!socket.packets.is_empty() || failed, epoll::IN) | epoll::OUT
        }
        (State::Idle, _) => epoll::OUT | epoll::HANGUP | when(failed, epoll::IN),
        (State::Connected(peer), _) => {
            let full = peer.and_then(|peer| net.sockets.get(&peer)).is_some_and(Socket::is_full);
            let over = socket.ended || socket.shut_read;
            when(socket.held > 0 || over || failed, epoll::IN)
                | when(!full || failed || socket.shut_write, epoll::OUT)
                | when(over, epoll::PEER_HANGUP)
                | when(socket.ended && (socket.shut_write || socket.broken), epoll::HANGUP)
        }
    };
    Ready { events: events | when(failed, epoll::ERROR), changes: socket.changes }
}

/// Bytes that can be received at once.
pub(super) fn held(net: &Net, number: usize) -> usize {
    net.sockets.get(&number).map_or(0, |socket| socket.held)
}
