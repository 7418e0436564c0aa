//! Random schedules, by a seeded proptest strategy.
//!
//! Of every eight schedules seven take one step that was not tried before (besides the signals that every run sends),
//! as long as there is one: each such step is tried once before any is tried again, in random order, switches to one
//! thread after all others since a switch to all mostly does the same. The eighth, and all when the single steps are
//! used up, takes two or three steps; a later step is drawn half of the time from those that only an earlier one has
//! made possible. A schedule that was tried is drawn again a few times; when chance finds no new one, it is run again,
//! and the search checks that it goes as before.

use super::chance::{below, pick, planning, runner};
use super::error::ExploreError;
use super::planner::{Planned, Planner};
use super::space::Space;
use super::steps::weight;
use super::tree::ScheduleTree;
use crate::schedule::{Action, Schedule, Step};
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::{Reason, TestRunner};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// One schedule in so many takes several steps while single ones are left.
const SEVERAL_EVERY: u64 = 8;
/// How often a schedule that was tried before is drawn again.
const DRAWS: usize = 16;
/// And at most so often where most belong to other parts of the search.
const MOST_DRAWS: usize = 4096;

/// The strategy at work.
pub(super) struct Random {
    runner: TestRunner,
    runs: u64,
    planned: u64,
}

impl Random {
    /// The `index`th strategy of a plan with this seed.
    pub(super) fn new(seed: u64, index: u64, runs: u64) -> Random {
        Random { runner: runner(seed, index, 0), runs, planned: 0 }
    }
}

impl Planner for Random {
    fn budget(&self) -> u64 {
        self.runs
    }

    fn round(
        &mut self,
        space: &Arc<Space>,
        tried: &dyn Fn(&Schedule) -> bool,
        size: usize,
    ) -> Result<Vec<Planned>, ExploreError> {
        let mut trees = Vec::new();
        if space.all().is_empty() {
            return Ok(trees);
        }
        let new = |one: &Schedule| !tried(one) && space.owns(one);
        let one = |index: usize| space.step(index).map(|step| space.one(&step));
        let mut single: Vec<usize> =
            space.first().filter(|&index| one(index).is_some_and(|one| new(&one))).collect();
        let mut drawn: HashSet<Schedule> = HashSet::new();
        for _ in 0..size {
            self.planned += 1;
            let alone = !single.is_empty() && !self.planned.is_multiple_of(SEVERAL_EVERY);
            let schedules = if alone {
                // Classes, not odds: so many runs try so many steps.
                let class = |index: &usize| space.action(*index).is_some_and(|action| weight(action) == 1);
                let later = single.iter().all(class);
                let from = single.iter().filter(|index| class(index) == later).copied().collect();
                Schedules::Single(space.clone(), from)
            } else {
                Schedules::Several(space.clone())
            };
            let mut tree = schedules.new_tree(&mut self.runner).map_err(planning)?;
            let parts = space.part().map_or(1, |part| usize::try_from(part.of).unwrap_or(usize::MAX));
            for _ in 0..DRAWS.saturating_mul(parts).min(MOST_DRAWS) {
                let schedule = tree.current();
                if !tried(&schedule) && !drawn.contains(&schedule) && space.owns(&schedule) {
                    break;
                }
                tree = schedules.new_tree(&mut self.runner).map_err(planning)?;
            }
            let schedule = tree.current();
            single.retain(|&index| one(index).as_ref() != Some(&schedule));
            if space.owns(&schedule) {
                drawn.insert(schedule);
                trees.push(Planned { tree, probe: false, shared: false });
            }
        }
        Ok(trees)
    }
}

/// Schedules over the steps of a space.
#[derive(Debug)]
enum Schedules {
    /// One of these steps, by their indices, besides the signals at home.
    Single(Arc<Space>, Vec<usize>),
    /// Two or three steps, or one and the signals, which may be anywhere.
    Several(Arc<Space>),
}

impl Strategy for Schedules {
    type Tree = ScheduleTree;
    type Value = Schedule;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Schedules> {
        match self {
            Schedules::Single(space, steps) => {
                let step = pick(runner, steps)?.and_then(|&index| space.step(index));
                Ok(ScheduleTree::new(space.clone(), space.one(&step.ok_or("no step is left")?)))
            }
            Schedules::Several(space) => Ok(ScheduleTree::new(space.clone(), several(space, runner)?)),
        }
    }
}

/// A schedule of several steps.
fn several(space: &Space, runner: &mut TestRunner) -> Result<Schedule, Reason> {
    let free = |action: &Action| !space.acts.contains(action);
    let fewest = if space.acts.is_empty() { 2 } else { 1 };
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..fewest + below(runner, 2)? {
        let all = if steps.is_empty() { space.first() } else { space.all() };
        if let Some(step) = later(space, runner, &steps, all, &free)?
            && !steps.iter().any(|other| other.point() == step.point())
        {
            steps.push(step);
        }
    }
    for act in &space.acts {
        let is_it = |action: &Action| action == act;
        let home = space.home.steps.iter().find(|step| is_it(&step.action));
        let away = below(runner, 2)? == 1 || home.is_none();
        let drawn = if away { later(space, runner, &steps, space.all(), &is_it)? } else { None };
        steps.extend(drawn.or_else(|| home.cloned()));
    }
    Ok(space.sorted(steps))
}

/// One of `all` with such an action, or half of the time one that only the steps so far have made possible.
fn later(
    space: &Space,
    runner: &mut TestRunner,
    steps: &[Step],
    all: Range<usize>,
    wanted: &dyn Fn(&Action) -> bool,
) -> Result<Option<Step>, Reason> {
    let wanted = |index: &usize| space.action(*index).is_some_and(wanted);
    let opened: Vec<usize> = steps.iter().flat_map(|step| space.opened(step)).filter(wanted).collect();
    let from =
        if !opened.is_empty() && below(runner, 2)? == 0 { opened } else { all.filter(wanted).collect() };
    Ok(pick(runner, &from)?.and_then(|&index| space.step(index)))
}
