//! How many runs it takes to the first failure: each strategy, against two plain ways to look for a race.
//!
//! `cargo bench --bench first_failure` prints, for each broken program under `scenarios/`, the median number of runs of each
//! strategy over several seeds, and how many attempts it takes without control:
//!
//! * bare: the program is run again and again. Where the scenario sends a signal, it is sent when the program has had
//!   ample time to fall asleep.
//! * random delay: the signal is sent at a random time after the start, within about the time that the program lives.
//!   A signal that comes before there is a handler ends the program; that is no failure.
//!
//! Before that, what the whole command `explore --first` costs on each broken fixture that it finds unaided, beside a sweep
//! by `strace --inject` (`rival`). The first argument (`command`, `runs`)
//! leaves out the other table; after `command`, names of fixtures leave out the others.

mod command;
#[path = "../../../tests/found/mod.rs"]
mod found;
mod rival;

use sigrace::explore::{Plan, Stop};
use sigrace::program::Launch;
use sigrace::scenario::{Exit, Scenario, Strategy, Text};
use sigrace::slots::Slots;
use sigrace::suite::{self, Against, Case, Job};
use std::error::Error;
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Seeds of each strategy, and series of attempts without control.
const SEEDS: u64 = 21;
const SERIES: usize = 5;
/// Attempts without control after which a series is given up.
const MOST_ATTEMPTS: u64 = 200;
/// Runs after which a search is given up.
const MOST_RUNS: u64 = 2_000;
/// Longer than any of the programs takes to fall asleep or to end, if it does.
const AMPLE: Duration = Duration::from_millis(20);
/// The random delay is shorter than this: from the start of a program to its end it takes about as long.
const LIFE: Duration = Duration::from_millis(2);

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let (table, names) =
        wanted.split_first().map_or((None, &[][..]), |(table, names)| (Some(table.as_str()), names));
    let is_wanted = |name: &str| table.is_none_or(|table| table == name);
    let result = if is_wanted("command") { command::measure(names) } else { Ok(()) };
    let result = result.and_then(|()| if is_wanted("runs") { measure() } else { Ok(()) });
    if let Err(error) = result {
        println!("not measured: {error}");
    }
}

fn measure() -> Result<(), Box<dyn Error>> {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    println!("median number of runs to the first failure ({SEEDS} seeds; without control {SERIES} series)");
    println!(
        "{:24} {:>8} {:>12} {:>8} {:>8} {:>14}",
        "program", "random", "exhaustive 1", "pct 2", "bare", "random delay"
    );
    let slots = Slots::new()?;
    for found in suite::cases(&[scenarios])? {
        let case = Case::read(found)?;
        // What a person does at a terminal is not done without control.
        if case.scenario.finds.is_empty() || case.scenario.tty {
            continue;
        }
        let launch = sigrace::resolve::scenario(&case.scenario, case.build.as_ref(), case.folder())?;
        let strategies = [
            Strategy::Random { runs: MOST_RUNS },
            Strategy::Exhaustive { bound: 1, runs: None },
            Strategy::Pct { depth: 2, runs: MOST_RUNS },
        ];
        let mut row = Vec::new();
        for strategy in strategies {
            let firsts = (0..SEEDS).map(|seed| first(&case, &launch, &strategy, seed, &slots));
            row.push(median(firsts.collect::<Result<_, _>>()?, MOST_RUNS));
        }
        let sends = !case.scenario.explore.send.is_empty();
        row.push(median(series(|| Ok(bare(&case.scenario, &launch, AMPLE)?))?, MOST_ATTEMPTS));
        let delayed = || Ok(bare(&case.scenario, &launch, LIFE.mul_f64(rand::random::<f64>()))?);
        row.push(if sends { median(series(delayed)?, MOST_ATTEMPTS) } else { "-".to_owned() });
        let [random, exhaustive, pct, bare, delayed] = row.as_slice() else { continue };
        println!("{:24} {random:>8} {exhaustive:>12} {pct:>8} {bare:>8} {delayed:>14}", case.name);
    }
    Ok(())
}

