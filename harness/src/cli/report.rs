//! A report for machines on standard output, and annotations for the service that runs the command.

use super::exit::{Exit, Stop};
use super::options::Format;
use super::say::{page, say, warn};
use crate::show::Page;
use crate::suite::report::{Confirmed, NotRun, Report, Search, Unseen};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// What a program reads that has sigrace as a library: it may be shown anywhere.
pub(super) const CALLERS_PAGE: Page = Page { color: false, width: 100 };

/// Who is told of searches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reader<'a> {
    /// Whoever has typed the command.
    Command(Format),
    /// A program that has sigrace as a library, which reads it here.
    Caller(&'a Mutex<String>),
}

impl Reader<'_> {
    /// True if a person reads what comes on standard output.
    pub(super) fn is_person(self) -> bool {
        match self {
            Reader::Command(format) => format == Format::Human,
            Reader::Caller(_) => true,
        }
    }

    /// True if it is a program that is told.
    pub(super) fn is_caller(self) -> bool {
        matches!(self, Reader::Caller(_))
    }

    /// The page on which it is read.
    pub(super) fn page(self) -> Page {
        match self {
            Reader::Command(_) => page(),
            Reader::Caller(_) => CALLERS_PAGE,
        }
    }

    /// Tells a line for a person: on standard output, or on standard error where that is for a machine.
    pub(super) fn tell(self, text: impl Display) -> Result<(), Stop> {
        match self {
            Reader::Command(Format::Human) => say(text),
            Reader::Command(Format::Json | Format::Junit) => {
                warn(text);
                Ok(())
            }
            Reader::Caller(heard) => {
                hear(heard, text);
                Ok(())
            }
        }
    }

    /// Tells what is none of the result, on standard error.
    pub(super) fn aside(self, text: impl Display) {
        match self {
            Reader::Command(_) => warn(text),
            Reader::Caller(heard) => hear(heard, text),
        }
    }

    /// Writes the report in the form that was asked for, and annotations where GitHub runs the command.
    pub(super) fn finish(self, report: &Report) -> Result<(), Stop> {
        let format = match self {
            Reader::Command(format) => format,
            // It has the report itself.
            Reader::Caller(_) => return Ok(()),
        };
        if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
            // The runner reads them from standard error as well, where they are in no machine's way.
            report.searches.iter().flat_map(annotations).for_each(warn);
        }
        match format {
            Format::Human => Ok(()),
            Format::Json => say(report.json()),
            Format::Junit => say(junit(report)?.trim_end()),
        }
    }
}

/// A caller reads one line more.
fn hear(heard: &Mutex<String>, text: impl Display) {
    *heard.lock().unwrap_or_else(PoisonError::into_inner) += &format!("{text}\n");
}

/// One test case for each search. Without times, so that the same search makes the same text.
fn junit(report: &Report) -> Result<String, Stop> {
    let mut suite = TestSuite::new("sigrace");
    for search in &report.searches {
        let mut case = TestCase::new(&search.name, status(search));
        case.set_classname("sigrace");
        if let Some(result) = &search.result {
            let mut text = format!("{}; seed {}", result.extent, report.seed);
            for finding in &result.findings {
                if let Some(file) = &finding.accepted {
                    text += &format!("\naccepted by {file}: {}", sentence(finding));
                }
            }
            for warning in &result.warnings {
                text += &format!("\nwarning: {}", warning.explanation);
            }
            case.set_system_out(text);
        }
        suite.add_test_case(case);
    }
    let unseen: Vec<String> = report.unseen.iter().map(Unseen::to_string).collect();
    if !unseen.is_empty() {
        suite.set_system_out(unseen.join("\n"));
    }
    for NotRun { name, why, .. } in &report.not_run {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("not run: {why}"));
        suite.add_test_case(TestCase::new(name, status));
    }
    for name in &report.not_begun {
        let mut status = TestCaseStatus::skipped();
        status.set_message("not begun: interrupted");
        suite.add_test_case(TestCase::new(name, status));
    }
    let mut whole = quick_junit::Report::new("sigrace");
    whole.add_test_suite(suite);
    whole.to_string().map_err(|error| Stop::new(Exit::Harness, format!("cannot write the report: {error}")))
}

