//! What a network and files of its own cost: runs with both against runs with the machine's, in turn.
//!
//! `cargo bench --bench world` prints, for a program that listens, for one whose connections are left in TIME_WAIT, and for one
//! that writes a file, the median of the ratios of neighbouring series, of their time and of their CPU time (user and system, of
//! this process, the init and the programs), and what a run of each takes.

mod measured;

use measured::{Failure, median, several, supervisor};
use sigrace::world::{Files, Network, World};
use std::path::Path;
use std::time::Duration;

/// What the program does.
const KINDS: [&str; 4] = ["nothing", "connection", "connections", "file"];
const TOGETHER: usize = 100;
const TIMES: usize = 15;

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

fn measure(cpu: usize) -> Result<(), Failure> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/world.c");
    let program = sigrace::compile::compile(&source, None)?;
    let program = program.to_string_lossy();
    let machines = || World { network: Network::Host, files: Files::Host, ..World::default() };
    for kind in KINDS {
        let (mut own, mut host) = (
            supervisor(&[&program, kind], World::default(), cpu)?,
            supervisor(&[&program, kind], machines(), cpu)?,
        );
        // The first runs of each learn, and fill caches.
        several(&mut own, TOGETHER / 10)?;
        several(&mut host, TOGETHER / 10)?;
        let (mut wall, mut used, mut costs) = (Vec::new(), Vec::new(), (Vec::new(), Vec::new()));
        for _ in 0..TIMES {
            let (own, host) = (several(&mut own, TOGETHER)?, several(&mut host, TOGETHER)?);
            wall.push(own.0 / host.0);
            used.push(own.1 / host.1);
            costs.0.push(own.1 / TOGETHER as f64 * 1e3);
            costs.1.push(host.1 / TOGETHER as f64 * 1e3);
        }
        println!(
            "world: {kind}: {:.2} times the time, {:.2} times the CPU time without ({:.2} ms, {:.2} ms a run; medians of {TIMES} \
             series of {TOGETHER})",
            median(&mut wall),
            median(&mut used),
            median(&mut costs.0),
            median(&mut costs.1),
        );
    }
    Ok(())
}
