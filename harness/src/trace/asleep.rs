//! Where a signal of the schedule meets a call in which its thread sleeps: just before it, or in it.

use super::{Event, Run, What};
use crate::schedule::{Point, Site, Step, Syscall};

/// A step that sends a signal, and the sleep that it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meeting<'a> {
    /// The step.
    pub step: &'a Step,
    /// The call in which the thread sleeps, as a place, and which time.
    asleep: (Site, u32),
    /// The place before that call, and which time.
    before: (Site, u32),
}

impl Meeting<'_> {
    /// Where the thread sleeps.
    pub fn asleep(&self) -> Point {
        self.at(self.asleep)
    }

    /// Where it was just before the call.
    pub fn before(&self) -> Point {
        self.at(self.before)
    }

    fn at(&self, (site, nth): (Site, u32)) -> Point {
        Point { thread: self.step.thread.clone(), site, nth }
    }
}

impl Run {
    /// The signal that came just before a call: its handler ran, and the thread made that call all the same, and slept in it.
    pub fn slept_after_handling(&self) -> Option<Meeting<'_>> {
        let step = self.schedule.steps.iter().find(|step| {
            matches!(step.at, Site::Before(_))
                && step.action.signal().is_some()
                && !self.unreached.contains(step)
        })?;
        let Site::Before(call) = step.at else { return None };
        let mut own = self.events.iter().filter(|event| event.thread == step.thread);
        own.find(|event| event.what == What::Step(step.action.clone()))?;
        if own.next()?.what != What::Signal(step.action.signal()?) {
            return None;
        }
        // After the handler the call is made once more, which is another visit.
        own.find(|event| matches!(event.what, What::Go(at, _) if at == step.at))?;
        let (slept, nth) = sleep(own.next()?)?;
        let met = || Meeting { step, asleep: (Site::In(call), nth), before: (step.at, step.nth) };
        (slept == call).then(met)
    }

    /// The signal that came to a thread while that slept in a call.
    pub fn sent_asleep(&self) -> Option<Meeting<'_>> {
        let step = self.schedule.steps.iter().find(|step| {
            matches!(step.at, Site::In(_) | Site::Quiet)
                && step.action.signal().is_some()
                && !self.unreached.contains(step)
        })?;
        let own: Vec<&Event> = self.events.iter().filter(|event| event.thread == step.thread).collect();
        let sent = own.iter().position(|event| event.what == What::Step(step.action.clone()))?;
        let earlier = || own.iter().take(sent).rev();
        let (call, nth) = earlier().find_map(|event| sleep(event))?;
        let begun = |(site, _): &(Site, u32)| *site == Site::Before(call);
        let before = earlier().filter_map(|event| event.what.visit()).find(begun)?;
        Some(Meeting { step, asleep: (Site::In(call), nth), before })
    }
}

/// In which call the thread fell asleep, and which time.
fn sleep(event: &Event) -> Option<(Syscall, u32)> {
    if let What::Sleep(call, nth) = event.what { Some((call, nth)) } else { None }
}
