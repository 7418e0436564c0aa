//! Findings that somebody has accepted: those of earlier reports, so that only new ones count.
//!
//! NOTE \[Accepted\] A finding is accepted if an accepted one of the same search breaks the same in the same places (NOTE \[Identity\]
//! in `suite::identity`), be it there in its own schedule or in one of those elsewhere. A place of one step at which it also shows, and
//! which was not known, makes it new: a cure may be missing at that call alone. That is held against it only where the earlier
//! search has told all of its places: it has tried every single step, and had no more to tell than it did.

use super::confirmed::{Confirmed, identity};
use super::done::{Accepted, Done};
use super::identity::{Identity, Place, Subject};
use crate::explore::Finding;
use crate::scenario::Known;

/// What was accepted before.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    findings: Vec<Entry>,
    warnings: Vec<Handler>,
}

#[derive(Clone, Debug)]
struct Entry {
    file: String,
    subject: Subject,
    finding: Confirmed,
    identity: Identity,
    /// All places of one step at which it shows are there.
    whole: bool,
}

/// A rule that a handler has broken, by what does not change with each edit of its file.
#[derive(Clone, Debug)]
struct Handler {
    file: String,
    subject: Subject,
    rule: String,
    signal: String,
    handler: String,
    source: String,
}

/// The file of `file.c:12`, the function of `function+0x1f`.
fn source(line: &str) -> &str {
    line.rsplit_once([':', '+']).map_or(line, |(source, _)| source)
}

/// An accepted finding that was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen<'a> {
    /// The report that has accepted it.
    pub file: &'a str,
    /// What is searched.
    pub subject: &'a Subject,
    /// The finding.
    pub finding: &'a Confirmed,
}

impl Baseline {
    /// Takes a finding of a report as accepted; false if the report does not say what it is called. `exhausted` says that its search
    /// has tried every single step.
    pub(super) fn add(&mut self, file: &str, subject: &Subject, finding: Confirmed, exhausted: bool) -> bool {
        let Some(identity) = finding.identity.clone() else { return false };
        let whole = exhausted && finding.elsewhere_more == 0;
        let (file, subject) = (file.to_owned(), subject.clone());
        self.findings.push(Entry { file, subject, finding, identity, whole });
        true
    }

    /// The same with the warning that `handler` breaks `rule` in this line.
    pub(super) fn add_warning(
        &mut self,
        file: &str,
        subject: &Subject,
        [rule, signal, handler, line]: [&str; 4],
    ) {
        self.warnings.push(Handler {
            file: file.to_owned(),
            subject: subject.clone(),
            rule: rule.to_owned(),
            signal: signal.to_owned(),
            handler: handler.to_owned(),
            source: source(line).to_owned(),
        });
    }

    /// What is accepted of this search that breaks this.
    fn like<'a>(&'a self, subject: &Subject, breaks: &str) -> Vec<&'a Entry> {
        let all = self.findings.iter();
        all.filter(|entry| entry.subject == *subject && entry.finding.breaks == breaks).collect()
    }

    /// True if it may be accepted: where in the code it is need not be known yet.
    pub fn seems_to_have(&self, subject: &Subject, finding: &Finding) -> bool {
        let identity = Identity::new(&finding.schedule, &[], std::iter::empty());
        let like = self.like(subject, &format!("{:?}", finding.breaks));
        like.iter().any(|entry| entry.identity.shows(&identity.places))
    }

    /// The file that has a finding, and whether it has all of it.
    pub(super) fn has(&self, subject: &Subject, breaks: &str, identity: &Identity) -> Option<(&str, bool)> {
        let like = self.like(subject, breaks);
        let entry = like.iter().find(|entry| entry.identity.is(identity));
        let entry = entry.or_else(|| like.iter().find(|entry| entry.identity.shows(&identity.places)))?;
        let whole = like.iter().all(|entry| entry.whole);
        let is_new = |places: &Vec<Place>| {
            whole && places.len() == 1 && !like.iter().any(|entry| entry.identity.shows(places))
        };
        Some((&entry.file, !identity.elsewhere.iter().any(is_new)))
    }

    /// The file that has the warning that `handler` breaks `rule` in this line.
    pub(super) fn has_warning(
        &self,
        subject: &Subject,
        [rule, signal, handler, line]: [&str; 4],
    ) -> Option<&str> {
        let is = |known: &&Handler| {
            known.subject == *subject
                && (known.rule.as_str(), known.signal.as_str()) == (rule, signal)
                && (known.handler.as_str(), known.source.as_str()) == (handler, source(line))
        };
        self.warnings.iter().find(is).map(|known| known.file.as_str())
    }

    /// The accepted findings of searches that were made to their end, and did not find them: each search with what it found.
    pub fn unseen<'a>(&'a self, made: &[(&Subject, Vec<&Confirmed>)]) -> Vec<Unseen<'a>> {
        let missing = |entry: &&Entry| {
            let is = |found: &&Confirmed| {
                found.breaks == entry.finding.breaks
                    && found.identity.as_ref().is_some_and(|identity| {
                        identity.shows(&entry.identity.places) || entry.identity.shows(&identity.places)
                    })
            };
            let mut searches = made.iter().filter(|(subject, _)| **subject == entry.subject).peekable();
            searches.peek().is_some() && !searches.any(|(_, found)| found.iter().any(is))
        };
        let missing = self.findings.iter().filter(missing);
        missing.map(|Entry { file, subject, finding, .. }| Unseen { file, subject, finding }).collect()
    }
}

impl Done {
    /// Takes what this baseline has accepted for known: what is left decides the verdict.
    pub fn accept(&mut self, baseline: &Baseline) {
        let mut accepted = Accepted::default();
        for (index, finding) in self.report.findings.iter().enumerate() {
            let identity = identity(self, index, finding);
            let breaks = format!("{:?}", finding.breaks);
            match baseline.has(&self.subject, &breaks, &identity) {
                Some((file, true)) => accepted.findings.insert(index, file.to_owned()),
                Some((file, false)) => accepted.but_for.insert(index, file.to_owned()),
                None => None,
            };
        }
        for (index, warning) in self.checked.warnings.iter().enumerate() {
            let (rule, signal) = (format!("{:?}", warning.rule), warning.signal.to_string());
            let words = [&rule, &signal, &warning.handler, &warning.line];
            let file = baseline.has_warning(&self.subject, words.map(String::as_str));
            accepted.warnings.extend(file.map(|file| (index, file.to_owned())));
        }
        self.accepted = accepted;
        self.report.verdict = self.report.against(&self.accepted());
    }

    /// The accepted findings, as a scenario would have them.
    pub fn accepted(&self) -> Vec<Known> {
        let findings = self.report.findings.iter().enumerate();
        let accepted = findings.filter(|(index, _)| self.accepted.findings.contains_key(index));
        accepted.map(|(_, found)| Known { breaks: found.breaks, schedule: found.schedule.clone() }).collect()
    }
}
