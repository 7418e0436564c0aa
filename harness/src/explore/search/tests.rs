//! Tests of where a search stops and goes on, over a model of a program.

use super::*;
use crate::explore::ENOUGH;
use crate::explore::model::{Model, exited, judge, place, switch};
use crate::explore::reference::reference;
use crate::explore::tests::{has, look, plan, twenty};
use crate::scenario::Strategy;
use crate::trace::End;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Fails where two steps of p0 are taken.
fn two_of_p0(steps: &[Step]) -> End {
    exited(i32::from(steps.iter().filter(|step| step.thread.parent().is_none()).count() == 2))
}

#[test]
fn the_first_finding_is_the_same_with_any_number_of_workers() {
    let first = |seed, jobs| Plan { seed, jobs, stop: Stop::FirstFinding, ..plan(300) };
    let mut found = 0;
    for seed in 0..10 {
        let report = |jobs| look(&first(seed, jobs), &Model::new(twenty(), two_of_p0));
        assert_eq!(report(1), report(4), "seed {seed}");
        found += report(1).findings.len();
        assert!(report(1).findings.len() <= 1);
    }
    assert!(found > 5, "{found}");
}

#[test]
fn the_first_finding_does_not_wait_for_the_runs_behind_it() {
    /// What was seen: that a run fails, that it is followed up, and that another run waits for that.
    #[derive(Default)]
    struct Seen(Mutex<(bool, bool, bool)>, Condvar);
    impl Progress for Arc<Seen> {
        fn at(&self, standing: &Standing) {
            self.0.lock().unwrap().1 |= standing.doing != Doing::Searching;
            self.1.notify_all();
        }
    }
    let (seen, bad) = (Arc::new(Seen::default()), switch("p0.1", "Before(read)", 7));
    let (of_runs, waited) = (Arc::clone(&seen), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&waited);
    // What one worker alone runs up to the finding comes before it.
    let needed = Arc::new(Mutex::new(Vec::<Vec<Step>>::new()));
    let (alone, known) = (Arc::new(AtomicBool::new(true)), Arc::clone(&needed));
    let by_one = Arc::clone(&alone);
    let model = Model::new(twenty(), move |steps| {
        let fails = has(steps, &bad);
        let mut now = of_runs.0.lock().unwrap();
        if by_one.load(Ordering::Relaxed) && !now.0 {
            known.lock().unwrap().push(steps.to_vec());
        }
        now.0 |= fails;
        if by_one.load(Ordering::Relaxed) {
            return exited(i32::from(fails));
        }
        // The other worker goes on.
        if matches!(*now, (true, false, false)) && !known.lock().unwrap().iter().any(|one| one == steps) {
            now.2 = true;
            counted.fetch_add(1, Ordering::Relaxed);
            let wait = of_runs.1.wait_timeout_while(now, Duration::from_secs(60), |now| !now.1);
            assert!(!wait.unwrap().1.timed_out(), "the finding waits for what is behind it");
        }
        exited(i32::from(fails))
    });
    let mut blocked = 0;
    for seed in 0..20 {
        for jobs in [1, 2] {
            alone.store(jobs == 1, Ordering::Relaxed);
            *seen.0.lock().unwrap() = (false, false, false);
            let plan = Plan { seed, stop: Stop::FirstFinding, jobs, ..plan(300) };
            let reference = reference(&plan, &mut model.clone()).unwrap();
            let cancel = AtomicBool::new(false);
            let report = search(&plan, reference, &|_| Ok(model.clone()), &judge, &seen, &cancel).unwrap();
            assert_eq!(report.findings.len(), 1);
        }
        needed.lock().unwrap().clear();
        blocked = waited.load(Ordering::Relaxed);
    }
    assert!(blocked > 0);
}

