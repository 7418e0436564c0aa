use super::super::model::{Model, Place, exited, place, point, switch};
use super::super::tests::look;
use super::super::{Plan, Stop};
use super::*;
use crate::scenario::Strategy as Way;
use crate::schedule::{Schedule, Site, Step};
use crate::supervise::{Called, Observed};
use crate::trace::{Event, Reached, What};
use proptest::prelude::*;
use std::sync::Arc;

fn groups(items: &str) -> Vec<(usize, usize, usize)> {
    let items: Vec<char> = items.chars().collect();
    fold(&items).into_iter().map(|Group { start, body, times }| (start, body, times)).collect()
}

fn letters(text: &str, times: usize) -> String {
    text.repeat(times)
}

#[test]
fn what_comes_again_and_again_is_one_group_and_all_else_is_alone() {
    for (items, wanted) in [
        (String::new(), vec![]),
        ("abc".to_owned(), vec![(0, 1, 1), (1, 1, 1), (2, 1, 1)]),
        // Seven times are too few.
        (letters("a", 7), (0..7).map(|start| (start, 1, 1)).collect()),
        (letters("a", 8), vec![(0, 1, 8)]),
        // Another result at the end, as of a file's end, or in the middle, as of an interruption.
        (letters("r", 20) + "e", vec![(0, 1, 20), (20, 1, 1)]),
        (letters("r", 9) + "i" + &letters("r", 8), vec![(0, 1, 9), (9, 1, 1), (10, 1, 8)]),
        // A last time round that is not gone to its end.
        (
            "open".to_owned() + &letters("rw", 10) + "rc",
            vec![(0, 1, 1), (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 2, 10), (24, 1, 1), (25, 1, 1)],
        ),
        // One of its calls is made twice: the whole is what repeats itself.
        (letters("aab", 8), vec![(0, 3, 8)]),
        // A loop in a loop: the inner one, as often as it goes round, is too short to be one.
        (letters("xaaa", 8), vec![(0, 4, 8)]),
        // The shortest body of those that repeat the same.
        (letters("ab", 16), vec![(0, 2, 16)]),
        // Too long a body.
        (letters("abcdefghijklmnopqrstuvwxy", 8), (0..200).map(|start| (start, 1, 1)).collect()),
    ] {
        assert_eq!(groups(&items), wanted, "{items}");
    }
}

#[test]
fn the_first_two_the_middle_and_the_last_come_first() {
    assert_eq!(tried_first(400), [0, 1, 200, 399]);
    assert_eq!(tried_first(8), [0, 1, 4, 7]);
    assert_eq!(tried_first(1), [0, 0, 0, 0]);
}

/// Items among which there is much to fold: pieces, each some items, some times.
fn items() -> impl Strategy<Value = Vec<u8>> {
    let piece = (prop::collection::vec(0_u8..4, 1..10), 1_usize..40);
    prop::collection::vec(piece, 0..8)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(items, times)| items.repeat(times)).collect())
}

proptest! {
    #[test]
    fn every_item_is_in_one_group_and_unfolding_gives_the_items_again(items in items()) {
        let groups = fold(&items);
        let mut unfolded = Vec::new();
        for Group { start, body, times } in groups {
            prop_assert_eq!(start, unfolded.len());
            prop_assert!(times == 1 && body == 1 || times >= LEAST && body <= MOST_BODY);
            let round = items[start..start + body].to_vec();
            (0..times).for_each(|_| unfolded.extend(round.iter().copied()));
        }
        prop_assert_eq!(unfolded, items);
    }

    #[test]
    fn the_first_time_and_the_last_are_always_tried_first(times in 1_usize..100_000) {
        let first = tried_first(times);
        prop_assert!(first.contains(&0) && first.contains(&(times - 1)));
        prop_assert!(first.iter().all(|time| *time < times));
    }
}

/// A thread that reads so many times, from where another could run, and then closes.
fn reader(times: u32, signals: impl Fn(u32) -> &'static [&'static str]) -> Vec<Place> {
    let read = |nth| place("p0", "Before(read)", nth, &["p0.1"], signals(nth));
    (1..=times).map(read).chain([place("p0", "Before(close)", 1, &["p0.1"], &[])]).collect()
}

fn failing_at(nth: u32) -> Model {
    let wrong = switch("p0", "Before(read)", nth);
    let end = move |steps: &[Step]| exited(i32::from(steps.contains(&wrong)));
    Model::new(reader(400, |_| &[]), end).with_code()
}

#[test]
fn what_fails_at_one_of_the_times_round_that_come_first_is_found_in_few_runs() {
    for strategy in [Way::Random { runs: 1000 }, Way::Exhaustive { bound: 1, runs: None }] {
        for nth in [1, 2, 201, 400] {
            let model = failing_at(nth);
            let plan =
                Plan { strategies: vec![strategy.clone()], stop: Stop::FirstFinding, ..Plan::default() };
            let report = look(&plan, &model);
            let [finding] = &report.findings[..] else { panic!("{strategy:?} {nth}: {:?}", report.findings) };
            assert_eq!(finding.schedule.steps, [switch("p0", "Before(read)", nth)]);
            // Four times round, and the call after the loop: two switches at each.
            assert!(finding.first <= 16 && finding.shrink_runs <= 10, "{strategy:?} {nth}: {finding:?}");
        }
    }
}

