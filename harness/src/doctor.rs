//! What this host allows, found out by doing it.
//!
//! Each check does the very thing that a run does, with the code that a run does it with, and says what is lost when it
//! does not work. Nothing is concluded from version numbers, settings or identities.

mod marked;

use crate::code::{Image, Place};
use crate::copies;
use crate::program::{Launch, Limits};
use crate::resolve;
use crate::schedule::{Action, Label, Making, Schedule, Site, Step, ThreadName};
use crate::signal::Signal;
use crate::supervise::{Counted, Observe, Observed, RunError, Settings, Supervise, Supervisor};
use crate::sys::cell::Cell;
use crate::sys::memory::Text;
use crate::sys::perf;
use crate::sys::pidfd::PidFd;
use crate::trace::{End, Outcome, Run, Status, What};
use crate::world::{Clock, Files, Network, World};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What, in a few words.
    pub name: &'static str,
    /// What came of it.
    pub result: Found,
    /// What a user goes without where it does not work, as a whole sentence.
    pub loses: &'static str,
    /// True if some run cannot be done without it.
    pub needed: bool,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It works.
    Works,
    /// It does not work, and why.
    Lost(String),
    /// It could not be tried, because an earlier check failed.
    Untried,
}

impl Check {
    /// True if this keeps some run from being done.
    pub fn hinders(&self) -> bool {
        self.needed && self.result != Found::Works
    }
}

/// Why a check failed.
#[derive(Debug)]
enum Failure {
    Lost(String),
    Interrupted,
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        match error {
            RunError::Interrupted => Failure::Interrupted,
            // The heading says already that something is unsupported.
            RunError::Unsupported(why) => Failure::Lost(why),
            RunError::Start { .. } | RunError::Fault(_) => Failure::Lost(error.to_string()),
        }
    }
}

