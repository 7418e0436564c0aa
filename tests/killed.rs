//! Whoever is killed while a run goes on, nothing of the run is left, and what the command says is true.

mod supervised;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The command at work on a program that makes many calls, in a folder of its own.
struct Work {
    folder: TempDir,
    program: PathBuf,
    command: Child,
}

impl Work {
    fn begin() -> Work {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("unruly.c", &[], folder.path());
        let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("SIGRACE_")) {
            command.env_remove(name);
        }
        let words = ["points", "--"];
        command.args(words).arg(&program).arg("call_often").current_dir(folder.path());
        let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let command = output.spawn().expect("the command that cargo has built starts");
        Work { folder, program, command }
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
    let mut work = Work::begin();
    let init = work.init().expect("the program is seen before the command ends");
    kill(init, Signal::SIGKILL).unwrap();
    ended(work, 0, "exit code 0");
}

#[test]
fn an_init_that_is_killed_again_and_again_is_a_fault_of_the_harness() {
    let mut work = Work::begin();
    while let Some(init) = work.init() {
        // It may have ended by itself in the meantime, with the command.
        let _ = kill(init, Signal::SIGKILL);
    }
    ended(work, 111, "the run's init was ended from outside");
}
