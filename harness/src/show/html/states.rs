//! What each thread is doing at each row of a run: only what the events up to there tell, and where a thread that could run goes on.

use super::rows::{Look, Row, Rows};
use super::signals::Arrow;
use crate::schedule::{Action, Site, Syscall, ThreadName};
use crate::show::layout::plain;
use crate::show::words::site_words;
use crate::trace::{CallResult, Event, LeftHow, Status, Trace, What};
use std::collections::{BTreeMap, BTreeSet};

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It goes.
    Runs,
    /// It could run, and another does.
    Held,
    /// The schedule has others run first.
    HeldBack,
    /// It sleeps in a call.
    Asleep(Syscall),
    /// It went on from there, and cannot run.
    Past(Site),
    Stopped,
    Ended(Status),
    /// It has ended, and its parent has waited for it.
    WaitedFor(Status),
}

/// What is told of a thread: a cell of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    State,
    Program,
    Pending,
}

/// A cell that says something else from a row on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) row: usize,
    pub(super) lane: usize,
    pub(super) cell: Cell,
    pub(super) text: String,
}

/// A thread that is in one state, from a row to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) lane: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) state: State,
}

/// The process table at every row, by what changes, and how long each thread is in which state.
pub(super) struct Table {
    pub(super) changes: Vec<Change>,
    pub(super) spans: Vec<Span>,
}

impl Table {
    pub(super) fn new(trace: &Trace, rows: &Rows, arrows: &[Arrow]) -> Table {
        let mut told = Told::new(trace, rows, arrows);
        for (row, line) in rows.rows.iter().enumerate() {
            // What is left out happens all the same.
            let until = if line.is_event { line.at + 1 } else { line.at };
            told.go_on(until);
            if !line.is_event {
                told.seen(line);
            }
            told.note(row);
        }
        told.end(rows.rows.len())
    }
}

struct Told<'a> {
    trace: &'a Trace,
    rows: &'a Rows,
    /// The sites from which each thread is let go, and by which event, in their order.
    goes: BTreeMap<&'a ThreadName, Vec<(usize, Site)>>,
    /// Processes that are waited for, by the event before which that is over.
    waited: BTreeMap<usize, Vec<&'a ThreadName>>,
    /// Signals that come to be pending, and that are handled, by the event: which process, and of which arrow.
    pending: BTreeMap<usize, Vec<(bool, ThreadName, String)>>,
    next: usize,
    states: Vec<Option<State>>,
    last: Vec<Option<Site>>,
    now_pending: BTreeMap<ThreadName, Vec<String>>,
    /// Lanes of which something may be otherwise.
    touched: BTreeSet<usize>,
    shown: BTreeMap<(usize, Cell), String>,
    programs: BTreeMap<usize, String>,
    open: Vec<Option<(usize, State)>>,
    table: Table,
}

