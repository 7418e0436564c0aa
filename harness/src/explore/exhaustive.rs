//! Every schedule of up to a number of steps, each once.
//!
//! A schedule is a way from home: the reference run, which sends every signal that is to be sent. Its steps are counted
//! as deviations from home, so a signal that is sent elsewhere is one step, and one that stays at home is none.
//!
//! NOTE \[Every schedule\] A run of some steps is extended by one more, at a point that it reached after its last step.
//! Up to that point the longer run is the same, so the step can be taken there. A schedule whose steps are all taken
//! takes them in some order, so it is found in this way, and in no other: whatever a step opens is behind it. A schedule
//! of which a step is never taken goes like the one without that step, and is not tried. At one point, signals are sent
//! before a timer runs out, and that before the switch; there is at most one of each of the latter.
//!
//! NOTE \[Later than home\] A signal can also be sent later than at home. Which points there are is only seen in a run
//! that does not send it at home: a probe, which is neither judged nor counted among the outcomes.
//!
//! NOTE \[Pruning\] What is not tried, and why it need not be:
//!
//! * A switch to a thread that cannot run: the supervisor would not take the step.
//! * As the last step, what another run has shown to go like it: NOTE [Alone] and NOTE [Entered alike] in `twins`, and as the only
//!   step, NOTE [Independent calls] in `independence`.
//!
//! Not merged, however alike two runs may look: two sends at different points. Between them is user code, and the handler sees what
//! it has stored.

use super::error::ExploreError;
use super::independence::is_asked;
use super::planner::{Planned, Planner};
use super::points::Points;
use super::reference::Reference;
use super::report::{Coverage, Level};
use super::space::Space;
use super::steps::{can_follow, digest, done_by, outside, repeats, taken, times};
use crate::schedule::{Action, Schedule, Site, Step, Target};
use crate::trace::Run;
use indexmap::IndexSet;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use ways::{Way, add};

/// Deviations from home, in the order in which they are taken, and the signals that are not sent at all.
#[derive(Clone, Debug, Default)]
struct Node {
    steps: Vec<Step>,
    withheld: Vec<Action>,
}

impl Node {
    /// How many steps it comes to: a signal that is withheld is yet to be sent.
    fn size(&self) -> usize {
        self.steps.len() + self.withheld.len()
    }

    fn extended(&self, step: &Step) -> Node {
        let mut node = self.clone();
        if let Some(sent) = node.withheld.iter().position(|act| outside(&step.action) == Some(act)) {
            node.withheld.remove(sent);
        }
        node.steps.push(step.clone());
        node
    }

    fn withholding(&self, act: &Action) -> Node {
        let mut node = self.clone();
        node.withheld.push(act.clone());
        node
    }

    /// The schedule.
    fn schedule(&self, space: &Space) -> Schedule {
        space.deviating(&self.steps, &self.withheld)
    }

    /// True if this part of the search tries it, and counts it.
    fn is_ours(&self, space: &Space) -> bool {
        space.part().is_none() || space.owns(&self.schedule(space))
    }

    /// True if a run has shown that it goes like that; none as long as the run that would show it is not made.
    fn goes_like_another(&self, space: &Space) -> Option<bool> {
        let Some((last, before)) = self.steps.split_last() else { return Some(false) };
        if before.is_empty() && self.withheld.is_empty() {
            return space.one_shown(last);
        }
        let with =
            |step: &Step| space.deviating(&[before, std::slice::from_ref(step)].concat(), &self.withheld);
        space.shown(last, &with)
    }
}

/// When a schedule has its turn: those of fewer steps first; those that withhold more before those that need to know
/// what came of it; then those whose last step is far inside a loop; those last that may be shown to go like others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    size: usize,
    withheld: Reverse<usize>,
    /// Its last step is at a point in a loop that is not tried first: NOTE \[Loops\] in `loops`.
    inner: bool,
    late: Late,
}

/// Whether a schedule may go like another one, and which.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Late {
    No,
    /// A switch before a call: like that before the thread's last one.
    Later,
    /// A switch to one thread: like that to all.
    ToOne,
    /// A switch at the entering of a call: like that before it, whether to one or to all.
    Entering,
}

