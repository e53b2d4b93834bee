//! How sockets get addresses and each other: bind, listen, connect, accept.

use std::collections::VecDeque;

use super::disk::{self, Id};
use super::net::{Family, Kind, MOST_BACKLOG, Net, Socket, State};
use super::socket_address::Address;
use super::socket_options as options;
use super::{Kernel, errno};

/// What comparing a socket's address takes, in instructions.
const LOOK: u64 = 8;

impl Net {
    /// Whether another socket receives what is sent to an address.
    fn is_taken(&self, number: usize, address: &Address) -> bool {
        // Of a path its node decides: another socket may still have one that was removed.
        if matches!(address, Address::Unix(name) if name.first().is_some_and(|&first| first != 0)) {
            return false;
        }
        let Some(own) = self.sockets.get(&number) else { return false };
        self.sockets.iter().any(|(other, socket)| {
            let waits = matches!(socket.state, State::Listening { .. })
                || (socket.kind == Kind::Datagram || matches!(socket.state, State::Idle))
                    && socket.remote.is_none();
            let shares = options::shares_port(own) && options::shares_port(socket);
            let clashes = socket.local.as_ref().is_some_and(|local| {
                let both = |socket: &Socket| !options::only_v6(socket);
                local.takes(address, both(socket)) || address.takes(local, both(own))
            });
            *other != number && socket.kind == own.kind && waits && clashes && !shares
        })
    }

    /// Gives a socket an address, with a port if it has none.
    pub(super) fn bind(&mut self, number: usize, address: Address) -> Result<(), i64> {
        let socket = self.get(number)?;
        if socket.local.is_some() {
            return Err(errno::EINVAL);
        }
        let kind = socket.kind;
        let address = match (socket.family, address) {
            (Family::Unix, Address::Unix(name)) if name.is_empty() => self.free_name(),
            (Family::Unix, Address::Unix(name)) => Address::Unix(name),
            (Family::Netlink, Address::Netlink(_)) => Address::Netlink(number as u32),
            (Family::V4 | Family::V6, Address::Net { ip, port }) => {
                let port = if port == 0 { self.free_port(kind)? } else { port };
                Address::Net { ip, port }
            }
            _ => return Err(errno::EINVAL),
        };
        if !address.is_own() {
            return Err(errno::EADDRNOTAVAIL);
        }
        self.work += LOOK * self.sockets.len() as u64;
        if self.is_taken(number, &address) {
            return Err(errno::EADDRINUSE);
        }
        self.get(number)?.local = Some(address);
        Ok(())
    }

    /// A name that the kernel gives a Unix socket: a zero and five digits.
    fn free_name(&mut self) -> Address {
        self.named += 1;
        Address::Unix(format!("\0{:05x}", self.named & 0xf_ffff).into_bytes())
    }

    pub(super) fn listen(&mut self, number: usize, backlog: u64) -> Result<(), i64> {
        let socket = self.get(number)?;
        if socket.kind == Kind::Datagram {
            return Err(errno::EOPNOTSUPP);
        }
        let backlog = (backlog as i32).clamp(1, MOST_BACKLOG as i32) as usize;
        match &mut socket.state {
            State::Listening { backlog: own, .. } => *own = backlog,
            State::Idle => {
                if socket.local.is_none() {
                    let none = Address::none(socket.family);
                    self.bind(number, none)?;
                }
                let (queue, waiting) = (VecDeque::new(), VecDeque::new());
                self.get(number)?.state = State::Listening { queue, waiting, backlog };
            }
            State::Connecting | State::Connected(_) => return Err(errno::EINVAL),
        }
        Ok(())
    }

    /// The socket that receives what is sent to an address: one with exactly that address, if there is one.
    pub(super) fn receiver(&mut self, kind: Kind, to: &Address, from: Option<&Address>) -> Option<usize> {
        let takes = |socket: &Socket| {
            let waits = kind == Kind::Datagram || matches!(socket.state, State::Listening { .. });
            // A connected one takes what its other end sends alone.
            let wanted = kind != Kind::Datagram || socket.remote.is_none() || socket.remote.as_ref() == from;
            let own = socket.local.as_ref().is_some_and(|own| own.takes(to, !options::only_v6(socket)));
            socket.kind == kind && waits && wanted && own
        };
        let fitting = self.sockets.iter().filter(|(_, socket)| takes(socket));
        let best = fitting.min_by_key(|(_, socket)| {
            (socket.remote.is_none(), socket.local.as_ref().is_some_and(Address::is_any))
        });
        self.work += LOOK * self.sockets.len() as u64;
        best.map(|(number, _)| *number)
    }

