//! The reference run meets a program as a person does who types `kill`: when everything in it sleeps. And what runs are
//! compared in.

mod supervised;

use sigrace::explore::{self, Cut, Doing, Plan, Progress, Reference, Report, Standing, Verdict};
use sigrace::judge::Comparison;
use sigrace::program::Limits;
use sigrace::scenario::Strategy;
use sigrace::schedule::{Schedule, Site};
use sigrace::signal::Signal;
use sigrace::slots::Slots;
use sigrace::suite::{self, Against, Job};
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::{End, Reached, Run, Status};
use sigrace::world::{Clock, Files, World};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What `work` makes of a supervisor of `forwards.c` that watches these signals.
fn forwards<T: Send>(signals: &[&str], work: impl FnOnce(&Plan, &mut Supervisor) -> T + Send) -> T {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("forwards.c", &[], folder.path());
    let launch = supervised::launch(&[program.to_str().unwrap()], folder.path());
    let send: Vec<_> = signals.iter().map(|name| name.parse().unwrap()).collect();
    let settings = Settings { watch: send.clone(), limits: Limits::default(), ..Settings::of(launch) };
    let plan = Plan { send, ..Plan::default() };
    supervised::with_settings(settings, |supervisor| work(&plan, supervisor))
}

fn exited(run: &Run, code: i32) {
    assert_eq!(
        (&run.taint, &run.outcome.end),
        (&None, &End::Ended(Status::Exited(code))),
        "{}",
        run.schedule
    );
    assert_eq!(run.unreached, []);
}

fn exhaust() -> Plan {
    Plan { strategies: vec![Strategy::Exhaustive { bound: 1, runs: None }], ..Plan::default() }
}

/// A search that measures each run against the reference run.
fn look(argv: &[&str], within: (Limits, World), plan: Plan, folder: &Path) -> Report {
    let (limits, world) = within;
    let job = Job {
        name: argv[0].to_owned(),
        settings: suite::settings(
            supervised::launch(argv, folder),
            // One of the programs changes a file that the next run finds.
            (limits, World { files: Files::Host, ..world }),
            &plan,
            &Default::default(),
        ),
        against: Against::Reference(Comparison { sends: !plan.send.is_empty(), ..Comparison::default() }),
        plan,
        checks: Vec::new(),
        keep: suite::Keep { folder: folder.to_owned(), all: false, kept_runs: None },
        shown: Default::default(),
    };
    suite::search(&job, &Slots::new().unwrap(), &()).unwrap().report
}

/// Somebody who types ^C when handlers are checked.
struct Impatient(Arc<AtomicBool>);

impl Progress for Impatient {
    fn at(&self, standing: &Standing) {
        if standing.doing == Doing::Checking {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn who_is_interrupted_while_handlers_are_checked_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("forwards.c", &["-g"], folder.path());
    let plan = Plan { send: vec!["TERM".parse().unwrap()], ..exhaust() };
    let cancel = Arc::<AtomicBool>::default();
    let launch = supervised::launch(&[program.to_str().unwrap()], folder.path());
    let job = Job {
        name: "forwards".to_owned(),
        settings: suite::settings(launch, Default::default(), &plan, &cancel),
        against: Against::Reference(Comparison { sends: true, ..Comparison::default() }),
        plan,
        checks: sigrace::checks::Rule::ALL.to_vec(),
        keep: suite::Keep { folder: folder.path().to_owned(), all: false, kept_runs: None },
        shown: Default::default(),
    };
    let slots = Slots::new().unwrap();
    let done = suite::search(&job, &slots, &Impatient(Arc::clone(&cancel))).unwrap();
    assert_eq!(done.report.cut, Some(Cut::Interrupted));
    let notes = done.checked.notes;
    assert!(notes.iter().any(|note| note.contains("the search was ended before")), "{notes:?}");
    cancel.store(false, Ordering::Relaxed);
    assert_eq!(suite::search(&job, &slots, &()).unwrap().report.cut, None);
}

#[test]
fn signals_are_sent_when_every_process_sleeps() {
    let Reference { schedule, run, .. } =
        forwards(&["TERM"], |plan, supervisor| explore::reference(plan, supervisor).unwrap());
    assert_eq!(schedule.to_string(), "p0 when everything sleeps: send SIGTERM");
    exited(&run, 7);
    // The child was ready before, which it is not yet when its parent falls asleep.
    let asleep: Schedule = ron::from_str(r#"[(at:In(wait4),in:"p0",action:Send(SIGTERM))]"#).unwrap();
    exited(&forwards(&["TERM"], |_, supervisor| supervisor.run(&asleep).unwrap()), 100);
}

#[test]
fn everything_sleeps_again_after_what_woke_it() {
    let text = r#"[(at:Quiet,in:"p0",action:Send(SIGUSR1)),(at:Quiet,in:"p0",nth:2,action:Send(SIGTERM))]"#;
    let schedule: Schedule = ron::from_str(text).unwrap();
    let run = forwards(&["USR1", "TERM"], |_, supervisor| supervisor.run(&schedule).unwrap());
    exited(&run, 8);
    let moments = run.reached.iter().filter(|reached| reached.point.site == Site::Quiet);
    assert_eq!(moments.map(|reached| reached.point.nth).collect::<Vec<_>>(), [1, 1, 2]);
}

#[test]
fn a_second_signal_is_sent_when_everything_sleeps_again() {
    let Reference { schedule, run, .. } =
        forwards(&["USR1", "TERM"], |plan, supervisor| explore::reference(plan, supervisor).unwrap());
    let steps: Vec<String> = schedule.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        ["p0 when everything sleeps: send SIGUSR1", "p0 when everything sleeps #2: send SIGTERM"]
    );
    exited(&run, 8);
    let plan = Plan { send: vec!["USR1".parse().unwrap(), "TERM".parse().unwrap()], ..exhaust() };
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("forwards.c", &[], folder.path());
    let report = look(&[program.to_str().unwrap()], Default::default(), plan, folder.path());
    assert_eq!((report.signals_unsent, &report.unstable), (0, &vec![]));
    assert!(report.coverage.levels[0].exhausted(), "{:?}", report.coverage.levels);
}

#[test]
fn a_limit_that_the_reference_run_reaches_too_is_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("naps.c", &[], folder.path());
    let plan = Plan { send: vec!["TERM".parse().unwrap()], ..exhaust() };
    let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
    // By its own clock it would be over at once.
    let real = World { clock: Clock::Real, ..World::default() };
    let report = look(&[program.to_str().unwrap()], (limits, real), plan, folder.path());
    assert_eq!(report.reference.run.outcome.end, End::TimedOut);
    assert_eq!((report.verdict, report.findings, report.unstable), (Verdict::Pass, vec![], vec![]));
    assert!(report.runs > 0 && report.coverage.levels[0].exhausted(), "{:?}", report.coverage);
}

#[test]
fn a_file_that_grows_from_run_to_run_makes_none_unstable() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log"), "once\n").unwrap();
    // This shell reads a byte at a time.
    let script = "true & while read line; do :; done < log; wait; echo again >> log";
    let plan = Plan { verify: true, ..exhaust() };
    let report = look(&["dash", "-c", script], Default::default(), plan, folder.path());
    assert_eq!((report.verdict, report.findings, report.unstable), (Verdict::Pass, vec![], vec![]));
    assert_eq!(report.verified, report.runs + 1);
    assert!(std::fs::read_to_string(folder.path().join("log")).unwrap().lines().count() > 10);
}

