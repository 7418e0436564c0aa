//! Findings that are accepted: reports of earlier searches, so that only what is new counts.

use super::exit::Stop;
use super::report::Reader;
use super::reports;
use crate::suite::report::{Confirmed, Report, Subject, Unseen};
use crate::suite::{self, Baseline};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

/// What is accepted.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Expectation")]
pub(super) struct Accepting {
    /// Findings of this JSON report (--format json) are accepted: only others count; repeatable
    ///
    /// A finding is known again by what it breaks, what is sent, and the call and the function where that happens, in other builds and
    /// with other seeds as well. Accepted ones are told in a line, and so are those that were not seen again. Warnings of handlers are
    /// accepted alike.
    #[arg(long, env = "SIGRACE_BASELINE", value_name = "REPORT.json", conflicts_with = "first")]
    baseline: Vec<PathBuf>,
}

impl Accepting {
    /// What is accepted; none if nothing is.
    pub(super) fn read(&self) -> Result<Option<Arc<Baseline>>, Stop> {
        if self.baseline.is_empty() {
            return Ok(None);
        }
        let reports = reports::all(&self.baseline)?;
        suite::baseline(reports).map(|baseline| Some(Arc::new(baseline))).map_err(Stop::refused)
    }
}

/// Completes a report with the accepted findings that it does not have, and tells these.
pub(super) fn complete(
    reader: Reader<'_>,
    baseline: Option<&Arc<Baseline>>,
    report: Report,
) -> Result<Report, Stop> {
    let Some(baseline) = baseline else { return Ok(report) };
    let whole = report.searches.iter().filter(|search| !search.interrupted);
    let made: Vec<(&Subject, Vec<&Confirmed>)> = whole
        .filter_map(|search| {
            Some((search.subject.as_ref()?, search.result.as_ref()?.findings.iter().collect()))
        })
        .collect();
    let unseen: Vec<Unseen> = baseline
        .unseen(&made)
        .into_iter()
        .map(|suite::Unseen { file, subject, finding }| Unseen {
            accepted: file.to_owned(),
            subject: subject.clone(),
            breaks: finding.breaks.clone(),
            schedule: finding.schedule.clone(),
        })
        .collect();
    for one in &unseen {
        reader.tell(one)?;
    }
    Ok(Report { unseen, ..report })
}
