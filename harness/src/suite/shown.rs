//! What runs that nothing disturbs have shown to one search of a command, and the next need not have made again.

use crate::checks::Handlers;
use crate::explore::Look;
use crate::schedule::ThreadName;
use crate::signal::{Signal, SignalSet};
use crate::supervise::Settings;
use crate::trace::Run;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The signals that are watched where what is to be sent is not known yet. SIGALRM comes of timers: whether it could come depends on
/// whether it is watched.
pub(super) fn watched_at_first(settings: &Settings) -> SignalSet {
    let all = (1..).map_while(Signal::from_number);
    // At a terminal a person types, and nothing is sent.
    if settings.world.tty { SignalSet::EMPTY } else { all.filter(|signal| *signal != Signal::ALRM).collect() }
}

/// What such runs have shown. All of them are of one program, in one world, with one seed.
#[derive(Debug, Default)]
pub struct Shown {
    undisturbed: Option<Look>,
    /// By the process that was asked about.
    handlers: Mutex<HashMap<ThreadName, Handlers>>,
}

impl Shown {
    /// With a look at a run without any step.
    pub fn by(undisturbed: Option<&Look>) -> Shown {
        let undisturbed = undisturbed.filter(|look| look.run().taint.is_none()).cloned();
        let root = ThreadName::root();
        let handlers = undisturbed.as_ref().map(|look| Handlers::of(&root, look.run(), look.observed()));
        let handlers = handlers.filter(Handlers::are_seen).map(|handlers| (root, handlers));
        Shown { undisturbed, handlers: Mutex::new(handlers.into_iter().collect()) }
    }

    /// The run without any step, if under these settings it is no other.
    pub(super) fn undisturbed(&self, settings: &Settings) -> Option<Run> {
        self.look(settings).map(|look| look.run_watching(settings.watched()))
    }

    /// True if it is known that in that run nobody ever had a handler.
    pub(super) fn has_no_handler(&self, settings: &Settings) -> bool {
        self.look(settings).is_some_and(|look| look.observed().installed.is_empty())
    }

    fn look(&self, settings: &Settings) -> Option<&Look> {
        let known = settings.watched().without(watched_at_first(settings)).is_empty() && !settings.always;
        self.undisturbed.as_ref().filter(|_| known)
    }

    /// The handlers that a process has: what is known of them, or what `look` finds out.
    pub(super) fn handlers<E>(
        &self,
        process: &ThreadName,
        look: impl FnOnce() -> Result<Handlers, E>,
    ) -> Result<Handlers, E> {
        let known = || self.handlers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handlers) = known().get(process) {
            return Ok(handlers.clone());
        }
        let handlers = look()?;
        if handlers.are_seen() {
            known().insert(process.clone(), handlers.clone());
        }
        Ok(handlers)
    }
}
