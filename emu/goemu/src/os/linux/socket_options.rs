//! Options of sockets: a few have a meaning here, the others are kept and told.

use super::errno;
use super::net::{self, Family, Kind, Socket, State};

const SOCKET: u64 = 1;
const IPV6: u64 = 41;
pub(super) const LINGER: (u64, u64) = (SOCKET, 13);
const REUSE_PORT: (u64, u64) = (SOCKET, 15);
const ONLY_V6: (u64, u64) = (IPV6, 26);
/// Levels that are known: sockets, IP, TCP, UDP, IPv6.
const LEVELS: [u64; 5] = [SOCKET, 0, 6, 17, IPV6];
/// The most bytes of an option.
pub(super) const MOST: u64 = 256;

/// What an option is.
pub(super) fn get(socket: &mut Socket, level: u64, name: u64) -> Result<Vec<u8>, i64> {
    let number = |n: i64| Ok((n as u32).to_le_bytes().to_vec());
    match (level, name) {
        // SO_TYPE, SO_ERROR, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN
        (SOCKET, 3) => number(match socket.kind {
            Kind::Stream => 1,
            Kind::Datagram => 2,
            Kind::Packets => 5,
        }),
        (SOCKET, 4) => number(socket.error.take().unwrap_or(0)),
        (SOCKET, 30) => number(matches!(socket.state, State::Listening { .. }).into()),
        (SOCKET, 38) => number(match (socket.family, socket.kind) {
            (Family::Unix | Family::Netlink, _) => 0,
            (_, Kind::Stream) => 6,
            _ => 17,
        }),
        (SOCKET, 39) => number(match socket.family {
            Family::Unix => 1,
            Family::Netlink => 16,
            Family::V4 => 2,
            Family::V6 => 10,
        }),
        // SO_PEERCRED: process, user, group.
        (SOCKET, 17) => Ok([1_u32, 0, 0].map(u32::to_le_bytes).concat()),
        _ if !LEVELS.contains(&level) => Err(errno::ENOPROTOOPT),
        option => match socket.options.get(&option) {
            Some(value) => Ok(value.clone()),
            // SO_SNDBUF, SO_RCVBUF
            None if matches!(option, (SOCKET, 7 | 8)) => number(net::ROOM as i64),
            None => number(0),
        },
    }
}

/// Keeps an option.
pub(super) fn set(socket: &mut Socket, level: u64, name: u64, value: Vec<u8>) -> Result<(), i64> {
    const ATTACH_FILTER: u64 = 26;
    if !LEVELS.contains(&level) || (level, name) == (SOCKET, ATTACH_FILTER) {
        return Err(errno::ENOPROTOOPT);
    }
    if value.len() < 4 {
        return Err(errno::EINVAL);
    }
    socket.options.insert((level, name), value);
    Ok(())
}

fn is_set(socket: &Socket, option: (u64, u64)) -> bool {
    socket.options.get(&option).is_some_and(|value| value.iter().any(|&byte| byte != 0))
}

/// Whether an IPv6 socket takes no IPv4.
pub(super) fn only_v6(socket: &Socket) -> bool {
    is_set(socket, ONLY_V6)
}

/// Whether others may have the same port that want it, too.
pub(super) fn shares_port(socket: &Socket) -> bool {
    is_set(socket, REUSE_PORT)
}

/// Whether `struct linger` is on, with no time to linger: a close resets the connection.
pub(super) fn lingers_not(value: &[u8]) -> bool {
    value.len() >= 8 && value[..4] != [0; 4] && value[4..8] == [0; 4]
}
