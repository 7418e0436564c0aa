//! A held thread is a value that is spent once: it waits for an answer, and there is one answer.

use crate::probe::ProbeName;
use crate::schedule::{Making, Site, Syscall};
use crate::sys::notify::{Listener, Notification};
use nix::errno::Errno;

/// Where a thread is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before this call, for the nth time.
    Before(Syscall, u32),
    /// Back from making a process or thread, or just made, for the nth time.
    After(u32),
    /// At this probe, for the nth time.
    Probe(ProbeName, u32),
}

impl Place {
    pub(super) fn site(self) -> (Site, u32) {
        match self {
            Place::Before(call, nth) => (Site::Before(call), nth),
            Place::After(nth) => (Site::After(Making::Fork), nth),
            Place::Probe(name, nth) => (Site::Probe(name), nth),
        }
    }
}

/// A thread that waits for an answer.
#[derive(Debug)]
#[must_use = "a held thread waits until it is answered"]
pub(super) struct Held {
    notification: Notification,
    place: Place,
    /// The point has been told of, so that it is told of once.
    pub(super) told: bool,
}

impl Held {
    pub(super) fn new(notification: Notification, place: Place) -> Held {
        Held { notification, place, told: false }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn number(&self) -> i32 {
        self.notification.number
    }

    pub(super) fn args(&self) -> [u64; 6] {
        self.notification.args
    }

    pub(super) fn ip(&self) -> u64 {
        self.notification.ip
    }

    /// Lets the call happen. As all answers: false if the thread was ended while it was held.
    pub(super) fn proceed(self, listener: &Listener) -> Result<bool, Errno> {
        listener.proceed(self.notification)
    }

    /// The call returns this without having happened.
    pub(super) fn succeed(self, listener: &Listener, value: i64) -> Result<bool, Errno> {
        listener.succeed(self.notification, value)
    }

    /// The call fails with this without having happened.
    pub(super) fn fail(self, listener: &Listener, errno: Errno) -> Result<bool, Errno> {
        listener.fail(self.notification, errno)
    }

    /// The kernel looks at the thread's signals, and then the call is made again. Only where there is something for the
    /// kernel to look at: a signal that this thread takes, or the trace of one (`deliver::nudge`).
    pub(super) fn restart(self, listener: &Listener) -> Result<bool, Errno> {
        listener.restart(self.notification)
    }
}
