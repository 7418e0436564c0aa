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
    /// Where it was then, if that is not noted as of every event.
    pub(in crate::supervise) last: Option<Copied>,
}

/// A stack that can still be followed when its thread is gone.
#[derive(Debug)]
pub(in crate::supervise) struct Copied {
    pub(in crate::supervise) registers: Registers,
    /// The memory from the stack pointer on.
    pub(in crate::supervise) stack: Vec<u8>,
    /// How many events there were before.
    pub(in crate::supervise) events: usize,
}

impl Watch {
    /// The fault that was not handled, if there was one since the thread was let go.
    pub(in crate::supervise) fn fault(&self) -> Option<Fault> {
        self.faults.as_ref()?.unhandled_since(self.moment)
    }
}
