//! Tests of exhaustive search, over a model of a program.

use super::super::model::{Model, exited, judge, place, point, schedule, send, switch};
use super::super::tests::{SOUND, behind_a_step, has, look, lost_before_accept, plan, server, twenty};
use super::super::*;
use super::{Exhaustive, Space};
use crate::scenario::Strategy;
use crate::schedule::{Action, Point, Schedule, Site, Step, Target};
use crate::signal::Signal;
use crate::supervise::{RunError, Supervise};
use crate::trace::{Acts, Broken, End, Run};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

fn exhaust(bound: u32) -> Plan {
    Plan { strategies: vec![Strategy::Exhaustive { bound, runs: None }], ..Plan::default() }
}

fn counted(report: &Report) -> Vec<(u32, u64, u64, u64)> {
    let levels = report.coverage.levels.iter();
    levels.map(|level| (level.steps, level.all, level.covered(), level.missing())).collect()
}

#[test]
fn exhausting_tries_each_schedule_once_in_every_number_of_steps() {
    // Each switch to all is a single other's turn that ends at once, so pruning would leave out its twin.
    let model = Model::new(twenty(), SOUND);
    let report = look(&Plan { prune: false, ..exhaust(1) }, &model);
    assert_eq!((report.runs, counted(&report)), (40, vec![(1, 40, 40, 0)]));
    // Two points out of twenty, two ways at each.
    let report = look(&Plan { prune: false, ..exhaust(2) }, &model);
    assert_eq!((report.runs, counted(&report)), (40 + 190 * 4, vec![(1, 40, 40, 0), (2, 760, 760, 0)]));
    assert!(report.coverage.levels.iter().all(Level::exhausted));
    assert_eq!((report.cut, report.irregular), (None, 0));
}

#[test]
fn what_was_tried_before_is_not_exhausted_again() {
    let random_first = Plan { prune: false, strategies: Strategy::defaults(64), ..Plan::default() };
    let report = look(&random_first, &Model::new(twenty(), SOUND));
    assert_eq!((report.runs, counted(&report)), (64, vec![(1, 40, 40, 0)]));
    let few = Plan { strategies: Strategy::defaults(16), ..random_first };
    let report = look(&few, &Model::new(twenty(), SOUND));
    assert_eq!(counted(&report), vec![(1, 40, 40, 0)]);
    assert_eq!(
        report.runs, 40,
        "all of the first 16 take one step: longer ones are made from what those show"
    );
}

#[test]
fn what_a_step_opens_is_exhausted_behind_it() {
    let (model, both) = behind_a_step();
    let report = look(&exhaust(2), &model);
    let found: Vec<_> = report.findings.iter().map(|found| found.schedule.clone()).collect();
    assert_eq!(found, [both]);
    assert!(look(&exhaust(1), &model).findings.is_empty());
}

#[test]
fn a_budget_that_is_used_up_says_what_is_missing() {
    let model = Model::new(twenty(), SOUND);
    let given = |runs| Plan { runs: Some(runs), prune: false, ..exhaust(2) };
    let report = look(&given(25), &model);
    assert_eq!((report.runs, report.cut), (25, Some(Cut::Runs)));
    let [one, two] = report.coverage.levels.as_slice() else { panic!("{:?}", report.coverage.levels) };
    assert_eq!((one.missing(), one.open), (15, false));
    assert!(two.open && !two.exhausted());
    assert_eq!(look(&given(800), &model).cut, None);

    let report = look(&plan(20), &model);
    assert_eq!((counted(&report), report.cut), (vec![(1, 40, 20, 20)], None));
}

#[test]
fn exhausting_gives_the_same_report_with_any_number_of_workers() {
    let rule = |steps: &[Step]| exited(i32::from(steps.iter().filter(|step| step.nth == 4).count() == 2));
    let report = |jobs| look(&Plan { jobs, ..exhaust(2) }, &Model::new(twenty(), rule));
    assert_eq!(report(1), report(4));
    assert_eq!(report(1).findings.len(), 1);
}

