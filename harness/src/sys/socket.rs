//! What a duplicate of a socket tells: unix(7), tcp(7), socket(7).

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockaddrLike, SockaddrStorage, UnixAddr, sockopt};
use nix::sys::time::TimeVal;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// True if clients connect to it.
pub fn listens(socket: BorrowedFd<'_>) -> Result<bool, Errno> {
    socket::getsockopt(&socket, sockopt::AcceptConn)
}

/// Where clients connect to it: `tcp:` and a port of this machine, or `unix:` and a path or `@` and a name (unix(7)); none if they do
/// not, or it is none of these or has no name that can be written.
pub fn listens_at(socket: BorrowedFd<'_>) -> Option<String> {
    let stream =
        socket::getsockopt(&socket, sockopt::SockType).is_ok_and(|kind| kind == socket::SockType::Stream);
    if !stream || !listens(socket).is_ok_and(|listens| listens) {
        return None;
    }
    if is_internet(socket) {
        return own_address(socket).map(|own| format!("tcp:{}", own.port()));
    }
    let own = socket::getsockname::<UnixAddr>(socket.as_raw_fd()).ok()?;
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    match (own.path(), own.as_abstract()) {
        (Some(path), _) => path.to_str().map(|path| format!("unix:{path}")),
        (None, Some(name)) => text(name).map(|name| format!("unix:@{name}")),
        (None, None) => None,
    }
}

/// The process at the other end of a Unix socket, as it was when the connection was made; none where there is none.
pub fn peer(socket: BorrowedFd<'_>) -> Option<i32> {
    socket::getsockopt(&socket, sockopt::PeerCredentials).ok().map(|peer| peer.pid()).filter(|pid| *pid > 0)
}

/// True for the families that connect over a network, the machine's own included.
pub fn is_internet(socket: BorrowedFd<'_>) -> bool {
    let own = socket::getsockname::<SockaddrStorage>(socket.as_raw_fd());
    let family = own.ok().and_then(|address| address.family());
    matches!(family, Some(AddressFamily::Inet | AddressFamily::Inet6))
}

/// The address of an internet socket's own; with port zero if it has none yet.
pub fn own_address(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    let own = socket::getsockname::<SockaddrStorage>(socket.as_raw_fd()).ok()?;
    match (own.as_sockaddr_in(), own.as_sockaddr_in6()) {
        (Some(own), _) => Some(SocketAddrV4::from(*own).into()),
        (None, Some(own)) => Some(SocketAddrV6::from(*own).into()),
        (None, None) => None,
    }
}

/// True for a Unix socket that has no name yet.
pub fn is_nameless(socket: BorrowedFd<'_>) -> bool {
    socket::getsockname::<UnixAddr>(socket.as_raw_fd()).is_ok_and(|own| own.is_unnamed())
}

/// From which ports one is chosen for it, where its network has these: it may have narrowed them for itself
/// (IP_LOCAL_PORT_RANGE of ip(7), Linux 6.3).
pub fn ports(socket: BorrowedFd<'_>, range: RangeInclusive<u16>) -> RangeInclusive<u16> {
    const IP_LOCAL_PORT_RANGE: i32 = 51;
    let own = option(socket, libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE);
    let own = own.map_or(0, u32::from_le_bytes);
    // Each limit counts if it lies within the range, and is not zero.
    let within = |limit: u16, other| if range.contains(&limit) { limit } else { other };
    within(own as u16, *range.start())..=within((own >> 16) as u16, *range.end())
}

/// An option of so many bytes; none if the socket has none, or a shorter one.
fn option<const N: usize>(socket: BorrowedFd<'_>, level: i32, name: i32) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut length = N as libc::socklen_t;
    // SAFETY: the kernel writes no more than `length` bytes, and both live through the call.
    let got =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, bytes.as_mut_ptr().cast(), &mut length) };
    (got == 0 && length as usize == N).then_some(bytes)
}

