//! What schedules of two and three steps are made from: the runs of one and of two.
//!
//! NOTE \[One more step\] A schedule is made longer by a step at a point that its run has reached, so the step can be
//! taken: up to there the longer run is the same. If the step comes before others, those may be gone. A signal is sent
//! earlier than at home by such a step; later only by a schedule that did so with its first step.
//!
//! NOTE \[Opened sleeps\] A call that is done at once in the reference run sleeps where somebody else is held back before, and only
//! in its sleep can a signal interrupt it. Few runs show such a sleep, so what the outside may do in it is tried at once: once for each thread and
//! call, in the first run of one step that shows it.

use super::super::chance::{below, pick, planning};
use super::super::error::ExploreError;
use super::super::points::Points;
use super::super::space::Space;
use super::super::steps::{can_follow, digest, done_by, outside, repeats, taken, times};
use crate::schedule::{Action, Schedule, Site, Step, Syscall, Target, ThreadName};
use crate::trace::Run;
use proptest::test_runner::TestRunner;
use std::collections::{HashSet, VecDeque};

/// A schedule has at most so many steps, not counting the signals that are sent where the reference run sends them.
const MOST_STEPS: usize = 3;
/// So many reached points are kept, of all runs together: 4 bytes each.
const MOST_REACHED: usize = 4_000_000;
/// When chance finds nothing new, at most so many of what is left are looked up at once.
const MOST_LEFT: usize = 4096;

/// A run of one step or of two.
#[derive(Clone)]
struct Branch {
    /// Where it deviates from home.
    steps: Vec<Step>,
    /// The points that it reached, in order, by their numbers.
    reached: Vec<u32>,
    /// Places in `reached` of what only its steps have made possible.
    opened: Vec<usize>,
    /// What the outside did as at home, and the place in `reached` where.
    homes: Vec<(Action, usize)>,
}

impl Branch {
    /// The schedule with one step more, at this place of what the run has reached; none if it says nothing new.
    fn longer(&self, space: &Space, place: usize, step: &Step) -> Option<Schedule> {
        if let Some(act) = outside(&step.action) {
            let gone = |(other, home): &&(Action, usize)| other == act && place >= *home;
            let gone = self.homes.iter().filter(gone).count();
            if done_by(act, &self.steps) + gone >= times(act, &space.acts).max(1) {
                return None;
            }
        }
        let point = step.point();
        let fits = |other: &Step| {
            let either =
                || can_follow(&other.action, &step.action) || can_follow(&step.action, &other.action);
            let again = other.action == step.action && !repeats(&step.action);
            other.point() != point || (!again && either())
        };
        let steps: Vec<Step> = self.steps.iter().chain([step]).cloned().collect();
        self.steps.iter().all(fits).then(|| space.deviating(&steps, &[]))
    }
}

/// The switch to the only other thread at the same point, where these are but one switch to all.
fn only_other(run: &Run, steps: &[Step]) -> Option<Step> {
    let [step @ Step { action: Action::Switch(Target::All), .. }] = steps else { return None };
    let reached = run.reached.iter().find(|reached| reached.point == step.point())?;
    let [other] = &*reached.others else { return None };
    Some(Step { action: Action::Switch(Target::To(other.clone())), ..step.clone() })
}

/// The runs of one step and of two.
pub(super) struct Branches {
    all: Vec<Branch>,
    points: Points,
    known: HashSet<(u64, u64)>,
    /// Points from this one on were not reached by the reference run.
    baseline: usize,
    reached: usize,
    /// What was left when chance last found nothing new.
    left: Vec<Schedule>,
    /// Threads and the calls in which only steps made them sleep, once there is something to try in them.
    slept: HashSet<(ThreadName, Syscall, Action)>,
    /// What is to be tried in such sleeps: NOTE \[Opened sleeps\].
    asleep: VecDeque<Schedule>,
}

impl Branches {
    /// Of a search whose reference run has shown this space.
    pub(super) fn new(space: &Space) -> Branches {
        Branches {
            all: Vec::new(),
            points: Points::default(),
            known: HashSet::new(),
            baseline: space.points(),
            reached: 0,
            left: Vec::new(),
            slept: HashSet::new(),
            asleep: VecDeque::new(),
        }
    }

