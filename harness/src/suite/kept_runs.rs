//! Runs that are kept, so that a search that was interrupted can go on where it was.
//!
//! NOTE \[Kept runs\] A search is the same each time for the same program, seed and settings. So going on is making it again, with the runs
//! that are kept taken instead of made. What a run shows hangs on its settings and its schedule alone: these are its key. A schedule that
//! is run several times, to confirm a finding, is kept as often, and taken as often. Runs that are looked at more closely are few, and are made again.

use crate::compile;
use crate::schedule::Schedule;
use crate::store::{self, FileError};
use crate::supervise::{Observe, Observed, RunError, Settings, Supervise};
use crate::trace::Run;
use crate::world::{Start, World};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The version of the file's form.
const FORMAT: u32 = 1;
/// What it is called.
const NAME: &str = "runs";

/// What all runs that are kept together have in common: the first line of its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Common {
    format: u32,
    /// The version of sigrace that made them.
    sigrace: String,
    /// The digest of the program.
    digest: String,
    /// What chance was made from.
    pub seed: u64,
    /// When each run begins by its own clocks.
    pub start: Option<Start>,
}

impl Common {
    /// Of runs of the program with this digest.
    pub fn new(digest: String, seed: u64, start: Option<Start>) -> Common {
        Common { format: FORMAT, sigrace: env!("CARGO_PKG_VERSION").to_owned(), digest, seed, start }
    }
}

/// Where runs are kept: a line each, its key and then the run.
#[derive(Debug)]
pub struct KeptRuns {
    path: PathBuf,
    common: Common,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    end: u64,
    /// Where in the file the runs with each key are that were not taken yet.
    known: HashMap<String, VecDeque<(u64, usize)>>,
}

/// Why runs cannot be kept there.
#[derive(Debug, thiserror::Error)]
pub enum KeptRunsError {
    /// Its folder cannot be made.
    #[error(transparent)]
    Folder(#[from] FileError),
    /// Its file cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It holds no runs, or others.
    #[error("{}: {why}; remove it, or name another folder", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl KeptRuns {
    /// Those in this folder, which is made if it is not there. `fresh` is what its runs would have in common; `seed` is that which
    /// was asked for.
    pub fn open(folder: &Path, fresh: &Common, seed: Option<u64>) -> Result<KeptRuns, KeptRunsError> {
        store::make_directory(folder)?;
        let path = folder.join(NAME);
        let fail = |error| KeptRunsError::File { path: path.clone(), error };
        let other = |why: String| KeptRunsError::Other { path: path.clone(), why };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        let mut reader = BufReader::new(file.try_clone().map_err(fail)?);
        let mut line = Vec::new();
        let mut end = reader.read_until(b'\n', &mut line).map_err(fail)? as u64;
        if line.is_empty() {
            let text = ron::to_string(fresh).map_err(|error| other(error.to_string()))? + "\n";
            file.write_all_at(text.as_bytes(), 0).map_err(fail)?;
            let state = State { file, end: text.len() as u64, known: HashMap::new() };
            return Ok(KeptRuns { path, common: fresh.clone(), state: Mutex::new(state) });
        }
        let text = String::from_utf8_lossy(&line);
        let common: Common = ron::from_str(text.trim_end()).map_err(|error| other(format!("1:{error}")))?;
        if (common.format, common.sigrace.as_str()) != (FORMAT, fresh.sigrace.as_str()) {
            return Err(other(format!("its runs were made by sigrace {}", common.sigrace)));
        }
        if common.digest != fresh.digest {
            return Err(other("its runs are of another build of the program".to_owned()));
        }
        if seed.is_some_and(|seed| seed != common.seed) {
            return Err(other(format!("its runs were made with the seed {}", common.seed)));
        }
        let mut known: HashMap<String, VecDeque<(u64, usize)>> = HashMap::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(fail)?;
            // Who was ended while it wrote has left half a line, which the next one takes the place of.
            if line.last() != Some(&b'\n') {
                break;
            }
            let key = line.split(|byte| *byte == b' ').next().unwrap_or_default();
            let key = String::from_utf8_lossy(key).into_owned();
            let begin = key.len() + 1;
            known.entry(key).or_default().push_back((end + begin as u64, read.saturating_sub(begin)));
            end += read as u64;
        }
        file.set_len(end).map_err(fail)?;
        Ok(KeptRuns { path, common, state: Mutex::new(State { file, end, known }) })
    }

    /// What its runs have in common.
    pub fn common(&self) -> &Common {
        &self.common
    }

    /// How many runs it has that were not taken yet.
    pub fn left(&self) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.known.values().map(VecDeque::len).sum()
    }

    /// The next run with this key; none if there is none, or what is there is not to be understood.
    fn take(&self, key: &str) -> Option<Run> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, length) = state.known.get_mut(key)?.pop_front()?;
        let mut bytes = vec![0; length];
        state.file.read_exact_at(&mut bytes, place).ok()?;
        drop(state);
        ron::from_str(std::str::from_utf8(&bytes).ok()?.trim_end()).ok()
    }

    fn add(&self, key: &str, run: &Run) -> Result<(), RunError> {
        let fail = |error: &dyn std::fmt::Display| {
            RunError::Unsupported(format!("a run cannot be kept in {}: {error}", self.path.display()))
        };
        let text = ron::to_string(run).map_err(|error| fail(&error))?;
        let line = format!("{key} {text}\n");
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.write_all_at(line.as_bytes(), state.end).map_err(|error| fail(&error))?;
        state.end += line.len() as u64;
        Ok(())
    }
}

