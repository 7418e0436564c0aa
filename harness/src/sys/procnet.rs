//! What the network of a cell tells under `/proc/net`, and from which ports its kernel chooses.

use super::sockdiag::{self, Connection};
use super::socket;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read};
use std::net::UdpSocket;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// A network of a cell's own.
#[derive(Debug)]
pub struct Network {
    /// `ip_local_port_range` of ip(7).
    ports: File,
    /// `/proc/net`
    folder: OwnedFd,
    /// Where its sockets are counted: the files for IPv4 and, if there is one, for IPv6. They are read after each run, so they stay
    /// open.
    counts: Vec<File>,
    /// The ports that the kernel chooses from when nobody has narrowed them.
    usual: RangeInclusive<u16>,
    narrowed: Cell<bool>,
    used: Cell<bool>,
    changed: Cell<bool>,
    /// Those that may have been made in it, as far as they are noted.
    connections: RefCell<Vec<Connection>>,
    /// What ends sockets of it, if there is such a thing.
    diagnosis: Option<OwnedFd>,
    unused: Sockets,
    /// How many packets of new connections had been dropped when nothing had happened yet.
    dropped: u64,
    cookie: u64,
    /// A socket in it that nobody uses.
    socket: UdpSocket,
}

/// How many sockets there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sockets {
    /// Of each kind, in the order in which the kernel tells them.
    used: Vec<u64>,
    /// That nobody has any more and that wait for late packets (TIME_WAIT of tcp(7)), of IPv4 and IPv6.
    waiting: u64,
}

/// To end more connections than these takes longer than to make another network.
const MOST_ENDED: usize = 128;

impl Network {
    /// By descriptors of these two, of a socket in the network, and of one that asks about others.
    pub(super) fn new(
        [ports, folder, socket]: [OwnedFd; 3],
        diagnosis: Option<OwnedFd>,
    ) -> io::Result<Network> {
        let mut ports = File::from(ports);
        let mut text = String::new();
        ports.read_to_string(&mut text)?;
        let usual = range(&text).and_then(|range| {
            let (first, last) = range.into_inner();
            Some(first.try_into().ok()?..=last.try_into().ok()?)
        });
        let usual = usual.ok_or_else(|| unreadable("ip_local_port_range", &text))?;
        let counts = ["sockstat", "sockstat6"].into_iter().map(|name| if_there(open(&folder, name)));
        let counts: Vec<File> = counts.filter_map(io::Result::transpose).collect::<io::Result<_>>()?;
        let (unused, dropped) = (sockets(&counts)?, dropped(&folder)?);
        let cookie = socket::network(socket.as_fd()).ok_or(Errno::ENOPROTOOPT)?;
        Ok(Network {
            ports,
            folder,
            counts,
            usual,
            narrowed: Cell::default(),
            used: Cell::default(),
            changed: Cell::default(),
            connections: RefCell::default(),
            diagnosis,
            unused,
            dropped,
            cookie,
            socket: socket.into(),
        })
    }

    /// The ports that the kernel chooses from, as the program knows them.
    pub fn usual(&self) -> RangeInclusive<u16> {
        self.usual.clone()
    }

    /// Leaves the kernel this port alone to choose.
    pub fn narrow(&self, port: u16) -> io::Result<()> {
        self.narrowed.set(true);
        self.write(port..=port)
    }

    /// Lets the kernel choose from all of them again.
    pub fn widen(&self) -> io::Result<()> {
        if self.narrowed.get() {
            self.write(self.usual())?;
            self.narrowed.set(false);
        }
        Ok(())
    }

    fn write(&self, range: RangeInclusive<u16>) -> io::Result<()> {
        self.ports.write_all_at(format!("{} {}", range.start(), range.end()).as_bytes(), 0)
    }

    /// There have been sockets in it.
    pub fn note_use(&self) {
        self.used.set(true);
    }

    /// Its interfaces, addresses or settings may have been changed.
    pub fn note_change(&self) {
        self.changed.set(true);
    }

    /// A socket of it is about to be connected in this way.
    pub fn note_connection(&self, connection: Connection) {
        let mut connections = self.connections.borrow_mut();
        if connections.len() <= MOST_ENDED {
            connections.push(connection);
        }
    }

