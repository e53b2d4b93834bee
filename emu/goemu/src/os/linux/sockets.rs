//! The system calls of sockets.

use super::files::{File, answer, done, flag};
use super::io::{gather, later, room, scatter, vectors};
use super::net::{self, Family, Kind, Socket, State};
use super::socket_address::Address;
use super::{Args, Kernel, clock, epoll, errno, netlink};
use super::{connect, socket_options as options, transfer};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

const FLAGS: u64 = flag::NONBLOCK | flag::CLOSE_ON_EXEC;
/// What an option takes of the host's memory beside its bytes, about.
const OPTION: u64 = 64;
const PEEK: u64 = 2;
const TRUNCATED: u64 = 0x20;
const DONT_WAIT: u64 = 0x40;

/// The socket that a number stands for.
fn socket_of(kernel: &mut Kernel, number: u64) -> Result<usize, i64> {
    match kernel.files.get(number) {
        Some(File::Socket(socket)) => Ok(*socket),
        Some(_) => Err(errno::ENOTSOCK),
        None => Err(errno::EBADF),
    }
}

fn kind_of(wish: u64) -> Result<Kind, i64> {
    match wish & 0xf {
        1 => Ok(Kind::Stream),
        2 => Ok(Kind::Datagram),
        5 => Ok(Kind::Packets),
        _ => Err(errno::EPROTONOSUPPORT),
    }
}

/// `socket(family, kind, protocol)`
pub(super) fn socket(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [family, wish, protocol, ..] = args;
    if family == netlink::FAMILY {
        return answer(netlink::socket(wish, protocol).and_then(|made| open(kernel, made, wish)));
    }
    let family = match family {
        1 => Ok(Family::Unix),
        2 => Ok(Family::V4),
        10 => Ok(Family::V6),
        _ => Err(errno::EAFNOSUPPORT),
    };
    let made = family.and_then(|family| match (family, kind_of(wish)?) {
        (Family::V4 | Family::V6, Kind::Packets) => Err(errno::EPROTONOSUPPORT),
        (family, kind) => Ok(Socket::new(family, kind)),
    });
    answer(made.and_then(|made| open(kernel, made, wish)))
}

/// Gives a socket a number.
fn open(kernel: &mut Kernel, made: Socket, wish: u64) -> Result<u64, i64> {
    let socket = kernel.net.add(made);
    kernel.files.add(File::Socket(socket), flag::READ_WRITE | wish & FLAGS).ok_or(errno::EMFILE)
}

/// `socketpair(family, kind, protocol, to)`
pub(super) fn socketpair(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [family, wish, _, to, ..] = args;
    let kind = match kind_of(wish) {
        Ok(kind) if family == 1 => kind,
        Ok(_) => return done(Err(errno::EOPNOTSUPP)),
        Err(error) => return done(Err(error)),
    };
    if !kernel.files.has_room_for_two() {
        return done(Err(errno::EMFILE));
    }
    let ends = kernel.net.pair(kind);
    for (end, at) in ends.into_iter().zip([to, to.wrapping_add(4)]) {
        let number = kernel.files.add(File::Socket(end), flag::READ_WRITE | wish & FLAGS);
        cx.memory.write(at, (number.unwrap_or_default() as u32).to_le_bytes())?;
    }
    Ok(SyscallReturn::Return(0))
}

/// `bind(socket, address, size)`
pub(super) fn bind(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, at, size, ..] = args;
    let now = clock::wall(cx);
    let address = Address::read(cx, at, size)?;
    let bound = socket_of(kernel, number).and_then(|socket| {
        let address = address?.ok_or(errno::EAFNOSUPPORT)?;
        connect::bind(kernel, socket, address, now)
    });
    done(bound)
}

/// `listen(socket, backlog)`
pub(super) fn listen(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let socket = socket_of(kernel, args[0]);
    done(socket.and_then(|socket| kernel.net.listen(socket, args[1])))
}

/// `connect(socket, address, size)`
pub(super) fn connect(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, at, size, ..] = args;
    let address = Address::read(cx, at, size)?;
    let connected = socket_of(kernel, number).and_then(|socket| connect_socket(kernel, socket, address?));
    epoll::changed(kernel, cx)?;
    match connected {
        // A blocking one waits for room in the listener's queue.
        Err(errno::EAGAIN) if super::io::is_nonblocking(kernel, number) => done(Err(IN_PROGRESS)),
        Err(errno::EAGAIN) => later(kernel, cx, number, errno::EAGAIN),
        other => done(other),
    }
}

const IN_PROGRESS: i64 = 115;
const ALREADY: i64 = 114;

