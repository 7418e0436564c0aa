//! No more programs are started with signals blocked than may be. Only a scenario asks for it.

use super::left::Allowed;
use super::{Expectation, Kind, Scope};
use crate::signal::Signal;
use crate::trace::{Broken, Run};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::ExecBlocked,
    title: "a program starts with signals blocked",
    word: "exec-blocked",
    scope: Scope::InTime,
    of_scenario: |expect, _| Ok(expect.exec_blocked.map(|most| Arc::new(Starts(Allowed::AtMost(most))) as _)),
    against: |_, _| Ok(None),
};

#[derive(Debug)]
struct Starts(Allowed);

impl Expectation for Starts {
    fn breach(&self, run: &Run) -> Option<String> {
        let found = run.outcome.exec_blocked.iter();
        self.0.breach(
            "programs started with signals blocked",
            found,
            |one| &one.process,
            |one| {
                let signals: Vec<_> = one.signals.iter().map(Signal::to_string).collect();
                format!("{} ({}) with {}", one.process, one.file, signals.join(", "))
            },
        )
    }
}
