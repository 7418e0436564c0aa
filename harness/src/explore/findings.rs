//! What a search has found so far, and what it doubts.

use super::report::{Finding, Unstable};
use super::space::Space;
use crate::schedule::Schedule;
use crate::trace::Broken;

/// So many pieces of unstable evidence are kept.
const MOST_UNSTABLE: usize = 8;

/// A finding, and its minimal schedule in the order of the points of the space.
pub(super) struct Found {
    pub(super) finding: Finding,
    pub(super) minimal: Schedule,
}

/// The confirmed findings, and what did not repeat itself.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) found: Vec<Found>,
    pub(super) doubts: Vec<Unstable>,
}

impl Findings {
    /// Keeps a finding. Gives the schedules of those that `gives_way` says give way to it.
    pub(super) fn add(
        &mut self,
        minimal: Schedule,
        mut finding: Finding,
        gives_way: impl Fn(&Schedule) -> bool,
    ) -> Vec<Schedule> {
        let mut gone = Vec::new();
        for other in std::mem::take(&mut self.found) {
            if other.finding.breaks == finding.breaks && gives_way(&other.minimal) {
                finding.first = finding.first.min(other.finding.first);
                finding.runs += other.finding.runs;
                gone.push(other.minimal);
            } else {
                self.found.push(other);
            }
        }
        self.found.push(Found { finding, minimal });
        gone
    }

    /// Keeps the first few doubts.
    pub(super) fn doubt(&mut self, unstable: Unstable) {
        if self.doubts.len() < MOST_UNSTABLE {
            self.doubts.push(unstable);
        }
    }

    /// The minimal schedules of the findings that break this.
    pub(super) fn minimal(&self, breaks: Broken) -> impl Iterator<Item = &Schedule> {
        self.found.iter().filter(move |found| found.finding.breaks == breaks).map(|found| &found.minimal)
    }

    /// True if something that is already reported explains why `schedule` breaks this. Where it is a finding, the run
    /// counts for it.
    pub(super) fn attribute(
        &mut self,
        schedule: &Schedule,
        breaks: Broken,
        explains: fn(&Schedule, &Schedule) -> bool,
    ) -> bool {
        for Found { finding, minimal } in &mut self.found {
            if finding.breaks == breaks && explains(minimal, schedule) {
                finding.runs += 1;
                return true;
            }
        }
        self.doubts.iter().any(|other| other.breaks == Some(breaks) && explains(&other.schedule, schedule))
    }

    /// Puts the findings in order: the most telling first, then the simplest.
    pub(super) fn order(&mut self, space: &Space) {
        self.found.sort_by_cached_key(|found| (found.finding.breaks, space.simplicity(&found.minimal)));
    }
}
