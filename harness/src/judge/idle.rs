//! No run ends up waiting for the outside, unless a scenario or the reference run says that it may.
//!
//! NOTE \[Roused\] Clients come after each signal, and who has missed it may end only because they do: that it slept until then is the same
//! finding, unless the reference run needed them as well.

use super::{Expectation, Kind, Scope, Typed, answers_more};
use crate::trace::{Broken, End, Run, Sleeper};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Idle,
    title: "it waits for the outside",
    word: "idle",
    scope: Scope::Every,
    of_scenario: |expect, reference| {
        let roused = !reference.outcome.roused.is_empty();
        Ok((!expect.idle).then(|| Arc::new(NoIdling { roused, reference: None }) as _))
    },
    against: |reference, how| {
        let ended = !matches!(reference.outcome.end, End::Idle(_)) || how.must_end();
        let roused = !reference.outcome.roused.is_empty();
        Ok((ended && how.typed == Typed::Nothing)
            .then(|| Arc::new(NoIdling { roused, reference: Some(reference.clone()) }) as _))
    },
};

#[derive(Debug)]
struct NoIdling {
    /// The reference run ended only when clients came.
    roused: bool,
    /// Who is typed at may ask back, which this run was not.
    reference: Option<Arc<Run>>,
}

impl Expectation for NoIdling {
    fn breach(&self, run: &Run) -> Option<String> {
        match &run.outcome.end {
            End::Idle(_) if self.reference.as_ref().is_some_and(|other| answers_more(run, other)) => None,
            End::Idle(sleepers) => Some(format!(
                "expected an end, but only the outside could go on: {}",
                Sleeper::list(sleepers)
            )),
            End::Ended(_) if !self.roused && !run.outcome.roused.is_empty() => Some(format!(
                "expected an end, but only the outside could go on, until a client came: {}",
                Sleeper::list(&run.outcome.roused)
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
