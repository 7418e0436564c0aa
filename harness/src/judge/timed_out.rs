//! No run reaches its time limit, unless the reference run was cut off at a limit too.

use super::{Expectation, Held, Kind, Scope};
use crate::trace::{Broken, End, Run};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::TimedOut,
    title: "the time limit was reached",
    word: "timed-out",
    scope: Scope::Every,
    of_scenario: |_, _| Ok(Some(Arc::new(InTime))),
    against: |reference, _| Ok(unless_cut(reference, InTime)),
};

/// The expectation, where the reference run was not cut off at a limit.
pub(super) fn unless_cut(reference: &Run, held: impl Expectation + 'static) -> Option<Held> {
    if reference.outcome.end.is_limit() { None } else { Some(Arc::new(held)) }
}

#[derive(Debug)]
struct InTime;

impl Expectation for InTime {
    fn breach(&self, run: &Run) -> Option<String> {
        (run.outcome.end == End::TimedOut).then(|| KIND.title.to_owned())
    }
}
