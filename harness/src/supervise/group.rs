//! Signals from outside that reach a whole process group.
//!
//! NOTE \[Who goes first\] The kernel makes the signal pending for all of a group before any of it runs. Some then end by it, or stop, and
//! some handle it, out of their sleep. Whether one of the latter sees that one of the former has ended, a parent in wait(2)
//! above all, and where the SIGCHLD meets it, depends on who gets the CPU first. Any of that may happen; here those that handle
//! it go first, up to their next call, and then the others end or stop, one after the other. Nobody can tell: what is pending is seen
//! only by asking, and all who ask are held.

use super::RunError;
use crate::signal::{DefaultAction, Signal};
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::thread::State;
use crate::supervise::state::Turns;
use crate::sys::procfs::Status as ProcStatus;

/// The members of a process group, as a signal finds them.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// They end by it, or stop.
    ending: Vec<ProcessId>,
    /// They do not.
    lasting: Vec<ProcessId>,
    /// One of the latter handles it out of its sleep.
    wakes: bool,
}

impl Members {
    /// True if some end or stop by the signal while others are woken by it.
    pub(super) fn are_mixed(&self) -> bool {
        self.wakes && !self.ending.is_empty()
    }
}

impl Turns<'_> {
    /// The members of this group, by its number in the run's namespace.
    pub(super) fn members(&self, signal: Signal, group: i32) -> Result<Members, RunError> {
        let mut members = Members::default();
        let fatal = !matches!(signal.default_action(), DefaultAction::Ignore | DefaultAction::Continue);
        for process in self.tree.process_ids() {
            let Some(thread) = self.tree.live_thread_of(process) else { continue };
            let Some(status) = self.proc_status(thread)?.filter(|status| status.own_group == group) else {
                continue;
            };
            let caught = status.caught.contains(signal);
            let kept = caught || status.ignored.contains(signal) || self.is_blocked(process, signal)?;
            if fatal && !kept {
                members.ending.push(process);
            } else {
                members.lasting.push(process);
                let asleep = |id: ThreadId| matches!(self.tree.thread(id).state, State::Asleep(_));
                members.wakes |= caught && self.tree.threads_of(process).any(asleep);
            }
        }
        Ok(members)
    }

    /// True if every thread of the process blocks it.
    fn is_blocked(&self, process: ProcessId, signal: Signal) -> Result<bool, RunError> {
        for id in self.tree.threads_of(process) {
            let blocks = |status: ProcStatus| status.blocked.contains(signal);
            if !self.proc_status(id)?.is_some_and(blocks) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends the signal to all members: to those that end or stop by it when the others have settled.
    pub(super) fn send_to_members(&mut self, signal: Signal, members: Members) -> Result<(), RunError> {
        for process in members.lasting {
            self.send_to_process(process, signal)?;
        }
        self.going.to_end.extend(members.ending.into_iter().map(|process| (process, signal)));
        Ok(())
    }

    fn send_to_process(&mut self, process: ProcessId, signal: Signal) -> Result<(), RunError> {
        self.check_choice(process, signal)?;
        self.kill(process, signal)?;
        self.signalled(process);
        Ok(())
    }

    /// All have settled: sends what is still to be sent to the next of those that end or stop by it. True if there was one.
    pub(super) fn end_next(&mut self) -> Result<bool, RunError> {
        while !self.going.to_end.is_empty() {
            let (process, signal) = self.going.to_end.remove(0);
            if !self.tree.process(process).ended() {
                self.send_to_process(process, signal)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
