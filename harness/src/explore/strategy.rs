//! The list of strategies. One more is one more file and one more line here.

use super::exhaustive::Exhaustive;
use super::fixed::Fixed;
use super::pct::Pct;
use super::plan::Plan;
use super::planner::Planner;
use super::random::Random;
use super::reference::Reference;
use super::space::Space;
use crate::scenario::Strategy;

/// The planners of `plan`, in the order in which they have their turn.
pub(super) fn planners(plan: &Plan, space: &Space, reference: &Reference) -> Vec<Box<dyn Planner>> {
    let mut planners: Vec<Box<dyn Planner>> = vec![Box::new(Fixed::new(plan.fixed.clone()))];
    for (index, strategy) in (0_u64..).zip(&plan.strategies) {
        planners.push(match strategy {
            Strategy::Random { runs } => Box::new(Random::new((plan.seed, index), plan.share(*runs), space)),
            Strategy::Pct { depth, runs } => {
                Box::new(Pct::new((plan.seed, index), (*depth, plan.share(*runs)), space, reference))
            }
            Strategy::Exhaustive { bound, runs } => {
                let runs = runs.map_or(u64::MAX, |runs| plan.share(runs));
                Box::new(Exhaustive::new(*bound, runs, plan.prune, space, reference))
            }
        });
    }
    planners
}