#[test]
fn the_time_since_boot_that_a_file_tells_is_that_of_the_clocks() {
    let script = "import time
time.sleep(100)
file = open('/proc/uptime')
told, clock = file.read().split(), time.clock_gettime(time.CLOCK_BOOTTIME)
time.sleep(50)
rest = file.read()
file.seek(0)
later = float(file.read(4) + file.read(3))
print(abs(float(told[0]) - clock) < 0.1, rest == '', abs(later - clock - 50) < 1 or (told, clock, later))
";
    let launch = supervised::launch(&["python3", "-c", script], Path::new("/"));
    let said = supervised::with_settings(Settings::of(launch), |supervisor| {
        supervisor.run(&Schedule::empty()).unwrap().outcome.stdout
    });
    assert_eq!(String::from_utf8_lossy(said.bytes()), "True True True\n");
}

/// Perl orders its hashes, and allocates, by what it reads there.
#[test]
fn random_devices_give_the_same_bytes_in_every_run_of_a_seed() {
    let script = "od -An -N8 -tx1 /dev/urandom; head -c 4 </dev/random | od -An -tx1";
    let said = |seed| {
        let launch = supervised::launch(&["sh", "-c", script], Path::new("/"));
        let settings = Settings { seed, ..Settings::of(launch) };
        supervised::with_settings(settings, |supervisor| {
            [0; 2].map(|_| supervisor.run(&Schedule::empty()).unwrap().outcome.stdout)
        })
    };
    let [one, again] = said(1);
    assert_eq!(one.bytes().iter().filter(|byte| **byte == b'\n').count(), 2);
    assert_eq!(one, again);
    assert_ne!(one, said(2)[0]);
}

#[test]
fn a_run_in_which_all_signals_are_watched_tells_what_one_tells_in_which_some_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut away = 0;
    for name in ["abandoned", "lost_update", "running", "signalfd", "unsafe_calls", "away"] {
        let source = if name == "away" { "away.c" } else { &format!("../../fixtures/broken/{name}.c") };
        // The fixtures say themselves which extensions they use.
        supervised::build(source, &["-U_GNU_SOURCE"], folder.path());
        let launch = supervised::launch(&[&format!("./{name}")], folder.path());
        let settings = Settings::of(launch);
        let slots = Slots::new().unwrap();
        let known = suite::look(&settings, &slots).unwrap();
        for watch in [&[][..], &["USR1"], &["HUP", "TERM"], &["CHLD"]] {
            let watch: Vec<Signal> = watch.iter().map(|name| name.parse().unwrap()).collect();
            let settings = Settings { watch: watch.clone(), ..settings.clone() };
            let run = supervised::with_settings(settings, |one| one.run(&Schedule::empty()).unwrap());
            let other = known.run_watching(watch.iter().copied().collect());
            assert_eq!(run.reached, other.reached, "{name}: {watch:?}");
            assert_eq!(run.lapses, other.lapses, "{name}: {watch:?}");
            assert_eq!(run.first_quiet, other.first_quiet, "{name}: {watch:?}");
            assert_eq!(run.events, other.events, "{name}: {watch:?}");
            away += run.lapses.len();
            // Something could be sent in each of them, to some of these.
            let open = |reached: &Reached| !reached.receivable.is_empty();
            assert!(!watch.is_empty() || !run.reached.iter().any(open));
        }
        let open = known
            .run_watching("CHLD HUP TERM USR1 USR2".split(' ').map(|one| one.parse().unwrap()).collect());
        assert!(open.reached.iter().any(|reached| !reached.receivable.is_empty()), "{name}");
    }
    assert!(away > 0, "no handler was away in any of them");
}
