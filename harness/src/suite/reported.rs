//! How searches come to be values of the report.

use super::confirmed::{names, steps};
use super::done::{Done, SearchError};
use super::report::{
    Chance, Confirmed, Distinct, Found, Looped, Missing, Schedules, Search, Siblings, Undisturbed,
    Unrepeated, Warned, name_of_cut,
};
use super::trial::{self, Trial};
use crate::checks::Warning;
use crate::compile;
use crate::explore::{self, Alike, Comparison, Level, Loop, Verdict};
use crate::scenario;
use crate::schedule::Step;
use crate::show;
use crate::trace::{Outcome, Run};

impl Search {
    /// Of a scenario.
    pub fn of_trial(trial: &Trial, result: &Result<trial::Outcome, SearchError>) -> Search {
        let name = trial.case.name.clone();
        let file = Some(trial.case.path.display().to_string());
        match result {
            Ok(outcome) => Search {
                name,
                file,
                verdict: Some(outcome.verdict.to_string()),
                error: outcome.done.is_none().then(|| outcome.text.trim_end().to_owned()),
                interrupted: outcome.interrupted,
                program: Some(trial.launch.file.display().to_string()),
                digest: outcome.done.as_ref().map(|done| done.digest.clone()),
                asked: outcome.done.as_ref().map(|done| done.asked.clone()),
                subject: outcome.done.as_ref().map(|done| done.subject.clone()),
                notes: outcome.notes.clone(),
                result: outcome
                    .done
                    .as_ref()
                    .map(|done| Found::new(done, &trial.case.scenario.finds, &trial.case.scenario.warns)),
            },
            Err(error) => {
                let program = Some(trial.launch.file.display().to_string());
                Search { file, program, ..Search::of_error(&name, error) }
            }
        }
    }

    /// Of a program without a scenario, of which one search could not be made.
    pub fn of_error(name: &str, error: &SearchError) -> Search {
        Search {
            name: name.to_owned(),
            file: None,
            verdict: error.verdict().map(|verdict| verdict.to_string()),
            error: Some(error.to_string()),
            interrupted: error.is_interrupt(),
            program: None,
            digest: None,
            asked: None,
            subject: None,
            notes: Vec::new(),
            result: None,
        }
    }

    /// Of a program without a scenario.
    pub fn of_program(name: &str, done: &Done, verdict: Verdict, interrupted: bool) -> Search {
        Search {
            name: name.to_owned(),
            file: None,
            verdict: Some(verdict.to_string()),
            error: None,
            interrupted,
            program: Some(done.file.display().to_string()),
            digest: Some(done.digest.clone()),
            asked: Some(done.asked.clone()),
            subject: Some(done.subject.clone()),
            notes: done.notes.iter().chain(&done.checked.notes).cloned().collect(),
            result: Some(Found::new(done, &[], &[])),
        }
    }
}

