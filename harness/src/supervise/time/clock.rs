//! Time, as far as the program can be kept from racing against it.
//!
//! No sleep and no timeout may run out while a thread can run. So a call that would end after a time is held instead of
//! let happen, and a timer is noted instead of armed. When nothing else can run, the earliest of them is let run out.
//!
//! NOTE \[Logical time\] The order goes by a logical clock. It jumps to each deadline that is let run out; and it goes on with
//! what the program does, by a fixed time for each call, about what a call takes without control. So it is the same in every
//! run; of two deadlines of the same length the one that was set first comes first; and a deadline that comes while the
//! program goes on and on comes after so many calls, however slow control makes them. A loop that does nothing but look
//! (`calls::Looks`) waits for something, and is helped on, the longer it looks the more. Who computes for long without a call
//! lets a time come as well: that alone differs from run to run.
//!
//! With virtual time this is the time that the program sees, on all its clocks (`face`), and nothing is waited for. With the
//! machine's time it decides the order, and each deadline has come in reality as well before it is let run out.

use crate::signal::Signal;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::time::armed::{DescriptorTimer, PosixTimer, Timer};
use crate::supervise::time::deadline::{Deadline, Logical, NEVER, missed};
use crate::supervise::time::face::Face;
use crate::supervise::time::timeout::Timeout;
use crate::world::{self, Start, World};
use std::time::{Duration, Instant};

/// What a call takes.
const CALL: Logical = 1_000;
/// So many calls that only look, one after the other, are no waiting yet.
const LOOKS: u32 = 1_000;
/// What each of the next ones takes: a loop of them waits for ten seconds in ten thousand, and for an hour in a hundred thousand.
const LONG_LOOK: Logical = 1_000_000;
/// From here on they take longer and longer.
const MANY_LOOKS: u32 = 10_000;
/// With virtual time, what is computed without a call beyond this takes so many times as long: as on a busy machine.
const UNDISTURBED: Duration = Duration::from_millis(100);
const BUSY: u32 = 10;
/// Computing without a call counts as time from here on, and in units of this.
const COMPUTED: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(in crate::supervise) struct Clock {
    pub(in crate::supervise) now: Logical,
    /// At most one per process: alarm(2) and setitimer(2) share ITIMER_REAL.
    pub(in crate::supervise) timers: Vec<Timer>,
    pub(in crate::supervise) posix: Vec<PosixTimer>,
    pub(in crate::supervise) descriptors: Vec<DescriptorTimer>,
    /// How many times have run out.
    pub(in crate::supervise) run_out: u64,
    /// Deadlines so far.
    set: u64,
    /// No deadline comes before this.
    soonest: Option<Logical>,
    /// Calls that only look, since one came that did more.
    looks: u32,
    /// When the run began by its own clocks; none if time is the machine's.
    start: Option<Start>,
    /// Where a step has it jump, while it is on its way there.
    pub(in crate::supervise) jumps_to: Option<Deadline>,
    /// A timer that this thread is about to arm runs out before the thread goes on: a step of the schedule.
    pub(in crate::supervise) fires_once_armed: Option<ThreadId>,
}

impl Clock {
    /// The clock of a run that begins now in this world.
    pub(in crate::supervise) fn of(world: &World) -> Clock {
        Clock { start: world.start.filter(|_| world.clock == world::Clock::Virtual), ..Clock::default() }
    }

    /// True if nothing is waited for in reality.
    pub(in crate::supervise) fn is_virtual(&self) -> bool {
        self.start.is_some()
    }

    /// What the program's clocks say now.
    pub(in crate::supervise) fn face(&self) -> Face {
        Face { start: self.start, passed: Duration::from_nanos(self.now) }
    }

    /// What the program reads on one of its clocks; none for clocks of CPU time, and what is no clock.
    pub(in crate::supervise) fn reading(&self, clock: i32) -> Option<Duration> {
        self.face().reading(clock)
    }

    /// The deadline of a timeout that begins now.
    pub(in crate::supervise) fn after(&mut self, timeout: Timeout) -> Deadline {
        let nanos = u64::try_from(timeout.logical().as_nanos()).unwrap_or(u64::MAX);
        // A century is as good as for ever, and an `Instant` can hold it.
        let century = Duration::from_secs(100 * 365 * 86_400);
        let real = (!self.is_virtual()).then(|| Instant::now() + timeout.duration.min(century));
        self.set += 1;
        let logical = self.now.saturating_add(nanos).min(NEVER);
        self.expect(logical);
        let behind = u64::try_from(timeout.behind.as_nanos()).unwrap_or(u64::MAX);
        Deadline { logical, order: self.set, real, behind }
    }

    /// There is a deadline at this time.
    pub(in crate::supervise) fn expect(&mut self, logical: Logical) {
        self.soonest = Some(self.soonest.map_or(logical, |soonest| soonest.min(logical)));
    }

