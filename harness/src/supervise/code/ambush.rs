//! Breakpoints that wait for a thread, as values: see `breakpoint`.

use crate::schedule::{Label, ThreadName};
use crate::signal::Signal;
use crate::supervise::RunError;
use crate::sys::perf::Breakpoint;
use nix::errno::Errno;

/// How many breakpoints a thread can have: the debug registers of x86.
pub const MOST: usize = 4;

/// What happens when a breakpoint's time comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Aim {
    /// The thread stops: see NOTE \[Parked\] in `breakpoint`.
    Park,
    /// It is sent this signal: see NOTE \[Struck\] there.
    Strike(Signal),
    /// Nothing, and why.
    Nothing(String),
}

/// A breakpoint that waits for its thread.
#[derive(Debug)]
pub(in crate::supervise) struct Ambush {
    pub(in crate::supervise) place: Label,
    pub(in crate::supervise) nth: u32,
    pub(in crate::supervise) address: u64,
    pub(in crate::supervise) breakpoint: Breakpoint,
    pub(in crate::supervise) aim: Option<Aim>,
    /// Its time has come, and what was to happen has happened.
    pub(in crate::supervise) sprung: bool,
    /// It comes at every visit: one that has come for the last time cannot be started again while its thread is stopped.
    pub(in crate::supervise) for_ever: bool,
    /// Its visits only count until a handler could be made to run: `Counted::open`.
    pub(in crate::supervise) closed: bool,
    /// How often the place had been executed when it was last aimed.
    pub(in crate::supervise) seen: u64,
    /// It holds a thread that goes round until others have gone on, which is no point: `round`.
    pub(in crate::supervise) of_round: bool,
}

/// A place whose executions are counted.
#[derive(Debug)]
pub(in crate::supervise) struct Counter {
    pub(in crate::supervise) thread: ThreadName,
    pub(in crate::supervise) place: Label,
    pub(in crate::supervise) breakpoint: Breakpoint,
}

impl Ambush {
    /// Waits for the next visit, once it is started and aimed.
    pub(in crate::supervise) fn new(place: Label, address: u64, breakpoint: Breakpoint) -> Ambush {
        Ambush {
            place,
            nth: 1,
            address,
            breakpoint,
            aim: None,
            sprung: false,
            for_ever: false,
            closed: false,
            seen: 0,
            of_round: false,
        }
    }

    /// Why a visit of the place was missed since the breakpoint was last aimed, if one was.
    pub(in crate::supervise) fn missed(&self) -> Option<String> {
        match &self.aim {
            Some(Aim::Nothing(why)) if !why.is_empty() => {
                // Of a place that nobody came to nothing was missed.
                let came = self.breakpoint.count() != Ok(self.seen);
                came.then(|| format!("{}: {why}", self.place))
            }
            Some(Aim::Nothing(_) | Aim::Park | Aim::Strike(_)) | None => None,
        }
    }

    pub(in crate::supervise) fn is_at(&self, address: u64) -> bool {
        self.address == address
    }

    /// Begins to wait.
    pub(in crate::supervise) fn start(&self) -> Result<(), RunError> {
        let started = if self.for_ever { self.breakpoint.start_for_ever() } else { self.breakpoint.start() };
        match started {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(unavailable(errno)),
        }
    }
}

/// Why there are no breakpoints.
pub(in crate::supervise) fn unavailable(errno: Errno) -> RunError {
    RunError::Unsupported(format!(
        "code points need hardware breakpoints (perf_event_open), which this host does not give: {}; see `sigrace doctor`",
        errno.desc()
    ))
}
