//! No run hangs.

use super::{Expectation, Kind, Scope};
use crate::trace::{Broken, End, Run, Sleeper};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Hang,
    title: "it hangs",
    word: "hang",
    scope: Scope::Every,
    of_scenario: |_, _| Ok(Some(Arc::new(NoHang))),
    against: |_, _| Ok(Some(Arc::new(NoHang))),
};

#[derive(Debug)]
struct NoHang;

impl Expectation for NoHang {
    fn breach(&self, run: &Run) -> Option<String> {
        match &run.outcome.end {
            End::Hang(sleepers) => Some(format!(
                "every thread sleeps and nothing can wake any of them: {}",
                Sleeper::list(sleepers)
            )),
            End::Ended(_)
            | End::Idle(_)
            | End::Stopped
            | End::Spinning(_)
            | End::Stalled(_)
            | End::TimedOut => None,
        }
    }
}