    /// A thread goes on with a call; `look` if that only looks.
    pub(in crate::supervise) fn call(&mut self, look: bool) {
        self.looks = if look { self.looks.saturating_add(1) } else { 0 };
        let takes = if self.looks > LOOKS {
            let times = u64::from(self.looks / MANY_LOOKS).max(1);
            LONG_LOOK.saturating_mul(times.saturating_mul(times))
        } else {
            CALL
        };
        self.now = self.now.saturating_add(takes);
    }

    /// A thread reads a clock. False if that is to be a point: something may be due, or it has read nothing else for long.
    pub(in crate::supervise) fn glance(&mut self) -> bool {
        self.call(true);
        !self.may_be_due() && !self.looks.is_multiple_of(LOOKS)
    }

    /// A thread has computed without a call: for so much CPU time, which took this time.
    pub(in crate::supervise) fn computed(&mut self, used: Duration, time: Duration) {
        if used < COMPUTED || self.is_virtual() {
            return;
        }
        let units = time.as_nanos() / COMPUTED.as_nanos();
        let nanos = u64::try_from(units * COMPUTED.as_nanos()).unwrap_or(u64::MAX);
        self.now = self.now.saturating_add(nanos);
    }

    /// True if this has come by now for a thread that has computed for so long without a call, and goes on.
    pub(in crate::supervise) fn has_come(&self, deadline: Deadline, computed: Duration) -> bool {
        match deadline.real {
            Some(real) => real <= Instant::now(),
            None => {
                let beyond = computed.saturating_sub(UNDISTURBED).saturating_mul(BUSY);
                self.left(deadline) <= computed.min(UNDISTURBED) + beyond
            }
        }
    }

    /// False if certainly no deadline has come.
    pub(in crate::supervise) fn may_be_due(&self) -> bool {
        self.soonest.is_some_and(|soonest| soonest <= self.now)
    }

    /// The earliest deadline of all is this.
    pub(in crate::supervise) fn learn_earliest(&mut self, earliest: Option<Deadline>) {
        self.soonest = earliest.map(|deadline| deadline.logical);
    }

    /// Time left until `deadline` on the logical clock.
    pub(in crate::supervise) fn left(&self, deadline: Deadline) -> Duration {
        Duration::from_nanos(deadline.logical.saturating_sub(self.now))
    }

    pub(in crate::supervise) fn timer(&self, process: ProcessId) -> Option<&Timer> {
        self.timers.iter().find(|timer| timer.process == process)
    }

    /// Arms, changes or disarms (`value` zero) the process's timer.
    pub(in crate::supervise) fn set_timer(
        &mut self,
        process: ProcessId,
        value: Duration,
        interval: Duration,
    ) {
        self.timers.retain(|timer| timer.process != process);
        if !value.is_zero() {
            let deadline = self.after(Timeout::exactly(value));
            self.timers.push(Timer { process, signal: Signal::ALRM, deadline, interval });
        }
    }

    /// A new program begins without POSIX timers (execve(2)).
    pub(in crate::supervise) fn forget_posix(&mut self, process: ProcessId) {
        self.posix.retain(|timer| timer.process != process);
    }

    /// Takes the process's timer that has run out, and arms it anew if it repeats: from the time at which it was due. Where the
    /// clock jumps further, what was missed merges with this.
    pub(in crate::supervise) fn expire(&mut self, index: usize) -> Timer {
        let timer = self.timers.remove(index);
        if !timer.interval.is_zero() {
            let target = self.jumps_to.map_or(timer.deadline.logical, |target| target.logical);
            let missed = missed(target, timer.deadline, timer.interval);
            let deadline = timer.deadline.later(timer.interval, missed.saturating_add(1));
            self.expect(deadline.logical);
            self.timers.push(Timer { deadline, ..timer.clone() });
        }
        timer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_times_the_one_that_was_set_first_comes_first() {
        let mut clock = Clock::default();
        let second = || Timeout::exactly(Duration::from_secs(1));
        let (first, next) = (clock.after(second()), clock.after(second()));
        assert!(first.rank() < next.rank());
        clock.call(false);
        assert!(clock.after(second()).rank() > next.rank());
        assert!(first.later(Duration::from_secs(1), 1).rank() > clock.after(second()).rank());
    }

    #[test]
    fn calls_take_a_little_time_and_loops_of_looks_much() {
        let mut clock = Clock::default();
        clock.after(Timeout::exactly(Duration::from_secs(2)));
        (0..100_000).for_each(|_| clock.call(false));
        assert!(!clock.may_be_due(), "{}", clock.now);
        (0..1_000).for_each(|_| clock.call(true));
        clock.call(false);
        (0..1_000).for_each(|_| clock.call(true));
        assert!(!clock.may_be_due(), "{}", clock.now);
        (0..2_000).for_each(|_| clock.call(true));
        assert!(clock.may_be_due());
        clock.learn_earliest(None);
        assert!(!clock.may_be_due());
    }

    #[test]
    fn short_computing_takes_no_time() {
        let mut clock = Clock::default();
        clock.computed(COMPUTED / 2, COMPUTED * 9);
        assert_eq!(clock.now, 0);
        clock.computed(Duration::from_millis(800), Duration::from_millis(2_230));
        assert_eq!(clock.now, 2_200_000_000);
    }
}
