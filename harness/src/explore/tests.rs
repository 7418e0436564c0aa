//! Tests of a whole search, over a model of a program.

use super::model::{Model, Place, exited, judge, place, point, schedule, send, switch};
use super::space::Space;
use super::*;
use crate::scenario::{Known, Strategy};
use crate::schedule::{Action, Schedule, Site, Step, Target};
use crate::supervise::{RunError, Supervise};
use crate::trace::{Broken, End, Run, Trace};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

pub(super) const SOUND: fn(&[Step]) -> End = |_| exited(0);

/// A model with one more point that only a step opens, which fails if a step is taken there; and the schedule that does.
pub(super) fn behind_a_step() -> (Model, Schedule) {
    let opener = switch("p0", "Before(write)", 5);
    let mut places = twenty();
    places.push(place("p0", "Before(unlink)", 1, &["p0.1"], &[]).after(opener.action.clone()));
    let late = switch("p0", "Before(unlink)", 1);
    let rule = [opener.clone(), late.clone()];
    let model = Model::new(places, move |steps| exited(i32::from(rule.iter().all(|step| has(steps, step)))));
    (model, schedule([opener, late]))
}

/// Twenty points of p0 and of its child, with two or three candidates at each where another could run.
pub(super) fn twenty() -> Vec<Place> {
    let mut places = vec![place("p0", "Before(getpid)", 1, &[], &[])];
    for nth in 1..=10 {
        places.push(place("p0", "Before(write)", nth, &["p0.1"], &[]));
        places.push(place("p0.1", "Before(read)", nth, &["p0"], &[]));
    }
    places
}

/// A server: starts, installs its handler, tests a flag, sleeps in accept; when the signal comes it goes on to exit.
pub(super) fn server(end: impl Fn(&[Step]) -> End + Send + Sync + 'static) -> Model {
    let term = Action::Send("TERM".parse().unwrap());
    let places = vec![
        place("p0", "Before(openat)", 1, &[], &[]),
        place("p0", "Before(listen)", 1, &[], &["TERM"]),
        place("p0", "Before(accept)", 1, &["p0.1"], &["TERM"]),
        place("p0", "In(accept)", 1, &["p0.1"], &["TERM"]),
        place("p0", "Before(close)", 1, &["p0.1"], &["TERM"]).after(term.clone()),
        place("p0", "Before(exit_group)", 1, &[], &[]).after(term),
    ];
    Model::new(places, end).quiet_at(point("p0", "In(accept)", 1))
}

/// The server's rule: idle when it was told nothing, hung when told just before it sleeps.
pub(super) fn lost_before_accept(steps: &[Step]) -> End {
    let sent = steps.iter().find(|step| matches!(step.action, Action::Send(_)));
    match sent {
        None => End::Idle(Vec::new()),
        Some(step) if step.point() == point("p0", "Before(accept)", 1) => End::Hang(Vec::new()),
        Some(_) => exited(0),
    }
}

pub(super) fn plan(runs: u64) -> Plan {
    Plan { strategies: vec![Strategy::Random { runs }], ..Plan::default() }
}

fn send_term(runs: u64) -> Plan {
    Plan { send: vec!["TERM".parse().unwrap()], ..plan(runs) }
}

pub(super) fn look(plan: &Plan, model: &Model) -> Report {
    look_and_cancel(plan, model, &(), &AtomicBool::new(false)).unwrap()
}

