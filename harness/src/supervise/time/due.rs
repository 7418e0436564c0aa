//! What may run out, and what comes of letting time pass, as values: see `quiet`.

use crate::supervise::books::ids::ThreadId;
use crate::trace::End;

/// What came of letting time pass.
#[derive(Debug)]
pub(in crate::supervise) enum Time {
    /// Nothing waits for it.
    Nothing,
    /// Something ran out, or came from outside meanwhile.
    Passed,
    /// The run's own time is over.
    Over(End),
}

/// What runs out at a deadline.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervise) enum Due {
    Wait(ThreadId),
    Stretch(ThreadId),
    Timer(usize),
    Posix(usize),
    Descriptor(usize),
}
