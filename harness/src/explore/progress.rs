//! How a search tells how far it is.

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

/// What a search is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Looking for failing schedules.
    Searching,
    /// Shrinking one; runs made for that so far.
    Shrinking(u64),
    /// Running a shrunk one again.
    Confirming,
}

/// Is told how a search gets on, from the thread that called it. `()` takes no notice.
pub trait Progress {
    /// Called after every run that was looked at.
    fn at(&self, standing: &Standing) {
        let _ = standing;
    }
}

impl Progress for () {}
