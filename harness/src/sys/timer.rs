//! Timers of another process: what POSIX timers it has, the signal of one, and the readings of timerfd descriptors.

use super::procfs::malformed;
use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// A POSIX timer as `/proc/PID/timers` tells of it (proc_pid_timers(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The signal's number, and its `si_value`.
    pub signal: i32,
    /// As above.
    pub value: u64,
    /// False for SIGEV_NONE: nothing is sent.
    pub signals: bool,
    /// The thread that gets the signal (SIGEV_THREAD_ID), as the reader's namespace numbers it; none for the process.
    pub thread: Option<i32>,
    /// Which clock it goes by.
    pub clock: i32,
}

/// The process's timer with this id; none if it has none. Fails on kernels without that file.
pub fn known(pid: i32, id: i32) -> io::Result<Option<Known>> {
    parse(&fs::read_to_string(format!("/proc/{pid}/timers"))?, id)
}

fn parse(text: &str, id: i32) -> io::Result<Option<Known>> {
    let mut lines = text.lines();
    let is_it = |line: &str| line.strip_prefix("ID:").is_some_and(|found| found.trim() == id.to_string());
    if !lines.any(is_it) {
        return Ok(None);
    }
    let known = fields(lines);
    known.map(Some).ok_or_else(|| malformed("timers", "a timer", text))
}

/// What the lines after that of a timer's id say of it.
fn fields<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<Known> {
    let mut field = |name: &str| lines.next()?.strip_prefix(name);
    let (signal, value) = field("signal:")?.trim().split_once('/')?;
    let (kind, target) = field("notify:")?.trim().split_once('/')?;
    let thread = target.strip_prefix("tid.").map(str::parse).transpose().ok()?;
    Some(Known {
        signal: signal.parse().ok()?,
        value: u64::from_str_radix(value, 16).ok()?,
        signals: kind != "none",
        thread,
        clock: field("ClockID:")?.trim().parse().ok()?,
    })
}

/// Queues the signal of POSIX timer `id` as the kernel does when it expires: `si_code` is SI_TIMER (sigaction(2)).
pub fn queue(pid: i32, id: i32, known: &Known) -> Result<(), Errno> {
    /// siginfo_t as it is for SI_TIMER.
    #[repr(C)]
    struct Info {
        signal: i32,
        errno: i32,
        code: i32,
        padding: i32,
        timer: i32,
        overrun: i32,
        value: u64,
        rest: [u64; 12],
    }
    const SI_TIMER: i32 = -2;
    let (signal, value) = (known.signal, known.value);
    let info =
        Info { signal, errno: 0, code: SI_TIMER, padding: 0, timer: id, overrun: 0, value, rest: [0; 12] };
    let info: *const Info = &info;
    // SAFETY: the information is as large as a siginfo_t (128 bytes) and lives through the call.
    let queued = unsafe {
        match known.thread {
            Some(tid) => libc::syscall(libc::SYS_rt_tgsigqueueinfo, pid, tid, signal, info),
            None => libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, info),
        }
    };
    Errno::result(queued).map(drop)
}

/// How CPU time is counted, as in the ids of clocks (linux/posix-timers_types.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuClock {
    /// As ITIMER_PROF counts: who is on the CPU at a tick of its clock, in the program or in the kernel.
    Profiling = 0,
    /// As ITIMER_VIRTUAL counts: the same, in the program alone.
    Virtual = 1,
    /// Exactly (clock_getcpuclockid(3)).
    Exact = 2,
}

/// The CPU time that a process has used, all its threads together.
pub fn cpu_time(pid: i32, clock: CpuClock) -> Result<Duration, Errno> {
    clock_gettime(ClockId::from_raw((!pid << 3) | clock as i32)).map(Duration::from)
}

/// What sysinfo(2) says, with another time since the start of the machine, in seconds: a struct sysinfo, as words.
pub fn system_information(uptime: u64) -> Result<[u64; 14], Errno> {
    let mut words = [0; 14];
    const { assert!(size_of::<libc::sysinfo>() <= 14 * 8) };
    // SAFETY: the buffer is large enough for a struct sysinfo and aligned for its largest fields.
    Errno::result(unsafe { libc::sysinfo(words.as_mut_ptr().cast()) })?;
    words[0] = uptime;
    Ok(words)
}

