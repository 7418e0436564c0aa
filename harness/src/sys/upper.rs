//! What lies in an upper layer: what a run has made, changed and removed of the files below it.
//!
//! Of a file that the run has opened for writing, or of which it has changed an attribute, there is a copy in the upper layer;
//! so contents are compared. What is below is found by its plain path, since the supervisor is not in the run's mount
//! namespace. An upper layer that is looked at has been written to and is thrown away before the next run, so files that may
//! not be read are made readable.

use super::own::Upper;
use super::skeleton::{After, Kept};
use crate::trace::{Change, Changing, Object};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::geteuid;
use sha2::{Digest, Sha256};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A larger file's content is not read.
const LARGE: u64 = 8 << 20;
/// Of all files of a run no more than this is read.
const ALL: u64 = 64 << 20;
/// So many changes are listed.
const MOST: usize = 1000;
/// Folders within folders, before the rest is only counted.
const DEEP: usize = 64;

/// Looks at upper layers, one after the other.
#[derive(Debug)]
pub struct Look<'a> {
    cwd: &'a Path,
    contents: bool,
    left_to_read: u64,
    /// What was found.
    pub changes: Vec<Change>,
    /// How many more there were.
    pub more: u64,
}

/// What an upper layer's folder lies over.
struct Below {
    /// What shines through; none where nothing does.
    through: Option<PathBuf>,
    /// What was there and is hidden.
    hidden: Option<PathBuf>,
}

