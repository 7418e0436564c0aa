//! Waiting until every thread is settled: held, asleep, stopped or ended.
//!
//! NOTE \[Stale\] A sleeper is looked at again only when something has happened since that could have ended its sleep: a call
//! was let happen, or has come back, that wakes its kind of sleep (`calls`), or its process may have got a signal. What the
//! outside or the kernel does by itself is noticed when the thread comes to its next call, and before anything is claimed
//! of sleepers all of them are looked at (`quiet`).

use super::RunError;
use crate::schedule::Syscall;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::news::News;
use crate::supervise::books::thread::{State, Thread};
use crate::supervise::calls::{self, Wakes};
use crate::supervise::patience::{Heard, Patience, UnderWay};
use crate::supervise::state::Turns;
use crate::supervise::time::wait::WaitEnd;
use crate::sys::procfs::{self, Doing, Inside};
use crate::sys::sched;
use crate::trace::{End, What};

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
                if self.tree.take_back() {
                    continue;
                }
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
            && self.tree.awaited().count() == 1
    }

    /// True while something is known to be on its way.
    fn awaited(&self) -> bool {
        self.going.guard.is_some() || self.tree.birth.is_some() || self.tree.awaited().next().is_some()
    }

    /// How to wait for the threads that run, at first.
    fn first_patience(&self) -> Patience {
        // Under guard the end itself is heard; a look in between would only push the dying thread off its CPU.
        let guarded = self.going.guard.is_some();
        if self.code.parking
            || !self.awaited()
            || (!guarded && self.tree.awaited().any(|id| self.tree.thread(id).untold))
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
            && self.tree.awaited().all(|id| comes_back(self.tree.thread(id)))
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
                    Now::Runs if self.tree.is_aside(id) => {}
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
                    if self.tree.is_aside(id) {
                        let name = &self.tree.thread(id).name;
                        let why = format!("{name} ended beside others while it computed without a call");
                        self.doubts.taint(why);
                    }
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
