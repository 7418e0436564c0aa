//! No run ends up waiting for the outside, unless a scenario or the reference run says that it may.

use super::{Expectation, Kind, Scope, Typed, answers_more};
use crate::trace::{Broken, End, Run, Sleeper};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Idle,
    title: "it waits for the outside",
    word: "idle",
    scope: Scope::Every,
    of_scenario: |expect, _| Ok((!expect.idle).then(|| Arc::new(NoIdling { reference: None }) as _)),
    against: |reference, how| {
        let ended = !matches!(reference.outcome.end, End::Idle(_)) || how.must_end();
        Ok((ended && how.typed == Typed::Nothing)
            .then(|| Arc::new(NoIdling { reference: Some(reference.clone()) }) as _))
    },
};

#[derive(Debug)]
struct NoIdling {
    /// Who is typed at may ask back, which this run was not.
    reference: Option<Run>,
}

impl Expectation for NoIdling {
    fn breach(&self, run: &Run) -> Option<String> {
        match &run.outcome.end {
            End::Idle(_) if self.reference.as_ref().is_some_and(|other| answers_more(run, other)) => None,
            End::Idle(sleepers) => Some(format!(
                "expected an end, but only the outside could go on: {}",
                Sleeper::list(sleepers)
            )),
            End::Ended(_)
            | End::Hang(_)
            | End::Stopped
            | End::Spinning(_)
            | End::Stalled(_)
            | End::TimedOut => None,
        }
    }
}
