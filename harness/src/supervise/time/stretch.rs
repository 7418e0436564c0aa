//! Sleeps in the kernel that would end by the kernel's own time.
//!
//! A timed wait for a futex that is the kernel's (see `supervise::futex`) has to happen, or its wakers would not find it. So
//! it happens with its timeout put far away: the caller's struct timespec is rewritten before the call, and put back as soon as the thread sleeps, before anybody else
//! runs. When its time has come it is nudged: the kernel breaks off the sleep and begins the call again, which is notified
//! and answered with ETIMEDOUT.
//!
//! Other timed sleeps, and futexes whose timeout cannot be rewritten or ended like this, sleep by the kernel's time: an absolute
//! time by the run's own clock is rewritten as the same by the machine's. When one of these ran out at a moment that nobody
//! chose, the run is tainted.

use crate::schedule::Syscall;
use crate::supervise::RunError;
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::news::News;
use crate::supervise::books::tree::State;
use crate::supervise::calls::{self, Ends};
use crate::supervise::deliver;
use crate::supervise::state::Turns;
use crate::supervise::time::face;
use crate::supervise::time::slept::{KernelTimer, Stretch};
use crate::supervise::time::timeout::{self, Timeout};
use crate::supervise::time::wait::{self, Wait};
use crate::sys::notify::Notification;
use crate::trace::What;
use nix::errno::Errno;
use std::time::{Duration, Instant};
use syscalls::Sysno;

/// How much later a stretched sleep would end: decades.
const FAR: u64 = 1_000_000_000;

