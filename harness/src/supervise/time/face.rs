//! What a program reads on the clocks of its run.
//!
//! With virtual time (`world::Clock`) all of them are the logical clock (`clock`, NOTE \[Logical time\]), from the moment at
//! which each run of a search begins. What only reads a clock is answered as soon as it comes and is no point, as it is none
//! when the vDSO answers it; but a loop of such calls comes to a point now and then, so that others get their turn.
//!
//! NOTE \[File times\] The kernel goes on to date files by the machine's clock. A file that lies in a program's future upsets
//! it (make(1), tar(1)), and one that is older than it should be does not, so runs begin ahead of the machine's clock, by
//! [`AHEAD`]: longer than a search lasts, but for long ones, and for replays at a later time. Absolute times that the kernel
//! gets to see all the same are then never over too early.

use crate::schedule::Syscall;
use crate::supervise::RunError;
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::tree::State;
use crate::supervise::state::Turns;
use crate::sys::notify::Notification;
use crate::sys::{procfs, timer};
use crate::world::{Clock, Start, World};
use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;
use syscalls::Sysno;

/// How far ahead of the machine's clock runs begin, in seconds.
const AHEAD: u64 = 3600;
/// What times(2) counts in, in milliseconds (USER_HZ).
const TICK: i64 = 10;

/// The world, with the moment at which its runs begin; what is given stays.
pub fn begun(world: World) -> World {
    let now =
        |clock| timeless(clock).map_or(0, |now| now.as_secs() + 1 + AHEAD).try_into().unwrap_or(u32::MAX);
    let fresh = || Start { realtime: now(libc::CLOCK_REALTIME), uptime: now(libc::CLOCK_BOOTTIME) };
    let start = (world.clock == Clock::Virtual).then(|| world.start.unwrap_or_else(fresh));
    World { start, ..world }
}

/// The present time of one of the machine's clocks; none for clocks of CPU time, and what is no clock.
fn timeless(clock: i32) -> Option<Duration> {
    let known = (0..=11).contains(&clock)
        && !matches!(clock, libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID);
    clock_gettime(ClockId::from_raw(Some(clock).filter(|_| known)?)).ok().map(Duration::from)
}

/// The present time of a clock that sleeps may be measured by, `passed` after `start` if time is virtual; none for clocks of
/// CPU time.
pub(in crate::supervise) fn reading(clock: i32, start: Option<Start>, passed: Duration) -> Option<Duration> {
    let real = timeless(clock)?;
    let Some(start) = start else { return Some(real) };
    let base = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_REALTIME_ALARM => {
            Duration::from_secs(start.realtime.into())
        }
        // It differs by whole seconds.
        libc::CLOCK_TAI => {
            let ahead = real.saturating_sub(timeless(libc::CLOCK_REALTIME)?) + Duration::from_millis(500);
            Duration::from_secs(u64::from(start.realtime) + ahead.as_secs())
        }
        _ => Duration::from_secs(start.uptime.into()),
    };
    Some(base.saturating_add(passed))
}

