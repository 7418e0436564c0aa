//! The books of a run: its processes, and which threads there are.

use crate::schedule::ThreadName;
use crate::signal::SignalSet;
use crate::supervise::RunError;
use crate::supervise::books::door::Door;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::pick::Waiting;
use crate::supervise::books::plant::{Plant, Planted};
use crate::supervise::books::thread::{State, Thread};
use crate::supervise::calls::{self, Sleep, Wakes};
use crate::supervise::code::dispositions::Handlers;
use crate::supervise::scheduling::believed::Scheduling;
use crate::sys::pidfd::PidFd;
use crate::sys::sched;
use crate::trace::Status;
use nix::errno::Errno;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

#[derive(Debug)]
pub(in crate::supervise) struct Process {
    pub(in crate::supervise) name: ThreadName,
    pub(in crate::supervise) pid: i32,
    /// Its number in the run's own namespace.
    pub(in crate::supervise) own_pid: i32,
    pub(in crate::supervise) parent: Option<ProcessId>,
    /// Its first thread.
    pub(in crate::supervise) leader: ThreadId,
    /// Its threads that have not ended.
    live: Vec<ThreadId>,
    pub(in crate::supervise) children: u32,
    pub(in crate::supervise) threads: u32,
    /// None once it is known how it ended.
    pub(in crate::supervise) pidfd: Option<PidFd>,
    pub(in crate::supervise) planted: Planted,
    /// Where the dynamic loader's code is.
    pub(in crate::supervise) loader: Range<u64>,
    /// Still in the loader's start-up: its calls are not points.
    pub(in crate::supervise) loading: bool,
    /// It has opened something under `/proc`.
    pub(in crate::supervise) reads_proc: bool,
    /// Nobody else has what it has opened since it began its present program.
    pub(in crate::supervise) opens_alone: bool,
    /// Let into execve, and not yet known what came of it.
    pub(in crate::supervise) executing: bool,
    /// Shares its memory with its parent until it executes (vfork).
    pub(in crate::supervise) borrows_memory: bool,
    /// Where the parent of a vfork comes back to.
    pub(in crate::supervise) parent_returns_to: Option<u64>,
    /// Exit code given to exit_group or to the last exit.
    pub(in crate::supervise) exit_code: Option<i32>,
    pub(in crate::supervise) status: Option<Status>,
    /// The run's init reaped it: its parent had ended without waiting for it.
    pub(in crate::supervise) reaped_by_init: bool,
    /// Signals blocked when it started its present program, that its parent did not start with.
    pub(in crate::supervise) exec_blocked: SignalSet,
    pub(in crate::supervise) program: String,
    /// Where its program begins (AT_ENTRY of getauxval(3)).
    pub(in crate::supervise) entry: u64,
    pub(in crate::supervise) handlers: Handlers,
    /// Its present program may have installed a handler.
    pub(in crate::supervise) may_catch: bool,
    /// Signals that its present program was seen to catch at some point.
    pub(in crate::supervise) ever_caught: SignalSet,
    /// Those of them whose handlers it was seen to have taken away, and not to have installed again.
    pub(in crate::supervise) lapsed: SignalSet,
    /// Signals blocked when it ran its present program's first instruction.
    pub(in crate::supervise) initial_blocked: SignalSet,
    /// Its mask when it was last seen, for the time after its end.
    pub(in crate::supervise) last_blocked: SignalSet,
}

impl Process {
    pub(in crate::supervise) fn ended(&self) -> bool {
        self.status.is_some()
    }
}

/// A process or thread that is being made, until it is first seen.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervise) struct Birth {
    pub(in crate::supervise) maker: ThreadId,
    pub(in crate::supervise) kind: BirthKind,
    /// What was planted for it, if anything was.
    pub(in crate::supervise) plant: Option<Plant>,
    /// The maker is back from its call, and it had succeeded.
    pub(in crate::supervise) happened: bool,
    /// What it has returned, if it is held right behind it.
    pub(in crate::supervise) returned: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum BirthKind {
    /// A process with a copy of the memory.
    Fork,
    /// A process that shares the memory while its maker waits.
    Vfork,
    /// A process that shares the memory.
    Shared,
    /// A thread of the same process.
    Thread,
}

