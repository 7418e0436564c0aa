//! Files that a run changes are as old, by the run's clock, as they would be by the machine's on their own.

mod supervised;

use sigrace::copies;
use sigrace::program::Limits;
use sigrace::trace::{End, Status};
use std::process::{Command, Stdio};

/// What it writes under control, which must be what it writes bare, twice.
#[track_caller]
fn as_bare(argv: &[&str]) {
    let folder = || tempfile::tempdir().unwrap();
    let (bare_folder, own_folder) = (folder(), folder());
    let launch = supervised::launch(argv, own_folder.path());
    let mut bare = Command::new(&launch.file);
    bare.args(&argv[1..]).env_clear().envs(&launch.env).current_dir(bare_folder.path()).stdin(Stdio::null());
    let bare = copies::output(&mut bare).expect("the command starts");
    assert!(bare.status.success(), "{argv:?} bare: {bare:?}");
    let expected = String::from_utf8_lossy(&bare.stdout).into_owned();
    for _ in 0..2 {
        let (run, ()) = supervised::run(launch.clone(), Limits::default(), || ());
        let run = run.unwrap_or_else(|error| panic!("{argv:?}: {error}"));
        assert_eq!(String::from_utf8_lossy(run.outcome.stdout.bytes()), expected, "{argv:?}");
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)), "{argv:?}");
        assert_eq!(run.taint, None, "{argv:?}");
    }
}

#[test]
fn files_are_as_old_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [&[][..], &["-static"]] {
        let program = supervised::build("dates.c", flags, folder.path());
        as_bare(&[program.to_str().unwrap()]);
    }
}

#[test]
fn a_parent_sees_that_a_child_is_alive_by_the_date_of_its_file() {
    const HEARTBEAT: &str = r#"
import os, time, tempfile
file = tempfile.TemporaryFile()
if os.fork() == 0:
    for beat in range(4):
        time.sleep(0.3)
        os.fchmod(file.fileno(), beat & 1)
    os._exit(0)
oldest = 0
for look in range(10):
    time.sleep(0.1)
    oldest = max(oldest, time.time() - os.fstat(file.fileno()).st_ctime)
os.wait()
print(oldest < 0.9, "never older than that")
"#;
    as_bare(&["python3", "-c", HEARTBEAT]);
}

#[test]
fn shell_and_make_agree_with_them() {
    as_bare(&[
        "sh",
        "-c",
        "touch a; sleep 1; touch b; [ b -nt a ] && ! [ a -nt b ] && echo newer; find . -newer a -name '[ab]'",
    ]);
    as_bare(&[
        "sh",
        "-c",
        "printf 'b: a\n\tcp a b\n' > Makefile; touch a; sleep 1; make; make; sleep 1; touch a; make 2>&1",
    ]);
}
