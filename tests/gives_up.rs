//! What a signal interrupts is found to be given up where the undisturbed signal already interrupts it, and where no exit status tells.

use std::path::Path;
use std::process::Command;

#[test]
fn an_interrupted_read_is_no_error_and_no_end_of_file() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs/gives_up.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-O1", "-o", "gives_up"]).arg(source).current_dir(&folder);
    assert!(gcc.status().unwrap().success());
    let found = [
        (&["error"][..], Some("expected it to end as where nothing is sent")),
        (&["end"], Some("expected all to be read")),
        (&["error", "again"], None),
        (&["end", "again"], None),
    ];
    for (words, expected) in found {
        let mut explore = Command::new(env!("CARGO_BIN_EXE_sigrace"));
        explore.args(["explore", "--seed", "1", "--", "./gives_up"]).args(words).current_dir(&folder);
        let output = explore.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(if expected.is_some() { 100 } else { 0 }), "{words:?}: {told}");
        let finding = told.contains("an interrupted call is taken for its end");
        assert!(finding == expected.is_some() && told.contains(expected.unwrap_or_default()), "{told}");
    }
}
