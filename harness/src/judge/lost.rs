//! No signal is lost that ends the first process elsewhere.
//!
//! This is said of one run, which waits as the reference run does. Whether the signal is lost there shows where it comes
//! elsewhere, without interrupting a call: a search counts it only if it ends the process there (`explore::lost`). SIGTERM asks for an
//! end wherever it comes. What other signals ask for nobody knows, so they are compared only with the same just before the call in which
//! they are lost, when the program's memory is the same.
//!
//! Many programs end by a ^C while they start and take it for less later on, so of keys it is asked that the reference run ends.

use super::{Exits, Expectation, Held, Kind, Scope, Typed};
use crate::schedule::{Point, Step};
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
        let waits = |at: &Point| {
            format!("when it comes to {at}, only the outside could go on: {}", Sleeper::list(sleepers))
        };
        let sent = run.schedule.steps.iter().filter(|step| !run.unreached.contains(step));
        let asks = |step: &Step| Some((step.action.asks_to_end()?, step.point()));
        if let Some((signal, at)) = sent.into_iter().find_map(asks) {
            let told = waits(&at);
            return Some(format!("expected {signal} to end it, as it does at other places; {told}"));
        }
        let met = run.sent_asleep()?;
        let (signal, told) = (met.step.action.signal()?, waits(&met.asleep()));
        Some(format!("expected {signal} to end it, as it does just before the same call; {told}"))
    }
}
