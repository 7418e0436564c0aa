//! `sigrace merge`: the reports of all parts of a suite, or of one search, become one.

use super::exit::{Exit, Stop};
use super::run::gravity;
use super::say::say;
use crate::explore::Partition;
use crate::store;
use crate::suite;
use crate::suite::report::{FORMAT, Report, Search};
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
    let merged = merge(reports).map_err(Stop::refused)?;
    say(merged.json())?;
    Ok(Exit::from_code(merged.exit).unwrap_or(Exit::Harness))
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

/// One report that is read.
struct Part<'a> {
    number: u64,
    of: u64,
    path: &'a Path,
    exit: Exit,
    report: Report,
}

impl<'a> Part<'a> {
    fn new(path: &'a Path, report: Report) -> Result<Part<'a>, String> {
        let shown = path.display();
        if report.format != FORMAT {
            return Err(format!("{shown} is no report of format {FORMAT}"));
        }
        let text = report.partition.clone().unwrap_or_default();
        let Partition { part, of } = text.parse().map_err(|_| {
            format!("{shown} is not the report of one part: it was not made with --partition hash:i/n")
        })?;
        let exit =
            Exit::from_code(report.exit).ok_or_else(|| format!("{shown} has no exit code of sigrace"))?;
        Ok(Part { number: part, of, path, exit, report })
    }
}

/// The reports as one; or why they are no whole.
fn merge(reports: Vec<(&Path, Report)>) -> Result<Report, String> {
    let mut parts =
        reports.into_iter().map(|(path, report)| Part::new(path, report)).collect::<Result<Vec<_>, _>>()?;
    // Whatever the order of the files, the result is the same.
    parts.sort_by_key(|part| part.number);
    belong_together(&parts)?;
    same_programs(&parts)?;
    let gravest = parts.iter().map(|part| part.exit).max_by_key(|exit| gravity(*exit));
    let mut parts = parts.into_iter();
    let Some(Part { report: mut whole, .. }) = parts.next() else {
        return Err("there is no report".to_owned());
    };
    for Part { report, .. } in parts {
        whole.searches.extend(report.searches);
        whole.not_begun.extend(report.not_begun);
    }
    whole.partition = None;
    whole.exit = gravest.unwrap_or(Exit::Harness) as u8;
    if whole.suite.is_none() {
        let search = suite::join(std::mem::take(&mut whole.searches))?;
        // A part that reached nothing may be one to which nothing belongs: only together it is known.
        let ended = match search.verdict.as_deref() {
            _ if search.interrupted => Exit::Interrupted,
            Some("pass") => Exit::AsExpected,
            Some("fail") => Exit::Failed,
            _ => Exit::Unclear,
        };
        let harness = gravest.filter(|exit| gravity(*exit) > gravity(Exit::Failed));
        whole.exit = harness.unwrap_or(ended) as u8;
        whole.searches = vec![search];
    }
    whole.searches.sort_by(|one, other| one.name.cmp(&other.name));
    whole.not_begun.sort();
    Ok(whole)
}

/// Each part must be there once, and be a part of the same.
fn belong_together(parts: &[Part<'_>]) -> Result<(), String> {
    for pair in parts.windows(2) {
        let [one, other] = pair else { continue };
        let (first, shown) = (one.path.display(), other.path.display());
        if one.of != other.of {
            return Err(format!("{shown} is one of {} parts, {first} one of {}", other.of, one.of));
        }
        if one.number == other.number {
            return Err(format!("{shown} and {first} are both of part {}", one.number));
        }
        let same = |field: &str, one: &dyn Display, other: &dyn Display| {
            let (one, other) = (one.to_string(), other.to_string());
            let differ = || format!("the reports differ in {field}: {first} has {one}, {shown} has {other}");
            if one == other { Ok(()) } else { Err(differ()) }
        };
        same("sigrace", &one.report.sigrace, &other.report.sigrace)?;
        same("seed", &one.report.seed, &other.report.seed)?;
        let suite = |report: &Report| report.suite.clone().unwrap_or_else(|| "none".to_owned());
        same("suite", &suite(&one.report), &suite(&other.report))?;
        if let ([a], [b], None) = (&*one.report.searches, &*other.report.searches, &one.report.suite) {
            let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            same("digest of the program", &known(&a.digest), &known(&b.digest))?;
            same("what was asked for", &known(&a.asked), &known(&b.asked))?;
        }
    }
    let Some(of) = parts.first().map(|part| part.of) else { return Ok(()) };
    if parts.len() as u64 != of {
        let missing = (1..=of).filter(|part| !parts.iter().any(|other| other.number == *part)).take(10);
        let missing: Vec<String> = missing.map(|part| part.to_string()).collect();
        return Err(format!("of {of} parts {} are here; missing: {}", parts.len(), missing.join(", ")));
    }
    Ok(())
}

/// A program that several parts have run must be the same file in all.
fn same_programs(parts: &[Part<'_>]) -> Result<(), String> {
    let run = |part: &'_ Part<'_>| -> Vec<(Search, String)> {
        let each = part.report.searches.iter().cloned();
        each.filter(|search| search.digest.is_some())
            .map(|search| (search, part.path.display().to_string()))
            .collect()
    };
    let mut seen: Vec<(Search, String)> = Vec::new();
    for (search, path) in parts.iter().flat_map(run) {
        match seen.iter().find(|(other, _)| other.program == search.program) {
            Some((other, first)) if other.digest != search.digest => {
                let name = search.program.as_deref().unwrap_or_default();
                let (one, two) = (
                    other.digest.as_deref().unwrap_or_default(),
                    search.digest.as_deref().unwrap_or_default(),
                );
                return Err(format!(
                    "the parts have not run the same {name}: {first} has the digest {one}, {path} has {two}"
                ));
            }
            Some(_) => {}
            None => seen.push((search, path)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(partition: &str, seed: u64, exit: u8, names: &[&str]) -> Report {
        let search = |name: &&str| Search {
            name: (*name).to_owned(),
            file: None,
            verdict: Some("pass".to_owned()),
            error: None,
            interrupted: false,
            program: Some("/bin/sh".to_owned()),
            digest: Some("12ab".to_owned()),
            asked: None,
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
        let mut other_shell = part("hash:2/2", 1, 0, &["b"]);
        other_shell.searches[0].digest = Some("34cd".to_owned());
        for (other, said) in [
            (None, "of 2 parts 1 are here; missing: 2"),
            (Some(part("hash:1/2", 1, 0, &[])), "both of part 1"),
            (Some(part("hash:2/2", 2, 0, &[])), "differ in seed"),
            (Some(part("hash:2/3", 1, 0, &[])), "one of 3 parts"),
            (Some(part("", 1, 0, &[])), "not the report of one part"),
            (Some(part("hash:2/2", 1, 77, &[])), "no exit code of sigrace"),
            (Some(other_suite), "differ in suite"),
            (Some(newer), "no report of format 1"),
            (Some(other_shell), "not run the same /bin/sh: r.json has the digest 12ab, r.json has 34cd"),
        ] {
            let one = part("hash:1/2", 1, 0, &["a"]);
            let parts: Vec<Report> = [Some(one), other].into_iter().flatten().collect();
            let error = merged(&parts).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
