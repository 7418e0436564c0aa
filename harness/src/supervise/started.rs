//! What the first process does as it starts, as `Observe::Signals` tells it: where it opens a file that is named, and where it
//! begins to take signals.

use super::Observe;
use super::state::Turns;
use crate::schedule::{Point, Site, Syscall, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::calls;
use std::collections::BTreeMap;
use syscalls::Sysno;

/// What the first process does as it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The call by which it first opens the file that was named; if it opens that several times, with nothing else in between, the last
    /// of these: CPython looks first whether a script is an archive (`zipimport`).
    pub opened: Option<Point>,
    /// The signals for which it installs handlers, and how many events there were before it first did.
    pub handled: BTreeMap<Signal, usize>,
    /// The same of when it last did.
    pub handled_last: BTreeMap<Signal, usize>,
    /// The signals that it catches as it makes a process or executes a program, and how many events there were before it first
    /// did.
    pub kept: BTreeMap<Signal, usize>,
    /// The programs that it ran as it made processes, and how many events there were before it first made one in that program.
    pub makers: BTreeMap<String, usize>,
    /// What it hears when everything sleeps.
    pub awaited: SignalSet,
    /// What it catches now, as far as its present program has said so.
    caught: SignalSet,
    /// It has changed its working directory, so that a relative path is another file now.
    moved: bool,
    /// It has opened the file that was named, and then something else.
    went_on: bool,
}

impl Turns<'_> {
    /// Takes note of a call that is about to be let happen, if it makes a process, executes a program, or opens the file that is looked
    /// for.
    pub(super) fn note_start(&mut self, id: ThreadId, call: Syscall, held: &Held) {
        let Observe::Signals(file) = self.observe else { return };
        let thread = self.tree.thread(id);
        if thread.name != ThreadName::root() {
            return;
        }
        self.note_launching(id, call);
        if self.journal.start.went_on {
            return;
        }
        let Some(file) = file else { return };
        let thread = self.tree.thread(id);
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
        let Ok(path) = thread.door.path(path) else { return };
        let known = path.is_absolute() || folder == libc::AT_FDCWD && !self.journal.start.moved;
        if let (Place::Before(call, nth) | Place::Entering(call, nth), true) = (held.place(), known)
            && self.settings.launch.cwd.join(path) == *file
        {
            let (thread, site) = (thread.name.clone(), Site::Before(call));
            self.journal.start.opened = Some(Point { thread, site, nth });
        } else {
            self.journal.start.went_on = self.journal.start.opened.is_some();
        }
    }

    /// Whatever is caught while a process is made, or a program is executed, is not caught for a single wait.
    fn note_launching(&mut self, id: ThreadId, call: Syscall) {
        let makes = calls::is_making(call.0 as i32);
        let executes = matches!(call.sysno(), Some(Sysno::execve | Sysno::execveat));
        if !makes && !executes {
            return;
        }
        let events = self.journal.events.len();
        let program = self.tree.process_of(id).program.clone();
        let start = &mut self.journal.start;
        for signal in start.caught.iter() {
            start.kept.entry(signal).or_insert(events);
        }
        if makes {
            start.makers.entry(program).or_insert(events);
        }
    }

    /// Takes note of a handler that is about to be installed, or taken away.
    pub(super) fn note_installing(&mut self, id: ThreadId, signal: Signal, handled: bool) {
        if self.tree.process_of(id).name != ThreadName::root() {
            return;
        }
        let events = self.journal.events.len();
        let (start, only) = (&mut self.journal.start, SignalSet::only(signal));
        if handled {
            start.handled.entry(signal).or_insert(events);
            start.handled_last.insert(signal, events);
            start.caught = start.caught.union(only);
        } else {
            start.caught = start.caught.without(only);
        }
    }
}