impl Turn {
    fn new(size: usize, withheld: usize, inner: bool, late: Late) -> Turn {
        Turn { size, withheld: Reverse(withheld), inner, late }
    }
}

/// The ways on from one node.
struct Batch {
    node: Rc<Node>,
    ways: VecDeque<Way>,
}

/// The strategy at work.
pub(super) struct Exhaustive {
    bound: usize,
    runs: u64,
    prune: bool,
    queue: BTreeMap<Turn, VecDeque<Batch>>,
    /// The first of the next round.
    deferred: Option<(Turn, Node)>,
    /// What the present round was asked to run.
    asked: Vec<Node>,
    /// Digests of the schedules that are planned; only with signals can two ways lead to one.
    planned: HashSet<(u64, u64)>,
    /// The steps of all schedules of one step.
    ones: Vec<Way>,
    /// For each number of steps, from 1.
    levels: Vec<Level>,
    points: Points,
}

impl Exhaustive {
    /// Up to `bound` steps and `runs` runs. Without `prune` nothing is left out but what is not possible.
    pub(super) fn new(
        bound: u32,
        runs: u64,
        prune: bool,
        space: &Space,
        reference: &Reference,
    ) -> Exhaustive {
        let mut this = Exhaustive {
            bound: bound as usize,
            runs,
            prune,
            queue: BTreeMap::new(),
            deferred: None,
            asked: Vec::new(),
            planned: HashSet::new(),
            ones: Vec::new(),
            levels: (1..=bound).map(|steps| Level { steps, ..Level::default() }).collect(),
            points: Points::default(),
        };
        let home = Node::default();
        this.is_known(space, &home);
        if reference.run.taint.is_none() {
            this.expand(space, &home, &reference.run, reference.plain.as_ref());
        }
        this
    }

