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
//!
//! NOTE \[Shells that launch\] A shell has others find out what it executes in the end: `exec "$(dirname "$0")/real" "$@"`. It is a
//! launcher as well if it never had two children at once, nothing that was made lives any more when it executes the program, and
//! it caught none of those signals while it made a process or executed a program: a shell that catches SIGINT while it waits has
//! no part in that, and what `trap` sets has. That holds for shells alone, which are known by their names; a program of another kind
//! that makes a process before it executes another is no launcher.

use super::crew::{Tried, attempt_by};
use super::error::ExploreError;
use super::receivers::from_outside;
use super::watching::{as_if, is_there};
use crate::program::Limits;
use crate::schedule::{Point, Schedule, Site, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::{Observe, Observed, Receiver, RunError, Start, Supervise, WantsTerminal};
use crate::trace::{ClientEnd, End, Event, Reached, Run, Status, What};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
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
    /// There the first process has made another, of which something could be left.
    Others,
}

/// What an undisturbed run shows of what is worth exploring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The run, in which signals were watched.
    run: Arc<Run>,
    /// What else was seen in it.
    observed: Observed,
    /// The script for which it was started.
    script: Option<PathBuf>,
}

fn is_served(client: &ClientEnd) -> bool {
    client.status == Some(Status::Exited(0))
}

/// Points of the undisturbed run that show whether a program only lets time pass.
pub const LOOK_POINTS: u64 = 20_000;

/// A program that only lets time pass is followed as far as it comes to so many points, if it may be.
const MANY: f64 = 2000.0;

/// One that comes to more points than these while much time passes is not followed to its end: a search would take hours.
const VERY_MANY: usize = 10_000;

impl Look {
    /// The run. Which points it reached, and what could be done there, is told of what is watched: see [`Look::run_watching`].
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// How many points it has where no signal is watched.
    pub fn points(&self) -> usize {
        self.unwatched().count()
    }

    /// These points, in order.
    fn unwatched(&self) -> impl Iterator<Item = &Reached> {
        self.run.reached.iter().filter(|reached| is_there(reached, SignalSet::EMPTY))
    }

    /// The run, as it is where these signals are watched, if it was watched for all of them.
    pub fn run_watching(&self, signals: SignalSet) -> Run {
        as_if(&self.run, signals)
    }

    /// What else was seen in it.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Where the program waits to be connected to when everything sleeps, as a client's script has it.
    pub fn listens(&self) -> &[String] {
        &self.observed.listens
    }

    /// True if the program would change a terminal's modes or put somebody in its foreground, or asks for a terminal and then
    /// fails, and has none.
    pub fn lacks_terminal(&self) -> bool {
        let fails = matches!(self.run.outcome.end, End::Ended(status) if status != Status::Exited(0));
        self.observed.wants_terminal > WantsTerminal::Asks
            || self.observed.wants_terminal == WantsTerminal::Asks && fails
    }

    /// True if it is another program where it has a terminal, as in that other look.
    pub fn is_helped_by(&self, terminal: &Look) -> bool {
        self.observed.wants_terminal > WantsTerminal::Asks || self.run.outcome.end != terminal.run.outcome.end
    }

    /// True if its clients were served, as far as they can tell, and it waits for others, goes on from time to time, or is done.
    pub fn serves(&self) -> bool {
        let Run { outcome, taint, .. } = &*self.run;
        let ends = matches!(outcome.end, End::Idle(_) | End::Stalled(_) | End::Ended(Status::Exited(0)));
        ends && taint.is_none() && outcome.clients.iter().all(is_served)
    }

    /// True if the first of them was.
    pub fn serves_the_first(&self) -> bool {
        self.run.outcome.clients.first().is_some_and(is_served)
    }

    /// How far other runs are to be followed on the program's clock ([`Limits::FOLLOWED`]), if this one came to no end but that of
    /// its clock, was cut short by another limit when it had gone on for long on that, or did very much until it ended then.
    pub fn followed(&self) -> Option<Duration> {
        let (took, points) = (self.run.outcome.took.whole, self.points());
        let [farthest, .., nearest] = Limits::FOLLOWED;
        let lets_time_pass = match self.run.outcome.end {
            End::Stalled(_) => true,
            End::TimedOut | End::Spinning(_) => took > farthest,
            End::Ended(_) | End::Hang(_) | End::Idle(_) | End::Stopped => {
                took > farthest && points > VERY_MANY
            }
        };
        // Who comes to an end behind that many was hurried to it: what it does in a second is not known.
        let hurried = points as u64 > LOOK_POINTS && matches!(self.run.outcome.end, End::Ended(_));
        let within = |far: &Duration| points as f64 * far.as_secs_f64() <= MANY * took.as_secs_f64();
        let far = Limits::FOLLOWED.into_iter().find(|far| !hurried && within(far));
        lets_time_pass.then(|| far.unwrap_or(nearest))
    }

    /// The processes that have something to do with signals; if the program's start is `passed` by, without those that only a
    /// launcher of it had.
    pub fn receivers(&self, passed: bool) -> Vec<Receiver> {
        let mut receivers = self.observed.receivers.clone();
        for one in receivers.iter_mut().filter(|_| passed) {
            let Receiver { process, signals, .. } = one;
            *signals = signals.iter().filter(|signal| !self.is_launchers(process, *signal)).collect();
        }
        receivers.retain(|one| !one.signals.is_empty());
        receivers
    }

