//! Counts what was tried, of all that could be.

use super::report::Level;
use super::search::Search;
use super::space::sends;
use super::strategy::Planner;
use crate::schedule::{Point, Schedule, Step};
use crate::trace::{Broken, Run};
use std::collections::HashSet;

impl<J: Fn(&Run) -> Vec<Broken>> Search<'_, '_, J> {
    /// Counts where steps were taken, of those that the baseline offers.
    pub(super) fn cover(&mut self, planners: &[Box<dyn Planner>]) {
        let runs = [self.reference.plain(), &self.reference.run];
        let reached: HashSet<&Point> =
            runs.into_iter().flat_map(|run| &run.reached).map(|reached| &reached.point).collect();
        let coverage = &mut self.report.coverage;
        coverage.reached = reached.len();
        coverage.discovered = self.space.points().saturating_sub(reached.len());
        let taken_at: HashSet<Point> = self.taken.iter().map(Step::point).collect();
        let open: HashSet<Point> = self.space.first_steps().map(Step::point).collect();
        coverage.open = open.len();
        coverage.taken = open.intersection(&taken_at).count();
        if self.space.part().is_some() {
            coverage.not_taken = open.difference(&taken_at).cloned().collect();
            coverage.not_taken.sort();
        }
        for step in self.space.first_steps() {
            let taken = usize::from(self.taken.contains(step));
            let (all, done) = match sends(&step.action) {
                Some(_) => (&mut coverage.sends, &mut coverage.sends_taken),
                None => (&mut coverage.switches, &mut coverage.switches_taken),
            };
            *all += 1;
            *done += taken;
        }
        let tried = |schedule: &Schedule| self.ledger.contains_key(schedule);
        planners.iter().for_each(|planner| planner.cover(coverage, &tried));
        let ones: HashSet<Schedule> = self
            .space
            .first_steps()
            .map(|step| self.space.one(step))
            .filter(|one| self.space.owns(one))
            .collect();
        match coverage.levels.iter_mut().find(|level| level.steps == 1) {
            // Sending all signals where the reference run does is the one schedule that an exhaustive search need not plan.
            Some(level) if ones.contains(&self.space.home) => {
                level.all += 1;
                level.run += 1;
            }
            Some(_) => {}
            None => {
                let (all, run) = (ones.len() as u64, ones.iter().filter(|one| tried(one)).count() as u64);
                coverage.levels.insert(0, Level { steps: 1, all, run, ..Level::default() });
            }
        }
    }
}