/// Tries everything, with runs on `cpu`; the calling thread stays pinned to it. The checks are in the order in which they
/// depend on each other.
///
/// The only error is [`RunError::Interrupted`], after `cancel` has become true.
pub fn examine(cpu: usize, cancel: &Arc<AtomicBool>) -> Result<Vec<Check>, RunError> {
    let host = Host { cpu, cancel };
    let cell = found(host.cell())?;
    let can_run = cell == Found::Works;
    // Without a cell there are no runs to try the rest with.
    let pids = if can_run { found(host.same_pids())? } else { Found::Untried };
    let memory = found(code_can_be_written())?;
    let forked = if can_run { Some(host.shell("true & wait")) } else { None };
    let forked = match forked {
        Some(Err(Failure::Interrupted)) => return Err(RunError::Interrupted),
        other => other,
    };
    let of_fork = |judge: fn(&Run) -> Result<(), String>| match &forked {
        None => Found::Untried,
        Some(Ok(run)) => judge(run).map_or_else(Found::Lost, |()| Found::Works),
        Some(Err(Failure::Lost(why))) => Found::Lost(why.clone()),
        Some(Err(Failure::Interrupted)) => Found::Untried,
    };
    let held = of_fork(held_after_fork);
    // A thread that is never held right after fork does not have to leave from there.
    let can_fork = held == Found::Works;
    let restarted = if can_fork { of_fork(went_on_unharmed) } else { Found::Untried };
    // No shell makes a pipe for itself without a second process at its other end.
    let hang = if can_fork { found(host.hang())? } else { Found::Untried };
    Ok(vec![
        Check {
            name: "supervision",
            result: cell,
            loses: "Nothing can be run: a run needs namespaces of its own (root, or user namespaces for ordinary users) and \
                    seccomp notifications that wait killably (Linux 5.19).",
            needed: true,
        },
        Check {
            name: "the same pids every time",
            result: pids,
            loses: "Runs of a program that uses its pid cannot be repeated exactly, so no finding can be confirmed or \
                    replayed.",
            needed: true,
        },
        Check {
            name: "writing a process's code",
            result: memory,
            loses: "Points right after fork, and code points: both need writes to /proc/PID/mem.",
            needed: true,
        },
        Check {
            name: "holding after fork",
            result: held,
            loses: "Points right after fork: whether parent or child goes first there cannot be decided, so programs that \
                    fork are unsupported.",
            needed: true,
        },
        Check {
            name: "going on without a signal",
            result: restarted,
            loses: "Points right after fork, and signals before a call of a program with threads: both are left by having \
                    the kernel make a call again.",
            needed: true,
        },
        Check {
            name: "proof of a hang",
            result: hang,
            loses: "Hangs cannot be proven: a run that never ends counts as idle, or takes until its time limit.",
            needed: true,
        },
        Check {
            name: "which thread takes a signal",
            result: if can_run { found(host.marked())? } else { Found::Untried },
            loses: "Programs with threads: which of them the kernel chose to take a signal cannot be seen.",
            needed: true,
        },
        Check {
            name: "virtual time",
            result: if can_run { found(host.time_jumps())? } else { Found::Untried },
            loses: "Clocks of a run's own: programs have to be run with `--clock real`, and their sleeps take as long as they say.",
            needed: false,
        },
        Check {
            name: "dates of files",
            result: if can_run { found(host.dated())? } else { Found::Untried },
            loses: "Files that a run changes are dated by the machine's clock, an hour behind its own: who looks how old they are \
                    is told too much (Linux 6.13).",
            needed: false,
        },
        Check {
            name: "a network of its own",
            result: if can_run { found(host.own_network())? } else { Found::Untried },
            loses: "Networks of a run's own, in which every port is free and those that the kernel chooses are the same every \
                    time: programs have to be run with `--network host`.",
            needed: false,
        },
        Check {
            name: "files of its own",
            result: if can_run { found(host.own_files())? } else { Found::Untried },
            loses: "Runs change the machine's files, and each finds what those before it have left: overlays in namespaces of its \
                    own are needed (Linux 5.11 for ordinary users).",
            needed: false,
        },
        Check {
            name: "IPC objects",
            result: if can_fork { found(host.ipc_objects())? } else { Found::Untried },
            loses: "System V IPC objects that a run leaves behind: they are not told, and are no finding.",
            needed: false,
        },
        Check {
            name: "clients",
            result: if can_run { found(host.client())? } else { Found::Untried },
            loses: "Clients: nobody can be started beside the program, to see how it serves.",
            needed: false,
        },
        Check {
            name: "a terminal of its own",
            result: if can_run { found(host.own_terminal())? } else { Found::Untried },
            loses: "Programs on a terminal (`--tty`): a devpts of the run's own is needed.",
            needed: false,
        },
        Check {
            name: "exit status after the wait",
            result: found(status_after_wait())?,
            loses: "How a child ended that a signal killed and whose parent has waited for it (Linux 6.15).",
            needed: false,
        },
        Check {
            name: "hardware breakpoints",
            result: if can_run { found(host.held_at_code())? } else { found(breakpoint())? },
            loses: "Code points (`At`), and sweeps: both need perf events (perf_event_paranoid of 2 or less), and a processor or \
                    virtual machine with debug registers. There is no second way: runs that need them are unsupported.",
            needed: false,
        },
    ])
}

fn found(result: Result<(), Failure>) -> Result<Found, RunError> {
    match result {
        Ok(()) => Ok(Found::Works),
        Err(Failure::Lost(why)) => Ok(Found::Lost(why)),
        Err(Failure::Interrupted) => Err(RunError::Interrupted),
    }
}

fn lost<T>(why: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Lost(why.into()))
}

/// Where the runs of the checks take place.
struct Host<'a> {
    cpu: usize,
    cancel: &'a Arc<AtomicBool>,
}

