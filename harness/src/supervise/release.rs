//! Letting a held thread go: with its signals first, and with what its call needs.

use super::RunError;
use crate::schedule::{Making, Site, Syscall};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::news::{Guard, News};
use crate::supervise::books::thread::State;
use crate::supervise::books::tree::{Birth, BirthKind};
use crate::supervise::calls::{self, Wakes};
use crate::supervise::deliver;
use crate::supervise::state::Turns;
use crate::supervise::time::left::Rest;
use crate::supervise::time::wait::{Kind, Wait, WaitEnd};
use crate::trace::What;
use nix::errno::Errno;
use std::time::Duration;
use syscalls::Sysno;

impl Turns<'_> {
    /// Lets this thread go on from its point.
    pub(super) fn let_go(&mut self, id: ThreadId) -> Result<(), RunError> {
        self.aim(id)?;
        self.note_taker(id)?;
        self.look_where_it_leaves(id);
        self.watch_for_crash(id);
        self.note_call(id);
        self.note_on_stack(id);
        let Some(held) = self.take_held(id) else { return Ok(()) };
        let entering = matches!(held.place(), Place::Entering(..));
        let mut afterwards = SignalSet::EMPTY;
        if self.tree.thread(id).dirty {
            let Some(read) = self.proc_status(id)? else { return Ok(()) };
            let taken = self.taken_by(id, &read)?;
            // What lets a thread go that is stopped at an instruction takes these away (SIGCONT).
            let parked = matches!(held.place(), Place::At(..));
            let taken = if parked { taken.without(deliver::stops()) } else { taken };
            if entering {
                afterwards = taken;
            } else {
                self.tell_signals(id, taken);
            }
            if !taken.is_empty() && matches!(held.place(), Place::Before(..) | Place::Probe(..)) {
                // The kernel handles what is pending, and then the call is made again.
                let answer = held.restart(self.cell.listener());
                return self.answered(id, answer);
            }
            // What is pending and blocked concerns the thread only when it makes a call that changes that.
            if read.deliverable().is_empty() {
                self.tree.thread_mut(id).dirty = false;
            }
        }
        let (site, nth) = held.place().site();
        let others: Vec<ThreadId> = self.tree.held().collect();
        let others = self.names(&others);
        let thread = self.tree.thread(id).name.clone();
        self.journal.choice(thread, What::Go(site, nth), others);
        self.note_where(id);
        self.note_asked(id, &held)?;
        self.tell_signals(id, afterwards);
        match held.place() {
            Place::After(_) => self.leave_plant(id, held),
            Place::Before(call, _) | Place::Entering(call, _) => self.release(id, held, call, false),
            Place::At(..) => self.leave_code(id, held),
            Place::Woken(..) => {
                self.comes_back(id);
                let answer = held.succeed(self.cell.listener(), 0);
                self.answered(id, answer)
            }
            // The kernel refuses it, as it does without control.
            Place::Probe(..) => {
                let call = Syscall(held.number() as u32);
                self.release(id, held, call, false)
            }
        }
    }

    fn tell_signals(&mut self, id: ThreadId, signals: SignalSet) {
        for signal in signals.iter() {
            self.event(id, What::Signal(signal));
        }
    }

    /// A call of the dynamic loader: no point, and let go as soon as it comes.
    pub(super) fn let_loader_go(&mut self, id: ThreadId, held: Held) -> Result<(), RunError> {
        let call = Syscall(held.number() as u32);
        self.release(id, held, call, true)
    }

    pub(super) fn nudge(&mut self, id: ThreadId) -> Result<(), RunError> {
        let (pid, tid) = (self.tree.process_of(id).pid, self.tree.thread(id).door.tid());
        match deliver::nudge(pid, tid) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => {
                let name = &self.tree.thread(id).name;
                Err(RunError::Unsupported(format!("signalling {name} is not allowed: {errno}")))
            }
        }
    }

    /// Books the answer to a held thread. False means that it was ended while it was held, which it will show by itself.
    pub(super) fn answered(&mut self, id: ThreadId, answer: Result<bool, Errno>) -> Result<(), RunError> {
        self.runs_on(id);
        answer
            .map(drop)
            .map_err(|errno| RunError::Fault(format!("answering {}: {errno}", self.tree.thread(id).name)))
    }

    /// The call of this thread is over: it goes on to its next point.
    pub(super) fn comes_back(&mut self, id: ThreadId) {
        let thread = self.tree.thread_mut(id);
        (thread.released, thread.untold) = (None, false);
    }

    /// Books that this thread has just been made to go on.
    pub(super) fn runs_on(&mut self, id: ThreadId) {
        self.code.lookout.goes_on(id);
        let thread = self.tree.thread_mut(id);
        thread.state = State::Running;
        thread.cpu_at_release = None;
        if thread.name.client_of().is_none() {
            self.clients.program_went = self.clock.now;
        }
        self.going.released = Some(id);
        self.going.overtaken_by = None;
        self.kernel.quiet_since = None;
        self.going.released_at = std::time::Instant::now();
    }

    /// Lets a thread go on right after it made a process or thread, or was made: with what fork has returned.
    fn leave_plant(&mut self, id: ThreadId, held: Held) -> Result<(), RunError> {
        let returned = i64::from(held.number());
        let answer = held.succeed(self.cell.listener(), returned);
        self.answered(id, answer)
    }

    /// Lets the call happen, or does in its place what control needs.
    fn release(&mut self, id: ThreadId, held: Held, call: Syscall, loading: bool) -> Result<(), RunError> {
        let thread = self.tree.thread_mut(id);
        thread.released = Some(held.number());
        thread.vforks = false;
        let row = calls::of(call);
        // What the loader reads are files. The end of a whole process is told by its descriptor.
        thread.untold = !loading && row.is_wait() && call.sysno() != Some(Sysno::exit_group);
        if !loading {
            let door = &self.tree.thread(id).door;
            let look = row.is_look(&held.args(), |address| door.read_array(address) == Ok([0; 16]));
            self.clock.call(look);
            // Who only looks does not sleep.
            self.tree.thread_mut(id).untold &= !look;
            self.note_sleep_to_come(id, call);
            self.date()?;
            self.note_opening(id, call, &held.args());
            self.note_sharing(id, call, &held.args());
            self.note_in_vain(id, call, &held.args());
            self.note_start(id, call, &held);
            self.note_numbers(id, call, &held.args())?;
        }
        // What signals itself wakes also those who wait for a signal.
        let by_itself = self.kernel.asynchronous && row.wakes != Wakes::Nobody;
        let wakes = if by_itself { Wakes::Anybody } else { row.wakes };
        self.tree.may_wake(wakes);
        self.kernel.terminal_written |= self.kernel.terminals && wakes >= Wakes::Descriptors;
        self.note_action(id, call, &held.args());
        if self.uses_code()
            && let Some(sysno) = call.sysno()
        {
            self.note_handler(id, sysno, &held.args())?;
        }
        let process = self.tree.thread(id).process;
        self.tree.process_mut(process).may_catch |=
            call.sysno() == Some(Sysno::rt_sigaction) && held.args()[1] != 0;
        let Some(sysno) = call.sysno() else {
            let answer = held.proceed(self.cell.listener());
            return self.answered(id, answer);
        };
        let Some(held) = self.keep_off_init(id, held, sysno)? else { return Ok(()) };
        self.prepare_network(id, sysno, &held.args())?;
        self.check_room(sysno)?;
        match sysno {
            Sysno::clone | Sysno::clone3 | Sysno::fork | Sysno::vfork => return self.make(id, held, sysno),
            Sysno::exit_group => self.about_to_end(id, held.args()[0])?,
            Sysno::exit => {
                let alone = |turns: &Self| {
                    let mut siblings = turns.tree.threads_of(process);
                    siblings
                        .all(|other| other == id || matches!(turns.tree.thread(other).state, State::Ended))
                };
                if alone(self) {
                    self.about_to_end(id, held.args()[0])?;
                } else if id != self.tree.leader(process) {
                    let thread = self.tree.thread_mut(id);
                    thread.untold = !thread.door.hears_its_end();
                }
            }
            Sysno::execve | Sysno::execveat => {
                self.tree.process_mut(process).executing = true;
                self.replant_for_parent(process)?;
            }
            Sysno::kill
            | Sysno::tkill
            | Sysno::tgkill
            | Sysno::rt_sigqueueinfo
            | Sysno::rt_tgsigqueueinfo
            | Sysno::pidfd_send_signal => return self.signal_others(id, held, sysno),
            Sysno::sched_yield => self.picker.yields(),
            Sysno::io_uring_setup => return self.refuse(id, held, "io_uring does its work outside of calls"),
            Sysno::seccomp
                if held.args()[0] == 1 && held.args()[1] & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 =>
            {
                self.unsupported_program(
                    id,
                    "installs a seccomp listener of its own, and there can be only one",
                );
            }
            Sysno::prctl if held.args()[0] == libc::PR_SET_SECCOMP as u64 && held.args()[1] == 1 => {
                self.unsupported_program(id, "uses seccomp's strict mode, which excludes filters");
            }
            Sysno::setitimer if held.args()[0] != 0 => {
                self.note_interval_of_cpu(id, held.args()[0], held.args()[1])
            }
            Sysno::shmget | Sysno::semget | Sysno::msgget | Sysno::mq_open => self.cell.note_ipc(),
            Sysno::fcntl | Sysno::ioctl => {
                self.note_asynchronous(sysno, &held.args());
                if sysno == Sysno::ioctl {
                    self.note_asking(id, &held.args());
                }
                // No pseudoterminal can be used before it is unlocked (unlockpt(3)).
                let unlocks = sysno == Sysno::ioctl && held.args()[1] == libc::TIOCSPTLCK;
                self.kernel.terminals |= unlocks;
            }
            _ => {
                let Some(held) = self.emulate(id, held, sysno)? else { return Ok(()) };
                let Some(held) = self.futex(id, held, call, loading)? else { return Ok(()) };
                let Some(held) = self.timed(id, held, call, loading)? else { return Ok(()) };
                let answer = held.proceed(self.cell.listener());
                self.answered(id, answer)?;
                return Ok(());
            }
        }
        let answer = held.proceed(self.cell.listener());
        self.answered(id, answer)
    }

    /// The call fails with ENOSYS, and the trace says why.
    pub(super) fn refuse(&mut self, id: ThreadId, held: Held, why: &str) -> Result<(), RunError> {
        let call = Syscall(held.number() as u32);
        self.journal.news.push((id, News::Told(What::Refuse(call, why.to_owned()))));
        let answer = held.fail(self.cell.listener(), Errno::ENOSYS);
        self.answered(id, answer)
    }

    pub(super) fn unsupported_program(&mut self, id: ThreadId, what: &str) {
        let process = self.tree.process_of(id);
        // What it is just becoming is not known by then.
        let program = match process.program.as_str() {
            "" => String::new(),
            program => format!(" ({program})"),
        };
        self.doubts.unsupported(format!("{}{program} {what}", process.name));
    }

    pub(super) fn uncontrolled_timer(&mut self, id: ThreadId, what: &str) {
        let name = &self.tree.thread(id).name;
        self.doubts.taint(format!("{name} arms {what}, which fires when it likes"));
    }

    /// The call is one that mostly does not sleep: if this visit of it was seen to, nothing is waited for before the first look.
    fn note_sleep_to_come(&mut self, id: ThreadId, call: Syscall) {
        let thread = self.tree.thread(id);
        let sleeps = !thread.untold && self.settings.learnt.has_slept(|| thread.before(call));
        self.tree.thread_mut(id).untold |= sleeps;
    }

    /// Ends the wait of a thread whose call was not let happen.
    pub(super) fn end_wait(&mut self, id: ThreadId, end: WaitEnd) -> Result<(), RunError> {
        let state = std::mem::replace(&mut self.tree.thread_mut(id).state, State::Running);
        let State::Waiting(held, wait) = state else { return Ok(()) };
        // What has ended its wait lets it come back, but for a stop.
        self.tree.thread_mut(id).untold = end == WaitEnd::Stop;
        let listener = self.cell.listener();
        let answer = match (end, &wait.kind) {
            (WaitEnd::TimeUp, _) => {
                self.event(id, What::Expire(wait.call));
                match wait.run_out(&self.tree.thread(id).door) {
                    Ok(value) => held.succeed(listener, value),
                    Err(errno) => held.fail(listener, errno),
                }
            }
            (WaitEnd::Ready, _) => {
                let most = match self.write_rest(id, &wait) {
                    Rest::Written(left) => left,
                    Rest::Untouched | Rest::Unwritable => wait.duration,
                };
                // Somebody else may take what is there before it does.
                self.kernel_timer(id, most, true);
                held.proceed(listener)
            }
            (WaitEnd::Signal, Kind::Descriptors { .. } | Kind::Signals { .. }) => {
                self.write_rest(id, &wait);
                held.proceed(listener)
            }
            (WaitEnd::Signal, Kind::Sleep { remaining }) => {
                let left = wait.deadline.map_or(Duration::ZERO, |deadline| self.clock.left(deadline));
                let words = [left.as_secs(), u64::from(left.subsec_nanos())].map(u64::to_le_bytes).concat();
                let written =
                    remaining.map_or(Ok(()), |address| self.tree.thread(id).door.write(address, &words));
                // The kernel reports a bad address before it says that the sleep was interrupted.
                held.fail(listener, written.err().unwrap_or(Errno::EINTR))
            }
            (WaitEnd::Signal, Kind::Futex(_)) => self.interrupt_futex(held, &wait),
            (WaitEnd::Stop, Kind::Futex(_)) if self.tree.process_of(id).threads > 1 => {
                // Which thread the kernel has chosen to take it is not known: in the kernel each finds out by itself.
                if wait.deadline.is_some() {
                    self.kernel_timer(id, wait.duration, false);
                }
                held.proceed(listener)
            }
            (WaitEnd::Stop, _) if wait.ends_by_stop() => held.fail(listener, Errno::EINTR),
            (WaitEnd::Stop, _) => {
                let rest = self.write_rest(id, &wait);
                // What has its rest written goes on with that, however long the stop is; others end when they were to.
                let resume = wait.deadline.filter(|_| rest == Rest::Untouched);
                self.tree.thread_mut(id).resume = resume.map(|deadline| (held.ip(), held.args(), deadline));
                match rest {
                    Rest::Unwritable => held.fail(listener, Errno::EINTR),
                    Rest::Untouched | Rest::Written(_) => held.restart(listener),
                }
            }
        };
        self.answered(id, answer)
    }

    /// A handled signal ends the wait for a futex: it fails, or is made again if it has no timeout and the handler has
    /// SA_RESTART (signal(7)).
    fn interrupt_futex(&self, held: Held, wait: &Wait) -> Result<bool, Errno> {
        let listener = self.cell.listener();
        match wait.deadline {
            Some(_) => held.fail(listener, Errno::EINTR),
            None => held.interrupt(listener),
        }
    }

    /// Lets a thread make a process or thread, and prepares for holding both sides right afterwards.
    fn make(&mut self, id: ThreadId, held: Held, call: Sysno) -> Result<(), RunError> {
        if self.tree.live_threads() >= self.settings.limits.processes as usize {
            let answer = held.fail(self.cell.listener(), Errno::EAGAIN);
            return self.answered(id, answer);
        }
        let flags = match call {
            Sysno::fork => 0,
            Sysno::vfork => (libc::CLONE_VM | libc::CLONE_VFORK) as u64,
            Sysno::clone => held.args()[0],
            // A bad address is the kernel's to report: nothing is made.
            _ => self.tree.thread(id).door.read_word(held.args()[0]).unwrap_or(0),
        };
        let has = |flag: i32| flags & flag as u64 != 0;
        let kind = if has(libc::CLONE_THREAD) {
            BirthKind::Thread
        } else if has(libc::CLONE_VM) && has(libc::CLONE_VFORK) {
            BirthKind::Vfork
        } else if has(libc::CLONE_VM) {
            BirthKind::Shared
        } else {
            BirthKind::Fork
        };
        if has(libc::CLONE_SIGHAND) && kind != BirthKind::Thread {
            // What the one installs, the other has.
            self.tree.process_mut(self.tree.thread(id).process).may_catch = true;
        }
        self.kernel.shares_memory |= matches!(kind, BirthKind::Thread | BirthKind::Shared);
        let owner = self.memory_of(self.tree.thread(id).process);
        let plant = self.plant(owner, id, held.ip())?;
        if plant.is_none() {
            let why = "the process has no room for what is needed there (vdso(7))";
            self.event(id, What::NotHeld(Site::After(Making::Fork), why.to_owned()));
        }
        self.tree.birth = Some(Birth { maker: id, kind, plant, happened: false, returned: None });
        let thread = self.tree.thread_mut(id);
        // Else it is back at once, and held at the plant.
        thread.vforks = has(libc::CLONE_VFORK);
        thread.untold = thread.vforks;
        let answer = held.proceed(self.cell.listener());
        self.answered(id, answer)
    }

    /// A child that shares its parent's memory is about to give it back: the parent will return into what was planted for it.
    fn replant_for_parent(&mut self, child: ProcessId) -> Result<(), RunError> {
        let process = self.tree.process_mut(child);
        let (Some(address), true) = (process.parent_returns_to, process.borrows_memory) else {
            return Ok(());
        };
        let owner = self.memory_of(child);
        let Some(by) = self.tree.live_thread_of(child) else { return Ok(()) };
        self.plant(owner, by, address).map(drop)
    }

    /// The process is about to end with this code.
    fn about_to_end(&mut self, id: ThreadId, code: u64) -> Result<(), RunError> {
        let process = self.tree.thread(id).process;
        self.note_open(id)?;
        self.replant_for_parent(process)?;
        // Afterwards nobody knows what it has used.
        self.check_cpu_timers(process, None);
        self.tree.process_mut(process).exit_code = Some(((code & 0xff) << 8) as i32);
        let spawned_blocked = {
            let mut children = self.tree.children_of(process);
            children.any(|child| !self.tree.process(child).exec_blocked.is_empty())
        };
        if spawned_blocked && let Some(status) = self.proc_status(id)? {
            self.tree.process_mut(process).last_blocked = status.blocked;
        }
        // Its other threads end with it, also those that are held.
        self.signalled(process);
        self.guard_exit(id, process)
    }

    /// Makes sure that no thread of the parent which this exit wakes runs before the exit has also sent its SIGCHLD.
    pub(super) fn guard_exit(&mut self, by: ThreadId, dying: ProcessId) -> Result<(), RunError> {
        let Some(parent) =
            self.tree.process(dying).parent.filter(|parent| !self.tree.process(*parent).ended())
        else {
            return Ok(());
        };
        // What nothing ends but a signal, a child or time is not ended by closed files.
        let early = |id: &ThreadId| match &self.tree.thread(*id).state {
            State::Asleep(inside) => !calls::numbered(inside.number).sleeps_for_signals(),
            _ => false,
        };
        let early: Vec<ThreadId> = self.tree.threads_of(parent).filter(early).collect();
        let Some(first) = early.first() else { return Ok(()) };
        let Some(status) = self.proc_status(*first)? else { return Ok(()) };
        if !status.caught.contains(Signal::CHLD) {
            return Ok(());
        }
        let mut watched = Vec::new();
        for id in early {
            watched.push((id, self.times_run(id)?));
        }
        self.going.guard = Some(Guard { dying, by: (by, self.times_run(by)?), watched });
        Ok(())
    }

    /// Takes note of a call that has a descriptor send signals by itself when something comes (fcntl(2), "Managing signals" and
    /// after it; FIOASYNC of ioctl(2)).
    fn note_asynchronous(&mut self, call: Sysno, args: &[u64; 6]) {
        const FIOASYNC: u64 = 0x5452;
        self.kernel.asynchronous |= match (call, args[1] as i32) {
            (Sysno::fcntl, libc::F_SETFL) => args[2] as i32 & libc::O_ASYNC != 0,
            (Sysno::fcntl, command) => [libc::F_NOTIFY, libc::F_SETLEASE].contains(&command),
            _ => args[1] == FIOASYNC,
        };
    }
}
