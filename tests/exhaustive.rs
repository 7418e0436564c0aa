//! Exhaustive search on real programs: what is left out changes nothing, what is found is minimal, and every run of every
//! fixture repeats itself.

mod supervised;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use sigrace::explore::{self, Plan, Report, Verdict};
use sigrace::judge::{self, Expectations};
use sigrace::program::{Launch, Limits};
use sigrace::scenario::{Expect, Known, Scenario, Strategy};
use sigrace::schedule::{Action, Point, Schedule, Site, Step, Target};
use sigrace::show::Page;
use sigrace::slots::Slots;
use sigrace::suite::{self, Against, Case, How, Job, Trial};
use sigrace::supervise::{Settings, Supervise, Supervisor};
use sigrace::trace::{Acts, Broken, Run};
use sigrace::{resolve, store};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

fn exhaust(bound: u32) -> Vec<Strategy> {
    vec![Strategy::Exhaustive { bound, runs: None }]
}

/// Everything that a run can show of a program.
fn shown(report: &Report) -> BTreeSet<String> {
    assert!(!report.more_outcomes, "more outcomes than a report keeps");
    let outcome = |seen: &explore::Seen| {
        let outcome = &seen.outcome;
        let left = (&outcome.leftover, &outcome.exec_blocked);
        format!("{:?} {:?} {:?} {left:?}", outcome.end, outcome.stdout, outcome.stderr)
    };
    report.outcomes.iter().map(outcome).collect()
}

fn search(launch: &Launch, plan: Plan) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let cancel = Default::default();
    let job = Job {
        name: "program".to_owned(),
        settings: suite::settings(launch.clone(), (Limits::default(), Default::default()), &plan, &cancel),
        plan,
        against: Against::Scenario(Expect { idle: true, ..Expect::default() }),
        checks: Vec::new(),
        keep: suite::Keep { folder: folder.path().to_owned(), all: false, kept_runs: None },
        shown: Default::default(),
    };
    suite::search(&job, &Slots::new().unwrap(), &()).unwrap().report
}

/// Compares the pruned with the unpruned search; gives the pruned one's report.
fn compare(launch: &Launch, plan: &Plan) -> Report {
    let pruned = search(launch, plan.clone());
    let whole = search(launch, Plan { prune: false, ..plan.clone() });
    for report in [&pruned, &whole] {
        assert!(report.coverage.levels.iter().all(explore::Level::exhausted), "{:?}", report.coverage.levels);
        assert_eq!((report.irregular, report.unstable.len()), (0, 0));
    }
    let all = |report: &Report| report.coverage.levels.iter().map(|level| level.all).collect::<Vec<_>>();
    let same = |report: &Report| report.coverage.levels.iter().map(|level| level.same).sum::<u64>();
    assert_eq!(all(&pruned), all(&whole));
    assert_eq!((pruned.runs + same(&pruned), same(&whole)), (whole.runs, 0));
    assert_eq!(shown(&pruned), shown(&whole));
    pruned
}

fn program(name: &str, folder: &Path) -> Launch {
    let file = supervised::build(name, &[], folder);
    supervised::launch(&[&file.to_string_lossy()], folder)
}

#[test]
fn what_is_left_out_goes_like_what_was_run() {
    let folder = tempfile::tempdir().unwrap();
    for (name, send, least) in
        [("stores.c", None, 4), ("shared.c", None, 3), ("relay.c", None, 3), ("sent.c", Some("USR1"), 9)]
    {
        let launch = program(name, folder.path());
        let mut same = 0;
        for bound in [1, 2] {
            let send = send.iter().map(|signal| signal.parse().unwrap()).collect();
            let plan = Plan { send, strategies: exhaust(bound), jobs: 2, ..Plan::default() };
            let report = compare(&launch, &plan);
            same += report.coverage.levels.iter().map(|level| level.same).sum::<u64>();
            let outcomes = report.outcomes.len();
            assert!(
                bound == 1 || outcomes >= least,
                "{name}: {outcomes} outcomes, at least {least} expected"
            );
        }
        assert!(same > 0, "{name}: nothing was left out");
    }
}

