//! A recorded run that is made again.
//!
//! A replay never improvises. It runs the recorded schedule and compares what happened, event by event, with what was
//! recorded, but for what may differ (NOTE \[By design\] in `trace::alike`). The steps are among the events, so a schedule
//! that was changed afterwards is noticed too.

use super::crew::attempt;
use super::error::ExploreError;
use crate::schedule::Step;
use crate::supervise::Supervise;
use crate::trace::{Event, Run, Trace, difference};

/// What became of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It went as recorded, and so did it end.
    Followed,
    /// The run left the recording.
    Diverged {
        /// The first event that differs, counted from 0; the number of recorded events if all of them were followed.
        index: usize,
        /// What was recorded there; none if the recording ends.
        recorded: Option<Event>,
        /// What happened there; none if the run ended.
        happened: Option<Event>,
        /// Steps whose point never came, or that could do nothing.
        unreached: Vec<Step>,
    },
    /// Every event was as recorded, but the outcome is another.
    EndedOtherwise,
    /// The run proves nothing, however often it is made, and why.
    Tainted(String),
}

/// Makes the recorded run again, and says whether it went as recorded. The run is given back for showing.
pub fn replay<S: Supervise + ?Sized>(
    supervisor: &mut S,
    trace: &Trace,
) -> Result<(Replay, Run), ExploreError> {
    let doing = format!("replaying ({})", trace.schedule);
    let run = attempt(supervisor, &trace.schedule).map_err(ExploreError::run(doing))?.run;
    Ok((compare(trace, &run), run))
}

/// Compares a run with a recording.
pub fn compare(trace: &Trace, run: &Run) -> Replay {
    if let Some(taint) = &run.taint {
        return Replay::Tainted(taint.clone());
    }
    let cut = trace.outcome.end.is_limit() && run.outcome.end.is_limit();
    let index = difference(&trace.events, &run.events, cut);
    if index.is_some() || !run.unreached.is_empty() || trace.schedule != run.schedule {
        let index = index.unwrap_or(trace.events.len());
        return Replay::Diverged {
            index,
            recorded: trace.events.get(index).cloned(),
            happened: run.events.get(index).cloned(),
            unreached: run.unreached.clone(),
        };
    }
    if trace.outcome.is_like(&run.outcome) { Replay::Followed } else { Replay::EndedOtherwise }
}
