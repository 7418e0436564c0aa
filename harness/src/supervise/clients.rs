//! Clients of the program: started when everything first sleeps, and once more after each signal, when everything sleeps
//! again. They are processes of the run like any, but none of the program's.
//!
//! NOTE \[Rounds\] The first round shows how the program serves, each later one how it does after a signal. A program that
//! looks at its flags from time to time has a second of its own clock for it, as who tries by hand would give it. A program
//! that has ended is asked as well: how it refuses is what a later client, of another schedule, may be told. One that sleeps on
//! after a signal until somebody comes may end because of it: who slept is noted before. While a client
//! waits for a time, or for somebody who does, no moment counts as one at which everything sleeps: a person would see it busy.

use super::{RunError, unmade};
use crate::supervise::books::clients::Started;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::hang::proof::{Proof, prove};
use crate::supervise::patience::{Patience, UnderWay};
use crate::supervise::state::Turns;
use crate::supervise::time::due::Due;
use crate::trace::{ClientEnd, End, Sleeper};
use std::time::{Duration, Instant};

/// So long after a signal a program may notice it that looks from time to time.
const NOTICES: Duration = Duration::from_secs(1);
/// So long after its start a client may be busy.
const BUSY: Duration = Duration::from_secs(10);

/// So long a client may look again and again whether the program has answered, after which it would do so for ever.
const PATIENCE: Duration = Duration::from_secs(60);

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
        self.clients.waited = self.wait_for_the_outside()?;
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

    /// Who sleeps, if the program goes on only when somebody comes now.
    fn wait_for_the_outside(&mut self) -> Result<Vec<Sleeper>, RunError> {
        self.refresh_timers()?;
        let others = self.tree.live().any(|id| self.tree.thread(id).name.client_of().is_some());
        if others || self.clients.sent == 0 || self.tree.live_threads() == 0 || self.earliest().is_some() {
            return Ok(Vec::new());
        }
        Ok(match prove(&self.snapshot()?) {
            Proof::Idle(sleepers) => sleepers,
            Proof::Hang(_) | Proof::Stopped | Proof::Time | Proof::NotYet(_) => Vec::new(),
        })
    }

    /// Who slept on after the last signal until clients came, if the program has ended since.
    pub(super) fn roused(&mut self, end: &End) -> Vec<Sleeper> {
        let waited = std::mem::take(&mut self.clients.waited);
        if matches!(end, End::Ended(_)) { waited } else { Vec::new() }
    }

    /// True while a client is at work and time may bring it on.
    pub(super) fn clients_are_busy(&self) -> bool {
        let Some(at) = self.clients.last_started() else { return false };
        let client = |id: ThreadId| self.tree.thread(id).name.client_of().is_some();
        self.tree.live().any(client)
            && self.clock.now < at.saturating_add(nanos(BUSY))
            && self.earliest().is_some()
    }

    /// True if nobody but clients waits for a time, and they have for long.
    pub(super) fn clients_wait_in_vain(&self) -> bool {
        let Some(started) = self.clients.last_started() else { return false };
        let since = started.max(self.clients.program_went);
        let of_client = |due: Due| {
            let process = match due {
                Due::Wait(id) | Due::Stretch(id) => self.tree.thread(id).process,
                Due::Timer(index) => self.clock.timers[index].process,
                Due::Posix(index) => self.clock.posix[index].process,
                Due::Descriptor(index) => self.clock.descriptors[index].process,
            };
            self.tree.process(process).name.client_of().is_some()
        };
        self.clock.now >= since.saturating_add(nanos(PATIENCE))
            && self.deadlines().all(|(_, due)| of_client(due))
    }

    /// Has the init start a client, and waits for its first call.
    fn start_client(&mut self, number: usize) -> Result<(), RunError> {
        let launch = &self.settings.clients[number];
        let outputs = self.cell.start_client(number).map_err(|error| unmade(error, launch))?;
        let name = self.clients.add(number, outputs, self.settings.limits.output);
        let mut wait = UnderWay::new();
        while self.clients.coming.is_some() && self.course.failed_start.is_none() {
            self.listen(Patience::ForNews)?;
            if self.is_overdue(&mut wait)? {
                return Err(RunError::Fault(format!("client {name} was not seen to start")));
            }
        }
        self.course.failed_start.take().map_or(Ok(()), |error| Err(unmade(error, launch)))
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
