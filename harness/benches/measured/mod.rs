//! Runs of a program by one supervisor, and what they take.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_gettime};
use sigrace::schedule::Schedule;
use sigrace::slots::Slots;
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::{End, Status};
use sigrace::world::World;
use std::path::Path;
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

/// A supervisor on one CPU of runs of one command in one world, in the folder for temporary files.
pub struct Measured {
    supervisor: Supervisor,
    runs: usize,
    /// What this process has used for them, in seconds.
    used: f64,
}

impl Measured {
    /// Makes it, and its first runs, which learn, and fill caches, in this working directory.
    pub fn new(
        words: &[&str],
        cwd: &Path,
        world: World,
        cpu: usize,
        first: usize,
    ) -> Result<Measured, Failure> {
        let argv = words.iter().map(|word| (*word).to_owned()).collect();
        let environment = sigrace::resolve::environment(&[]);
        let launch = sigrace::resolve::command(argv, environment, cwd, None)?;
        let supervisor = Supervisor::new(Settings { world, ..Settings::of(launch) }, cpu)?;
        let mut measured = Measured { supervisor, runs: 0, used: 0.0 };
        measured.several(first)?;
        Ok(measured)
    }

    /// What so many runs took, in seconds.
    pub fn several(&mut self, runs: usize) -> Result<f64, Failure> {
        let (start, before) = (Instant::now(), own_time()?);
        for _ in 0..runs {
            let run = self.supervisor.run(&Schedule::empty())?;
            match run.outcome.end {
                End::Ended(Status::Exited(0)) => {}
                other => return Err(format!("it ended otherwise: {other:?}").into()),
            }
        }
        self.runs += runs;
        self.used += own_time()? - before;
        Ok(start.elapsed().as_secs_f64())
    }

    /// The CPU time of a run, of all that were made: of this process, and of the init with the programs that it has waited for,
    /// which the kernel tells exactly when that is waited for, as it is here. In seconds, user and system together.
    pub fn end(self) -> Result<f64, Failure> {
        let before = time_of_children()?;
        drop(self.supervisor);
        Ok((self.used + time_of_children()? - before) / self.runs as f64)
    }
}

fn own_time() -> Result<f64, Failure> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?).as_secs_f64())
}

/// The CPU time of all that was waited for, in seconds, user and system together.
pub fn time_of_children() -> Result<f64, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// A time of getrusage(2) in seconds.
pub fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
