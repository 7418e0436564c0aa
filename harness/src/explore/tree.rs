//! A schedule as proptest sees it: a value that knows the simpler ones.
//!
//! NOTE \[Shrink order\] Fewer steps are simpler; then simpler actions (a switch to all, then one to the
//! children or to one thread, then a signal or a timer); then fewer steps at the entering of a call, which few think of; then earlier points. Every proposal is strictly simpler than the best failing schedule so far, so
//! shrinking ends, and when it ends by itself the result is a local minimum: each proposal has passed. They are
//!
//! * for one step: no step at all, and every single step of the same kind (a switch, a timer, or the same signal) that is
//!   simpler, so the result is the earliest point that fails, of a loop's those that are tried first (NOTE \[Loops\] in
//!   `loops`);
//! * for more: every part of the schedule (of a long one: its halves, and all but one step), the hints, every single
//!   step, then each step made simpler or moved to an earlier point, one step at a time.
//!
//! A schedule of several steps may thus give way to a single step that it does not contain: a simpler schedule that
//! breaks the same expectation is what shrinking is for.
//!
//! Where only the first finding is wanted, most of these runs would be made for its looks alone. Then only what is close to the
//! schedule is proposed: besides its parts and the hints, steps at the same point, and in place of one at the entering of a call
//! those of the same thread with the same action; and no single step that leaves out what the outside does at home and in the schedule.

use super::space::Space;
use super::steps::{Kind, is_entering, kind, outside, weight};
use crate::schedule::{Action, Schedule, Step, Target};
use proptest::strategy::ValueTree;
use std::sync::Arc;

/// Up to this many steps all parts of a schedule are tried.
const ALL_PARTS: usize = 4;

/// So many points after the entering of a call are tried in its place.
const NEXT: usize = 2;

/// A schedule, the best that failed, and what remains to be proposed.
#[derive(Clone, Debug)]
pub(super) struct ScheduleTree {
    space: Arc<Space>,
    hints: Vec<Schedule>,
    /// Only what is close to the best is proposed.
    closely: bool,
    best: Schedule,
    current: Schedule,
    proposals: std::vec::IntoIter<Proposal>,
}

/// What is proposed.
#[derive(Clone, Debug)]
enum Proposal {
    /// This schedule.
    These(Schedule),
    /// The step of this index alone: there are too many to make each before its turn comes.
    Single(usize),
}

impl ScheduleTree {
    /// The tree of `schedule`, which is its own best until something simpler has failed.
    pub(super) fn new(space: Arc<Space>, schedule: Schedule) -> ScheduleTree {
        let best = schedule.clone();
        ScheduleTree {
            space,
            hints: Vec::new(),
            closely: false,
            best,
            current: schedule,
            proposals: Vec::new().into_iter(),
        }
    }

    /// Proposes these too, where they are simpler.
    pub(super) fn with_hints(mut self, hints: impl IntoIterator<Item = Schedule>) -> ScheduleTree {
        self.hints.extend(hints);
        self
    }

    /// Proposes only what is close to the schedule, if so.
    pub(super) fn closely(self, closely: bool) -> ScheduleTree {
        ScheduleTree { closely, ..self }
    }

    /// The simplest schedule that has failed.
    pub(super) fn best(&self) -> &Schedule {
        &self.best
    }

    fn propose(&mut self) -> bool {
        let next = self.proposals.next().and_then(|proposal| self.made(&proposal));
        let more = next.is_some();
        self.current = next.unwrap_or_else(|| self.best.clone());
        more
    }

    fn made(&self, proposal: &Proposal) -> Option<Schedule> {
        match proposal {
            Proposal::These(schedule) => Some(schedule.clone()),
            Proposal::Single(index) => Some(Schedule { steps: vec![self.space.step(*index)?] }),
        }
    }

