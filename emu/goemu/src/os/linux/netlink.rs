//! Netlink sockets, by which programs ask for the computer's network interfaces (`rtnetlink(7)`). There is one, loopback.

use super::errno;
use super::net::{Family, Kind, Socket};
use super::socket_address::Address;

/// `AF_NETLINK`.
pub(super) const FAMILY: u64 = 16;

/// Kinds of messages (`linux/rtnetlink.h`).
mod kind {
    pub(super) const ERROR: u16 = 2;
    pub(super) const DONE: u16 = 3;
    pub(super) const NEW_LINK: u16 = 16;
    pub(super) const GET_LINK: u16 = 18;
    pub(super) const NEW_ADDRESS: u16 = 20;
    pub(super) const GET_ADDRESS: u16 = 22;
    /// Other requests for lists: those of routes, neighbours, rules. They are empty.
    pub(super) const OTHER_LISTS: [u16; 3] = [26, 30, 34];
}

/// The loopback interface.
mod loopback {
    pub(super) const INDEX: u32 = 1;
    pub(super) const NAME: &[u8] = b"lo\0";
    /// `ARPHRD_LOOPBACK`.
    pub(super) const TYPE: u16 = 772;
    /// Up, loopback, running, with a carrier.
    pub(super) const FLAGS: u32 = 0x1_0049;
    pub(super) const MTU: u32 = 65_536;
    /// `RT_SCOPE_HOST`.
    pub(super) const SCOPE: u8 = 254;
}

/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;
/// More messages follow.
const MULTI: u16 = 2;

/// A new socket. Only `NETLINK_ROUTE` is there.
pub(super) fn socket(wish: u64, protocol: u64) -> Result<Socket, i64> {
    const ROUTE: u64 = 0;
    match wish & 0xf {
        2 | 3 if protocol == ROUTE => Ok(Socket::new(Family::Netlink, Kind::Datagram)),
        2 | 3 => Err(errno::EPROTONOSUPPORT),
        _ => Err(errno::ESOCKTNOSUPPORT),
    }
}

/// Answers a request: one packet with all of the answer waits in the socket then.
pub(super) fn request(socket: &mut Socket, bytes: &[u8]) -> Result<usize, i64> {
    let header = bytes.first_chunk::<HEADER>().ok_or(errno::EINVAL)?;
    let wanted = u16::from_le_bytes([header[4], header[5]]);
    let sequence = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    let own = match socket.local {
        Some(Address::Netlink(number)) => number,
        _ => 0,
    };
    if socket.is_full() {
        return Err(errno::ENOBUFS);
    }
    let family = bytes.get(HEADER).copied().unwrap_or(0);
    let answer = Answer { sequence, own }.to(wanted, family, header);
    socket.held += answer.len();
    socket.packets.push_back((Address::Netlink(0), answer));
    socket.arrived();
    Ok(bytes.len())
}

/// What all messages of an answer have.
struct Answer {
    sequence: u32,
    own: u32,
}

impl Answer {
    fn to(&self, wanted: u16, family: u8, header: &[u8]) -> Vec<u8> {
        let mut parts = match wanted {
            kind::GET_LINK => vec![self.message(kind::NEW_LINK, &link())],
            kind::GET_ADDRESS => addresses()
                .into_iter()
                .filter(|(own, _)| matches!(family, 0) || *own == family)
                .map(|(_, address)| self.message(kind::NEW_ADDRESS, &address))
                .collect(),
            list if kind::OTHER_LISTS.contains(&list) => Vec::new(),
            _ => {
                let refused = [&(-(errno::EOPNOTSUPP as i32)).to_le_bytes(), header].concat();
                return self.message(kind::ERROR, &refused);
            }
        };
        parts.push(self.message(kind::DONE, &[0; 4]));
        parts.concat()
    }

    fn message(&self, kind: u16, body: &[u8]) -> Vec<u8> {
        let mut message = ((HEADER + body.len()) as u32).to_le_bytes().to_vec();
        message.extend([kind, if kind == kind::ERROR { 0 } else { MULTI }].map(u16::to_le_bytes).concat());
        message.extend([self.sequence, self.own].map(u32::to_le_bytes).concat());
        message.extend(body);
        message
    }
}

/// `struct ifinfomsg` and its attributes.
fn link() -> Vec<u8> {
    const ADDRESS: u16 = 1;
    const BROADCAST: u16 = 2;
    const NAME: u16 = 3;
    const MTU: u16 = 4;
    let mut link = [0, loopback::TYPE].map(u16::to_le_bytes).concat();
    link.extend([loopback::INDEX, loopback::FLAGS, 0].map(u32::to_le_bytes).concat());
    attribute(&mut link, NAME, loopback::NAME);
    attribute(&mut link, MTU, &loopback::MTU.to_le_bytes());
    attribute(&mut link, ADDRESS, &[0; 6]);
    attribute(&mut link, BROADCAST, &[0; 6]);
    link
}

/// `struct ifaddrmsg` and its attributes, and the family, of 127.0.0.1/8 and ::1/128.
fn addresses() -> [(u8, Vec<u8>); 2] {
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    const LABEL: u16 = 3;
    const INET: u8 = 2;
    const INET6: u8 = 10;
    /// `IFA_F_PERMANENT`.
    const PERMANENT: u8 = 0x80;
    let start = |family, bits| {
        let mut address = vec![family, bits, PERMANENT, loopback::SCOPE];
        address.extend(loopback::INDEX.to_le_bytes());
        address
    };
    let (mut v4, mut v6) = (start(INET, 8), start(INET6, 128));
    attribute(&mut v4, ADDRESS, &[127, 0, 0, 1]);
    attribute(&mut v4, LOCAL, &[127, 0, 0, 1]);
    attribute(&mut v4, LABEL, loopback::NAME);
    attribute(&mut v6, ADDRESS, &1_u128.to_be_bytes());
    [(INET, v4), (INET6, v6)]
}

/// Appends a `struct rtattr`, filled up to four bytes.
fn attribute(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    to.extend([4 + value.len() as u16, kind].map(u16::to_le_bytes).concat());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}
