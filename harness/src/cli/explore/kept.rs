//! Findings of earlier searches, which are tried first.

use crate::explore::Plan;
use crate::schedule::{Action, Schedule};
use crate::store;
use crate::trace::Trace;
use std::fs;
use std::path::Path;

/// So many traces are read, the newest.
const MOST: usize = 64;

/// The traces of findings of the program with these words, in this folder. What cannot be read is none.
pub(in crate::cli) fn traces(folder: &Path, words: &[String]) -> Vec<Trace> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let files = entries.filter_map(|entry| entry.ok()?.path().canonicalize().ok());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "ron"));
    let mut dated: Vec<_> = files
        .filter_map(|path| Some((fs::metadata(&path).and_then(|found| found.modified()).ok()?, path)))
        .collect();
    dated.sort();
    dated.dedup();
    let newest = dated.into_iter().rev().take(MOST);
    let traces = newest.filter_map(|(_, path)| store::read_trace(&path).ok());
    traces.filter(|trace| trace.launch.argv == words && !trace.breaks.is_empty()).collect()
}

/// The schedules of these traces that belong to a search: what comes from outside in them is what it sends, once each.
pub(super) fn schedules(traces: &[Trace], plan: &Plan) -> Vec<Schedule> {
    let sorted = |mut acts: Vec<Action>| {
        acts.sort();
        acts
    };
    let send = |signal: &_| match plan.send_to.group {
        true => Action::SendGroup(*signal),
        false => Action::Send(*signal),
    };
    let ours = sorted(plan.send.iter().map(send).chain(plan.person.iter().cloned()).collect());
    let from_outside = |schedule: &Schedule| {
        let acts = schedule.steps.iter().map(|step| &step.action);
        sorted(acts.filter(|act| act.is_from_outside()).cloned().collect())
    };
    let mut schedules: Vec<Schedule> = Vec::new();
    for trace in traces.iter().filter(|trace| !trace.schedule.steps.is_empty()) {
        if from_outside(&trace.schedule) == ours && !schedules.contains(&trace.schedule) {
            schedules.push(trace.schedule.clone());
        }
    }
    schedules
}
