//! For which children's ends one SIGCHLD stands, where that is known.
//!
//! A standard signal that is pending is not queued again (signal(7), "Queueing and delivery semantics for standard signals"). So a
//! SIGCHLD stands for all children that end from when it is pending until it is handled. It is pending since the first of them
//! ended where nothing of the process went on in between, or where it was seen pending and blocked.

use super::words::listed;
use crate::schedule::{Site, ThreadName};
use crate::signal::Signal;
use crate::trace::{Event, Handled, What};

/// So many children are named.
const MOST_NAMED: usize = 3;

/// `once for the ends of p0.1 and p0.2`, of the SIGCHLD that is the event with this index; none if it is not known to stand for several.
pub(super) fn of_event(events: &[Event], index: usize) -> Option<String> {
    let Event { thread, .. } = events.get(index).filter(|event| event.what == What::Signal(Signal::CHLD))?;
    let process = thread.process();
    let mut own =
        events.iter().enumerate().take(index).rev().filter(|(_, event)| is_of(&event.thread, &process));
    // What comes right before it is no going on: other signals, what the harness did, and the call that it comes after.
    let (last, event) = own.find(|(_, event)| {
        !matches!(event.what, What::Signal(_) | What::Step(_) | What::Go(Site::Entering(_), _))
    })?;
    // Who sleeps handles it as soon as the first one ends.
    let asleep = matches!(event.what, What::Sleep(..));
    words(&process, events.get(last..index).filter(|_| !asleep)?)
}

/// The same of a handler that no event tells.
pub(super) fn of_handler(events: &[Event], handled: &Handled) -> Option<String> {
    let Handled { by, thread, signal, since } = handled;
    let (since, process) = ((*since)?, thread.process());
    let own = |event: &Event| is_of(&event.thread, &process);
    // There it was looked for, and was not pending; and it was handled right after the thread's last event.
    let from = events.iter().take(since).rposition(|event| own(event) && matches!(event.what, What::Go(..)));
    let last = events.iter().take(*by).rposition(|event| event.thread == *thread)?;
    let between = events.get(from.unwrap_or_default()..last).filter(|_| *signal == Signal::CHLD)?;
    words(&process, between)
}

fn is_of(thread: &ThreadName, process: &ThreadName) -> bool {
    thread.process() == *process
}

/// Names the children of this process that end in these events, if they are several.
fn words(process: &ThreadName, events: &[Event]) -> Option<String> {
    let ended = events.iter().filter(|event| matches!(event.what, What::End(_)) && event.thread.is_process());
    let children = ended.filter(|event| event.thread.parent().as_ref() == Some(process));
    let mut names: Vec<String> = children.map(|event| event.thread.to_string()).collect();
    if names.len() < 2 {
        return None;
    }
    if names.len() > MOST_NAMED {
        let more = names.split_off(MOST_NAMED - 1).len();
        names.push(format!("{more} more"));
    }
    Some(format!("once for the ends of {}", listed(names)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(lines: &[&str]) -> Vec<Event> {
        let event = |line: &&str| {
            let (thread, what) = line.split_once(' ').unwrap();
            Event {
                thread: thread.parse().unwrap(),
                what: ron::from_str(what).unwrap(),
                others: Default::default(),
            }
        };
        lines.iter().map(event).collect()
    }

    #[test]
    fn a_signal_stands_for_all_ends_since_its_process_last_went_on() {
        let told = |lines: &[&str]| {
            let events = events(lines);
            of_event(&events, events.len() - 1)
        };
        let ends = |number: u32| format!("p0.{number} End(Exited(0))");
        let (one, two, three, four) = (&ends(1)[..], &ends(2)[..], &ends(3)[..], &ends(4)[..]);
        let (go, step, signal) = ("p0 Go(Before(getpid), 1)", "p0 Step(Switch(All))", "p0 Signal(SIGCHLD)");
        let both = Some("once for the ends of p0.1 and p0.2".to_owned());
        assert_eq!(told(&[go, step, one, two, signal]), both);
        assert_eq!(
            told(&[go, step, one, "p0.2.1 End(Exited(0))", "p0.2/2 End(Exited(0))", two, signal]),
            both
        );
        assert_eq!(told(&[go, one, two, "p0 Go(Entering(wait4), 1)", "p0 Signal(SIGUSR1)", signal]), both);
        assert_eq!(
            told(&[go, step, one, two, three, four, signal]).unwrap(),
            "once for the ends of p0.1, p0.2 and 2 more"
        );
        // One alone is no news; and what ended before the process went on had a signal of its own, as far as is known.
        assert_eq!(told(&[go, step, two, signal]), None);
        assert_eq!(told(&[step, one, go, two, signal]), None);
        assert_eq!(told(&["p0 Sleep(pause, 1)", one, two, signal]), None);
        assert_eq!(told(&[go, step, one, two, "p0 Signal(SIGTERM)"]), None);
    }

    #[test]
    fn a_signal_that_was_blocked_stands_for_all_ends_until_it_was_handled() {
        let events = events(&[
            "p0 Go(Before(getpid), 1)",
            "p0.1 End(Exited(0))",
            "p0 Go(Before(getpid), 2)",
            "p0.2 End(Exited(0))",
            "p0 Go(Before(rt_sigprocmask), 1)",
            "p0.3 End(Exited(0))",
            "p0 Go(Before(getpid), 3)",
        ]);
        let handled = |since| Handled { by: 6, thread: ThreadName::root(), signal: Signal::CHLD, since };
        let told = |since| of_handler(&events, &handled(since));
        assert_eq!(told(Some(2)).unwrap(), "once for the ends of p0.1 and p0.2");
        assert_eq!((told(Some(4)), told(None)), (None, None));
    }
}
