//! Sleeps in the kernel that would end by its own time, as values: see `stretch`.

use crate::schedule::Syscall;
use crate::supervise::time::deadline::{Deadline, Logical};
use std::time::Instant;

/// A sleep whose timeout was put far away.
#[derive(Debug)]
pub(in crate::supervise) struct Stretch {
    pub(in crate::supervise) deadline: Deadline,
    pub(in crate::supervise) call: Syscall,
    pub(in crate::supervise) ip: u64,
    pub(in crate::supervise) args: [u64; 6],
    /// Where the caller's timespec is.
    pub(in crate::supervise) at: u64,
    /// The timespec, until it is put back.
    pub(in crate::supervise) original: Option<[u8; 16]>,
    /// Its time has come, and it has been nudged: how often it had been put on the CPU before.
    pub(in crate::supervise) over: Option<u64>,
    /// It is ended by hand; if not, the kernel ends it by its own time.
    pub(in crate::supervise) by_hand: bool,
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