/// The number of the first failing run; none if the search ends without.
fn first(
    case: &Case,
    launch: &Launch,
    strategy: &Strategy,
    seed: u64,
    slots: &Slots,
) -> Result<Option<u64>, Box<dyn Error>> {
    let Scenario { explore, limits, expect, .. } = &case.scenario;
    let plan = Plan {
        send: explore.send.clone(),
        send_to: explore.send_to.clone(),
        strategies: vec![strategy.clone()],
        seed,
        shrink: false,
        confirm: 1,
        stop: Stop::FirstFinding,
        ..Plan::default()
    };
    let folder = tempfile::tempdir()?;
    let job = Job {
        name: case.name.clone(),
        settings: suite::settings(
            launch.clone(),
            (limits.clone(), Default::default()),
            &plan,
            &Default::default(),
        ),
        plan,
        against: Against::Scenario(expect.clone()),
        checks: Vec::new(),
        keep: suite::Keep { folder: folder.path().to_owned(), all: false, kept_runs: None },
        shown: Default::default(),
    };
    let report = suite::search(&job, slots, &())?.report;
    Ok(report.findings.first().map(|finding| finding.first))
}

/// Several series of attempts: for each, which attempt failed first.
fn series(fails: impl Fn() -> Result<bool, Box<dyn Error>>) -> Result<Vec<Option<u64>>, Box<dyn Error>> {
    let one = || -> Result<Option<u64>, Box<dyn Error>> {
        for attempt in 1..=MOST_ATTEMPTS {
            if fails()? {
                return Ok(Some(attempt));
            }
        }
        Ok(None)
    };
    (0..SERIES).map(|_| one()).collect()
}

fn median(mut firsts: Vec<Option<u64>>, most: u64) -> String {
    firsts.sort_by_key(|first| first.unwrap_or(u64::MAX));
    match firsts.get(firsts.len() / 2) {
        Some(Some(first)) => first.to_string(),
        _ => format!(">{most}"),
    }
}

/// A program that is ended when it is no longer looked at.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; then there is nobody to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// How it ended, if it does within so long.
    fn end(&mut self, within: Duration) -> std::io::Result<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if start.elapsed() > within {
                return Ok(None);
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Children that have ended and that it has not waited for.
    fn zombies(&self) -> usize {
        let pid = self.0.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let is_zombie = |child: &&str| {
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
        };
        children.split_whitespace().filter(is_zombie).count()
    }
}

/// One attempt without control: true if it shows what the scenario does not expect.
fn bare(scenario: &Scenario, launch: &Launch, delay: Duration) -> std::io::Result<bool> {
    let mut command = Command::new(&launch.file);
    command.args(launch.argv.iter().skip(1)).env_clear().envs(&launch.env).current_dir(&launch.cwd);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running(command.spawn()?);
    if let Some(signal) = scenario.explore.send.first() {
        thread::sleep(delay);
        let pid = i32::try_from(running.0.id()).unwrap_or(0);
        let signal = nix::sys::signal::Signal::try_from(signal.number())?;
        // It may have ended by itself.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
    }
    let expect = &scenario.expect;
    let Some(status) = running.end(AMPLE)? else {
        let zombies = expect.zombies.is_some_and(|most| running.zombies() > most as usize);
        return Ok(!expect.idle || zombies);
    };
    if status.signal().is_some() {
        return Ok(false);
    }
    let mut text = String::new();
    if let Some(mut stdout) = running.0.stdout.take() {
        stdout.read_to_string(&mut text)?;
    }
    let exit = matches!(expect.exit, Some(Exit::Code(code)) if status.code() != Some(code));
    Ok(exit || matches!(&expect.stdout, Some(Text::Is(wanted)) if *wanted != text))
}
