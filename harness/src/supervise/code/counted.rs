//! Places whose executions are counted, without any step being taken there.
//!
//! NOTE \[Counted\] A place whose executions are counted stops its thread the first time, and as many times more as are asked
//! for, so that it is known what had happened before. Where the thread cannot be stopped, it is known of its next point: what it has executed by then, it
//! executed since its last one.
//!
//! NOTE \[Open\] What a library does before a handler can come to interrupt it is of no use to who looks for places for signals, and
//! may be much: such visits are only counted, in passing, and the first one at which a handler could be made to run is the
//! first that is a point. Its number is what the processor has counted by then.

use crate::schedule::{Label, Point, Site, Syscall, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::code::ambush::{Aim, Ambush, Counter, unavailable};
use crate::supervise::lapse::Reception;
use crate::supervise::state::Turns;
use crate::supervise::{Counted, Observe, RunError};
use crate::trace::{Acts, Reached, Threads};
use nix::errno::Errno;
use std::collections::BTreeMap;
use syscalls::Sysno;

impl<'a> Turns<'a> {
    /// The places in a thread's code whose executions are to be counted.
    pub(in crate::supervise) fn counted_by(
        &self,
        name: &ThreadName,
    ) -> impl Iterator<Item = Label> + use<'_, 'a> {
        let name = name.clone();
        let places = match self.observe {
            Observe::Nothing
            | Observe::Handlers(_)
            | Observe::Where { .. }
            | Observe::Calls(_)
            | Observe::Signals(_) => &[][..],
            Observe::Executions(counted) => &counted.places,
        };
        places.iter().filter(move |(thread, _)| *thread == name).map(|(_, place)| *place)
    }

    pub(in crate::supervise) fn counts_open(&self) -> bool {
        matches!(self.observe, Observe::Executions(Counted { open: true, .. }))
    }

    /// True if a handler of the thread's process could be made to run in it now: see `Counted::open`.
    pub(in crate::supervise) fn is_open(&mut self, id: ThreadId) -> Result<bool, RunError> {
        let Some(status) = self.proc_status(id)? else { return Ok(false) };
        let process = self.tree.thread(id).process;
        let caught = status.caught.union(self.tree.process(process).handlers.soon);
        // What a thread that is about to change its mask blocks then is seen where it stops.
        let mask = Site::Before(Syscall::from(Sysno::rt_sigprocmask));
        let blocked = if self.point_of(id).0.site == mask { SignalSet::EMPTY } else { status.blocked };
        let deliverable = caught.without(blocked);
        if !self.settings.watch.is_empty() {
            return Ok(self.settings.watch.iter().any(|signal| deliverable.contains(*signal)));
        }
        let others = self.tree.others_held(process);
        Ok(others && deliverable.contains(Signal::CHLD) || !deliverable.is_empty() && self.could_fire(id)?)
    }

    /// The next visit of each place of a thread that was only counted is a point.
    pub(in crate::supervise) fn open(&mut self, id: ThreadId) -> Result<(), RunError> {
        let thread = self.tree.thread_mut(id);
        let mut counts: BTreeMap<Label, u32> = BTreeMap::new();
        for ambush in thread.ambushes.iter_mut().filter(|ambush| ambush.closed) {
            let count = ambush.breakpoint.count().map_err(|errno| {
                RunError::Fault(format!("reading how often a place was executed: {errno}"))
            })?;
            *counts.entry(ambush.place).or_default() += u32::try_from(count).unwrap_or(u32::MAX);
            // What was noted of those visits.
            while ambush.breakpoint.registers().is_some() {}
        }
        for (place, count) in counts {
            thread.visits.insert(Site::At(place), count);
            for ambush in thread.ambushes.iter_mut().filter(|ambush| ambush.place == place) {
                (ambush.closed, ambush.nth) = (false, count.saturating_add(1));
            }
        }
        Ok(())
    }

    /// True if the next visit of a place that is to be counted is a point, too.
    pub(in crate::supervise) fn is_point_again(&self, id: ThreadId, place: Label) -> bool {
        let points = if let Observe::Executions(counted) = self.observe { counted.points } else { 0 };
        let name = &self.tree.thread(id).name;
        let here =
            |reached: &&Reached| reached.point.site == Site::At(place) && reached.point.thread == *name;
        // This visit is about to be one more.
        let more = || (self.journal.reached.iter().filter(here).count() as u32) + 1 < points;
        points > 1 && self.counted_by(name).any(|counted| counted == place) && more()
    }

    /// A place that is to be counted is counted from now on, with all its copies.
    pub(in crate::supervise) fn begin_counting(
        &mut self,
        id: ThreadId,
        place: Label,
    ) -> Result<(), RunError> {
        let name = self.tree.thread(id).name.clone();
        if !self.counted_by(&name).any(|counted| counted == place) {
            return Ok(());
        }
        let ambushes = std::mem::take(&mut self.tree.thread_mut(id).ambushes);
        for ambush in ambushes {
            if ambush.place != place {
                self.tree.thread_mut(id).ambushes.push(ambush);
                continue;
            }
            match ambush.breakpoint.count_on() {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(unavailable(errno)),
            }
            self.code.counters.push(Counter { thread: name.clone(), place, breakpoint: ambush.breakpoint });
        }
        Ok(())
    }

    /// The places that the thread came to since it was let go, where it could not be stopped: see NOTE [Counted].
    pub(in crate::supervise) fn note_counted(&mut self, id: ThreadId) -> Result<(), RunError> {
        let thread = self.tree.thread(id);
        // At every call of a run without code points.
        if thread.ambushes.is_empty() {
            return Ok(());
        }
        let name = thread.name.clone();
        let counted: Vec<Label> = self.counted_by(&name).collect();
        let unstopped = |ambush: &&Ambush| {
            let nothing = matches!(ambush.aim, Some(Aim::Nothing(_)));
            nothing && !ambush.closed && counted.contains(&ambush.place)
        };
        // The next visit of a place, and how often it was executed.
        let mut places: BTreeMap<(Label, u32), u64> = BTreeMap::new();
        for ambush in thread.ambushes.iter().filter(unstopped) {
            let count = ambush.breakpoint.count().unwrap_or_default();
            *places.entry((ambush.place, ambush.nth)).or_default() += count;
        }
        places.retain(|(_, nth), count| *count >= u64::from(*nth));
        for (place, nth) in places.into_keys() {
            self.begin_counting(id, place)?;
            let site = Site::At(place);
            self.tree.thread_mut(id).visits.insert(site, nth);
            let Reception { receivable, lapsed } = self.reception(id)?;
            let point = Point { thread: name.clone(), site, nth };
            let (others, fires) = (Threads::default(), self.could_fire(id)?);
            self.journal.reach(
                Reached { point, others, receivable, fires, acts: Acts::NOTHING, looks: false },
                lapsed,
            );
        }
        Ok(())
    }
}
