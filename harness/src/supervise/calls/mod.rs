//! What is known of each system call, in one table: how it sleeps, how it ends by time, whom it may wake, what it changes.
//!
//! Pure data: everything else asks here, so that no two places can disagree. A call that is not in the table, or is there as
//! `UNKNOWN` on purpose, is taken to sleep for reasons that only the outside knows, and to concern everybody.

mod effects;
mod shared;
mod table;

use crate::schedule::Syscall;
use std::sync::LazyLock;

pub use effects::Effects;
pub use shared::{Shared, shared};

/// One of a call's arguments, from 0.
pub(super) type Arg = usize;

/// What is known of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// What it waits for, if it may wait.
    pub(super) sleep: Sleep,
    /// How time ends that wait.
    pub(super) ends: Ends,
    /// Whose waits it may end.
    pub(super) wakes: Wakes,
    /// What it changes for its process.
    pub(super) changes: Changes,
    /// When it only looks at how things stand, so that a loop of it is waiting.
    pub(super) looks: Looks,
    /// Whether it may show the number of a file.
    pub(super) numbers: Numbers,
    /// What is known of it where it neither waits nor wakes.
    pub(super) scope: Scope,
}

/// What a call has to do with, where its waits and wakes do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Its own process only, if that shares no memory, and files, at which it looks.
    Process,
    /// How its own process takes signals.
    Signals,
    /// What it waits for and wakes; of one that does neither it is not known.
    Others,
}

/// What a call waits for. Waiting for a disk does not count: that always ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sleep {
    /// For nothing.
    Never,
    /// A signal that has a handler, or ends the process: pause(2), sigsuspend(2).
    Signal,
    /// A signal of a set that it takes itself: sigwaitinfo(2).
    Awaited,
    /// A child that changes: wait(2).
    Child,
    /// The child that it makes with vfork(2), until that executes or ends.
    Offspring,
    /// A futex(2), by the operation in its second argument.
    Futex,
    /// One or several futexes, whatever its arguments: futex_waitv(2) and its sisters.
    Futexes,
    /// The descriptor in this argument, to read from: also a connection to accept, a message of a queue, an advance of a lock.
    Read(Arg),
    /// The descriptor in this argument, to write to.
    Write(Arg),
    /// Both: from the first, to the second.
    Transfer(Arg, Arg),
    /// The descriptors of poll(2).
    Poll,
    /// The descriptors of select(2).
    Select,
    /// The descriptors of the epoll(7) set in this argument.
    Epoll(Arg),
    /// Nothing but time: nanosleep(2).
    Time,
    /// System V message queues and semaphores (sysvipc(7)).
    Ipc,
    /// A lock of the file in this argument that others hold: flock(2), fcntl(2).
    Lock(Arg),
    /// Somebody who opens the other end of a FIFO (fifo(7)).
    Opening,
    /// The kernel's own work on requests: io_getevents(2).
    Requests,
    /// What a socket that it closes still has to send, as long as it lingers (SO_LINGER of socket(7)).
    Lingering,
    /// What it waited for before a signal stopped it (restart_syscall(2)).
    Restarted,
    /// The end of its thread.
    Ending,
    /// It is not known what.
    Unknown,
}

/// How a wait ends by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Not by an argument. That of a socket may end by its SO_RCVTIMEO or SO_SNDTIMEO (socket(7)).
    Timeless,
    /// After a time; none if the argument is a null pointer or negative.
    After(Arg, Unit),
    /// At a time of a clock.
    At(Arg, Clock),
    /// As clock_nanosleep(2) says in its flags.
    ClockNanosleep,
    /// As the operation of futex(2) says.
    Futex,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A number of milliseconds, negative for no limit.
    Millis,
    /// The address of a struct timespec.
    Timespec,
    /// The address of a struct timeval.
    Timeval,
}

/// By which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// CLOCK_REALTIME
    Realtime,
    /// The one in this argument.
    In(Arg),
}

/// Whose waits a call may end, besides by signals that it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wakes {
    /// Nobody's: it concerns its caller alone.
    Nobody,
    /// Those for futexes.
    Futexes,
    /// Those for descriptors and for locks of files.
    Descriptors,
    /// All but those for signals: whom it signals is known.
    AllButSignals,
    /// Anybody's.
    Anybody,
}

