//! What a run leaves: of files, of IPC objects, and what its processes still held at the end.

use super::RunError;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::state::Turns;
use crate::sys::cell::Cell;
use crate::sys::own::Upper;
use crate::sys::procfs;
use crate::sys::upper::{self, Look};
use crate::trace::{Changing, End, Open, Remains};
use std::path::Path;
use syscalls::Sysno;

/// The files of a cell's own in which a run has written.
fn written(cell: &Cell) -> Result<Vec<&Upper>, RunError> {
    let failed = |error| RunError::failed("asking whether the run has changed any files", error);
    cell.files().written().map_err(failed)
}

impl Turns<'_> {
    /// Looks at those of the files that are the run's own in which it has written.
    fn look_at_files(&self, written: &[&Upper], contents: bool) -> Result<Look<'_>, RunError> {
        let mut look = Look::new(&self.settings.launch.cwd, contents);
        for upper in written {
            look.at(upper).map_err(|(path, error)| {
                RunError::failed(format!("looking at what the run has left of {}", path.display()), error)
            })?;
        }
        Ok(look)
    }

    /// True if the run has changed any of the files that are its own.
    pub(super) fn has_written(&self) -> Result<bool, RunError> {
        Ok(!written(self.cell)?.is_empty())
    }

    /// The schedule is about to send a signal: what is there now was not made because of it.
    pub(super) fn note_there(&mut self) -> Result<(), RunError> {
        let changes = self.look_at_files(&written(self.cell)?, false)?.changes;
        let made = changes.into_iter().filter(|change| matches!(change.how, Changing::Made(_)));
        self.noted.there.extend(made.map(|change| change.name));
        Ok(())
    }

    /// Makes sure that the run has room for its files, where a call can give some back. Without, the program sees errors
    /// that nobody has asked for.
    pub(super) fn check_room(&mut self, call: Sysno) -> Result<(), RunError> {
        use Sysno as S;
        let frees = matches!(
            call,
            S::unlink
                | S::unlinkat
                | S::rename
                | S::renameat
                | S::renameat2
                | S::truncate
                | S::ftruncate
                | S::exit_group
        );
        if frees { self.note_full() } else { Ok(()) }
    }

    fn note_full(&mut self) -> Result<(), RunError> {
        let failed = |errno| RunError::failed("asking for the room that is left for the run's files", errno);
        if let Some(folder) = self.cell.files().full().map_err(failed)? {
            let (folder, most) = (folder.display(), self.settings.limits.files);
            self.doubts.unsupported(format!(
                "what the program writes in {folder} is more than it may have in files of its own, {most} bytes in each \
                 folder; give it more (--limit-files), or the machine's files (--files host)"
            ));
        }
        Ok(())
    }

    /// A process is about to end by itself: what it still holds.
    pub(super) fn note_open(&mut self, id: ThreadId) -> Result<(), RunError> {
        let open = self.open_of(id)?;
        self.noted.open.extend(open);
        Ok(())
    }

    /// Nobody goes on any more: what each process holds while it sleeps. Where a limit is what ends the run, that is chance.
    pub(super) fn note_held(&mut self, end: &End) -> Result<(), RunError> {
        if !matches!(end, End::Hang(_) | End::Idle(_)) {
            return Ok(());
        }
        let mut held = Vec::new();
        for process in (0..self.tree.processes.len()).map(ProcessId) {
            let client = self.tree.process(process).name.client_of().is_some();
            if let Some(id) = self.tree.live_thread_of(process).filter(|_| !client) {
                held.extend(self.open_of(id)?);
            }
        }
        held.sort_by(|one, other| one.process.cmp(&other.process));
        self.noted.held = held;
        Ok(())
    }

    /// What the process of this thread holds from its fourth descriptor on; none if that is nothing, or if it is gone.
    fn open_of(&self, id: ThreadId) -> Result<Option<Open>, RunError> {
        let thread = self.tree.thread(id);
        let process = self.tree.process(thread.process).name.clone();
        let failed = |error| {
            if procfs::gone(&error) {
                Ok(None)
            } else {
                Err(RunError::failed(format!("reading the descriptors of {process}"), error))
            }
        };
        let mut numbers = match thread.door.descriptors_opened() {
            Ok(numbers) => numbers,
            Err(error) => return failed(error),
        };
        numbers.sort_unstable();
        let mut descriptors = Vec::with_capacity(numbers.len());
        for number in numbers {
            match thread.door.descriptor(number) {
                Ok(is) => descriptors.push(self.called(&is)),
                Err(error) => return failed(error),
            }
        }
        Ok((!descriptors.is_empty()).then_some(Open { process, descriptors }))
    }

    /// What a descriptor is, without what is another number every time.
    fn called(&self, is: &str) -> String {
        if is.starts_with('/') {
            return upper::name(&self.settings.launch.cwd, Path::new(is));
        }
        match is.split_once(":[") {
            Some((kind @ ("pipe" | "socket"), _)) => kind.to_owned(),
            _ => is.to_owned(),
        }
    }

    /// All of it, when nothing of the run is left.
    pub(super) fn remains(&mut self) -> Result<Remains, RunError> {
        let written = written(self.cell)?;
        if !written.is_empty() {
            self.note_full()?;
        }
        let Look { mut changes, more, .. } = self.look_at_files(&written, true)?;
        let objects = self.cell.ipc_objects();
        changes.extend(objects.map_err(|error| RunError::failed("looking at the run's IPC objects", error))?);
        for change in &mut changes {
            let made = matches!(change.how, Changing::Made(_));
            change.before_signal |= made && self.noted.there.contains(&change.name);
        }
        changes.sort();
        let mut open = std::mem::take(&mut self.noted.open);
        open.sort_by(|one, other| one.process.cmp(&other.process));
        let held = std::mem::take(&mut self.noted.held);
        Ok(Remains { changes, more, open, held })
    }
}
