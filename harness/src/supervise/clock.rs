//! Time, as far as the program can be kept from racing against it.
//!
//! No sleep and no timeout may run out while a thread can run. So a call that would end after a time is held instead of
//! let happen, and a timer is noted instead of armed. When nothing else can run, the earliest of them is let run out,
//! after waiting as long as the program asked for: time is real, only its order against the program's steps is fixed.
//! The order among deadlines goes by a logical clock that stands still while the program runs, so that it is the same in
//! every run.

use super::timeout::Timeout;
use super::timers::{DescriptorTimer, PosixTimer};
use super::tree::ProcessId;
use crate::schedule::Syscall;
use crate::signal::{Signal, SignalSet};
use crate::sys::memory;
use crate::sys::pidfd::PidFd;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{self, sockopt};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use syscalls::Sysno;

/// Nanoseconds on the run's logical clock.
pub(super) type Logical = u64;

/// When something runs out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    /// In the order of the run.
    pub(super) logical: Logical,
    /// Never before this: the program must not see a sleep that was too short.
    pub(super) real: Instant,
}

impl Deadline {
    /// `times` intervals later.
    pub(super) fn later(self, interval: Duration, times: u64) -> Deadline {
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).saturating_mul(times);
        let real = self.real.checked_add(Duration::from_nanos(interval)).unwrap_or(self.real);
        Deadline { logical: self.logical.saturating_add(interval), real }
    }
}

/// A process's ITIMER_REAL, which the program believes to be armed in the kernel.
#[derive(Clone, Debug)]
pub(super) struct Timer {
    pub(super) process: ProcessId,
    pub(super) signal: Signal,
    pub(super) deadline: Deadline,
    pub(super) interval: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Clock {
    pub(super) now: Logical,
    /// At most one per process: alarm(2) and setitimer(2) share ITIMER_REAL.
    pub(super) timers: Vec<Timer>,
    pub(super) posix: Vec<PosixTimer>,
    pub(super) descriptors: Vec<DescriptorTimer>,
}

impl Clock {
    pub(super) fn after(&self, timeout: Timeout) -> Deadline {
        let nanos = u64::try_from(timeout.logical().as_nanos()).unwrap_or(u64::MAX);
        // A century is as good as for ever, and an `Instant` can hold it.
        let real = Instant::now() + timeout.duration.min(Duration::from_secs(100 * 365 * 86_400));
        Deadline { logical: self.now.saturating_add(nanos), real }
    }

    /// Time left until `deadline` on the logical clock.
    pub(super) fn left(&self, deadline: Deadline) -> Duration {
        Duration::from_nanos(deadline.logical.saturating_sub(self.now))
    }

    pub(super) fn timer(&self, process: ProcessId) -> Option<&Timer> {
        self.timers.iter().find(|timer| timer.process == process)
    }

    /// Arms, changes or disarms (`value` zero) the process's timer.
    pub(super) fn set_timer(&mut self, process: ProcessId, value: Duration, interval: Duration) {
        self.timers.retain(|timer| timer.process != process);
        if !value.is_zero() {
            let deadline = self.after(Timeout::exactly(value));
            self.timers.push(Timer { process, signal: Signal::ALRM, deadline, interval });
        }
    }
}

/// A call that would end after a time, and what else ends it.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) call: Syscall,
    pub(super) duration: Duration,
    pub(super) deadline: Deadline,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// nanosleep, clock_nanosleep: where the time that was left goes when a signal ends it, if anywhere.
    Sleep { remaining: Option<u64> },
    /// The poll and select families, message queues, and sockets with a timeout: descriptors that end it (duplicates of
    /// the program's), the mask that holds meanwhile; memory to clear and the error, if any, when the time runs out.
    Descriptors {
        ends: Vec<(OwnedFd, PollFlags)>,
        mask: Option<SignalSet>,
        clear: Vec<(u64, usize)>,
        late: Option<Errno>,
    },
    /// rt_sigtimedwait: signals that end it.
    Signals { set: SignalSet },
}

/// More descriptors than this are not watched one by one: the call is let happen with its real timeout.
const MANY: usize = 256;

