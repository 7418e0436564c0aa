//! Which signals a process has something to do with: see `Observe::Signals`.

use super::state::Turns;
use super::{Observe, RunError};
use crate::schedule::{Syscall, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::thread::State;
use crate::sys::procfs::Status as ProcStatus;
use syscalls::Sysno;

/// A process, and the signals for which it installs a handler, or that it blocks when everything sleeps: it waits for them
/// with sigwaitinfo(2) or signalfd(2), or does not want them there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Which process.
    pub process: ThreadName,
    /// Which signals.
    pub signals: SignalSet,
    /// Those that other processes of the run have sent it: they come by themselves.
    pub from_within: SignalSet,
}

impl Turns<'_> {
    /// Takes note of a call that is about to be let happen, if it installs a handler.
    pub(super) fn note_action(&mut self, id: ThreadId, call: Syscall, args: &[u64; 6]) {
        if !matches!(self.observe, Observe::Signals(_))
            || call.sysno() != Some(Sysno::rt_sigaction)
            || args[1] == 0
        {
            return;
        }
        let signal = i32::try_from(args[0]).ok().and_then(Signal::from_number);
        // The first word of struct kernel_sigaction. A bad address is the kernel's to report.
        let handler = self.tree.thread(id).door.read_word(args[1]);
        if let (Some(signal), Ok(handler)) = (signal, handler) {
            let handled = handler > libc::SIG_IGN as u64;
            self.note_installing(id, signal, handled);
            if handled {
                self.note_installed(id, signal, handler);
                self.note_handled(id, SignalSet::only(signal));
            }
        }
    }

    /// Another process of the run sends this one a signal.
    pub(super) fn note_from_within(&mut self, to: ProcessId, signal: Signal) {
        if matches!(self.observe, Observe::Signals(_)) {
            let process = self.tree.process(to).name.clone();
            let known = self.journal.from_within.entry(process).or_insert(SignalSet::EMPTY);
            *known = known.union(SignalSet::only(signal));
        }
    }

    /// The thread's process has something to do with these.
    fn note_handled(&mut self, id: ThreadId, signals: SignalSet) {
        let process = self.tree.process_of(id).name.clone();
        // Nobody sends signals to clients.
        if signals.is_empty() || process.client_of().is_some() {
            return;
        }
        let known = self.journal.receivers.entry(process).or_insert(SignalSet::EMPTY);
        *known = known.union(signals);
    }

    /// What the thread's process hears when it is sent: what it catches, what this thread blocks, and what one waits for.
    pub(super) fn heard(&self, id: ThreadId, status: &ProcStatus) -> SignalSet {
        let process = self.tree.thread(id).process;
        let heard = status.caught.union(status.blocked);
        self.tree.threads_of(process).fold(heard, |heard, other| heard.union(self.waits_for(other)))
    }

    /// What this thread waits for in rt_sigtimedwait(2): as long as it sleeps there, the kernel does not block that.
    fn waits_for(&self, id: ThreadId) -> SignalSet {
        let thread = self.tree.thread(id);
        match &thread.state {
            State::Asleep(inside) if i64::from(inside.number) == libc::SYS_rt_sigtimedwait => {
                thread.door.read_word(inside.args[0]).map_or(SignalSet::EMPTY, SignalSet)
            }
            _ => SignalSet::EMPTY,
        }
    }

    /// Everything sleeps: what is blocked there or waited for, or caught since before an observer could see.
    pub(super) fn note_awaited(&mut self) -> Result<(), RunError> {
        if !matches!(self.observe, Observe::Signals(_)) {
            return Ok(());
        }
        for process in self.tree.process_ids() {
            let Some(id) = self.tree.live_thread_of(process) else { continue };
            // What some of its threads block alone comes to the others.
            let (mut heard, mut blocked) = (SignalSet::EMPTY, None::<SignalSet>);
            for thread in self.tree.threads_of(process) {
                let Some(status) = self.proc_status(thread)? else { continue };
                let waits = self.waits_for(thread);
                heard = heard.union(status.caught).union(waits);
                let kept_back = status.blocked.union(waits);
                blocked = Some(blocked.map_or(kept_back, |others| others.intersection(kept_back)));
            }
            let heard = heard.union(blocked.unwrap_or_default());
            self.note_handled(id, heard);
            if self.tree.process_of(id).name == ThreadName::root() {
                let start = &mut self.journal.start;
                start.awaited = start.awaited.union(heard);
            }
        }
        Ok(())
    }
}
