//! A folder of an upper layer that is there before a run begins: how it is when nothing has been written, and what of that can be
//! had again.

use super::errno_of;
use super::stat::Given;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstat, futimens};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::ffi::{CString, OsStr, OsString};
use std::fs::Metadata;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;
use std::{fs, io};

/// So many files are removed one by one.
const FEW: usize = 16;

/// A folder of an upper layer, and how it was when nothing had been written.
#[derive(Debug)]
pub(super) struct Kept {
    /// What it lies over, as the machine has it.
    pub(super) path: PathBuf,
    /// In the upper layer.
    pub(super) root: OwnedFd,
    /// With all that shines through.
    pub(super) over: OwnedFd,
    /// Those in it that are kept as well.
    pub(super) within: Vec<OsString>,
    fresh: Look,
    of_itself: OfItself,
    /// When it was read and written to last.
    times: [TimeSpec; 2],
    /// Its device and its number, as a program sees them.
    pub(super) number: (u64, u64),
    /// The same in the upper layer.
    number_there: (u64, u64),
    /// When it was made and changed, as the machine has it.
    dated: Metadata,
}

/// Whatever is made, changed or removed in a folder shows in it: what is deeper needs a copy of the folder that it is in, unless
/// that is kept too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// Its entries, and anything.
    changed: [TimeSpec; 2],
    rights: (u32, u32, u32),
    /// A tmpfs counts a folder's entries in its size, so that one more shows within one tick of the clock as well.
    entries: (i64, u64),
}

/// The name of an extended attribute, and its value (xattr(7)).
type Attribute = (Vec<u8>, Vec<u8>);

/// What else a folder has.
#[derive(Debug, PartialEq, Eq)]
struct OfItself {
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
        rights: (stat.st_mode, stat.st_uid, stat.st_gid),
        entries: (stat.st_size, stat.st_nlink),
    }
}

fn read(stat: &FileStat) -> TimeSpec {
    TimeSpec::new(stat.st_atime, stat.st_atime_nsec)
}

/// How a folder is after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// As it was.
    Same,
    /// It has been read.
    Read,
    /// Something was made, changed or removed.
    Changed,
}

impl Kept {
    pub(super) fn new(path: PathBuf, [root, over]: [OwnedFd; 2]) -> Result<Kept, Errno> {
        let (stat, whole) = (fstat(&root)?, fstat(&over)?);
        let fresh = look(&stat);
        Ok(Kept {
            dated: path.metadata().map_err(errno_of)?,
            path,
            of_itself: OfItself::of(&root)?,
            root,
            over,
            within: Vec::new(),
            fresh,
            times: [read(&stat), fresh.changed[0]],
            number: (whole.st_dev, whole.st_ino),
            number_there: (stat.st_dev, stat.st_ino),
        })
    }

    /// Has the overlay copy the folder of this name in it to the upper layer, with no other change than that. None where that
    /// cannot be done, or would be another file system's.
    pub(super) fn copy(&mut self, name: &OsStr) -> Result<Option<Kept>, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let open = |within: &OwnedFd| openat(within, name, flags, Mode::empty());
        let Ok(over) = open(&self.over) else { return Ok(None) };
        let stat = fstat(&over)?;
        let written = look(&stat).changed[0];
        if stat.st_dev != self.number.0 || futimens(&over, &read(&stat), &written).is_err() {
            return Ok(None);
        }
        let Ok(root) = open(&self.root) else { return Ok(None) };
        self.within.push(name.to_owned());
        Kept::new(self.path.join(name), [root, over]).map(Some)
    }

    /// All that are to be kept are there, which has changed those that they are in.
    pub(super) fn begin(&mut self) -> Result<(), Errno> {
        if !self.within.is_empty() {
            self.set_back()?;
            self.of_itself = OfItself::of(&self.root)?;
        }
        Ok(())
    }

    /// A path that leads to it in the upper layer, in this process.
    pub(super) fn way(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()))
    }

    /// True if this is what there is of it in the upper layer.
    pub(super) fn is_at(&self, found: &Metadata) -> bool {
        (found.dev(), found.ino()) == self.number_there
    }

    /// The date that the folder itself has on the machine; none where that is not known.
    pub(super) fn date(&self, which: Given) -> Option<(i64, u32)> {
        match which {
            Given::Changed => Some((self.dated.ctime(), u32::try_from(self.dated.ctime_nsec()).ok()?)),
            Given::Made => {
                let since = self.dated.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
                Some((i64::try_from(since.as_secs()).ok()?, since.subsec_nanos()))
            }
        }
    }

    pub(super) fn after(&self) -> Result<After, Errno> {
        let stat = fstat(&self.root)?;
        Ok(match look(&stat) == self.fresh {
            true if read(&stat) == self.times[0] => After::Same,
            true => After::Read,
            false => After::Changed,
        })
    }

    /// Removes what a run has made, if that is but a few new files. True if it is then as it was but for its times. What cannot be
    /// looked through is not kept.
    pub(super) fn tidy(&self) -> Result<bool, Errno> {
        let mut stat = fstat(&self.root)?;
        if look(&stat).entries != self.fresh.entries {
            if !self.removes_few().unwrap_or(false) {
                return Ok(false);
            }
            stat = fstat(&self.root)?;
        }
        let Look { rights, entries, changed: _ } = look(&stat);
        let same = (rights, entries) == (self.fresh.rights, self.fresh.entries);
        Ok(same && OfItself::of(&self.root)? == self.of_itself)
    }

    fn removes_few(&self) -> io::Result<bool> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.way())? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            if self.within.contains(&name) {
                continue;
            }
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

    /// Gives it its times again, and what it looks like then is how it is when nothing has been written.
    pub(super) fn set_back(&mut self) -> Result<(), Errno> {
        // Not from behind, but as a program does it.
        let [read, written] = &self.times;
        futimens(&self.over, read, written)?;
        self.fresh = look(&fstat(&self.root)?);
        Ok(())
    }
}

impl OfItself {
    fn of(root: &OwnedFd) -> Result<OfItself, Errno> {
        Ok(OfItself { attributes: attributes(root)?, flags: flags(root) })
    }
}

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
