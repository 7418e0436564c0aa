//! Calls that are answered instead of let happen, because their real answer would differ from run to run, or would show
//! the program how it is being run.

use super::RunError;
use super::held::Held;
use super::loader;
use super::tree::ThreadId;
use super::turn::Turns;
use crate::signal::SignalSet;
use crate::sys::memory;
use crate::sys::procfs;
use crate::trace::What;
use nix::errno::Errno;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use syscalls::Sysno;

// Keys of the auxiliary vector (getauxval(3)).
const AT_BASE: u64 = 7;
const AT_ENTRY: u64 = 9;
const AT_RANDOM: u64 = 25;

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
        let pid = self.tree.process_of(id).pid;
        let answer: Result<i64, Errno> = match call {
            Sysno::getrandom if args[2] & !7 == 0 => self.random(pid, args[0], args[1]),
            Sysno::alarm => Ok(self.alarm(id, args[0])),
            Sysno::setitimer if args[0] == 0 => self.set_interval_timer(id, args),
            Sysno::getitimer if args[0] == 0 => self.get_interval_timer(id, args[1]),
            Sysno::sched_getaffinity => self.get_affinity(pid, &args),
            Sysno::sched_setaffinity => self.set_affinity(pid, &args),
            Sysno::sched_getscheduler => Ok(0),
            Sysno::sched_getparam => memory::write(pid, args[1], &0i32.to_le_bytes()).map(|()| 0),
            Sysno::sched_setscheduler => set_policy(args[1] as i32),
            Sysno::sched_setparam => Ok(0),
            Sysno::timer_settime
            | Sysno::timer_gettime
            | Sysno::timer_getoverrun
            | Sysno::timer_delete
            | Sysno::timerfd_settime
            | Sysno::timerfd_gettime => match self.timer_call(id, call, &args)? {
                Some(answer) => answer,
                None => return Ok(Some(held)),
            },
            _ => return Ok(Some(held)),
        };
        let listener = self.cell.listener();
        let answer = match answer {
            Ok(value) => held.succeed(listener, value),
            Err(errno) => held.fail(listener, errno),
        };
        self.answered(id, answer)?;
        Ok(None)
    }

    fn generator(&self, stream: u64) -> StdRng {
        StdRng::seed_from_u64(self.settings.seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn random(&mut self, pid: i32, address: u64, length: u64) -> Result<i64, Errno> {
        self.random_calls += 1;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(RANDOM_AT_ONCE)];
        self.generator(self.random_calls).fill_bytes(&mut bytes);
        memory::write(pid, address, &bytes)?;
        Ok(bytes.len() as i64)
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
        let pid = self.tree.process_of(id).pid;
        let timeval = |address: u64| -> Result<Duration, Errno> {
            let (seconds, micros) = (memory::read_word(pid, address)?, memory::read_word(pid, address + 8)?);
            if micros >= 1_000_000 || seconds > i64::MAX as u64 {
                return Err(Errno::EINVAL);
            }
            Ok(Duration::new(seconds, micros as u32 * 1000))
        };
        let (interval, value) = if args[1] == 0 {
            (Duration::ZERO, Duration::ZERO)
        } else {
            (timeval(args[1])?, timeval(args[1] + 16)?)
        };
        if args[2] != 0 {
            self.get_interval_timer(id, args[2])?;
        }
        self.clock.set_timer(process, value, interval);
        Ok(0)
    }

    fn get_interval_timer(&self, id: ThreadId, address: u64) -> Result<i64, Errno> {
        let timer = self.clock.timer(self.tree.thread(id).process);
        let (interval, left) =
            timer.map_or_else(Default::default, |timer| (timer.interval, self.clock.left(timer.deadline)));
        let words = [interval, left].map(|time| [time.as_secs(), u64::from(time.subsec_micros())]).concat();
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        memory::write(self.tree.process_of(id).pid, address, &bytes).map(|()| 0)
    }

    fn get_affinity(&self, pid: i32, args: &[u64; 6]) -> Result<i64, Errno> {
        if (args[1] as usize) < self.affinity.len() || !args[1].is_multiple_of(8) {
            return Err(Errno::EINVAL);
        }
        memory::write(pid, args[2], self.affinity)?;
        Ok(self.affinity.len() as i64)
    }

    /// Believed, but not done: the tree stays on its CPU.
    fn set_affinity(&self, pid: i32, args: &[u64; 6]) -> Result<i64, Errno> {
        let mut wanted = vec![0; (args[1] as usize).min(self.affinity.len())];
        if memory::read(pid, args[2], &mut wanted)? != wanted.len() {
            return Err(Errno::EFAULT);
        }
        let possible = wanted.iter().zip(self.affinity).any(|(wanted, allowed)| wanted & allowed != 0);
        if possible { Ok(0) } else { Err(Errno::EINVAL) }
    }

    /// The first notification after execve was let happen: is it a new program?
    ///
    /// Every program gets fresh random bytes from the kernel (AT_RANDOM), which are replaced here by those of the run's
    /// seed. So bytes that are not the run's own are a new program's; and from then on they are the same in every run.
    pub(super) fn after_execute(&mut self, id: ThreadId) -> Result<(), RunError> {
        let process = self.tree.thread(id).process;
        let pid = self.tree.process(process).pid;
        let name = self.tree.process(process).name.clone();
        self.tree.process_mut(process).executing = false;
        let unreadable = |what: &str, error: &dyn std::fmt::Display| {
            RunError::Unsupported(format!("{name} runs a program whose {what} cannot be read: {error}"))
        };
        let found = match procfs::auxiliary(pid, &[AT_BASE, AT_RANDOM, AT_ENTRY]) {
            Err(error) if procfs::gone(&error) => return Ok(()),
            other => other.map_err(|error| unreadable("auxiliary vector", &error))?,
        };
        let (base, random) = (found[0].unwrap_or(0), found[1].unwrap_or(0));
        let mut own = [0; 16];
        self.generator(0).fill_bytes(&mut own);
        let bytes: [u8; 16] =
            memory::read_array(pid, random).map_err(|errno| unreadable("memory", &errno))?;
        if bytes == own {
            return Ok(());
        }
        memory::write(pid, random, &own).map_err(|errno| unreadable("memory", &errno))?;
        self.tree.became_leader(id)?;
        self.clock.forget_posix(process);
        let file = procfs::executable(pid).map_err(|error| unreadable("file name", &error))?;
        self.privileges(id, &file);
        let own = id == ThreadId(0) && self.tree.process_of(id).program.is_empty();
        let blocked = if own {
            // Read just now, when the process was first seen.
            self.tree.process(process).last_blocked
        } else {
            self.proc_status(id)?.map_or(SignalSet::EMPTY, |status| status.blocked)
        };
        let inherited =
            self.tree.process(process).parent.map(|parent| self.tree.process(parent).initial_blocked);
        // The program itself goes by the name that it was started with: where its file lies is not what happened.
        let launch = &self.settings.launch;
        let name = launch.argv.first().filter(|_| own).cloned().unwrap_or_else(|| file.clone());
        let loader = if base == 0 { 0..0 } else { base..base + loader::size(pid, base) };
        self.loaders.push(loader.clone());
        let process = self.tree.process_mut(process);
        process.text = None;
        process.plants.clear();
        process.borrows_memory = false;
        process.loading = !loader.is_empty();
        process.loader = loader;
        process.exec_blocked = inherited.map_or(SignalSet::EMPTY, |inherited| blocked.without(inherited));
        process.initial_blocked = blocked;
        process.last_blocked = blocked;
        process.program.clone_from(&file);
        process.entry = found[2].unwrap_or(0);
        process.handlers = Default::default();
        self.lookout.new_program(self.tree.thread(id).process);
        self.news.push((id, super::settle::News::Told(What::Exec(name))));
        self.set_breakpoints(id)
    }

    /// A program that would get rights by its file does not get them under no_new_privs: what it then does is not what it
    /// does on its own.
    fn privileges(&mut self, id: ThreadId, file: &str) {
        let Ok(metadata) = std::fs::metadata(format!("/proc/{}/exe", self.tree.process_of(id).pid)) else {
            return;
        };
        let (user, group) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        let set_user = metadata.mode() & 0o4000 != 0 && metadata.uid() != user;
        let set_group = metadata.mode() & 0o2010 == 0o2010 && metadata.gid() != group;
        if set_user || set_group {
            self.unsupported_program(id, &format!("would change its user or group by its file {file}"));
        } else if user != 0 && crate::sys::memory::has_file_capabilities(file) {
            self.unsupported_program(id, &format!("would get capabilities by its file {file}"));
        }
    }
}

/// Believed, but not done. Which policies a user may ask for is in sched(7).
fn set_policy(policy: i32) -> Result<i64, Errno> {
    match policy & !libc::SCHED_RESET_ON_FORK {
        libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE => Ok(0),
        libc::SCHED_FIFO | libc::SCHED_RR if nix::unistd::geteuid().is_root() => Ok(0),
        libc::SCHED_FIFO | libc::SCHED_RR => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}
