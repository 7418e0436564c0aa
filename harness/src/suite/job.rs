//! What one search is asked to do, as a value.

use super::identity::Subject;
use super::record::Keep;
use super::shown::Shown;
use crate::checks::Rule;
use crate::compile;
use crate::explore::{Plan, Reference};
use crate::judge::files::made;
use crate::judge::{self, BadPattern, Expectations};
use crate::program::{Launch, Limits};
use crate::scenario::Expect;
use crate::supervise::{self, Settings};
use crate::trace::{Broken, End};
use crate::world::World;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What runs are compared with.
#[derive(Clone, Debug)]
pub enum Against {
    /// What a scenario expects.
    Scenario(Expect),
    /// The reference run.
    Reference(judge::Comparison),
    /// Only these expectations of the first, those that a trace broke: what else breaks is another matter.
    Only(Vec<Broken>, Box<Against>),
}

impl Against {
    fn is_scenario(&self) -> bool {
        match self {
            Against::Scenario(_) => true,
            Against::Reference(_) => false,
            Against::Only(_, whole) => whole.is_scenario(),
        }
    }

    /// True if a scenario wants to know what runs leave, which nobody knows of the machine's files.
    pub(super) fn asks_for_files(&self) -> bool {
        match self {
            Against::Scenario(expect) => expect.files.is_some(),
            Against::Reference(_) => false,
            Against::Only(_, whole) => whole.asks_for_files(),
        }
    }

    /// What must hold of each run, now that the reference run is known.
    pub(super) fn expectations(&self, reference: &Reference) -> Result<Expectations, BadPattern> {
        match self {
            Against::Scenario(expect) => Expectations::of_scenario(expect, &reference.run),
            Against::Reference(how) => {
                // What is there while it still waits it may need for as long.
                let plain =
                    Some(&reference.plain().outcome).filter(|plain| matches!(plain.end, End::Ended(_)));
                let left = plain.into_iter().flat_map(|plain| made(&plain.remains));
                let products = left.map(|(change, _)| change.name.clone()).collect();
                let heard = how.heard || judge::waits_again(reference.plain(), &reference.run);
                Expectations::against(
                    &reference.run,
                    &judge::Comparison { products, heard, gaps: reference.gaps, ..how.clone() },
                )
            }
            Against::Only(_, whole) => whole.expectations(reference),
        }
    }
}

/// Everything that one search needs.
#[derive(Clone, Debug)]
pub struct Job {
    /// The scenario's name, or the program's.
    pub name: String,
    /// How the program runs.
    pub settings: Settings,
    /// How to look. `jobs` is the most workers to use: one for each CPU.
    pub plan: Plan,
    /// What must hold.
    pub against: Against,
    /// The rules for handlers that are checked.
    pub checks: Vec<Rule>,
    /// What is written down.
    pub keep: Keep,
    /// What is known before.
    pub shown: Arc<Shown>,
}

impl Job {
    /// What is searched.
    pub(super) fn subject(&self) -> Subject {
        match self.against.is_scenario() {
            true => Subject::scenario(&self.name),
            false => {
                Subject::program(self.settings.launch.argv.first().map_or("", String::as_str), &self.plan)
            }
        }
    }

    /// What the search is: all that it was asked to do, but for the part, and the number of workers, which changes nothing.
    pub(super) fn asked(&self) -> String {
        let plan = Plan { jobs: 0, part: None, ..self.plan.clone() };
        let Settings { launch, limits, world, .. } = &self.settings;
        // Parts of a search may begin at different times.
        let world = World { start: None, ..world.clone() };
        let words =
            format!("{:?} {:?} {limits:?} {world:?} {plan:?} {:?}", launch.argv, launch.stdin, self.against);
        compile::digest_of([words.as_bytes()])
    }
}

/// The settings of a search that may be ended from outside.
pub fn settings(
    launch: Launch,
    (limits, world): (Limits, World),
    plan: &Plan,
    cancel: &Arc<AtomicBool>,
) -> Settings {
    Settings {
        limits,
        world: supervise::begun(world),
        seed: plan.seed,
        always: plan.always,
        watch: plan.signals(),
        cancel: Arc::clone(cancel),
        ..Settings::of(launch)
    }
}
