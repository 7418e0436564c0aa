//! Looks for schedules that break an expectation: plans them, tries them, shrinks and confirms those that fail.
//!
//! The story, in the order in which it happens:
//!
//! 1. A [`Plan`] says what may be done and how long to look.
//! 2. [`reference()`] runs the program as the default rule has it; with signals to send, they are sent when everything
//!    first sleeps. The caller builds its judge from that run, or from a scenario.
//! 3. [`search`] lets each strategy plan schedules in rounds, has a crew of workers try them, and judges the runs.
//! 4. A failing schedule is shrunk (`ScheduleTree` holds the order), run again several times, and grouped with its
//!    like. [`Report`] says what came of it; [`Report::against`] compares with what a scenario knows.
//!
//! NOTE \[Rounds\] Planning goes in rounds of a fixed size. A round is planned only from what completed earlier rounds
//! have shown, and its results are taken in the order of their index. So the same seed plans the same schedules and
//! makes the same report with any number of workers. Only a time budget and an interrupt are exempt.

mod code;
mod confirm;
mod cover;
mod crew;
mod elsewhere;
mod exhaustive;
mod fixed;
mod follow;
mod partition;
mod pct;
mod plan;
mod random;
mod reference;
mod report;
mod search;
mod shrink;
mod space;
mod strategy;
mod tree;
mod verdict;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use code::{Code, Executed, MOST_VISITS, Spot, Stretch};
pub use fixed::{Replay, compare, replay};
pub use partition::Partition;
pub use plan::{Doing, Plan, Progress, Standing, Stop};
pub use reference::{Reference, reference};
pub use report::{Chance, Coverage, Cut, Finding, Level, Report, Seen, Unstable};
pub use search::search;
pub use verdict::{Comparison, Verdict, same};

use crate::schedule::ThreadName;
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
    #[error("the reference run never sleeps and never ends: {0}")]
    NeverQuiet(String),
    /// There is nobody to send the signals to.
    #[error(
        "{to} is not asleep when everything first sleeps, so no signal can be sent to it there (asleep: {asleep})"
    )]
    NoReceiver {
        /// The process that the signals were for.
        to: ThreadName,
        /// The points where threads sleep.
        asleep: String,
    },
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
    fn run(doing: impl Into<String>) -> impl FnOnce(RunError) -> ExploreError {
        let doing = doing.into();
        move |source| ExploreError::Run { doing, source }
    }

    /// The verdict of a scenario that ended with this error; none if it says nothing about the program or the host.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            ExploreError::Run { source: RunError::Unsupported(_), .. } => Some(Verdict::Unsupported),
            _ => None,
        }
    }
}
