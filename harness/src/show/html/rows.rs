//! The rows of a run on a page: its events and what was seen between them, one a line.

use crate::schedule::ThreadName;
use crate::show::notes::{Kind, Note, lanes, notes, quiet};
use crate::trace::Trace;
use std::collections::BTreeMap;

/// Calls in a row from which on they can be folded.
const FOLDED: usize = 3;
/// Rows of a long run that are shown at its beginning, at its end and around what the harness did.
const HEAD: usize = 6_000;
const TAIL: usize = 6_000;
const AROUND: usize = 20;

/// What a row is, for its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// What the harness did.
    Step,
    /// A signal whose handler comes next.
    Handler,
    /// What a reader looks for.
    Telling,
    /// One call among others.
    Plain,
    /// One call among others, in a row of them that can be folded.
    Quiet,
    /// Said by the row after it.
    Said,
    /// It stands for rows that are left out.
    Gap,
    /// From here on the run goes otherwise than the other.
    Apart,
}

/// One line of a run.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The thread that it is about, by its lane.
    pub(super) lane: usize,
    /// The index of the event that it tells, or else of the one before which it was seen.
    pub(super) at: usize,
    /// It tells that event.
    pub(super) is_event: bool,
    pub(super) look: Look,
    pub(super) text: String,
    /// Where in the source that was, in the fewest words.
    pub(super) source: String,
}

/// A run as rows.
pub(super) struct Rows {
    /// Its threads, in the order of their making: a lane for each.
    pub(super) lanes: Vec<ThreadName>,
    pub(super) rows: Vec<Row>,
    by_name: BTreeMap<ThreadName, usize>,
    /// For each event the row that tells it, if it is shown.
    of_event: Vec<Option<usize>>,
}

impl Rows {
    /// All rows of a run; of a very long one its ends, and what is around the steps.
    pub(super) fn new(trace: &Trace) -> Rows {
        let by_name = lanes(&trace.events);
        let mut lanes: Vec<(ThreadName, usize)> = by_name.clone().into_iter().collect();
        lanes.sort_by_key(|(_, lane)| *lane);
        let rows = shortened(looks(notes(trace, &by_name)));
        let of_event = vec![None; trace.events.len()];
        let lanes = lanes.into_iter().map(|(name, _)| name).collect();
        let mut rows = Rows { lanes, rows, by_name, of_event };
        rows.number();
        rows
    }

    fn number(&mut self) {
        for (index, row) in self.rows.iter().enumerate().filter(|(_, row)| row.is_event) {
            if let Some(place) = self.of_event.get_mut(row.at) {
                *place = Some(index);
            }
        }
    }

    /// Puts a row before this event, where the run leaves the other: or at the end if it is over there.
    pub(super) fn part(&mut self, event: usize) {
        let place = match self.of_event(event) {
            Some(place) => place,
            None if event >= self.of_event.len() => self.rows.len(),
            // It is left out.
            None => return,
        };
        // What differs is shown in any case.
        if let Some(row) = self.rows.get_mut(place).filter(|row| matches!(row.look, Look::Said | Look::Quiet))
        {
            row.look = Look::Plain;
        }
        let text = "the runs part here".to_owned();
        let row = Row { lane: 0, at: event, is_event: false, look: Look::Apart, text, source: String::new() };
        self.rows.insert(place, row);
        self.number();
    }

    /// The row that tells this event; none if it is left out.
    pub(super) fn of_event(&self, event: usize) -> Option<usize> {
        *self.of_event.get(event)?
    }

    /// The lane of a thread.
    pub(super) fn lane(&self, thread: &ThreadName) -> Option<usize> {
        self.by_name.get(thread).copied()
    }

    /// Rows of the first `count` events that can be folded here but not there are not folded: what is the same in two runs stays side by
    /// side.
    pub(super) fn fold_as(&mut self, other: &Rows, count: usize) {
        for event in 0..count {
            let (Some(here), Some(there)) = (self.of_event(event), other.of_event(event)) else { continue };
            let folded = other.rows.get(there).is_some_and(|row| row.look == Look::Quiet);
            if let Some(row) = self.rows.get_mut(here).filter(|row| row.look == Look::Quiet && !folded) {
                row.look = Look::Plain;
            }
        }
    }
}

fn looks(notes: Vec<Note>) -> Vec<Row> {
    let heard: Vec<Note> = notes.iter().filter(|note| note.kind != Kind::Said).cloned().collect();
    let quiet = quiet(&heard);
    // Only several in a row are worth folding.
    let mut folded = Vec::with_capacity(quiet.len());
    for run in quiet.chunk_by(|one, other| one == other) {
        let all = run.first() == Some(&true) && run.len() >= FOLDED;
        folded.extend(std::iter::repeat_n(all, run.len()));
    }
    let mut folded = folded.into_iter();
    let row = |note: Note| {
        let look = match note.kind {
            Kind::Said => Look::Said,
            Kind::Step => Look::Step,
            Kind::Handler => Look::Handler,
            Kind::Telling => Look::Telling,
            Kind::Plain => Look::Plain,
        };
        let quiet = look != Look::Said && folded.next() == Some(true);
        let look = if quiet { Look::Quiet } else { look };
        let Note { lane, at, is_event, text, source, .. } = note;
        let text = text.strip_suffix(" <<<").map(str::to_owned).unwrap_or(text);
        Row { lane, at, is_event, look, text, source }
    };
    notes.into_iter().map(row).collect()
}

fn shortened(rows: Vec<Row>) -> Vec<Row> {
    let count = rows.len();
    if count <= HEAD + TAIL {
        return rows;
    }
    let mut kept = vec![false; count];
    let steps: Vec<usize> =
        rows.iter().enumerate().filter(|(_, row)| row.look == Look::Step).map(|(index, _)| index).collect();
    let around = steps.iter().map(|step| step.saturating_sub(AROUND)..step.saturating_add(AROUND).min(count));
    for range in around.chain([0..HEAD, count - TAIL..count]) {
        kept.get_mut(range).unwrap_or_default().fill(true);
    }
    let mut shown = Vec::new();
    let mut left_out = 0;
    for (row, kept) in rows.into_iter().zip(kept) {
        if !kept {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            let text = format!("… {left_out} lines left out: the trace has them");
            let look = Look::Gap;
            shown.push(Row { is_event: false, look, text, source: String::new(), ..row.clone() });
            left_out = 0;
        }
        shown.push(row);
    }
    shown
}
