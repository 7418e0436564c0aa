//! CPU slots: one run at a time on each CPU of the machine, whichever process starts it.
//!
//! A worker and the program that it supervises are pinned to one CPU. Two of them on one CPU would not make a run wrong,
//! but slow, so a worker first takes a slot: it queues for it (`queue`) at a small file named after the CPU, in a directory
//! that all users share, and keeps it for some runs (`turnstile`). The kernel releases a slot when its holder ends, however
//! that happens. The files stay; they are empty. Containers with a `/dev/shm` of their own do not see each other's slots.
//!
//! Whoever has a slot also has the whole file locked (flock(2)): there the kernel tells who it is (`/proc/locks`).

mod queue;
mod turnstile;
mod waited;

pub use turnstile::{Seats, Turnstile};
pub use waited::{Stopwatch, Waited};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK, major, minor};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::getpid;
use queue::Ticket;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Where the files may be, best first: the first directory in which all of them can be opened is used.
const DIRECTORIES: [&str; 2] = ["/dev/shm", "/tmp"];

/// How long to wait before looking again whether one's turn has come. One cannot wait for several locks at once, nor for
/// one and also for a request to stop.
const AGAIN: Duration = Duration::from_millis(2);

/// Who waits for longer says so.
const SILENT: Duration = Duration::from_millis(200);

/// Why there is no slot.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// The CPUs that this process may use could not be found out.
    #[error("cannot read which CPUs this process may use: {0}")]
    Affinity(nix::Error),
    /// No directory holds usable lock files.
    #[error("cannot open the lock file of CPU {cpu}, {}: {reason}", path.display())]
    Open {
        /// The CPU.
        cpu: usize,
        /// Its file.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// The queue of a CPU could not be looked at.
    #[error("cannot tell who waits for CPU {cpu}: {reason}")]
    Queue {
        /// The CPU.
        cpu: usize,
        /// Why not.
        reason: io::Error,
    },
    /// Every slot was taken all the time.
    #[error("no CPU was free for {}: other runs of sigrace hold all {cpus} of them", humantime::format_duration(*.bound))]
    Busy {
        /// How long was waited.
        bound: Duration,
        /// How many CPUs this process may use.
        cpus: usize,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// The slots of the CPUs that this process may use.
#[derive(Debug)]
pub struct Slots {
    cpus: Vec<(usize, PathBuf)>,
    waited: Waited,
    tell: Option<fn(&str)>,
    told: AtomicBool,
}

/// One CPU, held until this value is dropped.
#[derive(Debug)]
#[must_use = "the CPU is free again as soon as this is dropped"]
pub struct Slot {
    /// Its number, as the kernel counts.
    pub cpu: usize,
    since: Instant,
    ticket: Ticket,
}

impl Slots {
    /// The slots of the process's own affinity mask (sched_getaffinity(2) of its main thread), so to be made before that is pinned.
    pub fn new() -> Result<Slots, SlotError> {
        let mask = sched_getaffinity(getpid()).map_err(SlotError::Affinity)?;
        let cpus: Vec<usize> =
            (0..CpuSet::count()).filter(|cpu| mask.is_set(*cpu).unwrap_or(false)).collect();
        let mut failed = None;
        for directory in DIRECTORIES {
            match Slots::in_directory(Path::new(directory), &cpus) {
                Ok(slots) => return Ok(slots),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or(SlotError::Affinity(nix::Error::EINVAL)))
    }

    /// The slots of these CPUs with the files in this directory.
    fn in_directory(directory: &Path, cpus: &[usize]) -> Result<Slots, SlotError> {
        let mut slots = Vec::new();
        for &cpu in cpus {
            let path = directory.join(format!("sigrace-slot-{cpu}"));
            open(&path).map_err(|reason| SlotError::Open { cpu, path: path.clone(), reason })?;
            slots.push((cpu, path));
        }
        Ok(Slots { cpus: slots, waited: Waited::default(), tell: None, told: AtomicBool::new(false) })
    }

    /// The same, and who has to wait for long says so once, by a call of `tell`.
    pub fn telling(self, tell: fn(&str)) -> Slots {
        Slots { tell: Some(tell), ..self }
    }

    /// How many CPUs this process may use: as many runs go on at once.
    pub fn count(&self) -> usize {
        self.cpus.len()
    }

    /// What all that use these slots have waited.
    pub fn waited(&self) -> &Waited {
        &self.waited
    }

    /// Waits until a CPU is free, at most for `bound`, and takes it. `stop` ends the waiting early.
    pub fn take(&self, bound: Duration, stop: &AtomicBool) -> Result<Slot, SlotError> {
        let any = |_| true;
        self.take_where((&any, &any), bound, (stop, &|| true))?.ok_or(SlotError::Interrupted)
    }

    /// The same with one of those CPUs that are `wanted`, which may change while one waits. The CPU is not taken if `claim`
    /// then says that it cannot be used. None if `still` becomes false before.
    fn take_where(
        &self,
        (wanted, claim): (&dyn Fn(usize) -> bool, &dyn Fn(usize) -> bool),
        bound: Duration,
        (stop, still): (&AtomicBool, &dyn Fn() -> bool),
    ) -> Result<Option<Slot>, SlotError> {
        let start = Instant::now();
        // One place in the queue of each CPU, as long as none has come to its turn.
        let mut tickets: BTreeMap<usize, Ticket> = BTreeMap::new();
        loop {
            tickets.retain(|cpu, _| wanted(*cpu));
            for (cpu, path) in self.cpus.iter().filter(|(cpu, _)| wanted(*cpu)) {
                let open_error = |reason| SlotError::Open { cpu: *cpu, path: path.clone(), reason };
                let ticket = match tickets.remove(cpu) {
                    Some(ticket) => Some(ticket),
                    None => open(path).and_then(Ticket::draw).map_err(open_error)?,
                };
                let Some(ticket) = ticket else { continue };
                match turn(&ticket, path).map_err(open_error)? {
                    Turn::Come if claim(*cpu) => {
                        return Ok(Some(Slot { cpu: *cpu, since: Instant::now(), ticket }));
                    }
                    Turn::Come | Turn::Void => {}
                    Turn::ToCome => drop(tickets.insert(*cpu, ticket)),
                }
            }
            if stop.load(Ordering::Relaxed) {
                return Err(SlotError::Interrupted);
            }
            if !still() {
                return Ok(None);
            }
            if start.elapsed() >= bound {
                return Err(SlotError::Busy { bound, cpus: self.count() });
            }
            if start.elapsed() >= SILENT {
                self.say_that_one_waits(&tickets);
            }
            thread::sleep(AGAIN);
        }
    }

    fn say_that_one_waits(&self, tickets: &BTreeMap<usize, Ticket>) {
        let Some(tell) = self.tell.filter(|_| !self.told.swap(true, Ordering::Relaxed)) else { return };
        let mut text = "waiting for a CPU".to_owned();
        let mut holders: Vec<String> = tickets.values().filter_map(|ticket| holder(ticket.file())).collect();
        // A search may have several CPUs.
        holders.dedup();
        if !holders.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, ", held by pid {}", holders.join(" and "));
        }
        tell(&text);
    }
}

impl Slot {
    fn is_waited_for(&self) -> Result<bool, SlotError> {
        self.ticket.is_waited_for().map_err(|reason| SlotError::Queue { cpu: self.cpu, reason })
    }
}

/// Whether it is somebody's turn.
enum Turn {
    Come,
    ToCome,
    /// The queue is no more: a new ticket is needed.
    Void,
}

/// Looks whether it is this one's turn, and then locks the file as a whole.
fn turn(ticket: &Ticket, path: &Path) -> io::Result<Turn> {
    if !ticket.is_first()? {
        return Ok(Turn::ToCome);
    }
    match ticket.file().try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Turn::ToCome),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Somebody may have removed the file meanwhile, and others then queue at a new one of the same name.
    let (held, named) = (ticket.file().metadata()?, fs::metadata(path));
    let same = named.is_ok_and(|named| (named.dev(), named.ino()) == (held.dev(), held.ino()));
    Ok(if same { Turn::Come } else { Turn::Void })
}

