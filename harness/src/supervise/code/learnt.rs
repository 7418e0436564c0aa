//! What runs show of a program that later runs, of any supervisor of the search, need not find out again.

use crate::code::Memory;
use crate::schedule::Point;
use crate::supervise::code::loader::Loader;
use crate::supervise::code::loaders;
use crate::supervise::code::places::Places;
use crate::supervise::code::ticks::Ticks;
use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

/// So many are remembered.
const MOST_SLEPT: usize = 10_000;

/// It makes runs faster, and changes nothing of what they report.
#[derive(Debug, Default)]
pub struct Learnt {
    loader: Mutex<Loader>,
    recalled: OnceLock<()>,
    shared: Mutex<Vec<(PathBuf, String)>>,
    numbers: AtomicBool,
    goes_round: AtomicBool,
    computes_on: AtomicBool,
    /// Calls in which threads slept that mostly do not, each by its point.
    slept: RwLock<HashSet<Point>>,
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

    /// Takes in where an earlier command has found the loader of this program, before the first run.
    pub(in crate::supervise) fn recall(&self, memory: &dyn Memory, program: &Path) {
        self.recalled.get_or_init(|| {
            if let Some(range) = loaders::recall(memory, program) {
                *self.known() = Loader::Remembered(range);
            }
        });
    }

    /// Takes in where the programs of a run had their loaders, the first of them the one of this program.
    pub(in crate::supervise) fn loaders(&self, memory: &dyn Memory, program: &Path, seen: &[Range<u64>]) {
        let mut known = self.known();
        let unknown = *known == Loader::Unknown;
        known.learn(seen);
        if let (true, Loader::At(range)) = (unknown, &*known) {
            loaders::keep(memory, program, range);
        }
    }

    /// Some program had its loader elsewhere.
    pub(in crate::supervise) fn loader_is_elsewhere(&self) {
        self.known().refute();
    }

    /// A run may have looked at the number of a file that it had made (`supervise/numbers.rs`).
    pub(in crate::supervise) fn numbers_are_looked_at(&self) {
        self.numbers.store(true, Ordering::Relaxed);
    }

    /// True if runs may look at numbers of files that they have made, as far as is known.
    pub(in crate::supervise) fn numbers_matter(&self) -> bool {
        self.numbers.load(Ordering::Relaxed)
    }

    /// A thread was found to go round in a loop that changes nothing: others may (`supervise/code/round.rs`).
    pub(in crate::supervise) fn one_goes_round(&self) {
        self.goes_round.store(true, Ordering::Relaxed);
    }

    /// True if that has been found.
    pub(in crate::supervise) fn goes_round(&self) -> bool {
        self.goes_round.load(Ordering::Relaxed)
    }

    /// Of a thread that computes it could not be found that it goes round: nor will it be of others, if that was never found.
    pub(in crate::supervise) fn one_computes_on(&self) {
        self.computes_on.store(true, Ordering::Relaxed);
    }

    /// True if threads compute on, as far as is known, and none goes round.
    pub(in crate::supervise) fn computes_on(&self) -> bool {
        self.computes_on.load(Ordering::Relaxed) && !self.goes_round()
    }

    /// A thread was found asleep in this visit of a call, in which it mostly does not sleep.
    pub(in crate::supervise) fn slept(&self, visit: Point) {
        let mut known = self.slept.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_SLEPT {
            known.insert(visit);
        }
    }

    /// True if it was in this one, by its visit. Nothing will tell of it then, if it is again.
    pub(in crate::supervise) fn has_slept(&self, visit: impl FnOnce() -> Point) -> bool {
        let known = self.slept.read().unwrap_or_else(PoisonError::into_inner);
        !known.is_empty() && known.contains(&visit())
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