/// When a call changes nothing and waits for nothing, so that repeating it is a way to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// Never.
    No,
    /// Always: reading a clock, yielding.
    Always,
    /// When these bits are set in this argument.
    With(Arg, u64),
    /// When this argument is zero.
    Zero(Arg),
    /// When this argument is the address of two words of zero: a struct timespec or timeval.
    NoTime(Arg),
}

/// Whether a call may show the number of a file (`st_ino` of inode(7)), or may lead to what does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Never.
    No,
    /// Of one that there is.
    Now,
    /// Of one that there is; it is answered with the right one where that is known (`time/changed.rs`): stat(2).
    Told,
    /// Also of one that is made later.
    Later,
    /// The same, where the path at this address leads into `/proc`: what is opened there may be read at any time, and tells of
    /// descriptors, mappings and locks (proc(5)).
    Path(Arg),
    /// The same, where this is the family of netlink(7): it tells of the files that sockets are called by (sock_diag(7)).
    Family(Arg),
    /// Of one that there is, where this is no request of a terminal's (ioctl_tty(2)) or of a socket's (netdevice(7)).
    Request(Arg),
}

/// What a call changes for its process, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Changes(u8);

impl Changes {
    pub(super) const NOTHING: Changes = Changes(0);
    /// How signals are handled.
    pub(super) const HANDLERS: Changes = Changes(1);
    /// Which signals are blocked, once it has returned.
    pub(super) const MASK: Changes = Changes(2);
    /// Timers, or their being armed.
    pub(super) const TIMERS: Changes = Changes(4);
    /// Descriptors, or how they behave.
    pub(super) const DESCRIPTORS: Changes = Changes(8);
    /// Which signals are pending, by showing or taking them.
    pub(super) const PENDING: Changes = Changes(16);

    pub(super) fn contains(self, other: Changes) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What is taken to hold of a call of which nothing is known.
pub(super) const UNKNOWN: Call = Call {
    sleep: Sleep::Unknown,
    ends: Ends::Timeless,
    wakes: Wakes::Anybody,
    changes: Changes::NOTHING,
    looks: Looks::No,
    numbers: Numbers::Later,
    scope: Scope::Others,
};

/// The row of a call.
pub(super) fn of(call: Syscall) -> &'static Call {
    static ROWS: LazyLock<Vec<Option<Call>>> = LazyLock::new(rows);
    ROWS.get(call.0 as usize).and_then(Option::as_ref).unwrap_or(&UNKNOWN)
}

/// True if the call may wait, as far as is known of it: for a signal, a child, a descriptor, a lock or time.
pub fn may_wait(call: Syscall) -> bool {
    !matches!(of(call).sleep, Sleep::Never | Sleep::Unknown)
}

fn rows() -> Vec<Option<Call>> {
    let numbers = table::TABLE.iter().flat_map(|(calls, _)| calls.iter()).map(|call| call.id() as usize);
    let mut rows = vec![None; numbers.max().map_or(0, |last| last + 1)];
    for (calls, row) in table::TABLE {
        for call in *calls {
            if let Some(slot) = rows.get_mut(call.id() as usize) {
                *slot = Some(*row);
            }
        }
    }
    rows
}

/// The row of the call with this number of a notification or of `/proc/PID/syscall`.
pub(super) fn numbered(number: i32) -> &'static Call {
    u32::try_from(number).map_or(&UNKNOWN, |number| of(Syscall(number)))
}

impl Call {
    /// True if it mostly sleeps, or ends its thread: then its thread does not come to a next point soon.
    pub(super) fn is_wait(&self) -> bool {
        match self.sleep {
            Sleep::Never
            | Sleep::Write(_)
            | Sleep::Transfer(..)
            | Sleep::Opening
            | Sleep::Lingering
            | Sleep::Unknown => false,
            Sleep::Signal
            | Sleep::Awaited
            | Sleep::Child
            | Sleep::Offspring
            | Sleep::Futex
            | Sleep::Futexes
            | Sleep::Read(_)
            | Sleep::Poll
            | Sleep::Select
            | Sleep::Epoll(_)
            | Sleep::Time
            | Sleep::Ipc
            | Sleep::Lock(_)
            | Sleep::Requests
            | Sleep::Restarted
            | Sleep::Ending => true,
        }
    }

    /// True if its thread mostly goes on to its next call at once, and this ends nobody and fills no pipe. Whom it makes comes to a call
    /// as well.
    pub(super) fn comes_back(&self) -> bool {
        let own = matches!(self.sleep, Sleep::Never | Sleep::Opening | Sleep::Lingering);
        own && self.wakes <= Wakes::Descriptors || self.sleep == Sleep::Offspring
    }

