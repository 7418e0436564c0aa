//! The reference run: what the program does when the harness adds nothing of its own to it.
//!
//! Without signals to send it is the empty schedule. With signals, or anything else that the outside does, it sends them, in their order, when everything
//! sleeps: every thread of every process, as a person who types `kill` a moment later would meet the program. Whether that
//! ever is, and who gets them, is known from a run of the empty schedule, made before. Where there is but one thread, the
//! moment is told by the call in which it sleeps. Clients have ended by then, or wait for the program.

use super::beginning::{Begun, passed_by};
use super::crew::attempt;
use super::error::ExploreError;
use super::executed::{self, Executed};
use super::loops::Loops;
use super::plan::Plan;
use crate::schedule::{Action, Point, Schedule, Site, Step, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::Supervise;
use crate::trace::{End, Event, Run, Status};
use std::collections::BTreeSet;

/// The reference run, and the run of the empty schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What the reference run was asked to do: nothing, or to send each signal once.
    pub schedule: Schedule,
    /// The reference run.
    pub run: Run,
    /// The run of the empty schedule, where that is another.
    pub plain: Option<Run>,
    /// How much of the plan's code it executes.
    pub executed: Executed,
    /// Signals whose handlers the first process takes away for a moment, in these runs, or where what the reference run did not
    /// come to do is done first.
    pub gaps: SignalSet,
    /// How many points of the undisturbed run come before the search begins: they are not among those that the runs above reached.
    pub passed: usize,
    /// What goes round in these runs.
    pub loops: Loops,
}

impl Reference {
    /// The run of the empty schedule.
    pub fn plain(&self) -> &Run {
        self.plain.as_ref().unwrap_or(&self.run)
    }
}

/// Makes the reference run for `plan`.
///
/// It is an error if the run of the empty schedule neither sleeps nor ends, and if signals are to be sent to a process
/// that is not asleep when everything first sleeps. If nothing ever sleeps but the program ends, the reference is the
/// run of the empty schedule, even with signals to send.
pub fn reference<S: Supervise + ?Sized>(plan: &Plan, supervisor: &mut S) -> Result<Reference, ExploreError> {
    reference_after(None, plan, supervisor)
}

/// The same where the run of the empty schedule may be known: then it is not made again.
pub fn reference_after<S: Supervise + ?Sized>(
    known: Option<Run>,
    plan: &Plan,
    supervisor: &mut S,
) -> Result<Reference, ExploreError> {
    let empty = Schedule::empty();
    let mut plain = match known {
        Some(known) => known,
        None => {
            attempt(supervisor, &empty).map_err(ExploreError::run("making the run without any step"))?.run
        }
    };
    let passed = passed_by(&plain, plan.from.as_ref())?;
    let supervisor = &mut Begun::new(supervisor, plan.from.as_ref());
    supervisor.cut(&mut plain);
    if plain.first_quiet.is_empty() {
        match &plain.outcome.end {
            End::Spinning(_) if plain.taint.is_some() => {
                return Err(ExploreError::Uncontrolled(plain.taint.unwrap_or_default()));
            }
            End::Spinning(counted) => return Err(ExploreError::NeverQuiet(counted.clone())),
            End::TimedOut => return Err(ExploreError::NeverQuiet("the time limit was reached".to_owned())),
            End::Ended(_) | End::Hang(_) | End::Idle(_) | End::Stalled(_) | End::Stopped => {}
        }
    }
    let executed = executed::execute(plan, supervisor, &mut plain)?;
    let acts = plan.acts();
    if acts.is_empty() || plain.first_quiet.is_empty() {
        steady(supervisor, &mut plain)?;
        let (gaps, loops) = (gaps(&plain), Loops::find(supervisor, &plain, None)?);
        return Ok(Reference { schedule: empty, run: plain, plain: None, executed, gaps, passed, loops });
    }
    let mut made = |acts: &[Action]| {
        let schedule = Schedule { steps: meeting(plan, &plain, acts)? };
        let doing = format!("making the reference run ({schedule})");
        attempt(supervisor, &schedule).map_err(ExploreError::run(doing)).map(|tried| tried.run)
    };
    let mut run = made(&acts)?;
    let mut gaps = gaps(&plain).union(self::gaps(&run));
    let missed = |act: &Action| run.unreached.iter().any(|step| step.action == *act);
    let (first, then): (Vec<Action>, Vec<Action>) = acts.into_iter().partition(missed);
    if !first.is_empty() && !then.is_empty() {
        gaps = gaps.union(self::gaps(&made(&[first, then].concat())?));
    }
    for signal in gaps.iter().filter(|signal| plan.send.contains(signal)) {
        if ends_when_handled(supervisor, &plain, signal)? {
            gaps = gaps.without(SignalSet::only(signal));
        }
    }
    executed::copy(&plain, &mut run);
    steady(supervisor, &mut run)?;
    let schedule = run.schedule.clone();
    let loops = Loops::find(supervisor, &plain, Some(&run))?;
    Ok(Reference { schedule, run, plain: Some(plain), executed, gaps, passed, loops })
}