fn look_and_cancel(
    plan: &Plan,
    model: &Model,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Report, ExploreError> {
    let reference = reference(plan, &mut model.clone())?;
    search(plan, reference, &|_| Ok(model.clone()), &judge, progress, cancel)
}

pub(super) fn has(steps: &[Step], step: &Step) -> bool {
    steps.contains(step)
}

#[test]
fn a_race_of_one_step_in_forty_is_found_within_64_runs_by_every_seed() {
    let Step { at, thread, nth, .. } = switch("p0.1", "Before(read)", 7);
    let target = Step { at, thread, nth, action: Action::Switch(Target::To("p0".parse().unwrap())) };
    let bad = target.clone();
    let model = Model::new(twenty(), move |steps| exited(i32::from(has(steps, &bad))));
    for seed in 0..20 {
        let report = look(&Plan { seed, ..plan(64) }, &model);
        assert_eq!(report.coverage.switches, 40);
        assert_eq!(report.findings.len(), 1, "seed {seed}");
        assert_eq!(report.findings[0].schedule, schedule([target.clone()]), "seed {seed}");
        assert_eq!(report.findings[0].confirmed, 10);
        assert_eq!(report.verdict, Verdict::Fail);
    }
}

#[test]
fn a_sound_program_is_controlled_at_every_point_where_that_is_possible() {
    let report = look(&plan(2_000), &Model::new(twenty(), SOUND));
    assert_eq!((report.runs, report.verdict, report.extra_runs), (2_000, Verdict::Pass, 0));
    let Coverage { reached, open, taken, switches, switches_taken, .. } = report.coverage;
    assert_eq!((reached, open, taken, switches, switches_taken), (21, 20, 20, 40, 40));
    assert_eq!(report.outcomes.len(), 1);
    assert_eq!(report.outcomes[0].runs, 2_001);
}

#[test]
fn the_same_seed_makes_the_same_report_with_any_number_of_workers() {
    let rule = |steps: &[Step]| {
        let writes = steps.iter().filter(|step| step.thread.parent().is_none()).count();
        if writes == 2 { End::Hang(Vec::new()) } else { exited(i32::from(steps.len() == 3)) }
    };
    let report = |seed, jobs| look(&Plan { seed, jobs, ..plan(150) }, &Model::new(twenty(), rule));
    assert_eq!(report(7, 1), report(7, 4));
    assert!(!report(7, 1).findings.is_empty());
    assert_ne!(report(7, 1).outcomes, report(8, 1).outcomes);
}

#[test]
fn three_steps_are_shrunk_to_those_that_matter() {
    let needed = [switch("p0", "Before(write)", 4), switch("p0.1", "Before(read)", 6)];
    let rule = needed.clone();
    let model =
        Model::new(twenty(), move |steps| exited(i32::from(rule.iter().all(|step| has(steps, step)))));
    let more = [needed[1].clone(), switch("p0", "Before(write)", 1), needed[0].clone()];
    let report = look(&Plan::to_shrink(schedule(more)), &model);
    let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!(finding.schedule, schedule(needed));
    assert!(!finding.shrink_cut);
}

#[test]
fn the_earliest_point_and_the_simplest_action_that_fail_are_what_is_left() {
    let model = Model::new(twenty(), |steps| {
        exited(i32::from(steps.iter().any(|step| step.thread.parent().is_none() && step.nth >= 3)))
    });
    let to = Action::Switch(Target::To("p0.1".parse().unwrap()));
    let late = Step::new(point("p0", "Before(write)", 9), to);
    let report = look(&Plan::to_shrink(schedule([late])), &model);
    assert_eq!(report.findings[0].schedule, schedule([switch("p0", "Before(write)", 3)]));
}

#[test]
fn a_first_finding_is_shrunk_to_what_is_close_to_it() {
    // Every switch fails, but for the last two of p0.
    let model = Model::new(twenty(), |steps| {
        let late = |step: &Step| step.thread.parent().is_none() && step.nth >= 9;
        exited(i32::from(steps.iter().any(|step| !late(step))))
    });
    let shrunk = |stop: Stop, steps: &[Step]| {
        let model = model.clone();
        let before = model.runs.load(Ordering::Relaxed);
        let plan = Plan { stop, confirm: 1, ..Plan::to_shrink(schedule(steps.to_vec())) };
        let report = look(&plan, &model);
        (report.findings[0].schedule.clone(), model.runs.load(Ordering::Relaxed) - before)
    };
    // p0 comes first; but where it was seen it stays, as long as that is one step.
    let child = switch("p0.1", "Before(read)", 7);
    let alone = std::slice::from_ref(&child);
    assert_eq!(shrunk(Stop::Never, alone).0, schedule([switch("p0", "Before(write)", 1)]));
    assert_eq!(shrunk(Stop::FirstFinding, alone).0, schedule([child.clone()]));
    // Of two steps the one that fails is left, at the same point for all that could run there.
    let to = Action::Switch(Target::To("p0".parse().unwrap()));
    let one = Step::new(point("p0.1", "Before(read)", 1), to);
    let two = [switch("p0", "Before(write)", 9), one];
    let (least, runs) = shrunk(Stop::FirstFinding, &two);
    assert_eq!(least, schedule([switch("p0.1", "Before(read)", 1)]));
    assert!(runs < 10, "{runs} runs");
}

#[test]
fn a_first_finding_does_not_give_way_to_a_run_without_the_signal() {
    // Both break the same, but only in one the signal is sent.
    let bad = [switch("p0", "Before(accept)", 1), send("p0", "Before(close)", 1, "TERM")];
    let other = switch("p0", "In(accept)", 1);
    let model = server(move |steps| {
        let fails = steps.contains(&other) || bad.iter().all(|step| has(steps, step));
        if fails { exited(3) } else { lost_before_accept(steps) }
    });
    let bad = [switch("p0", "Before(accept)", 1), send("p0", "Before(close)", 1, "TERM")];
    let plan = Plan { fixed: vec![schedule(bad.clone())], stop: Stop::FirstFinding, ..send_term(0) };
    let report = look(&plan, &model);
    assert!(report.findings.iter().all(|finding| finding.schedule == schedule(bad.clone())));
}

#[test]
fn what_can_be_done_at_few_places_comes_first() {
    // The reference run sends the signal in accept; in the other call it is sent by a step alone.
    let mut places = vec![place("p0", "In(read)", 1, &["p0.1"], &["TERM"])];
    places.extend((1..=9).map(|nth| place("p0", "Before(accept)", nth, &["p0.1"], &["TERM"])));
    places.push(place("p0", "In(accept)", 1, &["p0.1"], &["TERM"]));
    let interrupted = send("p0", "In(read)", 1, "TERM");
    let rule = interrupted.clone();
    let model = Model::new(places, move |steps| exited(i32::from(has(steps, &rule))));
    let model = model.quiet_at(point("p0", "In(accept)", 1));
    for seed in 0..8 {
        let report = look(&Plan { seed, stop: Stop::FirstFinding, ..send_term(64) }, &model);
        let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
        assert_eq!((finding.first, &finding.schedule), (1, &schedule([interrupted.clone()])));
    }
}

#[test]
fn a_run_that_is_known_is_not_made_again() {
    let plan = send_term(1);
    let model = server(lost_before_accept);
    let made = reference(&plan, &mut model.clone()).unwrap();
    let runs = model.runs.swap(0, Ordering::Relaxed);
    let again = reference_after(made.plain.clone(), &plan, &mut model.clone()).unwrap();
    assert_eq!(again, made);
    assert_eq!(model.runs.load(Ordering::Relaxed), runs - 1);
}

#[test]
fn a_finding_does_not_shrink_into_another_one() {
    // One step makes it exit otherwise, two make it hang.
    let (one, two) = (switch("p0", "Before(write)", 2), switch("p0", "Before(write)", 3));
    let both = [one.clone(), two.clone()];
    let model = Model::new(twenty(), move |steps| match (has(steps, &one), has(steps, &two)) {
        (true, true) => End::Hang(Vec::new()),
        (true, false) => exited(1),
        _ => exited(0),
    });
    let report = look(&Plan::to_shrink(schedule(both.clone())), &model);
    let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!((finding.breaks, &finding.schedule), (Broken::Hang, &schedule(both)));
    assert_eq!(finding.also, [Broken::Zombies]);
}

#[test]
fn no_schedule_is_run_twice_in_shrinking_and_the_budget_is_kept() {
    let needed = [switch("p0", "Before(write)", 10), switch("p0.1", "Before(read)", 10)];
    let rule = needed.clone();
    let model =
        Model::new(twenty(), move |steps| exited(i32::from(rule.iter().all(|step| has(steps, step)))));
    let mut long: Vec<Step> = (1..=8).map(|nth| switch("p0", "Before(write)", nth)).collect();
    long.extend(needed.clone());
    let full = Plan { confirm: 1, ..Plan::to_shrink(schedule(long)) };
    let report = look(&full, &model);
    assert_eq!(report.findings[0].schedule, schedule(needed));
    // Reference, the schedule itself, shrinking, one confirmation.
    let runs = model.runs.load(Ordering::Relaxed);
    assert_eq!(runs, 3 + report.findings[0].shrink_runs);

    let report = look(&Plan { shrink_runs: 4, ..full.clone() }, &model);
    assert_eq!((report.findings[0].shrink_runs, report.findings[0].shrink_cut), (4, true));
    let report = look(&Plan { shrink: false, ..full.clone() }, &model);
    assert_eq!((report.findings[0].shrink_runs, report.findings[0].schedule.steps.len()), (0, 10));
}

#[test]
fn points_that_only_a_step_opens_are_explored_too() {
    let (model, both) = behind_a_step();
    let report = look(&Plan { stop: Stop::FirstFinding, ..plan(2_000) }, &model);
    assert_eq!(report.findings[0].schedule, both);
    assert_eq!((report.cut, report.coverage.discovered), (Some(Cut::FirstFinding), 1));
}

#[test]
fn a_search_ends_when_nothing_is_left_and_tries_nothing_twice() {
    // Four points, one of them behind a step; two switches at each.
    let (mut model, _) = behind_a_step();
    model.keep(|place| place.nth <= 1 || place.nth == 5);
    for seed in 0..8 {
        let report = look(&Plan { seed, shrink: false, ..plan(2_000) }, &model);
        assert_eq!((report.irregular, report.outcomes.len()), (0, 2), "seed {seed}");
        // As many as an exhaustive search finds.
        let strategies = vec![Strategy::Exhaustive { bound: 3, runs: None }];
        let all = look(&Plan { prune: false, shrink: false, strategies, ..Plan::default() }, &model);
        assert_eq!(report.runs, all.runs, "seed {seed}");
    }
    // A signal that comes once, and nobody else: as many runs as there are places for it.
    let mut alone = server(lost_before_accept);
    alone.run_alone();
    assert_eq!(look(&send_term(1_000), &alone).runs, 2);
}

#[test]
fn a_signal_is_sent_once_in_every_run_and_moves_but_does_not_vanish() {
    let report = look(&send_term(64), &server(lost_before_accept));
    let reference = &report.reference;
    assert_eq!(reference.schedule, schedule([send("p0", "In(accept)", 1, "TERM")]));
    assert!(reference.plain.is_some());
    let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!(finding.breaks, Broken::Hang);
    assert_eq!(finding.schedule, schedule([send("p0", "Before(accept)", 1, "TERM")]));
    // Sends at three points; switches at two, one of them reached only after the signal; `In` has none.
    let Coverage { reached, open, taken, sends, switches, .. } = report.coverage;
    assert_eq!((reached, open, taken, sends, switches), (6, 4, 4, 3, 4));
}

#[test]
fn a_signal_that_does_not_matter_is_left_out() {
    let late = switch("p0", "Before(accept)", 1);
    let bad = late.clone();
    let model = server(move |steps| if has(steps, &bad) { exited(3) } else { lost_before_accept(steps) });
    let report = look(&send_term(64), &model);
    let exits: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.breaks == Broken::Exit).collect();
    let [finding] = exits.as_slice() else { panic!("{exits:?}") };
    assert_eq!(finding.schedule, schedule([late]));
}

