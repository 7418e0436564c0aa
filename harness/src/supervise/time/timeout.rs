//! After what time a call ends by itself.

use crate::schedule::Syscall;
use crate::supervise::books::door::Door;
use crate::supervise::calls::{self, Clock, Ends, Unit};
use crate::supervise::time::face::Face;
use nix::errno::Errno;
use nix::poll::PollFlags;
use std::time::Duration;

/// A time to sleep at most.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervise) struct Timeout {
    pub(in crate::supervise) duration: Duration,
    /// The program worked it out from a clock, so it differs a little from run to run.
    computed: bool,
    /// How long before its end the moment was that it stands for (`Deadline::behind`).
    pub(in crate::supervise) behind: Duration,
}

/// How late a program may be for a time that it worked out.
const LATE: Duration = Duration::from_secs(1);

impl Timeout {
    fn relative(duration: Duration, face: Face) -> Timeout {
        // People do not write nanoseconds; what is worked out from virtual time is the same in every run.
        let computed = !face.is_virtual() && !duration.subsec_nanos().is_multiple_of(1000);
        Timeout { duration, computed, behind: Duration::ZERO }
    }

    /// Until `moment` of this clock of the run; none for clocks of CPU time. A moment that has just passed was ahead when the
    /// program worked it out: it is as one that is just coming, or load would decide whether the call sleeps. With virtual time
    /// every moment that has passed is so, since the kernel, which has another time, could not say that it has.
    pub(in crate::supervise) fn until(moment: Duration, id: i32, face: Face) -> Option<Timeout> {
        let now = face.reading(id)?;
        let late = now.saturating_sub(moment);
        let passed = now >= moment && (face.is_virtual() || late < LATE);
        let duration = if passed { Duration::from_nanos(1) } else { moment.saturating_sub(now) };
        // How late it is by the machine's time may be load alone.
        let counts = !late.is_zero() && (face.is_virtual() || late >= LATE);
        let behind = if counts { late + duration } else { Duration::ZERO };
        Some(Timeout { duration, computed: !face.is_virtual(), behind })
    }

    /// As the program has it, whatever it was worked out from.
    pub(in crate::supervise) fn exactly(duration: Duration) -> Timeout {
        Timeout { duration, computed: false, behind: Duration::ZERO }
    }

    /// How far away the end is on the logical clock. A computed time is rounded up to two digits: what is left of a tenth
    /// of a second is a tenth of a second again, in every run. It may be late, as any timeout may.
    pub(in crate::supervise) fn logical(&self) -> Duration {
        if !self.computed {
            return self.duration;
        }
        let nanos = u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX);
        let unit = 10u64.pow(nanos.checked_ilog10().unwrap_or(0).saturating_sub(1));
        Duration::from_nanos(nanos.div_ceil(unit).saturating_mul(unit))
    }
}

/// Two words of memory; none where there is none.
fn words(door: &Door, address: u64) -> Option<(u64, u64)> {
    let word = |address| door.read_word(address).ok();
    (address != 0).then(|| Some((word(address)?, word(address.wrapping_add(8))?))).flatten()
}

/// Two words of memory as a struct timespec; none where there is none, or where the kernel will refuse it.
pub(in crate::supervise) fn timespec(door: &Door, address: u64) -> Option<Duration> {
    let (seconds, nanos) = words(door, address)?;
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    i64::try_from(seconds).ok().map(|seconds| Duration::new(seconds.unsigned_abs(), nanos))
}

/// Two words of memory as the struct timeval of select(2), which may have more microseconds than a second has; none where there is
/// none, or where the kernel will refuse it.
fn timeval(door: &Door, address: u64) -> Option<Duration> {
    let (seconds, micros) = words(door, address)?;
    let (seconds, micros) = (i64::try_from(seconds).ok()?, i64::try_from(micros).ok()?);
    let seconds = Duration::from_secs(seconds.unsigned_abs());
    Some(seconds.saturating_add(Duration::from_micros(micros.unsigned_abs())))
}

/// The futex operations that may sleep for a time (futex(2)).
pub(in crate::supervise) mod futex {
    pub(in crate::supervise) const WAIT: u64 = 0;
    pub(in crate::supervise) const LOCK_PI: u64 = 6;
    pub(in crate::supervise) const WAIT_BITSET: u64 = 9;
    pub(in crate::supervise) const WAIT_REQUEUE_PI: u64 = 11;
    pub(in crate::supervise) const LOCK_PI2: u64 = 13;
    /// The operation without its flags.
    pub(in crate::supervise) const OPERATION: u64 = 0x7f;
    pub(in crate::supervise) const CLOCK_REALTIME: u64 = 256;
}

/// True if this futex operation sleeps, at most for the time that its fourth argument gives.
pub(in crate::supervise) fn futex_sleeps(operation: u64) -> bool {
    operation & futex::OPERATION == futex::WAIT || futex_clock(operation).is_some()
}

