//! Who would notice that a process is stopped and continued, so that its threads cannot be parked.

use crate::signal::{Signal, SignalSet};
use crate::supervise::RunError;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::thread::State;
use crate::supervise::code::dispositions::Handlers;
use crate::supervise::state::Turns;
use crate::sys::procfs::Status as ProcStatus;
use syscalls::Sysno;

/// What keeps a thread from being parked.
#[derive(Debug)]
pub(in crate::supervise) struct Obstacle {
    pub(in crate::supervise) why: String,
    /// Many programs set it up for a moment, when they make a thread or a process.
    pub(in crate::supervise) passing: bool,
}

impl Turns<'_> {
    /// Why a thread cannot be parked now.
    pub(in crate::supervise) fn obstacle(
        &self,
        id: ThreadId,
        status: &ProcStatus,
    ) -> Result<Option<Obstacle>, RunError> {
        let obstacle = |why: &str, passing| Ok(Some(Obstacle { why: why.to_owned(), passing }));
        let held_beside = self.watch().is_some() && self.disturbed_by_stop(id).is_none();
        if self.live_siblings(id) && !held_beside {
            return obstacle("a sibling thread would notice that the process stops", false);
        }
        let process = self.tree.thread(id).process;
        if let Some(noticed) = self.noticed_by_parent(process)? {
            return obstacle(&noticed, false);
        }
        let Handlers { soon, soon_blocked, .. } = self.tree.process(process).handlers;
        if status.caught.union(soon).contains(Signal::CONT) {
            return obstacle("the process catches SIGCONT", false);
        }
        if soon_blocked || status.blocked.contains(Signal::CONT) {
            // It would stay, to be seen.
            return obstacle("the process blocks SIGCONT", true);
        }
        Ok(None)
    }

    pub(in crate::supervise) fn live_siblings(&self, id: ThreadId) -> bool {
        let process = self.tree.thread(id).process;
        let mut others = self.tree.threads_of(process).filter(|other| *other != id);
        others.any(|other| !matches!(self.tree.thread(other).state, State::Ended))
    }

    /// Who would be told that a process stops: a parent in the run that handles SIGCHLD, or waits for stopped children.
    fn noticed_by_parent(&self, process: ProcessId) -> Result<Option<String>, RunError> {
        let parent = self.tree.process(process).parent.filter(|parent| !self.tree.process(*parent).ended());
        let Some(parent) = parent else { return Ok(None) };
        let name = &self.tree.process(parent).name;
        for id in self.tree.threads_of(parent) {
            if let State::Asleep(inside) = &self.tree.thread(id).state {
                let number = i64::from(inside.number);
                let options = if number == libc::SYS_wait4 { inside.args[2] } else { inside.args[3] };
                let waits = [libc::SYS_wait4, libc::SYS_waitid].contains(&number);
                if waits && options & libc::WUNTRACED as u64 != 0 {
                    return Ok(Some(format!("{name} waits for stopped children")));
                }
            }
        }
        let Some(leader) = self.tree.threads_of(parent).next() else { return Ok(None) };
        let Some(status) = self.proc_status(leader)? else { return Ok(None) };
        let handles = status.caught.union(status.blocked).contains(Signal::CHLD);
        Ok(handles.then(|| format!("{name} would get SIGCHLD when the process stops")))
    }

    /// Takes note of a call that changes how signals are handled, before it is let happen.
    pub(in crate::supervise) fn note_handler(
        &mut self,
        id: ThreadId,
        call: Sysno,
        args: &[u64; 6],
    ) -> Result<(), RunError> {
        let process = self.tree.thread(id).process;
        let handlers = self.tree.process(process).handlers;
        match call {
            Sysno::rt_sigaction if args[1] != 0 => {
                let Some(signal) = i32::try_from(args[0]).ok().and_then(Signal::from_number) else {
                    return Ok(());
                };
                // struct kernel_sigaction: the handler, then the flags. A bad address is the kernel's to report.
                let door = &self.tree.thread(id).door;
                let words = [0, 8, 16].map(|offset| door.read_word(args[1].wrapping_add(offset)));
                let [Ok(handler), Ok(flags), Ok(restorer)] = words else { return Ok(()) };
                let told = flags & libc::SA_SIGINFO as u64 != 0;
                let handled = handler > libc::SIG_IGN as u64;
                if signal == Signal::CONT && handled {
                    self.taint_by_stray_continue(id, call)?;
                }
                let only = SignalSet::only(signal);
                let known = handlers.with_siginfo;
                let handlers = &mut self.tree.process_mut(process).handlers;
                handlers.with_siginfo = if told { known.union(only) } else { known.without(only) };
                handlers.changed = true;
                if handled {
                    handlers.soon = only;
                    self.note_installed(id, signal, handler);
                    // Where the handler returns to: sa_restorer, which the kernel demands here.
                    self.code.seen.back = Some(restorer);
                }
                self.aim(id)?;
                // The answer to the call changes it once more.
                self.tree.process_mut(process).handlers.changed = true;
            }
            // The mask comes second, and what it is for comes first.
            Sysno::rt_sigprocmask if args[1] != 0 => {
                let Ok(mask) = self.tree.thread(id).door.read_word(args[1]).map(SignalSet) else {
                    return Ok(());
                };
                let handlers = &mut self.tree.process_mut(process).handlers;
                handlers.changed = true;
                if args[0] != libc::SIG_UNBLOCK as u64 && mask.contains(Signal::CONT) {
                    handlers.soon_blocked = true;
                    self.aim(id)?;
                    self.tree.process_mut(process).handlers.changed = true;
                }
            }
            Sysno::rt_sigpending
            | Sysno::rt_sigtimedwait
            | Sysno::signalfd
            | Sysno::signalfd4
            | Sysno::epoll_pwait
            | Sysno::epoll_pwait2 => self.taint_by_stray_continue(id, call)?,
            _ => {}
        }
        Ok(())
    }

    /// The SIGCONT that let a thread go on from a code point, and that it blocks, is still there, and this call may show it.
    fn taint_by_stray_continue(&mut self, id: ThreadId, call: Sysno) -> Result<(), RunError> {
        let process = self.tree.thread(id).process;
        if !self.tree.process(process).handlers.stray_continue {
            return Ok(());
        }
        let pending = self.proc_status(id)?.is_some_and(|status| status.pending().contains(Signal::CONT));
        self.tree.process_mut(process).handlers.stray_continue = pending;
        if pending {
            let name = &self.tree.thread(id).name;
            self.doubts
                .taint(format!("{name} may see the SIGCONT that let it go on from a code point, in {call}"));
        }
        Ok(())
    }
}
