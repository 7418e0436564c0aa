//! `sigrace explore`: look for races in a program that has no scenario, by comparing its runs with an undisturbed one.

use super::exit::{Exit, Stop};
use super::options::{RUNS, Search, duration};
use super::progress::Progress;
use super::report;
use super::say::{page, warn};
use super::target::Target;
use super::{host, interrupt};
use crate::checks::{Rule, Warning};
use crate::code::Place;
use crate::explore::{self, Cut, Partition, Plan, Standing};
use crate::judge::Comparison;
use crate::probe::BadProbeName;
use crate::program::Program;
use crate::scenario::{
    Exit as ExpectedExit, Expect, Explore, Handlers, Known, Length, Scenario, Strategy, Text, Warned,
};
use crate::schedule::{Action, BadKeys, Keys, Label, Making, Receiver, Site, Syscall};
use crate::show::count;
use crate::signal::Signal;
use crate::slots::Stopwatch;
use crate::store;
use crate::suite::{self, Against, Done, Job};
use crate::trace::{Broken, End, Foreground, LeftHow, Output, Status};
use std::path::PathBuf;
use std::time::Duration;

/// Look for races in a program, without a scenario
///
/// Every run is compared with one that nothing disturbed. A finding is a hang, a crash, a program that goes on for ever,
/// more left over than the undisturbed run left, and, unless signals are sent, another exit status.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A signal that the outside world may send, by name or number; each run sends each once; repeatable
    #[arg(long, value_name = "SIG", help_heading = "Disturbance")]
    send: Vec<Signal>,
    /// The process that it is sent to: p0, p0.1, ..., or its process group: group:p0 [default: p0]
    #[arg(long, value_name = "NAME", default_value_t, value_parser = receiver, hide_default_value = true, requires = "send", help_heading = "Disturbance")]
    send_to: Receiver,
    /// Send also where the signal is neither caught nor blocked
    #[arg(long, requires = "send", help_heading = "Disturbance")]
    always: bool,
    /// Keys that a person types at the terminal, like `^C`, `^Z` or `q`; each run types each once; repeatable
    ///
    /// `^` and a capital letter or one of `@[\\]^_?` is a control character. Without this, --resize and --hang-up, each of ^C, ^\\,
    /// ^Z, another size and a hang-up is tried by itself, wherever it means something.
    #[arg(long = "type", value_name = "KEYS", requires = "tty", value_parser = keys, help_heading = "Disturbance")]
    types: Vec<Keys>,
    /// A size that a person gives the terminal, in columns and rows
    #[arg(long, value_name = "COLSxROWS", requires = "tty", value_parser = size, help_heading = "Disturbance")]
    resize: Option<(u16, u16)>,
    /// A person closes the terminal's window
    #[arg(long, requires = "tty", help_heading = "Disturbance")]
    hang_up: bool,
    /// Disturb only at these kinds of points, like `before:read`, `in:pause`, `after:fork`, `probe:NAME`, `at:FUNCTION`, `at:FILE:LINE`; separated by commas
    #[arg(long, value_name = "POINT", value_delimiter = ',', value_parser = site, help_heading = "Disturbance")]
    points: Vec<Site>,
    /// Disturb also at every instruction that this function executes, and what it calls of the program's own code; repeatable
    #[arg(long, value_name = "FUNCTION", requires = "send", help_heading = "Disturbance")]
    sweep: Vec<String>,
    /// Disturb also at every instruction of the program's own code
    #[arg(long, requires = "send", help_heading = "Disturbance")]
    sweep_all: bool,
    /// The exit code that every run must have
    #[arg(long, value_name = "CODE", help_heading = "Expectation")]
    exit: Option<i32>,
    /// A regular expression that must match something in every run's standard output
    #[arg(long, value_name = "REGEX", value_parser = regex, help_heading = "Expectation")]
    stdout: Option<String>,
    /// Every run must write the same standard output as the undisturbed one
    #[arg(long, conflicts_with = "stdout", help_heading = "Expectation")]
    same_output: bool,
    /// How much longer than the undisturbed run a run may take on the program's clock, or `never` [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = late, help_heading = "Expectation")]
    late: Option<Late>,
    /// Do not check what signal handlers do
    #[arg(long, help_heading = "Expectation")]
    no_handler_checks: bool,
    /// A warning of a signal handler counts like a finding
    #[arg(long, conflicts_with = "no_handler_checks", help_heading = "Expectation")]
    strict: bool,
    /// Write the search down as a scenario, with what it found
    #[arg(long, value_name = "FILE.ron")]
    save: Option<PathBuf>,
    /// Make one part of the search: part i of n, by a hash of each schedule
    ///
    /// Together the parts try what the whole search tries: of an exhaustive search each schedule is in one part, of the
    /// others each part has its share of the runs. `sigrace merge` joins their JSON reports. Needs --seed, the same in all.
    #[arg(
        long,
        env = "SIGRACE_PARTITION",
        value_name = "hash:i/n",
        conflicts_with = "save",
        requires = "seed",
        help_heading = "Search"
    )]
    partition: Option<Partition>,
    #[command(flatten)]
    search: Search,
    #[command(flatten)]
    target: Target,
}

