//! What the searches of one command come to together.

use super::Args;
use crate::cli::baseline;
use crate::cli::exit::{Exit, Stop};
use crate::cli::options::RUNS;
use crate::cli::report::Reader;
use crate::cli::run::gravity;
use crate::explore::{Cut, Verdict};
use crate::judge;
use crate::show::count;
use crate::store::FileError;
use crate::suite::{self, Baseline, Done, How, Job, SearchError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The searches so far.
#[derive(Debug, Default)]
pub(super) struct Whole {
    searches: Vec<suite::report::Search>,
    interrupted: bool,
    verdicts: Vec<Verdict>,
    findings: u64,
    accepted: u64,
    runs: u64,
    /// What was found and the command that shows it again, a line each.
    replay: Vec<String>,
    /// The traces of what was found, and the search that found it first.
    found: BTreeMap<PathBuf, String>,
    warned: bool,
    failed: Option<String>,
}

/// What one search may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Runs; none if only time or the strategies' own budgets count.
    pub(super) runs: Option<u64>,
    /// Time.
    pub(super) time: Option<Duration>,
}

impl Whole {
    /// The share of the next of `left` searches of what was asked for: what those before did not need is theirs as well.
    pub(super) fn share(&self, how: &How, left: u64, elapsed: Duration) -> Share {
        // Who asks for nothing gets an answer soon: what is missing is told, and can be asked for.
        let unasked = how.strategy.is_none() && how.plan.time.is_none();
        let most = how.plan.runs.or(unasked.then_some(RUNS));
        let runs = most.map(|most| most.saturating_sub(self.runs).div_ceil(left.max(1)).max(1));
        let parts = u32::try_from(left.max(1)).unwrap_or(u32::MAX);
        let time = how.plan.time.map(|time| time.saturating_sub(elapsed) / parts);
        Share { runs, time: time.map(|time| time.max(Duration::from_millis(1))) }
    }

    /// The findings of this search that an earlier one has found as well, by their index, and what that one is called: their runs
    /// are written to the same file.
    pub(super) fn known(&self, done: &Done) -> BTreeMap<usize, String> {
        let of = |index: usize| Some((index, self.found.get(done.trace(index)?)?.clone()));
        (0..done.report.findings.len()).filter_map(of).collect()
    }

    /// Takes in a search that came to its end; true if the user asked to stop.
    pub(super) fn add(&mut self, job: &Job, done: &Done) -> bool {
        let interrupted = done.report.cut == Some(Cut::Interrupted);
        let verdict = done.report.verdict;
        let known = &done.known;
        let accepted = &done.accepted;
        self.accepted += accepted.findings.keys().filter(|index| !known.contains_key(index)).count() as u64;
        let is_new = |index: &usize| !known.contains_key(index) && !accepted.findings.contains_key(index);
        self.findings += (0..done.report.findings.len()).filter(is_new).count() as u64;
        self.runs += done.report.runs;
        self.warned |= done.checked.warnings.len() > accepted.warnings.len();
        let new = done.report.findings.iter().enumerate().filter(|(index, _)| !known.contains_key(index));
        for (index, finding) in new {
            self.found.extend(done.trace(index).map(|path| (path.to_owned(), job.name.clone())));
            if !is_new(&index) {
                continue;
            }
            let what = format!("{}: {}", job.name, judge::title(finding.breaks));
            self.replay.extend([Some(what), done.replay(index)].into_iter().flatten());
        }
        if interrupted {
            self.interrupted = true;
        } else {
            self.verdicts.push(verdict);
        }
        if let Some(error) = done.unwritten() {
            self.fail(error);
        }
        self.searches.push(suite::report::Search::of_program(&job.name, done, verdict, interrupted));
        interrupted
    }

    /// Takes in a search that could not be made: it says nothing of the others.
    pub(super) fn add_error(&mut self, name: &str, error: &SearchError) {
        self.verdicts.extend(error.verdict());
        self.searches.push(suite::report::Search::of_error(name, error));
    }

    /// How many findings there were so far.
    pub(super) fn findings(&self) -> u64 {
        self.findings
    }

    /// A file could not be written.
    pub(super) fn fail(&mut self, error: &FileError) {
        self.failed.get_or_insert_with(|| error.to_string());
    }

    /// The last lines, the report for machines, and the exit code: the gravest that there was.
    pub(super) fn finish(
        self,
        args: &Args,
        reader: Reader<'_>,
        baseline: Option<&Arc<Baseline>>,
        seed: u64,
        elapsed: Duration,
    ) -> Result<(Exit, suite::report::Report), Stop> {
        let verdict = Verdict::together(self.verdicts.iter().copied());
        let strict = args.strict && self.warned;
        let interrupted = self.interrupted.then_some(Exit::Interrupted);
        let exits = [interrupted, verdict.map(Exit::from), strict.then_some(Exit::Failed)];
        let exit = exits.into_iter().flatten().max_by_key(|exit| gravity(*exit)).unwrap_or(Exit::Unclear);
        if self.searches.len() > 1 {
            let seconds = elapsed.as_secs_f64();
            let (searches, runs) = (self.searches.len(), count(self.runs, "run"));
            let mut findings = count(self.findings, "finding");
            if self.accepted > 0 {
                findings += &format!(", {}", count(self.accepted, "known finding"));
            }
            let last =
                format_args!("\n{searches} searches: {findings}, {runs} in {seconds:.1} s; seed {seed}");
            reader.tell(last)?;
            for line in &self.replay {
                reader.tell(line)?;
            }
        }
        let partition = args.partition.map(|partition| partition.to_string());
        let report = suite::report::Report::new(seed, exit as u8, self.searches, Vec::new());
        let report = baseline::complete(reader, baseline, report)?;
        let report = suite::report::Report { partition, ..report };
        reader.finish(&report)?;
        match self.failed {
            Some(error) => Err(Stop::new(Exit::Harness, error)),
            None => Ok((exit, report)),
        }
    }
}
