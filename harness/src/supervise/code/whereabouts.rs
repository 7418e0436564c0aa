//! Where in their code threads are: see `Observe::Where`.
//!
//! A thread is looked at while it is settled, from outside, through `/proc` and process_vm_readv(2): nothing changes for it.
//! Of a thread at a code point all registers are known. Of one in a call only the stack pointer and the instruction are:
//! where they do not tell who called a function, its callers are not known, and the stack says that it is not complete.

use crate::code::{self, Modules, Registers, StackEnd, unwind};
use crate::signal::Signal;
use crate::supervise::books::held::Place;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::code::lookout::{Lookout, Seen, images, known};
use crate::supervise::state::Turns;
use crate::sys::procfs::{self, Doing};
use crate::sys::{memory, perf, pidfd};
use crate::trace::{End, Frame, InlinedCall, Moment, What, Whereabouts};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Of later events only steps are noted.
pub(in crate::supervise) const MOST_EVENTS: usize = 1000;

/// Frames of a stack that are noted, the innermost.
const MOST_FRAMES: usize = 64;

/// The length of the instruction `syscall`.
const SYSCALL: u64 = 2;

/// A process stops within this time, unless something is wrong.
const STOPPING: Duration = Duration::from_secs(1);

impl Turns<'_> {
    /// Looks where a settled thread is, if the run is looked at for that, so that it can be noted once it has gone on.
    pub(in crate::supervise) fn look_where(&mut self, id: ThreadId) {
        if !self.observe.is_where() || self.code.lookout.seen.contains_key(&id) {
            return;
        }
        let at_code = self.at_code(id);
        let seen = self.registers_of(id).and_then(|registers| self.stack(id, &registers));
        if let Some((stack, link)) = seen {
            let seen = self.in_words(id, &stack, link.filter(|_| at_code));
            self.code.lookout.seen.insert(id, seen);
        }
    }

    /// The same of a thread that is about to go on, if that will be noted.
    pub(in crate::supervise) fn look_where_it_leaves(&mut self, id: ThreadId) {
        if self.journal.events.len() < MOST_EVENTS {
            self.look_where(id);
        }
    }

    /// Looks where a thread was when a breakpoint sent it a signal: at these registers. Its stack may be another by now; it
    /// is the same as far as the handler that the signal called can be seen to return to it.
    pub(in crate::supervise) fn look_where_struck(&mut self, id: ThreadId, registers: &perf::Registers) {
        if !self.observe.is_where() {
            return;
        }
        let now = self.registers_of(id).and_then(|registers| self.stack(id, &registers));
        let interrupted = now.and_then(|(stack, _)| {
            let calls = stack.frames.windows(2);
            let at = calls.into_iter().position(|pair| match pair {
                [handler, place] => handler.signal && place.address == registers.ip,
                _ => false,
            })?;
            Some(code::Stack { frames: stack.frames.into_iter().skip(at + 1).collect(), end: stack.end })
        });
        let alone = || {
            let (mut stack, _) = self.stack(id, &known(registers))?;
            stack.frames.truncate(1);
            stack.end = StackEnd::Incomplete("the thread has gone on".to_owned());
            Some(stack)
        };
        let Some(stack) = interrupted.or_else(alone) else { return };
        let link = stack.frames.first().cloned();
        let seen = self.in_words(id, &stack, link);
        self.code.lookout.seen.insert(id, seen);
    }

    /// Notes where the thread of the last event was.
    pub(in crate::supervise) fn note_where(&mut self, id: ThreadId) {
        if !self.observe.is_where() {
            return;
        }
        let Some(index) = self.journal.events.len().checked_sub(1) else { return };
        let noted = match self.journal.events.get(index).map(|event| &event.what) {
            Some(What::Step(_)) => true,
            Some(What::Go(..) | What::Signal(_)) => index < MOST_EVENTS,
            _ => false,
        };
        if noted {
            self.look_where(id);
            self.note(id, Moment::Event(index));
        }
    }

    fn note(&mut self, id: ThreadId, at: Moment) {
        if let Some((stack, complete)) = self.code.lookout.seen.get(&id) {
            let thread = self.tree.thread(id).name.clone();
            let (stack, complete) = (stack.clone(), *complete);
            self.code.lookout.places.push(Whereabouts { at, thread, stack, complete });
        }
    }

    /// Notes where every thread is at the end of a run that did not end by itself, those that run first. These are stopped
    /// for it: nothing may be asked of the run afterwards.
    pub(in crate::supervise) fn note_end(&mut self, end: &End) {
        let over = matches!(end, End::Ended(_) | End::TimedOut);
        if !self.observe.is_where() || over {
            return;
        }
        let (running, settled): (Vec<_>, Vec<_>) =
            self.tree.live().partition(|id| self.tree.thread(*id).runs());
        // Whoever is told that a process has stopped must have been looked at before.
        settled.iter().for_each(|id| self.look_where(*id));
        for id in &running {
            if self.halt(*id) {
                self.look_where(*id);
            }
        }
        let current = self.picker.current();
        let (current, others): (Vec<_>, Vec<_>) = settled.into_iter().partition(|id| current == Some(*id));
        for id in running.into_iter().chain(current).chain(others) {
            self.note(id, Moment::End);
        }
    }

    /// Stops a running thread's process; false if it does not stop.
    pub(in crate::supervise) fn halt(&self, id: ThreadId) -> bool {
        let begun = Instant::now();
        let sent = pidfd::kill(self.tree.process_of(id).pid, Signal::STOP.number());
        while sent.is_ok() && begun.elapsed() < STOPPING {
            match self.tree.thread(id).door.doing() {
                Ok(Doing::Stopped | Doing::Sleeping) => return true,
                Ok(Doing::Running | Doing::Uninterruptible) => {
                    if self.give_way().is_err() {
                        return false;
                    }
                }
                Ok(Doing::Ended) | Err(_) => return false,
            }
        }
        false
    }

    fn at_code(&self, id: ThreadId) -> bool {
        let state = &self.tree.thread(id).state;
        matches!(state, State::Held(held) if matches!(held.place(), Place::At(..)))
    }

    /// What is known of the registers of a settled thread. In a call it is at the instruction that makes it.
    pub(in crate::supervise) fn registers_of(&self, id: ThreadId) -> Option<Registers> {
        let thread = self.tree.thread(id);
        if self.at_code(id) {
            return thread.registers.as_ref().map(known);
        }
        let position = thread.door.position().ok()??;
        if let State::Held(held) = &thread.state
            && let Place::After(_) = held.place()
        {
            // It waits in a stub, and is about to be where its call returns to.
            return Some(Registers::at(held.ip(), position.sp));
        }
        let back = if position.in_call { SYSCALL } else { 0 };
        Some(Registers::at(position.ip.wrapping_sub(back), position.sp))
    }

    /// The stack of a thread with these registers, and its innermost frame.
    pub(in crate::supervise) fn stack(
        &mut self,
        id: ThreadId,
        registers: &Registers,
    ) -> Option<(code::Stack, Option<code::Frame>)> {
        let (tid, process) = (self.tree.thread(id).door.tid(), self.tree.thread(id).process);
        let mut read = |address: u64, buffer: &mut [u8]| {
            memory::read(tid, address, buffer).is_ok_and(|size| size == buffer.len())
        };
        let mut fresh = false;
        loop {
            let modules = match self.code.lookout.modules.entry(process) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    fresh = true;
                    let maps = procfs::maps(tid).ok()?;
                    unknown.insert(Modules::parse(&maps, images()))
                }
            };
            let stack = unwind(registers, modules, &mut read);
            let unknown = stack.frames.iter().any(|frame| frame.module.is_none() && !frame.signal);
            if fresh || !unknown {
                let innermost = stack.frames.first().cloned();
                return Some((stack, innermost));
            }
            // A library may have been loaded since.
            self.code.lookout.modules.remove(&process);
        }
    }

    /// The stack in words; with the instruction that the thread is about to execute, if that is a code point.
    pub(in crate::supervise) fn in_words(
        &mut self,
        id: ThreadId,
        stack: &code::Stack,
        code_point: Option<code::Frame>,
    ) -> Seen {
        let process = self.tree.thread(id).process;
        let Lookout { modules, instructions, .. } = &mut self.code.lookout;
        let Some(modules) = modules.get(&process) else { return (Vec::new(), false) };
        let kept = stack.frames.iter().take(MOST_FRAMES);
        let mut frames: Vec<Frame> = kept.map(|frame| in_words(modules, frame)).collect();
        if let Some((innermost, place)) = frames.first_mut().zip(code_point) {
            innermost.instruction = instruction(modules, &place, instructions);
        }
        let complete = stack.end == StackEnd::Outermost && stack.frames.len() <= MOST_FRAMES;
        (frames, complete)
    }
}

