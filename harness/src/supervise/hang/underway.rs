//! What the kernel itself is still doing has to happen before the clock jumps: a fact is waited for, never a while.

use crate::supervise::RunError;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::calls::{self, Sleep};
use crate::supervise::hang::proof::{Kind, Source};
use crate::supervise::patience::Patience;
use crate::supervise::state::Turns;
use crate::supervise::time::deadline::Logical;
use crate::supervise::time::wait;
use crate::sys::socket;
use std::os::fd::AsFd;
use std::time::Duration;

/// TCP holds back an acknowledgement, and what waits for it, no longer than this (TCP_DELACK_MAX of the kernel's net/tcp.h).
const ACKNOWLEDGED: Duration = Duration::from_millis(200);
/// Between two looks.
const SLICE: Duration = Duration::from_millis(1);

impl Turns<'_> {
    /// Everything sleeps, and the next thing that ends a sleep is a time, `until`. True if something else has come before that, or
    /// has to be waited for.
    pub(in crate::supervise) fn kernel_goes_first(&mut self, until: Logical) -> Result<bool, RunError> {
        if self.woken()? || (self.flush_terminals()? && self.still()?.is_none()) {
            return Ok(true);
        }
        let begun = self.kernel.quiet_since.map_or(Duration::ZERO, |since| since.elapsed());
        let waits = self.sleeps_by_the_kernel(until)
            || (begun < ACKNOWLEDGED && self.sockets_are_waited_for() && self.in_flight()?);
        if waits {
            self.listen(Patience::For(SLICE))?;
            self.tree.all_stale();
        }
        Ok(waits)
    }

    /// True if the kernel's own time ends a sleep before that.
    fn sleeps_by_the_kernel(&self, until: Logical) -> bool {
        self.tree.live().map(|id| self.tree.thread(id)).any(|thread| {
            matches!(thread.state, State::Asleep(_))
                && thread.kernel_timer.is_some_and(|timer| timer.logical <= until)
        })
    }

    /// True if somebody waits for what comes over an internet socket.
    fn sockets_are_waited_for(&self) -> bool {
        self.tree.live().any(|id| self.waits_for_a_socket(id))
    }

    fn waits_for_a_socket(&self, id: ThreadId) -> bool {
        let thread = self.tree.thread(id);
        match &thread.state {
            State::Waiting(_, wait) => match &wait.kind {
                wait::Kind::Descriptors { ends, .. } => {
                    ends.iter().any(|(fd, _)| socket::is_internet(fd.as_fd()) || wait::is_epoll(fd))
                }
                wait::Kind::Sleep { .. } | wait::Kind::Signals { .. } | wait::Kind::Futex(_) => false,
            },
            State::Asleep(inside) => {
                let socket = |source: &Source| {
                    matches!(source, Source::Descriptor(_, Kind::Outside | Kind::Connected | Kind::Timed))
                };
                let descriptors = matches!(
                    calls::numbered(inside.number).sleep,
                    Sleep::Read(_)
                        | Sleep::Write(_)
                        | Sleep::Transfer(..)
                        | Sleep::Poll
                        | Sleep::Select
                        | Sleep::Epoll(_)
                        | Sleep::Lingering
                );
                descriptors && self.sources(thread, inside).iter().any(socket)
            }
            State::Running | State::Held(_) | State::Stopped | State::Ended => false,
        }
    }
}
