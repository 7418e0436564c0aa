//! The workers: each lives in a thread of its own, which makes its supervisor, uses it, and outlives it.
//!
//! The thread matters: the kernel ends a program with the thread that started it (PR_SET_PDEATHSIG in prctl(2)), so a
//! supervisor must never move to another thread or outlive the one that made it.

use super::error::ExploreError;
use crate::schedule::{Schedule, Site, Step};
use crate::supervise::{Observe, Observed, RunError, Supervise};
use crate::trace::{End, Event, Run, What};
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

/// A run that came out tainted is made again at most this often.
const MOST_TAINTED: u64 = 3;

/// One schedule, tried.
#[derive(Debug)]
pub(super) struct Tried {
    /// The first run without taint; the last tainted one if all were.
    pub(super) run: Run,
    /// How many tainted runs were made.
    pub(super) tainted: u64,
}

/// Runs `schedule` until it comes out without taint, a few times at most, and without a breakpoint that may have been missed.
pub(super) fn attempt<S: Supervise + ?Sized>(
    supervisor: &mut S,
    schedule: &Schedule,
) -> Result<Tried, RunError> {
    attempt_by(|| Ok((supervisor.run(schedule)?, ()))).map(|(tried, ())| tried)
}

/// Makes a run until it comes out without taint, a few times at most; with what else it gave. One that came to none of its
/// code points is made once more: see [`may_have_missed`].
pub(super) fn attempt_by<T>(
    mut make: impl FnMut() -> Result<(Run, T), RunError>,
) -> Result<(Tried, T), RunError> {
    let (mut tainted, mut missed) = (0, false);
    loop {
        let (run, more) = make()?;
        // Who computes and cannot be held does so again.
        let spins = matches!(run.outcome.end, End::Spinning(_));
        if run.taint.is_some() && !spins && tainted < MOST_TAINTED {
            tainted += 1;
        } else if !missed && may_have_missed(&run) {
            missed = true;
        } else {
            tainted += u64::from(run.taint.is_some());
            return Ok((Tried { run, tainted }, more));
        }
    }
}

/// True if no step was taken although one was to be taken at an instruction. The thread may never come there. But a breakpoint
/// can also be lost: on a busy virtual machine, in 1 of some 200,000 runs the count of the visits stopped at some moment.
fn may_have_missed(run: &Run) -> bool {
    let at_code = |step: &Step| matches!(step.at, Site::At(_));
    let refused = |event: &Event| matches!(event.what, What::NotHeld(Site::At(_), _));
    run.unreached.len() == run.schedule.steps.len()
        && run.unreached.iter().any(at_code)
        && !run.events.iter().any(refused)
}

/// Another worker than the first comes in when there has been work for so long: its cell costs as much as several runs, and a
/// search of a few short ones is over before that has paid off.
const ALONE: Duration = Duration::from_millis(40);

/// How long a worker that has nothing to do keeps ready for the next round.
const LINGER: Duration = Duration::from_millis(20);

/// The batch that a schedule belongs to, and its place there.
type Place = (u64, usize);
/// With what the run is looked at for.
type Job = (Place, Schedule, Observe);
/// With what was seen of that.
type Made = (Tried, Observed);
type Done = (Place, Result<Made, RunError>);

/// The caller's side of the workers.
pub(super) struct Crew<'env> {
    queue: &'env Queue,
    done: Receiver<Done>,
    cancel: &'env AtomicBool,
    /// Batches so far: what comes of an earlier one when it had its end is not waited for.
    batches: Cell<u64>,
}

