//! Waiting until every thread is settled: held, asleep, stopped or ended.

use super::RunError;
use super::clock::Kind;
use super::listen::{Heard, Patience};
use super::release::is_making;
use super::tree::{ProcessId, State, Thread, ThreadId};
use super::turn::Turns;
use crate::schedule::Syscall;
use crate::signal::Signal;
use crate::sys::procfs::{self, Doing, Inside};
use crate::trace::{End, Status, What};
use std::time::Duration;
use syscalls::Sysno;

/// Something that became of a thread while the threads settled.
#[derive(Debug)]
pub(super) enum News {
    Held,
    Slept(Syscall),
    Told(What),
}

/// Watches over the release of a call that wakes and signals: an exit closes the process's files before it sends SIGCHLD,
/// so a parent that waits for the files could be running again when the signal comes.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) dying: ProcessId,
    /// The thread that ends it, and how often that had been put on the CPU.
    pub(super) by: (ThreadId, u64),
    /// Threads of the parent that the exit might wake early, and how often each had been put on the CPU.
    pub(super) watched: Vec<(ThreadId, u64)>,
}

/// A thread that was made but is not seen within this time is a fault of the harness.
pub(super) const BIRTH: Duration = Duration::from_secs(10);

impl Turns<'_> {
    /// Returns when all threads are settled; an end if the run is over because one never will.
    pub(super) fn settle(&mut self) -> Result<Option<End>, RunError> {
        let mut patience = self.first_patience();
        let begun = std::time::Instant::now();
        loop {
            if self.awaited() {
                match self.listen(patience)? {
                    Heard::News => {
                        patience = self.first_patience();
                        continue;
                    }
                    Heard::Hint => patience = Patience::FIRST_LOOK,
                    Heard::Nothing => {}
                }
            } else if self.undisturbed {
                return Ok(None);
            }
            let look = self.look()?;
            if look.at_some && self.listen(Patience::Not)? == Heard::News {
                continue;
            }
            // A look is not instant: what changed during it may have woken a thread that was looked at before. So only a
            // look that finds nothing new is believed.
            let settled = look.running.is_none() && look.found.is_empty() && !self.birth_pending()?;
            self.commit(look.found)?;
            if settled && self.guard.is_none() {
                self.parking = false;
                return Ok(None);
            }
            self.interrupted()?;
            if let Some(end) = self.limits(look.running)? {
                return Ok(Some(end));
            }
            if self.tree.birth.is_some() && begun.elapsed() > BIRTH {
                return Err(RunError::Fault("a process or thread was made but never seen".to_owned()));
            }
            patience = patience.longer();
        }
    }

    /// True while something is known to be on its way.
    fn awaited(&self) -> bool {
        let running = |thread: &Thread| matches!(thread.state, State::Running);
        self.guard.is_some() || self.tree.birth.is_some() || self.tree.threads.iter().any(running)
    }

    /// How to wait for the threads that run, at first.
    fn first_patience(&self) -> Patience {
        let untold = |id: ThreadId| {
            let thread = self.tree.thread(id);
            matches!(thread.state, State::Running) && thread.released.is_some_and(may_sleep)
        };
        // Under guard the end itself is heard; a look in between would only push the dying thread off its CPU.
        let guarded = self.guard.is_some();
        if self.parking || (!guarded && self.tree.ids().any(untold)) {
            Patience::FIRST_LOOK
        } else {
            Patience::ForNews
        }
    }

    /// Looks at every thread that might have changed by itself.
    fn look(&mut self) -> Result<Look, RunError> {
        let mut look = Look::default();
        for id in self.tree.ids() {
            let thread = self.tree.thread(id);
            let dirty = self.tree.process(thread.process).dirty;
            let fault = |error| RunError::Fault(format!("looking at {}: {error}", thread.name));
            match &thread.state {
                State::Ended => {}
                State::Held(_) if !dirty => {}
                State::Waiting(..) => {
                    if self.look_at_waiting(id, dirty)? {
                        look.running = Some(id);
                    }
                }
                State::Held(_) => match thread.files.doing().map_err(fault)? {
                    // The first signal makes it wait in another way, and a fatal one ends it: either way it runs
                    // for a moment, and which it was is seen afterwards.
                    Doing::Running => look.running = Some(id),
                    Doing::Ended => look.found.push((id, Found::Ended)),
                    _ => {}
                },
                State::Running | State::Asleep(_) | State::Stopped => {
                    look.at_some = true;
                    let vforks = thread.vforks;
                    let doing = thread.files.doing().map_err(fault)?;
                    let found = match (doing, &thread.state) {
                        (Doing::Sleeping, State::Asleep(call)) if still_inside(thread, call)? => continue,
                        (Doing::Uninterruptible, State::Asleep(call))
                            if vforks && still_inside(thread, call)? =>
                        {
                            continue;
                        }
                        (Doing::Stopped, State::Stopped) => continue,
                        (Doing::Ended, _) => Some(Found::Ended),
                        (Doing::Stopped, _) => Some(Found::Stopped),
                        (Doing::Running, _) => None,
                        (Doing::Sleeping | Doing::Uninterruptible, _) => match thread.files.inside() {
                            // In a disk's queue it is as good as running; only a vfork waits like this for another.
                            Ok(Some(inside))
                                if doing == Doing::Sleeping || (vforks && is_making(inside.number)) =>
                            {
                                (inside.number >= 0).then_some(Found::Asleep(inside))
                            }
                            Ok(_) => None,
                            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                                return Err(RunError::Unsupported(format!(
                                    "{} runs a program that may not be looked at (its file is not readable)",
                                    thread.name
                                )));
                            }
                            Err(error) => return Err(fault(error)),
                        },
                    };
                    match found {
                        Some(found) => look.found.push((id, found)),
                        None => {
                            self.tree.thread_mut(id).state = State::Running;
                            look.running = Some(id);
                        }
                    }
                }
            }
        }
        Ok(look)
    }

    /// What was found holds: no notification came in between, so none of these waits to be received.
    fn commit(&mut self, found: Vec<(ThreadId, Found)>) -> Result<(), RunError> {
        for (id, found) in found {
            self.note_struck(id)?;
            if self.released == Some(id) {
                self.overtaken_by = None;
            }
            match found {
                Found::Asleep(inside) => {
                    let call = Syscall(inside.number as u32);
                    self.tree.thread_mut(id).state = State::Asleep(inside);
                    self.fell_asleep(id);
                    self.news.push((id, News::Slept(call)));
                }
                Found::Stopped if self.parked(id)? => {}
                Found::Stopped => {
                    self.tree.thread_mut(id).state = State::Stopped;
                    self.news.push((id, News::Told(What::Stop)));
                    // Its parent may get SIGCHLD for it.
                    self.signal_parent(self.tree.thread(id).process);
                }
                Found::Ended => {
                    self.tree.thread_mut(id).state = State::Ended;
                    self.thread_ended(id)?;
                }
            }
        }
        Ok(())
    }

    fn signal_parent(&mut self, process: ProcessId) {
        if let Some(parent) = self.tree.process(process).parent {
            self.signalled(parent);
        }
    }

    fn thread_ended(&mut self, id: ThreadId) -> Result<(), RunError> {
        let process = self.tree.thread(id).process;
        if self.tree.threads_of(process).any(|other| !matches!(self.tree.thread(other).state, State::Ended)) {
            // One less that would notice a stop.
            self.tree.process_mut(process).handlers.changed = true;
            return Ok(());
        }
        if process == ProcessId(0) {
            // The init is its parent, and tells how it ended.
            let begun = std::time::Instant::now();
            while !self.tree.process(process).reaped_by_init {
                self.listen(Patience::ForNews)?;
                if begun.elapsed() > BIRTH {
                    return Err(RunError::Fault(
                        "the init did not tell how the first process ended".to_owned(),
                    ));
                }
            }
            self.first_ended = Some(self.clock.now);
            self.first_ended_at = Some(std::time::Instant::now());
        }
        let ended = self.tree.process(process);
        // The init has told of the first process. Another is known in one way until it is waited for, and then in the
        // other: that may happen between two questions.
        let told = ended.exit_code.filter(|_| process == ProcessId(0));
        let waited_for = || ended.pidfd.exit_status();
        let wait = match told.or_else(waited_for) {
            Some(wait) => Some(wait),
            None => procfs::zombie_status(ended.pid)
                .map_err(|error| RunError::Fault(format!("reading how {} ended: {error}", ended.name)))?,
        };
        let wait = wait.or_else(waited_for).or(ended.exit_code);
        let status = wait.map_or(Status::Unseen, Status::from_wait);
        self.tree.process_mut(process).status = Some(status);
        self.tree.process_mut(process).text = None;
        self.clock.timers.retain(|timer| timer.process != process);
        self.news.push((id, News::Told(What::End(status))));
        self.signal_parent(process);
        // Its children may be sent a signal for it (PR_SET_PDEATHSIG, orphaned process groups).
        let children: Vec<ProcessId> = self.tree.children_of(process).collect();
        children.into_iter().for_each(|child| self.signalled(child));
        Ok(())
    }

    /// The dying process is dead. Had its exit left the CPU on the way, and has a thread that it woke run by now, then the
    /// SIGCHLD may have hit that thread at a place that nobody chose.
    pub(super) fn check_guard(&mut self) -> Result<(), RunError> {
        let Some(guard) = self.guard.take() else { return Ok(()) };
        let times = |id: ThreadId| self.tree.thread(id).files.ran().map_or(u64::MAX, |(_, times)| times);
        let (by, before) = guard.by;
        if times(by) <= before + 1 {
            return Ok(());
        }
        if let Some((woken, _)) = guard.watched.iter().find(|(id, before)| times(*id) != *before) {
            let (name, child) = (&self.tree.thread(*woken).name, &self.tree.process(guard.dying).name);
            let signal = Signal::CHLD;
            self.taint.get_or_insert(format!(
                "{name} was woken by the exit of {child} and may have run before {signal} was sent"
            ));
        }
        Ok(())
    }

    /// Looks whether something has ended the wait of a thread; true if it runs now.
    fn look_at_waiting(&mut self, id: ThreadId, dirty: bool) -> Result<bool, RunError> {
        let process = self.tree.thread(id).process;
        if self.tree.threads_of(process).any(|other| matches!(self.tree.thread(other).state, State::Running))
        {
            // A sibling may be about to take the very signal.
            return Ok(false);
        }
        let State::Waiting(_, wait) = &self.tree.thread(id).state else { return Ok(false) };
        if wait.ready() {
            return self.end_wait(id, super::release::WaitEnd::Ready).map(|()| true);
        }
        if !dirty {
            return Ok(false);
        }
        let doing = self.tree.thread(id).files.doing();
        let status = self.proc_status(id)?;
        let (Some(status), Ok(Doing::Sleeping | Doing::Uninterruptible)) = (status, &doing) else {
            if !matches!(doing, Ok(Doing::Running)) {
                // Ended while it waited for an answer.
                self.tree.thread_mut(id).state = State::Running;
            }
            return Ok(true);
        };
        let State::Waiting(_, wait) = &self.tree.thread(id).state else { return Ok(false) };
        let (blocked, awaited) = match &wait.kind {
            Kind::Descriptors { mask, .. } => (mask.unwrap_or(status.blocked), Default::default()),
            Kind::Signals { set } => (status.blocked, *set),
            Kind::Sleep { .. } => (status.blocked, Default::default()),
        };
        let deliverable = status.pending().without(blocked).union(status.pending().intersection(awaited));
        if deliverable.is_empty() {
            return Ok(false);
        }
        let caught = !deliverable.intersection(status.caught.union(awaited)).is_empty();
        let end = if caught { super::release::WaitEnd::Signal } else { super::release::WaitEnd::Stop };
        self.end_wait(id, end).map(|()| true)
    }

    /// The limits that end a run whose threads do not settle.
    fn limits(&mut self, running: Option<ThreadId>) -> Result<Option<End>, RunError> {
        let limits = &self.settings.limits;
        if self.started.elapsed() > limits.time {
            return Ok(Some(End::TimedOut));
        }
        let Some(id) = running else { return Ok(None) };
        let thread = self.tree.thread(id);
        let (used, _) = thread.files.ran().unwrap_or_default();
        let since = used.saturating_sub(thread.cpu_at_release.unwrap_or(used));
        self.tree.thread_mut(id).cpu_at_release.get_or_insert(used);
        let thread = self.tree.thread(id);
        if Duration::from_nanos(since) < limits.cpu {
            return Ok(None);
        }
        if self.tree.held().next().is_some() || self.earliest().is_some() {
            // Others could have run, and might have ended the computation: this says nothing about the program.
            let name = thread.name.clone();
            self.taint.get_or_insert(format!(
                "{name} computes without a call, and cannot be held for others to run"
            ));
        }
        let name = &self.tree.thread(id).name;
        Ok(Some(End::Spinning(format!("{name} used {:.1} s of CPU time without a call", since as f64 / 1e9))))
    }
}

