//! What runs that nothing disturbs have shown to one search of a command, and the next need not have made again.

use crate::checks::Handlers;
use crate::schedule::ThreadName;
use crate::supervise::Settings;
use crate::trace::Run;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What such runs have shown. All of them are of one program, in one world, with one seed.
#[derive(Debug, Default)]
pub struct Shown {
    undisturbed: Option<Run>,
    /// By the process that was asked about.
    handlers: Mutex<HashMap<ThreadName, Handlers>>,
}

impl Shown {
    /// With a run without any step, in which no signal was watched.
    pub fn by(undisturbed: Option<&Run>) -> Shown {
        let undisturbed = undisturbed.filter(|run| run.taint.is_none()).cloned();
        Shown { undisturbed, handlers: Mutex::default() }
    }

    /// The run without any step, if under these settings it is no other.
    pub(super) fn undisturbed(&self, settings: &Settings) -> Option<&Run> {
        self.undisturbed.as_ref().filter(|_| settings.watch.is_empty() && !settings.always)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Launch;
    use crate::schedule::Schedule;
    use crate::signal::Signal;
    use crate::trace::{End, Outcome, Output, Status};

    fn run() -> Run {
        let outcome = Outcome {
            end: End::Ended(Status::Exited(0)),
            stdout: Output::Text(String::new()),
            stderr: Output::Text(String::new()),
            clients: vec![],
            roused: vec![],
            leftover: vec![],
            unwaited: vec![],
            exec_blocked: vec![],
            table: vec![],
            took: Default::default(),
            terminal: None,
            remains: Default::default(),
        };
        Run {
            schedule: Schedule::empty(),
            events: vec![],
            outcome,
            reached: vec![],
            lapses: vec![],
            first_quiet: vec![],
            unreached: vec![],
            merged: vec![],
            taint: None,
            shares_memory: false,
            verdict_after: Default::default(),
        }
    }

    #[test]
    fn an_undisturbed_run_serves_where_nothing_is_watched() {
        let run = run();
        let shown = Shown::by(Some(&run));
        let nothing = Settings::of(Launch {
            file: "/bin/server".into(),
            argv: vec![],
            env: Default::default(),
            cwd: "/".into(),
            stdin: None,
            source: None,
            build: None,
        });
        assert_eq!(shown.undisturbed(&nothing), Some(&run));
        assert_eq!(shown.undisturbed(&Settings { watch: vec![Signal::TERM], ..nothing.clone() }), None);
        assert_eq!(shown.undisturbed(&Settings { always: true, ..nothing.clone() }), None);
        let tainted = Run { taint: Some("late".to_owned()), ..run };
        assert_eq!(Shown::by(Some(&tainted)).undisturbed(&nothing), None);
    }
}
