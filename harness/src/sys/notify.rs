//! Receiving and answering seccomp notifications (seccomp_unotify(2)).

use super::filter::AUDIT_ARCH_X86_64;
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

mod ioctl {
    nix::ioctl_readwrite!(recv, b'!', 0, libc::seccomp_notif);
    nix::ioctl_readwrite!(send, b'!', 1, libc::seccomp_notif_resp);
}

/// One call that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Notification {
    id: u64,
    /// The thread that called, as the supervisor's pid namespace numbers it.
    pub tid: i32,
    /// The call's number; after a planted instruction it is what the call before it returned.
    pub number: i32,
    /// Made by the native 64-bit entry.
    pub native: bool,
    /// The address after the `syscall` instruction.
    pub ip: u64,
    /// The call's six arguments.
    pub args: [u64; 6],
}

/// The supervisor's end of the filter.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// `-ERESTARTNOINTR` of linux/errno.h: the kernel runs the call again after it has looked at signals.
const ERESTARTNOINTR: i32 = -513;
/// `-ERESTARTSYS` of the same: it does so, or the call fails with EINTR, as the signal's handler has it.
const ERESTARTSYS: i32 = -512;

impl Listener {
    pub(super) fn new(fd: OwnedFd) -> Listener {
        Listener(fd)
    }

    /// The next call that waits, which must be known to be there (the descriptor polls readable): receiving ignores
    /// `O_NONBLOCK`. None when the caller was ended, or interrupted, in the meantime.
    pub fn receive(&self) -> Result<Option<Notification>, Errno> {
        match self.next() {
            Err(Errno::EINTR) => Ok(None),
            other => other,
        }
    }

    /// The next call that waits, which is waited for until a signal interrupts (EINTR): see `tick`. None when its caller was ended in the
    /// meantime, or when nobody is left that could call.
    pub fn next(&self) -> Result<Option<Notification>, Errno> {
        // SAFETY: all-zero is a valid seccomp_notif, and the kernel demands that it is zeroed.
        let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is a seccomp listener and `raw` is as large as this kernel interface's first version,
        // which every later kernel accepts.
        match unsafe { ioctl::recv(self.0.as_raw_fd(), &mut raw) } {
            Ok(_) => Ok(Some(Notification {
                id: raw.id,
                tid: raw.pid as i32,
                number: raw.data.nr,
                native: raw.data.arch == AUDIT_ARCH_X86_64,
                ip: raw.data.instruction_pointer,
                args: raw.data.args,
            })),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn respond(&self, id: u64, error: i32, value: i64, flags: u32) -> Result<bool, Errno> {
        let mut response = libc::seccomp_notif_resp { id, val: value, error, flags };
        // SAFETY: the descriptor is a seccomp listener and `response` lives through the call.
        match unsafe { ioctl::send(self.0.as_raw_fd(), &mut response) } {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Lets the call happen. False if the caller is no longer there.
    pub fn proceed(&self, notification: Notification) -> Result<bool, Errno> {
        self.respond(notification.id, 0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32)
    }

    /// Makes the call return `value` without having happened.
    pub fn succeed(&self, notification: Notification, value: i64) -> Result<bool, Errno> {
        self.respond(notification.id, 0, value, 0)
    }

    /// Makes the call fail with `errno` without having happened.
    pub fn fail(&self, notification: Notification, errno: Errno) -> Result<bool, Errno> {
        self.respond(notification.id, -(errno as i32), 0, 0)
    }

    /// Has the kernel look at signals and then run the call again, which is notified anew.
    ///
    /// Only when the kernel has a reason to look at this thread's signals; else the program sees errno 513.
    pub fn restart(&self, notification: Notification) -> Result<bool, Errno> {
        self.respond(notification.id, ERESTARTNOINTR, 0, 0)
    }

    /// The call fails with EINTR after a handler without SA_RESTART (sigaction(2)), and else is made again. As with `restart`.
    pub fn interrupt(&self, notification: Notification) -> Result<bool, Errno> {
        self.respond(notification.id, ERESTARTSYS, 0, 0)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
