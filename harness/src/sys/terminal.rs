//! Terminals: what a duplicate of one tells (termios(3)), and the end of the run's own at which a person sits (ioctl_tty(2)).

use super::modes::Modes;
use crate::copies;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

nix::ioctl_read_bad!(tcgets, libc::TCGETS, libc::termios);
nix::ioctl_read_bad!(tiocgpgrp, libc::TIOCGPGRP, i32);
nix::ioctl_read_bad!(fionread, libc::FIONREAD, i32);
nix::ioctl_write_ptr_bad!(tiocswinsz, libc::TIOCSWINSZ, libc::winsize);
nix::ioctl_write_int_bad!(tiocsig, libc::TIOCSIG);
nix::ioctl_write_int_bad!(tcflsh, libc::TCFLSH);
nix::ioctl_write_int_bad!(tiocgptpeer, libc::TIOCGPTPEER);

/// The variable that tells a program what kind of terminal it has (term(7)).
pub const VARIABLE: &str = "TERM";
/// The kind that it is told where nobody says otherwise: what every terminal can do that is one.
pub const KIND: &str = "vt100";

fn modes(terminal: BorrowedFd<'_>) -> Result<Modes, Errno> {
    let mut modes = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the descriptor is borrowed, so it is open; TCGETS writes one struct termios or fails (ioctl_tty(2)).
    unsafe { tcgets(terminal.as_raw_fd(), modes.as_mut_ptr()) }?;
    // SAFETY: the call has succeeded, so the structure was written; every byte of it is a plain number.
    Ok(Modes(unsafe { modes.assume_init() }))
}

/// True if time may end a read of it: in non-canonical mode with VTIME, unless it waits for a first byte that is enough.
/// False for what is no terminal.
pub fn reads_by_time(terminal: BorrowedFd<'_>) -> bool {
    modes(terminal).is_ok_and(|modes| {
        !modes.canonical() && modes.0.c_cc[libc::VTIME] > 0 && modes.0.c_cc[libc::VMIN] != 1
    })
}

/// Has the kernel hand on what a terminal has taken in, which it does by itself a moment later. True if there is something
/// to read; then it may have more that it has not handed on yet.
pub fn flush(terminal: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(terminal, PollFlags::POLLIN)];
    let ready = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0);
    let is = |events: PollFlags| events.contains(PollFlags::POLLIN) && !events.contains(PollFlags::POLLHUP);
    ready && fds[0].revents().is_some_and(is)
}

/// The terminal of a run: both of its ends.
#[derive(Debug)]
pub struct Terminal {
    /// Where a person sits; none after a hang-up.
    person: Option<OwnedFd>,
    /// The program's end, so that it can be looked at from outside.
    program: OwnedFd,
}

impl Terminal {
    /// The one with this end for a person.
    pub fn new(person: OwnedFd) -> Result<Terminal, Errno> {
        fcntl(&person, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: the descriptor is open; the request takes flags of open(2) and gives a new descriptor.
        let program = unsafe { tiocgptpeer(person.as_raw_fd(), flags) }?;
        // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
        Ok(Terminal { person: Some(person), program: unsafe { OwnedFd::from_raw_fd(program) } })
    }

    /// Where a person sits: polls readable when the program has written something; none after a hang-up.
    pub fn person(&self) -> Option<BorrowedFd<'_>> {
        self.person.as_ref().map(AsFd::as_fd)
    }

    /// The program's end.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    fn seat(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.person().ok_or(Errno::EIO)
    }

    /// Its modes. After the end of its session, or a hang-up, they are not those that the program left.
    pub fn modes(&self) -> Result<Modes, Errno> {
        modes(self.seat()?)
    }

    /// The number of the process group in the foreground, as the caller's pid namespace has it; zero if there is none.
    pub fn foreground(&self) -> Result<i32, Errno> {
        let mut group = 0;
        // SAFETY: the descriptor is open, and the number that the request writes to lives through the call.
        unsafe { tiocgpgrp(self.seat()?.as_raw_fd(), &mut group) }?;
        Ok(group)
    }

    /// How many bytes the program could read now.
    pub fn readable(&self) -> Result<i32, Errno> {
        let mut bytes = 0;
        // SAFETY: the descriptor is open, and the number that the request writes to lives through the call.
        unsafe { fionread(self.program.as_raw_fd(), &mut bytes) }?;
        Ok(bytes)
    }

    /// Types these bytes; tells how many were taken.
    pub fn type_bytes(&self, bytes: &[u8]) -> Result<usize, Errno> {
        nix::unistd::write(self.seat()?, bytes)
    }

    /// Sends this signal to the process group in the foreground, without any character being typed.
    pub fn signal(&self, signal: i32) -> Result<(), Errno> {
        // SAFETY: the descriptor is open, and the request takes a number.
        unsafe { tiocsig(self.seat()?.as_raw_fd(), signal) }.map(drop)
    }

    /// Throws away what was typed and not read, and what was written and not read.
    pub fn throw_away(&self) -> Result<(), Errno> {
        // SAFETY: the descriptor is open, and the request takes a number.
        unsafe { tcflsh(self.program.as_raw_fd(), libc::TCIOFLUSH) }.map(drop)
    }

    /// Gives it another size; if that is another, the process group in the foreground gets SIGWINCH.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<(), Errno> {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open, and `size` lives through the call.
        unsafe { tiocswinsz(self.seat()?.as_raw_fd(), &size) }.map(drop)
    }

    /// Hangs up: the leader of its session gets SIGHUP and SIGCONT, and nothing can be read or written any more.
    pub fn hang_up(&mut self) {
        if let Some(person) = self.person.take() {
            copies::close_for_good(person);
        }
    }
}
