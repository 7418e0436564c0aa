//! The events of a run as lines for people, with what was seen between them.

use super::coalesced;
use super::place::{self, of_event, of_steps};
use super::returns::{Returns, Told};
use super::words::{called, cut_short, runs_handler, site_words, words_at};
use crate::schedule::{Site, ThreadName};
use crate::trace::{Event, Interruption, Trace, What, interrupted};
use std::collections::BTreeMap;

/// Something to write into a column.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) lane: usize,
    /// The index of the event that it tells, or else of the one before which it was seen.
    pub(super) at: usize,
    /// It tells that event.
    pub(super) is_event: bool,
    pub(super) text: String,
    pub(super) kind: Kind,
    /// Where in the source that was.
    pub(super) source: String,
    /// What it is, whichever time; none for a line about others.
    pub(super) what: Option<What>,
    /// What was seen of it besides.
    seen: String,
}

impl Note {
    /// A line about others.
    pub(super) fn about(lane: usize, text: String) -> Note {
        let (source, seen) = (String::new(), String::new());
        Note { lane, at: 0, is_event: false, text, kind: Kind::Plain, source, what: None, seen }
    }

    /// True if the two are the same but for how often it was before.
    pub(super) fn is_like(&self, other: &Note) -> bool {
        fn told(note: &Note) -> (usize, Kind, Option<&What>, &str, &str) {
            (note.lane, note.kind, note.what.as_ref(), &note.source, &note.seen)
        }
        self.what.is_some() && told(self) == told(other)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the harness did.
    Step,
    /// What a reader looks for.
    Telling,
    /// A signal whose handler comes next.
    Handler,
    /// One call among others.
    Plain,
    /// Said by the event right after it.
    Said,
}

/// Which thread has which column: in the order in which they are made.
pub(super) fn lanes(events: &[Event]) -> BTreeMap<ThreadName, usize> {
    let mut lanes = BTreeMap::new();
    let mut add = |name: &ThreadName| {
        let next = lanes.len();
        lanes.entry(name.clone()).or_insert(next);
    };
    for event in events {
        add(&event.thread);
        if let What::Make(made) = &event.what {
            add(made);
        }
    }
    lanes
}

/// What happened, a line each.
pub(super) fn notes(trace: &Trace, lanes: &BTreeMap<ThreadName, usize>) -> Vec<Note> {
    let Trace { events, schedule, places, .. } = trace;
    let mut steps: BTreeMap<usize, _> = BTreeMap::new();
    for (step, event) in schedule.steps.iter().zip(of_steps(&schedule.steps, events)) {
        if let Some(event) = event {
            steps.insert(event, step);
        }
    }
    let mut notes = Vec::with_capacity(events.len());
    let mut interruptions: BTreeMap<usize, Interruption> = BTreeMap::new();
    for one in interrupted(events) {
        interruptions.entry(one.after).or_insert(one);
    }
    let returns = Returns::new(trace);
    for (index, event) in events.iter().enumerate() {
        notes.extend(seen_before(index, trace, &returns, lanes));
        // Not where its handler goes on, or may do so.
        let place = || of_event(events, places, index);
        let seen =
            || place().is_some_and(|place| place.complete && !place.stack.iter().any(|one| one.signal));
        // What was not seen is concluded.
        let unknown = |Interruption { before, .. }: &&Interruption| {
            !returns.knows(&event.thread, before.site, before.nth, index)
        };
        let here = interruptions.get(&index);
        if let Some(one) = here.filter(unknown).filter(|_| seen()) {
            let lane = lanes.get(&event.thread).copied().unwrap_or_default();
            let text = format!("{}: {}", called(one.point.site), cut_short(one.point.site));
            notes.push(Note { kind: Kind::Telling, at: index, ..Note::about(lane, text) });
        }
        let mut text = words_at(events, index).unwrap_or_default();
        let mut seen = String::new();
        let next = events.get(index + 1).filter(|next| next.thread == event.thread).map(|next| &next.what);
        let kind = match &event.what {
            What::Step(_) => {
                // The event tells what was done; the schedule tells where.
                if let Some(step) = steps.get(&index) {
                    text = format!("{}: {text}", site_words(step.at));
                }
                text += " <<<";
                Kind::Step
            }
            // The signal tells the call that it comes after.
            What::Go(Site::Entering(_), _) if matches!(next, Some(What::Signal(_))) => Kind::Said,
            What::Go(Site::Before(call) | Site::Entering(call), _) => match next {
                Some(What::Sleep(asleep, _)) if asleep == call => Kind::Said,
                Some(What::Make(_) | What::Exec(_) | What::End(_) | What::Refuse(..)) => Kind::Said,
                _ => match returns.call_at(index) {
                    Some(told) => {
                        (text, seen) = (told.text, told.seen);
                        if told.telling { Kind::Telling } else { Kind::Plain }
                    }
                    None => Kind::Plain,
                },
            },
            What::Signal(_) if runs_handler(events, index) => {
                seen = returns.entered(index).unwrap_or_default();
                text = returns.by_thread(&event.thread, &text, index) + &seen;
                if let Some(once) = coalesced::of_event(events, index) {
                    text += &format!(":\n  {once}");
                }
                Kind::Handler
            }
            What::Exec(_)
            | What::Go(Site::After(_) | Site::In(_) | Site::At(_) | Site::Probe(_) | Site::Quiet, _)
            | What::Sleep(..)
            | What::Make(_)
            | What::Signal(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => Kind::Telling,
        };
        let lane = lanes.get(&event.thread).copied().unwrap_or_default();
        let source = of_event(events, places, index).and_then(|place| place::Told::new(place).short());
        notes.push(Note {
            lane,
            at: index,
            is_event: true,
            text,
            kind,
            source: source.unwrap_or_default(),
            what: Some(any_time(&event.what)),
            seen,
        });
    }
    notes.extend(seen_before(events.len(), trace, &returns, lanes));
    notes
}

/// What was seen since the event before that with this index, and is told by no event.
fn seen_before<'a>(
    index: usize,
    trace: &'a Trace,
    returns: &'a Returns<'_>,
    lanes: &'a BTreeMap<ThreadName, usize>,
) -> impl Iterator<Item = Note> + 'a {
    let lane = |thread: &ThreadName| lanes.get(thread).copied().unwrap_or_default();
    let handlers = returns.begun_before(index).map(move |handled| {
        let text = returns.handler(handled);
        Note {
            kind: Kind::Handler,
            at: index,
            what: Some(What::Signal(handled.signal)),
            seen: text.clone(),
            ..Note::about(lane(&handled.thread), text)
        }
    });
    let calls = returns.late_before(index).filter_map(move |call| {
        let event = trace.events.get(call.event)?;
        let Told { text, seen, .. } = returns.late(call)?;
        let place = of_event(&trace.events, &trace.places, call.event);
        let source = place.and_then(|place| place::Told::new(place).short()).unwrap_or_default();
        let what = Some(any_time(&event.what));
        Some(Note {
            kind: Kind::Telling,
            at: index,
            source,
            what,
            seen,
            ..Note::about(lane(&event.thread), text)
        })
    });
    handlers.chain(calls)
}