#[test]
fn a_run_in_which_the_signal_had_no_chance_is_no_finding() {
    // The program never gets to `accept` when another runs first at `listen`: no signal, so it idles.
    let mut places = vec![place("p0", "Before(listen)", 1, &["p0.1"], &[])];
    let to = Action::Switch(Target::To("p0.1".parse().unwrap()));
    places.push(place("p0", "In(accept)", 1, &["p0.1"], &["TERM"]).after(to));
    let rule = |steps: &[Step]| {
        let sent = steps.iter().any(|step| matches!(step.action, Action::Send(_)));
        if sent { exited(0) } else { End::Idle(Vec::new()) }
    };
    let model = Model::new(places, rule).quiet_at(point("p0", "In(accept)", 1));
    let report = look(&send_term(40), &model);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(report.unstable.is_empty());
}

#[test]
fn several_signals_are_sent_in_their_order() {
    let mut plan = plan(0);
    plan.send = ["HUP", "TERM", "HUP"].iter().map(|name| name.parse().unwrap()).collect();
    let reference = reference(&plan, &mut server(lost_before_accept)).unwrap();
    let home =
        [send("p0", "In(accept)", 1, "HUP"), send("p0", "Quiet", 1, "TERM"), send("p0", "Quiet", 2, "HUP")];
    assert_eq!(reference.schedule, schedule(home));
}

