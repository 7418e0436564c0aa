//! Moments on the two clocks of a run: see NOTE \[Logical time\] in `clock`.

use std::time::{Duration, Instant};

/// Nanoseconds on the run's logical clock.
pub(in crate::supervise) type Logical = u64;

/// A clock of the kernel's holds no more nanoseconds (KTIME_MAX of linux/ktime.h, 292 years). A longer time is cut down to this, and
/// never comes: it is how some programs write `for ever`.
pub(in crate::supervise) const NEVER: Logical = i64::MAX as u64;

/// How many intervals have ended between an expiry and now.
pub(in crate::supervise) fn missed(now: Logical, expired: Deadline, interval: Duration) -> u64 {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    let passed = now.saturating_sub(expired.logical).saturating_add(expired.behind);
    passed.checked_div(nanos).unwrap_or(0)
}

/// When something runs out.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervise) struct Deadline {
    /// In the order of the run.
    pub(in crate::supervise) logical: Logical,
    /// The how many-th deadline of the run it is: of two at the same time, the one that was set first comes first.
    pub(in crate::supervise) order: u64,
    /// Never before this: the program must not see a sleep that was too short. None if its clocks are not the machine's.
    pub(in crate::supervise) real: Option<Instant>,
    /// How much earlier it was meant to be: a timer may be set to a time that has passed, from which its intervals count
    /// (timer_settime(2)).
    pub(in crate::supervise) behind: Logical,
}

impl Deadline {
    /// `times` intervals later than it was meant to be: so many that it is not over yet.
    pub(in crate::supervise) fn later(self, interval: Duration, times: u64) -> Deadline {
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).saturating_mul(times);
        let interval = interval.saturating_sub(self.behind);
        let real = self.real.map(|real| real.checked_add(Duration::from_nanos(interval)).unwrap_or(real));
        Deadline { logical: self.logical.saturating_add(interval).min(NEVER), real, behind: 0, ..self }
    }

    /// False if the kernel would never let it come.
    pub(in crate::supervise) fn comes(&self) -> bool {
        self.logical < NEVER
    }

    /// By this the earliest of several is found.
    pub(in crate::supervise) fn rank(&self) -> (Logical, u64) {
        (self.logical, self.order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_count_from_when_it_was_meant_to_be() {
        let second = Duration::from_secs(1);
        let past = Deadline { logical: 5_000_000_001, order: 1, real: None, behind: 10_200_000_001 };
        assert_eq!(missed(past.logical, past, second), 10);
        let next = past.later(second, 11);
        assert_eq!((next.logical, next.behind), (5_800_000_000, 0));
        assert_eq!(missed(next.logical, next, second), 0);
        assert_eq!(missed(past.logical, past, Duration::ZERO), 0);
    }
}
