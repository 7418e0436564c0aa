//! The runs that checks make: some places are watched in each, four breakpoints being all that there are.

use super::Asked;
use super::program::Site;
use crate::schedule::{Action, Label, Point, Schedule, Site as PointSite, Step, Target, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::{
    Installed, MOST_OBSERVED, Observe, Observed, RETURN, RunError, Supervise, Visit, Watch, Word,
};
use crate::trace::{End, Event, Run, What};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

/// Where each run takes long, fewer are made: as many as have so many events together, about two seconds' worth.
const MOST_EVENTS: u64 = 24_000;
/// But no fewer than these.
const LEAST_RUNS: u64 = 24;
/// A run that came out tainted is made again at most this often.
const MOST_TAINTED: u32 = 3;

/// Makes runs until they are used up.
///
/// NOTE \[Causes\] A signal that somebody asked for is sent from outside. Else a SIGCHLD comes of a child's end, and a SIGALRM of
/// the process's own timer: the handler then finds the child, or the time, of which it is told, and the signal comes only
/// where there is one. What other processes may cause as well as the outside (SIGIO, SIGURG) comes of them if they do, and else
/// from outside.
pub(super) struct Runs<'a> {
    supervisor: &'a mut dyn Supervise,
    thread: ThreadName,
    asked: SignalSet,
    base: Schedule,
    made: u64,
    most: u64,
    /// Fewer where each has many events.
    fits: bool,
    /// Places that were looked at, and all that were to be.
    places: (usize, usize),
    cut: bool,
    not_held: Option<String>,
}

/// What the first run shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The processes of the program, that first which is asked about.
    pub(super) processes: Vec<ThreadName>,
    /// Threads in which a handler could run, but for the first ones of the processes.
    takers: Vec<ThreadName>,
    /// Those of them that have begun another program than their parents'.
    begun: Vec<ThreadName>,
    installed: Vec<Installed>,
    /// Where calls return to that were on a stack: the program's file, and the address in it.
    on_stack: Vec<(String, u64)>,
    /// The files that the process which is asked about has in its memory as code.
    pub(super) modules: Vec<PathBuf>,
}

impl Found {
    /// What a run has shown in which this process, or one of its threads, was looked at.
    pub(super) fn of(process: &ThreadName, run: &Run, observed: &Observed) -> Found {
        let made = run.events.iter().filter_map(|event| event.what.made());
        let made = made.filter(|made| made.is_process() && made.client_of().is_none());
        let begins = |event: &&Event| matches!(event.what, What::Exec(_)) && event.thread.parent().is_some();
        let begun = run.events.iter().filter(begins).map(|event| event.thread.process()).collect();
        let mut processes: Vec<ThreadName> = Vec::new();
        for process in std::iter::once(process).chain(made) {
            if !processes.contains(process) {
                processes.push(process.clone());
            }
        }
        let Observed { installed, takers, on_stack, modules, .. } = observed.clone();
        Found { processes, takers, begun, installed, on_stack, modules }
    }

    /// Where calls of this program return to that were on a stack.
    pub(super) fn on_stack(&self, file: &str) -> BTreeSet<u64> {
        self.on_stack.iter().filter(|(program, _)| program == file).map(|(_, address)| *address).collect()
    }

    /// The threads of this process in which a handler could run: the first one, and others.
    pub(super) fn threads_of(&self, process: &ThreadName) -> Vec<ThreadName> {
        let others = self.takers.iter().filter(|taker| taker.process() == *process);
        std::iter::once(process).chain(others).cloned().collect()
    }

    /// The handlers that this process has at some time: its own, and those of the processes that it is a copy of. Whether it
    /// still has them where they are to be called is looked at there.
    pub(super) fn handlers_of(&self, process: &ThreadName) -> Vec<&Installed> {
        let mut line = vec![process.clone()];
        while let Some(last) = line.last().filter(|last| !self.begun.contains(last))
            && let Some(parent) = last.parent()
        {
            line.push(parent);
        }
        let of = |process: &ThreadName| {
            let process = process.clone();
            self.installed.iter().filter(move |one| one.process == process)
        };
        line.iter().rev().flat_map(of).collect()
    }
}

/// What is watched in a run with a signal.
#[derive(Clone, Debug, Default)]
pub(super) struct Look<'a> {
    /// Places, at most three; with `returns` one less.
    pub(super) places: Vec<&'a Site>,
    /// The return of the handler is watched.
    pub(super) returns: bool,
    pub(super) word: Option<Word>,
}

