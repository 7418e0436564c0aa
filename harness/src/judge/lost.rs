//! No SIGTERM is lost: where it ends the first process in some runs, it ends it in all. Nor is a ^C or a ^\\ that ends it when
//! everything sleeps.
//!
//! This is said of one run, which waits as the reference run does. Whether the signal is lost there shows where it comes
//! elsewhere, without interrupting a call: a search counts it only if it ends the process there (`explore::lost`). Of other signals
//! nobody knows what they ask for. Many programs end by a ^C while they start and take it for less later on, so of keys it is asked
//! that the reference run ends.

use super::{Exits, Expectation, Held, Kind, Scope, Typed};
use crate::schedule::Step;
use crate::trace::{Broken, End, Run, Sleeper};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Lost,
    title: "a signal is lost that ends it elsewhere",
    word: "lost",
    scope: Scope::Uncut,
    of_scenario: |expect, reference| {
        // Where it may wait, waiting is not wrong by itself.
        let held = || if expect.idle { Some(Arc::new(Heeded) as _) } else { of(reference) };
        Ok(expect.heeded.then(held).flatten())
    },
    against: |reference, how| {
        let asked = matches!(how.exits, Exits::Uninterrupted | Exits::Atomic) && how.exit.is_none();
        Ok((how.sends && asked).then(|| against(reference, how.typed)).flatten())
    },
};

fn against(reference: &Run, typed: Typed) -> Option<Held> {
    match typed {
        Typed::Nothing => of(reference),
        Typed::Keys => matches!(reference.outcome.end, End::Ended(_)).then(|| Arc::new(Heeded) as _),
        Typed::Text => None,
    }
}

/// If the reference run ended, waiting is wrong anyway.
fn of(reference: &Run) -> Option<Held> {
    matches!(reference.outcome.end, End::Idle(_)).then(|| Arc::new(Heeded) as _)
}

#[derive(Debug)]
struct Heeded;

impl Expectation for Heeded {
    fn breach(&self, run: &Run) -> Option<String> {
        let End::Idle(sleepers) = &run.outcome.end else { return None };
        let sent = |step: &&Step| step.action.asks_to_end().is_some() && !run.unreached.contains(step);
        let step = run.schedule.steps.iter().find(sent)?;
        let signal = step.action.asks_to_end()?;
        Some(format!(
            "expected {signal} to end it, as it does at other places; when it comes to {}, only the outside could go on: {}",
            step.point(),
            Sleeper::list(sleepers)
        ))
    }
}
