//! What a strategy is to a search: it plans the schedules of one round after the other.

use super::error::ExploreError;
use super::report::Coverage;
use super::space::Space;
use super::tree::ScheduleTree;
use crate::schedule::Schedule;
use crate::trace::Run;
use std::sync::Arc;

/// A schedule that is to be tried, with its simpler ones.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// The schedule.
    pub(super) tree: ScheduleTree,
    /// True if the run only shows what can be planned next: it leaves out a signal that every run is to send, so it is
    /// neither judged nor counted among the outcomes.
    pub(super) probe: bool,
    /// True for a probe whose schedule another part of the search tries: every part makes it.
    pub(super) shared: bool,
}

impl Planned {
    /// A schedule whose run is judged.
    pub(super) fn judged(space: &Arc<Space>, schedule: Schedule) -> Planned {
        Planned { tree: ScheduleTree::new(space.clone(), schedule), probe: false, shared: false }
    }
}

/// A strategy at work: it plans the schedules of one round after the other.
pub(super) trait Planner {
    /// How many runs it may make.
    fn budget(&self) -> u64;

    /// How many runs it is going to make, as far as that is known; for the display only.
    fn expected(&self) -> u64 {
        self.budget()
    }

    /// True if it tries all that there is: then it is worth telling that its runs were used up.
    fn exhausts(&self) -> bool {
        false
    }

    /// True if what it has left takes more than one step, besides what is sent in every run.
    fn is_past_one_step(&self, space: &Space, tried: &dyn Fn(&Schedule) -> bool) -> bool {
        let _ = (space, tried);
        true
    }

    /// The schedules of the next round, at most `size`; none when it has nothing left to try.
    ///
    /// `tried` is true for a schedule that was run before this round.
    fn round(
        &mut self,
        space: &Arc<Space>,
        tried: &dyn Fn(&Schedule) -> bool,
        size: usize,
    ) -> Result<Vec<Planned>, ExploreError>;

    /// Is shown the runs of each round, in order. `own` is true for the rounds that it has planned itself.
    fn learn(&mut self, space: &Space, runs: &[Run], own: bool) -> Result<(), ExploreError> {
        let _ = (space, runs, own);
        Ok(())
    }

    /// What it adds to the coverage of the search.
    fn cover(&self, space: &Space, coverage: &mut Coverage, tried: &dyn Fn(&Schedule) -> bool) {
        let _ = (space, coverage, tried);
    }
}
