//! The terminal is left in the modes in which it was found: where a scenario says so, or where the reference run left it so and
//! this one ends alike.

use super::{Expectation, Kind, Scope};
use crate::trace::{Broken, End, Outcome, Run};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Modes,
    title: "the terminal is left in other modes",
    word: "modes",
    scope: Scope::Uncut,
    of_scenario: |expect, _| Ok(expect.restored.then(|| Arc::new(Restored { like: None }) as _)),
    against: |reference, _| {
        let outcome = &reference.outcome;
        let restored = left_in(outcome).is_some_and(<[String]>::is_empty);
        let ended = matches!(outcome.end, End::Ended(_));
        Ok((ended && restored).then(|| Arc::new(Restored { like: Some(outcome.clone()) }) as _))
    },
};

/// In which modes it was left, where they are known.
fn left_in(outcome: &Outcome) -> Option<&[String]> {
    outcome.terminal.as_ref()?.modes.as_deref()
}

#[derive(Debug)]
struct Restored {
    /// Only of runs that end like this one.
    like: Option<Outcome>,
}

impl Expectation for Restored {
    fn breach(&self, run: &Run) -> Option<String> {
        let outcome = &run.outcome;
        let asked = match &self.like {
            Some(like) => outcome.ends_like(like),
            None => matches!(outcome.end, End::Ended(_)),
        };
        let modes = left_in(outcome).filter(|modes| asked && !modes.is_empty())?;
        Some(format!("expected the terminal in the modes in which it was found, got {}", modes.join(" ")))
    }
}
