//! IPC objects of a cell (sysvipc(7), mq_overview(7)): what of them is there.
//!
//! `/proc/sysvipc` and the file system of message queues show the namespace of who opens them, so the cell's init does, and
//! hands over what it opened.

use super::gate::call;
use crate::trace::{Change, Changing, Object};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// What is opened, each with its number: shared memory, semaphores, message queues, and POSIX message queues.
pub(super) const COUNT: usize = 4;
const QUEUES: usize = 3;

/// Opens one of them, in the run's init; none where the kernel does not have it.
pub(super) fn open(number: usize) -> Option<usize> {
    let tables = [c"/proc/sysvipc/shm", c"/proc/sysvipc/sem", c"/proc/sysvipc/msg"];
    let cloexec = libc::O_CLOEXEC as usize;
    // SAFETY: throughout, pointers lead to literals with a zero byte; the rest are numbers.
    let fd = unsafe {
        match tables.get(number) {
            Some(path) => call(libc::SYS_open, path.as_ptr() as usize, cloexec, 0, 0, 0),
            None => queues(),
        }
    };
    usize::try_from(fd).ok()
}

/// Mounts the POSIX message queues where no path leads to, and opens their folder.
unsafe fn queues() -> isize {
    const FSOPEN_CLOEXEC: usize = 1;
    const FSCONFIG_CMD_CREATE: usize = 6;
    const FSMOUNT_CLOEXEC: usize = 1;
    // SAFETY: as for the caller; each descriptor is one that the call before has given.
    unsafe {
        let close = |fd: isize| call(libc::SYS_close, fd as usize, 0, 0, 0, 0);
        let made = call(libc::SYS_fsopen, c"mqueue".as_ptr() as usize, FSOPEN_CLOEXEC, 0, 0, 0);
        if made < 0 {
            return made;
        }
        let created = call(libc::SYS_fsconfig, made as usize, FSCONFIG_CMD_CREATE, 0, 0, 0);
        let mount = if created < 0 {
            created
        } else {
            call(libc::SYS_fsmount, made as usize, FSMOUNT_CLOEXEC, 0, 0, 0)
        };
        close(made);
        if mount < 0 {
            return mount;
        }
        let flags = (libc::O_DIRECTORY | libc::O_CLOEXEC) as usize;
        let folder = call(libc::SYS_openat, mount as usize, c".".as_ptr() as usize, flags, 0, 0);
        close(mount);
        folder
    }
}

/// What is there, of what was opened with these numbers. Message queues are removed once they are told: what can wait in one counts
/// for its user (RLIMIT_MSGQUEUE of getrlimit(2)), and the kernel takes its time with a namespace that nobody is in any more.
pub(super) fn objects(opened: &[(usize, OwnedFd)]) -> io::Result<Vec<Change>> {
    let mut objects = Vec::new();
    for (number, fd) in opened {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        if *number == QUEUES {
            for entry in fs::read_dir(path)? {
                let name = entry?.file_name();
                let path = format!("/proc/self/fd/{}/{}", fd.as_raw_fd(), name.to_string_lossy());
                // Whoever made it may have kept it from being read by others, not from root.
                let bytes = fs::read_to_string(path).ok().and_then(|text| queued(&text)).unwrap_or_default();
                // Whose it is alone may do that, and root.
                let _ = unlinkat(fd, name.as_os_str(), UnlinkatFlags::NoRemoveDir);
                let name = format!("mqueue:/{}", name.as_encoded_bytes().escape_ascii());
                objects.push(made(name, Object::Queue(bytes)));
            }
        } else {
            let table = read(fd)?;
            let (kind, column, object): (_, _, fn(u64) -> Object) = match number {
                0 => ("shm", 3, Object::SharedMemory),
                1 => ("sem", 3, Object::Semaphores),
                _ => ("msg", 3, Object::Queue),
            };
            for line in table.lines().skip(1) {
                let malformed = || {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("/proc/sysvipc/{kind} has a line {line:?}"),
                    )
                };
                let fields: Vec<&str> = line.split_ascii_whitespace().collect();
                let key: i32 = fields.first().and_then(|key| key.parse().ok()).ok_or_else(malformed)?;
                let size = fields.get(column).and_then(|size| size.parse().ok()).ok_or_else(malformed)?;
                let name = if key == 0 { format!("{kind}:private") } else { format!("{kind}:{key:#x}") };
                objects.push(made(name, object(size)));
            }
        }
    }
    objects.sort();
    Ok(objects)
}

fn made(name: String, object: Object) -> Change {
    Change { name, how: Changing::Made(object), before_signal: true }
}

/// All of a file from its beginning, by the descriptor alone: to open it again would show another namespace.
fn read(fd: &OwnedFd) -> io::Result<String> {
    let mut text = String::new();
    let mut file = fs::File::from(fd.try_clone()?);
    io::Read::read_to_string(&mut file, &mut text)?;
    Ok(text)
}

/// The bytes that wait in a POSIX message queue (mq_overview(7)).
fn queued(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.strip_prefix("QSIZE:")?.parse().ok()
}
