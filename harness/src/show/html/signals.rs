//! Where signals come from and where they are handled, as far as the events and what was seen tell it.
//!
//! Of a signal that is handled, the cause is looked for only since the process that handles it went on last, or since it was seen
//! pending: what was sent before that had been handled, or was ignored.

use super::rows::{Look, Rows};
use crate::schedule::{Action, Site, ThreadName};
use crate::signal::Signal;
use crate::trace::{Event, Handled, Trace, What};
use std::collections::{BTreeMap, BTreeSet};

/// Receivers of one signal that have an arrow.
const MOST: usize = 8;

/// A signal on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    /// The event that causes it.
    pub(super) cause: usize,
    /// The row of that.
    pub(super) from: usize,
    /// The lane of who sends it; none if it comes from outside.
    pub(super) sender: Option<usize>,
    /// The row in which it is handled; that of its cause if it is not known where.
    pub(super) to: usize,
    /// The lane of who handles it, or of the process that it is sent to.
    pub(super) receiver: usize,
    pub(super) signal: Signal,
    /// It is known where it is handled, before the event with this index.
    pub(super) handled: Option<usize>,
}

/// All of a run's signals whose sender and receiver are known.
pub(super) fn arrows(trace: &Trace, rows: &Rows) -> Vec<Arrow> {
    let index = Index::new(trace);
    let mut arrows = Vec::new();
    let mut landed = Landed::new();
    let mut handlers: BTreeMap<usize, Vec<&Handled>> = BTreeMap::new();
    for one in &trace.seen.handlers {
        handlers.entry(one.by).or_default().push(one);
    }
    for (to, row) in rows.rows.iter().enumerate() {
        let Some(thread) = rows.lanes.get(row.lane) else { continue };
        let process = thread.process();
        let what = trace.events.get(row.at).map(|event| &event.what);
        let (signal, from) = match what {
            Some(What::Signal(signal)) if row.is_event => (*signal, index.went_on(row.at, &process, None)),
            _ if row.look == Look::Handler && !row.is_event => {
                // Two of one thread at one moment are two rows.
                let named = |signal: Signal| row.text.contains(&format!("{signal} handler"));
                let mut begun = handlers.get(&row.at).into_iter().flatten();
                let this = begun.find(|one| one.thread == *thread && named(one.signal));
                let Some(Handled { by, signal, since, .. }) = this else { continue };
                let from = match since {
                    Some(since) => index.went_on(*since, &process, None),
                    None => index.went_on(*by, &process, Some(thread)),
                };
                (*signal, from)
            }
            _ => continue,
        };
        for cause in index.causes(from, row.at, &process, signal, &landed) {
            let Some(from) = rows.of_event(cause) else { continue };
            landed.insert((cause, process.clone(), signal));
            let sender = index.sender(cause).and_then(|thread| rows.lane(thread));
            let (receiver, handled) = (row.lane, Some(row.at));
            arrows.push(Arrow { cause, from, sender, to, receiver, signal, handled });
        }
    }
    for (cause, receiver, signal) in index.sent() {
        if landed.contains(&(cause, receiver.process(), signal)) {
            continue;
        }
        let (Some(from), Some(lane)) = (rows.of_event(cause), rows.lane(&receiver)) else { continue };
        let sender = index.sender(cause).and_then(|thread| rows.lane(thread));
        arrows.push(Arrow { cause, from, sender, to: from, receiver: lane, signal, handled: None });
    }
    arrows.sort_by_key(|arrow| (arrow.from, arrow.to, arrow.receiver));
    arrows
}

/// Causes whose signal a process has handled.
type Landed = BTreeSet<(usize, ThreadName, Signal)>;