    /// True if it does something that its caller takes note of only when it is back: it makes, closes, moves or takes
    /// something. A signal that comes while it does so is handled before the caller knows.
    pub(super) fn is_noted_afterwards(&self) -> bool {
        let own_descriptors = self.wakes == Wakes::Nobody && self.changes == Changes::DESCRIPTORS;
        match self.sleep {
            Sleep::Never => own_descriptors || self.wakes == Wakes::Descriptors,
            Sleep::Child
            | Sleep::Read(_)
            | Sleep::Write(_)
            | Sleep::Transfer(..)
            | Sleep::Ipc
            | Sleep::Lock(_)
            | Sleep::Opening
            | Sleep::Lingering => true,
            // What only waits has done nothing when it is back, or tells what still holds a moment later. What makes
            // processes is made again after a signal (`copy_process` of kernel/fork.c).
            Sleep::Signal
            | Sleep::Awaited
            | Sleep::Offspring
            | Sleep::Futex
            | Sleep::Futexes
            | Sleep::Poll
            | Sleep::Select
            | Sleep::Epoll(_)
            | Sleep::Time
            | Sleep::Requests
            | Sleep::Restarted
            | Sleep::Ending
            | Sleep::Unknown => false,
        }
    }

    /// True if only a signal that is sent, a child, or time ends its wait: nothing that is closed or written does.
    pub(super) fn sleeps_for_signals(&self) -> bool {
        matches!(self.sleep, Sleep::Signal | Sleep::Awaited | Sleep::Child | Sleep::Time)
    }

    /// True if a call with these effects may end the wait of this one. Signals are another matter: see `Thread::dirty`.
    pub(super) fn woken_by(&self, wakes: Wakes) -> bool {
        match self.sleep {
            Sleep::Never | Sleep::Unknown | Sleep::Restarted | Sleep::Ending | Sleep::Requests => true,
            Sleep::Signal | Sleep::Awaited => wakes == Wakes::Anybody,
            Sleep::Child | Sleep::Offspring | Sleep::Ipc => wakes >= Wakes::AllButSignals,
            Sleep::Time => false,
            Sleep::Futex | Sleep::Futexes => wakes == Wakes::Futexes || wakes >= Wakes::AllButSignals,
            Sleep::Read(_)
            | Sleep::Write(_)
            | Sleep::Transfer(..)
            | Sleep::Poll
            | Sleep::Select
            | Sleep::Epoll(_)
            | Sleep::Lock(_)
            | Sleep::Lingering
            | Sleep::Opening => wakes >= Wakes::Descriptors,
        }
    }

    /// True if with these arguments it only looks; `no_time` tells of an address whether two words of zero are there.
    pub(super) fn is_look(&self, args: &[u64; 6], no_time: impl FnOnce(u64) -> bool) -> bool {
        match self.looks {
            Looks::No => false,
            Looks::Always => true,
            Looks::With(arg, bits) => args[arg] & bits == bits,
            Looks::Zero(arg) => args[arg] as i32 == 0,
            Looks::NoTime(arg) => args[arg] != 0 && no_time(args[arg]),
        }
    }
}

