//! How a run ended: the end itself, the proof of a hang, where the threads were, the output, what is left over, and the process table.

use super::layout::{padded, plain, short, widths};
use super::{Page, indented};
use crate::schedule::ThreadName;
use crate::signal::{Signal, SignalSet};
use crate::trace::{
    Change, Changing, End, LeftHow, Open, Outcome, Output, Remains, Sleeper, TerminalLeft, Took, lasting,
};
use std::time::Duration;

/// Lines of output that are shown at its beginning and at its end.
const FIRST: usize = 5;
const LAST: usize = 10;
/// Files that are shown.
const MOST_FILES: usize = 20;

/// `places` tells where the threads were.
pub(super) fn ending(outcome: &Outcome, places: &str, page: Page) -> String {
    let mut text = end(outcome, page);
    text += &took(outcome);
    text += places;
    if let Some(terminal) = &outcome.terminal {
        text += &output("screen", &outcome.stdout, page);
        text += &left_terminal(terminal, page);
    } else {
        text += &output("standard output", &outcome.stdout, page);
    }
    if outcome.terminal.is_none() || !outcome.stderr.bytes().is_empty() {
        text += &output("standard error", &outcome.stderr, page);
    }
    for client in &outcome.clients {
        let how = client.status.map_or_else(|| "still waits".to_owned(), |status| status.to_string());
        let name = format!("{} ({})", client.client, plain(&client.command));
        text += &format!("{} {how}\n", page.strong(format!("{name}:")));
        let wrote = [("standard output", &client.stdout), ("standard error", &client.stderr)];
        for (what, wrote) in wrote.into_iter().filter(|(_, wrote)| !wrote.bytes().is_empty()) {
            text += &indented(&output(what, wrote, page));
        }
    }
    if !outcome.leftover.is_empty() {
        text += &page.strong("left over:");
        text += "\n";
        for left in &outcome.leftover {
            let how = match left.how {
                LeftHow::Zombie => "a zombie: it has ended, and its parent has not waited for it",
                LeftHow::Orphan => "an orphan: its parent ended without waiting for it",
            };
            text += &format!("  {} is {how}\n", left.process);
        }
    }
    text += &remains(&outcome.remains, page);
    if !outcome.exec_blocked.is_empty() {
        text += &page.strong("started with signals blocked that the parent blocked only for a moment:");
        text += "\n";
        for one in &outcome.exec_blocked {
            let signals: Vec<_> = one.signals.iter().map(Signal::to_string).collect();
            text += &format!("  {} ({}): {}\n", one.process, plain(&one.file), signals.join(" "));
        }
    }
    if !outcome.table.is_empty() {
        text += &page.strong("processes at the end:");
        text += "\n";
        text += &table(outcome);
    }
    text
}

/// How the terminal was left.
fn left_terminal(terminal: &TerminalLeft, page: Page) -> String {
    let modes = terminal.modes_words().unwrap_or_else(|| "in modes that are not known".to_owned());
    let front = terminal.foreground.as_ref();
    let front = front.map_or_else(String::new, |front| format!("; in its foreground is {front}"));
    format!("{} {}{front}\n", page.strong("terminal left:"), plain(&modes))
}

/// Files and IPC objects that are otherwise than before, and what processes held at the end.
fn remains(remains: &Remains, page: Page) -> String {
    let Remains { changes, more, open, held } = remains;
    let mut text = String::new();
    if !changes.is_empty() {
        text += &page.strong("files that are otherwise than before:");
        text += "\n";
        let line = |change: &Change| match &change.how {
            Changing::Made(object) => format!("made {}: {object}", change.name),
            Changing::Changed(object) => format!("changed {}: {object}", change.name),
            Changing::Removed => format!("removed {}", change.name),
        };
        for change in changes.iter().take(MOST_FILES) {
            text += &format!("  {}\n", short(&plain(&line(change)), page.width.saturating_sub(2).max(20)));
        }
        let left_out = more.saturating_add(changes.len().saturating_sub(MOST_FILES) as u64);
        if left_out > 0 {
            text += &format!("  {}\n", page.faint(format!("… {left_out} more")));
        }
    }
    for (title, open) in [("open when their processes ended:", open), ("open while they sleep:", held)] {
        if !open.is_empty() {
            text += &page.strong(title);
            text += "\n";
        }
        for Open { process, descriptors } in open {
            let line = format!("{process}: {}", descriptors.join(", "));
            text += &format!("  {}\n", short(&plain(&line), page.width.saturating_sub(2).max(20)));
        }
    }
    text
}

/// How long it took, where that is long enough to matter.
fn took(outcome: &Outcome) -> String {
    const SHORT: Duration = Duration::from_secs(1);
    let Took { whole, after, expired: _ } = outcome.took;
    if whole < SHORT {
        return String::new();
    }
    let last = if after == whole {
        String::new()
    } else {
        format!(", {} after the last signal sent", lasting(after))
    };
    format!("on the program's clock it took {}{last}\n", lasting(whole))
}

