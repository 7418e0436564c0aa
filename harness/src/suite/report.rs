//! What came of searches, as values that machines read: the JSON report, whose schema is `harness/report.schema.json`.
//!
//! A report holds no times, no pids and nothing else that chance or the number of workers decides: the same seeded search
//! gives the same report, byte for byte.

pub use super::arrival::Arrival;
pub use super::confirmed::in_words;
pub use super::confirmed::{Confirmed, Landing};
pub use super::identity::{Identity, Place, Subject};
use crate::explore::{Cut, Executed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of this report's form. It changes when a field changes its meaning or goes away.
pub const FORMAT: u32 = 1;

/// A whole report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The version of this form: 1.
    pub format: u32,
    /// The version of sigrace that made it.
    pub sigrace: String,
    /// What chance was made from.
    pub seed: u64,
    /// For a suite, the SHA-256 of its scenarios' names and texts.
    pub suite: Option<String>,
    /// Which part of the suite, or of the one search, this is: `hash:i/n`; none for the whole.
    pub partition: Option<String>,
    /// The exit code of the command.
    pub exit: u8,
    /// One entry for each scenario, in the order of their names, or one for each search of the program that was explored.
    pub searches: Vec<Search>,
    /// The names of scenarios that were not begun, since the user asked to stop.
    pub not_begun: Vec<String>,
    /// Scenarios that were not run, since this machine lacks a program that they need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_run: Vec<NotRun>,
    /// Findings that a baseline has accepted, and the searches made for this report did not find.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Unseen>,
}

/// A scenario that was not run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotRun {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Which program is missing, and what to install where that is known.
    pub why: String,
}

/// What came of one search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The scenario's name, or the program's.
    pub name: String,
    /// The scenario file, if there is one.
    pub file: Option<String>,
    /// `pass`, `fail`, `unreached`, `diverged`, `unstable`, `unsupported`; none if the harness failed.
    pub verdict: Option<String>,
    /// Why there is no result, if there is none.
    pub error: Option<String>,
    /// True if the user asked to stop before the search was through.
    pub interrupted: bool,
    /// The program's file; none if nothing could be run.
    pub program: Option<String>,
    /// SHA-256 of that file.
    pub digest: Option<String>,
    /// SHA-256 of the program's arguments and of what the search was asked to do: the same for all parts of one search.
    pub asked: Option<String>,
    /// What is searched, as it is called in every build and with every seed; none in reports of a version that does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// What a person should know even of a search that passed.
    pub notes: Vec<String>,
    /// What was done; none where there is no result.
    pub result: Option<Found>,
}

/// How far a search went, and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// How far it went, in words.
    pub extent: String,
    /// Runs that the strategies made.
    pub runs: u64,
    /// Runs that shrinking and confirming took.
    pub extra_runs: u64,
    /// Of a part of a search: runs that every part makes, to see what there is to try. They are not among `runs`.
    pub shared_runs: u64,
    /// Runs in which a signal was to be sent while one was pending, so that nothing would have come of it. They are not among `runs`.
    #[serde(default)]
    pub merged_runs: u64,
    /// Schedules that were run twice and went and ended the same way.
    pub verified: u64,
    /// Steps that were taken in all runs together.
    pub steps_taken: u64,
    /// Signals that were to be sent, but could not be in any run.
    pub signals_unsent: u64,
    /// Why the search ended before its budget was used up, if so: `interrupted`, `time`, `runs`, `nothing new`
    /// (of schedules of several steps or far inside loops), `first finding`, `known findings`, `too many findings`.
    pub cut: Option<String>,
    /// Runs that broke an expectation.
    pub failing: u64,
    /// The point at which the search begins; none if that is the program's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How many points of the undisturbed run come before it, and were passed by: they count nowhere else.
    #[serde(default)]
    pub points_passed_by: u64,
    /// Points at which the baseline could be disturbed.
    pub points: u64,
    /// How many of them were.
    pub points_taken: u64,
    /// Of a part of a search: the points that could be disturbed and were not, in this part.
    pub points_not_taken: Vec<String>,
    /// What goes round in the undisturbed run in the same way each time: of each such loop a few visits are tried first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loops: Vec<Looped>,
    /// Children of a process that do the same in the undisturbed run: of each such family a few are tried first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Siblings>,
    /// Schedules by their number of steps.
    pub schedules: Vec<Schedules>,
    /// What probabilistic concurrency testing has tried, if it was asked for.
    pub chance: Option<Chance>,
    /// How much of the code that was swept the undisturbed run executes.
    #[serde(default)]
    pub swept: Executed,
    /// What was done in the reference run. Of a report that does not say so it is nothing.
    #[serde(default)]
    pub reference: Undisturbed,
    /// True if there were more distinct outcomes than are kept.
    pub more_outcomes: bool,
    /// The distinct outcomes, in the order in which they were first seen; the first is the reference run's.
    pub outcomes: Vec<Distinct>,
    /// Confirmed findings, the most telling first.
    pub findings: Vec<Confirmed>,
    /// Known findings that were not found.
    pub missing: Vec<Missing>,
    /// What did not repeat itself: evidence against repeatability, no finding.
    pub unstable: Vec<Unrepeated>,
    /// Rules for signal handlers that were broken. Without a scenario that expects them to be kept they change no verdict.
    pub warnings: Vec<Warned>,
    /// Runs that checking the handlers took.
    pub check_runs: u64,
}

/// What was to be done in the reference run, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undisturbed {
    /// What was done.
    pub done: Vec<String>,
    /// What was not: the moment did not come, or the signal was neither caught nor blocked there.
    pub not_done: Vec<String>,
    /// What was not since a signal was pending already: the same one is not queued again.
    pub pending: Vec<String>,
}

