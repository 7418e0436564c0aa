//! Who goes on beside whom: a process that computes, a thread whose sibling ends a child. None of it is a finding or taints a run, and what
//! the kernel refuses to send ends nobody.

use std::path::Path;
use std::process::{Command, Output};

/// `tests/programs/beside.c` doing this.
fn explored(what: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs/beside.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-O1", "-pthread", "-o", "beside"]).arg(source).current_dir(&folder);
    assert!(gcc.status().unwrap().success());
    let bare = Command::new(folder.path().join("beside")).arg(what).status().unwrap();
    assert_eq!(bare.code(), Some(0), "{what}");
    let mut explore = Command::new(env!("CARGO_BIN_EXE_sigrace"));
    explore.args([
        "explore", "--seed", "1", "--runs", "24", "--exit", "0", "--send", "none", "--", "./beside", what,
    ]);
    explore.current_dir(&folder).output().unwrap()
}

fn passes(what: &str) {
    let output = explored(what);
    let (told, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}{error}");
    assert!(told.contains("0 findings") && !told.contains("tainted"), "{told}");
}

#[test]
fn a_parent_ends_a_child_that_computes() {
    passes("watchdog");
}

#[test]
fn others_go_on_beside_several_that_compute() {
    passes("several");
}

#[test]
fn a_thread_ends_a_child_for_which_its_sibling_waits() {
    passes("thread");
}

#[test]
fn what_the_kernel_refuses_ends_nobody() {
    passes("refused");
}