impl Turns<'_> {
    /// Answers a call that only reads a clock, if it is no point. True if that was done.
    pub(in crate::supervise) fn read_clock(
        &mut self,
        id: ThreadId,
        notification: Notification,
    ) -> Result<bool, RunError> {
        let call = Syscall(notification.number as u32);
        let Some(sysno) = call.sysno().filter(|_| self.clock.is_virtual()) else { return Ok(false) };
        let mut held = Held::new(notification, Place::Before(call, 0));
        let args = held.args();
        let at_once = match sysno {
            Sysno::gettimeofday | Sysno::time | Sysno::clock_getres => true,
            Sysno::clock_gettime => self.clock.reading(args[0] as i32).is_some(),
            _ => false,
        };
        if !at_once || !self.clock.glance() {
            return Ok(false);
        }
        // A sibling that it has woken runs as soon as it waits for the answer: it goes on when that has come to its point.
        let memory = self.memory_of(self.tree.thread(id).process);
        let beside = |other| other != id && self.memory_of(self.tree.thread(other).process) == memory;
        if self.tree.live().any(beside) {
            held.glances = true;
            self.tree.thread_mut(id).state = State::Held(held);
            return Ok(true);
        }
        self.tell_time(id, held, sysno).map(|()| true)
    }

    /// All are settled. Answers those that only read a clock; true if there was one.
    pub(in crate::supervise) fn answer_glances(&mut self) -> Result<bool, RunError> {
        let glances =
            |id: &ThreadId| matches!(&self.tree.thread(*id).state, State::Held(held) if held.glances);
        let Some(id) = self.tree.live().find(glances) else { return Ok(false) };
        let Some(held) = self.take_held(id) else { return Ok(false) };
        let Some(sysno) = Syscall(held.number() as u32).sysno() else { return Ok(false) };
        self.tell_time(id, held, sysno).map(|()| true)
    }

    /// Answers a call that reads a clock. The thread that was let go last is still the same: this is between two points.
    fn tell_time(&mut self, id: ThreadId, held: Held, sysno: Sysno) -> Result<(), RunError> {
        let (args, number) = (held.args(), held.number());
        let listener = self.cell.listener();
        let answer = match self.clock_call(id, sysno, &args) {
            Some(Ok(value)) => held.succeed(listener, value),
            Some(Err(errno)) => held.fail(listener, errno),
            None => held.proceed(listener),
        };
        let thread = self.tree.thread_mut(id);
        (thread.state, thread.released) = (State::Running, Some(number));
        answer
            .map(drop)
            .map_err(|errno| RunError::Fault(format!("answering {}: {errno}", self.tree.thread(id).name)))
    }

    /// Answers a call that reads a clock; none if it is to happen.
    pub(in crate::supervise) fn clock_call(
        &self,
        id: ThreadId,
        call: Sysno,
        args: &[u64; 6],
    ) -> Option<Result<i64, Errno>> {
        if !self.clock.is_virtual() {
            return None;
        }
        let door = &self.tree.thread(id).door;
        let put = |address: u64, words: &[u64]| match address {
            0 => Ok(()),
            _ => door.write(address, &words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>()),
        };
        let realtime = || self.clock.reading(libc::CLOCK_REALTIME);
        match call {
            Sysno::clock_gettime => {
                let now = self.clock.reading(args[0] as i32)?;
                let words = [now.as_secs(), now.subsec_nanos().into()].map(u64::to_le_bytes).concat();
                Some(door.write(args[1], &words).map(|()| 0))
            }
            Sysno::gettimeofday => {
                let now = realtime()?;
                // What the kernel knows of a time zone is nothing, unless somebody has told it (settimeofday(2)).
                let put = put(args[0], &[now.as_secs(), now.subsec_micros().into()])
                    .and_then(|()| put(args[1], &[0]));
                Some(put.map(|()| 0))
            }
            Sysno::time => {
                let now = realtime()?.as_secs();
                Some(put(args[0], &[now]).map(|()| now as i64))
            }
            Sysno::times => {
                let process = self.tree.process_of(id);
                let ticks = procfs::cpu_ticks(process.pid).ok()?;
                let now = self.clock.reading(libc::CLOCK_BOOTTIME)?.as_millis() as i64 / TICK;
                Some(put(args[0], &ticks).map(|()| now))
            }
            Sysno::sysinfo => {
                let uptime = self.clock.reading(libc::CLOCK_BOOTTIME)?;
                let words = timer::system_information(uptime.as_secs()).ok()?;
                let bytes = words.map(u64::to_le_bytes).concat();
                Some(door.write(args[0], &bytes[..size_of::<libc::sysinfo>()]).map(|()| 0))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clocks_go_on_from_one_start() {
        let start = Some(Start { realtime: 1000, uptime: 50 });
        let passed = Duration::from_millis(2500);
        let read = |clock| reading(clock, start, passed);
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
        let now = timeless(libc::CLOCK_REALTIME).unwrap().as_secs();
        let world = begun(World::default());
        assert!(u64::from(world.start.unwrap().realtime) > now + AHEAD);
        assert_eq!(begun(world.clone()), world);
        let real = World { clock: Clock::Real, ..World::default() };
        assert_eq!(begun(real.clone()), real);
    }
}