impl Turns<'_> {
    /// Prepares for the time after which this call would end. Gives the thread back to be let go, unless it now waits for
    /// that time without its call having happened.
    pub(in crate::supervise) fn timed(
        &mut self,
        id: ThreadId,
        held: Held,
        call: Syscall,
        loading: bool,
    ) -> Result<Option<Held>, RunError> {
        let (args, ip) = (held.args(), held.ip());
        if call == Sysno::setsockopt.into() && sets_timeout(&args) {
            self.kernel.socket_timeouts = true;
        }
        let door = &self.tree.thread(id).door;
        let mut timeout = timeout::of(door, call, &args, self.clock.face());
        if self.kernel.socket_timeouts && timeout.is_none() {
            timeout = wait::socket_timeout(door, call, &args);
        }
        // Without time to pass the call does not sleep.
        let Some(timeout) = timeout.filter(|timeout| !timeout.duration.is_zero()) else {
            return Ok(Some(held));
        };
        if let Some(kind) = wait::Kind::of(door, call, &args) {
            let deadline = self.clock.after(timeout);
            let mut wait = Wait { call, duration: timeout.duration, deadline: Some(deadline), kind };
            if wait.transfers() && wait.ready() {
                self.kernel_timer(id, timeout.duration, true);
                return Ok(Some(held));
            }
            if let Some((_, _, deadline)) =
                self.tree.thread_mut(id).resume.take().filter(|resume| (resume.0, resume.1) == (ip, args))
            {
                wait.deadline = Some(deadline);
            }
            self.tree.thread_mut(id).state = State::Waiting(held, wait);
            // It may wait for a signal that has long been pending.
            self.signalled(self.tree.thread(id).process);
            if !loading {
                self.journal.news.push((id, News::Slept(call)));
            }
            return Ok(None);
        }
        let by_the_kernel = match calls::of(call).ends {
            // A message queue that is not to block: it does not sleep.
            Ends::At(_, calls::Clock::Realtime) => false,
            Ends::Futex | Ends::At(..) => self.stretch(id, &held, call, timeout)?,
            Ends::Timeless | Ends::After(..) | Ends::ClockNanosleep => true,
        };
        if by_the_kernel {
            self.kernel_timer(id, timeout.duration, false);
        }
        Ok(Some(held))
    }

    pub(in crate::supervise) fn kernel_timer(&mut self, id: ThreadId, duration: Duration, ready: bool) {
        let alone = !self.others_could_run(id);
        let Some(deadline) = Instant::now().checked_add(duration) else { return };
        let logical = self.clock.after(Timeout::exactly(duration)).logical;
        self.tree.thread_mut(id).kernel_timer =
            Some(KernelTimer { deadline, logical, alone, ready, slept: false });
    }

    fn others_could_run(&self, id: ThreadId) -> bool {
        let could = |id| matches!(self.tree.thread(id).state, State::Held(_) | State::Running);
        self.tree.live().any(|other| other != id && could(other))
    }

    /// Puts the timeout of a futex wait far away, if it is going to sleep. True if it may sleep by the kernel's time.
    fn stretch(
        &mut self,
        id: ThreadId,
        held: &Held,
        call: Syscall,
        timeout: Timeout,
    ) -> Result<bool, RunError> {
        let (door, args) = (&self.tree.thread(id).door, held.args());
        // Where the timeout is, and the clock of an absolute one.
        let (at, clock) = match calls::of(call).ends {
            Ends::At(arg, calls::Clock::In(clock)) => (args[arg], Some(args[clock] as i32)),
            _ => (args[3], timeout::futex_clock(args[1])),
        };
        let sleeps = timeout::futex_is_to_sleep(door, call, &args);
        if sleeps == Some(false) {
            return Ok(false);
        }
        let Some(status) = self.proc_status(id)? else { return Ok(false) };
        let unseen = sleeps.is_some() && deliver::nudge_obstacle(&status).is_none();
        let virtual_end = self.clock.is_virtual().then_some(clock).flatten();
        let (Ok(original), true) = (door.read_array::<16>(at), unseen || virtual_end.is_some()) else {
            return Ok(true);
        };
        let seconds = original.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let far = [seconds.saturating_add(FAR).min(i64::MAX as u64).to_le_bytes().as_slice(), &original[8..]]
            .concat();
        let end = match virtual_end.and_then(face::machine).filter(|_| !unseen) {
            // By the kernel's own time, which is another than the program's.
            Some(now) => {
                let end = now.saturating_add(timeout.duration);
                [end.as_secs(), end.subsec_nanos().into()].map(u64::to_le_bytes).concat()
            }
            None => far,
        };
        if door.write(at, &end).is_err() {
            if virtual_end.is_some() {
                let name = &self.tree.thread(id).name;
                self.doubts.taint(format!(
                    "a timeout of {name} by a virtual clock cannot be rewritten for the kernel"
                ));
            }
            return Ok(true);
        }
        let deadline = self.clock.after(timeout);
        let (ip, original) = (held.ip(), Some(original));
        let stretch = Stretch { deadline, call, ip, args, at, original, over: None, by_hand: unseen };
        self.tree.thread_mut(id).stretch = Some(stretch);
        Ok(!unseen)
    }

    /// The thread has been found asleep.
    pub(in crate::supervise) fn fell_asleep(&mut self, id: ThreadId) {
        if let Some(timer) = &mut self.tree.thread_mut(id).kernel_timer {
            timer.slept = true;
        }
        self.put_back(id);
    }

    /// Puts the caller's timespec back; false if it was.
    fn put_back(&mut self, id: ThreadId) -> bool {
        let thread = self.tree.thread_mut(id);
        let Some(stretch) = &mut thread.stretch else { return false };
        let Some(original) = stretch.original.take() else { return false };
        if let Err(errno) = thread.door.write(stretch.at, &original) {
            let name = &thread.name;
            self.doubts.taint(format!("a timeout of {name} could not be put back: {errno}"));
        }
        true
    }

    /// The time of a stretched sleep has come.
    pub(in crate::supervise) fn end_stretch(&mut self, id: ThreadId) -> Result<(), RunError> {
        let times = self.times_run(id)?;
        let Some(stretch) = &mut self.tree.thread_mut(id).stretch else { return Ok(()) };
        stretch.over = Some(times);
        let call = stretch.call;
        self.event(id, What::Expire(call));
        let Some(status) = self.proc_status(id)? else { return Ok(()) };
        let name = self.tree.thread(id).name.clone();
        if let Some(why) = deliver::nudge_obstacle(&status) {
            self.doubts.taint(format!("the timeout of {name} cannot be ended unseen: {why}"));
        }
        self.nudge(id)?;
        self.runs_on(id);
        Ok(())
    }

    /// A thread is held again: what became of the time in its last call? True if the notification has been answered, being
    /// the end of a stretched sleep.
    pub(in crate::supervise) fn back_from_sleep(
        &mut self,
        id: ThreadId,
        notification: Notification,
    ) -> Result<bool, RunError> {
        // A sleep that a stop broke off goes on.
        let goes_on = notification.number == Sysno::restart_syscall as i32;
        if !goes_on && let Some(timer) = self.tree.thread_mut(id).kernel_timer.take() {
            self.check_kernel_timer(id, timer);
        }
        let unseen = self.put_back(id);
        let Some(stretch) = self.tree.thread_mut(id).stretch.take() else { return Ok(false) };
        let name = &self.tree.thread(id).name;
        if unseen {
            self.doubts
                .taint(format!("{name} did not sleep, and may have seen a timeout that is not its own"));
        }
        let again = notification.number == stretch.call.0 as i32
            && (notification.ip, notification.args) == (stretch.ip, stretch.args);
        let Some(before) = stretch.over else {
            self.tree.thread_mut(id).stretch = Some(stretch).filter(|_| goes_on);
            return Ok(false);
        };
        // Had it been put on the CPU between the two signals of the nudge, it would have stopped, and run once more since.
        if self.times_run(id)? > before.saturating_add(1) {
            let name = &self.tree.thread(id).name;
            self.doubts.taint(format!("{name} may have stopped for a moment as its timeout ran out"));
        }
        if !goes_on && !again {
            self.doubts.taint(format!("a signal came to {name} as its timeout ran out"));
            return Ok(false);
        }
        let held = Held::new(notification, Place::Before(stretch.call, 0));
        let answer = held.fail(self.cell.listener(), Errno::ETIMEDOUT);
        self.answered(id, answer).map(|()| true)
    }

    /// Had the kernel ended the sleep, and if so, at a moment when nobody else could run?
    fn check_kernel_timer(&mut self, id: ThreadId, timer: KernelTimer) {
        if Instant::now() < timer.deadline || (timer.ready && !timer.slept) {
            return;
        }
        self.clock.now = self.clock.now.max(timer.logical);
        let quiet = timer.alone || self.kernel.quiet_since.is_some_and(|since| since <= timer.deadline);
        if !quiet || self.others_could_run(id) {
            let name = &self.tree.thread(id).name;
            self.doubts.taint(format!(
                "{name} slept by the kernel's time, which may have run out while another thread could run"
            ));
        }
    }
}

/// SO_RCVTIMEO and SO_SNDTIMEO, the old and the new ones (asm-generic/socket.h).
fn sets_timeout(args: &[u64; 6]) -> bool {
    args[1] == libc::SOL_SOCKET as u64 && matches!(args[2], 20 | 21 | 66 | 67)
}