#[test]
fn a_signal_is_exhausted_at_every_point_and_sent_once() {
    let plan = Plan { send: vec!["TERM".parse().unwrap()], prune: false, ..exhaust(2) };
    let report = look(&plan, &server(lost_before_accept));
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].schedule, schedule([send("p0", "Before(accept)", 1, "TERM")]));
    let once = |seen: &Seen| {
        let sends = seen.example.steps.iter().filter(|step| matches!(step.action, Action::Send(_)));
        sends.count() == 1
    };
    assert!(report.outcomes.iter().all(once));
    let one = look(&Plan { strategies: exhaust(1).strategies, ..plan.clone() }, &server(lost_before_accept));
    let by_chance = look(
        &Plan { strategies: super::super::tests::plan(200).strategies, ..plan },
        &server(lost_before_accept),
    );
    assert_eq!(counted(&one), counted(&by_chance));
}

#[test]
fn a_timer_runs_out_at_every_point_where_one_is_armed_and_before_a_switch_there() {
    let fire = |site| Step::new(point("p0", site, 1), Action::Fire);
    let places = || {
        vec![
            place("p0", "Before(getpid)", 1, &["p0.1"], &[]),
            place("p0", "Before(alarm)", 1, &[], &[]).with_timer(),
            place("p0", "Before(write)", 1, &["p0.1"], &[]).with_timer(),
        ]
    };
    let needed = fire("Before(write)");
    let rule = move |steps: &[Step]| exited(i32::from(has(steps, &needed)));
    for plan in [exhaust(1), plan(50), Plan { prune: false, ..exhaust(2) }] {
        let report = look(&plan, &Model::new(places(), rule.clone()));
        let found: Vec<_> = report.findings.iter().map(|found| found.schedule.clone()).collect();
        assert_eq!(found, [schedule([fire("Before(write)")])]);
        assert_eq!((report.coverage.fires, report.coverage.fires_taken), (2, 2));
    }
    let both = [fire("Before(write)"), switch("p0", "Before(write)", 1)];
    let needed = both.clone();
    let model =
        Model::new(places(), move |steps| exited(i32::from(needed.iter().all(|step| has(steps, step)))));
    let report = look(&exhaust(2), &model);
    assert_eq!(
        report.findings.iter().map(|found| found.schedule.clone()).collect::<Vec<_>>(),
        [schedule(both)]
    );
}

#[test]
fn what_a_person_may_do_is_tried_where_it_means_something_and_each_once() {
    let typed = |site| Step::new(point("p0", site, 1), Action::Type("^C".parse().unwrap()));
    let places = vec![
        place("p0", "Before(getpid)", 1, &[], &[]),
        place("p0", "Before(ioctl)", 1, &[], &[]).with_acts(Acts::INTERRUPT),
        place("p0", "Before(write)", 1, &[], &[]).with_acts(Acts::INTERRUPT).with_acts(Acts::RESIZE),
        place("p0", "At(\"draw\")", 1, &[], &[]).with_acts(Acts::INTERRUPT),
    ];
    let may = vec![typed("Before(write)").action, Action::Resize(40, 12), Action::HangUp];
    for (bound, all) in [(1, vec![3]), (2, vec![3, 3])] {
        let needed = typed("Before(write)");
        let model = Model::new(places.clone(), move |steps| exited(i32::from(has(steps, &needed))));
        let report = look(&Plan { may: may.clone(), ..exhaust(bound) }, &model);
        let found: Vec<_> = report.findings.iter().map(|found| found.schedule.clone()).collect();
        assert_eq!(found, [schedule([typed("Before(write)")])]);
        // A pair has two different acts: ^C before ioctl or write, and the size; where both are at one point, in either order.
        assert_eq!(report.coverage.levels.iter().map(|level| level.all).collect::<Vec<_>>(), all);
        assert_eq!(report.signals_unsent, 0, "a hang-up that nobody asked for is not missed");
    }
}

