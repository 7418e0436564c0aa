//! From which places in the code threads make their calls, and what each returns, as values: see `calling`.
//!
//! NOTE \[Results\] A call that is let happen returns to the program without the supervisor. So a breakpoint on the instruction
//! after it has the kernel write down the thread's registers each time that the thread comes there (perf_event_open(2)):
//! nothing is stopped and no signal is sent. It is read when the thread comes to its next call. Where this host gives no
//! breakpoints no result is known.

use crate::schedule::{Point, Syscall, ThreadName};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::code::ambush;
use crate::sys::perf::Breakpoint;
use std::collections::{BTreeSet, HashMap};

/// So many threads are watched at once: each takes descriptors, and memory that may not be paged out.
const MOST_WATCHED: usize = 16;

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
    /// Where the threads are watched, the latest last.
    returns: Vec<Return>,
}

/// A breakpoint behind a call.
#[derive(Debug)]
struct Return {
    thread: ThreadId,
    address: u64,
    breakpoint: Breakpoint,
}

impl Calls {
    /// The thread is about to go on, and what it does is not asked for.
    pub(in crate::supervise) fn pass(&mut self, thread: ThreadId) {
        self.last.remove(&thread);
    }

    /// The thread is about to run another program, which has other code at these addresses.
    pub(in crate::supervise) fn forget(&mut self, thread: ThreadId) {
        self.returns.retain(|other| other.thread != thread);
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
        self.watch(thread, tid, address);
        self.last.insert(thread, (self.made.len(), address));
        self.made.push(Called { point, place, result: None });
    }

    /// Has the kernel note when this thread comes to this address.
    fn watch(&mut self, thread: ThreadId, tid: i32, address: u64) {
        let here = |other: &Return| other.thread == thread && other.address == address;
        if let Some(known) = self.returns.iter().position(here) {
            let known = self.returns.remove(known);
            self.returns.push(known);
            return;
        }
        let own = self.returns.iter().filter(|other| other.thread == thread).count();
        if own >= ambush::MOST
            && let Some(oldest) = self.returns.iter().position(|other| other.thread == thread)
        {
            self.returns.remove(oldest);
        } else if self.returns.len() >= MOST_WATCHED * ambush::MOST {
            self.returns.remove(0);
        }
        let breakpoint = Breakpoint::on_code(tid, address, 1);
        if let Some(breakpoint) = breakpoint.ok().filter(|breakpoint| breakpoint.start_for_ever().is_ok()) {
            self.returns.push(Return { thread, address, breakpoint });
        }
    }

    /// The thread has come to its next call: what its last one has returned.
    pub(in crate::supervise) fn returned(&mut self, thread: ThreadId) {
        let last = self.last.get(&thread).copied();
        for Return { address, breakpoint, .. } in
            self.returns.iter_mut().filter(|other| other.thread == thread)
        {
            // What was not read before it is of an earlier call.
            let Some(registers) = std::iter::from_fn(|| breakpoint.registers()).last() else { continue };
            if let Some((index, _)) = last.filter(|(_, returns)| returns == address)
                && let Some(called) = self.made.get_mut(index)
            {
                called.result = Some(registers.general[0] as i64);
            }
        }
    }
}
