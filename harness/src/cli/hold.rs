//! `sigrace replay --hold`: the run stands still at a place, and somebody looks at it.

use super::exit::{Exit, Stop};
use super::say::{complain, say};
use crate::schedule::{BadPoint, Point, ThreadName};
use crate::show;
use crate::supervise::{Stand, Standing, Standstill, Visitor};
use crate::trace::Trace;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::{Pid, getpgrp, tcsetpgrp};
use std::fmt;
use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Where the run stands still, and what is done there
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Standing still")]
pub(super) struct Hold {
    /// Stand still before this step of the schedule, the first being 1, with the program held and open to a debugger
    ///
    /// The numbers of the processes are told, and the line for gdb. Enter goes on.
    #[arg(long, value_name = "STEP", conflicts_with_all = ["until", "times"], value_parser = clap::value_parser!(u64).range(1..))]
    hold: Option<u64>,
    /// Stand still at a point of the run, like `p0 in pause` or `p0.1 before write #2`
    #[arg(long, value_name = "POINT", conflicts_with = "times", value_parser = point)]
    until: Option<Point>,
    /// Run this command there with `sh -c`, and go on when it has ended
    ///
    /// It gets the number of the process that is held in SIGRACE_PID, that of its thread in SIGRACE_TID, and the point in
    /// SIGRACE_POINT.
    #[arg(long, value_name = "COMMAND", conflicts_with = "shell")]
    exec: Option<String>,
    /// Open a shell there, inside the run: with its files, processes, network and terminal numbers; needs nsenter(1)
    #[arg(long)]
    shell: bool,
}

fn point(text: &str) -> Result<Point, String> {
    text.parse().map_err(|error: BadPoint| error.to_string())
}

impl Hold {
    /// Where whoever looks is waited for; none if nobody looks.
    pub(super) fn desk(&self, trace: &Trace, stop: &Arc<AtomicBool>) -> Result<Option<Desk>, Stop> {
        let steps = trace.schedule.steps.len();
        let at = match (self.hold, &self.until) {
            (Some(step), _) => match usize::try_from(step) {
                Ok(step) if step <= steps => Stand::Step(step - 1),
                _ => {
                    let has = show::count(steps as u64, "step");
                    return Err(Stop::new(
                        Exit::Usage,
                        format!("--hold {step}: the schedule of this trace has {has}"),
                    ));
                }
            },
            (None, Some(point)) => Stand::Point(point.clone()),
            (None, None) if self.exec.is_some() || self.shell => {
                return Err(Stop::new(
                    Exit::Usage,
                    "--exec and --shell need a place: --hold STEP or --until POINT",
                ));
            }
            (None, None) => return Ok(None),
        };
        let (asks, asked) = mpsc::channel();
        let visitor = Arc::new(Bell { asks: Mutex::new(asks), stop: Arc::clone(stop) });
        let looks = match (&self.exec, self.shell) {
            (Some(command), _) => Looks::Command(command.clone()),
            (None, true) => Looks::Shell,
            (None, false) => Looks::Person,
        };
        Ok(Some(Desk { standstill: Standstill { at, visitor }, asked, looks, stop: Arc::clone(stop) }))
    }
}

/// Who looks.
#[derive(Debug)]
enum Looks {
    /// Whoever sits at the terminal, until Enter.
    Person,
    /// A command of the machine.
    Command(String),
    /// A shell inside the run.
    Shell,
}

/// What the supervisor asks.
enum Ask {
    /// To be looked at; the answer is whether to go on.
    Look(Box<Standing>, Sender<bool>),
    /// To have a debugger leave this process.
    Leave(ThreadName, i32),
}

/// The supervisor's end: its thread is pinned to the program's CPU, which a command that it starts would inherit.
struct Bell {
    asks: Mutex<Sender<Ask>>,
    stop: Arc<AtomicBool>,
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}

