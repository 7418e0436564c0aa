//! Other races that break the same: minimal schedules at other calls than a finding's.
//!
//! NOTE \[Elsewhere\] A finding is the simplest schedule that breaks its expectation; shrinking may have come to it from one
//! that shares no step with it. What failed there is a race of its own if it is at another call, and a cure of the finding
//! need not cure it. So of each failing schedule the smallest part that still fails is kept as well, where nothing was taken
//! that the schedule did not take: fewer steps, but no other ones.
//!
//! Two such parts are the same race if their steps are of the same threads, at the same kinds of points, with the same
//! actions; a switch to one thread and one to all count as the same, and so does which time the thread gets there. Of each
//! race the earliest time that fails is shown, and what has all the steps of another and some more is left out. That is a
//! matter of words, not of causes: one cause can show at several calls, as when a window has several calls in it, and two
//! causes at one call are told apart only when the first is cured.
//!
//! They are run again before they are told, as findings are, but only a few times each, and only the simplest few.

use super::confirm::Confirmed;
use super::search::{Halt, Search};
use super::tree::kind;
use super::verdict::same;
use crate::schedule::{Action, Schedule, Site, Step, Target, ThreadName};
use crate::trace::{Broken, Run};

/// So many races of one search are remembered.
const MOST_REMEMBERED: usize = 256;
/// So many are run again and told of one finding.
const MOST_TOLD: usize = 8;
/// How often each is run again, if findings are so often.
const CONFIRM: u32 = 3;
/// Schedules of earlier times that are tried of each.
const MOST_EARLIER: usize = 32;

/// True if `whole` has all the steps of `part`, at whichever times: then nothing new is told by it.
fn is_part(part: &Schedule, whole: &Schedule) -> bool {
    let mut left = race(whole);
    race(part).iter().all(|step| {
        let place = left.iter().position(|other| other == step);
        place.map(|place| left.swap_remove(place)).is_some()
    })
}

/// A race that is not, or not yet, a finding.
#[derive(Clone, Debug)]
pub(super) struct Elsewhere {
    breaks: Broken,
    schedule: Schedule,
}

/// What a race is, but for the times at which its threads get there.
fn race(schedule: &Schedule) -> Vec<(ThreadName, Site, Action)> {
    let step = |step: &Step| {
        let action = match &step.action {
            Action::Switch(_) => Action::Switch(Target::All),
            send => send.clone(),
        };
        (step.thread.clone(), step.at, action)
    };
    let mut race: Vec<_> = schedule.steps.iter().map(step).collect();
    race.sort();
    race
}

impl<J: Fn(&Run) -> Vec<Broken>> Search<'_, '_, J> {
    /// Remembers the smallest part of a failing schedule that fails.
    pub(super) fn remember(&mut self, schedule: Schedule, breaks: Broken) {
        let kind = race(&schedule);
        let known = self.elsewhere.iter_mut();
        let known = known.filter(|other| other.breaks == breaks).find(|other| race(&other.schedule) == kind);
        if let Some(known) = known {
            if self.space.simplicity(&schedule) < self.space.simplicity(&known.schedule) {
                known.schedule = schedule;
            }
        } else if self.elsewhere.len() < MOST_REMEMBERED {
            self.elsewhere.push(Elsewhere { breaks, schedule });
        }
    }

    /// Gives each finding the other races that break the same, when all is searched and the findings are in order.
    pub(super) fn tell_elsewhere(&mut self) -> Result<(), Halt> {
        let mut all = std::mem::take(&mut self.elsewhere);
        all.sort_by_cached_key(|other| self.space.simplicity(&other.schedule));
        for Elsewhere { breaks, schedule } in all {
            let explains = |index: &usize| {
                let told = self.report.findings[*index].elsewhere.iter();
                told.chain([&self.minimal[*index]]).any(|other| is_part(other, &schedule))
            };
            let first = |schedule: &Schedule| schedule.steps.first().and_then(kind);
            let like = |index: &usize| first(&self.minimal[*index]) == first(&schedule);
            let same_kind = || (0..self.minimal.len()).filter(|n| self.report.findings[*n].breaks == breaks);
            if same_kind().any(|index| explains(&index)) {
                continue;
            }
            let Some(index) = same_kind().find(like).or_else(|| same_kind().next()) else { continue };
            if self.report.findings[index].elsewhere.len() >= MOST_TOLD {
                self.report.findings[index].elsewhere_more += 1;
                continue;
            }
            let schedule = self.earliest(schedule, breaks)?;
            let seen = self.report.findings[index].run.clone();
            match self.confirm(&schedule, breaks, &seen, self.plan.confirm.min(CONFIRM))? {
                Confirmed::Yes(run) => {
                    let told = &mut self.report.findings[index].elsewhere;
                    if !told.iter().any(|other| same(other, &run.schedule)) {
                        told.push(run.schedule);
                    }
                }
                Confirmed::No(unstable) => self.doubt(*unstable),
            }
        }
        Ok(())
    }

    /// The same race with simpler actions, and at the earliest times at which it still breaks the same.
    fn earliest(&mut self, mut best: Schedule, breaks: Broken) -> Result<Schedule, Halt> {
        for _ in 0..MOST_EARLIER {
            let mut better = None;
            for proposal in self.earlier(&best) {
                if self.breaks(&proposal, breaks)? && self.counts(&proposal, breaks)? {
                    better = Some(proposal);
                    break;
                }
            }
            match better {
                Some(schedule) => best = schedule,
                None => break,
            }
        }
        Ok(best)
    }

    fn earlier(&self, best: &Schedule) -> Vec<Schedule> {
        let kind = race(best);
        let simplicity = self.space.simplicity(best);
        let mut proposals = Vec::new();
        for (index, step) in best.steps.iter().enumerate() {
            let like = |other: &&Step| other.thread == step.thread && other.at == step.at && other != &step;
            for other in self.space.steps.iter().filter(like) {
                let mut steps = best.steps.clone();
                if let Some(place) = steps.get_mut(index) {
                    *place = other.clone();
                }
                proposals.push(self.space.sorted(steps));
            }
        }
        proposals.retain(|other| race(other) == kind && self.space.simplicity(other) < simplicity);
        proposals.sort_by_cached_key(|other| self.space.simplicity(other));
        proposals.truncate(MOST_EARLIER);
        proposals
    }
}
