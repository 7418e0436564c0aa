//! No process holds more descriptors when it ends than the same process of the reference run did. Only a scenario asks for it:
//! the kernel closes all of them, and a process that is interrupted ends with what it had at that moment.

use super::{Expectation, Kind, Scope};
use crate::schedule::ThreadName;
use crate::trace::{Broken, Open, Run};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Descriptors,
    title: "descriptors are left open",
    word: "descriptors",
    scope: Scope::Uncut,
    of_scenario: |expect, reference| {
        Ok(expect.descriptors.map(|most| Arc::new(Holds::new(most, reference)) as _))
    },
    against: |_, _| Ok(None),
};

#[derive(Debug)]
struct Holds {
    most: u32,
    /// The processes of the reference run, and what they held at their ends.
    processes: BTreeSet<ThreadName>,
    open: Vec<Open>,
}

impl Holds {
    fn new(most: u32, reference: &Run) -> Holds {
        let processes = reference.events.iter().map(|event| event.thread.process()).collect();
        Holds { most, processes, open: reference.outcome.remains.open.clone() }
    }

    /// What a process held that it did not hold in the reference run.
    fn beyond<'a>(&self, open: &'a Open) -> Vec<&'a str> {
        let before = self.open.iter().find(|other| other.process == open.process);
        let mut before: Vec<&str> =
            before.map_or_else(Vec::new, |open| open.descriptors.iter().map(String::as_str).collect());
        let mut beyond: Vec<&str> = open.descriptors.iter().map(String::as_str).collect();
        beyond.retain(|is| match before.iter().position(|other| other == is) {
            Some(at) => {
                before.swap_remove(at);
                false
            }
            None => true,
        });
        beyond
    }
}

impl Expectation for Holds {
    fn breach(&self, run: &Run) -> Option<String> {
        let open = run.outcome.remains.open.iter().filter(|open| self.processes.contains(&open.process));
        let over = open.map(|open| (open, self.beyond(open)));
        let over = over.filter(|(_, beyond)| beyond.len() > self.most as usize);
        let words: Vec<String> =
            over.map(|(open, beyond)| format!("{} of {}", beyond.join(", "), open.process)).collect();
        let most = match self.most {
            0 => "no descriptors".to_owned(),
            most => format!("at most {most} descriptors"),
        };
        (!words.is_empty()).then(|| {
            format!("expected {most} to be open beyond those of the reference run, got {}", words.join("; "))
        })
    }
}
