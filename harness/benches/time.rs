//! What virtual time costs: runs of a program that sleeps for 27.5 seconds, in every way, against runs of `true`, in turn.
//!
//! `cargo bench --bench time` prints the median time of both, and of the ratios of neighbouring runs.

use sigrace::schedule::Schedule;
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::{End, Status};
use std::path::Path;
use std::time::{Duration, Instant};

const RUNS: usize = 200;

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
    let mut sleeper = supervisor(&program.to_string_lossy(), cpu)?;
    let mut plain = supervisor("true", cpu)?;
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
    Ok(())
}

fn timed(supervisor: &mut Supervisor) -> Result<f64, Box<dyn std::error::Error>> {
    let start = Instant::now();
    let run = supervisor.run(&Schedule::empty())?;
    match run.outcome.end {
        End::Ended(Status::Exited(0)) => Ok(start.elapsed().as_secs_f64()),
        other => Err(format!("it ended otherwise: {other:?}").into()),
    }
}

fn supervisor(program: &str, cpu: usize) -> Result<Supervisor, Box<dyn std::error::Error>> {
    let cwd = std::env::temp_dir();
    let environment = sigrace::resolve::environment(&[]);
    let launch = sigrace::resolve::command(vec![program.to_owned()], environment, &cwd, None)?;
    Ok(Supervisor::new(Settings::of(launch), cpu)?)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
