//! Sending and receiving.

use super::connect;
use super::io::{later, room, scatter};
use super::net::{Family, Kind, ROOM, State};
use super::socket_address::Address;
use super::{Kernel, epoll, errno, netlink, signal};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

/// What a packet takes beside its bytes, about.
const PACKET: u64 = 128;
/// The most bytes of a datagram.
const MOST_DATAGRAM: usize = 65_507;

/// What was received: bytes, their sender, and how many there were.
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    pub(super) from: Option<Address>,
    pub(super) size: usize,
}

/// `read` of a socket.
pub(super) fn receive(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    (number, socket): (u64, usize),
    buffers: &[(u64, u64)],
) -> Result<SyscallReturn, HookError> {
    match take(kernel, socket, room(buffers), false) {
        Ok(received) => {
            scatter(cx, buffers, &received.bytes)?;
            epoll::changed(kernel, cx)?;
            Ok(SyscallReturn::Return(received.bytes.len() as i64))
        }
        Err(error) => later(kernel, cx, number, error),
    }
}

/// Takes what has come, or looks at it.
pub(super) fn take(kernel: &mut Kernel, number: usize, most: usize, peek: bool) -> Result<Received, i64> {
    let net = &mut kernel.net;
    let socket = net.get(number)?;
    let full = socket.is_full();
    let received = if socket.kind == Kind::Stream {
        let count = most.min(socket.data.len());
        let bytes: Vec<u8> = if peek {
            socket.data.iter().take(count).copied().collect()
        } else {
            socket.held -= count;
            socket.data.drain(..count).collect()
        };
        (count > 0 || most == 0 && socket.held > 0).then_some(Received { bytes, from: None, size: count })
    } else {
        let packet = if peek { socket.packets.front().cloned() } else { socket.packets.pop_front() };
        packet.map(|(from, mut bytes)| {
            let size = bytes.len();
            if !peek {
                socket.held = socket.held.saturating_sub(size.max(1));
            }
            bytes.truncate(most);
            Received { bytes, from: Some(from), size }
        })
    };
    if let Some(received) = received {
        let has_room = !socket.is_full();
        if full
            && has_room
            && let Some(peer) = net.peer(number)
        {
            peer.drained();
        }
        return Ok(received);
    }
    let over = socket.ended || socket.shut_read;
    match (&socket.state, socket.error.take()) {
        (_, Some(error)) => Err(error),
        (State::Connected(_), None) if over && socket.kind != Kind::Datagram => {
            Ok(Received { bytes: Vec::new(), from: None, size: 0 })
        }
        (State::Idle | State::Listening { .. } | State::Connecting, None)
            if socket.kind != Kind::Datagram =>
        {
            Err(errno::ENOTCONN)
        }
        _ if socket.shut_read => Ok(Received { bytes: Vec::new(), from: None, size: 0 }),
        _ => Err(errno::EAGAIN),
    }
}

/// `write` of a socket, and `sendto` with an address.
pub(super) fn send(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    (number, socket): (u64, usize),
    bytes: &[u8],
    to: Option<Address>,
) -> Result<SyscallReturn, HookError> {
    let stream = kernel.net.get(socket).is_ok_and(|socket| socket.kind != Kind::Datagram);
    let sent = if stream { put(kernel, socket, bytes) } else { send_datagram(kernel, socket, bytes, to) };
    match sent {
        Ok(count) => {
            epoll::changed(kernel, cx)?;
            Ok(SyscallReturn::Return(count as i64))
        }
        Err(errno::EPIPE) => signal::broken_pipe(kernel, cx),
        Err(error) => later(kernel, cx, number, error),
    }
}

