//! The picture of a run: a column for each thread, time downwards.

use super::Page;
use super::fold::{Part, fold};
use super::layout::{padded, width, width_of};
use super::notes::{Kind, Note, lanes, notes, quiet};
use crate::schedule::{Site, ThreadName};
use crate::trace::{Trace, What};
use std::collections::HashSet;

/// A column narrower than this cannot be read.
const NARROWEST: usize = 18;
/// Blanks between columns.
const GAP: usize = 2;
/// Calls in a row from which on only their number is shown.
const RUN: usize = 3;
/// Lines kept at the beginning, at the end and around each step when a picture is too long for a person.
const HEAD: usize = 60;
const TAIL: usize = 240;
const AROUND: usize = 6;
/// Lines in a row of nothing but calls and sleeps from which on only their ends are shown, so many lines each.
const BUSY: usize = 40;
const BUSY_ENDS: usize = 8;

/// The head of the column that tells where in the source things happened.
const SOURCE: &str = "source";

/// Draws the events; those that the schedule caused are marked.
pub(super) fn picture(trace: &Trace, page: Page) -> String {
    let lanes = lanes(&trace.events);
    let notes = shorten(quieted(folded(collapse(notes(trace, &lanes)))));
    if notes.is_empty() {
        return "(no event)\n".to_owned();
    }
    let mut names = vec![""; lanes.len()];
    let shown: Vec<_> = lanes.keys().map(ThreadName::to_string).collect();
    for (name, lane) in shown.iter().zip(lanes.values()) {
        if let Some(place) = names.get_mut(*lane) {
            *place = name;
        }
    }
    match widths(&names, &notes, page.width) {
        Some(widths) => columns(&names, &widths, &notes, page),
        None => list(&names, &notes, page),
    }
}

/// Leaves the calls next to a step or a signal, and only counts those in a row that nothing happened at.
fn collapse(notes: Vec<Note>) -> Vec<Note> {
    let notes: Vec<_> = notes.into_iter().filter(|note| note.kind != Kind::Said).collect();
    let quiet = quiet(&notes);
    let mut shown: Vec<Note> = Vec::new();
    let mut index = 0;
    while let Some(note) = notes.get(index) {
        let in_row = notes.iter().zip(&quiet).skip(index);
        let length = in_row.take_while(|(other, quiet)| **quiet && other.lane == note.lane).count();
        if length >= RUN {
            shown.push(Note::about(note.lane, format!("… {length} calls")));
            index += length;
        } else {
            shown.push(note.clone());
            index += 1;
        }
    }
    shown
}

/// Shows a stretch that comes again and again once, with how often it comes; not around a step.
fn folded(notes: Vec<Note>) -> Vec<Note> {
    let around = around_steps(&notes);
    let get = |index: usize| notes.get(index).filter(|_| !around.contains(&index));
    let alike =
        |one: usize, other: usize| get(one).zip(get(other)).is_some_and(|(one, other)| one.is_like(other));
    let parts = fold(notes.len(), alike);
    let mut shown = Vec::new();
    for Part { start, length, times } in parts {
        shown.extend(notes.iter().skip(start).take(length).cloned());
        if let Some(first) = notes.get(start).filter(|_| times > 1) {
            let lines = if length == 1 { "this".to_owned() } else { format!("these {length} lines") };
            let text = format!("… {lines}, {} times more", times - 1);
            shown.push(Note::about(first.lane, text));
        }
    }
    shown
}

/// Shows only the ends of a long stretch in which threads take turns at calls and sleeps, never twice in quite the same way.
fn quieted(notes: Vec<Note>) -> Vec<Note> {
    let around = around_steps(&notes);
    let busy = |index: usize| {
        let of_calls = |note: &Note| match note.kind {
            Kind::Plain => true,
            Kind::Telling => {
                matches!(note.what, Some(What::Sleep(..) | What::Expire(_) | What::Go(Site::In(_), _)))
            }
            Kind::Step | Kind::Handler | Kind::Said => false,
        };
        !around.contains(&index) && notes.get(index).is_some_and(of_calls)
    };
    let mut shown = Vec::new();
    let mut index = 0;
    while let Some(note) = notes.get(index) {
        let length = (index..).take_while(|index| busy(*index)).count();
        if length < BUSY {
            shown.extend(notes.iter().skip(index).take(length.max(1)).cloned());
            index += length.max(1);
            continue;
        }
        let stretch: Vec<&Note> = notes.iter().skip(index).take(length).collect();
        let left_out = stretch.get(BUSY_ENDS..length - BUSY_ENDS).unwrap_or_default();
        let threads: HashSet<usize> = left_out.iter().map(|note| note.lane).collect();
        let by = if threads.len() > 1 { format!(", by {} threads", threads.len()) } else { String::new() };
        let text = format!("… {} lines of calls and sleeps{by}", left_out.len());
        shown.extend(stretch.iter().take(BUSY_ENDS).copied().cloned());
        shown.push(Note::about(left_out.first().map_or(note.lane, |first| first.lane), text));
        shown.extend(stretch.iter().skip(length - BUSY_ENDS).copied().cloned());
        index += length;
    }
    shown
}

