//! A thread that computes without a call: time goes on for it, and ends it if nothing else does.
//!
//! NOTE \[Aside\] While others could go on, it must not keep them: a parent that ends a child which computes for too long is one
//! of them. Where it could be, it is held at an instruction (NOTE \[Goes round\] in `code::round`). Else, if it is alone in memory that
//! nobody else has, it is set aside: it computes on, and the others go on, as if it were settled. Neither can tell, since whatever it does to others it
//! does by a call, and comes to that when none of the others can go on any more: whenever it has really come there, it is
//! held unseen up to then. Of several that are set aside the first is taken back first.

use super::RunError;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::patience::{Heard, Patience};
use crate::supervise::state::Turns;
use crate::supervise::time::deadline::Deadline;
use crate::supervise::time::due::Due;
use crate::sys::procfs;
use crate::trace::End;
use std::time::{Duration, Instant};

/// A thread that has computed for so long without a call lets a due deadline come.
const COMPUTES: Duration = Duration::from_millis(100);

impl Turns<'_> {
    /// The limits that end a run whose threads do not settle; and time, which goes on for a thread that computes.
    pub(super) fn limits(&mut self, running: Option<ThreadId>) -> Result<Option<End>, RunError> {
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
        if since >= COMPUTES && self.can_be_set_aside(id) {
            self.tree.set_aside(id);
            return Ok(None);
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

    /// See NOTE \[Aside\].
    fn can_be_set_aside(&self, id: ThreadId) -> bool {
        let process = self.tree.thread(id).process;
        let waits = |other: ThreadId| matches!(self.tree.thread(other).state, State::Held(_));
        let alone = |other: ThreadId| {
            other == id || self.memory_of(self.tree.thread(other).process) != self.memory_of(process)
        };
        // Whether it is set aside must not hang on how soon a look at it succeeds.
        self.computes_on(id)
            && self.going.guard.is_none()
            && self.tree.birth.is_none()
            && self.tree.live().any(waits)
            && self.tree.live().all(alone)
            && !procfs::shares_memory(self.tree.process(process).pid)
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
