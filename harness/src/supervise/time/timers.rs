//! POSIX timers and timerfd, which the program believes to be armed in the kernel and which never are.
//!
//! The timers themselves are the kernel's: it knows their ids, clocks and signals. Only what arms them is answered here,
//! and when one is due, its signal is queued, or the descriptor made readable, at a moment when nobody runs. As in the
//! kernel, a timer that repeats is not counted on while its signal is pending or its descriptor unread: what was missed is
//! made up for afterwards.

use crate::schedule::Syscall;
use crate::signal::Signal;
use crate::supervise::RunError;
use crate::supervise::books::door::Door;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::state::Turns;
use crate::supervise::time::armed::{Armed, DescriptorTimer, PosixTimer};
use crate::supervise::time::deadline::{Deadline, missed};
use crate::supervise::time::face::Face;
use crate::supervise::time::timeout::{self, Timeout};
use crate::sys::timer;
use crate::trace::What;
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use syscalls::Sysno;

/// struct itimerspec.
#[derive(Clone, Copy)]
struct Setting {
    interval: Duration,
    value: Duration,
}

impl Setting {
    const SIZE: u64 = 32;

    /// None if it cannot be read or the kernel will refuse it.
    fn read(door: &Door, address: u64) -> Option<Setting> {
        Some(Setting {
            interval: timeout::timespec(door, address)?,
            value: timeout::timespec(door, address.wrapping_add(Setting::SIZE / 2))?,
        })
    }

    fn write(self, door: &Door, address: u64) -> Result<(), Errno> {
        let words = [self.interval, self.value].map(|time| [time.as_secs(), u64::from(time.subsec_nanos())]);
        let bytes: Vec<u8> = words.concat().into_iter().flat_map(u64::to_le_bytes).collect();
        door.write(address, &bytes)
    }

    fn timeout(self, absolute: bool, id: i32, face: Face) -> Option<Timeout> {
        if absolute { Timeout::until(self.value, id, face) } else { Some(Timeout::exactly(self.value)) }
    }
}

