//! Which signals a process has something to do with: see `Observe::Signals`.

use super::state::Turns;
use super::{Observe, RunError};
use crate::schedule::{Syscall, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::tree::State;
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
                self.note_handled(id, SignalSet::only(signal));
            }
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

    /// What the thread's process hears when it is sent: what it catches, blocks, or waits for in one of its threads; none if it
    /// has ended.
    pub(super) fn hears(&self, id: ThreadId) -> Result<Option<SignalSet>, RunError> {
        Ok(self.proc_status(id)?.map(|status| self.heard(id, &status)))
    }

    /// The same of a thread whose status is known.
    ///
    /// As long as a thread sleeps in rt_sigtimedwait(2), the kernel does not block what it waits for.
    pub(super) fn heard(&self, id: ThreadId, status: &ProcStatus) -> SignalSet {
        let process = self.tree.thread(id).process;
        let mut heard = status.caught.union(status.blocked);
        for other in self.tree.threads_of(process) {
            let thread = self.tree.thread(other);
            if let State::Asleep(inside) = &thread.state
                && i64::from(inside.number) == libc::SYS_rt_sigtimedwait
                && let Ok(set) = thread.door.read_word(inside.args[0])
            {
                heard = heard.union(SignalSet(set));
            }
        }
        heard
    }

    /// Everything sleeps: what is blocked there or waited for, or caught since before an observer could see.
    pub(super) fn note_awaited(&mut self) -> Result<(), RunError> {
        if !matches!(self.observe, Observe::Signals(_)) {
            return Ok(());
        }
        for id in self.tree.live().collect::<Vec<_>>() {
            if let Some(heard) = self.hears(id)? {
                self.note_handled(id, heard);
                if self.tree.process_of(id).name == ThreadName::root() {
                    let start = &mut self.journal.start;
                    start.awaited = start.awaited.union(heard);
                }
            }
        }
        Ok(())
    }
}
