//! Where a search begins: an interpreter's start and a launcher are passed by, and nothing else is.

mod script;

use script::{ends, stderr, stdout};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Scripts in which a signal between the test and the wait is lost, and so the wait is for ever, or as long as it can be.
const BASH: &str =
    "#!/bin/bash\ntrap 'got=1' USR1\nif [ -z \"$got\" ]; then sleep 1000 & wait $!; kill $!; fi\n";
const DASH: &str =
    "#!/bin/dash\ntrap 'got=1' USR1\nif [ -z \"$got\" ]; then sleep 1000 & wait $!; kill $!; fi\n";
const PERL: &str = "#!/usr/bin/perl\nuse POSIX;\n$SIG{USR1} = sub { $got = 1 };\npause() unless $got;\n";
const PYTHON: &str = "#!/usr/bin/python3 -ISE
import signal
got = []
signal.signal(signal.SIGINT, lambda number, frame: got.append(number))
if not got:
    signal.pause()
";

/// A program that takes its configuration for what it is, after it has installed its handler; the file looks like a script.
const SERVER: &str = r#"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
static volatile sig_atomic_t got;
static void handler(int signal) { (void)signal; got = 1; }
int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = handler };
    sigaction(SIGUSR1, &action, NULL);
    getppid();
    if (argc > 1)
        close(open(argv[1], O_RDONLY));
    if (!got)
        pause();
    return 0;
}
"#;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

fn with_server() -> TempDir {
    let folder = folder(&[("server.c", SERVER), ("conf", "#!/bin/sh\n")]);
    let mut gcc = Command::new("gcc");
    gcc.current_dir(&folder).args(["-g", "-O1", "-o", "server", "server.c"]);
    assert!(gcc.status().unwrap().success());
    folder
}

/// Every schedule of one step, as the JSON report has it: its only search, its result and its findings' schedules.
fn explore(folder: &Path, words: &[&str], program: &[&str], code: i32) -> (Value, Vec<String>) {
    let fixed =
        ["explore", "--seed", "1", "--strategy", "exhaustive", "--no-handler-checks", "--exits", "any"];
    let output = script::sigrace(
        folder,
        &[&fixed, words, &["--format", "json", "--trace-dir", "traces", "--"], program].concat(),
    );
    ends(&output, code);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let found = report["searches"][0]["result"].clone();
    let schedules = found["findings"].as_array().unwrap().iter();
    let schedules = schedules.map(|finding| finding["schedule"].to_string()).collect();
    (found, schedules)
}

/// The points of the undisturbed run, by their names, in order.
fn points(folder: &Path, program: &[&str]) -> Vec<String> {
    let output = script::sigrace(folder, &[&["points", "--"], program].concat());
    ends(&output, 0);
    stdout(&output).lines().map(str::to_owned).collect()
}

/// The number of points that come before this one.
fn before(points: &[String], point: &str) -> u64 {
    let here = |line: &String| line.strip_prefix(point).is_some_and(|rest| rest.starts_with("  "));
    points.iter().position(here).unwrap_or_else(|| panic!("{point} is not in {points:?}")) as u64
}

/// The race of a script is found from where it is opened, by fewer runs than from the start, in each of which nothing could be
/// wrong with the script.
#[track_caller]
fn fewer_runs(name: &str, text: &str, signal: &[&str], program: &[&str]) {
    let folder = folder(&[(name, text)]);
    let words = [&["--send"], signal].concat();
    let (short, found) = explore(folder.path(), &words, program, 100);
    let (whole, all) = explore(folder.path(), &[&words, &["--from", "start"][..]].concat(), program, 100);
    let from = short["from"].as_str().unwrap();
    let passed = short["points_passed_by"].as_u64().unwrap();
    assert!(from.starts_with("p0 before open"), "{from}");
    assert_eq!(passed, before(&points(folder.path(), program), from));
    assert!(passed >= 5, "{passed}");
    // Of those that go wrong in the same way the first is told, which may be one of the interpreter's own start.
    let points = points(folder.path(), program);
    let early = |schedule: &String| {
        let point = schedule.strip_prefix("[\"").and_then(|rest| rest.split(": send").next()).unwrap();
        before(&points, point) < passed
    };
    assert!(!found.is_empty() && !found.iter().any(early), "{found:?}");
    assert!(
        found.iter().all(|schedule| all.contains(schedule)) || all.iter().all(early),
        "{found:?} {all:?}"
    );
    assert_eq!((whole["from"].is_null(), &whole["points_passed_by"]), (true, &Value::from(0)));
    let number = |found: &Value, field: &str| found[field].as_u64().unwrap();
    assert!(number(&short, "runs") < number(&whole, "runs"), "{short} {whole}");
    assert!(number(&short, "points") < number(&whole, "points"), "{short} {whole}");
    let level = |found: &Value| found["schedules"][0].clone();
    assert!(
        level(&short)["exhausted"] == true
            && level(&short)["known"].as_u64() < level(&whole)["known"].as_u64()
    );
}

