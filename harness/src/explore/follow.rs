//! What follows a failing run: it is shrunk, attributed to what is known, confirmed, and kept as a finding or a doubt.

use super::confirm::{Confirmed, confirm};
use super::elsewhere::Races;
use super::error::Halt;
use super::findings::Findings;
use super::ledger::Ledger;
use super::plan::{Plan, Stop};
use super::progress::Doing;
use super::report::{Finding, Unstable};
use super::shrink::{counts, decided, shrink};
use super::space::Space;
use super::steps::{same, taken, within};
use super::tree::ScheduleTree;
use crate::schedule::Schedule;
use crate::trace::{Broken, Run};
use std::sync::Arc;

/// Who follows up, and with what.
pub(super) struct Follow<'a, 'b, 'env> {
    pub(super) plan: &'a Plan,
    pub(super) space: &'a Arc<Space>,
    pub(super) ledger: &'a mut Ledger<'b, 'env>,
    pub(super) findings: &'a mut Findings,
    pub(super) races: &'a mut Races,
    /// How many runs the strategies have made, this one included.
    pub(super) runs: u64,
    pub(super) tell: &'a dyn Fn(Doing),
    /// Is told what is found.
    pub(super) found: &'a dyn Fn(&Finding),
}

impl Follow<'_, '_, '_> {
    /// Shrinks, groups and confirms what a failing run of the current schedule of `tree` shows. False if it fails in nothing: other
    /// runs show that.
    pub(super) fn up(self, tree: ScheduleTree, run: &Run, breaks: Broken) -> Result<bool, Halt> {
        let Follow { plan, space, ledger, findings, races, runs, tell, found } = self;
        let schedule = space.sorted(taken(run));
        if findings.attribute(&schedule, breaks, within) {
            return Ok(true);
        }
        if !counts(ledger, space, &schedule, breaks)? {
            return decided(ledger, space, &schedule, breaks);
        }
        // A step that was not taken explains nothing: the finding has to show without it.
        let tree = if schedule == run.schedule {
            tree
        } else if ledger.breaks(&schedule, breaks)? {
            ScheduleTree::new(space.clone(), schedule.clone())
        } else {
            let why = format!("{breaks:?} breaks, but not when only the steps that were taken are asked for");
            let one = run.clone();
            let breaks = Some(breaks);
            findings.doubt(Unstable { breaks, schedule, why, one, other: None, differs: None });
            return Ok(true);
        };
        let (mut minimal, mut shrink_runs, mut shrink_cut) = (schedule, 0, false);
        if plan.shrink {
            let known = plan.known.iter().filter(|known| known.breaks == breaks);
            let hints: Vec<Schedule> = known
                .map(|known| space.sorted(known.schedule.steps.clone()))
                .chain(findings.minimal(breaks).cloned())
                .collect();
            let tree = tree.with_hints(hints).closely(plan.stop == Stop::FirstFinding);
            let shrunk = shrink(ledger, space, tree, breaks, plan.shrink_runs, tell)?;
            (minimal, shrink_runs, shrink_cut) = (shrunk.schedule, shrunk.runs, shrunk.cut);
            races.remember(space, shrunk.part, breaks);
            if findings.attribute(&minimal, breaks, same) {
                return Ok(true);
            }
        }
        tell(Doing::Confirming);
        // More findings are confirmed by more runs, and what is told of each is looked at when all are known.
        let looks = plan.stop == Stop::FirstFinding;
        let (run, looked) = match confirm(ledger, &minimal, breaks, run, (plan.confirm, looks))? {
            Confirmed::No(unstable) => {
                findings.doubt(*unstable);
                return Ok(true);
            }
            Confirmed::Yes(run, looked) => (*run, looked),
        };
        let mut also = Vec::new();
        for other in ledger.judge(&run) {
            if other != breaks && decided(ledger, space, &minimal, other)? {
                also.push(other);
            }
        }
        let finding = Finding {
            breaks,
            schedule: run.schedule.clone(),
            located: plan.code.located(&run.schedule),
            run,
            looked,
            also,
            elsewhere: Vec::new(),
            elsewhere_more: 0,
            first: runs,
            runs: 1,
            shrink_runs,
            shrink_cut,
            confirmed: plan.confirm.max(1),
        };
        found(&finding);
        // Findings of several steps give way to a simpler one that breaks the same: they would have been shrunk to it, had
        // it been known.
        let simplicity = space.simplicity(&minimal);
        let outdone =
            |other: &Schedule| plan.shrink && other.steps.len() > 1 && space.simplicity(other) > simplicity;
        for gone in findings.add(minimal, finding, outdone) {
            races.remember(space, gone, breaks);
        }
        Ok(true)
    }
}
