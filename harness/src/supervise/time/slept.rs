//! Sleeps in the kernel that would end by its own time, as values: see `stretch`.

use crate::schedule::Syscall;
use crate::supervise::time::deadline::{Deadline, Logical};
use crate::sys::pidfd::Duplicate;
use std::time::{Duration, Instant};

/// A sleep whose timeout was put far away.
#[derive(Debug)]
pub(in crate::supervise) struct Stretch {
    pub(in crate::supervise) deadline: Deadline,
    pub(in crate::supervise) call: Syscall,
    pub(in crate::supervise) ip: u64,
    pub(in crate::supervise) args: [u64; 6],
    /// What stood where the timeout is, until it is put back.
    pub(in crate::supervise) original: Option<Original>,
    /// Its time has come, and it has been nudged: how often it had been put on the CPU before.
    pub(in crate::supervise) over: Option<u64>,
    /// The time of a socket that is looked at anew for each part of what is sent: what it was.
    pub(in crate::supervise) anew: Option<Duration>,
    /// It is ended by hand; if not, the kernel ends it by its own time.
    pub(in crate::supervise) by_hand: bool,
}

/// A timeout of the program's, as it was before it was put far away.
#[derive(Debug)]
pub(in crate::supervise) enum Original {
    /// The caller's struct timespec, at this address.
    Timespec(u64, [u8; 16]),
    /// The SO_SNDTIMEO of a socket, by a duplicate of its descriptor.
    Socket(Duplicate, Duration),
}

/// A sleep that the kernel ends.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervise) struct KernelTimer {
    /// Not before this.
    pub(in crate::supervise) deadline: Instant,
    /// And not before this on the run's clock.
    pub(in crate::supervise) logical: Logical,
    /// Nobody else could run when it was let go.
    pub(in crate::supervise) alone: bool,
    /// It was seen asleep; if not, and what it was to wait for was there, it did not sleep.
    pub(in crate::supervise) slept: bool,
    /// What it waits for was there when it was let go.
    pub(in crate::supervise) ready: bool,
}
