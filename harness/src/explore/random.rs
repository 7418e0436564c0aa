//! Random schedules, with proptest's seeded chance; none twice.
//!
//! Of every eight schedules seven take one step (besides the signals that every run sends), as long as there is one that
//! was not tried: in random order, but those first that are likely to matter ([`likely`]), of those what can be done at few places
//! only ([`rare`]), then those that stand for later ones (NOTE \[Independent calls\] in `independence`), then the ones where a thread has
//! not been often, and switches to one thread after all others. Where other searches wait for their turn and something is sent, the places
//! where it is sent come before switches that are as likely: these are tried where nothing is sent as well. What may yet be shown to go like another waits for that: a switch to one
//! thread, or at the entering of a call, NOTE \[Alone\] and NOTE \[Entered alike\] in `twins`. Those at visits of a loop that are not tried first (NOTE \[Loops\] in `loops`) come when the others are used up, half
//! of the time. The eighth, unless other searches wait for their turn, and all when the single steps are used up, takes two or three: NOTE \[One more step\] in `branches`.
//! Before all of these come those of NOTE \[Opened sleeps\] there. It ends when its runs are used up, or nothing is left.

use super::chance::{pick, planning, runner};
use super::error::ExploreError;
use super::planner::{Planned, Planner};
use super::space::Space;
use super::steps::outside;
use super::twins::before;
use crate::schedule::{Action, Point, Schedule, Site, Step, Target};
use crate::supervise::may_wait;
use crate::trace::Run;
use branches::Branches;
use indexmap::IndexSet;
use proptest::test_runner::TestRunner;
use std::sync::Arc;

/// One schedule in so many takes several steps while single ones are left.
const SEVERAL_EVERY: u64 = 8;
/// And one in so many while only those are left that are far inside a loop.
const SEVERAL_EVERY_INNER: u64 = 2;
/// How often a schedule that was tried before is drawn again, before what is left is looked for.
const DRAWS: usize = 16;
/// And at most so often where most belong to other parts of the search.
const MOST_DRAWS: usize = 4096;

/// The strategy at work.
pub(super) struct Random {
    runner: TestRunner,
    runs: u64,
    planned: u64,
    branches: Branches,
}

impl Random {
    /// The `index`th strategy of a plan with this seed.
    pub(super) fn new((seed, index): (u64, u64), runs: u64, space: &Space) -> Random {
        Random { runner: runner(seed, index, 0), runs, planned: 0, branches: Branches::new(space) }
    }

    /// The steps that make schedules of one step that were not tried: those that come first, or at the inner visits of loops. Of those
    /// that others of them may yet show to go like they do it is said whether there are any; they are given when there are no others.
    fn singles(&self, space: &Space, tried: &dyn Fn(&Schedule) -> bool, inner: bool) -> (Vec<usize>, bool) {
        let (ready, open): (Vec<_>, Vec<_>) = left(space, tried, inner).partition(|(_, ready)| *ready);
        let numbers = |left: Vec<(usize, bool)>| left.into_iter().map(|(index, _)| index).collect();
        if ready.is_empty() { (numbers(open), false) } else { (numbers(ready), !open.is_empty()) }
    }

    /// One of these steps, of the first class that there is: classes, not odds, so many runs try so many steps.
    fn single(&mut self, space: &Space, from: &[usize]) -> Result<Option<Schedule>, ExploreError> {
        let class = |index: &usize| {
            let to_one = |action: &Action| matches!(action, Action::Switch(Target::To(_)));
            let to_one = space.action(*index).is_none_or(to_one);
            let known = space.step(*index).is_some_and(|step| before(&step).is_some());
            let point = space.point(*index);
            let unlikely = !known && !point.is_some_and(|point| likely(&point.site));
            let sends = space.is_in_turns() && !space.acts.is_empty();
            let aside = sends && space.action(*index).is_none_or(|action| outside(action).is_none());
            // What stands for none but itself, where nothing else tells one from another.
            let alone = unlikely && !space.is_waited_for(*index);
            let few =
                space.action(*index).zip(point).is_some_and(|(action, point)| rare(action, &point.site));
            (to_one, unlikely, aside, !few, alone, point.map_or(0, visits))
        };
        let first = from.iter().map(class).min();
        let of_it: Vec<usize> = from.iter().filter(|index| Some(class(index)) == first).copied().collect();
        let drawn = pick(&mut self.runner, &of_it).map_err(planning)?;
        Ok(drawn.and_then(|index| space.step(*index)).map(|step| space.one(&step)))
    }
}

