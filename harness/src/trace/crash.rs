//! Processes that went wrong and were ended by a signal for it, as the events and places tell.

use super::{Event, Moment, Run, Status, What, Whereabouts};
use crate::schedule::{Site, ThreadName};
use crate::signal::Signal;

/// A process that one of the signals for what goes wrong ended (`Signal::is_crash`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash<'a> {
    /// The thread that did it; where that is not known, the thread of the process that was let go last.
    pub thread: &'a ThreadName,
    /// What ended it.
    pub signal: Signal,
    /// The instruction that did it, if it is known.
    pub place: Option<&'a Whereabouts>,
    /// The event with which the thread went on from its last call, and the kind of place.
    pub last: Option<(usize, Site)>,
}

/// The last of these events with which a thread of this process went on from a call, or from right after it was made or
/// made another.
pub fn last_call(events: &[Event], of: impl Fn(&ThreadName) -> bool) -> Option<(usize, Site)> {
    events.iter().enumerate().rev().find_map(|(index, event)| match event.what {
        What::Go(site @ (Site::Before(_) | Site::Entering(_) | Site::After(_)), _) if of(&event.thread) => {
            Some((index, site))
        }
        _ => None,
    })
}

impl Run {
    /// True if one of its processes crashed.
    pub fn crashes(&self) -> bool {
        self.events.iter().any(|event| crash(event).is_some())
    }
}

/// The signal, if the event is that one of those for what goes wrong ended a process.
fn crash(event: &Event) -> Option<Signal> {
    match event.what {
        What::End(Status::Killed(signal)) if signal.is_crash() => Some(signal),
        _ => None,
    }
}

/// All of a run, in order.
pub fn crashes<'a>(events: &'a [Event], places: &'a [Whereabouts]) -> Vec<Crash<'a>> {
    let told = |(index, event): (usize, &'a Event)| {
        let signal = crash(event)?;
        let process = event.thread.process();
        let same = |thread: &ThreadName| thread.process() == process;
        let place = places.iter().find(|place| place.at == Moment::Crash && same(&place.thread));
        let before = &events[..index];
        let last = match place {
            Some(place) => last_call(before, |thread| *thread == place.thread),
            None => last_call(before, same),
        };
        let thread = match (place, last) {
            (Some(place), _) => &place.thread,
            (None, Some((last, _))) => &before[last].thread,
            (None, None) => &event.thread,
        };
        Some(Crash { thread, signal, place, last })
    };
    events.iter().enumerate().filter_map(told).collect()
}
