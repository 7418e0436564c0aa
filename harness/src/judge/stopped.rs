//! Nothing is left stopped by job control, unless the reference run was.

use super::{Expectation, Kind, Scope, answers_more};
use crate::trace::{Broken, End, Run};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Stopped,
    title: "it is left stopped",
    word: "stopped",
    scope: Scope::Every,
    of_scenario: |_, _| Ok(Some(Arc::new(NotStopped { reference: None }))),
    against: |reference, _| match reference.outcome.end {
        End::Stopped => Ok(None),
        End::Ended(_) | End::Hang(_) | End::Idle(_) | End::Spinning(_) | End::Stalled(_) | End::TimedOut => {
            Ok(Some(Arc::new(NotStopped { reference: Some(reference.clone()) })))
        }
    },
};

#[derive(Debug)]
struct NotStopped {
    /// Who is typed at may be asked to stop, which this run was not.
    reference: Option<Arc<Run>>,
}

impl Expectation for NotStopped {
    fn breach(&self, run: &Run) -> Option<String> {
        let stopped = run.outcome.end == End::Stopped;
        let asked = self.reference.as_ref().is_some_and(|other| answers_more(run, other));
        (stopped && !asked).then(|| "expected an end, but what is left is stopped by job control".to_owned())
    }
}
