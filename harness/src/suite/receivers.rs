//! What a run that nothing disturbs shows of what is worth exploring: which processes have something to do with which signals,
//! and where the program's start is over.

use super::script::script;
use super::search::SearchError;
use super::worker;
use crate::explore::{self, ExploreError, Look};
use crate::slots::{Seats, Slots, Waited};
use crate::supervise::Settings;

/// Finds it out.
pub fn look(settings: &Settings, slots: &Slots) -> Result<Look, SearchError> {
    let waited = Waited::default();
    let seats = Seats::new(slots, &waited);
    let script = script(&settings.launch);
    let look = || explore::look(&mut worker::supervisor(settings.clone(), &seats), script.as_deref());
    let doing = |source| ExploreError::Run { doing: "looking for signals".to_owned(), source };
    Ok(worker::apart("that looks for signals", look).map_err(doing)??)
}