/// The pid of whoever has locked the file, as `/proc/locks` tells it (proc_locks(5)); none if it is not to be seen from here.
fn holder(file: &File) -> Option<String> {
    let metadata = file.metadata().ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let line = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // `1: FLOCK  ADVISORY  WRITE 4711 00:19:42 0 EOF`; a process of another pid namespace has no pid above 0.
    let mut pids = line.filter_map(|words| match *words.as_slice() {
        [_, "FLOCK", _, _, pid, at, ..] if at == place => Some(pid),
        _ => None,
    });
    pids.find(|pid| pid.parse::<u32>().is_ok_and(|pid| pid > 0)).map(str::to_owned)
}

/// Opens a lock file, and makes it first if it is missing. For writing, which a lock on a byte needs; nobody writes to it.
///
/// It is made aside with its final mode and then linked to its name, so that no user ever sees one that he cannot open;
/// and it is opened without O_CREAT, which the kernel refuses for other users' files in a sticky directory (proc_sys_fs(5),
/// protected_regular).
fn open(path: &Path) -> io::Result<File> {
    let plain = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(O_NOFOLLOW | O_NONBLOCK)
            .open(path)
            .and_then(regular)
    };
    match plain() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let aside = tempfile::Builder::new()
        .prefix(".sigrace-slot-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)?;
    // The mode above is cut by the umask.
    aside.as_file().set_permissions(Permissions::from_mode(0o666))?;
    match aside.persist_noclobber(path) {
        Ok(_) => plain(),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => plain(),
        Err(error) => Err(error.error),
    }
}

/// Refuses what somebody may have put in the place of a lock file.
fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

#[cfg(test)]
mod tests;