#[test]
fn what_is_left_at_home_does_not_wait_for_a_moment_that_another_signal_was_to_bring() {
    let mut plan = plan(0);
    plan.send = ["HUP", "TERM", "HUP"].iter().map(|name| name.parse().unwrap()).collect();
    let space = Space::new(&plan, &reference(&plan, &mut server(lost_before_accept)).unwrap());
    let (first, term) = (send("p0", "In(accept)", 1, "HUP"), |nth| send("p0", "Quiet", nth, "TERM"));
    let again = |nth| send("p0", "Quiet", nth, "HUP");
    let left = |steps: &[Step], withheld: &[Action]| space.left_at_home(steps, withheld);
    assert_eq!(left(&[], &[]), [first.clone(), term(1), again(2)]);
    // Of the two alike the later one is moved, unless it is the first itself that stays.
    assert_eq!(left(&[send("p0", "Before(listen)", 1, "HUP")], &[]), [first.clone(), term(1)]);
    assert_eq!(left(std::slice::from_ref(&first), &[]), [term(1), again(2)]);
    assert_eq!(left(&[send("p0", "Before(listen)", 1, "TERM")], &[]), [first.clone(), again(1)]);
    assert_eq!(left(&[], &[term(1).action]), [first, again(1)]);
}

#[test]
fn a_reference_that_never_sleeps_and_never_ends_is_an_error() {
    let mut endless = Model::new(twenty(), |_| End::Spinning("200000 points".to_owned()));
    let error = reference(&plan(1), &mut endless).unwrap_err();
    assert!(matches!(&error, ExploreError::NeverQuiet(why) if why == "200000 points"), "{error}");

    let mut elsewhere = server(lost_before_accept);
    let error =
        reference(&Plan { send_to: "p0.3".parse().unwrap(), ..send_term(1) }, &mut elsewhere).unwrap_err();
    assert!(error.to_string().contains("p0 in accept"), "{error}");
}

