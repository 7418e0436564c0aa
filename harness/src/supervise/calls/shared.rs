//! What calls have to do with that other processes have to do with too.

use super::{Sleep, Wakes, of};
use crate::schedule::Syscall;

/// Things that processes share. Memory is not among them: which one is shared no call tells alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Files, and what is behind descriptors.
    pub files: bool,
    /// Processes that begin and end, wait for one another and signal one another.
    pub processes: bool,
}

impl Shared {
    /// Nothing of it.
    pub const NOTHING: Shared = Shared { files: false, processes: false };
    /// All of it.
    pub const ALL: Shared = Shared { files: true, processes: true };
    const FILES: Shared = Shared { files: true, ..Shared::NOTHING };
    const PROCESSES: Shared = Shared { processes: true, ..Shared::NOTHING };

    fn and(self, other: Shared) -> Shared {
        Shared { files: self.files || other.files, processes: self.processes || other.processes }
    }
}

/// What this call changes or waits for of what processes share. What only asks is left out: what it is told shows in what its
/// caller does next.
pub fn shared(call: Syscall) -> Shared {
    let row = of(call);
    let waits = match row.sleep {
        Sleep::Never | Sleep::Futex | Sleep::Futexes | Sleep::Time => Shared::NOTHING,
        Sleep::Signal | Sleep::Awaited | Sleep::Child | Sleep::Offspring => Shared::PROCESSES,
        Sleep::Read(_)
        | Sleep::Write(_)
        | Sleep::Transfer(..)
        | Sleep::Poll
        | Sleep::Select
        | Sleep::Epoll(_)
        | Sleep::Lock(_)
        | Sleep::Opening
        | Sleep::Requests
        | Sleep::Lingering => Shared::FILES,
        // Who ends or executes another program closes files.
        Sleep::Ipc | Sleep::Restarted | Sleep::Ending | Sleep::Unknown => Shared::ALL,
    };
    let changes = match row.wakes {
        Wakes::Nobody | Wakes::Futexes => Shared::NOTHING,
        Wakes::Descriptors => Shared::FILES,
        // A child that has ended has closed its files before it is waited for, and whoever is made closes none.
        Wakes::AllButSignals if matches!(row.sleep, Sleep::Child | Sleep::Offspring) => Shared::PROCESSES,
        Wakes::AllButSignals | Wakes::Anybody => Shared::ALL,
    };
    waits.and(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use syscalls::Sysno;

    #[test]
    fn what_a_call_shares_with_others_follows_from_what_it_waits_for_and_wakes() {
        let told = |names: &str, wanted: Shared| {
            for name in names.split_whitespace() {
                let call: Sysno = name.parse().unwrap();
                assert_eq!(shared(call.into()), wanted, "{name}");
            }
        };
        told(
            "brk mmap getpid rt_sigprocmask rt_sigaction rt_sigreturn stat nanosleep futex",
            Shared::NOTHING,
        );
        told("read write openat close unlink rename poll epoll_wait accept4", Shared::FILES);
        told("wait4 waitid fork clone3 pause rt_sigsuspend rt_sigtimedwait", Shared::PROCESSES);
        told("kill exit exit_group execve setsid semop flock", Shared::ALL);
        assert_eq!(shared(Syscall(9_999)), Shared::ALL);
    }
}
