//! The command as a script starts it, for the tests of what it does then.

#![allow(dead_code, reason = "not every test uses all of it")]

use sigrace::copies;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub fn sigrace(folder: &Path, words: &[&str]) -> Output {
    copies::output(&mut command(folder, words)).expect("the command that cargo has built starts")
}

pub fn command(folder: &Path, words: &[&str]) -> Command {
    command_of(env!("CARGO_BIN_EXE_sigrace"), folder, words)
}

/// Any command, as somebody starts it who has set nothing of sigrace's.
pub fn command_of(program: &str, folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    // The user's own settings must not reach the tests.
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("SIGRACE_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(words).stdin(Stdio::null());
    command
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it says on standard error, but for waiting for a CPU, which another run of sigrace on this machine may have.
pub fn complaints(output: &Output) -> Vec<String> {
    let waits = |line: &&str| line.starts_with("sigrace: waiting for a CPU");
    stderr(output).lines().filter(|line| !waits(line)).map(str::to_owned).collect()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub fn ends(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout: {}\nstderr: {}", stdout(output), stderr(output));
}

/// Builds a fixture, such as `broken/lost_wakeup.c`, with debug information, as a program of this name in this folder.
#[track_caller]
pub fn build_fixture(fixture: &str, name: &str, folder: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(fixture);
    let mut compiler = Command::new("cc");
    compiler.args(["-g", "-pthread", "-o", name]).arg(source).current_dir(folder);
    assert!(copies::output(&mut compiler).unwrap().status.success(), "{fixture} is built");
}

/// A folder with a fixture as the program `prog`.
pub fn folder_with_fixture(fixture: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    build_fixture(fixture, "prog", folder.path());
    folder
}

/// A folder with one scenario in `scenarios/family/`.
pub fn folder_with(name: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let family = folder.path().join("scenarios/family");
    fs::create_dir_all(&family).unwrap();
    fs::write(family.join(name), text).unwrap();
    folder
}

/// Everything below a folder.
pub fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            names.extend(listing(&entry.path()));
        }
    }
    names.sort();
    names
}

pub const GOOD: &str = "(format: 1, program: Command([\"true\"]), expect: (exit: Code(0)))\n";

/// If this scenario is run, it leaves a file.
pub const LEAVES_A_FILE: &str =
    "(format: 1, program: Command([\"sh\", \"-c\", \"echo ran > ran\"]), files: Host)\n";

/// The command, started by a shell that has been told so before.
pub fn limited(folder: &Path, limits: &str, words: &[&str]) -> Output {
    let mut shell = Command::new("bash");
    let ours = command(folder, words);
    shell.args(["-c", &format!("{limits} && exec \"$@\""), "bash"]).arg(ours.get_program()).args(words);
    ours.get_envs().filter(|(_, value)| value.is_none()).for_each(|(name, _)| {
        shell.env_remove(name);
    });
    shell.current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// In so little memory that reading without end would end it.
pub const LITTLE: &str = "ulimit -v 262144";
