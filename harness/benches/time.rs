//! What virtual time costs: runs of a program that sleeps for 27.5 seconds, in every way, against runs of `true`, in turn; and
//! ten runs with a second of each kind of sleep against ten without, in turn.
//!
//! `cargo bench --bench time` prints the median time of both, and of the ratios of neighbouring runs; of the kinds also the
//! ratio of all their CPU time, and what a run takes of it.

mod measured;

use measured::{Failure, Measured, median};
use sigrace::world::World;
use std::path::Path;

const RUNS: usize = 200;
/// Kinds of sleep that are measured one by one, so many runs at a time, so often.
const KINDS: [&str; 4] = ["sleep", "alarm", "poll", "timerfd"];
const TOGETHER: usize = 10;
const TIMES: usize = 50;

fn main() {
    measured::on_a_cpu(measure);
}

fn measure(cpu: usize) -> Result<(), Failure> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/time.c");
    let program = sigrace::compile::compile(&source, None)?;
    let program = program.to_string_lossy();
    let supervised =
        |words: &[&str]| Measured::new(words, &std::env::temp_dir(), World::default(), cpu, TOGETHER);
    let (mut sleeper, mut plain) = (supervised(&[&program])?, supervised(&["true"])?);
    let (mut slept, mut plains, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (sleeps, does_not) = (sleeper.several(1)?, plain.several(1)?);
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
        let (mut with, mut without) = (supervised(&[&program, kind])?, supervised(&[&program, "none"])?);
        let mut ratios = Vec::new();
        for _ in 0..TIMES {
            ratios.push(with.several(TOGETHER)? / without.several(TOGETHER)?);
        }
        let (with, without) = (with.end()?, without.end()?);
        println!(
            "time: {TOGETHER} runs with a second of {kind}: {:.3} times the time, {:.3} times the CPU time of {TOGETHER} without \
             (median, and all together: {:.3} ms, {:.3} ms of CPU a run; n {TIMES})",
            median(&mut ratios),
            with / without,
            with * 1e3,
            without * 1e3,
        );
    }
    Ok(())
}
