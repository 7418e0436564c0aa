//! Has schedules tried, judges their runs, and remembers for the whole search what each schedule does.

use super::crew::{Crew, Tried};
use super::error::{ExploreError, Halt};
use super::steps::{before_call, control, heeds, last_call, sent_at};
use crate::schedule::{Point, Schedule, Syscall, ThreadName};
use crate::supervise::{Called, Observe, Observed, Wanted};
use crate::trace::{Broken, End, Interruption, Open, Outcome, Output, Run, Status, Undone, What, shape};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::{Discriminant, discriminant};

/// Names the expectations that a run breaks, none for a run that is as expected.
pub(super) type Judge<'a> = dyn Fn(&Run) -> Vec<Broken> + 'a;

/// What is remembered of a schedule that was run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The most telling expectation that it breaks.
    pub(super) breaks: Option<Broken>,
    /// True if every step was taken and no run was tainted.
    pub(super) clean: bool,
    /// A hash of the events.
    pub(super) events: u64,
    /// How the run ended: in what way, and with which status.
    pub(super) end: (Discriminant<End>, Option<Status>),
    /// A hash of what it did that others can notice.
    pub(super) effects: u64,
    /// A hash of what was written in the end, to standard output, to clients and to files.
    pub(super) told: u64,
}

/// What is remembered of a run at whose end everything sleeps for good.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// What each process holds.
    pub(super) held: Vec<Open>,
    /// A hash of who sleeps in which calls.
    pub(super) asleep: u64,
    /// A hash of what was done after the last that came from outside.
    pub(super) answer: u64,
}

/// What is remembered of a call that seems to have been cut short, after which something seems to be left undone.
#[derive(Clone, Debug)]
pub(super) struct LeftUndone {
    pub(super) call: Interruption,
    pub(super) what: Undone,
    /// The schedule in which what cut the call short comes just before it.
    pub(super) control: Schedule,
}

/// So many failing runs that others were compared with are kept until they are followed up.
const MOST_ASIDE: usize = 64;

/// After so many looks in vain nobody looks any more whether a wait or a write was cut short that nobody's signal has come to: there are
/// programs that never wait for some child.
const MOST_FUTILE: u32 = 8;

/// What came of what was run.
#[derive(Debug, Default)]
pub(super) struct Entries {
    entries: HashMap<Schedule, Entry>,
    /// Of schedules whose breach shows beside another run, the schedule of that.
    controls: HashMap<Schedule, Schedule>,
    /// Failing runs that others were compared with; the first few.
    aside: Vec<Run>,
    /// The first schedule that has shown that SIGTERM ends the program.
    heeding: Option<Schedule>,
    /// Of schedules that leave some, the children that nobody has waited for.
    unwaited: HashMap<Schedule, Vec<ThreadName>>,
    /// Of schedules after which something seems to be left undone, what that is.
    undone: HashMap<Schedule, Vec<LeftUndone>>,
    /// How often nothing came of that, where nobody had sent what was to have cut a call short.
    futile: u32,
    /// Of schedules after which everything sleeps, what is there then.
    waiting: HashMap<Schedule, Waiting>,
    /// Of schedules that send a signal at an instruction, the call that the thread has made before.
    last_calls: HashMap<Schedule, Point>,
    /// Runs that were made besides those of the strategies.
    extra_runs: u64,
    /// Runs that proved nothing.
    tainted: u64,
}

/// What was run, by whom, and what came of it.
pub(super) struct Ledger<'a, 'env> {
    crew: &'a Crew<'env>,
    judge: &'a Judge<'a>,
    so_far: Entries,
}

impl<'a, 'env> Ledger<'a, 'env> {
    /// With what came of earlier runs in it.
    pub(super) fn new(crew: &'a Crew<'env>, judge: &'a Judge<'a>, so_far: Entries) -> Ledger<'a, 'env> {
        Ledger { crew, judge, so_far }
    }

    /// What is in it, for another one.
    pub(super) fn into_entries(self) -> Entries {
        self.so_far
    }

    /// True if the user asked to stop.
    pub(super) fn cancelled(&self) -> bool {
        self.crew.cancelled()
    }

    /// Runs that were made besides those of the strategies.
    pub(super) fn extra_runs(&self) -> u64 {
        self.so_far.extra_runs
    }

    /// Runs that proved nothing.
    pub(super) fn tainted(&self) -> u64 {
        self.so_far.tainted
    }

    /// The expectations that the run breaks.
    pub(super) fn judge(&self, run: &Run) -> Vec<Broken> {
        (self.judge)(run)
    }

    /// The most telling expectation that the run breaks.
    pub(super) fn telling(&self, run: &Run) -> Option<Broken> {
        self.judge(run).into_iter().min()
    }