#[test]
fn a_program_that_ends_without_sleeping_is_its_own_reference() {
    let mut model = server(SOUND).quiet_nowhere();
    let reference = reference(&send_term(1), &mut model).unwrap();
    assert_eq!((reference.schedule, reference.plain), (Schedule::empty(), None));
}

#[test]
fn only_the_wanted_kinds_of_points_are_used() {
    let sites: Vec<Site> = vec![point("p0", "Before(read)", 1).site];
    let report = look(&Plan { points: sites, ..plan(100) }, &Model::new(twenty(), SOUND));
    assert_eq!((report.coverage.open, report.coverage.taken), (10, 10));
}

#[test]
fn nothing_controlled_is_never_a_pass() {
    let alone = Model::new(vec![place("p0", "Before(write)", 1, &[], &[])], SOUND);
    let report = look(&plan(100), &alone);
    assert_eq!((report.verdict, report.runs), (Verdict::Unreached, 0));
    // A signal that the program takes nowhere.
    let report = look(&Plan { send: vec!["HUP".parse().unwrap()], ..plan(20) }, &server(SOUND));
    assert_eq!((report.verdict, report.signals_unsent), (Verdict::Unreached, 1));
}

#[test]
fn a_baseline_that_fails_is_one_finding_without_any_step() {
    let report = look(&plan(50), &Model::new(twenty(), |_| exited(1)));
    let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!((&finding.schedule, finding.first, finding.runs), (&Schedule::empty(), 0, 51));
}

