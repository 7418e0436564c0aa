//! Calls by which the program ends, stops or continues processes of its own.
//!
//! A parent that does so is sent SIGCHLD, and its own call would be over before: the signal would reach it at a place that
//! nobody chose. So whoever's call ends another process is not let go on before that process has ended and its SIGCHLD is
//! pending: the supervisor sends the signal itself, waits for what comes of it, and answers the call as the kernel does.
//! Nobody can tell, since a process that a signal ends or stops is not told who sent it.

use super::RunError;
use crate::schedule::ThreadName;
use crate::signal::{DefaultAction, Signal};
use crate::supervise::books::held::Held;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::thread::State;
use crate::supervise::patience::UnderWay;
use crate::supervise::state::Turns;
use crate::supervise::time::wait::WaitEnd;
use crate::sys::pidfd::{self, PidFd};
use crate::sys::procfs::{Doing, Status as ProcStatus};
use nix::errno::Errno;
use syscalls::Sysno;

/// Whom a call sends a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Addressed {
    /// These processes, as kill(2) does.
    Processes(Vec<ProcessId>),
    /// One thread, as tgkill(2) does.
    Thread(ThreadId),
}

/// What a signal does to a process at once, whatever is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Ends,
    Stops,
    Continues,
}

impl Turns<'_> {
    /// Lets a call happen that sends a signal, after what it does to others has happened.
    pub(super) fn signal_others(&mut self, id: ThreadId, held: Held, call: Sysno) -> Result<(), RunError> {
        let caller = self.tree.thread(id).process;
        let Some((signal, addressed)) = self.addressed_by(id, call, &held.args())? else {
            self.all_signalled();
            let answer = held.proceed(self.cell.listener());
            return self.answered(id, answer);
        };
        let (targets, thread) = match &addressed {
            Addressed::Processes(processes) => (processes.clone(), None),
            Addressed::Thread(thread) => (vec![self.tree.thread(*thread).process], Some(*thread)),
        };
        let mut all_done = !targets.is_empty();
        let (mut ended, mut others) = (Vec::new(), Vec::new());
        for target in targets {
            if thread.is_none() {
                self.check_choice(target, signal)?;
            }
            self.signalled(target);
            if target != caller {
                self.note_from_within(target, signal);
            }
            let effect = if target == caller { None } else { self.effect_on(id, target, thread, signal)? };
            match effect {
                Some(effect) => {
                    self.bring_about(target, signal, effect)?;
                    ended.extend((effect == Effect::Ends).then_some(target));
                }
                None => {
                    all_done = false;
                    others.push(target);
                }
            }
        }
        self.note_woken_before(signal, &ended, &others)?;
        let held = match self.has_siblings(id) && !ended.is_empty() {
            true => self.let_woken_settle(id, held)?,
            false => Some(held),
        };
        let Some(held) = held else { return Ok(()) };
        // Whoever was ended may have been reaped by now: then the call would not find it.
        let listener = self.cell.listener();
        let answer = if all_done { held.succeed(listener, 0) } else { held.proceed(listener) };
        self.answered(id, answer)
    }

    /// True if others use the memory of the thread's process.
    fn has_siblings(&self, id: ThreadId) -> bool {
        let memory = |id: ThreadId| self.memory_of(self.tree.thread(id).process);
        self.tree.live().any(|other| other != id && memory(other) == memory(id))
    }

    /// The end of another process may have woken siblings of the thread whose call brought it about, that wait for it or read what it
    /// wrote to: they come to their points while that one is held still. None if it has ended meanwhile.
    fn let_woken_settle(&mut self, id: ThreadId, held: Held) -> Result<Option<Held>, RunError> {
        self.tree.thread_mut(id).state = State::Held(held);
        // A limit that has been reached meanwhile still is when all settle next.
        let _ = self.settle()?;
        Ok(self.take_held(id))
    }

    /// The kernel sends a signal to all of a group before any of them goes on. Here those have ended that end by it, and a parent that
    /// sleeps, and handles it, may have been woken by that before it is sent the signal.
    fn note_woken_before(
        &mut self,
        signal: Signal,
        ended: &[ProcessId],
        others: &[ProcessId],
    ) -> Result<(), RunError> {
        for parent in ended.iter().filter_map(|child| self.tree.process(*child).parent) {
            let Some(thread) = self.tree.live_thread_of(parent).filter(|_| others.contains(&parent)) else {
                continue;
            };
            let Some(status) = self.proc_status(thread)? else { continue };
            let asleep =
                self.tree.threads_of(parent).any(|id| matches!(self.tree.thread(id).state, State::Asleep(_)));
            if asleep && !status.blocked.union(status.ignored).contains(signal) {
                let name = &self.tree.process(parent).name;
                self.doubts.taint(format!(
                    "{name} may have been woken by the end of its child before it was sent {signal}"
                ));
            }
        }
        Ok(())
    }

    /// The thread with this number in the run's namespace.
    pub(super) fn numbered(&self, number: i32) -> Result<Option<ThreadId>, RunError> {
        if let Some(process) = self.tree.with_own_pid(number).filter(|id| !self.tree.process(*id).ended()) {
            return Ok(Some(self.tree.leader(process)));
        }
        for id in self.tree.live() {
            if self.proc_status(id)?.is_some_and(|status| status.own_tid == number) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The signal that a call sends, and the names of those of the run to whom: none if that cannot be told.
    pub(super) fn sends(
        &self,
        id: ThreadId,
        call: Sysno,
        args: &[u64; 6],
    ) -> Result<Option<(Signal, Vec<ThreadName>)>, RunError> {
        let Some((signal, addressed)) = self.addressed_by(id, call, args)? else {
            // Who has ended had this number, and may have it still.
            let by_number = matches!(call, Sysno::kill | Sysno::rt_sigqueueinfo);
            let ended = self.tree.with_own_pid(args[0] as i32).filter(|_| by_number);
            let name = ended.map(|process| vec![self.tree.process(process).name.clone()]);
            return Ok(Signal::from_number(args[1] as i32).zip(name));
        };
        let names = match addressed {
            Addressed::Processes(processes) => {
                processes.into_iter().map(|process| self.tree.process(process).name.clone()).collect()
            }
            Addressed::Thread(thread) => vec![self.tree.thread(thread).name.clone()],
        };
        Ok(Some((signal, names)))
    }

    pub(super) fn all_signalled(&mut self) {
        self.tree.process_ids().for_each(|process| self.signalled(process));
    }

    /// The signal that a call sends, and to whom of the run; none if that cannot be told, or is nobody.
    fn addressed_by(
        &self,
        id: ThreadId,
        call: Sysno,
        args: &[u64; 6],
    ) -> Result<Option<(Signal, Addressed)>, RunError> {
        let number = |arg: usize| args[arg] as i32;
        let process = |number: i32| {
            let process = self.tree.with_own_pid(number).filter(|id| !self.tree.process(*id).ended());
            process.map(|process| Addressed::Processes(vec![process]))
        };
        if self.is_refused(id, call, args) {
            return Ok(None);
        }
        let (signal, addressed) = match call {
            Sysno::kill if number(0) > 0 => (number(1), process(number(0))),
            Sysno::kill => (number(1), Some(Addressed::Processes(self.group(id, number(0))?))),
            Sysno::rt_sigqueueinfo => (number(1), process(number(0))),
            Sysno::tkill => (number(1), self.numbered(number(0))?.map(Addressed::Thread)),
            Sysno::tgkill | Sysno::rt_tgsigqueueinfo => {
                // A number may have come to be that of another process's thread.
                let of_it = |thread: &ThreadId| self.tree.process_of(*thread).own_pid == number(0);
                (number(2), self.numbered(number(1))?.filter(of_it).map(Addressed::Thread))
            }
            // Which process a descriptor stands for is in its fdinfo (proc_pid_fdinfo(5)); flags may choose a thread or a group.
            Sysno::pidfd_send_signal if args[3] == 0 => {
                let info = self.tree.thread(id).door.descriptor_info(number(0));
                let pid = info.ok().and_then(|info| {
                    info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse::<i32>().ok())
                });
                let known = pid.and_then(|pid| self.tree.with_pid(pid));
                (number(1), known.map(|process| Addressed::Processes(vec![process])))
            }
            _ => return Ok(None),
        };
        Ok(Signal::from_number(signal).zip(addressed))
    }

    /// True if the kernel refuses the call for what it says of the signal: what cannot be read, names another signal, or, of a signal to
    /// another process, says that kill(2) or the kernel has sent it (rt_sigqueueinfo(2), pidfd_send_signal(2)).
    fn is_refused(&self, id: ThreadId, call: Sysno, args: &[u64; 6]) -> bool {
        /// As long as the kernel reads it (`SI_MAX_SIZE`).
        const LENGTH: usize = 128;
        const SI_TKILL: i32 = -6;
        let (signal, info, named) = match call {
            Sysno::rt_sigqueueinfo => (args[1], args[2], false),
            Sysno::rt_tgsigqueueinfo => (args[2], args[3], false),
            Sysno::pidfd_send_signal if args[2] != 0 => (args[1], args[2], true),
            _ => return false,
        };
        let Ok(read) = self.tree.thread(id).door.read_bytes(info, LENGTH) else { return true };
        let word = |at: usize| read.get(at..at + 4)?.try_into().ok().map(i32::from_ne_bytes);
        let (Some(number), Some(code)) = (word(0), word(8)) else { return true };
        // To itself a process may say anything; what a signal to itself does is not looked at here.
        named && number != signal as i32 || code >= 0 || code == SI_TKILL
    }

    /// The live processes that kill(2) means with a number that is not positive; all but the caller for -1.
    fn group(&self, id: ThreadId, number: i32) -> Result<Vec<ProcessId>, RunError> {
        let own = self.proc_status(id)?.map(|status| status.own_group);
        let group = if number == 0 { own } else { number.checked_neg() };
        let caller = self.tree.thread(id).process;
        let mut members = Vec::new();
        for process in self.tree.process_ids() {
            let Some(thread) = self.tree.live_thread_of(process) else { continue };
            let member = if number == -1 {
                process != caller
            } else {
                self.proc_status(thread)?.map(|status| status.own_group) == group
            };
            if member {
                members.push(process);
            }
        }
        Ok(members)
    }

    /// What the signal does at once to this process of the run, if it does.
    fn effect_on(
        &self,
        by: ThreadId,
        target: ProcessId,
        thread: Option<ThreadId>,
        signal: Signal,
    ) -> Result<Option<Effect>, RunError> {
        let threads: Vec<ThreadId> = self.tree.threads_of(target).collect();
        let (Some(own), Some(first)) = (self.proc_status(by)?, threads.first()) else { return Ok(None) };
        let Some(status) = self.proc_status(*first)? else { return Ok(None) };
        if !may_signal(&own, &status) {
            return Ok(None);
        }
        // What comes to a traced process goes to its tracer first.
        if status.traced && signal != Signal::KILL {
            return Ok(None);
        }
        let stopped = threads.iter().any(|id| matches!(self.tree.thread(*id).state, State::Stopped));
        if signal == Signal::CONT {
            // A handler of it could tell who sent it.
            let unseen = !status.caught.union(status.blocked).contains(signal);
            // What came while it was stopped may end it as soon as it goes on.
            let ends = |signal: Signal| {
                matches!(signal.default_action(), DefaultAction::Terminate | DefaultAction::Core)
            };
            let ended = status.deliverable().without(status.caught).iter().any(ends);
            let effect = if ended { Effect::Ends } else { Effect::Continues };
            return Ok((stopped && unseen).then_some(effect));
        }
        if signal == Signal::KILL {
            return Ok(Some(Effect::Ends));
        }
        let unable = |id: &ThreadId| match &self.tree.thread(*id).state {
            // Inside its wait for an answer a thread takes only what ends it without a core file.
            State::Waiting(_, wait) if wait.is_for_futex() => false,
            State::Held(_) | State::Waiting(..) => {
                !matches!(signal.default_action(), DefaultAction::Terminate)
            }
            State::Asleep(_) => self.tree.thread(*id).vforks,
            // It computes (NOTE \[Aside\] in `computing`).
            State::Running => !self.tree.is_aside(*id),
            State::Stopped | State::Ended => true,
        };
        if stopped || threads.iter().any(unable) {
            return Ok(None);
        }
        // Who has a signal to handle already, and waits for an answer, is not woken by another one (`wants_signal` of
        // kernel/signal.c): it ends by that when it goes on.
        let mut ends_now = false;
        for id in &threads {
            let Some(status) = self.proc_status(*id)? else { return Ok(None) };
            let meant = thread.is_none_or(|thread| thread == *id);
            let waits = match &self.tree.thread(*id).state {
                State::Held(_) => true,
                State::Waiting(_, wait) => !wait.is_for_futex(),
                State::Asleep(_) | State::Running | State::Stopped | State::Ended => false,
            };
            ends_now |= meant && (!waits || status.deliverable().is_empty());
            let handled = status.caught.union(status.ignored).contains(signal);
            // A signal that somebody awaits (sigwait(3)) is taken, though it is not blocked meanwhile.
            if handled || (meant && status.blocked.contains(signal)) || self.tree.awaits_signals(*id) {
                return Ok(None);
            }
        }
        if !ends_now {
            return Ok(None);
        }
        Ok(match signal.default_action() {
            DefaultAction::Terminate | DefaultAction::Core => Some(Effect::Ends),
            // The others of job control do nothing in an orphaned process group.
            DefaultAction::Stop => (signal == Signal::STOP).then_some(Effect::Stops),
            DefaultAction::Continue | DefaultAction::Ignore => None,
        })
    }

    /// Sends the signal, and waits until what it does has been done and the parent has been told.
    fn bring_about(&mut self, target: ProcessId, signal: Signal, effect: Effect) -> Result<(), RunError> {
        let Some(first) = self.tree.live_thread_of(target) else { return Ok(()) };
        self.tree.no_more_aside(first);
        if effect == Effect::Ends {
            self.guard_exit(first, target)?;
        }
        let (pid, name) = (self.tree.process(target).pid, self.tree.process(target).name.clone());
        match pidfd::kill(pid, signal.number()) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => {
                return Err(RunError::Unsupported(format!(
                    "sending {signal} to {name} is not allowed: {errno}"
                )));
            }
        }
        if effect != Effect::Continues {
            // Who is held in its sleep ends or stops only outside of that.
            for id in self.tree.threads_of(target).collect::<Vec<_>>() {
                if matches!(self.tree.thread(id).state, State::Waiting(..)) {
                    self.end_wait(id, WaitEnd::Stop)?;
                }
            }
        }
        let mut wait = UnderWay::new();
        while !self.has_come_about(target, effect)? {
            if self.is_overdue(&mut wait)? {
                return Err(RunError::Fault(format!("{signal} was sent to {name}, and nothing came of it")));
            }
            self.give_way()?;
        }
        if effect == Effect::Ends {
            self.check_guard()?;
        }
        if let Some(parent) = self.tree.process(target).parent {
            self.signalled(parent);
        }
        Ok(())
    }

    fn has_come_about(&self, target: ProcessId, effect: Effect) -> Result<bool, RunError> {
        if effect == Effect::Ends {
            let descriptor = self.tree.process(target).pidfd.as_ref();
            return descriptor.map_or(Ok(true), PidFd::has_ended).map_err(|errno| {
                let name = &self.tree.process(target).name;
                RunError::Fault(format!("waiting for the end of {name}: {errno}"))
            });
        }
        for id in self.tree.threads_of(target) {
            let thread = self.tree.thread(id);
            let doing = thread.door.doing();
            let doing =
                doing.map_err(|error| RunError::Fault(format!("looking at {}: {error}", thread.name)))?;
            if (doing == Doing::Stopped) != (effect == Effect::Stops) && doing != Doing::Ended {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether one process may signal another (kill(2)): by its users, or by CAP_KILL.
fn may_signal(sender: &ProcStatus, target: &ProcStatus) -> bool {
    const CAP_KILL: u64 = 1 << 5;
    let [real, effective, ..] = sender.users;
    let [target_real, _, saved, _] = target.users;
    let same = [real, effective].iter().any(|user| [target_real, saved].contains(user));
    same || sender.capabilities & CAP_KILL != 0
}
