//! The file that a thread names in a call: by a path, or by a descriptor and an empty one (path_resolution(7), openat(2)).

use crate::supervise::books::door::Door;
use crate::sys::pidfd::Duplicate;
use crate::sys::procfs;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;
use nix::unistd::Uid;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Paths are no longer (path_resolution(7)), with the zero byte at the end.
const PATH_MAX: usize = 4096;
/// Memory is there by pages of so many bytes.
const PAGE: u64 = 4096;

/// A file that a thread names.
#[derive(Debug)]
pub(in crate::supervise) struct Named {
    /// It, open by O_PATH or as the thread has it.
    pub(in crate::supervise) file: Duplicate,
    /// It was found by a path: the thread may not find it itself (`Door::finds_as_much`).
    pub(in crate::supervise) by_path: bool,
}

impl Named {
    /// One that the thread has open, or is in.
    pub(in crate::supervise) fn held(file: Duplicate) -> Named {
        Named { file, by_path: false }
    }
}

impl Door {
    /// The path at this address of the thread's memory.
    pub(in crate::supervise) fn path(&self, address: u64) -> Result<PathBuf, Errno> {
        let mut path = Vec::new();
        while path.len() < PATH_MAX {
            let from = address.checked_add(path.len() as u64).ok_or(Errno::EFAULT)?;
            let bytes = self.read_bytes(from, (PAGE - from % PAGE) as usize)?;
            match bytes.iter().position(|byte| *byte == 0) {
                Some(end) => {
                    path.extend(bytes.get(..end).unwrap_or_default());
                    return Ok(OsString::from_vec(path).into());
                }
                None => path.extend(bytes),
            }
        }
        Err(Errno::ENAMETOOLONG)
    }

    /// The file that the path at this address names for it, seen from this folder (AT_FDCWD and its kin). None or an error if it
    /// has no name from here, as in another root, or behind a link that is no name (`/proc/self/fd/1`).
    pub(in crate::supervise) fn named(
        &self,
        folder: i32,
        address: u64,
        flags: i32,
    ) -> io::Result<Option<Named>> {
        let empty = flags & libc::AT_EMPTY_PATH != 0;
        // A null pointer is as good as an empty path since Linux 6.11 (statx(2)).
        let path = if empty && address == 0 { PathBuf::new() } else { self.path(address)? };
        if path.as_os_str().is_empty() {
            return match (empty, folder) {
                (false, _) => Ok(None),
                (true, libc::AT_FDCWD) => Ok(Some(Named::held(self.directory("cwd")?.into()))),
                (true, _) => Ok(Some(Named::held(self.duplicate(folder)?))),
            };
        }
        let path = if path.is_absolute() {
            path
        } else {
            let folder = match folder {
                libc::AT_FDCWD => self.link("cwd")?,
                _ => self.descriptor(folder)?.into(),
            };
            // The names of folders begin at the root of all: seen from another root they are none.
            if !folder.is_absolute() || self.link("root")? != Path::new("/") {
                return Ok(None);
            }
            folder.join(path)
        };
        let link = if flags & libc::AT_SYMLINK_NOFOLLOW == 0 { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | link)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT);
        Ok(Some(Named { file: openat2(self.directory("root")?, &path, how)?.into(), by_path: true }))
    }

    /// The number that its namespace has for this user (`uid_map`) or group (`gid_map`); none if it has none.
    pub(in crate::supervise) fn number_of(&self, number: u32, map: &str) -> io::Result<Option<u32>> {
        Ok(inside(&fs::read_to_string(self.place(map))?, number))
    }

    /// True if a file that this process finds is one that the thread finds as well: it has the user, and what that may do.
    pub(in crate::supervise) fn finds_as_much(&self) -> io::Result<bool> {
        let Some(status) = self.status()? else { return Ok(false) };
        let own = procfs::capabilities()?;
        Ok(status.users[3] == Uid::effective().as_raw() && own & !status.capabilities == 0)
    }

    fn place(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.tid()).into()
    }

    fn link(&self, name: &str) -> io::Result<PathBuf> {
        fs::read_link(self.place(name))
    }

    fn directory(&self, name: &str) -> io::Result<OwnedFd> {
        Ok(open(&self.place(name), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?)
    }
}

/// The number inside a namespace of the one outside that this reader sees, by a map of ranges (user_namespaces(7)).
fn inside(map: &str, number: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().map(str::parse::<u32>);
        let (first, outside, count) = (words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?);
        let beyond = number.checked_sub(outside).filter(|beyond| *beyond < count)?;
        first.checked_add(beyond)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_namespace() {
        let all = "         0          0 4294967295\n";
        assert_eq!(inside(all, 1000), Some(1000));
        let some = "         0       1000          1\n         1     100000      65536\n";
        assert_eq!((inside(some, 1000), inside(some, 100_005), inside(some, 7)), (Some(0), Some(6), None));
        assert_eq!((inside(some, 165_536), inside("", 1), inside("x y z\n", 1)), (None, None, None));
    }
}