    /// True if this process has nothing to do with the signal any more where a search begins that sends it.
    fn is_launchers(&self, process: &ThreadName, signal: Signal) -> bool {
        let begins = self.begins(&[signal]).filter(|beginning| matches!(beginning.why, Why::Runs(_)));
        let begins = begins.and_then(|beginning| index_of(&self.run, &beginning.point));
        let Some(begins) = begins else { return false };
        if *process == ThreadName::root() {
            let last = self.observed.start.handled_last.get(&signal);
            return last.is_some_and(|last| *last < begins) && !self.observed.start.awaited.contains(signal);
        }
        // What a launcher makes does not outlive it.
        let made = |event: &Event| event.what.made() == Some(process);
        self.run.events.iter().position(made).is_some_and(|made| made < begins)
    }

    /// Where a search begins in which these signals are sent; none if it is where the program does.
    pub fn begins(&self, send: &[Signal]) -> Option<Beginning> {
        let beginning = beginning(&self.run, &self.observed.start, self.script.as_deref(), send);
        let first = self.unwatched().next();
        beginning.filter(|beginning| first.is_none_or(|first| first.point != beginning.point))
    }
}

/// Looks at a run that nothing disturbs, of a program that was started for `script`, an absolute path, if for any.
pub fn look<S: Supervise + ?Sized>(supervisor: &mut S, script: Option<&Path>) -> Result<Look, ExploreError> {
    let observe = Observe::Signals(script.map(Path::to_owned));
    let look = || supervisor.observe(&Schedule::empty(), &observe);
    let (Tried { run, .. }, observed) = attempt_by(look).map_err(ExploreError::run("looking for signals"))?;
    Ok(Look { run: Arc::new(run), observed, script: script.map(Path::to_owned) })
}

/// Where a search begins in which these signals are sent, of a program that was started for `script`, if for any. `run` is
/// its undisturbed run. None if nothing says that it begins later than the program.
fn beginning(run: &Run, start: &Start, script: Option<&Path>, send: &[Signal]) -> Option<Beginning> {
    let root = ThreadName::root();
    let made = |event: &Event| event.what.made().is_some();
    let alone = run.events.iter().position(made).unwrap_or(run.events.len());
    let executed = |event: &Event| matches!(event.what, What::Exec(_)) && event.thread == root;
    let comes = |signal: &Signal| send.contains(signal) || !from_outside(*signal) && *signal != Signal::CHLD;
    let before_all = |caught: &BTreeMap<Signal, usize>| {
        let moments = caught.iter().filter(|(signal, _)| comes(signal)).map(|(_, events)| *events);
        moments.min().unwrap_or(run.events.len())
    };
    let quiet = alone.min(before_all(&start.handled));
    let launched = run.events.iter().take(quiet).rposition(executed);
    let by_shell = last_of_shell(run, start).filter(|index| *index < before_all(&start.kept));
    // The first one is how it was started.
    let launched = launched.max(by_shell).filter(|index| {
        let mut before = run.events.iter().take(*index);
        before.any(|event| matches!(event.what, What::Go(Site::Before(call), _) if executes(call)))
    });
    let at = |point: &Point| index_of(run, point);
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
    later.map(|(_, beginning)| beginning)
}

/// Where the first process comes to in this event, if it comes to a point.
pub(super) fn visit(event: &Event) -> Option<Point> {
    let root = ThreadName::root();
    let (site, nth) = event.what.visit().filter(|_| event.thread == root)?;
    Some(Point { thread: root, site, nth })
}

pub(super) fn index_of(run: &Run, point: &Point) -> Option<usize> {
    run.events.iter().position(|event| visit(event).as_ref() == Some(point))
}

/// Where the first process last executed a program for which a shell had done all that was done: NOTE \[Shells that launch\].
fn last_of_shell(run: &Run, start: &Start) -> Option<usize> {
    let root = ThreadName::root();
    let others = start.makers.iter().filter(|(program, _)| !is_shell(Path::new(program)));
    let end = others.map(|(_, events)| *events).min().unwrap_or(run.events.len());
    let (mut living, mut last): (Vec<&ThreadName>, Option<usize>) = (Vec::new(), None);
    for (index, event) in run.events.iter().take(end).enumerate() {
        if let Some(made) = event.what.made() {
            let own = |other: &ThreadName| other.parent().as_ref() == Some(&root);
            let second = own(made) && living.iter().any(|other| own(other));
            if second || made.process() == root {
                break;
            }
            living.push(made);
        } else if let What::End(_) = &event.what {
            let ended = event.thread.process();
            living.retain(|other| other.process() != ended);
        } else if matches!(event.what, What::Exec(_)) && event.thread == root && living.is_empty() {
            last = Some(index);
        }
    }
    last
}

/// True for a shell, by its file's name.
pub fn is_shell(program: &Path) -> bool {
    const SHELLS: [&str; 10] =
        ["sh", "ash", "bash", "busybox", "dash", "ksh", "ksh93", "mksh", "rbash", "zsh"];
    let name = program.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| SHELLS.contains(&name))
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
