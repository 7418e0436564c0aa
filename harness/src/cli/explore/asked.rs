//! What one of the searches is asked to do, and what its runs are compared with.

use super::sections::{Section, Sections};
use super::whole::Share;
use super::{Args, Late, Sent};
use crate::checks::Rule;
use crate::cli::options::RUNS;
use crate::explore::{Code, Plan};
use crate::judge::{Comparison, LATE, Typed};
use crate::scenario::{Explore, Strategy};
use crate::schedule::Action;
use crate::signal::SignalSet;
use crate::suite;
use crate::suite::How;
use crate::supervise::Settings;
use crate::trace::Acts;
use std::time::Duration;

/// What a person types who does this: nothing, keys that cause signals by default, or text as well.
pub(super) fn typed(acts: &[Action]) -> Typed {
    let keys = acts.iter().filter_map(|act| match act {
        Action::Type(keys) => Some(keys.single()),
        Action::Resize(..)
        | Action::HangUp
        | Action::Send(_)
        | Action::SendGroup(_)
        | Action::Switch(_)
        | Action::Fire => None,
    });
    let signals = |key: Option<u8>| Acts::KEYS.iter().any(|(known, _)| key == Some(*known));
    let each: Vec<bool> = keys.map(signals).collect();
    match each.is_empty() {
        true => Typed::Nothing,
        false if each.into_iter().all(|signals| signals) => Typed::Keys,
        false => Typed::Text,
    }
}

pub(super) fn total(strategies: &[Strategy]) -> u64 {
    strategies.iter().filter_map(Strategy::runs).fold(0, u64::saturating_add)
}

impl Args {
    /// What one of the searches may do. One that is made in turns with others has no budget of runs of its own beside its share.
    pub(super) fn plan(
        &self,
        section: &Section,
        how: &How,
        code: Code,
        share: Share,
        (in_turns, tty): (bool, bool),
    ) -> Plan {
        let unasked = how.strategy.is_none() && how.plan.runs.is_none() && how.plan.time.is_none();
        let settles = unasked && self.partition.is_none();
        let runs = if in_turns { how.plan.runs } else { share.runs };
        let asked = Plan { runs: how.plan.runs.and(share.runs), time: share.time, ..how.plan.clone() };
        let how = How { plan: asked, ..how.clone() };
        let asked = self.asked(section, &Strategy::defaults(runs.unwrap_or(RUNS)));
        let plan = how.plan(&asked, tty && section.send.is_empty(), code);
        Plan {
            runs: share.runs,
            in_turns,
            settles,
            handler_runs: self.handler_runs,
            part: self.partition,
            ..plan
        }
    }

    /// What a person does at the terminal in every run.
    pub(super) fn person(&self) -> Vec<Action> {
        let typed = self.types.iter().cloned().map(Action::Type);
        let resize = self.resize.map(|(columns, rows)| Action::Resize(columns, rows));
        typed.chain(resize).chain(self.hang_up.then_some(Action::HangUp)).collect()
    }

    /// What is asked for of one of the searches, as a scenario says it.
    pub(super) fn asked(&self, section: &Section, strategies: &[Strategy]) -> Explore {
        Explore {
            send: section.send.clone(),
            send_to: section.to.clone(),
            person: if section.person.is_empty() { self.person() } else { section.person.clone() },
            always: self.always || section.fatal,
            points: self.points.clone(),
            from: None,
            sweep: self.sweep.clone(),
            sweep_all: self.sweep_all,
            strategy: strategies.to_vec(),
        }
    }

    pub(super) fn comparison(
        &self,
        section: &Section,
        plan: &Plan,
        sections: &Sections,
        settings: &Settings,
    ) -> Comparison {
        // Who says that nothing is sent, and how every run ends, waits for no signal.
        let alone = self.send.contains(&Sent::Nothing) && self.exit.is_some();
        let hasty = settings.world.clients.iter().filter(|client| !client.reads_all());
        Comparison {
            sends: plan.asks_for_an_end(),
            exits: self.exits.unwrap_or_default(),
            heard: sections.heard && plan.acts().is_empty() && !alone,
            fatal: section.fatal,
            interpreted: self.send.is_empty() && !plan.always && suite::is_interpreted(&settings.launch),
            hasty: hasty.map(ToString::to_string).collect(),
            visitors: sections.given.visitors > 0,
            typed: typed(&section.person),
            gaps: SignalSet::EMPTY,
            products: Vec::new(),
            exit: self.exit,
            same_output: self.same_output,
            any_output: self.any_output,
            late: self.late(),
            stdout: self.stdout.clone(),
        }
    }

    /// The rules for handlers that are checked. Of a search in parts the first does it for all.
    pub(super) fn checks(&self) -> Vec<Rule> {
        let mine = self.partition.is_none_or(|part| part.part == 1);
        if self.no_handler_checks || !mine { Vec::new() } else { Rule::ALL.to_vec() }
    }

    /// How much longer than the reference run a run may take.
    pub(super) fn late(&self) -> Option<Duration> {
        match self.late {
            None => Some(LATE),
            Some(Late(late)) => late,
        }
    }
}
