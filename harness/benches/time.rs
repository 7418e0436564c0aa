//! What virtual time costs: runs of a program that sleeps for 27.5 seconds, in every way, against runs of `true`, in turn; and
//! ten runs with a second of each kind of sleep against ten without, in turn.
//!
//! `cargo bench --bench time` prints the median time of both, and of the ratios of neighbouring runs; of the kinds also the
//! ratio of all their CPU time.

use sigrace::schedule::Schedule;
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::{End, Status};
use std::path::Path;
use std::time::{Duration, Instant};

const RUNS: usize = 200;
/// Kinds of sleep that are measured one by one, so many runs at a time, so often.
const KINDS: [&str; 4] = ["sleep", "alarm", "poll", "timerfd"];
const TOGETHER: usize = 10;
const TIMES: usize = 20;

fn main() {
    let slot = match sigrace::slots::Slots::new()
        .and_then(|slots| slots.take(Duration::from_secs(600), &Default::default()))
    {
        Ok(slot) => slot,
        Err(error) => return println!("no CPU: {error}"),
    };
    if let Err(error) = measure(slot.cpu) {
        println!("not measured: {error}");
    }
}

fn measure(cpu: usize) -> Result<(), Box<dyn std::error::Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/time.c");
    let program = sigrace::compile::compile(&source, None)?;
    let program = program.to_string_lossy();
    let mut sleeper = supervisor(&[&program], cpu)?;
    let mut plain = supervisor(&["true"], cpu)?;
    let (mut slept, mut plains, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (sleeps, does_not) = (timed(&mut sleeper)?, timed(&mut plain)?);
        slept.push(sleeps * 1e3);
        plains.push(does_not * 1e3);
        ratios.push(sleeps / does_not);
    }
    println!(
        "time: 27.5 s of sleeps in {:.1} ms, `true` in {:.1} ms, {:.2} times (medians, n {RUNS})",
        median(&mut slept),
        median(&mut plains),
        median(&mut ratios),
    );
    for kind in KINDS {
        let (mut with, mut without) =
            (supervisor(&[&program, kind], cpu)?, supervisor(&[&program, "none"], cpu)?);
        let (mut wall, mut used) = (Vec::new(), [0.0; 2]);
        for _ in 0..TIMES {
            let (with, without) = (several(&mut with)?, several(&mut without)?);
            wall.push(with.0 / without.0);
            used = [used[0] + with.1, used[1] + without.1];
        }
        println!(
            "time: {TOGETHER} runs with a second of {kind}: {:.2} times the time, {:.2} times the CPU time of {TOGETHER} without \
             (median, and all together, n {TIMES})",
            median(&mut wall),
            used[0] / used[1],
        );
    }
    Ok(())
}

/// What so many runs took, in time and in CPU time.
fn several(supervisor: &mut Supervisor) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let (mut time, before) = (0.0, cpu_time()?);
    for _ in 0..TOGETHER {
        time += timed(supervisor)?;
    }
    Ok((time, cpu_time()? - before))
}

/// Of this process and of the init, which is waited for when a supervisor ends: what it uses is read while it lives, with that of
/// the programs that it has waited for.
fn cpu_time() -> Result<f64, Box<dyn std::error::Error>> {
    let me = std::process::id().to_string();
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc")? {
        let Ok(text) = std::fs::read_to_string(entry?.path().join("stat")) else { continue };
        let Some((head, rest)) = text.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = rest.split(' ').collect();
        let own = head.split(' ').next() == Some(&me);
        if own || fields.get(1) == Some(&me.as_str()) {
            let numbers = fields.iter().skip(11).take(if own { 2 } else { 4 });
            ticks += numbers.map(|field| field.parse::<u64>().unwrap_or(0)).sum::<u64>();
        }
    }
    // USER_HZ of Linux.
    Ok(ticks as f64 / 100.0)
}

fn timed(supervisor: &mut Supervisor) -> Result<f64, Box<dyn std::error::Error>> {
    let start = Instant::now();
    let run = supervisor.run(&Schedule::empty())?;
    match run.outcome.end {
        End::Ended(Status::Exited(0)) => Ok(start.elapsed().as_secs_f64()),
        other => Err(format!("it ended otherwise: {other:?}").into()),
    }
}

fn supervisor(words: &[&str], cpu: usize) -> Result<Supervisor, Box<dyn std::error::Error>> {
    let cwd = std::env::temp_dir();
    let environment = sigrace::resolve::environment(&[]);
    let launch = sigrace::resolve::command(
        words.iter().map(|word| (*word).to_owned()).collect(),
        environment,
        &cwd,
        None,
    )?;
    Ok(Supervisor::new(Settings::of(launch), cpu)?)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
