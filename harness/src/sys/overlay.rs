//! Files of a cell of its own: overlays over folders of the machine's, whose upper layers are in memory.
//!
//! What a run writes there goes to the upper layer, which lies on a tmpfs that no path leads to. An upper layer in which a run has
//! left something is thrown away with its tmpfs and overlay, and others are mounted: an upper layer must not be changed from
//! behind a mounted overlay (the kernel's documentation of overlayfs). Which are kept is decided in `own`.
//!
//! The functions that mount run in the cell's init, see there what these may do.

use super::gate::call;
use super::init::check;
use super::stage::Stage;
use crate::world::Files;
use nix::unistd::{AccessFlags, access, getegid, geteuid};
use std::ffi::CString;
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// At most so many folders are covered: a bit of a message's mask is for each, and a descriptor.
pub(super) const MOST: usize = 8;
/// Why a folder is not covered whose owner or group the user namespace does not know.
const FOREIGN: &str = "it belongs to another user or group";
/// The same of a folder around it.
const AMID_FOREIGN: &str = "a folder around it belongs to another user or group";
/// Of a folder that has more mounts below it, the files stay the machine's.
const MOST_MOUNTS: usize = 64;

/// A folder that gets an overlay.
#[derive(Debug)]
pub(super) struct Cover {
    /// Where: absolute, without symbolic links.
    pub(super) path: PathBuf,
    target: CString,
    /// Options of the tmpfs that the upper layer lies on.
    tmpfs: CString,
    /// Options of the overlay, the best first: what an older kernel or an ordinary user cannot have is left out in the next.
    options: Vec<CString>,
    /// Mount flags of the folder's own mount.
    flags: usize,
    /// Another folder that has this one in it, on the same mount: where that one is covered, this one is.
    pub(super) inside: Option<usize>,
    /// What is mounted below it and would be hidden, the outermost mounts alone, and folders that stay the machine's; and the
    /// same in a new root.
    mounts: Vec<(CString, CString)>,
    /// The folder's own attributes, which its upper layer gets.
    owner: Option<(u32, u32)>,
    mode: u32,
    times: [libc::timespec; 2],
}

/// What is to be covered, and what cannot be: each with a reason.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) covers: Vec<Cover>,
    pub(super) left: Vec<Left>,
}

/// A folder that cannot be covered.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) path: PathBuf,
    /// As that of a cover.
    pub(super) inside: Option<usize>,
    pub(super) reason: &'static str,
}

/// The folders whose files are the run's own: those that are `named`, and those for everybody's temporary files. In each it may
/// write `most` bytes.
pub(super) fn plan(files: Files, most: u64, named: &[&Path], user: bool) -> std::io::Result<Plan> {
    let mut plan = Plan::default();
    if files == Files::Host {
        return Ok(plan);
    }
    let mounts = mount_points(&std::fs::read("/proc/self/mountinfo")?);
    let fixed = ["/tmp", "/var/tmp", "/dev/shm"].map(Path::new);
    let asked = named.iter().copied().chain(fixed);
    // What does not exist, or is no folder, cannot be written to.
    let mut folders: Vec<PathBuf> = asked.filter_map(|folder| folder.canonicalize().ok()).collect();
    folders.retain(|folder| folder.is_dir() && folder != Path::new("/"));
    if files == Files::All {
        folders.push(PathBuf::from("/"));
    }
    folders.sort();
    folders.dedup();
    for folder in folders {
        match cover(&folder, most, &mounts, &plan.covers, user)? {
            Ok(cover) => plan.covers.push(cover),
            Err(Some(reason)) => {
                let mut inside = inside(&folder, &mounts, &plan.covers);
                if [FOREIGN, AMID_FOREIGN].contains(&reason)
                    && let Some(cover) = inside.and_then(|index| plan.covers.get_mut(index))
                    && cover.mounts.len() < MOST_MOUNTS
                {
                    // Through the cover around it nothing of it could be changed.
                    cover.mounts.push(shown_through(&folder)?);
                    inside = None;
                }
                plan.left.push(Left { path: folder, inside, reason });
            }
            Err(None) => {}
        }
    }
    Ok(plan)
}

