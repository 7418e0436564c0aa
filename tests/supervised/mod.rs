//! Running a command under the supervisor by the empty schedule, for the tests of what a program can see and do.

#![allow(dead_code, reason = "not every test uses all of it")]

use nix::sys::resource::{Resource, getrlimit};
use sigrace::copies;
use sigrace::program::{Launch, Limits};
use sigrace::resolve;
use sigrace::schedule::Schedule;
use sigrace::signal::Signal;
use sigrace::slots::Slots;
use sigrace::supervise::{RunError, Settings, Supervise, Supervisor};
use sigrace::trace::{End, Run, Status};
use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

/// The whole environment of the programs of these tests.
pub fn environment() -> BTreeMap<String, String> {
    [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC0")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// How this command starts in this folder.
pub fn launch(argv: &[&str], cwd: &Path) -> Launch {
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    resolve::command(argv, environment(), cwd, None).expect("the machine has the programs of these tests")
}

/// One run by the empty schedule, and what `look` sees right after it, while its supervisor still lives.
///
/// The supervisor pins the thread that makes it, so it gets one of its own.
#[allow(dead_code, reason = "not every file of tests has use for it")]
pub fn run<T: Send>(
    launch: Launch,
    limits: Limits,
    look: impl FnOnce() -> T + Send,
) -> (Result<Run, RunError>, T) {
    with_supervisor(launch, limits, |supervisor| {
        let run = supervisor.run(&Schedule::empty());
        (run, look())
    })
}

/// As many runs by the empty schedule as asked for, by one supervisor: from the second on the dynamic loader is known.
#[allow(dead_code, reason = "not every file of tests has use for it")]
pub fn runs(launch: Launch, count: usize) -> Vec<Result<Run, RunError>> {
    with_supervisor(launch, Limits::default(), |supervisor| {
        (0..count).map(|_| supervisor.run(&Schedule::empty())).collect()
    })
}

/// What `work` makes of a supervisor, which lives in a thread of its own.
pub fn with_supervisor<T: Send>(
    launch: Launch,
    limits: Limits,
    work: impl FnOnce(&mut Supervisor) -> T + Send,
) -> T {
    with_settings(Settings { limits, ..Settings::of(launch) }, work)
}

/// The same with all that a run can be told.
pub fn with_settings<T: Send>(settings: Settings, work: impl FnOnce(&mut Supervisor) -> T + Send) -> T {
    descriptors();
    let slots = Slots::new().expect("this process may use a CPU");
    thread::scope(|scope| {
        let supervised = scope.spawn(|| {
            let slot =
                slots.take(Duration::from_secs(600), &AtomicBool::new(false)).expect("a CPU gets free");
            let mut supervisor = Supervisor::new(settings, slot.cpu).expect("this host allows a cell");
            work(&mut supervisor)
        });
        supervised.join().expect("the supervisor does not panic")
    })
}

/// Builds a C file of `programs/` into `folder`, and says where it is.
pub fn build(name: &str, flags: &[&str], folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs").join(name);
    let program = folder.join(Path::new(name).with_extension("").file_name().expect("a program has a name"));
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Werror", "-pthread", "-D_GNU_SOURCE"]).args(flags);
    let built = copies::output(cc.arg("-o").args([&program, &source])).expect("there is a C compiler");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
}

/// How many descriptors this process might have, and how far that may be raised, before a supervisor raised it.
fn descriptors() -> (u64, u64) {
    static BEFORE: OnceLock<(u64, u64)> = OnceLock::new();
    *BEFORE.get_or_init(|| getrlimit(Resource::RLIMIT_NOFILE).expect("a process may read its limits"))
}

/// What the command does without control: what it writes, and how it ends.
pub fn bare(launch: &Launch) -> (Output, Status) {
    let (soft, hard) = descriptors();
    // Whoever runs tests in the background, or by nohup(1), has signals ignored, and a program would inherit that.
    let mut bare = Command::new("/usr/bin/prlimit");
    bare.arg(format!("--nofile={soft}:{hard}")).args(["/usr/bin/env", "--default-signal"]);
    bare.args(&launch.argv).env_clear().envs(&launch.env).current_dir(&launch.cwd).process_group(0);
    let bare = copies::output(&mut bare).expect("the command starts");
    let status = match bare.status.signal().and_then(Signal::from_number) {
        Some(signal) => Status::Killed(signal),
        None => Status::Exited(bare.status.code().unwrap_or(-1)),
    };
    (bare, status)
}

/// Runs a command both ways. It must end by itself, and write something, or nothing was compared.
#[track_caller]
pub fn same(argv: &[&str], cwd: &Path) {
    let launch = launch(argv, cwd);
    let (bare, status) = bare(&launch);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // The first run is notified of every call, the second of all but the loader's.
    for (nth, run) in runs(launch, 2).into_iter().enumerate() {
        let run = run.unwrap_or_else(|error| panic!("{argv:?}, run {nth}: {error}"));
        let outcome = &run.outcome;
        assert_eq!(
            text(outcome.stdout.bytes()),
            text(&bare.stdout),
            "standard output of {argv:?}, run {nth}"
        );
        assert_eq!(text(outcome.stderr.bytes()), text(&bare.stderr), "standard error of {argv:?}, run {nth}");
        assert_eq!(outcome.end, End::Ended(status), "the end of {argv:?}, run {nth}");
    }
    assert!(
        !bare.stdout.is_empty() || !bare.stderr.is_empty() || status != Status::Exited(0),
        "{argv:?} did nothing that could be compared"
    );
}

/// Compares a C program of `programs/`, linked dynamically and statically: the two take different ways into the kernel.
#[track_caller]
pub fn same_c(name: &str) {
    for flags in [&[][..], &["-static"]] {
        let folder = tempfile::tempdir().unwrap();
        let program = build(name, flags, folder.path());
        same(&[program.to_str().unwrap()], folder.path());
    }
}
