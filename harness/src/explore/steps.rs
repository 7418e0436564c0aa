//! Small questions about steps and schedules.

use crate::schedule::{Action, Label, Point, Schedule, Site, Step, Target};
use crate::signal::Signal;
use crate::trace::{Broken, End, Interrupter, Interruption, Run, Status, What};
use std::hash::{DefaultHasher, Hash, Hasher};

/// How much there is to an action: a switch to all holds nobody else back, and a signal is more than a switch, a timer's too.
pub(super) fn weight(action: &Action) -> usize {
    match action {
        Action::Switch(Target::All) => 0,
        Action::Switch(Target::Children | Target::To(_)) => 1,
        Action::Send(_)
        | Action::SendGroup(_)
        | Action::Type(_)
        | Action::Resize(..)
        | Action::HangUp
        | Action::Fire => 2,
    }
}

/// True for the entering of a call: what fails before a call or in its sleep too is told there.
pub(super) fn is_entering(site: &Site) -> bool {
    matches!(site, Site::Entering(_))
}

/// The action, if it is what the outside does: it sends a signal, or a person types.
pub(super) fn outside(action: &Action) -> Option<&Action> {
    Some(action).filter(|action| action.is_from_outside())
}

/// How often an action is among these.
pub(super) fn times<'a>(act: &Action, among: impl IntoIterator<Item = &'a Action>) -> usize {
    among.into_iter().filter(|other| *other == act).count()
}

/// How often it is what these steps do.
pub(super) fn done_by<'a>(act: &Action, steps: impl IntoIterator<Item = &'a Step>) -> usize {
    times(act, steps.into_iter().map(|step| &step.action))
}

/// True if the action can be done twice at one point. A standard signal that is pending is not queued again (signal(7), "Queueing
/// and delivery semantics for standard signals"), and a switch or a timer running out is one.
pub(super) fn repeats(action: &Action) -> bool {
    match action {
        Action::Send(signal) | Action::SendGroup(signal) => !signal.is_standard(),
        Action::Type(_) => true,
        Action::Resize(..) | Action::HangUp | Action::Fire | Action::Switch(_) => false,
    }
}

/// The steps of a run's schedule that were not taken, by why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// The moment did not come, or the signal was neither caught nor blocked there.
    pub missed: Vec<Step>,
    /// A signal was pending already (`Run::merged`).
    pub pending: Vec<Step>,
}

/// The steps of the run's schedule that were not taken.
pub fn undone(run: &Run) -> Undone {
    let (pending, missed) = run.unreached.iter().cloned().partition(|step| run.merged.contains(step));
    Undone { missed, pending }
}

/// The steps of the run's schedule that were taken.
pub fn taken(run: &Run) -> Vec<Step> {
    let mut missed = run.unreached.clone();
    let mut taken = Vec::new();
    for step in &run.schedule.steps {
        match missed.iter().position(|other| other == step) {
            Some(index) => drop(missed.swap_remove(index)),
            None => taken.push(step.clone()),
        }
    }
    taken
}

/// True if this run shows that SIGTERM, or a key, ends the program: it is sent and handled, and nothing else is done.
pub(super) fn heeds(run: &Run) -> bool {
    let steps = &run.schedule.steps;
    let in_call = |site: Site| matches!(site, Site::In(_) | Site::Quiet);
    let alone = steps.iter().all(|step| outside(&step.action).is_some() && !in_call(step.at));
    let sent = steps.iter().find_map(|step| step.action.asks_to_end());
    let ended = match run.outcome.end {
        End::Ended(Status::Exited(_)) => true,
        // By default, where its handler was away.
        End::Ended(Status::Killed(signal)) => {
            signal == Signal::TERM && sent == Some(signal) && run.lapses.is_empty()
        }
        End::Ended(Status::Unseen)
        | End::Hang(_)
        | End::Idle(_)
        | End::Stopped
        | End::Spinning(_)
        | End::Stalled(_)
        | End::TimedOut => false,
    };
    ended && alone && sent.is_some() && run.unreached.is_empty() && run.taint.is_none()
}

/// What the schedule of this run, which seems to break this, is to be compared with; none if what it breaks shows by itself, or
/// beside several others.
pub(super) fn control(run: &Run, breaks: Broken) -> Option<Schedule> {
    if breaks == Broken::Interrupted {
        uninterrupted(run)
    } else if breaks == Broken::Lost {
        run.sent_asleep().map(|met| moved(&run.schedule, met.step, met.before()))
    } else if breaks == Broken::Overlooked {
        run.slept_after_handling().map(|met| moved(&run.schedule, met.step, met.asleep()))
    } else {
        None
    }
}

/// False if no run of this schedule can break this: it has no step of the kind that it takes.
pub(super) fn can_break(schedule: &Schedule, breaks: Broken) -> bool {
    if breaks == Broken::Interrupted {
        let asleep = |step: &Step| step.action.signal().is_some() && matches!(step.at, Site::In(_));
        schedule.steps.iter().any(asleep)
    } else {
        breaks != Broken::Atomicity || sent_at(schedule).is_some()
    }
}

