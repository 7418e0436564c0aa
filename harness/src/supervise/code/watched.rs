//! What is kept of a thread that may crash, as a value: see `crash`.

use crate::code::Registers;
use crate::sys::perf::{Fault, Faults};

/// What is kept of a thread for the case that it crashes before it comes to its next point.
#[derive(Debug)]
pub(in crate::supervise) struct Watch {
    /// None where this host gives no perf events.
    pub(in crate::supervise) faults: Option<Faults>,
    /// What was counted when the thread was let go last.
    pub(in crate::supervise) moment: u64,
    /// Where it was then, if that has not been noted.
    pub(in crate::supervise) last: Option<(Registers, Vec<u8>)>,
}

impl Watch {
    /// The fault that was not handled, if there was one since the thread was let go.
    pub(in crate::supervise) fn fault(&self) -> Option<Fault> {
        self.faults.as_ref()?.unhandled_since(self.moment)
    }
}