impl Host<'_> {
    fn run(&self, words: &[&str]) -> Result<Run, Failure> {
        Ok(self.observe(words, Clock::Real, &Observe::Nothing)?.0)
    }

    fn observe(&self, words: &[&str], clock: Clock, observe: &Observe) -> Result<(Run, Observed), Failure> {
        let world = World { clock, network: Network::Host, ..World::default() };
        let settings = Settings { cancel: Arc::clone(self.cancel), world, ..Settings::of(launch(words)?) };
        Ok(Supervisor::new(settings, self.cpu)?.observe(&Schedule::empty(), observe)?)
    }

    fn shell(&self, script: &str) -> Result<Run, Failure> {
        self.run(&["sh", "-c", script])
    }

    /// Namespaces, the init, the filter and its notifications: the least that a run needs.
    fn cell(&self) -> Result<(), Failure> {
        match self.run(&["true"])?.outcome.end {
            End::Ended(Status::Exited(0)) => Ok(()),
            other => lost(format!("`true` was run, and did not end with exit code 0: {other:?}")),
        }
    }

    /// A cell in which this has not been started yet.
    fn made(&self, words: &[&str], world: &World) -> Result<Cell, Failure> {
        Cell::new((&launch(words)?, &[]), (world, Limits::default().files), self.cpu, None)
            .or_else(|error| lost(error.to_string()))
    }

    /// What a run makes of IPC objects is told, and is gone for the next.
    fn ipc_objects(&self) -> Result<(), Failure> {
        let kinds = ["msg:", "sem:", "shm:"];
        let world = World { network: Network::Host, files: Files::Host, ..World::default() };
        let launch = launch(&["sh", "-c", "ipcmk -Q && ipcmk -S 1 && ipcmk -M 1"])?;
        let settings = Settings { cancel: Arc::clone(self.cancel), world, ..Settings::of(launch) };
        let mut supervisor = Supervisor::new(settings, self.cpu)?;
        for _ in 0..2 {
            let Outcome { end, remains, stderr, .. } = supervisor.run(&Schedule::empty())?.outcome;
            let names: Vec<&str> = remains.changes.iter().map(|change| change.name.as_str()).collect();
            let told = names.len() == kinds.len()
                && kinds.iter().all(|kind| names.iter().any(|name| name.starts_with(kind)));
            if !told {
                return lost(format!(
                    "of a run that made one of each kind by ipcmk(1) it is told that it left {names:?}: {end:?}, {stderr:?}"
                ));
            }
        }
        Ok(())
    }

    /// A day of sleep passes at once, and the clock shows it.
    fn time_jumps(&self) -> Result<(), Failure> {
        let script = ["sh", "-c", "date +%s; sleep 86400; date +%s"];
        let (run, _) = self.observe(&script, Clock::Virtual, &Observe::Nothing)?;
        let said = String::from_utf8_lossy(run.outcome.stdout.bytes()).into_owned();
        let seconds: Vec<u64> = said.lines().filter_map(|line| line.parse().ok()).collect();
        match seconds[..] {
            [before, after] if (86_400..86_460).contains(&after.saturating_sub(before)) => Ok(()),
            _ => lost(format!(
                "a shell that slept a day between two dates said {said:?}: {:?}",
                run.outcome.end
            )),
        }
    }

    /// A file that was made before a day of sleep is a day old.
    fn dated(&self) -> Result<(), Failure> {
        let script =
            "file=$(mktemp) && sleep 86400 && echo $(($(date +%s) - $(stat -c %Y \"$file\"))); rm \"$file\"";
        let (run, _) = self.observe(&["sh", "-c", script], Clock::Virtual, &Observe::Nothing)?;
        let said = String::from_utf8_lossy(run.outcome.stdout.bytes()).into_owned();
        match said.trim().parse::<i64>() {
            Ok(86_400..86_460) => Ok(()),
            _ => lost(format!(
                "by a shell that slept a day after making a file, it was {said:?} seconds old: {:?}",
                run.outcome.end
            )),
        }
    }

    /// The program's pid, by its own word and by that of its own `/proc`.
    fn same_pids(&self) -> Result<(), Failure> {
        let script = "read pid rest </proc/self/stat; echo $$ $pid";
        let said = || {
            let run = self.shell(script)?;
            Ok::<_, Failure>(String::from_utf8_lossy(run.outcome.stdout.bytes()).into_owned())
        };
        let (first, second) = (said()?, said()?);
        match first.split_ascii_whitespace().collect::<Vec<_>>()[..] {
            _ if first != second => lost(format!("two runs differ: `{}`, `{}`", first.trim(), second.trim())),
            [own, proc] if own == proc => Ok(()),
            _ => lost(format!("the program's pid, and its pid in its /proc: `{}`", first.trim())),
        }
    }

    /// A program is held before its very first instruction, exactly there, and goes on unharmed.
    fn held_at_code(&self) -> Result<(), Failure> {
        breakpoint()?;
        let image = Image::open(&launch(&["true"])?.file).or_else(|error| lost(error.to_string()))?;
        let place = match image.function_at(image.entry()) {
            Some(function) => Place::in_function(&function.name, image.entry() - function.start),
            None => Place::in_function(image.name(), image.entry()),
        };
        let places = vec![(ThreadName::root(), Label::new(&place.to_string()))];
        let (run, observed) = self.observe(
            &["true"],
            Clock::Real,
            &Observe::Executions(Counted { places, points: 1, open: false }),
        )?;
        match (&run.outcome.end, &observed.executions[..]) {
            (End::Ended(Status::Exited(0)), [1]) => Ok(()),
            (end, counts) => lost(format!(
                "`true` was to be held once at its first instruction: it was {counts:?} times there, and ended so: {end:?}"
            )),
        }
    }

    /// There is nothing but loopback, over which something comes from the port that the kernel was left to choose.
    fn own_network(&self) -> Result<(), Failure> {
        const PORT: u16 = 40_000;
        let cell = self.made(&["true"], &World::default())?;
        let Some(network) = cell.network() else { return lost("the cell has none") };
        match network.examine(PORT).or_else(|error| lost(format!("a packet over loopback: {error}")))? {
            (PORT, interfaces) if interfaces == ["lo"] => Ok(()),
            (port, interfaces) => lost(format!(
                "of {interfaces:?} there was to be lo alone, and of the ports {PORT} was to be chosen, not {port}"
            )),
        }
    }

    /// What a run writes to a file is told, is gone for the next, and never was the machine's.
    fn own_files(&self) -> Result<(), Failure> {
        let file = format!("/tmp/.sigrace-doctor-{}", std::process::id());
        let script = format!("test ! -e {file} && echo x >{file} && test -s {file}");
        let world = World { network: Network::Host, ..World::default() };
        let launch = launch(&["sh", "-c", &script])?;
        let settings = Settings { cancel: Arc::clone(self.cancel), world, ..Settings::of(launch) };
        let learnt = Arc::clone(&settings.learnt);
        let mut supervisor = Supervisor::new(settings, self.cpu)?;
        if let Some(note) = learnt.notes().first() {
            return lost(note.clone());
        }
        for _ in 0..2 {
            let Outcome { end, remains, .. } = supervisor.run(&Schedule::empty())?.outcome;
            if end != End::Ended(Status::Exited(0)) || Path::new(&file).exists() {
                return lost(format!("a run that wrote {file} changed the machine's, or ended so: {end:?}"));
            }
            if remains.named(&file).is_none() {
                return lost(format!("of a run that wrote {file} it is told that it left this: {remains:?}"));
            }
        }
        Ok(())
    }

    /// A client is started beside the program, is heard, and its end is known.
    fn client(&self) -> Result<(), Failure> {
        let clients = vec![launch(&["sh", "-c", "echo there; exit 7"])?];
        let cancel = Arc::clone(self.cancel);
        let settings = Settings { cancel, clients, ..Settings::of(launch(&["true"])?) };
        let run = Supervisor::new(settings, self.cpu)?.run(&Schedule::empty())?;
        match &run.outcome.clients[..] {
            [one] if one.status == Some(Status::Exited(7)) && one.stdout.bytes() == b"there\n" => Ok(()),
            others => lost(format!("a client that says `there` and ends with 7 ended so: {others:?}")),
        }
    }

    /// A shell leads a session on a terminal of the right size, and ends when that hangs up.
    fn own_terminal(&self) -> Result<(), Failure> {
        let script = "test -t 0 && test -t 1 && stty size </dev/tty && read line";
        let world = World { clock: Clock::Real, tty: true, ..World::default() };
        let settings = Settings {
            cancel: Arc::clone(self.cancel),
            world,
            ..Settings::of(launch(&["sh", "-c", script])?)
        };
        let mut supervisor = Supervisor::new(settings, self.cpu)?;
        let plain = supervisor.run(&Schedule::empty())?;
        let Some(asleep) = plain.first_quiet.first() else {
            return lost(format!(
                "a shell was to wait at its terminal, and ended so: {:?}",
                plain.outcome.end
            ));
        };
        let hangup = Schedule { steps: vec![Step::new(asleep.clone(), Action::HangUp)] };
        let outcome = supervisor.run(&hangup)?.outcome;
        let hangup = Signal::HUP;
        match outcome.end {
            End::Ended(Status::Killed(signal))
                if signal == hangup && outcome.stdout.bytes() == b"24 80\r\n" =>
            {
                Ok(())
            }
            end => lost(format!(
                "a shell was to end by {hangup} on a terminal of 24 lines and 80 columns: {end:?}, {:?}",
                outcome.stdout
            )),
        }
    }

    /// Two shells that read from one pipe, into which only they themselves could write.
    fn hang(&self) -> Result<(), Failure> {
        match self.shell("read x </proc/self/fd/1 | read y")?.outcome.end {
            End::Hang(_) => Ok(()),
            other => lost(format!("a program that waits for itself was not seen to hang: {other:?}")),
        }
    }
}

