//! Waiting for what the kernel, the init and the program tell.

use super::{RunError, unmade};
use crate::supervise::books::ids::ProcessId;
use crate::supervise::books::seat::Seat;
use crate::supervise::patience::{Heard, NEWS, Patience, SILENCE, UnderWay};
use crate::supervise::state::Turns;
use crate::sys::cell::Message;
use crate::sys::procfs;
use crate::sys::timer::{self, CpuClock};
use crate::trace::Status;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use std::os::fd::{AsFd, BorrowedFd};

impl Turns<'_> {
    /// Waits until a notification, a message or output is there, or a breakpoint's time or a process's end has come.
    pub(super) fn listen(&mut self, patience: Patience) -> Result<Heard, RunError> {
        let cell = self.cell;
        if patience == Patience::ForCall {
            return self.wait_for_call();
        }
        let mut fds = vec![cell.listener().as_fd(), cell.control(), cell.stdout(), cell.stderr()];
        fds.extend(self.clients.outputs());
        fds.extend(self.seat.as_ref().and_then(Seat::heard));
        let told = fds.len();
        fds.extend(self.dying());
        let dying = fds.len();
        fds.extend(self.waiting_breakpoints().map(|breakpoint| breakpoint.as_fd()));
        let springing = fds.len();
        if matches!(patience, Patience::Yield(_)) {
            given(cell.giving_way.ask())?;
            fds.push(cell.giving_way.answer());
        }
        let mut fds: Vec<PollFd<'_>> = fds.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match ppoll(&mut fds, Some(TimeSpec::from_duration(patience.time())), None) {
            Ok(0) | Err(Errno::EINTR) => return Ok(Heard::Nothing),
            Ok(_) => {}
            Err(errno) => return Err(RunError::Fault(format!("waiting for the program: {errno}"))),
        }
        let came = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        // Without a call that waits it says only that nobody is left who could call: the init tells of its end itself.
        let notified = fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN));
        let [ended, said] = [0, 1].map(|index| came(&fds[index]));
        let wrote = fds[2..told].iter().any(came);
        let died = fds[told..dying].iter().any(came);
        let sprung = fds[dying..springing].iter().any(came);
        self.code.parking |= sprung;
        if notified {
            match cell.listener().receive().map_err(not_received)? {
                Some(notification) => self.arrive(notification)?,
                // Its caller has ended, or was interrupted and calls again.
                None => return Ok(Heard::Hint),
            }
        }
        if died {
            self.check_guard()?;
        }
        if ended && !notified {
            return Err(RunError::Fault("the run's init has ended".to_owned()));
        }
        if said {
            self.hear()?;
        }
        if wrote {
            self.drain()?;
        }
        Ok(match () {
            () if notified => Heard::News,
            () if said => Heard::Said,
            () if died || sprung => Heard::Hint,
            () => Heard::Nothing,
        })
    }

    /// Waits for a notification alone, up to the next tick, or until the init says something.
    fn wait_for_call(&mut self) -> Result<Heard, RunError> {
        if !self.tick.goes() {
            let unset = |errno| RunError::failed("setting a timer of this process", errno);
            self.tick.start(self.cell.control()).map_err(unset)?;
        }
        match self.cell.listener().next() {
            Ok(Some(notification)) => self.arrive(notification).map(|()| Heard::News),
            Ok(None) => Ok(Heard::Hint),
            Err(Errno::EINTR) => Ok(Heard::Nothing),
            Err(errno) => Err(not_received(errno)),
        }
    }

    /// Gives the CPU to the program's threads for a moment.
    pub(super) fn give_way(&self) -> Result<(), RunError> {
        given(self.cell.giving_way.give_way(NEWS))
    }

    /// Descriptors of processes and threads that were let end, which tell of it.
    fn dying(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let end = |process: ProcessId| self.tree.process(process).pidfd.as_ref().map(AsFd::as_fd);
        let guarded = self.going.guard.iter().filter_map(move |guard| end(guard.dying));
        let ending = self.tree.running().filter_map(move |id| {
            let thread = self.tree.thread(id);
            match thread.released.map(i64::from) {
                Some(libc::SYS_exit_group) => end(thread.process),
                _ if thread.tells_its_end() => thread.door.end(),
                _ => None,
            }
        });
        guarded.chain(ending)
    }

    /// Reads what the program has written.
    pub(super) fn drain(&mut self) -> Result<(), RunError> {
        self.read_screen()?;
        let mut read = || {
            self.stdout.drain(self.cell.stdout())?;
            self.stderr.drain(self.cell.stderr())?;
            self.clients.drain()
        };
        read().map_err(|errno| RunError::Fault(format!("reading the program's output: {errno}")))
    }

    /// Waits until the init says something; notifications of threads that are being ended are left alone.
    pub(super) fn wait_for_init(&self) -> Result<(), RunError> {
        let mut fds = [PollFd::new(self.cell.control(), PollFlags::POLLIN)];
        match ppoll(&mut fds, Some(TimeSpec::from_duration(NEWS)), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(RunError::Fault(format!("waiting for the run's init: {errno}"))),
        }
    }

    /// Takes the init's messages.
    fn hear(&mut self) -> Result<(), RunError> {
        let fault = |errno| RunError::Fault(format!("reading from the run's init: {errno}"));
        while let Some(message) = self.cell.message().map_err(fault)? {
            match message {
                Message::Failed(error) => self.course.failed_start = Some(error),
                Message::Reaped(pid, status) => {
                    if let Some(process) = self.tree.with_own_pid(pid) {
                        let process = self.tree.process_mut(process);
                        process.reaped_by_init = true;
                        process.exit_code = Some(status);
                    } else if self.tree.threads.is_empty() {
                        self.course.ended_unseen = Some(Status::from_wait(status));
                    }
                }
                Message::Gone => return Err(RunError::Fault("the run's init has ended".to_owned())),
                Message::Clean => {
                    return Err(RunError::Fault("the run's init speaks out of turn".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Nothing of the program has been seen yet. An error if nothing ever will: a static program need not make any call, and then it
    /// computes, or crashes; and where it does not, something else is wrong.
    fn unseen(&self, wait: &mut UnderWay) -> Result<(), RunError> {
        let file = || self.settings.launch.file.display().to_string();
        let no_call = |reason| RunError::Start {
            file: file(),
            stage: "waiting for its first system call".to_owned(),
            reason,
        };
        if let Some(status) = self.course.ended_unseen {
            return Err(no_call(format!("it ended before that: {status}")));
        }
        let overdue = self.is_overdue(wait)?;
        let started = procfs::children(self.cell.init());
        let started = started.map_err(|error| {
            RunError::failed(format!("looking for the process that becomes {}", file()), error)
        })?;
        // It may be gone by now.
        let used = started.first().and_then(|pid| timer::cpu_time(*pid, CpuClock::Exact).ok());
        if used.is_some_and(|used| used > SILENCE) {
            return Err(no_call(format!("none came within {} seconds of CPU time", SILENCE.as_secs())));
        }
        if overdue {
            let state = match started.first() {
                Some(pid) => format!("its process {}", procfs::standing(*pid)),
                None => format!(
                    "the init, which has not made its process, {}",
                    procfs::standing(self.cell.init())
                ),
            };
            return Err(RunError::Fault(format!("{} was not seen to start: {state}", file())));
        }
        Ok(())
    }

    /// Has the program started.
    pub(super) fn start(&mut self) -> Result<(), RunError> {
        self.begin_dates()?;
        let terminal = self.cell.go().map_err(|error| unmade(error, &self.settings.launch))?;
        self.seat = terminal.map(Seat::new).transpose()?;
        let mut wait = UnderWay::new();
        while self.tree.threads.is_empty() && self.course.failed_start.is_none() {
            if self.listen(Patience::ForNews)? == Heard::Nothing {
                self.unseen(&mut wait)?;
            }
        }
        match self.course.failed_start.take() {
            None => Ok(()),
            Some(error) => Err(unmade(error, &self.settings.launch)),
        }
    }
}

fn not_received(errno: Errno) -> RunError {
    RunError::Fault(format!("receiving a notification: {errno}"))
}

/// What came of giving the CPU to the program.
fn given(way: Result<(), Errno>) -> Result<(), RunError> {
    way.map_err(|errno| RunError::failed("giving the CPU to the program", errno))
}