/// The steps that make schedules of one step that were not tried and are not known to go like others: those that come first, or at
/// the inner visits of loops. With each, false if another one may yet show that it does.
fn left<'a>(
    space: &'a Space,
    tried: &'a dyn Fn(&Schedule) -> bool,
    inner: bool,
) -> impl Iterator<Item = (usize, bool)> + 'a {
    let untried = |one: &Schedule| !tried(one) && space.owns(one);
    let shown = |step: &Step| {
        let asked = before(step).is_none_or(|before| space.allows(&before.at));
        if asked { space.one_shown(step) } else { Some(false) }
    };
    let indices = space.first().filter(move |index| space.is_at_inner(*index) == inner);
    indices.filter_map(move |index| {
        let step = space.step(index).filter(|step| untried(&space.one(step)))?;
        match shown(&step) {
            Some(true) => None,
            Some(false) => Some((index, true)),
            None => Some((index, false)),
        }
    })
}

/// True where most races are: just before a call that may wait, in it, after a fork, and where the program says so.
fn likely(site: &Site) -> bool {
    match site {
        Site::Before(call) => may_wait(*call),
        Site::In(_) | Site::After(_) | Site::Probe(_) | Site::Quiet => true,
        Site::Entering(_) | Site::At(_) => false,
    }
}

/// True for what there are few places to do, each of them a classic: to interrupt a call that sleeps, and to have all children end
/// before their parent goes on.
fn rare(action: &Action, site: &Site) -> bool {
    match action {
        Action::Send(_) | Action::SendGroup(_) => matches!(site, Site::In(_)),
        Action::Switch(Target::Children) => true,
        Action::Switch(Target::All | Target::To(_))
        | Action::Fire
        | Action::Type(_)
        | Action::Resize(..)
        | Action::HangUp => false,
    }
}

/// How often a thread has been there, roughly: what it does for the hundredth time, it mostly does as it did before.
fn visits(point: &Point) -> u32 {
    point.nth.checked_ilog2().unwrap_or(0) / 2
}

impl Planner for Random {
    fn budget(&self) -> u64 {
        self.runs
    }

    fn is_past_one_step(&self, space: &Space, tried: &dyn Fn(&Schedule) -> bool) -> bool {
        left(space, tried, false).next().is_none()
    }

    fn round(
        &mut self,
        space: &Arc<Space>,
        tried: &dyn Fn(&Schedule) -> bool,
        size: usize,
    ) -> Result<Vec<Planned>, ExploreError> {
        let one = |index: &usize| space.step(*index).map(|step| space.one(&step));
        let untried = |one: &Schedule| !tried(one) && space.owns(one);
        let (mut single, mut open) = self.singles(space, tried, false);
        let inner = single.is_empty();
        if inner {
            (single, open) = self.singles(space, tried, true);
        }
        let every = if inner { SEVERAL_EVERY_INNER } else { SEVERAL_EVERY };
        let parts = space.part().map_or(1, |part| usize::try_from(part.of).unwrap_or(usize::MAX));
        let draws = DRAWS.saturating_mul(parts).min(MOST_DRAWS);
        let mut drawn: IndexSet<Schedule> = IndexSet::new();
        let mut several_left = true;
        while drawn.len() < size && (several_left || !single.is_empty()) {
            let new = |one: &Schedule| untried(one) && !drawn.contains(one);
            if let Some(schedule) = self.branches.asleep(&new) {
                drawn.insert(schedule);
                continue;
            }
            // This round shows more of them.
            if open && single.is_empty() {
                break;
            }
            self.planned += 1;
            let one_by_one = space.is_in_turns() && !inner;
            let several = several_left && self.planned.is_multiple_of(every) && !one_by_one;
            let alone = !several && !single.is_empty();
            let schedule = if alone {
                self.single(space, &single)?
            } else {
                let new = |one: &Schedule| untried(one) && !drawn.contains(one);
                let longer = self.branches.draw(space, &mut self.runner, draws, &new)?;
                several_left = longer.is_some();
                longer
            };
            let Some(schedule) = schedule else { continue };
            single.retain(|index| one(index).as_ref() != Some(&schedule));
            drawn.insert(schedule);
        }
        Ok(drawn.into_iter().map(|schedule| Planned::judged(space, schedule)).collect())
    }

    fn learn(&mut self, space: &Space, runs: &[Run], _own: bool) -> Result<(), ExploreError> {
        runs.iter().for_each(|run| self.branches.take(space, run));
        Ok(())
    }
}

mod branches;
