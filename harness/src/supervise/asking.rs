//! What the program wants of a terminal that it does not have: see `Observe::Signals`.

use super::Observe;
use super::state::Turns;
use crate::supervise::books::ids::ThreadId;

/// What it wants (ioctl_tty(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum WantsTerminal {
    /// Nothing.
    #[default]
    Nothing,
    /// To know whether it has one, and how that is.
    Asks,
    /// To put somebody in its foreground, as shells do, and inits where there is a terminal.
    Takes,
    /// To change its modes.
    Changes,
}

impl Turns<'_> {
    /// Takes note of an ioctl that is about to be made.
    pub(super) fn note_asking(&mut self, id: ThreadId, args: &[u64; 6]) {
        if self.seat.is_some() || !matches!(self.observe, Observe::Signals(_)) {
            return;
        }
        let wants = match args[1] {
            libc::TCGETS | libc::TIOCGWINSZ | libc::TIOCGPGRP => WantsTerminal::Asks,
            libc::TIOCSPGRP => WantsTerminal::Takes,
            libc::TCSETS | libc::TCSETSW | libc::TCSETSF => WantsTerminal::Changes,
            _ => return,
        };
        // A pseudoterminal of its own it has. What cannot be found out is no terminal.
        let has =
            |path: String| ["/dev/pts/", "/dev/tty", "/dev/ptmx"].iter().any(|one| path.starts_with(one));
        if !self.tree.thread(id).door.descriptor(args[0] as i32).is_ok_and(has) {
            self.journal.wants_terminal = self.journal.wants_terminal.max(wants);
        }
    }
}
