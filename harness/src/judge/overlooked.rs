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
use crate::trace::{Broken, End, Outcome, Run};
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
    let signal = only_signal(reference)?;
    let waits = matches!(reference.outcome.end, End::Idle(_) | End::Hang(_) | End::Stalled(_));
    let as_it = || As { signal, outcome: reference.outcome.clone(), effects: reference.effects(), late };
    waits.then(|| Arc::new(as_it()) as _)
}

/// The signal that the schedule sends, if it does that once and nothing else comes from outside.
fn only_signal(run: &Run) -> Option<Signal> {
    let mut outside = run.schedule.steps.iter().filter(|step| step.action.is_from_outside());
    let signal = outside.next()?.action.signal()?;
    outside.next().is_none().then_some(signal)
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
        if only_signal(run) != Some(self.signal) || !run.outcome.ends_like(&self.outcome) {
            return None;
        }
        let met = run.slept_after_handling()?;
        let expired = run.outcome.took.expired;
        let until = if expired.is_zero() {
            String::new()
        } else if self.late.is_some_and(|late| expired > late) {
            let time = Duration::from_millis(expired.as_millis() as u64);
            format!(", until a time runs out after {}", humantime::format_duration(time))
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