#[test]
fn the_start_of_bash_is_passed_by() {
    fewer_runs("race.sh", BASH, &["USR1", "--always"], &["bash", "race.sh"]);
}

#[test]
fn the_start_of_dash_is_passed_by() {
    fewer_runs("race.sh", DASH, &["USR1", "--always"], &["./race.sh"]);
}

#[test]
fn the_start_of_perl_is_passed_by() {
    fewer_runs("race.pl", PERL, &["USR1", "--always"], &["perl", "-w", "race.pl"]);
}

#[test]
fn the_start_of_python_is_passed_by_although_it_catches_sigint() {
    fewer_runs("race.py", PYTHON, &["INT"], &["./race.py"]);
}

#[test]
fn a_launcher_is_passed_by_and_it_is_said_which_program_is_explored() {
    let folder = with_server();
    let words = ["explore", "--seed", "1", "--trace-dir", "traces", "--send", "USR1", "--always", "--"];
    for launcher in [&["env"][..], &["sh", "-c", "exec ./server"]] {
        let program = if launcher.len() == 1 { &["env", "./server"][..] } else { launcher };
        let output = script::sigrace(folder.path(), &[&words, program].concat());
        ends(&output, 100);
        let text = stdout(&output);
        let line = text
            .lines()
            .find(|line| line.contains("of the start passed by"))
            .unwrap_or_else(|| panic!("{text}"));
        assert!(
            line.contains("/server is explored, from p0 before ") && line.ends_with("(--from start for all)"),
            "{line}"
        );
        let from = line.split(" from ").nth(1).unwrap().split(" on ").next().unwrap();
        let points = points(folder.path(), program);
        let count = line.split(' ').next().unwrap().parse();
        assert_eq!(count, Ok(before(&points, from)));
        // What executes the program is the last but it.
        let call = points.iter().rposition(|line| line.starts_with("p0 before execve")).unwrap();
        assert!(
            (call as u64) < before(&points, from) && before(&points, from) <= call as u64 + 2,
            "{from} {points:?}"
        );
    }
}

/// A shell that has others find out what to execute, as version managers do, and executes another such script.
const SHIM: &str = "#!/bin/bash\nset -e\nname=\"${0##*/}\"\nhere=\"$(cd \"$(dirname \"$0\")\" && pwd)\"\n\
                    exec \"$here/launch\" \"$(echo server)\" \"$@\"\n";
const LAUNCH: &str = "#!/bin/bash\nfound=\"$(ls \"$(dirname \"$0\")\" | grep -x \"$1\")\"\nwords=(`echo`)\nshift\n\
                      exec \"$(dirname \"$0\")/$found\" \"$@\"\n";