impl Bell {
    fn ask(&self, ask: Ask) -> bool {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).send(ask).is_ok()
    }
}

impl Visitor for Bell {
    fn visit(&self, standing: &Standing) -> bool {
        let (answers, answer) = mpsc::channel();
        self.ask(Ask::Look(Box::new(standing.clone()), answers)) && answer.recv().unwrap_or(false)
    }

    fn waits_for(&self, process: &ThreadName, pid: i32) -> bool {
        self.ask(Ask::Leave(process.clone(), pid)) && !self.stop.load(Ordering::Relaxed)
    }
}

/// Where whoever looks is waited for.
#[derive(Debug)]
pub(super) struct Desk {
    standstill: Standstill,
    asked: Receiver<Ask>,
    looks: Looks,
    stop: Arc<AtomicBool>,
}

impl Desk {
    /// Where the run is to stand still; to be dropped when nothing is run any more.
    pub(super) fn standstill(&self) -> Standstill {
        self.standstill.clone()
    }

    /// Has the work done in a thread of its own, and sees to what it asks meanwhile.
    pub(super) fn attend(self, work: impl FnOnce() -> Result<Exit, Stop> + Send) -> Result<Exit, Stop> {
        let Desk { standstill, asked, looks, stop } = self;
        let at = standstill.at.clone();
        // The last one who could ask is the work.
        drop(standstill);
        let mut seen = Seen::default();
        let exit = thread::scope(|scope| {
            let work = scope.spawn(work);
            while let Ok(ask) = asked.recv() {
                match ask {
                    Ask::Look(standing, answer) => {
                        seen.looked = true;
                        let goes_on = look(&standing, &looks, &stop, &mut seen.failed);
                        // Whoever asked has been ended if it does not hear that.
                        let _ = answer.send(goes_on);
                    }
                    Ask::Leave(process, pid) => {
                        if !std::mem::replace(&mut seen.told, true) {
                            complain(format_args!(
                                "sigrace: {process} ({pid}) is still stopped by a debugger: `detach` there goes on"
                            ));
                        }
                    }
                }
            }
            work.join()
        });
        let exit =
            exit.map_err(|_| Stop::new(Exit::Harness, "the thread that runs the program panicked"))??;
        if !seen.looked && exit != Exit::Interrupted {
            let why = match at {
                // Followed, so the step was taken.
                Stand::Step(index) if exit == Exit::AsExpected => format!(
                    "at step {} the signal is sent by a breakpoint itself, since the program could notice a stop there",
                    index + 1
                ),
                Stand::Step(index) => format!("the run never came to step {}", index + 1),
                Stand::Point(point) => format!("the run never came to {point}"),
            };
            say(format_args!("it did not stand still: {why}"))?;
            return Ok(Exit::Unclear);
        }
        Ok(if seen.failed && exit == Exit::AsExpected { Exit::Unclear } else { exit })
    }
}

/// What has come of the asking.
#[derive(Default)]
struct Seen {
    looked: bool,
    /// The command or shell failed.
    failed: bool,
    /// It has been told that a debugger is waited for.
    told: bool,
}

/// Tells where the run stands, and returns when it may go on, or false if it shall not.
fn look(standing: &Standing, looks: &Looks, stop: &AtomicBool, failed: &mut bool) -> bool {
    if say(told(standing)).is_err() {
        return false;
    }
    let (name, ended) = match looks {
        Looks::Person => return say("Enter goes on, Ctrl-C ends the run").is_ok() && line(stop),
        Looks::Command(command) => {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", command])
                .env("SIGRACE_PID", standing.pid.to_string())
                .env("SIGRACE_TID", standing.tid.to_string())
                .env("SIGRACE_POINT", standing.point.to_string());
            ("sh", attended(&mut shell, stop))
        }
        Looks::Shell => {
            let mut shell = Command::new("nsenter");
            shell
                .args(["--target", &standing.pid.to_string()])
                .args(namespaces(standing.pid))
                .args(["--preserve-credentials", "--wd", "--"])
                .arg(std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into()));
            ("nsenter (util-linux has it)", attended(&mut shell, stop))
        }
    };
    let wrong = match ended {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("what looked at it ended with {status}")),
        Err(error) => Some(format!("cannot start {name}: {error}")),
    };
    if let Some(wrong) = wrong {
        complain(format_args!("sigrace: {wrong}"));
        *failed = true;
    }
    !stop.load(Ordering::Relaxed)
}

