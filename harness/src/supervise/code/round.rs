//! Threads that compute without a call and go round in a loop that changes nothing: NOTE \[Round\] in `code::round`.
//!
//! NOTE \[Same state\] It is shown, not timed. First the thread is looked at from time to time; if it is in one such loop
//! each time, breakpoints on all ways out of the loop count, and it is looked at again. If it is then found at one instruction with
//! the same registers twice, and no way out was taken in between, nothing will ever be another as long as nobody else does anything: all others
//! are held or asleep meanwhile.
//!
//! NOTE \[Goes round\] So it waits, as a sleeper does, only that it burns a CPU: for a signal, or for memory that others have. If there are
//! others that could go on it is held in its loop, at one instruction, until they have; where the kernel would have divided the CPU among them,
//! the loop could not tell how often it went round. If there are none, what it waits for is a time that runs out, and on a clock of the run's own
//! that comes at once. If
//! there is none of these either, and it is the only thread that is left, with no timer and no memory that others have, it goes round for ever.

use crate::code::Place as CodePlace;
use crate::schedule::{Label, Site};
use crate::supervise::RunError;
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::news::News;
use crate::supervise::books::thread::State;
use crate::supervise::code::ambush::{Ambush, MOST};
use crate::supervise::code::suspect::{GoesRound, Stage, Suspect, is_same, states};
use crate::supervise::state::Turns;
use crate::sys::perf::{Breakpoint, Sample, Samples};
use crate::sys::procfs;
use crate::trace::End;
use std::time::Duration;

/// When and how a thread is looked at.
struct Manner {
    /// It has computed for so long.
    computes: Duration,
    /// So often, while it has the CPU.
    every: Duration,
    /// For so long each of the two times, and twice as long after each look in vain: the first ones are short, since most loops show
    /// themselves at once, and the last ones long.
    looks: Duration,
}

/// Nothing is known.
const USUAL: Manner = Manner {
    computes: Duration::from_millis(5),
    every: Duration::from_micros(100),
    looks: Duration::from_millis(2),
};
/// The program is known to go round.
const EAGER: Manner = Manner {
    computes: Duration::from_micros(800),
    every: Duration::from_micros(50),
    looks: Duration::from_micros(800),
};
/// So many looks may be in vain.
const TRIES: u32 = 8;

