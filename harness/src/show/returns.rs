//! What was seen of calls and handlers, in the words of a picture: `read = 3 of 10`, `SIGCHLD handler after rt_sigprocmask`.
//!
//! What was not seen is not there: nothing is concluded from what calls of this kind mostly do.

use super::coalesced;
use super::layout::plain;
use super::words::{listed, site_words, takes_effect};
use crate::schedule::{Action, Site, Syscall, ThreadName};
use crate::signal::Signal;
use crate::trace::{CallResult, Event, Handled, SeenCall, Trace, What};
use std::collections::BTreeMap;
use syscalls::Sysno;

/// Processes that are named as those to whom a call sends a signal.
const MOST_NAMED: usize = 3;

/// Errors that come of what others do, or are over: who reads a picture looks for them.
const BROUGHT_ABOUT: [&str; 6] = ["EINTR", "ECHILD", "ESRCH", "EPIPE", "ECONNRESET", "EDEADLK"];

/// What was seen of a trace's calls and handlers, by where it is shown.
pub(super) struct Returns<'a> {
    trace: &'a Trace,
    /// Calls that return after other things of their threads have happened, by the event before which they had.
    late: BTreeMap<usize, Vec<&'a SeenCall>>,
    /// Handlers that no event tells, in the same way.
    begun: BTreeMap<usize, Vec<&'a Handled>>,
    /// For each thread before which events its handlers had begun, in their order.
    handled: BTreeMap<&'a ThreadName, Vec<usize>>,
    /// For each process the first two of its threads, and the events that name them first.
    threads: BTreeMap<ThreadName, Vec<(&'a ThreadName, usize)>>,
}

/// A call in words, and whether a reader looks for it.
pub(super) struct Told {
    pub(super) text: String,
    /// The part of it that was seen.
    pub(super) seen: String,
    pub(super) telling: bool,
}

