//! Which calls the schedule's signals interrupt.

use super::{Event, Run, What};
use crate::schedule::{Action, Point, Site, Syscall, ThreadName};
use std::collections::HashMap;

/// A call in which a thread slept when it was sent a signal, and which it did not begin again afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// Where it slept.
    pub point: Point,
    /// Where it was just before the call.
    pub before: Point,
    /// The index of the event with which it went on instead. It may be its handler that did.
    pub after: usize,
}

/// What is known of a thread while the events are read.
#[derive(Default)]
struct Thread {
    before: Option<(Syscall, u32)>,
    /// Where it sleeps, and where it was just before.
    asleep: Option<(Point, Point)>,
    /// It was sent something there, and has not gone on.
    sent: bool,
}

impl Run {
    /// The calls that the schedule's signals interrupt, in their order. One that the kernel restarts (SA_RESTART, signal(7)), or that
    /// the program makes again, is none.
    pub fn interrupted(&self) -> Vec<Interruption> {
        interrupted(&self.events)
    }
}

/// The calls that the signals of the schedule interrupt in a run of these events.
pub fn interrupted(events: &[Event]) -> Vec<Interruption> {
    let mut threads: HashMap<&ThreadName, Thread> = HashMap::new();
    let mut interrupted = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let thread = threads.entry(&event.thread).or_default();
        match &event.what {
            What::Step(Action::Send(_) | Action::SendGroup(_)) => thread.sent |= thread.asleep.is_some(),
            What::Sleep(call, nth) => {
                let at = |site, nth| Point { thread: event.thread.clone(), site, nth };
                let before = thread.before.filter(|(before, _)| before == call);
                thread.asleep =
                    before.map(|(_, visit)| (at(Site::In(*call), *nth), at(Site::Before(*call), visit)));
                thread.sent = false;
            }
            What::Go(site, visit) => {
                let call = site.begun();
                let slept = thread.asleep.take().filter(|_| std::mem::take(&mut thread.sent));
                let slept = slept.filter(|(_, before)| Some(before.site) != call.map(Site::Before));
                interrupted.extend(slept.map(|(point, before)| Interruption { point, before, after: index }));
                thread.before = call.map(|call| (call, *visit));
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
