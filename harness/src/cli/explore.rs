//! `sigrace explore`: look for races in a program that has no scenario, by comparing its runs with an undisturbed one.

mod asked;
mod kept;
mod looks;
mod pages;
mod resumed;
mod saved;
mod sections;
mod turns;
mod whole;

use super::baseline::Accepting;
use super::config::Config;
use super::exit::{Exit, Stop};
use super::options::{Search, duration};
use super::progress::Progress;
use super::report::Reader;
use super::say::complain;
use super::target::Target;
use super::{host, interrupt};
use crate::code::Place;
use crate::explore::{self, Code, Finding, Partition, Plan, Standing, Verdict};
use crate::judge::{self, Exits};
use crate::probe::BadProbeName;
use crate::program::Launch;
use crate::schedule::{BadKeys, BadPoint, Keys, Label, Making, Point, Receiver, Site, Syscall};
use crate::show::{self, count};
use crate::signal::{Signal, UnknownSignal};
use crate::slots::Stopwatch;
use crate::store;
use crate::suite::report::{Report, Subject};
use crate::suite::{self, Against, Job, Keep, Reached, Shown};
use crate::supervise::Settings;
use crate::trace::Trace;
use crate::world::World;
use asked::total;
pub(super) use kept::traces as kept;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use turns::{Turn, Turns};
use whole::Whole;

/// Look for races in a program, without a scenario
///
/// Every run is compared with one that nothing disturbed. A finding is a hang, a crash, a program that goes on for ever,
/// more left over than the undisturbed run left, of processes or of files, a file left half written, a client that is served
/// otherwise, and, unless signals are sent, another exit status.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// A signal that the outside world may send, by name or number, or `none`; repeatable, for the same one as well
    ///
    /// Each run sends all of them, a further one when everything sleeps again unless a schedule has it come elsewhere.
    /// Without it, each signal that some process of the program catches, waits for or blocks, and that comes from outside, is
    /// sent in a search of its own, after one in which none is; and so is SIGTERM or SIGINT, if it ends the first process and others
    /// with it.
    #[arg(long, value_name = "SIG", value_parser = sent, help_heading = "Disturbance")]
    send: Vec<Sent>,
    /// The process that it is sent to: p0, p0.1, ..., or its process group: group:p0 [default: p0]
    #[arg(long, value_name = "NAME", default_value_t, value_parser = receiver, hide_default_value = true, requires = "send", help_heading = "Disturbance")]
    send_to: Receiver,
    /// Send also where the signal is neither caught nor blocked
    #[arg(long, requires = "send", help_heading = "Disturbance")]
    always: bool,
    /// Keys that a person types at the terminal, like `^C`, `^Z` or `q`; each run types each once; repeatable
    ///
    /// `^` and a capital letter or one of `@[\\]^_?` is a control character. Without this, --resize and --hang-up, each of ^C, ^\\,
    /// ^Z, another size, a hang-up, ^D and a line of text has a search of its own, if it means something when everything first sleeps.
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
    /// Where to begin: at the program's `start`, or at a point as `sigrace points` and reports name it, like `p0 before openat #30`
    ///
    /// Without it a script's interpreter and a launcher are passed by: the search begins where the first process opens the script, or
    /// where the program begins that it has executed, as long as it has made no process or thread until then, nor, before it
    /// executes a program, installed a handler of what is sent or comes by itself. A shell may have had others find out what to execute,
    /// one after the other.
    #[arg(long, value_name = "POINT", value_parser = from, help_heading = "Disturbance")]
    from: Option<Begin>,
    /// Disturb also at every instruction that this function executes, and what it calls of the program's own code; repeatable
    ///
    /// A function of a library is written `libc.so.6!malloc`. What is sent comes there; where nothing is sent, children, timers and peers go first there, so that their SIGCHLD, SIGALRM or SIGIO does.
    #[arg(long, value_name = "FUNCTION", help_heading = "Disturbance")]
    sweep: Vec<String>,
    /// Disturb also at every instruction of the program's own code
    #[arg(long, help_heading = "Disturbance")]
    sweep_all: bool,
    /// The exit code that every run must have
    #[arg(long, value_name = "CODE", help_heading = "Expectation")]
    exit: Option<i32>,
    /// Where a signal is sent, how the program may end: `any` way, `uninterrupted`: no other way than the undisturbed run because
    /// the signal interrupts a call, `atomic`: nor because it comes between two instructions, or the `same` way [default: atomic]
    #[arg(long, value_name = "WAY", value_parser = exits, conflicts_with = "exit", help_heading = "Expectation")]
    exits: Option<Exits>,
    /// A regular expression that must match something in every run's standard output
    #[arg(long, value_name = "REGEX", value_parser = regex, help_heading = "Expectation")]
    stdout: Option<String>,
    /// Every run must write the same standard output as the undisturbed one
    #[arg(long, conflicts_with = "stdout", help_heading = "Expectation")]
    same_output: bool,
    /// Numbers may be in other lines of the output where children end in another order
    #[arg(long, conflicts_with = "same_output", help_heading = "Expectation")]
    any_output: bool,
    /// How much longer than the undisturbed run a run may take on the program's clock, or `never` [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = late, help_heading = "Expectation")]
    late: Option<Late>,
    /// Do not check what signal handlers do
    #[arg(long, help_heading = "Expectation")]
    no_handler_checks: bool,
    /// How many runs checking the signal handlers may take, in each search [default: 300, fewer where each run takes long]
    #[arg(long, value_name = "N", conflicts_with = "no_handler_checks", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Expectation")]
    handler_runs: Option<u64>,
    /// A warning of a signal handler counts like a finding
    #[arg(long, conflicts_with = "no_handler_checks", help_heading = "Expectation")]
    strict: bool,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    accepting: Accepting,
    /// Write a page for a browser of each finding, beside the reference run, into this folder
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    html: Option<PathBuf>,
    /// Write the search down as a scenario, with what it found
    #[arg(long, value_name = "FILE.ron")]
    save: Option<PathBuf>,
    /// Keep all runs in this folder, and take those that are there already: a search that was interrupted goes on
    ///
    /// It goes with the seed with which it was begun, which need not be given again. The runs of another build of the program are refused.
    #[arg(long, value_name = "DIR", help_heading = "Search")]
    resume: Option<PathBuf>,
    /// Make one part of the search: part i of n, by a hash of each schedule
    ///
    /// Together the parts try what the whole search tries: of an exhaustive search each schedule is in one part, of the
    /// others each part has its share of the runs. `sigrace merge` joins their JSON reports. Needs --seed, the same in all.
    #[arg(
        long,
        env = "SIGRACE_PARTITION",
        value_name = "hash:i/n",
        conflicts_with_all = ["save", "baseline"],
        requires = "seed",
        help_heading = "Search"
    )]
    partition: Option<Partition>,
    #[command(flatten)]
    search: Search,
    #[command(flatten)]
    target: Target,
}

