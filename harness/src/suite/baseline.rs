//! From reports to what they have accepted.

use super::accepted::Baseline;
use super::report::{FORMAT, Report};
use std::path::Path;

/// The findings and warnings of these reports, taken as accepted; or why one of them is of no use for that.
pub fn baseline(reports: Vec<(&Path, Report)>) -> Result<Baseline, String> {
    let mut baseline = Baseline::default();
    for (path, report) in reports {
        let file = path.display().to_string();
        comparable(&file, &report)?;
        for search in report.searches {
            let (Some(subject), Some(found)) = (search.subject, search.result) else { continue };
            let single = found.schedules.iter().find(|level| level.steps == 1);
            let exhausted = single.is_some_and(|level| level.exhausted);
            for warned in &found.warnings {
                let words = [&warned.rule, &warned.signal, &warned.handler, &warned.line];
                baseline.add_warning(&file, &subject, words.map(String::as_str));
            }
            for finding in found.findings {
                baseline.add(&file, &subject, finding, exhausted);
            }
        }
    }
    Ok(baseline)
}

/// Refuses a report of another version, or one that does not say what its findings are called in other builds.
pub(super) fn comparable(file: &str, report: &Report) -> Result<(), String> {
    if report.format != FORMAT {
        return Err(format!("{file} is no report of format {FORMAT}, but of format {}", report.format));
    }
    let results = || report.searches.iter().filter_map(|search| Some((search, search.result.as_ref()?)));
    let unnamed = results().any(|(search, found)| {
        search.subject.is_none() || found.findings.iter().any(|finding| finding.identity.is_none())
    });
    if unnamed {
        return Err(format!(
            "{file} is a report of an earlier sigrace, which does not say what findings are called in other builds: make it again"
        ));
    }
    Ok(())
}
