//! Copies of this process, which other programs are started from: each has copies of all its descriptors for a moment, and what
//! the kernel does when the last copy is closed is put off for as long.
//!
//! So does a copy of what the harness has of a program's own descriptors: the program closes its end of a connection, and the
//! other end is not told.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;

/// Held while a copy of this process may have copies of all its descriptors: from clone(2) without CLONE_FILES until the
/// copy has closed them or executed.
static COPIES: RwLock<()> = RwLock::new(());

/// The kernel cuts off the names of threads (TASK_COMM_LEN, proc_pid_comm(5)).
const NAME: usize = 15;

/// To be held while another process is made, until it has none of this one's descriptors but those that it is given.
pub fn copied() -> RwLockReadGuard<'static, ()> {
    COPIES.read().unwrap_or_else(PoisonError::into_inner)
}

/// Starts this command: to be done so by whoever starts programs in a process in which others are supervised. Fails as
/// [`Command::spawn`] does.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let _copied = copied();
    let child = command.spawn()?;
    // Whoever starts another goes on before that one has closed its copies: vfork(2) returns earlier in execve(2). They are
    // closed when it has its name there.
    let name = |of: &str| fs::read(Path::new("/proc").join(of).join("comm")).ok();
    let (own, process) = (name("thread-self"), child.id().to_string());
    // Who gets the same one is not seen to get it.
    let given = Path::new(command.get_program()).file_name().map(|file| file.as_bytes());
    let given = given.map(|file| &file[..file.len().min(NAME)]);
    let is_told = given != own.as_deref().map(<[u8]>::trim_ascii_end);
    while is_told && name(&process) == own {
        thread::yield_now();
    }
    Ok(child)
}

/// Runs this command, without input, and takes what it writes.
pub fn output(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    spawn(command)?.wait_with_output()
}

/// Closes this descriptor when no copy of this process has it. What the kernel does when the last one is closed (a pipe's
/// end of file, a terminal's hang-up) has then been done, if nobody was given it on purpose.
pub fn close_for_good(descriptor: OwnedFd) {
    let alone = COPIES.write().unwrap_or_else(PoisonError::into_inner);
    drop(descriptor);
    drop(alone);
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::OFlag;
    use nix::unistd::{pipe2, read};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    /// Other threads start programs all the time; the end of a pipe's file is there at once all the same.
    #[test]
    fn what_is_closed_for_good_is_closed_although_others_start_programs() {
        let done = AtomicBool::new(false);
        let late = thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        output(&mut Command::new("true")).unwrap();
                    }
                });
            }
            let end_is_late = |_: &i32| {
                let (ours, theirs) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
                close_for_good(theirs);
                read(&ours, &mut [0; 1]) != Ok(0)
            };
            let late = (0..2000).filter(end_is_late).count();
            done.store(true, Ordering::Relaxed);
            late
        });
        assert_eq!(late, 0);
    }
}
