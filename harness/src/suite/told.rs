//! What came of a search, for people.

use super::done::Done;
use crate::checks::Checked;
use crate::explore::{self, Beginning, Cut, Reference, Report, Undone, Verdict, Why};
use crate::judge;
use crate::schedule::{Schedule, Step};
use crate::show::{self, Extent, Page, count};
use crate::store::{self, FileError};
use crate::trace::Broken;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// So many distinct outcomes are told of, those that came first.
const MOST_OUTCOMES: usize = 24;

impl Done {
    /// What came of it: the search in a few lines, then each finding, which ends with the command that continues.
    pub fn text(&self, name: &str, elapsed: Duration, page: Page) -> String {
        let Report { seed, verdict, outcomes, cut, reference, .. } = &self.report;
        let findings = self.report.findings.len();
        let mut text = format!(
            "{name}: {verdict}, {}, {} in {:.1} s; seed {seed}\n",
            self.counted(),
            self.extent(),
            elapsed.as_secs_f64()
        );
        if *cut == Some(Cut::Interrupted) {
            text += "interrupted: this is what was found so far\n";
        }
        text += &format!(
            "the reference run ({}): {}\n",
            undisturbed(reference),
            show::outcome_words(&reference.run.outcome)
        );
        text += &show::busy_waits(&reference.run);
        if let Some(passed) = self.passed_by() {
            text += &format!("{passed}\n");
        }
        text += &show::loops(&self.report.coverage);
        if outcomes.len() > 1 {
            let runs = outcomes.iter().map(|seen| seen.runs).sum();
            text += &format!("distinct outcomes of {}, the reference run included:\n", count(runs, "run"));
            let all: Vec<_> = outcomes.iter().map(|seen| &seen.outcome).collect();
            for (seen, words) in outcomes.iter().zip(show::told_apart(&all)).take(MOST_OUTCOMES) {
                text += &format!("  {:>6} x {words}, first by {}\n", seen.runs, seen.example);
            }
            let more = outcomes.get(MOST_OUTCOMES..).unwrap_or_default();
            if !more.is_empty() {
                let runs: u64 = more.iter().map(|seen| seen.runs).sum();
                text += &format!("  {runs:>6} x {} more (--format json)\n", more.len());
            }
        }
        // Of runs that prove nothing no step counts as taken, however many were.
        if self.report.coverage.steps == 0 && self.report.unstable.is_empty() {
            text += "no step was taken in any run, so nothing was tested: no other thread could run at any point, and no signal\n\
                 was to be sent (--send) that the program catches or blocks\n";
        }
        text += &self.tell_unstable(page);
        if let Some((broken, run)) = &self.report.unfinished {
            text += &format!("not confirmed: {broken:?} by {}\n", run.schedule);
        }
        if let Some(next) = self.next() {
            text += &format!("next: {next}\n");
        }
        let warnings = self.warnings();
        if !warnings.is_empty() {
            text += &format!("\n{}\n", warnings.join("\n"));
        }
        // Last, since each ends with the command that continues.
        for index in 0..findings {
            text += &format!("\n{}", self.tell(index, name, page));
        }
        text
    }

    /// How many findings there are, and how many of them are accepted: `1 finding, 2 known findings (accepted by FILE)`.
    fn counted(&self) -> String {
        let accepted = &self.accepted.findings;
        let new = self.report.findings.len() - accepted.len();
        let mut text = count(new as u64, "finding");
        let files: BTreeSet<&String> = accepted.values().collect();
        for file in files {
            let known = accepted.values().filter(|other| *other == file).count();
            text += &format!(", {} (accepted by {file})", count(known as u64, "known finding"));
        }
        text
    }

    /// What to type next, where the search came to no clear end.
    pub fn next(&self) -> Option<String> {
        let Report { seed, verdict, coverage, cut, unfinished, .. } = &self.report;
        let command = &self.command;
        let timed_out = self.report.findings.iter().any(|finding| finding.breaks == Broken::TimedOut);
        match verdict {
            Verdict::Unstable => Some(format!(
                "sigrace explore --seed {seed} -j 1 --verify -- {command}; if no run repeats itself on an idle machine, sigrace doctor"
            )),
            Verdict::Unreached if unfinished.is_some() || *cut == Some(Cut::Time) => {
                Some("the same with a longer --time".to_owned())
            }
            Verdict::Unreached if *cut == Some(Cut::Interrupted) => Some("the same again".to_owned()),
            Verdict::Unreached if coverage.steps > 0 => Some(format!(
                "sigrace points -- {command}, which shows where a signal could be sent; --always sends it anywhere"
            )),
            Verdict::Unreached => Some(format!(
                "sigrace points -- {command}, which shows what it reaches and what could be sent there"
            )),
            Verdict::Diverged => {
                Some(format!("sigrace points -- {command}, which shows what it reaches now"))
            }
            Verdict::Fail if timed_out => {
                Some("the same with a longer --limit-time, to see where it would end".to_owned())
            }
            Verdict::Pass | Verdict::Fail | Verdict::Unsupported => None,
        }
    }