/// How `folder` is covered; or why it cannot be, if that is of any interest.
fn cover(
    folder: &Path,
    most: u64,
    mounts: &[PathBuf],
    others: &[Cover],
    user: bool,
) -> std::io::Result<Result<Cover, Option<&'static str>>> {
    let stat = folder.metadata()?;
    let writable = access(folder, AccessFlags::W_OK).is_ok();
    let is_own = |stat: &Metadata| stat.uid() == geteuid().as_raw() && stat.gid() == getegid().as_raw();
    let own = is_own(&stat);
    let shared = stat.mode() & libc::S_ISVTX != 0 && writable;
    if user && folder == Path::new("/") {
        return Ok(Err(Some("an ordinary user can have folders alone")));
    }
    if user && !own && !shared {
        // The overlay could not copy what somebody owns whom the user namespace does not know (EOVERFLOW).
        return Ok(Err(writable.then_some(FOREIGN)));
    }
    if let Some(around) = inside(folder, mounts, others).and_then(|index| others.get(index)).filter(|_| user)
    {
        let between = folder.ancestors().skip(1).take_while(|above| *above != around.path);
        for above in between {
            // Nor that around it, which is copied first.
            if !is_own(&above.metadata()?) {
                return Ok(Err(writable.then_some(AMID_FOREIGN)));
            }
        }
    }
    let below: Vec<&PathBuf> =
        mounts.iter().filter(|mount| *mount != folder && mount.starts_with(folder)).collect();
    let outermost =
        below.iter().filter(|mount| !below.iter().any(|other| other != *mount && mount.starts_with(other)));
    let mut outermost: Vec<&PathBuf> = outermost.copied().collect();
    outermost.dedup();
    if outermost.len() > MOST_MOUNTS {
        return Ok(Err(Some("too much is mounted below it")));
    }
    if others.len() == MOST {
        return Ok(Err(Some("there are too many folders")));
    }
    let statvfs = nix::sys::statvfs::statvfs(folder)?;
    if statvfs.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY) {
        return Ok(Err(None));
    }
    let layers = [b"upperdir=u,workdir=w,lowerdir=".as_slice(), &escaped(folder)].concat();
    // What makes an overlay less visible: inode numbers and hard links that outlive a copy, one device number, folders
    // that can be renamed.
    let sets: &[&str] = if user {
        &[",userxattr,xino=on", ",userxattr"]
    } else {
        &[",index=on,xino=on,redirect_dir=on,metacopy=off", ""]
    };
    let options = sets.iter().map(|set| text(&[&layers, set.as_bytes()].concat()));
    // An ordinary user cannot give a folder away; what it may do there stays the same.
    let rights = if writable { stat.mode() & 0o7777 } else { stat.mode() & 0o7577 };
    let time = |tv_sec, tv_nsec| libc::timespec { tv_sec, tv_nsec };
    Ok(Ok(Cover {
        path: folder.to_owned(),
        target: text(folder.as_os_str().as_bytes())?,
        tmpfs: text(format!("mode=700,size={most}").as_bytes())?,
        options: options.collect::<Result<_, _>>()?,
        flags: (statvfs.flags().bits() & (libc::ST_NOSUID | libc::ST_NODEV | libc::ST_NOEXEC)) as usize,
        inside: inside(folder, mounts, others),
        mounts: outermost.iter().map(|mount| shown_through(mount)).collect::<std::io::Result<_>>()?,
        owner: (own || !user).then_some((stat.uid(), stat.gid())),
        mode: if own || !user { stat.mode() & 0o7777 } else { rights },
        times: [time(stat.atime(), stat.atime_nsec()), time(stat.mtime(), stat.mtime_nsec())],
    }))
}

/// A folder that is the machine's although a cover is around it: its path, and the same in a new root.
fn shown_through(folder: &Path) -> std::io::Result<(CString, CString)> {
    let bytes = folder.as_os_str().as_bytes();
    Ok((text(bytes)?, text(&[b"m", bytes].concat())?))
}

fn text(bytes: &[u8]) -> std::io::Result<CString> {
    CString::new(bytes).map_err(std::io::Error::from)
}

/// Which of the covered folders has this one in it, on the same mount.
fn inside(folder: &Path, mounts: &[PathBuf], covers: &[Cover]) -> Option<usize> {
    let around = |path: &Path| {
        mounts.iter().filter(|mount| path.starts_with(mount)).max_by_key(|mount| mount.as_os_str().len())
    };
    covers.iter().position(|other| folder.starts_with(&other.path) && around(folder) == around(&other.path))
}

/// A path as an overlay's options have it.
fn escaped(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b',' | b':') {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text
}

/// Where something is mounted (proc_pid_mountinfo(5): the fifth field of each line, with octal escapes).
fn mount_points(table: &[u8]) -> Vec<PathBuf> {
    let points =
        table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    points.map(|point| PathBuf::from(std::ffi::OsString::from_vec(unescaped(point)))).collect()
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        bytes.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    bytes
}