/// A supervisor that takes runs that are kept instead of making them, and keeps those that it makes.
#[derive(Debug)]
pub(super) struct Keeping<S> {
    supervisor: S,
    /// And what its runs have in common beside what all have that are kept.
    kept_runs: Option<(Arc<KeptRuns>, String)>,
}

impl<S> Keeping<S> {
    pub(super) fn new(supervisor: S, kept_runs: Option<&Arc<KeptRuns>>, settings: &Settings) -> Keeping<S> {
        let Settings { launch, clients, limits, world, seed, always, watch, .. } = settings;
        // It is one of what all have in common.
        let world = World { start: None, ..world.clone() };
        let words = || format!("{launch:?} {clients:?} {limits:?} {world:?} {seed} {always} {watch:?}");
        Keeping { supervisor, kept_runs: kept_runs.map(|kept_runs| (Arc::clone(kept_runs), words())) }
    }
}

impl<S: Supervise> Supervise for Keeping<S> {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        let Some((kept_runs, words)) = &self.kept_runs else { return self.supervisor.run(schedule) };
        let key = compile::digest_of([words.as_bytes(), format!("{schedule:?}").as_bytes()]);
        if let Some(run) = kept_runs.take(&key) {
            return Ok(run);
        }
        let run = self.supervisor.run(schedule)?;
        kept_runs.add(&key, &run)?;
        Ok(run)
    }

    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        self.supervisor.observe(schedule, observe)
    }

    fn ready(&mut self, still: &dyn Fn() -> bool) -> Result<bool, RunError> {
        self.supervisor.ready(still)
    }

    fn rest(&mut self) {
        self.supervisor.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary;
    use crate::program::Launch;
    use proptest::prelude::*;

    /// Counts what it is asked for, and answers with one run after the other.
    struct Answers(VecDeque<Run>);

    impl Supervise for Answers {
        fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
            let none = || RunError::Fault("nobody else is to be asked".to_owned());
            self.0.pop_front().map(|run| Run { schedule: schedule.clone(), ..run }).ok_or_else(none)
        }
    }

    fn common() -> Common {
        Common::new("ab".to_owned(), 7, Some(Start { realtime: 5, uptime: 6 }))
    }

    fn keeping(folder: &Path, runs: &[Run]) -> Keeping<Answers> {
        let kept_runs = Arc::new(KeptRuns::open(folder, &common(), None).unwrap());
        let launch = Launch {
            file: PathBuf::from("/bin/true"),
            argv: vec!["true".to_owned()],
            env: std::collections::BTreeMap::new(),
            cwd: PathBuf::from("/"),
            stdin: None,
            source: None,
            build: None,
        };
        Keeping::new(Answers(runs.iter().cloned().collect()), Some(&kept_runs), &Settings::of(launch))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_was_made_is_taken_as_often_and_half_a_line_is_none(
            one in arbitrary::run(), other in arbitrary::run(), cut in 1_usize..40,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let empty = Schedule::empty();
            let mut making = keeping(folder.path(), &[one.clone(), other.clone()]);
            let made = [making.run(&empty).unwrap(), making.run(&empty).unwrap()];
            prop_assert!(making.run(&empty).is_err(), "a third one is made");
            let mut taking = keeping(folder.path(), &[]);
            prop_assert_eq!(&[taking.run(&empty).unwrap(), taking.run(&empty).unwrap()], &made);
            prop_assert!(taking.run(&empty).is_err());
            let path = folder.path().join(NAME);
            let text = std::fs::read(&path).unwrap();
            std::fs::write(&path, &text[..text.len() - cut]).unwrap();
            let mut again = keeping(folder.path(), &[one]);
            prop_assert_eq!(&again.run(&empty).unwrap(), &made[0]);
            again.run(&empty).unwrap();
            prop_assert_eq!(keeping(folder.path(), &[]).kept_runs.unwrap().0.left(), 2);
        }
    }

    #[test]
    fn runs_of_another_build_or_seed_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        KeptRuns::open(folder.path(), &common(), None).unwrap();
        let open = |common: &Common, seed| {
            KeptRuns::open(folder.path(), common, seed).map(|found| found.common.seed)
        };
        assert_eq!(open(&Common::new("ab".to_owned(), 9, None), None).unwrap(), 7);
        let said = |result: Result<u64, KeptRunsError>| result.unwrap_err().to_string();
        assert!(said(open(&common(), Some(8))).contains("were made with the seed 7"));
        assert!(said(open(&Common::new("cd".to_owned(), 7, None), None)).contains("another build"));
        std::fs::write(folder.path().join(NAME), "no runs\n").unwrap();
        assert!(said(open(&common(), None)).contains("runs: 1:"));
    }
}
