//! No run hangs. One that sleeps until a signal comes, as the reference run does, waits for the outside.

use super::{Comparison, Expectation, Kind, Scope};
use crate::schedule::{Step, Syscall, ThreadName};
use crate::signal::Signal;
use crate::trace::{Broken, End, Row, Run, Sleeper};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Hang,
    title: "it hangs",
    word: "hang",
    scope: Scope::Every,
    of_scenario: |_, _| Ok(Some(Arc::new(NoHang { but: None }))),
    against: |reference, how| Ok(Some(Arc::new(NoHang { but: waits(reference, how) }))),
};

/// Who sleeps at the end of the reference run, in which calls, if a signal from outside could still come; or if the signal could not be
/// sent there, so that no run needs it to hang like that.
fn waits(reference: &Run, how: &Comparison) -> Option<Asleep> {
    let unsent = how.sends && !reference.unreached.is_empty();
    match &reference.outcome.end {
        End::Hang(sleepers) if how.heard || unsent => Some(asleep(sleepers)),
        End::Hang(_)
        | End::Ended(_)
        | End::Idle(_)
        | End::Stopped
        | End::Spinning(_)
        | End::Stalled(_)
        | End::TimedOut => None,
    }
}

/// True if all signals that are sent in `reference` are taken, by handlers or as the process waits for them (sigwaitinfo(2),
/// signalfd(2)), and then the program sleeps as it does when none is (`plain`), and would take them again: it goes on.
pub fn goes_on(plain: &Run, reference: &Run) -> bool {
    let (before, after) = match (&plain.outcome.end, &reference.outcome.end) {
        (End::Hang(before), End::Hang(after)) | (End::Idle(before), End::Idle(after)) => (before, after),
        _ => return false,
    };
    let sent = !reference.schedule.steps.is_empty() && reference.unreached.is_empty();
    sent && signals(reference).all(|(step, signal)| hears(reference, &step.thread.process(), signal))
        && asleep(before) == asleep(after)
}

/// True if the process ends up hearing this signal, and none like it is pending there.
fn hears(run: &Run, process: &ThreadName, signal: Signal) -> bool {
    let mut mine = run.reached.iter().rev().filter(|reached| reached.point.thread.process() == *process);
    let heard = mine.next().is_some_and(|last| last.receivable.contains(signal));
    let pending = |row: &Row| row.process == *process && row.pending.contains(signal);
    heard && !run.outcome.table.iter().any(pending)
}

/// True if it goes on, and nobody has asked it to end: it waits for the next signal, as a server does.
pub fn waits_again(plain: &Run, reference: &Run) -> bool {
    goes_on(plain, reference) && !signals(reference).any(|(_, signal)| asks_to_end(signal))
}

/// True for a signal by which people ask a program to end.
pub(super) fn asks_to_end(signal: Signal) -> bool {
    [Signal::INT, Signal::QUIT, Signal::TERM].contains(&signal)
}

/// The steps of a run that send a signal, and which.
fn signals(run: &Run) -> impl Iterator<Item = (&Step, Signal)> {
    run.schedule.steps.iter().filter_map(|step| Some((step, step.action.signal()?)))
}

/// Threads, and the calls in which they sleep.
type Asleep = BTreeSet<(ThreadName, Syscall)>;

fn asleep(sleepers: &[Sleeper]) -> Asleep {
    sleepers.iter().map(|sleeper| (sleeper.thread.clone(), sleeper.call)).collect()
}

#[derive(Debug)]
struct NoHang {
    /// This is none.
    but: Option<Asleep>,
}

impl Expectation for NoHang {
    fn breach(&self, run: &Run) -> Option<String> {
        match &run.outcome.end {
            End::Hang(sleepers) if self.but.as_ref() == Some(&asleep(sleepers)) => None,
            End::Hang(sleepers) => Some(format!(
                "every thread sleeps and nothing can wake any of them: {}",
                Sleeper::list(sleepers)
            )),
            End::Ended(_)
            | End::Idle(_)
            | End::Stopped
            | End::Spinning(_)
            | End::Stalled(_)
            | End::TimedOut => None,
        }
    }
}
