//! How waits pass, and how long they last at most.

use std::time::{Duration, Instant};

/// A program that has computed for so long without any call will make none.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

/// A wait for what is under way. It comes after microseconds; on a machine that has come to a standstill, or has far too much to
/// do, after many seconds. Nothing can be said of the program then, so it is waited for.
#[derive(Debug)]
pub(super) struct UnderWay {
    since: Instant,
    looks: u32,
}

impl UnderWay {
    /// What has not come by then is a fault of the harness.
    const MOST: Duration = Duration::from_secs(60);
    /// Nor is it one before so many looks in vain: this process may have stood still as well.
    const LOOKS: u32 = 1000;

    pub(super) fn new() -> UnderWay {
        UnderWay { since: Instant::now(), looks: 0 }
    }

    /// It was looked for in vain once more. True if it will not come.
    pub(super) fn is_overdue(&mut self) -> bool {
        self.looks = self.looks.saturating_add(1);
        self.is_long(self.since.elapsed())
    }

    fn is_long(&self, time: Duration) -> bool {
        self.looks >= UnderWay::LOOKS && time > UnderWay::MOST
    }
}

/// How a wait for threads to settle passes. NOTE \[Timers\] Setting the machine's timer is dear, above all in a virtual
/// machine, where it can cost more than all else that is done for one point. So it is not set where something will be told;
/// and where nothing will be, the CPU is first given to the threads without it, a few times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Only what is there already.
    Not,
    /// Something will be told, unless the thread computes.
    ForNews,
    /// The same, and it will be told by a call, unless the thread crashes: nothing else is listened to (`sys/tick.rs`).
    ForCall,
    /// Nothing will be told. The CPU is given away, for the nth time (`sys/giving_way.rs`).
    Yield(u32),
    /// For a time.
    For(Duration),
}

/// What came of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing that changes anything, maybe output.
    Nothing,
    /// A thread is about to settle, or has.
    Hint,
    /// The init has said something, mostly that somebody has ended.
    Said,
    /// A thread has come to a call.
    News,
}

impl Heard {
    /// True if a thread has settled otherwise than it was last seen.
    pub(super) fn is_news(self) -> bool {
        matches!(self, Heard::Said | Heard::News)
    }
}

/// More than the scheduler's tick, which the kernel waits for anyway: the machine's timer is not set for it.
pub(super) const NEWS: Duration = Duration::from_millis(5);
/// How often the CPU is given away before the timer is set.
const YIELDS: u32 = 8;
/// The shortest time that the timer is set for.
const SHORTEST: Duration = Duration::from_micros(60);
/// The longest time between two looks.
const LONGEST: Duration = Duration::from_millis(1);

impl Patience {
    /// Before the first look at a thread that will not tell.
    pub(super) const FIRST_LOOK: Patience = Patience::Yield(1);
    /// Between two looks at a thread that computes.
    pub(super) const LONGEST: Patience = Patience::For(LONGEST);

    /// After a wait that has brought nothing.
    pub(super) fn longer(self) -> Patience {
        match self {
            Patience::Yield(times) if times < YIELDS => Patience::Yield(times + 1),
            Patience::Yield(_) => Patience::For(SHORTEST),
            Patience::For(time) => Patience::For((time * 3 / 2).min(LONGEST)),
            Patience::Not | Patience::ForNews | Patience::ForCall => Patience::For(LONGEST),
        }
    }

    /// How long it lasts at most.
    pub(super) fn time(self) -> Duration {
        match self {
            Patience::Not => Duration::ZERO,
            Patience::ForNews | Patience::ForCall | Patience::Yield(_) => NEWS,
            Patience::For(time) => time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_overdue_after_much_time_and_many_looks() {
        let mut wait = UnderWay::new();
        let (short, long) = (UnderWay::MOST, UnderWay::MOST + Duration::from_secs(1));
        wait.looks = UnderWay::LOOKS - 1;
        assert!(!wait.is_long(long));
        wait.looks = UnderWay::LOOKS;
        assert!(wait.is_long(long) && !wait.is_long(short));
    }
}