    /// Puts the ways on from `node`, which went like `run`, into the queue. `plain` is the run that withholds every signal,
    /// if it is known.
    fn expand(&mut self, space: &Space, node: &Node, run: &Run, plain: Option<&Run>) {
        let size = node.size();
        if size >= self.bound && node.withheld.is_empty() {
            return;
        }
        if !node.steps.is_empty() && space.sweeps() {
            // Which instructions this run executes is not known: breakpoints are set for the steps of a schedule only.
            self.unknown(size + 1);
        }
        let place = |step: &Step| {
            let point = step.point();
            run.reached.iter().position(|reached| reached.point == point)
        };
        let done = taken(run);
        // Looked up once: there are many points.
        let mut homes: Vec<(Action, usize)> = Vec::new();
        for step in space.left_at_home(&node.steps, &node.withheld) {
            homes.extend(place(&step).filter(|_| done.contains(&step)).map(|place| (step.action, place)));
        }
        let acts: IndexSet<&Action> = space.acts.iter().collect();
        let last = node.steps.last();
        let after = last.and_then(place);
        if last.is_some_and(|last| after.is_none() || !done.contains(last)) {
            // The run did not go like the one that it extends: what lies behind is unknown.
            self.unknown(size + 1);
            return;
        }
        let demoted: Vec<_> =
            node.steps.iter().filter(|step| step.action == Action::Switch(Target::All)).collect();
        let shared = Rc::new(node.clone());
        let mut batches: BTreeMap<Turn, Vec<Way>> = BTreeMap::new();
        for (index, reached) in run.reached.iter().enumerate().skip(after.unwrap_or(0)) {
            let here = last.filter(|_| Some(index) == after);
            let used_up = |act: &Action| {
                let before = homes.iter().filter(|(other, home)| other == act && index >= *home).count();
                done_by(act, &node.steps) + before >= times(act, &space.acts).max(1)
            };
            // The space has taken in every run that is extended.
            let Some(point) = self.points.number(space, reached) else {
                self.unknown(size + 1);
                continue;
            };
            let inner = self.points.place(point).is_some_and(|place| space.is_inner(place));
            for (number, action) in (0..).zip(space.actions(reached, &[])) {
                if here.is_some_and(|last| !can_follow(&last.action, &action)) {
                    continue;
                }
                let act = outside(&action);
                let sent = act.is_some_and(|act| node.withheld.contains(act));
                let withheld = node.withheld.len() - usize::from(sent);
                let size = node.steps.len() + 1 + withheld;
                let again = |step: &Step| step.action == action && step.point() == reached.point;
                if size > self.bound
                    || act.is_some_and(used_up)
                    || !repeats(&action) && node.steps.iter().any(again)
                {
                    continue;
                }
                let mut ours = true;
                if !space.acts.is_empty() || space.part().is_some() {
                    let child = node.extended(&Step::new(reached.point.clone(), action.clone()));
                    if self.is_known(space, &child) {
                        continue;
                    }
                    ours = child.is_ours(space);
                }
                let leaf = size == self.bound && withheld == 0;
                let single = if let Action::Switch(Target::To(only)) = &action {
                    let alone = *reached.others == *std::slice::from_ref(only);
                    alone && !demoted.iter().any(|step| step.thread == *only)
                } else {
                    false
                };
                let entering =
                    matches!((reached.point.site, &action), (Site::Entering(_), Action::Switch(_)));
                let late = match (self.prune && leaf, entering, single) {
                    (true, true, _) => Late::Entering,
                    (true, false, true) => Late::ToOne,
                    (true, false, false) if size == 1 && is_asked(reached.point.site, &action) => Late::Later,
                    _ => Late::No,
                };
                if withheld == 0 && ours {
                    if size == 1 {
                        add(&mut self.ones, point, number);
                    }
                    if let Some(level) = self.levels.get_mut(size.saturating_sub(1)) {
                        level.all += 1;
                    }
                }
                add(batches.entry(Turn::new(size, withheld, inner, late)).or_default(), point, number);
            }
        }
        for act in acts {
            let child = node.withholding(act);
            let here = homes.iter().any(|(other, _)| other == act);
            if !here || child.size() > self.bound || self.is_known(space, &child) {
                continue;
            }
            match plain.filter(|plain| child.withheld.len() == space.acts.len() && plain.taint.is_none()) {
                Some(plain) => self.expand(space, &child, plain, None),
                None => {
                    let turn = Turn::new(child.size(), child.withheld.len(), false, Late::No);
                    batches.entry(turn).or_default().push(Way::Withhold(Box::new(act.clone())));
                }
            }
        }
        for (turn, mut ways) in batches {
            ways.sort_by_cached_key(|way| match way {
                Way::Steps(point, _) => self.points.point(space, *point).map(|point| space.turn(point)),
                Way::Withhold(_) => None,
            });
            let batch = Batch { node: shared.clone(), ways: ways.into() };
            self.queue.entry(turn).or_default().push_back(batch);
        }
    }

    /// True if another way has led to the same schedule before.
    fn is_known(&mut self, space: &Space, node: &Node) -> bool {
        !space.acts.is_empty() && !self.planned.insert(digest(&node.schedule(space)))
    }

    /// Schedules of so many steps and more cannot all be known.
    fn unknown(&mut self, steps: usize) {
        self.levels.iter_mut().skip(steps.saturating_sub(1)).for_each(|level| level.open = true);
    }

    /// The next node of `wanted`'s turn, or of whichever turn comes first.
    fn next(&mut self, space: &Space, wanted: Option<Turn>) -> Option<(Turn, Node)> {
        if let Some(deferred) = self.deferred.take() {
            return Some(deferred);
        }
        loop {
            let mut entry = self.queue.first_entry()?;
            let turn = *entry.key();
            if wanted.is_some_and(|wanted| wanted != turn) {
                return None;
            }
            let Some(Batch { node, ways }) = entry.get_mut().front_mut() else {
                entry.remove();
                continue;
            };
            match ways.front_mut() {
                Some(Way::Steps(point, actions)) if actions.start < actions.end => {
                    let step = self.points.steps(space, *point, actions).next();
                    actions.start += 1;
                    if let Some(step) = step {
                        return Some((turn, node.extended(&step)));
                    }
                }
                Some(Way::Steps(..)) => drop(ways.pop_front()),
                Some(Way::Withhold(act)) => {
                    let next = node.withholding(act);
                    ways.pop_front();
                    return Some((turn, next));
                }
                None => drop(entry.get_mut().pop_front()),
            }
        }
    }