    /// Takes in a run, if longer schedules can be made from it.
    pub(super) fn take(&mut self, space: &Space, run: &Run) {
        let at_home = |step: &Step| space.is_at_home(step);
        let (sent, steps): (Vec<Step>, Vec<Step>) = taken(run).into_iter().partition(at_home);
        let went = run.taint.is_none() && run.unreached.iter().all(at_home);
        let room = (1..MOST_STEPS).contains(&steps.len()) && self.reached < MOST_REACHED;
        if !went || !room || !self.known.insert(digest(&run.schedule)) {
            return;
        }
        let (mut reached, mut opened) = (Vec::new(), Vec::new());
        let mut homes = Vec::new();
        for here in &run.reached {
            let Some(place) = space.number(&here.point) else { continue };
            let at_home = sent.iter().filter(|step| step.point() == here.point);
            homes.extend(at_home.map(|step| (step.action.clone(), reached.len())));
            // No step is put there, and there may be very many.
            if space.is_inner(place) {
                continue;
            }
            let Some(number) = self.points.number(space, here) else { continue };
            if place >= self.baseline {
                opened.push(reached.len());
            }
            reached.push(number);
        }
        self.reached += reached.len();
        let branch = Branch { steps, reached, opened, homes };
        if branch.steps.len() == 1 {
            self.note_sleeps(space, &branch);
        }
        // What goes like it is not tried for itself, but with one step more it may go otherwise: NOTE [Alone] in `twins`.
        let twin = only_other(run, &branch.steps).filter(|step| space.one_shown(step) == Some(true));
        self.all.extend(twin.map(|step| Branch { steps: vec![step], ..branch.clone() }));
        self.all.push(branch);
    }

    /// Remembers what may be done in calls in which only this run's step makes a thread sleep.
    fn note_sleeps(&mut self, space: &Space, branch: &Branch) {
        for place in &branch.opened {
            let Some(number) = branch.reached.get(*place) else { continue };
            for step in self.points.all(space, *number).collect::<Vec<_>>() {
                let Site::In(call) = step.at else { continue };
                if outside(&step.action).is_none() {
                    continue;
                }
                let sleep = (step.thread.clone(), call, step.action.clone());
                if !self.slept.contains(&sleep)
                    && let Some(longer) = branch.longer(space, *place, &step)
                {
                    self.slept.insert(sleep);
                    self.asleep.push_back(longer);
                }
            }
        }
    }

    /// The next schedule that does something in a sleep which only its other step has brought about, and for which `new` holds.
    pub(super) fn asleep(&mut self, new: &dyn Fn(&Schedule) -> bool) -> Option<Schedule> {
        while let Some(schedule) = self.asleep.pop_front() {
            if new(&schedule) {
                return Some(schedule);
            }
        }
        None
    }

    /// A schedule for which `new` holds: drawn so many times, then looked for; none if there is none.
    pub(super) fn draw(
        &mut self,
        space: &Space,
        runner: &mut TestRunner,
        draws: usize,
        new: &dyn Fn(&Schedule) -> bool,
    ) -> Result<Option<Schedule>, ExploreError> {
        for _ in 0..draws {
            if let Some(schedule) = self.drawn(space, runner)?
                && new(&schedule)
            {
                return Ok(Some(schedule));
            }
        }
        self.left.retain(new);
        if self.left.is_empty() {
            self.left = self.new_ones(space, new);
        }
        if self.left.is_empty() {
            return Ok(None);
        }
        let index = below(runner, self.left.len()).map_err(planning)?;
        Ok(Some(self.left.swap_remove(index)))
    }

    /// One more step for one of the runs, by chance: half of the time where only its steps have led.
    fn drawn(&self, space: &Space, runner: &mut TestRunner) -> Result<Option<Schedule>, ExploreError> {
        let Some(branch) = pick(runner, &self.all).map_err(planning)? else { return Ok(None) };
        let mut coin = || below(runner, 2).map_err(planning);
        if space.sweeps() && coin()? == 0 {
            // A run tells only of those instructions at which it has a step.
            let first: Vec<usize> = space.first().collect();
            let step = pick(runner, &first).map_err(planning)?.and_then(|index| space.step(*index));
            return Ok(step.and_then(|step| branch.longer(space, 0, &step)));
        }
        let place = if !branch.opened.is_empty() && coin()? == 0 {
            pick(runner, &branch.opened).map_err(planning)?.copied()
        } else {
            Some(below(runner, branch.reached.len().max(1)).map_err(planning)?)
        };
        let Some((place, number)) = place.and_then(|place| Some((place, *branch.reached.get(place)?))) else {
            return Ok(None);
        };
        let steps: Vec<Step> = self.points.all(space, number).collect();
        let step = pick(runner, &steps).map_err(planning)?;
        Ok(step.and_then(|step| branch.longer(space, place, step)))
    }

    /// The first new ones of all that can be made.
    fn new_ones(&self, space: &Space, new: &dyn Fn(&Schedule) -> bool) -> Vec<Schedule> {
        let places = self.all.iter().flat_map(|branch| {
            branch.reached.iter().enumerate().map(move |(place, number)| (branch, place, *number))
        });
        let longer = places.flat_map(|(branch, place, number)| {
            let steps = self.points.all(space, number);
            steps.filter_map(move |step| branch.longer(space, place, &step))
        });
        let mut once = HashSet::new();
        longer.filter(|one| new(one) && once.insert(digest(one))).take(MOST_LEFT).collect()
    }
}
