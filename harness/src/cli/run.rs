//! `sigrace run`: scenarios, as many at once as there are CPUs.

use super::baseline::{self, Accepting};
use super::config::Config;
use super::exit::{Code, Exit, Stop};
use super::families::{selected, split, table};
use super::options::Search;
use super::progress::Progress;
use super::report::Reader;
use super::say::{complain, page, say};
use super::{host, interrupt};
use crate::compile;
use crate::explore::{self, Partition, Standing, Verdict};
use crate::show::{Page, count};
use crate::slots::{Slots, Stopwatch};
use crate::store::{self, FileError};
use crate::suite::report::{NotRun, Report};
use crate::suite::{self, Case, Found, How, Outcome, SEED, SearchError, Selection, Trial};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

/// Run scenarios, and compare what is found with what they expect
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario files, folders, and parts of scenario names [default: the folder `scenarios`]
    #[arg(value_name = "SCENARIO|DIR|FILTER")]
    words: Vec<String>,
    /// List the scenarios, and run none
    #[arg(long)]
    list: bool,
    /// Filters must be equal to a scenario's name
    #[arg(long)]
    exact: bool,
    /// Leave out scenarios with this in their name; repeatable
    #[arg(long, value_name = "FILTER")]
    skip: Vec<String>,
    /// Run one part of the selected scenarios: part i of n, by a hash of each scenario's name
    ///
    /// Every scenario is in exactly one part, on every machine, and its search is the same as without this. One
    /// scenario's search is never split (`explore --partition` does that). `sigrace merge` joins the JSON reports of all parts.
    #[arg(long, env = "SIGRACE_PARTITION", value_name = "hash:i/n")]
    partition: Option<Partition>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    accepting: Accepting,
    #[command(flatten)]
    search: Search,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let Args { words, exact, skip, .. } = args;
    let selection = Selection { words: words.clone(), exact: *exact, skip: skip.clone() };
    let mut found = selected(&selection)?;
    let suite = digest(&found).map_err(Stop::refused)?;
    found.retain(|found| args.partition.is_none_or(|partition| partition.holds(&found.name)));
    if args.list {
        let names: Vec<String> = found.into_iter().map(|found| found.name).collect();
        return say(names.join("\n")).map(|()| Exit::AsExpected);
    }
    let baseline = args.accepting.read()?;
    let (trials, not_run) = prepare(found)?;
    let cancel = interrupt::flag()?;
    let slots = host::slots()?;
    args.search.traces.check()?;
    let jobs = args.search.jobs.map_or(slots.count(), usize::from).min(slots.count());
    let seed = args.search.seed.seed.unwrap_or(SEED);
    // A part may be empty.
    let together = jobs.min(trials.len()).max(1);
    let how = How { baseline, ..args.search.how(seed, (jobs / together).max(1), &cancel)? };
    let clock = Stopwatch::start(slots.waited());
    let reader = Reader::Command(args.search.output.format);
    let results = all(&trials, together, &how, &slots, reader)?;
    for NotRun { name, why, .. } in &not_run {
        reader.tell(format_args!("{:9}  {name}  {why}", "not run"))?;
    }
    let exit = summary(&trials, &results, &not_run, seed, clock.elapsed(), reader)?;
    // A part may have nothing else; what came of all is known when they are merged.
    let exit = if trials.is_empty() && !not_run.is_empty() && args.partition.is_none() {
        Exit::HostCannot
    } else {
        exit
    };
    let partition = args.partition.map(|partition| partition.to_string());
    let report = machine_readable(&trials, &results, seed, exit);
    let report = baseline::complete(reader, how.baseline.as_ref(), report)?;
    reader.finish(&Report { suite: Some(suite), partition, not_run, ..report })?;
    Ok(exit)
}

/// SHA-256 of the names and texts of these scenarios: what the parts of one suite have in common.
fn digest(found: &[Found]) -> Result<String, FileError> {
    let read = |found: &Found| store::read(&found.path, store::MOST_OF_SCENARIO);
    let texts = found.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let parts = found.iter().zip(&texts);
    Ok(compile::digest_of(parts.flat_map(|(found, text)| [found.name.as_bytes(), text])))
}

