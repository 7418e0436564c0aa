//! Takes note of what calls return, whom they send signals, and which handlers run: see `Observe::Where` and NOTE \[Sampled\]
//! in `sampled`.

use crate::schedule::{Site, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::RunError;
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::news::News;
use crate::supervise::code::ambush;
use crate::supervise::code::results::Open;
use crate::supervise::state::Turns;
use crate::trace::{Seen, What};
use syscalls::Sysno;

/// A thread's breakpoints behind calls are so many, where none is needed for the schedule: one behind the call that it makes,
/// and one behind that which its handler has interrupted. The others are for handlers.
const RETURNS: usize = 2;

/// Signals that come by themselves: their handlers are watched first.
const NATURAL: [Signal; 2] = [Signal::CHLD, Signal::ALRM];

impl Turns<'_> {
    /// The thread was let go, which is the last event, and is about to be answered.
    pub(in crate::supervise) fn note_asked(&mut self, id: ThreadId, held: &Held) -> Result<(), RunError> {
        if !self.observe.is_where() || !self.code.results.has_room() {
            return Ok(());
        }
        let Some(event) = self.journal.events.len().checked_sub(1) else { return Ok(()) };
        let process = self.tree.thread(id).process;
        self.code.results.inherit(process, self.tree.process(process).parent);
        if self.code.results.may_hold_back(process)
            && let Some(status) = self.proc_status(id)?
        {
            if status.pending().is_empty() && self.tree.threads_of(process).count() == 1 {
                self.code.results.has_none_pending(process);
            } else {
                let blocked = status.pending().intersection(status.blocked);
                self.code.results.hold_back(process, blocked, event);
            }
        }
        let (Place::Before(call, _) | Place::Entering(call, _)) = held.place() else {
            self.watch_handlers(id);
            return Ok(());
        };
        let Some(sysno) = call.sysno() else { return Ok(()) };
        let args = held.args();
        if sysno == Sysno::rt_sigaction
            && args[1] != 0
            && let Some(signal) = Signal::from_number(args[0] as i32)
            // The first member of the kernel's struct sigaction is the handler.
            && let Ok(handler) = self.tree.thread(id).door.read_word(args[1])
        {
            self.code.results.install(process, signal, handler);
        }
        self.watch_handlers(id);
        let returns = !matches!(sysno, Sysno::rt_sigreturn | Sysno::exit | Sysno::exit_group);
        let position = self.tree.thread(id).door.position();
        if let Some(position) = position.ok().flatten().filter(|_| returns) {
            let sends = self.sends(id, sysno, &args)?;
            let open = Open { event, call, args, address: held.ip(), sp: position.sp };
            self.code.results.make(id, open, sends);
            self.watch_return_of(id, held.ip());
        }
        Ok(())
    }

    /// How many breakpoints of this thread the schedule leaves.
    fn left_by_schedule(&self, id: ThreadId) -> usize {
        let thread = self.tree.thread(id);
        let mine = self.schedule.steps.iter().filter(|step| step.thread == thread.name);
        let code = mine.filter(|step| matches!(step.at, Site::At(_))).count();
        // One place may be in the program more than once.
        ambush::MOST.saturating_sub(code.max(thread.ambushes.len()) + thread.unmapped.len())
    }

    fn watch_return_of(&mut self, id: ThreadId, address: u64) {
        let left = self.left_by_schedule(id);
        let tid = self.tree.thread(id).door.tid();
        self.code.results.watch_return((id, tid), address, RETURNS.min(left));
    }

    fn watch_handlers(&mut self, id: ThreadId) {
        let most = self.left_by_schedule(id).saturating_sub(RETURNS);
        let thread = self.tree.thread(id);
        let (process, tid) = (thread.process, thread.door.tid());
        let first = self.sends.union(NATURAL.into_iter().collect::<SignalSet>());
        let results = &mut self.code.results;
        for address in results.handlers(process, first).into_iter().take(most) {
            results.begins.watch((id, tid), address, most, |_| false);
        }
    }

    /// The thread has settled: what was seen of it since it was let go.
    pub(in crate::supervise) fn note_returns(&mut self, id: ThreadId, news: &News) {
        if !self.observe.is_where() {
            return;
        }
        match news {
            News::Held => self.code.results.held.push(id),
            News::Slept(_) => self.settle_results(id),
            News::Told(what) => {
                self.settle_results(id);
                if let What::Exec(_) = what {
                    let process = self.tree.thread(id).process;
                    self.code.results.new_program(process, id);
                }
            }
        }
    }

    /// The same of those that have come to a point, once it is told what has woken them.
    pub(in crate::supervise) fn note_returns_of_held(&mut self) {
        for id in std::mem::take(&mut self.code.results.held) {
            self.settle_results(id);
        }
    }

    fn settle_results(&mut self, id: ThreadId) {
        let Turns { tree, journal, code, .. } = self;
        let thread = tree.thread(id);
        let process = thread.process;
        // It has waited for a child of its own.
        let named = |number: i32| -> Option<ThreadName> {
            let child = tree.with_own_pid(number)?;
            tree.children_of(process).any(|other| other == child).then(|| tree.process(child).name.clone())
        };
        code.results.settle((id, &thread.name, process), journal.events.len(), named);
    }

    /// All that was seen of what calls returned and which handlers ran.
    pub(in crate::supervise) fn told_of_calls(&mut self) -> Seen {
        if self.observe.is_where() {
            (0..self.tree.threads.len()).map(ThreadId).for_each(|id| self.settle_results(id));
        }
        self.code.results.take()
    }
}
