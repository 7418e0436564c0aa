//! No run goes on and on without getting anywhere, unless the reference run was cut off at a limit too.

use super::timed_out::unless_cut;
use super::{Expectation, Kind, Scope};
use crate::trace::{Broken, End, Run};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Spinning,
    title: "it spins for ever",
    word: "spinning",
    scope: Scope::Every,
    of_scenario: |_, _| Ok(Some(Arc::new(NoSpinning))),
    against: |reference, _| Ok(unless_cut(reference, NoSpinning)),
};

#[derive(Debug)]
struct NoSpinning;

impl Expectation for NoSpinning {
    fn breach(&self, run: &Run) -> Option<String> {
        match &run.outcome.end {
            End::Spinning(count) => Some(format!("the program goes on without getting anywhere: {count}")),
            End::Ended(_) | End::Hang(_) | End::Idle(_) | End::Stopped | End::Stalled(_) | End::TimedOut => {
                None
            }
        }
    }
}
