//! Breakpoints that stop nobody, as values.
//!
//! NOTE \[Sampled\] Each has the kernel write down the thread's registers when the thread comes to an instruction
//! (perf_event_open(2)): nothing is stopped, and no signal is sent. They are read when the thread has settled. Where this host
//! gives no breakpoints nothing is seen.

use crate::supervise::books::ids::ThreadId;
use crate::supervise::code::ambush;
use crate::sys::perf::{Breakpoint, Registers};

/// So many threads are watched at once: each takes descriptors, and memory that may not be paged out.
const MOST_WATCHED: usize = 16;

/// The breakpoints of all threads, the latest last.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Sampled(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    thread: ThreadId,
    address: u64,
    breakpoint: Breakpoint,
}

impl Sampled {
    /// Watches this address of this thread, which has this number, beside at most so many others of the thread that have been
    /// watched for the shortest time; those that are to be kept go last.
    pub(in crate::supervise) fn watch(
        &mut self,
        (thread, tid): (ThreadId, i32),
        address: u64,
        most: usize,
        keep: impl Fn(u64) -> bool,
    ) {
        let own = |other: &Sample| other.thread == thread;
        if let Some(known) = self.0.iter().position(|other| own(other) && other.address == address) {
            let known = self.0.remove(known);
            self.0.push(known);
            return;
        }
        if most == 0 {
            return;
        }
        if self.0.iter().filter(|other| own(other)).count() >= most {
            let free = self.0.iter().position(|other| own(other) && !keep(other.address));
            if let Some(oldest) = free.or_else(|| self.0.iter().position(own)) {
                self.0.remove(oldest);
            }
        } else if self.0.len() >= MOST_WATCHED * ambush::MOST {
            self.0.remove(0);
        }
        let breakpoint = Breakpoint::on_code(tid, address, 1);
        if let Some(breakpoint) = breakpoint.ok().filter(|breakpoint| breakpoint.start_for_ever().is_ok()) {
            self.0.push(Sample { thread, address, breakpoint });
        }
    }

    /// The thread is about to run another program, which has other code at these addresses.
    pub(in crate::supervise) fn forget(&mut self, thread: ThreadId) {
        self.0.retain(|other| other.thread != thread);
    }

    /// Each coming of the thread to its addresses since this was last asked, in their order at each address.
    pub(in crate::supervise) fn take(&mut self, thread: ThreadId) -> Vec<(u64, Registers)> {
        let own = self.0.iter_mut().filter(|other| other.thread == thread);
        own.flat_map(|Sample { address, breakpoint, .. }| {
            std::iter::from_fn(|| breakpoint.registers()).map(|registers| (*address, registers))
        })
        .collect()
    }
}
