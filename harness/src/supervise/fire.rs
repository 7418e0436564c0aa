//! A timer that runs out early, as the schedule has it: its process was kept off the CPU until then.
//!
//! NOTE \[Early timers\] A machine may be busy, or stand still, for any length of time between two instructions. So an armed
//! timer may run out at any point: the clock jumps to its deadline. All that runs out before it on that clock has run out
//! by then, in its order, and nobody runs meanwhile; a timer that repeats runs out once, since its signal merges with the one
//! that is still pending. Only timers that send a signal which is caught or blocked are meant: a signal that ends the
//! process says as much wherever it comes.
//!
//! Before a call that arms the process's only timer, that one is meant: it runs out while the call returns. Its signal is sent
//! before the call is answered, which only a fatal one would cut short (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV of seccomp(2)),
//! so the handler interrupts the caller before its next instruction.

use super::RunError;
use crate::schedule::Action;
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::held::Place;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::state::Turns;
use crate::supervise::time::deadline::Deadline;
use crate::supervise::time::due::Time;
use crate::supervise::time::face;
use crate::sys::timer;
use crate::trace::What;
use syscalls::Sysno;

impl Turns<'_> {
    /// True if a timer of the thread's process could run out here.
    pub(super) fn could_fire(&mut self, thread: ThreadId) -> Result<bool, RunError> {
        Ok(self.earliest_signal(thread)?.is_some() || self.is_to_arm(thread)?)
    }

    /// True if the thread is about to arm a timer that sends a signal which can be received.
    fn is_to_arm(&self, thread: ThreadId) -> Result<bool, RunError> {
        let State::Held(held) = &self.tree.thread(thread).state else { return Ok(false) };
        let Place::Before(call, _) = held.place() else { return Ok(false) };
        let (args, door) = (held.args(), &self.tree.thread(thread).door);
        // struct itimerval and struct itimerspec: the interval, then the value, each of two words.
        let is_set =
            |address: u64| door.read_array(address.wrapping_add(16)).is_ok_and(|value| value != [0; 16]);
        let armed = match call.sysno() {
            Some(Sysno::alarm) => (args[0] as u32 != 0).then_some((Signal::ALRM, thread)),
            Some(Sysno::setitimer) if args[0] == 0 => is_set(args[1]).then_some((Signal::ALRM, thread)),
            Some(Sysno::timer_settime) if is_set(args[2]) => {
                let known = timer::known(door.tid(), args[0] as i32).ok().flatten();
                known.filter(|known| known.signals && face::machine(known.clock).is_some()).and_then(
                    |known| {
                        let target = known.thread.map_or(Some(thread), |tid| self.tree.find(tid))?;
                        Some((Signal::from_number(known.signal)?, target))
                    },
                )
            }
            _ => None,
        };
        armed.map_or(Ok(false), |(signal, target)| self.receives(target, signal))
    }

    fn receives(&self, target: ThreadId, signal: Signal) -> Result<bool, RunError> {
        let status = self.proc_status(target)?;
        Ok(status.is_some_and(|status| {
            self.settings.always || status.caught.union(status.blocked).contains(signal)
        }))
    }

    /// The deadline of the earliest timer of the thread's process that sends a signal which can be received.
    fn earliest_signal(&mut self, thread: ThreadId) -> Result<Option<Deadline>, RunError> {
        let process = self.tree.thread(thread).process;
        let posix = self.clock.posix.iter().any(|timer| timer.process == process);
        if posix {
            self.refresh_timers()?;
        } else if self.clock.timer(process).is_none() {
            return Ok(None);
        }
        let interval = self.clock.timer(process).map(|timer| (timer.deadline, timer.signal, thread));
        let posix = self.clock.posix.iter().filter(|timer| timer.process == process && timer.known.signals);
        let posix = posix.filter_map(|timer| {
            // A thread that has ended gets no signal.
            let target = timer.known.thread.map_or(Some(thread), |tid| self.tree.find(tid))?;
            Some((timer.deadline?, Signal::from_number(timer.known.signal)?, target))
        });
        let earliest = interval.into_iter().chain(posix).filter(|(deadline, ..)| deadline.comes());
        let earliest = earliest.min_by_key(|(deadline, ..)| deadline.rank());
        let Some((deadline, signal, target)) = earliest else { return Ok(None) };
        Ok(self.receives(target, signal)?.then_some(deadline))
    }

    /// Lets the earliest timer of the thread's process run out; false if there is none.
    pub(super) fn fire_early(&mut self, thread: ThreadId) -> Result<bool, RunError> {
        match self.earliest_signal(thread)? {
            Some(deadline) => self.clock.jumps_to = Some(deadline),
            None if self.is_to_arm(thread)? => self.clock.fires_once_armed = Some(thread),
            None => return Ok(false),
        }
        self.look_where(thread);
        self.step_event(thread, Action::Fire, &[]);
        if !self.tree.is_held(thread) {
            self.code.lookout.goes_on(thread);
        }
        Ok(true)
    }

    /// SIGALRM, where no timer of the process is armed that sends it, and nobody has said that it comes from outside.
    pub(super) fn of_unarmed_timer(&self, thread: ThreadId) -> SignalSet {
        let process = self.tree.thread(thread).process;
        let mut posix = self.clock.posix.iter();
        let by_posix = posix.any(|timer| {
            timer.process == process
                && timer.deadline.is_some()
                && timer.known.signal == Signal::ALRM.number()
        });
        let comes =
            by_posix || self.clock.timer(process).is_some() || self.settings.watch.contains(&Signal::ALRM);
        if comes { SignalSet::EMPTY } else { SignalSet::only(Signal::ALRM) }
    }

    /// The thread's call has been done in its place, and is about to be answered: what it armed may be to run out.
    pub(super) fn fire_once_armed(&mut self, id: ThreadId) -> Result<(), RunError> {
        if self.clock.fires_once_armed != Some(id) {
            return Ok(());
        }
        self.clock.fires_once_armed = None;
        self.clock.jumps_to = self.earliest_signal(id)?;
        // A run whose time is over is ended when the next thread is to go.
        while matches!(self.jump()?, Time::Passed) {}
        self.clock.jumps_to = None;
        let Some(status) = self.proc_status(id)? else { return Ok(()) };
        for signal in self.taken_by(id, &status)?.iter() {
            self.event(id, What::Signal(signal));
        }
        Ok(())
    }

    /// While the clock is on its way to where a step has it jump: the next of what runs out by then.
    pub(super) fn jump(&mut self) -> Result<Time, RunError> {
        let Some(target) = self.clock.jumps_to else { return Ok(Time::Nothing) };
        self.refresh_timers()?;
        if self.earliest().is_some_and(|(deadline, _)| deadline.rank() <= target.rank()) {
            return self.let_time_pass();
        }
        self.clock.jumps_to = None;
        self.note_there()?;
        // What it does from here on is what the timer brought about; that it was kept off the CPU is not its fault.
        self.note_sent();
        Ok(Time::Nothing)
    }
}