/// True if the descriptor `fd` of process `pid` stands for the same open file as `own` does here (kcmp(2)).
pub fn same_file(own: BorrowedFd<'_>, pid: i32, fd: i32) -> Result<bool, Errno> {
    const KCMP_FILE: i32 = 0;
    // SAFETY: kcmp takes five numbers and no pointers.
    let order =
        unsafe { libc::syscall(libc::SYS_kcmp, std::process::id(), pid, KCMP_FILE, own.as_raw_fd(), fd) };
    Errno::result(order).map(|order| order == 0)
}

/// Disarms a timerfd, and forgets its expirations.
pub fn disarm(timer: BorrowedFd<'_>) -> Result<(), Errno> {
    set(timer, 0)
}

/// How often the timerfd has expired since it was last read.
pub fn expirations(timer: BorrowedFd<'_>) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", timer.as_raw_fd()))?;
    let ticks = text.lines().find_map(|line| line.strip_prefix("ticks:"));
    let parsed = ticks.and_then(|ticks| ticks.trim().parse().ok());
    parsed.ok_or_else(|| malformed("fdinfo", "ticks", &text))
}

/// Makes the timerfd have expired `count` times, and wakes who waits for it. More than once only on kernels with
/// `TFD_IOC_SET_TICKS` (proc_pid_fdinfo(5) and CONFIG_CHECKPOINT_RESTORE); on others ENOTTY.
pub fn expire(timer: BorrowedFd<'_>, count: u64) -> Result<(), Errno> {
    nix::ioctl_write_ptr!(set_ticks, b'T', 0, u64);
    // SAFETY: the descriptor is a timerfd, and the number that the request writes from lives through the call.
    match unsafe { set_ticks(timer.as_raw_fd(), &count) } {
        Ok(_) => Ok(()),
        Err(_) if count == 1 => set(timer, 1),
        Err(errno) => Err(errno),
    }
}

fn set(timer: BorrowedFd<'_>, nanoseconds: i64) -> Result<(), Errno> {
    let value = libc::timespec { tv_sec: 0, tv_nsec: nanoseconds };
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let new = libc::itimerspec { it_interval: zero, it_value: value };
    // SAFETY: the new setting lives through the call; a null pointer asks for no old one.
    Errno::result(unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &new, std::ptr::null_mut()) })
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
    use std::os::fd::AsFd;

    #[test]
    fn timers_are_understood() {
        let text = "ID: 0\nsignal: 14/0000000000000000\nnotify: signal/pid.77\nClockID: 1\n\
                    ID: 3\nsignal: 32/00007f00deadbeef\nnotify: signal/tid.79\nClockID: 0\n\
                    ID: 4\nsignal: 0/0000000000000000\nnotify: none/pid.77\nClockID: -6\n";
        let first = Known { signal: 14, value: 0, signals: true, thread: None, clock: 1 };
        assert_eq!(parse(text, 0).unwrap(), Some(first));
        let threads =
            Known { signal: 32, value: 0x7f00_dead_beef, signals: true, thread: Some(79), clock: 0 };
        assert_eq!(parse(text, 3).unwrap(), Some(threads));
        assert!(parse(text, 4).unwrap().is_some_and(|timer| !timer.signals && timer.clock == -6));
        assert_eq!(parse(text, 1).unwrap(), None);
        for broken in [text.replace("tid.79", "tid.x"), text.replace("notify: signal/tid.79\n", "")] {
            assert!(parse(&broken, 3).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_timerfd_expires_when_told_to() {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK).unwrap();
        expire(timer.as_fd(), 1).unwrap();
        // The other way takes a moment.
        while expirations(timer.as_fd()).unwrap() == 0 {
            std::thread::yield_now();
        }
        assert_eq!(expirations(timer.as_fd()).unwrap(), 1);
        disarm(timer.as_fd()).unwrap();
        assert_eq!(expirations(timer.as_fd()).unwrap(), 0);
        assert!(same_file(timer.as_fd(), std::process::id() as i32, timer.as_fd().as_raw_fd()).unwrap());
    }
}
