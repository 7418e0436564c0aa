//! The handlers that ran in a finding's run, for the JSON report.

use crate::show;
use crate::trace::Trace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// More are not told.
const MOST: usize = 100;

/// A handler that began to run: that of a signal of the schedule, or of one that came by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// The thread that took the signal.
    pub thread: String,
    /// The signal.
    pub signal: String,
    /// Where, in words: `in read`, `after rt_sigprocmask`; none at an instruction, or where only a call before it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Since when the signal had been pending, in words, if it had been blocked until then: `since p0.1 ended`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
}

/// The first of those in a run.
pub(super) fn arrivals(trace: &Trace) -> Vec<Arrival> {
    let told = show::arrivals(trace).into_iter().take(MOST);
    told.map(|(handled, place, pending)| Arrival {
        thread: handled.thread.to_string(),
        signal: handled.signal.to_string(),
        place,
        pending,
    })
    .collect()
}