#[test]
fn a_signal_can_come_later_than_where_it_is_sent_by_default() {
    // The program sleeps with a timeout, goes on, and is vulnerable only then, and only after a switch before.
    let places = vec![
        place("p0", "Before(write)", 1, &["p0.1"], &["TERM"]),
        place("p0", "In(ppoll)", 1, &[], &["TERM"]),
        place("p0", "Before(close)", 1, &[], &["TERM"]),
    ];
    let needed = [switch("p0", "Before(write)", 1), send("p0", "Before(close)", 1, "TERM")];
    let rule = needed.clone();
    let model = Model::new(places, move |steps| exited(i32::from(rule.iter().all(|step| has(steps, step)))))
        .quiet_at(point("p0", "In(ppoll)", 1));
    let report = look(&Plan { send: vec!["TERM".parse().unwrap()], ..exhaust(2) }, &model);
    assert_eq!(report.findings.iter().map(|found| &found.schedule).collect::<Vec<_>>(), [&schedule(needed)]);
}

#[test]
fn verifying_makes_every_run_twice_and_doubts_what_differs() {
    let model = Model::new(twenty(), SOUND);
    let report = look(&Plan { verify: true, prune: false, ..exhaust(1) }, &model);
    assert_eq!((report.verdict, report.verified, report.extra_runs), (Verdict::Pass, 41, 41));
    assert_eq!(model.runs.load(Ordering::Relaxed), 82);

    let mut model = Model::new(twenty(), SOUND);
    model.stray_every = 7;
    let report = look(&Plan { verify: true, ..exhaust(1) }, &model);
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Unstable, 0));
    assert!(report.unstable.iter().all(|unstable| unstable.differs.is_some() && unstable.other.is_some()));
}

#[test]
fn all_findings_are_collected_and_the_most_telling_comes_first() {
    let steps = [2, 5, 8].map(|nth| switch("p0", "Before(write)", nth));
    let rule = steps.clone();
    let model = Model::new(twenty(), move |taken| match rule.each_ref().map(|step| has(taken, step)) {
        [_, _, true] => End::Hang(Vec::new()),
        [true, ..] => exited(1),
        [_, true, _] => End::Idle(Vec::new()),
        _ => exited(0),
    });
    let report = look(&exhaust(1), &model);
    let found: Vec<_> = report.findings.iter().map(|found| (found.breaks, &found.schedule)).collect();
    let [two, five, eight] = steps.map(|step| schedule([step]));
    assert_eq!(found, [(Broken::Hang, &eight), (Broken::Idle, &five), (Broken::Exit, &two)]);
    let first = look(&Plan { stop: Stop::FirstFinding, ..exhaust(1) }, &model);
    assert_eq!((first.findings.len(), first.cut), (1, Some(Cut::FirstFinding)));
}

/// A model that remembers what it was asked to run.
struct Recorder<'a>(Model, &'a Mutex<HashSet<Vec<Step>>>);

impl Supervise for Recorder<'_> {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        self.1.lock().unwrap().insert(by_point(&schedule.steps));
        self.0.run(schedule)
    }
}

/// Only at one point does the order of steps matter.
fn by_point(steps: &[Step]) -> Vec<Step> {
    let mut steps = steps.to_vec();
    steps.sort_by_key(Step::point);
    steps
}

/// Every way to put each of these signals to one of these points, in every order.
fn placed(signals: &[Signal], points: &[Point]) -> Vec<Vec<Step>> {
    let Some((signal, rest)) = signals.split_first() else { return vec![vec![]] };
    let mut all = Vec::new();
    for steps in placed(rest, points) {
        for point in points {
            for at in 0..=steps.len() {
                let mut steps = steps.clone();
                steps.insert(at, Step::new(point.clone(), Action::Send(*signal)));
                all.push(steps);
            }
        }
    }
    all
}

