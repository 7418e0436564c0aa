//! The reports of all parts of a suite, or of one search, become one.

use super::parts::join;
use super::report::{FORMAT, Report, Search};
use crate::explore::{Partition, Verdict};
use indexmap::IndexMap;
use std::fmt::Display;
use std::path::Path;

/// One report that is read.
struct Part<'a> {
    number: u64,
    of: u64,
    path: &'a Path,
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
        Ok(Part { number: part, of, path, report })
    }
}

/// What the parts of one program's searches come to together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Together {
    /// The verdict.
    pub verdict: Verdict,
    /// True if the user asked to stop one of them.
    pub interrupted: bool,
}

/// The reports of all parts as one, with the exit code of the first; or why they are no whole. Of the parts of one program's
/// searches also what they come to together: a part that reached nothing may be one to which nothing belongs.
pub fn merge(reports: Vec<(&Path, Report)>) -> Result<(Report, Option<Together>), String> {
    let mut parts =
        reports.into_iter().map(|(path, report)| Part::new(path, report)).collect::<Result<Vec<_>, _>>()?;
    // Whatever the order of the files, the result is the same.
    parts.sort_by_key(|part| part.number);
    belong_together(&parts)?;
    same_programs(&parts)?;
    let mut parts = parts.into_iter();
    let Some(Part { report: mut whole, .. }) = parts.next() else {
        return Err("there is no report".to_owned());
    };
    for Part { report, .. } in parts {
        whole.searches.extend(report.searches);
        whole.not_begun.extend(report.not_begun);
        whole.not_run.extend(report.not_run);
        whole.unseen.extend(report.unseen);
    }
    whole.partition = None;
    whole.not_begun.sort();
    whole.not_run.sort();
    if whole.suite.is_none() {
        let mut searches: IndexMap<String, Vec<Search>> = IndexMap::new();
        for search in std::mem::take(&mut whole.searches) {
            searches.entry(search.name.clone()).or_default().push(search);
        }
        let joined = searches.into_values().map(join).collect::<Result<Vec<_>, _>>()?;
        let verdict = Verdict::together(joined.iter().map(|(_, verdict)| *verdict));
        whole.searches = joined.into_iter().map(|(search, _)| search).collect();
        let interrupted = whole.searches.iter().any(|search| search.interrupted);
        return Ok((whole, verdict.map(|verdict| Together { verdict, interrupted })));
    }
    whole.searches.sort_by(|one, other| one.name.cmp(&other.name));
    Ok((whole, None))
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
        let pairs = one.report.searches.iter().zip(&other.report.searches);
        for (a, b) in pairs.filter(|_| one.report.suite.is_none()) {
            let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            same("digest of the program", &known(&a.digest), &known(&b.digest))?;
            same("what was asked for", &known(&a.asked), &known(&b.asked))?;
        }
    }
    let Some(of) = parts.first().map(|part| part.of) else { return Ok(()) };
    if parts.len() as u64 != of {
        let missing = (1..=of).filter(|part| !parts.iter().any(|other| other.number == *part)).take(10);
        let missing: Vec<u64> = missing.collect();
        let named: Vec<String> = missing.iter().map(u64::to_string).collect();
        let seed = parts.first().map_or(0, |part| part.report.seed);
        let next = missing.first().copied().unwrap_or(1);
        return Err(format!(
            "of {of} parts {} are here; missing: {}; each can be made alone, with what the others were asked for and `--seed {seed} --partition hash:{next}/{of}`",
            parts.len(),
            named.join(", "),
        ));
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
            subject: None,
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
        merge(parts.iter().map(|part| (Path::new("r.json"), part.clone())).collect()).map(|(whole, _)| whole)
    }

    #[test]
    fn all_parts_are_one_report_in_the_order_of_names() {
        let whole =
            merged(&[part("hash:2/2", 1, 101, &["c"]), part("hash:1/2", 1, 100, &["b", "a"])]).unwrap();
        let names: Vec<&str> = whole.searches.iter().map(|search| search.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!((whole.partition, whole.seed), (None, 1));
    }

    #[test]
    fn what_is_no_whole_is_refused_with_the_reason() {
        let other_suite = Report { suite: Some("y".to_owned()), ..part("hash:2/2", 1, 0, &[]) };
        let newer = Report { format: 2, ..part("hash:2/2", 1, 0, &[]) };
        let mut other_shell = part("hash:2/2", 1, 0, &["b"]);
        other_shell.searches[0].digest = Some("34cd".to_owned());
        for (other, said) in [
            (
                None,
                "of 2 parts 1 are here; missing: 2; each can be made alone, with what the others were asked for and `--seed 1 --partition hash:2/2`",
            ),
            (Some(part("hash:1/2", 1, 0, &[])), "both of part 1"),
            (Some(part("hash:2/2", 2, 0, &[])), "differ in seed"),
            (Some(part("hash:2/3", 1, 0, &[])), "one of 3 parts"),
            (Some(part("", 1, 0, &[])), "not the report of one part"),
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
