//! Shrinks a failing schedule: drives its tree by what the proposals do, within a budget of runs.
//!
//! A proposal fails if it breaks the same expectation as its most telling one, every step of it was taken, and no run
//! was tainted. What a schedule does is remembered for the whole search, so none is run twice for this.
//!
//! NOTE \[Signals that must be sent\] Where every run sends a signal, leaving it out asks another question: a server that
//! waits for its SIGTERM idles when it gets none. A schedule without such a signal only counts if the reference run
//! without that signal does not break the same.

use super::search::{Halt, Search};
use super::space::{sends, within};
use super::tree::ScheduleTree;
use super::{Doing, ExploreError};
use crate::schedule::Schedule;
use crate::signal::Signal;
use crate::trace::{Broken, Run};
use proptest::strategy::ValueTree;

/// What shrinking came to.
pub(super) struct Shrunk {
    pub(super) schedule: Schedule,
    /// The smallest part of the schedule that was shrunk which fails.
    pub(super) part: Schedule,
    pub(super) runs: u64,
    pub(super) cut: bool,
}

/// What is remembered of a schedule that was run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The most telling expectation that it breaks.
    pub(super) breaks: Option<Broken>,
    /// True if every step was taken and no run was tainted.
    pub(super) clean: bool,
    /// A hash of the events.
    pub(super) events: u64,
}

impl<J: Fn(&Run) -> Vec<Broken>> Search<'_, '_, J> {
    /// Shrinks the current schedule of `tree`, which fails.
    pub(super) fn shrink(&mut self, mut tree: ScheduleTree, breaks: Broken) -> Result<Shrunk, Halt> {
        let before = self.report.extra_runs;
        let mut cut = false;
        let whole = tree.current();
        let mut part = whole.clone();
        let mut more = tree.simplify();
        while more {
            let proposal = tree.current();
            let runs = self.report.extra_runs - before;
            if runs >= self.plan.shrink_runs && !self.ledger.contains_key(&proposal) {
                cut = true;
                break;
            }
            self.tell(Doing::Shrinking(runs));
            let fails = self.breaks(&proposal, breaks)? && self.counts(&proposal, breaks)?;
            if fails && within(&proposal, &whole) && proposal.steps.len() < part.steps.len() {
                part = proposal;
            }
            more = if fails { tree.simplify() } else { tree.complicate() };
        }
        Ok(Shrunk { schedule: tree.best().clone(), part, runs: self.report.extra_runs - before, cut })
    }

    /// True if this very schedule, with every step taken, breaks the expectation.
    pub(super) fn breaks(&mut self, schedule: &Schedule, breaks: Broken) -> Result<bool, Halt> {
        let entry = self.look(schedule)?;
        Ok(entry.clean && entry.breaks == Some(breaks))
    }

    /// False if the schedule leaves a signal out, and leaving it out alone breaks the same.
    pub(super) fn counts(&mut self, schedule: &Schedule, breaks: Broken) -> Result<bool, Halt> {
        let sent: Vec<Signal> = schedule.steps.iter().filter_map(|step| sends(&step.action)).collect();
        if self.space.signals.iter().all(|signal| sent.contains(signal)) {
            return Ok(true);
        }
        let home = self.reference.schedule.steps.iter();
        let steps = home.filter(|step| sends(&step.action).is_none_or(|signal| sent.contains(&signal)));
        let control = Schedule { steps: steps.cloned().collect() };
        Ok(self.look(&control)?.breaks != Some(breaks))
    }

    /// What the schedule does: remembered, or found out by a run.
    fn look(&mut self, schedule: &Schedule) -> Result<Entry, Halt> {
        if let Some(entry) = self.ledger.get(schedule) {
            return Ok(*entry);
        }
        let doing = || format!("shrinking, at ({schedule})");
        let tried = self.crew.try_all(std::slice::from_ref(schedule));
        let tried = tried.map_err(|(_, error)| ExploreError::run(doing())(error))?.pop();
        let tried = tried.ok_or(Halt::Interrupted)?;
        self.report.extra_runs += 1;
        self.report.tainted += tried.tainted;
        let entry = self.entry(&tried.run);
        self.ledger.insert(schedule.clone(), entry);
        Ok(entry)
    }
}
