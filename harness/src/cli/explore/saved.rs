//! A search written down as a scenario.

use super::Args;
use super::asked::typed;
use super::sections::Section;
use crate::checks::Warning;
use crate::explore::{self, Seen};
use crate::judge::Typed;
use crate::judge::files::expected_of;
use crate::program::Program;
use crate::scenario::{
    Exit as ExpectedExit, Expect, Handlers, Known, Length, Scenario, Served, Strategy, Text, Warned,
};
use crate::suite::{Done, Job};
use crate::trace::{Broken, ClientEnd, End, Foreground, LeftHow, Output, Status};
use crate::world::Files;

impl Args {
    /// The search as a scenario, with what the reference run did as its expectation and what was found as known.
    ///
    /// Of the environment only the variables given on the command line are written down.
    pub(super) fn scenario(&self, section: &Section, job: &Job, done: &Done) -> Scenario {
        let launch = &job.settings.launch;
        let outcome = &done.report.reference.run.outcome;
        let exit = match (&outcome.end, self.exit) {
            (_, Some(code)) => Some(ExpectedExit::Code(code)),
            (_, None) if job.plan.asks_for_an_end() => {
                let broken = done.report.findings.iter().any(|finding| finding.breaks == Broken::Exit);
                broken.then(|| ends(&done.report.outcomes))
            }
            (End::Ended(Status::Exited(code)), None) => Some(ExpectedExit::Code(*code)),
            (End::Ended(Status::Killed(signal)), None) => Some(ExpectedExit::Signal(*signal)),
            (_, None) => None,
        };
        let stdout = match (&self.stdout, &outcome.stdout) {
            (Some(pattern), _) => Some(Text::Matches(pattern.clone())),
            (None, Output::Text(text)) if self.same_output => Some(Text::Is(text.clone())),
            (None, _) => None,
        };
        let left = |how| {
            let left = outcome.leftover.iter().filter(|left| left.how == how).count();
            Some(u32::try_from(left).unwrap_or(u32::MAX))
        };
        let known =
            |finding: &explore::Finding| Known { breaks: finding.breaks, schedule: finding.schedule.clone() };
        let warned = |warning: &Warning| Warned { rule: warning.rule, line: warning.line.clone() };
        let littered = done.report.findings.iter().filter(|finding| finding.breaks == Broken::Files);
        let littered: Vec<_> = littered.map(|finding| &finding.run).collect();
        let asks = !littered.is_empty() && job.settings.world.files != Files::Host;
        let files = asks.then(|| expected_of(&done.report.reference.run, littered.into_iter()));
        let found = |broken| done.report.findings.iter().any(|finding| finding.breaks == broken);
        let front = outcome.terminal.as_ref().and_then(|terminal| terminal.foreground.as_ref());
        let front = front.filter(|_| found(Broken::Foreground));
        let late = found(Broken::Late);
        let checked = !job.checks.is_empty() && done.checked.runs > 1;
        // A search that only time has ended is written down with the runs that it had.
        let made = |strategy: &Strategy| match strategy.runs() {
            Some(u64::MAX) => strategy.with_runs(done.report.runs.max(1)),
            _ => strategy.clone(),
        };
        let mut explore = self.asked(section, &job.plan.strategies.iter().map(made).collect::<Vec<_>>());
        explore.from = job.plan.from.as_ref().map(|from| from.point.clone());
        // What was swept without being asked for is asked for there.
        let swept = done.swept.iter().map(|function| function.to_string());
        explore.sweep.extend(swept.filter(|function| !self.sweep.contains(function)));
        Scenario {
            program: Program::Command(launch.argv.clone()),
            builds: Vec::new(),
            args: Vec::new(),
            env: self.target.given_env(),
            stdin: launch.stdin.clone(),
            cwd: Some(launch.cwd.clone()),
            explore,
            limits: job.settings.limits.clone(),
            network: job.settings.world.network,
            clock: job.settings.world.clock,
            files: job.settings.world.files,
            client: Vec::new(),
            clients: job.settings.world.clients.clone(),
            tty: job.settings.world.tty,
            expect: Expect {
                exit,
                stdout,
                // What is expected of those that nobody has asked for a scenario has no word for.
                clients: if self.target.may_have_visitors() { Vec::new() } else { served(&outcome.clients) },
                zombies: left(LeftHow::Zombie),
                orphans: left(LeftHow::Orphan),
                // Who has been typed at may wait for more.
                idle: matches!(outcome.end, End::Idle(_)) || typed(&section.person) != Typed::Nothing,
                uninterrupted: found(Broken::Interrupted) || found(Broken::CutShort),
                heeded: found(Broken::Lost) || found(Broken::Overlooked),
                paired: found(Broken::Paired),
                atomic: found(Broken::Atomicity),
                closed: found(Broken::Leaked),
                within: late
                    .then(|| Length(outcome.took.after.saturating_add(self.late().unwrap_or_default()))),
                files,
                restored: found(Broken::Modes),
                foreground: front.and_then(|front| match front {
                    Foreground::Group(leader) => Some(leader.clone()),
                    Foreground::Ended(_) | Foreground::Nobody => None,
                }),
                handlers: if checked { Handlers::All } else { Handlers::Nothing },
                ..Expect::default()
            },
            finds: done.report.findings.iter().map(known).collect(),
            warns: done.checked.warnings.iter().map(warned).collect(),
            kept: Vec::new(),
        }
    }
}

/// How the first process ends in runs that are as expected, where others are not.
fn ends(outcomes: &[Seen]) -> ExpectedExit {
    let mut ends: Vec<ExpectedExit> = Vec::new();
    for seen in outcomes.iter().filter(|seen| !seen.breaks.contains(&Broken::Exit)) {
        let End::Ended(status) = seen.outcome.end else { continue };
        let end = match status {
            Status::Exited(code) => ExpectedExit::Code(code),
            Status::Killed(signal) => ExpectedExit::Signal(signal),
            Status::Unseen => continue,
        };
        if !ends.contains(&end) {
            ends.push(end);
        }
    }
    match <[ExpectedExit; 1]>::try_from(ends) {
        Ok([end]) => end,
        Err(ends) => ExpectedExit::OneOf(ends),
    }
}

/// In which ways clients may end: as those of the reference run did.
fn served(clients: &[ClientEnd]) -> Vec<Served> {
    let exits = clients.iter().filter_map(|one| match one.status? {
        Status::Exited(code) => Some(ExpectedExit::Code(code)),
        Status::Killed(signal) => Some(ExpectedExit::Signal(signal)),
        Status::Unseen => None,
    });
    let mut served: Vec<Served> = exits.map(|exit| Served { exit, stdout: None }).collect();
    served.dedup();
    served
}
