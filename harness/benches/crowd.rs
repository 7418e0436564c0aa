//! What many processes, threads and calls cost.
//!
//! `cargo bench --bench crowd` prints
//! - the memory that `sigrace explore --runs 1` takes of a program of 50 threads with 1,000 calls each, and of one thread with one call;
//! - the CPU time of supervised runs (user and system, of this process, the init and the programs) as times that of the program
//!   alone, in turn: of 200 children, of 200 threads with 5 calls each, and of `make -j4` with 20 targets, where make is installed;
//! - and the user time of this process for runs of 20,000, 40,000 and 80,000 calls beside a thread that sleeps, which is to be linear,
//!   and the CPU time of each call.

mod measured;

use measured::{Failure, Measured, median, seconds, time_of_children};
use nix::sys::resource::{UsageWho, getrusage};
use sigrace::world::World;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const SERIES: usize = 9;
const TOGETHER: usize = 20;
const TARGETS: usize = 20;

fn main() {
    measured::on_a_cpu(measure);
}

fn measure(cpu: usize) -> Result<(), Failure> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/crowd.c");
    let program = sigrace::compile::compile(&source, None)?;
    let program = program.to_string_lossy();
    let folder = tempfile::tempdir()?;
    // First of all: what is told is the most of any process that has been waited for.
    let least = memory(&[&program, "threads", "1", "1"], folder.path())?;
    let most = memory(&[&program, "threads", "50", "1000"], folder.path())?;
    println!(
        "crowd: 50 threads with 1,000 calls each, explore --runs 1: {most} MiB; of one thread with one call {least} MiB"
    );
    costs("200 children", &[&program, "children", "200"], folder.path(), cpu)?;
    costs("200 threads with 5 calls each", &[&program, "threads", "200", "5"], folder.path(), cpu)?;
    if Command::new("make").arg("--version").stdout(Stdio::null()).status().is_ok() {
        std::fs::write(folder.path().join("Makefile"), makefile()?)?;
        costs("make -j4", &["make", "-j4"], folder.path(), cpu)?;
    } else {
        println!("crowd: make -j4: make is not installed");
    }
    for calls in [20_000, 40_000, 80_000] {
        let words = [&*program, "calls", &calls.to_string()];
        let mut runs = Measured::new(&words, folder.path(), World::default(), cpu, 0)?;
        let before = own_user_time()?;
        runs.several(3)?;
        let user = (own_user_time()? - before) / 3.0;
        let each = runs.end()? / f64::from(calls) * 1e6;
        println!(
            "crowd: {calls} calls: {user:.2} s of user time a run; {each:.1} us of CPU time a call (n 3)"
        );
    }
    Ok(())
}

/// The most memory of `sigrace explore` of this command, in MiB.
fn memory(words: &[&str], folder: &Path) -> Result<i64, Failure> {
    let mut explore = Command::new(env!("CARGO_BIN_EXE_sigrace"));
    explore
        .args(["explore", "--send", "none", "--runs", "1", "--trace-dir"])
        .arg(folder)
        .arg("--")
        .args(words);
    let output = explore.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() / 1024)
}

/// Prints what a run of this command costs.
fn costs(name: &str, words: &[&str], cwd: &Path, cpu: usize) -> Result<(), Failure> {
    let (command, arguments) = words.split_first().ok_or("no command")?;
    let (mut ratios, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..SERIES {
        let mut runs = Measured::new(words, cwd, World::default(), cpu, 2)?;
        runs.several(TOGETHER)?;
        let run = runs.end()?;
        let before = time_of_children()?;
        for _ in 0..TOGETHER {
            let status =
                Command::new(command).args(arguments).current_dir(cwd).stdout(Stdio::null()).status()?;
            if !status.success() {
                return Err(format!("{words:?}: {status}").into());
            }
        }
        let bare = (time_of_children()? - before) / TOGETHER as f64;
        ratios.push(run / bare);
        alone.push(bare * 1e3);
    }
    let middle = median(&mut ratios);
    let (least, most) = (ratios.first().copied().unwrap_or(middle), ratios.last().copied().unwrap_or(middle));
    println!(
        "crowd: {name}: {middle:.2} times the CPU time of the program alone, {:.1} ms ({least:.2} to {most:.2}; medians of {SERIES} series of {TOGETHER})",
        median(&mut alone)
    );
    Ok(())
}

fn makefile() -> Result<String, std::fmt::Error> {
    let mut text = String::from("all:");
    (0..TARGETS).try_for_each(|target| write!(text, " t{target}"))?;
    for target in 0..TARGETS {
        write!(text, "\nt{target}:\n\t@echo {target} > $@.o; cat $@.o > /dev/null")?;
    }
    text.push('\n');
    Ok(text)
}

fn own_user_time() -> Result<f64, Failure> {
    Ok(seconds(getrusage(UsageWho::RUSAGE_SELF)?.user_time()))
}
