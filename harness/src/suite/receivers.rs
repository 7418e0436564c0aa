//! What a run that nothing disturbs shows of what is worth exploring: which processes have something to do with which signals,
//! and where the program's start is over.

use super::script::script;
use super::search::SearchError;
use super::worker;
use crate::explore::{self, ExploreError, Look};
use crate::judge;
use crate::signal::Signal;
use crate::slots::{Seats, Slots, Waited};
use crate::supervise::Settings;

/// Finds out whether what ends the first process, since that does nothing about it, ends others with it.
pub fn ends_others(
    settings: &Settings,
    look: &Look,
    signal: Signal,
    slots: &Slots,
) -> Result<bool, SearchError> {
    let waited = Waited::default();
    let seats = Seats::new(slots, &waited);
    let settings = Settings { watch: vec![signal], always: true, ..settings.clone() };
    let make = || explore::ended_by(&mut worker::supervisor(settings.clone(), &seats), look, signal);
    let doing = |source| ExploreError::Run { doing: "looking for who ends with it".to_owned(), source };
    let run = worker::apart("that looks for who ends with it", make).map_err(doing)??;
    Ok(run.taint.is_none() && !judge::ended_with(&run).is_empty())
}

/// Finds it out.
pub fn look(settings: &Settings, slots: &Slots) -> Result<Look, SearchError> {
    let waited = Waited::default();
    let seats = Seats::new(slots, &waited);
    let script = script(&settings.launch);
    let look = || explore::look(&mut worker::supervisor(settings.clone(), &seats), script.as_deref());
    let doing = |source| ExploreError::Run { doing: "looking for signals".to_owned(), source };
    Ok(worker::apart("that looks for signals", look).map_err(doing)??)
}
