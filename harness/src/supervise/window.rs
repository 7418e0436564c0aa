//! What the program does at its terminal after the window was closed.
//!
//! NOTE \[In vain\] After a hang-up every read(2) of the terminal says that its input has ended, or fails, and every write(2) fails
//! (tty_hung_up_p of drivers/tty/tty_io.c), at once and for good. Who goes on asking without doing anything else has not noticed, and
//! will not: it need not be followed to the limit of all points.

use crate::schedule::Syscall;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::calls::{self, Sleep};
use crate::supervise::state::Turns;

/// So many calls in a row are as good as any number.
const IN_VAIN: u64 = 2000;

impl Turns<'_> {
    /// This thread is about to make a call: counts those in a row that can do nothing but fail.
    pub(super) fn note_in_vain(&mut self, id: ThreadId, call: Syscall, args: &[u64; 6]) {
        if self.seat.as_ref().is_none_or(|seat| !seat.hung_up) {
            return;
        }
        let fd = match calls::of(call).sleep {
            Sleep::Read(arg) | Sleep::Write(arg) => args.get(arg).copied(),
            // It says that there is something to read, or nothing else.
            Sleep::Poll | Sleep::Select | Sleep::Epoll(_) => return,
            _ => None,
        };
        let copy = fd.and_then(|fd| self.tree.thread(id).door.duplicate(fd as i32).ok());
        let fails = copy.is_some_and(|copy| self.is_terminal_of_run(&copy));
        // It fails at once.
        self.tree.thread_mut(id).untold &= !fails;
        let Some(seat) = &mut self.seat else { return };
        seat.in_vain = if fails { seat.in_vain + 1 } else { 0 };
    }

    /// Why the program is known to go on for ever at a terminal that is hung up, if it is.
    pub(super) fn goes_on_in_vain(&self) -> Option<String> {
        let seat = self.seat.as_ref().filter(|seat| seat.in_vain > IN_VAIN)?;
        Some(format!("{} calls in a row at the terminal, which is hung up", seat.in_vain))
    }
}