fn forbidden(call: &str, errno: Errno) -> RunError {
    RunError::Unsupported(format!("this host does not allow {call}: {}", errno.desc()))
}

fn find(name: &ThreadName, tid: i32) -> Result<Door, RunError> {
    Door::find(tid)
        .map_err(|error| RunError::failed(format!("finding thread {name} ({tid}) under /proc"), error))
}

#[derive(Debug, Default)]
pub(in crate::supervise) struct Tree {
    pub(in crate::supervise) threads: Vec<Thread>,
    pub(in crate::supervise) processes: Vec<Process>,
    /// Those that have not ended: a run may make many thousands of threads, one after the other.
    live: Vec<ThreadId>,
    /// Those that compute beside the others, in the order in which they were set aside: NOTE \[Aside\] in `computing`.
    aside: VecDeque<ThreadId>,
    by_tid: HashMap<i32, ThreadId>,
    /// So many processes there may be before it is looked for those that are gone.
    most_open: usize,
    pub(in crate::supervise) birth: Option<Birth>,
}

impl Tree {
    pub(in crate::supervise) fn thread(&self, id: ThreadId) -> &Thread {
        &self.threads[id.0]
    }

    pub(in crate::supervise) fn thread_mut(&mut self, id: ThreadId) -> &mut Thread {
        &mut self.threads[id.0]
    }

    pub(in crate::supervise) fn process(&self, id: ProcessId) -> &Process {
        &self.processes[id.0]
    }

    pub(in crate::supervise) fn process_mut(&mut self, id: ProcessId) -> &mut Process {
        &mut self.processes[id.0]
    }

    pub(in crate::supervise) fn process_of(&self, id: ThreadId) -> &Process {
        self.process(self.thread(id).process)
    }

    pub(in crate::supervise) fn find(&self, tid: i32) -> Option<ThreadId> {
        self.by_tid.get(&tid).copied()
    }

    pub(in crate::supervise) fn named(&self, name: &ThreadName) -> Option<ThreadId> {
        self.threads.iter().position(|thread| thread.name == *name).map(ThreadId)
    }

