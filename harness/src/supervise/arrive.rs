//! What a notification tells: who has come to which point, and who was made on the way.

use super::RunError;
use crate::schedule::{Making, Site, Syscall, ThreadName};
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::news::News;
use crate::supervise::books::plant::{self, Plant};
use crate::supervise::books::thread::State;
use crate::supervise::books::tree::{Birth, BirthKind, Process, Tree};
use crate::supervise::probe;
use crate::supervise::state::Turns;
use crate::sys::filter::LOADER_CALLS;
use crate::sys::notify::Notification;
use crate::sys::procfs::{self, Doing};
use crate::trace::What;
use std::time::Duration;

impl Turns<'_> {
    /// A thread waits for an answer: who it is, and where.
    pub(super) fn arrive(&mut self, notification: Notification) -> Result<(), RunError> {
        let known = self.known(notification.tid)?;
        let root = match known {
            Some(_) => None,
            None if self.tree.threads.is_empty() => Some(ThreadName::root()),
            None => self.clients.coming.take(),
        };
        let newborn = self.tree.birth.filter(|_| known.is_none() && root.is_none());
        let id = match (known, root, newborn) {
            (Some(id), ..) => id,
            (None, Some(root), _) => self.tree.add_root(root, notification.tid)?,
            (None, None, Some(birth)) => self.born(birth, notification.tid)?,
            (None, None, None) => {
                return Err(RunError::Fault(format!("thread {} was made by nobody", notification.tid)));
            }
        };
        if self.made_again(id, &notification) || self.sleeps_again(id, &notification)? {
            return Ok(());
        }
        self.woke(id);
        let thread = self.tree.thread_mut(id);
        (thread.woken_in, thread.untold) = (None, false);
        if self.noted.entered == Some(id) {
            self.noted.entered = None;
            self.note_there()?;
        }
        if self.tree.thread(id).cpu_at_release.is_some() {
            let computed = self.computed(id)?;
            // Who computes sees the clocks go on, which are real, however much of the CPU it gets.
            let since =
                self.tree.thread(id).cpu_at_release.map_or(Duration::ZERO, |(_, since)| since.elapsed());
            if !self.tree.is_aside(id) {
                self.clock.computed(computed, since);
            }
        }
        self.note_struck(id)?;
        self.note_result(id);
        if self.tree.process_of(id).executing {
            self.after_execute(id)?;
        }
        self.set_breakpoints_in_libraries(id)?;
        if self.back_from_sleep(id, notification)? {
            return Ok(());
        }
        let process = self.memory_of(self.tree.thread(id).process);
        if let Some(plant) = self.tree.process(process).planted.notified(notification.ip) {
            self.back_from_making(id, newborn, &notification, plant.address)?;
            let nth = self.visit(id, Site::After(Making::Fork));
            // Where it goes on: the stub is none of the program's.
            let mut notification = notification;
            notification.ip = plant.address;
            self.hold(id, Held::new(notification, Place::After(nth)));
            return Ok(());
        }
        self.unheld_birth(id)?;
        self.check_order(id);
        let call = Syscall(notification.number as u32);
        if !notification.native || call.0 >= 0x4000_0000 {
            let why = if notification.native { "an x32 call" } else { "a 32-bit call (int 0x80)" };
            return self.refuse(id, Held::new(notification, Place::Before(call, 0)), why);
        }
        let process = self.tree.thread(id).process;
        if self.read_clock(id, notification)? {
            return Ok(());
        }
        if self.tree.process(process).loader.contains(&notification.ip) {
            // Calls on files are never points here, also when the loader comes back to work (dlopen): see the filter.
            if self.tree.process(process).loading || LOADER_CALLS.contains(&i64::from(notification.number)) {
                return self.let_loader_go(id, Held::new(notification, Place::Before(call, 0)));
            }
        } else {
            self.tree.process_mut(process).loading = false;
        }
        let place = match probe::name(&self.tree.thread(id).door, &notification) {
            Some(name) => Place::Probe(name, self.visit(id, Site::Probe(name))),
            None => Place::Before(call, self.visit(id, Site::Before(call))),
        };
        self.hold(id, Held::new(notification, place));
        Ok(())
    }

    /// The thread with this number, unless that has come to mean a new one.
    fn known(&mut self, tid: i32) -> Result<Option<ThreadId>, RunError> {
        let Some(id) = self.tree.find(tid) else {
            // A thread that executes gets its process's number, also where the first thread has ended before (execve(2)).
            let executing = |process: &&Process| process.executing && process.pid == tid;
            let leader = self.tree.processes.iter().position(|process| executing(&process)).map(ProcessId);
            return Ok(leader.map(|process| self.tree.leader(process)));
        };
        let thread = self.tree.thread(id);
        let fault = |error| RunError::Fault(format!("looking at {}: {error}", thread.name));
        // Only where a thread is being made its number can be one that was another's; who makes it has its own for as long.
        let made = self.tree.birth.is_some_and(|birth| birth.maker != id);
        if made && thread.door.doing().map_err(fault)? == Doing::Ended {
            return Ok(None);
        }
        Ok(Some(id))
    }

    /// A thread that the released one has woken is to run only afterwards: before that, both would go on in one memory at
    /// once. The scheduler keeps to it, except at a tick of its clock. Then the woken thread comes to its point first, and
    /// the released one comes to its own although it has not slept.
    fn check_order(&mut self, id: ThreadId) {
        let Some(released) = self.going.released else { return };
        let (one, other) = (self.tree.thread(id), self.tree.thread(released));
        if released != id {
            let together = self.memory_of(one.process) == self.memory_of(other.process);
            if together && other.runs() {
                self.going.overtaken_by = Some(id);
            }
        } else if let Some(by) = self.going.overtaken_by.take() {
            let by = &self.tree.thread(by).name;
            self.doubts.taint(format!("{by} ran while {} was between two points", one.name));
        }
    }

    fn hold(&mut self, id: ThreadId, held: Held) {
        let thread = self.tree.thread_mut(id);
        (thread.state, thread.stale) = (State::Held(held), thread.dirty);
        self.journal.news.push((id, News::Held));
    }

    /// The process whose memory a process uses: its own, or its parent's until it executes.
    pub(super) fn memory_of(&self, process: ProcessId) -> ProcessId {
        let mut owner = process;
        while let (true, Some(parent)) =
            (self.tree.process(owner).borrows_memory, self.tree.process(owner).parent)
        {
            owner = parent;
        }
        owner
    }

    /// A process or thread that was announced is seen for the first time.
    fn born(&mut self, birth: Birth, tid: i32) -> Result<ThreadId, RunError> {
        let id = self.tree.add(birth, tid)?;
        let name = self.tree.thread(id).name.clone();
        self.journal.news.push((birth.maker, News::Told(What::Make(name))));
        self.tree.birth = None;
        if birth.kind == BirthKind::Vfork {
            let process = self.tree.thread(id).process;
            self.tree.process_mut(process).parent_returns_to = birth.plant.map(|plant| plant.address);
        }
        self.set_breakpoints(id)?;
        Ok(id)
    }

    /// The maker is back from its call, or what it made comes from it: both run into the planted instruction.
    fn back_from_making(
        &mut self,
        id: ThreadId,
        newborn: Option<Birth>,
        notification: &Notification,
        planted: u64,
    ) -> Result<(), RunError> {
        let maker = self.tree.birth.filter(|birth| birth.maker == id);
        let failed = maker.is_some() && notification.number < 0;
        if failed {
            self.tree.birth = None;
        } else if let Some(birth) = maker {
            self.tree.birth = Some(Birth { happened: true, returned: Some(notification.number), ..birth });
        } else if newborn.is_none() {
            self.tree.numbered_by(id, notification.number);
        }
        // Two sides in one memory need it both: the second puts it back.
        let one_memory = |birth: Birth| matches!(birth.kind, BirthKind::Thread | BirthKind::Shared);
        let first_of_two = maker.is_some_and(one_memory)
            || newborn.is_some_and(|birth| one_memory(birth) && !birth.happened);
        if first_of_two && !failed {
            return Ok(());
        }
        let owner = self.memory_of(self.tree.thread(id).process);
        // Whose door to the memory is open already: it has planted it.
        let alive = |maker: &ThreadId| !matches!(self.tree.thread(*maker).state, State::Ended);
        let planter = newborn.filter(|birth| one_memory(*birth)).map(|birth| birth.maker).filter(alive);
        let by = planter.unwrap_or(id);
        self.unplant(owner, by, planted)
    }

    /// Puts back what was planted in the memory of `owner`, which this thread shares.
    pub(super) fn unplant(&mut self, owner: ProcessId, by: ThreadId, address: u64) -> Result<(), RunError> {
        let Tree { threads, processes, .. } = &mut self.tree;
        let text = threads[by.0].door.text();
        let done = text.and_then(|text| processes[owner.0].planted.unplant(text, address));
        done.or_else(|error| {
            // Of a process that has just been ended nothing needs to be put back.
            if procfs::gone(&error) { Ok(()) } else { Err(plant::refused(&error)) }
        })
    }

    /// Plants at `address`, in the memory of `owner`, which this thread shares; none if that cannot be.
    pub(super) fn plant(
        &mut self,
        owner: ProcessId,
        by: ThreadId,
        address: u64,
    ) -> Result<Option<Plant>, RunError> {
        let Tree { threads, processes, .. } = &mut self.tree;
        let text = threads[by.0].door.text();
        match text.and_then(|text| processes[owner.0].planted.plant(text, address)) {
            Ok(plant) => Ok(plant),
            Err(error) if procfs::gone(&error) => Ok(None),
            Err(error) => Err(plant::refused(&error)),
        }
    }

    /// The maker of a birth is held elsewhere than right behind its call: the call was made again after a signal, or there
    /// is no plant. Finds out whether anything was made.
    fn unheld_birth(&mut self, id: ThreadId) -> Result<(), RunError> {
        let Some(birth) = self.tree.birth.filter(|birth| birth.maker == id) else { return Ok(()) };
        if let Some(Plant { address, .. }) = birth.plant {
            let owner = self.memory_of(self.tree.thread(id).process);
            self.unplant(owner, id, address)?;
            self.tree.birth = None;
            return Ok(());
        }
        let made = self.unknown_offspring(birth)?;
        self.tree.birth = made.then_some(Birth { happened: true, ..birth });
        Ok(())
    }

    fn unknown_offspring(&self, birth: Birth) -> Result<bool, RunError> {
        let thread = self.tree.thread(birth.maker);
        let numbers = if birth.kind == BirthKind::Thread {
            procfs::threads(self.tree.process(thread.process).pid)
        } else {
            procfs::children(thread.door.tid())
        };
        let numbers = numbers
            .map_err(|error| RunError::Fault(format!("listing what {} has made: {error}", thread.name)))?;
        Ok(numbers.into_iter().any(|tid| self.tree.find(tid).is_none()))
    }

    /// True while a process or thread that was made has not been seen.
    pub(super) fn birth_pending(&mut self) -> Result<bool, RunError> {
        let Some(birth) = self.tree.birth else { return Ok(false) };
        if matches!(self.tree.thread(birth.maker).state, State::Ended) {
            // Ended inside its call: what it made, if anything, comes by itself or not at all.
            self.tree.birth = self.unknown_offspring(birth).unwrap_or(false).then_some(birth);
            return Ok(self.tree.birth.is_some());
        }
        // Its maker waits for it, whether it shares its memory or has a copy (CLONE_VFORK without CLONE_VM).
        Ok(birth.happened || self.tree.thread(birth.maker).vforks)
    }
}
