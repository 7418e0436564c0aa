//! Giving the CPU to the program.
//!
//! NOTE \[Giving way\] sched_yield(2) gives way only to what is in the caller's own group of the scheduler. Each session is a
//! group (autogroups in sched(7)), the run's init leads a session of its own, and so the supervisor may yield as often as it
//! likes: it keeps the CPU up to the end of its slice, while a thread that it has let go waits. It gives way only if it
//! sleeps. The machine's timer, which would end that, is dear to set; what wakes it here is the init. That is asked for a turn,
//! gives way to the others of its group, and says so. That they are all asleep by then is not said by it: who wants to know
//! looks.

use super::gate::call;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use std::cell::Cell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// The supervisor's side: two counters, by which it asks and is answered.
#[derive(Debug)]
pub struct GivingWay {
    asked: EventFd,
    given: EventFd,
    /// It was asked, and its answer has not been taken, which is done only before it is asked again.
    awaited: Cell<bool>,
}

impl GivingWay {
    pub(super) fn new() -> Result<GivingWay, Errno> {
        let counter = || EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        Ok(GivingWay { asked: counter()?, given: counter()?, awaited: Cell::default() })
    }

    /// The descriptors of both counters, for the init to copy.
    pub(super) fn raw(&self) -> [i32; 2] {
        [self.asked.as_fd().as_raw_fd(), self.given.as_fd().as_raw_fd()]
    }

    /// Asks the init to take a turn, if it has not been asked before and not yet answered.
    pub fn ask(&self) -> Result<(), Errno> {
        self.take_answer()?;
        if !self.awaited.get() {
            self.asked.write(1)?;
            self.awaited.set(true);
        }
        Ok(())
    }

    /// Polls readable when the init has had its turn.
    pub fn answer(&self) -> BorrowedFd<'_> {
        self.given.as_fd()
    }

    /// Takes the answer, if it is there.
    fn take_answer(&self) -> Result<(), Errno> {
        if self.awaited.get() {
            match self.given.read() {
                Ok(_) => self.awaited.set(false),
                Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Gives the CPU to others for a moment, at most for this time.
    pub fn give_way(&self, most: Duration) -> Result<(), Errno> {
        self.ask()?;
        let mut polled = [PollFd::new(self.answer(), PollFlags::POLLIN)];
        match ppoll(&mut polled, Some(TimeSpec::from_duration(most)), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

/// The init's turn, by its copies of the counters: those of its group go first.
pub(super) fn take_turn([asked, given]: [usize; 2]) {
    let mut count = 0u64;
    let one = 1u64;
    // SAFETY: the words live through the calls.
    unsafe {
        call(libc::SYS_read, asked, &raw mut count as usize, size_of::<u64>(), 0, 0);
        call(libc::SYS_sched_yield, 0, 0, 0, 0, 0);
        call(libc::SYS_write, given, &raw const one as usize, size_of::<u64>(), 0, 0);
    }
}
