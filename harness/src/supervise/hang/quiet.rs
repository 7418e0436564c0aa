//! When nobody is held: letting time pass, or saying why nothing will ever happen again.
//!
//! Every thread is seen asleep in the same call twice, without having run in between; then `snapshot` finds out what each waits for, and
//! `proof` says what follows. Of a thread that is alone the second time is the last look, before anything is claimed.

use crate::supervise::RunError;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::thread::State;
use crate::supervise::calls::Wakes;
use crate::supervise::hang::proof::{Proof, prove, sleepers};
use crate::supervise::patience::Patience;
use crate::supervise::state::Turns;
use crate::supervise::time::deadline::Deadline;
use crate::supervise::time::due::{Due, Time};
use crate::supervise::time::wait::WaitEnd;
use crate::sys::pidfd;
use crate::sys::procfs::{self, Doing, Inside};
use crate::trace::{End, Status, What};
use std::time::{Duration, Instant};

/// How long after the end of the first process the others may still sleep for a time, on the logical clock.
const LINGER: Duration = Duration::from_secs(1);
/// So many times have to run out before it is said of a program that it only lets time pass for an hour or more; in proportion
/// fewer for less, but this many at least.
const AGAIN: u64 = 100;
const LEAST: u64 = 10;

/// How many have to run out within this limit of the program's clock.
fn times_within(limit: Duration) -> u64 {
    (AGAIN.saturating_mul(limit.as_secs()) / 3600).clamp(LEAST, AGAIN)
}
/// Between two looks while real time passes.
const SLICE: Duration = Duration::from_millis(2);

/// A sleeping thread at one moment: its call, and how long and how often it has run.
type Look = (Inside, (u64, u64));

/// What is looked at of a sleeping thread, besides how long and how often it has run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// Its state and its call.
    State,
    /// Its call, which is shown while it is in no queue for a CPU: one that has not run since is in the state in which it was.
    Call,
    /// Nothing: it was looked at just now.
    Times,
}

/// Everything slept when each was last looked at: what was seen of each.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Still(Vec<Look>);