#[test]
fn exhausting_tries_just_what_is_possible() {
    let hup = Action::Send("HUP".parse().unwrap());
    let places = vec![
        place("p0", "Before(write)", 1, &["p0.1"], &["TERM"]),
        place("p0.1", "Before(read)", 1, &["p0"], &[]),
        place("p0", "In(ppoll)", 1, &[], &["TERM", "HUP"]),
        place("p0", "Quiet", 1, &[], &["TERM", "HUP"]),
        place("p0", "Quiet", 2, &[], &["TERM", "HUP"]),
        place("p0", "Before(close)", 1, &["p0.1", "p0.2"], &["TERM", "HUP"]).after(hup),
        place("p0", "Before(unlink)", 1, &[], &["HUP"]).after(Action::Switch(Target::All)),
        place("p0", "In(ppoll)", 2, &[], &["TERM", "HUP"]),
    ];
    let points: Vec<Point> = ["Before(write)", "In(ppoll)", "Before(close)", "Before(unlink)"]
        .map(|site| point("p0", site, 1))
        .into_iter()
        .chain([point("p0", "In(ppoll)", 2)])
        .collect();
    let switches = ["p0.1", "p0.2"].map(|name| Target::To(name.parse().unwrap()));
    let switches = [switches.as_slice(), &[Target::All, Target::To("p0".parse().unwrap())]].concat();
    let mut switches: Vec<Step> = points
        .iter()
        .chain([&point("p0.1", "Before(read)", 1)])
        .flat_map(|point| switches.iter().map(|to| Step::new(point.clone(), Action::Switch(to.clone()))))
        .collect();
    switches.retain(|step| !matches!(step.at, Site::In(_)));
    let quiet = [1, 2].map(|nth| point("p0", "Quiet", nth));

    for signals in [&[][..], &["TERM"], &["HUP"], &["TERM", "HUP"], &["HUP", "HUP"]] {
        let signals: Vec<Signal> = signals.iter().map(|name| name.parse().unwrap()).collect();
        let model = Model::new(places.clone(), SOUND).quiet_at(point("p0", "In(ppoll)", 1));
        let plan = Plan { send: signals.clone(), prune: false, ..exhaust(2) };
        let asked = Mutex::new(HashSet::new());
        let reference = reference(&plan, &mut model.clone()).unwrap();
        let home = reference.schedule.clone();
        // When everything sleeps a signal is sent only where the reference run sends one.
        let quiet = quiet.iter().filter(|quiet| home.steps.iter().any(|step| step.point() == **quiet));
        let points: Vec<Point> = points.iter().chain(quiet).cloned().collect();
        let recorder = |_| Ok(Recorder(model.clone(), &asked));
        let report = search(&plan, reference, &recorder, &judge, &(), &AtomicBool::new(false)).unwrap();

        let mut possible = HashSet::new();
        let no_switch = [vec![]].into_iter().chain(switches.iter().map(|one| vec![one.clone()]));
        let two = switches.iter().flat_map(|one| switches.iter().map(|two| vec![one.clone(), two.clone()]));
        for switched in no_switch.chain(two.filter(|pair| pair[0].point() < pair[1].point())) {
            for sent in placed(&signals, &points) {
                // A signal that is pending is not queued again.
                if sent.iter().collect::<HashSet<_>>().len() < sent.len() {
                    continue;
                }
                let away = sent.iter().filter(|step| !home.steps.contains(step)).count();
                // At one point what is done at home comes first; the other way round, that is moved too.
                let mut first = sent.clone();
                let at_home = |step: &Step| home.steps.iter().position(|other| other == step);
                first.sort_by_key(|step| at_home(step).unwrap_or(usize::MAX));
                let swapped = by_point(&sent) != by_point(&first);
                // Of the same signal twice it is the later one that is moved.
                let instead = |step: &&Step| {
                    let same = home.steps.iter().filter(|other| other.action == step.action);
                    let kept = same.clone().filter(|other| sent.contains(other)).count();
                    sent.contains(step) && same.take_while(|other| other != step).count() >= kept
                };
                let moved = away + usize::from(swapped);
                if home.steps.iter().any(|step| instead(&step)) {
                    continue;
                }
                if moved + switched.len() > 2 {
                    continue;
                }
                // Signals come before the switch at their point.
                let steps = by_point(&[sent, switched.clone()].concat());
                let run = model.clone().run(&schedule(steps.clone())).unwrap();
                if run.unreached.is_empty() {
                    possible.insert(steps);
                }
            }
        }
        possible.remove(&by_point(&home.steps));
        let mut asked = asked.into_inner().unwrap();
        let sends =
            |steps: &[Step]| steps.iter().filter(|step| matches!(step.action, Action::Send(_))).count();
        // Without the probes, and without those in which a signal's point at home never came.
        asked.retain(|steps| {
            let run = model.clone().run(&schedule(steps.clone())).unwrap();
            sends(steps) == signals.len() && run.unreached.is_empty()
        });
        let told = |set: &HashSet<Vec<Step>>, other: &HashSet<Vec<Step>>| {
            let only = set.difference(other).map(|steps| schedule(steps.clone()).to_string());
            let mut only: Vec<_> = only.collect();
            only.sort();
            only
        };
        assert_eq!(told(&possible, &asked), [""; 0], "possible, not tried, with {signals:?}");
        assert_eq!(told(&asked, &possible), [""; 0], "tried, not possible, with {signals:?}");
        assert!(asked.len() >= 8 && report.coverage.levels.iter().all(Level::exhausted));
    }
}

