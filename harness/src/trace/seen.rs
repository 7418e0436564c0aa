//! What was seen of a run besides its events: what its calls returned, whom they sent signals, and which handlers ran.
//!
//! It is for people: a replay does not compare it. All of it was read off the thread's registers and calls; what could not be
//! seen is not there.

use crate::schedule::ThreadName;
use crate::signal::Signal;
use serde::{Deserialize, Serialize};

/// What was seen of a run besides its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Calls of which there is something to tell, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<SeenCall>,
    /// Handlers that began to run, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handlers: Vec<Handled>,
}

/// A call, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenCall {
    /// The index of the event with which its thread was let make it (`Go`).
    pub event: usize,
    /// The signal that it sends, if it does, and to which processes, or to which thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends: Option<(Signal, Vec<ThreadName>)>,
    /// What it returned, where that tells something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Returned>,
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returned {
    /// It had returned before the event with this index; the number of events if after the last.
    pub by: usize,
    /// What.
    pub result: CallResult,
}

/// A result that tells something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallResult {
    /// -1, and errno has this name (errno(3)).
    Failed(String),
    /// How many there are; 0 of wait4: no child had ended yet.
    Number(i64),
    /// So many bytes, of those that it was asked for.
    Bytes(u64, u64),
    /// The process that was waited for.
    Process(ThreadName),
    /// The signal that was taken (sigwaitinfo(2)).
    Signal(Signal),
}

/// A handler that began to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handled {
    /// It did so after its thread's last event, and before the event with this index; the number of events if after the last.
    pub by: usize,
    /// In which thread.
    pub thread: ThreadName,
    /// Of which signal.
    pub signal: Signal,
    /// The index of the first event at which the signal was seen pending and blocked, if it had been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<usize>,
}

impl Seen {
    /// True if there is nothing of it.
    pub fn is_nothing(&self) -> bool {
        self.calls.is_empty() && self.handlers.is_empty()
    }

    /// What was seen of the call that began with the event with this index.
    pub fn call(&self, event: usize) -> Option<&SeenCall> {
        let index = self.calls.binary_search_by_key(&event, |call| call.event).ok()?;
        self.calls.get(index)
    }
}
