//! Copies of this process, which other programs are started from: each has copies of all its descriptors for a moment, and what
//! the kernel does when the last copy is closed is put off for as long.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Held while a copy of this process may have copies of all its descriptors: from clone(2) without CLONE_FILES until the
/// copy has closed them or executed.
static COPIES: RwLock<()> = RwLock::new(());

/// To be held while another process is made, until it has none of this one's descriptors but those that it is given.
pub fn copied() -> RwLockReadGuard<'static, ()> {
    COPIES.read().unwrap_or_else(PoisonError::into_inner)
}

/// Runs this command, without input, and takes what it writes.
pub fn output(command: &mut Command) -> io::Result<Output> {
    // Whoever starts another goes on before that one has closed its copies: vfork(2) returns earlier in execve(2).
    let _copied = copied();
    command.stdin(Stdio::null()).output()
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