#[test]
fn another_worker_comes_in_where_the_work_lasts() {
    // The first run with a step goes on only when there is one beside it.
    let both = Arc::new((Mutex::new(0), Condvar::new()));
    let shared = Arc::clone(&both);
    let model = Model::new(twenty(), move |steps| {
        let (inside, changed) = &*shared;
        if !steps.is_empty() {
            let mut inside = inside.lock().unwrap();
            *inside += 1;
            changed.notify_all();
            drop(changed.wait_while(inside, |inside| *inside < 2).unwrap());
        }
        exited(0)
    });
    let report = look(&Plan { jobs: 2, ..plan(20) }, &model);
    assert_eq!((report.runs, report.verdict, *both.0.lock().unwrap()), (20, Verdict::Pass, 20));
}

#[test]
fn what_does_not_repeat_itself_is_unstable_and_no_finding() {
    let bad = switch("p0", "Before(write)", 3);
    let mut model = Model::new(twenty(), move |steps| exited(i32::from(has(steps, &bad))));
    model.stray_every = 3;
    let report = look(&plan(64), &model);
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Unstable, 0));
    let unstable = &report.unstable[0];
    assert!(unstable.differs.is_some() && unstable.other.is_some(), "{}", unstable.why);

    // The same schedule fails only sometimes.
    let count = AtomicU64::new(0);
    let bad = switch("p0", "Before(write)", 3);
    let flaky = Model::new(twenty(), move |steps| {
        let failed = has(steps, &bad) && count.fetch_add(1, Ordering::Relaxed) == 0;
        exited(i32::from(failed))
    });
    let report = look(&plan(64), &flaky);
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Unstable, 0));
    assert!(report.unstable[0].why.contains("nothing"), "{}", report.unstable[0].why);
}

#[test]
fn a_tainted_run_is_made_again_and_never_a_finding() {
    let bad = switch("p0", "Before(write)", 3);
    let rule = move |steps: &[Step]| exited(i32::from(has(steps, &bad)));
    let mut model = Model::new(twenty(), rule.clone());
    model.taint_every = 2;
    let report = look(&plan(64), &model);
    assert_eq!((report.findings.len(), report.unstable.len()), (1, 0));
    assert!(report.tainted > 0);

    let mut hopeless = Model::new(twenty(), rule);
    hopeless.taint_every = 1;
    let report = look(&plan(64), &hopeless);
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Unstable, 0));
}