impl Turns<'_> {
    /// A thread has computed for so long, and all others are held or asleep: what is known of it if it goes round.
    pub(in crate::supervise) fn goes_round(&mut self, id: ThreadId, computed: Duration) -> Option<GoesRound> {
        let undisturbed = !self.tree.running().any(|other| other != id)
            && self.kernel.cpu_timers.is_empty()
            && !self.kernel.asynchronous;
        let (_, since) = self.tree.thread(id).cpu_at_release?;
        let Manner { computes, every, looks } = if self.settings.learnt.goes_round() { EAGER } else { USUAL };
        if computed < computes || !undisturbed {
            self.code.suspect = None;
            return None;
        }
        let current = |suspect: &Suspect| suspect.thread == id && suspect.since == since;
        let tid = self.tree.thread(id).door.tid();
        let Some(suspect) = self.code.suspect.take().filter(current) else {
            let stage = Samples::of(tid, every).map_or(Stage::Given, Stage::Where);
            self.code.suspect = Some(Suspect { thread: id, since, from: computed, vain: 0, stage });
            return None;
        };
        if computed.saturating_sub(suspect.from) < looks * (1 << suspect.vain) {
            self.code.suspect = Some(suspect);
            return None;
        }
        let mut vain = suspect.vain;
        let mut again = || {
            vain += 1;
            let samples = (vain < TRIES).then(|| Samples::of(tid, every).ok()).flatten();
            samples.map_or(Stage::Given, Stage::Where)
        };
        let (stage, proven) = match suspect.stage {
            Stage::Given => (Stage::Given, None),
            Stage::Where(samples) => {
                (self.stays(id, &states(samples), every).unwrap_or_else(&mut again), None)
            }
            Stage::Stays { samples, round, bias, exits, place } => {
                let states = states(samples);
                let left = exits.iter().any(|exit| exit.count() != Ok(0));
                let same = !left && is_same(&states, &round, bias);
                let first = round.inside.first().filter(|_| same);
                let proven = first.map(|first| GoesRound {
                    address: first.wrapping_add(bias),
                    place,
                    instructions: round.inside.len(),
                });
                (if same { Stage::Given } else { again() }, proven)
            }
        };
        if proven.is_some() {
            self.settings.learnt.one_goes_round();
        } else if matches!(stage, Stage::Given) {
            self.settings.learnt.one_computes_on();
        }
        self.code.suspect = Some(Suspect { from: computed, vain, stage, ..suspect });
        proven
    }

    /// It is being looked at whether the thread stays in its loop: what is found out soon comes first.
    pub(in crate::supervise) fn may_go_round(&self, id: ThreadId) -> bool {
        let looks = |suspect: &Suspect| suspect.thread == id && matches!(suspect.stage, Stage::Stays { .. });
        self.code.suspect.as_ref().is_some_and(looks)
    }

    /// It was looked at in vain whether this thread goes round, or it cannot be; or that is known of the program.
    pub(in crate::supervise) fn computes_on(&self, id: ThreadId) -> bool {
        match &self.code.suspect {
            Some(suspect) if suspect.thread == id && !matches!(suspect.stage, Stage::Given) => {
                matches!(suspect.stage, Stage::Where(_)) && self.settings.learnt.computes_on()
            }
            Some(_) | None => true,
        }
    }

    /// What follows for a thread that goes round: see NOTE \[Goes round\]. An end, if it does so for ever.
    pub(in crate::supervise) fn wait_in_round(
        &mut self,
        id: ThreadId,
        round: GoesRound,
    ) -> Result<Option<End>, RunError> {
        if self.tree.held().next().is_some() {
            return self.hold_in_round(id, round).map(|()| None);
        }
        if let Some(earliest) = self.earliest() {
            // On the machine's clock it has to come there as well.
            if !self.clock.is_virtual() {
                return Ok(None);
            }
            // What comes of it may end the loop, or not.
            self.code.suspect = None;
            return self.run_out_beside(id, earliest).map(|()| None);
        }
        let alone = self.tree.live_threads() == 1 && !procfs::shares_memory(self.tree.process_of(id).pid);
        Ok(alone.then(|| {
            End::Spinning(format!(
                "{} goes round in a loop of {} instructions that changes nothing, always in the same state",
                self.tree.thread(id).name,
                round.instructions
            ))
        }))
    }

    /// Has it stop in its loop, if nobody of the program can notice that.
    fn hold_in_round(&mut self, id: ThreadId, round: GoesRound) -> Result<(), RunError> {
        let Some(status) = self.proc_status(id)? else { return Ok(()) };
        let thread = self.tree.thread(id);
        if self.obstacle(id, &status)?.is_some() || thread.ambushes.len() >= MOST {
            return Ok(());
        }
        // Without breakpoints it computes on.
        let Ok(breakpoint) = Breakpoint::on_code(thread.door.tid(), round.address, 1) else { return Ok(()) };
        let nth = thread.times_at(&Site::At(round.place)) + 1;
        let ambush = Ambush { nth, of_round: true, ..Ambush::new(round.place, round.address, breakpoint) };
        let process = thread.process;
        self.tree.thread_mut(id).ambushes.push(ambush);
        self.tree.process_mut(process).handlers.changed = true;
        self.aim(id)?;
        let mut ambushes = self.tree.thread(id).ambushes.iter();
        ambushes.find(|ambush| ambush.of_round).map_or(Ok(()), Ambush::start)
    }

    /// It has stopped there: all others go first. That is no point, since it can be at any round of its loop.
    pub(in crate::supervise) fn held_in_round(&mut self, id: ThreadId, place: Label, nth: u32) {
        let mut held = Held::parked(Place::At(place, nth));
        held.told = true;
        let thread = self.tree.thread_mut(id);
        thread.ambushes.retain(|ambush| !ambush.of_round);
        thread.visits.insert(Site::At(place), nth);
        thread.demoted = true;
        thread.state = State::Held(held);
        self.picker.waits(id);
        self.journal.news.push((id, News::Held));
    }

    /// Begins to look whether a thread that was seen in these states stays in one loop of its program.
    fn stays(&self, id: ThreadId, states: &[Sample], every: Duration) -> Option<Stage> {
        let thread = self.tree.thread(id);
        let process = self.tree.process(thread.process);
        let ip = states.first()?.registers.ip;
        let (image, bias) = self.settings.learnt.places.image(&process.program, process.entry)?;
        let round = image.round_of(ip.wrapping_sub(bias))?;
        let first = *round.inside.first()?;
        let function = image.function_at(first)?;
        let place = CodePlace::in_function(&function.name, first - function.start);
        // A later visit of an instruction may be a step's.
        let awaited =
            |ambush: &Ambush| !ambush.sprung && round.inside.contains(&ambush.address.wrapping_sub(bias));
        let followed = thread.ambushes.iter().any(awaited);
        if followed || !is_same(states, &round, bias) || round.exits.len() > MOST {
            return None;
        }
        let mut exits = Vec::new();
        for exit in &round.exits {
            let breakpoint =
                Breakpoint::on_code(thread.door.tid(), exit.wrapping_add(bias), i64::MAX as u64).ok()?;
            breakpoint.start_for_ever().ok()?;
            exits.push(breakpoint);
        }
        // Begun last: what is seen from now on is seen with all ways out watched.
        let samples = Samples::of(thread.door.tid(), every).ok()?;
        Some(Stage::Stays { samples, round, bias, exits, place: Label::new(&place.to_string()) })
    }
}
