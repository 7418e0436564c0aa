//! Which calls of different processes, that share no memory, come to the same in either order, together with what these do between
//! calls: what partial-order reduction calls independent. Where it is not known of two, they are not.

use super::{Changes, Scope, Shared, Sleep, Wakes, of, shared};
use crate::schedule::Syscall;

/// What calls have to do with that is not their process's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// They may change files, at which others may look in whatever they do: also in their memory (mmap(2)).
    changes: bool,
    /// They say how signals are taken.
    takes: bool,
    /// They may send some, or cause them.
    sends: bool,
    /// What is behind descriptors, and processes.
    files: bool,
    processes: bool,
}

impl Effects {
    /// Those of a call; `looks` if more is known of it than its number: what it opens, reads or closes is a file that it only looks at.
    pub fn of(call: Syscall, looks: bool) -> Effects {
        let row = of(call);
        match row.scope {
            Scope::Process => Effects::default(),
            Scope::Signals => Effects { takes: true, ..Effects::default() },
            Scope::Others if looks => Effects::default(),
            Scope::Others => {
                let Shared { files, processes } = shared(call);
                let waits =
                    matches!(row.sleep, Sleep::Signal | Sleep::Awaited | Sleep::Child | Sleep::Offspring);
                // Nothing is known of what neither waits nor wakes.
                let unknown = !files && !processes;
                Effects {
                    changes: files && !leaves_files(row.sleep, row.changes, row.wakes),
                    takes: waits,
                    sends: !waits,
                    files: files || unknown,
                    processes: processes || unknown,
                }
            }
        }
    }

    /// Those of both.
    pub fn and(self, other: Effects) -> Effects {
        Effects {
            changes: self.changes || other.changes,
            takes: self.takes || other.takes,
            sends: self.sends || other.sends,
            files: self.files || other.files,
            processes: self.processes || other.processes,
        }
    }

    /// True if it is known that calls with these effects and with those come to the same in either order.
    pub fn commute_with(self, other: Effects) -> bool {
        let signals = |one: Effects, other: Effects| one.sends && (other.takes || other.sends);
        let conflict = self.changes
            || other.changes
            || signals(self, other)
            || signals(other, self)
            || self.files && other.files
            || self.processes && other.processes;
        !conflict
    }
}

/// True for what moves, waits for and closes what is behind descriptors, and for what makes, ends and signals processes: no name,
/// state or content of a file is another one afterwards.
fn leaves_files(sleep: Sleep, changes: Changes, wakes: Wakes) -> bool {
    match sleep {
        Sleep::Read(_)
        | Sleep::Poll
        | Sleep::Select
        | Sleep::Epoll(_)
        | Sleep::Child
        | Sleep::Signal
        | Sleep::Awaited
        | Sleep::Offspring
        | Sleep::Ending
        | Sleep::Lingering
        | Sleep::Time => true,
        // execve(2) and kill(2), whose effects are known.
        Sleep::Never => {
            wakes == Wakes::AllButSignals && matches!(changes, Changes::HANDLERS | Changes::NOTHING)
        }
        Sleep::Futex
        | Sleep::Futexes
        | Sleep::Write(_)
        | Sleep::Transfer(..)
        | Sleep::Ipc
        | Sleep::Lock(_)
        | Sleep::Opening
        | Sleep::Requests
        | Sleep::Restarted
        | Sleep::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syscalls::Sysno;

    /// The effects of a call by its name; with an `r` before it of one that only looks at files.
    fn effects(name: &str) -> Effects {
        let (looks, name) = name.strip_prefix("r:").map_or((false, name), |name| (true, name));
        let call: Sysno = name.parse().unwrap();
        Effects::of(call.into(), looks)
    }

    #[test]
    fn which_calls_come_to_the_same_in_either_order() {
        let all = |ones: &str, others: &str, wanted: bool| {
            for one in ones.split_whitespace() {
                for other in others.split_whitespace() {
                    let (a, b) = (effects(one), effects(other));
                    assert_eq!(a.commute_with(b), wanted, "{one}, {other}");
                    assert_eq!(b.commute_with(a), wanted, "{other}, {one}");
                }
            }
        };
        let own = "brk mmap mprotect getpid getuid getrandom clock_gettime newfstatat access r:openat r:read r:close";
        all(own, "brk newfstatat kill exit_group wait4 r:openat read close poll execve fork pause", true);
        all(own, "write openat unlink rename ftruncate mkdir sendfile ioctl fcntl connect semop", false);
        let signals = "rt_sigprocmask rt_sigaction rt_sigreturn";
        all(signals, "rt_sigprocmask rt_sigaction wait4 pause rt_sigsuspend fork newfstatat r:read", true);
        all(signals, "kill tgkill write read exit_group ioctl timer_settime alarm", false);
        all("wait4 pause fork", "r:openat brk", true);
        // Whose descriptor it is gets a signal where it asks for that (O_ASYNC of fcntl(2)).
        all("wait4 pause fork", "read close poll write", false);
        all("wait4 fork", "wait4 fork kill exit_group setpgid ptrace execve", false);
        all("read close poll", "write read openat close epoll_wait fcntl", false);
        all("kill", "kill write execve exit_group getppid setsid", false);
        all("getppid getpgrp sched_yield lseek", "wait4 exit_group read lseek", false);
        all("brk newfstatat", "getppid lseek sched_yield prlimit64 clock_gettime", true);
        assert!(!Effects::of(Syscall(9_999), false).commute_with(effects("brk")));
    }
}
