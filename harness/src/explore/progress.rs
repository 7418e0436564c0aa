//! How a search tells how far it is.

use super::report::Finding;
use std::fmt;

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Runs done by the strategies; those of shrinking and confirming come on top.
    pub runs: u64,
    /// Runs that the strategies may make in all.
    pub budget: u64,
    /// Different points seen so far.
    pub points: usize,
    /// Findings so far.
    pub findings: usize,
    /// Distinct outcomes so far.
    pub outcomes: usize,
    /// What is being done.
    pub doing: Doing,
}

impl Standing {
    /// Of a search of which nothing has been run.
    pub const BEGUN: Standing =
        Standing { runs: 0, budget: 0, points: 0, findings: 0, outcomes: 0, doing: Doing::Starting };
}

/// What a search is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Looking at the undisturbed run and the reference run.
    Starting,
    /// Looking for failing schedules.
    Searching,
    /// Shrinking one; runs made for that so far.
    Shrinking(u64),
    /// Running a shrunk one again.
    Confirming,
    /// The search is over, and what handlers do is checked.
    Checking,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doing::Starting => f.write_str("the reference run"),
            Doing::Checking => f.write_str("checking handlers"),
            Doing::Searching => f.write_str("searching"),
            Doing::Shrinking(0) => f.write_str("shrinking"),
            Doing::Shrinking(runs) => write!(f, "shrinking ({runs} runs)"),
            Doing::Confirming => f.write_str("confirming"),
        }
    }
}

/// Is told how a search gets on, from the thread that called it. `()` takes no notice.
pub trait Progress {
    /// Called after every run that was looked at.
    fn at(&self, standing: &Standing) {
        let _ = standing;
    }

    /// Called as soon as something is found and confirmed. One that is simpler may yet take its place.
    fn found(&self, finding: &Finding) {
        let _ = finding;
    }
}

impl Progress for () {}