impl Wait {
    /// The wait that a call with this timeout is, if its sleep can be had without letting it happen; errors are those of
    /// reading the caller's memory, which the kernel will report to the caller itself when the call is let happen.
    pub(super) fn of(
        clock: &Clock,
        pid: i32,
        pidfd: &PidFd,
        call: Syscall,
        args: &[u64; 6],
        timeout: Timeout,
    ) -> Option<Wait> {
        let mask = |address: u64| {
            (address != 0).then(|| memory::read_word(pid, address).ok().map(SignalSet)).flatten()
        };
        let remaining = |address: u64| Some(address).filter(|address| *address != 0);
        let kind = match call.sysno()? {
            Sysno::nanosleep => Kind::Sleep { remaining: remaining(args[1]) },
            Sysno::clock_nanosleep if args[1] & libc::TIMER_ABSTIME as u64 != 0 => {
                Kind::Sleep { remaining: None }
            }
            Sysno::clock_nanosleep => Kind::Sleep { remaining: remaining(args[3]) },
            Sysno::poll => polled(pid, pidfd, args, None)?,
            Sysno::ppoll => polled(pid, pidfd, args, mask(args[3]))?,
            Sysno::select => selected(pid, pidfd, args, None)?,
            Sysno::pselect6 => {
                let set = (args[5] != 0).then(|| memory::read_word(pid, args[5]).ok()).flatten();
                selected(pid, pidfd, args, set.and_then(mask))?
            }
            Sysno::epoll_wait => epolled(pidfd, args, None)?,
            Sysno::epoll_pwait | Sysno::epoll_pwait2 => epolled(pidfd, args, mask(args[4]))?,
            Sysno::rt_sigtimedwait => Kind::Signals { set: mask(args[0])? },
            Sysno::mq_timedreceive => one(pidfd, args[0], PollFlags::POLLIN, Errno::ETIMEDOUT)?,
            Sysno::mq_timedsend => one(pidfd, args[0], PollFlags::POLLOUT, Errno::ETIMEDOUT)?,
            call if receives(call) => one(pidfd, args[0], PollFlags::POLLIN, Errno::EAGAIN)?,
            _ => return None,
        };
        // Without time to pass the call cannot sleep: it is let happen.
        let duration = timeout.duration;
        (!duration.is_zero()).then(|| Wait { call, duration, deadline: clock.after(timeout), kind })
    }

    /// True for calls that move something themselves, instead of waiting for the chance to.
    pub(super) fn transfers(&self) -> bool {
        matches!(self.kind, Kind::Descriptors { late: Some(_), .. })
    }

    /// True if something other than time and signals ends it now.
    pub(super) fn ready(&self) -> bool {
        let Kind::Descriptors { ends, .. } = &self.kind else { return false };
        let mut fds: Vec<_> = ends.iter().map(|(fd, events)| PollFd::new(fd.as_fd(), *events)).collect();
        !fds.is_empty() && poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// What the call returns when its time has run out. Writes what the kernel would write.
    pub(super) fn run_out(&self, pid: i32) -> Result<i64, Errno> {
        match &self.kind {
            Kind::Sleep { .. } => Ok(0),
            Kind::Signals { .. } => Err(Errno::EAGAIN),
            Kind::Descriptors { clear, late, .. } => {
                for (address, length) in clear {
                    memory::write(pid, *address, &vec![0; *length])?;
                }
                late.map_or(Ok(0), Err)
            }
        }
    }
}

/// The calls that SO_RCVTIMEO limits (socket(7)).
fn receives(call: Sysno) -> bool {
    use Sysno as S;
    matches!(call, S::read | S::readv | S::recvfrom | S::recvmsg | S::recvmmsg | S::accept | S::accept4)
}

/// The time that SO_RCVTIMEO or SO_SNDTIMEO gives this call; none where there is no such limit.
pub(super) fn socket_timeout(pidfd: &PidFd, call: Sysno, args: &[u64; 6]) -> Option<Timeout> {
    use Sysno as S;
    let sends = matches!(
        call,
        S::write | S::writev | S::sendto | S::sendmsg | S::sendmmsg | S::connect | S::sendfile
    );
    if !receives(call) && !sends {
        return None;
    }
    let flags = match call {
        S::recvfrom | S::sendto | S::recvmmsg | S::sendmmsg => args[3],
        S::recvmsg | S::sendmsg => args[2],
        _ => 0,
    };
    let fd = pidfd.duplicate(args[0] as i32).ok()?;
    let limit = match sends {
        true => socket::getsockopt(&fd, sockopt::SendTimeout),
        false => socket::getsockopt(&fd, sockopt::ReceiveTimeout),
    };
    let limit = limit.ok()?;
    let (seconds, micros) = (u64::try_from(limit.tv_sec()).ok()?, u64::try_from(limit.tv_usec()).ok()?);
    let duration = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
    let blocks = flags & libc::MSG_DONTWAIT as u64 == 0 && may_block(&fd);
    (blocks && !duration.is_zero()).then(|| Timeout::exactly(duration))
}

fn may_block(fd: &OwnedFd) -> bool {
    fcntl(fd, FcntlArg::F_GETFL)
        .is_ok_and(|flags| !OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK))
}

