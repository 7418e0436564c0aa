//! When nobody is held: letting time pass, or saying why nothing will ever happen again.
//!
//! A hang is proven, not timed. Every thread is seen asleep in the same call twice, without having run in between; none
//! of the calls ends by time; and each waits for something that only another thread of the run could bring about. Where
//! something outside the run could, the run is idle.

use super::RunError;
use super::clock::Deadline;
use super::listen::{Heard, Patience};
use super::release::WaitEnd;
use super::timeout;
use super::tree::{ProcessId, State, ThreadId};
use super::turn::Turns;
use crate::schedule::Syscall;
use crate::signal::SignalSet;
use crate::sys::memory;
use crate::sys::pidfd;
use crate::sys::procfs::{self, Doing, Inside};
use crate::trace::{End, Sleeper, Status, What};
use nix::sys::socket::{self, sockopt};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use syscalls::Sysno;

/// How long after the end of the first process the others may still sleep for a time, on the logical clock.
const LINGER: Duration = Duration::from_secs(1);
/// Between two looks while real time passes.
const SLICE: Duration = Duration::from_millis(2);

/// What came of letting time pass.
#[derive(Debug)]
pub(super) enum Time {
    /// Nothing waits for it.
    Nothing,
    /// Something ran out, or came from outside meanwhile.
    Passed,
    /// The run's own time is over.
    Over(End),
}

/// What could end a sleep.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waker {
    /// Only another thread of the run.
    Inside(String),
    /// Also something outside the run.
    Outside(String),
    /// Time.
    Time,
}

/// A sleeping thread at one moment: its call, and how long and how often it has run.
type Look = (Inside, (u64, u64));

/// What runs out at a deadline.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Wait(ThreadId),
    Stretch(ThreadId),
    Timer(usize),
    Posix(usize),
    Descriptor(usize),
}

