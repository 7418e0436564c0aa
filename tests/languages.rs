//! Programs in other languages than C: functions are named and shown as their authors know them.

use std::path::Path;
use std::process::Command;

/// Compiles a program of `programs/`, sweeps one of its functions with SIGUSR1, and gives the report; none if this machine
/// has no compiler for it, or no hardware breakpoints.
fn swept(compiler: &[&str], source: &str, function: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs").join(source);
    let built = Command::new(compiler[0]).args(&compiler[1..]).arg("-o").args([&program, &source]).output();
    let Ok(built) = built else {
        println!("skipped: no {} here", compiler[0]);
        return None;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = Command::new(env!("CARGO_BIN_EXE_sigrace"))
        .args(["explore", "--send", "SIGUSR1", "--bound", "1", "--exit", "0", "--no-handler-checks"])
        .args(["--sweep", function, "--trace-dir"])
        .arg(folder.path())
        .arg("--")
        .arg(&program)
        .current_dir(folder.path())
        .output()
        .expect("the command starts");
    if String::from_utf8_lossy(&output.stderr).contains("hardware breakpoints") {
        println!("skipped: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    assert_eq!(output.status.code(), Some(100), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_function_of_a_cpp_template_has_its_readable_name() {
    let compiler = ["g++", "-g", "-O1"];
    let Some(report) = swept(&compiler, "queue.cpp", "jobs::Queue<jobs::Job>::push") else { return };
    assert!(
        report.contains("lands in jobs::Queue<jobs::Job>::push(jobs::Job*) (queue.cpp:15), before `"),
        "{report}"
    );
    assert!(report.contains("\n  called from main (queue.cpp:"), "{report}");
    assert!(report.contains("  > 15          head = one;\n"), "{report}");
}

#[test]
fn a_function_of_rust_has_its_readable_name_and_the_line_is_the_programs_own() {
    let compiler = ["rustc", "--edition=2024", "-g", "-O"];
    let Some(report) = swept(&compiler, "ledger.rs", "ledger::ledger::Book::enter") else { return };
    assert!(report.contains("inlined into ledger::ledger::Book::enter (ledger.rs:17), before `"), "{report}");
    assert!(report.contains("\n  called from ledger::main (ledger.rs:35)\n"), "{report}");
    assert!(report.contains("  > 17              CREDIT.fetch_add(amount, Relaxed);\n"), "{report}");
}

/// Explores `programs/late_notify.go`, in which nothing is sent, with these words as well; gives the report and the exit code.
fn late_notify(folder: &Path, words: &[&str]) -> Option<(String, Option<i32>)> {
    let (program, source) = (folder.join("late_notify"), "../tests/programs/late_notify.go");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let mut go = Command::new("go");
    let Ok(built) = go.args(["build", "-o"]).args([&program, &source]).env("CGO_ENABLED", "0").output()
    else {
        println!("skipped: no go here");
        return None;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = Command::new(env!("CARGO_BIN_EXE_sigrace"))
        .args(["explore", "--send", "none", "--bound", "1", "--no-handler-checks"])
        .args(words)
        .args(["--trace-dir", "traces", "--", "./late_notify"])
        .current_dir(folder)
        .output()
        .expect("the command starts");
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code()))
}

#[test]
fn a_program_of_go_that_waits_for_ever_unless_its_child_is_slow_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let points = "--points=before:exit_group,before:execve";
    let Some((report, code)) = late_notify(folder.path(), &[points]) else { return };
    assert_eq!(code, Some(100), "{report}");
    assert!(
        report.contains("expected it to go on waiting as the reference run did, got exit code 0"),
        "{report}"
    );
    assert!(report.contains("1. p0.1 before exit_group: let all others run first"), "{report}");
    let Some((report, code)) = late_notify(folder.path(), &[points, "--exit", "0"]) else { return };
    assert_eq!(code, Some(100), "{report}");
    assert!(report.contains("it only lets time pass"), "{report}");
}

#[test]
fn runs_of_a_program_of_go_are_alike_call_by_call() {
    let folder = tempfile::tempdir().unwrap();
    // First the undisturbed run is a finding, so that it is kept; then the one in which the child is slow, whose signal finds
    // several threads asleep, and is taken by the same in every run.
    let points = "--points=before:exit_group";
    let Some((report, _)) = late_notify(folder.path(), &[points, "--exit", "0"]) else { return };
    let Some((other, _)) = late_notify(folder.path(), &[points]) else { return };
    assert!(other.contains("expected it to go on waiting as the reference run did"), "{other}");
    let traces: Vec<_> = std::fs::read_dir(folder.path().join("traces"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ron"))
        .collect();
    assert!(traces.len() >= 2, "{report}\n{other}");
    for trace in traces {
        let output = Command::new(env!("CARGO_BIN_EXE_sigrace"))
            .args(["replay", "--times", "100"])
            .arg(&trace)
            .output()
            .expect("the command starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("followed in 100 of 100 runs"), "{said}");
    }
}

/// Builds this program of Go in the folder; false where there is no go.
fn builds_with_go(folder: &Path, name: &str, text: &str) -> bool {
    std::fs::write(folder.join(name), text).unwrap();
    let build = Command::new("go").args(["build", name]).env("CGO_ENABLED", "0").current_dir(folder).output();
    let Ok(built) = build else { return false };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    true
}

/// All its signals have the runtime's handler, thousands of instructions in which nothing of the program runs.
#[test]
fn the_handlers_of_the_runtime_of_go_are_not_checked() {
    let folder = tempfile::tempdir().unwrap();
    let text = "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfmt.Println(1)\n}\n";
    if !builds_with_go(folder.path(), "plain.go", text) {
        return println!("skipped: no go here");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_sigrace"))
        .args(["explore", "--send", "none", "--runs", "3", "--", "./plain"])
        .current_dir(folder.path())
        .output()
        .expect("the command starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("handlers of the runtime of Go were not checked"), "{said}");
    // No place was looked at.
    assert!(!said.contains("instructions executed"), "{said}");
}

/// The tracer divides by what the processor's counter has counted, and ends the program if that is nothing.
#[test]
fn the_execution_tracer_of_go_works() {
    let folder = tempfile::tempdir().unwrap();
    let text = "package main\n\nimport (\n\t\"bytes\"\n\t\"fmt\"\n\t\"runtime/trace\"\n)\n\nfunc main() {\n\tvar told bytes.Buffer\n\
                \ttrace.Start(&told)\n\ttrace.Stop()\n\tfmt.Println(told.Len() > 0)\n}\n";
    if !builds_with_go(folder.path(), "traced.go", text) {
        return println!("skipped: no go here");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_sigrace"))
        .args([
            "explore",
            "--send",
            "none",
            "--exit",
            "0",
            "--stdout",
            "^true\n$",
            "--no-handler-checks",
            "--runs",
            "20",
            "--",
            "./traced",
        ])
        .current_dir(folder.path())
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
