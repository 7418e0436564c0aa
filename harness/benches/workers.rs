//! What more workers bring: runs per second of one search with two workers against one, in turn.
//!
//! `cargo bench --bench workers` prints the median of the ratios of neighbouring pairs, and the median of the runs per second
//! with one. Each worker has a CPU of its own; what else runs on the machine makes the ratio smaller.

use sigrace::explore::Plan;
use sigrace::judge::Comparison;
use sigrace::scenario::Strategy;
use sigrace::slots::Slots;
use sigrace::suite::{self, Against, Job};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

const PAIRS: usize = 15;
/// Enough that what one worker does alone, before and after, is little of it. Few programs of a page have so many schedules that differ.
const RUNS: u64 = 2000;

fn main() {
    if let Err(error) = measure() {
        println!("not measured: {error}");
    }
}

fn measure() -> Result<(), Box<dyn Error>> {
    let slots = Slots::new()?;
    if slots.count() < 2 {
        return Err("there is one CPU".into());
    }
    for name in ["reaping", "abandoned"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/sound/{name}.c"));
        let (mut ratios, mut alone) = (Vec::new(), Vec::new());
        for pair in 0..PAIRS {
            // Which goes first changes from pair to pair.
            let first = 1 + pair % 2;
            let (one, other) = (speed(&source, first, &slots)?, speed(&source, 3 - first, &slots)?);
            let (one, two) = if first == 1 { (one, other) } else { (other, one) };
            ratios.push(two / one);
            alone.push(one);
        }
        println!(
            "workers: {name}: two make {:.2} times the runs per second of one, which makes {:.0} (medians, n {PAIRS} pairs of {RUNS} runs)",
            median(&mut ratios),
            median(&mut alone)
        );
    }
    Ok(())
}

/// Runs per second of a search with so many workers.
fn speed(source: &Path, workers: usize, slots: &Slots) -> Result<f64, Box<dyn Error>> {
    let file = sigrace::compile::compile(source, None)?;
    let launch = sigrace::resolve::command(
        vec![file.display().to_string()],
        Default::default(),
        Path::new("/"),
        None,
    )?;
    let plan =
        Plan { strategies: vec![Strategy::Random { runs: RUNS }], seed: 1, jobs: workers, ..Plan::default() };
    // A search takes the CPUs that are free when it begins: both must be.
    let free: Vec<_> = (0..2).map(|_| slots.take(Duration::from_secs(600), &Default::default())).collect();
    if let Some(error) = free.into_iter().find_map(Result::err) {
        return Err(error.into());
    }
    let folder = tempfile::tempdir()?;
    let job = Job {
        name: source.display().to_string(),
        settings: suite::settings(launch, Default::default(), &plan, &Default::default()),
        plan,
        against: Against::Reference(Comparison::default()),
        checks: Vec::new(),
        keep: suite::Keep { folder: folder.path().to_owned(), all: false, kept_runs: None },
        shown: Default::default(),
    };
    let start = Instant::now();
    let report = suite::search(&job, slots, &())?.report;
    if report.runs != RUNS {
        return Err(format!("{} runs instead of {RUNS}", report.runs).into());
    }
    Ok(report.runs as f64 / start.elapsed().as_secs_f64())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
