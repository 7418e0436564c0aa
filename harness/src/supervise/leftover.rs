//! What is left of a run that nobody waited for.
//!
//! An orphan counts when it would still be there: one that ends by itself is none. So it is not counted if it has ended, or if
//! it sleeps for a time that it has not slept for before since the first process ended, or for somebody who does. One that
//! has come back to such a sleep goes on like that, and stays.

use crate::schedule::ThreadName;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::thread::State;
use crate::supervise::hang::proof::{Waker, waker_of};
use crate::supervise::state::Turns;
use crate::trace::{LeftHow, Leftover};

impl Turns<'_> {
    /// The processes that would stay, each asked while all are still there.
    pub(super) fn lasting(&self) -> Vec<bool> {
        let naps = self.tree.live().any(|id| self.naps(id));
        let lasts = |process: ProcessId| {
            self.tree.threads_of(process).any(|id| match &self.tree.thread(id).state {
                State::Ended => false,
                State::Running | State::Held(_) | State::Stopped => true,
                State::Waiting(_, wait) if wait.deadline.is_none() => !naps,
                State::Waiting(..) => !self.naps(id),
                State::Asleep(inside) => {
                    // Whoever naps may yet do what only another process of the run can.
                    let by_another =
                        || waker_of(&self.sources(self.tree.thread(id), inside)) == Waker::Inside;
                    !(self.naps(id) || naps && by_another())
                }
            })
        };
        self.tree.process_ids().map(lasts).collect()
    }

    /// True if a thread sleeps for a time, for the first time since the first process has ended.
    fn naps(&self, id: ThreadId) -> bool {
        let thread = self.tree.thread(id);
        let timed = match &thread.state {
            State::Waiting(_, wait) => wait.deadline.is_some(),
            State::Asleep(_) => thread.stretch.is_some() || thread.kernel_timer.is_some(),
            State::Running | State::Held(_) | State::Stopped | State::Ended => false,
        };
        timed && !thread.napped
    }

    /// The children for which their parents have not waited, once everything has been ended. That the init has reaped one shows it.
    pub(super) fn unwaited(&self) -> Vec<ThreadName> {
        let unwaited = |id: &ProcessId| {
            let process = self.tree.process(*id);
            let Some(parent) = process.parent.filter(|_| process.name.client_of().is_none()) else {
                return false;
            };
            if process.ended() { process.reaped_by_init } else { self.tree.process(parent).ended() }
        };
        self.tree.process_ids().filter(unwaited).map(|id| self.tree.process(id).name.clone()).collect()
    }

    /// Who was left over, once everything has been ended; `lasting` as it was before.
    pub(super) fn leftover(&self, lasting: &[bool]) -> Vec<Leftover> {
        let left = |id: ProcessId| {
            // What a client leaves is not the program's.
            let process = Some(self.tree.process(id)).filter(|process| process.name.client_of().is_none())?;
            let parent_ended = self.tree.process(process.parent?).ended();
            let how = match (process.ended(), parent_ended) {
                (false, true) => lasting.get(id.0)?.then_some(LeftHow::Orphan),
                // Reaped by the init only when its parent was ended just now: until then it was a zombie.
                (true, false) => process.reaped_by_init.then_some(LeftHow::Zombie),
                (true, true) | (false, false) => None,
            };
            Some(Leftover { process: process.name.clone(), how: how? })
        };
        self.tree.process_ids().filter_map(left).collect()
    }
}