/// A rule for signal handlers that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warned {
    /// The rule, by its name in scenarios.
    pub rule: String,
    /// The signal.
    pub signal: String,
    /// The handler's name.
    pub handler: String,
    /// Where the rule is broken, `file.c:12`; `function+0x1f` without debug information.
    pub line: String,
    /// What the signal interrupted in the run that showed it, in the same form.
    pub interrupted: String,
    /// All of it in a sentence.
    pub explanation: String,
    /// True if the scenario knows it.
    pub known: bool,
    /// The baseline that has accepted it, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// The steps of the run that showed it.
    pub schedule: Vec<String>,
}

/// Calls that a thread made again and again at the same places of its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Looped {
    /// The point before the first of them.
    pub from: String,
    /// And before the last.
    pub to: String,
    /// The calls of one time round, in order.
    pub calls: Vec<String>,
    /// How often it went round.
    pub times: u64,
    /// True if the calls returned the same each time; false if that could not be seen.
    pub same_results: bool,
    /// The times round at which steps were taken, counted from 1.
    pub taken: Vec<u64>,
}

/// Children of a process that were made at the same place and have done the same calls, with the same results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Siblings {
    /// The first of them.
    pub first: String,
    /// And the last.
    pub last: String,
    /// The file of the program that they execute, if they execute one.
    pub program: Option<String>,
    /// How many they are.
    pub count: u64,
    /// Those of them in which steps were taken, counted from 1.
    pub taken: Vec<u64>,
}

/// How many of the schedules with so many steps were tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedules {
    /// How many steps.
    pub steps: u32,
    /// How many of these schedules are known of.
    pub known: u64,
    /// How many of them were tried, or go like one that was.
    pub covered: u64,
    /// How many of these were not run, since they go like one that was.
    pub same: u64,
    /// True if there are more that are not known of, since not all of fewer steps were tried.
    pub more: bool,
    /// True if all there are were covered.
    pub exhausted: bool,
}

/// What samples of probabilistic concurrency testing are good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chance {
    /// How many orderings of threads a bug may need.
    pub depth: u32,
    /// The most threads that a run has had.
    pub threads: u64,
    /// The most moments that a run has had.
    pub moments: u64,
    /// Signals that each run sends.
    pub signals: u64,
    /// Samples that were made, each drawn among so many moments.
    pub samples: u64,
    /// Samples that were given up.
    pub given_up: u64,
    /// False if steps were planned at some kinds of points only.
    pub everywhere: bool,
}

/// A distinct outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Distinct {
    /// How the run ended, in words.
    pub ending: String,
    /// SHA-256 of all that makes it distinct: the end, what was written but for dates, times and numbers of processes, what is left over.
    pub digest: String,
    /// The expectations that it breaks, by the names that scenarios have for them.
    pub breaks: Vec<String>,
    /// How many runs ended so.
    pub runs: u64,
    /// The steps of the first schedule that led to it.
    pub example: Vec<String>,
}

/// A known finding that was not found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The expectation that should break.
    pub breaks: String,
    /// The steps of its schedule.
    pub schedule: Vec<String>,
}

/// An accepted finding that was not found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unseen {
    /// The baseline that has accepted it.
    pub accepted: String,
    /// What is searched.
    pub subject: Subject,
    /// The expectation that it breaks.
    pub breaks: String,
    /// The steps of its schedule.
    pub schedule: Vec<String>,
}

/// Something that did not repeat itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unrepeated {
    /// What is wrong.
    pub why: String,
    /// The steps of the schedule that was run several times.
    pub schedule: Vec<String>,
    /// How the runs ended, in words.
    pub endings: Vec<String>,
    /// The first event in which they differ, counted from 0.
    pub differs: Option<u64>,
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unseen { accepted, subject, breaks, schedule } = self;
        write!(f, "not seen again: {subject}: {breaks} by {} (accepted by {accepted})", in_words(schedule))
    }
}

impl Report {
    /// A report of this version.
    pub fn new(seed: u64, exit: u8, searches: Vec<Search>, not_begun: Vec<String>) -> Report {
        Report {
            format: FORMAT,
            sigrace: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            suite: None,
            partition: None,
            exit,
            searches,
            not_begun,
            not_run: Vec::new(),
            unseen: Vec::new(),
        }
    }

    /// As JSON text.
    pub fn json(&self) -> String {
        // Only maps with other keys than strings, and values that refuse to be serialized, can fail: there are none.
        serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    }
}

const CUTS: [(Cut, &str); 7] = [
    (Cut::Interrupted, "interrupted"),
    (Cut::Time, "time"),
    (Cut::Runs, "runs"),
    (Cut::NothingNew, "nothing new"),
    (Cut::FirstFinding, "first finding"),
    (Cut::KnownFound, "known findings"),
    (Cut::Full, "too many findings"),
];

pub(super) fn name_of_cut(cut: Cut) -> &'static str {
    CUTS.iter().find(|(other, _)| *other == cut).map_or("", |(_, name)| name)
}

/// The reason of this name.
pub(super) fn cut_of_name(name: &str) -> Option<Cut> {
    CUTS.iter().find(|(_, other)| *other == name).map(|(cut, _)| *cut)
}

/// The JSON Schema (draft 2020-12) of a report, with a line end.
pub fn schema() -> String {
    // A schema is a map with text keys, which can always be written.
    serde_json::to_string_pretty(&schemars::schema_for!(Report)).unwrap_or_default() + "\n"
}
