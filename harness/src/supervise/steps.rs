//! What the schedule has done: at the point of the thread whose turn it is, at those that have fallen asleep, and when
//! everything sleeps.

use super::RunError;
use crate::schedule::{Action, Making, Point, Site, Step, Syscall, Target};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::held::Place;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::pick::Waiting;
use crate::supervise::books::thread::State;
use crate::supervise::books::tree::Process;
use crate::supervise::deliver;
use crate::supervise::lapse::Reception;
use crate::supervise::state::Turns;
use crate::sys::pidfd;
use crate::trace::{Reached, Threads};
use nix::errno::Errno;
use std::collections::BTreeSet;

/// What a round of the loop came to.
pub(super) enum Picked {
    /// This thread is to go on.
    One(ThreadId),
    /// A step was taken, which may have changed everything.
    Again,
    /// Nobody is held.
    Nobody,
}

impl Turns<'_> {
    /// Marks the first step of this point with this action as taken.
    pub(super) fn mark_taken(&mut self, point: &Point, action: &Action) {
        let steps = self.steps_for(point);
        if let Some((index, _)) = steps.into_iter().find(|(_, step)| step.action == *action) {
            self.taken[index] = true;
        }
    }

    /// The points at which sleeping threads are.
    fn sleeping_points(&self) -> Vec<Point> {
        self.tree.live().filter_map(|id| self.sleeping_point(id)).collect()
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
    pub(super) fn steps_of_sleepers(&mut self) -> Result<bool, RunError> {
        let any = self.schedule.steps.iter().any(|step| matches!(step.at, Site::In(_)));
        for id in self.tree.live_ids() {
            if self.tree.thread(id).told_asleep && !any && !self.is_to_stand_still() {
                continue;
            }
            let Some(point) = self.sleeping_point(id) else { continue };
            if !std::mem::replace(&mut self.tree.thread_mut(id).told_asleep, true) {
                let Reception { receivable, lapsed } = self.reception(id)?;
                // Where nobody else could go, it runs out next in any case.
                let fires = self.tree.held().next().is_some() && self.could_fire(id)?;
                let acts = self.meaningful_acts(id)?;
                let (point, others) = (point.clone(), Threads::default());
                self.journal.reach(Reached { point, others, receivable, fires, acts, looks: false }, lapsed);
            }
            if self.stands_still(id, &point)? || self.steps_of_sleeper(id, &point)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the steps at this point, at which the thread sleeps: all that the outside does before it wakes, or a timer that
    /// runs out. True if one was taken.
    fn steps_of_sleeper(&mut self, id: ThreadId, point: &Point) -> Result<bool, RunError> {
        let steps = self.steps_for(point);
        let before = if steps.len() > 1 { self.times_run(id)? } else { 0 };
        let mut taken = false;
        for (index, step) in steps {
            let done = match step.action {
                Action::Fire if taken => false,
                Action::Fire => return self.fire_early(id).inspect(|done| self.taken[index] = *done),
                _ => self.act_outside(id, &step.action)?,
            };
            if taken {
                self.note_awake_between(id, before)?;
            }
            self.taken[index] |= done;
            taken |= done;
        }
        Ok(taken)
    }

    /// On a busy machine a thread may be let run as soon as the first of several things has woken it; `before` is how often it had been
    /// let run by then.
    fn note_awake_between(&mut self, id: ThreadId, before: u64) -> Result<(), RunError> {
        if self.times_run(id)? != before {
            let name = &self.tree.thread(id).name;
            self.doubts
                .taint(format!("{name} woke up between two things that were to be done while it slept"));
        }
        Ok(())
    }

    /// Everything sleeps: takes the steps for this moment, of each process once; true if one was taken.
    pub(super) fn steps_of_quiet(&mut self) -> Result<bool, RunError> {
        if self.start_due_clients()? {
            return Ok(true);
        }
        if self.clients_are_busy() {
            return Ok(false);
        }
        self.note_awaited()?;
        self.note_listening()?;
        let wanted =
            self.schedule.steps.iter().any(|step| step.at == Site::Quiet) || self.is_to_stand_still();
        let first = self.journal.first_quiet.is_empty();
        if self.journal.quiet_at == Some(self.journal.events.len()) || !(first || wanted) {
            return Ok(false);
        }
        let asleep = self.sleeping_points();
        let quiet = self.quiet_processes(&asleep);
        // Before any of them is counted: whoever stands still comes to the same moment again.
        for (thread, _, point) in &quiet {
            if self.stands_still(*thread, point)? {
                return Ok(true);
            }
        }
        let mut taken = false;
        for (thread, leader, point) in quiet {
            self.visit(leader, Site::Quiet);
            let steps = self.steps_for(&point);
            // Where there is but one thread, the call in which it sleeps says as much.
            let looks = !self.settings.watch.is_empty() || self.seat.is_some();
            let telling = first && self.tree.threads.len() > 1 && looks;
            if telling || !steps.is_empty() {
                let Reception { receivable, lapsed } = self.reception(thread)?;
                let (others, acts) = (Threads::default(), self.meaningful_acts(thread)?);
                self.journal
                    .reach(Reached { point, others, receivable, fires: false, acts, looks: false }, lapsed);
            }
            let before = if steps.len() > 1 { self.times_run(thread)? } else { 0 };
            let mut first = true;
            for (index, step) in steps {
                if self.act_outside(thread, &step.action)? {
                    self.taken[index] = true;
                    taken = true;
                    if !std::mem::replace(&mut first, false) {
                        self.note_awake_between(thread, before)?;
                    }
                }
            }
        }
        if first {
            self.journal.first_quiet = asleep;
        }
        // Whatever came of a step, what follows is another moment.
        self.journal.quiet_at = (!taken).then_some(self.journal.events.len());
        Ok(taken)
    }

    /// Of each process of these sleepers the first of them, its first thread, and the point at which it is now that everything sleeps.
    fn quiet_processes(&self, asleep: &[Point]) -> Vec<(ThreadId, ThreadId, Point)> {
        let mut processes = BTreeSet::new();
        let mut quiet = Vec::new();
        for sleeper in asleep {
            let name = sleeper.thread.process();
            let (Some(thread), Some(leader)) = (self.tree.named(&sleeper.thread), self.tree.named(&name))
            else {
                continue;
            };
            if processes.insert(name.clone()) {
                let nth = self.tree.thread(leader).times_at(&Site::Quiet) + 1;
                let point = Point { thread: name, site: Site::Quiet, nth };
                quiet.push((thread, leader, point));
            }
        }
        quiet
    }

    /// The steps for this point that were not taken, in their order.
    pub(super) fn steps_for(&self, point: &Point) -> Vec<(usize, Step)> {
        let matches =
            |step: &Step| step.at == point.site && step.nth == point.nth && step.thread == point.thread;
        let steps = self.schedule.steps.iter().enumerate();
        steps
            .filter(|(index, step)| !self.taken[*index] && matches(step))
            .map(|(n, step)| (n, step.clone()))
            .collect()
    }

    /// Who goes next, and what the schedule has done there.
    pub(super) fn pick(&mut self) -> Result<Picked, RunError> {
        let back = self.picker.held_back_for_children();
        let able = self.tree.held().filter(|id| !self.waits_for_parked(*id));
        // These lists are made at each point, and may be long.
        let mut held: Vec<Waiting> = Vec::with_capacity(self.tree.live_threads());
        held.extend(able.map(|id| self.tree.waiting(id, back)));
        let Some(choice) = self.picker.choose(&held, self.settings.limits.turn) else {
            return Ok(Picked::Nobody);
        };
        let thread = choice.id;
        if choice.promotes {
            held.iter().for_each(|other| self.tree.thread_mut(other.id).demoted = false);
        }
        if let Some(last) = choice.gives_way {
            self.tree.thread_mut(last).since = self.journal.next_stamp();
        }
        self.tree.thread_mut(thread).demoted = false;
        if let Some(observed) = self.observed_by(thread)? {
            self.picker.detour(observed, thread);
            return Ok(Picked::Again);
        }
        let woken =
            |state: &State| matches!(state, State::Held(held) if matches!(held.place(), Place::Woken(..)));
        if woken(&self.tree.thread(thread).state) {
            return Ok(Picked::One(thread));
        }
        let (point, told) = self.point_of(thread);
        let mut others = Vec::with_capacity(held.len());
        others.extend(held.iter().map(|other| other.id).filter(|other| *other != thread));
        if !told {
            let Reception { receivable, lapsed } = self.reception(thread)?;
            let (fires, acts) = (self.could_fire(thread)?, self.meaningful_acts(thread)?);
            let looks = !others.is_empty() && self.only_looks(thread);
            let (point, others) = (point.clone(), self.names(&others));
            self.journal.reach(Reached { point, others, receivable, fires, acts, looks }, lapsed);
            self.picker.point();
            if let State::Held(held) = &mut self.tree.thread_mut(thread).state {
                held.told = true;
            }
        }
        if self.stands_still(thread, &point)? || self.take_step(thread, &point, &others)? {
            return Ok(Picked::Again);
        }
        if let Some(entering) = self.enter(thread, &others)? {
            if self.stands_still(thread, &entering)? || self.take_step(thread, &entering, &others)? {
                return Ok(Picked::Again);
            }
            self.leave_entering(thread, &entering);
        }
        Ok(Picked::One(thread))
    }

    /// Takes the next step of a thread that is held at this point; false if there is none.
    fn take_step(&mut self, thread: ThreadId, point: &Point, others: &[ThreadId]) -> Result<bool, RunError> {
        for (index, step) in self.steps_for(point) {
            let done = match &step.action {
                Action::Switch(target) => self.switch(thread, target, others),
                Action::Fire => self.fire_early(thread)?,
                action => self.act_outside(thread, action)?,
            };
            // One that can do nothing here is left untaken, so that the run says so.
            if done {
                self.taken[index] = true;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The names of these threads.
    pub(super) fn names(&mut self, ids: &[ThreadId]) -> Threads {
        let Turns { tree, journal, .. } = self;
        journal.names(ids, |id| tree.thread(id).name.clone())
    }

    pub(super) fn point_of(&self, id: ThreadId) -> (Point, bool) {
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

    /// Holds `thread` back; false if that changes nothing, because those that are to run first cannot run.
    fn switch(&mut self, thread: ThreadId, target: &Target, others: &[ThreadId]) -> bool {
        match target {
            Target::All if others.is_empty() => return false,
            Target::All => {
                self.tree.thread_mut(thread).demoted = true;
                self.picker.end_turn();
            }
            Target::Children if !others.iter().any(|other| self.tree.descends(*other, thread)) => {
                return false;
            }
            Target::Children => self.picker.hold_back_for_children(thread),
            Target::To(name) => match self.tree.named(name).filter(|id| others.contains(id)) {
                Some(first) => self.picker.detour(first, thread),
                None => return false,
            },
        }
        self.step_event(thread, Action::Switch(target.clone()), others);
        true
    }

    pub(super) fn step_event(&mut self, thread: ThreadId, action: Action, others: &[ThreadId]) {
        let others = self.names(others);
        let name = self.tree.thread(thread).name.clone();
        self.journal.step(name, action, others);
        self.note_where(thread);
    }

    /// Does what the outside does; false if nothing comes of it here, or it is no such action.
    fn act_outside(&mut self, thread: ThreadId, action: &Action) -> Result<bool, RunError> {
        match action {
            Action::Send(signal) => self.send(thread, *signal, false),
            Action::SendGroup(signal) => self.send(thread, *signal, true),
            Action::Type(_) | Action::Resize(..) | Action::HangUp => self.act(thread, action),
            Action::Switch(_) | Action::Fire => Ok(false),
        }
    }

    /// True if a thread is stopped at an instruction.
    pub(super) fn anybody_parked(&self) -> bool {
        self.tree.held().any(|id| matches!(self.point_of(id).0.site, Site::At(_)))
    }

    /// Sends a signal to the thread's process, or to its process group, as kill(2) does; false if it is neither caught nor
    /// blocked in the process, nor was caught before (and the run was not asked to send it all the same), if it is pending
    /// there already, or if the process has ended.
    fn send(&mut self, thread: ThreadId, signal: Signal, group: bool) -> Result<bool, RunError> {
        let parked = match group {
            true => self.anybody_parked(),
            false => matches!(self.point_of(thread).0.site, Site::At(_)),
        };
        if parked && (signal == Signal::CONT || deliver::stops().contains(signal)) {
            // It would let the thread go, or be taken away by what lets it go.
            return Ok(false);
        }
        let Some(status) = self.proc_status(thread)? else { return Ok(false) };
        let taken = match self.point_of(thread).0.site {
            // What is blocked stays pending, and what is not caught ends the process before the call.
            Site::Entering(_) => status.handled().contains(signal),
            // None but this one could take it.
            Site::At(_) if self.live_siblings(thread) => self.taken_here(thread, &status)?.contains(signal),
            _ => self.takes(thread, &status, signal),
        };
        if !taken {
            return Ok(false);
        }
        let process = self.tree.thread(thread).process;
        // It is not queued again (signal(7)): nothing would come of it.
        let again = signal.is_standard() && status.pending_process.contains(signal);
        // Another thread would wake for it, and run beside the one that the first has woken.
        let several = self.tree.threads_of(process).nth(1).is_some();
        let on_its_way = !status.pending_process.without(status.blocked).is_empty();
        if !group && (again || several && on_its_way && !self.tree.is_held(thread)) {
            self.journal.refused = self.journal.refused.union(SignalSet::only(signal));
            return Ok(false);
        }
        self.look_where(thread);
        self.note_there()?;
        let entering = matches!(self.point_of(thread).0.site, Site::Entering(_));
        self.noted.entered = entering.then_some(thread).or(self.noted.entered);
        if group {
            let members = self.members(signal, status.own_group)?;
            self.send_to_members(signal, members)?;
            return self.sent(thread, Action::SendGroup(signal));
        }
        self.check_choice(process, signal)?;
        if !self.kill(process, signal)? {
            return Ok(false);
        }
        self.signalled(process);
        self.sent(thread, Action::Send(signal))
    }

    /// Sends it as kill(2) does; false if the process has ended.
    pub(super) fn kill(&self, process: ProcessId, signal: Signal) -> Result<bool, RunError> {
        let Process { pid, name, .. } = self.tree.process(process);
        match pidfd::kill(*pid, signal.number()) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(errno) => {
                Err(RunError::Unsupported(format!("sending {signal} to {name} is not allowed: {errno}")))
            }
        }
    }

    /// What happens from here on may be what somebody outside has just done.
    pub(super) fn note_sent(&mut self) {
        self.course.last_sent = Some((self.clock.now, self.clock.run_out));
        self.course.first_expiry = None;
    }

    fn sent(&mut self, thread: ThreadId, action: Action) -> Result<bool, RunError> {
        self.note_sent();
        self.clients.sent += 1;
        self.step_event(thread, action, &[]);
        if !self.tree.is_held(thread) {
            self.code.lookout.goes_on(thread);
        }
        Ok(true)
    }
}
