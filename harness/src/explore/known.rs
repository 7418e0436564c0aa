//! What was found, compared with what a scenario knows.

use super::report::{Cut, Finding, Report};
use super::steps::same;
use super::verdict::Verdict;
use crate::scenario::Known;

/// Findings compared with the known ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Known, but not found.
    pub missing: Vec<Known>,
    /// Found, but not known: indices of the findings.
    pub unknown: Vec<usize>,
}

impl Comparison {
    /// Compares findings with the known ones: the same expectation, and the same minimal schedule.
    pub fn new(found: &[Finding], known: &[Known]) -> Comparison {
        let missing = known.iter().filter(|known| !found.iter().any(|found| is(found, known)));
        let unknown = found.iter().enumerate();
        let unknown = unknown.filter(|(_, found)| !known.iter().any(|known| is(found, known)));
        Comparison { missing: missing.cloned().collect(), unknown: unknown.map(|(index, _)| index).collect() }
    }
}

/// True if this finding is the known one.
pub(super) fn is(found: &Finding, known: &Known) -> bool {
    found.breaks == known.breaks
        && (same(&found.schedule, &known.schedule) || same(&found.located, &known.schedule))
}

impl Report {
    /// The verdict of a scenario that knows these findings: `Pass` if exactly they were found.
    ///
    /// In this order: a finding that is not known is `Fail`; evidence that did not repeat itself is `Unstable`; a
    /// search in which no step was ever taken, or that was interrupted, is `Unreached`; a known finding that is
    /// missing is `Fail`. A search that stopped since all known findings were found is complete. So is a part of a search
    /// to which no schedule belongs, where there are some for other parts.
    pub fn against(&self, known: &[Known]) -> Verdict {
        let Comparison { missing, unknown } = Comparison::new(&self.findings, known);
        if !unknown.is_empty() {
            return Verdict::Fail;
        }
        if !self.unstable.is_empty() {
            return Verdict::Unstable;
        }
        let nothing_ours = self.part.is_some()
            && self.coverage.open > 0
            && self.coverage.levels.iter().all(|level| level.all == 0);
        if (self.coverage.steps == 0 && !nothing_ours)
            || self.cut == Some(Cut::Interrupted)
            || self.signals_unsent > 0
        {
            return Verdict::Unreached;
        }
        if missing.is_empty() { Verdict::Pass } else { Verdict::Fail }
    }
}
