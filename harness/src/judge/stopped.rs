//! Nothing is left stopped by job control, unless the reference run was.

use super::{Expectation, Kind, Scope};
use crate::trace::{Broken, End, Run};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Stopped,
    title: "it is left stopped",
    word: "stopped",
    scope: Scope::Every,
    of_scenario: |_, _| Ok(Some(Arc::new(NotStopped))),
    against: |reference, _| match reference.outcome.end {
        End::Stopped => Ok(None),
        End::Ended(_) | End::Hang(_) | End::Idle(_) | End::Spinning(_) | End::Stalled(_) | End::TimedOut => {
            Ok(Some(Arc::new(NotStopped)))
        }
    },
};

#[derive(Debug)]
struct NotStopped;

impl Expectation for NotStopped {
    fn breach(&self, run: &Run) -> Option<String> {
        let stopped = run.outcome.end == End::Stopped;
        stopped.then(|| "expected an end, but what is left is stopped by job control".to_owned())
    }
}
