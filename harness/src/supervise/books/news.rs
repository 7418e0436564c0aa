//! What comes of threads while they settle, and what is watched over meanwhile, as values.

use crate::schedule::Syscall;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::trace::What;

/// Something that became of a thread while the threads settled.
#[derive(Debug)]
pub(in crate::supervise) enum News {
    Held,
    Slept(Syscall),
    Told(What),
}

/// Watches over the release of a call that wakes and signals: an exit closes the process's files before it sends SIGCHLD,
/// so a parent that waits for the files could be running again when the signal comes.
#[derive(Debug)]
pub(in crate::supervise) struct Guard {
    pub(in crate::supervise) dying: ProcessId,
    /// The thread that ends it, and how often that had been put on the CPU.
    pub(in crate::supervise) by: (ThreadId, u64),
    /// Threads of the parent that the exit might wake early, and how often each had been put on the CPU.
    pub(in crate::supervise) watched: Vec<(ThreadId, u64)>,
}
