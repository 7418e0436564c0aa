//! What is left of a timeout when something else than time ends a wait.
//!
//! select(2), and the calls that pselect(2) and ppoll(2) make, write it to where their timeout stands, however they end
//! (`poll_select_finish` of fs/select.c). When they are let happen, having waited, the kernel takes the timeout from there: so
//! what is left is put there before. Then they also sleep no longer, if what was there has been taken by somebody else, and
//! what is made again after a signal goes on from there, as without control: a process may be stopped for as long as
//! it likes. What the kernel itself takes off is the moment that the call still takes.

use crate::supervise::books::ids::ThreadId;
use crate::supervise::state::Turns;
use crate::supervise::time::deadline::Deadline;
use crate::supervise::time::timeout;
use crate::supervise::time::wait::{Kind, Wait};
use std::time::Duration;

/// What has become of the timeout of a call whose wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Rest {
    /// It has none that is written back, or one that never comes.
    Untouched,
    /// This much is left, and stands there now.
    Written(Duration),
    /// It stands where it cannot be written. The call does not fail for that, but it is not made again after a signal.
    Unwritable,
}

impl Turns<'_> {
    /// Writes how much of its timeout this wait has left, if the kernel would.
    pub(in crate::supervise) fn write_rest(&self, id: ThreadId, wait: &Wait) -> Rest {
        let Kind::Descriptors { left: Some((address, unit)), .. } = wait.kind else { return Rest::Untouched };
        let Some(deadline) = wait.deadline.filter(Deadline::comes) else { return Rest::Untouched };
        let left = self.clock.left(deadline);
        match timeout::write(&self.tree.thread(id).door, address, unit, left) {
            Ok(()) => Rest::Written(left),
            Err(_) => Rest::Unwritable,
        }
    }
}
