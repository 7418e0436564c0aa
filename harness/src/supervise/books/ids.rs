//! What threads and processes are called inside the books: numbers that stay good for the whole run.

/// Index of a thread in `Tree::threads`; threads are never removed, so it stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::supervise) struct ThreadId(pub(in crate::supervise) usize);

/// Index of a process in `Tree::processes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::supervise) struct ProcessId(pub(in crate::supervise) usize);
