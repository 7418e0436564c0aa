//! What a closer look at handlers asks for and what it sees, as values: see `handlers`.

use crate::schedule::{Label, ThreadName};
use crate::signal::{Signal, SignalSet};
use std::collections::BTreeSet;

/// The return of a handler that is watched, as a place: no function has such a name.
pub const RETURN: &str = "<return of the handler>";

/// What is looked at in one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The thread.
    pub thread: ThreadName,
    /// Places of its program: the first visits of each are points, up to one where all `signals` are deliverable. Together with
    /// the places of the schedule's steps there can be at most `MOST_OBSERVED`.
    pub places: Vec<Label>,
    /// Signals that are asked about.
    pub signals: SignalSet,
    /// Those of them that only another process of the run brings about, by its end.
    pub of_others: SignalSet,
    /// Those of them that only a timer brings about.
    pub of_timers: SignalSet,
    /// The place of a step: once that has been visited, the next return of a handler is looked at, too ([`RETURN`]).
    pub returns_after: Option<Label>,
    /// What is read at each visit, if anything.
    pub word: Option<Word>,
    /// Where no place is watched, it is looked at where calls return to whenever a thread makes a system call (`Observed::on_stack`).
    pub stacks: bool,
}

/// A piece of the program's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The 32 bits to which a function's result points that has just returned when this place is first visited.
    Returned(Label),
    /// So many bytes, at most 8, at this address, as the program was linked.
    Data(u64, u32),
}

/// A handler that a process has installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Which process.
    pub process: ThreadName,
    /// For which signal.
    pub signal: Signal,
    /// The file of the program that it runs.
    pub program: String,
    /// The handler's address, as the program was linked; it may belong to another file.
    pub address: u64,
}

/// What was so when a thread was about to execute the instruction at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The place.
    pub place: Label,
    /// It was there for the nth time.
    pub nth: u32,
    /// Signals whose handler could run now: caught and not blocked, and with somebody, or an armed timer, that could bring
    /// them about where nothing else does.
    pub deliverable: SignalSet,
    /// Another process of the run could go first.
    pub others: bool,
    /// The instructions of the program that handlers on the stack have interrupted, as it was linked; the latest first.
    pub interrupted: Vec<u64>,
    /// The watched word, if it could be read.
    pub word: Option<u64>,
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Seen {
    pub(in crate::supervise) visits: Vec<Visit>,
    pub(in crate::supervise) installed: Vec<Installed>,
    pub(in crate::supervise) takers: Vec<ThreadName>,
    /// Where calls return to that were on a stack, by the program's file.
    pub(in crate::supervise) on_stack: BTreeSet<(String, u64)>,
    /// The first place that was to be looked at and could not, and why.
    pub(in crate::supervise) missed: Option<String>,
    pub(in crate::supervise) spins: Vec<u64>,
    /// Where the watched word is, and how long.
    pub(in crate::supervise) word: Option<(u64, u32)>,
    /// Where handlers return to.
    pub(in crate::supervise) back: Option<u64>,
}
