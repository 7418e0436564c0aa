//! Where a thread was whose process a signal ended for a fault of the program's: see `Observe::Where`.
//!
//! NOTE \[Unhandled\] When the end of a process is noticed, its memory and registers are gone. But the kernel can be asked
//! beforehand to keep a copy of both at each page fault of a thread, in memory of the supervisor's (`perf::Faults`), and it
//! tells whether the fault was handled. A thread that dies of SIGSEGV or SIGBUS for an access to memory does nothing after
//! the fault: the last one was not handled, and came after the thread was let go for the last time. An earlier one, whose
//! signal was caught, is mostly followed by calls or other faults. Only a handler that leaves by a jump could have neither
//! after it, until the same signal comes from somebody else while the thread runs: but nobody else runs beside it.
//!
//! Other exceptions are seen where the kernel makes a signal of them, by root alone. Else the last call is all that is known.

use crate::code::{Modules, Registers, unwind, unwind_nowhere};
use crate::signal::Signal;
use crate::supervise::Observe;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::thread::State;
use crate::supervise::code::lookout::{Seen, known};
use crate::supervise::code::watched::{Copied, Watch};
use crate::supervise::code::whereabouts::MOST_EVENTS;
use crate::supervise::state::Turns;
use crate::sys::perf::{Fault, Faults};
use crate::trace::{Moment, Status, Whereabouts, last_call};

/// So many threads are watched at once: each takes four descriptors, and 68 KiB of memory that may not be paged out.
const MOST_WATCHED: usize = 32;

/// How much of a stack is copied.
const STACK: usize = 32 << 10;