    /// True for a schedule that was run.
    pub(super) fn knows(&self, schedule: &Schedule) -> bool {
        self.so_far.entries.contains_key(schedule)
    }

    /// Remembers a run. Gives what is remembered, and what was before.
    pub(super) fn enter(&mut self, run: &Run) -> (Entry, Option<Entry>) {
        let tainted = run.taint.is_some();
        let breaks = if tainted { None } else { self.telling(run) };
        let entry = Entry {
            breaks,
            clean: !tainted && run.unreached.is_empty(),
            events: hash(&run.events),
            end: (discriminant(&run.outcome.end), run.outcome.end.status()),
            effects: hash(&run.effects()),
            told: told(&run.outcome),
        };
        if let Some(control) = breaks.and_then(|breaks| control(run, breaks)) {
            self.so_far.controls.insert(run.schedule.clone(), control);
        }
        if breaks == Some(Broken::CutShort) {
            let all = run.left_undone().into_iter();
            let all = all.filter_map(|(call, what)| {
                let control = before_call(run, &call)?;
                Some(LeftUndone { call, what, control })
            });
            self.so_far.undone.insert(run.schedule.clone(), all.collect());
        }
        if self.so_far.heeding.is_none() && heeds(run) {
            self.so_far.heeding = Some(run.schedule.clone());
        }
        if !run.outcome.unwaited.is_empty() {
            self.so_far.unwaited.insert(run.schedule.clone(), run.outcome.unwaited.clone());
        }
        if let End::Idle(sleepers) | End::Hang(sleepers) = &run.outcome.end {
            let asleep: Vec<_> = sleepers.iter().map(|one| (&one.thread, one.call, one.caught)).collect();
            let (held, asleep) = (run.outcome.remains.held.clone(), hash(&asleep));
            let waiting = Waiting { held, asleep, answer: hash(&run.answer()) };
            self.so_far.waiting.insert(run.schedule.clone(), waiting);
        }
        if let Some((_, step, _)) = sent_at(&run.schedule)
            && let Some(call) = last_call(run, step)
        {
            self.so_far.last_calls.insert(run.schedule.clone(), call);
        }
        (entry, self.so_far.entries.insert(run.schedule.clone(), entry))
    }

    /// What this schedule is to be compared with.
    pub(super) fn control(&self, schedule: &Schedule) -> Option<&Schedule> {
        self.so_far.controls.get(schedule)
    }

    /// The first schedule that has shown that SIGTERM ends the program.
    pub(super) fn heeding(&self) -> Option<&Schedule> {
        self.so_far.heeding.as_ref()
    }

    /// The children that nobody has waited for in the run of this schedule.
    pub(super) fn unwaited(&self, schedule: &Schedule) -> &[ThreadName] {
        self.so_far.unwaited.get(schedule).map_or(&[], Vec::as_slice)
    }

    /// What seems to be left undone after this schedule's run.
    pub(super) fn left_undone(&self, schedule: &Schedule) -> &[LeftUndone] {
        self.so_far.undone.get(schedule).map_or(&[], Vec::as_slice)
    }

    /// True if it is still worth looking whether something is left undone that nobody's signal has brought about.
    pub(super) fn looks_for_undone(&self) -> bool {
        self.so_far.futile < MOST_FUTILE
    }

    /// Nothing came of looking for that.
    pub(super) fn note_futile(&mut self) {
        self.so_far.futile += 1;
    }

    /// What this call of this thread returns each time in a run of this schedule; none where that cannot be seen, or where the run is
    /// another than it was.
    pub(super) fn results(
        &mut self,
        schedule: &Schedule,
        thread: &ThreadName,
        call: Syscall,
    ) -> Result<Option<Vec<Called>>, Halt> {
        let before = self.look(schedule)?;
        let wanted = Wanted::from([(thread.clone(), call)]);
        let seen = self.see(schedule, &Observe::Calls(wanted))?;
        let same = |run: &Run| run.taint.is_none() && hash(&run.events) == before.events;
        Ok(seen.filter(|(run, _)| same(run)).map(|(run, observed)| {
            // Where a handler comes first, the call is not made until its next visit.
            let mut called = observed.calls;
            called.retain(|one| {
                let made = What::Go(one.point.site, one.point.nth);
                run.events.iter().any(|event| event.thread == one.point.thread && event.what == made)
            });
            called
        }))
    }

