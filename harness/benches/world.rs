//! What a network and files of its own cost: runs with both against runs with the machine's, in turn; and what a terminal costs.
//!
//! `cargo bench --bench world` prints, for a program that listens, for one whose connections are left in TIME_WAIT, for one
//! that writes a file, and for one that does nothing on a terminal, the median of the ratios of neighbouring series, of their time and of their CPU time (user and system, of
//! this process, the init and the programs), and what a run of each takes.

mod measured;

use measured::{Failure, median, several, supervisor};
use sigrace::world::{Files, Network, World};
use std::path::Path;

/// What the program does.
const KINDS: [&str; 4] = ["nothing", "connection", "connections", "file"];
const TOGETHER: usize = 100;
const TIMES: usize = 15;

fn main() {
    measured::on_a_cpu(measure);
}

fn measure(cpu: usize) -> Result<(), Failure> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/world.c");
    let program = sigrace::compile::compile(&source, None)?;
    let program = program.to_string_lossy();
    let machines = || World { network: Network::Host, files: Files::Host, ..World::default() };
    let worlds = KINDS.into_iter().map(|kind| (kind, kind, World::default(), machines()));
    let terminal = ("terminal", "nothing", World { tty: true, ..World::default() }, World::default());
    for (name, kind, with, without) in worlds.chain([terminal]) {
        let (mut own, mut host) =
            (supervisor(&[&program, kind], with, cpu)?, supervisor(&[&program, kind], without, cpu)?);
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
            "world: {name}: {:.2} times the time, {:.2} times the CPU time without ({:.2} ms, {:.2} ms a run; medians of {TIMES} \
             series of {TOGETHER})",
            median(&mut wall),
            median(&mut used),
            median(&mut costs.0),
            median(&mut costs.1),
        );
    }
    Ok(())
}