    /// True if nothing is left of the sockets that were in it, and it is what it was. What waits for late packets is ended here.
    /// To be asked when nobody is in it any more.
    pub fn is_as_new(&self) -> io::Result<bool> {
        let connections = self.connections.take();
        if self.changed.get() {
            return Ok(false);
        }
        if self.used.get() {
            let left = sockets(&self.counts)?;
            // But for some that wait for late packets: nobody has these.
            if left != self.unused && !(left.used == self.unused.used && self.is_rid_of(&connections)?) {
                return Ok(false);
            }
        }
        self.used.set(false);
        Ok(true)
    }

    /// Ends what is left of these connections; true if that was all there was.
    fn is_rid_of(&self, connections: &[Connection]) -> io::Result<bool> {
        match &self.diagnosis {
            Some(diagnosis) if connections.len() <= MOST_ENDED => {
                sockdiag::end(diagnosis.as_fd(), connections);
                Ok(sockets(&self.counts)? == self.unused)
            }
            _ => Ok(false),
        }
    }

    /// Tries it out: a socket of it for which the kernel chooses this port sends something to itself. Gives the port that was
    /// chosen, and the interfaces. The socket keeps its port.
    pub fn examine(&self, port: u16) -> io::Result<(u16, Vec<String>)> {
        self.narrow(port)?;
        let loopback = nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 0);
        nix::sys::socket::bind(self.socket.as_raw_fd(), &loopback)?;
        self.widen()?;
        let address = self.socket.local_addr()?;
        // What is sent over loopback has arrived when it is sent.
        self.socket.set_nonblocking(true)?;
        self.socket.send_to(b"x", address)?;
        self.socket.recv_from(&mut [0])?;
        let interfaces = file(&self.folder, "dev")?;
        let names = interfaces.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
        Ok((address.port(), names.map(str::to_owned).collect()))
    }

    /// True if this socket is in it.
    pub fn has(&self, socket: BorrowedFd<'_>) -> bool {
        socket::network(socket) == Some(self.cookie)
    }

    /// True if there are connections that are over and wait for late packets (TIME_WAIT of tcp(7)).
    pub fn has_time_wait(&self) -> io::Result<bool> {
        Ok(sockets(&self.counts)?.waiting > 0)
    }

    /// True if something is on its way in it that no descriptor tells of: what a closed socket has still to send, or a
    /// connection that is made by half because nobody accepts others before it.
    pub fn is_moving(&self) -> io::Result<bool> {
        // To look at all sockets takes the kernel a walk through a table for the whole machine.
        if orphans(&self.folder)? == 0 && dropped(&self.folder)? == self.dropped {
            return Ok(false);
        }
        for name in ["tcp", "tcp6"] {
            let Some(text) = if_there(file(&self.folder, name))? else { continue };
            for line in text.lines().skip(1) {
                if moves(line).ok_or_else(|| unreadable(name, line))? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Whether this line of `tcp` is about something that goes on by itself (the states are those of net/tcp_states.h).
fn moves(line: &str) -> Option<bool> {
    const SYN_RECV: u8 = 3;
    const FIN_WAIT1: u8 = 4;
    const LAST_ACK: u8 = 9;
    const CLOSING: u8 = 11;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let state = u8::from_str_radix(words.get(3)?, 16).ok()?;
    let closed = *words.get(9)? == "0";
    Some(state == SYN_RECV || (closed && [FIN_WAIT1, LAST_ACK, CLOSING].contains(&state)))
}

/// TCP sockets of the whole machine that nobody has a descriptor of.
fn orphans(folder: &OwnedFd) -> io::Result<u64> {
    let text = file(folder, "sockstat")?;
    let words = text.lines().find_map(|line| line.strip_prefix("TCP: "));
    let mut words =
        words.into_iter().flat_map(str::split_ascii_whitespace).skip_while(|word| *word != "orphan");
    words.nth(1).and_then(|number| number.parse().ok()).ok_or_else(|| unreadable("sockstat", &text))
}

/// How many packets that were to make a connection have been dropped: because others are still to be accepted, or because
/// data is to come first (TCP_DEFER_ACCEPT of tcp(7)).
fn dropped(folder: &OwnedFd) -> io::Result<u64> {
    let text = file(folder, "netstat")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, numbers) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let counters = names.split_ascii_whitespace().zip(numbers.split_ascii_whitespace());
    let counters = counters.filter(|(name, _)| ["ListenDrops", "TCPDeferAcceptDrop"].contains(name));
    let numbers: Option<Vec<u64>> = counters.map(|(_, number)| number.parse().ok()).collect();
    match numbers {
        Some(numbers) if numbers.len() == 2 => Ok(numbers.iter().sum()),
        _ => Err(unreadable("netstat", &text)),
    }
}

/// A file, or what it says; none if there is no such file, as of IPv6 in a kernel without it.
fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn unreadable(file: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} says {text:?}"))
}

/// A range as the kernel's settings have it: its first and its last number.
pub(super) fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let numbers: Vec<u32> = text.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    match numbers[..] {
        [first, last] => Some(first..=last),
        _ => None,
    }
}