    /// A run of this schedule with a closer look; none where that cannot be had.
    pub(super) fn see(
        &mut self,
        schedule: &Schedule,
        observe: &Observe,
    ) -> Result<Option<(Run, Observed)>, Halt> {
        let seen = self
            .crew
            .see(schedule, observe)
            .map_err(ExploreError::run(format!("looking at ({schedule})")))?;
        self.so_far.extra_runs += u64::from(seen.is_some());
        Ok(seen.map(|(tried, observed)| (tried.run, observed)))
    }

    /// What is there at the end of this schedule's run, if everything sleeps then.
    pub(super) fn waiting(&self, schedule: &Schedule) -> Option<&Waiting> {
        self.so_far.waiting.get(schedule)
    }

    /// Of a schedule that sends a signal at an instruction, the call that the thread has made before.
    pub(super) fn last_call(&self, schedule: &Schedule) -> Option<&Point> {
        self.so_far.last_calls.get(schedule)
    }

    /// Has these schedules tried, in their order; there are fewer results where the user asked to stop. `doing` says what
    /// for.
    pub(super) fn make(&mut self, schedules: &[Schedule], doing: &str) -> Result<Vec<Tried>, Halt> {
        self.make_until(schedules, doing, &|_| false)
    }

    /// Has a round tried; where the `first` finding is wanted, up to the first that fails. True comes with them unless the user asked
    /// to stop.
    pub(super) fn make_round(
        &mut self,
        schedules: &[Schedule],
        first: bool,
    ) -> Result<(Vec<Tried>, bool), Halt> {
        let judge = self.judge;
        let enough = |run: &Run| first && run.taint.is_none() && !judge(run).is_empty();
        let tried = self.make_until(schedules, "trying", &enough)?;
        let done = tried.len() == schedules.len() || tried.last().is_some_and(|last| enough(&last.run));
        Ok((tried, done))
    }

    fn make_until(
        &mut self,
        schedules: &[Schedule],
        doing: &str,
        enough: &dyn Fn(&Run) -> bool,
    ) -> Result<Vec<Tried>, Halt> {
        let tried = self.crew.try_all(schedules, enough).map_err(|(index, error)| {
            let schedule = schedules.get(index).cloned().unwrap_or_default();
            ExploreError::run(format!("{doing} ({schedule})"))(error)
        })?;
        self.so_far.tainted += tried.iter().map(|tried| tried.tainted).sum::<u64>();
        Ok(tried)
    }

    /// The same with runs that no strategy has planned.
    pub(super) fn make_extra(&mut self, schedules: &[Schedule], doing: &str) -> Result<Vec<Tried>, Halt> {
        let tried = self.make(schedules, doing)?;
        self.so_far.extra_runs += tried.len() as u64;
        Ok(tried)
    }

    fn make_one(&mut self, schedule: &Schedule, doing: &str) -> Result<Run, Halt> {
        let tried = self.make_extra(std::slice::from_ref(schedule), doing)?.pop();
        tried.map(|tried| tried.run).ok_or(Halt::Interrupted)
    }

    /// What the schedule does: remembered, or found out by a run.
    pub(super) fn look(&mut self, schedule: &Schedule) -> Result<Entry, Halt> {
        if let Some(entry) = self.so_far.entries.get(schedule) {
            return Ok(*entry);
        }
        let run = self.make_one(schedule, "shrinking, at")?;
        Ok(self.enter(&run).0)
    }

    /// The same of a schedule that another one is compared with: if it fails, nobody else follows that up.
    pub(super) fn compare(&mut self, schedule: &Schedule) -> Result<Entry, Halt> {
        if let Some(entry) = self.so_far.entries.get(schedule) {
            return Ok(*entry);
        }
        let run = self.make_one(schedule, "comparing, at")?;
        let (entry, _) = self.enter(&run);
        if entry.clean && entry.breaks.is_some() && self.so_far.aside.len() < MOST_ASIDE {
            self.so_far.aside.push(run);
        }
        Ok(entry)
    }

    /// Failing runs that others were compared with, each once.
    pub(super) fn take_aside(&mut self) -> Vec<Run> {
        std::mem::take(&mut self.so_far.aside)
    }

    /// True if this very schedule, with every step taken, breaks the expectation.
    pub(super) fn breaks(&mut self, schedule: &Schedule, breaks: Broken) -> Result<bool, Halt> {
        let entry = self.look(schedule)?;
        Ok(entry.clean && entry.breaks == Some(breaks))
    }
}

fn told(outcome: &Outcome) -> u64 {
    let clients: Vec<&Output> = outcome.clients.iter().map(|one| &one.stdout).collect();
    let mut files: Vec<_> =
        outcome.remains.changes.iter().map(|change| (shape(&change.name), &change.how)).collect();
    files.sort();
    hash(&(&outcome.stdout, clients, format!("{files:?}")))
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