/// The events of each process, to look back in.
struct Index<'a> {
    trace: &'a Trace,
    of_process: BTreeMap<ThreadName, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn new(trace: &'a Trace) -> Index<'a> {
        let mut of_process: BTreeMap<ThreadName, Vec<usize>> = BTreeMap::new();
        for (index, event) in trace.events.iter().enumerate() {
            of_process.entry(event.thread.process()).or_default().push(index);
        }
        Index { trace, of_process }
    }

    fn event(&self, index: usize) -> Option<&'a Event> {
        self.trace.events.get(index)
    }

    /// The last event before `until` of this process, or only of this thread, with which it went on, or fell asleep.
    fn went_on(&self, until: usize, process: &ThreadName, thread: Option<&ThreadName>) -> Option<usize> {
        let own = self.of_process.get(process)?;
        let before = own.get(..own.partition_point(|index| *index < until))?;
        before.iter().rev().copied().find(|index| {
            self.event(*index).is_some_and(|event| {
                thread.is_none_or(|thread| event.thread == *thread)
                    && !matches!(event.what, What::Signal(_) | What::Step(_) | What::Go(Site::Entering(_), _))
            })
        })
    }

    /// The causes among the events from this one on that no earlier handler has had: of one that sleeps only the first, which
    /// wakes it.
    fn causes(
        &self,
        from: Option<usize>,
        until: usize,
        process: &ThreadName,
        signal: Signal,
        landed: &Landed,
    ) -> Vec<usize> {
        let sleeps = |from| self.event(from).is_some_and(|event| matches!(event.what, What::Sleep(..)));
        let range = from.unwrap_or_default()..until;
        let had = |index: &usize| landed.contains(&(*index, process.clone(), signal));
        let (before, left): (Vec<usize>, Vec<usize>) =
            range.clone().filter(|index| self.sends(*index, process, signal)).partition(had);
        let causes = if before.is_empty() && left.is_empty() {
            let may = range.filter(|index| self.may_send(*index, process, signal) && !had(index));
            may.take(1).collect()
        } else {
            left
        };
        let woken = before.is_empty() && from.is_some_and(sleeps);
        causes.into_iter().take(if woken { 1 } else { MOST }).collect()
    }

    /// True if this event sends the process this signal, beyond doubt.
    fn sends(&self, index: usize, process: &ThreadName, signal: Signal) -> bool {
        let Some(event) = self.event(index) else { return false };
        let child = || event.thread.process().parent().as_ref() == Some(process);
        match &event.what {
            What::Step(Action::Send(sent) | Action::SendGroup(sent)) => {
                *sent == signal && event.thread.process() == *process
            }
            What::Fire(fired) => *fired == signal && event.thread.process() == *process,
            What::End(_) => signal == Signal::CHLD && event.thread.is_process() && child(),
            What::Go(..) => self
                .trace
                .seen
                .call(index)
                .and_then(|call| call.sends.as_ref())
                .is_some_and(|(sent, to)| *sent == signal && to.iter().any(|to| to.process() == *process)),
            What::Exec(_)
            | What::Step(_)
            | What::Sleep(..)
            | What::Make(_)
            | What::Signal(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Refuse(..)
            | What::NotHeld(..) => false,
        }
    }

    /// True if this event may send the process this signal: where nothing else did, it has. A stop is told to who asked for it
    /// (SA_NOCLDSTOP of sigaction(2)), and what is sent to a process group to its members.
    fn may_send(&self, index: usize, process: &ThreadName, signal: Signal) -> bool {
        let Some(event) = self.event(index) else { return false };
        match &event.what {
            What::Stop => signal == Signal::CHLD && event.thread.process().parent().as_ref() == Some(process),
            What::Step(Action::SendGroup(sent)) => *sent == signal,
            What::Step(Action::Type(keys)) => keys.signal() == Some(signal),
            What::Step(Action::Resize(..)) => signal == Signal::WINCH,
            What::Step(Action::HangUp) => signal == Signal::HUP || signal == Signal::CONT,
            What::Exec(_)
            | What::Go(..)
            | What::Step(_)
            | What::Sleep(..)
            | What::Make(_)
            | What::Signal(_)
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => false,
        }
    }

    /// Who does it: a thread, or nobody of the run if it comes from outside.
    fn sender(&self, cause: usize) -> Option<&'a ThreadName> {
        let event = self.event(cause)?;
        match &event.what {
            What::Step(action) if action.is_from_outside() => None,
            What::Exec(_)
            | What::Go(..)
            | What::Step(_)
            | What::Sleep(..)
            | What::Make(_)
            | What::Signal(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => Some(&event.thread),
        }
    }

    /// What is sent to whom, whether it is handled or not.
    fn sent(&self) -> Vec<(usize, ThreadName, Signal)> {
        let mut sent = Vec::new();
        for (index, event) in self.trace.events.iter().enumerate() {
            if let What::Step(Action::Send(signal) | Action::SendGroup(signal)) = &event.what {
                sent.push((index, event.thread.process(), *signal));
            }
        }
        for call in &self.trace.seen.calls {
            if let Some((signal, to)) = &call.sends {
                sent.extend(to.iter().take(MOST).map(|to| (call.event, to.clone(), *signal)));
            }
        }
        sent
    }
}
