//! Whoever is killed while a run goes on, nothing of the run is left, and what the command says is true.

mod supervised;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sigrace::copies;
use sigrace::slots::Slots;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The command at work on a program that makes many calls, in a folder of its own.
struct Work {
    folder: TempDir,
    program: PathBuf,
    command: Child,
}

impl Work {
    fn begin(words: &[&str], act: &str) -> Work {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("unruly.c", &[], folder.path());
        let inside = ["temporary", "traces"].map(|name| folder.path().join(name));
        inside.iter().for_each(|path| fs::create_dir(path).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("SIGRACE_")) {
            command.env_remove(name);
        }
        command.env("TMPDIR", &inside[0]).env("SIGRACE_TRACE_DIR", &inside[1]);
        command.args(words).arg("--").arg(&program).arg(act).current_dir(folder.path());
        let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let command = copies::spawn(output).expect("the command that cargo has built starts");
        Work { folder, program, command }
    }

    /// Waits until the command has used so much CPU time, in ticks; false if it ends before.
    fn comes_to(&mut self, ticks: u64) -> bool {
        while self.command.try_wait().unwrap().is_none() {
            if cpu_time(self.command.id()) >= ticks {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    /// The init of a run that goes on: the child of the command that has the program as its child. None once the command
    /// has ended.
    fn init(&mut self) -> Option<Pid> {
        while self.command.try_wait().unwrap().is_none() {
            let mut inits = children(self.command.id() as i32).into_iter();
            if let Some(init) = inits.find(|init| children(*init).into_iter().any(|pid| self.executes(pid))) {
                return Some(Pid::from_raw(init));
            }
            std::thread::yield_now();
        }
        None
    }

    fn executes(&self, pid: i32) -> bool {
        executable(pid).is_some_and(|file| file == self.program)
    }

    fn output(self) -> (Output, TempDir, PathBuf) {
        (self.command.wait_with_output().unwrap(), self.folder, self.program)
    }
}

/// The children of all threads of a process.
fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok);
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>())
        .collect()
}

fn executable(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Processes of the whole machine that execute this file.
fn processes_of(program: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| executable(*pid).is_some_and(|file| file == program)).collect()
}

/// The CPU time of all threads of a process, in ticks (proc_pid_stat(5)); that of a process that is gone does not matter.
fn cpu_time(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
    fields.skip(14 - 3).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn ended(work: Work, code: i32, says: &str) {
    let (output, _folder, program) = work.output();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(says), "{text}");
    assert_eq!(processes_of(&program), [0; 0]);
}

#[test]
fn a_run_whose_init_is_killed_is_made_again() {
    let mut work = Work::begin(&["points"], "call_often");
    let init = work.init().expect("the program is seen before the command ends");
    kill(init, Signal::SIGKILL).unwrap();
    ended(work, 0, "exit code 0");
}

#[test]
fn an_init_that_is_killed_again_and_again_is_a_fault_of_the_harness() {
    let mut work = Work::begin(&["points"], "call_often");
    while let Some(init) = work.init() {
        // It may have ended by itself in the meantime, with the command.
        let _ = kill(init, Signal::SIGKILL);
    }
    ended(work, 111, "the run's init was ended from outside");
}

#[test]
fn an_interrupt_ends_the_command_whatever_the_program_does() {
    // A second of its CPU time.
    const SOON: u64 = 100;
    for act in ["call_for_ever", "fork_for_ever", "make_threads_for_ever"] {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let mut work = Work::begin(&["explore", "--jobs", "1"], act);
            assert!(
                work.init().is_some() && work.comes_to(20),
                "{act} does not come to an end by itself so soon"
            );
            let (pid, before) = (work.command.id(), cpu_time(work.command.id()));
            kill(Pid::from_raw(pid as i32), signal).unwrap();
            let soon = !work.comes_to(before + SOON);
            if !soon {
                work.command.kill().unwrap();
            }
            assert!(soon, "{act} goes on after {signal}");
            ended(work, 130, "interrupted");
        }
    }
}

const SEARCH: [&str; 5] = ["explore", "--runs", "20", "--jobs", "2"];

/// No process is left of those that there were, and of the program. The kernel may still be at it.
#[track_caller]
fn all_are_gone(inits: &[i32], program: &Path) {
    let bound = Instant::now() + Duration::from_secs(60);
    let exists = |pid: &&i32| fs::exists(format!("/proc/{pid}")).unwrap();
    loop {
        let left: Vec<i32> = inits.iter().filter(exists).copied().chain(processes_of(program)).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < bound, "processes are left: {left:?}");
        std::thread::yield_now();
    }
}

#[test]
fn whenever_the_command_or_an_init_is_killed_nothing_is_left() {
    // How long a search takes: that decides between which moments is drawn.
    let mut work = Work::begin(&SEARCH, "wait_for_ten");
    let mut ticks = 0;
    while work.comes_to(ticks + 1) {
        ticks += 1;
    }
    ended(work, 0, "pass");
    assert!(ticks > 5, "{ticks} ticks");

    let mut random = StdRng::seed_from_u64(36);
    let (mut commands, mut inits) = (0, 0);
    for round in 0.. {
        if commands + inits == 36 {
            break;
        }
        // A search that ends before its moment has come is not killed.
        assert!(round < 100, "{commands} commands and {inits} inits were killed");
        let mut work = Work::begin(&SEARCH, "wait_for_ten");
        let there = work.comes_to(random.random_range(0..ticks * 3 / 4));
        let its_inits = children(work.command.id() as i32);
        if round % 3 == 0 {
            if let Some(init) = work.init() {
                inits += usize::from(kill(init, Signal::SIGKILL).is_ok());
            }
            // Made again, and so as if nothing had been.
            ended(work, 0, "pass");
            continue;
        }
        work.command.kill().unwrap();
        let (output, folder, program) = work.output();
        commands += usize::from(output.status.signal() == Some(Signal::SIGKILL as i32));
        assert!(there || output.status.success(), "{output:?}");
        all_are_gone(&its_inits, &program);
        assert_eq!(names_in(folder.path()), ["temporary", "traces", "unruly"]);
        assert_eq!(names_in(&folder.path().join("temporary")), [""; 0]);
    }
    assert!(inits >= 6, "{inits} inits were killed");
    let free = Slots::new().unwrap().take(Duration::from_secs(600), &AtomicBool::new(false));
    assert!(free.is_ok(), "{free:?}");
}
