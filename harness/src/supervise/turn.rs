//! The turn loop: settle, pick by the default rule or by the schedule, let go, and again.

use super::{Observed, RunError, lapse};
use crate::schedule::{Site, Step};
use crate::supervise::books::news::News;
use crate::supervise::state::Turns;
use crate::supervise::steps::Picked;
use crate::supervise::time::due::Time;
use crate::trace::{End, Run, What};
use std::ops::Range;

/// A run, and what was seen of what it was looked at for.
type Told = Result<(Run, Observed), RunError>;

impl Turns<'_> {
    /// From the start of the program to the end of everything in the cell; and where the dynamic loaders were.
    pub(super) fn run(mut self) -> (Told, Vec<Range<u64>>) {
        let run = self.told();
        (run, self.code.loaders)
    }

    /// A program whose loader is not where the filter has it: what it does may not be notified.
    fn misplaced(&self) -> bool {
        self.code
            .unnotified
            .as_ref()
            .is_some_and(|range| self.code.loaders.iter().any(|other| other != range))
    }

    fn told(&mut self) -> Told {
        self.start()?;
        let end = self.drive()?;
        let verdict_after = self.going.released_at.elapsed();
        self.note_spinning(&end);
        let mut observed = self.observed()?;
        let outcome = self.finish(end)?;
        observed.places = self.code.lookout.places();
        observed.seen = self.told_of_calls();
        observed.receivers = self.journal.receivers();
        observed.listens = std::mem::take(&mut self.journal.listens);
        observed.wants_terminal = self.journal.wants_terminal;
        observed.calls = std::mem::take(&mut self.code.calls.made);
        observed.start = std::mem::take(&mut self.journal.start);
        if let Some(what) = self.doubts.take_unsupported() {
            return Err(RunError::Unsupported(what));
        }
        let steps = self.schedule.steps.iter().zip(&self.taken);
        let unreached: Vec<Step> =
            steps.filter(|(_, taken)| !**taken).map(|(step, _)| step.clone()).collect();
        let lapses = std::mem::take(&mut self.journal.lapses);
        let mut events = std::mem::take(&mut self.journal.events);
        let mut reached = std::mem::take(&mut self.journal.reached);
        // They are kept.
        events.shrink_to_fit();
        reached.shrink_to_fit();
        lapse::open(&lapses, &mut reached);
        let run = Run {
            schedule: self.schedule.clone(),
            events: events.into(),
            outcome,
            reached,
            lapses,
            first_quiet: std::mem::take(&mut self.journal.first_quiet),
            merged: lapse::merged(&unreached, self.journal.refused),
            unreached,
            shares_memory: self.kernel.shares_memory,
            taint: self.doubts.take_taint(),
            verdict_after,
        };
        Ok((run, observed))
    }

    fn drive(&mut self) -> Result<End, RunError> {
        loop {
            if let Some(end) = self.settle()? {
                return Ok(end);
            }
            if self.clear_marks()? || self.clock.is_virtual() && self.answer_glances()? {
                continue;
            }
            if self.flush_own_terminals()? {
                continue;
            }
            self.note_terminal();
            self.tell_news();
            if self.end_next()? || self.type_on()? || self.steps_of_sleepers()? {
                continue;
            }
            if self.tree.live_threads() == 0 {
                if self.start_due_clients()? {
                    continue;
                }
                return self.end_of_all();
            }
            if self.doubts.is_unsupported() || self.misplaced() || self.is_worn_out() {
                return Ok(End::TimedOut);
            }
            self.interrupted()?;
            if self.course.started.elapsed() > self.settings.limits.time {
                return Ok(End::TimedOut);
            }
            match self.jump()? {
                Time::Passed => continue,
                Time::Over(end) => return Ok(end),
                Time::Nothing => {}
            }
            let in_vain = self.goes_on_in_vain();
            let spins = in_vain.is_some() || self.picker.points() > self.course.most_points;
            // Whoever wakes would stop beside a thread that is parked.
            let due = self.clock.may_be_due() && !self.tree.live().any(|id| self.waits_for_parked(id));
            if spins || due {
                let time = if spins { self.let_time_pass_at_last()? } else { self.let_due_time_pass()? };
                match time {
                    Time::Passed => continue,
                    Time::Over(end) => return Ok(end),
                    Time::Nothing if spins => {
                        let points = self.picker.points();
                        let counted = || format!("{points} points without coming to an end");
                        return Ok(End::Spinning(in_vain.unwrap_or_else(counted)));
                    }
                    Time::Nothing => {}
                }
            }
            match self.pick()? {
                Picked::One(thread) => self.let_go(thread)?,
                Picked::Again => {}
                Picked::Nobody => {
                    let Some(still) = self.still_as_settled()? else { continue };
                    if self.steps_of_quiet()? {
                        continue;
                    }
                    if let Some(end) = self.quiet(&still)? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    /// The program has been going on for as long as it may. If it waits for a time, which would have come by then if calls
    /// took longer, that is let come; a few times, since a timer may repeat.
    fn let_time_pass_at_last(&mut self) -> Result<Time, RunError> {
        const TIMES: u64 = 3;
        let most = self.settings.limits.points;
        if self.course.most_points > most.saturating_mul(TIMES) {
            return Ok(Time::Nothing);
        }
        self.course.most_points = self.course.most_points.saturating_add(most);
        if let Some(seat) = &mut self.seat {
            seat.in_vain = 0;
        }
        self.refresh_timers()?;
        self.let_time_pass()
    }

    /// Tells what happened while the threads settled.
    fn tell_news(&mut self) {
        for (thread, what) in self.journal.take_news() {
            self.note_returns(thread, &what);
            self.tree.thread_mut(thread).since = self.journal.next_stamp();
            match what {
                News::Held => {}
                News::Slept(call) => {
                    self.slept_after_entering(thread, call);
                    let nth = self.visit(thread, Site::In(call));
                    self.event(thread, What::Sleep(call, nth));
                }
                News::Told(what) => self.event(thread, what),
            }
        }
        self.note_returns_of_held();
    }
}
