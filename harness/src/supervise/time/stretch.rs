//! Sleeps in the kernel that would end by the kernel's own time.
//!
//! A timed wait for a futex that is the kernel's (see `supervise::futex`) has to happen, or its wakers would not find it. So
//! it happens with its timeout put far away: the caller's struct timespec is rewritten before the call, and put back as soon as the thread sleeps, before anybody else
//! runs. When its time has come it is nudged: the kernel breaks off the sleep and begins the call again, which is notified
//! and answered with ETIMEDOUT.
//!
//! So it is with semaphores of System V, `io_getevents` and what is sent over a socket with SO_SNDTIMEO, whose timeout stands in
//! the socket. But of these the kernel begins few again: the call fails with EINTR. So before the nudge a jump is planted where
//! it returns to (`books::plant`), and the result is the one of a time that has run out when the caller sees it.
//!
//! Other timed sleeps, and those whose timeout cannot be rewritten or ended like this, sleep by the kernel's time: an absolute
//! time by the run's own clock is rewritten as the same by the machine's. When one of these ran out at a moment that nobody
//! chose, the run is tainted.

use crate::schedule::Syscall;
use crate::supervise::RunError;
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::news::News;
use crate::supervise::books::thread::State;
use crate::supervise::calls::{self, Ends, Sleep, Unit};
use crate::supervise::deliver;
use crate::supervise::state::Turns;
use crate::supervise::time::face;
use crate::supervise::time::slept::{KernelTimer, Original, Stretch};
use crate::supervise::time::timeout::{self, Timeout};
use crate::supervise::time::wait::{self, Wait};
use crate::sys::notify::Notification;
use crate::sys::socket;
use crate::trace::What;
use nix::errno::Errno;
use std::os::fd::AsFd;
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
            let thread = self.tree.thread_mut(id);
            // However it woke up last: this is another sleep.
            (thread.state, thread.told_asleep) = (State::Waiting(held, wait), false);
            // It may wait for a signal that has long been pending.
            self.signalled(self.tree.thread(id).process);
            if !loading {
                self.journal.news.push((id, News::Slept(call)));
            }
            return Ok(None);
        }
        let row = calls::of(call);
        // What is no epoll set is refused at once: only if it is seen asleep has it slept.
        let refused = matches!(row.sleep, Sleep::Epoll(_));
        let by_the_kernel = match row.ends {
            // A message queue that is not to block: it does not sleep.
            Ends::At(_, calls::Clock::Realtime) => false,
            Ends::Futex | Ends::At(..) => self.stretch(id, &held, call, timeout)?,
            Ends::After(arg, Unit::Timespec) if matches!(row.sleep, Sleep::Ipc | Sleep::Requests) => {
                self.stretch_interrupted(id, &held, call, timeout, Some(args[arg]))?
            }
            Ends::Timeless => self.stretch_interrupted(id, &held, call, timeout, None)?,
            Ends::After(..) | Ends::ClockNanosleep => true,
        };
        if by_the_kernel {
            self.kernel_timer(id, timeout.duration, refused);
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
        let far = far_from(&original);
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
        let (ip, original) = (held.ip(), Some(Original::Timespec(at, original)));
        let stretch = Stretch { deadline, call, ip, args, original, over: None, anew: None, by_hand: unseen };
        self.tree.thread_mut(id).stretch = Some(stretch);
        Ok(!unseen)
    }

    /// Puts the timeout of a call far away that a signal ends and nothing begins again: the timespec at this address, or the
    /// SO_SNDTIMEO of its socket. True if it may sleep by the kernel's time.
    fn stretch_interrupted(
        &mut self,
        id: ThreadId,
        held: &Held,
        call: Syscall,
        timeout: Timeout,
        at: Option<u64>,
    ) -> Result<bool, RunError> {
        let (door, args) = (&self.tree.thread(id).door, held.args());
        let Some(status) = self.proc_status(id)? else { return Ok(false) };
        if deliver::nudge_obstacle(&status).is_some() {
            return Ok(true);
        }
        let mut anew = None;
        let original = match at {
            Some(at) => door.read_array(at).and_then(|original| {
                door.write(at, &far_from(&original))?;
                Ok(Original::Timespec(at, original))
            }),
            None => {
                let (Sleep::Write(fd) | Sleep::Transfer(_, fd)) = calls::of(call).sleep else {
                    return Ok(true);
                };
                door.duplicate(args[fd] as i32).and_then(|fd| {
                    anew = Some(timeout.duration).filter(|_| !socket::is_internet(fd.as_fd()));
                    socket::set_send_timeout(fd.as_fd(), Duration::from_secs(FAR))?;
                    Ok(Original::Socket(fd, timeout.duration))
                })
            }
        };
        let Ok(original) = original else { return Ok(true) };
        let (deadline, ip, original) = (self.clock.after(timeout), held.ip(), Some(original));
        let stretch = Stretch { deadline, call, ip, args, original, over: None, anew, by_hand: true };
        self.tree.thread_mut(id).stretch = Some(stretch);
        Ok(false)
    }

    /// The thread has been found asleep.
    pub(in crate::supervise) fn fell_asleep(&mut self, id: ThreadId) {
        if let Some(timer) = &mut self.tree.thread_mut(id).kernel_timer {
            timer.slept = true;
        }
        let again = self.tree.thread(id).stretch.as_ref().filter(|stretch| stretch.original.is_none());
        if let Some(duration) = again.and_then(|stretch| stretch.anew) {
            // With another part of what it sends, by the time that the socket has again.
            self.kernel_timer(id, duration, false);
        }
        self.put_back(id);
    }

    /// Puts the timeout back; false if it was.
    fn put_back(&mut self, id: ThreadId) -> bool {
        let thread = self.tree.thread_mut(id);
        let Some(stretch) = &mut thread.stretch else { return false };
        let Some(original) = stretch.original.take() else { return false };
        let put = match original {
            Original::Timespec(at, timespec) => thread.door.write(at, &timespec),
            Original::Socket(fd, limit) => socket::set_send_timeout(fd.as_fd(), limit),
        };
        if let Err(errno) = put {
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
        let (call, ip) = (stretch.call, stretch.ip);
        self.event(id, What::Expire(call));
        let Some(status) = self.proc_status(id)? else { return Ok(()) };
        let name = self.tree.thread(id).name.clone();
        if let Some(why) = deliver::nudge_obstacle(&status) {
            self.doubts.taint(format!("the timeout of {name} cannot be ended unseen: {why}"));
        }
        if !is_begun_again(call) {
            let memory = self.memory_of(self.tree.thread(id).process);
            if self.plant(memory, id, ip)?.is_none() {
                self.doubts.taint(format!("the timeout of {name} cannot be ended unseen: there is no room"));
            }
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
        if unseen && is_begun_again(stretch.call) {
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
        let memory = self.memory_of(self.tree.thread(id).process);
        let planted = self.tree.process(memory).planted.notified(notification.ip);
        if !is_begun_again(stretch.call) {
            self.unplant(memory, id, stretch.ip)?;
        }
        let returned = match planted.filter(|plant| plant.address == stretch.ip) {
            Some(_) => i64::from(notification.number),
            None if goes_on || again => -(Errno::EINTR as i64),
            None => {
                let name = &self.tree.thread(id).name;
                self.doubts.taint(format!("a signal came to {name} as its timeout ran out"));
                return Ok(false);
            }
        };
        let result = self.when_over(id, &stretch, returned);
        let held = Held::new(notification, Place::Before(stretch.call, 0));
        let answer = match result {
            Ok(value) => held.succeed(self.cell.listener(), value),
            Err(errno) => held.fail(self.cell.listener(), errno),
        };
        self.answered(id, answer).map(|()| true)
    }

    /// What a call returns whose time has run out, and which has returned this since it was nudged, or is begun again.
    fn when_over(&self, id: ThreadId, stretch: &Stretch, returned: i64) -> Result<i64, Errno> {
        if returned != -(Errno::EINTR as i64) {
            // It has done a part of what it was to do.
            return Ok(returned);
        }
        let internet = |fd: u64| {
            let socket = self.tree.thread(id).door.duplicate(fd as i32);
            socket.is_ok_and(|socket| socket::is_internet(socket.as_fd()))
        };
        match calls::of(stretch.call).sleep {
            Sleep::Futex | Sleep::Futexes => Err(Errno::ETIMEDOUT),
            // None of the events has come.
            Sleep::Requests => Ok(0),
            _ if stretch.call == Sysno::connect.into() && internet(stretch.args[0]) => {
                Err(Errno::EINPROGRESS)
            }
            _ => Err(Errno::EAGAIN),
        }
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

/// This timespec, decades later.
fn far_from(timespec: &[u8; 16]) -> Vec<u8> {
    let seconds = timespec.first_chunk().copied().map_or(0, u64::from_le_bytes);
    [seconds.saturating_add(FAR).min(i64::MAX as u64).to_le_bytes().as_slice(), &timespec[8..]].concat()
}

/// True if the kernel begins this call again when its sleep is broken off.
fn is_begun_again(call: Syscall) -> bool {
    matches!(calls::of(call).sleep, Sleep::Futex | Sleep::Futexes)
}

/// SO_RCVTIMEO and SO_SNDTIMEO, the old and the new ones (asm-generic/socket.h).
fn sets_timeout(args: &[u64; 6]) -> bool {
    args[1] == libc::SOL_SOCKET as u64 && matches!(args[2], 20 | 21 | 66 | 67)
}