    /// Threads that have not ended.
    pub(in crate::supervise) fn live(&self) -> impl Iterator<Item = ThreadId> + '_ {
        self.live.iter().copied()
    }

    /// Those of them that run.
    pub(in crate::supervise) fn running(&self) -> impl Iterator<Item = ThreadId> + '_ {
        self.live().filter(|id| self.thread(*id).runs())
    }

    /// Those that run and are waited for.
    pub(in crate::supervise) fn awaited(&self) -> impl Iterator<Item = ThreadId> + '_ {
        self.running().filter(|id| !self.is_aside(*id))
    }

    /// True if the thread computes beside the others.
    pub(in crate::supervise) fn is_aside(&self, id: ThreadId) -> bool {
        self.aside.contains(&id)
    }

    /// The thread computes beside the others from now on.
    pub(in crate::supervise) fn set_aside(&mut self, id: ThreadId) {
        self.aside.push_back(id);
    }

    /// The thread does so no more.
    pub(in crate::supervise) fn no_more_aside(&mut self, id: ThreadId) {
        self.aside.retain(|other| *other != id);
    }

    /// If no other waits to go on, takes back whom has been set aside for longest. False if there is none.
    pub(in crate::supervise) fn take_back(&mut self) -> bool {
        let waits = |id: ThreadId| matches!(self.thread(id).state, State::Held(_)) && !self.is_aside(id);
        if self.aside.is_empty() || self.live().any(waits) {
            return false;
        }
        while let Some(id) = self.aside.pop_front() {
            if !matches!(self.thread(id).state, State::Ended) {
                return true;
            }
        }
        false
    }

    /// How many have not ended.
    pub(in crate::supervise) fn live_threads(&self) -> usize {
        self.live.len()
    }

    pub(in crate::supervise) fn live_ids(&self) -> Vec<ThreadId> {
        self.live.clone()
    }

    /// True if the thread waits to take a signal itself, rather than to have it handled.
    pub(in crate::supervise) fn awaits_signals(&self, id: ThreadId) -> bool {
        match &self.thread(id).state {
            State::Asleep(inside) => calls::numbered(inside.number).sleep == Sleep::Awaited,
            State::Waiting(_, wait) => calls::of(wait.call).sleep == Sleep::Awaited,
            State::Running | State::Held(_) | State::Stopped | State::Ended => false,
        }
    }

    /// The live process with this number in the supervisor's namespace.
    pub(in crate::supervise) fn with_pid(&self, pid: i32) -> Option<ProcessId> {
        self.process_ids().find(|id| self.process(*id).pid == pid && !self.process(*id).ended())
    }

    /// True if a thread of another process is held.
    pub(in crate::supervise) fn others_held(&self, process: ProcessId) -> bool {
        self.held().any(|other| self.thread(other).process != process)
    }

    /// The process after which the group with this number, as the supervisor sees it, is called. It may have ended.
    pub(in crate::supervise) fn group_leader(&self, group: i32) -> Option<&Process> {
        self.processes.iter().rfind(|process| process.pid == group)
    }

    pub(in crate::supervise) fn with_own_pid(&self, own_pid: i32) -> Option<ProcessId> {
        self.processes.iter().rposition(|process| process.own_pid == own_pid).map(ProcessId)
    }

    /// The live threads of a process, in order of their making.
    pub(in crate::supervise) fn threads_of(&self, process: ProcessId) -> impl Iterator<Item = ThreadId> + '_ {
        self.process(process).live.iter().copied()
    }

    /// The first thread of a process, also if it has ended.
    pub(in crate::supervise) fn leader(&self, process: ProcessId) -> ThreadId {
        self.process(process).leader
    }

    pub(in crate::supervise) fn children_of(
        &self,
        parent: ProcessId,
    ) -> impl Iterator<Item = ProcessId> + '_ {
        self.process_ids().filter(move |child| self.process(*child).parent == Some(parent))
    }

    pub(in crate::supervise) fn is_held(&self, id: ThreadId) -> bool {
        matches!(self.thread(id).state, State::Held(_))
    }

    /// Threads that are held at a point and could be let go, in order of their making.
    pub(in crate::supervise) fn held(&self) -> impl Iterator<Item = ThreadId> + '_ {
        self.live().filter(|id| self.is_held(*id) && !self.is_aside(*id))
    }

    /// A held thread as one of those to choose from, while this one is held back for its process's children, if one is.
    pub(in crate::supervise) fn waiting(&self, id: ThreadId, back: Option<ThreadId>) -> Waiting {
        let thread = self.thread(id);
        let descends = back.is_some_and(|back| self.descends(id, back));
        Waiting { id, demoted: thread.demoted, since: thread.since, descends }
    }

    /// True if the one thread is of a process that descends from that of the other.
    pub(in crate::supervise) fn descends(&self, one: ThreadId, other: ThreadId) -> bool {
        self.thread(one).name.descends_from(&self.thread(other).name)
    }

    /// Something happens that wakes those who sleep in such a way (NOTE \[Stale\] in `settle`).
    pub(in crate::supervise) fn may_wake(&mut self, wakes: Wakes) {
        if wakes == Wakes::Nobody {
            return;
        }
        for id in &self.live {
            let thread = &mut self.threads[id.0];
            thread.stale |= match &thread.state {
                State::Asleep(inside) => calls::numbered(inside.number).woken_by(wakes),
                // Those of futexes are woken from here.
                State::Waiting(_, wait) => !wait.is_for_futex() && calls::of(wait.call).woken_by(wakes),
                State::Stopped => wakes >= Wakes::AllButSignals,
                State::Running | State::Held(_) | State::Ended => false,
            };
        }
    }

    /// Whoever sleeps may have been woken.
    pub(in crate::supervise) fn all_stale(&mut self) {
        self.threads.iter_mut().for_each(|thread| thread.stale = true);
    }

    /// The first process of the program or of a client, when it is first seen.
    pub(in crate::supervise) fn add_root(
        &mut self,
        name: ThreadName,
        tid: i32,
    ) -> Result<ThreadId, RunError> {
        self.add_process(name, tid, None, None)
    }

    /// A process or thread that `birth` announced, when it is first seen.
    pub(in crate::supervise) fn add(&mut self, birth: Birth, tid: i32) -> Result<ThreadId, RunError> {
        let maker = self.thread(birth.maker).process;
        if birth.kind == BirthKind::Thread {
            let process = self.process_mut(maker);
            process.threads += 1;
            let name = process.name.thread(process.threads);
            let door = find(&name, tid)?;
            let scheduling = self.thread(birth.maker).scheduling.inherited();
            let own_tid = match birth {
                Birth { returned: Some(number), .. } => number,
                // The maker's call returns it: see `numbered_by`.
                Birth { plant: Some(_), .. } => 0,
                Birth { plant: None, .. } => {
                    let status = door.status().map_err(|error| {
                        RunError::failed(format!("reading the status of new thread {name}"), error)
                    })?;
                    // It may have been ended as soon as it was made.
                    status.map_or(0, |status| status.own_tid)
                }
            };
            let id = self.add_thread(name, maker, (door, own_tid), scheduling);
            let comes_first = birth.plant.is_some() && birth.returned.is_none();
            self.thread_mut(birth.maker).made = comes_first.then_some(id);
            return Ok(id);
        }
        let parent = self.process_mut(maker);
        parent.children += 1;
        let name = parent.name.child(parent.children);
        self.add_process(name, tid, Some(maker), Some(birth))
    }

    fn add_process(
        &mut self,
        name: ThreadName,
        tid: i32,
        parent: Option<ProcessId>,
        birth: Option<Birth>,
    ) -> Result<ThreadId, RunError> {
        let failed = |what: &str, error: std::io::Error| {
            RunError::failed(format!("{what} of new process {name}"), error)
        };
        let pidfd = PidFd::open(tid).map_err(|errno| match errno {
            Errno::EPERM | Errno::ENOSYS => forbidden("pidfd_open", errno),
            _ => failed("opening a descriptor", errno.into()),
        })?;
        if parent.is_none()
            && let Err(errno @ (Errno::EPERM | Errno::EACCES | Errno::ENOSYS)) = pidfd.duplicate(1)
        {
            // Timeouts and the proof of a hang look at what the program's descriptors are.
            return Err(forbidden("pidfd_getfd", errno));
        }
        let door = find(&name, tid)?;
        let status = door.status().map_err(|error| failed("reading the status", error))?;
        let (program, entry, handlers) = match parent.map(|id| self.process(id)) {
            Some(parent) => (parent.program.clone(), parent.entry, parent.handlers),
            None => Default::default(),
        };
        let (planted, loader, loading, initial) = match parent.map(|id| self.process(id)) {
            Some(parent) => {
                let copied = birth.filter(|birth| birth.kind == BirthKind::Fork);
                let planted =
                    copied.map_or_else(|| parent.planted.bare(), |birth| parent.planted.copied(birth.plant));
                (planted, parent.loader.clone(), parent.loading, parent.initial_blocked)
            }
            None => Default::default(),
        };
        self.close_gone();
        let id = ProcessId(self.processes.len());
        let own_pid = status.as_ref().map_or(0, |status| status.own_pid);
        self.processes.push(Process {
            name: name.clone(),
            pid: tid,
            own_pid,
            parent,
            leader: ThreadId(self.threads.len()),
            live: Vec::new(),
            children: 0,
            threads: 1,
            pidfd: Some(pidfd),
            planted,
            loader,
            loading,
            reads_proc: parent.is_some_and(|id| self.process(id).reads_proc),
            opens_alone: false,
            executing: parent.is_none(),
            borrows_memory: birth
                .is_some_and(|birth| matches!(birth.kind, BirthKind::Vfork | BirthKind::Shared)),
            parent_returns_to: None,
            exit_code: None,
            status: None,
            reaped_by_init: false,
            exec_blocked: SignalSet::EMPTY,
            program,
            entry,
            handlers,
            initial_blocked: initial,
            may_catch: parent.is_some_and(|id| self.process(id).may_catch),
            ever_caught: SignalSet::EMPTY,
            lapsed: SignalSet::EMPTY,
            last_blocked: status.map_or(SignalSet::EMPTY, |status| status.blocked),
        });
        let maker = birth.map(|birth| self.thread(birth.maker).scheduling.inherited());
        let scheduling = maker.unwrap_or_else(|| Scheduling::new(sched::slice()));
        Ok(self.add_thread(name, id, (door, own_pid), scheduling))
    }

    /// Whoever starts one process after the other is not to run out of descriptors here: those that have been waited for are let
    /// go of. Looked for rarely, so that who waits for none costs no more.
    fn close_gone(&mut self) {
        const FEW: usize = 16;
        if self.processes.len() < self.most_open {
            return;
        }
        let mut open = 0;
        for process in self.processes.iter().filter(|process| process.ended()) {
            let Some(leader) = self.threads.get_mut(process.leader.0) else { continue };
            if !leader.door.is_closed() {
                match leader.door.status() {
                    Ok(None) => leader.door.close(),
                    Ok(Some(_)) | Err(_) => open += 1,
                }
            }
        }
        self.most_open = self.processes.len() + open.max(FEW);
    }

    fn add_thread(
        &mut self,
        name: ThreadName,
        process: ProcessId,
        (door, own_tid): (Door, i32),
        scheduling: Scheduling,
    ) -> ThreadId {
        let id = ThreadId(self.threads.len());
        self.by_tid.insert(door.tid(), id);
        // What is pending for the process may be this one's to take.
        let signalled = self.threads_of(process).any(|other| self.thread(other).dirty);
        self.live.push(id);
        self.process_mut(process).live.push(id);
        let thread = Thread::new(name, process, (door, own_tid), scheduling);
        self.threads.push(Thread { dirty: signalled, ..thread });
        id
    }

    /// This thread's call that makes others has returned: the number of the thread that it made, if that came to a point before.
    pub(in crate::supervise) fn numbered_by(&mut self, maker: ThreadId, returned: i32) {
        if let Some(made) = self.thread_mut(maker).made.take() {
            self.thread_mut(made).own_tid = returned;
        }
    }

    /// The thread is no more: its number may come to mean another.
    pub(in crate::supervise) fn ended(&mut self, id: ThreadId) {
        let tid = self.thread(id).door.tid();
        if self.by_tid.get(&tid) == Some(&id) {
            self.by_tid.remove(&tid);
        }
        let process = self.thread(id).process;
        let first = self.process(process).leader == id;
        self.thread_mut(id).state = State::Ended;
        // The first thread stays, as a zombie, until the process is waited for.
        let door = &mut self.thread_mut(id).door;
        if first {
            door.forget()
        } else {
            door.close()
        }
        self.live.retain(|other| *other != id);
        self.process_mut(process).live.retain(|other| *other != id);
    }

    pub(in crate::supervise) fn process_ids(&self) -> impl Iterator<Item = ProcessId> + use<> {
        (0..self.processes.len()).map(ProcessId)
    }

    /// A thread of the process that has not ended, the first of them.
    pub(in crate::supervise) fn live_thread_of(&self, process: ProcessId) -> Option<ThreadId> {
        self.threads_of(process).next()
    }

    /// After an exec the executing thread has the process's own number, and is its only thread (execve(2)).
    pub(in crate::supervise) fn became_leader(&mut self, id: ThreadId) -> Result<(), RunError> {
        let process = self.thread(id).process;
        let pid = self.process(process).pid;
        for other in self.threads_of(process).collect::<Vec<_>>() {
            if other != id {
                self.ended(other);
            }
        }
        if !self.live.contains(&id) {
            // The first thread had ended, and another one has executed and taken its place.
            self.live.push(id);
            self.process_mut(process).live.push(id);
            self.by_tid.insert(pid, id);
            self.thread_mut(id).state = State::Running;
        }
        let tid = self.thread(id).door.tid();
        if tid != pid {
            self.by_tid.remove(&tid);
            self.by_tid.insert(pid, id);
            let door = find(&self.thread(id).name, pid)?;
            self.thread_mut(id).door = door;
        } else {
            self.thread_mut(id).door.forget_text();
        }
        Ok(())
    }
}