/// What the parts of a search come to together must be what the whole comes to.
fn parts_are_the_whole(plan: &Plan, model: &Model, of: u64) {
    let whole = look(plan, model);
    let parts: Vec<Report> = (1..=of)
        .map(|part| look(&Plan { part: Some(Partition { part, of }), ..plan.clone() }, model))
        .collect();
    assert_eq!(parts.iter().map(|part| part.runs).sum::<u64>(), whole.runs);
    for (index, level) in whole.coverage.levels.iter().enumerate() {
        let sum = |what: fn(&Level) -> u64| parts.iter().map(|part| what(&part.coverage.levels[index])).sum();
        let (all, run, same) = (sum(|level| level.all), sum(|level| level.run), sum(|level| level.same));
        assert_eq!(Level { steps: level.steps, all, run, same, open: false }, *level, "{of} parts");
    }
    // The reference run is made by each, and a failing one of more steps is explained by one of fewer.
    let seen = |report: &Report| -> HashSet<String> {
        report.outcomes.iter().map(|seen| format!("{:?}", seen.outcome)).collect()
    };
    let found = |report: &Report| -> HashSet<(Broken, Vec<Step>)> {
        let each = report.findings.iter().map(|found| (found.breaks, by_point(&found.schedule.steps)));
        each.collect()
    };
    assert_eq!(parts.iter().flat_map(seen).collect::<HashSet<_>>(), seen(&whole));
    assert_eq!(parts.iter().flat_map(found).collect::<HashSet<_>>(), found(&whole));
    let failing = parts.iter().map(|part| part.failing).sum::<u64>();
    assert_eq!(failing, whole.failing);
    assert!(of < 2 || parts.iter().all(|part| part.runs < whole.runs), "everything is in one part");
}

#[test]
fn the_parts_of_a_search_are_the_whole_search() {
    let term = Plan { send: vec!["TERM".parse().unwrap()], ..exhaust(2) };
    let rule = |steps: &[Step]| match steps.iter().filter(|step| step.nth == 4).count() {
        2 => End::Hang(Vec::new()),
        count => exited(i32::from(count == 1 && steps.iter().any(|step| step.nth == 9))),
    };
    let (opening, _) = behind_a_step();
    parts_are_the_whole(&exhaust(2), &Model::new(twenty(), rule), 3);
    for of in 1..=4 {
        parts_are_the_whole(&exhaust(1), &Model::new(twenty(), rule), of);
        parts_are_the_whole(&term, &server(lost_before_accept), of);
    }
    parts_are_the_whole(&Plan { prune: false, ..exhaust(2) }, &opening, 2);
}