    /// How many schedules of one step were tried.
    fn ones_tried(&self, space: &Space, tried: &dyn Fn(&Schedule) -> bool) -> u64 {
        let steps = self.ones.iter().flat_map(|way| match way {
            Way::Steps(point, actions) => Some(self.points.steps(space, *point, actions)),
            Way::Withhold(_) => None,
        });
        let ones = steps.flatten().map(|step| space.deviating(&[step], &[])).filter(|one| tried(one));
        ones.collect::<HashSet<_>>().len() as u64
    }

    fn level(&mut self, node: &Node) -> Option<&mut Level> {
        let counts = node.withheld.is_empty();
        counts.then(|| self.levels.get_mut(node.size().saturating_sub(1))).flatten()
    }
}

impl Planner for Exhaustive {
    fn budget(&self) -> u64 {
        self.runs
    }

    fn expected(&self) -> u64 {
        self.levels.iter().map(|level| level.all).fold(0, u64::saturating_add).min(self.runs)
    }

    fn exhausts(&self) -> bool {
        true
    }

    fn is_past_one_step(&self, _space: &Space, _tried: &dyn Fn(&Schedule) -> bool) -> bool {
        self.queue.keys().all(|turn| turn.size > 1)
    }

    fn round(
        &mut self,
        space: &Arc<Space>,
        tried: &dyn Fn(&Schedule) -> bool,
        size: usize,
    ) -> Result<Vec<Planned>, ExploreError> {
        let mut round = Vec::new();
        self.asked.clear();
        let mut now = None;
        while round.len() < size {
            let Some((turn, node)) = self.next(space, now) else { break };
            let schedule = node.schedule(space);
            let leaf = node.size() == self.bound && node.withheld.is_empty();
            let ours = space.owns(&schedule);
            if leaf && !ours {
                continue;
            }
            let like = if turn.late == Late::No { Some(false) } else { node.goes_like_another(space) };
            match like {
                Some(true) => {
                    self.level(&node).into_iter().for_each(|level| level.same += 1);
                    continue;
                }
                // One of this round may show it.
                None if turn.late == Late::Later && !round.is_empty() => {
                    self.deferred = Some((turn, node));
                    break;
                }
                None | Some(false) => {}
            }
            if leaf && tried(&schedule) {
                self.level(&node).into_iter().for_each(|level| level.run += 1);
                continue;
            }
            // A round is of one turn, since the next one depends on what it shows.
            now = Some(turn);
            let probe = !node.withheld.is_empty() || !ours;
            round.push(Planned { probe, shared: !ours, ..Planned::judged(space, schedule) });
            self.asked.push(node);
        }
        Ok(round)
    }

    fn learn(&mut self, space: &Space, runs: &[Run], own: bool) -> Result<(), ExploreError> {
        if !own {
            return Ok(());
        }
        for (node, run) in std::mem::take(&mut self.asked).iter().zip(runs) {
            if run.taint.is_some() {
                self.unknown(node.size() + 1);
                continue;
            }
            if node.is_ours(space) {
                self.level(node).into_iter().for_each(|level| level.run += 1);
            }
            self.expand(space, node, run, None);
        }
        Ok(())
    }

    fn cover(&self, space: &Space, coverage: &mut Coverage, tried: &dyn Fn(&Schedule) -> bool) {
        for level in &self.levels {
            let mut level = level.clone();
            if level.steps == 1 {
                // Others may have tried them before this strategy got to them.
                level.run = self.ones_tried(space, tried).min(level.all.saturating_sub(level.same));
            } else {
                let shorter = coverage.levels.iter().find(|other| other.steps + 1 == level.steps);
                level.open |= shorter.is_none_or(|shorter| shorter.open || shorter.missing() > 0);
            }
            coverage.levels.retain(|other| other.steps != level.steps || other.covered() > level.covered());
            if coverage.levels.iter().all(|other| other.steps != level.steps) {
                coverage.levels.push(level);
            }
            coverage.levels.sort_by_key(|level| level.steps);
        }
    }
}

mod ways;

#[cfg(test)]
mod tests;