/// The name of a process, or of its group.
fn receiver(text: &str) -> Result<Receiver, String> {
    let to: Receiver = text.parse().map_err(|error: crate::schedule::BadName| error.to_string())?;
    if to.process.is_process() {
        Ok(to)
    } else {
        Err(format!("signals are sent to processes, and {} is a thread", to.process))
    }
}

fn keys(text: &str) -> Result<Keys, String> {
    text.parse().map_err(|error: BadKeys| error.to_string())
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let size =
        text.split_once('x').and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    size.ok_or_else(|| "expected columns and rows, like 40x12".to_owned())
}

/// `before:CALL`, `in:CALL`, `after:fork`, `probe:NAME` or `at:PLACE`. When everything sleeps nothing is planned, so that
/// is no kind to choose.
fn site(text: &str) -> Result<Site, String> {
    let call = |name: &str| name.parse::<Syscall>().map_err(|error| error.to_string());
    match text.split_once(':') {
        Some(("before", name)) => Ok(Site::Before(call(name)?)),
        Some(("in", name)) => Ok(Site::In(call(name)?)),
        Some(("after", "fork")) => Ok(Site::After(Making::Fork)),
        Some(("at", place)) => match place.parse::<Place>() {
            Ok(place) => Ok(Site::At(Label::new(&place.to_string()))),
            Err(error) => Err(error.to_string()),
        },
        Some(("probe", name)) => {
            name.parse().map(Site::Probe).map_err(|error: BadProbeName| error.to_string())
        }
        _ => Err("expected before:CALL, in:CALL, after:fork, probe:NAME or at:PLACE".to_owned()),
    }
}

fn regex(text: &str) -> Result<String, String> {
    crate::judge::regex(text).map_err(|error| error.reason)?;
    Ok(text.to_owned())
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let cancel = interrupt::flag()?;
    let slots = host::slots()?;
    args.search.traces.check()?;
    args.save.as_deref().map(store::writable).transpose().map_err(Stop::refused)?;
    let launch = args.target.launch()?;
    let seed = args.search.seed.or_new();
    let jobs = args.search.jobs.map_or(slots.count(), usize::from);
    let how = args.search.how(seed, jobs, &cancel)?;
    let strategies = how.strategies(&Strategy::defaults(RUNS));
    // Who asks for nothing gets an answer soon: what is missing is told, and can be asked for.
    let unasked = how.strategy.is_none() && how.plan.time.is_none();
    let asked = args.asked(&strategies);
    let plan = Plan {
        runs: how.plan.runs.or(unasked.then_some(RUNS)),
        may: asked.may(args.target.world().tty),
        send: asked.send,
        send_to: asked.send_to,
        person: asked.person,
        always: asked.always,
        points: asked.points,
        code: suite::code(&launch.file, &args.sweep, args.sweep_all, &args.points)?,
        part: args.partition,
        ..how.plan(&strategies)
    };
    let job = Job {
        name: launch.argv.first().cloned().unwrap_or_default(),
        settings: suite::settings(launch, (args.target.limits(), args.target.world()), &plan, &cancel),
        against: Against::Reference(Comparison {
            sends: plan.asks_for_an_end(),
            exit: args.exit,
            same_output: args.same_output,
            late: args.late(),
            stdout: args.stdout.clone(),
        }),
        plan,
        checks: args.checks(),
        keep: how.keep.clone(),
    };
    let clock = Stopwatch::start(slots.waited());
    let progress = Progress::new(Some(total(&strategies)).filter(|runs| (1..u64::MAX).contains(runs)));
    let result = suite::search(&job, &slots, &progress);
    drop(progress);
    let done = match result {
        Ok(done) => done,
        Err(error) => {
            warn(format_args!("seed {seed}"));
            return Err(error.into());
        }
    };
    let saved = args.save.as_ref().map(|path| store::write_scenario(path, &args.scenario(&job, &done)));
    let exit = match done.report.cut {
        Some(Cut::Interrupted) => Exit::Interrupted,
        _ if args.strict && !done.checked.warnings.is_empty() => Exit::Failed,
        _ => done.report.verdict.into(),
    };
    let format = args.search.output.format;
    report::tell(format, done.text(&job.name, clock.elapsed(), page()).trim_end())?;
    let interrupted = exit == Exit::Interrupted;
    let search = suite::report::Search::of_program(&job.name, &done, done.report.verdict, interrupted);
    let partition = args.partition.map(|partition| partition.to_string());
    let report = suite::report::Report::new(seed, exit as u8, vec![search], Vec::new());
    report::finish(format, &suite::report::Report { partition, ..report })?;
    if let Some(Err(error)) = &saved {
        return Err(Stop::new(Exit::Harness, error));
    }
    if let Some(error) = done.unwritten() {
        return Err(Stop::new(Exit::Harness, error));
    }
    Ok(exit)
}