#[test]
fn a_shell_that_finds_out_what_to_execute_is_passed_by() {
    let folder = with_server();
    for (name, text) in [("shim", SHIM), ("launch", LAUNCH)] {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let words = ["explore", "--seed", "1", "--trace-dir", "traces", "--no-handler-checks", "--", "./shim"];
    let output = script::sigrace(folder.path(), &words);
    ends(&output, 100);
    let text = stdout(&output);
    // Of what bash catches while it waits, and of its children, nothing is left where the search begins.
    assert!(text.starts_with("./shim is sent in turn: nothing and SIGUSR1\n"), "{text}");
    assert!(!text.contains(" to p0."), "{text}");
    let line = text.lines().find(|line| line.contains("of the start passed by")).unwrap();
    assert!(
        line.contains("/server is explored, from p0 before ") && line.ends_with("(--from start for all)"),
        "{line}"
    );
    let from = line.split(" from ").nth(1).unwrap().split(" on ").next().unwrap();
    // What executes the program is right before it.
    let points = points(folder.path(), &["./shim"]);
    let call = points.iter().rposition(|line| line.starts_with("p0 before execve")).unwrap();
    assert_eq!(points[call + 1].split("  ").next(), Some(from));
    // The race is the server's own.
    let (found, schedules) = explore(folder.path(), &["--send", "USR1"], &["./shim"], 100);
    assert!(found["points_passed_by"].as_u64() > Some(100) && !schedules.is_empty(), "{found}");
}

/// Behind a launcher, what is looked for of those whom an end leaves behind begins with the program's own first process.
#[test]
fn the_processes_of_a_launcher_are_nobody_who_could_be_left_behind() {
    let folder = folder(&[("shim", "#!/bin/bash\nname=$(echo alone)\nexec \"./$name\"\n")]);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/broken/left_alone.c");
    let mut gcc = Command::new("gcc");
    assert!(gcc.current_dir(&folder).args(["-g", "-o", "alone"]).arg(source).status().unwrap().success());
    let words = ["explore", "--seed", "1", "--first", "--trace-dir", "traces", "--", "./shim"];
    let output = script::sigrace(folder.path(), &words);
    ends(&output, 100);
    let text = stdout(&output);
    assert!(text.contains("finding: ./shim, sent SIGTERM, which ends it: orphans are left"), "{text}");
    // The launcher has made one process before.
    assert!(text.contains("before p0 after fork #2 there is nobody who could be left behind"), "{text}");
    assert!(text.contains("expected p0.2 to end with p0 as in the reference run"), "{text}");
}

#[test]
fn who_leaves_something_running_or_catches_a_signal_for_good_is_no_launcher() {
    let text = "#include <sys/wait.h>\n#include <unistd.h>\n\
                int main(void) { if (fork() == 0) _exit(0); wait(NULL); execl(\"./server\", \"./server\", NULL); return 1; }\n";
    let folder = with_server();
    fs::write(folder.path().join("first.c"), text).unwrap();
    let mut gcc = Command::new("gcc");
    assert!(gcc.current_dir(&folder).args(["-o", "first", "first.c"]).status().unwrap().success());
    let scripts = [
        ["bash", "-c", "sleep 1 & exec ./server"],
        ["bash", "-c", "sleep 1 & sleep 2; wait; exec ./server"],
        ["bash", "-c", "trap : USR1; name=$(echo server); exec ./$name"],
    ];
    for program in scripts.iter().map(|script| &script[..]).chain([&["./first"][..]]) {
        let (found, _) = explore(folder.path(), &["--send", "USR1", "--points", "in:pause"], program, 0);
        assert_eq!(
            (found["from"].is_null(), &found["points_passed_by"]),
            (true, &Value::from(0)),
            "{program:?}"
        );
    }
}

#[test]
fn a_launcher_that_catches_what_is_sent_is_none() {
    let text = "#include <signal.h>\n#include <unistd.h>\nstatic void handler(int signal) { (void)signal; }\n\
                int main(void) { signal(SIGUSR1, handler); execl(\"./server\", \"./server\", NULL); return 1; }\n";
    let folder = with_server();
    fs::write(folder.path().join("first.c"), text).unwrap();
    let mut gcc = Command::new("gcc");
    assert!(gcc.current_dir(&folder).args(["-o", "first", "first.c"]).status().unwrap().success());
    let (found, _) = explore(folder.path(), &["--send", "USR1", "--always"], &["./first"], 100);
    assert_eq!((found["from"].is_null(), &found["points_passed_by"]), (true, &Value::from(0)));
    let (found, _) = explore(folder.path(), &["--send", "USR2", "--always"], &["./first"], 0);
    assert!(found["points_passed_by"].as_u64() > Some(0), "{found}");
}

#[test]
fn nothing_of_a_server_is_passed_by_that_reads_its_configuration() {
    let folder = with_server();
    let (found, schedules) = explore(folder.path(), &["--send", "USR1"], &["./server", "conf"], 100);
    assert_eq!((found["from"].is_null(), &found["points_passed_by"]), (true, &Value::from(0)));
    assert!(!schedules.is_empty());
}

#[test]
fn a_search_begins_where_it_is_told_to_and_a_scenario_keeps_that() {
    let folder = with_server();
    let words = ["--send", "USR1", "--from", "p0 before pause", "--save", "server.ron"];
    let (found, schedules) = explore(folder.path(), &words, &["./server"], 100);
    assert_eq!(found["from"], "p0 before pause");
    assert_eq!(schedules, [r#"["p0 before pause: send SIGUSR1"]"#]);
    let all = points(folder.path(), &["./server"]);
    assert_eq!(found["points_passed_by"].as_u64(), Some(before(&all, "p0 before pause")));
    let saved = fs::read_to_string(folder.path().join("server.ron")).unwrap();
    assert!(saved.contains(r#"from: "p0 before pause""#), "{saved}");
    let family = folder.path().join("scenarios/family");
    fs::create_dir_all(&family).unwrap();
    fs::rename(folder.path().join("server.ron"), family.join("server.ron")).unwrap();
    let output = script::sigrace(folder.path(), &["run", "--format", "json"]);
    ends(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let again = &report["searches"][0]["result"];
    assert_eq!((&again["from"], &again["schedules"]), (&found["from"], &found["schedules"]));
}

#[test]
fn a_point_that_does_not_come_or_is_none_is_told() {
    let folder = with_server();
    let words = ["explore", "--send", "USR1", "--from", "p0 before accept", "--", "./server"];
    let output = script::sigrace(folder.path(), &words);
    ends(&output, 101);
    assert!(stderr(&output).contains("never comes to p0 before accept"), "{}", stderr(&output));
    let output = script::sigrace(folder.path(), &["explore", "--from", "somewhere", "--", "./server"]);
    ends(&output, 2);
    assert!(stderr(&output).contains("`somewhere` is no point: expected"), "{}", stderr(&output));
}
