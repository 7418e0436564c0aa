//! Runs the program once, under control: one thread at a time, by the default rule and the deviations of a schedule.
//!
//! This module knows schedules, not scenarios or verdicts: it reports and obeys.

use crate::program::{Launch, Limits};
use crate::schedule::Schedule;
use crate::signal::Signal;
use crate::trace::Run;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What all runs of one search have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the program starts.
    pub launch: Launch,
    /// How far a run may go.
    pub limits: Limits,
    /// What getrandom and AT_RANDOM give is made from this.
    pub seed: u64,
    /// Send also where the signal is neither caught nor blocked.
    pub always: bool,
    /// Signals whose reception the run has to look up at every point (`Reached::receivable`).
    pub watch: Vec<Signal>,
    /// Set from outside to end the present run early, with `RunError::Interrupted`.
    pub cancel: Arc<AtomicBool>,
}

/// Something that can run the program by a schedule: the supervisor, or a model of it in a test of exploration.
pub trait Supervise {
    /// Runs the program once, from its start until nothing of it can run any more; nothing of it is left afterwards.
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError>;
}

/// Why there is no run to report.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// This host, or this program, does not allow what the run needs. Never the program's fault.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The program could not be started: which step of starting it failed, on what, and why.
    #[error("cannot start {file}: {stage}: {reason}")]
    Start {
        /// The program's file.
        file: String,
        /// Which step.
        stage: String,
        /// The error number's text.
        reason: String,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// sigrace itself went wrong.
    #[error("harness fault: {0}")]
    Fault(String),
}