#[test]
fn a_search_that_was_left_after_one_step_goes_on_as_if_it_had_not_been() {
    let needs_two = Model::new(twenty(), two_of_p0);
    let ends = Model::new(vec![place("p0", "Before(write)", 1, &["p0.1"], &[])], |_| exited(0));
    for (model, seed) in
        [&needs_two, &ends].into_iter().flat_map(|model| (0..5).map(move |seed| (model, seed)))
    {
        for stop in [Stop::Never, Stop::FirstFinding] {
            let plan = Plan { seed, stop, ..plan(300) };
            let reference = reference(&plan, &mut model.clone()).unwrap();
            let state = Searching::new(&plan, reference);
            let go_on = |state: Searching, until| {
                let cancel = AtomicBool::new(false);
                state.go_on(&plan, until, &|_| Ok(model.clone()), &judge, &(), &cancel).unwrap()
            };
            let mut went = Went::On(Box::new(state));
            let report = loop {
                went = match went {
                    Went::Over(report) => break report,
                    Went::On(left) if left.is_past_one_step() => {
                        // One in eight schedules has more than one step.
                        assert!(left.runs() < 100, "{}", left.runs());
                        go_on(*left, Until::End)
                    }
                    Went::On(left) => {
                        let runs = left.runs();
                        let went = go_on(*left, Until::OneStep);
                        let is_round = |left: &Searching| (runs..=runs + ROUND).contains(&left.runs());
                        assert!(
                            matches!(&went, Went::Over(_))
                                || matches!(&went, Went::On(left) if is_round(left))
                        );
                        went
                    }
                };
            };
            assert_eq!(*report, look(&plan, model), "seed {seed}");
        }
    }
}

#[test]
fn what_shows_nothing_new_is_left_when_one_step_is_through_and_no_earlier() {
    let sound = || Model::new(twenty(), |_| exited(0));
    let settles = |seed| Plan { seed, settles: true, strategies: Strategy::defaults(2_000), ..plan(0) };
    for seed in 0..5 {
        let report = look(&settles(seed), &sound());
        let one = &report.coverage.levels[0];
        assert_eq!((one.all, one.covered(), report.cut), (40, 40, Some(Cut::NothingNew)));
        // Those of one step, those that show something, and enough that show nothing.
        assert!((40 + ENOUGH..800).contains(&report.runs), "{}", report.runs);
        let all = look(&Plan { settles: false, ..settles(seed) }, &sound());
        assert_eq!((all.runs, all.cut), (2_000, None));
    }
    // Where less is left than would be enough, all of it is made.
    let few = || Model::new(vec![place("p0", "Before(write)", 1, &["p0.1"], &[])], |_| exited(0));
    let (report, all) = (look(&settles(1), &few()), look(&Plan { settles: false, ..settles(1) }, &few()));
    assert_eq!((report.runs, report.cut), (all.runs, None));
    // An outcome that comes again and again is new once; others go on for as long as they come.
    let ends = AtomicU64::new(0);
    let restless = Model::new(twenty(), move |steps| {
        let several = i32::from(steps.len() > 1);
        exited(several * (ends.fetch_add(1, Ordering::Relaxed) % 50 < 1) as i32)
    });
    let known = |_: &Run| Vec::new();
    let reference = reference(&settles(1), &mut restless.clone()).unwrap();
    let cancel = AtomicBool::new(false);
    let report = search(&settles(1), reference, &|_| Ok(restless.clone()), &known, &(), &cancel).unwrap();
    assert_eq!((report.outcomes.len(), report.cut), (2, Some(Cut::NothingNew)));
}

#[test]
fn who_ends_alike_but_late_is_an_outcome_of_its_own() {
    let model = Model::new(twenty(), |_| exited(0));
    let plan = Plan { stop: Stop::Never, ..plan(100) };
    let told = |breaks: Broken| {
        let late = |run: &Run| {
            let steps = run.schedule.steps.iter();
            let disturbed = steps.clone().any(|step| *step == switch("p0", "Before(write)", 3));
            if disturbed { vec![breaks] } else { vec![] }
        };
        let factory = |_| Ok(model.clone());
        let reference = reference(&plan, &mut model.clone()).unwrap();
        let cancel = AtomicBool::new(false);
        let report = search(&plan, reference, &factory, &late, &(), &cancel).unwrap();
        let outcomes = report.outcomes.iter();
        outcomes.map(|seen| (seen.breaks.clone(), seen.runs)).collect::<Vec<_>>()
    };
    let [(on_time, most), (late, few)] = &told(Broken::Late)[..] else { panic!("one outcome") };
    assert!(on_time.is_empty() && *late == [Broken::Late], "{on_time:?}, {late:?}");
    assert!(most > few && *few > 0 && most + few == 101);
    // What shows only beside other runs tells no outcome apart.
    assert_eq!(told(Broken::Overlooked).len(), 1);
}