#[test]
fn parts_by_chance_have_their_share_and_no_schedule_twice() {
    let model = Model::new(twenty(), SOUND);
    let part = |part, strategies: &[Strategy]| {
        let part = Some(Partition { part, of: 3 });
        look(&Plan { part, prune: false, strategies: strategies.to_vec(), ..Plan::default() }, &model)
    };
    let random = (1..=3).map(|number| part(number, &[Strategy::Random { runs: 100 }]));
    let random: Vec<Report> = random.collect();
    assert_eq!(random.iter().map(|report| report.runs).collect::<Vec<_>>(), [34, 33, 33]);
    let sum = |what: fn(&Level) -> u64| -> u64 {
        random.iter().map(|report| what(&report.coverage.levels[0])).sum()
    };
    assert_eq!((sum(|level| level.all), sum(|level| level.run)), (40, 40));
    // What chance has tried is not exhausted again, whichever part it is.
    let both = (1..=3).map(|number| part(number, &Strategy::defaults(30)));
    assert_eq!(both.map(|report| report.coverage.levels[0].run).sum::<u64>(), 40);
    let pct = (1..=3).map(|number| part(number, &[Strategy::Pct { depth: 2, runs: 30 }]));
    let pct: Vec<Report> = pct.collect();
    assert!(pct.iter().all(|report| report.runs == 10), "each has its share");
}

#[test]
fn a_part_without_a_schedule_is_no_failure_but_a_search_without_one_is() {
    let model = Model::new(vec![place("p0", "Before(write)", 1, &["p0.1"], &[])], SOUND);
    let verdicts = (1..=20).map(|part| {
        let report = look(&Plan { part: Some(Partition { part, of: 20 }), ..exhaust(1) }, &model);
        (report.runs, report.verdict)
    });
    let verdicts: Vec<(u64, Verdict)> = verdicts.collect();
    assert_eq!(verdicts.iter().filter(|(runs, _)| *runs > 0).count(), 1);
    assert!(verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Pass));
    let nothing = Model::new(vec![place("p0", "Before(write)", 1, &[], &[])], SOUND);
    let part = Some(Partition { part: 1, of: 2 });
    assert_eq!(look(&Plan { part, ..exhaust(1) }, &nothing).verdict, Verdict::Unreached);
}

#[test]
fn races_at_different_calls_are_told_apart_and_the_earliest_of_each_is_shown() {
    let close = |nth| place("p0", "Before(close)", nth, &["p0.1"], &[]);
    let places = [twenty(), vec![close(1), close(2), close(3)]].concat();
    // Two windows: between the third write and the fifth, and from the second close on; and a pair that fails elsewhere.
    let pair = [switch("p0.1", "Before(read)", 2), switch("p0.1", "Before(read)", 6)];
    let rule = pair.clone();
    let model = Model::new(places, move |steps| {
        let window = |step: &Step| match step.at.to_string().as_str() {
            "before write" => step.nth >= 3 && step.nth <= 5,
            "before close" => step.nth >= 2,
            _ => false,
        };
        exited(i32::from(steps.iter().any(window) || rule.iter().all(|step| has(steps, step))))
    });
    let report = look(&exhaust(2), &model);
    let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!(finding.schedule, schedule([switch("p0", "Before(write)", 3)]));
    let [close, both] = [schedule([switch("p0", "Before(close)", 2)]), schedule(pair)];
    assert_eq!((&finding.elsewhere, finding.elsewhere_more), (&vec![close.clone(), both], 0));
    // By chance too, whichever time of a call it meets first.
    for seed in 0..5 {
        let report = look(&Plan { seed, ..plan(60) }, &model);
        assert_eq!(report.findings[0].schedule, finding.schedule);
        assert!(report.findings[0].elsewhere.contains(&close), "{:?}", report.findings[0].elsewhere);
    }
    let kept = look(&Plan { shrink: false, ..exhaust(1) }, &model);
    assert!(kept.findings.len() > 1 && kept.findings.iter().all(|finding| finding.elsewhere.is_empty()));
}