/// A call that sleeps until its one descriptor is ready; none if it is not to sleep.
fn one(pidfd: &PidFd, fd: u64, events: PollFlags, late: Errno) -> Option<Kind> {
    let fd = pidfd.duplicate(fd as i32).ok().filter(may_block)?;
    Some(Kind::Descriptors { ends: vec![(fd, events)], mask: None, clear: Vec::new(), late: Some(late) })
}

fn polled(pid: i32, pidfd: &PidFd, args: &[u64; 6], mask: Option<SignalSet>) -> Option<Kind> {
    let (address, count) = (args[0], usize::try_from(args[1]).ok().filter(|count| *count <= MANY)?);
    let mut bytes = vec![0u8; count * 8];
    if count > 0 && memory::read(pid, address, &mut bytes).ok()? != bytes.len() {
        return None;
    }
    let mut ends = Vec::new();
    for entry in bytes.chunks_exact(8) {
        let fd = i32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
        if fd >= 0 {
            // A bad descriptor ends poll at once (POLLNVAL): let it happen.
            let events = PollFlags::from_bits_truncate(i16::from_le_bytes([entry[4], entry[5]]));
            ends.push((pidfd.duplicate(fd).ok()?, events));
        }
    }
    let clear = (0..count).map(|n| (address + 8 * n as u64 + 6, 2)).collect();
    Some(Kind::Descriptors { ends, mask, clear, late: None })
}

fn selected(pid: i32, pidfd: &PidFd, args: &[u64; 6], mask: Option<SignalSet>) -> Option<Kind> {
    let count = usize::try_from(args[0]).ok().filter(|count| *count <= 1024)?;
    let length = count.div_ceil(64) * 8;
    let (mut ends, mut clear) = (Vec::new(), Vec::new());
    // What select(2) says each of its sets stands for.
    let sets = [(args[1], PollFlags::POLLIN), (args[2], PollFlags::POLLOUT), (args[3], PollFlags::POLLPRI)];
    for (address, events) in sets {
        if address == 0 {
            continue;
        }
        let mut bits = vec![0u8; length];
        if memory::read(pid, address, &mut bits).ok()? != length {
            return None;
        }
        for fd in (0..count).filter(|fd| bits[fd / 8] & (1 << (fd % 8)) != 0) {
            ends.push((pidfd.duplicate(fd as i32).ok()?, events));
        }
        clear.push((address, length));
    }
    // Linux tells how much time was left, here none.
    clear.push((args[4], 16));
    (ends.len() <= MANY).then_some(Kind::Descriptors { ends, mask, clear, late: None })
}

fn epolled(pidfd: &PidFd, args: &[u64; 6], mask: Option<SignalSet>) -> Option<Kind> {
    let fd = pidfd.duplicate(args[0] as i32).ok()?;
    Some(Kind::Descriptors { ends: vec![(fd, PollFlags::POLLIN)], mask, clear: Vec::new(), late: None })
}
