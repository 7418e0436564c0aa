//! A run that stands still at one place, while somebody from outside looks at it.
//!
//! NOTE \[Standstill\] A held thread waits for the supervisor's answer, and in that wait only a fatal signal reaches it: a debugger
//! would wait for it for ever. So each one is told to make its call again (`Held::restart`), which then waits to be received, and
//! is not. That wait is like any other sleep: ptrace(2) stops it, and afterwards the call is made once more. What comes back is
//! the same visit of the same point, and no event (`siblings`). Threads that sleep in the kernel are reached where they
//! are; what their calls come to if they are stopped there is told in signal(7), "Interruption of system calls and library
//! functions by stop signals". Nothing else of the program goes on, and its clock stands. A thread that is stopped at an instruction
//! is stopped by a signal: gdb leaves it so, and if another debugger has it go on, the run is worth nothing after that.

use super::RunError;
use crate::schedule::{Point, Step, ThreadName};
use crate::signal::SignalSet;
use crate::supervise::books::held::Place;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::calls::Wakes;
use crate::supervise::deliver;
use crate::supervise::state::Turns;
use crate::sys::procfs::{Doing, Status};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where a run is to stand still, and for whom.
#[derive(Clone, Debug)]
pub struct Standstill {
    /// Where; only the first time that the run comes there.
    pub at: Stand,
    /// Who looks at it.
    pub visitor: Arc<dyn Visitor>,
}

/// A place of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Before this step of the schedule is taken, counted from 0.
    Step(usize),
    /// When a thread is at this point, before anything is done there.
    Point(Point),
}

/// Somebody who looks at a run that stands still.
pub trait Visitor: fmt::Debug + Send + Sync {
    /// The run stands still until this returns; false ends it here.
    fn visit(&self, standing: &Standing) -> bool;

    /// Called again and again while this process is still stopped by a debugger; false ends the run.
    fn waits_for(&self, process: &ThreadName, pid: i32) -> bool;
}

/// What stands still. Numbers of processes and threads are those of the pid namespace of who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The point, and whose it is.
    pub point: Point,
    /// The step that is to be taken next there.
    pub step: Option<Step>,
    /// The number of its process.
    pub pid: i32,
    /// Its own number.
    pub tid: i32,
    /// All processes that have not ended, by name, number and program.
    pub processes: Vec<(ThreadName, i32, String)>,
    /// Threads that a debugger cannot stop here, and why.
    pub unreachable: Vec<(ThreadName, &'static str)>,
}

/// How long a look at a process that a debugger has stopped lasts.
const STOPPED: Duration = Duration::from_millis(20);

