//! Whether a thread that computes without a call goes round for ever: NOTE \[Round\] in `code::round`.
//!
//! NOTE \[Same state\] It is shown, not timed. First the thread is looked at from time to time; if it is in one such loop
//! each time, breakpoints on all ways out of the loop count, and it is looked at again. If it is then found at one instruction with
//! the same registers twice, and no way out was taken in between, nothing will ever be another. That is said only of
//! the one thread that is left in the run, with no timer and no memory that others have: else they could change what it looks at.

use crate::supervise::books::ids::ThreadId;
use crate::supervise::code::ambush::{Ambush, MOST};
use crate::supervise::code::suspect::{Stage, Suspect, is_same, states};
use crate::supervise::state::Turns;
use crate::sys::perf::{Breakpoint, Sample, Samples};
use crate::sys::procfs;
use std::time::Duration;

/// A thread that has computed for so long is looked at.
const COMPUTES: Duration = Duration::from_millis(20);
/// So often, while it has the CPU.
const EVERY: Duration = Duration::from_micros(500);
/// For so long each of the two times, and twice as long after each look in vain, of which there are so many.
const LOOKS: Duration = Duration::from_millis(10);
const TRIES: u32 = 6;

impl Turns<'_> {
    /// What is to be said of a thread that has computed for so long, if it is known to go round for ever.
    pub(in crate::supervise) fn goes_round(&mut self, id: ThreadId, computed: Duration) -> Option<String> {
        let alone =
            self.tree.live_threads() == 1 && self.kernel.cpu_timers.is_empty() && !self.kernel.asynchronous;
        let (_, since) = self.tree.thread(id).cpu_at_release?;
        if computed < COMPUTES || !alone || self.earliest().is_some() {
            self.code.suspect = None;
            return None;
        }
        let current = |suspect: &Suspect| suspect.thread == id && suspect.since == since;
        let tid = self.tree.thread(id).door.tid();
        let Some(suspect) = self.code.suspect.take().filter(current) else {
            let stage = Samples::of(tid, EVERY).map_or(Stage::Given, Stage::Where);
            self.code.suspect = Some(Suspect { thread: id, since, from: computed, vain: 0, stage });
            return None;
        };
        if computed.saturating_sub(suspect.from) < LOOKS * (1 << suspect.vain) {
            self.code.suspect = Some(suspect);
            return None;
        }
        let mut vain = suspect.vain;
        let mut again = || {
            vain += 1;
            let samples = (vain < TRIES).then(|| Samples::of(tid, EVERY).ok()).flatten();
            samples.map_or(Stage::Given, Stage::Where)
        };
        let (stage, proven) = match suspect.stage {
            Stage::Given => (Stage::Given, None),
            Stage::Where(samples) => (self.stays(id, &states(samples)).unwrap_or_else(&mut again), None),
            Stage::Stays { samples, round, bias, exits } => {
                let states = states(samples);
                let left = exits.iter().any(|exit| exit.count() != Ok(0));
                let same = !left && is_same(&states, &round, bias);
                let words = || {
                    format!(
                        "{} goes round in a loop of {} instructions that changes nothing, always in the same state",
                        self.tree.thread(id).name,
                        round.inside.len()
                    )
                };
                let proven = same.then(words);
                (if same { Stage::Given } else { again() }, proven)
            }
        };
        self.code.suspect = Some(Suspect { from: computed, vain, stage, ..suspect });
        proven
    }

    /// Begins to look whether a thread that was seen in these states stays in one loop of its program.
    fn stays(&self, id: ThreadId, states: &[Sample]) -> Option<Stage> {
        let thread = self.tree.thread(id);
        let process = self.tree.process(thread.process);
        let ip = states.first()?.registers.ip;
        let (image, bias) = self.settings.learnt.places.image(&process.program, process.entry)?;
        // What is mapped for others as well, they may change, or the kernel does (MAP_SHARED, mmap(2)).
        let maps = procfs::maps(process.pid).ok()?;
        if maps.lines().filter_map(|line| line.split(' ').nth(1)).any(|rights| rights.ends_with('s')) {
            return None;
        }
        let round = image.round_of(ip.wrapping_sub(bias))?;
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
        let samples = Samples::of(thread.door.tid(), EVERY).ok()?;
        Some(Stage::Stays { samples, round, bias, exits })
    }
}