/// True if this call is going to sleep for futexes, by what is in them; none if that is not known.
pub(in crate::supervise) fn futex_is_to_sleep(door: &Door, call: Syscall, args: &[u64; 6]) -> Option<bool> {
    const OWNER: u32 = 0x3fff_ffff;
    /// The flags that leave it a word of 32 bits: FUTEX2_PRIVATE beside FUTEX2_SIZE_U32.
    const SIZE: u64 = 0x7f;
    const WORDS: u64 = 2;
    let word = |address: u64| {
        let aligned = address.is_multiple_of(4);
        aligned.then(|| door.read_array(address).ok().map(u32::from_le_bytes)).flatten()
    };
    // What cannot be read is the kernel's to refuse: it does not sleep.
    let has = |address: u64, value: u64| word(address) == Some(value as u32);
    match calls::of(call).sleep {
        calls::Sleep::Futexes if call == syscalls::Sysno::futex_waitv.into() => {
            let all = (0..args[1].min(128)).map(|n| args[0].wrapping_add(24 * n));
            let mut all = all.map(|at| [0, 8, 16].map(|offset| door.read_word(at.wrapping_add(offset)).ok()));
            all.try_fold(true, |sleeps, entry| match entry {
                [Some(value), Some(address), Some(flags)] if flags & SIZE == WORDS => {
                    Some(sleeps && has(address, value))
                }
                _ => None,
            })
        }
        calls::Sleep::Futexes => (args[3] & SIZE == WORDS).then(|| has(args[0], args[1])),
        _ => match args[1] & futex::OPERATION {
            futex::WAIT | futex::WAIT_BITSET => Some(has(args[0], args[2])),
            futex::LOCK_PI | futex::LOCK_PI2 => Some(word(args[0]).is_some_and(|word| word & OWNER != 0)),
            _ => None,
        },
    }
}

/// The clock by which this futex operation's timeout is an absolute time; none if it is relative, or no timeout.
pub(in crate::supervise) fn futex_clock(operation: u64) -> Option<i32> {
    let by_flag = match operation & futex::CLOCK_REALTIME {
        0 => libc::CLOCK_MONOTONIC,
        _ => libc::CLOCK_REALTIME,
    };
    match operation & futex::OPERATION {
        futex::WAIT_BITSET | futex::WAIT_REQUEUE_PI | futex::LOCK_PI2 => Some(by_flag),
        futex::LOCK_PI => Some(libc::CLOCK_REALTIME),
        _ => None,
    }
}

/// The time that this call sleeps at most, by its arguments; none if they set no limit. Arguments that cannot be read or
/// make no sense are none either: the kernel will report them.
pub(in crate::supervise) fn of(door: &Door, call: Syscall, args: &[u64; 6], face: Face) -> Option<Timeout> {
    let counted = |duration| Timeout::relative(duration, face);
    let relative = |address: u64| timespec(door, address).map(counted);
    let until = |address: u64, id: i32| Timeout::until(timespec(door, address)?, id, face);
    match calls::of(call).ends {
        Ends::Timeless => None,
        Ends::After(arg, Unit::Millis) => {
            u64::try_from(args[arg] as i32).ok().map(Duration::from_millis).map(counted)
        }
        Ends::After(arg, Unit::Timespec) => relative(args[arg]),
        Ends::After(arg, Unit::Timeval) => timeval(door, args[arg]).map(counted),
        Ends::At(arg, Clock::Realtime) => until(args[arg], libc::CLOCK_REALTIME),
        Ends::At(arg, Clock::In(id)) => until(args[arg], args[id] as i32),
        Ends::ClockNanosleep if args[1] & libc::TIMER_ABSTIME as u64 != 0 => until(args[2], args[0] as i32),
        Ends::ClockNanosleep => face.reading(args[0] as i32).and_then(|_| relative(args[2])),
        Ends::Futex => match (args[1] & futex::OPERATION, futex_clock(args[1])) {
            (futex::WAIT, _) => relative(args[3]),
            (_, Some(id)) => until(args[3], id),
            _ => None,
        },
    }
}

/// More descriptors than this in one call are not looked at one by one.
const MANY: usize = 4096;

/// The descriptors of a poll(2), and what each is waited for; none if they cannot be read.
pub(in crate::supervise) fn polled(door: &Door, args: &[u64; 6]) -> Option<Vec<(i32, PollFlags)>> {
    let count = usize::try_from(args[1]).ok().filter(|count| *count <= MANY)?;
    let bytes = door.read_bytes(args[0], count * 8).ok()?;
    let entries = bytes.chunks_exact(8).map(|entry| {
        let fd = i32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
        (fd, PollFlags::from_bits_truncate(i16::from_le_bytes([entry[4], entry[5]])))
    });
    Some(entries.filter(|(fd, _)| *fd >= 0).collect())
}

