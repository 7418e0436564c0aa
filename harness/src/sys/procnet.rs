//! What the network of a cell tells under `/proc/net`, and from which ports its kernel chooses.

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

/// A network of a cell's own.
#[derive(Debug)]
pub struct Network {
    /// `ip_local_port_range` of ip(7).
    ports: File,
    /// `/proc/net`
    folder: OwnedFd,
    /// The ports that the kernel chooses from when nobody has narrowed them.
    usual: RangeInclusive<u16>,
    narrowed: Cell<bool>,
    used: Cell<bool>,
    unused: Sockets,
}

/// How many sockets there are, of each kind, those that wait for late packets included (TIME_WAIT of tcp(7)).
type Sockets = Vec<(String, u64)>;

impl Network {
    /// By descriptors of these two, made in the network.
    pub(super) fn new(ports: OwnedFd, folder: OwnedFd) -> io::Result<Network> {
        let mut ports = File::from(ports);
        let mut text = String::new();
        ports.read_to_string(&mut text)?;
        let usual = range(&text).and_then(|range| {
            let (first, last) = range.into_inner();
            Some(first.try_into().ok()?..=last.try_into().ok()?)
        });
        let usual = usual.ok_or_else(|| unreadable("ip_local_port_range", &text))?;
        let unused = sockets(&folder)?;
        let (narrowed, used) = (Cell::new(false), Cell::new(false));
        Ok(Network { ports, folder, usual, narrowed, used, unused })
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

    /// True if nothing is left of the sockets that were in it.
    pub fn is_as_new(&self) -> io::Result<bool> {
        if self.used.get() && sockets(&self.folder)? != self.unused {
            return Ok(false);
        }
        self.used.set(false);
        Ok(true)
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

fn file(folder: &OwnedFd, name: &str) -> io::Result<String> {
    let mut text = String::new();
    let fd = openat(folder, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    File::from(fd).read_to_string(&mut text)?;
    Ok(text)
}

fn sockets(folder: &OwnedFd) -> io::Result<Sockets> {
    let text = file(folder, "sockstat")?;
    let mut all = counts(&text).ok_or_else(|| unreadable("sockstat", &text))?;
    match file(folder, "sockstat6") {
        Ok(text) => all.extend(counts(&text).ok_or_else(|| unreadable("sockstat6", &text))?),
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(all)
}

/// What `sockstat` says of this network: of its other numbers some are of the whole machine.
fn counts(text: &str) -> Option<Sockets> {
    let mut all = Vec::new();
    for line in text.lines() {
        let (kind, numbers) = line.split_once(": ")?;
        let words: Vec<&str> = numbers.split_ascii_whitespace().collect();
        for pair in words.chunks(2) {
            let [name, number] = pair else { return None };
            if kind != "sockets" && ["inuse", "tw"].contains(name) {
                all.push((format!("{kind} {name}"), number.parse().ok()?));
            }
        }
    }
    all.iter().any(|(name, _)| name.ends_with("inuse")).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_counted() {
        let text = "sockets: used 173\nTCP: inuse 5 orphan 0 tw 2 alloc 7 mem 1\nUDP: inuse 3 mem 0\nFRAG: inuse 0 memory 0\n";
        let expected = [("TCP inuse", 5), ("TCP tw", 2), ("UDP inuse", 3), ("FRAG inuse", 0)];
        assert_eq!(counts(text), Some(expected.map(|(name, count)| (name.to_owned(), count)).to_vec()));
        assert_eq!((counts(""), counts("TCP: inuse\n"), counts("TCP: inuse x\n")), (None, None, None));
    }

    #[test]
    fn a_range_is_two_numbers() {
        assert_eq!(range("32768\t60999\n"), Some(32768..=60999));
        assert_eq!((range("1"), range("1 2 3"), range("a b")), (None, None, None));
    }
}
