//! Addresses of sockets: IP addresses as IPv6 has them, names of Unix sockets, numbers of netlink sockets.

use super::errno;
use super::net::Family;
use crate::hook::{HookContext, HookError};
use crate::memory::Access;

const UNSPECIFIED: u16 = 0;
const UNIX: u16 = 1;
const INET: u16 = 2;
const INET6: u16 = 10;
const NETLINK: u16 = 16;
/// The most bytes of a name.
const MOST: u64 = 110;
/// An IPv4 address within IPv6.
const MAPPED: u128 = 0xffff_0000_0000;

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// An IP address, IPv4 ones as IPv6 has them, and a port.
    Net { ip: u128, port: u16 },
    /// A path, a name that begins with a zero, or no name.
    Unix(Vec<u8>),
    /// A netlink socket; 0 is the kernel.
    Netlink(u32),
}

/// Any IPv4 address, and IPv6 address.
pub(super) const ANY_V4: u128 = MAPPED;
pub(super) const ANY_V6: u128 = 0;
/// `127.0.0.1`, and `::1`.
const LOOPBACK_V4: u128 = MAPPED | 0x7f00_0001;
const LOOPBACK_V6: u128 = 1;

impl Address {
    /// No name, in a family.
    pub(super) fn none(family: Family) -> Address {
        match family {
            Family::Unix => Address::Unix(Vec::new()),
            Family::Netlink => Address::Netlink(0),
            Family::V4 => Address::Net { ip: ANY_V4, port: 0 },
            Family::V6 => Address::Net { ip: ANY_V6, port: 0 },
        }
    }

    /// Reads a `sockaddr`. `None`: no address (`AF_UNSPEC`).
    pub(super) fn read(
        cx: &HookContext<'_>,
        at: u64,
        size: u64,
    ) -> Result<Result<Option<Address>, i64>, HookError> {
        if !(2..=MOST + 18).contains(&size) {
            return Ok(Err(errno::EINVAL));
        }
        let mut bytes = vec![0; size as usize];
        cx.memory.read_bytes(at, &mut bytes)?;
        Ok(Address::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Result<Option<Address>, i64> {
        let family = u16::from_le_bytes([bytes[0], bytes[1]]);
        let port = || bytes.get(2..4).map(|port| u16::from_be_bytes([port[0], port[1]])).ok_or(errno::EINVAL);
        match family {
            UNSPECIFIED => Ok(None),
            INET => {
                let ip: [u8; 4] = bytes.get(4..8).and_then(|ip| ip.try_into().ok()).ok_or(errno::EINVAL)?;
                Ok(Some(Address::Net { ip: MAPPED | u128::from(u32::from_be_bytes(ip)), port: port()? }))
            }
            INET6 => {
                let ip: [u8; 16] = bytes.get(8..24).and_then(|ip| ip.try_into().ok()).ok_or(errno::EINVAL)?;
                Ok(Some(Address::Net { ip: u128::from_be_bytes(ip), port: port()? }))
            }
            UNIX => {
                let name = &bytes[2..];
                let end = name.iter().position(|&byte| byte == 0).filter(|&end| end > 0);
                Ok(Some(Address::Unix(name[..end.unwrap_or(name.len())].to_vec())))
            }
            NETLINK => {
                let number = bytes.get(4..8).and_then(|number| number.try_into().ok());
                Ok(Some(Address::Netlink(u32::from_le_bytes(number.ok_or(errno::EINVAL)?))))
            }
            _ => Err(errno::EAFNOSUPPORT),
        }
    }

    fn bytes(&self, family: Family) -> Vec<u8> {
        let mut bytes = Vec::new();
        match (self, family) {
            (Address::Unix(name), _) => {
                bytes.extend(UNIX.to_le_bytes());
                bytes.extend(name);
                // Paths have their end with them.
                if name.first().is_some_and(|&first| first != 0) {
                    bytes.push(0);
                }
            }
            (Address::Netlink(number), _) => {
                bytes.extend([NETLINK, 0].map(u16::to_le_bytes).concat());
                bytes.extend([*number, 0].map(u32::to_le_bytes).concat());
            }
            (Address::Net { ip, port }, Family::V6) => {
                bytes.extend(INET6.to_le_bytes());
                bytes.extend(port.to_be_bytes());
                bytes.extend([0; 4]);
                bytes.extend(ip.to_be_bytes());
                bytes.extend([0; 4]);
            }
            (Address::Net { ip, port }, _) => {
                bytes.extend(INET.to_le_bytes());
                bytes.extend(port.to_be_bytes());
                bytes.extend((*ip as u32).to_be_bytes());
                bytes.extend([0; 8]);
            }
        }
        bytes
    }

    /// Writes a `sockaddr` of this family, as much as there is room for, and its size.
    pub(super) fn write(
        &self,
        cx: &mut HookContext<'_>,
        family: Family,
        to: u64,
        size: u64,
    ) -> Result<(), HookError> {
        if to == 0 || size == 0 {
            return Ok(());
        }
        let bytes = self.bytes(family);
        cx.memory.check(size, 4, Access::Write)?;
        let room = u32::from_le_bytes(cx.memory.read(size)?) as usize;
        cx.memory.write_bytes(to, &bytes[..bytes.len().min(room)])?;
        cx.memory.write(size, (bytes.len() as u32).to_le_bytes())?;
        Ok(())
    }

    /// Writes the address of a sender, as [`Address::write`] does. One without a name has no bytes.
    pub(super) fn write_sender(
        &self,
        cx: &mut HookContext<'_>,
        family: Family,
        to: u64,
        size: u64,
    ) -> Result<(), HookError> {
        match self {
            Address::Unix(name) if name.is_empty() && to != 0 && size != 0 => {
                Ok(cx.memory.write(size, [0; 4])?)
            }
            address => address.write(cx, family, to, size),
        }
    }

    /// Whether a socket can have it: any address, or one of loopback.
    pub(super) fn is_own(&self) -> bool {
        match self {
            Address::Net { ip, .. } => *ip == ANY_V4 || *ip == ANY_V6 || is_loopback(*ip),
            Address::Unix(_) | Address::Netlink(_) => true,
        }
    }

    /// Where a connection to it goes: any address means this computer.
    pub(super) fn destination(&self) -> Address {
        match self {
            Address::Net { ip: ANY_V4, port } => Address::Net { ip: LOOPBACK_V4, port: *port },
            Address::Net { ip: ANY_V6, port } => Address::Net { ip: LOOPBACK_V6, port: *port },
            other => other.clone(),
        }
    }

    /// Whether what is sent to `to` arrives at a socket with this address; `both` if an IPv6 one takes IPv4, too.
    pub(super) fn takes(&self, to: &Address, both: bool) -> bool {
        match (self, to) {
            (Address::Net { ip, port }, Address::Net { ip: wanted, port: to }) => {
                let mapped = is_v4(*wanted);
                let any = (*ip == ANY_V4 && mapped) || (*ip == ANY_V6 && (both || !mapped));
                port == to && (ip == wanted || any)
            }
            (own, to) => own == to,
        }
    }

    pub(super) fn is_any(&self) -> bool {
        matches!(self, Address::Net { ip: ANY_V4 | ANY_V6, .. })
    }
}

fn is_v4(ip: u128) -> bool {
    ip >> 32 == MAPPED >> 32
}

fn is_loopback(ip: u128) -> bool {
    ip == LOOPBACK_V6 || is_v4(ip) && ip as u32 >> 24 == 127
}