/// Reads all scenarios and finds or builds all programs: what is refused is refused before anything is run. What this machine
/// lacks a program for is left out.
fn prepare(found: Vec<Found>) -> Result<(Vec<Trial>, Vec<NotRun>), Stop> {
    let mut trials = Vec::new();
    let mut refused = Vec::new();
    for found in found {
        match Case::read(found) {
            Ok(case) => trials.push(case),
            Err(error) => refused.push(error.to_string()),
        }
    }
    if refused.is_empty() {
        let (mut built, mut not_run) = (Vec::new(), Vec::new());
        for case in trials {
            let (name, file) = (case.name.clone(), case.path.display().to_string());
            match Trial::new(case) {
                Ok(trial) => built.push(trial),
                Err(error) if error.lacks().is_some() => {
                    not_run.push(NotRun { name, file, why: error.to_string() })
                }
                Err(error) => return Err(Stop::refused(format_args!("{name}: {error}"))),
            }
        }
        return Ok((built, not_run));
    }
    Err(Stop::refused(refused.join("\n")))
}

/// What became of one trial.
type Tried = Result<Outcome, SearchError>;

/// Tries all trials, `together` at once, and tells of each as it ends. The results are in the order of the trials.
fn all(
    trials: &[Trial],
    together: usize,
    how: &How,
    slots: &Slots,
    reader: Reader<'_>,
) -> Result<Vec<Option<Tried>>, Stop> {
    let page = page();
    let budget = trials.iter().map(|trial| trial.budget(how)).sum::<Option<u64>>();
    let board = Board::new(trials.len(), budget);
    let next = AtomicUsize::new(0);
    let (report, ended) = channel();
    let mut results: Vec<Option<Tried>> = Vec::new();
    results.resize_with(trials.len(), || None);
    thread::scope(|scope| {
        for _ in 0..together {
            let report = report.clone();
            scope.spawn(|| work(trials, &next, how, slots, &board, page, report));
        }
        drop(report);
        for (index, result) in ended {
            if let (Some(trial), Some(place)) = (trials.get(index), results.get_mut(index)) {
                board.progress.aside(|| tell(trial, &result, reader))?;
                *place = Some(result);
            }
        }
        Ok(results)
    })
}

/// Takes one trial after the other, until none is left or the user asks to stop.
fn work(
    trials: &[Trial],
    next: &AtomicUsize,
    how: &How,
    slots: &Slots,
    board: &Board,
    page: Page,
    report: Sender<(usize, Tried)>,
) {
    while !how.cancel.load(Ordering::Relaxed) {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(trial) = trials.get(index) else { return };
        let result = trial.run(how, slots, &Line { board, index }, page);
        if report.send((index, result)).is_err() {
            return;
        }
    }
}

/// One line for each trial as it ends, and what a person needs if it is not green.
fn tell(trial: &Trial, result: &Tried, reader: Reader<'_>) -> Result<(), Stop> {
    let say = |text: &str| reader.tell(text);
    let name = &trial.case.name;
    match result {
        Ok(outcome) => {
            let Some(done) = &outcome.done else { return say(outcome.text.trim_end()) };
            say(&format!("{:9}  {name}  {}", outcome.verdict.to_string(), done.extent()))?;
            if let Some(error) = done.unwritten() {
                complain(format_args!("sigrace: {name}: {error}"));
            }
            for line in done.accepted_lines(name) {
                say(&format!("           {line}"))?;
            }
            for note in &outcome.notes {
                say(&format!("           {note}"))?;
            }
            if outcome.text.is_empty() { Ok(()) } else { say(&format!("\n{}", outcome.text)) }
        }
        Err(error) => {
            complain(format_args!("sigrace: {name}: {error}"));
            Ok(())
        }
    }
}

