//! A sweep without control: one run for each call that a plain run makes, with the signal injected there by strace.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// Who has not ended by then sleeps, or goes on for ever: these programs are through within a tenth of it.
const AMPLE: Duration = Duration::from_millis(100);

/// What a sweep came to.
pub struct Sweep {
    pub finds: bool,
    /// How many runs it took, those included that show what is right.
    pub runs: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Exit(i32),
    Killed(i32),
    Stays,
}

/// Injects each signal that the program catches at each call that it makes from then on, until it ends otherwise than it
/// does by itself, or, if it stays, when it is sent that signal at last. What differs has to do so twice. That the signal
/// itself kills is no finding: it came where there is no handler.
pub fn sweep(name: &str, folder: &Path) -> io::Result<Sweep> {
    let program = format!("./{name}");
    let mut runs = 1;
    run(&["strace", "-f", "-o", "calls", &program], folder, None)?;
    let trace = fs::read_to_string(folder.join("calls"))?;
    for signal in caught(&trace) {
        let last = signal.parse::<Signal>().ok();
        let (expected, poked) = run(&[&program], folder, last)?;
        runs += 1;
        for (call, nth) in places(&trace, &signal, poked) {
            let inject = format!("--inject={call}:signal={signal}:when={nth}");
            let words = ["strace", "-f", "-o", "/dev/null", &inject, &program];
            let mut differs = || -> io::Result<bool> {
                runs += 1;
                let ending = run(&words, folder, None)?.0;
                Ok(ending != expected && !last.is_some_and(|signal| ending == Ending::Killed(signal as i32)))
            };
            if differs()? && differs()? {
                return Ok(Sweep { finds: true, runs });
            }
        }
    }
    Ok(Sweep { finds: false, runs })
}

/// The lines of a trace that begin a call: whose, and its text.
fn begun(trace: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = trace.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(pid, text)| (pid, text.trim_start()))
        .filter(|(_, text)| text.starts_with(|first: char| first.is_ascii_lowercase()))
}

/// Signals that get a handler of the program's own.
fn caught(trace: &str) -> BTreeSet<String> {
    let handled = |text: &str| {
        let (signal, rest) = text.strip_prefix("rt_sigaction(")?.split_once(", ")?;
        rest.starts_with("{sa_handler=0x").then(|| signal.to_owned())
    };
    begun(trace).filter_map(|(_, text)| handled(text)).collect()
}

/// Each call since there is a handler, and the how manyth it is of its process; of the first process alone if that has to
/// get the signal to end at all.
fn places(trace: &str, signal: &str, first_alone: bool) -> Vec<(String, u32)> {
    let (mut counts, mut places) = (BTreeMap::new(), Vec::new());
    let (set, mut handled) = (format!("rt_sigaction({signal}, {{sa_handler=0x"), false);
    let first = begun(trace).next().map(|(pid, _)| pid);
    for (pid, text) in begun(trace) {
        let Some((call, _)) = text.split_once('(') else { continue };
        let nth = counts.entry((pid, call)).or_insert(0);
        *nth += 1;
        let place = (call.to_owned(), *nth);
        if handled && (!first_alone || Some(pid) == first) && !places.contains(&place) {
            places.push(place);
        }
        handled |= text.starts_with(&set);
    }
    places
}

/// How it ends, and whether it had to be sent that signal for it. Whatever is left of it is ended.
fn run(words: &[&str], folder: &Path, at_last: Option<Signal>) -> io::Result<(Ending, bool)> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let mut end = || -> io::Result<Ending> {
        let begun = Instant::now();
        while begun.elapsed() < AMPLE {
            if let Some(status) = child.try_wait()? {
                let killed = status.signal().map(Ending::Killed);
                return Ok(killed.unwrap_or_else(|| Ending::Exit(status.code().unwrap_or(0))));
            }
            thread::sleep(Duration::from_micros(500));
        }
        Ok(Ending::Stays)
    };
    let mut ending = end()?;
    let poked = match at_last {
        Some(signal) if ending == Ending::Stays => {
            kill(pid, signal)?;
            ending = end()?;
            true
        }
        _ => false,
    };
    // Its group may be gone already.
    let _ = killpg(pid, Signal::SIGKILL);
    child.wait()?;
    Ok((ending, poked))
}
