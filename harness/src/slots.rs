//! CPU slots: one run at a time on each CPU of the machine, whichever process starts it.
//!
//! A worker and the program that it supervises are pinned to one CPU. Two of them on one CPU would not make a run wrong,
//! but slow, so a worker first takes a slot: a lock (flock(2)) on a small file named after the CPU, in a directory that all
//! users share. The kernel releases it when its holder ends, however that happens. The files stay; they are empty.
//! Containers with a `/dev/shm` of their own do not see each other's locks.

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::getpid;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Where the files may be, best first: the first directory in which all of them can be opened is used.
const DIRECTORIES: [&str; 2] = ["/dev/shm", "/tmp"];

/// How long to wait before looking again when every slot is taken. Locks of other processes cannot be waited for all at once.
const AGAIN: Duration = Duration::from_millis(5);

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
}

/// One CPU, held until this value is dropped.
#[derive(Debug)]
#[must_use = "the CPU is free again as soon as this is dropped"]
pub struct Slot {
    /// Its number, as the kernel counts.
    pub cpu: usize,
    lock: File,
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
            let path = directory.join(format!("sigrace-cpu-{cpu}"));
            open(&path).map_err(|reason| SlotError::Open { cpu, path: path.clone(), reason })?;
            slots.push((cpu, path));
        }
        Ok(Slots { cpus: slots })
    }

    /// How many CPUs this process may use: as many runs go on at once.
    pub fn count(&self) -> usize {
        self.cpus.len()
    }

    /// Waits until a CPU is free, at most for `bound`, and takes it. `stop` ends the waiting early.
    pub fn take(&self, bound: Duration, stop: &AtomicBool) -> Result<Slot, SlotError> {
        let start = Instant::now();
        loop {
            for (cpu, path) in &self.cpus {
                if let Some(lock) = try_lock(path).map_err(|reason| SlotError::Open {
                    cpu: *cpu,
                    path: path.clone(),
                    reason,
                })? {
                    return Ok(Slot { cpu: *cpu, lock });
                }
            }
            if stop.load(Ordering::Relaxed) {
                return Err(SlotError::Interrupted);
            }
            if start.elapsed() >= bound {
                return Err(SlotError::Busy { bound, cpus: self.count() });
            }
            thread::sleep(AGAIN);
        }
    }
}

impl Slots {
    /// Takes one CPU as [`Slots::take`] does, and then as many more as are free just now, `most` together.
    ///
    /// Nobody waits for a second CPU while holding a first, so searches that share a machine cannot block each other.
    pub fn take_several(
        &self,
        most: usize,
        bound: Duration,
        stop: &AtomicBool,
    ) -> Result<Vec<Slot>, SlotError> {
        let mut slots = vec![self.take(bound, stop)?];
        while slots.len() < most {
            match self.take(Duration::ZERO, stop) {
                Ok(slot) => slots.push(slot),
                Err(SlotError::Busy { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(slots)
    }
}

impl Drop for Slot {
    /// Unlocking, not only closing: a process that was just forked may still have a copy of the descriptor.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

/// Locks the file if nobody else has; none if somebody has.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Somebody may have removed the file meanwhile, and others then lock a new one of the same name.
    let (held, named) = (file.metadata()?, fs::metadata(path));
    let same = named.is_ok_and(|named| (named.dev(), named.ino()) == (held.dev(), held.ino()));
    Ok(same.then_some(file))
}

/// Opens a lock file for reading, which is all that flock(2) needs, and makes it first if it is missing.
///
/// It is made aside with its final mode and then linked to its name, so that no user ever sees one that he cannot open;
/// and it is opened without O_CREAT, which the kernel refuses for other users' files in a sticky directory (proc_sys_fs(5),
/// protected_regular).
fn open(path: &Path) -> io::Result<File> {
    let plain =
        || OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path).and_then(regular);
    match plain() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let aside = tempfile::Builder::new()
        .prefix(".sigrace-cpu-")
        .permissions(Permissions::from_mode(0o444))
        .tempfile_in(directory)?;
    // The mode above is cut by the umask.
    aside.as_file().set_permissions(Permissions::from_mode(0o444))?;
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
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn each_cpu_is_given_once_and_again_when_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let mine = Slots::in_directory(folder.path(), &[3, 5]).unwrap();
        let theirs = Slots::in_directory(folder.path(), &[3, 5]).unwrap();
        let first = mine.take(NOW, &stop).unwrap();
        let second = theirs.take(NOW, &stop).unwrap();
        assert_eq!([first.cpu, second.cpu], [3, 5]);
        assert!(matches!(mine.take(NOW, &stop), Err(SlotError::Busy { cpus: 2, .. })));
        drop(first);
        assert_eq!(theirs.take(NOW, &stop).unwrap().cpu, 3);
    }

    #[test]
    fn further_cpus_are_taken_only_if_they_are_free() {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let slots = Slots::in_directory(folder.path(), &[0, 1, 2]).unwrap();
        let taken = |most| {
            let slots = slots.take_several(most, NOW, &stop).unwrap();
            (slots.iter().map(|slot| slot.cpu).collect::<Vec<_>>(), slots)
        };
        let (two, _held) = taken(2);
        assert_eq!(two, [0, 1]);
        assert_eq!(taken(2).0, [2]);
    }

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_a_slot() {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let slots = Slots::in_directory(folder.path(), &[0]).unwrap();
        let slot = slots.take(NOW, &stop).unwrap();
        let _copy = slot.lock.try_clone().unwrap();
        drop(slot);
        assert!(slots.take(NOW, &stop).is_ok());
    }

    #[test]
    fn a_removed_file_is_made_again_and_others_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let slots = Slots::in_directory(folder.path(), &[0]).unwrap();
        let path = folder.path().join("sigrace-cpu-0");
        fs::remove_file(&path).unwrap();
        let _slot = slots.take(NOW, &stop).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o444);
    }

    #[test]
    fn a_link_in_the_place_of_a_lock_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("sigrace-cpu-0")).unwrap();
        assert!(matches!(Slots::in_directory(folder.path(), &[0]), Err(SlotError::Open { cpu: 0, .. })));
    }

    #[test]
    fn only_allowed_cpus_are_given() {
        let slots = Slots::new().unwrap();
        let mask = sched_getaffinity(getpid()).unwrap();
        assert!(slots.count() > 0);
        assert!(slots.cpus.iter().all(|(cpu, _)| mask.is_set(*cpu).unwrap()));
    }
}
