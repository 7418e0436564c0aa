//! A tick that ends waits which nothing else would end.
//!
//! Receiving a notification takes no limit of time, and asking first whether one is there costs as much again. So a signal of
//! its own, sent to the waiting thread every few milliseconds, interrupts whatever it waits in: it has a handler that does
//! nothing, without SA_RESTART. One that comes just before the wait begins is missed, and the next one ends it. It is set
//! once for many waits: setting a timer can cost more than all else that a wait does.

use super::descriptors;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// The tick of the thread that made it. It does not go on its own.
#[derive(Debug)]
pub struct Tick {
    timer: libc::timer_t,
    thread: i32,
    every: Duration,
    ticks: Cell<bool>,
}

/// Nobody else is likely to have a use for the last of them.
fn signal() -> libc::c_int {
    libc::SIGRTMAX()
}

extern "C" fn nothing(_: libc::c_int) {}

impl Tick {
    /// One that interrupts the calling thread so often, once it has been started.
    pub fn new(every: Duration) -> Result<Tick, Errno> {
        // SAFETY: all-zero is a valid sigaction, and the handler does nothing, so it may run anywhere; the pointers live
        // through the calls.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as *const () as usize;
            Errno::result(libc::sigaction(signal(), &action, std::ptr::null_mut()))?;
        }
        // SAFETY: all-zero is a valid sigset_t, and it is filled before it is used.
        let set = unsafe {
            let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
            Errno::result(libc::sigemptyset(set.as_mut_ptr()))?;
            Errno::result(libc::sigaddset(set.as_mut_ptr(), signal()))?;
            SigSet::from_sigset_t_unchecked(set.assume_init())
        };
        pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&set), None)?;
        // SAFETY: all-zero is a valid sigevent; the pointers live through the call, which fills `timer` if it succeeds.
        let (timer, thread) = unsafe {
            let thread = libc::gettid();
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal();
            event.sigev_notify_thread_id = thread;
            let mut timer = MaybeUninit::<libc::timer_t>::uninit();
            Errno::result(libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, timer.as_mut_ptr()))?;
            (timer.assume_init(), thread)
        };
        Ok(Tick { timer, thread, every, ticks: Cell::new(false) })
    }

    /// True if it goes.
    pub fn goes(&self) -> bool {
        self.ticks.get()
    }

    /// Starts it. What comes from this descriptor interrupts its thread as well from now on.
    pub fn start(&self, heard: BorrowedFd<'_>) -> Result<(), Errno> {
        descriptors::signal(heard, self.thread, signal())?;
        self.set(self.every)?;
        self.ticks.set(true);
        Ok(())
    }

    /// Stops it, if it goes, and what comes from this descriptor interrupts nobody any more.
    pub fn stop(&self, heard: BorrowedFd<'_>) -> Result<(), Errno> {
        if self.ticks.replace(false) {
            descriptors::signal_nobody(heard)?;
            self.set(Duration::ZERO)?;
        }
        Ok(())
    }

    fn set(&self, every: Duration) -> Result<(), Errno> {
        let time = libc::timespec {
            tv_sec: every.as_secs() as libc::time_t,
            tv_nsec: every.subsec_nanos() as libc::c_long,
        };
        let setting = libc::itimerspec { it_interval: time, it_value: time };
        // SAFETY: the timer is there until this is dropped, and the setting lives through the call.
        Errno::result(unsafe { libc::timer_settime(self.timer, 0, &setting, std::ptr::null_mut()) }).map(drop)
    }
}

impl Drop for Tick {
    fn drop(&mut self) {
        // SAFETY: it is there, and nobody has its number afterwards.
        unsafe { libc::timer_delete(self.timer) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollTimeout, poll};
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_tick_interrupts_its_own_thread() {
        let (heard, _other) = UnixStream::pair().unwrap();
        let tick = Tick::new(Duration::from_millis(5)).unwrap();
        tick.start(heard.as_fd()).unwrap();
        for _ in 0..3 {
            assert_eq!(poll(&mut [], PollTimeout::from(10_000u16)), Err(Errno::EINTR));
        }
        tick.stop(heard.as_fd()).unwrap();
        assert!(!tick.goes());
        assert_eq!(poll(&mut [], PollTimeout::ZERO), Ok(0));
    }

    #[test]
    fn what_is_said_interrupts_as_well() {
        let (heard, mut other) = UnixStream::pair().unwrap();
        let tick = Tick::new(Duration::from_secs(1_000)).unwrap();
        tick.start(heard.as_fd()).unwrap();
        let (begin, begun) = std::sync::mpsc::channel();
        let writer = std::thread::spawn(move || {
            begun.recv().unwrap();
            // Until it is interrupted: one that comes before the wait begins is missed.
            while begun.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                other.write_all(b"x").unwrap();
                std::thread::yield_now();
            }
        });
        begin.send(()).unwrap();
        assert_eq!(poll(&mut [], PollTimeout::from(10_000u16)), Err(Errno::EINTR));
        begin.send(()).unwrap();
        writer.join().unwrap();
        tick.stop(heard.as_fd()).unwrap();
    }
}
