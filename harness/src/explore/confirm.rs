//! Runs schedules again. One that was shrunk, several times: each must go and
//! end the same way. Where the
//! plan is to verify, every schedule of the search once more.

use super::crew::Tried;
use super::report::Unstable;
use super::search::{Halt, Search};
use super::space::in_run_order;
use super::{Doing, ExploreError};
use crate::schedule::Schedule;
use crate::trace::{Broken, Run, first_difference};

/// What came of confirming.
pub(super) enum Confirmed {
    /// It is a finding: one of the runs, whose schedule is in the order in which the steps were taken.
    Yes(Box<Run>),
    /// It is none.
    No(Box<Unstable>),
}

impl<J: Fn(&Run) -> Vec<Broken>> Search<'_, '_, J> {
    /// Runs `schedule` again, so many times. `seen` is a run that broke the expectation, of this schedule or a larger one.
    pub(super) fn confirm(
        &mut self,
        schedule: &Schedule,
        breaks: Broken,
        seen: &Run,
        times: u32,
    ) -> Result<Confirmed, Halt> {
        self.tell(Doing::Confirming);
        let count = times.max(1) as usize;
        let mut runs = self.again(schedule, count)?;
        if let Some(first) = runs.first() {
            // What is reported, and recorded, names the steps in the order in which they were taken.
            let ordered = in_run_order(schedule, &first.run);
            if ordered != *schedule {
                let last = self.again(&ordered, 1)?;
                runs.splice(0..0, last);
            }
        }
        let mut good: Option<Run> = None;
        for Tried { run, .. } in runs {
            let one = good.as_ref().unwrap_or(seen);
            let breaks_now = self.telling(&run);
            let differs = good.as_ref().and_then(|good| first_difference(good, &run));
            let why = if let Some(taint) = &run.taint {
                Some(format!("every run of it is tainted: {taint}"))
            } else if !run.unreached.is_empty() {
                Some("a step of it was taken in one run and not in another".to_owned())
            } else if breaks_now != Some(breaks) {
                let now = breaks_now.map_or("nothing".to_owned(), |now| format!("{now:?}"));
                Some(format!("one run breaks {breaks:?}, another {now}"))
            } else {
                differs.map(|index| format!("two runs differ from event {index} on"))
            };
            if let Some(why) = why {
                let same = one.schedule == run.schedule;
                let differs = if same { differs.or_else(|| first_difference(one, &run)) } else { None };
                let (one, schedule) = (one.clone(), schedule.clone());
                let unstable =
                    Unstable { breaks: Some(breaks), schedule, why, one, other: Some(run), differs };
                return Ok(Confirmed::No(Box::new(unstable)));
            }
            good.get_or_insert(run);
        }
        // `again` gives at least one run or an error.
        good.map(|run| Confirmed::Yes(Box::new(run))).ok_or(Halt::Interrupted)
    }

    /// Where the plan is to verify, makes each of these runs a second time: the events must be equal.
    pub(super) fn verify(&mut self, runs: &[&Run]) -> Result<(), Halt> {
        if !self.plan.verify {
            return Ok(());
        }
        let schedules: Vec<Schedule> = runs.iter().map(|run| run.schedule.clone()).collect();
        let doing = |index: usize| {
            let schedule = schedules.get(index).cloned().unwrap_or_default();
            format!("running again, to verify ({schedule})")
        };
        let again = self.crew.try_all(&schedules);
        let again = again.map_err(|(index, error)| ExploreError::run(doing(index))(error))?;
        for (one, Tried { run, tainted }) in runs.iter().zip(again) {
            self.report.extra_runs += 1;
            self.report.tainted += tainted;
            if one.taint.is_some() || run.taint.is_some() {
                continue;
            }
            let differs = first_difference(one, &run);
            let why = match differs {
                Some(index) => format!("two runs differ from event {index} on"),
                None if !one.outcome.is_like(&run.outcome) => {
                    "two runs go the same way and end differently".to_owned()
                }
                None => {
                    self.report.verified += 1;
                    continue;
                }
            };
            let (schedule, one) = (one.schedule.clone(), (*one).clone());
            self.doubt(Unstable { breaks: None, schedule, why, one, other: Some(run), differs });
        }
        Ok(())
    }

    fn again(&mut self, schedule: &Schedule, count: usize) -> Result<Vec<Tried>, Halt> {
        let schedules = vec![schedule.clone(); count];
        let doing = || format!("confirming ({schedule})");
        let runs = self.crew.try_all(&schedules).map_err(|(_, error)| ExploreError::run(doing())(error))?;
        self.report.extra_runs += runs.len() as u64;
        self.report.tainted += runs.iter().map(|tried| tried.tainted).sum::<u64>();
        if runs.len() < count { Err(Halt::Interrupted) } else { Ok(runs) }
    }
}
