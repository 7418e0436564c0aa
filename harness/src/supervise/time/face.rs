//! What the clocks of a run say.
//!
//! With virtual time (`world::Clock`) all of them are the logical clock (`clock`, NOTE \[Logical time\]), from the moment at
//! which each run of a search begins.
//!
//! NOTE \[File times\] The kernel goes on to date files by the machine's clock, and the program is told the run's (`dates`). A file
//! that lies in a program's future upsets it (make(1), tar(1)), and one that is older than it should be does not, so runs begin
//! ahead of the machine's clock, by [`AHEAD`]: longer than a search lasts, but for long ones, and for replays at a later time. So
//! what was there before is old, and a date that the program gives a file is none that the kernel gives. Absolute times that the
//! kernel gets to see all the same are then never over too early.

use crate::world::{Clock, Start, World};
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// How far ahead of the machine's clock runs begin, in seconds.
const AHEAD: u64 = 3600;

/// The world, with the moment at which its runs begin; what is given stays.
pub fn begun(world: World) -> World {
    let now =
        |clock| machine(clock).map_or(0, |now| now.as_secs() + 1 + AHEAD).try_into().unwrap_or(u32::MAX);
    let fresh = || Start { realtime: now(libc::CLOCK_REALTIME), uptime: now(libc::CLOCK_BOOTTIME) };
    let start = (world.clock == Clock::Virtual).then(|| world.start.unwrap_or_else(fresh));
    World { start, ..world }
}

/// The present time of one of the machine's clocks; none for clocks of CPU time, and what is no clock.
pub(in crate::supervise) fn machine(clock: i32) -> Option<Duration> {
    let known = (0..=11).contains(&clock)
        && !matches!(clock, libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID);
    clock_gettime(ClockId::from_raw(Some(clock).filter(|_| known)?)).ok().map(Duration::from)
}

/// What a run's clocks say at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::supervise) struct Face {
    /// When the run began by its own clocks; none if time is the machine's.
    pub(in crate::supervise) start: Option<Start>,
    /// How much time has passed since.
    pub(in crate::supervise) passed: Duration,
}

impl Face {
    /// True if time is the run's own.
    pub(in crate::supervise) fn is_virtual(self) -> bool {
        self.start.is_some()
    }

    /// The time by a clock that sleeps may be measured by; none for clocks of CPU time, and what is no clock.
    pub(in crate::supervise) fn reading(self, clock: i32) -> Option<Duration> {
        let real = machine(clock)?;
        let Some(start) = self.start else { return Some(real) };
        let base = match clock {
            libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_REALTIME_ALARM => {
                Duration::from_secs(start.realtime.into())
            }
            // It differs by whole seconds.
            libc::CLOCK_TAI => {
                let ahead = real.saturating_sub(machine(libc::CLOCK_REALTIME)?) + Duration::from_millis(500);
                Duration::from_secs(u64::from(start.realtime) + ahead.as_secs())
            }
            _ => Duration::from_secs(start.uptime.into()),
        };
        Some(base.saturating_add(self.passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clocks_go_on_from_one_start() {
        let start = Some(Start { realtime: 1000, uptime: 50 });
        let face = Face { start, passed: Duration::from_millis(2500) };
        let read = |clock| face.reading(clock);
        for clock in [libc::CLOCK_REALTIME, libc::CLOCK_REALTIME_COARSE] {
            assert_eq!(read(clock), Some(Duration::from_millis(1_002_500)));
        }
        for clock in [
            libc::CLOCK_MONOTONIC,
            libc::CLOCK_MONOTONIC_RAW,
            libc::CLOCK_MONOTONIC_COARSE,
            libc::CLOCK_BOOTTIME,
        ] {
            assert_eq!(read(clock), Some(Duration::from_millis(52_500)));
        }
        let ahead = read(libc::CLOCK_TAI).unwrap() - read(libc::CLOCK_REALTIME).unwrap();
        assert_eq!(ahead.subsec_nanos(), 0);
        for clock in [libc::CLOCK_PROCESS_CPUTIME_ID, libc::CLOCK_THREAD_CPUTIME_ID, -6, 12] {
            assert_eq!(read(clock), None, "{clock}");
        }
    }

    #[test]
    fn a_search_begins_ahead_of_the_files_and_a_replay_when_its_trace_did() {
        let now = machine(libc::CLOCK_REALTIME).unwrap().as_secs();
        let world = begun(World::default());
        assert!(u64::from(world.start.unwrap().realtime) > now + AHEAD);
        assert_eq!(begun(world.clone()), world);
        let real = World { clock: Clock::Real, ..World::default() };
        assert_eq!(begun(real.clone()), real);
    }
}
