//! Clients of the program: started when everything first sleeps, and once more after each signal, when everything sleeps
//! again. They are processes of the run like any, but none of the program's.
//!
//! NOTE \[Rounds\] The first round shows how the program serves, each later one how it does after a signal. A program that
//! looks at its flags from time to time has a second of its own clock for it, as who tries by hand would give it. A program
//! that has ended is asked as well: how it refuses is what a later client, of another schedule, may be told. While a client
//! waits for a time, or for somebody who does, no moment counts as one at which everything sleeps: a person would see it busy.

use super::{RunError, unmade};
use crate::schedule::ThreadName;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::output::Written;
use crate::supervise::patience::{BIRTH, Patience};
use crate::supervise::state::Turns;
use crate::sys::cell::{Cell, Outputs};
use crate::trace::ClientEnd;
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// So long after a signal a program may notice it that looks from time to time.
const NOTICES: Duration = Duration::from_secs(1);
/// So long after its start a client may be busy.
const BUSY: Duration = Duration::from_secs(10);

/// The clients of a run so far.
#[derive(Debug, Default)]
pub(super) struct Clients {
    started: Vec<Started>,
    /// The one that is to be seen next.
    coming: Option<ThreadName>,
    /// How many signals the schedule had sent when the last round began, and when that was on the run's clock.
    last: Option<(usize, u64)>,
    /// How many it has sent.
    pub(super) sent: usize,
}

/// A client that was started.
#[derive(Debug)]
struct Started {
    name: ThreadName,
    /// The number of its command.
    number: usize,
    ends: [(Option<OwnedFd>, Written); 2],
}

impl Clients {
    /// Where the clients' outputs come from, as long as somebody may write to them.
    pub(super) fn outputs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let ends = self.started.iter().flat_map(|client| &client.ends);
        ends.filter_map(|(end, _)| end.as_ref().map(OwnedFd::as_fd))
    }

    /// Reads what they have written.
    pub(super) fn drain(&mut self) -> Result<(), Errno> {
        for (end, written) in self.started.iter_mut().flat_map(|client| &mut client.ends) {
            if let Some(fd) = end
                && written.drain(fd.as_fd())?
            {
                *end = None;
            }
        }
        Ok(())
    }

    /// The client that is to be seen next, of which this is the first call.
    pub(super) fn take_coming(&mut self, cell: &Cell) -> Option<ThreadName> {
        let name = self.coming.take()?;
        cell.has_started();
        Some(name)
    }

    /// When the last round began, on the run's clock.
    pub(super) fn last_started(&self) -> Option<u64> {
        self.last.map(|(_, at)| at)
    }
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}

impl Turns<'_> {
    /// Everything sleeps, or has ended. True if a round of clients was started, or if what sleeps only waits for the kernel.
    pub(super) fn start_due_clients(&mut self) -> Result<bool, RunError> {
        if self.settings.clients.is_empty() {
            return Ok(false);
        }
        self.kernel.quiet_since.get_or_insert_with(Instant::now);
        // What one of them has sent over loopback, and what was closed at its end, comes first.
        if self.kernel_goes_first(0)? {
            return Ok(true);
        }
        if self.clients_are_busy() || !self.clients_are_due() {
            return Ok(false);
        }
        self.kernel.quiet_since = None;
        self.clients.last = Some((self.clients.sent, self.clock.now));
        for number in 0..self.settings.clients.len() {
            self.start_client(number)?;
        }
        Ok(true)
    }

    /// See NOTE \[Rounds\].
    fn clients_are_due(&self) -> bool {
        match self.clients.last {
            None => true,
            Some((sent, _)) if sent == self.clients.sent => false,
            Some(_) => {
                let (at, _) = self.course.last_sent.unwrap_or_default();
                let until = at.saturating_add(nanos(NOTICES));
                let next = self.earliest().map(|(deadline, _)| deadline.logical);
                self.clock.now >= until || next.is_none_or(|next| next > until)
            }
        }
    }

    /// True while a client is at work and time may bring it on.
    pub(super) fn clients_are_busy(&self) -> bool {
        let Some(at) = self.clients.last_started() else { return false };
        let client = |id: ThreadId| self.tree.thread(id).name.client_of().is_some();
        self.tree.live().any(client)
            && self.clock.now < at.saturating_add(nanos(BUSY))
            && self.earliest().is_some()
    }

    /// Has the init start a client, and waits for its first call.
    fn start_client(&mut self, number: usize) -> Result<(), RunError> {
        let launch = &self.settings.clients[number];
        let Outputs { stdout, stderr } =
            self.cell.start_client(number).map_err(|error| unmade(error, launch))?;
        let nth = u32::try_from(self.clients.started.len() + 1).unwrap_or(u32::MAX);
        let name = ThreadName::client(nth);
        let end = |fd| (Some(fd), Written::up_to(self.settings.limits.output));
        self.clients.started.push(Started { name: name.clone(), number, ends: [end(stdout), end(stderr)] });
        self.clients.coming = Some(name);
        let begun = Instant::now();
        while self.clients.coming.is_some() && self.course.failed_start.is_none() {
            self.listen(Patience::ForNews)?;
            self.interrupted()?;
            if begun.elapsed() > BIRTH {
                return Err(RunError::Fault(format!("client c{nth} was not seen to start")));
            }
        }
        self.course.failed_start.take().map_or(Ok(()), |error| Err(unmade(error, launch)))
    }

    /// The number of the command that a thread's process is the first to run, if it is a client's first.
    pub(super) fn client_number(&self, name: &ThreadName) -> Option<usize> {
        self.clients.started.iter().find(|client| client.name == *name).map(|client| client.number)
    }

    /// How each client ended.
    pub(super) fn client_ends(&mut self) -> Vec<ClientEnd> {
        let tree = &self.tree;
        let ended = |client: &mut Started| {
            let [stdout, stderr] = &mut client.ends;
            let thread = tree.named(&client.name);
            ClientEnd {
                client: client.name.clone(),
                command: self
                    .settings
                    .world
                    .clients
                    .get(client.number)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                status: thread.and_then(|id| tree.process_of(id).status),
                stdout: stdout.1.told(),
                stderr: stderr.1.told(),
            }
        };
        self.clients.started.iter_mut().map(ended).collect()
    }
}
