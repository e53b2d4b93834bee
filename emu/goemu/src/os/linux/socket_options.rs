//! Options of sockets: a few have a meaning here, the others are kept and told.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::errno;
use super::net::{self, Family, Kind, Socket, State};
use super::record::NODE;

const SOCKET: u64 = 1;
const IPV6: u64 = 41;
pub(super) const LINGER: (u64, u64) = (SOCKET, 13);
const REUSE_PORT: (u64, u64) = (SOCKET, 15);
const ONLY_V6: (u64, u64) = (IPV6, 26);
/// Levels that are known: sockets, IP, TCP, UDP, IPv6.
const LEVELS: [u64; 5] = [SOCKET, 0, 6, 17, IPV6];
/// The most bytes of an option.
pub(super) const MOST: u64 = 256;
/// No level has options of these numbers.
const NAMES: u64 = 256;
/// What copying an option takes, in instructions.
const COPY: u64 = 16;

/// The options that are kept. Connections have those of their listener until one of them sets its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    values: Arc<BTreeMap<(u64, u64), Vec<u8>>>,
    /// Bytes of the host's memory that they take.
    pub(super) bytes: u64,
}

impl Options {
    pub(super) fn get(&self, option: (u64, u64)) -> Option<&Vec<u8>> {
        self.values.get(&option)
    }

    /// Keeps one; the work that this is.
    fn set(&mut self, option: (u64, u64), value: Vec<u8>) -> u64 {
        let work = if Arc::strong_count(&self.values) > 1 { COPY * self.values.len() as u64 } else { 0 };
        let size = |value: &Vec<u8>| value.capacity() as u64 + NODE;
        self.bytes += size(&value);
        let before = Arc::make_mut(&mut self.values).insert(option, value);
        self.bytes -= before.as_ref().map_or(0, size);
        work
    }
}

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
        option => match socket.options.get(option) {
            Some(value) => Ok(value.clone()),
            // SO_SNDBUF, SO_RCVBUF
            None if matches!(option, (SOCKET, 7 | 8)) => number(net::ROOM as i64),
            None => number(0),
        },
    }
}

/// Keeps an option; the work that this is.
pub(super) fn set(socket: &mut Socket, level: u64, name: u64, value: Vec<u8>) -> Result<u64, i64> {
    const ATTACH_FILTER: u64 = 26;
    if !LEVELS.contains(&level) || name >= NAMES || (level, name) == (SOCKET, ATTACH_FILTER) {
        return Err(errno::ENOPROTOOPT);
    }
    if value.len() < 4 {
        return Err(errno::EINVAL);
    }
    Ok(socket.options.set((level, name), value))
}

fn is_set(socket: &Socket, option: (u64, u64)) -> bool {
    socket.options.get(option).is_some_and(|value| value.iter().any(|&byte| byte != 0))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_kept_and_copied_when_they_are_changed() {
        let mut socket = Socket::new(Family::V4, Kind::Stream);
        for name in 0..10 {
            assert_eq!(set(&mut socket, 6, name, vec![1; 8]), Ok(0));
        }
        assert_eq!(set(&mut socket, 6, 3, vec![2; 16]), Ok(0));
        assert_eq!(socket.options.bytes, 10 * (8 + NODE) + 8);
        assert_eq!(set(&mut socket, 6, NAMES, vec![1; 8]), Err(errno::ENOPROTOOPT));
        let mut connection = Socket::new(Family::V4, Kind::Stream);
        connection.options = socket.options.clone();
        assert_eq!(set(&mut connection, 6, 4, vec![3; 8]), Ok(10 * COPY));
        assert_eq!(set(&mut connection, 6, 5, vec![3; 8]), Ok(0));
        assert_eq!(get(&mut connection, 6, 3), Ok(vec![2; 16]));
        assert_eq!((get(&mut connection, 6, 4), get(&mut socket, 6, 4)), (Ok(vec![3; 8]), Ok(vec![1; 8])));
    }
}