#[test]
fn a_run_that_came_to_no_code_point_is_made_once_more() {
    let here = send("p0", "At(\"insert\")", 1, "TERM");
    let there = [place("p0", "At(\"insert\")", 1, &[], &["TERM"])];
    // A breakpoint that is missed for `lost` runs.
    let attempts = |lost: u64, step: &Step| {
        let (mut without, mut with) =
            (Model::new(vec![], |_| exited(0)), Model::new(there.to_vec(), |_| exited(0)));
        let mut runs = 0;
        let made = super::crew::attempt_by(|| {
            runs += 1;
            let model = if runs <= lost { &mut without } else { &mut with };
            Ok((model.run(&schedule([step.clone()]))?, ()))
        });
        (runs, made.unwrap().0.run.unreached.len())
    };
    assert_eq!(attempts(0, &here), (1, 0));
    assert_eq!(attempts(1, &here), (2, 0));
    assert_eq!(attempts(9, &here), (2, 1));
    // A call is never missed.
    assert_eq!(attempts(9, &send("p0", "Before(read)", 1, "TERM")), (1, 1));
}

#[test]
fn an_interrupt_reports_what_was_found_so_far() {
    struct After<'a>(u64, &'a AtomicBool);
    impl Progress for After<'_> {
        fn at(&self, standing: &Standing) {
            self.1.store(standing.runs >= self.0, Ordering::Relaxed);
        }
    }
    let model = Model::new(twenty(), |steps| exited(i32::from(!steps.is_empty())));
    let cancel = AtomicBool::new(false);
    let report = look_and_cancel(&plan(1_000), &model, &After(40, &cancel), &cancel).unwrap();
    assert_eq!((report.cut, report.findings.len()), (Some(Cut::Interrupted), 1));
    assert!((40..100).contains(&report.runs), "{}", report.runs);

    let sound = Model::new(twenty(), SOUND);
    let cancel = AtomicBool::new(false);
    let report = look_and_cancel(&plan(1_000), &sound, &After(40, &cancel), &cancel).unwrap();
    assert_eq!(report.verdict, Verdict::Unreached);
}

#[test]
fn an_interrupted_confirmation_leaves_the_failing_run() {
    struct AtConfirming<'a>(&'a AtomicBool);
    impl Progress for AtConfirming<'_> {
        fn at(&self, standing: &Standing) {
            self.0.store(standing.doing == Doing::Confirming, Ordering::Relaxed);
        }
    }
    let model = Model::new(twenty(), |steps| exited(i32::from(!steps.is_empty())));
    let cancel = AtomicBool::new(false);
    let report = look_and_cancel(&plan(100), &model, &AtConfirming(&cancel), &cancel).unwrap();
    assert!(matches!(report.unfinished, Some((Broken::Exit, _))));
    assert_eq!((report.findings.len(), report.verdict), (0, Verdict::Unreached));
}

#[test]
fn an_error_says_what_was_being_done() {
    let mut model = Model::new(twenty(), SOUND);
    model.error_at = Some((5, RunError::Unsupported("no user namespaces".to_owned())));
    let error = look_and_cancel(&plan(64), &model, &(), &AtomicBool::new(false)).unwrap_err();
    assert!(error.to_string().starts_with("trying (p"), "{error}");
    assert_eq!(error.verdict(), Some(Verdict::Unsupported));

    let panics = |_| -> Result<Model, RunError> { panic!("no such thing") };
    let reference = reference(&plan(1), &mut model).unwrap();
    let error = search(&plan(1), reference, &panics, &judge, &(), &AtomicBool::new(false)).unwrap_err();
    assert!(error.to_string().contains("no such thing"), "{error}");
}

#[test]
fn exactly_the_known_findings_are_a_pass() {
    let bad = switch("p0", "Before(write)", 3);
    let known = Known { breaks: Broken::Exit, schedule: schedule([bad.clone()]) };
    let other = Known { breaks: Broken::Hang, schedule: known.schedule.clone() };
    let model = Model::new(twenty(), move |steps| exited(i32::from(has(steps, &bad))));
    let report = look(&plan(64), &model);
    assert_eq!(report.against(std::slice::from_ref(&known)), Verdict::Pass);
    assert_eq!(report.against(&[known.clone(), other.clone()]), Verdict::Fail);
    assert_eq!(report.against(&[other]), Verdict::Fail);
    let early = Plan { stop: Stop::KnownFound, known: vec![known.clone()], ..plan(1_000) };
    let report = look(&early, &model);
    assert_eq!((report.cut, report.against(&early.known)), (Some(Cut::KnownFound), Verdict::Pass));
    assert!(report.runs <= 64);
}

