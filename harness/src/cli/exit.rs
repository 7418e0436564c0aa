//! Exit codes: an interface that scripts rely on, so all in one place.

use crate::code::CodeError;
use crate::explore::{ExploreError, Verdict};
use crate::resolve::ResolveError;
use crate::slots::SlotError;
use crate::suite::SearchError;
use crate::supervise::RunError;
use std::process::ExitCode;

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything is as expected.
    AsExpected = 0,
    /// The command line was wrong, and nothing was run.
    Usage = 2,
    /// No scenario was selected, so nothing was tested.
    Nothing = 4,
    /// This host does not allow what a run needs (EX_UNAVAILABLE of sysexits.h).
    HostCannot = 69,
    /// A scenario failed, or there is a finding; the later of two reports has a new one.
    Failed = 100,
    /// A scenario was unreached, diverged or unstable; or a replay did not follow its trace; or two reports differ otherwise.
    Unclear = 101,
    /// A file was refused: it cannot be read, is malformed, does not compile, or is no program that can be started.
    Refused = 102,
    /// The harness itself failed, for instance because a trace could not be written.
    Harness = 111,
    /// The user interrupted the command (128 + SIGINT, as a shell has it); what was found so far has been reported.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// The way to end that has this code, as a report holds it.
    pub(super) fn from_code(code: u8) -> Option<Exit> {
        use Exit::*;
        let all = [AsExpected, Usage, Nothing, HostCannot, Failed, Unclear, Refused, Harness, Interrupted];
        all.into_iter().find(|exit| *exit as u8 == code)
    }
}

/// What `--help` says about exit codes.
pub(super) const HELP: &str = "\
Exit codes:
    0  as expected
    2  wrong usage
    4  no scenario selected
   69  this host does not allow what a run needs
  100  a scenario failed, or there is a finding; of two reports the later has a new one
  101  unreached, diverged or unstable; or a replay did not follow its trace; or two reports differ otherwise
  102  a file was refused: unreadable, malformed, does not compile, or cannot be started
  111  the harness itself failed
  130  interrupted; what was found so far has been reported";

/// Why a verb ended early: what to tell the user, and the exit code.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl Stop {
    pub(super) fn new(exit: Exit, message: impl ToString) -> Stop {
        Stop { exit, message: message.to_string() }
    }

    /// A file was refused.
    pub(super) fn refused(error: impl ToString) -> Stop {
        Stop::new(Exit::Refused, error)
    }
}

/// The exit code that an error leads to.
pub(super) trait Code {
    fn code(&self) -> Exit;
}

impl Code for SlotError {
    fn code(&self) -> Exit {
        match self {
            SlotError::Interrupted => Exit::Interrupted,
            SlotError::Affinity(_)
            | SlotError::Open { .. }
            | SlotError::Queue { .. }
            | SlotError::Busy { .. } => Exit::HostCannot,
        }
    }
}

impl Code for RunError {
    fn code(&self) -> Exit {
        match self {
            RunError::Unsupported(_) => Exit::HostCannot,
            RunError::Start { .. } => Exit::Refused,
            RunError::Interrupted => Exit::Interrupted,
            RunError::Fault(_) => Exit::Harness,
        }
    }
}

impl Code for ExploreError {
    fn code(&self) -> Exit {
        match self {
            ExploreError::Run { source, .. } => source.code(),
            ExploreError::NeverQuiet(_)
            | ExploreError::Uncontrolled(_)
            | ExploreError::NoReceiver { .. }
            | ExploreError::NeverBegins(_) => Exit::Unclear,
            // There is no room for another thread.
            ExploreError::Worker { .. } => Exit::HostCannot,
            ExploreError::Planning(_) => Exit::Harness,
        }
    }
}

impl Code for SearchError {
    fn code(&self) -> Exit {
        match self {
            SearchError::Slot(error) => error.code(),
            SearchError::Explore(error) => error.code(),
            SearchError::Code(_) | SearchError::Digest(_) | SearchError::Regex(_) => Exit::Refused,
            SearchError::OutOfTime => Exit::Unclear,
        }
    }
}

impl Code for CodeError {
    fn code(&self) -> Exit {
        Exit::Refused
    }
}

impl Code for ResolveError {
    fn code(&self) -> Exit {
        Exit::Refused
    }
}

impl<E: Code + std::error::Error> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::new(error.code(), error)
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Pass => Exit::AsExpected,
            Verdict::Fail => Exit::Failed,
            Verdict::Unreached | Verdict::Diverged | Verdict::Unstable => Exit::Unclear,
            Verdict::Unsupported => Exit::HostCannot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        use Exit::*;
        for exit in [AsExpected, Usage, Nothing, HostCannot, Failed, Unclear, Refused, Harness, Interrupted] {
            let line = format!("{:5}  ", exit as u8);
            assert!(HELP.contains(&line), "{exit:?}");
        }
    }
}