fn status(search: &Search) -> TestCaseStatus {
    let mut status = match search.verdict.as_deref() {
        Some("pass") => return TestCaseStatus::success(),
        Some("fail") => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let lines = troubles(search);
    status.set_type(search.verdict.as_deref().unwrap_or("harness fault"));
    status.set_message(lines.first().cloned().unwrap_or_default());
    status.set_description(lines.join("\n"));
    status
}

/// What is wrong with a search, a line each; the first is the gravest.
fn troubles(search: &Search) -> Vec<String> {
    let mut lines: Vec<String> = search.error.iter().cloned().collect();
    if let Some(result) = &search.result {
        let unknown = result.findings.iter().filter(|finding| !finding.known && finding.accepted.is_none());
        lines.extend(unknown.map(sentence));
        // Without a scenario nobody has promised anything of the handlers.
        let promised = search.file.is_some() && search.verdict.as_deref() != Some("pass");
        let unknown =
            result.warnings.iter().filter(|warning| promised && !warning.known && warning.accepted.is_none());
        lines.extend(unknown.map(|warning| warning.explanation.clone()));
        for missing in &result.missing {
            lines.push(format!("not found: {} by {}", missing.breaks, missing.schedule.join("; ")));
        }
        for unstable in &result.unstable {
            lines.push(format!("unstable ({}): {}", unstable.schedule.join("; "), unstable.why));
        }
        lines.extend(search.notes.iter().cloned());
        if lines.is_empty() && search.verdict.as_deref() != Some("pass") {
            lines.push(result.extent.clone());
        }
    }
    if search.interrupted {
        lines.push("interrupted".to_owned());
    }
    lines
}

fn sentence(finding: &Confirmed) -> String {
    let replay = finding.replay.as_ref().map_or(String::new(), |command| format!(" (replay: {command})"));
    format!("{}: {} by {}{replay}", finding.breaks, finding.explanation, finding.schedule.join("; "))
}

/// Workflow commands, one for each thing that is wrong.
fn annotations(search: &Search) -> Vec<String> {
    let file = search.file.as_ref().map_or(String::new(), |file| format!("file={},", property(file)));
    let title = property(&format!("sigrace {}", search.name));
    let line = |text: &String| format!("::error {file}title={title}::{}", data(text));
    let mut lines: Vec<String> = Vec::new();
    if search.verdict.as_deref() != Some("pass") {
        lines.extend(troubles(search).iter().map(line));
    }
    if let (None, Some(result)) = (&search.file, &search.result) {
        let warning = |text: &String| format!("::warning title={title}::{}", data(text));
        let new = result.warnings.iter().filter(|found| found.accepted.is_none());
        lines.extend(new.map(|found| warning(&found.explanation)));
    }
    lines
}

/// Text in a workflow command, where a line end and a percent sign mean something.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text in a property of a workflow command, where colons and commas mean something too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::report::{Found, Missing, Undisturbed};

    fn search(verdict: &str) -> Search {
        Search {
            name: "jobs/add, job".to_owned(),
            file: Some("scenarios/jobs/add.ron".to_owned()),
            verdict: Some(verdict.to_owned()),
            error: None,
            interrupted: false,
            program: None,
            digest: None,
            asked: None,
            subject: None,
            notes: Vec::new(),
            result: Some(Found {
                from: None,
                points_passed_by: 0,
                extent: "2 runs".to_owned(),
                runs: 2,
                extra_runs: 0,
                shared_runs: 0,
                merged_runs: 0,
                verified: 0,
                steps_taken: 1,
                signals_unsent: 0,
                cut: None,
                failing: 0,
                points: 1,
                points_taken: 1,
                points_not_taken: Vec::new(),
                loops: Vec::new(),
                children: Vec::new(),
                schedules: Vec::new(),
                chance: None,
                swept: Default::default(),
                reference: Undisturbed::default(),
                more_outcomes: false,
                outcomes: Vec::new(),
                findings: Vec::new(),
                missing: vec![Missing {
                    breaks: "Hang".to_owned(),
                    schedule: vec!["100% of <it>\nhere".to_owned()],
                }],
                unstable: Vec::new(),
                warnings: Vec::new(),
                check_runs: 0,
            }),
        }
    }

    #[test]
    fn an_annotation_is_one_line_that_the_runner_can_take_apart() {
        assert_eq!(
            annotations(&search("fail")),
            [
                "::error file=scenarios/jobs/add.ron,title=sigrace jobs/add%2C job::not found: Hang by 100%25 of <it>%0Ahere"
            ]
        );
        assert!(annotations(&search("pass")).is_empty());
    }

    #[test]
    fn junit_counts_what_failed() {
        let searches = vec![search("pass"), search("fail"), search("unstable"), search("unsupported")];
        let text = junit(&Report::new(7, 100, searches, vec!["late".to_owned()])).unwrap();
        assert!(text.contains(r#"tests="5" skipped="1" errors="2" failures="1""#), "{text}");
        assert!(text.contains("100% of &lt;it&gt;"), "{text}");
    }
}
