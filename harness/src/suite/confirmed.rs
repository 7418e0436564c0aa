//! A confirmed finding, for the JSON report.

use super::arrival::{Arrival, arrivals};
use super::done::Done;
use super::identity::Identity;
use crate::explore::Finding;
use crate::judge;
use crate::schedule::Schedule;
use crate::show;
use crate::trace::{Broken, Frame, Trace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A confirmed finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// The most telling expectation that it breaks.
    pub breaks: String,
    /// What else it breaks.
    pub also: Vec<String>,
    /// The steps of other minimal schedules that break the same at other calls, each confirmed; the simplest few.
    pub elsewhere: Vec<Vec<String>>,
    /// How many more were seen; of several parts of a search, at least so many.
    pub elsewhere_more: u64,
    /// True if the scenario knows it.
    pub known: bool,
    /// The baseline that has accepted it, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// What it is called in every build and with every seed; none in reports of a version that does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What broke, in a sentence.
    pub explanation: String,
    /// The steps of the minimal schedule, in the order in which they are taken.
    pub schedule: Vec<String>,
    /// Where in the program's own code the steps landed; steps of which that is not known are not there.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub landings: Vec<Landing>,
    /// The handlers that ran in it, in their order; none where that could not be seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handlers: Vec<Arrival>,
    /// The run of the search in which it was first seen, counted from 1; 0 is the reference run. Of several parts: the run
    /// of that part in which it was seen after the fewest.
    pub first: u64,
    /// Runs of the search that showed it.
    pub runs: u64,
    /// True if the budget for shrinking was used up, so that a simpler schedule may exist.
    pub shrink_cut: bool,
    /// How often this very schedule was run, and went and ended the same way each time.
    pub confirmed: u32,
    /// The file of its trace; none if it could not be written.
    pub trace: Option<String>,
    /// The command that makes the run again.
    pub replay: Option<String>,
}

/// Where in the program's own code a step landed: in the innermost function that has a source line, if any has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Landing {
    /// Which step of the schedule, counted from 1.
    pub step: u64,
    /// The function; none if the program does not say.
    pub function: Option<String>,
    /// The source file, as the compiler wrote it; none without debug information.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u32>,
}

impl Confirmed {
    pub(super) fn new(done: &Done, index: usize, finding: &Finding, known: bool) -> Confirmed {
        let trace = done.traces.get(index).and_then(|(_, path)| path.as_ref().ok());
        Confirmed {
            breaks: format!("{:?}", finding.breaks),
            also: names(&finding.also),
            elsewhere: finding.elsewhere.iter().map(steps).collect(),
            elsewhere_more: finding.elsewhere_more as u64,
            known,
            accepted: done.accepted.findings.get(&index).cloned(),
            identity: Some(identity(done, index, finding)),
            explanation: judge::explain(&done.expectations, finding.breaks, &finding.run),
            schedule: steps(&finding.schedule),
            landings: done.traces.get(index).map_or_else(Vec::new, |(trace, _)| landings(trace)),
            handlers: done.traces.get(index).map_or_else(Vec::new, |(trace, _)| arrivals(trace)),
            first: finding.first,
            runs: finding.runs,
            shrink_cut: finding.shrink_cut,
            confirmed: finding.confirmed,
            trace: trace.map(|path| path.display().to_string()),
            replay: done.replay_command(index),
        }
    }
}

/// What a finding is called in every build and with every seed.
pub(super) fn identity(done: &Done, index: usize, finding: &Finding) -> Identity {
    let landings = done.traces.get(index).map_or_else(Vec::new, |(trace, _)| landings(trace));
    let of = |step: u64| landings.iter().find(|landing| landing.step == step)?.function.clone();
    let functions: Vec<Option<String>> = (1..=finding.schedule.steps.len() as u64).map(of).collect();
    // Where the points of the others are is seen in this one's run, as far as that comes there.
    let known = done.traces.get(index).map_or_else(HashMap::new, |(trace, _)| show::functions(trace));
    let of = |other: &Schedule| other.steps.iter().map(|step| known.get(&step.point()).cloned()).collect();
    Identity::new(&finding.schedule, &functions, finding.elsewhere.iter().map(|other| (other, of(other))))
}

fn landings(trace: &Trace) -> Vec<Landing> {
    let frames = show::landings(trace).into_iter().zip(1..);
    let landing = |(frame, step): (Option<&Frame>, u64)| {
        let frame = frame?;
        let line = frame.line_of_program();
        let function = line.map_or(frame.function.as_deref(), |line| line.function);
        Some(Landing {
            step,
            function: function.map(str::to_owned),
            file: line.map(|line| line.file.to_owned()),
            line: line.map(|line| line.number),
        })
    };
    frames.filter_map(landing).collect()
}

/// Names as scenarios have them.
pub(super) fn names(broken: &[Broken]) -> Vec<String> {
    broken.iter().map(|broken| format!("{broken:?}")).collect()
}

/// Steps as people read them.
pub(super) fn steps(schedule: &Schedule) -> Vec<String> {
    schedule.steps.iter().map(ToString::to_string).collect()
}

/// The steps of a schedule in one line, as people read it.
pub fn in_words(steps: &[String]) -> String {
    if steps.is_empty() { "(no step)".to_owned() } else { steps.join("; ") }
}
