//! The list of strategies. One more is one more file and one more line here.

use super::fixed::Fixed;
use super::random::Random;
use super::space::Space;
use super::tree::ScheduleTree;
use super::{ExploreError, Plan};
use crate::scenario::Strategy;
use crate::schedule::Schedule;
use std::sync::Arc;

/// A strategy at work: it plans the schedules of one round after the other.
pub(super) trait Planner {
    /// How many runs it may make.
    fn budget(&self) -> u64;

    /// The schedules of the next round, at most `size`; none when it has nothing left to try.
    ///
    /// `tried` is true for a schedule that was run before this round.
    fn round(
        &mut self,
        space: &Arc<Space>,
        tried: &dyn Fn(&Schedule) -> bool,
        size: usize,
    ) -> Result<Vec<ScheduleTree>, ExploreError>;
}

/// The planners of `plan`, in the order in which they have their turn.
pub(super) fn planners(plan: &Plan) -> Vec<Box<dyn Planner>> {
    let mut planners: Vec<Box<dyn Planner>> = vec![Box::new(Fixed::new(plan.fixed.clone()))];
    for (index, strategy) in (0_u64..).zip(&plan.strategies) {
        planners.push(match strategy {
            Strategy::Random { runs } => Box::new(Random::new(plan.seed, index, *runs)),
        });
    }
    planners
}