/// The same event, whichever time it is.
fn any_time(what: &What) -> What {
    match what {
        What::Go(site, _) => What::Go(*site, 0),
        What::Sleep(call, _) => What::Sleep(*call, 0),
        What::Exec(_)
        | What::Step(_)
        | What::Make(_)
        | What::Signal(_)
        | What::Stop
        | What::Continue
        | What::Expire(_)
        | What::Fire(_)
        | What::Refuse(..)
        | What::NotHeld(..)
        | What::End(_) => what.clone(),
    }
}

/// For each line whether it is one call among others: not next to a step or a signal of its thread.
pub(super) fn quiet(notes: &[Note]) -> Vec<bool> {
    // The lines of each thread, and for each line where it is among them.
    let mut last: BTreeMap<usize, Kind> = BTreeMap::new();
    let mut after_telling = Vec::with_capacity(notes.len());
    for note in notes {
        let before = last.insert(note.lane, note.kind);
        after_telling.push(matches!(before, Some(Kind::Step | Kind::Handler)));
    }
    let mut next: BTreeMap<usize, Kind> = BTreeMap::new();
    let mut before_step = vec![false; notes.len()];
    for (note, before) in notes.iter().zip(&mut before_step).rev() {
        *before = next.insert(note.lane, note.kind) == Some(Kind::Step);
    }
    let near = after_telling.iter().zip(&before_step).map(|(after, before)| *after || *before);
    notes.iter().zip(near).map(|(note, near)| note.kind == Kind::Plain && !near).collect()
}