    /// Connects a stream to a listener: whether that is done, or waits for room.
    pub(super) fn connect_to(&mut self, number: usize, listener: usize, to: &Address) -> Result<bool, i64> {
        let socket = self.get(number)?;
        let (kind, family) = (socket.kind, socket.family);
        if socket.local.is_none() && family != Family::Unix {
            let Address::Net { ip, .. } = to else { return Err(errno::EINVAL) };
            let port = self.free_port(kind)?;
            self.get(number)?.local = Some(Address::Net { ip: *ip, port });
        } else if let (Some(Address::Net { port, .. }), Address::Net { ip, .. }) = (&socket.local, to)
            && socket.local.as_ref().is_some_and(Address::is_any)
        {
            socket.local = Some(Address::Net { ip: *ip, port: *port });
        }
        self.get(number)?.remote = Some(to.clone());
        let State::Listening { queue, waiting, backlog } = &mut self.get(listener)?.state else {
            return Err(errno::ECONNREFUSED);
        };
        if queue.len() > *backlog {
            waiting.push_back(number);
            self.get(number)?.state = State::Connecting;
            return Ok(false);
        }
        self.complete(number, listener)?;
        Ok(true)
    }

    /// Makes the other end of a connection, in a listener's queue.
    fn complete(&mut self, client: usize, listener: usize) -> Result<(), i64> {
        let from = self.get(client)?;
        let (local, remote) = (from.local.clone(), from.remote.clone());
        let owner = self.get(listener)?;
        let mut end = Socket::new(owner.family, owner.kind);
        end.options = owner.options.clone();
        end.local = if owner.family == Family::Unix { owner.local.clone() } else { remote };
        end.remote = Some(local.unwrap_or_else(|| Address::none(owner.family)));
        end.state = State::Connected(Some(client));
        let end = self.add(end);
        let owner = self.get(listener)?;
        if let State::Listening { queue, .. } = &mut owner.state {
            queue.push_back(end);
        }
        owner.arrived();
        let client = self.get(client)?;
        client.state = State::Connected(Some(end));
        client.drained();
        Ok(())
    }

    /// Takes a connection out of a listener's queue.
    pub(super) fn accept(&mut self, number: usize) -> Result<usize, i64> {
        let socket = self.get(number)?;
        let State::Listening { queue, waiting, .. } = &mut socket.state else { return Err(errno::EINVAL) };
        let accepted = queue.pop_front().ok_or(errno::EAGAIN)?;
        if let Some(next) = waiting.pop_front() {
            self.complete(next, number)?;
        }
        Ok(accepted)
    }

    /// Two sockets that are connected.
    pub(super) fn pair(&mut self, kind: Kind) -> [usize; 2] {
        let ends = [0; 2].map(|_| self.add(Socket::new(Family::Unix, kind)));
        for (own, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            if let Ok(socket) = self.get(own) {
                socket.state = State::Connected(Some(other));
                (socket.local, socket.remote) =
                    (Some(Address::none(Family::Unix)), Some(Address::none(Family::Unix)));
            }
        }
        ends
    }
}

/// Binds a socket; a path becomes a node of the file system.
pub(super) fn bind(kernel: &mut Kernel, number: usize, address: Address, now: u64) -> Result<(), i64> {
    let path = match &address {
        Address::Unix(name) if name.first().is_some_and(|&first| first != 0) => Some(name.clone()),
        _ => None,
    };
    let Some(path) = path else { return kernel.net.bind(number, address) };
    let current = kernel.disk.current;
    let found = kernel.disk().walk(current, &path, false)?;
    if found.node.is_some() {
        return Err(errno::EADDRINUSE);
    }
    let place = kernel.disk.free_place(found, false)?;
    let kind = kernel.net.get(number)?.kind;
    kernel.net.bind(number, address)?;
    let node = kernel.disk().make(place, disk::Kind::Socket, 0o777, now)?;
    kernel.disk().opened(node, true);
    kernel.net.names.insert(node, number);
    kernel.net.get(number)?.node = Some(node);
    let _ = kind;
    Ok(())
}

/// The socket that an address means.
pub(super) fn find(
    kernel: &mut Kernel,
    kind: Kind,
    to: &Address,
    from: Option<&Address>,
) -> Result<usize, i64> {
    let refused = errno::ECONNREFUSED;
    match to {
        Address::Unix(name) if name.first().is_some_and(|&first| first != 0) => {
            let current = kernel.disk.current;
            let node: Id = kernel.disk().find(current, name, true)?;
            let socket = kernel.net.names.get(&node).copied().ok_or(refused)?;
            if kernel.net.get(socket)?.kind == kind { Ok(socket) } else { Err(errno::EPROTOTYPE) }
        }
        Address::Unix(_) => kernel.net.receiver(kind, to, from).ok_or(refused),
        Address::Netlink(_) => Err(refused),
        Address::Net { .. } if !to.is_own() => Err(errno::ENETUNREACH),
        Address::Net { .. } => kernel.net.receiver(kind, to, from).ok_or(refused),
    }
}
