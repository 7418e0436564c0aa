//! A scenario as a trial: what it asks for is looked for, and what was found is compared with what it knows.

use super::accepted::Baseline;
use super::done::{Done, SearchError};
use super::files::Case;
use super::job::{Against, Job, settings};
use super::record::Keep;
use super::search::search;
use super::sweep::code;
use crate::checks::Warning;
use crate::explore::{self, Beginning, Code, Cut, Plan, Progress, Verdict, Why};
use crate::program::Launch;
use crate::resolve::{self, ResolveError};
use crate::scenario::{Explore, Strategy, Warned};
use crate::schedule::Schedule;
use crate::show::Page;
use crate::slots::Slots;
use crate::supervise::Settings;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The seed of a suite if nobody gives another: the same every time, so that its result is.
pub const SEED: u64 = 1;

/// How the scenarios of a suite are tried.
#[derive(Clone, Debug)]
pub struct How {
    /// All that does not come from a scenario. Where it has a number of runs, or a time, they go for each strategy instead of
    /// the scenario's own number.
    pub plan: Plan,
    /// The strategy, instead of the scenario's own.
    pub strategy: Option<Strategy>,
    /// What is written down.
    pub keep: Keep,
    /// What is accepted: it is found, and no failure.
    pub baseline: Option<Arc<Baseline>>,
    /// Set from outside to end early.
    pub cancel: Arc<AtomicBool>,
}

impl How {
    /// As the scenarios say, with one worker each.
    pub fn plain(folder: PathBuf) -> How {
        let plan = Plan { seed: SEED, ..Plan::default() };
        How {
            plan,
            strategy: None,
            keep: Keep { folder, all: false, kept_runs: None },
            baseline: None,
            cancel: Arc::default(),
        }
    }

    /// The strategies with the budget that was asked for. A time without a number of runs means any number: what comes to
    /// an end by itself goes first, and the rest has the time that is left.
    pub fn strategies(&self, asked: &[Strategy]) -> Vec<Strategy> {
        let asked = self.strategy.as_ref().map_or(asked, std::slice::from_ref);
        let given = self.plan.runs.or(self.plan.time.map(|_| u64::MAX));
        let with =
            |strategy: &Strategy| given.map_or_else(|| strategy.clone(), |runs| strategy.with_runs(runs));
        let mut strategies: Vec<Strategy> = asked.iter().map(with).collect();
        if given == Some(u64::MAX) {
            strategies.sort_by_key(|strategy| !strategy.exhausts());
        }
        strategies
    }

    /// The plan of a search for which this is asked, of a program that has a terminal or not.
    pub fn plan(&self, asked: &Explore, tty: bool, code: Code) -> Plan {
        Plan {
            send: asked.send.clone(),
            send_to: asked.send_to.clone(),
            person: asked.person.clone(),
            may: asked.may(tty),
            always: asked.always,
            points: asked.points.clone(),
            from: asked.from.clone().map(|point| Beginning { point, why: Why::Asked }),
            code,
            strategies: self.strategies(&asked.strategy),
            ..self.plan.clone()
        }
    }
}

/// A scenario whose program is there.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The scenario.
    pub case: Case,
    /// How its program starts.
    pub launch: Launch,
    /// And its clients.
    pub clients: Vec<Launch>,
    /// The code that it sweeps.
    pub code: Code,
}

/// How a trial came out.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What came of the search; none if it came to no end, for instance on a host that does not allow it.
    pub done: Option<Done>,
    /// What a person needs to know if it is not green; empty if it is. Ends with the command that continues, if there is one.
    pub text: String,
    /// What a person should know even if it is green, a line each.
    pub notes: Vec<String>,
    /// The commands that continue: one for each finding that was not expected.
    pub replay: Vec<String>,
    /// True if the user asked to stop.
    pub interrupted: bool,
}

impl Trial {
    /// Finds the program, and builds it if it is a source.
    pub fn new(case: Case) -> Result<Trial, ResolveError> {
        let launch = resolve::scenario(&case.scenario, case.build.as_ref(), case.folder())?;
        let Explore { sweep, sweep_all, points, .. } = &case.scenario.explore;
        let code = code(&launch.file, sweep, *sweep_all, points)?;
        let clients = resolve::clients(&case.scenario.world().clients, &launch)?;
        Ok(Trial { case, launch, clients, code })
    }

    /// Runs in all that the scenario's strategies may make, as far as that is limited. How many schedules there are to
    /// exhaust is only known when they are.
    pub fn budget(&self, how: &How) -> Option<u64> {
        let all = how.strategies(&self.case.scenario.explore.strategy);
        let random = all.iter().filter(|strategy| !strategy.exhausts());
        let runs = random.filter_map(Strategy::runs).fold(0, u64::saturating_add);
        Some(runs.min(how.plan.runs.unwrap_or(u64::MAX))).filter(|runs| (1..u64::MAX).contains(runs))
    }

