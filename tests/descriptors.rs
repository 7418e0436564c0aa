//! Which numbers descriptors of sigrace itself happen to have makes no difference.

use std::path::Path;
use std::process::Command;

#[test]
fn what_a_run_needs_may_have_any_number() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs/third.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-o", "third.so"]).arg(source).current_dir(&folder);
    assert!(gcc.status().unwrap().success());
    let script = "trap 'echo gone; exit 3' TERM; echo here; sleep 1 & wait; echo late; exit 3";
    for third in ["none 1", "pipe2 1", "pipe2 2", "eventfd 1", "eventfd 2"] {
        let mut explore = Command::new(env!("CARGO_BIN_EXE_sigrace"));
        explore.args(["explore", "--seed", "1", "--runs", "6", "--send", "TERM", "--", "sh", "-c", script]);
        explore.env("THIRD", third).env("LD_PRELOAD", folder.path().join("third.so")).current_dir(&folder);
        let output = explore.output().unwrap();
        let (told, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{third}: {told}{error}");
        let meant = third.split_once(' ').map(|(call, _)| format!("{call} makes the third\n"));
        assert_eq!(third != "none 1", meant.is_some_and(|meant| error.contains(&meant)), "{third}: {error}");
        assert!(told.contains("gone") && told.contains("late"), "{third}: {told}");
    }
}
