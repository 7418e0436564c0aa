//! The first process ends as it should, if it does.

use super::{Comparison, Exits, Expectation, Held, Kind, Scope, answers_more};
use crate::scenario::{Exit, Expect};
use crate::schedule::{Action, Step, ThreadName};
use crate::signal::SignalSet;
use crate::trace::{Broken, End, Run, Status, What};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Exit,
    title: "another exit than expected",
    word: "exit",
    scope: Scope::Uncut,
    of_scenario: |expect, _| Ok(of_scenario(expect).map(|ending| Arc::new(ending) as _)),
    against: |reference, how| {
        let held = match (against(reference, how), how.exit) {
            (Some(ending), Some(_)) => Arc::new(ending) as Held,
            (Some(ending), None) => Arc::new(Undisturbed { ending, reference: reference.clone() }),
            (None, _) => match how.gaps.without(meant(reference)) {
                SignalSet::EMPTY => return Ok(None),
                gaps => Arc::new(TakenAway(gaps)),
            },
        };
        Ok(Some(held))
    },
};

/// The signal that ended the reference run: who takes its handler away means that.
fn meant(reference: &Run) -> SignalSet {
    match reference.outcome.end.status() {
        Some(Status::Killed(signal)) => SignalSet::only(signal),
        Some(Status::Exited(_) | Status::Unseen) | None => SignalSet::EMPTY,
    }
}

/// How the first process may end.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// In this way.
    As(Exit),
    /// Not at all: the reference run went on waiting.
    Never,
}

/// As a scenario says; none if in any way.
pub(super) fn of_scenario(expect: &Expect) -> Option<Ending> {
    expect.exit.clone().map(Ending::As)
}

/// As the reference run did; none if in any way.
pub(super) fn against(reference: &Run, how: &Comparison) -> Option<Ending> {
    match (how.exit, &reference.outcome.end) {
        (Some(code), _) => Some(Ending::As(Exit::Code(code))),
        (None, _) if how.sends && how.exits != Exits::Same => None,
        (None, End::Ended(Status::Exited(code))) => Some(Ending::As(Exit::Code(*code))),
        (None, End::Ended(Status::Killed(signal))) => Some(Ending::As(Exit::Signal(*signal))),
        (None, End::Idle(_) | End::Stopped | End::Stalled(_)) => Some(Ending::Never),
        // It waits for a signal; where none could come, the reference run itself is broken.
        (None, End::Hang(_)) if how.heard => Some(Ending::Never),
        (None, End::Hang(_) | End::Spinning(_) | End::TimedOut | End::Ended(Status::Unseen)) => None,
    }
}

impl Ending {
    pub(super) fn allows(&self, status: Status) -> bool {
        match self {
            Ending::As(exit) => is_exit(exit, status),
            Ending::Never => false,
        }
    }
}

pub(super) fn is_exit(exit: &Exit, status: Status) -> bool {
    match exit {
        Exit::Code(code) => status == Status::Exited(*code),
        Exit::Signal(signal) => status == Status::Killed(*signal),
        Exit::OneOf(exits) => exits.iter().any(|exit| is_exit(exit, status)),
    }
}

/// The same where no timer ran out early: what a program does then is what it does when it takes too long, an outcome of its
/// own, as after a signal; and where nobody typed what was not typed in the reference run.
#[derive(Debug)]
struct Undisturbed {
    ending: Ending,
    reference: Arc<Run>,
}

impl Expectation for Undisturbed {
    fn breach(&self, run: &Run) -> Option<String> {
        let early = run.events.iter().any(|event| event.what == What::Step(Action::Fire));
        self.ending.breach(run).filter(|_| !early && !answers_more(run, &self.reference))
    }
}

/// No signal ends the first process that it handles, and that comes while the handler is away for a moment.
///
/// In general what follows a signal is an outcome of its own. But undisturbed runs have shown that the process installs these
/// handlers again, so an end by the signal in between is not what it is meant to do.
#[derive(Debug)]
struct TakenAway(SignalSet);

impl Expectation for TakenAway {
    fn breach(&self, run: &Run) -> Option<String> {
        let End::Ended(Status::Killed(signal)) = run.outcome.end else { return None };
        let sent = |step: &&Step| step.action.signal() == Some(signal) && !run.unreached.contains(step);
        let away = |step: &Step| {
            let mut lapses = run.lapses.iter();
            lapses.any(|lapse| lapse.point == step.point() && lapse.signals.contains(signal))
        };
        let first = |step: &Step| step.thread.process() == ThreadName::root();
        let caused = || run.schedule.steps.iter().filter(sent).any(|step| first(step) && away(step));
        (self.0.contains(signal) && caused()).then(|| {
            format!("expected {signal} to be handled: it came while its handler was taken away for a moment, and ended the process")
        })
    }
}

impl Expectation for Ending {
    fn breach(&self, run: &Run) -> Option<String> {
        let status = run.outcome.end.status()?;
        (!self.allows(status)).then(|| match self {
            Ending::As(exit) => format!("expected {}, got {status}", words(exit)),
            Ending::Never => format!("expected it to go on waiting as the reference run did, got {status}"),
        })
    }
}

pub(super) fn words(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => Status::Exited(*code).to_string(),
        Exit::Signal(signal) => Status::Killed(*signal).to_string(),
        Exit::OneOf(exits) => exits.iter().map(words).collect::<Vec<_>>().join(" or "),
    }
}
