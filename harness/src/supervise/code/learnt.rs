//! What runs show of a program that later runs, of any supervisor of the search, need not find out again.

use crate::supervise::code::loader::Loader;
use crate::supervise::code::places::Places;
use crate::supervise::code::ticks::Ticks;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// It makes runs faster, and changes nothing of what they report.
#[derive(Debug, Default)]
pub struct Learnt {
    loader: Mutex<Loader>,
    shared: Mutex<Vec<(PathBuf, String)>>,
    /// Where in its file a program's code is.
    pub(in crate::supervise) places: Places,
    /// Where a program of Go reads the processor's counter.
    pub(in crate::supervise) ticks: Ticks,
}

impl Learnt {
    fn known(&self) -> MutexGuard<'_, Loader> {
        self.loader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the code of the dynamic loader is, if that is known: what it does to files need not be notified.
    pub(in crate::supervise) fn loader(&self) -> Option<Range<u64>> {
        self.known().known()
    }

    /// Takes in where the programs of a run had their loaders.
    pub(in crate::supervise) fn loaders(&self, seen: &[Range<u64>]) {
        self.known().learn(seen);
    }

    /// Some program had its loader elsewhere.
    pub(in crate::supervise) fn loader_varies(&self) {
        *self.known() = Loader::Varies;
    }

    /// Takes in which folders should have been the runs' own, and are the machine's.
    pub(in crate::supervise) fn shared(&self, folders: &[(PathBuf, String)]) {
        folders.clone_into(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What follows from that for the runs, a sentence for each folder.
    pub fn notes(&self) -> Vec<String> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let note = |(folder, why): &(PathBuf, String)| {
            let folder = folder.display();
            format!(
                "files in {folder} are the machine's: what a run leaves there, the next one finds ({why})"
            )
        };
        shared.iter().map(note).collect()
    }
}
