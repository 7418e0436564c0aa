//! What control costs: ratios and latencies, each measured within one run of this program.
//!
//! `cargo bench --bench cost` prints, for a C program with about ten points: the whole time of a supervised baseline run
//! against plain fork, exec and wait of the same program on the same CPU, in turn; and for a program that hangs, the time
//! from letting its last thread go (which then falls asleep) to the proof.

use sigrace::schedule::{Action, Point, Schedule, Site, Step, Syscall, ThreadName};
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::End;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PAIRS: usize = 500;

fn main() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let cancel = Default::default();
    let slot =
        match sigrace::slots::Slots::new().and_then(|slots| slots.take(Duration::from_secs(600), &cancel)) {
            Ok(slot) => slot,
            Err(error) => return println!("no CPU: {error}"),
        };
    if let Err(error) = measure(&fixtures, slot.cpu) {
        println!("not measured: {error}");
    }
}

fn measure(fixtures: &Path, cpu: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut broken = supervisor(&fixtures.join("broken/lost_wakeup.c"), cpu)?;
    let program = sigrace::compile::compile(&fixtures.join("sound/addjob.c"))?;
    let mut forking = supervisor(&fixtures.join("sound/addjob.c"), cpu)?;
    let calls = forking.run(&Schedule::empty())?.reached.len();
    let (mut plain, mut supervised, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let start = Instant::now();
        Command::new(&program).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        let bare = start.elapsed();
        let start = Instant::now();
        forking.run(&Schedule::empty())?;
        let whole = start.elapsed();
        ratios.push(whole.as_secs_f64() / bare.as_secs_f64());
        plain.push(bare);
        supervised.push(whole);
    }
    println!(
        "cost: {calls} points, supervised / plain: median ratio {:.2} (n {PAIRS}; medians {:?} / {:?})",
        median(&mut ratios, f64::total_cmp),
        median(&mut supervised, Duration::cmp),
        median(&mut plain, Duration::cmp),
    );
    let pause = Site::Before(Syscall::from(syscalls::Sysno::pause));
    let point = Point { thread: ThreadName::root(), site: pause, nth: 1 };
    let signal = "SIGUSR1".parse()?;
    let schedule = Schedule { steps: vec![Step::new(point, Action::Send(signal))] };
    let mut hang = Vec::new();
    for _ in 0..PAIRS {
        let run = broken.run(&schedule)?;
        if !matches!(run.outcome.end, End::Hang(_)) {
            return Err(format!("expected a hang, got {:?}", run.outcome.end).into());
        }
        hang.push(run.verdict_after);
    }
    hang.sort();
    println!(
        "hang: from the last release to the proof: median {:?}, 99 % {:?} (n {PAIRS})",
        hang[hang.len() / 2],
        hang[hang.len() * 99 / 100]
    );
    Ok(())
}

fn supervisor(source: &Path, cpu: usize) -> Result<Supervisor, Box<dyn std::error::Error>> {
    let file = sigrace::compile::compile(source)?;
    let argv = vec![file.display().to_string()];
    let launch = sigrace::resolve::command(argv, Default::default(), Path::new("/"), None)?;
    let limits = Default::default();
    let settings =
        Settings { launch, limits, seed: 1, always: false, watch: Vec::new(), cancel: Default::default() };
    Ok(Supervisor::new(settings, cpu)?)
}

fn median<T: Copy>(values: &mut [T], order: impl Fn(&T, &T) -> std::cmp::Ordering) -> T {
    values.sort_by(order);
    values[values.len() / 2]
}