#[test]
fn a_race_elsewhere_that_does_not_repeat_itself_is_a_doubt() {
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let seen = std::sync::Arc::clone(&runs);
    let model = Model::new(twenty(), move |steps| {
        let odd = has(steps, &switch("p0.1", "Before(read)", 4));
        let fails = odd && seen.fetch_add(1, Ordering::Relaxed) == 0;
        exited(i32::from(fails || has(steps, &switch("p0", "Before(write)", 3))))
    });
    let report = look(&Plan { prune: false, ..exhaust(1) }, &model);
    assert_eq!((report.findings.len(), report.unstable.len()), (1, 1));
    assert!(report.findings[0].elsewhere.is_empty());
}

#[test]
fn what_is_kept_is_as_much_as_there_are_points_whatever_the_number_of_threads() {
    let kept = |threads: u32| {
        let names: Vec<String> = (2..threads + 2).map(|thread| format!("p0/{thread}")).collect();
        let others: Vec<&str> = names.iter().map(String::as_str).collect();
        let places = (1..=20).map(|nth| place("p0", "Before(getppid)", nth, &others, &[])).collect();
        let plan = exhaust(2);
        let reference = reference(&plan, &mut Model::new(places, SOUND)).unwrap();
        let space = Space::new(&plan, &reference);
        let search = Exhaustive::new(2, u64::MAX, true, &space, &reference);
        assert_eq!(search.levels[0].all, 20 * u64::from(threads + 1));
        let queued: usize = search.queue.values().flatten().map(|batch| batch.ways.len()).sum();
        (queued, search.ones.len(), space.points())
    };
    assert_eq!(kept(2), (20, 20, 20));
    assert_eq!(kept(50), kept(2));
}

/// A switch at the entering of a call is tried where the same switch before it met a signal, and else known to go like that one.
#[test]
fn the_entering_of_a_call_is_tried_where_a_signal_was_there_before_it() {
    let places = |signalled: bool| {
        let before = place("p0", "Before(wait4)", 1, &["p0.1"], &[]);
        let before = if signalled { before.signalled() } else { before };
        vec![before, place("p0", "Entering(wait4)", 1, &["p0.1"], &[])]
    };
    let broken =
        |steps: &[Step]| exited(i32::from(steps.iter().any(|step| matches!(step.at, Site::Entering(_)))));
    let quiet = look(&exhaust(1), &Model::new(places(false), SOUND));
    assert_eq!((quiet.runs, counted(&quiet)), (2, vec![(1, 4, 4, 0)]));
    let all = look(&Plan { prune: false, ..exhaust(1) }, &Model::new(places(false), SOUND));
    assert_eq!((all.runs, counted(&all)), (4, vec![(1, 4, 4, 0)]));
    let at_entering = schedule([switch("p0", "Entering(wait4)", 1)]);
    for strategies in [exhaust(1).strategies, Strategy::defaults(64), vec![Strategy::Random { runs: 64 }]] {
        let plan = Plan { strategies, ..Plan::default() };
        let report = look(&plan, &Model::new(places(true), broken));
        let found: Vec<_> = report.findings.iter().map(|found| found.schedule.clone()).collect();
        assert_eq!(found, std::slice::from_ref(&at_entering));
    }
    // It is also where it alone was asked for.
    let only = vec![point("p0", "Entering(wait4)", 1).site];
    let asked = Plan { points: only, strategies: vec![Strategy::Random { runs: 64 }], ..Plan::default() };
    assert_eq!(look(&asked, &Model::new(places(false), broken)).findings.len(), 1);
    // By chance it is not tried before.
    let random = Plan { strategies: vec![Strategy::Random { runs: 2 }], ..Plan::default() };
    assert!(look(&random, &Model::new(places(false), broken)).findings.is_empty());
}

