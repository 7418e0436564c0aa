//! Tests of probabilistic concurrency testing, over threads that never wait for each other.

use super::super::model::{exited, point, schedule, send};
use super::super::{Plan, reference};
use super::*;
use crate::supervise::{RunError, Supervise};
use crate::trace::{Event, Outcome, Output, Status};

/// Threads that each go through so many points, and never wait for each other.
struct Threads(Vec<(ThreadName, u32)>);

impl Supervise for Threads {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        let mut left: Vec<(ThreadName, u32, u32)> =
            self.0.iter().map(|(name, points)| (name.clone(), 1, *points)).collect();
        let (mut events, mut reached) = (Vec::<Event>::new(), Vec::<Reached>::new());
        let mut steps = schedule.steps.clone();
        let mut stack: Vec<ThreadName> = Vec::new();
        while let Some(index) = stack
            .last()
            .and_then(|name| left.iter().position(|(other, ..)| other == name))
            .or((!left.is_empty()).then_some(0))
        {
            let (thread, nth, points) = left[index].clone();
            let others: crate::trace::Threads =
                left.iter().map(|(name, ..)| name.clone()).filter(|name| *name != thread).collect();
            let point = Point { nth, ..point(&thread.to_string(), "Before(getpid)", 1) };
            let event = |what| Event { thread: thread.clone(), what, others: others.clone() };
            if !reached.iter().any(|reached| reached.point == point) {
                let receivable = ["USR1".parse::<crate::signal::Signal>().unwrap()].into_iter().collect();
                reached.push(Reached {
                    point: point.clone(),
                    others: others.clone(),
                    receivable,
                    fires: false,
                    acts: Default::default(),
                    looks: false,
                });
            }
            if let Some(taken) = steps.iter().position(|step| step.point() == point) {
                let step = steps.remove(taken);
                events.push(event(What::Step(step.action.clone())));
                if let Action::Switch(Target::To(name)) = step.action {
                    stack.push(name);
                }
                continue;
            }
            events.push(event(What::Go(point.site, nth)));
            left[index].1 += 1;
            if nth == points {
                events.push(event(What::End(Status::Exited(0))));
                left.remove(index);
                stack.retain(|name| *name != thread);
            }
        }
        let (none, text) = (Vec::new(), || Output::Text(String::new()));
        Ok(Run {
            schedule: schedule.clone(),
            events: events.into(),
            outcome: Outcome {
                end: exited(0),
                stdout: text(),
                stderr: text(),
                clients: vec![],
                roused: vec![],
                leftover: vec![],
                unwaited: vec![],
                exec_blocked: vec![],
                remains: Default::default(),
                table: vec![],
                took: Default::default(),
                terminal: None,
            },
            reached,
            first_quiet: none,
            unreached: steps,
            lapses: Vec::new(),
            merged: Vec::new(),
            taint: None,
            shares_memory: false,
            verdict_after: Default::default(),
        })
    }
}

/// Makes samples one by one; gives how many of them there were, and for how many `is_bug` is true of the run.
fn sample(plan: &Plan, depth: u32, runs: u64, is_bug: impl Fn(&[String]) -> bool) -> (Chance, u64) {
    let name = |text: &str| text.parse().unwrap();
    let mut threads = Threads(vec![(name("p0"), 4), (name("p0.1"), 4), (name("p0.2"), 4)]);
    let reference = reference(plan, &mut threads).unwrap();
    let space = Arc::new(Space::new(plan, &reference));
    let mut pct = Pct::new((plan.seed, 0), (depth, runs), &space, &reference);
    let mut bugs = 0;
    for _ in 0..runs {
        let [planned] = pct.round(&space, &|_| false, 1).unwrap().try_into().unwrap();
        let run = threads.run(&proptest::strategy::ValueTree::current(&planned.tree)).unwrap();
        pct.learn(&space, std::slice::from_ref(&run), true).unwrap();
        let told = run.events.iter().filter_map(|event| {
            if let What::Step(Action::Send(signal)) = &event.what {
                return Some(signal.to_string());
            }
            event.what.visit().map(|(_, nth)| format!("{} {nth}", event.thread))
        });
        if pct.samples.is_empty() && is_bug(&told.collect::<Vec<_>>()) {
            bugs += 1;
        }
    }
    let mut coverage = Coverage::default();
    pct.cover(&space, &mut coverage, &|_| false);
    (coverage.chance.unwrap(), bugs)
}

