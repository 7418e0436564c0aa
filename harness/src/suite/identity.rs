//! What searches and findings are called in every build and with every seed, so that two reports can be compared.
//!
//! NOTE \[Identity\] A finding is known again by what it breaks, in what search, and by what its steps do where: the call
//! and the function, and how far from the first process its process is. Addresses, lines, which time a thread gets there and which child of its
//! parent it is change with each edit of the program, and so they are left out. A call's entering, what is just before it
//! and in it count as one place, as does a switch to one thread and to all (NOTE \[Elsewhere\] in `explore::elsewhere`): which of
//! them is reported may hang on the seed. An instruction is the same place as a call of the same function: whether there is
//! one of interest depends on the build. A function that is not known, of a stripped program say, is like any.

use crate::code::{Place as Code, Spot};
use crate::explore::Plan;
use crate::schedule::{Action, Making, Receiver, Schedule, Site, Step, Target, ThreadName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// What is searched.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The scenario's name, or that of the program without its folder.
    pub name: String,
    /// What is sent in each run of a program without a scenario, and what a person does there.
    pub sent: Vec<String>,
}

impl Subject {
    /// A scenario of this name.
    pub(super) fn scenario(name: &str) -> Subject {
        Subject { name: name.to_owned(), sent: Vec::new() }
    }

    /// A program that is started by this word, and what the plan has sent to it.
    pub fn program(word: &str, plan: &Plan) -> Subject {
        let name = Path::new(word).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = Some(&plan.send_to).filter(|to| **to != Receiver::default());
        let to = to.map_or_else(String::new, |to| format!(" to {to}"));
        let sent = plan.send.iter().map(|signal| format!("{signal}{to}"));
        let person = plan.person.iter().map(ToString::to_string);
        Subject { name, sent: sent.chain(person).collect() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent =
            if self.sent.is_empty() { String::new() } else { format!(", {}", self.sent.join(" and ")) };
        write!(f, "{}{sent}", self.name)
    }
}

/// Where a step is taken, and what is done there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The process by how it came to be: `p0`, a child of its `p0.n`, a further thread `p0/n`.
    pub process: String,
    /// The call; `fork` after the making of a process, `an instruction`, `everything asleep`, or a probe's name.
    pub at: String,
    /// The function of the program's own; none if that is not known.
    pub function: Option<String>,
    /// What is done.
    pub action: String,
}

/// Where a step is taken between calls.
const INSTRUCTION: &str = "an instruction";

impl Place {
    fn new(step: &Step, function: Option<&str>) -> Place {
        let (at, named) = match step.at {
            Site::Before(call) | Site::Entering(call) | Site::In(call) => (call.to_string(), None),
            Site::After(Making::Fork) => ("fork".to_owned(), None),
            Site::At(label) => (INSTRUCTION.to_owned(), function_of(label.as_str())),
            Site::Probe(name) => (format!("probe {name}"), None),
            Site::Quiet => ("everything asleep".to_owned(), None),
        };
        let to_others = matches!(step.action, Action::Switch(Target::All | Target::To(_)));
        let action = if to_others { "let others run first".to_owned() } else { step.action.to_string() };
        let function = function.map(str::to_owned).or(named);
        Place { process: role(&step.thread), at, function, action }
    }

    /// True if it is the same place, as far as functions are known.
    fn is(&self, other: &Place) -> bool {
        let unknown = self.function.is_none() || other.function.is_none();
        let at_code = self.at == INSTRUCTION || other.at == INSTRUCTION;
        (&self.process, &self.action) == (&other.process, &other.action)
            && (self.at == other.at || at_code && !unknown)
            && (unknown || self.function == other.function)
    }
}

/// The function that a place in code is in, if it says so.
fn function_of(label: &str) -> Option<String> {
    match label.parse::<Code>().ok()?.spot() {
        Spot::Function { name, .. } => Some(name.clone()),
        Spot::Line { .. } => None,
    }
}

/// A thread's name without its numbers.
fn role(thread: &ThreadName) -> String {
    let root = if thread.client_of().is_some() { "c" } else { "p0" };
    let further = if thread.is_process() { "" } else { "/n" };
    format!("{root}{}{further}", ".n".repeat(thread.generation()))
}

