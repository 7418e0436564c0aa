//! `sigrace merge`: the reports of all parts of a suite, or of one search, become one.

use super::exit::{Exit, Stop};
use super::reports;
use super::run::gravity;
use super::say::say;
use crate::suite::report::Report;
use crate::suite::{self, Together};
use std::path::PathBuf;

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

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let reports = reports::all(&args.reports)?;
    let exits = reports.iter().map(|(path, report)| {
        let unknown = || Stop::refused(format_args!("{} has no exit code of sigrace", path.display()));
        Exit::from_code(report.exit).ok_or_else(unknown)
    });
    let gravest = exits.collect::<Result<Vec<_>, _>>()?.into_iter().max_by_key(|exit| gravity(*exit));
    let (whole, together) = suite::merge(reports).map_err(Stop::refused)?;
    let nothing = whole.searches.is_empty() && !whole.not_run.is_empty();
    let gravest =
        gravest.map(|exit| if nothing && exit == Exit::AsExpected { Exit::HostCannot } else { exit });
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
