//! What follows a failing run: it is shrunk, attributed to what is known, confirmed, and kept as a finding or a doubt.

use super::confirm::Confirmed;
use super::report::{Finding, Unstable};
use super::search::{Halt, Search};
use super::space::{taken, within};
use super::tree::ScheduleTree;
use super::verdict::same;
use crate::schedule::Schedule;
use crate::trace::{Broken, Run};

/// So many pieces of unstable evidence are kept.
const MOST_UNSTABLE: usize = 8;

impl<J: Fn(&Run) -> Vec<Broken>> Search<'_, '_, J> {
    /// Shrinks, groups and confirms what a failing run shows.
    pub(super) fn follow_up(&mut self, tree: ScheduleTree, run: &Run, breaks: Broken) -> Result<(), Halt> {
        let schedule = self.space.sorted(taken(run));
        if self.attributed(&schedule, breaks, within) || !self.counts(&schedule, breaks)? {
            return Ok(());
        }
        // A step that was not taken explains nothing: the finding has to show without it.
        let tree = if schedule == run.schedule {
            tree
        } else if self.breaks(&schedule, breaks)? {
            ScheduleTree::new(self.space.clone(), schedule.clone())
        } else {
            let why = format!("{breaks:?} breaks, but not when only the steps that were taken are asked for");
            let one = run.clone();
            let breaks = Some(breaks);
            self.doubt(Unstable { breaks, schedule, why, one, other: None, differs: None });
            return Ok(());
        };
        let (mut minimal, mut shrink_runs, mut shrink_cut) = (schedule, 0, false);
        if self.plan.shrink {
            let known = self.plan.known.iter().filter(|known| known.breaks == breaks);
            let hints: Vec<Schedule> = known
                .map(|known| self.space.sorted(known.schedule.steps.clone()))
                .chain(self.same_kind(breaks).map(|index| self.minimal[index].clone()))
                .collect();
            let shrunk = self.shrink(tree.with_hints(hints), breaks)?;
            (minimal, shrink_runs, shrink_cut) = (shrunk.schedule, shrunk.runs, shrunk.cut);
            self.remember(shrunk.part, breaks);
            if self.attributed(&minimal, breaks, same) {
                return Ok(());
            }
        }
        match self.confirm(&minimal, breaks, run, self.plan.confirm)? {
            Confirmed::No(unstable) => self.doubt(*unstable),
            Confirmed::Yes(confirmed) => {
                let mut also = (self.judge)(&confirmed);
                also.retain(|other| *other != breaks);
                self.found(
                    minimal,
                    Finding {
                        breaks,
                        schedule: confirmed.schedule.clone(),
                        located: self.plan.code.located(&confirmed.schedule),
                        run: *confirmed,
                        also,
                        elsewhere: Vec::new(),
                        elsewhere_more: 0,
                        first: self.report.runs,
                        runs: 1,
                        shrink_runs,
                        shrink_cut,
                        confirmed: self.plan.confirm.max(1),
                    },
                );
            }
        }
        Ok(())
    }

    /// Keeps a finding. Findings of several steps give way to a simpler one that breaks the same: they would have been
    /// shrunk to it, had it been known.
    fn found(&mut self, minimal: Schedule, mut finding: Finding) {
        if self.plan.shrink {
            let simplicity = self.space.simplicity(&minimal);
            let outdone =
                |other: &Schedule| other.steps.len() > 1 && self.space.simplicity(other) > simplicity;
            let indices = self.same_kind(finding.breaks).filter(|&index| outdone(&self.minimal[index]));
            for index in indices.collect::<Vec<_>>().into_iter().rev() {
                let simple = self.minimal.remove(index);
                self.remember(simple, finding.breaks);
                let other = self.report.findings.remove(index);
                finding.first = finding.first.min(other.first);
                finding.runs += other.runs;
            }
        }
        self.minimal.push(minimal);
        self.report.findings.push(finding);
    }

    /// Indices of the findings that break this.
    fn same_kind(&self, breaks: Broken) -> impl Iterator<Item = usize> {
        let indices = self.report.findings.iter().enumerate();
        let like = indices.filter(|(_, finding)| finding.breaks == breaks).map(|(index, _)| index);
        like.collect::<Vec<_>>().into_iter()
    }

    /// True if something that is already reported explains why `schedule` breaks this. Where it is a finding, the run
    /// counts for it.
    fn attributed(
        &mut self,
        schedule: &Schedule,
        breaks: Broken,
        explains: fn(&Schedule, &Schedule) -> bool,
    ) -> bool {
        for (finding, minimal) in self.report.findings.iter_mut().zip(&self.minimal) {
            if finding.breaks == breaks && explains(minimal, schedule) {
                finding.runs += 1;
                return true;
            }
        }
        let mut unstable = self.report.unstable.iter();
        unstable.any(|other| other.breaks == Some(breaks) && explains(&other.schedule, schedule))
    }

    pub(super) fn doubt(&mut self, unstable: Unstable) {
        if self.report.unstable.len() < MOST_UNSTABLE {
            self.report.unstable.push(unstable);
        }
    }

    /// Puts the findings in order: the most telling first, then the simplest.
    pub(super) fn order(&mut self) {
        let minimal = std::mem::take(&mut self.minimal);
        let mut findings: Vec<_> =
            std::mem::take(&mut self.report.findings).into_iter().zip(minimal).collect();
        findings.sort_by_cached_key(|(finding, minimal)| (finding.breaks, self.space.simplicity(minimal)));
        (self.report.findings, self.minimal) = findings.into_iter().unzip();
    }
}
