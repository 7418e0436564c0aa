//! What a run leaves behind: it is told, and it is a finding where it is fair to say so.

mod supervised;

use sigrace::copies;
use sigrace::program::Limits;
use sigrace::schedule::Schedule;
use sigrace::supervise::{RunError, Settings, Supervise};
use sigrace::trace::{Changing, Object, Open, Remains, Run};
use sigrace::world::{Files, World};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A run of a command in a folder, made twice by one supervisor: both are the same.
#[track_caller]
fn twice(words: &[&str], cwd: &Path, files: Files) -> Run {
    let launch = supervised::launch(words, cwd);
    let settings = Settings { world: World { files, ..World::default() }, ..Settings::of(launch) };
    let [first, second] = supervised::with_settings(settings, |supervisor| {
        [0, 1].map(|_| supervisor.run(&Schedule::empty()).unwrap())
    });
    assert_eq!(first.outcome.remains, second.outcome.remains);
    assert_eq!(first.outcome.stdout, second.outcome.stdout);
    first
}

/// Each change in a line.
fn lines(remains: &Remains) -> Vec<String> {
    let change = |change: &sigrace::trace::Change| match &change.how {
        Changing::Made(object) => format!("{} + {object}", change.name),
        Changing::Changed(object) => format!("{} * {object}", change.name),
        Changing::Removed => format!("{} -", change.name),
    };
    remains.changes.iter().map(change).collect()
}

/// Files as the script below finds them.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for within in ["deep/er", "old", "moved/in"] {
        fs::create_dir_all(folder.path().join(within)).unwrap();
    }
    let files = ["log", "gone", "same", "touched", "deep/er/state", "old/x", "old/y", "moved/in/z"];
    files.iter().for_each(|name| fs::write(folder.path().join(name), "before\n").unwrap());
    folder
}

const BUSY: &str = "echo more >>log; rm gone; echo before >same; chmod 600 touched; echo 2 >deep/er/state; rm -r old; \
    mkdir old made; echo before >old/y; printf x >made/half; ln -s log link; mkfifo fifo; chmod 0 made; truncate -s 1T huge; \
    echo x >closed; chmod 0 closed; exec 5</etc/passwd";

#[test]
fn what_a_run_made_changed_and_removed_is_told() {
    for files in [Files::Own, Files::All] {
        if files == Files::All && !nix::unistd::geteuid().is_root() {
            continue;
        }
        let folder = folder();
        let run = twice(&["sh", "-c", BUSY], folder.path(), files);
        let expected = [
            "closed + a file of 2 bytes",
            "deep/er/state * a file of 2 bytes",
            "fifo + a FIFO",
            "gone -",
            "huge + a file of 1099511627776 bytes",
            "link + a symbolic link to log",
            "log * a file of 12 bytes",
            "made + a folder",
            "made/half + a file of 1 bytes that ends in the middle of a line",
            "old/x -",
        ];
        assert_eq!(lines(&run.outcome.remains), expected, "{files:?}");
        let open = Open { process: "p0".parse().unwrap(), descriptors: vec!["/etc/passwd".to_owned()] };
        assert_eq!(run.outcome.remains.open, [open]);
        let digest = |name: &str| match run.outcome.remains.named(name).unwrap().how.object() {
            Some(Object::File { digest, .. }) => digest.clone(),
            other => panic!("{other:?}"),
        };
        // SHA-256 of "before\nmore\n"; of the largest nothing is read.
        assert_eq!(
            digest("log").as_deref(),
            Some("0c9c6be9d22deb5af7a34cd95268db65bcb04981924b06e8f946e9a2ca6f8ba3")
        );
        assert_eq!(digest("huge"), None);
        // The machine's are as they were.
        assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "before\n");
        assert_eq!(fs::metadata(folder.path().join("touched")).unwrap().permissions().mode() & 0o777, 0o644);
    }
}

#[test]
fn a_folder_that_was_renamed_is_told_with_its_old_name() {
    // An ordinary user cannot rename a folder that was there.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = folder();
    let run =
        twice(&["sh", "-c", "mv moved to; echo 2 >to/in/z; mv deep/er deep/est"], folder.path(), Files::Own);
    let expected = [
        "deep/er -",
        "deep/est + a folder that was deep/er",
        "moved -",
        "to + a folder that was moved",
        "to/in/z * a file of 2 bytes",
    ];
    assert_eq!(lines(&run.outcome.remains), expected);
}

