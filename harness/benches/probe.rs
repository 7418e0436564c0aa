//! What a probe costs in a program that nobody holds: against getppid(2), which the kernel does not refuse, in turn.
//!
//! `cargo bench --bench probe` prints the median time of one probe, and the median of the ratios of neighbouring rounds.

use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 201;
const CALLS: u32 = 20_000;

fn main() {
    let time = |call: &dyn Fn()| {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        start.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    let (mut probes, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let probe = time(&|| sigrace_probe::probe!("measured"));
        let plain = time(&|| {
            // The C library has no cache of it, so this is the call.
            black_box(nix::unistd::getppid());
        });
        probes.push(probe);
        ratios.push(probe / plain);
    }
    println!(
        "probe: {:.0} ns without control, {:.2} times getppid (medians, n {ROUNDS} rounds of {CALLS})",
        median(&mut probes),
        median(&mut ratios)
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