impl Look<'_> {
    /// At nothing yet. Names are told from the working directory on. Without `contents` no file is read, and what is told of
    /// files that were there before is not to be relied on.
    pub fn new(cwd: &Path, contents: bool) -> Look<'_> {
        Look { cwd, contents, left_to_read: ALL, changes: Vec::new(), more: 0 }
    }

    /// Looks at one that has been written to.
    pub fn at(&mut self, upper: &Upper) -> Result<(), Unread> {
        self.kept(upper.root(), upper, 0)
    }

    /// At a folder that was there before the run, as no others were.
    fn kept(&mut self, kept: &Kept, upper: &Upper, depth: usize) -> Result<(), Unread> {
        let after = kept.after().map_err(|errno| of(&kept.path)(errno.into()))?;
        if after == After::Changed {
            let (here, below) = (kept.way(), Below { through: Some(kept.path.clone()), hidden: None });
            permit(&here, 0o700).map_err(of(&kept.path))?;
            return self.folder(&here, &kept.path, &below, upper, depth);
        }
        // It has no others in it than before.
        let mut within = kept.within.iter().filter_map(|name| upper.kept(&kept.path.join(name)));
        within.try_for_each(|within| self.kept(within, upper, depth + 1))
    }

    fn folder(
        &mut self,
        here: &Path,
        shown: &Path,
        below: &Below,
        upper: &Upper,
        depth: usize,
    ) -> Result<(), Unread> {
        if depth == DEEP {
            self.more += 1;
            return Ok(());
        }
        let names = names(here).map_err(of(shown))?;
        if let Some(hidden) = &below.hidden {
            match self::names(hidden) {
                Ok(before) => before
                    .iter()
                    .filter(|name| !names.contains(name))
                    .for_each(|name| self.tell(&shown.join(name), Changing::Removed)),
                // What cannot be read is not known.
                Err(_) => self.more += 1,
            }
        }
        for name in names {
            let (path, shown) = (here.join(&name), shown.join(&name));
            let is = path.symlink_metadata().map_err(of(&shown))?;
            if let Some(kept) = upper.kept(&shown).filter(|kept| kept.is_at(&is)) {
                self.kept(kept, upper, depth + 1)?;
                continue;
            }
            let old = below.through.as_ref().or(below.hidden.as_ref()).map(|below| below.join(&name));
            let old = old.and_then(|old| Some((old.symlink_metadata().ok()?, old)));
            if is.file_type().is_char_device() && is.rdev() == 0 {
                if old.is_some() {
                    self.tell(&shown, Changing::Removed);
                }
            } else if is.is_dir() {
                // To read what the overlay has noted takes the same right as to read its names.
                permit(&path, 0o700).map_err(of(&shown))?;
                let below = self.below(&path, &shown, old, below, upper).map_err(of(&shown))?;
                self.folder(&path, &shown, &below, upper, depth + 1)?;
            } else {
                self.file(&path, &is, &shown, old).map_err(of(&shown))?;
            }
        }
        Ok(())
    }

    /// Tells of a folder itself, and gives what it lies over. `around` is that of the folder that it is in.
    fn below(
        &mut self,
        path: &Path,
        shown: &Path,
        old: Option<(Metadata, PathBuf)>,
        around: &Below,
        upper: &Upper,
    ) -> io::Result<Below> {
        let opaque = upper.attribute(path, "opaque")?.is_some();
        let from = upper.attribute(path, "redirect")?.map(|to| PathBuf::from(OsString::from_vec(to)));
        // From the overlay's root, or another name in the same folder.
        let from = from.and_then(|from| match from.strip_prefix("/") {
            Ok(within) => Some(upper.path().join(within)),
            Err(_) => Some(around.through.as_ref()?.join(&from)),
        });
        let object = from.as_deref().map_or(Object::Folder, |from| Object::MovedFolder(self.name(from)));
        match &old {
            None => self.tell(shown, Changing::Made(object)),
            Some((was, _)) if was.is_dir() && from.is_none() => {}
            Some(_) => self.tell(shown, Changing::Changed(object)),
        }
        let old = old.filter(|(was, _)| was.is_dir()).map(|(_, old)| old);
        Ok(match from {
            None if opaque => Below { through: None, hidden: old },
            None => Below { through: old, hidden: None },
            Some(from) => Below { through: Some(from), hidden: old },
        })
    }

    /// Anything but a folder, and what was there before.
    fn file(
        &mut self,
        path: &Path,
        is: &Metadata,
        shown: &Path,
        old: Option<(Metadata, PathBuf)>,
    ) -> io::Result<()> {
        if is.is_file() {
            permit(path, 0o400)?;
        }
        let object = self.object(path, is)?;
        let Some((was, old)) = old else {
            self.tell(shown, Changing::Made(object));
            return Ok(());
        };
        let same = match &object {
            Object::File { size, digest, .. } => {
                let dated = |of: &Metadata| (of.mtime(), of.mtime_nsec());
                was.is_file()
                    && was.len() == *size
                    // A copy has the date of what it was made from, until it is written to.
                    && (digest.is_none() && dated(&was) == dated(is)
                        || digest.is_some() && self.object(&old, &was).is_ok_and(|old| old == object))
            }
            _ => self.object(&old, &was).is_ok_and(|old| old == object),
        };
        if !same {
            self.tell(shown, Changing::Changed(object));
        }
        Ok(())
    }

    fn object(&mut self, path: &Path, is: &Metadata) -> io::Result<Object> {
        let kind = is.file_type();
        Ok(if kind.is_file() {
            let size = is.len();
            let read = self.contents && size <= LARGE && size <= self.left_to_read;
            let content = if read { Some(content(path, is)?) } else { None };
            self.left_to_read -= if read { size } else { 0 };
            let cut = content.as_ref().is_some_and(|(_, cut)| *cut);
            Object::File { size, digest: content.map(|(digest, _)| digest), cut }
        } else if kind.is_symlink() {
            Object::Link(text(&fs::read_link(path)?))
        } else if kind.is_fifo() {
            Object::Fifo
        } else if kind.is_socket() {
            Object::Socket
        } else if kind.is_dir() {
            Object::Folder
        } else {
            Object::Device
        })
    }

    fn tell(&mut self, shown: &Path, how: Changing) {
        if self.changes.len() < MOST {
            self.changes.push(Change { name: self.name(shown), how, before_signal: false });
        } else {
            self.more += 1;
        }
    }

    fn name(&self, path: &Path) -> String {
        name(self.cwd, path)
    }
}

/// What could not be looked at, and why.
pub type Unread = (PathBuf, io::Error);

fn of(shown: &Path) -> impl Fn(io::Error) -> Unread {
    move |error| (shown.to_owned(), error)
}

