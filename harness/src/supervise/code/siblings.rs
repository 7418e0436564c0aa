//! Threads beside one that is parked at an instruction.
//!
//! NOTE \[Beside\] A stop is of a whole process, so the siblings of a thread that is parked are told to stop as well. Those that
//! wait for an answer of the supervisor do not notice: such a wait only a fatal signal ends, and SIGCONT takes the order back. What
//! stays is a mark that there is a signal to look at, by which a call that sleeps would come back at once. So before any of them
//! goes on, it is told to make its call again, which takes the mark away (`Held::restart`). Nothing of the call has happened; it
//! is the same visit of the same point, and no event.
//!
//! Whoever sleeps in the kernel itself would come out of its call, and some calls then fail (signal(7), "Interruption of
//! system calls and library functions by stop signals"): beside such a thread nobody is parked.
//!
//! Until the parked thread has gone on, no sibling may: it would stop.

use crate::schedule::Syscall;
use crate::signal::SignalSet;
use crate::supervise::RunError;
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::thread::State;
use crate::supervise::code::beside::Again;
use crate::supervise::state::Turns;
use crate::sys::notify::Notification;
use crate::sys::procfs::Status as ProcStatus;

impl Turns<'_> {
    /// The first sibling that a stop would get out of its sleep, or that would run.
    pub(in crate::supervise) fn disturbed_by_stop(&self, id: ThreadId) -> Option<ThreadId> {
        let undisturbed = |other: &ThreadId| match &self.tree.thread(*other).state {
            State::Held(_) | State::Waiting(..) | State::Ended => true,
            State::Running | State::Asleep(_) | State::Stopped => false,
        };
        let mut siblings = self.tree.threads_of(self.tree.thread(id).process).filter(|other| *other != id);
        siblings.find(|other| !undisturbed(other))
    }

    /// True if a thread of the process is parked.
    pub(in crate::supervise) fn is_parked_in(&self, process: ProcessId) -> bool {
        // Asked of each of perhaps very many threads.
        self.uses_code() && self.tree.threads_of(process).any(|id| self.is_parked(id))
    }

    pub(in crate::supervise) fn is_parked(&self, id: ThreadId) -> bool {
        let state = &self.tree.thread(id).state;
        matches!(state, State::Held(held) if matches!(held.place(), Place::At(..)))
    }

    /// True if a thread is held which cannot go on before a sibling has that is parked.
    pub(in crate::supervise) fn waits_for_parked(&self, id: ThreadId) -> bool {
        !self.is_parked(id) && self.is_parked_in(self.tree.thread(id).process)
    }

    /// A thread is parked: its siblings have been told to stop.
    pub(in crate::supervise) fn mark_siblings(&mut self, parked: ThreadId) {
        for id in self.tree.threads_of(self.tree.thread(parked).process) {
            let marked = &mut self.code.siblings.marked;
            if id != parked && !marked.contains(&id) {
                marked.push(id);
            }
        }
    }

    /// All are settled. Has those that have the mark make their calls again; true if there was one.
    pub(in crate::supervise) fn clear_marks(&mut self) -> Result<bool, RunError> {
        let mut cleared = false;
        for id in std::mem::take(&mut self.code.siblings.marked) {
            if self.is_parked_in(self.tree.thread(id).process) {
                self.code.siblings.marked.push(id);
                continue;
            }
            let proceeds =
                |place: Place| matches!(place, Place::Before(..) | Place::Entering(..) | Place::Probe(..));
            match &self.tree.thread(id).state {
                State::Held(held) if proceeds(held.place()) => {}
                State::Waiting(..) => {}
                // It goes on in its program with the answer, and the kernel takes the mark away.
                State::Held(_) | State::Running | State::Asleep(_) | State::Stopped | State::Ended => {
                    continue;
                }
            }
            let Some(status) = self.proc_status(id)? else { continue };
            if !status.deliverable().is_empty() {
                // The signal itself is what there is to look at, when it is this thread's turn.
                self.code.siblings.marked.push(id);
                continue;
            }
            cleared = true;
            self.make_again(id)?;
        }
        Ok(cleared)
    }

    /// Has a thread that is held make its call again, which it comes back to at once or, if nobody receives that, later. It
    /// must have a signal to look at, or the mark of one.
    pub(in crate::supervise) fn make_again(&mut self, id: ThreadId) -> Result<(), RunError> {
        let (held, wait) = match std::mem::replace(&mut self.tree.thread_mut(id).state, State::Running) {
            State::Held(held) => (held, None),
            State::Waiting(held, wait) => (held, Some(wait)),
            other => {
                self.tree.thread_mut(id).state = other;
                return Ok(());
            }
        };
        let call = (held.number(), held.ip(), held.args());
        let again = Again { call, place: held.place(), told: held.told, wait };
        self.code.siblings.again.insert(id, again);
        held.restart(self.cell.listener()).map(drop).map_err(|errno| {
            let name = &self.tree.thread(id).name;
            RunError::Fault(format!("having {name} make its call again: {errno}"))
        })
    }

    /// A thread has come to a call: true if it is the one that it was to make again, and it is where it was.
    pub(in crate::supervise) fn made_again(&mut self, id: ThreadId, notification: &Notification) -> bool {
        let Some(again) = self.code.siblings.again.remove(&id) else { return false };
        let mut notification = *notification;
        // Where it goes on, as it was held: the stub is none of the program's.
        if matches!(again.place, Place::After(_)) {
            notification.ip = again.call.1;
        }
        if again.call != (notification.number, notification.ip, notification.args) {
            return false;
        }
        let mut held = Held::new(notification, again.place);
        held.told = again.told;
        self.tree.thread_mut(id).state = match again.wait {
            Some(wait) => State::Waiting(held, wait),
            None => State::Held(held),
        };
        true
    }

    /// A thread has come to a call: true if it is the one in which it slept, and which it has been let into again.
    pub(in crate::supervise) fn sleeps_again(
        &mut self,
        id: ThreadId,
        notification: &Notification,
    ) -> Result<bool, RunError> {
        let Some(inside) = self.code.siblings.resumed.remove(&id) else { return Ok(false) };
        if (notification.number, notification.args) != (inside.number, inside.args) {
            return Ok(false);
        }
        let told = self.tree.thread(id).told_asleep;
        let held = Held::new(*notification, Place::Before(Syscall(notification.number as u32), 0));
        let answer = held.proceed(self.cell.listener());
        self.answered(id, answer)?;
        self.tree.thread_mut(id).woken_in = Some((inside, told));
        Ok(true)
    }

    /// Of the signals that are not blocked here those that a handler of this thread could have to take: of what is sent to a
    /// process its first thread takes what it does not block (`complete_signal` of kernel/signal.c).
    pub(in crate::supervise) fn taken_here(
        &self,
        id: ThreadId,
        status: &ProcStatus,
    ) -> Result<SignalSet, RunError> {
        let handled = status.handled();
        let first = self.tree.threads_of(self.tree.thread(id).process).next().filter(|first| *first != id);
        let leader = self.tree.leader(self.tree.thread(id).process);
        match first.filter(|first| *first == leader && !handled.is_empty()) {
            Some(first) => Ok(match self.proc_status(first)? {
                Some(first) => handled.intersection(first.blocked),
                None => handled,
            }),
            None => Ok(handled),
        }
    }
}
