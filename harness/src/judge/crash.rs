//! No process crashes, unless that is how the first one is expected to end, or the outside sent it that signal.

use super::exit::{self, Ending};
use super::{Expectation, Kind, Scope};
use crate::schedule::{Action, ThreadName};
use crate::signal::Signal;
use crate::trace::{Broken, End, Event, Run, Status, What};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Crash,
    title: "a process crashes",
    word: "crash",
    scope: Scope::InTime,
    of_scenario: |expect, _| Ok(Some(Arc::new(NoCrash { exit: exit::of_scenario(expect) }))),
    against: |reference, how| Ok(Some(Arc::new(NoCrash { exit: exit::against(reference, how) }))),
};

#[derive(Debug)]
struct NoCrash {
    /// How the first process is expected to end.
    exit: Option<Ending>,
}

impl Expectation for NoCrash {
    fn breach(&self, run: &Run) -> Option<String> {
        let sent = |process: &ThreadName, signal: Signal| {
            let mut steps = run.schedule.steps.iter();
            steps.any(|step| match step.action {
                Action::Send(other) => step.thread.process() == *process && other == signal,
                Action::SendGroup(other) => other == signal,
                Action::Switch(_) | Action::Fire | Action::Type(_) | Action::Resize(..) | Action::HangUp => {
                    false
                }
            })
        };
        let asked = |process: &ThreadName, status: Status| {
            *process == ThreadName::root()
                && self.exit.as_ref().is_some_and(|exit| exit.allows(status))
                && run.outcome.end == End::Ended(status)
        };
        run.events.iter().find_map(|Event { thread, what, .. }| {
            let What::End(status @ Status::Killed(signal)) = *what else { return None };
            // How a client ends is a matter of its own.
            let process = Some(thread.process()).filter(|process| process.client_of().is_none())?;
            let crash = signal.is_crash() && !asked(&process, status) && !sent(&process, signal);
            crash.then(|| format!("{process} was killed by {signal}"))
        })
    }
}