impl<'a> Returns<'a> {
    pub(super) fn new(trace: &'a Trace) -> Returns<'a> {
        let mut threads: BTreeMap<ThreadName, Vec<(&ThreadName, usize)>> = BTreeMap::new();
        for (index, event) in trace.events.iter().enumerate() {
            for name in [Some(&event.thread), event.what.made()].into_iter().flatten() {
                let first = threads.entry(name.process()).or_default();
                if first.len() < 2 && first.iter().all(|(known, _)| *known != name) {
                    first.push((name, index));
                }
            }
        }
        let mut handled: BTreeMap<&ThreadName, Vec<usize>> = BTreeMap::new();
        for one in &trace.seen.handlers {
            handled.entry(&one.thread).or_default().push(one.by);
        }
        handled.values_mut().for_each(|each| each.sort_unstable());
        let mut returns = Returns { trace, late: BTreeMap::new(), begun: BTreeMap::new(), handled, threads };
        for handled in &trace.seen.handlers {
            if !returns.is_event(handled) {
                returns.begun.entry(handled.by).or_default().push(handled);
            }
        }
        for call in &trace.seen.calls {
            if let Some(by) = call.returned.as_ref().map(|returned| returned.by)
                && !returns.is_at_once(call)
                && !returns.is_refused(call)
            {
                returns.late.entry(by).or_default().push(call);
            }
        }
        returns
    }

    /// The handlers that began before the event with this index, and are told by no event.
    pub(super) fn begun_before(&self, index: usize) -> impl Iterator<Item = &'a Handled> + '_ {
        self.begun.get(&index).into_iter().flatten().copied()
    }

    /// The calls that had returned before it, and are told apart from where they began.
    pub(super) fn late_before(&self, index: usize) -> impl Iterator<Item = &'a SeenCall> + '_ {
        self.late.get(&index).into_iter().flatten().copied()
    }

    /// True if it is known what the call returned that was made last before this event, for the nth time.
    pub(super) fn knows(&self, thread: &ThreadName, call: Site, nth: u32, before: usize) -> bool {
        let went = |event: &Event| event.thread == *thread && event.what == What::Go(call, nth);
        let made = self.trace.events.iter().take(before).rposition(went);
        made.and_then(|made| self.trace.seen.call(made)).is_some_and(|call| call.returned.is_some())
    }

    /// The call that began with the event with this index, if there is something to tell of it there.
    pub(super) fn call_at(&self, index: usize) -> Option<Told> {
        let call = self.trace.seen.call(index)?;
        let at_once = self.is_at_once(call);
        (at_once || call.sends.is_some()).then(|| self.told(call, at_once)).flatten()
    }

    /// What was seen of a call, with what it returned.
    pub(super) fn late(&self, call: &SeenCall) -> Option<Told> {
        self.told(call, true)
    }

    fn told(&self, call: &SeenCall, with_result: bool) -> Option<Told> {
        let (name, nth) = self.trace.events.get(call.event)?.what.begun()?;
        let sends = call.sends.as_ref();
        let sends = sends.map(|(signal, to)| format!("({}, {signal})", several(to))).unwrap_or_default();
        let nth = if nth > 1 { format!(" #{nth}") } else { String::new() };
        let result = call.returned.as_ref().map(|returned| &returned.result).filter(|_| with_result);
        let telling = call.sends.is_some() || result.is_some_and(is_telling);
        let result = result.map(result_words).unwrap_or_default();
        Some(Told { text: format!("{name}{sends}{nth}{result}"), seen: sends + &result, telling })
    }

    /// ` = p0.1` of the call that the thread was in when the signal with this index came, if that is known.
    pub(super) fn entered(&self, index: usize) -> Option<String> {
        let made = self.made_before(index)?;
        let call = self.trace.seen.call(made)?;
        self.is_entered(made)
            .then(|| call.returned.as_ref().map(|returned| result_words(&returned.result)))?
    }

    /// The event with which the thread of this one was let go last before it.
    fn made_before(&self, index: usize) -> Option<usize> {
        let thread = &self.trace.events.get(index)?.thread;
        let mut before = self.trace.events.iter().take(index);
        before.rposition(|event| event.thread == *thread && matches!(event.what, What::Go(..)))
    }

    /// A handler that no event tells, in words.
    pub(super) fn handler(&self, handled: &Handled) -> String {
        let place = self.place(handled).map(|place| format!(" {place}")).unwrap_or_default();
        let since = self.cause(handled).map(|cause| format!("pending {cause}"));
        let more = coalesced::of_handler(&self.trace.events, handled);
        let lines: Vec<String> = since.into_iter().chain(more).collect();
        let more = if lines.is_empty() { String::new() } else { format!(":\n  {}", lines.join("\n  ")) };
        self.by_thread(&handled.thread, &format!("{} handler{place}{more}", handled.signal), handled.by)
    }

    /// Where a handler began: `in read`, `after rt_sigprocmask`; none where its thread was sent the signal at an instruction, or
    /// brought it about itself somewhere after its last call.
    fn place(&self, handled: &Handled) -> Option<String> {
        let Handled { by, thread, signal, since: _ } = handled;
        let before = self.of_thread(thread, *by).rev().map(|(_, event)| &event.what);
        let mut before = before.skip_while(|what| matches!(what, What::Signal(_))).peekable();
        let stepped = before.peek().is_some_and(|what| matches!(what, What::Step(_)));
        match before.find(|what| !matches!(what, What::Step(_)))? {
            What::Sleep(call, _) => Some(format!("in {call}")),
            // It lets signals in for as long as it lasts.
            What::Go(Site::Before(call) | Site::Entering(call), _) if has_mask(*call) && !stepped => {
                Some(format!("in {call}"))
            }
            What::Go(Site::Before(call) | Site::Entering(call) | Site::In(call), _)
                if !signal.is_crash() && !stepped =>
            {
                Some(format!("after {call}"))
            }
            What::Go(site, _) if between_calls(*site) && !signal.is_crash() => Some(site_words(*site)),
            What::Go(..)
            | What::Exec(_)
            | What::Step(_)
            | What::Make(_)
            | What::Signal(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => None,
        }
    }

    /// The words about a signal whose handler comes next, before the event with this index; with the thread's name where its
    /// process has several.
    pub(super) fn by_thread(&self, thread: &ThreadName, words: &str, index: usize) -> String {
        let first = self.threads.get(&thread.process());
        match first.into_iter().flatten().any(|(name, since)| *name != thread && *since < index) {
            true => format!("{thread} takes {}", words.replacen(" handler", ": handler", 1)),
            false => words.to_owned(),
        }
    }

    /// Since when a signal had been pending that was seen to be, before its handler began: `since p0.1 ended`.
    fn cause(&self, handled: &Handled) -> Option<String> {
        let Handled { thread, signal, .. } = handled;
        let (signal, since, events) = (*signal, handled.since?, &self.trace.events);
        let process = thread.process();
        let own = |event: &Event| event.thread.process() == process;
        let went = |event: &Event| own(event) && matches!(event.what, What::Go(..));
        // There it was looked for, and was not pending.
        let from = events.iter().take(since).rposition(went).unwrap_or_default();
        let between = events.iter().enumerate().take(since).skip(from);
        let mut causes = between.filter_map(|(index, event)| match &event.what {
            What::End(_) if signal == Signal::CHLD && event.thread.is_process() => {
                let child = event.thread.parent() == Some(process.clone());
                child.then(|| format!("{} ended", event.thread))
            }
            What::Stop if signal == Signal::CHLD => {
                let child = event.thread.process().parent() == Some(process.clone());
                child.then(|| format!("{} stopped", event.thread.process()))
            }
            What::Fire(fired) if own(event) && *fired == signal => Some("a timer ran out".to_owned()),
            What::Step(Action::Send(sent) | Action::SendGroup(sent)) if own(event) && *sent == signal => {
                Some("it was sent".to_owned())
            }
            What::Go(..) => {
                let (sent, to) = self.trace.seen.call(index)?.sends.as_ref()?;
                let here = *sent == signal && to.iter().any(|to| to.process() == process);
                here.then(|| format!("{} sent it", event.thread))
            }
            What::End(_)
            | What::Stop
            | What::Fire(_)
            | What::Step(_)
            | What::Exec(_)
            | What::Sleep(..)
            | What::Make(_)
            | What::Signal(_)
            | What::Continue
            | What::Expire(_)
            | What::Refuse(..)
            | What::NotHeld(..) => None,
        });
        match (causes.next(), events.get(since).map(|event| &event.what)) {
            (Some(cause), _) => Some(format!("since {cause}")),
            (None, Some(What::Go(site, _))) => Some(format!("already {}", site_words(*site))),
            (None, _) => None,
        }
    }

    /// The events of a thread before that with this index.
    fn of_thread<'b>(
        &'b self,
        thread: &'b ThreadName,
        before: usize,
    ) -> impl DoubleEndedIterator<Item = (usize, &'a Event)> + 'b {
        let events = self.trace.events.iter().enumerate().take(before);
        events.filter(move |(_, event)| event.thread == *thread)
    }

    /// True if an event tells that this handler comes: right before, but that the thread is then let go from where it was held
    /// between two calls.
    fn is_event(&self, handled: &Handled) -> bool {
        let mut last =
            self.of_thread(&handled.thread, handled.by).rev().map(|(_, event)| &event.what).peekable();
        last.next_if(|what| matches!(what, What::Go(site, _) if between_calls(*site)));
        let mut signals =
            last.map_while(|what| if let What::Signal(signal) = what { Some(signal) } else { None });
        signals.any(|signal| *signal == handled.signal)
    }

    /// True if the call had returned before anything else of its thread happened, or is told by its signal.
    fn is_at_once(&self, call: &SeenCall) -> bool {
        let Some(returned) = &call.returned else { return false };
        let Some(event) = self.trace.events.get(call.event) else { return false };
        let thread = &event.thread;
        let until = self.trace.events.iter().take(returned.by);
        let more = until.skip(call.event + 1).any(|event| event.thread == *thread);
        let begun = self.handled.get(thread).map_or(&[][..], Vec::as_slice);
        let next = begun.get(begun.partition_point(|by| *by <= call.event));
        let handled = next.is_some_and(|by| *by <= returned.by);
        !more && !handled || self.is_entered(call.event)
    }

    /// True if the thread was let go into the call with signals that come after it.
    fn is_entered(&self, made: usize) -> bool {
        let Some(event) = self.trace.events.get(made) else { return false };
        let mut after = self.trace.events.iter().skip(made + 1).filter(|other| other.thread == event.thread);
        let next = after.next().map(|event| &event.what);
        let handled = matches!(next, Some(What::Signal(signal)) if !takes_effect(*signal, after.next().map(|event| &event.what)));
        handled && matches!(event.what, What::Go(Site::Entering(_), _))
    }

    /// True if the harness refused the call, which an event tells.
    fn is_refused(&self, call: &SeenCall) -> bool {
        let Some(event) = self.trace.events.get(call.event) else { return false };
        let mut after =
            self.trace.events.iter().skip(call.event + 1).filter(|other| other.thread == event.thread);
        after.next().is_some_and(|next| matches!(next.what, What::Refuse(..)))
    }
}

/// Each handler that was seen to begin; where, in words; and since when its signal had been pending, where it was blocked before.
pub fn arrivals(trace: &Trace) -> Vec<(&Handled, Option<String>, Option<String>)> {
    let returns = Returns::new(trace);
    let told = |handled| (handled, returns.place(handled), returns.cause(handled));
    trace.seen.handlers.iter().map(told).collect()
}

/// True for a call that has a signal mask of its own.
fn has_mask(call: Syscall) -> bool {
    const WITH_MASK: [Sysno; 5] =
        [Sysno::rt_sigsuspend, Sysno::ppoll, Sysno::pselect6, Sysno::epoll_pwait, Sysno::epoll_pwait2];
    call.sysno().is_some_and(|call| WITH_MASK.contains(&call))
}

/// True for a place between two calls.
fn between_calls(site: Site) -> bool {
    match site {
        Site::After(_) | Site::At(_) | Site::Probe(_) => true,
        Site::Before(_) | Site::Entering(_) | Site::In(_) | Site::Quiet => false,
    }
}

/// ` = 3 of 10`, ` = -1 EINTR`, ` = p0.1`.
fn result_words(result: &CallResult) -> String {
    match result {
        CallResult::Failed(error) => format!(" = -1 {}", plain(error)),
        CallResult::Number(number) => format!(" = {number}"),
        CallResult::Bytes(done, asked) if done == asked => format!(" = {done}"),
        CallResult::Bytes(done, asked) => format!(" = {done} of {asked}"),
        CallResult::Process(process) => format!(" = {process}"),
        CallResult::Signal(signal) => format!(" = {signal}"),
    }
}

fn is_telling(result: &CallResult) -> bool {
    match result {
        CallResult::Failed(error) => BROUGHT_ABOUT.contains(&error.as_str()),
        CallResult::Process(_) | CallResult::Signal(_) => true,
        CallResult::Number(_) | CallResult::Bytes(..) => false,
    }
}

/// To whom a signal is sent.
fn several(to: &[ThreadName]) -> String {
    match to {
        [] => "nobody".to_owned(),
        few if few.len() <= MOST_NAMED => listed(few),
        many => format!("{} processes", many.len()),
    }
}
