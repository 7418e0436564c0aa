//! Two reports compared: which findings are new, which are gone, and how far each has looked.

use super::accepted::Baseline;
use super::baseline::{baseline, comparable};
use super::confirmed::Confirmed;
use super::identity::Subject;
use super::report::{FORMAT, Found, Report, Search, Warned};
use serde::Serialize;
use std::path::Path;

/// What two reports differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The version of this form: that of reports.
    pub format: u32,
    /// The version of sigrace that made it.
    pub sigrace: String,
    /// The earlier report.
    pub old: String,
    /// The later one.
    pub new: String,
    /// How many findings are new.
    pub new_findings: u64,
    /// How many are gone.
    pub gone_findings: u64,
    /// How many are in both.
    pub same_findings: u64,
    /// True if nothing differs.
    pub same: bool,
    /// The searches of both, in the order of the later report; then those that only the earlier one has.
    pub searches: Vec<Compared>,
}

/// One search in both reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// The scenario's name, or the program's and what it is sent.
    pub name: String,
    /// What is searched; none if it came to no end in either.
    pub subject: Option<Subject>,
    /// The verdict or the error in the earlier report; none if it is not there.
    pub old_verdict: Option<String>,
    /// And in the later one.
    pub new_verdict: Option<String>,
    /// Findings of the later report that the earlier one has not, or has not at all places where they show.
    pub new: Vec<Confirmed>,
    /// Findings that the later report has not.
    pub gone: Vec<Confirmed>,
    /// Findings of the later report that the earlier one has as well.
    pub same: Vec<Confirmed>,
    /// Warnings of handlers that are new.
    pub new_warnings: Vec<Warned>,
    /// And those that are gone.
    pub gone_warnings: Vec<Warned>,
    /// How far both have looked; none if one of them has no result.
    pub coverage: Option<Coverage>,
}

/// How far a search has looked in both reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Schedules of one step that the earlier one has tried, or that go like one that was.
    pub old_schedules: Tried,
    /// The same of the later one.
    pub new_schedules: Tried,
    /// Points at which the earlier one has taken a step.
    pub old_points: Tried,
    /// The same of the later one.
    pub new_points: Tried,
}

/// So many of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// How many were tried.
    pub tried: u64,
    /// How many there are.
    pub of: u64,
}

impl Tried {
    fn schedules(found: &Found) -> Tried {
        let single = found.schedules.iter().find(|level| level.steps == 1);
        single.map_or(Tried { tried: 0, of: 0 }, |level| Tried { tried: level.covered, of: level.known })
    }

    fn points(found: &Found) -> Tried {
        Tried { tried: found.points_taken, of: found.points }
    }

    /// How many were not tried.
    pub fn left(self) -> u64 {
        self.of.saturating_sub(self.tried)
    }
}

impl Coverage {
    /// True if both have looked as far.
    pub fn is_same(&self) -> bool {
        self.old_schedules == self.new_schedules && self.old_points == self.new_points
    }
}

impl Compared {
    /// True if nothing differs.
    pub fn is_same(&self) -> bool {
        self.old_verdict == self.new_verdict
            && self.new.is_empty()
            && self.gone.is_empty()
            && self.new_warnings.is_empty()
            && self.gone_warnings.is_empty()
            && self.coverage.as_ref().is_none_or(Coverage::is_same)
    }
}

/// Compares an earlier report with a later one; or why they cannot be compared.
pub fn diff(old: (&Path, Report), new: (&Path, Report)) -> Result<Difference, String> {
    let (old_file, new_file) = (old.0.display().to_string(), new.0.display().to_string());
    comparable(&new_file, &new.1)?;
    let accepted = baseline(vec![old.clone()])?;
    let known = baseline(vec![new.clone()])?;
    let mut olds: Vec<Option<Search>> = old.1.searches.into_iter().map(Some).collect();
    let mut searches = Vec::new();
    for search in new.1.searches {
        let like = |other: &&mut Option<Search>| other.as_ref().is_some_and(|other| is_same(other, &search));
        let before = olds.iter_mut().find(like).and_then(Option::take);
        searches.push(compared(before, Some(search), &accepted, &known));
    }
    let gone = olds.into_iter().flatten();
    searches.extend(gone.map(|search| compared(Some(search), None, &accepted, &known)));
    let sum = |of: fn(&Compared) -> &Vec<Confirmed>| searches.iter().map(|one| of(one).len() as u64).sum();
    Ok(Difference {
        format: FORMAT,
        sigrace: env!("CARGO_PKG_VERSION").to_owned(),
        old: old_file,
        new: new_file,
        new_findings: sum(|one| &one.new),
        gone_findings: sum(|one| &one.gone),
        same_findings: sum(|one| &one.same),
        same: searches.iter().all(Compared::is_same),
        searches,
    })
}

/// True if both are of the same: by what they are about, or by their names where one of them came to no end.
fn is_same(one: &Search, other: &Search) -> bool {
    match (&one.subject, &other.subject) {
        (Some(one), Some(other)) => one == other,
        _ => one.name == other.name,
    }
}

fn compared(old: Option<Search>, new: Option<Search>, accepted: &Baseline, known: &Baseline) -> Compared {
    let verdict = |search: &Option<Search>| {
        let search = search.as_ref()?;
        search.verdict.clone().or_else(|| search.error.clone())
    };
    let (old_verdict, new_verdict) = (verdict(&old), verdict(&new));
    let some = new.as_ref().or(old.as_ref());
    let subject = old.iter().chain(&new).find_map(|search| search.subject.clone());
    let name = some.map_or_else(String::new, |search| match &search.subject {
        Some(subject) => subject.to_string(),
        None => search.name.clone(),
    });
    let result = |search: Option<Search>| search.and_then(|search| search.result);
    let (old, new) = (result(old), result(new));
    let coverage = old.as_ref().zip(new.as_ref()).map(|(old, new)| Coverage {
        old_schedules: Tried::schedules(old),
        new_schedules: Tried::schedules(new),
        old_points: Tried::points(old),
        new_points: Tried::points(new),
    });
    let parts = |found: Option<Found>| found.map_or_else(Default::default, |it| (it.findings, it.warnings));
    let ((old, old_warnings), (new, new_warnings)) = (parts(old), parts(new));
    let no_subject = Subject::default();
    let subject_ref = subject.as_ref().unwrap_or(&no_subject);
    let has = |baseline: &Baseline, finding: &Confirmed| {
        let identity = finding.identity.as_ref()?;
        baseline.has(subject_ref, &finding.breaks, identity).map(|(_, whole)| whole)
    };
    let (same, new): (Vec<_>, Vec<_>) =
        new.into_iter().partition(|finding| has(accepted, finding) == Some(true));
    let gone = old.into_iter().filter(|finding| has(known, finding).is_none()).collect();
    let warns = |baseline: &Baseline, warned: &Warned| {
        let words = [&warned.rule, &warned.signal, &warned.handler, &warned.line];
        baseline.has_warning(subject_ref, words.map(String::as_str)).is_some()
    };
    let new_warnings = new_warnings.into_iter().filter(|warned| !warns(accepted, warned)).collect();
    let gone_warnings = old_warnings.into_iter().filter(|warned| !warns(known, warned)).collect();
    Compared {
        name,
        subject,
        old_verdict,
        new_verdict,
        new,
        gone,
        same,
        new_warnings,
        gone_warnings,
        coverage,
    }
}