/// SO_RCVTIMEO, or SO_SNDTIMEO; none where no limit is set.
pub fn timeout(socket: BorrowedFd<'_>, sends: bool) -> Result<Option<Duration>, Errno> {
    let limit = match sends {
        true => socket::getsockopt(&socket, sockopt::SendTimeout),
        false => socket::getsockopt(&socket, sockopt::ReceiveTimeout),
    }?;
    let (Ok(seconds), Ok(micros)) = (u64::try_from(limit.tv_sec()), u64::try_from(limit.tv_usec())) else {
        return Ok(None);
    };
    let limit = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
    Ok(Some(limit).filter(|limit| !limit.is_zero()))
}

/// Sets SO_SNDTIMEO.
pub fn set_send_timeout(socket: BorrowedFd<'_>, limit: Duration) -> Result<(), Errno> {
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    let limit = TimeVal::new(seconds, i64::from(limit.subsec_micros()));
    socket::setsockopt(&socket, sockopt::SendTimeout, &limit)
}

/// Which network it is in, by a number of the kernel's (SO_NETNS_COOKIE, Linux 5.14).
pub fn network(socket: BorrowedFd<'_>) -> Option<u64> {
    const SO_NETNS_COOKIE: i32 = 71;
    option(socket, libc::SOL_SOCKET, SO_NETNS_COOKIE).map(u64::from_ne_bytes)
}

/// True for an internet socket that has a peer.
pub fn is_connected(socket: BorrowedFd<'_>) -> bool {
    is_internet(socket) && socket::getpeername::<SockaddrStorage>(socket.as_raw_fd()).is_ok()
}

/// True if something is on its way over a TCP socket: what it has sent is not acknowledged (SIOCOUTQ of tcp(7)), or its first
/// packet is not. What its peer has no room for is not on its way: it stays where it is until something is read there.
pub fn is_moving(socket: BorrowedFd<'_>) -> bool {
    nix::ioctl_read_bad!(siocoutq, libc::TIOCOUTQ, i32);
    /// Of net/tcp_states.h.
    const SYN_SENT: u8 = 2;
    const SYN_RECV: u8 = 3;
    /// Where the structure that TCP_INFO fills has the window that the peer grants (`tcpi_snd_wnd` of linux/tcp.h, Linux 5.4).
    const WINDOW: usize = 228;
    let stream = socket::getsockopt(&socket.as_fd(), sockopt::SockType) == Ok(socket::SockType::Stream);
    if !stream || !is_internet(socket) {
        return false;
    }
    let info = option::<{ WINDOW + 4 }>(socket, libc::IPPROTO_TCP, libc::TCP_INFO);
    let connects = info.is_some_and(|[state, ..]| [SYN_SENT, SYN_RECV].contains(&state));
    let full = info.is_some_and(|info| info[WINDOW..] == [0; 4]);
    // A peer that has no room for too long is given up where this is asked for.
    let patient = option(socket, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) == Some([0; 4]);
    let mut bytes = 0;
    // SAFETY: the descriptor is a TCP socket, and the number that the request writes to lives through the call.
    let unsent = unsafe { siocoutq(socket.as_raw_fd(), &mut bytes) };
    connects || (unsent.is_ok() && bytes > 0 && !(full && patient))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    #[test]
    fn sockets_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(listens(listener.as_fd()), Ok(true));
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!((listens(client.as_fd()), peer(client.as_fd())), (Ok(false), None));
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        assert!(is_connected(client.as_fd()) && !is_connected(listener.as_fd()));
        assert!(network(client.as_fd()).is_some() && network(client.as_fd()) == network(server.as_fd()));
        let (one, other) = UnixStream::pair().unwrap();
        assert_eq!(peer(one.as_fd()), Some(std::process::id() as i32));
        assert!(!is_internet(one.as_fd()) && !is_moving(one.as_fd()));
        assert_eq!((own_address(client.as_fd()), own_address(one.as_fd())), (client.local_addr().ok(), None));
        assert!(is_nameless(one.as_fd()) && !is_nameless(client.as_fd()));
        other.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        assert_eq!(timeout(other.as_fd(), true), Ok(Some(Duration::from_millis(200))));
        assert_eq!(timeout(other.as_fd(), false), Ok(None));
    }
}