fn open(folder: &OwnedFd, name: &str) -> io::Result<File> {
    Ok(openat(folder, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?.into())
}

fn file(folder: &OwnedFd, name: &str) -> io::Result<String> {
    let mut text = String::new();
    open(folder, name)?.read_to_string(&mut text)?;
    Ok(text)
}

fn sockets(counts: &[File]) -> io::Result<Sockets> {
    let mut all = Sockets::default();
    for file in counts {
        // Some lines; what is read from the start is all made anew, and comes at once.
        let mut bytes = [0; 4096];
        let got = file.read_at(&mut bytes, 0)?;
        let text = String::from_utf8_lossy(&bytes[..got]);
        count(&text, &mut all).filter(|()| got < bytes.len()).ok_or_else(|| unreadable("sockstat", &text))?;
    }
    Ok(all)
}

/// Adds what `sockstat` says of this network: of its other numbers some are of the whole machine.
fn count(text: &str, all: &mut Sockets) -> Option<()> {
    let before = all.used.len();
    for line in text.lines() {
        let (kind, numbers) = line.split_once(": ")?;
        let mut words = numbers.split_ascii_whitespace();
        while let Some(name) = words.next() {
            let number = words.next()?;
            match name {
                "inuse" if kind != "sockets" => all.used.push(number.parse().ok()?),
                "tw" => all.waiting += number.parse::<u64>().ok()?,
                _ => {}
            }
        }
    }
    (all.used.len() > before).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_counted() {
        let text = "sockets: used 173\nTCP: inuse 5 orphan 0 tw 2 alloc 7 mem 1\nUDP: inuse 3 mem 0\nFRAG: inuse 0 memory 0\n";
        let counts = |text: &str| {
            let mut all = Sockets::default();
            count(text, &mut all).map(|()| all)
        };
        assert_eq!(counts(text), Some(Sockets { used: vec![5, 3, 0], waiting: 2 }));
        assert_eq!((counts(""), counts("TCP: inuse\n"), counts("TCP: inuse x\n")), (None, None, None));
        assert_eq!(counts("sockets: used 1\n"), None);
    }

    #[test]
    fn what_goes_on_by_itself_is_told_from_its_line() {
        let line = |state: &str, inode: &str| {
            format!(
                "   1: 0100007F:8000 0100007F:8001 {state} 00000001:00000000 01:00001770 00000000     0        0 {inode} 3 00"
            )
        };
        let moves = |state, inode| moves(&line(state, inode));
        assert_eq!(
            (moves("03", "0"), moves("04", "0"), moves("04", "77")),
            (Some(true), Some(true), Some(false))
        );
        assert_eq!((moves("01", "0"), moves("06", "0"), moves("x", "0")), (Some(false), Some(false), None));
    }

    #[test]
    fn a_range_is_two_numbers() {
        assert_eq!(range("32768\t60999\n"), Some(32768..=60999));
        assert_eq!((range("1"), range("1 2 3"), range("a b")), (None, None, None));
    }
}
