//! What a few instructions do is not torn apart by a handler that comes in between: the first process ends no other way than in the
//! reference run because of it (atomicity; C17, 7.14.1.1 paragraph 5, signal-safety(7)).
//!
//! This is said of one run. Whether it is due to the very place shows where the same signal comes a few instructions before and
//! after, with no system call in between: a search counts it only if the program ends as in the reference run there
//! (`explore::atomicity`).

use super::{Exits, Expectation, Kind, Scope};
use crate::schedule::{Site, Step};
use crate::trace::{Broken, End, Run, Status};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Atomicity,
    title: "another exit where a signal comes between two instructions",
    word: "atomicity",
    scope: Scope::Uncut,
    of_scenario: |expect, reference| Ok(expect.atomic.then(|| of(reference)).flatten()),
    against: |reference, how| {
        let asked = how.sends && how.exits == Exits::Atomic && how.exit.is_none();
        Ok(asked.then(|| of(reference)).flatten())
    },
};

fn of(reference: &Run) -> Option<super::Held> {
    let comparable = matches!(reference.outcome.end, End::Ended(_) | End::Idle(_) | End::Hang(_));
    comparable.then(|| Arc::new(As(reference.outcome.end.clone())) as _)
}

/// As the reference run ended.
#[derive(Debug)]
struct As(End);

impl Expectation for As {
    fn breach(&self, run: &Run) -> Option<String> {
        let End::Ended(status @ (Status::Exited(_) | Status::Killed(_))) = run.outcome.end else {
            return None;
        };
        if self.0 == run.outcome.end {
            return None;
        }
        let sent = |step: &&Step| {
            step.action.signal().is_some() && matches!(step.at, Site::At(_)) && !run.unreached.contains(step)
        };
        let step = run.schedule.steps.iter().find(sent)?;
        let expected = self.0.status().map_or("it to go on waiting".to_owned(), |status| status.to_string());
        Some(format!(
            "expected {expected}, as in the reference run and where the signal comes a few instructions before and after, \
             with no system call in between, got {status} when it comes to {}",
            step.point()
        ))
    }
}
