//! Which processes of a program have something to do with which signals.

use super::search::SearchError;
use super::worker;
use crate::explore::{self, ExploreError};
use crate::slots::{Seats, Slots, Waited};
use crate::supervise::{Receiver, RunError, Settings};
use std::thread;

/// Finds it out by a run that nothing disturbs.
pub fn receivers(settings: &Settings, slots: &Slots) -> Result<Vec<Receiver>, SearchError> {
    let waited = Waited::default();
    let seats = Seats::new(slots, &waited);
    // In a thread of its own: a supervisor pins its thread.
    let look = || explore::receivers(&mut worker::supervisor(settings.clone(), &seats));
    let died = |_| {
        let source = RunError::Fault("the thread that looks for signals panicked".to_owned());
        Err(ExploreError::Run { doing: "looking for signals".to_owned(), source })
    };
    Ok(thread::scope(|scope| scope.spawn(look).join()).unwrap_or_else(died)?)
}
