//! `sigrace merge`: the reports of all parts of a suite, or of one search, become one.

use super::exit::{Exit, Stop};
use super::run::gravity;
use super::say::say;
use crate::store;
use crate::suite::report::Report;
use crate::suite::{self, Together};
use serde_json::Value;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Join the JSON reports of all parts of a suite (`sigrace run --partition hash:i/n --format json`), or of one search
/// (`sigrace explore --partition hash:i/n --format json`), into one
///
/// Refused unless every part is there exactly once, and all are of the same scenarios or search, programs, seed and
/// version. The exit code of a suite is the gravest of its parts, that of a search the one of all parts together.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The reports
    #[arg(required = true, value_name = "REPORT.json")]
    reports: Vec<PathBuf>,
}

/// A report may have so many bytes.
const MOST_OF_REPORT: u64 = 32 << 20;

/// No count in a report is larger.
const MOST_OF_ANYTHING: u64 = 1 << 53;

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let mut reports = Vec::new();
    for path in &args.reports {
        reports.push((path.as_path(), read(path)?));
    }
    let exits = reports.iter().map(|(path, report)| {
        let unknown = || Stop::refused(format_args!("{} has no exit code of sigrace", path.display()));
        Exit::from_code(report.exit).ok_or_else(unknown)
    });
    let gravest = exits.collect::<Result<Vec<_>, _>>()?.into_iter().max_by_key(|exit| gravity(*exit));
    let (whole, together) = suite::merge(reports).map_err(Stop::refused)?;
    let exit = exit(gravest.unwrap_or(Exit::Harness), together);
    say(Report { exit: exit as u8, ..whole }.json())?;
    Ok(exit)
}

/// The code of the whole: of a suite the gravest of its parts, of one search what its parts come to together, unless some
/// part had more trouble than a finding.
fn exit(gravest: Exit, together: Option<Together>) -> Exit {
    match together {
        None => gravest,
        Some(_) if gravity(gravest) > gravity(Exit::Failed) => gravest,
        Some(Together { interrupted: true, .. }) => Exit::Interrupted,
        Some(Together { verdict, .. }) => verdict.into(),
    }
}

fn read(path: &Path) -> Result<Report, Stop> {
    let bad = |error: &dyn Display| {
        Stop::refused(format_args!("cannot read the report {}: {error}", path.display()))
    };
    let text = store::read(path, MOST_OF_REPORT).map_err(Stop::refused)?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| bad(&error))?;
    if let Some(number) = too_large(&value) {
        return Err(bad(&format!("{number} is no number of anything that can be counted")));
    }
    serde_json::from_value(value).map_err(|error| bad(&error))
}

/// A number that no search could have come to, and that could not be added to another one. A seed may be any.
fn too_large(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().filter(|number| *number > MOST_OF_ANYTHING),
        Value::Array(values) => values.iter().find_map(too_large),
        Value::Object(fields) => {
            fields.iter().filter(|(name, _)| *name != "seed").find_map(|(_, value)| too_large(value))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Verdict;

    #[test]
    fn the_exit_code_is_the_gravest_or_that_of_all_parts_together() {
        let together = |verdict, interrupted| Some(Together { verdict, interrupted });
        for (gravest, whole, expected) in [
            (Exit::Failed, None, Exit::Failed),
            (Exit::Unclear, together(Verdict::Pass, false), Exit::AsExpected),
            (Exit::Unclear, together(Verdict::Fail, false), Exit::Failed),
            (Exit::AsExpected, together(Verdict::Unstable, false), Exit::Unclear),
            (Exit::Failed, together(Verdict::Pass, true), Exit::Interrupted),
            (Exit::Harness, together(Verdict::Pass, false), Exit::Harness),
        ] {
            assert_eq!(exit(gravest, whole), expected, "{gravest:?}, {whole:?}");
        }
    }
}
