//! No SIGTERM is lost: where it ends the first process in some runs, it ends it in all.
//!
//! This is said of one run, which waits as the reference run does. Whether the signal is lost there shows where it comes
//! elsewhere, without interrupting a call: a search counts it only if it ends the process there (`explore::lost`). Of other signals
//! nobody knows what they ask for.

use super::{Exits, Expectation, Held, Kind, Scope};
use crate::schedule::Step;
use crate::signal::Signal;
use crate::trace::{Broken, End, Run, Sleeper};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Lost,
    title: "a signal is lost that ends it elsewhere",
    word: "lost",
    scope: Scope::Uncut,
    of_scenario: |expect, reference| Ok(expect.heeded.then(|| of(reference)).flatten()),
    against: |reference, how| {
        let asked = matches!(how.exits, Exits::Uninterrupted | Exits::Atomic) && how.exit.is_none();
        Ok((how.sends && asked).then(|| of(reference)).flatten())
    },
};

/// If the reference run ended, waiting is wrong anyway.
fn of(reference: &Run) -> Option<Held> {
    matches!(reference.outcome.end, End::Idle(_)).then(|| Arc::new(Heeded) as _)
}

#[derive(Debug)]
struct Heeded;

impl Expectation for Heeded {
    fn breach(&self, run: &Run) -> Option<String> {
        let End::Idle(sleepers) = &run.outcome.end else { return None };
        let sent = |step: &&Step| step.action.signal() == Some(Signal::TERM) && !run.unreached.contains(step);
        let step = run.schedule.steps.iter().find(sent)?;
        Some(format!(
            "expected SIGTERM to end it, as it does at other places; when it comes to {}, only the outside could go on: {}",
            step.point(),
            Sleeper::list(sleepers)
        ))
    }
}
