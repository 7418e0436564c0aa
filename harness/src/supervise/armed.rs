//! Timers that the program believes to be armed, as values; and those that really are.

use super::deadline::Deadline;
use super::ids::ProcessId;
use crate::signal::Signal;
use crate::sys::timer::{CpuClock, Known};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// A process's ITIMER_REAL, which the program believes to be armed in the kernel.
#[derive(Clone, Debug)]
pub(super) struct Timer {
    pub(super) process: ProcessId,
    pub(super) signal: Signal,
    pub(super) deadline: Deadline,
    pub(super) interval: Duration,
}

/// A POSIX timer that has been armed, or was.
#[derive(Debug)]
pub(super) struct PosixTimer {
    pub(super) process: ProcessId,
    pub(super) id: i32,
    pub(super) known: Known,
    pub(super) interval: Duration,
    pub(super) deadline: Option<Deadline>,
    /// When it expired, while its signal may not have been delivered yet.
    pub(super) expired: Option<Deadline>,
    /// How often it expired in vain before its signal was delivered last (timer_getoverrun(2)).
    pub(super) overrun: u64,
}

/// A timerfd that has been armed: an open file, which several processes may share.
#[derive(Debug)]
pub(super) struct DescriptorTimer {
    /// A duplicate of the program's.
    pub(super) fd: OwnedFd,
    /// Who armed it.
    pub(super) process: ProcessId,
    pub(super) interval: Duration,
    pub(super) deadline: Option<Deadline>,
    /// When it expired, while it has not been read.
    pub(super) expired: Option<Deadline>,
}

/// Which timer of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Armed {
    /// ITIMER_VIRTUAL or ITIMER_PROF (setitimer(2)).
    Interval(u64),
    /// That of timer_create(2).
    Posix(i32),
}

impl Armed {
    /// By which it goes off: ticks may count more than was used.
    pub(super) fn clock(self) -> CpuClock {
        match self {
            Armed::Interval(which) if which == libc::ITIMER_VIRTUAL as u64 => CpuClock::Virtual,
            Armed::Interval(_) => CpuClock::Profiling,
            Armed::Posix(_) => CpuClock::Exact,
        }
    }
}

/// An armed timer of CPU time.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuTimer {
    pub(super) process: ProcessId,
    pub(super) armed: Armed,
    /// It does not go off before the process has used this; none if that is not known.
    pub(super) at: Option<Duration>,
}
