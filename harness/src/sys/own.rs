//! The files of a cell that are its own, as the supervisor has them: what of them a run has changed, and whether the next
//! run can have them.
//!
//! NOTE \[Worn\]. A run that removes what it has made, or has left but a few new files, which are removed for it, leaves an upper
//! layer that is empty again, which costs less to keep than to make anew. Nothing is left of that run but this: a tmpfs numbers
//! its files in order (`st_ino` of inode(7)), and new ones get higher numbers than in a fresh one. Such a layer is worn. Who asks
//! for a file's number by stat(2) is told the one that it has in a fresh layer. For programs that may come to know it in
//! another way no worn layer is kept, and a run in one that does is worth nothing (`supervise/numbers.rs`).

use super::overlay::{Cover, Left, ROOTS};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstat, futimens};
use nix::sys::statvfs::fstatvfs;
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// An upper layer, and how it was when nothing had been written.
#[derive(Debug)]
pub struct Upper {
    /// The folder that it lies over.
    pub path: PathBuf,
    /// The upper layer's root.
    pub root: OwnedFd,
    /// The folder with all that shines through.
    over: OwnedFd,
    /// True if it is an ordinary user's, whose overlay keeps its notes in attributes of another name.
    pub(super) user: bool,
    fresh: Look,
    inside: Inside,
    worn: bool,
    numbers: Option<Numbers>,
    /// The device and the number of the folder itself.
    itself: (u64, u64),
}

/// How files that are made in an upper layer are numbered.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    /// The device of files in it, as a program sees it.
    device: u64,
    /// The last number that was given in a fresh one before a program made a file.
    fresh: u64,
    /// The same in this one.
    last: u64,
}

impl Numbers {
    fn of(over: &OwnedFd) -> Option<Numbers> {
        let (device, last) = unnamed(over)?;
        Some(Numbers { device, fresh: last, last })
    }

    /// The number that this one would be in a fresh layer.
    fn shown(self, number: u64) -> u64 {
        if number > self.last { number - self.last + self.fresh } else { number }
    }
}

/// The device and the number of a file that is made in this folder and has no name; none where that cannot be done.
fn unnamed(folder: &OwnedFd) -> Option<(u64, u64)> {
    let flags = OFlag::O_TMPFILE | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let stat = fstat(openat(folder, ".", flags, Mode::S_IRUSR).ok()?).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// The number of a file, as a program is to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// This one.
    Number(u64),
    /// It is not known which one it would be in a fresh layer.
    Unknown,
}

/// Whatever is made, changed or removed shows in the upper layer's root: what is deeper needs copies of the folders above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// Its entries, and anything.
    changed: [TimeSpec; 2],
    of_itself: (u32, u32, u32),
    /// A tmpfs counts a folder's entries in its size, so that one more shows within one tick of the clock as well.
    entries: (i64, u64),
}

/// The name of an extended attribute, and its value (xattr(7)).
type Attribute = (Vec<u8>, Vec<u8>);

/// What else there is of a root and of its file system.
#[derive(Debug, PartialEq, Eq)]
struct Inside {
    /// Blocks and files that can still be made: as many as at first only if nothing is there but what was, the overlay's own
    /// folders included.
    room: (u64, u64),
    attributes: Vec<Attribute>,
    /// As ioctl_iflags(2) has them, where the file system does.
    flags: Option<libc::c_long>,
}

fn look(stat: &FileStat) -> Look {
    Look {
        changed: [
            TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec),
            TimeSpec::new(stat.st_ctime, stat.st_ctime_nsec),
        ],
        of_itself: (stat.st_mode, stat.st_uid, stat.st_gid),
        entries: (stat.st_size, stat.st_nlink),
    }
}

impl Inside {
    fn of(root: &OwnedFd) -> Result<Inside, Errno> {
        let room = fstatvfs(root)?;
        let room = (room.blocks_free(), room.files_free());
        Ok(Inside { room, attributes: attributes(root)?, flags: flags(root) })
    }
}

impl Upper {
    fn new(path: PathBuf, [root, over]: [OwnedFd; ROOTS], user: bool) -> Result<Upper, Errno> {
        let (fresh, inside) = (look(&fstat(&root)?), Inside::of(&root)?);
        let (numbers, itself) = (Numbers::of(&over), fstat(&over)?);
        let itself = (itself.st_dev, itself.st_ino);
        Ok(Upper { path, root, over, user, fresh, inside, worn: false, numbers, itself })
    }

    /// True if anything was made, changed or removed, even if nothing of it is left.
    pub fn is_changed(&self) -> Result<bool, Errno> {
        Ok(look(&fstat(&self.root)?) != self.fresh)
    }