fn in_order(told: &[String], wanted: &[&str]) -> bool {
    let mut told = told.iter();
    wanted.iter().all(|wanted| told.any(|one| one == wanted))
}

#[test]
fn bugs_are_met_at_least_as_often_as_the_bound_says() {
    for (depth, runs, wanted) in [
        (1, 600, &["p0.2 1", "p0 1"][..]),
        // The second goes between two points of the first: it takes an order, and a change at the right moment.
        (2, 3_000, &["p0 2", "p0.1 1", "p0.1 4", "p0 3"]),
        // Twice: the first is interrupted before its third point, the second before its own.
        (3, 9_000, &["p0 2", "p0.1 1", "p0.1 2", "p0 3", "p0 4", "p0.1 3"]),
    ] {
        let (chance, bugs) = sample(&Plan::default(), depth, runs, |told| in_order(told, wanted));
        assert_eq!((chance.threads, chance.moments, chance.given_up), (3, 12, 0));
        assert_eq!(chance.one_in(), Some(3 * 12_u64.pow(depth - 1)));
        let least = chance.samples / chance.one_in().unwrap();
        assert!(bugs >= least && least > 0, "depth {depth}: {bugs} of {}, at least {least}", chance.samples);
    }
}

#[test]
fn without_a_change_no_thread_is_interrupted() {
    let (_, bugs) = sample(&Plan::default(), 1, 2_000, |told| in_order(told, &["p0 1", "p0.1 1", "p0 4"]));
    assert_eq!(bugs, 0);
}

#[test]
fn a_signal_is_sent_at_every_moment_as_often_as_the_bound_says() {
    let usr1 = || "USR1".parse().unwrap();
    let plan = Plan { send: vec![usr1()], ..Plan::default() };
    let wanted = ["p0.1 4", "SIGUSR1", "p0 3"];
    let (chance, bugs) = sample(&plan, 1, 3_000, |told| told.windows(2).any(|pair| pair == &wanted[1..]));
    assert_eq!((chance.one_in(), chance.given_up), (Some(3 * 12), 0));
    assert!(bugs >= chance.samples / 36 && chance.samples > 500, "{bugs} of {}", chance.samples);
}

#[test]
fn a_sample_that_goes_by_its_priorities_takes_no_further_step() {
    let name = |text: &str| text.parse().unwrap();
    let mut threads = Threads(vec![(name("p0"), 2), (name("p0.1"), 2)]);
    let plan = Plan { send: vec!["USR1".parse().unwrap()], ..Plan::default() };
    let reference = reference(&plan, &mut threads).unwrap();
    let space = Space::new(&plan, &reference);
    let mut pct = Pct::new((0, 0), (2, 9), &space, &reference);
    let priorities = [(name("p0"), 1), (name("p0.1"), 2)].into();
    let sends = vec![(Action::Send("USR1".parse().unwrap()), 4)];
    let mut sample =
        Sample { priorities, changes: vec![2], sends, moments: 4, steps: Vec::new(), last: false };
    let to = |thread: &str, nth, other: &str| {
        Step::new(point(thread, "Before(getpid)", nth), Action::Switch(Target::To(name(other))))
    };
    // p0.1 first; before its second moment it comes last; the signal is sent to p0 at moment 4 or later, and p0 is over.
    for wanted in [to("p0", 1, "p0.1"), to("p0.1", 2, "p0")] {
        let run = threads.run(&space.sorted(sample.steps.clone())).unwrap();
        let wrong = pct.wrong(&space, &mut sample, &run).unwrap();
        assert_eq!(wrong, Some(wanted.clone()));
        sample.steps.push(wanted);
    }
    let run = threads.run(&space.sorted(sample.steps.clone())).unwrap();
    assert_eq!(pct.wrong(&space, &mut sample, &run).unwrap(), None);
    sample.sends[0].1 = 3;
    let sent = pct.wrong(&space, &mut sample, &run).unwrap();
    assert_eq!(sent.map(|step| schedule([step])), Some(schedule([send("p0", "Before(getpid)", 2, "USR1")])));
}
