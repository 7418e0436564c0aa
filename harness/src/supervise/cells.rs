//! The cells that no supervisor uses now, and the thread that makes them.
//!
//! A cell costs as much as several runs, and a search uses one supervisor after the other. The kernel ends an init with the
//! thread that made it (PR_SET_PDEATHSIG in prctl(2)), and supervisors end with theirs: so one thread makes them for all.

use crate::program::Launch;
use crate::supervise::RunError;
use crate::sys::cell::Cell;
use crate::sys::sched;
use crate::sys::stage::CellError;
use crate::world::World;
use nix::errno::Errno;
use std::fmt;
use std::ops::Range;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

/// What a cell is made for: it serves no other purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Purpose {
    pub(super) launch: Launch,
    pub(super) clients: Vec<Launch>,
    pub(super) world: World,
    /// How many bytes a run may write in a folder of its own.
    pub(super) room: u64,
    pub(super) cpu: usize,
    /// Where its filter lets the dynamic loader's calls on files pass.
    pub(super) unnotified: Option<Range<u64>>,
}

/// Why there is no cell.
#[derive(Debug)]
pub(super) enum Unmade {
    /// A step of making it failed.
    Cell(CellError),
    /// The thread that makes cells could not be pinned to the CPU.
    Pinning(Errno),
}

/// Those of all supervisors of a command.
#[derive(Debug, Default)]
pub struct Cells {
    idle: Mutex<Vec<(Purpose, Cell)>>,
    // Dropped last: it ends its thread.
    maker: Mutex<Option<Maker>>,
}

/// Something to do in the thread that makes cells.
type Order = Box<dyn FnOnce() + Send>;

/// That thread; it ends when this is dropped.
struct Maker(Sender<Order>);

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maker").finish_non_exhaustive()
    }
}

impl Cells {
    fn idle(&self) -> MutexGuard<'_, Vec<(Purpose, Cell)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is idle and serves this purpose.
    pub(super) fn take(&self, purpose: &Purpose) -> Option<Cell> {
        let mut idle = self.idle();
        let index = idle.iter().position(|(other, _)| other == purpose)?;
        Some(idle.swap_remove(index).1)
    }

    /// This one is idle now; whoever takes it has it refreshed.
    pub(super) fn put(&self, purpose: Purpose, cell: Cell) {
        self.idle().push((purpose, cell));
    }

    /// Makes a new one.
    pub(super) fn make(&self, purpose: &Purpose) -> Result<Cell, RunError> {
        let (report, made) = channel();
        let Purpose { launch, clients, world, room, cpu, unnotified } = purpose.clone();
        let order = Box::new(move || {
            // An init inherits the pinning and the timer slack of who makes it.
            let pinned = sched::supervise_on(cpu).map_err(Unmade::Pinning);
            let make =
                || Cell::new((&launch, &clients), (&world, room), cpu, unnotified).map_err(Unmade::Cell);
            // Nobody waits for it any more if this fails; then it is dropped.
            let _ = report.send(pinned.and_then(|()| make()));
        });
        self.order(order)?;
        let gone = || RunError::Fault("the thread that makes cells has ended".to_owned());
        match made.recv().map_err(|_| gone())? {
            Ok(cell) => Ok(cell),
            Err(Unmade::Cell(error)) => Err(super::unmade(error, &purpose.launch)),
            Err(Unmade::Pinning(errno)) => Err(super::unpinned(cpu, errno)),
        }
    }

    fn order(&self, order: Order) -> Result<(), RunError> {
        let mut maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner);
        if maker.is_none() {
            let (orders, taken) = channel::<Order>();
            Builder::new()
                .name("cells".to_owned())
                .spawn(move || taken.into_iter().for_each(|order| order()))
                .map_err(|error| RunError::failed("starting the thread that makes cells", error))?;
            *maker = Some(Maker(orders));
        }
        // A thread that panicked does not take it; then nobody answers either.
        let _ = maker.as_ref().map(|maker| maker.0.send(order));
        Ok(())
    }
}
