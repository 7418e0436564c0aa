//! Where a replay left its trace: the events around the first difference, side by side.

use super::Page;
use super::layout::{padded, width};
use super::words::words_at;
use crate::trace::Event;

/// Events shown before and behind the first difference.
const CONTEXT: usize = 3;

/// Shows the recorded and the replayed events around `at`, the index (from 0) of the first difference; the text counts
/// from 1.
pub fn diverged(recorded: &[Event], replayed: &[Event], at: usize, page: Page) -> String {
    let from = at.saturating_sub(CONTEXT);
    let rows: Vec<_> = (from..=at.saturating_add(CONTEXT))
        .filter(|index| *index <= at || *index < recorded.len() || *index < replayed.len())
        .map(|index| (index, cell(recorded, index), cell(replayed, index)))
        .collect();
    let widest = rows.iter().map(|(_, left, _)| width(left)).max().unwrap_or_default().max("recorded".len());
    let number = at.saturating_add(CONTEXT + 1).to_string().len();
    let headline = page.wrong(format!("the replay left the recorded run at event {}", at.saturating_add(1)));
    let mut text = format!("{headline}\n  {:number$}  {}  replayed\n", "", padded("recorded", widest));
    for (index, left, right) in rows {
        let line = format!("{:>number$}  {}  {right}", index.saturating_add(1), padded(&left, widest));
        let line = line.trim_end();
        text += &if index == at {
            format!("{}\n", page.wrong(format!("> {line}")))
        } else {
            format!("  {line}\n")
        };
    }
    text += &others(recorded.get(at), replayed.get(at));
    page.bounded(&text)
}

fn cell(events: &[Event], index: usize) -> String {
    match (events.get(index), words_at(events, index)) {
        (Some(event), Some(words)) => format!("{}: {words}", event.thread),
        _ if index == events.len() => "(no more events)".to_owned(),
        _ => String::new(),
    }
}

/// The difference may be in what else could have been chosen, which the words do not show.
fn others(recorded: Option<&Event>, replayed: Option<&Event>) -> String {
    match (recorded, replayed) {
        (Some(left), Some(right)) if left.thread == right.thread && left.what == right.what => {
            let names = |event: &Event| {
                let names: Vec<_> = event.others.iter().map(ToString::to_string).collect();
                if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
            };
            format!("who else could have run: recorded {}; replayed {}\n", names(left), names(right))
        }
        _ => String::new(),
    }
}
