//! Standing still: the program is held where a debugger can look at it, and goes on as recorded.

mod script;

use sigrace::copies;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A folder with this fixture built, and the trace of what is found in it.
fn found(name: &str, words: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    script::build_fixture(&format!("broken/{name}.c"), name, folder.path());
    let program = format!("./{name}");
    let always = ["explore", "-j", "1", "--seed", "1", "--first", "--trace-dir", "."];
    let explored = script::sigrace(folder.path(), &[&always[..], words, &["--", &program]].concat());
    script::ends(&explored, 100);
    let mut traces = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let trace = traces.find(|path| path.extension().is_some_and(|ending| ending == "ron"));
    (folder, trace.expect("a finding has a trace"))
}

/// The replay with this, which must end so; what it says.
fn replayed(folder: &Path, trace: &Path, words: &[&str], code: i32) -> String {
    let replay = script::sigrace(folder, &[&["replay", trace.to_str().unwrap()], words].concat());
    script::ends(&replay, code);
    script::stdout(&replay) + &script::stderr(&replay)
}

/// As a debugger does it: the process is stopped, and goes on.
const STOPPED_FOR_A_MOMENT: &str = "kill -STOP $SIGRACE_PID
    until grep -q '^State:.T' /proc/$SIGRACE_PID/status; do :; done
    kill -CONT $SIGRACE_PID
    until grep -q '^State:.S' /proc/$SIGRACE_PID/status; do :; done
    echo looked at $SIGRACE_POINT";

const FOLLOWED: &str = "followed in 1 of 1 run, and ended as recorded";

#[test]
fn a_process_can_be_stopped_before_a_call_after_a_fork_and_in_its_sleep_and_the_run_goes_on_as_recorded() {
    let places = [
        ("lost_wakeup", &[][..], "--hold", "1", "p0 before pause"),
        ("lost_wakeup", &[], "--until", "p0 in pause", "p0 in pause"),
        ("addjob", &[], "--hold", "1", "p0 after fork"),
        ("eintr", &[], "--hold", "1", "p0 in read"),
        ("in_flight", &[], "--hold", "1", "p0 before write #2"),
        ("distracted", &[], "--until", "p0 entering wait4", "p0 entering wait4"),
    ];
    for (name, words, option, place, point) in places {
        let (folder, trace) = found(name, words);
        let said = replayed(folder.path(), &trace, &[option, place, "--exec", STOPPED_FOR_A_MOMENT], 0);
        assert!(said.contains(&format!("looked at {point}\n")) && said.contains(FOLLOWED), "{name}: {said}");
    }
}

/// A step at the moment when everything sleeps is taken there after the standstill, and not at the next such moment.
#[test]
fn a_run_stands_still_where_everything_sleeps() {
    let folder = script::folder_with_fixture("broken/in_flight.c");
    let words = [
        "explore",
        "-j",
        "1",
        "--seed",
        "1",
        "--runs",
        "30",
        "--keep-all",
        "--trace-dir",
        ".",
        "--send",
        "TERM",
    ];
    script::sigrace(folder.path(), &[&words[..], &["--", "./prog"]].concat());
    let traces = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let traces = traces.filter(|path| path.extension().is_some_and(|ending| ending == "ron"));
    let at_quiet = |path: &PathBuf| {
        let steps = sigrace::store::read_trace(path).unwrap().schedule.steps;
        steps.iter().position(|step| step.at == sigrace::schedule::Site::Quiet)
    };
    let (index, trace) = traces.filter_map(|path| Some((at_quiet(&path)?, path))).next().unwrap();
    let step = (index + 1).to_string();
    let said =
        replayed(folder.path(), &trace, &["--hold", &step, "--exec", "echo looked at $SIGRACE_POINT"], 0);
    assert!(said.contains("looked at p0 when everything sleeps\n") && said.contains(FOLLOWED), "{said}");
}

#[test]
fn a_thread_that_is_stopped_at_an_instruction_is_there_to_be_looked_at() {
    let sweep = ["--send", "SIGUSR1", "--sweep", "insert", "--exit", "0", "--bound", "1"];
    let (folder, trace) = found("list", &sweep);
    let state = "grep '^State:' /proc/$SIGRACE_PID/status";
    let said = replayed(folder.path(), &trace, &["--hold", "1", "--exec", state], 0);
    if said.contains("sent by a breakpoint itself") {
        return;
    }
    assert!(said.contains("State:\tT (stopped)\n") && said.contains(FOLLOWED), "{said}");
    let goes_on =
        "kill -CONT $SIGRACE_PID; until grep -q '^State:.[SZ]' /proc/$SIGRACE_PID/status; do :; done";
    let said = replayed(folder.path(), &trace, &["--hold", "1", "--exec", goes_on], 101);
    assert!(said.contains("the run proves nothing: a debugger let p0 go on"), "{said}");
}