fn total(strategies: &[Strategy]) -> u64 {
    strategies.iter().filter_map(Strategy::runs).fold(0, u64::saturating_add)
}

impl Args {
    /// What is asked for of the search, as a scenario says it.
    fn asked(&self, strategies: &[Strategy]) -> Explore {
        let typed = self.types.iter().cloned().map(Action::Type);
        let resize = self.resize.map(|(columns, rows)| Action::Resize(columns, rows));
        Explore {
            send: self.send.clone(),
            send_to: self.send_to.clone(),
            person: typed.chain(resize).chain(self.hang_up.then_some(Action::HangUp)).collect(),
            always: self.always,
            points: self.points.clone(),
            sweep: self.sweep.clone(),
            sweep_all: self.sweep_all,
            strategy: strategies.to_vec(),
        }
    }

    /// The rules for handlers that are checked. Of a search in parts the first does it for all.
    fn checks(&self) -> Vec<Rule> {
        let mine = self.partition.is_none_or(|part| part.part == 1);
        if self.no_handler_checks || !mine { Vec::new() } else { Rule::ALL.to_vec() }
    }

    /// How much longer than the reference run a run may take.
    fn late(&self) -> Option<Duration> {
        match self.late {
            None => Some(Duration::from_secs(10)),
            Some(Late(late)) => late,
        }
    }

    /// The search as a scenario, with what the reference run did as its expectation and what was found as known.
    ///
    /// Of the environment only the variables given on the command line are written down.
    fn scenario(&self, job: &Job, done: &Done) -> Scenario {
        let launch = &job.settings.launch;
        let outcome = &done.report.reference.run.outcome;
        let exit = match (&outcome.end, self.exit) {
            (_, Some(code)) => Some(ExpectedExit::Code(code)),
            (End::Ended(_), None) if job.plan.asks_for_an_end() => None,
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
        Scenario {
            program: Program::Command(launch.argv.clone()),
            builds: Vec::new(),
            args: Vec::new(),
            env: self.target.given_env(),
            stdin: launch.stdin.clone(),
            cwd: Some(launch.cwd.clone()),
            explore: self.asked(&job.plan.strategies.iter().map(made).collect::<Vec<_>>()),
            limits: job.settings.limits.clone(),
            network: job.settings.world.network,
            clock: job.settings.world.clock,
            files: job.settings.world.files,
            tty: job.settings.world.tty,
            expect: Expect {
                exit,
                stdout,
                zombies: left(LeftHow::Zombie),
                orphans: left(LeftHow::Orphan),
                idle: matches!(outcome.end, End::Idle(_)),
                within: late
                    .then(|| Length(outcome.took.after.saturating_add(self.late().unwrap_or_default()))),
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

impl explore::Progress for Progress {
    fn at(&self, standing: &Standing) {
        let Standing { runs, points, findings, .. } = *standing;
        self.set(runs, format!("{}, {}", count(points as u64, "point"), count(findings as u64, "finding")));
    }
}

/// How late a run may be; none for as late as it likes.
#[derive(Clone, Copy, Debug)]
struct Late(Option<Duration>);

fn late(text: &str) -> Result<Late, String> {
    if text == "never" { Ok(Late(None)) } else { duration(text).map(|late| Late(Some(late))) }
}