impl<'a> Told<'a> {
    fn new(trace: &'a Trace, rows: &'a Rows, arrows: &[Arrow]) -> Told<'a> {
        let mut goes: BTreeMap<&ThreadName, Vec<(usize, Site)>> = BTreeMap::new();
        for (index, event) in trace.events.iter().enumerate() {
            if let What::Go(site, _) = &event.what {
                goes.entry(&event.thread).or_default().push((index, *site));
            }
        }
        let mut waited: BTreeMap<usize, Vec<&ThreadName>> = BTreeMap::new();
        for returned in trace.seen.calls.iter().filter_map(|call| call.returned.as_ref()) {
            if let CallResult::Process(process) = &returned.result {
                waited.entry(returned.by).or_default().push(process);
            }
        }
        let mut pending: BTreeMap<usize, Vec<(bool, ThreadName, String)>> = BTreeMap::new();
        for arrow in arrows {
            let (Some(handled), Some(receiver)) = (arrow.handled, rows.lanes.get(arrow.receiver)) else {
                continue;
            };
            let entry = |comes| (comes, receiver.process(), arrow.signal.to_string());
            pending.entry(arrow.cause).or_default().push(entry(true));
            pending.entry(handled).or_default().push(entry(false));
        }
        let lanes = rows.lanes.len();
        let mut told = Told {
            trace,
            rows,
            goes,
            waited,
            pending,
            next: 0,
            states: vec![None; lanes],
            last: vec![None; lanes],
            now_pending: BTreeMap::new(),
            touched: BTreeSet::new(),
            shown: BTreeMap::new(),
            programs: BTreeMap::new(),
            open: vec![None; lanes],
            table: Table { changes: Vec::new(), spans: Vec::new() },
        };
        // Who is made by nobody of the run is there from its first event on.
        if let Some(first) = trace.events.first() {
            told.set(&first.thread, State::Runs);
        }
        told
    }

    /// Takes in the events before this one.
    fn go_on(&mut self, until: usize) {
        while self.next < until {
            let index = self.next;
            self.next += 1;
            for process in self.waited.remove(&index).unwrap_or_default() {
                if let Some(State::Ended(status)) = self.state(process) {
                    self.set(process, State::WaitedFor(status));
                }
            }
            if let Some(event) = self.trace.events.get(index) {
                self.event(event);
            }
            for (comes, process, signal) in self.pending.remove(&index).unwrap_or_default() {
                let now = self.now_pending.entry(process.clone()).or_default();
                if comes {
                    now.push(signal);
                } else if let Some(place) = now.iter().position(|one| *one == signal) {
                    now.remove(place);
                }
                self.touched.extend(self.rows.lane(&process));
            }
        }
    }

    /// Takes in what was seen between two events: who was asleep is not any more.
    fn seen(&mut self, row: &Row) {
        let state = match row.look {
            Look::Handler => State::Runs,
            Look::Telling => State::Held,
            Look::Step | Look::Plain | Look::Quiet | Look::Said | Look::Gap | Look::Apart => return,
        };
        let Some(thread) = self.rows.lanes.get(row.lane).cloned() else { return };
        if matches!(self.state(&thread), Some(State::Asleep(_) | State::Past(_))) {
            self.set(&thread, state);
        }
    }

    fn state(&self, thread: &ThreadName) -> Option<State> {
        *self.states.get(self.rows.lane(thread)?)?
    }

    fn set(&mut self, thread: &ThreadName, state: State) {
        let Some(lane) = self.rows.lane(thread) else { return };
        if let Some(place) = self.states.get_mut(lane) {
            *place = Some(state);
        }
        self.touched.insert(lane);
    }

    /// The lanes of a process's threads that are there.
    fn threads(&self, process: &ThreadName) -> Vec<ThreadName> {
        let own = |thread: &&ThreadName| thread.process() == *process && self.state(thread).is_some();
        self.rows.lanes.iter().filter(own).cloned().collect()
    }

    fn event(&mut self, event: &Event) {
        let thread = &event.thread;
        let lane = self.rows.lane(thread);
        // One goes at a time.
        for other in 0..self.states.len() {
            if Some(other) != lane && self.states.get(other) == Some(&Some(State::Runs)) {
                let past = self.last.get(other).copied().flatten().map_or(State::Held, State::Past);
                if let Some(state) = self.states.get_mut(other) {
                    *state = Some(past);
                }
                self.touched.insert(other);
            }
        }
        match &event.what {
            What::Exec(file) => {
                if let Some(lane) = self.rows.lane(&thread.process()) {
                    self.programs.insert(lane, plain(file));
                    self.touched.insert(lane);
                }
                self.set(thread, State::Runs);
            }
            What::Go(site, _) => {
                if let Some(last) = lane.and_then(|lane| self.last.get_mut(lane)) {
                    *last = Some(*site);
                }
                self.set(thread, State::Runs);
            }
            What::Step(Action::Switch(_)) => self.set(thread, State::HeldBack),
            What::Sleep(call, _) => self.set(thread, State::Asleep(*call)),
            What::Make(made) => {
                let program =
                    self.rows.lane(&thread.process()).and_then(|lane| self.programs.get(&lane)).cloned();
                if let (Some(lane), Some(program), true) = (self.rows.lane(made), program, made.is_process())
                {
                    self.programs.insert(lane, program);
                }
                self.set(thread, State::Runs);
                self.set(made, State::Held);
            }
            What::Signal(_) => self.set(thread, State::Runs),
            What::Stop => {
                for own in self.threads(&thread.process()) {
                    self.set(&own, State::Stopped);
                }
            }
            What::Continue => {
                for own in self.threads(&thread.process()) {
                    if self.state(&own) == Some(State::Stopped) {
                        self.set(&own, State::Held);
                    }
                }
            }
            What::Expire(call) => {
                if self.state(thread) == Some(State::Asleep(*call)) {
                    self.set(thread, State::Held);
                }
            }
            What::End(status) => {
                let process = thread.process();
                let ended = if thread.is_process() { self.threads(&process) } else { vec![thread.clone()] };
                for own in ended {
                    self.set(&own, State::Ended(*status));
                }
                self.now_pending.remove(&process);
            }
            // A client is there when it first does something.
            What::Step(_) | What::Fire(_) | What::Refuse(..) | What::NotHeld(..) => {
                if self.state(thread).is_none() {
                    self.set(thread, State::Runs);
                }
            }
        }
        for other in event.others.iter().filter(|other| *other != thread) {
            match self.state(other) {
                Some(State::Held | State::HeldBack) => {}
                _ => self.set(other, State::Held),
            }
        }
    }

    /// Notes what is otherwise at this row.
    fn note(&mut self, row: usize) {
        for lane in std::mem::take(&mut self.touched) {
            let Some(Some(state)) = self.states.get(lane).copied() else { continue };
            let Some(thread) = self.rows.lanes.get(lane) else { continue };
            self.span(row, lane, state);
            // One that stands for several is pending once.
            let pending: BTreeSet<&str> =
                self.now_pending.get(thread).into_iter().flatten().map(String::as_str).collect();
            let pending = pending.into_iter().collect::<Vec<_>>().join(" ");
            let program = self.programs.get(&lane).cloned().unwrap_or_default();
            let cells = [
                (Cell::State, self.words(thread, state)),
                (Cell::Program, program),
                (Cell::Pending, pending),
            ];
            for (cell, text) in cells {
                let before = self.shown.get(&(lane, cell)).map_or("", String::as_str);
                if before != text {
                    self.shown.insert((lane, cell), text.clone());
                    self.table.changes.push(Change { row, lane, cell, text });
                }
            }
        }
    }

    fn span(&mut self, row: usize, lane: usize, state: State) {
        let Some(open) = self.open.get_mut(lane) else { return };
        match open {
            Some((_, before)) if *before == state => {}
            _ => {
                // Who has ended and was not seen waited for may have been: by whom is not known.
                if let Some((from, before)) = open.replace((row, state))
                    && (!matches!(before, State::Ended(_)) || matches!(state, State::WaitedFor(_)))
                {
                    self.table.spans.push(Span { lane, from, to: row, state: before });
                }
            }
        }
    }

    /// A state in words: of a thread that could run with where that is.
    fn words(&self, thread: &ThreadName, state: State) -> String {
        let held = || {
            let goes = self.goes.get(thread).map_or(&[][..], Vec::as_slice);
            let next = goes.get(goes.partition_point(|(index, _)| *index < self.next));
            next.map(|(_, site)| format!(" {}", site_words(*site))).unwrap_or_default()
        };
        match state {
            State::Runs => "runs".to_owned(),
            State::Held => format!("held{}", held()),
            State::HeldBack => format!("held back{}", held()),
            State::Asleep(call) => format!("asleep in {call}"),
            State::Past(Site::Before(call) | Site::Entering(call) | Site::In(call)) => format!("in {call}"),
            State::Past(site) => format!("has gone on {}", site_words(site)),
            State::Stopped => "stopped".to_owned(),
            State::Ended(status) => format!("ended: {status}"),
            State::WaitedFor(status) => format!("ended: {status}; waited for"),
        }
    }

    fn end(mut self, rows: usize) -> Table {
        let zombie = |lane: usize| {
            let left = &self.trace.outcome.leftover;
            let name = self.rows.lanes.get(lane);
            left.iter().any(|left| left.how == LeftHow::Zombie && Some(&left.process) == name)
        };
        for (lane, open) in self.open.iter().enumerate() {
            if let Some((from, state)) = *open
                && (!matches!(state, State::Ended(_)) || zombie(lane))
            {
                self.table.spans.push(Span { lane, from, to: rows.saturating_sub(1), state });
            }
        }
        self.table
    }
}