fn launch(words: &[&str]) -> Result<Launch, Failure> {
    let argv = words.iter().map(|word| (*word).to_owned()).collect();
    let env = BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap_or_default())]);
    resolve::command(argv, env, Path::new("/"), None).or_else(|error| lost(error.to_string()))
}

/// Both sides of the fork went on from right behind it.
fn held_after_fork(run: &Run) -> Result<(), String> {
    let not_held = run.events.iter().find_map(|event| match &event.what {
        What::NotHeld(site, why) => Some(format!("{} was not held {site}: {why}", event.thread)),
        _ => None,
    });
    if let Some(why) = not_held {
        return Err(why);
    }
    let after = |what: &What| matches!(what, What::Go(Site::After(Making::Fork), _));
    let went: BTreeSet<_> =
        run.events.iter().filter(|event| after(&event.what)).map(|event| event.thread.to_string()).collect();
    if went == BTreeSet::from(["p0".to_owned(), "p0.1".to_owned()]) {
        Ok(())
    } else {
        Err(format!("of p0 and p0.1, those held right after fork were: {went:?}"))
    }
}

/// No signal was there for the threads that were held after the fork, and they came to a good end all the same.
fn went_on_unharmed(run: &Run) -> Result<(), String> {
    match (&run.taint, &run.outcome.end) {
        (Some(taint), _) => Err(taint.clone()),
        (None, End::Ended(Status::Exited(0))) => Ok(()),
        (None, other) => Err(format!("a program that forked did not end with exit code 0: {other:?}")),
    }
}