impl Turns<'_> {
    /// Nobody is held. Lets something happen if that needs only time; else says how the run has ended.
    pub(super) fn quiet(&mut self) -> Result<Option<End>, RunError> {
        if !self.still()? {
            return Ok(None);
        }
        self.quiet_since.get_or_insert_with(Instant::now);
        self.refresh_timers()?;
        if let Some(ended) = self.first_ended {
            let linger = LINGER.as_nanos() as u64;
            let soon =
                self.earliest().is_some_and(|(deadline, _)| deadline.logical <= ended.saturating_add(linger));
            if !soon {
                return self.end_of_all().map(Some);
            }
        }
        match self.let_time_pass_fully()? {
            Time::Passed => return Ok(None),
            Time::Over(end) => return Ok(Some(end)),
            Time::Nothing => {}
        }
        let (mut sleepers, mut wakers) = (Vec::new(), Vec::new());
        for id in self.tree.ids() {
            let State::Asleep(inside) = self.tree.thread(id).state else { continue };
            let waker = self.waker(id, &inside);
            let status = self.proc_status(id)?;
            let caught = status.map_or(SignalSet::EMPTY, |status| status.caught.without(status.blocked));
            if let Waker::Inside(why) | Waker::Outside(why) = &waker {
                let call = Syscall(inside.number as u32);
                let thread = self.tree.thread(id).name.clone();
                sleepers.push(Sleeper { thread, call, caught, why: why.clone() });
            }
            wakers.push(waker);
        }
        if wakers.contains(&Waker::Time) {
            return self.slice();
        }
        if self.tree.threads.iter().any(|thread| matches!(thread.state, State::Stopped)) {
            return Ok(Some(End::Stopped));
        }
        if wakers.iter().any(|waker| matches!(waker, Waker::Outside(_))) {
            return Ok(Some(End::Idle(sleepers)));
        }
        Ok(Some(End::Hang(sleepers)))
    }

    /// The first process has ended, and what is left, if anything, does not count as running.
    pub(super) fn end_of_all(&mut self) -> Result<End, RunError> {
        let first = self.tree.processes.first().and_then(|process| process.status);
        Ok(End::Ended(first.unwrap_or(Status::Unseen)))
    }

    /// True if every sleeping thread sleeps, in the same call and without having run, in two looks one after the other.
    fn still(&mut self) -> Result<bool, RunError> {
        let first = self.look_at_sleepers()?;
        let second = self.look_at_sleepers()?;
        let still = first.is_some() && first == second;
        // A notification would mean that one of them has only just begun to wait for its answer.
        Ok(self.listen(Patience::Not)? != Heard::News && still)
    }

    fn look_at_sleepers(&self) -> Result<Option<Vec<Look>>, RunError> {
        let mut seen = Vec::new();
        for thread in &self.tree.threads {
            let fault = |error| RunError::Fault(format!("looking at {}: {error}", thread.name));
            let State::Asleep(known) = &thread.state else { continue };
            let doing = thread.files.doing().map_err(fault)?;
            let inside = thread.files.inside().map_err(fault)?;
            let asleep = doing == Doing::Sleeping || (doing == Doing::Uninterruptible && thread.vforks);
            if !asleep || inside != Some(*known) {
                return Ok(None);
            }
            match thread.files.ran() {
                Ok(ran) => seen.push((*known, ran)),
                Err(error) if procfs::gone(&error) => return Ok(None),
                Err(error) => return Err(fault(error)),
            }
        }
        Ok(Some(seen))
    }

    /// The deadline that comes first, and whose it is.
    pub(super) fn earliest(&self) -> Option<(Deadline, Due)> {
        let waits = self.tree.ids().filter_map(|id| match &self.tree.thread(id).state {
            State::Waiting(_, wait) => Some((wait.deadline, Due::Wait(id))),
            State::Asleep(_) => {
                self.tree.thread(id).stretch.as_ref().map(|stretch| (stretch.deadline, Due::Stretch(id)))
            }
            _ => None,
        });
        let timers = self.clock.timers.iter().enumerate();
        let timers = timers.map(|(index, timer)| (timer.deadline, Due::Timer(index)));
        let posix = self.clock.posix.iter().enumerate();
        let posix = posix.filter_map(|(index, timer)| Some((timer.deadline?, Due::Posix(index))));
        let descriptors = self.clock.descriptors.iter().enumerate();
        let descriptors =
            descriptors.filter_map(|(index, timer)| Some((timer.deadline?, Due::Descriptor(index))));
        waits.chain(timers).chain(posix).chain(descriptors).min_by_key(|(deadline, _)| deadline.logical)
    }

    /// The program goes on and on: what it may be waiting for is let happen.
    pub(super) fn let_time_pass(&mut self) -> Result<Time, RunError> {
        self.busy_points = 0;
        self.refresh_timers()?;
        self.let_time_pass_fully()
    }

    /// Waits until the earliest deadline has come, in reality too, and lets it run out.
    fn let_time_pass_fully(&mut self) -> Result<Time, RunError> {
        let Some((deadline, due)) = self.earliest() else { return Ok(Time::Nothing) };
        loop {
            if let Some(end) = self.over() {
                return Ok(Time::Over(end));
            }
            let left = deadline.real.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.interrupted()?;
            if self.listen(Patience::For(left.min(SLICE)))? == Heard::News || self.woken()? {
                return Ok(Time::Passed);
            }
        }
        self.clock.now = self.clock.now.max(deadline.logical);
        self.busy_points = 0;
        self.count_expirations();
        self.quiet_since = None;
        match due {
            Due::Wait(id) => self.end_wait(id, WaitEnd::TimeUp)?,
            Due::Stretch(id) => self.end_stretch(id)?,
            Due::Timer(index) => self.fire(index)?,
            Due::Posix(index) => self.fire_posix(index)?,
            Due::Descriptor(index) => self.fire_descriptor(index),
        }
        Ok(Time::Passed)
    }

    /// True if something from outside, or the kernel's own time, has woken a thread.
    fn woken(&self) -> Result<bool, RunError> {
        for thread in &self.tree.threads {
            match &thread.state {
                State::Asleep(_) if matches!(thread.files.doing(), Ok(Doing::Running | Doing::Ended)) => {
                    return Ok(true);
                }
                State::Waiting(_, wait) if wait.ready() => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }

    fn fire(&mut self, index: usize) -> Result<(), RunError> {
        let timer = self.clock.timers.remove(index);
        if !timer.interval.is_zero() {
            self.clock.set_timer(timer.process, timer.interval, timer.interval);
        }
        let process = self.tree.process(timer.process);
        // It may have ended just now, which disarms its timer.
        let _ = pidfd::kill(process.pid, timer.signal.number());
        let leader = self.tree.threads_of(timer.process).next();
        self.signalled(timer.process);
        if let Some(leader) = leader {
            self.event(leader, What::Fire(timer.signal));
        }
        Ok(())
    }

    fn over(&self) -> Option<End> {
        (self.started.elapsed() > self.settings.limits.time).then(|| match self.first_ended {
            Some(_) => End::Ended(self.tree.process(ProcessId(0)).status.unwrap_or(Status::Unseen)),
            None => End::TimedOut,
        })
    }

    /// A sleep in the kernel will end by time: a little of it passes.
    fn slice(&mut self) -> Result<Option<End>, RunError> {
        self.interrupted()?;
        if self.first_ended_at.is_some_and(|at| at.elapsed() > LINGER) {
            return self.end_of_all().map(Some);
        }
        if let Some(end) = self.over() {
            return Ok(Some(end));
        }
        self.listen(Patience::For(SLICE))?;
        Ok(None)
    }

    /// What could wake this thread.
    fn waker(&self, id: ThreadId, inside: &Inside) -> Waker {
        use Sysno as S;
        let args = &inside.args;
        let only_inside = |why: &str| Waker::Inside(why.to_owned());
        let unless_timed = |timeout: u64, waker: Waker| if timeout != 0 { Waker::Time } else { waker };
        let Some(call) = Syscall(inside.number as u32).sysno() else { return unknown() };
        match call {
            S::pause | S::rt_sigsuspend => only_inside("waits for a signal, and nobody is left to send one"),
            S::rt_sigtimedwait => {
                unless_timed(args[2], only_inside("waits for a signal, and nobody is left to send one"))
            }
            S::wait4 | S::waitid => only_inside("waits for a child to change, and every child sleeps"),
            S::futex => {
                let timeout = if timeout::futex_sleeps(args[1]) { args[3] } else { 0 };
                unless_timed(
                    timeout,
                    only_inside("waits for a futex, and every thread that could wake it sleeps"),
                )
            }
            S::clone | S::clone3 | S::vfork => only_inside("waits for its vfork child to execute or end"),
            S::read
            | S::readv
            | S::pread64
            | S::recvfrom
            | S::recvmsg
            | S::recvmmsg
            | S::accept
            | S::accept4
            | S::write
            | S::writev
            | S::sendto
            | S::sendmsg
            | S::sendmmsg => self.descriptor(id, args[0] as i32, 0),
            S::poll | S::ppoll => self.polled(id, args),
            S::select | S::pselect6 => self.selected(id, args),
            S::epoll_wait | S::epoll_pwait | S::epoll_pwait2 => self.descriptor(id, args[0] as i32, 0),
            S::nanosleep | S::clock_nanosleep | S::restart_syscall => Waker::Time,
            S::msgrcv | S::msgsnd | S::semop => {
                only_inside("waits for System V IPC of the run's own namespace")
            }
            S::semtimedop => {
                unless_timed(args[3], only_inside("waits for a semaphore of the run's own namespace"))
            }
            S::mq_timedreceive | S::mq_timedsend => {
                unless_timed(args[4], only_inside("waits for a message queue of the run's own namespace"))
            }
            S::flock | S::fcntl => {
                Waker::Outside("waits for a file lock, which another program may hold".to_owned())
            }
            S::connect => Waker::Outside("waits for a peer to accept its connection".to_owned()),
            _ => unknown(),
        }
    }

    fn polled(&self, id: ThreadId, args: &[u64; 6]) -> Waker {
        let pid = self.tree.process_of(id).pid;
        let count = (args[1] as usize).min(4096);
        let mut bytes = vec![0u8; count * 8];
        if count > 0 && memory::read(pid, args[0], &mut bytes).ok() != Some(bytes.len()) {
            return unknown();
        }
        let fds =
            bytes.chunks_exact(8).map(|entry| i32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]));
        self.any_of(id, fds.filter(|fd| *fd >= 0))
    }

    fn selected(&self, id: ThreadId, args: &[u64; 6]) -> Waker {
        let pid = self.tree.process_of(id).pid;
        let count = (args[0] as usize).min(1024);
        let mut fds = Vec::new();
        for address in args[1..4].iter().filter(|address| **address != 0) {
            let mut bits = vec![0u8; count.div_ceil(64) * 8];
            if memory::read(pid, *address, &mut bits).ok() != Some(bits.len()) {
                return unknown();
            }
            fds.extend((0..count).filter(|fd| bits[fd / 8] & (1 << (fd % 8)) != 0).map(|fd| fd as i32));
        }
        self.any_of(id, fds.into_iter())
    }

    /// Any of several descriptors can end the sleep.
    fn any_of(&self, id: ThreadId, fds: impl Iterator<Item = i32>) -> Waker {
        let none = Waker::Inside("waits for a signal, and nobody is left to send one".to_owned());
        fds.map(|fd| self.descriptor(id, fd, 0)).max().unwrap_or(none)
    }

    /// Who could make this descriptor ready.
    fn descriptor(&self, id: ThreadId, fd: i32, depth: u32) -> Waker {
        let process = self.tree.process_of(id);
        let Ok(link) = procfs::descriptor(process.pid, fd) else { return unknown() };
        let inside = |what: &str| {
            Waker::Inside(format!("waits for {what} (descriptor {fd}), and everybody in the run sleeps"))
        };
        if let Some(number) = link.strip_prefix("pipe:[") {
            let ours = [self.cell.stdout(), self.cell.stderr()].into_iter().any(|end| {
                let stat = nix::sys::stat::fstat(end);
                stat.is_ok_and(|stat| number.strip_suffix(']').is_some_and(|n| n.parse() == Ok(stat.st_ino)))
            });
            // Standard output is emptied all the time; to read from it is to wait for the harness.
            return if ours { Waker::Time } else { inside("a pipe of the run's own") };
        }
        if link.starts_with("socket:[") {
            return self.socket(id, fd);
        }
        match link.strip_prefix("anon_inode:") {
            Some("[eventfd]") => inside("an eventfd"),
            Some("[signalfd]") => inside("a signal through a signalfd"),
            Some("[pidfd]") => inside("a process's end"),
            Some("[timerfd]") => {
                let info = procfs::descriptor_info(process.pid, fd).unwrap_or_default();
                if info.contains("it_value: (0, 0)") {
                    inside("a timer that is not set")
                } else {
                    Waker::Time
                }
            }
            Some("[eventpoll]") if depth < 5 => {
                let info = procfs::descriptor_info(process.pid, fd).unwrap_or_default();
                let targets = info.lines().filter_map(|line| {
                    line.strip_prefix("tfd:")?.split_ascii_whitespace().next()?.parse::<i32>().ok()
                });
                targets
                    .map(|fd| self.descriptor(id, fd, depth + 1))
                    .max()
                    .unwrap_or_else(|| inside("an empty epoll set"))
            }
            _ => Waker::Outside(format!("waits for {link} (descriptor {fd}), which others can use")),
        }
    }

    fn socket(&self, id: ThreadId, fd: i32) -> Waker {
        let process = self.tree.process_of(id);
        let Ok(copy) = process.pidfd.duplicate(fd) else { return unknown() };
        if socket::getsockopt(&copy, sockopt::AcceptConn).unwrap_or(false) {
            return Waker::Outside(format!("waits for clients of a listening socket (descriptor {fd})"));
        }
        let timeout = socket::getsockopt(&copy, sockopt::ReceiveTimeout);
        if timeout.is_ok_and(|time| time.tv_sec() != 0 || time.tv_usec() != 0) {
            return Waker::Time;
        }
        let peer = socket::getsockopt(&copy.as_fd(), sockopt::PeerCredentials).map(|peer| peer.pid());
        let in_run =
            peer.is_ok_and(|pid| pid > 0 && self.tree.processes.iter().any(|process| process.pid == pid));
        if in_run {
            Waker::Inside(format!(
                "waits for a socket whose peer is in the run (descriptor {fd}), and everybody sleeps"
            ))
        } else {
            Waker::Outside(format!("waits for a socket that may lead outside the run (descriptor {fd})"))
        }
    }
}

fn unknown() -> Waker {
    Waker::Outside("sleeps in a call of which it is not known that only the run could end it".to_owned())
}
