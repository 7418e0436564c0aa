//! Ends what the kernel keeps of connections that nobody has any more: a network in which nothing is left costs less than another.
//!
//! Connections are named by their addresses. To ask for all that there are takes the kernel a walk through a table for the
//! whole machine, which takes as long as making a network.

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// The addresses of both ends of a TCP connection, or of one that may have been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection([SocketAddr; 2]);

impl Connection {
    /// What comes of connecting a socket of this address to that one, where there is nothing but loopback.
    pub fn over_loopback(mut own: SocketAddr, mut peer: SocketAddr) -> Connection {
        for address in [&mut own, &mut peer] {
            // IPv4 over a socket of IPv6 is kept as the former (ipv6(7)).
            address.set_ip(address.ip().to_canonical());
        }
        let loopback: IpAddr =
            if peer.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        // Nowhere in particular is this machine, and so is whoever has not said where it is.
        for address in [&mut own, &mut peer] {
            if address.ip().is_unspecified() {
                address.set_ip(loopback);
            }
        }
        Connection([own, peer])
    }
}

/// A request to end a socket: struct nlmsghdr (netlink(7)) and struct inet_diag_req_v2 (sock_diag(7)).
const REQUEST: usize = 72;

fn request(own: SocketAddr, peer: SocketAddr) -> [u8; REQUEST] {
    /// Of linux/sock_diag.h.
    const SOCK_DESTROY: u16 = 21;
    const EVERY_STATE: u32 = !0;
    const ANY_COOKIE: [u8; 8] = [0xff; 8];
    let mut bytes = [0; REQUEST];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0, &(REQUEST as u32).to_ne_bytes());
    put(4, &SOCK_DESTROY.to_ne_bytes());
    put(6, &(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    let family = if own.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    put(16, &[family as u8, libc::IPPROTO_TCP as u8]);
    put(20, &EVERY_STATE.to_ne_bytes());
    put(24, &own.port().to_be_bytes());
    put(26, &peer.port().to_be_bytes());
    for (at, address) in [(28, own), (44, peer)] {
        match address.ip() {
            IpAddr::V4(four) => put(at, &four.octets()),
            IpAddr::V6(six) => put(at, &six.octets()),
        }
    }
    put(64, &ANY_COOKIE);
    bytes
}

/// Ends whatever socket of these connections there is, at both ends, through a netlink socket of their network. Whether all
/// were there and are gone is to be seen elsewhere: what cannot be ended stays.
pub(super) fn end(diagnosis: BorrowedFd<'_>, connections: &[Connection]) {
    let requests = connections.iter().flat_map(|Connection([one, other])| {
        [request(*one, *other), request(*other, *one)].into_iter().flatten()
    });
    let requests: Vec<u8> = requests.collect();
    let fd = diagnosis.as_raw_fd();
    if send(fd, &requests, MsgFlags::empty()).is_ok() {
        // All is done. There is an answer for each that was not there, which is news to nobody.
        while matches!(recv(fd, &mut [0], MsgFlags::MSG_DONTWAIT), Ok(_) | Err(Errno::ENOBUFS)) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_the_kernel_has() {
        let connected = |own: &str, peer: &str| {
            let Connection(ends) = Connection::over_loopback(own.parse().unwrap(), peer.parse().unwrap());
            ends.map(|end| end.to_string())
        };
        assert_eq!(connected("0.0.0.0:5", "127.0.0.2:7"), ["127.0.0.1:5", "127.0.0.2:7"]);
        assert_eq!(connected("127.0.0.3:5", "0.0.0.0:7"), ["127.0.0.3:5", "127.0.0.1:7"]);
        assert_eq!(connected("[::]:5", "[::]:7"), ["[::1]:5", "[::1]:7"]);
        assert_eq!(connected("[::]:5", "[::ffff:127.0.0.1]:7"), ["127.0.0.1:5", "127.0.0.1:7"]);
    }
}
