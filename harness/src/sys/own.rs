//! The files of a cell that are its own, as the supervisor has them: what of them a run has changed, and whether the next
//! run can have them.
//!
//! NOTE \[Worn\]. A run that removes what it has made, or has left but a few new files, which are removed for it, leaves an upper
//! layer that is empty again, which costs less to keep than to make anew. Nothing is left of that run but this: a tmpfs numbers
//! its files in order (`st_ino` of inode(7)), and new ones get higher numbers than in a fresh one. Such a layer is worn. Who asks
//! for a file's number by stat(2) is told the one that it has in a fresh layer. For programs that may come to know it in
//! another way no worn layer is kept, and a run in one that does is worth nothing (`supervise/numbers.rs`).

use super::overlay::{Cover, Left, ROOTS};
use super::skeleton::{After, Kept};
use super::stat::Given;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statvfs::fstatvfs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// An upper layer.
#[derive(Debug)]
pub struct Upper {
    /// Its root, and folders within that runs are likely to write in. What is within a folder comes after it.
    kept: Vec<Kept>,
    /// True if it is an ordinary user's, whose overlay keeps its notes in attributes of another name.
    pub(super) user: bool,
    /// Blocks and files that can still be made: as many as at first only if nothing is there but what was, the overlay's own
    /// folders included.
    room: (u64, u64),
    worn: bool,
    numbers: Option<Numbers>,
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

    /// The number that this one would be in a fresh layer. Those of files that were there before have bits of the overlay's own
    /// above, where it gives them the same device.
    fn shown(self, number: u64) -> u64 {
        const ABOVE: u64 = 1 << 48;
        if (self.last + 1..ABOVE).contains(&number) { number - self.last + self.fresh } else { number }
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

/// Folders that are kept in one upper layer, at most: of each there are two descriptors.
const MOST_KEPT: usize = 32;

impl Upper {
    /// One that has just been mounted. `likely` are folders within that runs are likely to write in: the overlay copies them, and
    /// those around them, to the upper layer now, or each run would have it done anew and leave folders.
    fn new(path: PathBuf, roots: [OwnedFd; ROOTS], user: bool, likely: &[PathBuf]) -> Result<Upper, Errno> {
        let mut kept = vec![Kept::new(path.clone(), roots)?];
        for likely in likely {
            let Ok(within) = likely.strip_prefix(&path) else { continue };
            let (mut at, mut shown) = (0, path.clone());
            for name in within {
                shown.push(name);
                if let Some(known) = kept.iter().position(|kept| kept.path == shown) {
                    at = known;
                    continue;
                }
                if kept.len() == MOST_KEPT {
                    break;
                }
                let Some(copy) = kept.get_mut(at).map(|around| around.copy(name)).transpose()?.flatten()
                else {
                    break;
                };
                at = kept.len();
                kept.push(copy);
            }
        }
        let mut upper = Upper { kept, user, room: (0, 0), worn: false, numbers: None };
        upper.kept.iter_mut().try_for_each(Kept::begin)?;
        upper.numbers = Numbers::of(&upper.root().over);
        upper.room = upper.room_left()?;
        Ok(upper)
    }

    pub(super) fn root(&self) -> &Kept {
        &self.kept[0]
    }

    /// The folder that it lies over.
    pub fn path(&self) -> &Path {
        &self.root().path
    }

    /// The kept one that this folder of the machine's is under; none if it is not.
    pub(super) fn kept(&self, path: &Path) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.path == path)
    }

    fn room_left(&self) -> Result<(u64, u64), Errno> {
        let room = fstatvfs(&self.root().root)?;
        Ok((room.blocks_free(), room.files_free()))
    }

    /// True if anything was made, changed or removed, even if nothing of it is left.
    pub fn is_changed(&self) -> Result<bool, Errno> {
        for kept in &self.kept {
            if kept.after()? == After::Changed {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes it what it was, if it is but for its times, and for what it shows of being worn if it `may_be`; else false. To be
    /// asked when nobody is left that could write.
    fn set_back(&mut self, may_be: bool) -> Result<bool, Errno> {
        let after = self.kept.iter().map(Kept::after).collect::<Result<Vec<_>, _>>()?;
        let is_changed = after.contains(&After::Changed);
        if (is_changed || self.worn) && !may_be {
            return Ok(false);
        }
        if is_changed {
            for (kept, _) in self.kept.iter().zip(&after).filter(|(_, after)| **after == After::Changed) {
                if !kept.tidy()? {
                    return Ok(false);
                }
            }
            if self.room_left()? != self.room {
                return Ok(false);
            }
        }
        for (kept, _) in self.kept.iter_mut().zip(after).filter(|(_, after)| *after != After::Same) {
            kept.set_back()?;
        }
        if is_changed {
            self.worn = true;
            let last = unnamed(&self.root().root).map(|(_, last)| last);
            self.numbers = self.numbers.zip(last).map(|(numbers, last)| Numbers { last, ..numbers });
        }
        Ok(true)
    }
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
    /// Folders in it that would be covered if it were not.
    within: Vec<PathBuf>,
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
        let folder = |(number, cover): (usize, &Cover)| {
            let within = covers.iter().filter(|other| other.inside == Some(number));
            let within = within.map(|other| other.path.clone()).collect();
            Folder { path: cover.path.clone(), within, upper: None }
        };
        let reason = Errno::from_raw(sent.errno).desc();
        let folders = covers.iter().enumerate().map(folder).collect();
        let mut own = Own { folders, user, shared: Vec::new() };
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
            folder.upper = Some(Upper::new(folder.path.clone(), [root, over], self.user, &folder.within)?);
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
        for Upper { kept, numbers, .. } in self.uppers() {
            if kept.iter().any(|kept| kept.number == (device, number)) {
                return Shown::Number(number);
            }
            match numbers {
                Some(numbers) if numbers.device == device => return Shown::Number(numbers.shown(number)),
                // Other folders have numbers of the overlay's own, which go on as well.
                _ if kept.iter().any(|kept| kept.number.0 == device) => return Shown::Unknown,
                Some(_) => {}
                None => shown = Shown::Unknown,
            }
        }
        shown
    }

    /// When the kernel gave a folder that is kept this date, on the machine; none if it is no such folder, or that is not known.
    pub fn date(&self, (device, number): (u64, u64), which: Given) -> Option<(i64, u32)> {
        let mut kept = self.uppers().flat_map(|upper| &upper.kept);
        kept.find(|kept| kept.number == (device, number))?.date(which)
    }

    /// A folder in which nothing more can be written, if there is one: what it may take is used up.
    pub fn full(&self) -> Result<Option<&Path>, Errno> {
        for upper in self.uppers() {
            let (blocks, files) = upper.room_left()?;
            if blocks == 0 || files == 0 {
                return Ok(Some(upper.path()));
            }
        }
        Ok(None)
    }

    /// The numbers of those that cannot be kept for the next run, and of those below them, which go with them. The others are set
    /// back. To be asked when nobody is left that could write.
    pub(super) fn unfit(&mut self, may_be_worn: bool) -> Result<Vec<i32>, Errno> {
        let (mut numbers, mut gone): (Vec<i32>, Vec<PathBuf>) = Default::default();
        for (number, Folder { path, upper, .. }) in self.folders.iter_mut().enumerate() {
            let Some(upper) = upper else { continue };
            let goes = gone.iter().any(|above| path.starts_with(above));
            if goes || !upper.set_back(may_be_worn)? {
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
