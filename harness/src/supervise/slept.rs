//! Sleeps in the kernel that would end by its own time, as values: see `stretch`.

use super::deadline::Deadline;
use crate::schedule::Syscall;
use std::time::Instant;

/// A sleep whose timeout was put far away.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) deadline: Deadline,
    pub(super) call: Syscall,
    pub(super) ip: u64,
    pub(super) args: [u64; 6],
    /// The caller's timespec, until it is put back.
    pub(super) original: Option<[u8; 16]>,
    /// Its time has come, and it has been nudged: how often it had been put on the CPU before.
    pub(super) over: Option<u64>,
}

/// A sleep that the kernel ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct KernelTimer {
    /// Not before this.
    pub(super) deadline: Instant,
    /// Nobody else could run when it was let go.
    pub(super) alone: bool,
    /// It was seen asleep; if not, and what it was to wait for was there, it did not sleep.
    pub(super) slept: bool,
    /// What it waits for was there when it was let go.
    pub(super) ready: bool,
}