#[test]
fn nothing_is_left_out_and_what_was_not_tried_is_counted() {
    let all = Way::Exhaustive { bound: 1, runs: None };
    let report = look(&Plan { strategies: vec![all], ..Plan::default() }, &failing_at(77));
    assert_eq!(report.findings.len(), 1);
    assert!(report.coverage.levels[0].exhausted());
    let (one, taken) = &report.coverage.loops[0];
    assert_eq!((one.times(), taken.len()), (400, 400));
    let few = Way::Exhaustive { bound: 1, runs: Some(10) };
    let report = look(&Plan { strategies: vec![few], ..Plan::default() }, &failing_at(77));
    assert_eq!((report.findings.len(), report.coverage.levels[0].all), (0, 802));
    assert!(report.coverage.levels[0].missing() > 780);
    assert_eq!(report.coverage.loops[0].1, [1, 2, 201, 400]);
    // Chance comes to the others when these are used up.
    let report =
        look(&Plan { strategies: vec![Way::Random { runs: 3000 }], ..Plan::default() }, &failing_at(77));
    assert_eq!(report.findings.len(), 1);
}

/// Makes one run by each of these models, in their order.
struct OneByOne(std::vec::IntoIter<Model>);

impl Supervise for OneByOne {
    fn run(&mut self, _schedule: &Schedule) -> Result<Run, RunError> {
        Err(RunError::Interrupted)
    }

    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        self.0.next().ok_or(RunError::Interrupted)?.observe(schedule, observe)
    }
}

#[test]
fn a_point_that_two_runs_have_is_inside_a_loop_if_it_is_so_in_both() {
    let model = |signals: fn(u32) -> &'static [&'static str]| {
        Model::new(reader(40, signals), |_| exited(0)).with_code()
    };
    let alike = model(|_| &[]);
    // The other run is over after 30, and from the 16th on a signal could be sent.
    let mut shorter = model(|nth| if nth > 15 { &["TERM"] } else { &[] });
    shorter.keep(|point| point.nth <= 30);
    let run = |model: &Model| model.clone().run(&Schedule::empty()).unwrap();
    let (plain, other) = (run(&alike), run(&shorter));
    let find = |other: Option<&Run>| {
        let models = vec![alike.clone(), shorter.clone()];
        let loops = Loops::find(&mut OneByOne(models.into_iter()), &plain, other).unwrap();
        let mut inner: Vec<u32> = loops.inner().map(|point| point.nth).collect();
        inner.sort_unstable();
        let told: Vec<_> = loops.all.iter().map(|one| (one.from.nth, one.to.nth)).collect();
        (inner, told)
    };
    let (inner, told) = find(None);
    assert_eq!(inner, (3..=20).chain(22..=39).collect::<Vec<_>>());
    assert_eq!(told, [(1, 40)]);
    let (inner, told) = find(Some(&other));
    // There, 1, 2, 8, 15 and 16, 17, 23, 30 come first.
    let both = (3..=7).chain(9..=14).chain(18..=20).chain([22]).chain(24..=29).chain(31..=39);
    assert_eq!(inner, both.collect::<Vec<_>>());
    assert_eq!(told, [(1, 40), (16, 30)]);
}

#[test]
fn visits_differ_by_place_by_result_and_by_what_happens_meanwhile() {
    let run = failing_at(1).run(&Schedule::empty()).unwrap();
    let calls = |differs: &dyn Fn(u32, &mut Called)| -> Vec<Called> {
        let reads = run.reached.iter().filter(|reached| matches!(reached.point.site, Site::Before(_)));
        let called = |reached: &Reached| {
            let mut called = Called { point: reached.point.clone(), place: 1, result: Some(1) };
            differs(reached.point.nth, &mut called);
            called
        };
        reads.map(called).collect()
    };
    let told = |run: &Run, differs: &dyn Fn(u32, &mut Called)| -> Vec<(u32, u32)> {
        let loops = loops(&visits(run, Some(&calls(differs))));
        loops.iter().map(|one| (one.from.nth, one.to.nth)).collect()
    };
    assert_eq!(told(&run, &|_, _| ()), [(1, 400)]);
    assert_eq!(told(&run, &|nth, called| called.result = Some(i64::from(nth != 400))), [(1, 399)]);
    let eintr = |nth, called: &mut Called| called.result = Some(if nth == 50 { -4 } else { 1 });
    assert_eq!(told(&run, &eintr), [(1, 49), (51, 400)]);
    assert_eq!(told(&run, &|nth, called| called.place = usize::from(nth > 200)), [(1, 200), (201, 400)]);
    // A signal that comes when the thread has gone on from the hundredth.
    let mut signalled = run.clone();
    let is_there = |event: &Event| event.what == What::Go(point("p0", "Before(read)", 1).site, 100);
    let at = signalled.events.iter().position(is_there).unwrap() + 1;
    let thread = ThreadName::root();
    let event = Event { thread, what: What::Signal("CHLD".parse().unwrap()), others: Default::default() };
    Arc::make_mut(&mut signalled.events).insert(at, event);
    assert_eq!(told(&signalled, &|_, _| ()), [(1, 99), (101, 400)]);
    // What nothing is known of is in no loop.
    let known: Vec<Called> = calls(&|_, _| ()).into_iter().filter(|called| called.point.nth != 9).collect();
    let ends = |one: &Loop| (one.from.nth, one.to.nth);
    assert_eq!(loops(&visits(&run, Some(&known))).iter().map(ends).collect::<Vec<_>>(), [(1, 8), (10, 400)]);
}
