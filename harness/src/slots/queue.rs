//! The queue before one CPU: first come, first served, among all processes of the machine, and nothing to clean up after a crash.
//!
//! All that there is of it are locks on single bytes of an empty file (open file description locks, fcntl(2)), which the
//! kernel takes away when the descriptor of whoever holds them is gone. A ticket is a locked byte: whoever comes locks the
//! byte behind the last locked one, and is first when no byte before it is locked any more. Byte 0 is the door: who draws
//! a ticket holds it for that moment, so that no two draw the same.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{self, flock, off_t};
use std::fs::File;
use std::io;

/// The byte of the door.
const DOOR: off_t = 0;
/// The number of the first ticket. The byte before it is never locked, so that no lock reaches from the door to a ticket.
const FIRST: off_t = 2;
/// As the length of a range: to the end, however far that is.
const TO_THE_END: off_t = 0;

/// A place in the queue; given back when this is dropped, with the lock on the whole file that its holder may have.
#[derive(Debug)]
pub(super) struct Ticket {
    file: File,
    number: off_t,
}

impl Ticket {
    /// Draws a ticket from this file, which is opened for this ticket alone; none if somebody else is at the door just now.
    pub(super) fn draw(file: File) -> io::Result<Option<Ticket>> {
        if !lock(&file, DOOR)? {
            return Ok(None);
        }
        let mut number = FIRST;
        while let Some(behind) = locked(&file, number, TO_THE_END)? {
            number = behind;
        }
        let drawn = lock(&file, number)?;
        unlock(&file, DOOR)?;
        // Nobody else can have drawn it: the door was held.
        Ok(drawn.then_some(Ticket { file, number }))
    }

    /// True if nobody is before it.
    pub(super) fn is_first(&self) -> io::Result<bool> {
        // A range of length 0 would reach to the end.
        Ok(self.number == FIRST || locked(&self.file, FIRST, self.number - FIRST)?.is_none())
    }

    /// True if somebody waits behind it.
    pub(super) fn is_waited_for(&self) -> io::Result<bool> {
        Ok(locked(&self.file, self.number + 1, TO_THE_END)?.is_some())
    }

    /// How many tickets have been drawn before it since the queue was last empty.
    #[cfg(test)]
    pub(super) fn place(&self) -> i64 {
        self.number - FIRST
    }

    /// The file of the queue.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Ticket {
    /// Unlocking, not only closing: a process that was just forked may still have a copy of the descriptor. First the lock on the
    /// whole file, so that whoever is next finds it free.
    fn drop(&mut self) {
        let _ = self.file.unlock();
        let _ = unlock(&self.file, self.number);
    }
}

fn range(kind: i32, start: off_t, length: off_t) -> flock {
    // These constants are small.
    flock { l_type: kind as _, l_whence: libc::SEEK_SET as _, l_start: start, l_len: length, l_pid: 0 }
}

/// Locks this byte; false if somebody else has it.
fn lock(file: &File, byte: off_t) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_WRLCK, byte, 1))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn unlock(file: &File, byte: off_t) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK, byte, 1)))?;
    Ok(())
}

/// The byte behind some lock that others have in this range; none if they have none.
fn locked(file: &File, start: off_t, length: off_t) -> io::Result<Option<off_t>> {
    let mut found = range(libc::F_WRLCK, start, length);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found))?;
    let free = i32::from(found.l_type) == libc::F_UNLCK;
    // Somebody else may have locked to the end: there is no byte behind that.
    let behind = if found.l_len == TO_THE_END { off_t::MAX - 1 } else { found.l_start + found.l_len };
    Ok((!free).then_some(behind))
}
