//! How many descriptors this process may have: each process of a run takes some, and the usual limit is soon used up. And
//! whom they signal.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::OnceLock;

/// What this process was started with: the limit that counts, and how far it may be raised (getrlimit(2), RLIMIT_NOFILE).
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The limit.
    pub soft: u64,
    /// The most that it may be.
    pub hard: u64,
}

/// Raises the limit as far as it may be, and tells what it was before the first time.
pub fn raise() -> Result<Limit, Errno> {
    static BEFORE: OnceLock<Limit> = OnceLock::new();
    if let Some(before) = BEFORE.get() {
        return Ok(*before);
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let before = *BEFORE.get_or_init(|| Limit { soft, hard });
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(before)
}

/// Has the kernel send this signal to this thread when there is something to read from a descriptor, or, of a breakpoint, when
/// its time has come.
pub(super) fn signal(fd: BorrowedFd<'_>, tid: i32, signal: i32) -> Result<(), Errno> {
    const F_SETSIG: i32 = 10;
    const F_SETOWN_EX: i32 = 15;
    const F_OWNER_TID: i32 = 0;
    let owner: [i32; 2] = [F_OWNER_TID, tid];
    // SAFETY: `owner` is a struct f_owner_ex (two ints) that lives through the call.
    Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), F_SETOWN_EX, owner.as_ptr()) })?;
    // SAFETY: F_SETSIG takes a number.
    Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), F_SETSIG, signal) })?;
    // SAFETY: F_SETFL takes flags.
    Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_ASYNC) }).map(drop)
}

/// No signal is sent any more.
pub(super) fn signal_nobody(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: F_SETFL takes flags.
    Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, 0) }).map(drop)
}
