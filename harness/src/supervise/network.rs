//! What is done for the run's own network before a call: what the kernel chooses in it is the same in every run, and what
//! a run changes of it is known.
//!
//! Ports are chosen by the kernel, so that such a socket differs in nothing from others of its kind; but for that one call the
//! range from which it chooses (`ip_local_port_range` of ip(7)) is a single port. Whoever reads the range finds it as it usually is.

use super::RunError;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::state::Turns;
use crate::sys::sockdiag::Connection;
use crate::sys::socket;
use nix::errno::Errno;
use nix::sys::socket::{UnixAddr, bind};
use nix::unistd::geteuid;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use syscalls::Sysno;

/// So long a connection is in that state, by the kernel's time (TCP_TIMEWAIT_LEN of the kernel's net/tcp.h).
const TIME_WAIT: Duration = Duration::from_secs(60);

impl Turns<'_> {
    /// This call is let happen next.
    pub(super) fn prepare_network(
        &mut self,
        id: ThreadId,
        call: Sysno,
        args: &[u64; 6],
    ) -> Result<(), RunError> {
        let Some(network) = self.cell.network() else { return Ok(()) };
        let fault =
            |error: io::Error| RunError::failed("reading and changing the ports of the run's network", error);
        network.widen().map_err(fault)?;
        if call == Sysno::socket && [libc::AF_INET, libc::AF_INET6].contains(&(args[0] as i32)) {
            network.note_use();
            self.kernel.ports.any = true;
        }
        if (self.may_change_network(id, call, args) && geteuid().is_root()) || brings_cookie(call, args) {
            network.note_change();
        }
        if !self.kernel.ports.any {
            return Ok(());
        }
        let word = |address| self.tree.thread(id).door.read_word(address).unwrap_or(0);
        let (address, binds) = match call {
            Sysno::bind => (args[1], true),
            Sysno::connect => (args[1], false),
            Sysno::listen => (0, false),
            // Without an address it is for a socket that has a port.
            Sysno::sendto if args[4] != 0 => (args[4], false),
            Sysno::sendmsg | Sysno::sendmmsg if word(args[1]) != 0 => (word(args[1]), false),
            _ => return Ok(()),
        };
        let port = self.port(id, address);
        if binds && port != 0 {
            self.kernel.ports.take(port);
            // By the program's clock it may have been over.
            if self.clock.is_virtual()
                && Duration::from_nanos(self.clock.now) >= TIME_WAIT
                && network.has_time_wait().map_err(fault)?
            {
                let name = &self.tree.thread(id).name;
                self.doubts.taint(format!(
                    "{name} asks for a port while connections of a minute ago by its clock are still in TIME_WAIT"
                ));
            }
            return Ok(());
        }
        let Ok(copy) = self.tree.thread(id).door.duplicate(args[0] as i32) else { return Ok(()) };
        let Some(mut own) = socket::own_address(copy.as_fd()).filter(|_| network.has(copy.as_fd())) else {
            return Ok(());
        };
        if own.port() == 0 {
            let range = socket::ports(copy.as_fd(), network.usual());
            let Some(port) = self.kernel.ports.next(range, port) else { return Ok(()) };
            network.narrow(port).map_err(fault)?;
            own.set_port(port);
        }
        if call == Sysno::connect
            && let Some(peer) = self.address(id, address)
        {
            network.note_connection(Connection::over_loopback(own, peer));
        }
        Ok(())
    }

    /// Answers a bind(2) that leaves the name of a Unix socket to the kernel (unix(7), "Autobind feature"), which would choose
    /// it at random: names come one after the other. None if the kernel is to do it.
    pub(super) fn name_socket(&mut self, id: ThreadId, args: &[u64; 6]) -> Option<Result<i64, Errno>> {
        let network = self.cell.network()?;
        let door = &self.tree.thread(id).door;
        let family = door.read_array(args[1]).map(u16::from_le_bytes);
        let copy = door.duplicate(args[0] as i32).ok()?;
        if family != Ok(libc::AF_UNIX as u16)
            || !socket::is_nameless(copy.as_fd())
            || !network.has(copy.as_fd())
        {
            return None;
        }
        loop {
            let name = self.kernel.ports.name()?;
            match UnixAddr::new_abstract(name.as_bytes()).and_then(|name| bind(copy.as_raw_fd(), &name)) {
                Err(Errno::EADDRINUSE) => {}
                done => return Some(done.map(|()| 0)),
            }
        }
    }

    /// True if by this call, or with what it makes, root may change interfaces, addresses, rules or settings. Others may not.
    fn may_change_network(&self, id: ThreadId, call: Sysno, args: &[u64; 6]) -> bool {
        /// The requests of netdevice(7), and those about routes and addresses.
        const REQUESTS: Range<u64> = 0x8900..0x8a00;
        const KIND: i32 = 0xf;
        let opens = |path: u64, flags: u64| {
            flags as i32 & libc::O_ACCMODE != libc::O_RDONLY
                && self.tree.thread(id).door.read_array(path) == Ok(*b"/proc/sys/net/")
        };
        match call {
            Sysno::socket => {
                args[1] as i32 & KIND == libc::SOCK_RAW
                    || [libc::AF_NETLINK, libc::AF_PACKET].contains(&(args[0] as i32))
            }
            Sysno::ioctl => REQUESTS.contains(&args[1]),
            Sysno::open => opens(args[0], args[1]),
            Sysno::openat => opens(args[1], args[2]),
            Sysno::creat => opens(args[0], libc::O_WRONLY as u64),
            _ => false,
        }
    }

    /// The port of a socket address; zero if it has none.
    fn port(&self, id: ThreadId, address: u64) -> u16 {
        let Ok([low, high, port @ ..]) = self.tree.thread(id).door.read_array::<4>(address) else { return 0 };
        let family = i32::from(u16::from_le_bytes([low, high]));
        let internet = [libc::AF_UNSPEC, libc::AF_INET, libc::AF_INET6].contains(&family);
        if internet { u16::from_be_bytes(port) } else { 0 }
    }

    /// An internet address, as ip(7) and ipv6(7) have it in memory.
    fn address(&self, id: ThreadId, address: u64) -> Option<SocketAddr> {
        let door = &self.tree.thread(id).door;
        let [low, high, first, second, four @ ..] = door.read_array::<8>(address).ok()?;
        let ip: IpAddr = match i32::from(u16::from_le_bytes([low, high])) {
            libc::AF_INET => four.into(),
            libc::AF_INET6 => door.read_array::<16>(address.checked_add(8)?).ok()?.into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes([first, second])))
    }
}

/// True if with this call a socket may come to be connected by TCP Fast Open (tcp(7)): the cookie that it gets is kept for all others.
fn brings_cookie(call: Sysno, args: &[u64; 6]) -> bool {
    let fast = |flags: u64| flags as i32 & libc::MSG_FASTOPEN != 0;
    match call {
        Sysno::sendto | Sysno::sendmmsg => fast(args[3]),
        Sysno::sendmsg => fast(args[2]),
        Sysno::setsockopt => {
            (args[1] as i32, args[2] as i32) == (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT)
        }
        _ => false,
    }
}
