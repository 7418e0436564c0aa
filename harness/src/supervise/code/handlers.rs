//! A closer look at handlers: which are installed, what is so when a thread comes to certain places of its code, and where
//! a program spins. Nothing is written into the program.

use crate::schedule::{Label, ThreadName};
use crate::signal::Signal;
use crate::supervise::books::door::Door;
use crate::supervise::books::held::Place;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::code::ambush::{Ambush, MOST, unavailable};
use crate::supervise::code::lookout::known;
use crate::supervise::code::seen::{Installed, RETURN, Visit, Watch, Word};
use crate::supervise::state::Turns;
use crate::supervise::{Observe, RunError};
use crate::sys::perf::{self, Breakpoint};
use crate::trace::End;
use nix::errno::Errno;

/// How often a place is visited at most in one run; one at which the signals are deliverable is the last.
const VISITS: u32 = 8;

impl Turns<'_> {
    pub(in crate::supervise) fn watch(&self) -> Option<&Watch> {
        match self.observe {
            Observe::Handlers(watch) => Some(watch),
            Observe::Nothing
            | Observe::Executions(_)
            | Observe::Where { .. }
            | Observe::Calls(_)
            | Observe::Signals(_) => None,
        }
    }

    /// The places of a thread that are visited for a closer look.
    pub(in crate::supervise) fn watched_by(&self, name: &ThreadName) -> Vec<Label> {
        self.watch()
            .filter(|watch| watch.thread == *name)
            .map(|watch| watch.places.clone())
            .unwrap_or_default()
    }

    /// True if it is noted who installs which handlers, and what code is in memory.
    pub(in crate::supervise) fn notes_handlers(&self) -> bool {
        matches!(self.observe, Observe::Handlers(_) | Observe::Signals(_))
    }

    /// Notes a handler that is about to be installed.
    pub(in crate::supervise) fn note_installed(&mut self, id: ThreadId, signal: Signal, address: u64) {
        if !self.notes_handlers() {
            return;
        }
        let process = self.tree.process_of(id);
        let Some(address) =
            self.settings.learnt.places.link_address(&process.program, process.entry, address)
        else {
            return;
        };
        let installed =
            Installed { process: process.name.clone(), signal, program: process.program.clone(), address };
        if !self.code.seen.installed.contains(&installed) {
            self.code.seen.installed.push(installed);
        }
    }

    /// Notes a thread that is let go, if it may have to run a handler of a signal that is sent to its process: the first one may
    /// always.
    pub(in crate::supervise) fn note_taker(&mut self, id: ThreadId) -> Result<(), RunError> {
        let name = &self.tree.thread(id).name;
        let known = name.is_process() || self.code.seen.takers.contains(name);
        if !self.notes_handlers() || known || name.client_of().is_some() {
            return Ok(());
        }
        let Some(status) = self.proc_status(id)? else { return Ok(()) };
        if !self.taken_here(id, &status)?.is_empty() {
            let name = self.tree.thread(id).name.clone();
            self.code.seen.takers.push(name);
        }
        Ok(())
    }

    /// Notes which code is in the memory of a process where no place is watched yet; and where its thread that is about to make a call
    /// has come from, if that is asked for.
    pub(in crate::supervise) fn note_on_stack(&mut self, id: ThreadId) {
        let stacks = match self.observe {
            Observe::Handlers(watch) if watch.places.is_empty() => watch.stacks,
            Observe::Signals(_) => false,
            Observe::Handlers(_)
            | Observe::Nothing
            | Observe::Executions(_)
            | Observe::Where { .. }
            | Observe::Calls(_) => return,
        };
        let at_call = matches!(&self.tree.thread(id).state, State::Held(held) if matches!(held.place(), Place::Before(..)));
        if !at_call || self.tree.thread(id).name.client_of().is_some() {
            return;
        }
        if !stacks {
            let thread = self.tree.thread(id);
            self.code.lookout.refresh_modules(thread.process, thread.door.tid());
            return;
        }
        let Some((stack, _)) = self.registers_of(id).and_then(|registers| self.stack(id, &registers)) else {
            return;
        };
        let program = &self.tree.process_of(id).program;
        let own = stack.frames.iter().filter(|frame| frame.module == Some(0) && frame.returned_to);
        let own: Vec<_> = own.filter_map(|frame| Some((program.clone(), frame.link_address?))).collect();
        self.code.seen.on_stack.extend(own);
    }

    /// Looks at a thread that was just parked; true if the place is to be visited again.
    pub(in crate::supervise) fn note_visit(
        &mut self,
        id: ThreadId,
        place: Label,
        nth: u32,
        registers: &perf::Registers,
    ) -> Result<bool, RunError> {
        let Some(watch) = self.watch().filter(|watch| watch.thread == self.tree.thread(id).name).cloned()
        else {
            return Ok(false);
        };
        let Some(status) = self.proc_status(id)? else { return Ok(false) };
        let deliverable = self.taken_here(id, &status)?.without(self.of_unarmed_timer(id));
        let process = self.tree.thread(id).process;
        let others = self.tree.others_held(process);
        let deliverable = if others { deliverable } else { deliverable.without(watch.of_others) };
        let idle = !watch.of_timers.is_empty() && !self.could_fire(id)?;
        let deliverable = if idle { deliverable.without(watch.of_timers) } else { deliverable };
        match watch.word {
            // rax holds what a function returns (System V ABI, "Returning of Values").
            Some(Word::Returned(at)) if at == place && self.code.seen.word.is_none() => {
                self.code.seen.word = registers.general.first().map(|address| (*address, 4));
            }
            Some(Word::Data(address, size)) if self.code.seen.word.is_none() => {
                let process = self.tree.process_of(id);
                let base = self.settings.learnt.places.link_address(&process.program, process.entry, 0);
                self.code.seen.word = base.map(|base| (address.wrapping_sub(base), size));
            }
            _ => {}
        }
        let word =
            self.code.seen.word.and_then(|(address, size)| word(&self.tree.thread(id).door, address, size));
        let frames = self.stack(id, &known(registers)).map(|(stack, _)| stack.frames).unwrap_or_default();
        let after_signal = frames.iter().zip(frames.iter().skip(1));
        let interrupted = after_signal.filter(|(frame, _)| frame.signal);
        let interrupted = interrupted.filter(|(_, next)| next.module == Some(0));
        let interrupted = interrupted.filter_map(|(_, next)| next.link_address).collect();
        let visit = Visit { place, nth, deliverable, others, interrupted, word };
        self.code.seen.visits.push(visit);
        if watch.returns_after == Some(place)
            && let Some(back) = self.code.seen.back
        {
            self.watch_return(id, back)?;
        }
        let all = watch.signals.intersection(deliverable) == watch.signals;
        Ok(nth < VISITS && !all)
    }

    /// Looks at where a handler returns to.
    fn watch_return(&mut self, id: ThreadId, address: u64) -> Result<(), RunError> {
        let thread = self.tree.thread(id);
        let known = thread.ambushes.iter().any(|ambush| ambush.is_at(address));
        if known || thread.ambushes.len() >= MOST {
            return Ok(());
        }
        let breakpoint = match Breakpoint::on_code(thread.door.tid(), address, 1) {
            Err(Errno::ESRCH) => return Ok(()),
            other => other.map_err(unavailable)?,
        };
        let process = thread.process;
        self.tree.thread_mut(id).ambushes.push(Ambush::new(Label::new(RETURN), address, breakpoint));
        self.tree.process_mut(process).handlers.changed = true;
        self.aim(id)?;
        let started = self.tree.thread(id).ambushes.last().map(Ambush::start);
        started.unwrap_or(Ok(()))
    }

    /// Where the watched thread is, if the program spins: it is stopped for a look, and then ended with the run.
    pub(in crate::supervise) fn note_spinning(&mut self, end: &End) {
        let (End::Spinning(_), Some(watch)) = (end, self.watch()) else { return };
        let Some(id) = self.tree.named(&watch.thread) else { return };
        if !self.halt(id) {
            return;
        }
        let Some((stack, _)) = self.registers_of(id).and_then(|registers| self.stack(id, &registers)) else {
            return;
        };
        let own = stack.frames.iter().filter(|frame| frame.module == Some(0));
        self.code.seen.spins = own.filter_map(|frame| frame.link_address).collect();
    }
}

/// Up to 8 bytes of a process's memory.
fn word(door: &Door, address: u64, size: u32) -> Option<u64> {
    let mut bytes = [0; 8];
    let wanted = bytes.get_mut(..size as usize)?;
    (door.read(address, wanted) == Ok(wanted.len())).then(|| u64::from_le_bytes(bytes))
}