/// The indices of the steps, and of what is around them.
fn around_steps(notes: &[Note]) -> HashSet<usize> {
    let steps = notes.iter().enumerate().filter(|(_, note)| note.kind == Kind::Step);
    steps.flat_map(|(index, _)| index.saturating_sub(AROUND)..=index + AROUND).collect()
}

/// Keeps a long picture readable: its beginning, its end, and what is around the steps.
fn shorten(notes: Vec<Note>) -> Vec<Note> {
    let count = notes.len();
    if count <= HEAD + TAIL {
        return notes;
    }
    let around = around_steps(&notes);
    let mut shown = Vec::new();
    let mut left_out = 0;
    for (index, note) in notes.into_iter().enumerate() {
        if index >= HEAD && index < count - TAIL && !around.contains(&index) {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            shown.push(Note::about(note.lane, format!("… {left_out} lines left out")));
            left_out = 0;
        }
        shown.push(note);
    }
    shown
}

/// The columns' widths: as wide as they need, or less where the line is too short; none if that cannot be read.
fn widths(names: &[&str], notes: &[Note], line: usize) -> Option<Vec<usize>> {
    let mut widths: Vec<_> = names.iter().map(|name| width(name)).collect();
    for note in notes {
        if let Some(widest) = widths.get_mut(note.lane) {
            *widest = note.text.lines().map(width).max().unwrap_or_default().max(*widest);
        }
    }
    let room = line.saturating_sub(GAP * widths.len());
    while widths.iter().sum::<usize>() > room {
        let widest = widths.iter_mut().max()?;
        if *widest <= NARROWEST {
            return None;
        }
        *widest -= 1;
    }
    Some(widths)
}

fn columns(names: &[&str], widths: &[usize], notes: &[Note], page: Page) -> String {
    let mut text = String::new();
    let gap = " ".repeat(GAP);
    let taken: usize = widths.iter().map(|width| GAP + width).sum();
    let sources = notes.iter().map(|note| width(&note.source)).max().unwrap_or_default();
    // Where there is room; what happens is more telling than where.
    let beside = sources > 0 && taken + GAP + sources.max(SOURCE.len()) <= page.width;
    // Cells, how wide the last one is, and what is beside them.
    let mut line = |cells: Vec<String>, filled: usize, source: &str| {
        text += format!("{gap}{}", cells.join(&gap)).trim_end();
        if beside && !source.is_empty() {
            let before: usize =
                widths.iter().take(cells.len().saturating_sub(1)).map(|width| GAP + width).sum();
            let blanks = taken.saturating_sub(before + GAP + filled) + GAP;
            text += &format!("{}{}", " ".repeat(blanks), page.faint(source));
        }
        text.push('\n');
    };
    let title =
        |(name, column): (&&str, &usize)| page.strong(name) + &" ".repeat(column.saturating_sub(width(name)));
    // The blanks after the last name are cut off.
    let last = names.last().map_or(0, |name| width(name));
    line(names.iter().zip(widths).map(title).collect(), last, SOURCE);
    let rules = widths.iter().map(|width| "─".repeat(*width)).collect();
    line(rules, widths.last().copied().unwrap_or_default(), &"─".repeat(sources.max(SOURCE.len())));
    for note in notes {
        let column = widths.get(note.lane).copied().unwrap_or(NARROWEST);
        let parts = note.text.lines().flat_map(|line| wrap(line, column));
        for (index, part) in parts.enumerate() {
            let mut cells: Vec<_> = widths.iter().take(note.lane).map(|width| " ".repeat(*width)).collect();
            cells.push(painted(&part, note.kind, page));
            let source = if index == 0 { note.source.as_str() } else { "" };
            line(cells, width(&part), source);
        }
    }
    text
}

/// One line for each note, the thread's name before it: for more threads than a line has room for.
fn list(names: &[&str], notes: &[Note], page: Page) -> String {
    let widest = names.iter().map(|name| width(name)).max().unwrap_or_default();
    let mut text = String::new();
    for note in notes {
        let name = names.get(note.lane).copied().unwrap_or_default();
        for line in note.text.lines() {
            text += &format!("  {}  {}\n", padded(name, widest), painted(line, note.kind, page));
        }
    }
    text
}

fn painted(text: &str, kind: Kind, page: Page) -> String {
    match kind {
        Kind::Step => page.step(text),
        Kind::Telling | Kind::Handler => text.to_owned(),
        Kind::Plain | Kind::Said => page.faint(text),
    }
}

/// Breaks a text between words, or inside a word that is too long; lines after the first are indented.
fn wrap(text: &str, column: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let words = text.trim_start_matches(' ');
    let indent = text.len() - words.len();
    let mut line = " ".repeat(indent);
    let mut length = indent;
    for word in words.split(' ') {
        let word_length = width(word);
        if length > indent && length + 1 + word_length > column {
            lines.push(std::mem::replace(&mut line, "  ".to_owned()));
            length = 2;
        } else if length > indent {
            line.push(' ');
            length += 1;
        }
        for c in word.chars() {
            if length + width_of(c) > column.max(4) {
                lines.push(std::mem::replace(&mut line, "  ".to_owned()));
                length = 2;
            }
            line.push(c);
            length += width_of(c);
        }
    }
    lines.push(line);
    lines
}
