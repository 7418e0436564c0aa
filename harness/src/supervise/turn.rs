//! The turn loop: settle, pick by the default rule or by the schedule, let go, and again.

use super::breakpoint::Counter;
use super::clock::Clock;
use super::deliver;
use super::handlers::Seen;
use super::held::Held;
use super::quiet::Time;
use super::settle::{Guard, News};
use super::tree::{ProcessId, State, ThreadId, Tree};
use super::whereabouts::Lookout;
use super::{Observe, Observed, RunError, Settings};
use crate::schedule::{Action, Label, Making, Point, Schedule, Site, Step, Syscall, Target, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::sys::cell::Cell;
use crate::sys::pidfd;
use crate::sys::procfs::Status as ProcStatus;
use crate::trace::{End, Event, Reached, Run, What};
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// One run in progress.
pub(super) struct Turns<'a> {
    pub(super) cell: &'a Cell,
    pub(super) settings: &'a Settings,
    pub(super) affinity: &'a [u8],
    pub(super) schedule: &'a Schedule,
    pub(super) observe: &'a Observe,
    /// Where the filter lets the dynamic loader's calls on files pass.
    unnotified: Option<Range<u64>>,
    /// Where the loader of each program was that ran, empty for none.
    pub(super) loaders: Vec<Range<u64>>,
    /// For each step whether it has been taken.
    taken: Vec<bool>,
    pub(super) tree: Tree,
    pub(super) clock: Clock,
    pub(super) events: Vec<Event>,
    pub(super) reached: Vec<Reached>,
    first_quiet: Vec<Point>,
    /// How many events there were when everything was last seen asleep: if there are no more, it is the same moment.
    quiet_at: Option<usize>,
    /// Whose turn it is.
    pub(super) current: Option<ThreadId>,
    /// A `Switch(To(..))` in force: who runs first, and who goes on afterwards.
    detour: Option<(ThreadId, ThreadId)>,
    /// Executions that are counted.
    pub(super) counters: Vec<Counter>,
    /// What was seen of what `Observe::Handlers` asked for.
    pub(super) seen: Seen,
    /// Where threads are, if the run is looked at for that.
    pub(super) lookout: Lookout,
    /// A breakpoint's time has come, and its thread is about to stop.
    pub(super) parking: bool,
    /// The current thread has called sched_yield.
    pub(super) yielded: bool,
    /// Since all threads were settled, nothing has happened but a call that concerns its caller alone: the others are
    /// as they were.
    pub(super) undisturbed: bool,
    /// Points of the present turn.
    turn_points: u32,
    /// Points since time last passed: a program that polls while it waits for a timer must get its timer.
    pub(super) busy_points: u32,
    points: u64,
    stamp: u64,
    pub(super) news: Vec<(ThreadId, News)>,
    pub(super) taint: Option<String>,
    /// Why nothing that this run shows is to be believed, of the program or of the host.
    pub(super) unsupported: Option<String>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) started: Instant,
    /// The thread that was let go last.
    pub(super) released: Option<ThreadId>,
    /// Who came to a point while that one was still on its way to its own.
    pub(super) overtaken_by: Option<ThreadId>,
    /// When a thread was let go last.
    pub(super) released_at: Instant,
    pub(super) guard: Option<Guard>,
    /// Children of a process that has just signalled somebody, until it is held again.
    pub(super) signalled_children: Vec<ProcessId>,
    /// Calls of getrandom so far, so that each gets other bytes.
    pub(super) random_calls: u64,
    /// Since when nobody can run.
    pub(super) quiet_since: Option<Instant>,
    /// The program has set a timeout of a socket.
    pub(super) socket_timeouts: bool,
    /// The logical time at which the first process ended.
    pub(super) first_ended: Option<u64>,
    /// And on the real clock.
    pub(super) first_ended_at: Option<Instant>,
    /// Everything that could go wrong with starting, from the init.
    pub(super) failed_start: Option<(&'static str, Errno)>,
}

/// A run, and what was seen of what it was looked at for.
type Told = Result<(Run, Observed), RunError>;