/// What a path is called: from the working directory on, if it is in it.
pub fn name(cwd: &Path, path: &Path) -> String {
    match path.strip_prefix(cwd) {
        Ok(within) if within.as_os_str().is_empty() => ".".to_owned(),
        // Everything is in the root, and is known by its whole path.
        Ok(within) if cwd != Path::new("/") => text(within),
        Ok(_) | Err(_) => text(path),
    }
}

/// A path as text: other bytes than UTF-8 as `\xff`.
fn text(path: &Path) -> String {
    let chunks = path.as_os_str().as_bytes().utf8_chunks();
    chunks.map(|chunk| format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii())).collect()
}

/// Has its owner have these rights to something in an upper layer. To what belongs to others only root's programs can have
/// written, and root may read it anyway.
fn permit(path: &Path, rights: u32) -> io::Result<()> {
    let is = path.metadata()?;
    if is.mode() & rights != rights && is.uid() == geteuid().as_raw() {
        fs::set_permissions(path, fs::Permissions::from_mode(is.mode() | rights))?;
    }
    Ok(())
}

/// Opens something for reading, by which it is not dated as read where that can be had: the machine's own files are read as well.
fn open<T>(open: impl Fn(OFlag) -> nix::Result<T>) -> io::Result<T> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    match open(flags | OFlag::O_NOATIME) {
        // It is another user's (open(2)).
        Err(Errno::EPERM) => Ok(open(flags)?),
        other => Ok(other?),
    }
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut folder = open(|flags| Dir::open(folder, flags | OFlag::O_DIRECTORY, Mode::empty()))?;
    let names = folder.iter().map(|entry| Ok(OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned()));
    let names = names.filter(|name| !name.as_ref().is_ok_and(|name| name == "." || name == ".."));
    let mut names = names.collect::<io::Result<Vec<OsString>>>()?;
    names.sort();
    Ok(names)
}

/// The digest of a file's content, and whether it ends in the middle of a line.
fn content(path: &Path, is: &Metadata) -> io::Result<(String, bool)> {
    let mut file =
        File::from(open(|flags| nix::fcntl::open(path, flags | OFlag::O_NOFOLLOW, Mode::empty()))?);
    let (mut hasher, mut buffer, mut last) =
        (Sha256::new(), vec![0; (is.len() as usize).clamp(1, 64 << 10)], None);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            got => {
                hasher.update(&buffer[..got]);
                last = buffer[..got].last().copied();
            }
        }
    }
    let digest = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((digest, last.is_some_and(|last| last != b'\n')))
}

impl Upper {
    /// What the overlay has noted of a file.
    fn attribute(&self, path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
        let name = format!("{}.overlay.{name}", if self.user { "user" } else { "trusted" });
        let (path, name) = (CString::new(path.as_os_str().as_bytes())?, CString::new(name)?);
        attribute(&path, &name)
    }
}

/// An extended attribute; none if there is no such one (xattr(7)).
fn attribute(path: &CStr, name: &CStr) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: both are texts with a zero byte, and `value` is as long as said; all live through the call.
    let got =
        unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    match usize::try_from(got) {
        Ok(got) => {
            value.truncate(got);
            Ok(Some(value))
        }
        Err(_) => match io::Error::last_os_error() {
            error if matches!(error.raw_os_error(), Some(libc::ENODATA | libc::EOPNOTSUPP)) => Ok(None),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_at_the_working_directory_where_they_can() {
        let name = |cwd: &str, path: &[u8]| name(Path::new(cwd), Path::new(OsStr::from_bytes(path)));
        assert_eq!(name("/srv/a", b"/srv/a/b/c"), "b/c");
        assert_eq!(name("/srv/a", b"/srv/ab"), "/srv/ab");
        assert_eq!(name("/srv/a", b"/srv/a"), ".");
        assert_eq!(name("/", b"/tmp/x"), "/tmp/x");
        assert_eq!(name("/", b"/caf\xe9 \xc3\xa9"), "/caf\\xe9 \u{e9}");
    }
}
