//! The space of schedules: the steps that could be taken, as far as runs have shown, and their order.
//!
//! NOTE \[Legal steps\] A `Switch` is planned only before or after a call, where another thread could run; a `Send` only
//! at points of the receiving process that come before the signal was sent in that run, where it is caught or blocked
//! (or anywhere, if the plan says so); what a person does at the terminal, where it means something to the process at the
//! point; a `Fire` at points where the run says that a timer could run out. The plan may narrow the kinds of points. When everything sleeps, a signal is sent
//! only where the reference run sends one: the calls in which the receiver's threads sleep are points of their own.
//!
//! NOTE \[Order of points\] A point is earlier than another if it was seen first: the run of the empty schedule comes
//! first, in its order, then the reference run, then the others by their number. For a schedule of one step this is
//! the order in which the program gets there.
//!
//! NOTE \[Numbered steps\] At a point with many threads there are as many steps as threads, so a step is kept as two numbers,
//! of its point and of its action, and made when it is needed.

use super::code::{Beside, Neighbours};
use super::independence::{Independence, is_asked, preceding};
use super::partition::Partition;
use super::plan::Plan;
use super::reference::Reference;
use super::steps::{is_entering, outside, rank, taken, times, weight};
use super::twins::Twins;
use crate::schedule::{Action, Label, Point, Schedule, Site, Step, Target, ThreadName};
use crate::trace::{Acts, Reached, Run};
use indexmap::IndexSet;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// No more steps than this are remembered; a program with more points is explored at those it reaches first.
const MOST_STEPS: usize = 100_000;

/// What could be done, as far as completed rounds have shown.
#[derive(Clone, Debug)]
pub(super) struct Space {
    /// What the outside does in each run: signals that it sends, and what a person does. What it does twice is here twice.
    pub(super) acts: Vec<Action>,
    /// What a person may do.
    may: Vec<Action>,
    /// The schedule of the reference run: signals are sent there unless a schedule says otherwise.
    pub(super) home: Schedule,
    /// Points, in their order.
    points: IndexSet<Point>,
    /// Actions that could be done somewhere.
    doings: IndexSet<Action>,
    /// Every step that could be taken, in the order of discovery: the numbers of its point and its action.
    steps: IndexSet<(u32, u32)>,
    /// How many of them, the first ones, need no other one before them.
    first: usize,
    to: ThreadName,
    always: bool,
    sites: Vec<Site>,
    /// When each code point has its turn.
    ranks: HashMap<Label, usize>,
    sweeps: bool,
    part: Option<Partition>,
    /// Other searches have their turn as soon as single steps are through here.
    in_turns: bool,
    neighbours: Option<Arc<dyn Neighbours>>,
    /// The numbers of points that are not tried first: NOTE \[Loops\] in `loops`.
    inner: HashSet<usize>,
    /// What goes like another schedule; none if that is tried as well.
    twins: Option<Twins>,
    /// And which switches go like earlier ones; where all is tried here, or can be learned here.
    independence: Option<Independence>,
}

/// True if a switch to the children is one of its own: one child alone can be named, and where all that could run are
/// descendants, they are all there are.
fn family(thread: &ThreadName, others: &[ThreadName]) -> bool {
    let (own, strangers): (Vec<&ThreadName>, Vec<&ThreadName>) =
        others.iter().partition(|other| other.descends_from(thread));
    let processes: HashSet<ThreadName> = own.into_iter().map(ThreadName::process).collect();
    processes.len() > 1 && !strangers.is_empty()
}

/// The numbers of a point and of an action, as they are kept: there are many.
fn numbers(point: usize, action: usize) -> Option<(u32, u32)> {
    Some((point.try_into().ok()?, action.try_into().ok()?))
}

/// How simple a schedule is; less is simpler. See NOTE \[Shrink order\] in `tree`.
pub(super) type Simplicity = (usize, usize, usize, Vec<usize>, Vec<Step>);

