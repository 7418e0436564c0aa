//! How many descriptors this process may have: each process of a run takes some, and the usual limit is soon used up.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
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
