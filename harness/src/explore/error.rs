//! Why exploring came to no report, or ended early.

use super::verdict::Verdict;
use crate::schedule::{Point, ThreadName};
use crate::supervise::RunError;

/// Why exploring came to no report.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// A run failed, and what it was for.
    #[error("{doing}: {source}")]
    Run {
        /// What was being done.
        doing: String,
        /// Why there is no run.
        source: RunError,
    },
    /// The reference run neither slept nor ended, so there is nothing to compare with.
    #[error(
        "the reference run never sleeps and never ends: {0}; next: the same with a higher --limit-points or --limit-time, or see where it goes round by `sigrace points`"
    )]
    NeverQuiet(String),
    /// The reference run neither slept nor ended, and could not be controlled.
    #[error("the reference run proves nothing: {0}")]
    Uncontrolled(String),
    /// There is nobody to send the signals to.
    #[error(
        "{to} is not asleep when everything first sleeps, so no signal can be sent to it there (asleep: {asleep}); next: the same with --send-to and one of those"
    )]
    NoReceiver {
        /// The process that the signals were for.
        to: ThreadName,
        /// The points where threads sleep.
        asleep: String,
    },
    /// The undisturbed run does not come to the point at which the search is to begin.
    #[error(
        "the undisturbed run never comes to {0}, where the search is to begin; next: `sigrace points` shows what it reaches"
    )]
    NeverBegins(Point),
    /// A worker thread could not be started.
    #[error("cannot start worker thread {index}: {source}")]
    Worker {
        /// Which, counted from 0.
        index: usize,
        /// Why.
        source: std::io::Error,
    },
    /// A strategy could give no schedule.
    #[error("cannot plan a schedule: {0}")]
    Planning(String),
}

impl ExploreError {
    pub(super) fn run(doing: impl Into<String>) -> impl FnOnce(RunError) -> ExploreError {
        let doing = doing.into();
        move |source| ExploreError::Run { doing, source }
    }

    /// The verdict of a scenario that ended with this error; none if it says nothing about the program or the host.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            ExploreError::Run { source: RunError::Unsupported(_), .. } => Some(Verdict::Unsupported),
            ExploreError::Run {
                source: RunError::Start { .. } | RunError::Interrupted | RunError::Fault(_),
                ..
            }
            | ExploreError::NeverQuiet(_)
            | ExploreError::Uncontrolled(_)
            | ExploreError::NoReceiver { .. }
            | ExploreError::NeverBegins(_)
            | ExploreError::Worker { .. }
            | ExploreError::Planning(_) => None,
        }
    }
}

/// Why a search ends early.
pub(super) enum Halt {
    Interrupted,
    Failed(ExploreError),
}

impl From<ExploreError> for Halt {
    fn from(error: ExploreError) -> Halt {
        if matches!(error, ExploreError::Run { source: RunError::Interrupted, .. }) {
            Halt::Interrupted
        } else {
            Halt::Failed(error)
        }
    }
}
