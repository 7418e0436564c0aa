//! Having held threads and sleepers look at their signals.
//!
//! A held thread's call has not happened yet. If it is to take a signal (`taking`), the kernel can be made to handle that first and
//! to make the call again afterwards (`Held::restart`). A sleeper for which no signal is there looks at its signals only if it is
//! nudged, and then begins its call again.

use crate::signal::{Signal, SignalSet};
use crate::sys::pidfd::tgkill;
use crate::sys::procfs::Status;
use nix::errno::Errno;

/// Signals that stop a process.
pub(super) fn stops() -> SignalSet {
    [19, 20, 21, 22].into_iter().filter_map(Signal::from_number).collect()
}

/// Why a thread cannot be nudged: the nudge would take away a signal of the program's own, or be seen by it.
pub(super) fn nudge_obstacle(status: &Status) -> Option<&'static str> {
    let cont = Signal::CONT;
    if status.caught.contains(cont) {
        Some("the process catches SIGCONT")
    } else if status.blocked.contains(cont) {
        Some("the thread blocks SIGCONT")
    } else if !status.pending().intersection(stops().union(SignalSet::only(cont))).is_empty() {
        Some("a stop or continue signal is pending")
    } else {
        None
    }
}

/// Makes the kernel look at a thread's signals although none is there for it: SIGCONT takes back the SIGSTOP before it,
/// but not the mark that there is something to look at. The process does not stop and nobody is told.
pub(super) fn nudge(pid: i32, tid: i32) -> Result<(), Errno> {
    tgkill(pid, tid, Signal::STOP.number())?;
    tgkill(pid, tid, Signal::CONT.number())
}