const STAGE: Stage = Stage::OwnFiles;

/// The folder in which the upper layers are mounted, each in one that is called by its number. A descriptor is all that
/// leads there, when the run's `/proc` has been mounted over it.
pub(super) fn base() -> Result<usize, (Stage, i32)> {
    let (proc, name) = (c"/proc".as_ptr() as usize, c"tmpfs".as_ptr() as usize);
    let flags = (libc::MS_NOSUID | libc::MS_NODEV) as usize;
    // SAFETY: literals with a zero byte.
    unsafe {
        check(STAGE, call(libc::SYS_mount, name, proc, name, flags, c"mode=700,size=64k".as_ptr() as usize))?;
        open(c"/proc".as_ptr() as usize, libc::O_PATH)
    }
}

/// Opens a folder or a mount.
unsafe fn open(path: usize, flags: i32) -> Result<usize, (Stage, i32)> {
    // SAFETY: the caller's promise: `path` ends with a zero byte.
    check(STAGE, unsafe { call(libc::SYS_open, path, (flags | libc::O_CLOEXEC) as usize, 0, 0, 0) })
}

/// `/proc/self/fd/` and a number, without memory from anybody.
struct OfDescriptor([u8; 32]);

impl OfDescriptor {
    fn new(fd: usize) -> OfDescriptor {
        let mut text = [0; 32];
        let head = b"/proc/self/fd/";
        text[..head.len()].copy_from_slice(head);
        let (mut rest, mut digits) = (fd, 1);
        while rest >= 10 {
            (rest, digits) = (rest / 10, digits + 1);
        }
        let mut rest = fd;
        for at in (head.len()..head.len() + digits).rev() {
            text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        OfDescriptor(text)
    }
}

/// What there is of a folder that is covered: its upper layer's root, and its own, as the program sees it.
pub(super) type Roots = [usize; ROOTS];
pub(super) const ROOTS: usize = 2;

/// Covers a folder by a fresh overlay, and opens it. `base` is what [`base`] gave, at its number.
pub(super) fn mount(cover: &Cover, number: usize, base: usize) -> Result<Roots, (Stage, i32)> {
    let result = layers(cover, number, base);
    // SAFETY: a literal.
    unsafe { call(libc::SYS_chdir, c"/".as_ptr() as usize, 0, 0, 0, 0) };
    result
}

fn layers(cover: &Cover, number: usize, base: usize) -> Result<Roots, (Stage, i32)> {
    let own = [b'0' + number as u8, 0];
    let own = own.as_ptr() as usize;
    let (tmpfs, overlay) = (c"tmpfs".as_ptr() as usize, c"overlay".as_ptr() as usize);
    let (upper, work, below) = (c"u".as_ptr() as usize, c"w".as_ptr() as usize, c"m".as_ptr() as usize);
    let whole = cover.target.as_bytes() == b"/";
    let target = if whole { below } else { cover.target.as_ptr() as usize };
    let bind = (libc::MS_BIND | libc::MS_REC) as usize;
    // SAFETY: throughout, pointers lead to literals with a zero byte, to `cover`, or to locals that live through the call.
    unsafe {
        check(STAGE, call(libc::SYS_fchdir, base, 0, 0, 0, 0))?;
        // From the second time on it is there.
        call(libc::SYS_mkdir, own, 0o700, 0, 0, 0);
        check(STAGE, call(libc::SYS_mount, tmpfs, own, tmpfs, 0, cover.tmpfs.as_ptr() as usize))?;
        check(STAGE, call(libc::SYS_chdir, own, 0, 0, 0, 0))?;
        for folder in [upper, work, below] {
            check(STAGE, call(libc::SYS_mkdir, folder, 0o700, 0, 0, 0))?;
        }
        if let Some((user, group)) = cover.owner {
            check(STAGE, call(libc::SYS_chown, upper, user as usize, group as usize, 0, 0))?;
        }
        check(STAGE, call(libc::SYS_chmod, upper, cover.mode as usize, 0, 0, 0))?;
        let times = cover.times.as_ptr() as usize;
        check(STAGE, call(libc::SYS_utimensat, libc::AT_FDCWD as usize, upper, times, 0, 0))?;
        let mut hidden = [0; MOST_MOUNTS];
        if !whole {
            for (fd, (mount, _)) in hidden.iter_mut().zip(&cover.mounts) {
                *fd = open(mount.as_ptr() as usize, libc::O_PATH)?;
            }
        }
        let (mut mounted, mut bound) = (-(libc::EINVAL as isize), 0);
        for options in &cover.options {
            let options = options.as_ptr() as usize;
            mounted = call(libc::SYS_mount, overlay, target, overlay, cover.flags, options);
            if mounted == 0 {
                break;
            }
        }
        if whole {
            check(STAGE, mounted)?;
            for (mount, within) in &cover.mounts {
                let (mount, within) = (mount.as_ptr() as usize, within.as_ptr() as usize);
                if cover_of_proc(mount) {
                    keep_base(base, within)?;
                }
                check(STAGE, call(libc::SYS_mount, mount, within, 0, bind, 0))?;
            }
        } else {
            for (fd, (mount, _)) in hidden.iter().zip(&cover.mounts) {
                let from = OfDescriptor::new(*fd);
                let (from, mount) = (from.0.as_ptr() as usize, mount.as_ptr() as usize);
                if mounted == 0 {
                    bound = bound.min(call(libc::SYS_mount, from, mount, 0, bind, 0));
                }
                call(libc::SYS_close, *fd, 0, 0, 0, 0);
            }
            check(STAGE, mounted)?;
            if bound < 0 {
                // Better the machine's files than some that hide what is mounted.
                call(libc::SYS_umount2, target, libc::MNT_DETACH as usize, 0, 0, 0);
                check(STAGE, bound)?;
            }
        }
        let folder = libc::O_RDONLY | libc::O_DIRECTORY;
        let roots = [open(upper, folder)?, open(target, folder)?];
        if whole {
            check(STAGE, call(libc::SYS_chdir, below, 0, 0, 0, 0))?;
            let here = c".".as_ptr() as usize;
            check(STAGE, call(libc::SYS_pivot_root, here, here, 0, 0, 0))?;
            check(STAGE, call(libc::SYS_umount2, here, libc::MNT_DETACH as usize, 0, 0, 0))?;
        }
        Ok(roots)
    }
}

/// True for the path of `/proc`.
unsafe fn cover_of_proc(path: usize) -> bool {
    // SAFETY: the caller's promise: a text that ends with a zero byte.
    unsafe { std::ffi::CStr::from_ptr(path as *const libc::c_char) == c"/proc" }
}

/// In a new root, the base lies under its `/proc` as it does in the old one.
unsafe fn keep_base(base: usize, at: usize) -> Result<(), (Stage, i32)> {
    let from = OfDescriptor::new(base);
    // SAFETY: `at` ends with a zero byte by the caller's promise; `from` lives through the call.
    unsafe {
        check(STAGE, call(libc::SYS_mount, from.0.as_ptr() as usize, at, 0, libc::MS_BIND as usize, 0))?;
        let kept = open(at, libc::O_PATH)?;
        check(STAGE, call(libc::SYS_dup3, kept, base, libc::O_CLOEXEC as usize, 0, 0))?;
        call(libc::SYS_close, kept, 0, 0, 0, 0);
    }
    Ok(())
}

/// Takes an overlay away, with what was written there and all that is mounted below it.
pub(super) fn unmount(cover: &Cover, number: usize, base: usize) -> Result<(), (Stage, i32)> {
    let own = [b'0' + number as u8, 0];
    let detach = libc::MNT_DETACH as usize;
    // SAFETY: the paths end with a zero byte, and live through the calls.
    unsafe {
        check(STAGE, call(libc::SYS_umount2, cover.target.as_ptr() as usize, detach, 0, 0, 0))?;
        check(STAGE, call(libc::SYS_fchdir, base, 0, 0, 0, 0))?;
        let gone = call(libc::SYS_umount2, own.as_ptr() as usize, detach, 0, 0, 0);
        call(libc::SYS_chdir, c"/".as_ptr() as usize, 0, 0, 0, 0);
        check(STAGE, gone).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a folder in `/tmp` with another group, which root alone can give it.
    #[test]
    fn what_a_user_namespace_does_not_know_is_the_machines_within_a_cover() {
        let folder = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        if std::os::unix::fs::chown(folder.path(), None, Some(1)).is_err() {
            return;
        }
        let Plan { covers, left } = plan(Files::Own, 1 << 20, &[folder.path()], true).unwrap();
        let around = covers.iter().find(|cover| cover.path == Path::new("/tmp")).unwrap();
        let shown = shown_through(folder.path()).unwrap();
        assert!(around.mounts.contains(&shown), "{around:?}");
        assert!(left.iter().any(|left| left.path == folder.path() && left.inside.is_none()), "{left:?}");
    }
}