    /// Makes it what it was, if it is but for its times, and for what it shows of being worn if it `may_be`; else false. To be
    /// asked when nobody is left that could write.
    fn set_back(&mut self, [read, written]: &[TimeSpec; 2], may_be: bool) -> Result<bool, Errno> {
        let mut stat = fstat(&self.root)?;
        let is_changed = look(&stat) != self.fresh;
        if (is_changed || self.worn) && !may_be {
            return Ok(false);
        }
        if look(&stat).entries != self.fresh.entries {
            // What cannot be looked through is not kept.
            if !self.tidy().unwrap_or(false) {
                return Ok(false);
            }
            stat = fstat(&self.root)?;
        }
        let (is, last_read) = (look(&stat), TimeSpec::new(stat.st_atime, stat.st_atime_nsec));
        if !is_changed && last_read == *read {
            return Ok(true);
        }
        if (is.of_itself, is.entries) != (self.fresh.of_itself, self.fresh.entries)
            || is_changed && Inside::of(&self.root)? != self.inside
        {
            return Ok(false);
        }
        // Not from behind, but as a program does it.
        futimens(&self.over, read, written)?;
        self.fresh = look(&fstat(&self.root)?);
        if is_changed {
            self.worn = true;
            let last = unnamed(&self.root).map(|(_, last)| last);
            self.numbers = self.numbers.zip(last).map(|(numbers, last)| Numbers { last, ..numbers });
        }
        Ok(true)
    }

    /// Removes what a run has made, if that is but a few new files; else false.
    fn tidy(&self) -> io::Result<bool> {
        let here = format!("/proc/self/fd/{}", self.root.as_raw_fd());
        let mut names = Vec::new();
        for entry in fs::read_dir(here)? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            // A device without a number hides what is below.
            let is_file = !kind.is_dir() && !kind.is_char_device();
            let below = self.path.join(&name).symlink_metadata();
            let is_new = below.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            if !is_file || !is_new || names.len() == FEW {
                return Ok(false);
            }
            names.push(name);
        }
        // Not from behind.
        Ok(names
            .iter()
            .all(|name| unlinkat(&self.over, name.as_os_str(), UnlinkatFlags::NoRemoveDir).is_ok()))
    }
}

/// So many files are removed one by one.
const FEW: usize = 16;

/// The attributes of a file that has some: none where its file system has none of any.
fn attributes(file: &OwnedFd) -> Result<Vec<Attribute>, Errno> {
    let fd = file.as_raw_fd();
    // SAFETY: the kernel writes no more bytes than it is told that there are, and they live through the call.
    let names = whole(|bytes| unsafe { libc::flistxattr(fd, bytes.as_mut_ptr().cast(), bytes.len()) });
    let names = match names {
        Err(Errno::EOPNOTSUPP) => Vec::new(),
        other => other?,
    };
    let named = |name: &[u8]| {
        let text = CString::new(name).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the same, and `text` ends with a zero byte.
        let value = whole(|bytes| unsafe {
            libc::fgetxattr(fd, text.as_ptr(), bytes.as_mut_ptr().cast(), bytes.len())
        });
        Ok((name.to_owned(), value?))
    };
    names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(named).collect()
}

/// What such a call gives, which fails with ERANGE where it would be more than there is room for.
fn whole(call: impl Fn(&mut [u8]) -> isize) -> Result<Vec<u8>, Errno> {
    // The most that there is of either (xattr(7)).
    const MOST: usize = 1 << 16;
    for size in [1 << 10, MOST] {
        let mut bytes = vec![0; size];
        match Errno::result(call(&mut bytes)) {
            Ok(got) => {
                bytes.truncate(got as usize);
                return Ok(bytes);
            }
            Err(Errno::ERANGE) if size < MOST => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::ERANGE)
}

fn flags(file: &OwnedFd) -> Option<libc::c_long> {
    let mut flags: libc::c_long = 0;
    // SAFETY: the request writes an int, or a long as its number says, and `flags` lives through the call.
    let got = unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) };
    (got == 0).then_some(flags)
}

/// What came with a message of the init's, besides the listener.
pub(super) struct Sent {
    /// Roots of covered folders.
    pub(super) fds: Vec<OwnedFd>,
    /// A bit for each of their numbers.
    pub(super) mask: i32,
    /// Why one of the others was not mounted.
    pub(super) errno: i32,
}

/// A folder that is covered, or was to be.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// When it was read and written to last, as the machine has it.
    times: [TimeSpec; 2],
    /// None where it could not be covered or needed not to be.
    upper: Option<Upper>,
}

/// The files of a cell that are its own.
#[derive(Debug)]
pub struct Own {
    /// By number.
    folders: Vec<Folder>,
    user: bool,
    /// Folders whose files were to be its own and are the machine's, and why.
    pub shared: Vec<(PathBuf, String)>,
}

