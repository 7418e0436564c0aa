//! `sigrace merge`: the reports of all parts of a suite become one.

use super::exit::{Exit, Stop};
use super::partition::Partition;
use super::run::gravity;
use super::say::say;
use crate::suite::report::{FORMAT, Report};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

/// Join the JSON reports of all parts of a suite (`sigrace run --partition hash:i/n --format json`) into one
///
/// Refused unless every part is there exactly once, and all are of the same scenarios, seed and version. The exit code
/// is the gravest of the parts.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The reports
    #[arg(required = true, value_name = "REPORT.json")]
    reports: Vec<PathBuf>,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let mut reports = Vec::new();
    for path in &args.reports {
        reports.push((path.as_path(), read(path)?));
    }
    let merged = merge(reports).map_err(Stop::refused)?;
    say(merged.json())?;
    Ok(Exit::from_code(merged.exit).unwrap_or(Exit::Harness))
}

fn read(path: &Path) -> Result<Report, Stop> {
    let bad = |error: &dyn Display| {
        Stop::refused(format_args!("cannot read the report {}: {error}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| bad(&error))?;
    serde_json::from_str(&text).map_err(|error| bad(&error))
}

/// The reports as one; or why they are no whole.
fn merge(reports: Vec<(&Path, Report)>) -> Result<Report, String> {
    let mut seen: Vec<(u64, &Path)> = Vec::new();
    let mut whole: Option<(&Path, u64, Report)> = None;
    for (path, report) in reports {
        let shown = path.display();
        if report.format != FORMAT {
            return Err(format!("{shown} is no report of format {FORMAT}"));
        }
        let text = report.partition.clone().unwrap_or_default();
        let Partition { part, of } = text.parse().map_err(|_| {
            format!("{shown} is not the report of one part: it was not made with --partition hash:i/n")
        })?;
        let code =
            Exit::from_code(report.exit).ok_or_else(|| format!("{shown} has no exit code of sigrace"))?;
        if let Some((_, other)) = seen.iter().find(|(other, _)| *other == part) {
            return Err(format!("{shown} and {} are both of part {part}", other.display()));
        }
        seen.push((part, path));
        let Some((first, parts, whole)) = &mut whole else {
            whole = Some((path, of, report));
            continue;
        };
        let first = first.display();
        let same = |field: &str, one: &dyn Display, other: &dyn Display| {
            let (one, other) = (one.to_string(), other.to_string());
            let differ = || format!("the reports differ in {field}: {first} has {one}, {shown} has {other}");
            if one == other { Ok(()) } else { Err(differ()) }
        };
        same("sigrace", &whole.sigrace, &report.sigrace)?;
        same("seed", &whole.seed, &report.seed)?;
        let suite = |report: &Report| report.suite.clone().unwrap_or_else(|| "none".to_owned());
        same("suite", &suite(whole), &suite(&report))?;
        if *parts != of {
            return Err(format!("{shown} is one of {of} parts, {first} one of {parts}"));
        }
        let gravest = [Exit::from_code(whole.exit), Some(code)].into_iter().flatten();
        whole.exit = gravest.max_by_key(|exit| gravity(*exit)).unwrap_or(code) as u8;
        whole.searches.extend(report.searches);
        whole.not_begun.extend(report.not_begun);
    }
    let Some((_, parts, mut whole)) = whole else { return Err("there is no report".to_owned()) };
    if seen.len() as u64 != parts {
        let missing = (1..=parts).filter(|part| !seen.iter().any(|(seen, _)| seen == part)).take(10);
        let missing: Vec<String> = missing.map(|part| part.to_string()).collect();
        return Err(format!("of {parts} parts {} are here; missing: {}", seen.len(), missing.join(", ")));
    }
    whole.partition = None;
    whole.searches.sort_by(|one, other| one.name.cmp(&other.name));
    whole.not_begun.sort();
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::report::Search;

    fn part(partition: &str, seed: u64, exit: u8, names: &[&str]) -> Report {
        let search = |name: &&str| Search {
            name: (*name).to_owned(),
            file: None,
            verdict: Some("pass".to_owned()),
            error: None,
            interrupted: false,
            notes: Vec::new(),
            result: None,
        };
        Report {
            suite: Some("x".to_owned()),
            partition: Some(partition.to_owned()),
            ..Report::new(seed, exit, names.iter().map(search).collect(), Vec::new())
        }
    }

    fn merged(parts: &[Report]) -> Result<Report, String> {
        merge(parts.iter().map(|part| (Path::new("r.json"), part.clone())).collect())
    }

    #[test]
    fn all_parts_are_one_report_in_the_order_of_names() {
        let whole =
            merged(&[part("hash:2/2", 1, 101, &["c"]), part("hash:1/2", 1, 100, &["b", "a"])]).unwrap();
        let names: Vec<&str> = whole.searches.iter().map(|search| search.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!((whole.exit, whole.partition), (100, None));
    }

    #[test]
    fn what_is_no_whole_is_refused_with_the_reason() {
        let other_suite = Report { suite: Some("y".to_owned()), ..part("hash:2/2", 1, 0, &[]) };
        let newer = Report { format: 2, ..part("hash:2/2", 1, 0, &[]) };
        for (other, said) in [
            (None, "of 2 parts 1 are here; missing: 2"),
            (Some(part("hash:1/2", 1, 0, &[])), "both of part 1"),
            (Some(part("hash:2/2", 2, 0, &[])), "differ in seed"),
            (Some(part("hash:2/3", 1, 0, &[])), "one of 3 parts"),
            (Some(part("", 1, 0, &[])), "not the report of one part"),
            (Some(part("hash:2/2", 1, 77, &[])), "no exit code of sigrace"),
            (Some(other_suite), "differ in suite"),
            (Some(newer), "no report of format 1"),
        ] {
            let one = part("hash:1/2", 1, 0, &[]);
            let parts: Vec<Report> = [Some(one), other].into_iter().flatten().collect();
            let error = merged(&parts).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
