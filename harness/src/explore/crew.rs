//! The workers: each lives in a thread of its own, which makes its supervisor, uses it, and outlives it.
//!
//! The thread matters: the kernel ends a program with the thread that started it (PR_SET_PDEATHSIG in prctl(2)), so a
//! supervisor must never move to another thread or outlive the one that made it.

use super::error::ExploreError;
use crate::schedule::{Schedule, Site, Step};
use crate::supervise::{RunError, Supervise};
use crate::trace::{Event, Run, What};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, Scope};

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
        if run.taint.is_some() && tainted < MOST_TAINTED {
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

type Job = (usize, Schedule);
type Done = (usize, Result<Tried, RunError>);

/// The caller's side of the workers.
pub(super) struct Crew<'env> {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    cancel: &'env AtomicBool,
}

/// The workers' side of the queue.
pub(super) struct Queue(Mutex<Receiver<Job>>);

impl Queue {
    fn next(&self) -> Option<Job> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }
}

impl<'env> Crew<'env> {
    /// The queue that the workers of one crew share, and the end that fills it.
    pub(super) fn queue() -> (Sender<Job>, Queue) {
        let (jobs, queue) = channel();
        (jobs, Queue(Mutex::new(queue)))
    }

    /// Starts `size` workers. They end when the crew is dropped.
    pub(super) fn start<'scope, S, F>(
        scope: &'scope Scope<'scope, 'env>,
        (jobs, queue): (Sender<Job>, &'env Queue),
        size: usize,
        factory: &'env F,
        cancel: &'env AtomicBool,
    ) -> Result<Crew<'env>, ExploreError>
    where
        S: Supervise,
        F: Fn(usize) -> Result<S, RunError> + Sync,
    {
        let (report, done) = channel();
        for index in 0..size.max(1) {
            let report = report.clone();
            Builder::new()
                .name(format!("worker {index}"))
                .spawn_scoped(scope, move || work(index, factory, queue, &report, cancel))
                .map_err(|source| ExploreError::Worker { index, source })?;
        }
        Ok(Crew { jobs, done, cancel })
    }

    /// Tries all `schedules`. The results are in their order; they end early where the user asked to stop.
    /// An error comes with the index of the schedule that it is about.
    pub(super) fn try_all(&self, schedules: &[Schedule]) -> Result<Vec<Tried>, (usize, RunError)> {
        let gone = || (0, RunError::Fault("all workers have ended".to_owned()));
        for job in schedules.iter().cloned().enumerate() {
            self.jobs.send(job).map_err(|_| gone())?;
        }
        let mut results: Vec<Option<Result<Tried, RunError>>> = Vec::new();
        results.resize_with(schedules.len(), || None);
        for _ in schedules {
            let (index, result) = self.done.recv().map_err(|_| gone())?;
            if let Some(slot) = results.get_mut(index) {
                *slot = Some(result);
            }
        }
        let mut tried = Vec::with_capacity(results.len());
        for (index, result) in results.into_iter().flatten().enumerate() {
            match result {
                Ok(one) => tried.push(one),
                Err(RunError::Interrupted) => break,
                Err(error) => return Err((index, error)),
            }
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
    let mut supervisor = None;
    while let Some((job, schedule)) = queue.next() {
        // A panic must not leave the caller waiting for a result that never comes.
        let result = catch_unwind(AssertUnwindSafe(|| {
            if cancel.load(Ordering::Relaxed) {
                return Err(RunError::Interrupted);
            }
            if supervisor.is_none() {
                supervisor = Some(factory(index)?);
            }
            match &mut supervisor {
                Some(supervisor) => attempt(supervisor, &schedule),
                None => Err(RunError::Fault(format!("worker {index} has no supervisor"))),
            }
        }))
        .unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(RunError::Fault(format!("worker {index} panicked: {text}")))
        });
        if report.send((job, result)).is_err() {
            return;
        }
    }
}