    /// A finding for a person: what broke, in one sentence; the schedule, the run, and how to see it again.
    pub fn tell(&self, index: usize, name: &str, page: Page) -> String {
        if let Some(line) = self.accepted_line(index, name) {
            return line + "\n";
        }
        let Some(finding) = self.report.findings.get(index) else { return String::new() };
        if let Some(other) = self.known.get(&index) {
            let what = judge::title(finding.breaks);
            return format!("finding: {name}: {what}, the same as {other}, by {}\n", finding.schedule);
        }
        let sentence = judge::explain(&self.expectations, finding.breaks, &finding.run);
        let mut text = show::finding(name, finding.breaks, &sentence, &finding.schedule, page);
        text += &show::elsewhere(finding);
        if let Some(file) = self.accepted.but_for.get(&index) {
            text += &format!("  {file} has it, but not all of the places where it also shows\n");
        }
        if finding.shrink_cut {
            text += "  (the runs for shrinking were used up: a simpler schedule may exist)\n";
        }
        if let Some((trace, path)) = self.traces.get(index) {
            text += &format!("\n{}\n", show::run(trace, page));
            text += &match path {
                Ok(path) => format!("replay: {}\n", store::command("replay", path)),
                Err(error) => format!("there is no trace of it: {error}\n"),
            };
        }
        text
    }

    /// The same of one that is accepted, in a line.
    fn accepted_line(&self, index: usize, name: &str) -> Option<String> {
        let (file, finding) = (self.accepted.findings.get(&index)?, self.report.findings.get(index)?);
        let (what, by) = (judge::title(finding.breaks), &finding.schedule);
        Some(format!("known finding: {name}: {what}, by {by} (accepted by {file})"))
    }

    /// All that are accepted, a line each.
    pub fn accepted_lines(&self, name: &str) -> Vec<String> {
        self.accepted.findings.keys().filter_map(|index| self.accepted_line(*index, name)).collect()
    }

    /// The command that makes the run of a finding again, if its trace could be written: `replay: sigrace replay PATH`.
    pub fn replay(&self, index: usize) -> Option<String> {
        self.replay_command(index).map(|command| format!("replay: {command}"))
    }

    /// The same command alone.
    pub fn replay_command(&self, index: usize) -> Option<String> {
        self.trace(index).map(|path| store::command("replay", path))
    }

    /// Where the trace of a finding is, if it could be written.
    pub fn trace(&self, index: usize) -> Option<&Path> {
        self.traces.get(index)?.1.as_deref().ok()
    }

    /// Why a trace could not be written, if one could not.
    pub fn unwritten(&self) -> Option<&FileError> {
        self.traces.iter().find_map(|(_, path)| path.as_ref().err())
    }

    /// What the checks of handlers have to say, a line each.
    pub fn warnings(&self) -> Vec<String> {
        let Checked { warnings, notes, .. } = &self.checked;
        let line = |(index, warning)| match self.accepted.warnings.get(&index) {
            Some(file) => format!("known warning: {warning} (accepted by {file})"),
            None => format!("warning: {warning}"),
        };
        let mut lines: Vec<String> = warnings.iter().enumerate().map(line).collect();
        lines.extend(self.notes.iter().chain(notes).map(|note| format!("note: {note}")));
        lines
    }

    /// What of the program's start was passed by, and what the search begins with; none if it begins with the program.
    pub fn passed_by(&self) -> Option<String> {
        let Beginning { point, why } = self.report.from.as_ref()?;
        let passed = count(self.report.reference.passed as u64, "point");
        let begins = match why {
            Why::Asked => format!("the search begins {point}"),
            Why::Opens(script) => {
                format!("the search begins where {} is opened, {point}", script.display())
            }
            Why::Runs(program) => format!("{program} is explored, from {point} on"),
            Why::Others => format!("before {point} there is nobody who could be left behind"),
        };
        Some(format!("{passed} of the start passed by: {begins} (--from start for all)"))
    }

    /// What did not repeat itself, for a person: why, and how both runs ended.
    pub fn tell_unstable(&self, page: Page) -> String {
        show::unstable(&self.report.unstable, page)
    }

    /// How far the search went: `200 runs, 212 of 212 one-step schedules, 38 points, 9 distinct outcomes`.
    pub fn extent(&self) -> String {
        let mut text = Extent::of(&self.report).to_string();
        if self.report.tainted > 0 {
            text += &format!(", {}", count(self.report.tainted, "tainted run"));
        }
        if self.report.merged > 0 {
            let runs = count(self.report.merged, "run");
            text +=
                &format!(", not counting {runs} in which a signal was to be sent while another was pending");
        }
        text
    }
}

/// What was done in the reference run, and what could not be.
fn undisturbed(reference: &Reference) -> String {
    let Reference { schedule, run, .. } = reference;
    let done = explore::taken(run);
    let Undone { missed, pending } = explore::undone(run);
    let list = |steps: Vec<Step>| Schedule { steps }.to_string();
    let mut parts = Vec::new();
    if !done.is_empty() {
        parts.push(Schedule { steps: done }.to_string());
    } else if schedule.steps.is_empty() {
        parts.push("nothing disturbed it".to_owned());
    } else {
        parts.push("nothing was sent".to_owned());
    }
    if !missed.is_empty() {
        let why = "the moment did not come, or the signal was neither caught nor blocked there";
        parts.push(format!("not done: {} ({why})", list(missed)));
    }
    if !pending.is_empty() {
        let why = "one was pending already, and it is not queued again";
        parts.push(format!("not done: {} ({why})", list(pending)));
    }
    parts.join("; ")
}
