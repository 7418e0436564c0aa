//! From a run to a trace file.

use super::kept_runs::KeptRuns;
use crate::compile;
use crate::program::Launch;
use crate::schedule::Schedule;
use crate::store::{self, FileError};
use crate::supervise::{Observe, Observed, RunError, Settings, Supervise};
use crate::trace::{Broken, Run, Seen, Trace};
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which traces are written, and where to.
#[derive(Clone, Debug)]
pub struct Keep {
    /// The folder, which need not exist yet.
    pub folder: PathBuf,
    /// Those of all runs, not only of findings.
    pub all: bool,
    /// Where runs are kept to go on after an interruption, if they are.
    pub kept_runs: Option<Arc<KeptRuns>>,
}

/// What all traces of one search have in common, and where they go.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    settings: Settings,
    digest: String,
    directory: PathBuf,
}

/// The program's file cannot be read, so no trace can say which program it was.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the program {}: {reason}", file.display())]
pub struct DigestError {
    file: PathBuf,
    reason: io::Error,
}

impl Recorder {
    /// For runs under these settings. The directory is made with the first trace.
    pub(super) fn new(settings: &Settings, directory: &Path) -> Result<Recorder, DigestError> {
        let Launch { file, .. } = &settings.launch;
        let digest = compile::digest(file).map_err(|reason| DigestError { file: file.clone(), reason })?;
        Ok(Recorder { settings: settings.clone(), digest, directory: directory.to_owned() })
    }

    /// The digest of the program.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// The run as a trace.
    pub(super) fn trace(&self, run: &Run, breaks: &[Broken], search: Option<String>) -> Trace {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease");
        Trace {
            sigrace: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: kernel.map_or_else(|_| "unknown".to_owned(), |release| release.trim_end().to_owned()),
            arch: env::consts::ARCH.to_owned(),
            launch: self.settings.launch.clone(),
            digest: self.digest.clone(),
            seed: self.settings.seed,
            limits: self.settings.limits.clone(),
            world: self.settings.world.clone(),
            shared: self.settings.learnt.notes(),
            always: self.settings.always,
            breaks: breaks.to_vec(),
            search,
            schedule: run.schedule.clone(),
            events: run.events.to_vec(),
            outcome: run.outcome.clone(),
            places: Vec::new(),
            seen: Seen::default(),
            reference: None,
        }
    }

    /// Writes a trace, and gives the file's path.
    pub(super) fn write(&self, trace: &Trace) -> Result<PathBuf, FileError> {
        store::write_trace(&self.directory, trace)
    }
}

/// A supervisor that keeps a trace of each run.
#[derive(Debug)]
pub(super) struct KeepAll<S> {
    /// Who runs the program.
    pub(super) supervisor: S,
    /// Who writes the traces; none where only findings are kept.
    pub(super) recorder: Option<Recorder>,
}

impl<S: Supervise> Supervise for KeepAll<S> {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        let run = self.supervisor.run(schedule)?;
        if let Some(recorder) = &self.recorder {
            // The kind of error does not matter: either way the harness could not do what it was told to.
            recorder
                .write(&recorder.trace(&run, &[], None))
                .map_err(|error| RunError::Fault(error.to_string()))?;
        }
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
