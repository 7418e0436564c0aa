//! Schedules that are already there: kept cases, or the one that is to be shrunk further.

use super::error::ExploreError;
use super::planner::{Planned, Planner};
use super::space::Space;
use crate::schedule::Schedule;
use std::sync::Arc;

/// The strategy that tries given schedules, each once.
pub(super) struct Fixed {
    left: std::vec::IntoIter<Schedule>,
}

impl Fixed {
    pub(super) fn new(schedules: Vec<Schedule>) -> Fixed {
        Fixed { left: schedules.into_iter() }
    }
}

impl Planner for Fixed {
    fn budget(&self) -> u64 {
        self.left.len() as u64
    }

    fn is_past_one_step(&self, _space: &Space, _tried: &dyn Fn(&Schedule) -> bool) -> bool {
        false
    }

    fn round(
        &mut self,
        space: &Arc<Space>,
        _tried: &dyn Fn(&Schedule) -> bool,
        size: usize,
    ) -> Result<Vec<Planned>, ExploreError> {
        let next = self.left.by_ref().take(size);
        Ok(next.map(|schedule| Planned::judged(space, space.sorted(schedule.steps))).collect())
    }
}
