//! A call that a signal interrupts is not taken for its end: the first process ends no other way than in the reference run
//! because of it (EINTR, signal(7)).
//!
//! This is said of one run. Whether it is due to the interruption shows where the signal comes just before the same call
//! instead: a search counts it only if the program then ends as in the reference run (`explore::interrupted`).

use super::{Exits, Expectation, Kind, Scope};
use crate::trace::{Broken, End, Run, Status};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Interrupted,
    title: "an interrupted call is taken for its end",
    word: "interrupted",
    scope: Scope::Uncut,
    of_scenario: |expect, reference| Ok(expect.uninterrupted.then(|| of(reference)).flatten()),
    against: |reference, how| {
        let asked =
            how.sends && matches!(how.exits, Exits::Uninterrupted | Exits::Atomic) && how.exit.is_none();
        Ok(asked.then(|| of(reference)).flatten())
    },
};

fn of(reference: &Run) -> Option<super::Held> {
    let comparable = matches!(reference.outcome.end, End::Ended(_) | End::Idle(_));
    comparable.then(|| Arc::new(As(reference.outcome.end.clone())) as _)
}

/// As the reference run ended.
#[derive(Debug)]
struct As(End);

impl Expectation for As {
    fn breach(&self, run: &Run) -> Option<String> {
        let End::Ended(status @ Status::Exited(_)) = run.outcome.end else { return None };
        if self.0 == run.outcome.end {
            return None;
        }
        let interrupted = run.interrupted();
        let calls: Vec<String> = interrupted.iter().map(|point| point.point.to_string()).collect();
        let expected = self.0.status().map_or("it to go on waiting".to_owned(), |status| status.to_string());
        (!calls.is_empty()).then(|| {
            format!(
                "expected {expected}, as in the reference run and where the signal comes just before the call, got {status} \
                 when it interrupts {}",
                calls.join(", ")
            )
        })
    }
}
