//! The run's terminal, as far as it is known.

use crate::supervise::RunError;
use crate::sys::modes::Modes;
use crate::sys::terminal::Terminal;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

/// The run's terminal, and what is known of it.
#[derive(Debug)]
pub(in crate::supervise) struct Seat {
    pub(in crate::supervise) terminal: Terminal,
    /// Its modes when the program started.
    pub(in crate::supervise) began: Modes,
    /// And when the threads last settled; none if it is not known what has become of them.
    pub(in crate::supervise) modes: Option<Modes>,
    /// What is still to be typed: a character that causes a signal waits until all threads have settled again.
    pub(in crate::supervise) typing: VecDeque<u8>,
    /// Output was stopped by what was typed (IXON of termios(3)).
    pub(in crate::supervise) stopped: bool,
    /// Nothing tells of output any more: all who had the terminal open have closed it, or it was hung up.
    pub(in crate::supervise) silent: bool,
    pub(in crate::supervise) hung_up: bool,
    /// Calls in a row at it since then: NOTE \[In vain\] in `supervise::window`.
    pub(in crate::supervise) in_vain: u64,
}

impl Seat {
    pub(in crate::supervise) fn new(terminal: Terminal) -> Result<Seat, RunError> {
        let began = terminal
            .modes()
            .map_err(|errno| RunError::Fault(format!("reading the terminal's modes: {errno}")))?;
        Ok(Seat {
            terminal,
            began,
            modes: Some(began),
            typing: VecDeque::new(),
            stopped: false,
            silent: false,
            hung_up: false,
            in_vain: 0,
        })
    }

    /// What to listen to for output.
    pub(in crate::supervise) fn heard(&self) -> Option<BorrowedFd<'_>> {
        self.terminal.person().filter(|_| !self.silent)
    }
}
