//! Breakpoints that wait for a thread, as values: see `breakpoint`.

use super::RunError;
use crate::schedule::{Label, ThreadName};
use crate::signal::Signal;
use crate::sys::perf::Breakpoint;
use nix::errno::Errno;

/// How many breakpoints a thread can have: the debug registers of x86.
pub const MOST: usize = 4;

/// What happens when a breakpoint's time comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// The thread stops: see NOTE \[Parked\] in `breakpoint`.
    Park,
    /// It is sent this signal: see NOTE \[Struck\] there.
    Strike(Signal),
    /// Nothing, and why.
    Nothing(String),
}

/// A breakpoint that waits for its thread.
#[derive(Debug)]
pub(super) struct Ambush {
    pub(super) place: Label,
    pub(super) nth: u32,
    pub(super) address: u64,
    pub(super) breakpoint: Breakpoint,
    pub(super) aim: Option<Aim>,
    /// Its time has come, and what was to happen has happened.
    pub(super) sprung: bool,
    /// It comes at every visit: one that has come for the last time cannot be started again while its thread is stopped.
    pub(super) for_ever: bool,
}

/// A place whose executions are counted.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) thread: ThreadName,
    pub(super) place: Label,
    pub(super) breakpoint: Breakpoint,
}

impl Ambush {
    /// Waits for the next visit, once it is started and aimed.
    pub(super) fn new(place: Label, address: u64, breakpoint: Breakpoint) -> Ambush {
        Ambush { place, nth: 1, address, breakpoint, aim: None, sprung: false, for_ever: false }
    }

    pub(super) fn is_at(&self, address: u64) -> bool {
        self.address == address
    }

    /// Begins to wait.
    pub(super) fn start(&self) -> Result<(), RunError> {
        let started = if self.for_ever { self.breakpoint.start_for_ever() } else { self.breakpoint.start() };
        match started {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(unavailable(errno)),
        }
    }
}

/// Why there are no breakpoints.
pub(super) fn unavailable(errno: Errno) -> RunError {
    RunError::Unsupported(format!(
        "code points need hardware breakpoints (perf_event_open), which this host does not give: {}; see `sigrace doctor`",
        errno.desc()
    ))
}