/// What fails at a call's entering and before the next call is told there.
#[test]
fn the_entering_of_a_call_is_told_where_nothing_else_fails() {
    let hup = |site: &str| place("p0", site, 1, &[], &["HUP"]);
    let places = vec![hup("Before(read)"), hup("Entering(read)"), hup("Before(close)"), hup("In(pause)")];
    let plan = Plan { send: vec!["HUP".parse().unwrap()], ..exhaust(1) };
    let fails = |sites: &'static [&'static str], wanted: &str| {
        let failing: Vec<Site> = sites.iter().map(|site| point("p0", site, 1).site).collect();
        let end =
            move |steps: &[Step]| exited(i32::from(steps.iter().any(|step| failing.contains(&step.at))));
        let report = look(&plan, &Model::new(places.clone(), end).quiet_at(point("p0", "In(pause)", 1)));
        let found: Vec<_> = report.findings.iter().map(|found| found.schedule.clone()).collect();
        assert_eq!(found, [schedule([send("p0", wanted, 1, "HUP")])], "{sites:?}");
    };
    fails(&["Entering(read)", "Before(close)"], "Before(close)");
    fails(&["Entering(read)"], "Entering(read)");
}

#[test]
fn a_switch_to_the_only_other_thread_is_tried_where_it_is_not_the_switch_to_all() {
    // At the first two somebody else goes on after the switch to all, who alone could.
    let place = |site, nth, others: &[&str]| place("p0", site, nth, others, &[]);
    let (first, second) =
        (place("Before(write)", 1, &["p0.1"]), place("Before(write)", 2, &["p0.1", "p0.2"]));
    let places = vec![
        first,
        second.awaited(),
        place("Before(write)", 3, &["p0.1"]).awaited(),
        place("Before(read)", 1, &["p0.1"]).awaited().signalled(),
    ];
    let model = Model::new(places, SOUND);
    let by_chance = |runs| Plan { strategies: vec![Strategy::Random { runs }], ..Plan::default() };
    for plan in [exhaust(1), by_chance(1_000)] {
        for (prune, left_out) in [(true, 2), (false, 0)] {
            let asked = Mutex::new(HashSet::new());
            let plan = Plan { prune, ..plan.clone() };
            let reference = reference(&plan, &mut model.clone()).unwrap();
            let recorder = |_| Ok(Recorder(model.clone(), &asked));
            let report = search(&plan, reference, &recorder, &judge, &(), &AtomicBool::new(false)).unwrap();
            let asked = asked.into_inner().unwrap();
            let to_one = |steps: &&Vec<Step>| {
                matches!(steps.as_slice(), [Step { action: Action::Switch(Target::To(_)), .. }])
            };
            let mut tried: Vec<u32> = asked.iter().filter(to_one).map(|steps| steps[0].nth).collect();
            tried.sort_unstable();
            assert_eq!(tried, if prune { vec![1, 2, 2] } else { vec![1, 1, 2, 2, 3] });
            assert_eq!(counted(&report)[0], (1, 9, 9, 0));
            assert_eq!(report.coverage.levels[0].same, left_out);
            // With one step more it may go otherwise, and is tried.
            let longer = asked.iter().filter(|steps| steps.len() > 1);
            let third = |step: &Step| step.nth == 3 && matches!(step.action, Action::Switch(Target::To(_)));
            let longer = longer.filter(|steps| steps.iter().any(third)).count();
            assert_eq!(longer > 0, matches!(plan.strategies[0], Strategy::Random { .. }));
        }
    }
}