#[test]
fn gdb_shows_the_stack_of_who_is_held() {
    if Command::new("gdb").arg("--version").output().is_err() {
        eprintln!("skipped: there is no gdb (Debian: gdb)");
        return;
    }
    for (name, main) in [("lost_wakeup", "main () at "), ("addjob", "main () at ")] {
        let (folder, trace) = found(name, &[]);
        let look = "gdb -batch -iex 'set sysroot /' -p $SIGRACE_PID -ex bt -ex detach 2>&1";
        let said = replayed(folder.path(), &trace, &["--hold", "1", "--exec", look], 0);
        assert!(
            said.contains(main) && said.contains(&format!("{name}.c:")) && said.contains(FOLLOWED),
            "{said}"
        );
    }
}

#[test]
fn a_shell_inside_sees_the_processes_of_the_run_alone() {
    if Command::new("nsenter").arg("--version").output().is_err() {
        eprintln!("skipped: there is no nsenter (Debian: util-linux)");
        return;
    }
    let (folder, trace) = found("eintr", &[]);
    let script = folder.path().join("script");
    let typed = |text: &str| {
        fs::write(&script, text).unwrap();
        let replay = "\"$0\" replay \"$1\" --hold 1 --shell < script";
        let words = ["-c", replay, env!("CARGO_BIN_EXE_sigrace"), trace.to_str().unwrap()];
        let mut shell = script::command_of("sh", folder.path(), &words);
        copies::output(shell.env("SHELL", "/bin/sh")).unwrap()
    };
    let seen = typed("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done\n");
    script::ends(&seen, 0);
    let text = script::stdout(&seen);
    assert_eq!(text.lines().filter(|line| line.trim() == "./eintr").count(), 2, "{text}");
    assert!(
        text.lines().filter(|line| line.starts_with('/') || line.starts_with("./")).count() <= 4,
        "{text}"
    );
    assert!(text.contains(FOLLOWED), "{text}");
    // What is written there is the run's, is told as such, and gone with it.
    let wrote = typed("echo here > written\n");
    script::ends(&wrote, 101);
    let text = script::stdout(&wrote);
    assert!(text.contains("but the outcome is another\n") && text.contains("written"), "{text}");
    assert!(!folder.path().join("written").exists());
}

#[test]
fn a_place_that_the_run_never_comes_to_is_told() {
    let (folder, trace) = found("lost_wakeup", &[]);
    let said = replayed(folder.path(), &trace, &["--until", "p0 in read #7", "--exec", "exit 1"], 101);
    assert!(said.contains("it did not stand still: the run never came to p0 in read #7\n"), "{said}");
    let said = replayed(folder.path(), &trace, &["--hold", "2"], 2);
    assert!(said.contains("--hold 2: the schedule of this trace has 1 step"), "{said}");
    let said = replayed(folder.path(), &trace, &["--exec", "true"], 2);
    assert!(said.contains("need a place: --hold STEP or --until POINT"), "{said}");
    let said = replayed(folder.path(), &trace, &["--hold", "1", "--exec", "exit 3"], 101);
    assert!(said.contains("exit status: 3") && said.contains(FOLLOWED), "{said}");
    // Nobody there to press Enter: the end of the input goes on.
    let said = replayed(folder.path(), &trace, &["--hold", "1"], 0);
    assert!(
        said.contains("stands still, and would go on with p0 before pause: send SIGUSR1")
            && said.contains(FOLLOWED)
    );
}

#[test]
fn whoever_asks_to_stop_ends_the_command_that_looks_as_well() {
    let (folder, trace) = found("lost_wakeup", &[]);
    let mut replay = script::command(folder.path(), &["replay"]);
    replay.arg(&trace).args(["--hold", "1", "--exec", "echo $$ > looks; exec sleep 1000"]);
    replay.stdout(std::process::Stdio::piped());
    let mut replay = replay.spawn().unwrap();
    let looks = folder.path().join("looks");
    // The fact that is waited for is a line in a file; the sleep is a thousand seconds.
    let pid = loop {
        match fs::read_to_string(&looks) {
            Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
            _ => std::thread::yield_now(),
        }
        assert!(replay.try_wait().unwrap().is_none(), "it ended before");
    };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(replay.id() as i32), nix::sys::signal::Signal::SIGTERM)
        .unwrap();
    let output = replay.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", script::stdout(&output));
    assert!(
        script::stdout(&output).contains("interrupted; followed in 0 of 1 run"),
        "{}",
        script::stdout(&output)
    );
    assert!(!Path::new(&format!("/proc/{pid}/stat")).exists(), "{pid} is left");
}
