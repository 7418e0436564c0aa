//! Counts what was tried, of all that could be.

use super::planner::Planner;
use super::report::{Coverage, Level};
use super::space::Space;
use super::steps::{Kind, digest, kind};
use crate::schedule::{Point, Schedule, Step};
use std::collections::HashSet;

/// Counts where steps were taken, of those that the baseline offers.
///
/// `reached` are the points of the baseline, `taken` the steps of all runs, and `tried` is true for a schedule that was run.
pub(super) fn cover(
    space: &Space,
    reached: &HashSet<&Point>,
    taken: &HashSet<Step>,
    tried: &dyn Fn(&Schedule) -> bool,
    planners: &[Box<dyn Planner>],
) -> Coverage {
    // What is known to go like another schedule is as good as tried.
    let shown: HashSet<Step> =
        space.first_steps().filter(|step| space.one_shown(step) == Some(true)).collect();
    let taken_at: HashSet<Point> = taken.iter().chain(&shown).map(Step::point).collect();
    let taken_at: HashSet<&Point> = taken_at.iter().collect();
    let open: HashSet<&Point> = space.first().filter_map(|index| space.point(index)).collect();
    let mut coverage = Coverage {
        reached: reached.len(),
        discovered: space.points().saturating_sub(reached.len()),
        open: open.len(),
        taken: open.intersection(&taken_at).count(),
        ..Coverage::default()
    };
    if space.part().is_some() {
        coverage.not_taken = open.difference(&taken_at).map(|point| (*point).clone()).collect();
        coverage.not_taken.sort();
    }
    for step in space.first_steps() {
        let made = usize::from(taken.contains(&step));
        let (all, done) = match kind(&step.action) {
            Kind::Outside(_) => (&mut coverage.sends, &mut coverage.sends_taken),
            Kind::Fire => (&mut coverage.fires, &mut coverage.fires_taken),
            Kind::Switch => (&mut coverage.switches, &mut coverage.switches_taken),
        };
        *all += 1;
        *done += made;
    }
    planners.iter().for_each(|planner| planner.cover(space, &mut coverage, tried));
    let (mut ones, mut run, mut same) = (HashSet::new(), 0, 0);
    for step in space.first_steps() {
        let one = space.one(&step);
        if space.owns(&one) && ones.insert(digest(&one)) {
            let made = tried(&one);
            run += u64::from(made);
            same += u64::from(!made && shown.contains(&step));
        }
    }
    match coverage.levels.iter_mut().find(|level| level.steps == 1) {
        // Sending all signals where the reference run does is the one schedule that an exhaustive search need not plan.
        Some(level) if ones.contains(&digest(&space.home)) => {
            level.all += 1;
            level.run += 1;
        }
        Some(_) => {}
        None => {
            let all = ones.len() as u64;
            coverage.levels.insert(0, Level { steps: 1, all, run, same, ..Level::default() });
        }
    }
    coverage
}
