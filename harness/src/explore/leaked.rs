//! Whether what a process holds after a signal, and not where that comes elsewhere, is lost.
//!
//! NOTE \[Lost descriptors\] A program may well hold something more after a signal: it has opened anew what it had closed for that,
//! closes it when it is next woken, or is in another state and waits for something else in the same call. So the run is compared with three
//! more. Without any signal the process holds no such descriptor. And where the signal comes once more, when all sleeps
//! again, it does the very same as where both come when all sleeps, which is how it is known to be in the same state; and it still
//! holds what it does not hold there. Then nothing but the process's end would close that.

use super::error::Halt;
use super::ledger::Ledger;
use super::space::Space;
use crate::schedule::{Action, Point, Schedule, Site, Step, ThreadName};
use crate::trace::Open;

/// True if the process holds after the run of this schedule what it does not hold without the signal, and keeps it.
pub(super) fn decides(ledger: &mut Ledger<'_, '_>, space: &Space, schedule: &Schedule) -> Result<bool, Halt> {
    let Some((step, _)) = schedule.only_signal() else { return Ok(false) };
    let (process, act) = (step.thread.process(), &step.action);
    let plain = space.deviating(&[], &space.missing([]));
    for one in [schedule, &space.home, &plain] {
        if !ledger.look(one)?.clean {
            return Ok(false);
        }
    }
    let lost = more(ledger, &process, schedule, &[&space.home, &plain]);
    if lost.is_empty() {
        return Ok(false);
    }
    let most = space.home.steps.iter().filter(|step| step.at == Site::Quiet).count() as u32 + 1;
    let usual = again(space, &space.home, &process, act, most);
    if !ledger.look(&usual)?.clean {
        return Ok(false);
    }
    // Where the signal came before everything first slept, the next such moment is an earlier one.
    for nth in (1..=most).rev() {
        let twice = again(space, schedule, &process, act, nth);
        if ledger.look(&twice)?.clean {
            let alike = ledger.waiting(&twice).zip(ledger.waiting(&usual));
            let alike =
                alike.is_some_and(|(one, other)| one.answer == other.answer && one.asleep == other.asleep);
            let kept = more(ledger, &process, &twice, &[&usual]);
            return Ok(alike && lost.iter().any(|name| kept.contains(name)));
        }
    }
    Ok(false)
}

/// The schedule with the signal once more, when everything sleeps for the nth time.
fn again(space: &Space, schedule: &Schedule, to: &ThreadName, act: &Action, nth: u32) -> Schedule {
    let step = Step::new(Point { thread: to.clone(), site: Site::Quiet, nth }, act.clone());
    space.sorted(schedule.steps.iter().cloned().chain([step]).collect())
}

/// What the process holds at the end of a run and of none of the others, all of which wait.
fn more(ledger: &Ledger<'_, '_>, process: &ThreadName, here: &Schedule, others: &[&Schedule]) -> Vec<String> {
    let held = |schedule: &Schedule| Some(Open::of(&ledger.waiting(schedule)?.held, process));
    let Some(mut more) = held(here).map(<[String]>::to_vec) else { return Vec::new() };
    let whole = more.clone();
    for other in others {
        let Some(known) = held(other) else { return Vec::new() };
        let beyond = Open::beyond(&whole, known);
        more.retain(|name| beyond.contains(&name.as_str()));
    }
    more
}
