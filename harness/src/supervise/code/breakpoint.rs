//! Code points: holding a thread at an instruction of its program, without any code of ours in it.
//!
//! A breakpoint of the processor, through perf events, makes the kernel send the thread a signal exactly before it executes
//! the instruction for the nth time.
//!
//! NOTE \[Parked\] Where nobody of the program can notice, the signal is SIGSTOP. The thread stops there and is held like
//! at any other point: signals that are sent arrive at this instruction when SIGCONT lets it go on, with everything that
//! kill(2) says of their sender. Who could notice is a parent that is told of stopped children, a sibling thread whose
//! sleep a stop interrupts (signal(7)), and the process itself if it catches or blocks SIGCONT: see `obstacle`.
//!
//! NOTE \[Struck\] Elsewhere the signal is the very one that the step is to send, to this thread as tgkill(2) sends it. The
//! kernel then delivers it without the thread being held. What siginfo says of the sender is the kernel's (POLL_HUP of
//! SIGIO), so a process that asked for siginfo (SA_SIGINFO) is not sent signals in this way.
//!
//! Where neither can be, the point is not held, and the trace says why.

use crate::code::Modules;
use crate::schedule::{Action, Label, Point, Site, Step, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::held::{Held, Place};
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::news::News;
use crate::supervise::books::thread::State;
use crate::supervise::code::ambush::{Aim, Ambush, Counter, MOST, unavailable};
use crate::supervise::code::obstacle::Obstacle;
use crate::supervise::code::seen::Seen;
use crate::supervise::state::Turns;
use crate::supervise::{Observe, Observed, RunError};
use crate::sys::perf::Breakpoint;
use crate::sys::pidfd;
use crate::trace::{Acts, Reached, Threads, What};
use nix::errno::Errno;

impl<'a> Turns<'a> {
    /// Sets the breakpoints of a thread that begins a program, or has just been made: for the steps of the schedule, and for
    /// the places that are counted.
    pub(in crate::supervise) fn set_breakpoints(&mut self, id: ThreadId) -> Result<(), RunError> {
        let name = self.tree.thread(id).name.clone();
        let steps = self.schedule.steps.iter().filter(|step| step.thread == name);
        let steps = steps.filter_map(|step| match step.at {
            Site::At(place) => Some((place, step.nth)),
            _ => None,
        });
        let mut wanted: Vec<(Label, u32)> = Vec::new();
        for step in steps.chain(self.counted_by(&name).map(|place| (place, 1))) {
            if !wanted.contains(&step) {
                wanted.push(step);
            }
        }
        for place in self.watched_by(&name) {
            if wanted.iter().all(|(known, _)| *known != place) {
                wanted.push((place, 1));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let thread = self.tree.thread_mut(id);
        thread.ambushes.clear();
        thread.unmapped.clear();
        self.set(id, wanted)
    }

    fn is_step(&self, name: &ThreadName, place: Label) -> bool {
        self.schedule.steps.iter().any(|step| step.at == Site::At(place) && step.thread == *name)
    }

    /// Sets the breakpoints in libraries that are in memory now and were not before.
    pub(in crate::supervise) fn set_breakpoints_in_libraries(
        &mut self,
        id: ThreadId,
    ) -> Result<(), RunError> {
        let unmapped = std::mem::take(&mut self.tree.thread_mut(id).unmapped);
        if unmapped.is_empty() { Ok(()) } else { self.set(id, unmapped) }
    }

    fn set(&mut self, id: ThreadId, wanted: Vec<(Label, u32)>) -> Result<(), RunError> {
        let before = self.tree.thread(id).ambushes.len();
        let name = self.tree.thread(id).name.clone();
        for (place, nth) in wanted {
            let site = Site::At(place);
            let process = self.tree.process_of(id);
            let addresses = match self.settings.learnt.places.addresses(
                self.tree.thread(id).door.tid(),
                &process.program,
                process.entry,
                place,
            ) {
                Ok(Some(addresses)) => addresses,
                Ok(None) => {
                    self.tree.thread_mut(id).unmapped.push((place, nth));
                    continue;
                }
                Err(why) => {
                    self.journal.news.push((id, News::Told(What::NotHeld(site, why))));
                    continue;
                }
            };
            // The processor counts the visits of one instruction. Those of several are counted here, one by one.
            let several = addresses.len() > 1;
            let period = if several { 1 } else { u64::from(nth) };
            let watched = self.watched_by(&name).contains(&place) && !self.is_step(&name, place);
            let counted = self.counted_by(&name).any(|counted| counted == place);
            let for_ever = watched || counted || several;
            for address in addresses {
                let mut known = self.tree.thread(id).ambushes.iter().filter(|other| other.is_at(address));
                // Both would come at once, and the thread can be held at one place only.
                if let Some(other) = known.find(|other| other.nth == nth || other.for_ever || for_ever) {
                    let why = format!("it is the same instruction as {}", other.place);
                    self.journal.news.push((id, News::Told(What::NotHeld(site, why))));
                    continue;
                }
                if self.tree.thread(id).ambushes.len() == MOST {
                    let why = format!("a thread has {MOST} breakpoints");
                    self.journal.news.push((id, News::Told(What::NotHeld(site, why))));
                    break;
                }
                let tid = self.tree.thread(id).door.tid();
                let breakpoint = match Breakpoint::on_code(tid, address, period) {
                    // Ended a moment ago.
                    Err(Errno::ESRCH) => return Ok(()),
                    other => other.map_err(unavailable)?,
                };
                let closed = counted && self.counts_open();
                let ambush = Ambush { for_ever, closed, nth, ..Ambush::new(place, address, breakpoint) };
                self.tree.thread_mut(id).ambushes.push(ambush);
            }
        }
        if self.tree.thread(id).ambushes.len() == before {
            return Ok(());
        }
        let process = self.tree.thread(id).process;
        self.tree.process_mut(process).handlers.changed = true;
        self.aim(id)?;
        for ambush in &self.tree.thread(id).ambushes[before..] {
            ambush.start()?;
        }
        Ok(())
    }

    /// Chooses what is to happen at the breakpoints of a thread, as far as that may have changed since it was last let go.
    pub(in crate::supervise) fn aim(&mut self, id: ThreadId) -> Result<(), RunError> {
        let thread = self.tree.thread(id);
        let process = self.tree.process(thread.process);
        if thread.ambushes.iter().all(|ambush| ambush.sprung) {
            return Ok(());
        }
        let siblings = self.live_siblings(id);
        let closed = thread.ambushes.iter().any(|ambush| ambush.closed);
        if !process.handlers.changed && process.parent.is_none() && !siblings && !closed {
            return Ok(());
        }
        if closed && self.is_open(id)? {
            self.open(id)?;
        }
        let Some(status) = self.proc_status(id)? else { return Ok(()) };
        let obstacle = self.obstacle(id, &status)?;
        let process = self.tree.thread(id).process;
        let handlers = &mut self.tree.process_mut(process).handlers;
        let (with_siginfo, soon) = (handlers.with_siginfo, std::mem::take(&mut handlers.soon));
        handlers.changed = false;
        handlers.soon_blocked = false;
        let receivable = status.caught.union(status.blocked).union(soon);
        let tid = self.tree.thread(id).door.tid();
        let name = self.tree.thread(id).name.clone();
        let counted: Vec<Label> = self.counted_by(&name).collect();
        for index in 0..self.tree.thread(id).ambushes.len() {
            let ambush = &self.tree.thread(id).ambushes[index];
            let aim = match &obstacle {
                _ if ambush.closed => Aim::Nothing(String::new()),
                None => Aim::Park,
                Some(Obstacle { why, passing }) => match self.only_signal(id, ambush.place, ambush.nth) {
                    Some(_) if self.has_copies(id, ambush.place, ambush.nth) => {
                        Aim::Nothing(format!("{why}, and the place is in the program more than once"))
                    }
                    Some(signal) if with_siginfo.contains(signal) => {
                        Aim::Nothing(format!("{why}, and its handler of {signal} is told of the sender"))
                    }
                    Some(signal) if receivable.contains(signal) || self.settings.always => {
                        Aim::Strike(signal)
                    }
                    // Not yet.
                    Some(_) => Aim::Nothing(String::new()),
                    // It is counted all the same: see NOTE [Counted] in `counted`.
                    None if counted.contains(&ambush.place) => Aim::Nothing(String::new()),
                    None if *passing && !self.is_step(&name, ambush.place) => Aim::Nothing(String::new()),
                    None => Aim::Nothing(why.clone()),
                },
            };
            if ambush.sprung || ambush.aim.as_ref() == Some(&aim) {
                continue;
            }
            let not_held = match &aim {
                Aim::Nothing(why) if !why.is_empty() => Some((Site::At(ambush.place), why.clone())),
                _ => None,
            };
            let aimed = match &aim {
                Aim::Park => ambush.breakpoint.aim(tid, Signal::STOP.number()),
                Aim::Strike(signal) => ambush.breakpoint.aim(tid, signal.number()),
                Aim::Nothing(_) => ambush.breakpoint.aim_at_nobody(),
            };
            match aimed {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(unavailable(errno)),
            }
            let missed = ambush.missed();
            let seen = ambush.breakpoint.count().unwrap_or_default();
            let ambush = &mut self.tree.thread_mut(id).ambushes[index];
            (ambush.aim, ambush.seen) = (Some(aim), seen);
            self.code.seen.missed = self.code.seen.missed.take().or(missed);
            if let Some((site, why)) = not_held {
                self.event(id, What::NotHeld(site, why));
            }
        }
        Ok(())
    }

    /// True if this visit is waited for at several instructions.
    fn has_copies(&self, id: ThreadId, place: Label, nth: u32) -> bool {
        let same = |other: &&Ambush| other.place == place && other.nth == nth;
        self.tree.thread(id).ambushes.iter().filter(same).count() > 1
    }

    /// The signal that is sent at a code point, if that is all that is done there.
    fn only_signal(&self, id: ThreadId, place: Label, nth: u32) -> Option<Signal> {
        let name = &self.tree.thread(id).name;
        let here = |step: &&Step| step.at == Site::At(place) && step.nth == nth && step.thread == *name;
        let mut steps = self.schedule.steps.iter().filter(here);
        match (steps.next().map(|step| &step.action), steps.next()) {
            (Some(Action::Send(signal)), None) => Some(*signal),
            _ => None,
        }
    }

    /// True if this run holds threads at code points, or counts executions.
    pub(in crate::supervise) fn uses_code(&self) -> bool {
        self.observe.uses_code() || self.schedule.uses_code()
    }

    /// What was counted.
    pub(in crate::supervise) fn observed(&mut self) -> Result<Observed, RunError> {
        let asked = if let Observe::Executions(counted) = self.observe { &counted.places[..] } else { &[] };
        let mut executions = vec![0; asked.len()];
        let counters = self.code.counters.iter();
        let counters = counters.map(|Counter { thread, place, breakpoint }| (thread, *place, breakpoint));
        // Those that are still waited for have been visited as often as their threads were stopped there.
        let waited = self.tree.threads.iter().flat_map(|thread| {
            let ambushes = thread.ambushes.iter();
            ambushes.map(|ambush| (&thread.name, ambush.place, &ambush.breakpoint))
        });
        for (thread, place, breakpoint) in counters.chain(waited) {
            let counted = breakpoint.count().map_err(|errno| {
                RunError::Fault(format!("reading how often a place was executed: {errno}"))
            })?;
            let counts = asked.iter().zip(&mut executions);
            counts
                .filter(|((who, what), _)| who == thread && *what == place)
                .for_each(|(_, count)| *count += counted);
        }
        let Seen { visits, installed, takers, on_stack, missed, spins, .. } =
            std::mem::take(&mut self.code.seen);
        let ambushes = self.tree.threads.iter().flat_map(|thread| &thread.ambushes);
        let not_held = missed.or_else(|| ambushes.filter_map(Ambush::missed).next());
        let watched = match self.observe {
            Observe::Handlers(watch) => self.tree.named(&watch.thread),
            Observe::Signals(_) => self.tree.named(&ThreadName::root()),
            Observe::Nothing | Observe::Executions(_) | Observe::Where { .. } | Observe::Calls(_) => None,
        };
        let modules = watched.and_then(|id| self.code.lookout.modules.get(&self.tree.thread(id).process));
        let modules = modules.into_iter().flat_map(Modules::all).map(|module| module.path().to_owned());
        let modules = modules.collect();
        Ok(Observed {
            executions,
            visits,
            installed,
            takers,
            on_stack: on_stack.into_iter().collect(),
            modules,
            not_held,
            spins,
            ..Observed::default()
        })
    }

    /// Breakpoints whose time may come.
    pub(in crate::supervise) fn waiting_breakpoints(&self) -> impl Iterator<Item = &Breakpoint> {
        let ambushes = self.tree.running().flat_map(|id| &self.tree.thread(id).ambushes);
        let waits = |ambush: &&Ambush| !ambush.sprung && !matches!(ambush.aim, Some(Aim::Nothing(_)));
        ambushes.filter(waits).map(|ambush| &ambush.breakpoint)
    }

    /// A running thread is found stopped: by one of its breakpoints? Then it is held there.
    pub(in crate::supervise) fn parked(&mut self, id: ThreadId) -> Result<bool, RunError> {
        let ambushes = &mut self.tree.thread_mut(id).ambushes;
        let waiting = ambushes.iter_mut().enumerate().filter(|(_, ambush)| !ambush.sprung);
        let mut hits = waiting.filter_map(|(index, ambush)| {
            let parks = ambush.aim == Some(Aim::Park);
            ambush.breakpoint.registers().filter(|_| parks).map(|registers| (index, registers))
        });
        let Some((index, registers)) = hits.next() else { return Ok(false) };
        let at = self.tree.thread(id).door.outside();
        let fault = |error| RunError::Fault(format!("looking at a thread that is stopped: {error}"));
        let (_, ip) = at.map_err(fault)?.unwrap_or_default();
        let thread = self.tree.thread_mut(id);
        let ambush = &mut thread.ambushes[index];
        if ip != ambush.address {
            // The kernel sends the signal from an interrupt that it causes on its own CPU. A virtual machine may deliver that
            // some instructions late (seen once in some 50,000 stops, beside other work).
            let (name, asked) = (&thread.name, ambush.address);
            self.doubts.taint(format!("{name} was to stop at {asked:#x} and stopped at {ip:#x}"));
        }
        let (place, nth, of_round) = (ambush.place, ambush.nth, ambush.of_round);
        thread.registers = Some(registers);
        if of_round {
            self.held_in_round(id, place, nth);
            return Ok(true);
        }
        self.mark_siblings(id);
        let site = Site::At(place);
        let several = self.has_copies(id, place, nth);
        let visit = if several { self.visit(id, site) } else { nth };
        if several && visit < nth {
            // Not yet: on to the next visit of any of them.
            self.tree.thread_mut(id).state = State::Running;
            return self.resume(id).map(|()| true);
        }
        self.tree.thread_mut(id).visits.insert(site, visit);
        if self.counts_open() && !self.is_open(id)? {
            // In a handler, for instance, during which the signal is blocked.
            self.visit_again(id, (place, nth), true);
            self.tree.thread_mut(id).state = State::Running;
            return self.resume(id).map(|()| true);
        }
        let again = self.is_point_again(id, place);
        if !again {
            self.begin_counting(id, place)?;
        }
        let again = self.note_visit(id, place, visit, &registers)? || again;
        self.visit_again(id, (place, nth), again);
        self.tree.thread_mut(id).state = State::Held(Held::parked(Place::At(place, visit)));
        self.journal.news.push((id, News::Held));
        Ok(true)
    }

    /// Waits for the next visit of a watched place, too; or for no more, of any of its copies: it would stop the thread with
    /// nobody waiting for that.
    fn visit_again(&mut self, id: ThreadId, (place, nth): (Label, u32), again: bool) {
        let same = |ambush: &Ambush| ambush.place == place && ambush.nth == nth;
        let ambushes = &mut self.tree.thread_mut(id).ambushes;
        ambushes.retain(|ambush| !same(ambush) || (again && ambush.for_ever));
        ambushes.iter_mut().filter(|ambush| same(ambush)).for_each(|ambush| ambush.nth += 1);
    }

    /// The signals that breakpoints have sent by themselves to this thread since it was let go: steps that were taken.
    pub(in crate::supervise) fn note_struck(&mut self, id: ThreadId) -> Result<(), RunError> {
        self.note_counted(id)?;
        let ambushes = &mut self.tree.thread_mut(id).ambushes;
        let mut struck = Vec::new();
        for ambush in ambushes.iter_mut().filter(|ambush| !ambush.sprung) {
            if let Some(Aim::Strike(signal)) = ambush.aim
                && let Some(registers) = ambush.breakpoint.registers()
            {
                ambush.sprung = true;
                struck.push((ambush.place, ambush.nth, signal, registers));
            }
        }
        // Who looks at handlers asks for no files, and the thread runs on while they are looked at.
        if !struck.is_empty() && !matches!(self.observe, Observe::Handlers(_)) {
            // No call has been made since.
            self.note_there()?;
        }
        for (place, nth, signal, registers) in struck {
            self.look_where_struck(id, &registers);
            let site = Site::At(place);
            let point = Point { thread: self.tree.thread(id).name.clone(), site, nth };
            self.tree.thread_mut(id).visits.insert(site, nth);
            self.mark_taken(&point, &Action::Send(signal));
            let (others, receivable) = (Threads::default(), SignalSet::only(signal));
            let reached =
                Reached { point, others, receivable, fires: false, acts: Acts::NOTHING, looks: false };
            self.journal.reach(reached, SignalSet::EMPTY);
            self.event(id, What::Step(Action::Send(signal)));
            self.event(id, What::Signal(signal));
            self.event(id, What::Go(site, nth));
            self.code.lookout.goes_on(id);
            let process = self.tree.thread(id).process;
            self.signalled(process);
            self.note_sent();
        }
        Ok(())
    }

    /// Lets a thread go on from the instruction at which it is parked.
    pub(in crate::supervise) fn leave_code(&mut self, id: ThreadId, held: Held) -> Result<(), RunError> {
        held.unpark();
        if let Some(status) = self.proc_status(id)?
            && status.blocked.contains(Signal::CONT)
        {
            let process = self.tree.thread(id).process;
            self.tree.process_mut(process).handlers.stray_continue = true;
        }
        self.runs_on(id);
        self.resume(id)
    }

    fn resume(&mut self, id: ThreadId) -> Result<(), RunError> {
        match pidfd::kill(self.tree.process_of(id).pid, Signal::CONT.number()) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => {
                let name = &self.tree.thread(id).name;
                Err(RunError::Unsupported(format!("letting {name} go on is not allowed: {errno}")))
            }
        }
    }
}
