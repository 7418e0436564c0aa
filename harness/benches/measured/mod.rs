//! Runs of a program by one supervisor, and what they take.

use sigrace::schedule::Schedule;
use sigrace::slots::Slots;
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::{End, Status};
use sigrace::world::World;
use std::time::{Duration, Instant};

/// What benches end with when something goes wrong.
pub type Failure = Box<dyn std::error::Error>;

/// Does this on a CPU that nobody else uses meanwhile, and says what goes wrong.
pub fn on_a_cpu(measure: impl FnOnce(usize) -> Result<(), Failure>) {
    let taken = Slots::new().and_then(|slots| slots.take(Duration::from_secs(600), &Default::default()));
    let slot = match taken {
        Ok(slot) => slot,
        Err(error) => return println!("no CPU: {error}"),
    };
    if let Err(error) = measure(slot.cpu) {
        println!("not measured: {error}");
    }
}

/// A supervisor on `cpu` of runs of this command in this world, in the folder for temporary files.
pub fn supervisor(words: &[&str], world: World, cpu: usize) -> Result<Supervisor, Failure> {
    let argv = words.iter().map(|word| (*word).to_owned()).collect();
    let environment = sigrace::resolve::environment(&[]);
    let launch = sigrace::resolve::command(argv, environment, &std::env::temp_dir(), None)?;
    Ok(Supervisor::new(Settings { world, ..Settings::of(launch) }, cpu)?)
}

/// What one run took, in seconds.
pub fn timed(supervisor: &mut Supervisor) -> Result<f64, Failure> {
    let start = Instant::now();
    let run = supervisor.run(&Schedule::empty())?;
    match run.outcome.end {
        End::Ended(Status::Exited(0)) => Ok(start.elapsed().as_secs_f64()),
        other => Err(format!("it ended otherwise: {other:?}").into()),
    }
}

/// What so many runs took, in time and in CPU time, in seconds.
pub fn several(supervisor: &mut Supervisor, runs: usize) -> Result<(f64, f64), Failure> {
    let (mut time, before) = (0.0, cpu_time()?);
    for _ in 0..runs {
        time += timed(supervisor)?;
    }
    Ok((time, cpu_time()? - before))
}

/// Of this process and of the init, which is waited for when a supervisor ends: what it uses is read while it lives, with that of
/// the programs that it has waited for. In seconds, user and system together.
fn cpu_time() -> Result<f64, Failure> {
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

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