/// The calls that make a process or thread.
pub(super) fn is_making(number: i32) -> bool {
    numbered(number).sleep == Sleep::Offspring
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use syscalls::Sysno;

    /// Every call of the kernel's table has one row, or is unknown on purpose.
    #[test]
    fn each_call_has_one_row() {
        let listed: Vec<&str> =
            table::TABLE.iter().flat_map(|(calls, _)| calls.iter()).map(|call| call.name()).collect();
        let rows: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(rows.len(), listed.len(), "a call has two rows");
        let unlisted: Vec<String> = (0..2000)
            .filter_map(|number| Syscall(number).sysno())
            .map(|call| call.name().to_owned())
            .filter(|name| !rows.contains(name.as_str()))
            .collect();
        assert!(unlisted.is_empty(), "no row: {unlisted:?}");
    }

    /// What a row says of time has an argument for it, and belongs to a call that waits.
    #[test]
    fn what_ends_by_time_waits() {
        for (calls, row) in table::TABLE {
            let timed = row.ends != Ends::Timeless;
            assert!(!timed || row.sleep != Sleep::Never, "{calls:?}");
            let args: &[Arg] = match row.ends {
                Ends::Timeless | Ends::ClockNanosleep | Ends::Futex => &[],
                Ends::After(arg, _) | Ends::At(arg, Clock::Realtime) => &[arg],
                Ends::At(arg, Clock::In(clock)) => &[arg, clock],
            };
            assert!(args.iter().all(|arg| *arg < 6), "{calls:?}");
        }
    }

    /// signal(7) lists the blocking calls twice: those that SA_RESTART restarts, and those that always fail with EINTR.
    #[test]
    fn every_call_of_the_lists_of_signal_7_waits() {
        let restarted = "read readv write writev ioctl open wait4 waitid accept connect recvfrom recvmmsg recvmsg sendto \
                         sendmsg flock fcntl mq_timedreceive mq_timedsend futex getrandom";
        let interrupted = "pause rt_sigsuspend rt_sigtimedwait epoll_wait epoll_pwait poll ppoll select pselect6 msgrcv msgsnd \
                           semop semtimedop clock_nanosleep nanosleep io_getevents";
        // An inotify(7) descriptor is read; ioctl and getrandom are named for devices and for the first seconds of a machine.
        let excepted = ["getrandom"];
        for name in restarted.split_whitespace().chain(interrupted.split_whitespace()) {
            let call: Sysno = name.parse().unwrap();
            let waits = of(call.into()).sleep != Sleep::Never;
            assert_eq!(waits, !excepted.contains(&name), "{name}");
        }
    }

    #[test]
    fn what_concerns_its_caller_alone_wakes_nobody() {
        let wakes = |call: Sysno| of(call.into()).wakes;
        assert_eq!(wakes(Sysno::getppid), Wakes::Nobody);
        assert_eq!(wakes(Sysno::write), Wakes::Descriptors);
        assert_eq!(wakes(Sysno::futex), Wakes::Futexes);
        assert_eq!(wakes(Sysno::exit_group), Wakes::AllButSignals);
        assert!(!of(Sysno::pause.into()).woken_by(wakes(Sysno::kill)));
        assert!(of(Sysno::wait4.into()).woken_by(wakes(Sysno::exit)));
        assert_eq!(of(Syscall(9_999)), &UNKNOWN);
        assert_eq!(numbered(-1), &UNKNOWN);
        // What opens a file may meet somebody at a FIFO, or be watched (inotify(7)).
        assert_eq!(wakes(Sysno::openat), Wakes::Descriptors);
    }

    #[test]
    fn what_is_noted_afterwards_makes_takes_or_moves_something() {
        let noted = "open openat creat read write accept4 wait4 waitid close dup pipe2 socket unlink rename mkdir flock fcntl \
                     semop msgrcv sendfile sendmsg connect";
        let not = "getpid mmap stat rt_sigaction rt_sigprocmask rt_sigreturn fork clone3 execve exit_group exit pause \
                   rt_sigsuspend poll ppoll select epoll_wait futex nanosleep alarm setitimer kill tgkill ioctl sched_yield";
        for (names, wanted) in [(noted, true), (not, false)] {
            for name in names.split_whitespace() {
                let call: Sysno = name.parse().unwrap();
                assert_eq!(of(call.into()).is_noted_afterwards(), wanted, "{name}");
            }
        }
    }

    #[test]
    fn a_loop_of_looks_is_waiting() {
        let look = |call: Sysno, args: [u64; 6]| of(call.into()).is_look(&args, |address| address == 7);
        assert!(look(Sysno::ppoll, [0, 0, 7, 0, 0, 0]) && !look(Sysno::ppoll, [0, 0, 8, 0, 0, 0]));
        assert!(!look(Sysno::select, [0; 6]));
        assert!(look(Sysno::sched_yield, [0; 6]));
        assert!(look(Sysno::wait4, [0, 0, libc::WNOHANG as u64, 0, 0, 0]));
        assert!(!look(Sysno::wait4, [0; 6]));
        assert!(look(Sysno::poll, [0, 0, 0, 0, 0, 0]) && !look(Sysno::poll, [0, 0, u64::MAX, 0, 0, 0]));
        assert!(look(Sysno::kill, [7, 0, 0, 0, 0, 0]) && !look(Sysno::kill, [7, 15, 0, 0, 0, 0]));
        assert!(!look(Sysno::getppid, [0; 6]));
    }
}