/// The schedule with this step at another point.
fn moved(schedule: &Schedule, step: &Step, to: Point) -> Schedule {
    let there =
        |other: &Step| if other == step { Step::new(to.clone(), step.action.clone()) } else { other.clone() };
    Schedule { steps: schedule.steps.iter().map(there).collect() }
}

/// The schedule of this run with what it sends just before the calls that it interrupts; none if it interrupts none.
fn uninterrupted(run: &Run) -> Option<Schedule> {
    let interrupted = run.interrupted();
    let steps = interrupted.iter().filter_map(|one| {
        let step = run.schedule.steps.iter().find(|step| step.point() == one.point)?;
        Some((step, &one.before))
    });
    let schedule =
        steps.fold(run.schedule.clone(), |schedule, (step, before)| moved(&schedule, step, before.clone()));
    (schedule != run.schedule).then_some(schedule)
}

/// The schedule of this run with what seems to have cut this call short just before that; none where something is done there already.
pub(super) fn before_call(run: &Run, one: &Interruption) -> Option<Schedule> {
    let fires = |step: &&Step| step.point() == one.point && step.action == Action::Fire;
    let more = match one.by {
        Interrupter::Sent => return uninterrupted(run),
        Interrupter::Child => Action::Switch(Target::All),
        Interrupter::Timer => match run.schedule.steps.iter().find(fires) {
            Some(step) => return Some(moved(&run.schedule, step, one.before.clone())),
            None => Action::Fire,
        },
    };
    let free = run.schedule.steps.iter().all(|step| step.point() != one.before);
    let step = Step::new(one.before.clone(), more);
    free.then(|| Schedule { steps: run.schedule.steps.iter().cloned().chain([step]).collect() })
}

/// The step that sends a signal at an instruction, and its index: the first.
pub(super) fn sent_at(schedule: &Schedule) -> Option<(usize, &Step, Label)> {
    schedule.steps.iter().enumerate().find_map(|(index, step)| match (step.at, &step.action) {
        (Site::At(place), action) if action.signal().is_some() => Some((index, step, place)),
        (
            Site::Before(_)
            | Site::Entering(_)
            | Site::After(_)
            | Site::In(_)
            | Site::At(_)
            | Site::Probe(_)
            | Site::Quiet,
            _,
        ) => None,
    })
}

/// The last call that the thread of this step had begun when the step was taken.
pub(super) fn last_call(run: &Run, step: &Step) -> Option<Point> {
    let taken = What::Step(step.action.clone());
    let mut last = None;
    for event in run.events.iter().filter(|event| event.thread == step.thread) {
        if event.what == taken {
            let (call, nth) = last?;
            return Some(Point { thread: step.thread.clone(), site: Site::Before(call), nth });
        }
        last = event.what.begun().or(last);
    }
    None
}

/// True if all steps of `part` are in `whole`.
pub(super) fn within(part: &Schedule, whole: &Schedule) -> bool {
    part.steps.iter().all(|step| whole.steps.contains(step))
}

/// The steps in the order in which the run got to their points.
pub(super) fn in_run_order(schedule: &Schedule, run: &Run) -> Schedule {
    let mut steps = schedule.steps.clone();
    steps.sort_by_cached_key(|step| {
        let point = step.point();
        let place = run.reached.iter().position(|reached| reached.point == point);
        (place.unwrap_or(usize::MAX), rank(&step.action))
    });
    Schedule { steps }
}

/// True if two schedules take the same steps. Only at one point does their order matter.
pub fn same(one: &Schedule, other: &Schedule) -> bool {
    let by_point = |schedule: &Schedule| {
        let mut steps: Vec<Step> = schedule.steps.clone();
        steps.sort_by_key(Step::point);
        steps
    };
    by_point(one) == by_point(other)
}

/// Stands for a schedule in a set of very many: 128 bits, so that no two of a search are taken for one.
pub(super) fn digest(schedule: &Schedule) -> (u64, u64) {
    let half = |which: u8| {
        let mut hasher = DefaultHasher::new();
        (which, schedule).hash(&mut hasher);
        hasher.finish()
    };
    (half(0), half(1))
}

/// Kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// The outside does something: what.
    Outside(&'a Action),
    /// A timer runs out.
    Fire,
    /// Somebody else goes first.
    Switch,
}

/// Steps of one kind can take each other's place.
pub(super) fn kind(action: &Action) -> Kind<'_> {
    match action {
        Action::Send(_) | Action::SendGroup(_) | Action::Type(_) | Action::Resize(..) | Action::HangUp => {
            Kind::Outside(action)
        }
        Action::Fire => Kind::Fire,
        Action::Switch(_) => Kind::Switch,
    }
}

/// The place of an action among those at one point: signals from outside come first, in any order.
pub(super) fn rank(action: &Action) -> u8 {
    match kind(action) {
        Kind::Outside(_) => 0,
        Kind::Fire => 1,
        Kind::Switch => 2,
    }
}

/// True if at one point `next` can be taken after `before`.
pub(super) fn can_follow(before: &Action, next: &Action) -> bool {
    rank(before) < rank(next) || rank(before) == 0 && rank(next) == 0
}