impl Found {
    fn new(done: &Done, known: &[scenario::Known], warns: &[scenario::Warned]) -> Found {
        let report = &done.report;
        let Comparison { missing, unknown } = Comparison::new(&report.findings, known);
        let findings = report.findings.iter().enumerate();
        Found {
            extent: show::Extent::of(&done.report).to_string(),
            runs: report.runs,
            extra_runs: report.extra_runs,
            shared_runs: report.shared_runs,
            merged_runs: report.merged,
            verified: report.verified,
            steps_taken: report.coverage.steps,
            signals_unsent: report.signals_unsent as u64,
            cut: report.cut.map(|cut| name_of_cut(cut).to_owned()),
            failing: report.failing,
            from: report.from.as_ref().map(|from| from.point.to_string()),
            points_passed_by: report.reference.passed as u64,
            points: report.coverage.open as u64,
            points_taken: report.coverage.taken as u64,
            points_not_taken: report.coverage.not_taken.iter().map(ToString::to_string).collect(),
            children: report.coverage.children.iter().map(|(one, taken)| Siblings::new(one, taken)).collect(),
            loops: report.coverage.loops.iter().map(|(one, taken)| Looped::new(one, taken)).collect(),
            schedules: report.coverage.levels.iter().map(Schedules::new).collect(),
            chance: report.coverage.chance.as_ref().map(Chance::new),
            swept: report.reference.executed,
            reference: Undisturbed::new(&report.reference.run),
            more_outcomes: report.more_outcomes,
            outcomes: report
                .outcomes
                .iter()
                .map(|seen| Distinct {
                    ending: show::outcome_words(&seen.outcome),
                    digest: digest_of(&seen.outcome),
                    breaks: names(&seen.breaks),
                    runs: seen.runs,
                    example: steps(&seen.example),
                })
                .collect(),
            findings: findings
                .map(|(index, finding)| Confirmed::new(done, index, finding, !unknown.contains(&index)))
                .collect(),
            missing: missing
                .iter()
                .map(|known| Missing {
                    breaks: format!("{:?}", known.breaks),
                    schedule: steps(&known.schedule),
                })
                .collect(),
            unstable: report
                .unstable
                .iter()
                .map(|unstable| Unrepeated {
                    why: unstable.why.clone(),
                    schedule: steps(&unstable.schedule),
                    endings: std::iter::once(&unstable.one)
                        .chain(&unstable.other)
                        .map(|run| show::outcome_words(&run.outcome))
                        .collect(),
                    differs: unstable.differs.map(|index| index as u64),
                })
                .collect(),
            warnings: Warned::all(done, warns),
            check_runs: done.checked.runs,
        }
    }
}

impl Undisturbed {
    fn new(run: &Run) -> Undisturbed {
        let texts = |steps: &[Step]| steps.iter().map(ToString::to_string).collect();
        let explore::Undone { missed, pending } = explore::undone(run);
        Undisturbed { done: texts(&explore::taken(run)), not_done: texts(&missed), pending: texts(&pending) }
    }
}

impl Warned {
    fn all(done: &Done, warns: &[scenario::Warned]) -> Vec<Warned> {
        let each = done.checked.warnings.iter().enumerate();
        each.map(|(index, warning)| Warned {
            accepted: done.accepted.warnings.get(&index).cloned(),
            ..Warned::new(warning, warns)
        })
        .collect()
    }

    fn new(warning: &Warning, warns: &[scenario::Warned]) -> Warned {
        Warned {
            rule: format!("{:?}", warning.rule),
            signal: warning.signal.to_string(),
            handler: warning.handler.clone(),
            line: warning.line.clone(),
            interrupted: warning.interrupted.clone(),
            explanation: warning.to_string(),
            known: warns.iter().any(|known| (known.rule, &known.line) == (warning.rule, &warning.line)),
            accepted: None,
            schedule: steps(&warning.schedule),
        }
    }
}

impl Looped {
    fn new(one: &Loop, taken: &[u64]) -> Looped {
        Looped {
            from: one.from.to_string(),
            to: one.to.to_string(),
            calls: one.calls.iter().map(ToString::to_string).collect(),
            times: one.times() as u64,
            same_results: one.results,
            taken: taken.to_vec(),
        }
    }
}

impl Siblings {
    fn new(one: &Alike, taken: &[u64]) -> Siblings {
        Siblings {
            first: one.first.to_string(),
            last: one.last.to_string(),
            program: one.program.clone(),
            count: one.count() as u64,
            taken: taken.to_vec(),
        }
    }
}

impl Schedules {
    pub(super) fn new(level: &Level) -> Schedules {
        Schedules {
            steps: level.steps,
            known: level.all,
            covered: level.covered(),
            same: level.same,
            more: level.open,
            exhausted: level.exhausted(),
        }
    }
}

impl Chance {
    pub(super) fn new(chance: &explore::Chance) -> Chance {
        let explore::Chance { depth, threads, moments, signals, samples, given_up, everywhere } = *chance;
        Chance { depth, threads, moments, signals, samples, given_up, everywhere }
    }
}

/// Names all that makes an outcome distinct.
fn digest_of(outcome: &Outcome) -> String {
    compile::digest_of([format!("{:?}", outcome.without_moments().essence()).as_bytes()])
}
