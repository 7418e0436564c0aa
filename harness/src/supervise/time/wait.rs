//! A call that would end after a time, held instead of let happen; and what else ends it.

use crate::schedule::Syscall;
use crate::signal::SignalSet;
use crate::supervise::books::door::Door;
use crate::supervise::books::futexes::Waiter;
use crate::supervise::calls::{self, Ends, Sleep, Unit};
use crate::supervise::time::deadline::Deadline;
use crate::supervise::time::timeout::{self, Timeout};
use crate::sys::pidfd::Duplicate;
use crate::sys::socket;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use syscalls::Sysno;

/// As many events may be waited for at once (EP_MAX_EVENTS of fs/eventpoll.c), each of twelve bytes.
const EVENTS: i32 = i32::MAX / 12;

/// A sleep that is held.
#[derive(Debug)]
pub(in crate::supervise) struct Wait {
    pub(in crate::supervise) call: Syscall,
    pub(in crate::supervise) duration: Duration,
    /// When it ends by time, if it does; none only of a futex.
    pub(in crate::supervise) deadline: Option<Deadline>,
    pub(in crate::supervise) kind: Kind,
}

#[derive(Debug)]
pub(in crate::supervise) enum Kind {
    /// nanosleep, clock_nanosleep: where the time that was left goes when a signal ends it, if anywhere.
    Sleep { remaining: Option<u64> },
    /// The poll and select families, message queues, and sockets with a timeout: descriptors that end it (duplicates of
    /// the program's), the mask that holds meanwhile; where the kernel writes how much time is left, if it does; memory to
    /// clear and the error, if any, when the time runs out.
    Descriptors {
        ends: Vec<(Duplicate, PollFlags)>,
        mask: Option<SignalSet>,
        left: Option<(u64, Unit)>,
        clear: Vec<(u64, usize)>,
        late: Option<Errno>,
    },
    /// rt_sigtimedwait: signals that end it.
    Signals { set: SignalSet },
    /// futex: see `supervise::futex`.
    Futex(Waiter),
}

/// What ends the wait of a thread whose call was not let happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum WaitEnd {
    /// A descriptor is ready: the call is let happen, and returns at once.
    Ready,
    /// Its time has run out.
    TimeUp,
    /// A signal that is handled, or awaited by the call.
    Signal,
    /// A signal that stops or ends the process without a handler: a stopped call goes on where it was.
    Stop,
}

/// A deadline that a stop has put off: the call's address and arguments, and its end.
pub(in crate::supervise) type Resume = (u64, [u64; 6], Deadline);

impl Kind {
    /// What ends a call with a timeout besides the time, if its sleep can be had without letting it happen; none also where
    /// the caller's memory cannot be read, which the kernel will report to the caller itself when the call is let happen.
    pub(in crate::supervise) fn of(door: &Door, call: Syscall, args: &[u64; 6]) -> Option<Kind> {
        let present = |address: u64| Some(address).filter(|address| *address != 0);
        match calls::of(call).sleep {
            Sleep::Time => {
                let remaining = match call.sysno()? {
                    Sysno::nanosleep => args[1],
                    _ if args[1] & libc::TIMER_ABSTIME as u64 != 0 => 0,
                    _ => args[3],
                };
                Some(Kind::Sleep { remaining: present(remaining) })
            }
            Sleep::Poll => {
                let clear = (0..args[1]).map(|n| (args[0].wrapping_add(8 * n + 6), 2));
                let ends = timeout::polled(door, args)?;
                descriptors(door, call, args, ends, clear.collect())
            }
            Sleep::Select => {
                let length = timeout::set_size(args)?;
                let sets =
                    args[1..4].iter().filter(|address| **address != 0).map(|address| (*address, length));
                descriptors(door, call, args, timeout::selected(door, args)?, sets.collect())
            }
            // Of what is none the kernel tells at once (`ep_check_params` of fs/eventpoll.c).
            Sleep::Epoll(_) if !(1..=EVENTS).contains(&(args[2] as i32)) => None,
            Sleep::Epoll(fd) => {
                let set = door.duplicate(args[fd] as i32).ok().filter(is_epoll)?;
                let (ends, mask) = (vec![(set, PollFlags::POLLIN)], mask(door, call, args)?);
                Some(Kind::Descriptors { ends, mask, left: None, clear: Vec::new(), late: None })
            }
            Sleep::Awaited => Some(Kind::Signals { set: SignalSet(door.read_word(args[0]).ok()?) }),
            Sleep::Read(fd) => one(door, args[fd], PollFlags::POLLIN, late(call)),
            // What is sent may go in parts, but a message goes as a whole.
            Sleep::Write(fd) if call == Sysno::mq_timedsend.into() => {
                one(door, args[fd], PollFlags::POLLOUT, late(call))
            }
            Sleep::Never
            | Sleep::Signal
            | Sleep::Child
            | Sleep::Offspring
            | Sleep::Futex
            | Sleep::Futexes
            | Sleep::Write(_)
            | Sleep::Transfer(..)
            | Sleep::Ipc
            | Sleep::Lock(_)
            | Sleep::Opening
            | Sleep::Requests
            | Sleep::Lingering
            | Sleep::Restarted
            | Sleep::Ending
            | Sleep::Unknown => None,
        }
    }
}

impl Wait {
    /// True for calls that move something themselves, instead of waiting for the chance to.
    pub(in crate::supervise) fn transfers(&self) -> bool {
        matches!(self.kind, Kind::Descriptors { late: Some(_), .. })
    }

    /// True if a futex is waited for, of which this is the one place that knows.
    pub(in crate::supervise) fn is_for_futex(&self) -> bool {
        matches!(self.kind, Kind::Futex(_))
    }

