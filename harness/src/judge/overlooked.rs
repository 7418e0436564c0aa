//! No signal is handled and then not acted on: what a program that goes on waiting does after it, it does wherever the signal comes.
//!
//! This is said of one run, in which the signal comes just before a call that waits, its handler runs, and the call waits all the same:
//! nothing happens that the reference run did after the signal, and then it waits as that does, or until a time runs out, long after. Whether that is lost shows where the
//! same signal comes a moment later, in that very sleep, when the program's memory is the same; and whether it is the signal that brings it about,
//! and not a call that fails with EINTR, where it comes earlier and interrupts nothing. A search counts the run only if the program does as
//! in the reference run in both (`explore::overlooked`).

use super::{Exits, Expectation, Held, Kind, LATE, Scope};
use crate::schedule::{Syscall, ThreadName};
use crate::signal::Signal;
use crate::trace::{Broken, End, Outcome, Run, lasting};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Overlooked,
    title: "a signal is handled and not acted on",
    word: "overlooked",
    // A program that only lets time pass is cut off in the end.
    scope: Scope::InTime,
    of_scenario: |expect, reference| Ok(expect.heeded.then(|| of(reference, Some(LATE))).flatten()),
    against: |reference, how| {
        let asked = how.sends && how.exits != Exits::Any && how.exit.is_none();
        Ok(asked.then(|| of(reference, how.late)).flatten())
    },
};

/// Only where one signal is sent, and the program waits on.
fn of(reference: &Run, late: Option<Duration>) -> Option<Held> {
    let (_, signal) = reference.schedule.only_signal()?;
    let waits = matches!(reference.outcome.end, End::Idle(_) | End::Hang(_) | End::Stalled(_));
    let as_it = || As { signal, outcome: reference.outcome.clone(), effects: reference.effects(), late };
    waits.then(|| Arc::new(as_it()) as _)
}

/// What the reference run did.
#[derive(Debug)]
struct As {
    signal: Signal,
    outcome: Outcome,
    effects: BTreeMap<(ThreadName, Syscall), u32>,
    /// A time that runs out so soon wakes it as well; none for any.
    late: Option<Duration>,
}

impl As {
    /// The calls that the run has not made; none if it has made others.
    fn missing(&self, run: &Run) -> Vec<String> {
        let effects = run.effects();
        if effects.iter().any(|(one, times)| self.effects.get(one).is_none_or(|most| most < times)) {
            return Vec::new();
        }
        let fewer =
            self.effects.iter().filter(|(one, times)| effects.get(one).is_none_or(|made| made < times));
        fewer.map(|((process, call), _)| format!("{call} of {process}")).collect()
    }
}

impl Expectation for As {
    fn breach(&self, run: &Run) -> Option<String> {
        if run.schedule.only_signal().is_none_or(|(_, signal)| signal != self.signal)
            || !run.outcome.ends_like(&self.outcome)
        {
            return None;
        }
        let met = run.slept_after_handling()?;
        let expired = run.outcome.took.expired;
        let until = if expired.is_zero() {
            String::new()
        } else if self.late.is_some_and(|late| expired > late) {
            format!(", until a time runs out after {}", lasting(expired))
        } else {
            return None;
        };
        let missing = self.missing(run);
        (!missing.is_empty()).then(|| {
            format!(
                "expected {}, as in the reference run, where {} comes to {}, and where it comes earlier and interrupts nothing; when it \
                 comes to {} its handler runs, and then it sleeps there all the same{until}",
                missing.join(", "),
                self.signal,
                met.asleep(),
                met.before()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::schedule::Schedule;
    use crate::trace::{Event, Sleeper, Took};

    /// A run of `p0` that is sent SIGHUP at this place, and waits in the end.
    fn waiting(at: &str, events: &[&str]) -> Run {
        let call: Syscall = "poll".parse().unwrap();
        let thread = ThreadName::root();
        let event = |what: &&str| Event {
            thread: thread.clone(),
            what: ron::from_str(what).unwrap(),
            others: Default::default(),
        };
        let sleeper =
            Sleeper { thread: thread.clone(), call, caught: Default::default(), why: String::new() };
        let schedule = format!("[(at: {at}, in: \"p0\", action: Send(SIGHUP))]");
        let schedule: Schedule = ron::from_str(&schedule).unwrap();
        Run {
            schedule,
            events: Arc::new(events.iter().map(event).collect()),
            ..run(End::Idle(vec![sleeper]))
        }
    }

    const SENT: &str = "Step(Send(SIGHUP))";
    const HANDLED: &str = "Signal(SIGHUP)";
    const WRITES: &str = "Go(Before(write), 1)";
    const AGAIN: &str = "Go(Before(poll), 2)";
    const SLEEPS: &str = "Sleep(poll, 1)";

    #[test]
    fn only_what_sleeps_right_after_its_handler_and_does_nothing_is_overlooked() {
        let usual = ["Go(Before(poll), 1)", SLEEPS, SENT, HANDLED, WRITES, AGAIN, "Sleep(poll, 2)"];
        let reference = waiting("In(poll)", &usual);
        let held = of(&reference, Some(LATE)).unwrap();
        let told = |run: &Run| held.breach(run);
        let before = |events: &[&str]| waiting("Before(poll)", events);
        assert_eq!(told(&reference), None);

        let lost = before(&[SENT, HANDLED, AGAIN, SLEEPS]);
        let why = told(&lost).unwrap();
        assert!(
            why.starts_with("expected write of p0, ") && why.ends_with("sleeps there all the same"),
            "{why}"
        );
        for events in [
            // Its handler has not run, it does not sleep, it acts, or it does something else as well.
            &[SENT, AGAIN, SLEEPS][..],
            &[SENT, HANDLED, AGAIN],
            &[SENT, HANDLED, AGAIN, WRITES, SLEEPS],
            &[SENT, HANDLED, WRITES, AGAIN, SLEEPS],
            &[SENT, HANDLED, "Go(Before(kill), 1)", AGAIN, SLEEPS],
        ] {
            assert_eq!(told(&before(events)), None, "{events:?}");
        }
        // It waits for something else, or was sent nothing.
        let elsewhere = Run { outcome: run(End::Idle(Vec::new())).outcome, ..lost.clone() };
        assert_eq!(told(&elsewhere), None);
        assert_eq!(told(&Run { schedule: Schedule::empty(), ..lost.clone() }), None);

        // What it does when a time runs out is late, or soon enough.
        let mut late = before(&[SENT, HANDLED, AGAIN, SLEEPS, "Expire(poll)", WRITES, "Sleep(poll, 2)"]);
        for (seconds, is_late) in [(60, true), (5, false)] {
            late.outcome.took = Took { expired: Duration::from_secs(seconds), ..Took::default() };
            let why = told(&late);
            assert_eq!(why.is_some(), is_late, "{seconds}");
            assert!(why.is_none_or(|why| why.ends_with("all the same, until a time runs out after 1m")));
        }
    }
}