/// What a run with a signal has shown.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) schedule: Schedule,
    /// What was visited before the signal was sent.
    pub(super) before: Vec<Visit>,
    /// The visit at which it was sent.
    pub(super) at: Visit,
    /// What was visited from then on.
    pub(super) after: Vec<Visit>,
    pub(super) spins: Vec<u64>,
}

/// A visit of a place, and what brings a signal about there: each of these is tried, in this order.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    nth: u32,
    causes: Vec<Action>,
}

/// At which visits of which places signals are deliverable.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// By the address of the place.
    visits: HashMap<u64, Vec<Visit>>,
    asked: SignalSet,
    /// The undisturbed run spins by itself.
    pub(super) spins: bool,
}

impl Open {
    /// The first visit of the place at which the signal is deliverable.
    pub(super) fn at(&self, site: &Site, signal: Signal) -> Option<Moment> {
        let visits = self.visits.get(&site.address)?;
        let visit = visits.iter().find(|visit| visit.deliverable.contains(signal))?;
        let sent = Action::Send(signal);
        let causes = match signal {
            _ if self.asked.contains(signal) => vec![sent],
            Signal::CHLD => vec![Action::Switch(Target::All)],
            Signal::ALRM => vec![Action::Fire],
            _ if BY_PEERS.contains(&signal) && visit.others => vec![Action::Switch(Target::All), sent],
            _ => vec![sent],
        };
        Some(Moment { nth: visit.nth, causes })
    }
}

/// What another process of the run may cause by what it does to a descriptor.
const BY_PEERS: [Signal; 2] = [Signal::IO, Signal::URG];

/// How often a run is made in which not all was seen that was asked for: a breakpoint can be lost on a busy machine, and a
/// handler that does not return, or does not come to a place, is not seen there either.
const MOST_MISSED: u32 = 3;

