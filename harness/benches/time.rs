//! What virtual time costs: runs of a program that sleeps for 27.5 seconds, in every way, against runs of `true`, in turn; and
//! ten runs with a second of each kind of sleep against ten without, in turn.
//!
//! `cargo bench --bench time` prints the median time of both, and of the ratios of neighbouring runs; of the kinds also the
//! ratio of all their CPU time.

mod measured;

use measured::{Failure, median, several, supervisor, timed};
use sigrace::world::World;
use std::path::Path;

const RUNS: usize = 200;
/// Kinds of sleep that are measured one by one, so many runs at a time, so often.
const KINDS: [&str; 4] = ["sleep", "alarm", "poll", "timerfd"];
const TOGETHER: usize = 10;
const TIMES: usize = 20;

fn main() {
    measured::on_a_cpu(measure);
}

fn measure(cpu: usize) -> Result<(), Failure> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/time.c");
    let program = sigrace::compile::compile(&source, None)?;
    let program = program.to_string_lossy();
    let mut sleeper = supervisor(&[&program], World::default(), cpu)?;
    let mut plain = supervisor(&["true"], World::default(), cpu)?;
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
        let supervised = |kind| supervisor(&[&program, kind], World::default(), cpu);
        let (mut with, mut without) = (supervised(kind)?, supervised("none")?);
        let (mut wall, mut used) = (Vec::new(), [0.0; 2]);
        for _ in 0..TIMES {
            let (with, without) = (several(&mut with, TOGETHER)?, several(&mut without, TOGETHER)?);
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
