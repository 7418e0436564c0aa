//! A call that is entered: the thread is in the kernel, and nothing of the call has happened.
//!
//! NOTE \[Entering\] What is pending for a thread when it is let into a call, the kernel looks at when the call is over, or
//! would sleep: it does what it can without sleeping, and then the handler runs, before the caller has seen the result. A call
//! that would have slept fails with EINTR or is made again, as signal(7) has it. Nothing is needed for that but an answer to
//! the call; it is what happens to a signal that comes a moment after the thread has entered the kernel.
//!
//! It is a point only where that can differ from what comes before the call or in its sleep: of calls whose caller takes note
//! of what they have done (`Call::is_noted_afterwards`), where a signal is caught and not blocked. If the call then sleeps, a
//! signal at its entering is one in its sleep, so only switches are left: who goes first may do what the call waits for.

use super::RunError;
use crate::schedule::{Point, Site, Syscall};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::held::Place;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::calls;
use crate::supervise::state::Turns;
use crate::trace::{Acts, Reached, Threads};

impl Turns<'_> {
    /// Has a thread that is held before a call enter it, if that is a point; then it is held there.
    pub(super) fn enter(&mut self, id: ThreadId, others: &[ThreadId]) -> Result<Option<Point>, RunError> {
        let State::Held(held) = &self.tree.thread(id).state else { return Ok(None) };
        let Place::Before(call, nth) = held.place() else { return Ok(None) };
        if !calls::of(call).is_noted_afterwards() || !self.tree.process_of(id).may_catch {
            return Ok(None);
        }
        let thread = self.tree.thread(id);
        let point = Point { thread: thread.name.clone(), site: Site::Entering(call), nth };
        let wanted = self.schedule.steps.iter().any(|step| step.point() == point);
        let fires = self.could_fire(id)?;
        if !wanted && !fires && others.is_empty() && self.settings.watch.is_empty() {
            return Ok(None);
        }
        let Some(status) = self.proc_status(id)? else { return Ok(None) };
        let handled = status.handled();
        // What is pending already is handled before the call, which is then made anew.
        if handled.is_empty() || self.tree.thread(id).dirty && !status.deliverable().is_empty() {
            return Ok(None);
        }
        let watched = self.settings.watched();
        let others = match self.may_be_signalled(id, handled) {
            true => self.names(others),
            false => Threads::default(),
        };
        let receivable = watched.intersection(handled);
        // Where the first thread does not block it, that one takes it (`complete_signal` of kernel/signal.c).
        let first = self.tree.threads_of(self.tree.thread(id).process).next().filter(|first| *first != id);
        let receivable = match first.filter(|_| !receivable.is_empty()) {
            Some(first) => match self.proc_status(first)? {
                Some(first) => receivable.intersection(first.blocked),
                None => receivable,
            },
            None => receivable,
        };
        if !wanted && !fires && receivable.is_empty() && others.is_empty() {
            return Ok(None);
        }
        let reached =
            Reached { point: point.clone(), others, receivable, fires, acts: Acts::NOTHING, looks: false };
        self.journal.reach(reached, SignalSet::EMPTY);
        self.put(id, Place::Entering(call, nth));
        Ok(Some(point))
    }

    /// No step was taken at the entering: it is as if nobody had looked.
    pub(super) fn leave_entering(&mut self, id: ThreadId, point: &Point) {
        if let Site::Entering(call) = point.site {
            self.put(id, Place::Before(call, point.nth));
        }
    }

    fn put(&mut self, id: ThreadId, place: Place) {
        if let State::Held(held) = &mut self.tree.thread_mut(id).state {
            held.put(place);
        }
    }

    /// True if what others do may send the thread one of these signals: SIGCHLD comes from a child.
    fn may_be_signalled(&self, id: ThreadId, handled: SignalSet) -> bool {
        let process = self.tree.thread(id).process;
        let mut children = self.tree.children_of(process);
        let has_child = children.any(|child| !self.tree.process(child).ended());
        !handled.without(SignalSet::only(Signal::CHLD)).is_empty() || has_child
    }

    /// The call was entered and then slept: what a signal does at the entering, it does in the sleep.
    pub(super) fn slept_after_entering(&mut self, id: ThreadId, call: Syscall) {
        let name = &self.tree.thread(id).name;
        let taken = self.schedule.steps.iter().zip(&self.taken);
        let Some(last) = self.journal.reached.last_mut() else { return };
        let here = last.point.thread == *name && last.point.site == Site::Entering(call);
        if !here || taken.into_iter().any(|(step, taken)| *taken && step.point() == last.point) {
            return;
        }
        (last.receivable, last.fires) = (SignalSet::EMPTY, false);
        if last.others.is_empty() {
            self.journal.reached.pop();
        }
    }
}