    /// All proposals that are simpler than the best, in the order in which they are made.
    fn simpler(&self) -> Vec<Proposal> {
        let Schedule { steps } = &self.best;
        let mut proposals: Vec<Proposal> = parts(steps).into_iter().map(Proposal::These).collect();
        match steps.as_slice() {
            [] => {}
            [step] => {
                let like = |index: usize| {
                    let action = self.space.action(index);
                    action.is_some_and(|action| kind(action) == kind(&step.action))
                        && self.is_close(index, steps)
                };
                proposals.extend(self.singles(like));
            }
            _ => {
                proposals.extend(self.hints.iter().cloned().map(Proposal::These));
                let whole = self.left_out(steps.iter().map(|step| &step.action));
                let as_whole = |index: usize| self.left_out(self.space.action(index)) <= whole;
                let like = |index| !self.closely || self.is_close(index, steps) && as_whole(index);
                proposals.extend(self.singles(like));
                proposals.extend(self.moved(steps).into_iter().map(Proposal::These));
            }
        }
        let best = self.space.simplicity(&self.best);
        let simpler = |schedule: Schedule| self.space.simplicity(&schedule) < best;
        proposals.retain(|proposal| self.made(proposal).is_some_and(simpler));
        proposals
    }

    /// How much of what the outside does at home these actions leave out.
    fn left_out<'a>(&self, actions: impl IntoIterator<Item = &'a Action>) -> usize {
        self.space.missing(actions.into_iter().filter_map(outside)).len()
    }

    /// True if the step of this index is close to one of these, unless what is far is proposed as well.
    fn is_close(&self, index: usize, steps: &[Step]) -> bool {
        let Some((point, action)) = self.space.point(index).zip(self.space.action(index)) else {
            return false;
        };
        let close = |step: &Step| {
            let here = step.at == point.site && step.nth == point.nth;
            step.thread == point.thread && (here || is_entering(&step.at) && step.action == *action)
        };
        !self.closely || steps.iter().any(close)
    }

    /// The single steps of such indices, the simplest first: `Space::simplicity`, without a schedule for each.
    fn singles(&self, like: impl Fn(usize) -> bool) -> impl Iterator<Item = Proposal> {
        let space = &self.space;
        let mut singles: Vec<usize> = space.first().filter(|&index| like(index)).collect();
        singles.retain(|&index| !space.is_at_inner(index));
        let entering = |index: usize| space.point(index).is_some_and(|point| is_entering(&point.site));
        let key = |index: usize| {
            (space.action(index).map(weight), entering(index), space.place(index), space.action(index))
        };
        singles.sort_by(|&one, &other| key(one).cmp(&key(other)));
        singles.into_iter().map(Proposal::Single)
    }

    /// One step made simpler, or moved to an earlier point, or from the entering of a call to a point that is none.
    fn moved(&self, steps: &[Step]) -> Vec<Schedule> {
        let space = &self.space;
        let mut moved = Vec::new();
        let replace = |index: usize, with: &Step| {
            let others = steps.iter().enumerate().filter(|(other, _)| *other != index);
            let switched = |step: &Step| kind(&step.action) == Kind::Switch;
            let mut result: Vec<Step> = Vec::new();
            for (_, step) in others {
                // Two switches at one point are no use.
                if step == with || (step.point() == with.point() && switched(step) && switched(with)) {
                    return None;
                }
                result.push(step.clone());
            }
            result.insert(index.min(result.len()), with.clone());
            Some(space.sorted(result))
        };
        for (index, step) in steps.iter().enumerate() {
            if let Action::Switch(Target::Children | Target::To(_)) = step.action {
                let all = Step::new(step.point(), Action::Switch(Target::All));
                moved.extend(replace(index, &all));
            }
        }
        for (index, step) in steps.iter().enumerate() {
            let place = space.position(step);
            let simpler = |action: &Action| {
                let less = weight(action) < weight(&step.action);
                kind(action) == kind(&step.action) && (less || action == &step.action)
            };
            // Right after the entering of a call comes its sleep, or the next call.
            let plain = |index: usize| space.point(index).is_some_and(|point| !is_entering(&point.site));
            let last = if is_entering(&step.at) { place.saturating_add(NEXT) } else { place };
            let is_earlier = |index: &usize| {
                let other = space.place(*index);
                other.is_some_and(|other| other < place || other <= last && plain(*index) && other != place)
            };
            let mut earlier: Vec<usize> = space
                .all()
                .filter(|index| is_earlier(index) && !space.is_at_inner(*index))
                .filter(|&index| space.action(index).is_some_and(simpler))
                .filter(|&index| self.is_close(index, std::slice::from_ref(step)))
                .collect();
            earlier.sort_by_key(|&index| (space.action(index).map(weight), space.place(index)));
            let earlier = earlier.into_iter().filter_map(|index| space.step(index));
            moved.extend(earlier.filter_map(|other| replace(index, &other)));
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
