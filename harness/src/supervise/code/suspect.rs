//! A thread that may go round for ever, as a value: see `round`.

use crate::code::Round;
use crate::schedule::Label;
use crate::supervise::books::ids::ThreadId;
use crate::sys::perf::{Breakpoint, Sample, Samples};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// It has to be seen so many times at least.
const FEWEST: usize = 8;

/// A thread that is looked at.
#[derive(Debug)]
pub(in crate::supervise) struct Suspect {
    pub(in crate::supervise) thread: ThreadId,
    /// Since when it computes: another time is another computation.
    pub(in crate::supervise) since: Instant,
    /// When the look began, in CPU time of the computation.
    pub(in crate::supervise) from: Duration,
    /// How often it was looked at in vain: each time for twice as long, since few samples may come.
    pub(in crate::supervise) vain: u32,
    pub(in crate::supervise) stage: Stage,
}

/// How far the look has come.
#[derive(Debug)]
pub(in crate::supervise) enum Stage {
    /// Where it is.
    Where(Samples),
    /// Whether it stays there: the loop, where that is in memory, and its exits.
    Stays { samples: Samples, round: Round, bias: u64, exits: Vec<Breakpoint>, place: Label },
    /// Nothing can be said of it.
    Given,
}

/// A thread goes round in a loop that changes nothing, always in the same state: nothing comes of it as long as nobody else does anything.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervise) struct GoesRound {
    /// The loop's first instruction, in the thread's memory.
    pub(in crate::supervise) address: u64,
    /// The same by name.
    pub(in crate::supervise) place: Label,
    /// How many instructions the loop has.
    pub(in crate::supervise) instructions: usize,
}

/// All that were taken.
pub(in crate::supervise) fn states(mut samples: Samples) -> Vec<Sample> {
    std::iter::from_fn(|| samples.take()).collect()
}

/// True if all of these are in the loop, those at one instruction are the same, and there is an instruction with two.
pub(in crate::supervise) fn is_same(states: &[Sample], round: &Round, bias: u64) -> bool {
    let mut known: BTreeMap<u64, &Sample> = BTreeMap::new();
    let mut again = false;
    for state in states {
        if !round.inside.contains(&state.registers.ip.wrapping_sub(bias)) {
            return false;
        }
        match known.insert(state.registers.ip, state) {
            Some(before) if before != state => return false,
            Some(_) => again = true,
            None => {}
        }
    }
    again && states.len() >= FEWEST
}