/// True if a thread that was found asleep in this call still is.
///
/// Its state alone does not tell. A call that waits sets the state to sleeping before it looks once more for what it
/// waits for; wait4 even reaps a child in that state. Taken off its CPU there, the thread is ready to run and yet says S.
/// The kernel shows the call only of a thread that is off its CPU and in no queue for it, and lets the asker wait for that.
fn still_inside(thread: &Thread, call: &Inside) -> Result<bool, RunError> {
    let inside = thread.files.inside();
    inside
        .map(|inside| inside == Some(*call))
        .map_err(|error| RunError::Fault(format!("looking at the call of {}: {error}", thread.name)))
}

/// What a look at the threads found, before it is known to hold.
#[derive(Debug, Default)]
struct Look {
    running: Option<ThreadId>,
    /// Threads were looked at whose sleep could be the wait for an answer to a notification that is still to be received.
    at_some: bool,
    found: Vec<(ThreadId, Found)>,
}

#[derive(Debug)]
enum Found {
    Asleep(Inside),
    Stopped,
    Ended,
}

/// Calls that often sleep, or end their thread alone: nothing tells that it has settled.
fn may_sleep(number: i32) -> bool {
    use Sysno as S;
    let Some(call) = Syscall(number as u32).sysno() else { return false };
    matches!(
        call,
        S::read
            | S::readv
            | S::recvfrom
            | S::recvmsg
            | S::accept
            | S::accept4
            | S::poll
            | S::ppoll
            | S::select
            | S::pselect6
            | S::epoll_wait
            | S::epoll_pwait
            | S::epoll_pwait2
            | S::pause
            | S::rt_sigsuspend
            | S::rt_sigtimedwait
            | S::wait4
            | S::waitid
            | S::futex
            | S::exit
            | S::vfork
            | S::flock
            | S::connect
            | S::msgrcv
            | S::semop
            | S::semtimedop
            | S::mq_timedreceive
    )
}
