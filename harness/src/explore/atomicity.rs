//! Whether it is the very instruction at which a signal comes that makes a program end otherwise.
//!
//! NOTE \[Sandwich\] Where every run sends a signal, another exit status than that of the reference run is an outcome of its own:
//! what a program does depends on what it is at, and it may be meant to. But where the same signal lets it end as in the reference
//! run a few instructions earlier and a few later, and also before the next system call, the end is an accident: in between the
//! program has told nobody of another state, and nobody could have meant the signal for it. So a place counts if, on either
//! side of it in its straight run of instructions, the nearest one at which the program does not end in this way lets it end as in the reference run. A program whose
//! ending is merely cut short, or which ends otherwise in one of its phases, ends otherwise from some place on or up to
//! some place: on one side there is none.
//!
//! Where errno is about to be read, the call that set it is what is torn: there a few calls may lie in between.

use super::error::Halt;
use super::ledger::Ledger;
use super::space::Space;
use super::steps::sent_at;
use crate::schedule::{Point, Schedule, Site, Step};

/// True if the run of this schedule ends otherwise than its neighbours on both sides, and these as the reference run.
pub(super) fn decides(ledger: &mut Ledger<'_, '_>, space: &Space, schedule: &Schedule) -> Result<bool, Halt> {
    let Some((index, step, place)) = sent_at(schedule) else { return Ok(false) };
    let (here, usual) = (ledger.look(schedule)?, ledger.look(&space.home)?.end);
    let Some(call) = ledger.last_call(schedule).cloned() else { return Ok(false) };
    let (Some(next), Some(beside)) = (space.next_call(&call), space.beside(place)) else { return Ok(false) };
    let moved = |point: Point| {
        let mut moved = schedule.clone();
        if let Some(slot) = moved.steps.get_mut(index) {
            *slot = Step::new(point, step.action.clone());
        }
        moved
    };
    let later = ledger.compare(&moved(next.clone()))?;
    if here.end == usual || !later.clean || later.end != usual {
        return Ok(false);
    }
    for side in [beside.after, beside.before] {
        let mut bounded = false;
        for place in side {
            let other = moved(Point { site: Site::At(place), ..step.point() });
            let there = ledger.compare(&other)?;
            if !there.clean || ledger.last_call(&other) != Some(&call) {
                continue;
            }
            bounded = there.end == usual;
            if bounded || there.end != here.end {
                break;
            }
        }
        if !bounded {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::code::{Beside, Neighbours};
    use super::super::model::{Model, exited, place};
    use super::super::{Code, Plan, reference, search};
    use crate::scenario::Strategy;
    use crate::schedule::{Label, Site, Step};
    use crate::trace::{Broken, End, Run};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// Instructions `f+0x0` to `f+0x7` in a straight run.
    #[derive(Debug)]
    struct Straight;

    const LENGTH: usize = 8;

    fn label(number: usize) -> Label {
        Label::new(&format!("f+{number:#x}"))
    }

    fn number(place: Label) -> Option<usize> {
        (0..LENGTH).find(|number| label(*number) == place)
    }

    impl Neighbours for Straight {
        fn of(&self, place: Label) -> Option<Beside> {
            let here = number(place)?;
            let (before, after) = (0..here, here + 1..LENGTH);
            Some(Beside { before: before.rev().map(label).collect(), after: after.map(label).collect() })
        }
    }

    /// Where the signal comes: at an instruction, or at one of the calls around them.
    fn end_by(code: impl Fn(Option<usize>) -> i32 + Send + Sync + 'static) -> impl Fn(&[Step]) -> End {
        move |steps: &[Step]| match steps.first().map(|step| step.at) {
            None => exited(0),
            Some(Site::At(place)) => exited(code(number(place))),
            Some(_) if code(None) == HANGS => End::Hang(Vec::new()),
            Some(_) => exited(code(None)),
        }
    }

    /// Stands for a hang just before the next call.
    const HANGS: i32 = -1;

    fn judge(run: &Run) -> Vec<Broken> {
        let torn = run.outcome.end != exited(0)
            && run.schedule.steps.iter().any(|step| matches!(step.at, Site::At(_)));
        if matches!(run.outcome.end, End::Hang(_)) {
            vec![Broken::Hang]
        } else if torn {
            vec![Broken::Atomicity]
        } else {
            vec![]
        }
    }

    /// The places that are found where the program ends in this way.
    fn found(code: impl Fn(Option<usize>) -> i32 + Send + Sync + 'static, without: &[usize]) -> Vec<String> {
        let mut places = vec![place("p0", "Before(read)", 1, &[], &[])];
        for number in (0..LENGTH).filter(|number| !without.contains(number)) {
            places.push(place("p0", &format!("At(\"{}\")", label(number)), 1, &[], &["TERM"]));
        }
        places.push(place("p0", "Before(write)", 1, &[], &["TERM"]));
        let model = Model::new(places, end_by(code));
        let plan = Plan {
            send: vec!["TERM".parse().unwrap()],
            code: Code { neighbours: Some(Arc::new(Straight)), ..Code::default() },
            strategies: vec![Strategy::Exhaustive { bound: 1, runs: None }],
            ..Plan::default()
        };
        let reference = reference(&plan, &mut model.clone()).unwrap();
        let cancel = AtomicBool::new(false);
        let report = search(&plan, reference, &|_| Ok(model.clone()), &judge, &(), &cancel).unwrap();
        let told = report.findings.iter().flat_map(|finding| {
            let first = finding.schedule.steps.iter();
            first.chain(finding.elsewhere.iter().flat_map(|one| &one.steps)).map(|step| step.at.to_string())
        });
        // What is no finding has not failed.
        let failing = report.outcomes.iter().any(|seen| !seen.breaks.is_empty());
        let told: Vec<String> = told.collect();
        assert_eq!((failing, report.failing > 0), (!told.is_empty(), !told.is_empty()));
        told
    }

    #[test]
    fn an_end_that_comes_only_between_two_instructions_is_found_and_no_other() {
        let window = |at: Option<usize>| i32::from(matches!(at, Some(3..=5)));
        assert_eq!(found(window, &[]), ["at f+0x3", "at f+0x4", "at f+0x5"]);
        // Places that are not come to say nothing.
        assert_eq!(found(window, &[2, 6]), ["at f+0x3", "at f+0x4", "at f+0x5"]);
        let none: [&str; 0] = [];
        // Cut short, ended otherwise from somewhere on, or everywhere.
        assert_eq!(found(|at| i32::from(at.is_some_and(|at| at < 4)), &[]), none);
        assert_eq!(found(|at| i32::from(at.is_none_or(|at| at > 4)), &[]), none);
        assert_eq!(found(|_| 1, &[]), none);
        // Another end from the window on up to the next call, and one that is a third.
        assert_eq!(found(|at| i32::from(matches!(at, Some(3..))), &[]), none);
        assert_eq!(found(|at| at.map_or(0, |at| if at < 3 { 2 } else { i32::from(at < 5) }), &[]), none);
        // The signal just before the next call is what decides as well.
        assert_eq!(found(|at| if at.is_none() { 1 } else { i32::from(at == Some(3)) }, &[]), none);
        // What is wrong there is found although it was only compared with.
        assert_eq!(found(|at| at.map_or(HANGS, |at| i32::from(at == 3)), &[]), ["before write"]);
    }
}
