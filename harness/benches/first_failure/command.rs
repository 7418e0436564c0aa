//! What the whole command costs until it has said what it found, beside a sweep over every call.

use crate::found::FOUND;
use crate::rival;
use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Seeds of the command. The sweep is made as often, in turn with it.
const SEEDS: u64 = 20;
/// What an end has left is waited for so long at most.
const REAPING: Duration = Duration::from_secs(2);

/// What something took, in milliseconds: of CPU, all that it started included, and of time.
struct Cost {
    cpu: f64,
    wall: f64,
}

/// For the fixtures of these names; for all where none is named.
pub fn measure(names: &[String]) -> Result<(), Box<dyn Error>> {
    // Whoever outlives its parent is waited for here, and so counts: a run's init, or what a program leaves.
    nix::sys::prctl::set_child_subreaper(true)?;
    let folder = tempfile::tempdir()?;
    let strace = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let strace = strace.is_ok_and(|status| status.success());
    println!(
        "explore --first, the whole command, medians of {SEEDS} seeds, what it keeps of libraries there already"
    );
    if strace {
        println!("beside it, in turn: a sweep by strace --inject (n {SEEDS}; found: how often of these)");
    } else {
        println!("strace does not start here: there is no sweep beside it");
    }
    println!(
        "{:16} {:>5} {:>8} {:>8} | {:>5} {:>5} {:>8} {:>8} {:>9} {:>10}",
        "program", "found", "CPU ms", "ms", "found", "runs", "CPU ms", "ms", "CPU ratio", "time ratio"
    );
    for (name, _) in FOUND {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        build(name, folder.path())?;
        // What addresses of libraries are called is kept: the first command on a machine reads it for all.
        measured(|| explore(name, 0, folder.path()))?;
        // What one leaves behind is not there for the other.
        let own = || -> Result<TempDir, Box<dyn Error>> {
            let own = tempfile::tempdir()?;
            std::fs::copy(folder.path().join(name), own.path().join(name))?;
            Ok(own)
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut found, mut swept) = (0, Vec::new());
        for seed in 1..=SEEDS {
            let (here, there) = (own()?, own()?);
            let (cost, finds) = measured(|| explore(name, seed, here.path()))?;
            ours.push(cost);
            found += u32::from(finds);
            if strace {
                let (cost, sweep) = measured(|| rival::sweep(name, there.path()))?;
                theirs.push(cost);
                swept.push(sweep);
            }
        }
        let (cpu, wall) = medians(&ours);
        print!("{name:16} {found:>5} {cpu:>8.1} {wall:>8.1} |");
        if strace {
            let hits = swept.iter().filter(|sweep| sweep.finds).count();
            let runs = median(swept.iter().map(|sweep| f64::from(sweep.runs)).collect());
            let (their_cpu, their_wall) = medians(&theirs);
            let ratios = [cpu / their_cpu, wall / their_wall];
            print!(" {hits:>5} {runs:>5} {their_cpu:>8.1} {their_wall:>8.1} ");
            print!("{:>9.2} {:>10.2}", ratios[0], ratios[1]);
        }
        println!();
    }
    Ok(())
}

fn build(name: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/broken").join(name).with_extension("c");
    let status = Command::new("gcc")
        .args(["-g", "-O1", "-pthread", "-o"])
        .arg(folder.join(name))
        .arg(source)
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("gcc cannot build {name}").into()) }
}

/// True if it has found something.
fn explore(name: &str, seed: u64, folder: &Path) -> std::io::Result<bool> {
    let status = Command::new(env!("CARGO_BIN_EXE_sigrace"))
        .args(["explore", "--first", "--trace-dir", "traces", "--seed", &seed.to_string(), "--"])
        .arg(format!("./{name}"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.code() == Some(100))
}

/// What it took until all that it started had ended.
fn measured<T>(work: impl FnOnce() -> std::io::Result<T>) -> Result<(Cost, T), Box<dyn Error>> {
    let begun = Instant::now();
    let before = children()?;
    let value = work()?;
    let wall = begun.elapsed();
    reap()?;
    Ok((Cost { cpu: children()? - before, wall: wall.as_secs_f64() * 1e3 }, value))
}

/// The CPU time of all children that have been waited for, in milliseconds.
fn children() -> nix::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let ms = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
    Ok(ms(usage.user_time()) + ms(usage.system_time()))
}

/// Waits for all that is left, and ends what does not end by itself.
fn reap() -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let mut ended = false;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return Ok(()),
            Err(errno) => return Err(format!("waiting for what is left: {errno}").into()),
            Ok(WaitStatus::StillAlive) if begun.elapsed() > 2 * REAPING => {
                return Err("something is left and cannot be ended".into());
            }
            Ok(WaitStatus::StillAlive) => {
                if begun.elapsed() > REAPING && !ended {
                    own_children()?.into_iter().try_for_each(|pid| kill(pid, Signal::SIGKILL))?;
                    ended = true;
                }
                thread::sleep(Duration::from_micros(500));
            }
            Ok(_) => {}
        }
    }
}

fn own_children() -> Result<Vec<Pid>, Box<dyn Error>> {
    let own = std::process::id();
    let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
    Ok(children
        .split_whitespace()
        .map(str::parse)
        .map(|pid| pid.map(Pid::from_raw))
        .collect::<Result<_, _>>()?)
}

fn medians(costs: &[Cost]) -> (f64, f64) {
    (
        median(costs.iter().map(|cost| cost.cpu).collect()),
        median(costs.iter().map(|cost| cost.wall).collect()),
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}
