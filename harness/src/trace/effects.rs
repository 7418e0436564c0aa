//! What a run did that others can notice: calls that write, send, make, remove, start or signal something.
//!
//! Where the schedule sends something, all that counts until a time runs out after that: what comes later is what the program does from
//! time to time.
//!
//! Reading, waiting, looking at clocks and changing masks is not among it: how often a program does that depends on how often it is
//! woken.

use super::{Event, Run, What};
use crate::schedule::{Syscall, ThreadName};
use std::collections::BTreeMap;
use syscalls::Sysno;

impl Run {
    /// How often each process made each call that has an effect beyond itself.
    pub fn effects(&self) -> BTreeMap<(ThreadName, Syscall), u32> {
        let sends = |event: &Event| matches!(&event.what, What::Step(action) if action.is_from_outside());
        let sent = self.events.iter().rposition(sends).unwrap_or(self.events.len());
        let (before, after) = self.events.split_at(sent);
        let until = after.iter().take_while(|event| !matches!(event.what, What::Expire(_)));
        let mut effects = BTreeMap::new();
        for event in before.iter().chain(until) {
            if let Some((call, _)) = event.what.begun()
                && (tells(call) || changes(call))
            {
                *effects.entry((event.thread.process(), call)).or_default() += 1;
            }
        }
        effects
    }
}

/// True for a call that gives others something to read or to find.
pub fn tells(call: Syscall) -> bool {
    use Sysno as S;
    matches!(
        call.sysno(),
        Some(
            S::write
                | S::writev
                | S::pwrite64
                | S::pwritev
                | S::pwritev2
                | S::sendto
                | S::sendmsg
                | S::sendmmsg
                | S::sendfile
                | S::splice
                | S::vmsplice
                | S::tee
                | S::copy_file_range
                | S::msgsnd
                | S::mq_timedsend
                | S::process_vm_writev
                | S::rename
                | S::renameat
                | S::renameat2
                | S::link
                | S::linkat
                | S::symlink
                | S::symlinkat
                | S::mkdir
                | S::mkdirat
        )
    )
}

/// True for a call that opens, removes, starts, connects or signals something.
fn changes(call: Syscall) -> bool {
    use Sysno as S;
    matches!(
        call.sysno(),
        Some(
            S::open
                | S::openat
                | S::openat2
                | S::creat
                | S::unlink
                | S::unlinkat
                | S::rmdir
                | S::truncate
                | S::ftruncate
                | S::socket
                | S::bind
                | S::listen
                | S::connect
                | S::clone
                | S::clone3
                | S::fork
                | S::vfork
                | S::execve
                | S::execveat
                | S::kill
                | S::tkill
                | S::tgkill
                | S::rt_sigqueueinfo
                | S::rt_tgsigqueueinfo
                | S::pidfd_send_signal
        )
    )
}