#[test]
fn of_two_pairs_that_break_the_same_the_simpler_is_the_finding() {
    let pair =
        |write, read| schedule([switch("p0", "Before(write)", write), switch("p0.1", "Before(read)", read)]);
    let model = Model::new(twenty(), move |steps| {
        let taken = |pair: Schedule| pair.steps.iter().all(|step| has(steps, step));
        exited(i32::from(taken(pair(2, 9)) || taken(pair(8, 3))))
    });
    let found = |plan: &Plan| {
        let report = look(plan, &model);
        let findings = report.findings.iter().map(|found| (found.schedule.clone(), found.first, found.runs));
        findings.collect::<Vec<_>>()
    };
    let in_order = |pair: Schedule| schedule(pair.steps.into_iter().rev());
    // Alone, it is a local minimum; a simpler one that is known, or is found later, takes its place.
    let alone = Plan::to_shrink(pair(8, 3));
    assert_eq!(found(&alone), [(in_order(pair(8, 3)), 1, 1)]);
    let known = vec![Known { breaks: Broken::Exit, schedule: pair(2, 9) }];
    assert_eq!(found(&Plan { known, ..alone.clone() }), [(pair(2, 9), 1, 1)]);
    assert_eq!(found(&Plan { fixed: vec![pair(8, 3), pair(2, 9)], ..alone.clone() }), [(pair(2, 9), 1, 2)]);
    assert_eq!(found(&Plan { fixed: vec![pair(2, 9), pair(8, 3)], ..alone }), [(pair(2, 9), 1, 2)]);
}

#[test]
fn a_replay_follows_its_recording_or_says_where_it_left_it() {
    let mut model = server(lost_before_accept);
    let early = send("p0", "Before(accept)", 1, "TERM");
    let run = model.run(&schedule([early.clone()])).unwrap();
    let trace = recording(&run);
    assert_eq!(replay(&mut model, &trace).unwrap(), (Replay::Followed, run));

    let tampered = [
        schedule([]),
        schedule([send("p0", "Before(listen)", 1, "TERM")]),
        schedule([send("p0", "Before(accept)", 1, "HUP")]),
        schedule([early.clone(), switch("p0", "Before(accept)", 1)]),
        schedule([early, switch("p0", "Before(accept)", 9)]),
    ];
    for schedule in tampered {
        let trace = Trace { schedule, ..trace.clone() };
        let (replay, _) = replay(&mut model, &trace).unwrap();
        assert!(matches!(replay, Replay::Diverged { .. }), "{}: {replay:?}", trace.schedule);
    }
    let mut otherwise = trace.clone();
    otherwise.outcome.end = exited(1);
    assert_eq!(replay(&mut model, &otherwise).unwrap().0, Replay::EndedOtherwise);
    model.taint_every = 1;
    assert!(matches!(replay(&mut model, &trace).unwrap().0, Replay::Tainted(_)));
}

fn recording(run: &Run) -> Trace {
    let launch = crate::program::Launch {
        file: "/bin/server".into(),
        argv: vec![],
        env: Default::default(),
        cwd: "/".into(),
        stdin: None,
        source: None,
        build: None,
    };
    Trace {
        sigrace: String::new(),
        kernel: String::new(),
        arch: String::new(),
        launch,
        digest: String::new(),
        seed: 0,
        limits: Default::default(),
        world: Default::default(),
        shared: vec![],
        always: false,
        breaks: vec![],
        search: None,
        schedule: run.schedule.clone(),
        events: run.events.to_vec(),
        outcome: run.outcome.clone(),
        places: vec![],
        seen: Default::default(),
        reference: None,
    }
}