impl Turns<'_> {
    /// True if the run is still to come to where it stands still.
    pub(super) fn is_to_stand_still(&self) -> bool {
        self.settings.standstill.is_some() && !self.course.stood
    }

    /// The thread is at this point. Stands still if it is the place where the run is to do so; if it did, true, and threads may
    /// be on their way back to where they were.
    pub(super) fn stands_still(&mut self, thread: ThreadId, point: &Point) -> Result<bool, RunError> {
        let Some(standstill) = self.settings.standstill.clone().filter(|_| self.is_to_stand_still()) else {
            return Ok(false);
        };
        let next = self.steps_for(point).into_iter().next();
        let here = match &standstill.at {
            Stand::Step(index) => next.as_ref().is_some_and(|(next, _)| next == index),
            Stand::Point(wanted) => wanted == point,
        };
        if !here {
            return Ok(false);
        }
        self.course.stood = true;
        let begun = Instant::now();
        let unreachable = self.open_to_debuggers(thread, point)?;
        let asleep = self.runs_of_sleepers()?;
        let (pid, tid) = (self.tree.process_of(thread).pid, self.tree.thread(thread).door.tid());
        let processes = self.tree.process_ids().map(|id| self.tree.process(id));
        let processes = processes.filter(|process| !process.ended());
        let processes =
            processes.map(|process| (process.name.clone(), process.pid, process.program.clone())).collect();
        let step = next.map(|(_, step)| step);
        let goes_on = standstill.visitor.visit(&Standing {
            point: point.clone(),
            step,
            pid,
            tid,
            processes,
            unreachable,
        });
        if !goes_on || !self.wait_for_debuggers(&*standstill.visitor)? {
            return Err(RunError::Interrupted);
        }
        self.note_let_go()?;
        self.note_disturbed(asleep)?;
        self.going_on_after(begun.elapsed());
        Ok(true)
    }

    /// Has held threads wait where a debugger can stop them. Those of which it cannot be done stay as they are.
    fn open_to_debuggers(
        &mut self,
        thread: ThreadId,
        point: &Point,
    ) -> Result<Vec<(ThreadName, &'static str)>, RunError> {
        let mut unreachable = Vec::new();
        for id in self.tree.live_ids() {
            match &self.tree.thread(id).state {
                State::Held(held) if !matches!(held.place(), Place::At(..)) => {}
                State::Waiting(..) => {}
                // A stopped thread can be taken over by a debugger as it is.
                State::Held(_) | State::Running | State::Asleep(_) | State::Stopped | State::Ended => {
                    continue;
                }
            }
            let Some(status) = self.proc_status(id)? else { continue };
            // One that is blocked stays pending, and does nothing when it is unblocked, unless it is caught.
            let seen = Status { blocked: SignalSet::EMPTY, ..status.clone() };
            let why = match deliver::nudge_obstacle(&seen) {
                None if !status.deliverable().is_empty() => Some("a signal is about to be handled"),
                None if self.waits_for_parked(id) => {
                    Some("another thread of its process is stopped at an instruction")
                }
                why => why,
            };
            match why {
                Some(why) => unreachable.push((self.tree.thread(id).name.clone(), why)),
                None => {
                    // Entered is what is let go, and this is not yet.
                    if id == thread {
                        self.leave_entering(id, point);
                    }
                    self.nudge(id)?;
                    self.make_again(id)?;
                }
            }
        }
        Ok(unreachable)
    }

    /// The threads that sleep in the kernel, and how often each was let run so far.
    fn runs_of_sleepers(&self) -> Result<Vec<(ThreadId, u64)>, RunError> {
        let asleep = self.tree.live().filter(|id| matches!(self.tree.thread(*id).state, State::Asleep(_)));
        asleep.map(|id| Ok((id, self.times_run(id)?))).collect()
    }

    /// Waits until nobody is traced any more; false if the visitor wants to wait no longer.
    fn wait_for_debuggers(&self, visitor: &dyn Visitor) -> Result<bool, RunError> {
        for id in self.tree.live() {
            while self.proc_status(id)?.is_some_and(|status| status.traced) {
                let process = self.tree.process_of(id);
                if !visitor.waits_for(&process.name, process.pid) {
                    return Ok(false);
                }
                std::thread::sleep(STOPPED);
            }
        }
        Ok(true)
    }

    /// Nothing keeps a thread that is stopped at an instruction from going on if a debugger says so.
    fn note_let_go(&mut self) -> Result<(), RunError> {
        for id in self.tree.live_ids() {
            if self.is_parked(id) && self.doing(id)? != Doing::Stopped {
                let name = &self.tree.thread(id).name;
                self.doubts
                    .taint(format!("a debugger let {name} go on from the instruction where it was stopped"));
            }
        }
        Ok(())
    }

    /// Sleepers that a debugger got out of their calls make them again, which is no event.
    fn note_disturbed(&mut self, asleep: Vec<(ThreadId, u64)>) -> Result<(), RunError> {
        for (id, before) in asleep {
            if let State::Asleep(inside) = self.tree.thread(id).state
                && self.times_run(id)? != before
            {
                self.code.siblings.resumed.insert(id, inside);
            }
        }
        self.tree.may_wake(Wakes::Anybody);
        Ok(())
    }

    /// What was measured on the real clock does not count the standstill.
    fn going_on_after(&mut self, stood: Duration) {
        self.course.started += stood;
        self.going.released_at += stood;
        for moment in [&mut self.course.first_ended_at, &mut self.kernel.quiet_since] {
            *moment = moment.map(|moment| moment + stood);
        }
    }
}
