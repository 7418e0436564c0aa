//! The clients of a run, and what they write.

use crate::schedule::ThreadName;
use crate::supervise::output::Written;
use crate::sys::cell::Outputs;
use crate::trace::Sleeper;
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The clients of a run so far.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Clients {
    pub(in crate::supervise) started: Vec<Started>,
    /// The one that is to be seen next.
    pub(in crate::supervise) coming: Option<ThreadName>,
    /// How many signals the schedule had sent when the last round began, and when that was on the run's clock.
    pub(in crate::supervise) last: Option<(usize, u64)>,
    /// When a thread of the program went on last, on the run's clock.
    pub(in crate::supervise) program_went: u64,
    /// How many it has sent.
    pub(in crate::supervise) sent: usize,
    /// Who slept, with only the outside to go on, when the last round began.
    pub(in crate::supervise) waited: Vec<Sleeper>,
}

/// A client that was started.
#[derive(Debug)]
pub(in crate::supervise) struct Started {
    pub(in crate::supervise) name: ThreadName,
    /// The number of its command.
    pub(in crate::supervise) number: usize,
    /// Its standard output and error, each with its end as long as somebody may write to it.
    pub(in crate::supervise) ends: [(Option<OwnedFd>, Written); 2],
}

impl Clients {
    /// Where the clients' outputs come from, as long as somebody may write to them.
    pub(in crate::supervise) fn outputs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let ends = self.started.iter().flat_map(|client| &client.ends);
        ends.filter_map(|(end, _)| end.as_ref().map(OwnedFd::as_fd))
    }

    /// Reads what they have written.
    pub(in crate::supervise) fn drain(&mut self) -> Result<(), Errno> {
        for (end, written) in self.started.iter_mut().flat_map(|client| &mut client.ends) {
            if let Some(fd) = end
                && written.drain(fd.as_fd())?
            {
                *end = None;
            }
        }
        Ok(())
    }

    /// One more has been started, which is to be seen next. What it writes comes from these ends.
    pub(in crate::supervise) fn add(&mut self, number: usize, outputs: Outputs, limit: u64) -> ThreadName {
        let nth = u32::try_from(self.started.len() + 1).unwrap_or(u32::MAX);
        let name = ThreadName::client(nth);
        let end = |fd| (Some(fd), Written::up_to(limit));
        let ends = [end(outputs.stdout), end(outputs.stderr)];
        self.started.push(Started { name: name.clone(), number, ends });
        self.coming = Some(name.clone());
        name
    }

    /// The number of the command that a thread's process is the first to run, if it is a client's first.
    pub(in crate::supervise) fn number(&self, name: &ThreadName) -> Option<usize> {
        self.started.iter().find(|client| client.name == *name).map(|client| client.number)
    }

    /// When the last round began, on the run's clock.
    pub(in crate::supervise) fn last_started(&self) -> Option<u64> {
        self.last.map(|(_, at)| at)
    }
}