fn connect_socket(kernel: &mut Kernel, number: usize, address: Option<Address>) -> Result<(), i64> {
    let socket = kernel.net.get(number)?;
    let kind = socket.kind;
    match (&socket.state, address.is_some()) {
        (State::Connected(_), _) if kind != Kind::Datagram => return Err(errno::EISCONN),
        (State::Connecting, _) => return Err(ALREADY),
        (State::Listening { .. }, _) => return Err(errno::EISCONN),
        _ => {}
    }
    let Some(address) = address else {
        (socket.remote, socket.state) = (None, State::Idle);
        return Ok(());
    };
    let to = address.destination();
    if kind == Kind::Datagram {
        if !to.is_own() {
            return Err(errno::ENETUNREACH);
        }
        if socket.family == Family::Unix {
            connect::find(kernel, kind, &to, None)?;
        } else if socket.local.is_none() {
            let Address::Net { ip, .. } = &to else { return Err(errno::EINVAL) };
            let ip = *ip;
            kernel.net.bind(number, Address::Net { ip, port: 0 })?;
        }
        kernel.net.get(number)?.remote = Some(to);
        return Ok(());
    }
    let listener = connect::find(kernel, kind, &to, None)?;
    if kernel.net.connect_to(number, listener, &to)? { Ok(()) } else { Err(errno::EAGAIN) }
}

/// `accept4(socket, address, size, flags)`
pub(super) fn accept4(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, to, size, flags, ..] = args;
    let accepted = socket_of(kernel, number).and_then(|socket| kernel.net.accept(socket));
    let socket = match accepted {
        Ok(socket) => socket,
        Err(error) => return later(kernel, cx, number, error),
    };
    let own = kernel.files.add(File::Socket(socket), flag::READ_WRITE | flags & FLAGS);
    let Some(own) = own else {
        net::closed(kernel, socket);
        return done(Err(errno::EMFILE));
    };
    tell(kernel, cx, socket, (to, size), true)?;
    epoll::changed(kernel, cx)?;
    Ok(SyscallReturn::Return(own as i64))
}

/// `accept(socket, address, size)`
pub(super) fn accept(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    accept4(kernel, cx, [args[0], args[1], args[2], 0, 0, 0])
}

/// Writes a socket's own address, or the other end's.
fn tell(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    socket: usize,
    (to, size): (u64, u64),
    other: bool,
) -> Result<SyscallReturn, HookError> {
    let Ok(socket) = kernel.net.get(socket) else { return done(Err(errno::EBADF)) };
    let address = if other { &socket.remote } else { &socket.local };
    let (address, family) = (address.clone(), socket.family);
    let address = match address {
        None if other => return done(Err(errno::ENOTCONN)),
        address => address.unwrap_or_else(|| Address::none(family)),
    };
    address.write(cx, family, to, size)?;
    Ok(SyscallReturn::Return(0))
}

/// `getsockname(socket, to, size)`
pub(super) fn getsockname(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    match socket_of(kernel, args[0]) {
        Ok(socket) => tell(kernel, cx, socket, (args[1], args[2]), false),
        Err(error) => done(Err(error)),
    }
}

/// `getpeername(socket, to, size)`
pub(super) fn getpeername(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    match socket_of(kernel, args[0]) {
        Ok(socket) => tell(kernel, cx, socket, (args[1], args[2]), true),
        Err(error) => done(Err(error)),
    }
}

/// `shutdown(socket, how)`
pub(super) fn shutdown(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, how, ..] = args;
    let shut = socket_of(kernel, number).and_then(|number| {
        let socket = kernel.net.get(number)?;
        match (&socket.state, how) {
            (_, 3..) => return Err(errno::EINVAL),
            (State::Connected(_), _) => {}
            // What waits in accept learns of it.
            (State::Listening { .. }, 0 | 2) => {
                socket.error = Some(errno::EINVAL);
                socket.arrived();
                return Ok(());
            }
            _ if socket.kind == Kind::Datagram && socket.remote.is_some() => {}
            _ => return Err(errno::ENOTCONN),
        }
        socket.shut_read |= how != 1;
        socket.shut_write |= how != 0;
        socket.arrived();
        socket.drained();
        if how != 0 {
            kernel.net.hang_up(number, None);
        }
        Ok(())
    });
    epoll::changed(kernel, cx)?;
    done(shut)
}

/// `getsockopt(socket, level, name, to, size)`
pub(super) fn getsockopt(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, level, name, to, size, _] = args;
    let value =
        socket_of(kernel, number).and_then(|socket| options::get(kernel.net.get(socket)?, level, name));
    match value {
        Ok(value) => {
            let room = u32::from_le_bytes(cx.memory.read(size)?) as usize;
            let value = &value[..value.len().min(room)];
            cx.memory.write_bytes(to, value)?;
            cx.memory.write(size, (value.len() as u32).to_le_bytes())?;
            Ok(SyscallReturn::Return(0))
        }
        Err(error) => done(Err(error)),
    }
}