fn end(outcome: &Outcome, page: Page) -> String {
    let line = |what: &str, why: &str| format!("{} {why}\n", page.strong(format!("end: {what}")));
    match &outcome.end {
        End::Ended(status) if !outcome.roused.is_empty() => {
            let why = "Until then every thread slept, and only the outside could go on:";
            line(&format!("{status}, but only when a client came."), why) + &proof(&outcome.roused)
        }
        End::Ended(status) => format!("{}\n", page.strong(format!("end: {status}"))),
        End::Hang(sleepers) => {
            let why = "Every thread sleeps, and nothing that is left in the run can wake any of them:";
            format!("{} {why}\n{}", page.wrong("end: HANG."), proof(sleepers))
        }
        End::Idle(sleepers) => {
            line("idle.", "Every thread sleeps, and only the outside could go on:") + &proof(sleepers)
        }
        End::Stopped => line("stopped.", "What is left is stopped by job control."),
        End::Spinning(count) => {
            line("spinning.", &format!("It goes on without getting anywhere: {}.", plain(count)))
        }
        End::Stalled(sleepers) => {
            line(
                "stalled.",
                "It does nothing but sleep for a time, again and again, to the limit of its clock:",
            ) + &proof(sleepers)
        }
        End::TimedOut => line("time limit.", "Nothing is known of what it was doing."),
    }
}

/// Thread by thread: where it sleeps, what could interrupt it, and why that cannot come.
fn proof(sleepers: &[Sleeper]) -> String {
    let rows = sleepers.iter().map(|one| {
        let caught = if one.caught.is_empty() {
            "catches nothing".to_owned()
        } else {
            format!("catches {}", signals(one.caught))
        };
        vec![one.thread.to_string(), format!("asleep in {}", one.call), caught, plain(&one.why)]
    });
    aligned(rows.collect())
}

fn output(what: &str, output: &Output, page: Page) -> String {
    let text = String::from_utf8_lossy(output.bytes());
    if text.is_empty() {
        return format!("{} nothing\n", page.strong(format!("{what}:")));
    }
    let lines: Vec<_> = text.lines().collect();
    let room = page.width.saturating_sub(4).max(20);
    let mut shown = format!("{}\n", page.strong(format!("{what}:")));
    for (index, line) in lines.iter().enumerate() {
        let left_out = lines.len().saturating_sub(FIRST + LAST);
        if left_out > 1 && (FIRST..FIRST + left_out).contains(&index) {
            if index == FIRST {
                shown += &format!("  {}\n", page.faint(format!("… {left_out} lines")));
            }
            continue;
        }
        shown += &format!("  | {}\n", short(&plain(line), room));
    }
    if output.left_out() > 0 {
        let bytes = output.left_out();
        shown += &format!(
            "  {}\n",
            page.faint(format!("… {bytes} bytes more, which were not kept (limit: output)"))
        );
    } else if !text.ends_with('\n') {
        shown += &format!("  {}\n", page.faint("(no line break at the end)"));
    }
    shown
}

fn table(outcome: &Outcome) -> String {
    let head = ["NAME", "PARENT", "STAT", "COMMAND", "PENDING", "BLOCKED", "CAUGHT"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for row in &outcome.table {
        rows.push(vec![
            row.process.to_string(),
            row.parent.as_ref().map_or_else(|| "init".to_owned(), ThreadName::to_string),
            plain(&row.stat.to_string()),
            plain(&row.command),
            signals(row.pending),
            signals(row.blocked),
            signals(row.caught),
        ]);
    }
    aligned(rows)
}

/// A set in few characters: without `SIG`, and by what is missing where nearly all are in it.
fn signals(set: SignalSet) -> String {
    let short = |set: SignalSet| {
        let names: Vec<_> = set.iter().map(|signal| signal.to_string().replacen("SIG", "", 1)).collect();
        names.join(",")
    };
    let missing = SignalSet(!set.0);
    // Nobody can block or catch these two.
    let never: SignalSet = [Signal::KILL, Signal::STOP].into_iter().collect();
    match (set.iter().count(), missing.without(never)) {
        (0, _) => "-".to_owned(),
        (1..=16, _) => short(set),
        (_, SignalSet::EMPTY) => "all".to_owned(),
        (_, missing) if missing.iter().count() <= 16 => format!("all but {}", short(missing)),
        _ => short(set),
    }
}

/// Cells in columns, two blanks before each.
fn aligned(rows: Vec<Vec<String>>) -> String {
    let widths = widths(&rows);
    let mut text = String::new();
    for row in &rows {
        let cells: String =
            row.iter().zip(&widths).map(|(cell, width)| format!("  {}", padded(cell, *width))).collect();
        text += cells.trim_end();
        text.push('\n');
    }
    text
}