/// Signals whose handlers the first process had taken away for a moment.
fn gaps(run: &Run) -> SignalSet {
    let mine = run.lapses.iter().filter(|lapse| lapse.point.thread.process() == ThreadName::root());
    mine.fold(SignalSet::EMPTY, |over, lapse| over.union(lapse.over))
}

/// True if a signal that the first process handles ends it as if it did not: handlers often tidy up, and then send it once more with
/// its default action, as shells do. Nothing is amiss then where it comes while the handler is away.
fn ends_when_handled<S: Supervise + ?Sized>(
    supervisor: &mut S,
    plain: &Run,
    signal: Signal,
) -> Result<bool, ExploreError> {
    /// It may do so in some states and not in others: so many places are looked at, from the first to the last.
    const LOOKS: usize = 4;
    let away = |point: &Point| {
        plain.lapses.iter().any(|lapse| lapse.point == *point && lapse.signals.contains(signal))
    };
    let handled = plain.reached.iter().filter(|reached| {
        let first = reached.point.thread.process() == ThreadName::root();
        first && reached.receivable.contains(signal) && !away(&reached.point)
    });
    let handled: Vec<&Point> = handled.map(|reached| &reached.point).collect();
    let last = handled.len().saturating_sub(1);
    // Where there are few places, some of these are the same.
    let looks: BTreeSet<usize> = (0..LOOKS).map(|look| look * last / (LOOKS - 1)).collect();
    for point in looks.into_iter().filter_map(|index| handled.get(index)) {
        let schedule = Schedule { steps: vec![Step::new((*point).clone(), Action::Send(signal))] };
        let doing = ExploreError::run(format!("looking at what a handler does ({schedule})"));
        let run = attempt(supervisor, &schedule).map_err(doing)?.run;
        if run.unreached.is_empty() && run.outcome.end == End::Ended(Status::Killed(signal)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Finds out which content of the run's files is the same every time: that of the others is of no use to compare with.
fn steady<S: Supervise + ?Sized>(supervisor: &mut S, run: &mut Run) -> Result<(), ExploreError> {
    if run.outcome.remains.has_content() {
        let doing = ExploreError::run("making the reference run a second time, to compare files");
        let again = attempt(supervisor, &run.schedule).map_err(doing)?.run;
        run.outcome.remains.keep_steady(&again.outcome.remains);
    }
    Ok(())
}

/// Sends the signals when their process is met: when it and everything else first sleeps, and the next one each time that
/// everything sleeps again. One thread alone is sent the first in the call in which it sleeps, and that is no such moment.
pub(super) fn meeting(plan: &Plan, plain: &Run, acts: &[Action]) -> Result<Vec<Step>, ExploreError> {
    let quiet = &plain.first_quiet;
    let to = plan.send_to.process.process();
    let Some(sleeps) = quiet.iter().find(|point| point.thread.process() == to) else {
        return Err(ExploreError::NoReceiver {
            to: plan.send_to.process.clone(),
            asleep: quiet.iter().map(Point::to_string).collect::<Vec<_>>().join(", "),
        });
    };
    let another = |event: &Event| event.what.made().is_some() || event.thread.client_of().is_some();
    let alone = !plain.events.iter().any(another);
    let mut met = (1..).map(|nth| Point { thread: to.clone(), site: Site::Quiet, nth });
    let points = alone.then(|| sleeps.clone()).into_iter().chain(&mut met);
    Ok(acts.iter().zip(points).map(|(act, point)| Step::new(point, act.clone())).collect())
}
