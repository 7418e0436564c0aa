//! A held thread is a value that is spent once: it waits for an answer, and there is one answer.

use crate::probe::ProbeName;
use crate::schedule::{Label, Making, Site, Syscall};
use crate::sys::notify::{Listener, Notification};
use nix::errno::Errno;

/// Where a thread is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Place {
    /// Before this call, for the nth time.
    Before(Syscall, u32),
    /// As good as inside this call, before which it was held for the nth time: a step was taken there (`supervise::entering`).
    Entering(Syscall, u32),
    /// Back from making a process or thread, or just made, for the nth time.
    After(u32),
    /// At this instruction, for the nth time.
    At(Label, u32),
    /// At this probe, for the nth time.
    Probe(ProbeName, u32),
    /// Woken in this call, in which it was asleep for the nth time: it only has to return.
    Woken(Syscall, u32),
}

impl Place {
    pub(in crate::supervise) fn site(self) -> (Site, u32) {
        match self {
            Place::Before(call, nth) => (Site::Before(call), nth),
            Place::Entering(call, nth) => (Site::Entering(call), nth),
            Place::After(nth) => (Site::After(Making::Fork), nth),
            Place::At(place, nth) => (Site::At(place), nth),
            Place::Probe(name, nth) => (Site::Probe(name), nth),
            Place::Woken(call, nth) => (Site::In(call), nth),
        }
    }
}

/// What holds a thread.
#[derive(Clone, Copy, Debug)]
enum Holding {
    /// The kernel waits for an answer to this call.
    Call(Notification),
    /// It is stopped at an instruction, and there is nothing to answer.
    Parked,
}

/// A thread that waits for an answer, or is parked until it is let go.
#[derive(Debug)]
#[must_use = "a held thread waits until it is answered"]
pub(in crate::supervise) struct Held {
    holding: Holding,
    place: Place,
    /// The point has been told of, so that it is told of once.
    pub(in crate::supervise) told: bool,
    /// How often another has gone first since its state is to be read here (`observed`).
    pub(in crate::supervise) deferred: u8,
    /// It only reads a clock, which is no point: it goes on when all are settled.
    pub(in crate::supervise) glances: bool,
}

impl Held {
    pub(in crate::supervise) fn new(notification: Notification, place: Place) -> Held {
        Held { holding: Holding::Call(notification), place, told: false, deferred: 0, glances: false }
    }

    /// A thread that stopped at an instruction.
    pub(in crate::supervise) fn parked(place: Place) -> Held {
        Held { holding: Holding::Parked, place, told: false, deferred: 0, glances: false }
    }

    /// A sleeper that has been woken. That is no point of its own: whoever woke it has told.
    pub(in crate::supervise) fn woken(self, call: Syscall, nth: u32) -> Held {
        Held { place: Place::Woken(call, nth), told: true, ..self }
    }

    /// Before a call, or as good as inside it: what comes to it now is seen by the kernel before the call or after it.
    pub(in crate::supervise) fn put(&mut self, place: Place) {
        self.place = place;
    }

    pub(in crate::supervise) fn place(&self) -> Place {
        self.place
    }

    /// The call's number; -1, which is none, for a parked thread.
    pub(in crate::supervise) fn number(&self) -> i32 {
        match self.holding {
            Holding::Call(notification) => notification.number,
            Holding::Parked => -1,
        }
    }

    pub(in crate::supervise) fn args(&self) -> [u64; 6] {
        match self.holding {
            Holding::Call(notification) => notification.args,
            Holding::Parked => [0; 6],
        }
    }

    pub(in crate::supervise) fn ip(&self) -> u64 {
        match self.holding {
            Holding::Call(notification) => notification.ip,
            Holding::Parked => 0,
        }
    }

    /// Answers the call. A parked thread asked for nothing: it is let go in another way.
    fn answer(self, with: impl FnOnce(Notification) -> Result<bool, Errno>) -> Result<bool, Errno> {
        match self.holding {
            Holding::Call(notification) => with(notification),
            Holding::Parked => Err(Errno::EINVAL),
        }
    }

    /// Lets the call happen. As all answers: false if the thread was ended while it was held.
    pub(in crate::supervise) fn proceed(self, listener: &Listener) -> Result<bool, Errno> {
        self.answer(|notification| listener.proceed(notification))
    }

    /// The call returns this without having happened.
    pub(in crate::supervise) fn succeed(self, listener: &Listener, value: i64) -> Result<bool, Errno> {
        self.answer(|notification| listener.succeed(notification, value))
    }

    /// The call fails with this without having happened.
    pub(in crate::supervise) fn fail(self, listener: &Listener, errno: Errno) -> Result<bool, Errno> {
        self.answer(|notification| listener.fail(notification, errno))
    }

    /// The kernel looks at the thread's signals, and then the call is made again. Only where there is something for the
    /// kernel to look at: a signal that this thread takes, or the trace of one (`deliver::nudge`).
    pub(in crate::supervise) fn restart(self, listener: &Listener) -> Result<bool, Errno> {
        self.answer(|notification| listener.restart(notification))
    }

    /// The call fails because of a signal, or is made again after it, as its handler has it (SA_RESTART of sigaction(2)). Only
    /// where the kernel has a reason to look at this thread's signals.
    pub(in crate::supervise) fn interrupt(self, listener: &Listener) -> Result<bool, Errno> {
        self.answer(|notification| listener.interrupt(notification))
    }

    /// Spends the hold on a parked thread, which is then let go by a signal.
    pub(in crate::supervise) fn unpark(self) {
        drop(self);
    }
}
