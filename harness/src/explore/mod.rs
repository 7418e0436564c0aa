//! Looks for schedules that break an expectation: plans them, tries them, shrinks and confirms those that fail.
//!
//! The story, in the order in which it happens:
//!
//! 1. A [`Plan`] says what may be done and how long to look.
//! 2. [`reference()`] runs the program as the default rule has it; with signals to send, they are sent when everything
//!    first sleeps. The caller builds its judge from that run, or from a scenario.
//! 3. `search` lets each strategy plan schedules in rounds, has a crew of workers try them, and judges the runs.
//! 4. A failing schedule is shrunk (`ScheduleTree` holds the order), run again several times, and grouped with its
//!    like. [`Report`] says what came of it; [`Report::against`] compares with what a scenario knows.
//!
//! NOTE \[Rounds\] Planning goes in rounds whose size follows from the plan and the reference run. A round is planned only from
//! what completed earlier rounds have shown, and its results are taken in the order of their index. So the same seed plans the
//! same schedules and makes the same report with any number of workers. Only a time budget and an interrupt are exempt.

#![warn(clippy::wildcard_enum_match_arm)]

mod atomicity;
mod beginning;
mod chance;
mod children;
mod code;
mod confirm;
mod cover;
mod crew;
mod cut_short;
mod elsewhere;
mod error;
mod executed;
mod exhaustive;
mod fatal;
mod findings;
mod fixed;
mod follow;
mod independence;
mod interrupted;
mod known;
mod leaked;
mod ledger;
mod loops;
mod lost;
mod novelty;
mod overlooked;
mod partition;
mod pct;
mod person;
mod plan;
mod planner;
mod points;
mod progress;
mod random;
mod receivers;
mod reference;
mod replay;
mod report;
mod search;
mod shrink;
mod space;
mod steps;
mod strategy;
mod tree;
mod twins;
mod verdict;
mod visits;
mod watching;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use beginning::{Beginning, LOOK_POINTS, Look, Why, is_shell, look};
pub use children::Alike;
pub use code::{Beside, Block, Chart, Code, MOST_VISITS, Neighbours, Spot, Stretch};
pub use error::ExploreError;
pub use executed::Executed;
pub use fatal::with_others;
pub use known::Comparison;
pub use loops::{Loop, Loops};
pub use novelty::ENOUGH;
pub use partition::Partition;
pub use person::met;
pub use plan::{Plan, Stop};
pub use progress::{Doing, Progress, Standing};
pub use receivers::{Sendable, sendable};
pub use reference::{Reference, reference, reference_after};
pub use replay::{Replay, compare, replay};
pub use report::{Chance, Coverage, Cut, Finding, Level, Looked, Report, Seen, Unstable};
pub use search::{Searching, Until, Went, search};
pub use steps::{Undone, same, taken, undone};
pub use verdict::Verdict;