impl Turns<'_> {
    /// Everything sleeps. Lets something happen if that needs only time; else says how the run has ended.
    pub(in crate::supervise) fn quiet(&mut self, still: &Still) -> Result<Option<End>, RunError> {
        self.kernel.quiet_since.get_or_insert_with(Instant::now);
        self.refresh_timers()?;
        if let Some(ended) = self.course.first_ended {
            let linger = LINGER.as_nanos() as u64;
            let ended = ended.max(self.clients.last_started().unwrap_or(0));
            let soon =
                self.earliest().is_some_and(|(deadline, _)| deadline.logical <= ended.saturating_add(linger));
            if !soon {
                return self.end_of_all().map(Some);
            }
        }
        if self.clock.is_virtual()
            && let Some((deadline, _)) = self.earliest()
            && self.kernel_goes_first(deadline.logical)?
        {
            return Ok(None);
        }
        if self.clients_wait_in_vain() {
            match prove(&self.snapshot()?.without_time_of_clients()) {
                Proof::Hang(sleepers) => return Ok(Some(End::Hang(sleepers))),
                Proof::Idle(sleepers) => return Ok(Some(End::Idle(sleepers))),
                Proof::Stopped | Proof::Time | Proof::NotYet(_) => {}
            }
        }
        // Who sleeps once for a long time gets to its end; who does it again and again does not.
        let most = u64::try_from(self.settings.limits.clock.as_nanos()).unwrap_or(u64::MAX);
        // From a signal on it has as long again: its end may be what the signal brings about.
        let (since, run_out) = self.course.last_sent.unwrap_or_default();
        let again = self.clock.run_out - run_out > times_within(self.settings.limits.clock);
        if again && self.clock.now.saturating_sub(since) > most && self.earliest().is_some() {
            let snapshot = self.snapshot()?;
            // Who waits for one that is stopped, by looking again and again, waits for nothing else; and a server that looks at the
            // time meanwhile, as Go's runtime does, waits for its clients.
            return Ok(Some(match snapshot.stopped {
                true => End::Stopped,
                false if snapshot.waits_for_clients() => End::Idle(sleepers(&snapshot)),
                false => End::Stalled(sleepers(&snapshot)),
            }));
        }
        match self.let_time_pass()? {
            Time::Passed => return Ok(None),
            Time::Over(end) => return Ok(Some(end)),
            Time::Nothing => {}
        }
        // What a terminal passes on now wakes somebody, or nobody.
        let flushed = if self.flush_terminals()? {
            let Some(still) = self.still()? else { return Ok(None) };
            Some(still)
        } else {
            None
        };
        let still = flushed.as_ref().unwrap_or(still);
        let proof = prove(&self.snapshot()?);
        // What was on its way may have arrived while this was found out. Who has not run since was asleep all that time.
        if !matches!(proof, Proof::Time | Proof::NotYet(_)) && !self.still_sleeps(still)? {
            return Ok(None);
        }
        match proof {
            Proof::Hang(sleepers) => Ok(Some(End::Hang(sleepers))),
            Proof::Idle(sleepers) => Ok(Some(End::Idle(sleepers))),
            Proof::Stopped => Ok(Some(End::Stopped)),
            Proof::Time | Proof::NotYet(_) => self.slice(),
        }
    }

    /// The first process has ended, and what is left, if anything, does not count as running.
    pub(in crate::supervise) fn end_of_all(&mut self) -> Result<End, RunError> {
        let first = self.tree.processes.first().and_then(|process| process.status);
        Ok(End::Ended(first.unwrap_or(Status::Unseen)))
    }

    /// Every sleeping thread, if it sleeps in the same call and without having run in two looks one after the other: all of them did
    /// at one moment, between the looks.
    pub(in crate::supervise) fn still(&mut self) -> Result<Option<Still>, RunError> {
        let Some(first) = self.look_at_sleepers(Sight::State)? else {
            self.look_again(false)?;
            return Ok(None);
        };
        Ok(self.still_sleeps(&first)?.then_some(first))
    }

    /// The same right after all have settled. Who is alone was looked at then, and nobody has done anything since.
    pub(in crate::supervise) fn still_as_settled(&mut self) -> Result<Option<Still>, RunError> {
        let alone = self.tree.live_threads() == 1 && self.tree.live().all(|id| !self.tree.thread(id).stale);
        if !alone {
            return self.still();
        }
        let still = self.look_at_sleepers(Sight::Times)?;
        Ok(if self.look_again(still.is_some())? { still } else { None })
    }

    /// True if every sleeping thread sleeps as it did then, and has not run since.
    fn still_sleeps(&mut self, then: &Still) -> Result<bool, RunError> {
        let still = self.look_at_sleepers(Sight::Call)?.is_some_and(|now| now == *then);
        self.look_again(still)
    }

    /// Has all be looked at again if something has woken them. False also if one of them has come to a call.
    fn look_again(&mut self, still: bool) -> Result<bool, RunError> {
        if !still {
            // By something that nobody of the run did.
            self.tree.all_stale();
            for id in self.tree.live_ids() {
                let thread = self.tree.thread_mut(id);
                thread.dirty |= matches!(thread.state, State::Waiting(..));
            }
        }
        // A notification would mean that one of them has only just begun to wait for its answer.
        Ok(!self.listen(Patience::Not)?.is_news() && still)
    }

    /// What is seen of every sleeping thread, if it sleeps in the call in which it has settled.
    fn look_at_sleepers(&self, sight: Sight) -> Result<Option<Still>, RunError> {
        let mut looks = Vec::new();
        for id in self.tree.live() {
            let thread = self.tree.thread(id);
            let fault = |error| RunError::Fault(format!("looking at {}: {error}", thread.name));
            let doing = || thread.door.doing().map_err(fault);
            let known = match &thread.state {
                State::Asleep(known) => known,
                // Held, so it has not run; but it may have been ended.
                State::Waiting(..) if doing()? == Doing::Ended => return Ok(None),
                _ => continue,
            };
            let asleep = |doing| match doing {
                Doing::Sleeping => true,
                Doing::Uninterruptible => thread.vforks,
                Doing::Running | Doing::Stopped | Doing::Ended => false,
            };
            if sight == Sight::State && !asleep(doing()?) {
                return Ok(None);
            }
            if sight != Sight::Times && thread.door.inside().map_err(fault)? != Some(*known) {
                return Ok(None);
            }
            match thread.door.ran() {
                Ok(ran) => looks.push((*known, ran)),
                Err(error) if procfs::gone(&error) => return Ok(None),
                Err(error) => return Err(fault(error)),
            }
        }
        Ok(Some(Still(looks)))
    }

    /// The deadline that comes first, and whose it is.
    pub(in crate::supervise) fn earliest(&self) -> Option<(Deadline, Due)> {
        self.deadlines().min_by_key(|(deadline, _)| deadline.rank())
    }

    /// All of them that come.
    pub(in crate::supervise) fn deadlines(&self) -> impl Iterator<Item = (Deadline, Due)> {
        let waits = self.tree.live().filter_map(|id| match &self.tree.thread(id).state {
            State::Waiting(_, wait) => Some((wait.deadline?, Due::Wait(id))),
            State::Asleep(_) => self
                .tree
                .thread(id)
                .stretch
                .as_ref()
                .filter(|stretch| stretch.by_hand)
                .map(|stretch| (stretch.deadline, Due::Stretch(id))),
            _ => None,
        });
        let timers = self.clock.timers.iter().enumerate();
        let timers = timers.map(|(index, timer)| (timer.deadline, Due::Timer(index)));
        let posix = self.clock.posix.iter().enumerate();
        let posix = posix.filter_map(|(index, timer)| Some((timer.deadline?, Due::Posix(index))));
        let descriptors = self.clock.descriptors.iter().enumerate();
        let descriptors =
            descriptors.filter_map(|(index, timer)| Some((timer.deadline?, Due::Descriptor(index))));
        waits.chain(timers).chain(posix).chain(descriptors).filter(|(deadline, _)| deadline.comes())
    }

    /// A deadline may have come while the program goes on: lets it run out.
    pub(in crate::supervise) fn let_due_time_pass(&mut self) -> Result<Time, RunError> {
        self.refresh_timers()?;
        let earliest = self.earliest().map(|(deadline, _)| deadline);
        self.clock.learn_earliest(earliest);
        if self.clock.may_be_due() { self.let_time_pass() } else { Ok(Time::Nothing) }
    }

    /// Waits until the earliest deadline has come, in reality too if time is real, and lets it run out.
    pub(in crate::supervise) fn let_time_pass(&mut self) -> Result<Time, RunError> {
        let Some((deadline, due)) = self.earliest() else { return Ok(Time::Nothing) };
        loop {
            if let Some(end) = self.over() {
                return Ok(Time::Over(end));
            }
            let real = deadline.real.unwrap_or_else(Instant::now);
            let left = real.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.interrupted()?;
            if self.listen(Patience::For(left.min(SLICE)))?.is_news() || self.woken()? {
                return Ok(Time::Passed);
            }
        }
        self.run_out(deadline, due)?;
        Ok(Time::Passed)
    }

    /// This deadline has come.
    pub(in crate::supervise) fn run_out(&mut self, deadline: Deadline, due: Due) -> Result<(), RunError> {
        self.clock.now = self.clock.now.max(deadline.logical);
        self.clock.run_out += 1;
        self.date()?;
        self.count_expirations();
        self.kernel.quiet_since = None;
        if let Due::Wait(id) | Due::Stretch(id) = due {
            self.tree.thread_mut(id).napped = self.course.first_ended.is_some();
        }
        match due {
            Due::Wait(id) => self.end_wait(id, WaitEnd::TimeUp)?,
            Due::Stretch(id) => self.end_stretch(id)?,
            Due::Timer(index) => self.fire(index)?,
            Due::Posix(index) => self.fire_posix(index)?,
            Due::Descriptor(index) => {
                self.fire_descriptor(index);
                self.tree.may_wake(Wakes::Descriptors);
            }
        }
        let earliest = self.earliest().map(|(deadline, _)| deadline);
        self.clock.learn_earliest(earliest);
        Ok(())
    }

    /// The threads that may go on when this runs out.
    pub(in crate::supervise) fn due_threads(&self, due: Due) -> Vec<ThreadId> {
        match due {
            Due::Wait(id) | Due::Stretch(id) => vec![id],
            Due::Timer(index) => self.tree.threads_of(self.clock.timers[index].process).collect(),
            Due::Posix(_) | Due::Descriptor(_) => self.tree.live().collect(),
        }
    }

    /// True if something from outside, or the kernel's own time, has woken a thread.
    pub(in crate::supervise) fn woken(&mut self) -> Result<bool, RunError> {
        for id in self.tree.live_ids() {
            let woken = match &self.tree.thread(id).state {
                State::Asleep(_) => matches!(self.doing(id)?, Doing::Running | Doing::Ended),
                State::Waiting(_, wait) => wait.ready(),
                State::Running | State::Held(_) | State::Stopped | State::Ended => false,
            };
            if woken {
                self.tree.thread_mut(id).stale = true;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fire(&mut self, index: usize) -> Result<(), RunError> {
        let timer = self.clock.expire(index);
        self.check_choice(timer.process, timer.signal)?;
        let process = self.tree.process(timer.process);
        // It may have ended just now, which disarms its timer.
        let _ = pidfd::kill(process.pid, timer.signal.number());
        let leader = self.tree.leader(timer.process);
        self.signalled(timer.process);
        self.event(leader, What::Fire(timer.signal));
        Ok(())
    }

    fn over(&self) -> Option<End> {
        (self.course.started.elapsed() > self.settings.limits.time).then(|| match self.course.first_ended {
            Some(_) => End::Ended(self.tree.process(ProcessId(0)).status.unwrap_or(Status::Unseen)),
            None => End::TimedOut,
        })
    }

    /// A sleep in the kernel will end by time: a little of it passes.
    fn slice(&mut self) -> Result<Option<End>, RunError> {
        self.interrupted()?;
        if self.course.first_ended_at.is_some_and(|at| at.elapsed() > LINGER) {
            return self.end_of_all().map(Some);
        }
        if let Some(end) = self.over() {
            return Ok(Some(end));
        }
        self.listen(Patience::For(SLICE))?;
        self.tree.all_stale();
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_followed_for_less_need_not_sleep_as_often() {
        let of = |seconds| times_within(Duration::from_secs(seconds));
        assert_eq!([of(1), of(120), of(1800), of(3600), of(86_400)], [10, 10, 50, 100, 100]);
    }
}
