//! Processes and threads by descriptor and by number: pidfd_open(2), pidfd_getfd(2), tgkill(2).

use crate::copies;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A descriptor that stands for a process and polls readable when the whole of it has ended.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

/// A duplicate of a descriptor of another process, or a descriptor of a file that it names. It is closed for good (`copies`): if
/// that happens before the process goes on, then what that one closes is closed.
#[derive(Debug)]
pub struct Duplicate(ManuallyDrop<OwnedFd>);

impl From<OwnedFd> for Duplicate {
    fn from(descriptor: OwnedFd) -> Duplicate {
        Duplicate(ManuallyDrop::new(descriptor))
    }
}

impl Drop for Duplicate {
    fn drop(&mut self) {
        // SAFETY: it is dropped, so nobody uses it after this.
        copies::close_for_good(unsafe { ManuallyDrop::take(&mut self.0) });
    }
}

impl AsFd for Duplicate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Duplicate {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl PidFd {
    /// For the process with this number in the supervisor's namespace.
    pub fn open(pid: i32) -> Result<PidFd, Errno> {
        PidFd::open_with(pid, 0)
    }

    fn open_with(pid: i32, flags: i32) -> Result<PidFd, Errno> {
        // SAFETY: pidfd_open takes two numbers and no pointers.
        let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })?;
        // SAFETY: the kernel has just made this descriptor (close-on-exec), and nobody else knows it.
        Ok(PidFd(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    /// For one thread, also one whose process's first thread has ended (PIDFD_THREAD, Linux 6.9). On older kernels only first
    /// threads have descriptors.
    pub fn of_thread(tid: i32) -> Result<PidFd, Errno> {
        // PIDFD_THREAD of linux/pidfd.h.
        match PidFd::open_with(tid, libc::O_EXCL) {
            Err(Errno::EINVAL) => PidFd::open(tid),
            other => other,
        }
    }

    /// A duplicate of one of the process's descriptors.
    pub fn duplicate(&self, fd: i32) -> Result<Duplicate, Errno> {
        // SAFETY: pidfd_getfd takes three numbers and no pointers.
        let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_getfd, self.0.as_raw_fd(), fd, 0) })?;
        // SAFETY: the kernel has just made this descriptor (close-on-exec), and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) }.into())
    }

    /// True if it has ended: of a first thread the whole process.
    pub fn has_ended(&self) -> Result<bool, Errno> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::ZERO) {
            // It has not, or that would be told although a signal came as well.
            Err(Errno::EINTR) => Ok(false),
            other => other.map(|ready| ready > 0),
        }
    }

    /// How the process ended, as wait(2) encodes it: known to kernels since 6.15, even after its parent has waited for it.
    pub fn exit_status(&self) -> Option<i32> {
        /// struct pidfd_info of linux/pidfd.h, first version.
        #[repr(C)]
        #[derive(Default)]
        struct Info {
            mask: u64,
            cgroup: u64,
            ids: [u32; 11],
            exit_code: i32,
        }
        const PIDFD_INFO_EXIT: u64 = 1 << 3;
        nix::ioctl_readwrite!(get_info, 0xFF, 11, Info);
        let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
        // SAFETY: the descriptor is a pidfd, and the request's number carries the size of `info`.
        unsafe { get_info(self.0.as_raw_fd(), &mut info) }.ok()?;
        (info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Sends a signal to one thread.
pub fn tgkill(pid: i32, tid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: tgkill takes three numbers and no pointers.
    Errno::result(unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) }).map(drop)
}

/// Sends a signal to a process. Not nix's `kill`, which knows no real-time signals.
pub fn kill(pid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: kill takes two numbers and no pointers.
    Errno::result(unsafe { libc::kill(pid, signal) }).map(drop)
}