impl Space {
    /// The space that the reference run shows.
    pub(super) fn new(plan: &Plan, reference: &Reference) -> Space {
        let mut space = Space {
            acts: plan.acts(),
            may: plan.may.clone(),
            home: reference.schedule.clone(),
            points: IndexSet::new(),
            doings: IndexSet::new(),
            steps: IndexSet::new(),
            first: 0,
            to: plan.send_to.process.process(),
            always: plan.always,
            sites: plan.points.clone(),
            ranks: plan.code.spots().map(|spot| (spot.place, spot.rank)).collect(),
            sweeps: !plan.code.functions.is_empty() || reference.executed.library > 0,
            part: plan.part,
            in_turns: plan.in_turns,
            neighbours: plan.code.neighbours.clone(),
            inner: HashSet::new(),
            twins: plan.prune.then(Twins::default),
            independence: None,
        };
        // A signal that is sent elsewhere is not sent at home, so its points are those of the empty schedule; if there are
        // others, those that they open before it is sent at home too. A switch leaves the signals at home.
        let sends = !reference.schedule.steps.is_empty();
        let acts = space.acts.clone();
        space.note(reference.plain(), |action| !sends || acts.contains(action));
        space.note(&reference.run, |_| true);
        space.first = space.steps.len();
        space.inner = reference.loops.inner().filter_map(|point| space.number(point)).collect();
        // Of what other parts try nothing is learned, nor where memory is shared.
        if plan.prune && plan.part.is_none() && !reference.run.shares_memory {
            space.independence = Some(Independence::new(&reference.run, space.preceding(&reference.run)));
        }
        space
    }

    /// Switches, by their numbers, each with the same one at the point that comes right before in this run, where that has its turn no
    /// later.
    fn preceding(&self, run: &Run) -> HashMap<usize, usize> {
        let points = preceding(&run.events);
        let pairs =
            points.iter().filter_map(|(later, earlier)| Some((self.number(later)?, self.number(earlier)?)));
        let places: HashMap<usize, usize> =
            pairs.filter(|(later, earlier)| self.is_inner(*earlier) <= self.is_inner(*later)).collect();
        let asked = self.first().filter(|index| self.is_switch(*index));
        asked
            .filter_map(|index| {
                let (place, action) = self.steps.get_index(index)?;
                let earlier = numbers(*places.get(&(*place as usize))?, *action as usize)?;
                Some((index, self.steps.get_index_of(&earlier)?))
            })
            .collect()
    }

    /// True for the number of a switch that may go like an earlier one: NOTE \[Independent calls\] in `independence`.
    fn is_switch(&self, index: usize) -> bool {
        self.point(index).zip(self.action(index)).is_some_and(|(point, action)| is_asked(point.site, action))
    }

    /// The number of a step; none if no run has shown it.
    fn index(&self, point: &Point, action: &Action) -> Option<usize> {
        self.steps.get_index_of(&numbers(self.number(point)?, self.doings.get_index_of(action)?)?)
    }

    /// Takes in the points that a run reached, and what else it has shown: not much if it is tainted.
    pub(super) fn absorb(&mut self, run: &Run) {
        let mut away = run.schedule.steps.iter().filter(|step| !self.is_at_home(step));
        let one = away.next().filter(|_| away.next().is_none());
        let index = one.and_then(|step| self.index(&step.point(), &step.action));
        let index = index.filter(|index| self.is_switch(*index));
        if let (Some(step), Some(index)) = (one, index)
            && let Some(mut independence) = self.independence.take()
        {
            independence.learn(index, step, run, |point| self.index(point, &step.action));
            self.independence = Some(independence);
        }
        if run.taint.is_none() {
            self.note(run, |_| true);
            self.twins.iter_mut().for_each(|twins| twins.learn(run));
        }
    }

    /// Remembers points and steps of `run`.
    fn note(&mut self, run: &Run, wanted: impl Fn(&Action) -> bool) {
        let mut sent: Vec<Action> = Vec::new();
        let done = taken(run);
        for reached in &run.reached {
            let (point, _) = self.points.insert_full(reached.point.clone());
            if self.steps.len() < MOST_STEPS {
                for action in self.actions(reached, &sent).into_iter().filter(&wanted) {
                    let (action, _) = self.doings.insert_full(action);
                    if self.steps.len() < MOST_STEPS {
                        self.steps.extend(numbers(point, action));
                    }
                }
            }
            let here = done.iter().filter(|step| step.point() == reached.point);
            sent.extend(here.filter_map(|step| outside(&step.action)).cloned());
        }
    }