impl<'a> Runs<'a> {
    pub(super) fn new(asked: &Asked<'_>, supervisor: &'a mut dyn Supervise) -> Runs<'a> {
        Runs {
            supervisor,
            thread: asked.process.clone(),
            asked: asked.signals.iter().copied().collect(),
            base: asked.base.clone(),
            made: 0,
            most: asked.runs,
            fits: asked.fits,
            places: (0, 0),
            cut: false,
            not_held: None,
        }
    }

    pub(super) fn made(&self) -> u64 {
        self.made
    }

    pub(super) fn cut(&self) -> bool {
        self.cut
    }

    /// How many places were looked at, and how many there were to look at.
    pub(super) fn places(&self) -> (usize, usize) {
        self.places
    }

    /// Why a thread was not stopped at a place where it was to be looked at: the first such reason.
    pub(super) fn not_held(&self) -> Option<&str> {
        self.not_held.as_deref()
    }

    /// A run that nothing tainted; none if there is none, or the runs are used up.
    fn run(&mut self, schedule: &Schedule, watch: Watch) -> Result<Option<(Run, Observed)>, RunError> {
        let observe = Observe::Handlers(watch);
        for _ in 0..MOST_TAINTED {
            if self.made >= self.most {
                self.cut = true;
                return Ok(None);
            }
            self.made += 1;
            let (run, observed) = self.supervisor.observe(schedule, &observe)?;
            if run.taint.is_none() {
                self.not_held = self.not_held.take().or_else(|| observed.not_held.clone());
                return Ok(Some((run, observed)));
            }
        }
        Ok(None)
    }

    fn watch(&self, places: Vec<Label>, signals: SignalSet) -> Watch {
        let natural = |signal| SignalSet::only(signal).without(self.asked);
        Watch {
            thread: self.thread.clone(),
            places,
            signals,
            of_others: natural(Signal::CHLD),
            of_timers: natural(Signal::ALRM),
            returns_after: None,
            word: None,
            stacks: false,
        }
    }

    /// Who has which handlers when no signal is sent but those of the reference run.
    /// Looks at the `stacks` of its threads as well, if so.
    pub(super) fn found(&mut self, stacks: bool) -> Result<Found, RunError> {
        let base = self.base.clone();
        let watch = Watch { stacks, ..self.watch(Vec::new(), SignalSet::EMPTY) };
        let Some((run, observed)) = self.run(&base, watch)? else { return Ok(Found::default()) };
        if self.fits {
            self.most = self.most.min((MOST_EVENTS / run.events.len().max(1) as u64).max(LEAST_RUNS));
        }
        Ok(Found::of(&self.thread, &run, &observed))
    }

    /// From now on it is this thread that is looked at, and its process that signals are sent to.
    pub(super) fn turn_to(&mut self, thread: &ThreadName) {
        self.thread = thread.clone();
    }

    /// Looks when the signals are deliverable at these places, in their order: at as many as half of the runs that are left can
    /// look at.
    pub(super) fn visit(&mut self, sites: &[Site], signals: SignalSet) -> Result<Open, RunError> {
        let mut open = Open { asked: self.asked, ..Open::default() };
        let base = self.base.clone();
        self.places.1 += sites.len();
        let until = self.made + self.most.saturating_sub(self.made).div_ceil(2);
        for sites in sites.chunks(MOST_OBSERVED) {
            if self.made >= until {
                self.cut = true;
                break;
            }
            let watch = self.watch(sites.iter().map(|site| site.place).collect(), signals);
            let Some((run, observed)) = self.run(&base, watch)? else { break };
            self.places.0 += sites.len();
            open.spins |= matches!(run.outcome.end, End::Spinning(_) | End::Stalled(_) | End::TimedOut);
            for visit in observed.visits {
                if let Some(site) = sites.iter().find(|site| site.place == visit.place) {
                    open.visits.entry(site.address).or_default().push(visit);
                }
            }
        }
        Ok(open)
    }

    /// Has the signal come at a place, at this visit; none if it did not come to that visit.
    pub(super) fn bring(
        &mut self,
        signal: Signal,
        at: &Site,
        moment: &Moment,
        look: &Look<'_>,
    ) -> Result<Option<Shown>, RunError> {
        let mut last = None;
        for cause in &moment.causes {
            let shown = self.bring_by(cause, signal, (at, moment.nth), look)?;
            let came =
                |shown: &Shown| shown.after.iter().any(|visit| visit.interrupted.contains(&at.address));
            if shown.as_ref().is_some_and(came) {
                return Ok(shown);
            }
            last = shown.or(last);
        }
        Ok(last)
    }

    fn bring_by(
        &mut self,
        cause: &Action,
        signal: Signal,
        (at, nth): (&Site, u32),
        look: &Look<'_>,
    ) -> Result<Option<Shown>, RunError> {
        let point = Point { thread: self.thread.clone(), site: PointSite::At(at.place), nth };
        let mut schedule = Schedule { steps: vec![Step::new(point, cause.clone())] };
        schedule.steps.extend(self.base.steps.iter().cloned());
        let places = look.places.iter().map(|site| site.place).collect();
        let watch = Watch {
            returns_after: look.returns.then_some(at.place),
            word: look.word,
            ..self.watch(places, SignalSet::only(signal))
        };
        let mut last = None;
        for _ in 0..MOST_MISSED {
            let Some((_, observed)) = self.run(&schedule, watch.clone())? else { break };
            let mut before = observed.visits;
            let here = |visit: &Visit| visit.place == at.place && visit.nth == nth;
            let Some(index) = before.iter().position(here) else { continue };
            let mut after = before.split_off(index);
            let at = after.remove(0);
            let whole = !look.returns || after.iter().any(|visit| visit.place.as_str() == RETURN);
            let seen = |site: &&Site| before.iter().chain(&after).any(|visit| visit.place == site.place);
            let whole = whole && look.places.iter().all(seen);
            last = Some(Shown { schedule: schedule.clone(), before, at, after, spins: observed.spins });
            if whole {
                break;
            }
        }
        Ok(last)
    }
}

impl Shown {
    /// True if the place was visited by a handler that had interrupted the place at which the signal was sent.
    pub(super) fn in_handler(&self, place: Label, interrupted: &Site) -> bool {
        let here = |visit: &&Visit| visit.place == place && visit.interrupted.contains(&interrupted.address);
        self.after.iter().any(|visit| here(&visit))
    }

    /// The watched word when the signal came, and when the handler had returned.
    pub(super) fn word_around(&self, interrupted: &Site) -> Option<(u64, u64)> {
        let back = self.after.iter().find(|visit| {
            visit.place.as_str() == RETURN && visit.interrupted.first() == Some(&interrupted.address)
        })?;
        self.at.word.zip(back.word)
    }
}
