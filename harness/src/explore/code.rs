//! The code that a search may take steps in, as a value.
//!
//! NOTE \[Stretches\] Instructions that are executed one after the other, without a jump into or out of them, are executed
//! equally often: only the first is counted. A function whose first instruction is never executed is not looked into
//! further. Whether a signal is caught or blocked can only change in a system call, and those end a stretch too.

use crate::schedule::{Label, Schedule, Site};
use std::fmt;
use std::sync::Arc;

/// Of an instruction that is executed more often only so many visits are points: the first ones.
pub const MOST_VISITS: u64 = 8;

/// The code that a search may take steps in.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// Function by function, each from its first instruction on.
    pub functions: Vec<Vec<Stretch>>,
    /// Functions of libraries that were asked for: `libc.so.6!malloc`.
    pub roots: Vec<Label>,
    /// True if those of the library functions are looked into as well that a handler could enter again, and the places that
    /// the rules for handlers propose.
    pub reentered: bool,
    /// The code of libraries, once it is known which files those are.
    pub chart: Option<Arc<dyn Chart>>,
    /// It is followed in so many runs at most, if not in as many as are of use.
    pub follow: Option<usize>,
    /// What is beside an instruction of the program.
    pub neighbours: Option<Arc<dyn Neighbours>>,
}

/// Code of which it is known what is beside an instruction.
pub trait Neighbours: fmt::Debug + Send + Sync {
    /// The instructions that are executed just before this one and just after it, each time that it is, the nearest first. None
    /// for a place that is none of the program's own.
    fn of(&self, place: Label) -> Option<Beside>;
}

/// The instructions before and after another one, the nearest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Those before it.
    pub before: Vec<Label>,
    /// Those after it.
    pub after: Vec<Label>,
}

/// Code that is looked into only as far as it is executed: of libraries, where most never is.
///
/// NOTE \[Followed\] From the first stretch of each function that was asked for on, what can come after a stretch is looked at if
/// that was executed at a moment when a handler could have been made to run. One such visit of each, the first, is a point.
/// So the points are the distinct instructions of all that the main flow has the library do while the handler may come.
pub trait Chart: fmt::Debug + Send + Sync {
    /// Where it begins.
    fn entries(&self) -> Vec<Block>;

    /// What may be executed after this block, as far as the code tells.
    fn after(&self, block: &Block) -> Vec<Block>;
}

/// A stretch of such code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which file, and the address of its first instruction there.
    pub key: (usize, u64),
    /// Its instructions, the first and those before which something was read or written that others may share.
    pub stretch: Stretch,
}

/// Instructions that are executed one after the other: see NOTE \[Stretches\].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The instructions, of which there is at least one.
    pub spots: Vec<Spot>,
    /// True if other threads may be let run here also where signals are sent; else signals are all that is planned then.
    pub switches: bool,
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Its name: `insert+0x1f`.
    pub place: Label,
    /// The source line that it comes from: `list.c:23`.
    pub line: Option<Label>,
    /// When it has its turn: those of a smaller rank go first.
    pub rank: usize,
}

impl Code {
    /// All instructions.
    pub fn spots(&self) -> impl Iterator<Item = &Spot> {
        self.functions.iter().flatten().flat_map(|stretch| &stretch.spots)
    }

    /// The schedule with the source lines of its instructions in their place. At a line it does not count which of its
    /// instructions it is, nor which visit.
    pub fn located(&self, schedule: &Schedule) -> Schedule {
        let mut located = schedule.clone();
        for step in &mut located.steps {
            let Site::At(place) = step.at else { continue };
            if let Some(line) = self.spots().find(|spot| spot.place == place).and_then(|spot| spot.line) {
                (step.at, step.nth) = (Site::At(line), 1);
            }
        }
        located
    }
}
