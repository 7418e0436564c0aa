//! A schedule as proptest sees it: a value that knows the simpler ones.
//!
//! NOTE \[Shrink order\] Fewer steps are simpler; then simpler actions (a switch to all, then a switch to one thread,
//! then a signal); then earlier points. Every proposal is strictly simpler than the best failing schedule so far, so
//! shrinking ends, and when it ends by itself the result is a local minimum: each proposal has passed. They are
//!
//! * for one step: no step at all, and every single step of the same kind (a switch, or the same signal) that is
//!   simpler, so the result is the earliest point that fails;
//! * for more: every part of the schedule (of a long one: its halves, and all but one step), the hints, every single
//!   step, then each step made simpler or moved to an earlier point, one step at a time.
//!
//! A schedule of several steps may thus give way to a single step that it does not contain: a simpler schedule that
//! breaks the same expectation is what shrinking is for.

use super::space::Space;
use super::steps::{kind, sends, weight};
use crate::schedule::{Action, Schedule, Step, Target};
use proptest::strategy::ValueTree;
use std::sync::Arc;

/// Up to this many steps all parts of a schedule are tried.
const ALL_PARTS: usize = 4;

/// A schedule, the best that failed, and what remains to be proposed.
#[derive(Clone, Debug)]
pub(super) struct ScheduleTree {
    space: Arc<Space>,
    hints: Vec<Schedule>,
    best: Schedule,
    current: Schedule,
    proposals: std::vec::IntoIter<Schedule>,
}

impl ScheduleTree {
    /// The tree of `schedule`, which is its own best until something simpler has failed.
    pub(super) fn new(space: Arc<Space>, schedule: Schedule) -> ScheduleTree {
        let best = schedule.clone();
        ScheduleTree { space, hints: Vec::new(), best, current: schedule, proposals: Vec::new().into_iter() }
    }

    /// Proposes these too, where they are simpler.
    pub(super) fn with_hints(mut self, hints: impl IntoIterator<Item = Schedule>) -> ScheduleTree {
        self.hints.extend(hints);
        self
    }

    /// The simplest schedule that has failed.
    pub(super) fn best(&self) -> &Schedule {
        &self.best
    }

    fn propose(&mut self) -> bool {
        let next = self.proposals.next();
        let more = next.is_some();
        self.current = next.unwrap_or_else(|| self.best.clone());
        more
    }

    /// All proposals that are simpler than the best, in the order in which they are made.
    fn simpler(&self) -> Vec<Schedule> {
        let Schedule { steps } = &self.best;
        let mut proposals = parts(steps);
        match steps.as_slice() {
            [] => {}
            [step] => {
                let like = self.space.first_steps().filter(|other| kind(other) == kind(step));
                let mut singles: Vec<Schedule> =
                    like.map(|step| Schedule { steps: vec![step.clone()] }).collect();
                singles.sort_by_cached_key(|single| self.space.simplicity(single));
                proposals.extend(singles);
            }
            _ => {
                proposals.extend(self.hints.iter().cloned());
                let singles = self.space.first_steps().map(|step| Schedule { steps: vec![step.clone()] });
                let mut singles: Vec<Schedule> = singles.collect();
                singles.sort_by_cached_key(|single| self.space.simplicity(single));
                proposals.extend(singles);
                proposals.extend(self.moved(steps));
            }
        }
        let best = self.space.simplicity(&self.best);
        proposals.retain(|schedule| self.space.simplicity(schedule) < best);
        proposals
    }

    /// One step made simpler, or moved to an earlier point.
    fn moved(&self, steps: &[Step]) -> Vec<Schedule> {
        let mut moved = Vec::new();
        let replace = |index: usize, with: &Step| {
            let others = steps.iter().enumerate().filter(|(other, _)| *other != index);
            let switched = |step: &Step| sends(&step.action).is_none();
            let mut result: Vec<Step> = Vec::new();
            for (_, step) in others {
                // Two switches at one point are no use.
                if step == with || (step.point() == with.point() && switched(step) && switched(with)) {
                    return None;
                }
                result.push(step.clone());
            }
            result.insert(index.min(result.len()), with.clone());
            Some(self.space.sorted(result))
        };
        for (index, step) in steps.iter().enumerate() {
            if let Action::Switch(Target::To(_)) = step.action {
                let all = Step::new(step.point(), Action::Switch(Target::All));
                moved.extend(replace(index, &all));
            }
        }
        for (index, step) in steps.iter().enumerate() {
            let place = self.space.position(step);
            let mut earlier: Vec<&Step> = self
                .space
                .steps
                .iter()
                .filter(|other| kind(other) == kind(step) && self.space.position(other) < place)
                .filter(|other| other.action == step.action || weight(&other.action) < weight(&step.action))
                .collect();
            earlier.sort_by_cached_key(|other| (weight(&other.action), self.space.position(other)));
            moved.extend(earlier.into_iter().filter_map(|other| replace(index, other)));
        }
        moved
    }
}

/// The parts of a schedule, those of the fewest steps first.
fn parts(steps: &[Step]) -> Vec<Schedule> {
    let pick = |keep: &dyn Fn(usize) -> bool| {
        let kept = steps.iter().enumerate().filter(|(index, _)| keep(*index)).map(|(_, step)| step.clone());
        Schedule { steps: kept.collect() }
    };
    let count = steps.len();
    let mut parts: Vec<Schedule> = if count <= ALL_PARTS {
        (0..(1_usize << count)).map(|mask| pick(&|index| mask >> index & 1 == 1)).collect()
    } else {
        let halves = [pick(&|_| false), pick(&|index| index < count / 2), pick(&|index| index >= count / 2)];
        halves.into_iter().chain((0..count).map(|gone| pick(&|index| index != gone))).collect()
    };
    parts.retain(|part| part.steps.len() < count);
    parts.sort_by_key(|part| part.steps.len());
    parts
}

impl ValueTree for ScheduleTree {
    type Value = Schedule;

    fn current(&self) -> Schedule {
        self.current.clone()
    }

    /// The current schedule has failed: it is the best now, and something simpler is proposed.
    fn simplify(&mut self) -> bool {
        self.best = self.current.clone();
        self.proposals = self.simpler().into_iter();
        self.propose()
    }

    /// The current schedule has passed: the next proposal takes its place, or at last the best that failed.
    fn complicate(&mut self) -> bool {
        self.propose()
    }
}