/// Writes two bytes of this process's own code, as they are: the file that the code comes from is not writable memory, so
/// this is what planting an instruction needs.
fn code_can_be_written() -> Result<(), Failure> {
    let address = code_can_be_written as fn() -> Result<(), Failure> as usize as u64;
    let pid = nix::unistd::getpid().as_raw();
    let rewrite = || {
        let text = Text::open(pid)?;
        let bytes: [u8; 2] = text.read(address)?;
        text.write(address, &bytes)
    };
    rewrite().or_else(|error: std::io::Error| lost(format!("writing to /proc/PID/mem: {error}")))
}

/// What a process's descriptor tells when somebody has waited for the process.
fn status_after_wait() -> Result<(), Failure> {
    const CODE: i32 = 7;
    let failed = |what: &'static str| {
        move |error: &dyn std::fmt::Display| Failure::Lost(format!("{what} a shell: {error}"))
    };
    let script = format!("exit {CODE}");
    let mut child = copies::spawn(Command::new("sh").args(["-c", &script]))
        .map_err(|error| failed("starting")(&error))?;
    // Until the wait its number is its own.
    let descriptor = PidFd::open(child.id() as i32);
    child.wait().map_err(|error| failed("waiting for")(&error))?;
    match descriptor.map_err(|error| failed("opening a descriptor of")(&error))?.exit_status() {
        Some(status) if Status::from_wait(status) == Status::Exited(CODE) => Ok(()),
        Some(status) => {
            lost(format!("the kernel tells status {status:#x} of a shell that ended with {CODE}"))
        }
        None => lost("the kernel does not tell (PIDFD_GET_INFO)"),
    }
}

fn breakpoint() -> Result<(), Failure> {
    match perf::counted_executions() {
        Ok(1) => Ok(()),
        Ok(count) => lost(format!("a breakpoint on code that ran once counted {count}")),
        Err(errno) => lost(format!("perf_event_open(2): {}", errno.desc())),
    }
}