    /// Searches, and compares. An error is the harness's own.
    pub fn run(
        &self,
        how: &How,
        slots: &Slots,
        progress: &dyn Progress,
        page: Page,
    ) -> Result<Outcome, SearchError> {
        let scenario = &self.case.scenario;
        let plan = Plan {
            known: scenario.finds.clone(),
            fixed: self.case.kept.iter().map(|(_, trace)| trace.schedule.clone()).collect(),
            ..how.plan(&scenario.explore, scenario.tty, self.code.clone())
        };
        let job = Job {
            name: self.case.name.clone(),
            settings: Settings {
                clients: self.clients.clone(),
                ..settings(
                    self.launch.clone(),
                    (scenario.limits.clone(), scenario.world()),
                    &plan,
                    &how.cancel,
                )
            },
            plan,
            against: Against::Scenario(scenario.expect.clone()),
            checks: scenario.expect.handlers.rules().to_vec(),
            keep: how.keep.clone(),
            shown: Default::default(),
        };
        match search(&job, slots, progress) {
            Ok(mut done) => {
                if let Some(baseline) = &how.baseline {
                    done.accept(baseline);
                }
                Ok(self.judge(done, page))
            }
            Err(error) => match error.verdict() {
                Some(verdict) => {
                    let text = format!("{}: {verdict}: {error}\n", self.case.name);
                    Ok(Outcome {
                        verdict,
                        done: None,
                        text,
                        notes: Vec::new(),
                        replay: Vec::new(),
                        interrupted: false,
                    })
                }
                None if error.is_interrupt() => Ok(Outcome {
                    verdict: Verdict::Unreached,
                    done: None,
                    text: format!("{}: interrupted\n", self.case.name),
                    notes: Vec::new(),
                    replay: Vec::new(),
                    interrupted: true,
                }),
                None => Err(error),
            },
        }
    }

    /// Compares what was found with what is known.
    fn judge(&self, done: Done, page: Page) -> Outcome {
        let name = &self.case.name;
        let known = &[&self.case.scenario.finds[..], &done.accepted()].concat();
        let (mut notes, followed) = self.kept(&done);
        let (warned, missed) = self.warnings(&done);
        let wrong = !warned.is_empty() || !missed.is_empty();
        let found = done.report.against(known);
        let verdict = if found == Verdict::Pass && done.checked.unsupported {
            Verdict::Unsupported
        } else if wrong && matches!(found, Verdict::Pass | Verdict::Unreached) {
            Verdict::Fail
        } else if found == Verdict::Pass && !followed {
            // A kept trace that cannot be followed any more tests nothing.
            Verdict::Unreached
        } else {
            found
        };
        let interrupted = done.report.cut == Some(Cut::Interrupted);
        let (mut text, mut replay) = (String::new(), Vec::new());
        if verdict != Verdict::Pass {
            let explore::Comparison { missing, unknown } =
                explore::Comparison::new(&done.report.findings, known);
            text += &format!("{name}: {verdict}, seed {} ({})\n", done.report.seed, done.extent());
            if interrupted {
                text += "the search was interrupted\n";
            }
            for known in missing {
                text += &format!("not found: {:?} by {}\n", known.breaks, known.schedule);
            }
            for line in warned.iter().chain(&missed) {
                text += &format!("{line}\n");
            }
            text += &done.tell_unstable(page);
            if let Some((broken, run)) = &done.report.unfinished {
                text += &format!("not confirmed: {broken:?} by {}\n", run.schedule);
            }
            if done.report.coverage.steps == 0 {
                text += "no step was taken in any run, so nothing was tested\n";
            }
            if done.report.signals_unsent > 0 {
                text +=
                    &format!("{} of the signals could not be sent in any run\n", done.report.signals_unsent);
            }
            for index in unknown {
                text += &format!("\n{}", done.tell(index, name, page));
                replay.extend(done.replay(index));
            }
        }
        notes.extend(missed);
        notes.extend(done.notes.iter().chain(&done.checked.notes).cloned());
        Outcome { verdict, done: Some(done), text, notes, replay, interrupted }
    }

    /// Warnings that are not known, and known ones that did not come, a line each.
    fn warnings(&self, done: &Done) -> (Vec<String>, Vec<String>) {
        let known = &self.case.scenario.warns;
        let found = &done.checked.warnings;
        let is =
            |warning: &Warning, known: &Warned| (warning.rule, &warning.line) == (known.rule, &known.line);
        let unknown = found.iter().enumerate().filter(|(index, warning)| {
            !done.accepted.warnings.contains_key(index) && !known.iter().any(|known| is(warning, known))
        });
        let missing = known.iter().filter(|known| !found.iter().any(|warning| is(warning, known)));
        (
            unknown.map(|(_, warning)| format!("warning: {warning}")).collect(),
            missing.map(|known| format!("no warning: {:?} at {}", known.rule, known.line)).collect(),
        )
    }

    /// What became of the kept traces that is worth a word, and whether each of them was followed. Points have names, not
    /// addresses, so a trace of another build is followed as long as its points come.
    fn kept(&self, done: &Done) -> (Vec<String>, bool) {
        let (mut notes, mut followed) = (Vec::new(), true);
        for (path, trace) in &self.case.kept {
            let path = path.display();
            let unmet =
                done.report.unmet.iter().find(|(schedule, _)| explore::same(schedule, &trace.schedule));
            if let Some((_, steps)) = unmet {
                followed = false;
                let schedule = Schedule { steps: steps.clone() };
                notes.push(format!(
                    "kept {path}: cannot be followed any more, this does not come: {schedule}"
                ));
            } else if trace.digest != done.digest {
                notes.push(format!("kept {path}: recorded of another build, but its points are still there"));
            }
        }
        (notes, followed)
    }
}
