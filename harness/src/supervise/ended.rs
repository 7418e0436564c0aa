//! Threads and processes that have ended: how, by whom, and who learns of it.

use super::RunError;
use crate::signal::Signal;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::news::News;
use crate::supervise::books::thread::State;
use crate::supervise::calls::Wakes;
use crate::supervise::patience::{Patience, UnderWay};
use crate::supervise::state::Turns;
use crate::sys::procfs;
use crate::trace::{Status, What};
use std::time::Instant;

impl Turns<'_> {
    pub(super) fn signal_parent(&mut self, process: ProcessId) {
        if let Some(parent) = self.tree.process(process).parent {
            self.signalled(parent);
        }
    }

    pub(super) fn thread_ended(&mut self, id: ThreadId) -> Result<(), RunError> {
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
}