/// Puts bytes into the other end of a connection.
fn put(kernel: &mut Kernel, number: usize, bytes: &[u8]) -> Result<usize, i64> {
    let net = &mut kernel.net;
    let socket = net.get(number)?;
    let (family, kind, local) = (socket.family, socket.kind, socket.local.clone());
    if let Some(error) = socket.error.take() {
        return Err(error);
    }
    if socket.shut_write || socket.broken {
        return Err(errno::EPIPE);
    }
    match socket.state {
        State::Connected(Some(_)) => {}
        State::Connected(None) if family == Family::Unix => return Err(errno::EPIPE),
        // The first goes out, and its answer is that there is no receiver.
        State::Connected(None) => {
            socket.broken = true;
            return Ok(bytes.len());
        }
        State::Connecting => return Err(errno::EAGAIN),
        State::Idle | State::Listening { .. } => return Err(errno::ENOTCONN),
    }
    net.added += bytes.len() as u64 + PACKET;
    let Some(peer) = net.peer(number) else { return Err(errno::EPIPE) };
    if peer.shut_read {
        return if family == Family::Unix { Err(errno::EPIPE) } else { Ok(bytes.len()) };
    }
    if peer.is_full() {
        return Err(errno::EAGAIN);
    }
    peer.arrived();
    if kind == Kind::Stream {
        let count = bytes.len().min(ROOM - peer.held);
        peer.data.extend(&bytes[..count]);
        peer.held += count;
        return Ok(count);
    }
    peer.packets.push_back((local.unwrap_or_else(|| Address::none(family)), bytes.to_vec()));
    peer.held += bytes.len().max(1);
    Ok(bytes.len())
}

fn send_datagram(
    kernel: &mut Kernel,
    number: usize,
    bytes: &[u8],
    to: Option<Address>,
) -> Result<usize, i64> {
    let socket = kernel.net.get(number)?;
    if bytes.len() > MOST_DATAGRAM {
        return Err(errno::EMSGSIZE);
    }
    if let Some(error) = socket.error.take() {
        return Err(error);
    }
    if socket.shut_write {
        return Err(errno::EPIPE);
    }
    let family = socket.family;
    if family == Family::Netlink {
        return netlink::request(kernel.net.get(number)?, bytes);
    }
    if let State::Connected(peer) = socket.state
        && family == Family::Unix
        && to.is_none()
    {
        return if peer.is_some() { put(kernel, number, bytes) } else { Err(errno::ECONNREFUSED) };
    }
    let to = to.or_else(|| socket.remote.clone()).ok_or(errno::EDESTADDRREQ)?;
    let to = to.destination();
    if socket.local.is_none() && family != Family::Unix {
        let none = Address::none(family);
        kernel.net.bind(number, none)?;
    }
    let from = sender(kernel.net.get(number)?.local.clone(), family, &to);
    let receiver = match connect::find(kernel, Kind::Datagram, &to, Some(&from)) {
        Ok(receiver) => receiver,
        // There is no receiver: a connected socket learns of it with its next call.
        Err(errno::ECONNREFUSED) if family != Family::Unix => {
            let socket = kernel.net.get(number)?;
            if socket.remote.is_some() {
                socket.error = Some(errno::ECONNREFUSED);
                socket.arrived();
            }
            return Ok(bytes.len());
        }
        Err(error) => return Err(error),
    };
    kernel.net.added += bytes.len() as u64 + PACKET;
    let receiver = kernel.net.get(receiver)?;
    // What there is no room for is lost; a Unix socket's sender waits.
    if receiver.is_full() {
        return if family == Family::Unix { Err(errno::EAGAIN) } else { Ok(bytes.len()) };
    }
    receiver.packets.push_back((from, bytes.to_vec()));
    receiver.held += bytes.len().max(1);
    receiver.arrived();
    Ok(bytes.len())
}

/// The address that the receiver sees.
fn sender(local: Option<Address>, family: Family, to: &Address) -> Address {
    match (local, to) {
        (Some(own @ Address::Net { port, .. }), Address::Net { ip, .. }) => {
            if own.is_any() {
                Address::Net { ip: *ip, port }
            } else {
                own
            }
        }
        (own, _) => own.unwrap_or_else(|| Address::none(family)),
    }
}
