//! By what is seen which thread the kernel chose to take a signal.

use super::{Failure, Host, lost};
use crate::sys::cell::Message;
use crate::sys::pidfd;
use crate::sys::procfs::{Doing, ThreadFiles};
use crate::sys::sched;
use crate::trace::Status;
use crate::world::{Files, Network, World};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Host<'_> {
    /// A shell that is held shows whether it has been chosen to take a signal, and takes it when it is let go.
    pub(super) fn marked(&self) -> Result<(), Failure> {
        const CODE: i32 = 7;
        let world = World { network: Network::Host, files: Files::Host, ..World::default() };
        let cell = self.made(&["sh", "-c", &format!("trap 'exit {CODE}' USR1; cd /")], &world)?;
        let failed = |errno: Errno| Failure::Lost(format!("holding a shell: {}", errno.desc()));
        cell.go().or_else(|error| lost(error.to_string()))?;
        let mut shown = false;
        loop {
            let heard = [cell.listener().as_fd(), cell.control()];
            let mut heard = heard.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            match poll(&mut heard, PollTimeout::from(10_000u16)) {
                Ok(0) => return lost("a shell does not go on"),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            let calls = heard[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN));
            if calls && let Some(call) = cell.listener().receive().map_err(failed)? {
                if i64::from(call.number) == libc::SYS_chdir {
                    shows_what_it_takes(call.tid)?;
                    shown = true;
                }
                cell.listener().proceed(call).map_err(failed)?;
            }
            match cell.message().map_err(failed)? {
                None => {}
                Some(Message::Reaped(_, status))
                    if shown && Status::from_wait(status) == Status::Exited(CODE) =>
                {
                    return Ok(());
                }
                Some(other) => {
                    return lost(format!(
                        "a shell with a trap was to end with {CODE}, when it was let go: {other:?}"
                    ));
                }
            }
        }
    }
}

/// This thread, which waits for an answer, shows that it was sent what it takes, and nothing of what it does not.
fn shows_what_it_takes(tid: i32) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Lost(format!("looking at a held shell: {error}"));
    let thread = ThreadFiles::find(tid).map_err(|error| failed(&error))?;
    for (sent, expected) in [
        (None, Doing::Sleeping),
        (Some(libc::SIGURG), Doing::Sleeping),
        (Some(libc::SIGUSR1), Doing::Uninterruptible),
    ] {
        if let Some(signal) = sent {
            pidfd::kill(tid, signal).map_err(|errno| failed(&errno.desc()))?;
        }
        let begun = Instant::now();
        let doing = loop {
            match thread.doing().map_err(|error| failed(&error))? {
                Doing::Running if begun.elapsed() < Duration::from_secs(10) => sched::give_way(),
                doing => break doing,
            }
        };
        if doing != expected {
            return lost(format!(
                "a held shell that was sent {sent:?} was to be {expected:?}, and was {doing:?}"
            ));
        }
    }
    Ok(())
}