/// A child's end is there before waitpid at some of the switches, and not at others.
#[test]
fn a_switch_at_the_entering_of_a_call_is_left_out_only_where_it_goes_like_that_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = supervised::build("entering.c", &[], folder.path());
    let launch = supervised::launch(&[&file.to_string_lossy(), "wait"], folder.path());
    let mut same = 0;
    for bound in [1, 2] {
        let report = compare(&launch, &Plan { strategies: exhaust(bound), jobs: 2, ..Plan::default() });
        same += report.coverage.levels.iter().map(|level| level.same).sum::<u64>();
        let shown = shown(&report);
        for output in ["not done", "done, not stored", "stored"] {
            assert!(
                shown.iter().any(|outcome| outcome.contains(&format!("\"{output}"))),
                "{output}: {shown:?}"
            );
        }
    }
    assert!(same > 0, "nothing was left out");
}

/// Words of letters, each of which stands for a call of `orders.c`.
fn words(count: usize, length: usize) -> Vec<[String; 2]> {
    let letters: Vec<char> = "bscdaxmoilwrkuvnpgqtf".chars().collect();
    let mut chance = StdRng::seed_from_u64(15);
    let mut word = || (0..length).filter_map(|_| letters.choose(&mut chance)).collect::<String>();
    (0..count).map(|_| [word(), word()]).collect()
}

/// Whatever calls two processes make beside each other.
#[test]
fn a_switch_is_left_out_only_where_the_calls_before_it_and_those_of_the_others_come_to_the_same_in_either_order()
 {
    let folder = tempfile::tempdir().unwrap();
    let file = supervised::build("orders.c", &[], folder.path());
    let compared = |[child, parent]: &[String; 2]| {
        let launch = supervised::launch(&[&file.to_string_lossy(), child, parent], folder.path());
        let report = compare(&launch, &Plan { strategies: exhaust(1), jobs: 2, ..Plan::default() });
        (report.coverage.levels[0].same, report.outcomes.len())
    };
    // Nothing that one does matters to the other: hardly any switch is tried.
    let (same, outcomes) = compared(&["bsoboosb".to_owned(), "bsbb".to_owned()]);
    assert!(same > 40 && outcomes < 4, "{same} left out, {outcomes} outcomes");
    for words in words(24, 6) {
        compared(&words);
    }
}

#[test]
fn a_store_between_two_calls_that_do_nothing_is_seen_at_each_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { strategies: exhaust(1), ..Plan::default() };
    let report = search(&program("stores.c", folder.path()), plan);
    let shown = shown(&report);
    for code in 10..=13 {
        assert!(
            shown.iter().any(|outcome| outcome.contains(&format!("Exited({code})"))),
            "{code}: {shown:?}"
        );
    }
}

/// Each scenario: its name, what it says, and how its program starts.
fn all() -> Vec<(Case, Launch)> {
    let cases = suite::cases(&[scenarios()]).unwrap().into_iter().map(|found| Case::read(found).unwrap());
    let cases = cases.filter_map(|case| {
        match resolve::scenario(&case.scenario, case.build.as_ref(), case.folder()) {
            Err(error) if error.lacks().is_some() => {
                println!("skipped: {error}");
                None
            }
            launch => Some((case, launch.unwrap())),
        }
    });
    cases.collect()
}

/// Makes all schedules of so many steps twice, and gives how many there are of one step.
fn repeats(case: Case, bound: u32, slots: &Slots) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let how = How::plain(folder.path().to_owned());
    let how = How {
        strategy: Some(Strategy::Exhaustive { bound, runs: None }),
        plan: Plan { verify: true, jobs: 2, ..how.plan.clone() },
        ..how
    };
    let name = case.name.clone();
    let trial = Trial::new(case).unwrap();
    let outcome = trial.run(&how, slots, &(), Page { color: false, width: 100 }).unwrap();
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.text);
    let report = outcome.done.unwrap().report;
    // The reference run, and with a signal the run without it, come on top.
    let reference = if report.reference.plain.is_some() { 2 } else { 1 };
    assert_eq!(report.verified, report.runs + reference, "{name}");
    let levels = &report.coverage.levels;
    assert!(levels.iter().all(explore::Level::exhausted), "{name}: {:?}", report.coverage);
    levels.iter().find(|level| level.steps == 1).map_or(0, |level| level.all)
}