    /// What could be done at a point, when `sent` were sent before.
    pub(super) fn actions(&self, reached: &Reached, sent: &[Action]) -> Vec<Action> {
        let Reached { point, others, fires, .. } = reached;
        let mut actions = Vec::new();
        let (sending, switching) = match point.site {
            Site::Before(_) | Site::Entering(_) | Site::After(_) | Site::At(_) | Site::Probe(_) => {
                (true, true)
            }
            Site::In(_) => (true, false),
            Site::Quiet => (self.home.steps.iter().any(|step| step.point() == *point), false),
        };
        if !self.allows(&point.site) {
            return actions;
        }
        if sending {
            for act in self.acts.iter().chain(&self.may) {
                let most = times(act, &self.acts).max(1);
                // Of the same twice, whichever is left is done at such a moment anyway.
                let anyway = most > 1 && point.site == Site::Quiet;
                let known = actions.contains(act) || anyway;
                if !known && times(act, sent) < most && self.is_of_use(act, reached) {
                    actions.push(act.clone());
                }
            }
        }
        // How long a client is kept waiting by its own clock says nothing of the program.
        if sending && *fires && point.thread.client_of().is_none() {
            actions.push(Action::Fire);
        }
        if switching && !others.is_empty() {
            actions.push(Action::Switch(Target::All));
            if family(&point.thread, others) {
                actions.push(Action::Switch(Target::Children));
            }
            actions.extend(others.iter().cloned().map(Target::To).map(Action::Switch));
        }
        actions
    }

    /// True if what the outside does may mean something here.
    fn is_of_use(&self, act: &Action, reached: &Reached) -> bool {
        let Reached { point, receivable, acts, .. } = reached;
        let at_code = matches!(point.site, Site::At(_));
        match act {
            Action::Send(signal) | Action::SendGroup(signal) => {
                point.thread.process() == self.to && (self.always || receivable.contains(*signal))
            }
            Action::Resize(..) => !at_code && acts.contains(Acts::RESIZE),
            Action::HangUp => !at_code && acts.contains(Acts::HANG_UP),
            Action::Type(keys) => {
                let key = keys.single();
                let known = Acts::KEYS.into_iter().find(|(byte, _)| Some(*byte) == key);
                let is_text = acts.contains(Acts::TEXT);
                let means = match known {
                    Some((_, signal)) if acts.contains(signal) => true,
                    // Where it causes no signal it is read like any other, so one moment is as good as another.
                    Some(_) => is_text && acts.contains(Acts::PLAIN) && self.acts.contains(act),
                    None => is_text,
                };
                !at_code && means
            }
            Action::Switch(_) | Action::Fire => false,
        }
    }

    /// True if steps may be planned at this kind of point.
    pub(super) fn allows(&self, site: &Site) -> bool {
        self.is_everywhere() || matches!(site, Site::At(_)) || self.sites.contains(site)
    }

    /// True if steps may be planned at every kind of point.
    pub(super) fn is_everywhere(&self) -> bool {
        self.sites.is_empty()
    }

    /// What is beside an instruction of the program.
    pub(super) fn beside(&self, place: Label) -> Option<Beside> {
        self.neighbours.as_ref()?.of(place)
    }

    /// Where the thread is before its next call, after it was before this one, in the run without any step.
    pub(super) fn next_call(&self, call: &Point) -> Option<&Point> {
        let later = self.points.iter().skip(self.number(call)? + 1);
        later.filter(|next| matches!(next.site, Site::Before(_))).find(|next| next.thread == call.thread)
    }

    /// True if there is code whose instructions are points.
    pub(super) fn sweeps(&self) -> bool {
        self.sweeps
    }

    /// True if other searches have their turn as soon as single steps are through here.
    pub(super) fn is_in_turns(&self) -> bool {
        self.in_turns
    }

    /// The part of the search that is made here, where it is split.
    pub(super) fn part(&self) -> Option<Partition> {
        self.part
    }