/// What `--send` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    Signal(Signal),
}

impl Sent {
    fn signal(&self) -> Option<Signal> {
        match self {
            Sent::Nothing => None,
            Sent::Signal(signal) => Some(*signal),
        }
    }
}

fn sent(text: &str) -> Result<Sent, String> {
    if text == "none" {
        return Ok(Sent::Nothing);
    }
    text.parse().map(Sent::Signal).map_err(|error: UnknownSignal| error.to_string())
}

/// What `--from` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Begin {
    Start,
    Point(Point),
}

fn from(text: &str) -> Result<Begin, String> {
    if text == "start" {
        return Ok(Begin::Start);
    }
    text.parse().map(Begin::Point).map_err(|error: BadPoint| error.to_string())
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

/// `before:CALL`, `entering:CALL`, `in:CALL`, `after:fork`, `probe:NAME` or `at:PLACE`. When everything
/// sleeps nothing is planned, so that is no kind to choose.
fn site(text: &str) -> Result<Site, String> {
    let call = |name: &str| name.parse::<Syscall>().map_err(|error| error.to_string());
    match text.split_once(':') {
        Some(("before", name)) => Ok(Site::Before(call(name)?)),
        Some(("entering", name)) => Ok(Site::Entering(call(name)?)),
        Some(("in", name)) => Ok(Site::In(call(name)?)),
        Some(("after", "fork")) => Ok(Site::After(Making::Fork)),
        Some(("at", place)) => match place.parse::<Place>() {
            Ok(place) => Ok(Site::At(Label::new(&place.to_string()))),
            Err(error) => Err(error.to_string()),
        },
        Some(("probe", name)) => {
            name.parse().map(Site::Probe).map_err(|error: BadProbeName| error.to_string())
        }
        _ => {
            Err("expected before:CALL, entering:CALL, in:CALL, after:fork, probe:NAME or at:PLACE".to_owned())
        }
    }
}

fn exits(text: &str) -> Result<Exits, String> {
    match text {
        "any" => Ok(Exits::Any),
        "uninterrupted" => Ok(Exits::Uninterrupted),
        "atomic" => Ok(Exits::Atomic),
        "same" => Ok(Exits::Same),
        _ => Err("expected any, uninterrupted, atomic or same".to_owned()),
    }
}

fn regex(text: &str) -> Result<String, String> {
    judge::regex(text).map_err(|error| error.reason)?;
    Ok(text.to_owned())
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    search(args, args.reader(), &interrupt::flag()?, &[]).map(|(exit, _)| exit)
}

/// Explores, with what these traces have shown tried first; `cancel` is set from outside to end it early. Gives the report as well.
pub(super) fn search(
    args: &Args,
    reader: Reader<'_>,
    cancel: &Arc<AtomicBool>,
    kept: &[Trace],
) -> Result<(Exit, Report), Stop> {
    let slots = host::slots()?;
    args.search.traces.check()?;
    args.html.as_deref().map(store::writable_directory).transpose().map_err(Stop::refused)?;
    args.save.as_deref().map(store::writable).transpose().map_err(Stop::refused)?;
    let baseline = args.accepting.read()?;
    let launch = args.target.launch()?;
    let clients = args.target.clients(&launch)?;
    let (kept_runs, seed) = args.kept_runs(&launch)?;
    let jobs = args.search.jobs.map_or(slots.count(), usize::from);
    let how = args.search.how(seed, jobs, cancel)?;
    let keep = Keep { kept_runs: kept_runs.clone(), ..how.keep.clone() };
    let start = kept_runs.as_ref().and_then(|kept_runs| kept_runs.common().start);
    let world = World { start, ..args.target.world() };
    let code = suite::code(&launch.file, &args.sweep, args.sweep_all, &args.points)?;
    let code = Code { reentered: !args.no_handler_checks, ..code };
    let name = launch.argv.first().cloned().unwrap_or_default();
    let mut settings =
        Settings { clients, ..suite::settings(launch, (args.target.limits(), world), &how.plan, cancel) };
    let clock = Stopwatch::start(slots.waited());
    let mut sections = match args.sections(&mut settings, &slots) {
        Ok(sections) => sections,
        Err(error) => {
            reader.aside(format_args!("seed {seed}"));
            return Err(error);
        }
    };
    for told in sections.given.told().chain(sections.told(&name)) {
        reader.tell(told)?;
    }
    if let Some(kept) = kept_runs.as_ref().map(|kept_runs| kept_runs.left()).filter(|kept| *kept > 0) {
        reader.tell(format_args!(
            "{} of an earlier search are taken as they were",
            count(kept as u64, "run")
        ))?;
    }
    let mut whole = Whole::default();
    let shown = Arc::new(Shown::by(sections.undisturbed()));
    let persons = sections.persons();
    // What is asked for at once is one search; what follows from several is named as they are.
    let searches = sections.each.len();
    // Who wants the first finding has one step tried everywhere before two are tried anywhere.
    let apart = args.search.first && sections.several();
    let mut turns = Turns::default();
    turns.add(0..searches);
    loop {
        // Two signals are a step of their own, which is tried before two steps are.
        if turns.len() == 0 || apart && !turns.are_for_one_step() {
            let known = sections.each.len();
            if let Some(told) = sections.further() {
                reader.tell(format_args!("\n{told}"))?;
            }
            turns.add(known..sections.each.len());
        }
        let Some(turn) = turns.next() else { break };
        let index = turn.index;
        let Some(section) = sections.each.get(index).cloned() else { continue };
        let (section, searches) = (&section, searches.max(sections.each.len()));
        let share = whole.share(&how, sections.left(turns.len() + 1), clock.elapsed());
        let from = sections.from(section, args.from.as_ref());
        // Nobody handles what ends it.
        let checks = if section.fatal { Vec::new() } else { args.checks() };
        let code = Code { reentered: code.reentered && !section.fatal, ..code.clone() };
        let mut plan = Plan { from, ..args.plan(section, &how, code, share, (apart, settings.world.tty)) };
        plan.fixed = kept::schedules(kept, &plan);
        plan.may.retain(|act| !persons.contains(act));
        let job_name = section.name(&name, searches);
        let progress = Progress::within(
            plan.time,
            Some(total(&plan.strategies)).filter(|runs| (1..u64::MAX).contains(runs)),
        )
        .of(&job_name, (searches > 1).then(|| whole.findings()))
        .accepting(baseline.as_ref(), Subject::program(&name, &plan))
        .seen(!reader.is_caller());
        let job = Job {
            name: job_name,
            settings: Settings { watch: plan.signals(), always: plan.always, ..settings.clone() },
            against: Against::Reference(args.comparison(section, &plan, &sections, &settings)),
            plan,
            checks,
            keep: keep.clone(),
            shown: Arc::clone(&shown),
        };
        let begun = clock.elapsed();
        let one_step = apart && turn.is_for_one_step();
        let Turn { halfway, took, .. } = turn;
        let result = if one_step {
            suite::one_step(halfway, &job, &slots, &progress)
        } else {
            suite::go_on(halfway, &job, &slots, &progress).map(Box::new).map(Reached::Done)
        };
        drop(progress);
        let took = took + clock.elapsed().saturating_sub(begun);
        let mut done = match result {
            Ok(Reached::Done(done)) => *done,
            Ok(Reached::Halfway(halfway)) => {
                sections.learn(index, halfway.reference());
                turns.again(Turn { index, halfway: Some(halfway), took });
                continue;
            }
            // What cannot be sent there after all is no fault of the others.
            Err(error) if sections.several() && error.verdict() == Some(Verdict::Unreached) => {
                reader.tell(format_args!("\n{}: {error}", job.name))?;
                whole.add_error(&job.name, &error);
                continue;
            }
            Err(error) => {
                reader.aside(format_args!("seed {seed}"));
                return Err(error.into());
            }
        };
        if !reader.is_person() {
            done.notes.extend(sections.given.told());
        }
        done.known = whole.known(&done);
        if let Some(baseline) = &baseline {
            done.accept(baseline);
        }
        let found = args.search.first && !done.report.findings.is_empty();
        if found {
            for told in turns.told(|index| sections.each.get(index).map(|one| one.name(&name, searches))) {
                reader.tell(told)?;
            }
        }
        if sections.is_told(&done) {
            let text = done.text(&job.name, took, reader.page());
            let gap = if sections.several() { "\n" } else { "" };
            reader.tell(format_args!("{gap}{}", text.trim_end()))?;
        }
        if let Some(folder) = &args.html {
            for page in pages::write(folder, &done) {
                match page {
                    Ok(file) => reader.tell(format_args!("page: {}", show::path(&file)))?,
                    Err(error) => whole.fail(&error),
                }
            }
        }
        let not_kept = sections.not_kept(section, &done);
        if let Some(why) = not_kept.filter(|_| args.save.is_some() && !sections.several()) {
            reader.aside(format_args!("it is not written down: {why}"));
        }
        if let Some(path) = args.save.as_ref().filter(|_| not_kept.is_none()) {
            let scenario = args.scenario(section, &job, &done);
            store::write_scenario(&section.file(path, searches), &scenario)
                .unwrap_or_else(|error| whole.fail(&error));
        }
        if whole.add(&job, &done) || found {
            break;
        }
        sections.learn(index, &done.report.reference);
    }
    whole.finish(args, reader, baseline.as_ref(), seed, clock.elapsed())
}

impl Args {
    /// How the program starts.
    pub(super) fn launch(&self) -> Result<Launch, Stop> {
        self.target.launch()
    }

    /// The same, with the search written down there as a scenario.
    pub(super) fn saving(&self, path: &Path) -> Args {
        Args { save: Some(path.to_owned()), ..self.clone() }
    }

    /// Where traces are written.
    pub(super) fn traces(&self) -> PathBuf {
        self.search.traces.keep().folder
    }

    /// For whom the report is.
    pub(super) fn reader(&self) -> Reader<'static> {
        Reader::Command(self.search.output.format)
    }
}

impl explore::Progress for Progress {
    fn at(&self, standing: &Standing) {
        let Standing { runs, points, findings, .. } = *standing;
        let phase = standing.doing;
        let findings = count(self.before() + findings as u64, "finding");
        self.set(runs, format!("{phase}, {}, {findings}", count(points as u64, "point")));
    }

    fn found(&self, finding: &Finding) {
        if !self.is_seen() || self.is_accepted(finding) {
            return;
        }
        let (what, by) = (judge::title(finding.breaks), &finding.schedule);
        self.aside(|| complain(format_args!("found: {}: {what}, by {by}", self.name())));
    }
}

/// How late a run may be; none for as late as it likes.
#[derive(Clone, Copy, Debug)]
struct Late(Option<Duration>);

fn late(text: &str) -> Result<Late, String> {
    if text == "never" { Ok(Late(None)) } else { duration(text).map(|late| Late(Some(late))) }
}
