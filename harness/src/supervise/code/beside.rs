//! Threads beside one that is parked, as values: see `siblings`.

use crate::supervise::books::held::Place;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::time::wait::Wait;
use crate::sys::procfs::Inside;
use std::collections::HashMap;

/// What is known of threads beside one that is parked, or was.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Siblings {
    /// Threads that have the mark.
    pub(in crate::supervise) marked: Vec<ThreadId>,
    /// Threads that make their call again, and what they were in.
    pub(in crate::supervise) again: HashMap<ThreadId, Again>,
    /// Sleepers that somebody from outside got out of these calls, and that make them again.
    pub(in crate::supervise) resumed: HashMap<ThreadId, Inside>,
}

/// A thread that makes its call again.
#[derive(Debug)]
pub(in crate::supervise) struct Again {
    pub(in crate::supervise) call: (i32, u64, [u64; 6]),
    pub(in crate::supervise) place: Place,
    pub(in crate::supervise) told: bool,
    /// It was as good as asleep in that call.
    pub(in crate::supervise) wait: Option<Wait>,
}