#[test]
fn every_run_of_every_fixture_repeats_itself() {
    /// Of more steps than this the pairs take minutes, and are no others in kind.
    const MOST: u64 = 60;
    let slots = Slots::new().unwrap();
    for (case, _) in all() {
        // Which instructions a run with one step executes is not known, so their pairs cannot be exhausted.
        let pairs = case.scenario.explore.sweep.is_empty();
        // What takes several steps to show is not there with one.
        let shows = case.scenario.finds.iter().map(|known| known.schedule.steps.len()).max();
        let least = shows.unwrap_or(1).max(1) as u32;
        let steps = repeats(case.clone(), least, &slots);
        if pairs && least < 2 && steps <= MOST {
            repeats(case, 2, &slots);
        }
    }
}

/// True if the scenarios' keys, sizes and hang-ups mean something where this does.
fn meant(act: &Action, acts: Acts) -> bool {
    acts.contains(match act {
        Action::Resize(..) => Acts::RESIZE,
        Action::HangUp => Acts::HANG_UP,
        Action::Type(keys) if keys.single() == Some(3) => Acts::INTERRUPT,
        Action::Type(keys) if keys.single() == Some(0x1c) => Acts::QUIT,
        _ => Acts::SUSPEND,
    })
}

/// A broken fixture, run step by step without the search.
struct Broke<'a> {
    supervisor: Supervisor,
    expectations: Expectations,
    scenario: &'a Scenario,
}

impl Broke<'_> {
    fn run(&mut self, steps: &[Step]) -> Run {
        // As a search does, a run that the machine's load has tainted is made again.
        let schedule = Schedule { steps: steps.to_vec() };
        let mut runs = (0..4).map(|_| self.supervisor.run(&schedule).unwrap());
        let run =
            runs.find(|run| run.taint.is_none()).unwrap_or_else(|| panic!("{schedule}: always tainted"));
        assert!(run.unreached.is_empty(), "{}", run.schedule);
        run
    }

    fn breaks(&self, run: &Run) -> Option<Broken> {
        judge::broken(&self.expectations, run).into_iter().min()
    }

    /// All schedules of one step, the simplest first: switches to all, switches to one thread or to the children, signals and timers; among those
    /// of one kind what is done at the entering of a call last, and then by their points, as the run without any step gets to them.
    fn singles(&mut self) -> Vec<Step> {
        let plain = self.run(&[]);
        let mut steps: Vec<(usize, Point, Action)> = Vec::new();
        let chosen = &self.scenario.explore.points;
        let chosen = |point: &Point| chosen.is_empty() || chosen.contains(&point.site);
        for reached in plain.reached.iter().filter(|reached| chosen(&reached.point)) {
            let others = reached.others.iter().cloned();
            for action in others.map(Target::To).map(Action::Switch) {
                steps.push((0, reached.point.clone(), Action::Switch(Target::All)));
                steps.push((1, reached.point.clone(), action));
            }
            if reached.others.iter().any(|other| other.descends_from(&reached.point.thread)) {
                steps.push((1, reached.point.clone(), Action::Switch(Target::Children)));
            }
            let process = reached.point.thread.process() == self.scenario.explore.send_to.process;
            let send = self.scenario.explore.send.iter().copied();
            let always = self.scenario.explore.always;
            let can = send.filter(|signal| process && (always || reached.receivable.contains(*signal)));
            steps.extend(can.map(|signal| (2, reached.point.clone(), Action::Send(signal))));
            let person = self.scenario.explore.person.iter();
            let may = person.filter(|act| meant(act, reached.acts));
            steps.extend(may.map(|act| (2, reached.point.clone(), act.clone())));
            steps.extend(reached.fires.then(|| (2, reached.point.clone(), Action::Fire)));
        }
        steps.sort_by_key(|(weight, point, _)| (*weight, matches!(point.site, Site::Entering(_))));
        steps.dedup();
        steps.into_iter().map(|(_, point, action)| Step::new(point, action)).collect()
    }

    /// A schedule of several steps breaks it, and no single step does, one of its own or another.
    fn needs_all(&mut self, breaks: Broken, minimal: &Schedule, name: &str) {
        let run = self.run(&minimal.steps);
        assert_eq!(self.breaks(&run), Some(breaks), "{name}: {minimal}");
        let singles = self.singles();
        assert!(singles.contains(&minimal.steps[0]), "{name}: {minimal}");
        for step in &singles {
            let run = self.run(std::slice::from_ref(step));
            assert_ne!(self.breaks(&run), Some(breaks), "{name}: {step}");
        }
    }

    fn is_minimal(&mut self, breaks: Broken, minimal: &Schedule, name: &str) {
        let [minimal] = minimal.steps.as_slice() else { return self.needs_all(breaks, minimal, name) };
        let disturbed = !self.scenario.explore.send.is_empty() || !self.scenario.explore.person.is_empty();
        let sends = |step: &Step| step.action.is_from_outside();
        let empty = self.run(&[]);
        let without = self.breaks(&empty);
        let singles = self.singles();
        let place = singles.iter().position(|step| step == minimal).expect("its step can be taken");
        if !disturbed {
            assert_eq!(without, None, "{name}: no step is enough");
        }
        for (index, step) in singles.iter().enumerate().take(place + 1) {
            // A run that is sent nothing asks another question if that alone breaks the same.
            if disturbed && !sends(step) && without == Some(breaks) {
                continue;
            }
            let run = self.run(std::slice::from_ref(step));
            assert_eq!(self.breaks(&run) == Some(breaks), index == place, "{name}: {step}");
        }
    }
}