/// `setsockopt(socket, level, name, from, size)`
pub(super) fn setsockopt(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, level, name, from, size, _] = args;
    let mut value = vec![0; size.min(options::MOST) as usize];
    cx.memory.read_bytes(from, &mut value)?;
    let socket = socket_of(kernel, number);
    kernel.net.added += value.len() as u64 + OPTION;
    let work = socket.and_then(|socket| options::set(kernel.net.get(socket)?, level, name, value));
    kernel.net.work += work.unwrap_or(0);
    done(work.map(|_| ()))
}

/// `sendto(socket, from, size, flags, address, address_size)`
pub(super) fn sendto(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, from, size, _, at, address_size] = args;
    let socket = match socket_of(kernel, number) {
        Ok(socket) => socket,
        Err(error) => return done(Err(error)),
    };
    let to = if at == 0 { Ok(None) } else { Address::read(cx, at, address_size)? };
    let bytes = gather(cx, &[(from, size)])?;
    match to {
        Ok(to) => transfer::send(kernel, cx, (number, socket), &bytes, to),
        Err(error) => done(Err(error)),
    }
}

/// `recvfrom(socket, to, size, flags, address, address_size)`
pub(super) fn recvfrom(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, to, size, flags, at, address_size] = args;
    match receive(kernel, cx, number, &[(to, size)], flags)? {
        Ok((received, family)) => {
            if let Some(from) = &received.from {
                from.write_sender(cx, family, at, address_size)?;
            }
            let count = if flags & TRUNCATED != 0 { received.size } else { received.bytes.len() };
            Ok(SyscallReturn::Return(count as i64))
        }
        Err(answer) => Ok(answer),
    }
}

/// Receives into buffers. `Err`: what the call answers instead.
#[allow(clippy::type_complexity, reason = "an answer in place of what was received")]
fn receive(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    number: u64,
    buffers: &[(u64, u64)],
    flags: u64,
) -> Result<Result<(transfer::Received, Family), SyscallReturn>, HookError> {
    let taken = socket_of(kernel, number).and_then(|socket| {
        let received = transfer::take(kernel, socket, room(buffers), flags & PEEK != 0)?;
        Ok((received, kernel.net.get(socket)?.family))
    });
    match taken {
        Ok((received, family)) => {
            scatter(cx, buffers, &received.bytes)?;
            epoll::changed(kernel, cx)?;
            Ok(Ok((received, family)))
        }
        Err(error) if flags & DONT_WAIT != 0 => Ok(Err(SyscallReturn::Return(-error))),
        Err(error) => later(kernel, cx, number, error).map(Err),
    }
}

/// A `struct msghdr`: address, its size, buffers.
type Message = (u64, u64, Vec<(u64, u64)>);

fn message(cx: &mut HookContext<'_>, at: u64) -> Result<Message, HookError> {
    let word = |cx: &HookContext<'_>, n: u64| cx.word(at.wrapping_add(8 * n));
    let (name, size) = (word(cx, 0)?, word(cx, 1)? & 0xffff_ffff);
    let (list, count) = (word(cx, 2)?, word(cx, 3)?);
    Ok((name, size, vectors(cx, list, count)?))
}

/// `sendmsg(socket, message, flags)`. Open files cannot be sent.
pub(super) fn sendmsg(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, at, ..] = args;
    let (name, size, buffers) = message(cx, at)?;
    let control = cx.word(at.wrapping_add(40))?;
    let socket = match socket_of(kernel, number) {
        Ok(_) if control != 0 => return done(Err(errno::EOPNOTSUPP)),
        Ok(socket) => socket,
        Err(error) => return done(Err(error)),
    };
    let to = if name == 0 || size == 0 { Ok(None) } else { Address::read(cx, name, size)? };
    let bytes = gather(cx, &buffers)?;
    match to {
        Ok(to) => transfer::send(kernel, cx, (number, socket), &bytes, to),
        Err(error) => done(Err(error)),
    }
}

/// `recvmsg(socket, message, flags)`
pub(super) fn recvmsg(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, at, flags, ..] = args;
    let (name, _, buffers) = message(cx, at)?;
    match receive(kernel, cx, number, &buffers, flags)? {
        Ok((received, family)) => {
            let size = at.wrapping_add(8);
            match &received.from {
                Some(from) => from.write_sender(cx, family, name, size)?,
                None => cx.memory.write(size, [0; 4])?,
            }
            cx.set_word(at.wrapping_add(40), 0)?;
            let cut = if received.size > received.bytes.len() { TRUNCATED as u32 } else { 0 };
            cx.memory.write(at.wrapping_add(48), cut.to_le_bytes())?;
            Ok(SyscallReturn::Return(received.bytes.len() as i64))
        }
        Err(answer) => Ok(answer),
    }
}