/// The last lines, which end with the commands that continue, and the exit code: the gravest that there was.
fn summary(
    trials: &[Trial],
    results: &[Option<Tried>],
    not_run: &[NotRun],
    seed: u64,
    elapsed: Duration,
    reader: Reader<'_>,
) -> Result<Exit, Stop> {
    let outcomes = || results.iter().flatten().filter_map(|result| result.as_ref().ok());
    let mut text = format!("{}:", count((trials.len() + not_run.len()) as u64, "scenario"));
    let mut separator = "";
    let mut part = |number: usize, words: &str| {
        if number > 0 || words == "passed" {
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator} {number} {words}");
            separator = ",";
        }
    };
    for (verdict, words) in [
        (Verdict::Pass, "passed"),
        (Verdict::Fail, "failed"),
        (Verdict::Unreached, "unreached"),
        (Verdict::Diverged, "diverged"),
        (Verdict::Unstable, "unstable"),
        (Verdict::Unsupported, "unsupported"),
    ] {
        part(outcomes().filter(|outcome| outcome.verdict == verdict && !outcome.interrupted).count(), words);
    }
    let errors: Vec<&SearchError> =
        results.iter().flatten().filter_map(|result| result.as_ref().err()).collect();
    part(errors.len(), "not run to the end");
    part(outcomes().filter(|outcome| outcome.interrupted).count(), "interrupted");
    part(results.iter().filter(|result| result.is_none()).count(), "not begun");
    part(not_run.len(), "not run");
    for line in by_family(trials, results, not_run) {
        reader.tell(line)?;
    }
    let runs: u64 = outcomes().filter_map(|outcome| outcome.done.as_ref()).map(|done| done.report.runs).sum();
    let _ = write!(text, " in {:.1} s, {}; seed {seed}", elapsed.as_secs_f64(), count(runs, "run"));
    reader.tell(text)?;
    for line in outcomes().flat_map(|outcome| &outcome.replay) {
        reader.tell(line)?;
    }

    let interrupted = results.iter().any(Option::is_none) || outcomes().any(|outcome| outcome.interrupted);
    let exits = errors.iter().map(|error| error.code());
    let exits = exits.chain(outcomes().map(|outcome| Exit::from(outcome.verdict)));
    let unwritten = outcomes().filter_map(|outcome| outcome.done.as_ref()?.unwritten());
    let exits = exits.chain(unwritten.map(|_| Exit::Harness));
    let exits = exits.chain(interrupted.then_some(Exit::Interrupted));
    Ok(exits.max_by_key(|exit| gravity(*exit)).unwrap_or(Exit::AsExpected))
}

/// How the scenarios of each family did, where there are several families.
fn by_family(trials: &[Trial], results: &[Option<Tried>], not_run: &[NotRun]) -> Vec<String> {
    let mut families: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for (trial, result) in trials.iter().zip(results) {
        let [scenarios, passed, runs] = families.entry(split(&trial.case.name).0).or_default();
        let outcome = result.as_ref().and_then(|result| result.as_ref().ok());
        *scenarios += 1;
        *passed += u64::from(outcome.is_some_and(|one| one.verdict == Verdict::Pass && !one.interrupted));
        *runs += outcome.and_then(|one| one.done.as_ref()).map_or(0, |done| done.report.runs);
    }
    for one in not_run {
        families.entry(split(&one.name).0).or_default()[0] += 1;
    }
    if families.len() < 2 {
        return Vec::new();
    }
    let head = ["family", "scenarios", "passed", "runs"].map(str::to_owned).to_vec();
    let row = |(family, numbers): (&&str, &[u64; 3])| {
        [(*family).to_owned()].into_iter().chain(numbers.iter().map(u64::to_string)).collect()
    };
    let rows: Vec<Vec<String>> = [head].into_iter().chain(families.iter().map(row)).collect();
    let lines = table(&rows);
    [String::new()].into_iter().chain(lines).chain([String::new()]).collect()
}

fn machine_readable(trials: &[Trial], results: &[Option<Tried>], seed: u64, exit: Exit) -> Report {
    let (mut searches, mut not_begun) = (Vec::new(), Vec::new());
    for (trial, result) in trials.iter().zip(results) {
        match result {
            Some(result) => searches.push(suite::report::Search::of_trial(trial, result)),
            None => not_begun.push(trial.case.name.clone()),
        }
    }
    Report::new(seed, exit as u8, searches, not_begun)
}

/// Which of several codes a suite ends with: the one of the largest gravity.
pub(super) fn gravity(exit: Exit) -> u8 {
    match exit {
        Exit::AsExpected | Exit::Usage | Exit::Nothing => 0,
        Exit::HostCannot => 1,
        Exit::Unclear => 2,
        Exit::Failed => 3,
        Exit::Refused => 4,
        Exit::Harness => 5,
        Exit::Interrupted => 6,
    }
}

/// How far all trials together are.
struct Board {
    progress: Progress,
    standings: Mutex<Vec<Option<Standing>>>,
}

impl Board {
    fn new(trials: usize, budget: Option<u64>) -> Board {
        Board { progress: Progress::new(budget), standings: Mutex::new(vec![None; trials]) }
    }

    fn set(&self, index: usize, standing: &Standing) {
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = standings.get_mut(index) {
            *place = Some(*standing);
        }
        let known = || standings.iter().flatten();
        let points: usize = known().map(|standing| standing.points).sum();
        let findings: usize = known().map(|standing| standing.findings).sum();
        let message = format!("{}, {}", count(points as u64, "point"), count(findings as u64, "finding"));
        self.progress.set(known().map(|standing| standing.runs).sum(), message);
    }
}

/// One trial's line on the board.
struct Line<'a> {
    board: &'a Board,
    index: usize,
}

impl explore::Progress for Line<'_> {
    fn at(&self, standing: &Standing) {
        self.board.set(self.index, standing);
    }
}
