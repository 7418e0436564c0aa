//! Waiting until every thread is settled: held, asleep, stopped or ended.
//!
//! NOTE \[Stale\] A sleeper is looked at again only when something has happened since that could have ended its sleep: a call
//! was let happen, or has come back, that wakes its kind of sleep (`calls`), or its process may have got a signal. What the
//! outside or the kernel does by itself is noticed when the thread comes to its next call, and before anything is claimed
//! of sleepers all of them are looked at (`quiet`).

use super::RunError;
use crate::schedule::Syscall;
use crate::signal::Signal;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::news::News;
use crate::supervise::books::thread::{State, Thread};
use crate::supervise::calls::{self, Wakes};
use crate::supervise::patience::{Heard, Patience, UnderWay};
use crate::supervise::state::Turns;
use crate::supervise::time::deadline::Deadline;
use crate::supervise::time::due::Due;
use crate::supervise::time::wait::WaitEnd;
use crate::sys::procfs::{self, Doing, Inside};
use crate::sys::sched;
use crate::trace::{End, Status, What};
use std::time::{Duration, Instant};

/// A thread that has computed for so long without a call lets a due deadline come.
const COMPUTES: Duration = Duration::from_millis(100);

impl Turns<'_> {
    /// Returns when all threads are settled; an end if the run is over because one never will.
    pub(super) fn settle(&mut self) -> Result<Option<End>, RunError> {
        let mut patience = self.first_patience();
        let mut birth = UnderWay::new();
        let mut moving = false;
        let mut preempting = None;
        loop {
            let preempts = matches!(patience, Patience::For(_)) && self.one_computes();
            if preempts != preempting.is_some() {
                preempting = if preempts { sched::Preempting::begin() } else { None };
            }
            // A held thread that runs for a moment will not tell when it is through, and it may be waiting for this CPU.
            if moving || self.awaited() {
                match self.listen(patience)? {
                    Heard::News => {
                        // Maybe of the one that was seen to run: there is nothing to wait for before the next look.
                        moving = false;
                        patience = self.first_patience();
                        continue;
                    }
                    Heard::Hint | Heard::Said => patience = Patience::FIRST_LOOK,
                    Heard::Nothing => {}
                }
            }
            let look = self.look()?;
            moving = look.running.is_some();
            if !look.unchanged.is_empty() && self.listen(Patience::Not)?.is_news() {
                continue;
            }
            // A look is not instant: what changed during it may have woken a thread that was looked at before. So only a
            // look that finds nothing new is believed, unless there is no other.
            let new = match &look.found[..] {
                [] => false,
                [(_, Found::Asleep(_))] => self.tree.live_threads() > 1,
                _ => true,
            };
            let settled = look.running.is_none() && !new && !self.birth_pending()?;
            self.commit(look.found)?;
            if settled && self.going.guard.is_none() {
                // Whom a signal wakes, it wakes as it is sent.
                for id in look.unchanged {
                    let thread = self.tree.thread_mut(id);
                    thread.stale = false;
                    // What a held thread takes is looked at when it is let go.
                    thread.dirty &= matches!(thread.state, State::Held(_));
                }
                self.code.parking = false;
                return Ok(None);
            }
            self.interrupted()?;
            let unseen = self.tree.birth.is_some();
            match self.limits(look.running)? {
                Some(End::TimedOut) if unseen => return Err(never_seen()),
                Some(end) => return Ok(Some(end)),
                None if unseen && birth.is_overdue() => return Err(never_seen()),
                None => {}
            }
            patience = patience.longer();
        }
    }

    /// True if one thread runs, nobody else is on the way, and no breakpoint waits for it, which would wake the supervisor before the
    /// thread has stopped.
    fn one_computes(&self) -> bool {
        self.going.guard.is_none()
            && self.tree.birth.is_none()
            && self.waiting_breakpoints().next().is_none()
            && self.tree.running().count() == 1
    }

    /// True while something is known to be on its way.
    fn awaited(&self) -> bool {
        self.going.guard.is_some() || self.tree.birth.is_some() || self.tree.running().next().is_some()
    }

    /// How to wait for the threads that run, at first.
    fn first_patience(&self) -> Patience {
        // Under guard the end itself is heard; a look in between would only push the dying thread off its CPU.
        let guarded = self.going.guard.is_some();
        if self.code.parking
            || !self.awaited()
            || (!guarded && self.tree.running().any(|id| self.tree.thread(id).untold))
        {
            Patience::FIRST_LOOK
        } else if !guarded && self.settings.learnt.goes_round() {
            Patience::LONGEST
        } else if !guarded && self.is_told_by_calls() {
            Patience::ForCall
        } else {
            Patience::ForNews
        }
    }

    /// True if whoever runs comes to a call next, unless it crashes, and nothing else that is listened to has anything to say.
    fn is_told_by_calls(&self) -> bool {
        let comes_back =
            |thread: &Thread| thread.released.is_none_or(|call| calls::numbered(call).comes_back());
        self.seat.is_none()
            && self.settings.clients.is_empty()
            && self.waiting_breakpoints().next().is_none()
            && self.tree.running().all(|id| comes_back(self.tree.thread(id)))
    }

    /// Looks at every thread that might have changed by itself: see NOTE \[Stale\].
    fn look(&mut self) -> Result<Look, RunError> {
        let mut look = Look::default();
        for id in self.tree.live_ids() {
            let thread = self.tree.thread(id);
            let dirty = thread.dirty;
            match &thread.state {
                State::Ended => {}
                State::Held(_) if !thread.stale => {}
                State::Waiting(..) | State::Asleep(_) | State::Stopped if !dirty && !thread.stale => {}
                State::Waiting(..) => {
                    if self.look_at_waiting(id, dirty)? {
                        look.running = Some(id);
                    } else {
                        look.unchanged.push(id);
                    }
                }
                State::Held(_) => match self.doing(id)? {
                    // The first signal makes it wait in another way, and a fatal one ends it: either way it runs
                    // for a moment, and which it was is seen afterwards.
                    Doing::Running => look.running = Some(id),
                    Doing::Ended => look.found.push((id, Found::Ended)),
                    Doing::Sleeping | Doing::Uninterruptible | Doing::Stopped => look.unchanged.push(id),
                },
                State::Running | State::Asleep(_) | State::Stopped => match self.found(id)? {
                    Now::Same => look.unchanged.push(id),
                    Now::Settled(found) => {
                        if !matches!(found, Found::Ended) {
                            look.unchanged.push(id);
                        }
                        look.found.push((id, found));
                    }
                    Now::Runs => {
                        let told = self.tree.thread(id).told_asleep;
                        self.woke(id);
                        let thread = self.tree.thread_mut(id);
                        if let State::Asleep(inside) = thread.state {
                            thread.woken_in = Some((inside, told));
                        }
                        thread.state = State::Running;
                        look.running = Some(id);
                    }
                },
            }
        }
        Ok(look)
    }

    pub(super) fn doing(&self, id: ThreadId) -> Result<Doing, RunError> {
        let thread = self.tree.thread(id);
        let doing = thread.door.doing();
        doing.map_err(|error| RunError::Fault(format!("looking at {}: {error}", thread.name)))
    }

    /// How often a thread has been put on the CPU; of one that has ended meanwhile it is not known, so it may have been often.
    pub(super) fn times_run(&self, id: ThreadId) -> Result<u64, RunError> {
        let thread = self.tree.thread(id);
        match thread.door.ran() {
            Ok((_, times)) => Ok(times),
            Err(error) if procfs::gone(&error) => Ok(u64::MAX),
            Err(error) => Err(RunError::Fault(format!("reading how often {} ran: {error}", thread.name))),
        }
    }

    /// What a thread is found doing that is not held.
    ///
    /// Its state alone does not tell. A call that waits sets the state to sleeping before it looks once more for what it
    /// waits for; wait4 even reaps a child in that state. Taken off its CPU there, the thread is ready to run and yet says S.
    /// The kernel shows the call only of a thread that is off its CPU and in no queue for it, and lets the asker wait for that.
    fn found(&self, id: ThreadId) -> Result<Now, RunError> {
        let thread = self.tree.thread(id);
        // Whose end is told need not be looked for.
        if thread.tells_its_end() && thread.door.has_told_its_end() {
            return Ok(Now::Settled(Found::Ended));
        }
        let doing = self.doing(id)?;
        match (doing, &thread.state) {
            (Doing::Stopped, State::Stopped) => return Ok(Now::Same),
            (Doing::Ended, _) => return Ok(Now::Settled(Found::Ended)),
            (Doing::Stopped, _) => return Ok(Now::Settled(Found::Stopped)),
            (Doing::Running, _) => return Ok(Now::Runs),
            (Doing::Sleeping | Doing::Uninterruptible, _) => {}
        }
        let inside = match thread.door.inside() {
            Ok(inside) => inside,
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                return Err(RunError::Unsupported(format!(
                    "{} runs a program that may not be looked at (its file is not readable)",
                    thread.name
                )));
            }
            Err(error) => return Err(RunError::Fault(format!("looking at {}: {error}", thread.name))),
        };
        Ok(match (inside, &thread.state) {
            // In a disk's queue it is as good as running; only a vfork waits like this for another.
            (Some(inside), _)
                if doing == Doing::Uninterruptible && !(thread.vforks && calls::is_making(inside.number)) =>
            {
                Now::Runs
            }
            (Some(inside), State::Asleep(known)) if inside == *known => Now::Same,
            (Some(inside), _) if inside.number >= 0 => Now::Settled(Found::Asleep(inside)),
            _ => Now::Runs,
        })
    }

    /// A thread that slept sleeps no more: what its call does on its way back may wake others.
    pub(super) fn woke(&mut self, id: ThreadId) {
        let wakes = match &self.tree.thread(id).state {
            State::Asleep(inside) => calls::numbered(inside.number).wakes,
            State::Stopped => Wakes::Anybody,
            State::Running | State::Held(_) | State::Waiting(..) | State::Ended => return,
        };
        let thread = self.tree.thread_mut(id);
        (thread.stale, thread.told_asleep) = (true, false);
        self.tree.may_wake(wakes);
    }

    /// What was found holds: no notification came in between, so none of these waits to be received.
    fn commit(&mut self, found: Vec<(ThreadId, Found)>) -> Result<(), RunError> {
        for (id, found) in found {
            self.note_struck(id)?;
            if self.going.released == Some(id) {
                self.going.overtaken_by = None;
            }
            self.woke(id);
            match found {
                Found::Asleep(inside) => {
                    let call = Syscall(inside.number as u32);
                    if !calls::of(call).is_wait() {
                        self.settings.learnt.slept(self.tree.thread(id).before(call));
                    }
                    let thread = self.tree.thread_mut(id);
                    thread.state = State::Asleep(inside);
                    // It has looked for what it waits for, or done a part of what it is to do, and goes on with it. Whether it was
                    // seen to run meanwhile is chance, so that is no sleep of its own.
                    let again = thread.woken_in.take().filter(|(known, _)| *known == inside);
                    (thread.stale, thread.told_asleep) = (true, again.is_some_and(|(_, told)| told));
                    self.fell_asleep(id);
                    if again.is_none() {
                        self.journal.news.push((id, News::Slept(call)));
                    }
                }
                Found::Stopped if self.parked(id)? => {}
                Found::Stopped => {
                    self.tree.thread_mut(id).state = State::Stopped;
                    self.journal.news.push((id, News::Told(What::Stop)));
                    // Terminals stop whole process groups.
                    if self.seat.is_some() || self.kernel.terminals {
                        self.all_signalled();
                    }
                    // Its parent may get SIGCHLD for it.
                    let process = self.tree.thread(id).process;
                    self.signal_parent(process);
                    // Its siblings are to stop as well, which those that are held in their sleep do only outside of that.
                    for sibling in self.tree.threads_of(process).collect::<Vec<_>>() {
                        if matches!(&self.tree.thread(sibling).state, State::Waiting(_, wait) if wait.is_for_futex())
                        {
                            self.end_wait(sibling, WaitEnd::Stop)?;
                        }
                    }
                }
                Found::Ended => {
                    if self.tree.thread(id).released.map(i64::from) != Some(libc::SYS_exit) {
                        // It did not end alone.
                        self.signalled(self.tree.thread(id).process);
                    }
                    self.tree.ended(id);
                    self.thread_ended(id)?;
                }
            }
        }
        Ok(())
    }

    fn signal_parent(&mut self, process: ProcessId) {
        if let Some(parent) = self.tree.process(process).parent {
            self.signalled(parent);
        }
    }

    fn thread_ended(&mut self, id: ThreadId) -> Result<(), RunError> {
        let process = self.tree.thread(id).process;
        // Its files are closed, its locks and its memory are given back; and an end may leave a stopped process group without
        // anybody to continue it, which the kernel then does (SIGHUP and SIGCONT, _exit(2)).
        let stopped = self.tree.live().any(|id| matches!(self.tree.thread(id).state, State::Stopped));
        self.tree.may_wake(if stopped { Wakes::Anybody } else { Wakes::AllButSignals });
        self.wake_after_end(process);
        if self.tree.live_thread_of(process).is_some() {
            // One less that would notice a stop.
            self.tree.process_mut(process).handlers.changed = true;
            return Ok(());
        }
        let root = self.tree.process(process).parent.is_none();
        if root {
            // The init is its parent, and tells how it ended.
            let mut wait = UnderWay::new();
            while !self.tree.process(process).reaped_by_init {
                self.listen(Patience::ForNews)?;
                if self.is_overdue(&mut wait)? {
                    let name = &self.tree.process(process).name;
                    return Err(RunError::Fault(format!("the init did not tell how {name} ended")));
                }
            }
        }
        if process == ProcessId(0) {
            self.course.first_ended = Some(self.clock.now);
            self.course.first_ended_at = Some(Instant::now());
            self.session_ended();
        }
        let ended = self.tree.process(process);
        // The init has told of its own children. Another is known in one way until it is waited for, and then in the
        // other: that may happen between two questions.
        let told = ended.exit_code.filter(|_| root);
        let waited_for = || ended.pidfd.as_ref()?.exit_status();
        let wait = match told.or_else(waited_for) {
            Some(wait) => Some(wait),
            None => procfs::zombie_status(ended.pid)
                .map_err(|error| RunError::Fault(format!("reading how {} ended: {error}", ended.name)))?,
        };
        let wait = wait.or_else(waited_for).or(ended.exit_code);
        let status = wait.map_or(Status::Unseen, Status::from_wait);
        self.note_crash(process, status);
        self.check_cpu_timers(process, Some(status));
        let ended = self.tree.process_mut(process);
        ended.status = Some(status);
        ended.pidfd = None;
        self.clock.timers.retain(|timer| timer.process != process);
        let brought = self.who_ended(process, status).unwrap_or(id);
        self.journal.news.push((brought, News::Told(What::End(status))));
        self.signal_parent(process);
        // Its children may be sent a signal for it (PR_SET_PDEATHSIG, orphaned process groups).
        let children: Vec<ProcessId> = self.tree.children_of(process).collect();
        children.into_iter().for_each(|child| self.signalled(child));
        Ok(())
    }

    /// The thread that has ended all of its process: which of them was gone last is the scheduler's choice. None if they went one
    /// by one.
    fn who_ended(&self, process: ProcessId, status: Status) -> Option<ThreadId> {
        let of_it = |id: &ThreadId| self.tree.thread(*id).process == process;
        let released = |id: ThreadId| self.tree.thread(id).released.map(i64::from);
        let exits = |id: &ThreadId| released(*id) == Some(libc::SYS_exit_group);
        match status {
            Status::Killed(_) => {
                self.going.released.filter(of_it).or_else(|| Some(self.tree.leader(process)))
            }
            Status::Exited(_) | Status::Unseen => {
                (0..self.tree.threads.len()).map(ThreadId).filter(of_it).find(exits)
            }
        }
    }

    /// The dying process is dead. Had its exit left the CPU on the way, and has a thread that it woke run by now, then the
    /// SIGCHLD may have hit that thread at a place that nobody chose.
    pub(super) fn check_guard(&mut self) -> Result<(), RunError> {
        let Some(guard) = self.going.guard.take() else { return Ok(()) };
        let (by, before) = guard.by;
        if self.times_run(by)? <= before.saturating_add(1) {
            return Ok(());
        }
        for (woken, before) in guard.watched {
            if self.times_run(woken)? != before {
                let (name, child) = (&self.tree.thread(woken).name, &self.tree.process(guard.dying).name);
                let signal = Signal::CHLD;
                self.doubts.taint(format!(
                    "{name} was woken by the exit of {child} and may have run before {signal} was sent"
                ));
            }
        }
        Ok(())
    }

    /// Looks whether something has ended the wait of a thread; true if it runs now.
    fn look_at_waiting(&mut self, id: ThreadId, dirty: bool) -> Result<bool, RunError> {
        let process = self.tree.thread(id).process;
        let runs = |other| self.tree.thread(other).runs();
        // A sibling may be about to take the very signal; beside one that is parked it would stop.
        if self.tree.threads_of(process).any(runs) || self.is_parked_in(process) {
            return Ok(false);
        }
        let State::Waiting(_, wait) = &self.tree.thread(id).state else { return Ok(false) };
        if wait.ready() {
            return self.end_wait(id, WaitEnd::Ready).map(|()| true);
        }
        if !dirty {
            return Ok(false);
        }
        let doing = self.doing(id)?;
        let status = self.proc_status(id)?;
        let (Some(status), Doing::Sleeping | Doing::Uninterruptible) = (status, doing) else {
            if doing != Doing::Running {
                // Ended while it waited for an answer.
                self.tree.thread_mut(id).state = State::Running;
            }
            return Ok(true);
        };
        let ending = self.ending_wait(id, &status)?;
        if ending.is_empty() {
            return Ok(false);
        }
        // It may have come since a sibling was looked at, or have that run for a moment: then that one is to take it.
        let taker = self.first_to_take(id, ending)?;
        if taker == id {
            let caught = !ending.intersection(status.caught.union(self.awaited_by(id))).is_empty();
            let end = if caught { WaitEnd::Signal } else { WaitEnd::Stop };
            return self.end_wait(id, end).map(|()| true);
        }
        self.tree.thread_mut(taker).may_be_signalled();
        Ok(true)
    }

    /// The limits that end a run whose threads do not settle; and time, which goes on for a thread that computes.
    fn limits(&mut self, running: Option<ThreadId>) -> Result<Option<End>, RunError> {
        if self.course.started.elapsed() > self.settings.limits.time {
            return Ok(Some(End::TimedOut));
        }
        let Some(id) = running else { return Ok(None) };
        let since = self.computed(id)?;
        if let Some(round) = self.goes_round(id, since)
            && let Some(end) = self.wait_in_round(id, round)?
        {
            return Ok(Some(end));
        }
        if since >= COMPUTES && !self.may_go_round(id) && self.lets_due_deadline_come(id, since)? {
            return Ok(None);
        }
        if since < self.settings.limits.cpu {
            return Ok(None);
        }
        if self.tree.held().next().is_some() {
            // Others could have run, and might have ended the computation: this says nothing about the program.
            let name = &self.tree.thread(id).name;
            self.doubts
                .taint(format!("{name} computes without a call, and cannot be held for others to run, for which it may be waiting"));
        }
        if self.earliest().is_some() {
            // So may what is yet to come.
            return Ok(None);
        }
        let name = &self.tree.thread(id).name;
        Ok(Some(End::Spinning(format!(
            "{name} used {:.1} s of CPU time without a call",
            since.as_secs_f64()
        ))))
    }

    /// CPU time that a running thread has used since it was first seen running after its release.
    pub(super) fn computed(&mut self, id: ThreadId) -> Result<Duration, RunError> {
        let thread = self.tree.thread_mut(id);
        let used = match thread.door.ran() {
            Ok((used, _)) => used,
            // Ended a moment ago.
            Err(error) if procfs::gone(&error) => return Ok(Duration::ZERO),
            Err(error) => {
                return Err(RunError::Fault(format!("reading what {} used: {error}", thread.name)));
            }
        };
        let (before, _) = *thread.cpu_at_release.get_or_insert((used, Instant::now()));
        Ok(Duration::from_nanos(used.saturating_sub(before)))
    }

    /// A thread computes on, so time goes on as well: lets a deadline come that has come by then. True if one came.
    ///
    /// The supervisor has the CPU, so the thread is somewhere between two instructions, or about to be notified.
    fn lets_due_deadline_come(&mut self, id: ThreadId, computed: Duration) -> Result<bool, RunError> {
        let Some((deadline, due)) = self.earliest() else { return Ok(false) };
        if !self.clock.has_come(deadline, computed) || self.listen(Patience::Not)? != Heard::Nothing {
            return Ok(false);
        }
        self.run_out_beside(id, (deadline, due))?;
        Ok(true)
    }

    /// Lets a deadline come while a thread computes.
    pub(super) fn run_out_beside(
        &mut self,
        id: ThreadId,
        (deadline, due): (Deadline, Due),
    ) -> Result<(), RunError> {
        let computes = self.memory_of(self.tree.thread(id).process);
        let beside = self
            .due_threads(due)
            .into_iter()
            .any(|other| other != id && self.memory_of(self.tree.thread(other).process) == computes);
        if beside {
            let name = &self.tree.thread(id).name;
            self.doubts.taint(format!("a time ran out beside {name}, which computes without a call"));
        }
        self.run_out(deadline, due)
    }
}

/// What a look at the threads found, before it is known to hold.
#[derive(Debug, Default)]
struct Look {
    running: Option<ThreadId>,
    /// Threads that were looked at and are settled. The sleep of each could be the wait for an answer to a notification that
    /// is still to be received.
    unchanged: Vec<ThreadId>,
    found: Vec<(ThreadId, Found)>,
}

/// What a thread is found doing.
#[derive(Debug)]
enum Now {
    /// What it was known to do.
    Same,
    Runs,
    Settled(Found),
}

#[derive(Debug)]
enum Found {
    Asleep(Inside),
    Stopped,
    Ended,
}

fn never_seen() -> RunError {
    RunError::Fault("a process or thread was made but never seen".to_owned())
}
