//! What a run that nothing disturbs shows of what is worth exploring: which processes have something to do with which signals,
//! and where the program's start is over.

use super::done::SearchError;
use super::script::script;
use super::shown::watched_at_first;
use super::worker;
use crate::explore::{self, ExploreError, Look, Plan};
use crate::judge;
use crate::schedule::Action;
use crate::signal::Signal;
use crate::slots::{Seats, Slots, Waited};
use crate::supervise::Settings;
use crate::trace::Run;

/// Finds out whether what ends the first process, since that does nothing about it, ends others with it.
pub fn ends_others(
    settings: &Settings,
    look: &Look,
    signal: Signal,
    slots: &Slots,
) -> Result<bool, SearchError> {
    let settings = Settings { watch: vec![signal], always: true, ..settings.clone() };
    let plan = Plan { send: vec![signal], always: true, ..Plan::default() };
    let run = met(&settings, look, &plan, slots)?;
    Ok(run.taint.is_none() && !judge::ended_with(&run).is_empty())
}

/// What of this a person may do at the terminal that is worth a search of its own.
pub fn worth_doing(
    settings: &Settings,
    look: &Look,
    acts: Vec<Action>,
    slots: &Slots,
) -> Result<Vec<Action>, SearchError> {
    let mut worth = Vec::new();
    for act in acts {
        let plan = Plan { person: vec![act.clone()], ..Plan::default() };
        // Only of a window's size there is a doubt.
        let sized = matches!(act, Action::Resize(..));
        if !sized || look.is_answered(&act, &met(settings, look, &plan, slots)?) {
            worth.push(act);
        }
    }
    Ok(worth)
}

/// What comes of it when the outside does what the plan says and everything sleeps.
fn met(settings: &Settings, look: &Look, plan: &Plan, slots: &Slots) -> Result<Run, SearchError> {
    let waited = Waited::default();
    let seats = Seats::new(slots, &waited);
    let make = || explore::met(&mut worker::supervisor(settings.clone(), &seats), look, plan);
    let doing = |source| ExploreError::Run { doing: "looking for what is worth a search".to_owned(), source };
    Ok(worker::apart("that looks for what is worth a search", make).map_err(doing)??)
}

/// Finds it out.
pub fn look(settings: &Settings, slots: &Slots) -> Result<Look, SearchError> {
    let settings = &Settings { watch: watched_at_first(settings).iter().collect(), ..settings.clone() };
    let waited = Waited::default();
    let seats = Seats::new(slots, &waited);
    let script = script(&settings.launch);
    let look = || explore::look(&mut worker::supervisor(settings.clone(), &seats), script.as_deref());
    let doing = |source| ExploreError::Run { doing: "looking for signals".to_owned(), source };
    Ok(worker::apart("that looks for signals", look).map_err(doing)??)
}
