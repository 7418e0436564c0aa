//! Pinning and scheduling policy (sched(7)).
//!
//! The program's threads run under SCHED_BATCH on the supervisor's CPU: then a woken thread does not preempt its waker, at
//! least up to the next tick. So does the supervisor: whoever takes the CPU from the released thread while another waits
//! for it gives it to that other, since Linux 6.6 lets nobody go on who has had more than his share. Where one thread computes
//! and no other waits it takes the CPU as soon as it has something to do ([`Preempting`]). For the same reason
//! no longer slices are asked for (`sched_runtime` of sched_setattr(2), Linux 6.12), although these hold until the tick
//! after: whatever has a shorter one, as the kernel's own threads have, preempts a longer one at once.
//!
//! A real-time policy would hold for longer, but it stops the machine: the supervisor opens files under `/proc`, and the
//! kernel waits there, busily, for a process of the tree that is just being reaped on the same CPU, and which a higher
//! real-time priority would never let go on (`shrink_dcache_parent`; seen on Linux 6.18).

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Pins the calling thread to one CPU, makes its timed waits exact, and lets it wait, once woken, until the thread that has
/// the CPU sleeps. A thread that somebody gave a policy keeps that.
pub fn supervise_on(cpu: usize) -> Result<(), Errno> {
    let mut set_of_one = CpuSet::new();
    set_of_one.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set_of_one)?;
    // The shortest timed waits are sixty microseconds; the default slack would add fifty to each.
    // SAFETY: this prctl takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
    if policy()? != libc::SCHED_OTHER {
        return Ok(());
    }
    set_policy(libc::SCHED_BATCH)
}

/// While this is there, the calling thread, once woken, takes the CPU from a thread of the program that computes, which would else
/// have it to the end of its slice. For where nobody else can have it in between.
#[derive(Debug)]
pub struct Preempting(());

impl Preempting {
    /// None for a thread that somebody gave a policy.
    pub fn begin() -> Option<Preempting> {
        let begun = policy() == Ok(libc::SCHED_BATCH) && set_policy(libc::SCHED_OTHER).is_ok();
        begun.then_some(Preempting(()))
    }
}

impl Drop for Preempting {
    fn drop(&mut self) {
        // It has been this thread's policy before, and to any thread it is allowed.
        let _ = set_policy(libc::SCHED_BATCH);
    }
}

/// The calling thread's.
fn policy() -> Result<i32, Errno> {
    // SAFETY: it takes a number only.
    Errno::result(unsafe { libc::sched_getscheduler(0) })
}

fn set_policy(policy: i32) -> Result<(), Errno> {
    let parameter: *const libc::sched_param = &libc::sched_param { sched_priority: 0 };
    // SAFETY: the parameter lives through the call.
    Errno::result(unsafe { libc::sched_setscheduler(0, policy, parameter) }).map(drop)
}

/// Offers the CPU to others that can run.
pub fn give_way() {
    // It cannot fail on Linux (sched_yield(2)).
    let _ = nix::sched::sched_yield();
}

/// The calling thread's CPU mask exactly as sched_getaffinity(2) writes it: as many bytes as the kernel uses.
pub fn raw_affinity() -> Result<Vec<u8>, Errno> {
    let mut mask = vec![0u8; 1024];
    // SAFETY: `mask` is as long as said and lives through the call.
    let length = Errno::result(unsafe {
        libc::syscall(libc::SYS_sched_getaffinity, 0, mask.len(), mask.as_mut_ptr())
    })?;
    mask.truncate(length as usize);
    Ok(mask)
}

/// The nice value of a thread.
pub fn nice(tid: i32) -> Result<i32, Errno> {
    Errno::clear();
    // SAFETY: it takes numbers only.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, tid as libc::id_t) };
    match Errno::last() {
        Errno::UnknownErrno => Ok(nice),
        errno => Err(errno),
    }
}

/// Changes the nice value of a thread.
pub fn set_nice(tid: i32, nice: i32) -> Result<(), Errno> {
    // SAFETY: it takes numbers only.
    Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, tid as libc::id_t, nice) }).map(drop)
}

/// True if these capabilities let a thread of a run choose any policy: CAP_SYS_NICE of the machine, which nobody has in a user
/// namespace of its own.
pub fn may_nice(effective: u64) -> bool {
    const CAP_SYS_NICE: u64 = 1 << 23;
    nix::unistd::geteuid().is_root() && effective & CAP_SYS_NICE != 0
}

/// How high a real-time priority may be without that (RLIMIT_RTPRIO).
pub fn priority_limit() -> u64 {
    nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_RTPRIO).map_or(0, |(soft, _)| soft)
}

/// The slice that an ordinary thread has which nobody has given another, in nanoseconds (`sched_runtime` of sched_getattr(2),
/// Linux 6.12; zero before).
pub fn slice() -> u64 {
    let mut attributes = [0u64; 7];
    // SAFETY: the structure has the size that is said and lives through the call.
    let read = unsafe {
        libc::syscall(libc::SYS_sched_getattr, 0, attributes.as_mut_ptr(), size_of_val(&attributes), 0)
    };
    // Unknown is what an older kernel says: it has no slices.
    if read == 0 { attributes[3] } else { 0 }
}
