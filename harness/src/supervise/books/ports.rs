//! Ports that the kernel is left to choose, and names of Unix sockets.
//!
//! It chooses at random among those that are free, so that each run would have others. Here they come one after the other, and
//! never one that the run has had before: what is still in use, or waits for late packets, is not known.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The ports of one run.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Ports {
    /// There are internet sockets.
    pub(in crate::supervise) any: bool,
    /// Those that the run has asked for, or was given.
    had: BTreeSet<u16>,
    /// So many names have been given.
    names: u32,
}

impl Ports {
    /// The program asks for this one.
    pub(in crate::supervise) fn take(&mut self, port: u16) {
        self.had.insert(port);
    }

    /// The next one of `range` that has not been had, and is not `peer`: a socket that is connected to its own port talks to
    /// itself. None if there is no such port.
    pub(in crate::supervise) fn next(&mut self, range: RangeInclusive<u16>, peer: u16) -> Option<u16> {
        let port = range.into_iter().find(|port| *port != peer && !self.had.contains(port))?;
        self.take(port);
        Some(port)
    }

    /// The next name, as the kernel makes them: five hexadecimal digits. None if there is no more.
    pub(in crate::supervise) fn name(&mut self) -> Option<String> {
        let name = Some(format!("{:05x}", self.names)).filter(|name| name.len() == 5)?;
        self.names += 1;
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_in_order_and_once() {
        let mut ports = Ports::default();
        ports.take(501);
        assert_eq!(ports.next(500..=503, 0), Some(500));
        assert_eq!(ports.next(500..=503, 502), Some(503));
        assert_eq!(ports.next(500..=503, 0), Some(502));
        assert_eq!(ports.next(500..=503, 0), None);
        assert_eq!(ports.next(600..=600, 0), Some(600));
    }
}
