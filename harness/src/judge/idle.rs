//! No run ends up waiting for the outside, unless a scenario or the reference run says that it may.

use super::{Expectation, Held, Kind, Scope};
use crate::trace::{Broken, End, Run, Sleeper};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Idle,
    title: "it waits for the outside",
    word: "idle",
    scope: Scope::Every,
    of_scenario: |expect, _| Ok(unless(expect.idle)),
    against: |reference, _| Ok(unless(matches!(reference.outcome.end, End::Idle(_)))),
};

fn unless(allowed: bool) -> Option<Held> {
    if allowed { None } else { Some(Arc::new(NoIdling)) }
}

#[derive(Debug)]
struct NoIdling;

impl Expectation for NoIdling {
    fn breach(&self, run: &Run) -> Option<String> {
        match &run.outcome.end {
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
