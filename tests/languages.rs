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