impl Turns<'_> {
    /// Keeps what is needed for the case that this thread, which is about to be let go, crashes.
    pub(in crate::supervise) fn watch_for_crash(&mut self, id: ThreadId) {
        if self.notes_handlers() {
            let thread = self.tree.thread(id);
            self.code.lookout.refresh_modules(thread.process, thread.door.tid());
        }
        if !self.observe.is_where() {
            return;
        }
        let Turns { tree, code, .. } = self;
        let thread = tree.thread(id);
        let tid = thread.door.tid();
        code.lookout.refresh_modules(thread.process, tid);
        if *self.observe != (Observe::Where { crashes: true }) {
            return;
        }
        let watched = &mut code.lookout.watched;
        if !watched.contains_key(&id) {
            let over = |id: &ThreadId| {
                let thread = tree.thread(*id);
                matches!(thread.state, State::Ended) && thread.released.map(i64::from) == Some(libc::SYS_exit)
            };
            watched.retain(|id, _| !over(id));
            let room = watched.len() < MOST_WATCHED;
            let faults = room.then(|| Faults::of(tid).ok()).flatten();
            watched.insert(id, Watch { faults, moment: 0, last: None });
        }
        let noted = self.journal.events.len() < MOST_EVENTS;
        let last = if noted { None } else { self.copy_of_stack(id) };
        let Some(watch) = self.code.lookout.watched.get_mut(&id) else { return };
        watch.moment = watch.faults.as_ref().map_or(0, Faults::moment);
        watch.last = last;
    }

    fn copy_of_stack(&self, id: ThreadId) -> Option<Copied> {
        let registers = self.registers_of(id)?;
        let mut stack = vec![0; STACK];
        let size = self.tree.thread(id).door.read(registers.get(Registers::RSP)?, &mut stack).ok()?;
        stack.truncate(size);
        Some(Copied { registers, stack, events: self.journal.events.len() })
    }

    /// Notes where the thread was that a fault of its own ended with its process, and its last call.
    pub(in crate::supervise) fn note_crash(&mut self, process: ProcessId, status: Status) {
        if !self.observe.is_where() {
            return;
        }
        let of_process = |id: &&ThreadId| self.tree.thread(**id).process == process;
        let threads: Vec<ThreadId> = self.code.lookout.watched.keys().filter(of_process).copied().collect();
        let watched: Vec<(ThreadId, Watch)> =
            threads.iter().filter_map(|id| Some((*id, self.code.lookout.watched.remove(id)?))).collect();
        let Status::Killed(signal) = status else { return };
        if !signal.is_crash() {
            return;
        }
        let thread = self.faulted(&watched, signal).map(|(id, fault)| {
            self.note_fault(id, process, &fault);
            self.tree.thread(id).name.clone()
        });
        let name = self.tree.process(process).name.clone();
        let last = last_call(&self.journal.events, |other| match &thread {
            Some(thread) => other == thread,
            None => other.process() == name,
        });
        let Some((index, _)) = last.filter(|(index, _)| *index >= MOST_EVENTS) else { return };
        let name = self.journal.events[index].thread.clone();
        let of = watched.iter().find(|(id, _)| self.tree.thread(*id).name == name);
        // A thread that was let go for a signal's handler, or from a code point, was not in its last call then.
        if let Some((id, Watch { last: Some(copied), .. })) = of
            && copied.events <= index
        {
            let seen = self.seen_in_copy(*id, process, &copied.registers, &copied.stack, false);
            self.note_seen(*id, Moment::Event(index), seen);
        }
    }

    /// The thread whose last fault came to nothing. Were there several, it would be the one that ran last.
    fn faulted(&self, watched: &[(ThreadId, Watch)], signal: Signal) -> Option<(ThreadId, Fault)> {
        // Other signals never come of a page fault.
        let by_access = [libc::SIGSEGV, libc::SIGBUS].contains(&signal.number());
        let fault = |(id, watch): &(ThreadId, Watch)| Some((*id, watch.fault()?));
        let mut faults: Vec<_> = watched.iter().filter_map(fault).collect();
        faults.retain(|(_, fault)| by_access || fault.address.is_none());
        if faults.len() > 1 {
            faults.retain(|(id, _)| self.going.released == Some(*id));
        }
        faults.pop()
    }

    fn note_fault(&mut self, id: ThreadId, process: ProcessId, fault: &Fault) {
        let nowhere = fault.address == Some(fault.registers.ip);
        let modules = self.code.lookout.modules.get(&process);
        // Code of no file that is known may be of one that was loaded a moment ago.
        if nowhere || modules.is_some_and(|modules| modules.at(fault.registers.ip).is_some()) {
            let seen = self.seen_in_copy(id, process, &known(&fault.registers), &fault.stack, nowhere);
            self.note_seen(id, Moment::Crash, seen);
        }
    }

    /// The stack of a thread that is gone, from a copy that begins at its stack pointer.
    fn seen_in_copy(
        &mut self,
        id: ThreadId,
        process: ProcessId,
        registers: &Registers,
        copy: &[u8],
        nowhere: bool,
    ) -> Option<Seen> {
        let modules = self.code.lookout.modules.get(&process)?;
        let top = registers.get(Registers::RSP)?;
        let mut read = |address: u64, buffer: &mut [u8]| {
            let from_copy = || {
                let start = usize::try_from(address.checked_sub(top)?).ok()?;
                copy.get(start..start.checked_add(buffer.len())?)
            };
            let bytes = from_copy().or_else(|| code_at(modules, address, buffer.len()));
            bytes.map(|bytes| buffer.copy_from_slice(bytes)).is_some()
        };
        let unwound = if nowhere { unwind_nowhere } else { unwind };
        let stack = unwound(registers, modules, &mut read);
        let innermost = stack.frames.first().cloned();
        Some(self.in_words(id, &stack, innermost.filter(|_| !nowhere)))
    }

    fn note_seen(&mut self, id: ThreadId, at: Moment, seen: Option<Seen>) {
        if let Some((stack, complete)) = seen {
            let thread = self.tree.thread(id).name.clone();
            self.code.lookout.places.push(Whereabouts { at, thread, stack, complete });
        }
    }
}

/// Code does not change: what is in the file is what was in memory.
fn code_at(modules: &Modules, address: u64, length: usize) -> Option<&[u8]> {
    let module = modules.at(address)?;
    let link = module.link_address(address)?;
    let image = module.image().ok()?;
    image.bytes(link, length as u64).filter(|_| image.is_code(link))
}
