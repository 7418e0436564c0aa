//! What came of one search, or why nothing did, as values.

use super::identity::Subject;
use super::record::DigestError;
use crate::checks::Checked;
use crate::code::CodeError;
use crate::explore::{ExploreError, Report, Verdict};
use crate::judge::{BadPattern, Expectations};
use crate::schedule::Label;
use crate::slots::SlotError;
use crate::store::FileError;
use crate::supervise::RunError;
use crate::trace::Trace;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What came of a search.
#[derive(Debug)]
pub struct Done {
    /// The report.
    pub report: Report,
    /// The digest of the program.
    pub digest: String,
    /// The program's file.
    pub file: PathBuf,
    /// The program's command line, as one types it.
    pub command: String,
    /// SHA-256 of the program's arguments and of what the search was asked to do: the same for all parts of one search.
    pub asked: String,
    /// The functions of libraries that were swept, and the places of the program that were looked into without being asked for.
    pub swept: Vec<Label>,
    /// What was expected.
    pub expectations: Expectations,
    /// What the checks of handlers came to, if any were asked for.
    pub checked: Checked,
    /// What a person should know of the world in which the runs took place.
    pub notes: Vec<String>,
    /// Each finding's trace, in the order of the findings, and its file or why there is none.
    pub traces: Vec<(Trace, Result<PathBuf, FileError>)>,
    /// What is searched, as it is called in every build.
    pub subject: Subject,
    /// What a baseline has accepted of it.
    pub accepted: Accepted,
    /// The findings that another search of the same program has found before, by their index, and what that one is called.
    pub known: BTreeMap<usize, String>,
}

/// What a baseline has accepted of a search: findings and warnings by their index, each with the file that has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Findings that are accepted.
    pub findings: BTreeMap<usize, String>,
    /// Findings that are known, but also show where they were not known to.
    pub but_for: BTreeMap<usize, String>,
    /// Warnings of handlers.
    pub warnings: BTreeMap<usize, String>,
}

/// Why a search came to no end.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// No CPU.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// What is to be swept is not there.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The program cannot be read.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// An expectation is none.
    #[error(transparent)]
    Regex(#[from] BadPattern),
    /// The search itself failed.
    #[error(transparent)]
    Explore(#[from] ExploreError),
    /// The time of the search was used up before there was anything to compare with.
    #[error("the time was used up before the reference run was over; next: the same with a longer --time")]
    OutOfTime,
}

impl SearchError {
    /// The verdict of a scenario that ended with this error; none if it says nothing about program or host.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            SearchError::Explore(
                ExploreError::NeverQuiet(_)
                | ExploreError::Uncontrolled(_)
                | ExploreError::NoReceiver { .. }
                | ExploreError::NeverBegins(_),
            ) => Some(Verdict::Unreached),
            SearchError::Explore(error) => error.verdict(),
            SearchError::OutOfTime => Some(Verdict::Unreached),
            SearchError::Slot(_) | SearchError::Code(_) | SearchError::Digest(_) | SearchError::Regex(_) => {
                None
            }
        }
    }

    /// True if the user asked to stop.
    pub fn is_interrupt(&self) -> bool {
        matches!(
            self,
            SearchError::Slot(SlotError::Interrupted)
                | SearchError::Explore(ExploreError::Run { source: RunError::Interrupted, .. })
        )
    }
}