/// What a round of the loop came to.
enum Picked {
    /// This thread is to go on.
    One(ThreadId),
    /// A step was taken, which may have changed everything.
    Again,
    /// Nobody is held.
    Nobody,
}

impl<'a> Turns<'a> {
    pub(super) fn new(
        cell: &'a Cell,
        settings: &'a Settings,
        affinity: &'a [u8],
        (schedule, observe): (&'a Schedule, &'a Observe),
        unnotified: Option<Range<u64>>,
    ) -> Turns<'a> {
        Turns {
            unnotified,
            loaders: Vec::new(),
            cell,
            settings,
            affinity,
            schedule,
            observe,
            counters: Vec::new(),
            seen: Seen::default(),
            lookout: Lookout::default(),
            parking: false,
            taken: vec![false; schedule.steps.len()],
            tree: Tree::default(),
            clock: Clock::default(),
            events: Vec::new(),
            reached: Vec::new(),
            first_quiet: Vec::new(),
            quiet_at: None,
            current: None,
            detour: None,
            yielded: false,
            undisturbed: false,
            turn_points: 0,
            busy_points: 0,
            points: 0,
            stamp: 0,
            news: Vec::new(),
            taint: None,
            unsupported: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            started: Instant::now(),
            released: None,
            overtaken_by: None,
            released_at: Instant::now(),
            guard: None,
            signalled_children: Vec::new(),
            random_calls: 0,
            quiet_since: None,
            socket_timeouts: false,
            first_ended: None,
            first_ended_at: None,
            failed_start: None,
        }
    }

    /// From the start of the program to the end of everything in the cell; and where the dynamic loaders were.
    pub(super) fn run(mut self) -> (Told, Vec<Range<u64>>) {
        let run = self.told();
        (run, self.loaders)
    }

    /// A program whose loader is not where the filter has it: what it does may not be notified.
    fn misplaced(&self) -> bool {
        self.unnotified.as_ref().is_some_and(|range| self.loaders.iter().any(|other| other != range))
    }

    /// The places in a thread's code whose executions are to be counted.
    pub(super) fn counted_by(&self, name: &ThreadName) -> impl Iterator<Item = Label> + use<'_, 'a> {
        let name = name.clone();
        let places = match self.observe {
            Observe::Nothing | Observe::Handlers(_) | Observe::Where => &[][..],
            Observe::Executions(places) => places,
        };
        places.iter().filter(move |(thread, _)| *thread == name).map(|(_, place)| *place)
    }

    /// Marks the first step of this point with this action as taken.
    pub(super) fn mark_taken(&mut self, point: &Point, action: &Action) {
        let steps = self.steps_for(point);
        if let Some((index, _)) = steps.into_iter().find(|(_, step)| step.action == *action) {
            self.taken[index] = true;
        }
    }

    fn told(&mut self) -> Told {
        self.start()?;
        let end = self.drive()?;
        let verdict_after = self.released_at.elapsed();
        self.note_spinning(&end);
        let mut observed = self.observed()?;
        let outcome = self.finish(end)?;
        observed.places = self.lookout.places();
        if let Some(what) = self.unsupported.take() {
            return Err(RunError::Unsupported(what));
        }
        let steps = self.schedule.steps.iter().zip(&self.taken);
        let unreached = steps.filter(|(_, taken)| !**taken).map(|(step, _)| step.clone()).collect();
        let run = Run {
            schedule: self.schedule.clone(),
            events: std::mem::take(&mut self.events),
            outcome,
            reached: std::mem::take(&mut self.reached),
            first_quiet: std::mem::take(&mut self.first_quiet),
            unreached,
            taint: self.taint.take(),
            verdict_after,
        };
        Ok((run, observed))
    }

    fn drive(&mut self) -> Result<End, RunError> {
        loop {
            if let Some(end) = self.settle()? {
                return Ok(end);
            }
            self.tell_news()?;
            if self.steps_of_sleepers()? {
                continue;
            }
            if self.tree.live_threads() == 0 {
                return self.end_of_all();
            }
            if self.unsupported.is_some() || self.misplaced() {
                return Ok(End::TimedOut);
            }
            if self.points > self.settings.limits.points {
                return Ok(End::Spinning(format!("{} points without coming to an end", self.points)));
            }
            if self.busy_points > self.settings.limits.turn {
                match self.let_time_pass()? {
                    Time::Passed => continue,
                    Time::Over(end) => return Ok(end),
                    Time::Nothing => {}
                }
            }
            match self.pick()? {
                Picked::One(thread) => self.let_go(thread)?,
                Picked::Again => {}
                Picked::Nobody => {
                    if !self.still()? || self.steps_of_quiet()? {
                        continue;
                    }
                    if let Some(end) = self.quiet()? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    pub(super) fn interrupted(&self) -> Result<(), RunError> {
        if self.settings.cancel.load(Ordering::Relaxed) { Err(RunError::Interrupted) } else { Ok(()) }
    }

    pub(super) fn event(&mut self, thread: ThreadId, what: What) {
        let name = self.tree.thread(thread).name.clone();
        self.events.push(Event { thread: name, what, others: Vec::new() });
        self.note_where(thread);
    }

    /// The nth visit of a thread to a kind of place.
    pub(super) fn visit(&mut self, thread: ThreadId, site: Site) -> u32 {
        let visits = self.tree.thread_mut(thread).visits.entry(site).or_insert(0);
        *visits += 1;
        *visits
    }

    /// A later moment than all before.
    pub(super) fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    /// Tells what happened while the threads settled, in the order of the threads' making: the order in which it was
    /// noticed may differ from run to run.
    fn tell_news(&mut self) -> Result<(), RunError> {
        let mut news = std::mem::take(&mut self.news);
        // A thread that waits for what it made (vfork) has made it before.
        news.sort_by_key(|(thread, what)| (*thread, !matches!(what, News::Told(What::Make(_)))));
        for (thread, what) in news {
            let stamp = self.next_stamp();
            self.tree.thread_mut(thread).since = stamp;
            match what {
                News::Held => {}
                News::Slept(call) => {
                    let nth = self.visit(thread, Site::In(call));
                    self.event(thread, What::Sleep(call, nth));
                }
                News::Told(what) => self.event(thread, what),
            }
        }
        Ok(())
    }

    /// The points at which sleeping threads are.
    fn sleeping_points(&self) -> Vec<Point> {
        self.tree.ids().filter_map(|id| self.sleeping_point(id)).collect()
    }

    fn sleeping_point(&self, id: ThreadId) -> Option<Point> {
        let thread = self.tree.thread(id);
        let call = match &thread.state {
            State::Asleep(inside) => Syscall(u32::try_from(inside.number).ok()?),
            State::Waiting(_, wait) => wait.call,
            _ => return None,
        };
        let site = Site::In(call);
        Some(Point { thread: thread.name.clone(), site, nth: *thread.visits.get(&site)? })
    }

    /// Takes steps at threads that have fallen asleep; true if one was taken.
    fn steps_of_sleepers(&mut self) -> Result<bool, RunError> {
        for id in self.tree.ids() {
            let Some(point) = self.sleeping_point(id) else { continue };
            if !self.reached.iter().rev().any(|reached| reached.point == point) {
                let receivable = self.receivable(id)?;
                self.reached.push(Reached { point: point.clone(), others: Vec::new(), receivable });
            }
            for (index, step) in self.steps_for(&point) {
                if let Action::Send(signal) = step.action
                    && self.send(id, signal)?
                {
                    self.taken[index] = true;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Everything sleeps: takes the steps for this moment, of each process once; true if one was taken.
    fn steps_of_quiet(&mut self) -> Result<bool, RunError> {
        let wanted = self.schedule.steps.iter().any(|step| step.at == Site::Quiet);
        let first = self.first_quiet.is_empty();
        if self.quiet_at == Some(self.events.len()) || !(first || wanted) {
            return Ok(false);
        }
        let asleep = self.sleeping_points();
        let mut processes = BTreeSet::new();
        let mut taken = false;
        for sleeper in &asleep {
            let name = sleeper.thread.process();
            let (Some(thread), Some(leader)) = (self.tree.named(&sleeper.thread), self.tree.named(&name))
            else {
                continue;
            };
            if !processes.insert(name.clone()) {
                continue;
            }
            let nth = self.visit(leader, Site::Quiet);
            let point = Point { thread: name, site: Site::Quiet, nth };
            let steps = self.steps_for(&point);
            // Where there is but one thread, the call in which it sleeps says as much.
            let telling = first && self.tree.threads.len() > 1 && !self.settings.watch.is_empty();
            if telling || !steps.is_empty() {
                let receivable = self.receivable(thread)?;
                self.reached.push(Reached { point, others: Vec::new(), receivable });
            }
            for (index, step) in steps {
                if let Action::Send(signal) = step.action
                    && self.send(thread, signal)?
                {
                    self.taken[index] = true;
                    taken = true;
                }
            }
        }
        if first {
            self.first_quiet = asleep;
        }
        // Whatever came of a step, what follows is another moment.
        self.quiet_at = (!taken).then_some(self.events.len());
        Ok(taken)
    }

    /// The steps for this point that were not taken, in their order.
    fn steps_for(&self, point: &Point) -> Vec<(usize, Step)> {
        let matches =
            |step: &Step| step.at == point.site && step.nth == point.nth && step.thread == point.thread;
        let steps = self.schedule.steps.iter().enumerate();
        steps
            .filter(|(index, step)| !self.taken[*index] && matches(step))
            .map(|(n, step)| (n, step.clone()))
            .collect()
    }

    /// By the default rule: the current thread goes on; when it cannot, the one that has waited longest.
    fn pick(&mut self) -> Result<Picked, RunError> {
        let Some(thread) = self.candidate() else { return Ok(Picked::Nobody) };
        if self.current != Some(thread) {
            self.current = Some(thread);
            self.turn_points = 0;
        }
        self.yielded = false;
        let (point, told) = self.point_of(thread);
        let others: Vec<ThreadId> = self.tree.held().filter(|other| *other != thread).collect();
        if !told {
            let names = others.iter().map(|id| self.tree.thread(*id).name.clone()).collect();
            let receivable = self.receivable(thread)?;
            self.reached.push(Reached { point: point.clone(), others: names, receivable });
            self.points += 1;
            self.turn_points += 1;
            self.busy_points += 1;
            if let State::Held(held) = &mut self.tree.thread_mut(thread).state {
                held.told = true;
            }
        }
        for (index, step) in self.steps_for(&point) {
            let done = match &step.action {
                Action::Send(signal) => self.send(thread, *signal)?,
                Action::Switch(target) => self.switch(thread, target, &others),
            };
            // One that can do nothing here is left untaken, so that the run says so.
            if done {
                self.taken[index] = true;
                return Ok(Picked::Again);
            }
        }
        Ok(Picked::One(thread))
    }

    fn candidate(&mut self) -> Option<ThreadId> {
        let others_wait = |turns: &Turns<'_>, current: ThreadId| {
            turns.tree.held().any(|other| other != current && !turns.tree.thread(other).demoted)
        };
        if let Some((first, back)) = self.detour {
            if self.tree.is_held(first) && self.turn_points <= self.settings.limits.turn {
                return Some(first);
            }
            self.detour = None;
            if self.tree.is_held(back) {
                return Some(back);
            }
        }
        if let Some(current) = self.current.filter(|id| self.tree.is_held(*id)) {
            let used_up = self.turn_points > self.settings.limits.turn;
            if used_up {
                // The count of a turn also ends the low priority of those that a switch put behind.
                self.tree.threads.iter_mut().for_each(|thread| thread.demoted = false);
            }
            let yields = (self.yielded || used_up) && others_wait(self, current);
            if !yields && !self.tree.thread(current).demoted {
                if used_up {
                    self.turn_points = 0;
                }
                return Some(current);
            }
            if yields {
                let stamp = self.next_stamp();
                self.tree.thread_mut(current).since = stamp;
            }
        }
        let longest = self.tree.held().min_by_key(|id| {
            let thread = self.tree.thread(*id);
            (thread.demoted, thread.since)
        })?;
        self.tree.thread_mut(longest).demoted = false;
        Some(longest)
    }

    fn point_of(&self, id: ThreadId) -> (Point, bool) {
        let thread = self.tree.thread(id);
        let (site, nth, told) = match &thread.state {
            State::Held(held) => {
                let (site, nth) = held.place().site();
                (site, nth, held.told)
            }
            // Only held threads are asked for.
            _ => (Site::After(Making::Fork), 0, true),
        };
        (Point { thread: thread.name.clone(), site, nth }, told)
    }

    /// Holds `thread` back; false if that changes nothing, because the one to run first cannot run.
    fn switch(&mut self, thread: ThreadId, target: &Target, others: &[ThreadId]) -> bool {
        match target {
            Target::All if others.is_empty() => return false,
            Target::All => {
                self.tree.thread_mut(thread).demoted = true;
                self.current = None;
            }
            Target::To(name) => match self.tree.named(name).filter(|id| others.contains(id)) {
                Some(first) => {
                    self.detour = Some((first, thread));
                    self.turn_points = 0;
                }
                None => return false,
            },
        }
        self.step_event(thread, Action::Switch(target.clone()), others);
        true
    }

    fn step_event(&mut self, thread: ThreadId, action: Action, others: &[ThreadId]) {
        let others: Vec<ThreadName> = others.iter().map(|id| self.tree.thread(*id).name.clone()).collect();
        let name = self.tree.thread(thread).name.clone();
        self.events.push(Event { thread: name, what: What::Step(action), others });
        self.note_where(thread);
    }

    /// Sends a signal to the thread's process, as kill(2) does; false if it is neither caught nor blocked there (and the
    /// run was not asked to send it all the same), or if the process has ended.
    fn send(&mut self, thread: ThreadId, signal: Signal) -> Result<bool, RunError> {
        let parked = matches!(self.point_of(thread).0.site, Site::At(_));
        if parked && (signal == Signal::CONT || deliver::stops().contains(signal)) {
            // It would let the thread go, or be taken away by what lets it go.
            return Ok(false);
        }
        let Some(status) = self.proc_status(thread)? else { return Ok(false) };
        if !self.settings.always && !status.caught.union(status.blocked).contains(signal) {
            return Ok(false);
        }
        let process = self.tree.thread(thread).process;
        self.look_where(thread);
        match pidfd::kill(self.tree.process(process).pid, signal.number()) {
            Ok(()) => {}
            Err(Errno::ESRCH) => return Ok(false),
            Err(errno) => {
                let name = &self.tree.process(process).name;
                return Err(RunError::Unsupported(format!(
                    "sending {signal} to {name} is not allowed: {errno}"
                )));
            }
        }
        self.signalled(process);
        self.step_event(thread, Action::Send(signal), &[]);
        if !self.tree.is_held(thread) {
            self.lookout.goes_on(thread);
        }
        Ok(true)
    }

    /// A signal may be pending for this process, which its next release has to look at.
    pub(super) fn signalled(&mut self, process: ProcessId) {
        self.undisturbed = false;
        self.tree.process_mut(process).dirty = true;
    }

    pub(super) fn proc_status(&self, id: ThreadId) -> Result<Option<ProcStatus>, RunError> {
        let thread = self.tree.thread(id);
        thread.files.status().map_err(|error| {
            RunError::Fault(format!("reading the status of thread {}: {error}", thread.name))
        })
    }

    /// Which of the watched signals the thread's process could be sent now.
    pub(super) fn receivable(&self, thread: ThreadId) -> Result<SignalSet, RunError> {
        if self.settings.watch.is_empty() {
            return Ok(SignalSet::EMPTY);
        }
        let watched: SignalSet = self.settings.watch.iter().copied().collect();
        if self.settings.always {
            return Ok(watched);
        }
        let status = self.proc_status(thread)?;
        Ok(status
            .map_or(SignalSet::EMPTY, |status| status.caught.union(status.blocked).intersection(watched)))
    }

    /// Takes a held thread out of the books, to be answered.
    pub(super) fn take_held(&mut self, id: ThreadId) -> Option<Held> {
        let state = &mut self.tree.thread_mut(id).state;
        match std::mem::replace(state, State::Running) {
            State::Held(held) => Some(held),
            other => {
                *state = other;
                None
            }
        }
    }
}
