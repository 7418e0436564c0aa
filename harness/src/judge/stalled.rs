//! No run goes on only by its own clock, unless the reference run did or was cut off at a limit too, and nobody said that it
//! is to end.

use super::timed_out::unless_cut;
use super::{Expectation, Kind, Scope};
use crate::trace::{Broken, End, Run, Sleeper};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Stalled,
    title: "it only lets time pass",
    word: "stalled",
    scope: Scope::Every,
    of_scenario: |_, _| Ok(Some(Arc::new(NoStalling))),
    against: |reference, how| {
        if how.must_end() { Ok(Some(Arc::new(NoStalling))) } else { Ok(unless_cut(reference, NoStalling)) }
    },
};

#[derive(Debug)]
struct NoStalling;

impl Expectation for NoStalling {
    fn breach(&self, run: &Run) -> Option<String> {
        match &run.outcome.end {
            End::Stalled(sleepers) => Some(format!(
                "expected an end, but it sleeps for a time again and again: {}",
                Sleeper::list(sleepers)
            )),
            End::Ended(_) | End::Hang(_) | End::Idle(_) | End::Stopped | End::Spinning(_) | End::TimedOut => {
                None
            }
        }
    }
}