    /// True if the schedule belongs to this part of the search: NOTE \[Parts of a search\] in `partition`. The order of its
    /// points, which each part learns in its own way, does not matter.
    pub(super) fn owns(&self, schedule: &Schedule) -> bool {
        let Some(part) = self.part else { return true };
        let mut steps = schedule.steps.clone();
        for step in &mut steps {
            if let Action::Switch(target) = &mut step.action {
                *target = Target::All;
            }
        }
        steps.sort_by_cached_key(Step::point);
        // Only maps with keys that are no text fail to be written; there are none.
        part.holds(&ron::to_string(&steps).unwrap_or_default())
    }

    /// The number of a point, which is how early it is; none if no run has shown it.
    pub(super) fn number(&self, point: &Point) -> Option<usize> {
        self.points.get_index_of(point)
    }

    /// The point of this number.
    pub(super) fn numbered(&self, number: usize) -> Option<&Point> {
        self.points.get_index(number)
    }

    /// True for the number of a point in a loop that is not tried first: NOTE \[Loops\] in `loops`.
    pub(super) fn is_inner(&self, place: usize) -> bool {
        self.inner.contains(&place)
    }

    /// True if the step of this index is at such a point.
    pub(super) fn is_at_inner(&self, index: usize) -> bool {
        self.place(index).is_some_and(|place| self.is_inner(place))
    }

    /// True for a schedule of several deviations from home, or of one that is at such a point.
    pub(super) fn is_rest(&self, schedule: &Schedule) -> bool {
        let away: Vec<&Step> = schedule.steps.iter().filter(|step| !self.is_at_home(step)).collect();
        let inner = |step: &Step| self.number(&step.point()).is_some_and(|place| self.is_inner(place));
        away.len() > 1 || away.into_iter().any(inner)
    }

    /// As `Twins::shown`: true if the schedule which ends with this step need not be tried, none if that may yet be shown.
    pub(super) fn shown(&self, last: &Step, with: &dyn Fn(&Step) -> Schedule) -> Option<bool> {
        self.twins.as_ref().map_or(Some(false), |twins| twins.shown(last, with))
    }

    /// The same of the schedule that deviates from home by this step only.
    pub(super) fn one_shown(&self, step: &Step) -> Option<bool> {
        let Some(independence) = &self.independence else { return self.shown(step, &|step| self.one(step)) };
        let index = |step: &Step| self.index(&step.point(), &step.action);
        // What the step at the earlier point has shown holds for the others at this one.
        let earlier = |step: &Step| self.step(independence.earlier(index(step)?)?);
        match self.shown(step, &|step| self.one(&earlier(step).unwrap_or_else(|| step.clone()))) {
            Some(true) => Some(true),
            shown => match index(step).map_or(Some(false), |index| independence.shown(index)) {
                Some(false) => shown,
                other => other,
            },
        }
    }

    /// True if others wait for what the schedule of the step of this index only will show.
    pub(super) fn is_waited_for(&self, index: usize) -> bool {
        self.independence.as_ref().is_some_and(|independence| independence.is_waited_for(index))
    }

    /// Number of different points seen.
    pub(super) fn points(&self) -> usize {
        self.points.len()
    }

    /// Indices of all steps, in the order of discovery.
    pub(super) fn all(&self) -> Range<usize> {
        0..self.steps.len()
    }

    /// Indices of the steps that need no other one before them.
    pub(super) fn first(&self) -> Range<usize> {
        0..self.first
    }

    /// The step of this index.
    pub(super) fn step(&self, index: usize) -> Option<Step> {
        Some(Step::new(self.point(index)?.clone(), self.action(index)?.clone()))
    }

    /// The point of the step of this index.
    pub(super) fn point(&self, index: usize) -> Option<&Point> {
        self.numbered(self.place(index)?)
    }

    /// How early its point is.
    pub(super) fn place(&self, index: usize) -> Option<usize> {
        self.steps.get_index(index).map(|(point, _)| *point as usize)
    }

    /// Its action.
    pub(super) fn action(&self, index: usize) -> Option<&Action> {
        self.doings.get_index(self.steps.get_index(index)?.1 as usize)
    }

    /// The steps that need no other one before them, each made when it is asked for.
    pub(super) fn first_steps(&self) -> impl Iterator<Item = Step> {
        self.first().filter_map(|index| self.step(index))
    }

