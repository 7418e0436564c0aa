//! Calls that read a clock of the run (`face`).
//!
//! What only reads a clock is answered as soon as it comes and is no point, as it is none when the vDSO answers it; but a loop
//! of such calls comes to a point now and then, so that others get their turn.

use crate::schedule::Syscall;
use crate::supervise::RunError;
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::code::ticks::COUNTER;
use crate::supervise::state::Turns;
use crate::sys::notify::Notification;
use crate::sys::{procfs, timer};
use nix::errno::Errno;
use syscalls::Sysno;

/// What times(2) counts in, in milliseconds (USER_HZ).
const TICK: i64 = 10;

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
        if self.tree.is_aside(id) || self.tree.live().any(beside) {
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
        let glances = |id: &ThreadId| glances(id) && !self.waits_for_parked(*id) && !self.tree.is_aside(*id);
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
            Sysno::time if args[0] == COUNTER => Some(Ok(i64::try_from(self.clock.now).unwrap_or(i64::MAX))),
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
