//! Scenarios as tests of libtest-mimic.

use super::files::{Case, FindError, cases};
use super::trial::{How, Trial};
use crate::explore::Verdict;
use crate::kept;
use crate::resolve::{self, ResolveError};
use crate::show::Page;
use crate::slots::{SlotError, Slots};
use crate::store::FileError;
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no suite.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The folder cannot be looked through.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A scenario is malformed.
    #[error(transparent)]
    Refused(#[from] FileError),
    /// There are no CPU slots.
    #[error(transparent)]
    Slots(#[from] SlotError),
}

/// The scenarios of a folder as tests, each named `family/name`, or `family/name [-O2]` where
/// it has several builds. A malformed one is an error before any test runs; one for which this machine lacks a program is ignored.
pub fn trials(folder: &Path) -> Result<Vec<libtest_mimic::Trial>, SuiteError> {
    let slots = Arc::new(Slots::new()?);
    let how = Arc::new(How::plain(trace_directory()));
    let mut trials = Vec::new();
    for found in cases(&[folder.to_owned()])? {
        let case = Case::read(found)?;
        let (slots, how) = (Arc::clone(&slots), Arc::clone(&how));
        let name = case.name.clone();
        let lacking = resolve::lacking(&case.scenario, case.folder());
        let lacks =
            lacking.as_ref().and_then(ResolveError::lacks).map(|program| format!("no {program} here"));
        let trial = libtest_mimic::Trial::test(name, move || run(case, &how, &slots));
        // The kind is told beside the name.
        trials.push(match lacks {
            Some(lacks) => trial.with_kind(lacks).with_ignored_flag(true),
            None => trial,
        });
    }
    Ok(trials)
}

fn run(case: Case, how: &How, slots: &Slots) -> Result<(), Failed> {
    let trial = Trial::new(case)?;
    let outcome = trial.run(how, slots, &(), Page { color: false, width: 100 })?;
    if let Some(error) = outcome.done.as_ref().and_then(|done| done.unwritten()) {
        return Err(format!("{}\n{error}", outcome.text).into());
    }
    match outcome.verdict {
        Verdict::Pass => Ok(()),
        Verdict::Fail | Verdict::Unreached | Verdict::Diverged | Verdict::Unstable | Verdict::Unsupported => {
            Err(outcome.text.into())
        }
    }
}

/// Where traces go if nobody says otherwise: into cargo's target directory, else into this folder.
pub fn trace_directory() -> PathBuf {
    match kept::target_directory() {
        Some(target) => target.join("sigrace").join("traces"),
        None => PathBuf::from("sigrace-traces"),
    }
}
