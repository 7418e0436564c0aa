//! Which calls signals interrupt: those of the schedule, and those that a child's end or a timer causes by itself.

use super::{Event, Run, What};
use crate::schedule::{Action, Point, Site, Syscall, ThreadName};
use std::collections::HashMap;

/// What may have interrupted a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupter {
    /// A signal that the schedule sent.
    Sent,
    /// The end of another process, a child's of the one that slept: its SIGCHLD, if that is caught.
    Child,
    /// A timer of the process.
    Timer,
}

/// A call in which a thread slept when it was sent a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// What may have come there. If it is a child's end, the call may also be over for another reason.
    pub by: Interrupter,
    /// Where it slept.
    pub point: Point,
    /// Where it was just before the call.
    pub before: Point,
    /// The index of the event with which it went on. It may be its handler that did.
    pub after: usize,
    /// True if that is the same call: made again by the kernel (SA_RESTART, signal(7)) or by the program, or another one.
    pub again: bool,
}

/// A thread that sleeps, while the events are read.
struct Asleep {
    point: Point,
    before: Point,
    /// The index of the event with which it fell asleep.
    since: usize,
    /// It was sent something there, and has not gone on.
    sent: bool,
}

impl Run {
    /// The calls that the schedule's signals interrupt, in their order. One that the kernel restarts (SA_RESTART, signal(7)), or that
    /// the program makes again, is none.
    pub fn interrupted(&self) -> Vec<Interruption> {
        interrupted(&self.events)
    }

    /// The calls that signals may have interrupted, whatever they come from, also those that are made again.
    pub fn cut_short(&self) -> Vec<Interruption> {
        cut_short(&self.events)
    }
}

/// The calls that the signals of the schedule interrupt in a run of these events.
pub fn interrupted(events: &[Event]) -> Vec<Interruption> {
    let mut all = cut_short(events);
    all.retain(|one| one.by == Interrupter::Sent && !one.again);
    all
}

fn cut_short(events: &[Event]) -> Vec<Interruption> {
    let mut begun: HashMap<&ThreadName, (Syscall, u32)> = HashMap::new();
    let mut asleep: HashMap<&ThreadName, Asleep> = HashMap::new();
    // What came last to each process by itself, and when.
    let mut came: HashMap<ThreadName, (usize, Interrupter)> = HashMap::new();
    let mut interrupted = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let thread = &event.thread;
        if let Some((process, by)) = caused(event) {
            came.insert(process, (index, by));
        }
        match &event.what {
            What::Step(Action::Send(_) | Action::SendGroup(_)) => {
                asleep.entry(thread).and_modify(|one| one.sent = true);
            }
            What::Sleep(call, nth) => {
                let at = |site, nth| Point { thread: thread.clone(), site, nth };
                if let Some((_, visit)) = begun.get(thread).filter(|(before, _)| before == call) {
                    let (point, before) = (at(Site::In(*call), *nth), at(Site::Before(*call), *visit));
                    asleep.insert(thread, Asleep { point, before, since: index, sent: false });
                } else {
                    asleep.remove(thread);
                }
            }
            What::Go(site, visit) => {
                let call = site.begun();
                if let Some(Asleep { point, before, since, sent }) = asleep.remove(thread) {
                    let came = came.get(&thread.process()).filter(|(at, _)| *at > since);
                    let by = if sent { Some(Interrupter::Sent) } else { came.map(|(_, by)| *by) };
                    let again = Some(before.site) == call.map(Site::Before);
                    interrupted.extend(by.map(|by| Interruption { by, point, before, after: index, again }));
                }
                match call {
                    Some(call) => begun.insert(thread, (call, *visit)),
                    None => begun.remove(thread),
                };
            }
            What::Exec(_)
            | What::Step(_)
            | What::Make(_)
            | What::Signal(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => {}
        }
    }
    interrupted
}

/// The process to which this may send a signal by itself, and as what.
fn caused(event: &Event) -> Option<(ThreadName, Interrupter)> {
    match &event.what {
        What::End(_) if event.thread.is_process() => Some((event.thread.parent()?, Interrupter::Child)),
        What::Fire(_) => Some((event.thread.process(), Interrupter::Timer)),
        What::End(_)
        | What::Exec(_)
        | What::Go(..)
        | What::Step(_)
        | What::Sleep(..)
        | What::Make(_)
        | What::Signal(_)
        | What::Stop
        | What::Continue
        | What::Expire(_)
        | What::Refuse(..)
        | What::NotHeld(..) => None,
    }
}