impl Turns<'_> {
    /// Answers a call about a POSIX timer or a timerfd; none if it is to happen.
    pub(in crate::supervise) fn timer_call(
        &mut self,
        id: ThreadId,
        call: Sysno,
        args: &[u64; 6],
    ) -> Result<Option<Result<i64, Errno>>, RunError> {
        self.refresh_timers()?;
        let answer = match call {
            Sysno::timer_settime => self.set_posix(id, args)?,
            Sysno::timer_gettime => self.posix(id, args[0]).map(|index| {
                let timer = &self.clock.posix[index];
                let setting = self.remaining(timer.deadline, timer.expired, timer.interval);
                setting.write(&self.tree.thread(id).door, args[1]).map(|()| 0)
            }),
            Sysno::timer_getoverrun => self.posix(id, args[0]).map(|index| {
                // The kernel's own limit.
                Ok(self.clock.posix[index].overrun.min(i32::MAX as u64) as i64)
            }),
            Sysno::timer_delete => {
                if let Some(index) = self.posix(id, args[0]) {
                    self.changed_while_pending(index)?;
                    self.clock.posix.remove(index);
                }
                None
            }
            Sysno::timerfd_settime => self.set_descriptor(id, args),
            Sysno::timerfd_gettime => self.descriptor_timer(id, args[0] as i32).map(|index| {
                let timer = &self.clock.descriptors[index];
                let setting = self.remaining(timer.deadline, timer.expired, timer.interval);
                setting.write(&self.tree.thread(id).door, args[1]).map(|()| 0)
            }),
            _ => None,
        };
        Ok(answer)
    }

    /// What is left on a timer. The kernel never says zero of one that is armed.
    fn remaining(
        &self,
        deadline: Option<Deadline>,
        expired: Option<Deadline>,
        interval: Duration,
    ) -> Setting {
        let next = match (deadline, expired) {
            (None, Some(expired)) if !interval.is_zero() => {
                Some(expired.later(interval, missed(self.clock.now, expired, interval) + 1))
            }
            _ => deadline,
        };
        let value = next.map_or(Duration::ZERO, |next| self.clock.left(next).max(Duration::from_nanos(1)));
        Setting { interval, value }
    }

    fn posix(&self, id: ThreadId, timer: u64) -> Option<usize> {
        let (process, timer) = (self.tree.thread(id).process, timer as i32);
        self.clock.posix.iter().position(|known| known.process == process && known.id == timer)
    }

    fn set_posix(&mut self, id: ThreadId, args: &[u64; 6]) -> Result<Option<Result<i64, Errno>>, RunError> {
        let process = self.tree.thread(id).process;
        let absolute = args[1] & libc::TIMER_ABSTIME as u64 != 0;
        let door = &self.tree.thread(id).door;
        let known = match timer::known(door.tid(), args[0] as i32) {
            Ok(Some(known)) => known,
            Ok(None) => return Ok(None),
            Err(_) => {
                self.uncontrolled_timer(id, "a POSIX timer, which this kernel does not tell of");
                return Ok(None);
            }
        };
        if self.clock.reading(known.clock).is_none() {
            if let Some(new) = Setting::read(door, args[2]) {
                self.note_timer_of_cpu(id, Armed::Posix(args[0] as i32), new.value, absolute);
            }
            return Ok(None);
        }
        let Some(new) = Setting::read(door, args[2]) else { return Ok(None) };
        let Some(timeout) = new.timeout(absolute, known.clock, self.clock.face()) else { return Ok(None) };
        let mut old = Setting { interval: Duration::ZERO, value: Duration::ZERO };
        if let Some(index) = self.posix(id, args[0]) {
            self.changed_while_pending(index)?;
            let timer = self.clock.posix.remove(index);
            old = self.remaining(timer.deadline, timer.expired, timer.interval);
        }
        let deadline = (!new.value.is_zero()).then(|| self.clock.after(timeout));
        self.clock.posix.push(PosixTimer {
            process,
            id: args[0] as i32,
            known,
            interval: new.interval,
            deadline,
            expired: None,
            overrun: 0,
        });
        let written = if args[3] == 0 { Ok(()) } else { old.write(&self.tree.thread(id).door, args[3]) };
        Ok(Some(written.map(|()| 0)))
    }

    /// The kernel takes back the pending signal of a timer that is set anew or deleted, which cannot be done from here.
    fn changed_while_pending(&mut self, index: usize) -> Result<(), RunError> {
        if self.timer_signal_pending(index)? && self.clock.posix[index].expired.is_some() {
            let name = &self.tree.process(self.clock.posix[index].process).name;
            self.doubts.taint(format!("{name} changes a timer whose signal is pending"));
        }
        Ok(())
    }

    fn timer_signal_pending(&self, index: usize) -> Result<bool, RunError> {
        let PosixTimer { process, known, .. } = &self.clock.posix[index];
        let tid = known.thread.unwrap_or(self.tree.process(*process).pid);
        // Without the thread there is nothing that could be pending for it.
        let Some(id) = self.tree.find(tid) else { return Ok(false) };
        let pending = self.proc_status(id)?.map_or_else(Default::default, |status| match known.thread {
            Some(_) => status.pending_thread,
            None => status.pending_process,
        });
        Ok(known.signals && Signal::from_number(known.signal).is_some_and(|signal| pending.contains(signal)))
    }

    fn set_descriptor(&mut self, id: ThreadId, args: &[u64; 6]) -> Option<Result<i64, Errno>> {
        let fd = args[0] as i32;
        let (process, door) = (self.tree.thread(id).process, &self.tree.thread(id).door);
        if door.descriptor(fd).ok()? != "anon_inode:[timerfd]"
            || args[1] & !(libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET) as u64 != 0
        {
            return None;
        }
        let info = door.descriptor_info(fd).ok()?;
        let clock = info.lines().find_map(|line| line.strip_prefix("clockid:")?.trim().parse().ok())?;
        let new = Setting::read(door, args[2])?;
        let timeout = new.timeout(args[1] & libc::TFD_TIMER_ABSTIME as u64 != 0, clock, self.clock.face())?;
        let own = door.duplicate(fd).ok()?;
        let this = std::process::id() as i32;
        if timer::same_file(own.as_fd(), this, own.as_raw_fd()).is_err() {
            self.uncontrolled_timer(id, "a timerfd, and this host does not allow kcmp");
            return None;
        }
        let mut old = Setting { interval: Duration::ZERO, value: Duration::ZERO };
        if let Some(index) = self.descriptor_timer(id, fd) {
            let timer = self.clock.descriptors.remove(index);
            old = self.remaining(timer.deadline, timer.expired, timer.interval);
        }
        // To set a timer is also to forget its expirations.
        timer::disarm(own.as_fd()).ok()?;
        let deadline = (!new.value.is_zero()).then(|| self.clock.after(timeout));
        let interval = new.interval;
        self.clock.descriptors.push(DescriptorTimer { fd: own, process, interval, deadline, expired: None });
        Some(if args[3] == 0 { Ok(0) } else { old.write(&self.tree.thread(id).door, args[3]).map(|()| 0) })
    }

    fn descriptor_timer(&self, id: ThreadId, fd: i32) -> Option<usize> {
        let tid = self.tree.thread(id).door.tid();
        let mut timers = self.clock.descriptors.iter();
        timers.position(|timer| timer::same_file(timer.fd.as_fd(), tid, fd) == Ok(true))
    }

    /// True if a process of the run has the timerfd open.
    fn still_open(&self, timer: &DescriptorTimer) -> bool {
        let live = self.tree.process_ids().filter_map(|process| self.tree.live_thread_of(process));
        live.map(|id| &self.tree.thread(id).door).any(|door| {
            // Of a process that is just ending there is nothing to list.
            let fds = door.descriptors().unwrap_or_default();
            fds.into_iter().any(|fd| timer::same_file(timer.fd.as_fd(), door.tid(), fd) == Ok(true))
        })
    }

    /// Brings the timers up to date: which are gone, which signals were delivered, which descriptors read. Before the clock
    /// moves on, so that what repeats goes on from the present.
    pub(in crate::supervise) fn refresh_timers(&mut self) -> Result<(), RunError> {
        let now = self.clock.now;
        let mut posix = std::mem::take(&mut self.clock.posix);
        posix.retain(|timer| !self.tree.process(timer.process).ended());
        self.clock.posix = posix;
        for index in 0..self.clock.posix.len() {
            if self.clock.posix[index].expired.is_none() || self.timer_signal_pending(index)? {
                continue;
            }
            let timer = &mut self.clock.posix[index];
            if let Some(expired) = timer.expired.take() {
                timer.overrun = missed(now, expired, timer.interval);
                timer.deadline = (!timer.interval.is_zero())
                    .then(|| expired.later(timer.interval, timer.overrun.saturating_add(1)));
            }
        }
        let mut descriptors = std::mem::take(&mut self.clock.descriptors);
        descriptors
            .retain(|timer| (timer.deadline.is_some() || timer.expired.is_some()) && self.still_open(timer));
        for timer in &mut descriptors {
            let read = timer::expirations(timer.fd.as_fd()).is_ok_and(|count| count == 0);
            if let Some(expired) = timer.expired.take_if(|_| read) {
                let times = missed(now, expired, timer.interval).saturating_add(1);
                timer.deadline = (!timer.interval.is_zero()).then(|| expired.later(timer.interval, times));
            }
        }
        self.clock.descriptors = descriptors;
        let earliest = self.earliest().map(|(deadline, _)| deadline);
        self.clock.learn_earliest(earliest);
        Ok(())
    }

    /// The clock has moved on: those that repeat and have not been read have expired more often.
    pub(in crate::supervise) fn count_expirations(&mut self) {
        for timer in &self.clock.descriptors {
            let Some(expired) = timer.expired else { continue };
            let count = missed(self.clock.now, expired, timer.interval).saturating_add(1);
            // Once is what it was made to expire.
            if count == 1 {
                continue;
            }
            let known = timer::expirations(timer.fd.as_fd()).unwrap_or(count);
            if known != 0 && known < count && timer::expire(timer.fd.as_fd(), count).is_err() {
                let name = &self.tree.process(timer.process).name;
                self.doubts.taint(format!(
                    "a timerfd of {name} expires twice before it is read, which this kernel does not let happen"
                ));
            }
        }
    }

    pub(in crate::supervise) fn fire_posix(&mut self, index: usize) -> Result<(), RunError> {
        let merges = self.timer_signal_pending(index)?;
        let timer = &mut self.clock.posix[index];
        let Some(expired) = timer.deadline.take() else { return Ok(()) };
        timer.expired = Some(expired);
        let (process, id, known) = (timer.process, timer.id, timer.known);
        let Some(signal) = Signal::from_number(known.signal).filter(|_| known.signals) else { return Ok(()) };
        let pid = self.tree.process(process).pid;
        let name = &self.tree.process(process).name;
        if merges && known.signal < 32 {
            let why = "expires while the same signal is pending, and would not be merged with it";
            self.doubts.taint(format!("a timer of {name} {why}"));
        }
        match timer::queue(pid, id, &known) {
            // It may have ended just now.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => {
                self.doubts.taint(format!("a timer of {name} could not send its signal: {errno}"));
            }
        }
        self.signalled(process);
        let target = known.thread.and_then(|tid| self.tree.find(tid));
        let thread = target.unwrap_or_else(|| self.tree.leader(process));
        self.event(thread, What::Fire(signal));
        Ok(())
    }

    pub(in crate::supervise) fn fire_descriptor(&mut self, index: usize) {
        let timer = &mut self.clock.descriptors[index];
        timer.expired = timer.deadline.take();
        let process = timer.process;
        let expired = timer::expire(timer.fd.as_fd(), 1);
        if let Err(errno) = expired {
            let name = &self.tree.process(process).name;
            self.doubts.taint(format!("a timerfd of {name} cannot be made to expire: {errno}"));
        }
        // One whose start has passed has expired more than once by now.
        self.count_expirations();
        let leader = self.tree.leader(process);
        self.event(leader, What::Expire(Syscall(Sysno::timerfd_settime as u32)));
    }
}
