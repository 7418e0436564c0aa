//! What the page's script shows of a row: values, by the numbers of rows.

use super::rows::Rows;
use super::source::{Source, anchor, line_of};
use super::states::{Cell, Table};
use crate::show::place::{Told, of_event};
use crate::show::words::listed;
use crate::trace::Trace;
use indexmap::IndexSet;
use serde::Serialize;

/// A run, for the script. Texts are told by their number in `texts`, 0 for none.
#[derive(Serialize)]
pub(super) struct Data {
    /// How many threads there are.
    threads: Vec<String>,
    /// For each row the lane that it is about.
    lanes: Vec<usize>,
    /// For each row its place: the number of one of `places`, from 1.
    at: Vec<usize>,
    /// For each row who else could have been let run.
    others: Vec<usize>,
    /// Where in the code, what led there, and which line of the source that is.
    places: Vec<[usize; 3]>,
    /// Row, lane, which cell, and what it says from there on.
    changes: Vec<[usize; 4]>,
    texts: Vec<String>,
}

impl Data {
    pub(super) fn new(trace: &Trace, rows: &Rows, table: &Table, sources: &[Source]) -> Data {
        let mut texts = Texts { known: IndexSet::from([String::new()]) };
        let mut places: IndexSet<[usize; 3]> = IndexSet::new();
        let (mut at, mut others) = (Vec::new(), Vec::new());
        for row in &rows.rows {
            let place = of_event(&trace.events, &trace.places, row.at).filter(|_| row.is_event);
            at.push(place.map_or(0, |place| {
                let told = Told::new(place);
                let instruction =
                    told.instruction().map_or_else(String::new, |text| format!(", before `{text}`"));
                let words = told.words().map_or_else(String::new, |words| words + &instruction);
                let led: Vec<String> = [told.callers(), told.through()].into_iter().flatten().collect();
                let source = line_of(place).and_then(|(file, line)| anchor(sources, file, line));
                let place =
                    [words, led.join("; "), source.unwrap_or_default()].map(|text| texts.number(text));
                places.insert_full(place).0 + 1
            }));
            let could = trace.events.get(row.at).filter(|event| row.is_event && !event.others.is_empty());
            others.push(could.map_or(0, |event| texts.number(listed(event.others.iter()))));
        }
        let cell = |cell| match cell {
            Cell::State => 0,
            Cell::Program => 1,
            Cell::Pending => 2,
        };
        let changes = table
            .changes
            .iter()
            .map(|change| [change.row, change.lane, cell(change.cell), texts.number(change.text.clone())]);
        let changes = changes.collect();
        Data {
            threads: rows.lanes.iter().map(ToString::to_string).collect(),
            lanes: rows.rows.iter().map(|row| row.lane).collect(),
            at,
            others,
            places: places.into_iter().collect(),
            changes,
            texts: texts.known.into_iter().collect(),
        }
    }
}

struct Texts {
    known: IndexSet<String>,
}

impl Texts {
    fn number(&mut self, text: String) -> usize {
        self.known.insert_full(text).0
    }
}
