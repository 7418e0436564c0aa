//! Which thread takes a signal that came to its process.
//!
//! NOTE \[Chosen\] Where a signal is made pending for a process, the kernel chooses there and then who is to take it, marks that
//! thread and wakes it (`complete_signal` of kernel/signal.c): the thread that it was sent to, which is the first one for kill(2)
//! and timers, and for SIGCHLD the one that made the child, unless it blocks the signal, is marked already, or is ending; else
//! the next that does not, going on from whom it chose in this way before. Whoever is marked looks at signals before it goes on in
//! the program, and takes all that are pending and that it does not block. The others do not look, unless they change their mask
//! or make a thread or process.
//!
//! So it is while threads are held, and who is marked shows: a held thread sleeps interruptibly, and killably (`D`) once a signal
//! has woken it (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV of seccomp(2)). Nothing has to be guessed or brought about: a marked
//! thread, when it is let go, takes what is pending, and no other one does.
//!
//! A thread whose call was not let happen would have another mask in it (ppoll(2)), or would wait for signals that it blocks
//! (sigtimedwait(2)): there the kernel chooses nobody, and the choice is made here. Where it could choose another, the run is
//! tainted.

use super::RunError;
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::thread::State;
use crate::supervise::patience::UnderWay;
use crate::supervise::state::Turns;
use crate::supervise::time::wait::{Kind, Wait};
use crate::sys::procfs::{Doing, Status as ProcStatus};

impl Turns<'_> {
    /// What of the pending signals this held thread takes when it is let go: see NOTE \[Chosen\].
    pub(super) fn taken_by(&self, id: ThreadId, status: &ProcStatus) -> Result<SignalSet, RunError> {
        let deliverable = status.deliverable();
        let takes = !deliverable.is_empty() && (status.threads <= 1 || self.is_marked(id)?);
        Ok(if takes { deliverable } else { SignalSet::EMPTY })
    }

    /// True if a thread that waits for an answer has been marked: it has something to look at before it goes on.
    fn is_marked(&self, id: ThreadId) -> Result<bool, RunError> {
        let mut wait = UnderWay::new();
        loop {
            match self.doing(id)? {
                Doing::Uninterruptible => return Ok(true),
                Doing::Sleeping | Doing::Stopped | Doing::Ended => return Ok(false),
                // The signal wakes it, and it sleeps on in the other way.
                Doing::Running if !self.is_overdue(&mut wait)? => self.give_way()?,
                Doing::Running => {
                    let name = &self.tree.thread(id).name;
                    return Err(RunError::Fault(format!("{name} does not come to rest, and is held")));
                }
            }
        }
    }

    /// The signal is about to be sent to the process. Taints the run if the kernel could choose another thread than it would if
    /// those that wait here did so in the kernel.
    pub(super) fn check_choice(&mut self, process: ProcessId, signal: Signal) -> Result<(), RunError> {
        let threads: Vec<ThreadId> = self.tree.threads_of(process).collect();
        let waits = |id: &ThreadId| matches!(self.tree.thread(*id).state, State::Waiting(..));
        if threads.len() == 1 || !threads.iter().any(waits) {
            return Ok(());
        }
        let (mut here, mut elsewhere) = (None, false);
        for (nth, id) in threads.into_iter().enumerate() {
            let Some(status) = self.proc_status(id)? else { continue };
            if !status.blocked.contains(signal) {
                // The first one would be chosen before any other.
                if nth == 0 {
                    return Ok(());
                }
                elsewhere = true;
            } else if self.wanted_here(id, &status).contains(signal) {
                here.get_or_insert(id);
            }
        }
        if let Some(id) = here.filter(|_| elsewhere) {
            let name = &self.tree.thread(id).name;
            self.doubts
                .taint(format!("{name} waits for {signal}, and the kernel could give it to another thread"));
        }
        Ok(())
    }

    /// The signals that would end the wait of this thread, those as well that it blocks but for this call.
    fn wanted_here(&self, id: ThreadId, status: &ProcStatus) -> SignalSet {
        let mask = match &self.tree.thread(id).state {
            State::Waiting(_, Wait { kind: Kind::Descriptors { mask, .. }, .. }) => *mask,
            _ => None,
        };
        SignalSet(!mask.unwrap_or(status.blocked).0).union(self.awaited_by(id))
    }

    /// What of the signals that are pending ends the wait of this thread, if nobody else takes it.
    pub(super) fn ending_wait(&self, id: ThreadId, status: &ProcStatus) -> Result<SignalSet, RunError> {
        if !matches!(self.tree.thread(id).state, State::Waiting(..)) {
            return Ok(SignalSet::EMPTY);
        }
        // What it blocks but for this call is not the kernel's to give.
        let given = status.blocked.union(self.taken_by(id, status)?);
        Ok(status.pending().intersection(self.wanted_here(id, status)).intersection(given))
    }

    /// The signals for which this thread waits in its call.
    pub(super) fn awaited_by(&self, id: ThreadId) -> SignalSet {
        match &self.tree.thread(id).state {
            State::Waiting(_, Wait { kind: Kind::Signals { set }, .. }) => *set,
            _ => SignalSet::EMPTY,
        }
    }

    /// The first of the waiting threads of its process whose wait is ended by one of these signals, which are pending.
    pub(super) fn first_to_take(&self, id: ThreadId, signals: SignalSet) -> Result<ThreadId, RunError> {
        for other in self.tree.threads_of(self.tree.thread(id).process).take_while(|other| *other != id) {
            if let Some(status) = self.proc_status(other)?
                && !self.ending_wait(other, &status)?.intersection(signals).is_empty()
            {
                return Ok(other);
            }
        }
        Ok(id)
    }
}
