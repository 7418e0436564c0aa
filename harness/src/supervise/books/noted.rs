//! What is noted, while a run goes on, of what it leaves.

use crate::supervise::books::ids::ThreadId;
use crate::trace::Open;
use std::collections::BTreeSet;

/// Of files and descriptors.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Noted {
    /// What had been made when the schedule sent a signal, by name.
    pub(in crate::supervise) there: BTreeSet<String>,
    /// Who was sent it at the entering of a call: the handler comes after what the call does, and is not the cause of that.
    pub(in crate::supervise) entered: Option<ThreadId>,
    /// What processes held that have ended by themselves.
    pub(in crate::supervise) open: Vec<Open>,
    /// What processes held that slept when the run was over.
    pub(in crate::supervise) held: Vec<Open>,
}
