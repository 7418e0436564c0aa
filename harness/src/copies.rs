//! Copies of this process, which other programs are started from: each has copies of all its descriptors for a moment, and what
//! the kernel does when the last copy is closed is put off for as long.
//!
//! So does a copy of what the harness has of a program's own descriptors: the program closes its end of a connection, and the
//! other end is not told.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;

/// Held while a copy of this process may have copies of all its descriptors: from clone(2) without CLONE_FILES until the
/// copy has closed them or executed.
static COPIES: RwLock<()> = RwLock::new(());

/// To be held while another process is made, until it has none of this one's descriptors but those that it is given.
pub fn copied() -> RwLockReadGuard<'static, ()> {
    COPIES.read().unwrap_or_else(PoisonError::into_inner)
}

/// Starts this command: to be done so by whoever starts programs in a process in which others are supervised. Fails as
/// [`Command::spawn`] does.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let _copied = copied();
    let child = command.spawn()?;
    // Whoever starts another goes on before that one has closed its copies: vfork(2) returns earlier in execve(2).
    let (own, of_child) = (Running::of("thread-self"), child.id().to_string());
    while Running::of(&of_child).has_copies(&own) {
        thread::yield_now();
    }
    Ok(child)
}

/// What a thread runs, as far as execve(2) shows there when it has closed what is to be closed.
struct Running {
    /// Its name (proc_pid_comm(5)), which is another from then on.
    name: Option<Vec<u8>>,
    /// What the kernel has told it (proc_pid_auxv(5)): nothing yet, a little later something else.
    auxiliary: Option<Vec<u8>>,
}

impl Running {
    fn of(thread: &str) -> Running {
        let read = |file: &str| fs::read(Path::new("/proc").join(thread).join(file)).ok();
        Running { name: read("comm"), auxiliary: read("auxv") }
    }

    /// True if it may still have copies of all that its parent has. One that has been given its parent's name has been told
    /// other things.
    fn has_copies(&self, parent: &Running) -> bool {
        let blank = || {
            self.auxiliary.as_ref().is_some_and(|told| !told.is_empty() && told.iter().all(|byte| *byte == 0))
        };
        self.name == parent.name && (self.auxiliary == parent.auxiliary || blank())
    }
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

    #[test]
    fn who_is_called_like_its_parent_is_seen_to_run() {
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        for name in ["sleep", "env"] {
            let started = named(name).spawn(|| {
                let mut child = spawn(Command::new("env").args(["sleep", "600"])).unwrap();
                child.kill().unwrap();
                child.wait().unwrap();
            });
            started.unwrap().join().unwrap();
        }
    }

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
