//! Calls that are answered instead of let happen, because their real answer would differ from run to run, or would show
//! the program how it is being run.

use super::RunError;
use crate::supervise::books::door::Door;
use crate::supervise::books::held::Held;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::calls::{self, Changes};
use crate::supervise::state::Turns;
use crate::supervise::time::changed::Told;
use nix::errno::Errno;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::Duration;
use syscalls::Sysno;

/// getrandom may be asked for anything; more than this at once is answered in part, as the man page allows.
const RANDOM_AT_ONCE: usize = 1 << 20;

impl Turns<'_> {
    /// Answers the call, or gives the thread back to be let go.
    pub(super) fn emulate(
        &mut self,
        id: ThreadId,
        held: Held,
        call: Sysno,
    ) -> Result<Option<Held>, RunError> {
        let args = held.args();
        let answer: Result<i64, Errno> = match call {
            Sysno::getrandom if draws(args[2]) => self.random(id, args[0], args[1]),
            Sysno::read | Sysno::pread64 if self.kernel.random_opened && self.is_random(id, args[0]) => {
                self.random(id, args[1], args[2])
            }
            Sysno::read | Sysno::pread64 => match self.read_uptime(id, call, &args) {
                Some(answer) => answer,
                None => return Ok(Some(held)),
            },
            Sysno::alarm => Ok(self.alarm(id, args[0])),
            Sysno::setitimer if args[0] == 0 => self.set_interval_timer(id, args),
            Sysno::getitimer if args[0] == 0 => self.get_interval_timer(id, args[1]),
            Sysno::clock_gettime | Sysno::gettimeofday | Sysno::time | Sysno::times | Sysno::sysinfo => {
                match self.clock_call(id, call, &args) {
                    Some(answer) => answer,
                    None => return Ok(Some(held)),
                }
            }
            Sysno::stat | Sysno::lstat | Sysno::fstat | Sysno::newfstatat | Sysno::statx => {
                let Told { answer, shows } = self.tell_of_file(id, call, &args);
                if shows {
                    self.note_number_shown()?;
                }
                match answer {
                    Some(answer) => answer,
                    None => return Ok(Some(held)),
                }
            }
            Sysno::bind if args[2] == size_of::<libc::sa_family_t>() as u64 => {
                match self.name_socket(id, &args) {
                    Some(answer) => answer,
                    None => return Ok(Some(held)),
                }
            }
            Sysno::sched_getaffinity
            | Sysno::sched_setaffinity
            | Sysno::sched_getscheduler
            | Sysno::sched_getparam
            | Sysno::sched_getattr
            | Sysno::sched_setscheduler
            | Sysno::sched_setparam
            | Sysno::sched_setattr => match self.scheduling_call(id, call, &args)? {
                Some(answer) => answer,
                None => return Ok(Some(held)),
            },
            _ if calls::of(call.into()).changes.contains(Changes::TIMERS)
                || matches!(
                    call,
                    Sysno::timer_gettime | Sysno::timer_getoverrun | Sysno::timerfd_gettime
                ) =>
            {
                match self.timer_call(id, call, &args)? {
                    Some(answer) => answer,
                    None => return Ok(Some(held)),
                }
            }
            _ => return Ok(Some(held)),
        };
        self.fire_once_armed(id)?;
        let listener = self.cell.listener();
        let answer = match answer {
            Ok(value) => held.succeed(listener, value),
            Err(errno) => held.fail(listener, errno),
        };
        self.answered(id, answer)?;
        Ok(None)
    }

    pub(super) fn generator(&self, stream: u64) -> StdRng {
        StdRng::seed_from_u64(self.settings.seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// True if this descriptor is that of random(4).
    fn is_random(&self, id: ThreadId, fd: u64) -> bool {
        // What cannot be found out will not be read either.
        let path = self.tree.thread(id).door.descriptor(fd as i32);
        path.is_ok_and(|path| ["/dev/urandom", "/dev/random"].contains(&path.as_str()))
    }

    fn random(&mut self, id: ThreadId, address: u64, length: u64) -> Result<i64, Errno> {
        self.random_calls += 1;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(RANDOM_AT_ONCE)];
        self.generator(self.random_calls).fill_bytes(&mut bytes);
        write_as_far(&self.tree.thread(id).door, address, &bytes).map(|written| written as i64)
    }

    fn alarm(&mut self, id: ThreadId, seconds: u64) -> i64 {
        let process = self.tree.thread(id).process;
        let left = self.clock.timer(process).map_or(Duration::ZERO, |timer| self.clock.left(timer.deadline));
        // "The number of seconds remaining", never zero while the alarm is set; the kernel rounds to the nearest.
        let rounded = (left + Duration::from_millis(500)).as_secs().max(u64::from(!left.is_zero()));
        self.clock.set_timer(process, Duration::from_secs(seconds & 0xffff_ffff), Duration::ZERO);
        rounded as i64
    }

    fn set_interval_timer(&mut self, id: ThreadId, args: [u64; 6]) -> Result<i64, Errno> {
        let process = self.tree.thread(id).process;
        let door = &self.tree.thread(id).door;
        let timeval = |address: u64| -> Result<Duration, Errno> {
            let (seconds, micros) = (door.read_word(address)?, door.read_word(address.wrapping_add(8))?);
            if micros >= 1_000_000 || seconds > i64::MAX as u64 {
                return Err(Errno::EINVAL);
            }
            Ok(Duration::new(seconds, micros as u32 * 1000))
        };
        let (interval, value) = if args[1] == 0 {
            (Duration::ZERO, Duration::ZERO)
        } else {
            (timeval(args[1])?, timeval(args[1].wrapping_add(16))?)
        };
        let old = self.interval_timer(process);
        self.clock.set_timer(process, value, interval);
        // The new one is armed before the old one is told, and stays so if that fails (`setitimer` of kernel/time/itimer.c).
        match args[2] {
            0 => Ok(0),
            address => self.tree.thread(id).door.write(address, &old).map(|()| 0),
        }
    }

    fn get_interval_timer(&self, id: ThreadId, address: u64) -> Result<i64, Errno> {
        let thread = self.tree.thread(id);
        thread.door.write(address, &self.interval_timer(thread.process)).map(|()| 0)
    }

    /// ITIMER_REAL of this process, as a struct itimerval.
    fn interval_timer(&self, process: ProcessId) -> Vec<u8> {
        let timer = self.clock.timer(process);
        let (interval, left) =
            timer.map_or_else(Default::default, |timer| (timer.interval, self.clock.left(timer.deadline)));
        let words = [interval, left].map(|time| [time.as_secs(), u64::from(time.subsec_micros())]).concat();
        words.into_iter().flat_map(u64::to_le_bytes).collect()
    }
}

/// False if the kernel refuses these flags of getrandom(2): unknown ones, and the two together that contradict each other
/// (drivers/char/random.c).
fn draws(flags: u64) -> bool {
    let flags = flags as u32;
    let contradiction = libc::GRND_RANDOM | libc::GRND_INSECURE;
    flags & !(contradiction | libc::GRND_NONBLOCK) == 0 && flags & contradiction != contradiction
}

/// Writes up to where the memory ends, and says how many bytes that were: so does the kernel where it brings bytes that are as good
/// as others (`get_random_bytes_user` of drivers/char/random.c). If there are none it is an error.
fn write_as_far(door: &Door, address: u64, bytes: &[u8]) -> Result<usize, Errno> {
    const PAGE: u64 = 4096;
    match door.write(address, bytes) {
        Err(Errno::EFAULT) => {}
        done => return done.map(|()| bytes.len()),
    }
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        let at = address.wrapping_add(written as u64);
        let part = rest.len().min((PAGE - at % PAGE) as usize);
        if door.write(at, &rest[..part]).is_err() {
            break;
        }
        written += part;
    }
    if written == 0 { Err(Errno::EFAULT) } else { Ok(written) }
}
