//! Runs schedules again. One that was shrunk, several times: each must break the same, and go and end the same way. Where
//! the plan is to verify, every schedule of the search once more.

use super::crew::Tried;
use super::error::Halt;
use super::ledger::Ledger;
use super::report::{Looked, Unstable};
use super::steps::in_run_order;
use crate::schedule::Schedule;
use crate::supervise::Observe;
use crate::trace::{Broken, Run, first_difference};

/// What came of confirming.
pub(super) enum Confirmed {
    /// It is a finding: one of the runs, whose schedule is in the order in which the steps were taken. If one of the runs was looked at,
    /// with what was seen.
    Yes(Box<Run>, Option<Looked>),
    /// It is none.
    No(Box<Unstable>),
}

/// Runs `schedule` until that has been done so many `times`. `seen` is a run that broke the expectation: of this schedule, and then it
/// is one of them, or of a larger one. If it `looks`, the last of several runs is looked at for where the threads are: one that comes
/// out otherwise tells nothing, and is made once more as it is.
pub(super) fn confirm(
    ledger: &mut Ledger<'_, '_>,
    schedule: &Schedule,
    breaks: Broken,
    seen: &Run,
    (times, looks): (u32, bool),
) -> Result<Confirmed, Halt> {
    let times = times.max(1) as usize;
    let mut runs = Vec::new();
    if seen.schedule == *schedule && times > 1 {
        runs.push(Tried { run: seen.clone(), tainted: 0 });
    }
    let looks = looks && times > 1;
    runs.extend(again(ledger, schedule, times - runs.len() - usize::from(looks))?);
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
        if let Some(unstable) = doubt(ledger, (schedule, breaks), good.as_ref(), seen, &run) {
            return Ok(Confirmed::No(unstable));
        }
        good.get_or_insert(run);
    }
    // There was at least one, or an error.
    let Some(good) = good else { return Err(Halt::Interrupted) };
    if !looks {
        return Ok(Confirmed::Yes(Box::new(good), None));
    }
    let made = ledger.see(&good.schedule, &Observe::Where { crashes: good.crashes() })?;
    let is_like = |run: &Run| run.events == good.events && good.outcome.is_like(&run.outcome);
    if let Some((run, observed)) = made
        && is_like(&run)
        && doubt(ledger, (schedule, breaks), Some(&good), seen, &run).is_none()
    {
        return Ok(Confirmed::Yes(Box::new(good), Some((observed.places, observed.seen))));
    }
    for Tried { run, .. } in again(ledger, &good.schedule, 1)? {
        if let Some(unstable) = doubt(ledger, (schedule, breaks), Some(&good), seen, &run) {
            return Ok(Confirmed::No(unstable));
        }
    }
    Ok(Confirmed::Yes(Box::new(good), None))
}

/// Why this run does not confirm what `seen` and those before it, of which `good` is one, have shown, if it does not.
fn doubt(
    ledger: &Ledger<'_, '_>,
    (schedule, breaks): (&Schedule, Broken),
    good: Option<&Run>,
    seen: &Run,
    run: &Run,
) -> Option<Box<Unstable>> {
    let one = good.unwrap_or(seen);
    let breaks_now = ledger.telling(run);
    let differs = good.and_then(|good| first_difference(good, run));
    let why = if let Some(taint) = &run.taint {
        format!("every run of it is tainted: {taint}")
    } else if !run.unreached.is_empty() {
        "a step of it was taken in one run and not in another".to_owned()
    } else if breaks_now != Some(breaks) {
        let now = breaks_now.map_or("nothing".to_owned(), |now| format!("{now:?}"));
        format!("one run breaks {breaks:?}, another {now}")
    } else {
        format!("two runs differ from event {} on", differs?)
    };
    let same = one.schedule == run.schedule;
    let differs = if same { differs.or_else(|| first_difference(one, run)) } else { None };
    let (one, other, schedule) = (one.clone(), Some(run.clone()), schedule.clone());
    Some(Box::new(Unstable { breaks: Some(breaks), schedule, why, one, other, differs }))
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
