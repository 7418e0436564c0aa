//! What the first process does as it starts, as `Observe::Signals` tells it: where it opens a file that is named, and where it
//! begins to take signals.

use super::Observe;
use super::state::Turns;
use crate::schedule::{Point, Site, Syscall, ThreadName};
use crate::signal::Signal;
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::ThreadId;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use syscalls::Sysno;

/// Paths are no longer (path_resolution(7)), with the zero byte at the end.
const PATH_MAX: usize = 4096;
/// Memory is there by pages of so many bytes.
const PAGE: u64 = 4096;

/// What the first process does as it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The call by which it first opens the file that was named.
    pub opened: Option<Point>,
    /// The signals for which it installs handlers, and how many events there were before it first did.
    pub handled: BTreeMap<Signal, usize>,
    /// It has changed its working directory, so that a relative path is another file now.
    moved: bool,
}

impl Turns<'_> {
    /// Takes note of a call that is about to be let happen, if it opens the file that is looked for.
    pub(super) fn note_start(&mut self, id: ThreadId, call: Syscall, held: &Held) {
        let Observe::Signals(Some(file)) = self.observe else { return };
        let thread = self.tree.thread(id);
        if thread.name != ThreadName::root() || self.journal.start.opened.is_some() {
            return;
        }
        let args = held.args();
        let (folder, path) = match call.sysno() {
            Some(Sysno::open) => (libc::AT_FDCWD, args[0]),
            Some(Sysno::openat | Sysno::openat2) => (args[0] as i32, args[1]),
            Some(Sysno::chdir | Sysno::fchdir) => {
                self.journal.start.moved = true;
                return;
            }
            _ => return,
        };
        // A bad address is the kernel's to report.
        let Ok(path) = self.path(id, path) else { return };
        let known = path.is_absolute() || folder == libc::AT_FDCWD && !self.journal.start.moved;
        if let (Place::Before(call, nth) | Place::Entering(call, nth), true) = (held.place(), known)
            && self.settings.launch.cwd.join(path) == *file
        {
            let (thread, site) = (thread.name.clone(), Site::Before(call));
            self.journal.start.opened = Some(Point { thread, site, nth });
        }
    }

    /// Takes note of a handler that is about to be installed.
    pub(super) fn note_installing(&mut self, id: ThreadId, signal: Signal) {
        if self.tree.process_of(id).name == ThreadName::root() {
            let events = self.journal.events.len();
            self.journal.start.handled.entry(signal).or_insert(events);
        }
    }

    /// The path at this address of the thread's memory.
    fn path(&self, id: ThreadId, address: u64) -> Result<PathBuf, Errno> {
        let mut path = Vec::new();
        while path.len() < PATH_MAX {
            let from = address.checked_add(path.len() as u64).ok_or(Errno::EFAULT)?;
            let bytes = self.tree.thread(id).door.read_bytes(from, (PAGE - from % PAGE) as usize)?;
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
}