    /// True if something other than time and signals ends it now.
    pub(in crate::supervise) fn ready(&self) -> bool {
        let Kind::Descriptors { ends, .. } = &self.kind else { return false };
        let mut fds: Vec<_> = ends.iter().map(|(fd, events)| PollFd::new(fd.as_fd(), *events)).collect();
        !fds.is_empty() && poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// True if it fails with EINTR when its process has been stopped and goes on, without any handler (signal(7), "Interruption of
    /// system calls and library functions by stop signals"). Others are made again.
    pub(in crate::supervise) fn ends_by_stop(&self) -> bool {
        match (&self.kind, calls::of(self.call).sleep) {
            (Kind::Signals { .. }, _) | (Kind::Descriptors { .. }, Sleep::Epoll(_)) => true,
            // A socket with a timeout, but no message queue.
            (Kind::Descriptors { late, .. }, _) => *late == Some(Errno::EAGAIN),
            (Kind::Sleep { .. } | Kind::Futex(_), _) => false,
        }
    }

    /// What the call returns when its time has run out. Writes what the kernel would write.
    pub(in crate::supervise) fn run_out(&self, door: &Door) -> Result<i64, Errno> {
        match &self.kind {
            Kind::Sleep { .. } => Ok(0),
            Kind::Signals { .. } => Err(Errno::EAGAIN),
            Kind::Futex(_) => Err(Errno::ETIMEDOUT),
            Kind::Descriptors { left, clear, late, .. } => {
                if let Some((address, unit)) = left {
                    // If that fails the call does not: a timeout may stand where nobody can write.
                    let _ = timeout::write(door, *address, *unit, Duration::ZERO);
                }
                for (address, length) in clear {
                    door.write(*address, &vec![0; *length])?;
                }
                late.map_or(Ok(0), Err)
            }
        }
    }
}

/// With what a call fails that moves something and has waited too long.
fn late(call: Syscall) -> Errno {
    let queue = [Sysno::mq_timedreceive, Sysno::mq_timedsend].map(Syscall::from).contains(&call);
    if queue { Errno::ETIMEDOUT } else { Errno::EAGAIN }
}

/// The mask that holds while a call waits for descriptors, if it brings one; none if it cannot be read.
fn mask(door: &Door, call: Syscall, args: &[u64; 6]) -> Option<Option<SignalSet>> {
    let at = |address: u64| match address {
        0 => Some(None),
        address => door.read_word(address).ok().map(|mask| Some(SignalSet(mask))),
    };
    match call.sysno()? {
        Sysno::ppoll => at(args[3]),
        Sysno::pselect6 if args[5] != 0 => at(door.read_word(args[5]).ok()?),
        Sysno::epoll_pwait | Sysno::epoll_pwait2 => at(args[4]),
        _ => Some(None),
    }
}

/// A call that sleeps until one of these descriptors is ready; none if it is not to sleep.
fn descriptors(
    door: &Door,
    call: Syscall,
    args: &[u64; 6],
    fds: Vec<(i32, PollFlags)>,
    clear: Vec<(u64, usize)>,
) -> Option<Kind> {
    // A bad descriptor ends the call at once: it is let happen.
    let ends = fds.into_iter().map(|(fd, events)| Some((door.duplicate(fd).ok()?, events)));
    let (ends, mask) = (ends.collect::<Option<_>>()?, mask(door, call, args)?);
    // A number of milliseconds is nowhere that the kernel could write to.
    let left = match calls::of(call).ends {
        Ends::After(at, unit @ (Unit::Timespec | Unit::Timeval)) => Some((args[at], unit)),
        _ => None,
    };
    Some(Kind::Descriptors { ends, mask, left, clear, late: None })
}

/// A call that sleeps until its one descriptor is ready; none if it is not to sleep.
fn one(door: &Door, fd: u64, events: PollFlags, late: Errno) -> Option<Kind> {
    let fd = door.duplicate(fd as i32).ok().filter(may_block)?;
    let ends = vec![(fd, events)];
    Some(Kind::Descriptors { ends, mask: None, left: None, clear: Vec::new(), late: Some(late) })
}

/// True for an epoll(7) set, whatever is in it.
pub(in crate::supervise) fn is_epoll(fd: &Duplicate) -> bool {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    link.is_ok_and(|link| link.as_os_str() == "anon_inode:[eventpoll]")
}

fn may_block(fd: &Duplicate) -> bool {
    fcntl(fd, FcntlArg::F_GETFL)
        .is_ok_and(|flags| !OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK))
}

/// The time that SO_RCVTIMEO or SO_SNDTIMEO gives this call; none where there is no such limit.
pub(in crate::supervise) fn socket_timeout(door: &Door, call: Syscall, args: &[u64; 6]) -> Option<Timeout> {
    let (fd, sends) = match calls::of(call).sleep {
        Sleep::Read(fd) => (fd, false),
        Sleep::Write(fd) | Sleep::Transfer(_, fd) => (fd, true),
        _ => return None,
    };
    let flags = match call.sysno()? {
        Sysno::recvfrom | Sysno::sendto | Sysno::recvmmsg | Sysno::sendmmsg => args[3],
        Sysno::recvmsg | Sysno::sendmsg => args[2],
        _ => 0,
    };
    let fd = door.duplicate(args[fd] as i32).ok()?;
    let limit = socket::timeout(fd.as_fd(), sends).ok()??;
    let blocks = flags & libc::MSG_DONTWAIT as u64 == 0 && may_block(&fd);
    blocks.then(|| Timeout::exactly(limit))
}
