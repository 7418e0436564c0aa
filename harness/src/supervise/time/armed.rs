//! Timers that the program believes to be armed, as values; and those that really are.

use crate::signal::Signal;
use crate::supervise::books::ids::ProcessId;
use crate::supervise::time::deadline::Deadline;
use crate::sys::pidfd::Duplicate;
use crate::sys::timer::{CpuClock, Known};
use std::time::Duration;

/// A process's ITIMER_REAL, which the program believes to be armed in the kernel.
#[derive(Clone, Debug)]
pub(in crate::supervise) struct Timer {
    pub(in crate::supervise) process: ProcessId,
    pub(in crate::supervise) signal: Signal,
    pub(in crate::supervise) deadline: Deadline,
    pub(in crate::supervise) interval: Duration,
}

/// A POSIX timer that has been armed, or was.
#[derive(Debug)]
pub(in crate::supervise) struct PosixTimer {
    pub(in crate::supervise) process: ProcessId,
    pub(in crate::supervise) id: i32,
    pub(in crate::supervise) known: Known,
    pub(in crate::supervise) interval: Duration,
    pub(in crate::supervise) deadline: Option<Deadline>,
    /// When it expired, while its signal may not have been delivered yet.
    pub(in crate::supervise) expired: Option<Deadline>,
    /// How often it expired in vain before its signal was delivered last (timer_getoverrun(2)).
    pub(in crate::supervise) overrun: u64,
}

/// A timerfd that has been armed: an open file, which several processes may share.
#[derive(Debug)]
pub(in crate::supervise) struct DescriptorTimer {
    /// A duplicate of the program's.
    pub(in crate::supervise) fd: Duplicate,
    /// Who armed it.
    pub(in crate::supervise) process: ProcessId,
    pub(in crate::supervise) interval: Duration,
    pub(in crate::supervise) deadline: Option<Deadline>,
    /// When it expired, while it has not been read.
    pub(in crate::supervise) expired: Option<Deadline>,
}

/// Which timer of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Armed {
    /// ITIMER_VIRTUAL or ITIMER_PROF (setitimer(2)).
    Interval(u64),
    /// That of timer_create(2).
    Posix(i32),
}

impl Armed {
    /// By which it goes off: ticks may count more than was used.
    pub(in crate::supervise) fn clock(self) -> CpuClock {
        match self {
            Armed::Interval(which) if which == libc::ITIMER_VIRTUAL as u64 => CpuClock::Virtual,
            Armed::Interval(_) => CpuClock::Profiling,
            Armed::Posix(_) => CpuClock::Exact,
        }
    }
}

/// An armed timer of CPU time.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervise) struct CpuTimer {
    pub(in crate::supervise) process: ProcessId,
    pub(in crate::supervise) armed: Armed,
    /// It does not go off before the process has used this; none if that is not known.
    pub(in crate::supervise) at: Option<Duration>,
}