/// The schedules that are to be tried.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// When the first of all came.
    since: Option<Instant>,
    /// True when no more will come.
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until there is something to do, then true; or nothing will come any more. Calls `rest` if that takes a while.
    fn wait(&self, rest: impl FnOnce()) -> bool {
        let nothing = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
        let wait = self.changed.wait_timeout_while(self.lock(), LINGER, nothing);
        let (mut waiting, timeout) = wait.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            drop(waiting);
            rest();
            let wait = self.changed.wait_while(self.lock(), nothing);
            waiting = wait.unwrap_or_else(PoisonError::into_inner);
        }
        !waiting.jobs.is_empty()
    }

    /// Waits until there has been work for so long, or nothing will come any more.
    fn wait_for_long(&self) {
        let mut waiting = self.lock();
        while !waiting.closed {
            let Some(since) = waiting.since else {
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = ALONE.saturating_sub(since.elapsed());
            if left.is_zero() {
                return;
            }
            (waiting, _) = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn take(&self) -> Option<Job> {
        self.lock().jobs.pop_front()
    }
}

impl Drop for Crew<'_> {
    /// The workers end.
    fn drop(&mut self) {
        self.queue.change(|waiting| {
            waiting.closed = true;
            // Only a search that failed leaves some.
            waiting.jobs.clear();
        });
    }
}

impl<'env> Crew<'env> {
    /// Starts `size` workers. They end when the crew is dropped.
    pub(super) fn start<'scope, S, F>(
        scope: &'scope Scope<'scope, 'env>,
        queue: &'env Queue,
        size: usize,
        factory: &'env F,
        cancel: &'env AtomicBool,
    ) -> Result<Crew<'env>, ExploreError>
    where
        S: Supervise,
        F: Fn(usize) -> Result<S, RunError> + Sync,
    {
        let (report, done) = channel();
        // Made first, so that its end is that of the workers whatever comes.
        let crew = Crew { queue, done, cancel, batches: Cell::new(0) };
        for index in 0..size.max(1) {
            let report = report.clone();
            Builder::new()
                .name(format!("worker {index}"))
                .spawn_scoped(scope, move || work(index, factory, queue, &report, cancel))
                .map_err(|source| ExploreError::Worker { index, source })?;
        }
        Ok(crew)
    }

    /// Tries all `schedules`, or those up to the first whose run is `enough`. The results are in their order; they end early
    /// also where the user asked to stop. An error comes with the index of the schedule that it is about.
    pub(super) fn try_all(
        &self,
        schedules: &[Schedule],
        enough: &dyn Fn(&Run) -> bool,
    ) -> Result<Vec<Tried>, (usize, RunError)> {
        let tried = self.make_all(schedules, &Observe::Nothing, enough)?;
        Ok(tried.into_iter().map(|(tried, _)| tried).collect())
    }

    /// Runs this schedule with a closer look; none where that cannot be had, or where the user asked to stop.
    pub(super) fn see(&self, schedule: &Schedule, observe: &Observe) -> Result<Option<Made>, RunError> {
        match self.make_all(std::slice::from_ref(schedule), observe, &|_| false) {
            Ok(mut made) => Ok(made.pop()),
            Err((_, RunError::Unsupported(_))) => Ok(None),
            Err((_, error)) => Err(error),
        }
    }

    fn make_all(
        &self,
        schedules: &[Schedule],
        observe: &Observe,
        enough: &dyn Fn(&Run) -> bool,
    ) -> Result<Vec<Made>, (usize, RunError)> {
        let batch = self.batches.get() + 1;
        self.batches.set(batch);
        let jobs = schedules.iter().enumerate();
        let jobs = jobs.map(|(index, schedule)| ((batch, index), schedule.clone(), observe.clone()));
        self.queue.change(|waiting| {
            waiting.since.get_or_insert_with(Instant::now);
            waiting.jobs.extend(jobs);
        });
        let mut early = HashMap::new();
        let mut tried = Vec::with_capacity(schedules.len());
        while tried.len() < schedules.len() {
            let result = match early.remove(&tried.len()) {
                Some(result) => result,
                None => {
                    let gone = |_| (0, RunError::Fault("all workers have ended".to_owned()));
                    let ((of, index), result) = self.done.recv().map_err(gone)?;
                    if of == batch {
                        early.insert(index, result);
                    }
                    continue;
                }
            };
            match result {
                Ok(one) => {
                    tried.push(one);
                    if tried.last().is_some_and(|(one, _): &Made| enough(&one.run)) {
                        break;
                    }
                }
                Err(RunError::Interrupted) => break,
                Err(error) => return Err((tried.len(), error)),
            }
        }
        if tried.len() < schedules.len() {
            self.queue.change(|waiting| waiting.jobs.clear());
        }
        Ok(tried)
    }

    /// True if the user asked to stop.
    pub(super) fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

fn work<S, F>(index: usize, factory: &F, queue: &Queue, report: &Sender<Done>, cancel: &AtomicBool)
where
    S: Supervise,
    F: Fn(usize) -> Result<S, RunError>,
{
    // Made with the first job, so that a worker which gets none costs nothing.
    let mut supervisor: Option<S> = None;
    if index > 0 {
        queue.wait_for_long();
    }
    while queue.wait(|| supervisor.iter_mut().for_each(S::rest)) {
        // First it gets ready, which may take long, and then it takes a job: the others go on with the jobs meanwhile.
        let ready = caught(index, || {
            if cancel.load(Ordering::Relaxed) {
                return Err(RunError::Interrupted);
            }
            if supervisor.is_none() {
                supervisor = Some(factory(index)?);
            }
            supervisor.as_mut().map_or(Ok(false), |supervisor| supervisor.ready(&|| !queue.is_closed()))
        });
        let Some((job, schedule, observe)) = queue.take() else { continue };
        let result = ready.and_then(|_| {
            caught(index, || match &mut supervisor {
                Some(supervisor) if observe == Observe::Nothing => {
                    attempt(supervisor, &schedule).map(|tried| (tried, Observed::default()))
                }
                Some(supervisor) => attempt_by(|| supervisor.observe(&schedule, &observe)),
                None => Err(RunError::Fault(format!("worker {index} has no supervisor"))),
            })
        });
        if report.send((job, result)).is_err() {
            return;
        }
    }
}

/// A panic must not leave the caller waiting for a result that never comes.
fn caught<T>(index: usize, work: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(RunError::Fault(format!("worker {index} panicked: {text}")))
    })
}
