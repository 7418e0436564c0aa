//! From which places in the code threads make their calls, and what each returns, as values: see `calling`.
//!
//! NOTE \[Results\] A call that is let happen returns to the program without the supervisor. So the registers are sampled at the
//! instruction after it (`sampled`), and read when the thread comes to its next call.

use crate::schedule::{Point, Syscall, ThreadName};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::code::ambush;
use crate::supervise::code::sampled::Sampled;
use std::collections::{BTreeSet, HashMap};

/// Calls of threads that a run can be looked at for.
pub type Wanted = BTreeSet<(ThreadName, Syscall)>;

/// A call that a thread has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The point before it.
    pub point: Point,
    /// From where: the same number for the same instruction, called by the same functions, at the same depth of the stack.
    pub place: usize,
    /// What it returned, as the kernel has it: a negative number is an error's; none if that could not be seen.
    pub result: Option<i64>,
}

/// A place in code: the stack pointer, and the frames' addresses, innermost first.
pub(in crate::supervise) type Where = (u64, Vec<u64>);

/// What is seen of the calls of a run.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Calls {
    /// In their order.
    pub(in crate::supervise) made: Vec<Called>,
    places: HashMap<Where, usize>,
    /// Of each thread the call that it has made last, and where it returns to.
    last: HashMap<ThreadId, (usize, u64)>,
    returns: Sampled,
}

impl Calls {
    /// The thread is about to go on, and what it does is not asked for.
    pub(in crate::supervise) fn pass(&mut self, thread: ThreadId) {
        self.last.remove(&thread);
    }

    /// The thread is about to run another program, which has other code at these addresses.
    pub(in crate::supervise) fn forget(&mut self, thread: ThreadId) {
        self.returns.forget(thread);
    }

    /// The thread, which has this number, is about to make the call before which this point is, from here; the call returns to
    /// this address.
    pub(in crate::supervise) fn make(
        &mut self,
        (thread, tid): (ThreadId, i32),
        point: Point,
        place: Where,
        address: u64,
    ) {
        let next = self.places.len();
        let place = *self.places.entry(place).or_insert(next);
        self.returns.watch((thread, tid), address, ambush::MOST, |_| false);
        self.last.insert(thread, (self.made.len(), address));
        self.made.push(Called { point, place, result: None });
    }

    /// The thread has come to its next call: what its last one has returned.
    pub(in crate::supervise) fn returned(&mut self, thread: ThreadId) {
        let came = self.returns.take(thread);
        let Some((index, returns)) = self.last.get(&thread).copied() else { return };
        // What was not read before it is of an earlier call.
        let here = came.iter().rev().find(|(address, _)| *address == returns);
        if let Some((_, registers)) = here
            && let Some(called) = self.made.get_mut(index)
        {
            called.result = Some(registers.general[0] as i64);
        }
    }
}