/// How many bytes a set of select(2) has.
pub(in crate::supervise) fn set_size(args: &[u64; 6]) -> Option<usize> {
    usize::try_from(args[0]).ok().filter(|count| *count <= 1024).map(|count| count.div_ceil(64) * 8)
}

/// The descriptors of a select(2), and what each is waited for; none if they cannot be read.
pub(in crate::supervise) fn selected(door: &Door, args: &[u64; 6]) -> Option<Vec<(i32, PollFlags)>> {
    let length = set_size(args)?;
    // What select(2) says each of its sets stands for.
    let sets = [(args[1], PollFlags::POLLIN), (args[2], PollFlags::POLLOUT), (args[3], PollFlags::POLLPRI)];
    let mut ends = Vec::new();
    for (address, events) in sets.into_iter().filter(|(address, _)| *address != 0) {
        let bits = door.read_bytes(address, length).ok()?;
        let set = (0..args[0] as usize).filter(|fd| bits[fd / 8] & (1 << (fd % 8)) != 0);
        ends.extend(set.map(|fd| (fd as i32, events)));
    }
    Some(ends)
}

/// Writes a time as a call has it.
pub(in crate::supervise) fn write(
    door: &Door,
    address: u64,
    unit: Unit,
    time: Duration,
) -> Result<(), Errno> {
    let part = match unit {
        Unit::Timespec => time.subsec_nanos(),
        Unit::Timeval => time.subsec_micros(),
        Unit::Millis => return Ok(()),
    };
    door.write(address, &[time.as_secs(), part.into()].map(u64::to_le_bytes).concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computed_times_are_rounded_up_and_written_ones_kept() {
        let logical =
            |nanos: u64| Timeout::relative(Duration::from_nanos(nanos), Face::default()).logical().as_nanos();
        assert_eq!(logical(99_987_654), 100_000_000);
        assert_eq!(logical(49_999_999), 50_000_000);
        assert_eq!(logical(1_499_000_001), 1_500_000_000);
        assert_eq!(logical(123_456_000), 123_456_000);
        assert_eq!(logical(7), 7);
        assert_eq!(logical(0), 0);
        let computed = |duration| Timeout { duration, computed: true, behind: Duration::ZERO }.logical();
        assert_eq!(computed(Duration::from_micros(99_987)), Duration::from_millis(100));
        assert_eq!(computed(Duration::ZERO), Duration::ZERO);
        assert!(computed(Duration::MAX) >= Duration::from_nanos(u64::MAX - 1));
    }

    #[test]
    fn a_moment_that_has_just_passed_is_still_to_come() {
        let (id, face) = (libc::CLOCK_MONOTONIC, Face::default());
        let until = |moment| Timeout::until(moment, id, face).map(|timeout| timeout.duration);
        let now = face.reading(id).unwrap();
        assert_eq!(until(now), Some(Duration::from_nanos(1)));
        assert_eq!(until(Duration::ZERO), Some(Duration::ZERO));
        assert!(until(now + 9 * LATE) > Some(LATE));
        let behind = |moment| Timeout::until(moment, id, face).map(|timeout| timeout.behind);
        assert_eq!(behind(now + LATE), Some(Duration::ZERO));
        assert_eq!(behind(face.reading(id).unwrap() - LATE / 2), Some(Duration::ZERO));
        assert!(behind(now - 2 * LATE) >= Some(2 * LATE));
        assert!(Timeout::until(LATE, libc::CLOCK_THREAD_CPUTIME_ID, face).is_none());
    }

    #[test]
    fn with_virtual_time_moments_are_exact() {
        let start = crate::supervise::begun(Default::default()).start;
        let face = Face { start, passed: Duration::from_secs(9) };
        let id = libc::CLOCK_REALTIME;
        let odd = Duration::from_nanos(123_456_789);
        let logical = |moment| Timeout::until(moment, id, face).map(|timeout| timeout.logical());
        assert_eq!(logical(face.reading(id).unwrap() + odd), Some(odd));
        assert_eq!(logical(Duration::ZERO), Some(Duration::from_nanos(1)));
        let now = face.reading(id).unwrap();
        let behind = |moment| Timeout::until(moment, id, face).map(|timeout| timeout.behind);
        assert_eq!(behind(now - odd), Some(odd + Duration::from_nanos(1)));
        assert_eq!(behind(now), Some(Duration::ZERO));
        assert_eq!(Timeout::relative(odd, face).logical(), odd);
    }

    #[test]
    fn what_a_futex_timeout_counts_from() {
        assert_eq!(futex_clock(futex::WAIT | 128), None);
        assert_eq!(futex_clock(futex::WAIT_BITSET | 128), Some(libc::CLOCK_MONOTONIC));
        assert_eq!(futex_clock(futex::WAIT_BITSET | 256), Some(libc::CLOCK_REALTIME));
        assert_eq!(futex_clock(futex::LOCK_PI), Some(libc::CLOCK_REALTIME));
        assert_eq!(futex_clock(1), None);
    }
}
