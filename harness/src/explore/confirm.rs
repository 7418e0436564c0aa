//! Runs schedules again. One that was shrunk, several times: each must break the same, and go and end the same way. Where
//! the plan is to verify, every schedule of the search once more.

use super::crew::Tried;
use super::error::Halt;
use super::ledger::Ledger;
use super::report::Unstable;
use super::steps::in_run_order;
use crate::schedule::Schedule;
use crate::trace::{Broken, Run, first_difference};

/// What came of confirming.
pub(super) enum Confirmed {
    /// It is a finding: one of the runs, whose schedule is in the order in which the steps were taken.
    Yes(Box<Run>),
    /// It is none.
    No(Box<Unstable>),
}

/// Runs `schedule` until that has been done so many times. `seen` is a run that broke the expectation: of this schedule, and then it is
/// one of them, or of a larger one.
pub(super) fn confirm(
    ledger: &mut Ledger<'_, '_>,
    schedule: &Schedule,
    breaks: Broken,
    seen: &Run,
    times: u32,
) -> Result<Confirmed, Halt> {
    let times = times.max(1) as usize;
    let mut runs = Vec::new();
    if seen.schedule == *schedule && times > 1 {
        runs.push(Tried { run: seen.clone(), tainted: 0 });
    }
    runs.extend(again(ledger, schedule, times - runs.len())?);
    if let Some(first) = runs.first() {
        // What is reported, and recorded, names the steps in the order in which they were taken.
        let ordered = in_run_order(schedule, &first.run);
        if ordered != *schedule {
            let last = again(ledger, &ordered, 1)?;
            runs.splice(0..0, last);
        }
    }
    let mut good: Option<Run> = None;
    for Tried { run, .. } in runs {
        let one = good.as_ref().unwrap_or(seen);
        let breaks_now = ledger.telling(&run);
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
            let unstable = Unstable { breaks: Some(breaks), schedule, why, one, other: Some(run), differs };
            return Ok(Confirmed::No(Box::new(unstable)));
        }
        good.get_or_insert(run);
    }
    // `again` gives at least one run or an error.
    good.map(|run| Confirmed::Yes(Box::new(run))).ok_or(Halt::Interrupted)
}

fn again(ledger: &mut Ledger<'_, '_>, schedule: &Schedule, count: usize) -> Result<Vec<Tried>, Halt> {
    let runs = ledger.make_extra(&vec![schedule.clone(); count], "confirming")?;
    if runs.len() < count { Err(Halt::Interrupted) } else { Ok(runs) }
}

/// Makes each of these runs a second time. Gives how many repeated themselves, and what did not.
pub(super) fn verify(ledger: &mut Ledger<'_, '_>, runs: &[&Run]) -> Result<(u64, Vec<Unstable>), Halt> {
    let schedules: Vec<Schedule> = runs.iter().map(|run| run.schedule.clone()).collect();
    let again = ledger.make_extra(&schedules, "running again, to verify")?;
    let (mut verified, mut doubts) = (0, Vec::new());
    for (one, Tried { run, .. }) in runs.iter().zip(again) {
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
                verified += 1;
                continue;
            }
        };
        let (schedule, one) = (one.schedule.clone(), (*one).clone());
        doubts.push(Unstable { breaks: None, schedule, why, one, other: Some(run), differs });
    }
    Ok((verified, doubts))
}
