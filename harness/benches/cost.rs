//! What control costs: ratios and latencies, each measured within one run of this program.
//!
//! `cargo bench --bench cost` prints, for each sound fixture that ends by itself: the whole time of a supervised baseline
//! run against fork, exec and wait of the same program on the same CPU, in turn, and against posix_spawn, which is vfork
//! and exec; and for a program that hangs, the time from letting its last thread go (which then falls asleep) to the
//! proof.

use sigrace::schedule::{Action, Point, Schedule, Site, Step, Syscall, ThreadName};
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::End;
use std::os::unix::process::CommandExt;
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
    for name in ["addjob", "reaping", "eintr"] {
        cost(&fixtures.join(format!("sound/{name}.c")), name, cpu)?;
    }
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

fn cost(source: &Path, name: &str, cpu: usize) -> Result<(), Box<dyn std::error::Error>> {
    let program = sigrace::compile::compile(source, None)?;
    let mut supervisor = supervisor(source, cpu)?;
    let run = supervisor.run(&Schedule::empty())?;
    let End::Ended(_) = run.outcome.end else { return Err(format!("{name} does not end").into()) };
    let calls = run.reached.len();
    let (mut forked, mut spawned) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let plain = |fork: bool| -> Result<Duration, std::io::Error> {
            let mut command = Command::new(&program);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if fork {
                // Asking for the user that it is anyway makes the standard library fork instead of posix_spawn.
                command.uid(nix::unistd::geteuid().as_raw());
            }
            let start = Instant::now();
            command.status()?;
            Ok(start.elapsed())
        };
        let (fork, spawn) = (plain(true)?, plain(false)?);
        let start = Instant::now();
        supervisor.run(&Schedule::empty())?;
        let whole = start.elapsed().as_secs_f64();
        forked.push(whole / fork.as_secs_f64());
        spawned.push(whole / spawn.as_secs_f64());
    }
    println!(
        "cost: {name}, {calls} points: {:.2} times fork+exec+wait, {:.2} times posix_spawn+wait (medians, n {PAIRS})",
        median(&mut forked),
        median(&mut spawned),
    );
    Ok(())
}

fn supervisor(source: &Path, cpu: usize) -> Result<Supervisor, Box<dyn std::error::Error>> {
    let file = sigrace::compile::compile(source, None)?;
    let argv = vec![file.display().to_string()];
    let launch = sigrace::resolve::command(argv, Default::default(), Path::new("/"), None)?;
    Ok(Supervisor::new(Settings::of(launch), cpu)?)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