impl Own {
    pub(super) fn new(covers: &[Cover], left: &[Left], user: bool, sent: Sent) -> Result<Own, Errno> {
        let folder = |cover: &Cover| {
            let times = cover.times.map(TimeSpec::from_timespec);
            Folder { path: cover.path.clone(), times, upper: None }
        };
        let reason = Errno::from_raw(sent.errno).desc();
        let mut own = Own { folders: covers.iter().map(folder).collect(), user, shared: Vec::new() };
        own.lay(sent)?;
        let covered = |number: usize| own.folders.get(number).is_some_and(|folder| folder.upper.is_some());
        let missing = covers.iter().enumerate().filter(|(number, _)| !covered(*number));
        let missing = missing.map(|(_, cover)| (&cover.path, cover.inside, reason));
        let left = left.iter().map(|left| (&left.path, left.inside, left.reason));
        let shared = left.chain(missing).filter(|(_, inside, _)| !inside.is_some_and(covered));
        own.shared = shared.map(|(path, _, why)| (path.clone(), why.to_owned())).collect();
        Ok(own)
    }

    /// Keeps the upper layers that came with a message.
    pub(super) fn lay(&mut self, sent: Sent) -> Result<(), Errno> {
        let slots = self.folders.iter_mut().enumerate();
        let slots = slots.filter(|(number, _)| sent.mask & (1 << number) != 0);
        let mut fds = sent.fds.into_iter();
        for (_, folder) in slots {
            let (Some(root), Some(over)) = (fds.next(), fds.next()) else { return Err(Errno::EBADMSG) };
            folder.upper = Some(Upper::new(folder.path.clone(), [root, over], self.user)?);
        }
        Ok(())
    }

    fn uppers(&self) -> impl Iterator<Item = &Upper> {
        self.folders.iter().filter_map(|folder| folder.upper.as_ref())
    }

    /// True if there are any.
    pub fn are_there(&self) -> bool {
        self.uppers().next().is_some()
    }

    /// The upper layers that have been written to.
    pub fn written(&self) -> Result<Vec<&Upper>, Errno> {
        self.uppers()
            .filter_map(|upper| upper.is_changed().map(|is| is.then_some(upper)).transpose())
            .collect()
    }

    /// True if an earlier run has written there, so that new files get other numbers than in a fresh one (NOTE \[Worn\]).
    pub fn are_worn(&self) -> bool {
        self.uppers().any(|upper| upper.worn)
    }

    /// The number of a file that a run has made or changed, by its device and the number that it has.
    pub fn shown(&self, device: u64, number: u64) -> Shown {
        let mut shown = Shown::Number(number);
        for Upper { numbers, itself, .. } in self.uppers() {
            match numbers {
                Some(numbers) if numbers.device == device => return Shown::Number(numbers.shown(number)),
                // Folders within have numbers of the overlay's own, which go on as well.
                _ if itself.0 == device && itself.1 != number => return Shown::Unknown,
                Some(_) => {}
                None => shown = Shown::Unknown,
            }
        }
        shown
    }

    /// A folder in which nothing more can be written, if there is one: what it may take is used up.
    pub fn full(&self) -> Result<Option<&Path>, Errno> {
        for upper in self.uppers() {
            let room = fstatvfs(&upper.root)?;
            if room.blocks_free() == 0 || room.files_free() == 0 {
                return Ok(Some(&upper.path));
            }
        }
        Ok(None)
    }

    /// The numbers of those that cannot be kept for the next run, and of those below them, which go with them. The others are set
    /// back. To be asked when nobody is left that could write.
    pub(super) fn unfit(&mut self, may_be_worn: bool) -> Result<Vec<i32>, Errno> {
        let (mut numbers, mut gone): (Vec<i32>, Vec<PathBuf>) = Default::default();
        for (number, Folder { path, times, upper }) in self.folders.iter_mut().enumerate() {
            let Some(upper) = upper else { continue };
            let goes = gone.iter().any(|above| path.starts_with(above));
            if goes || !upper.set_back(times, may_be_worn)? {
                numbers.push(number as i32);
                gone.push(path.clone());
            }
        }
        Ok(numbers)
    }

    /// Gives up those with these numbers, which are in use as long as there is a descriptor.
    pub(super) fn let_go(&mut self, numbers: &[i32]) {
        for number in numbers {
            if let Some(folder) = self.folders.get_mut(*number as usize) {
                folder.upper = None;
            }
        }
    }

    pub(super) fn is_whole(&self, number: i32) -> bool {
        self.folders.get(number as usize).is_some_and(|folder| folder.path == Path::new("/"))
    }
}
