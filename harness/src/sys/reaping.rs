//! How the run's init reaps who has ended, and ends what is left. It runs in the init: see there what that may do.

use super::gate::call;
use super::init::{Kind, exit, report};
use libc::c_int;

/// How often what was killed gets the CPU before everybody else is killed too.
const YIELDS: u32 = 8;

/// Waits for a child as wait4(2): its number, zero if none has ended yet, or a negative error number, which is ECHILD if there
/// are no children; and its status.
fn wait(flags: c_int) -> (isize, c_int) {
    let mut status: c_int = 0;
    // SAFETY: `status` lives through the call.
    let pid = unsafe {
        call(libc::SYS_wait4, usize::MAX, &raw mut status as usize, (flags | libc::__WALL) as usize, 0, 0)
    };
    (pid, status)
}

/// True of a child that has ended: a tracer is told of stops as well, which are no ends.
fn is_end((pid, status): (isize, c_int)) -> bool {
    pid > 0 && !libc::WIFSTOPPED(status)
}

/// Reaps one process, if there is one to reap, and says so. Gives what `wait` gives first.
fn reap(flags: c_int) -> isize {
    let waited = wait(flags);
    if is_end(waited) {
        report(Kind::Reaped, waited.0 as i32, waited.1);
    }
    waited.0
}

/// Reaps whoever has ended, and says so.
pub(super) fn reap_ended() {
    let mut untold = None;
    loop {
        let waited = wait(libc::WNOHANG);
        let (pid, _) = waited;
        let next = is_end(waited).then_some(waited);
        if next.is_none() && pid > 0 {
            continue;
        }
        if let Some((ended, status)) = std::mem::replace(&mut untold, next) {
            let last = pid == -(libc::ECHILD as isize);
            report(if last { Kind::ReapedLast } else { Kind::Reaped }, ended as i32, status);
        }
        if untold.is_none() {
            return;
        }
    }
}

/// Ends every process of the namespace but this one, first those that are known to be left.
///
/// All of them are descendants of this process: whoever's parent ends becomes its child. So nothing is left when it has no
/// child any more, and only then this returns. To kill everybody without knowing whom takes the kernel a walk over every
/// process of the machine, so that is done only if what was named was not all.
pub(super) fn end_all(named: &[i32]) {
    let kill = |pid: i32| {
        // SAFETY: only numbers.
        unsafe { call(libc::SYS_kill, pid as isize as usize, libc::SIGKILL as usize, 0, 0, 0) }
    };
    for pid in named.iter().filter(|pid| **pid > 1) {
        // Some have ended, or were ended with another, by now.
        kill(*pid);
    }
    for _ in 0..YIELDS {
        let last = loop {
            match reap(libc::WNOHANG) {
                pid if pid > 0 => {}
                last => break last,
            }
        };
        if last < 0 {
            return report(Kind::Clean, 0, 0);
        }
        // What was killed ends as soon as it gets the CPU.
        // SAFETY: no arguments.
        unsafe { call(libc::SYS_sched_yield, 0, 0, 0, 0, 0) };
    }
    loop {
        // From pid 1, -1 means everybody else in the namespace. Each time, for those that were just being made.
        let killed = kill(-1);
        if killed < 0 && killed != -(libc::ESRCH as isize) {
            // The end of pid 1 ends everybody else all the same.
            exit(1);
        }
        if reap(0) < 0 {
            return report(Kind::Clean, 0, 0);
        }
    }
}
