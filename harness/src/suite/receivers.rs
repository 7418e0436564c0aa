//! Which processes of a program have something to do with which signals.

use super::search::SearchError;
use super::worker;
use crate::explore::{self, ExploreError};
use crate::slots::{Seats, Slots, Waited};
use crate::supervise::{Receiver, Settings};

/// Finds it out by a run that nothing disturbs.
pub fn receivers(settings: &Settings, slots: &Slots) -> Result<Vec<Receiver>, SearchError> {
    let waited = Waited::default();
    let seats = Seats::new(slots, &waited);
    let look = || explore::receivers(&mut worker::supervisor(settings.clone(), &seats));
    let doing = |source| ExploreError::Run { doing: "looking for signals".to_owned(), source };
    Ok(worker::apart("that looks for signals", look).map_err(doing)??)
}
