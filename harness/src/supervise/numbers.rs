//! Runs that may look at the number of a file which they have made (`st_ino` of inode(7)): in files of a run's own that an
//! earlier run has written to it is another than in fresh ones (`sys/own.rs`, NOTE [Worn]).

use super::RunError;
use crate::schedule::Syscall;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::calls::{self, Numbers};
use crate::supervise::state::Turns;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

/// The requests of ioctl_tty(2), and of sockets.
const REQUESTS: [Range<u64>; 2] = [0x5400..0x5500, 0x8900..0x8a00];

impl Turns<'_> {
    /// This call is let happen next. It is none of the dynamic loader's, which only compares numbers.
    pub(super) fn note_numbers(
        &mut self,
        id: ThreadId,
        call: Syscall,
        args: &[u64; 6],
    ) -> Result<(), RunError> {
        if !self.hides_numbers() {
            return Ok(());
        }
        let (now, later) = match calls::of(call).numbers {
            Numbers::No | Numbers::Told => (false, false),
            Numbers::Now => (true, false),
            Numbers::Later => (true, true),
            Numbers::Path(arg) => (false, self.leads_into_proc(id, args[arg])),
            Numbers::Family(arg) => (false, args[arg] as i32 == libc::AF_NETLINK),
            Numbers::Request(arg) => (!REQUESTS.iter().any(|requests| requests.contains(&args[arg])), false),
        };
        if later || now && self.has_written()? {
            self.settings.learnt.numbers_are_looked_at();
        }
        Ok(())
    }

    /// The number of a file is shown as it is.
    pub(super) fn note_number_shown(&self) -> Result<(), RunError> {
        if self.hides_numbers() && self.has_written()? {
            self.settings.learnt.numbers_are_looked_at();
        }
        Ok(())
    }

    /// True if the program may be in files that another run has been in, as long as it does not see that.
    fn hides_numbers(&self) -> bool {
        !self.settings.learnt.numbers_matter() && self.cell.files().are_there()
    }

    /// True if a path may be one in `/proc`, by whatever folder it begins at.
    fn leads_into_proc(&self, id: ThreadId, address: u64) -> bool {
        const PROC: &[u8] = b"proc";
        // A bad address is the kernel's to report.
        let path = self.tree.thread(id).door.path(address);
        path.is_ok_and(|path| path.as_os_str().as_bytes().windows(PROC.len()).any(|part| part == PROC))
    }

    /// The run has been in files that an earlier one had written to, and may have seen it: it is worth nothing.
    pub(super) fn is_worn_out(&self) -> bool {
        self.settings.learnt.numbers_matter() && self.cell.files().are_worn()
    }
}