fn in_words(modules: &Modules, frame: &code::Frame) -> Frame {
    let location = modules.describe(frame);
    let (file, line) = split(location.line.as_ref());
    let inlined = location.inlined.iter().map(|inlined| {
        let (file, line) = split(inlined.called_at.as_ref());
        InlinedCall { function: inlined.function.clone(), file, line }
    });
    Frame {
        inlined: inlined.collect(),
        module: Some(location.module).filter(|_| location.foreign || location.function.is_none()),
        foreign: location.foreign,
        function: location.function,
        // Without a file it would be an address of this one process.
        offset: frame.link_address.map_or(0, |_| location.offset),
        file,
        line,
        signal: frame.signal,
        instruction: None,
    }
}

fn split(line: Option<&code::SourceLine>) -> (Option<String>, Option<u32>) {
    line.map(|line| (line.file.to_string(), line.line)).unzip()
}

/// The instruction at this place, looked up once.
fn instruction(
    modules: &Modules,
    place: &code::Frame,
    known: &mut HashMap<(PathBuf, u64), Option<String>>,
) -> Option<String> {
    let module = modules.all().get(place.module?)?;
    let address = place.link_address?;
    let find = || {
        let image = module.image().ok()?;
        image.text_of(&image.function_at(address)?, address)
    };
    known.entry((module.path().to_owned(), address)).or_insert_with(find).clone()
}
