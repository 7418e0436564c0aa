//! Whether processes of the run may have memory in common, into which one of them could write while another looks: what each of
//! them does between two calls then matters to the others.

use crate::schedule::Syscall;
use crate::supervise::books::held::Place;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::state::Turns;
use crate::sys::procfs;
use syscalls::Sysno;

impl Turns<'_> {
    /// Takes note of a call that is about to be let happen, if it may give its process memory that others have too.
    pub(super) fn note_sharing(&mut self, id: ThreadId, call: Syscall, args: &[u64; 6]) {
        if self.kernel.shares_memory {
            return;
        }
        // Who comes by descriptors of others, or gives them its own, reads what others read too.
        let gives = matches!(
            call.sysno(),
            Some(
                Sysno::clone | Sysno::clone3 | Sysno::fork | Sysno::vfork | Sysno::sendmsg | Sysno::sendmmsg
            )
        );
        if gives {
            let process = self.tree.thread(id).process;
            self.tree.process_mut(process).opens_alone = false;
        }
        let shares = match call.sysno() {
            Some(Sysno::mmap) if is_shared(args[3]) => args[2] & WRITE != 0 || !self.is_to_read(id, args[4]),
            // A segment, the memory of another process, and that of a tracee.
            Some(Sysno::shmat | Sysno::process_vm_writev | Sysno::ptrace) => true,
            _ => false,
        };
        self.kernel.shares_memory |= shares;
    }

    /// True if by the call that it is held before, the thread only looks at a file: it opens one to read, or reads or closes one that
    /// nobody else has open with it. Not known where memory is shared, since then nobody asks, nor of who reads in `/proc`.
    pub(super) fn only_looks(&self, id: ThreadId) -> bool {
        let State::Held(held) = &self.tree.thread(id).state else { return false };
        let Place::Before(call, _) = held.place() else { return false };
        if self.kernel.shares_memory || self.tree.process_of(id).reads_proc {
            return false;
        }
        let args = held.args();
        match call.sysno() {
            Some(Sysno::open) => is_to_look(args[1]),
            Some(Sysno::openat) => is_to_look(args[2]),
            Some(
                Sysno::read | Sysno::pread64 | Sysno::readv | Sysno::getdents64 | Sysno::lseek | Sysno::close,
            ) => self.tree.process_of(id).opens_alone && self.is_own_file(id, args[0]),
            _ => false,
        }
    }

    /// True for a descriptor of a file or directory that was opened to read since the process began its program, and is not locked:
    /// no other could have been left open then (FD_CLOEXEC of fcntl(2)).
    fn is_own_file(&self, id: ThreadId, fd: u64) -> bool {
        let door = &self.tree.thread(id).door;
        let Ok(info) = door.descriptor_info(fd as i32) else { return false };
        let flags = procfs::descriptor_flags(&info);
        let own =
            |flags: i32| flags & (libc::O_ACCMODE | libc::O_CLOEXEC) == libc::O_RDONLY | libc::O_CLOEXEC;
        flags.is_some_and(own) && !info.contains("lock:") && door.is_file(fd as i32)
    }

    /// True if what is mapped can only be read, now and later: mprotect(2) does not allow to write into what is mapped from a
    /// descriptor that was opened for reading.
    fn is_to_read(&self, id: ThreadId, fd: u64) -> bool {
        let info = self.tree.thread(id).door.descriptor_info(fd as i32);
        let flags = info.ok().and_then(|info| procfs::descriptor_flags(&info));
        flags.is_some_and(|flags| flags & libc::O_ACCMODE == libc::O_RDONLY)
    }
}

/// True for flags of open(2) that make, change and hold up nothing.
fn is_to_look(flags: u64) -> bool {
    // O_TMPFILE comes with writing only.
    flags as i32 & (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) == libc::O_RDONLY
}

/// PROT_WRITE of mmap(2).
const WRITE: u64 = libc::PROT_WRITE as u64;

/// True for MAP_SHARED and MAP_SHARED_VALIDATE of mmap(2), with whatever other flags.
fn is_shared(flags: u64) -> bool {
    flags & libc::MAP_SHARED as u64 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_flags_only_look() {
        for (flags, wanted) in [
            (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY, true),
            (libc::O_RDONLY | libc::O_NONBLOCK, true),
            (libc::O_RDWR, false),
            (libc::O_WRONLY | libc::O_APPEND, false),
            (libc::O_RDONLY | libc::O_CREAT, false),
            (libc::O_RDONLY | libc::O_TRUNC, false),
            (libc::O_RDWR | libc::O_TMPFILE, false),
        ] {
            assert_eq!(is_to_look(flags as u64), wanted, "{flags:#o}");
        }
    }

    #[test]
    fn which_mappings_others_may_have_too() {
        assert!(is_shared((libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u64));
        assert!(is_shared(libc::MAP_SHARED_VALIDATE as u64));
        assert!(!is_shared((libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64));
    }
}
