//! A closer look at handlers: which are installed, what is so when a thread comes to certain places of its code, and where
//! a program spins. Nothing is written into the program.

use super::breakpoint::{Ambush, MOST, unavailable};
use super::door::Door;
use super::tree::ThreadId;
use super::turn::Turns;
use super::whereabouts::known;
use super::{Observe, RunError};
use crate::schedule::{Label, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::sys::perf::{self, Breakpoint};
use crate::trace::End;
use nix::errno::Errno;

/// How often a place is visited at most in one run; one at which the signals are deliverable is the last.
const VISITS: u32 = 8;

/// The return of a handler that is watched, as a place: no function has such a name.
pub const RETURN: &str = "<return of the handler>";

/// What is looked at in one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The thread.
    pub thread: ThreadName,
    /// Places of its program: the first visits of each are points, up to one where all `signals` are deliverable. Together with
    /// the places of the schedule's steps there can be at most `MOST_OBSERVED`.
    pub places: Vec<Label>,
    /// Signals that are asked about.
    pub signals: SignalSet,
    /// The place of a step: once that has been visited, the next return of a handler is looked at, too ([`RETURN`]).
    pub returns_after: Option<Label>,
    /// What is read at each visit, if anything.
    pub word: Option<Word>,
}

/// A piece of the program's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The 32 bits to which a function's result points that has just returned when this place is first visited.
    Returned(Label),
    /// So many bytes, at most 8, at this address, as the program was linked.
    Data(u64, u32),
}

/// A handler that a process has installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Which process.
    pub process: ThreadName,
    /// For which signal.
    pub signal: Signal,
    /// The file of the program that it runs.
    pub program: String,
    /// The handler's address, as the program was linked; it may belong to another file.
    pub address: u64,
}

/// What was so when a thread was about to execute the instruction at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The place.
    pub place: Label,
    /// It was there for the nth time.
    pub nth: u32,
    /// Signals whose handler could run now: caught and not blocked.
    pub deliverable: SignalSet,
    /// The instructions of the program that handlers on the stack have interrupted, as it was linked; the latest first.
    pub interrupted: Vec<u64>,
    /// The watched word, if it could be read.
    pub word: Option<u64>,
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) visits: Vec<Visit>,
    pub(super) installed: Vec<Installed>,
    pub(super) spins: Vec<u64>,
    word: Option<(u64, u32)>,
    back: Option<u64>,
}

impl Turns<'_> {
    fn watch(&self) -> Option<&Watch> {
        match self.observe {
            Observe::Handlers(watch) => Some(watch),
            Observe::Nothing | Observe::Executions(_) | Observe::Where => None,
        }
    }

    /// The places of a thread that are visited for a closer look.
    pub(super) fn watched_by(&self, name: &ThreadName) -> Vec<Label> {
        self.watch()
            .filter(|watch| watch.thread == *name)
            .map(|watch| watch.places.clone())
            .unwrap_or_default()
    }

    /// Notes a handler that is about to be installed.
    pub(super) fn note_installed(&mut self, id: ThreadId, signal: Signal, address: u64, back: u64) {
        if self.watch().is_none() {
            return;
        }
        // Where the handler returns to: sa_restorer, which the kernel demands here.
        self.seen.back = Some(back);
        let process = self.tree.process_of(id);
        let Some(address) =
            self.settings.learnt.places.link_address(&process.program, process.entry, address)
        else {
            return;
        };
        let installed =
            Installed { process: process.name.clone(), signal, program: process.program.clone(), address };
        if !self.seen.installed.contains(&installed) {
            self.seen.installed.push(installed);
        }
    }

    /// Looks at a thread that was just parked; true if the place is to be visited again.
    pub(super) fn note_visit(
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
        let deliverable: SignalSet =
            status.caught.iter().filter(|signal| !status.blocked.contains(*signal)).collect();
        match watch.word {
            // rax holds what a function returns (System V ABI, "Returning of Values").
            Some(Word::Returned(at)) if at == place && self.seen.word.is_none() => {
                self.seen.word = registers.general.first().map(|address| (*address, 4));
            }
            Some(Word::Data(address, size)) if self.seen.word.is_none() => {
                let process = self.tree.process_of(id);
                let base = self.settings.learnt.places.link_address(&process.program, process.entry, 0);
                self.seen.word = base.map(|base| (address.wrapping_sub(base), size));
            }
            _ => {}
        }
        let word = self.seen.word.and_then(|(address, size)| word(&self.tree.thread(id).door, address, size));
        let frames = self.stack(id, &known(registers)).map(|(stack, _)| stack.frames).unwrap_or_default();
        let after_signal = frames.iter().zip(frames.iter().skip(1));
        let interrupted = after_signal.filter(|(frame, _)| frame.signal);
        let interrupted = interrupted.filter(|(_, next)| next.module == Some(0));
        let interrupted = interrupted.filter_map(|(_, next)| next.link_address).collect();
        let visit = Visit { place, nth, deliverable, interrupted, word };
        self.seen.visits.push(visit);
        if watch.returns_after == Some(place)
            && let Some(back) = self.seen.back
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
    pub(super) fn note_spinning(&mut self, end: &End) {
        let (End::Spinning(_), Some(watch)) = (end, self.watch()) else { return };
        let Some(id) = self.tree.named(&watch.thread) else { return };
        if !self.halt(id) {
            return;
        }
        let Some((stack, _)) = self.registers_of(id).and_then(|registers| self.stack(id, &registers)) else {
            return;
        };
        let own = stack.frames.iter().filter(|frame| frame.module == Some(0));
        self.seen.spins = own.filter_map(|frame| frame.link_address).collect();
    }
}

/// Up to 8 bytes of a process's memory.
fn word(door: &Door, address: u64, size: u32) -> Option<u64> {
    let mut bytes = [0; 8];
    let wanted = bytes.get_mut(..size as usize)?;
    (door.read(address, wanted) == Ok(wanted.len())).then(|| u64::from_le_bytes(bytes))
}