/// Runs a command as a shell runs a job: in a process group of its own, which has the terminal meanwhile, so that Ctrl-C is the
/// command's. All of it is ended when the user asks sigrace to stop.
fn attended(command: &mut Command, stop: &AtomicBool) -> io::Result<ExitStatus> {
    const LOOK: Duration = Duration::from_millis(50);
    let mut child = command.process_group(0).spawn()?;
    let group = Pid::from_raw(child.id() as i32);
    let terminal = io::stdin().is_terminal();
    let give_terminal_to = |group: Pid| {
        // Whoever has no terminal any more, or ended meanwhile, needs none.
        let _ = tcsetpgrp(io::stdin(), group);
    };
    if terminal {
        give_terminal_to(group);
    }
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if stop.load(Ordering::Relaxed) {
            // It may have ended just now.
            let _ = killpg(group, Signal::SIGKILL);
        }
        thread::sleep(LOOK);
    };
    if terminal {
        // Not in the foreground now, this process would stop for it otherwise (tcsetpgrp(3)).
        let mut stops = SigSet::empty();
        stops.add(Signal::SIGTTOU);
        let blocked = stops.thread_block();
        give_terminal_to(getpgrp());
        if blocked.is_ok() {
            let _ = stops.thread_unblock();
        }
    }
    Ok(ended)
}

/// The namespaces of a process that are not this one's, as nsenter(1) is told of them: to enter one's own again is not allowed
/// to everybody (setns(2)).
fn namespaces(pid: i32) -> Vec<&'static str> {
    let kinds =
        [("--user", "user"), ("--mount", "mnt"), ("--pid", "pid"), ("--net", "net"), ("--ipc", "ipc")];
    let differs = |(_, name): &(&str, &str)| {
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{name}"));
        // Of one that cannot be read nsenter says why.
        of("self").ok() != of(&pid.to_string()).ok()
    };
    kinds.into_iter().filter(differs).map(|(option, _)| option).collect()
}

/// Waits for a line, or the end, of standard input; false if the user asks to end instead.
fn line(stop: &AtomicBool) -> bool {
    const LOOK: u16 = 100;
    let stdin = io::stdin();
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        match poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)], PollTimeout::from(LOOK)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            // What cannot be waited for cannot be read: then nobody is there who could say when.
            Err(_) => return true,
            Ok(_) => return stdin.lock().read_line(&mut String::new()).is_ok(),
        }
    }
}

/// Where a run stands, and how to look at it.
fn told(standing: &Standing) -> String {
    let Standing { point, step, pid, tid, processes, unreachable } = standing;
    let mut text = match step {
        Some(step) => format!("stands still, and would go on with {}", show::step_words(step)),
        None => format!("stands still: {point}"),
    };
    let width = processes.iter().map(|(name, ..)| name.to_string().len()).max().unwrap_or(0);
    for (name, number, program) in processes {
        text += &format!("\n  {name:<width$}  {number:>7}  {program}", name = name.to_string());
    }
    for (name, why) in unreachable {
        text += &format!("\n  a debugger waits for {name} until it goes on: {why}");
    }
    // Its files are found where this process has them: not everybody may enter the run's mount namespace to read them there.
    text += &format!("\nlook at it: gdb -iex 'set sysroot /' -p {pid}");
    if tid != pid {
        text += &format!(" (the thread is LWP {tid})");
    }
    text
}
