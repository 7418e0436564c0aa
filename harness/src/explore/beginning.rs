//! Where a search begins: what a program's start has before that point is passed by.
//!
//! Runs are the same as ever; only what they have reached before that point is forgotten, so that no step is planned there
//! and none is counted.
//!
//! NOTE \[The start\] Nobody means the start of an interpreter or of a launcher. What counts as one is a fact of the undisturbed
//! run: `p0` opens the script that it was started for, or executes another program; and until then it has made no process
//! and no thread. Who executes another program must not have installed a handler before either, of a signal that is sent or
//! that may come by itself; but SIGCHLD comes to nobody who has no child. A shell that catches SIGINT for itself is thus
//! passed by where SIGTERM is sent. In all other cases the search begins where the program does.

use super::crew::{Tried, attempt_by};
use super::error::ExploreError;
use super::receivers::from_outside;
use crate::schedule::{Point, Schedule, Site, ThreadName};
use crate::signal::Signal;
use crate::supervise::{Observe, Observed, Receiver, RunError, Start, Supervise};
use crate::trace::{Event, Run, What};
use std::path::{Path, PathBuf};
use syscalls::Sysno;

/// Where a search begins, and why there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The first point at which steps are planned.
    pub point: Point,
    /// Why.
    pub why: Why,
}

/// Why a search begins where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was asked for.
    Asked,
    /// There the script is opened.
    Opens(PathBuf),
    /// There this program's first own call is; what came before has executed it.
    Runs(String),
}

/// What an undisturbed run shows of what is worth exploring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The processes that have something to do with signals.
    pub receivers: Vec<Receiver>,
    /// The run.
    run: Run,
    /// What the first process did in it as it started.
    start: Start,
    /// The script for which it was started.
    script: Option<PathBuf>,
}

impl Look {
    /// Where a search begins in which these signals are sent; none if it is where the program does.
    pub fn begins(&self, send: &[Signal]) -> Option<Beginning> {
        beginning(&self.run, &self.start, self.script.as_deref(), send)
    }
}

/// Looks at a run that nothing disturbs, of a program that was started for `script`, an absolute path, if for any.
pub fn look<S: Supervise + ?Sized>(supervisor: &mut S, script: Option<&Path>) -> Result<Look, ExploreError> {
    let observe = Observe::Signals(script.map(Path::to_owned));
    let look = || supervisor.observe(&Schedule::empty(), &observe);
    let (Tried { run, .. }, observed) = attempt_by(look).map_err(ExploreError::run("looking for signals"))?;
    let Observed { receivers, start, .. } = observed;
    Ok(Look { receivers, run, start, script: script.map(Path::to_owned) })
}

/// Where a search begins in which these signals are sent, of a program that was started for `script`, if for any. `run` is
/// its undisturbed run. None if that is the program's start.
fn beginning(run: &Run, start: &Start, script: Option<&Path>, send: &[Signal]) -> Option<Beginning> {
    let root = ThreadName::root();
    let made = |event: &Event| matches!(event.what, What::Make(_));
    let alone = run.events.iter().position(made).unwrap_or(run.events.len());
    let visit = |event: &Event| {
        let (site, nth) = event.what.visit().filter(|_| event.thread == root)?;
        Some(Point { thread: root.clone(), site, nth })
    };
    let at = |point: &Point| run.events.iter().position(|event| visit(event).as_ref() == Some(point));
    let executed = |event: &Event| matches!(event.what, What::Exec(_)) && event.thread == root;
    let comes = |signal: &Signal| send.contains(signal) || !from_outside(*signal) && *signal != Signal::CHLD;
    let handled = start.handled.iter().filter(|(signal, _)| comes(signal)).map(|(_, events)| *events);
    let quiet = handled.fold(alone, usize::min);
    // The first one is how it was started.
    let launched = run.events.iter().take(quiet).rposition(executed).filter(|index| {
        let mut before = run.events.iter().take(*index);
        before.any(|event| matches!(event.what, What::Go(Site::Before(call), _) if executes(call)))
    });
    let runs = launched.and_then(|index| {
        let What::Exec(file) = &run.events.get(index)?.what else { return None };
        let next = run.events.iter().skip(index).position(|event| visit(event).is_some())?;
        let point = visit(run.events.get(index + next)?)?;
        Some((index + next, Beginning { point, why: Why::Runs(file.clone()) }))
    });
    let opens = start.opened.as_ref().zip(script).and_then(|(point, script)| {
        let index = at(point).filter(|index| *index < alone)?;
        Some((index, Beginning { point: point.clone(), why: Why::Opens(script.to_owned()) }))
    });
    let later = [opens, runs].into_iter().flatten().max_by_key(|(index, _)| *index);
    later.map(|(_, beginning)| beginning).filter(|beginning| passed(run, &beginning.point) != Some(0))
}

fn executes(call: crate::schedule::Syscall) -> bool {
    matches!(call.sysno(), Some(Sysno::execve | Sysno::execveat))
}

/// How many points a run has reached before this one; none if it did not come there.
fn passed(run: &Run, point: &Point) -> Option<usize> {
    run.reached.iter().position(|reached| reached.point == *point)
}

/// How many points of the undisturbed run are passed by.
pub(super) fn passed_by(plain: &Run, from: Option<&Beginning>) -> Result<usize, ExploreError> {
    let Some(Beginning { point, .. }) = from else { return Ok(0) };
    passed(plain, point).ok_or_else(|| ExploreError::NeverBegins(point.clone()))
}

/// A supervisor whose runs tell only what they have reached from the beginning on, and where their own steps are: what was asked
/// for by hand may come before it.
#[derive(Debug)]
pub(super) struct Begun<S> {
    pub(super) supervisor: S,
    pub(super) from: Option<Point>,
}

impl<S> Begun<S> {
    pub(super) fn new(supervisor: S, from: Option<&Beginning>) -> Begun<S> {
        Begun { supervisor, from: from.map(|from| from.point.clone()) }
    }

    /// Forgets what the run has reached before.
    pub(super) fn cut(&self, run: &mut Run) {
        let Some(from) = &self.from else { return };
        let first = passed(run, from).unwrap_or(run.reached.len());
        let own: Vec<Point> = run.schedule.steps.iter().map(|step| step.point()).collect();
        let mut index = 0;
        run.reached.retain(|reached| {
            index += 1;
            index > first || own.contains(&reached.point)
        });
    }
}

impl<S: Supervise> Supervise for Begun<S> {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        let mut run = self.supervisor.run(schedule)?;
        self.cut(&mut run);
        Ok(run)
    }

    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        let (mut run, observed) = self.supervisor.observe(schedule, observe)?;
        self.cut(&mut run);
        Ok((run, observed))
    }

    fn ready(&mut self, still: &dyn Fn() -> bool) -> Result<bool, RunError> {
        self.supervisor.ready(still)
    }

    fn rest(&mut self) {
        self.supervisor.rest();
    }
}