#[test]
fn nothing_is_told_of_files_that_are_the_machines() {
    let folder = folder();
    let run = twice(&["sh", "-c", "echo x >new"], folder.path(), Files::Host);
    assert_eq!(lines(&run.outcome.remains), [""; 0]);
    assert!(folder.path().join("new").exists());
}

#[test]
fn ipc_objects_that_are_left_are_told_and_gone_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("left.c", &[], folder.path());
    let run = twice(&[&program.to_string_lossy(), "objects"], folder.path(), Files::Own);
    assert_eq!(run.outcome.stdout.bytes(), b"0 0 0\n");
    let expected = [
        "mqueue:/jobs + a message queue with 5 bytes in it",
        "msg:0x2b + a message queue with 4 bytes in it",
        "sem:private + 3 semaphores",
        "shm:0x2a + shared memory of 8192 bytes",
    ];
    assert_eq!(lines(&run.outcome.remains), expected);
}

#[test]
fn a_program_that_writes_more_than_it_may_is_unsupported() {
    let folder = tempfile::tempdir().unwrap();
    let run = |script: &str| {
        let limits = Limits { files: 1 << 20, ..Limits::default() };
        supervised::run(supervised::launch(&["sh", "-c", script], folder.path()), limits, || ()).0
    };
    assert!(run("head -c 900000 /dev/zero >large").is_ok());
    // Whether it sees the error, and tidies up, or not.
    for script in ["head -c 2000000 /dev/zero >large", "head -c 2000000 /dev/zero >large 2>&- || rm large"] {
        match run(script) {
            Err(RunError::Unsupported(why)) => assert!(why.contains("--limit-files"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

/// What `explore` says of a case of the program, sending SIGTERM if asked to.
fn explore(case: &str, flags: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("left.c", &[], folder.path());
    let search = ["explore", "-j", "1", "--seed", "1", "--bound", "1", "--strategy", "exhaustive"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
    command.args(search).arg("--no-handler-checks").args(flags).arg("--").arg(program).arg(case);
    let output = copies::output(command.current_dir(&folder)).unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

const SEND: [&str; 2] = ["--send", "SIGTERM"];

#[test]
fn what_an_interrupted_program_forgets_is_found() {
    for case in ["leave", "raise"] {
        let (code, text) = explore(case, &SEND);
        assert_eq!(code, 100, "{case}: {text}");
        let expected = "expected no files beyond those of the reference run, got work.tmp";
        assert!(text.contains(expected), "{case}: {text}");
        // Not yet before it is there, and not any more when it is gone.
        assert_eq!(text.matches("\nfinding: ").count(), 1, "{case}: {text}");
    }
}

#[test]
fn what_cannot_be_held_against_a_program_is_not_found() {
    for case in ["log", "report", "killer", "holds"] {
        let (code, text) = explore(case, &SEND);
        assert_eq!(code, 0, "{case}: {text}");
        assert!(!text.contains("no step was taken"), "{case}: {text}");
    }
    // One that nothing could be caught of.
    let (code, text) = explore("append", &[&SEND[..], &["--always"]].concat());
    assert_eq!(code, 0, "{text}");
    // Names that are others each time.
    let (code, text) = explore("random", &[]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_program_that_appends_to_a_file_does_the_same_in_every_run() {
    let (code, text) = explore("append", &["--verify"]);
    assert!(code == 0 || text.contains("no step was taken"), "{text}");
    assert!(!text.contains("distinct outcomes of"), "{text}");
}

#[test]
fn descriptors_are_looked_at_where_a_scenario_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("left.c", &[], folder.path());
    let scenario = |expect: &str, finds: &str| {
        let path = folder.path().join("holds.ron");
        let text = format!(
            "(format: 1, program: Command([{program:?}, \"holds\"]), explore: (send: [SIGTERM], strategy: [Exhaustive(bound: 1)]), \
             expect: ({expect}), finds: [{finds}])"
        );
        fs::write(&path, text).unwrap();
        let output =
            copies::output(Command::new(env!("CARGO_BIN_EXE_sigrace")).arg("run").arg(path)).unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = scenario("exit: Code(0)", "");
    assert_eq!(code, 0, "{text}");
    // Told to stop before it closes its file again, it ends with it.
    let finds = "(breaks: Descriptors, schedule: [(at: Before(openat), in: \"p0\", action: Send(SIGTERM))])";
    let (code, text) = scenario("exit: Code(0), descriptors: 0", finds);
    assert_eq!(code, 0, "{text}");
    let (code, text) = scenario("exit: Code(0), descriptors: 0", "");
    let words = "expected no descriptors to be open beyond those of the reference run, got /etc/passwd of p0";
    assert!(code == 100 && text.contains(words), "{text}");
}