    /// The schedule that deviates from home by this step only: what the outside does takes the place of the same at home.
    pub(super) fn one(&self, step: &Step) -> Schedule {
        self.deviating(std::slice::from_ref(step), &[])
    }

    /// The schedule that deviates from home by these steps, and does this of what the outside does not at all.
    pub(super) fn deviating(&self, steps: &[Step], withheld: &[Action]) -> Schedule {
        let home = self.left_at_home(steps, withheld);
        self.sorted(home.into_iter().chain(steps.iter().cloned()).collect())
    }

    /// What is still done at home when these steps are taken, and this is withheld.
    ///
    /// Of what is done twice, the later one gives way, unless a step is the earlier one itself. What is left is done each
    /// time that everything sleeps, so that nothing waits for a moment that has lost its cause.
    pub(super) fn left_at_home(&self, steps: &[Step], withheld: &[Action]) -> Vec<Step> {
        let mut left = self.home.steps.clone();
        let (same, moved): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| left.contains(step));
        left.retain(|step| !same.contains(&step));
        for act in moved.into_iter().map(|step| &step.action).chain(withheld) {
            if let Some(last) = left.iter().rposition(|step| step.action == *act) {
                left.remove(last);
            }
        }
        let mut nth = 0;
        for step in left.iter_mut().filter(|step| step.at == Site::Quiet) {
            // A second of the same at one moment would be lost, or be another schedule.
            let occupied = |nth: u32| {
                let mut there = steps.iter().filter(|other| other.at == Site::Quiet && other.nth == nth);
                there.any(|other| other.action == step.action)
            };
            nth += 1;
            while occupied(nth) {
                nth += 1;
            }
            step.nth = nth;
        }
        left
    }

    /// True if the outside does this at home, there or at another moment at which everything sleeps.
    pub(super) fn is_at_home(&self, step: &Step) -> bool {
        let quiet =
            |other: &Step| other.at == step.at && other.thread == step.thread && step.at == Site::Quiet;
        let same = |other: &Step| other.action == step.action && (other == step || quiet(other));
        self.home.steps.iter().any(same)
    }

    /// What the outside does at home and these do not, however often each is done.
    pub(super) fn missing<'a>(&self, done: impl IntoIterator<Item = &'a Action>) -> Vec<Action> {
        let mut missing = self.acts.clone();
        for act in done {
            if let Some(index) = missing.iter().position(|other| other == act) {
                missing.remove(index);
            }
        }
        missing
    }

    /// The schedule with these steps in their order: by point, and at one point signals before the timer, and that before the switch.
    pub(super) fn sorted(&self, mut steps: Vec<Step>) -> Schedule {
        // Stable, since the order of two signals at one point is part of the schedule.
        steps.sort_by_cached_key(|step| (self.position(step), rank(&step.action)));
        Schedule { steps }
    }

    /// How early the step's point is; last for a point that no run has shown.
    pub(super) fn position(&self, step: &Step) -> usize {
        self.number(&step.point()).unwrap_or(usize::MAX)
    }

    /// When the steps at a point have their turn among their like: at code points the first visits of all come first, in the
    /// order of the plan's ranks; else there is no order but that of discovery.
    pub(super) fn turn(&self, point: &Point) -> (bool, u32, usize) {
        match point.site {
            Site::At(place) => (true, point.nth, self.ranks.get(&place).copied().unwrap_or(usize::MAX)),
            Site::Before(_)
            | Site::Entering(_)
            | Site::After(_)
            | Site::In(_)
            | Site::Probe(_)
            | Site::Quiet => (false, 0, 0),
        }
    }

    /// How simple a schedule is; less is simpler.
    pub(super) fn simplicity(&self, schedule: &Schedule) -> Simplicity {
        let mut positions: Vec<usize> = schedule.steps.iter().map(|step| self.position(step)).collect();
        positions.sort_unstable();
        let actions = schedule.steps.iter().map(|step| weight(&step.action)).sum();
        let entering = schedule.steps.iter().filter(|step| is_entering(&step.at)).count();
        (schedule.steps.len(), actions, entering, positions, schedule.steps.clone())
    }
}