#[test]
fn no_simpler_schedule_breaks_what_a_known_finding_breaks() {
    let slots = Slots::new().unwrap();
    let mut broken = 0;
    for (Case { scenario, name, .. }, launch) in all() {
        // The instructions that are points are not in the reference run: tests/code_points.rs.
        let at_code = |known: &Known| known.schedule.steps.iter().any(|step| matches!(step.at, Site::At(_)));
        if scenario.finds.is_empty() || scenario.finds.iter().any(at_code) {
            continue;
        }
        broken += 1;
        thread::scope(|scope| {
            let check = scope.spawn(|| {
                let slot = slots.take(Duration::from_secs(600), &Default::default()).unwrap();
                let always = scenario.explore.always;
                let plan = Plan { send: scenario.explore.send.clone(), always, ..Plan::default() };
                let clients = resolve::clients(&scenario.world().clients, &launch).unwrap();
                let world = (scenario.limits.clone(), scenario.world());
                let settings = suite::settings(launch, world, &plan, &Default::default());
                let mut supervisor = Supervisor::new(Settings { clients, ..settings }, slot.cpu).unwrap();
                let reference = explore::reference(&plan, &mut supervisor).unwrap();
                let expectations = Expectations::of_scenario(&scenario.expect, &reference.run).unwrap();
                let mut broke = Broke { supervisor, expectations, scenario: &scenario };
                for known in &scenario.finds {
                    broke.is_minimal(known.breaks, &known.schedule, &name);
                }
            });
            check.join().unwrap();
        });
    }
    assert_eq!(broken, 107);
}

#[test]
fn a_scenario_without_a_strategy_is_exhausted_for_one_step() {
    let scenario = store::read_scenario(&scenarios().join("sigchld/addjob_sound.ron")).unwrap();
    assert_eq!(scenario.explore.strategy, Strategy::defaults(200));
    let launch = resolve::scenario(&scenario, None, &scenarios().join("sigchld")).unwrap();
    let plan = Plan { strategies: Strategy::defaults(3), ..Plan::default() };
    let report = search(&launch, plan);
    assert!(report.runs > 3 && report.coverage.levels[0].exhausted(), "{:?}", report.coverage);
}
