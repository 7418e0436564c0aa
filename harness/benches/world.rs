//! What a network and files of its own cost: runs with both against runs with the machine's, in turn; and what a terminal costs.
//!
//! `cargo bench --bench world` prints, for a program that listens, for one whose connections are left in TIME_WAIT, for one
//! that writes a file and removes it, for one that also looks at the file's number, and for one that leaves it, each in a folder that
//! is covered for itself and in one below it, and for one that does nothing on a terminal,
//! the median of the ratios of neighbouring series of the time that they take, and the ratio of the CPU time of all runs (user
//! and system, of this process, the init and the programs), with what a run of each takes. Names of kinds behind `--` choose.

mod measured;

use measured::{Failure, Measured, median};
use sigrace::world::{Files, Network, World};
use std::path::Path;

/// What the program does in a folder that is covered for itself.
const KINDS: [&str; 6] = ["nothing", "connection", "connections", "file", "seen", "left"];
/// What it does in one below another that is covered, and what that is called.
const WITHIN: [(&str, &str); 3] = [("file-within", "file"), ("seen-within", "seen"), ("left-within", "left")];
const TOGETHER: usize = 100;
const TIMES: usize = 15;

fn main() {
    measured::on_a_cpu(measure);
}

fn remove(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn measure(cpu: usize) -> Result<(), Failure> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/world.c");
    let program = sigrace::compile::compile(&source, None)?;
    let program = program.to_string_lossy();
    let machines = || World { network: Network::Host, files: Files::Host, ..World::default() };
    let folder = std::env::temp_dir();
    let within = tempfile::tempdir_in(&folder)?;
    let named = KINDS.into_iter().map(|kind| (kind, kind, folder.as_path()));
    let named = named.chain(WITHIN.into_iter().map(|(name, kind)| (name, kind, within.path())));
    let worlds = named.map(|(name, kind, cwd)| (name, kind, cwd, World::default(), machines()));
    let tty = World { tty: true, ..World::default() };
    let terminal = ("terminal", "nothing", folder.as_path(), tty, World::default());
    // Cargo itself says --bench.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, kind, cwd, with, without) in worlds.chain([terminal]) {
        if !chosen.is_empty() && !chosen.iter().any(|other| other == name) {
            continue;
        }
        let supervised = |world| Measured::new(&[&program, kind], cwd, world, cpu, TOGETHER / 10);
        let (mut with, mut without) = (supervised(with)?, supervised(without)?);
        // What is left in the machine's folder would lie below the other world's.
        let left = cwd.join("world-left");
        let mut ratios = Vec::new();
        for _ in 0..TIMES {
            remove(&left)?;
            let own = with.several(TOGETHER)?;
            ratios.push(own / without.several(TOGETHER)?);
        }
        remove(&left)?;
        let (with, without) = (with.end()?, without.end()?);
        println!(
            "world: {name}: {:.3} times the time, {:.3} times the CPU time without ({:.3} ms, {:.3} ms of CPU a run; {TIMES} series \
             of {TOGETHER})",
            median(&mut ratios),
            with / without,
            with * 1e3,
            without * 1e3,
        );
    }
    Ok(())
}