/// What a finding is called, beside what it breaks (NOTE \[Identity\]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Where its steps are taken.
    pub places: Vec<Place>,
    /// Where those of other schedules are that break the same.
    pub elsewhere: Vec<Vec<Place>>,
}

impl Identity {
    /// Of a schedule, and of others that break the same, each with the functions in which its steps landed.
    pub(super) fn new<'a>(
        schedule: &Schedule,
        functions: &[Option<String>],
        elsewhere: impl Iterator<Item = (&'a Schedule, Vec<Option<String>>)>,
    ) -> Identity {
        let places = |schedule: &Schedule, functions: &[Option<String>]| -> Vec<Place> {
            let function = |index: usize| functions.get(index)?.as_deref();
            let steps = schedule.steps.iter().enumerate();
            steps.map(|(index, step)| Place::new(step, function(index))).collect()
        };
        let mut others: Vec<Vec<Place>> = Vec::new();
        for (other, functions) in elsewhere {
            let other = places(other, &functions);
            if !others.contains(&other) {
                others.push(other);
            }
        }
        Identity { places: places(schedule, functions), elsewhere: others }
    }

    /// Adds the places elsewhere of the same finding.
    pub(super) fn join(&mut self, other: Identity) {
        for places in other.elsewhere {
            if !self.elsewhere.contains(&places) {
                self.elsewhere.push(places);
            }
        }
    }

    /// True if both have the same schedule, in these words.
    pub fn is(&self, other: &Identity) -> bool {
        same(&self.places, &other.places)
    }

    /// True if it is also known to show there.
    pub(super) fn shows(&self, places: &[Place]) -> bool {
        self.elsewhere.iter().chain([&self.places]).any(|known| same(known, places))
    }
}

fn same(one: &[Place], other: &[Place]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(schedule: &str, functions: &[&str]) -> Identity {
        let functions: Vec<Option<String>> = functions.iter().map(|name| Some((*name).to_owned())).collect();
        Identity::new(&ron::from_str(schedule).unwrap(), &functions, std::iter::empty())
    }

    #[test]
    fn a_finding_is_the_same_at_another_line_visit_and_child() {
        let one = identity(r#"[(at: Before(wait4), in: "p0.1", action: Switch(All))]"#, &["reap"]);
        for (schedule, function, same) in [
            (r#"[(at: Before(wait4), in: "p0.7", nth: 9, action: Switch(To("p0.2")))]"#, "reap", true),
            (r#"[(at: Entering(wait4), in: "p0.1", action: Switch(All))]"#, "reap", true),
            (r#"[(at: Before(wait4), in: "p0.1", action: Switch(All))]"#, "wait_for_all", false),
            (r#"[(at: Before(read), in: "p0.1", action: Switch(All))]"#, "reap", false),
            (r#"[(at: Before(wait4), in: "p0", action: Switch(All))]"#, "reap", false),
            (r#"[(at: Before(wait4), in: "p0.1", action: Switch(Children))]"#, "reap", false),
            (r#"[(at: Before(wait4), in: "p0.1", action: Send(SIGTERM))]"#, "reap", false),
            ("[]", "reap", false),
        ] {
            assert_eq!(one.is(&identity(schedule, &[function])), same, "{schedule}");
        }
    }

    #[test]
    fn a_function_that_is_not_known_is_like_any() {
        let schedule = r#"[(at: Before(pause), in: "p0", action: Send(SIGUSR1))]"#;
        assert!(identity(schedule, &["main"]).is(&identity(schedule, &[])));
        let code = r#"[(at: At("insert+0x1f"), in: "p0", action: Send(SIGUSR1))]"#;
        assert_eq!(identity(code, &[]).places[0].function.as_deref(), Some("insert"));
        assert!(identity(schedule, &["insert"]).is(&identity(code, &["insert"])));
        assert!(!identity(schedule, &["main"]).is(&identity(code, &["insert"])));
        assert!(!identity(schedule, &[]).is(&identity(code, &["insert"])));
    }
}
