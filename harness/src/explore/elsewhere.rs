//! Other races that break the same: minimal schedules at other calls than a finding's.
//!
//! NOTE \[Elsewhere\] A finding is the simplest schedule that breaks its expectation; shrinking may have come to it from one
//! that shares no step with it. What failed there is a race of its own if it is at another call, and a cure of the finding
//! need not cure it. So of each failing schedule the smallest part that still fails is kept as well, where nothing was taken
//! that the schedule did not take: fewer steps, but no other ones.
//!
//! Two such parts are the same race if their steps are of the same threads, at the same kinds of points, with the same
//! actions; a switch to one thread and one to all count as the same, and so do a call's entering and what is just before it or
//! in it, and which time the thread gets there. Of each
//! race the earliest time that fails is shown, and what has all the steps of another and some more is left out. That is a
//! matter of words, not of causes: one cause can show at several calls, as when a window has several calls in it, and two
//! causes at one call are told apart only when the first is cured.
//!
//! They are run again before they are told, as findings are, but only a few times each, and only the simplest few.

use super::confirm::{Confirmed, confirm};
use super::error::Halt;
use super::findings::Findings;
use super::ledger::Ledger;
use super::shrink::counts;
use super::space::Space;
use super::steps::{Kind, kind, same};
use crate::schedule::{Action, Point, Schedule, Site, Step, Target, ThreadName};
use crate::trace::Broken;

/// So many races of one search are remembered.
const MOST_REMEMBERED: usize = 256;
/// So many are run again and told of one finding.
const MOST_TOLD: usize = 8;
/// How often each is run again, if findings are so often.
const CONFIRM: u32 = 3;
/// Schedules of earlier times that are tried of each.
const MOST_EARLIER: usize = 32;

/// A race that is not, or not yet, a finding.
struct Race {
    breaks: Broken,
    schedule: Schedule,
}

/// Races that are to be told along with the findings that break the same.
#[derive(Default)]
pub(super) struct Races(Vec<Race>);

/// What a race is, but for the times at which its threads get there.
fn essence(schedule: &Schedule) -> Vec<(ThreadName, Site, Action)> {
    let step = |step: &Step| {
        let switches = matches!(step.action, Action::Switch(_));
        let action = if switches { Action::Switch(Target::All) } else { step.action.clone() };
        let site = match step.at {
            Site::Entering(call) => Site::Before(call),
            site @ (Site::Before(_)
            | Site::After(_)
            | Site::In(_)
            | Site::At(_)
            | Site::Probe(_)
            | Site::Quiet) => site,
        };
        (step.thread.clone(), site, action)
    };
    let mut race: Vec<_> = schedule.steps.iter().map(step).collect();
    race.sort();
    race
}

/// True if `whole` has all the steps of `part`, at whichever times: then nothing new is told by it.
fn is_part(part: &Schedule, whole: &Schedule) -> bool {
    let mut asleep = whole.clone();
    for step in &mut asleep.steps {
        if let Site::Entering(call) = step.at {
            step.at = Site::In(call);
        }
    }
    [whole, &asleep].into_iter().any(|whole| {
        let mut left = essence(whole);
        essence(part).iter().all(|step| {
            let place = left.iter().position(|other| other == step);
            place.map(|place| left.swap_remove(place)).is_some()
        })
    })
}

impl Races {
    /// Remembers the smallest part of a failing schedule that fails.
    pub(super) fn remember(&mut self, space: &Space, schedule: Schedule, breaks: Broken) {
        let race = essence(&schedule);
        let like = |other: &&mut Race| other.breaks == breaks && essence(&other.schedule) == race;
        if let Some(known) = self.0.iter_mut().find(like) {
            if space.simplicity(&schedule) < space.simplicity(&known.schedule) {
                known.schedule = schedule;
            }
        } else if self.0.len() < MOST_REMEMBERED {
            self.0.push(Race { breaks, schedule });
        }
    }

    /// Gives each finding the other races that break the same, when all is searched and the findings are in order. Each is
    /// run again `times` times, or a few.
    pub(super) fn tell(
        mut self,
        ledger: &mut Ledger<'_, '_>,
        space: &Space,
        findings: &mut Findings,
        times: u32,
    ) -> Result<(), Halt> {
        self.0.sort_by_cached_key(|race| space.simplicity(&race.schedule));
        fn first(schedule: &Schedule) -> Option<Kind<'_>> {
            schedule.steps.first().map(|step| kind(&step.action))
        }
        for Race { breaks, schedule } in self.0 {
            let same_kind = || {
                let all = findings.found.iter().enumerate();
                all.filter(|(_, found)| found.finding.breaks == breaks)
            };
            let explained = same_kind().any(|(_, found)| {
                let told = found.finding.elsewhere.iter();
                told.chain([&found.minimal]).any(|other| is_part(other, &schedule))
            });
            let like = same_kind().find(|(_, found)| first(&found.minimal) == first(&schedule));
            let Some((index, _)) = like.or_else(|| same_kind().next()).filter(|_| !explained) else {
                continue;
            };
            let finding = &mut findings.found[index].finding;
            if finding.elsewhere.len() >= MOST_TOLD {
                finding.elsewhere_more += 1;
                continue;
            }
            let schedule = earliest(ledger, space, schedule, breaks)?;
            match confirm(ledger, &schedule, breaks, &finding.run, (times.min(CONFIRM), false))? {
                Confirmed::Yes(run, _) => {
                    if !finding.elsewhere.iter().any(|other| same(other, &run.schedule)) {
                        finding.elsewhere.push(run.schedule);
                    }
                }
                Confirmed::No(unstable) => findings.doubt(*unstable),
            }
        }
        Ok(())
    }
}

/// The same race with simpler actions, and at the earliest times at which it still breaks the same.
fn earliest(
    ledger: &mut Ledger<'_, '_>,
    space: &Space,
    mut best: Schedule,
    breaks: Broken,
) -> Result<Schedule, Halt> {
    for _ in 0..MOST_EARLIER {
        let mut better = None;
        for proposal in earlier(space, &best) {
            if ledger.breaks(&proposal, breaks)? && counts(ledger, space, &proposal, breaks)? {
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

fn earlier(space: &Space, best: &Schedule) -> Vec<Schedule> {
    let race = essence(best);
    let simplicity = space.simplicity(best);
    let mut proposals = Vec::new();
    for (index, step) in best.steps.iter().enumerate() {
        let like = |point: &Point| point.thread == step.thread && point.site == step.at;
        let like =
            space.all().filter(|&index| space.point(index).is_some_and(like) && !space.is_at_inner(index));
        for other in like.filter_map(|index| space.step(index)).filter(|other| other != step) {
            let mut steps = best.steps.clone();
            if let Some(place) = steps.get_mut(index) {
                *place = other;
            }
            proposals.push(space.sorted(steps));
        }
    }
    proposals.retain(|other| essence(other) == race && space.simplicity(other) < simplicity);
    proposals.sort_by_cached_key(|other| space.simplicity(other));
    proposals.truncate(MOST_EARLIER);
    proposals
}
