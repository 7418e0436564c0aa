//! Runs for people: a trace as a picture in the terminal, a finding in three lines, and where a replay left its trace.
//!
//! Everything here makes texts; nothing prints. Texts end with a line break. What a program wrote or was called is
//! shown with its control characters escaped, so that a trace cannot command the reader's terminal.

#![warn(clippy::wildcard_enum_match_arm)]

mod apart;
mod busy_wait;
mod coalesced;
mod crash;
mod diverged;
mod ending;
mod extent;
mod fold;
mod html;
mod layout;
mod loops;
mod notes;
mod picture;
mod place;
mod returns;
mod search;
mod words;

pub use apart::told_apart;
pub use busy_wait::busy_waits;
pub use diverged::diverged;
pub use extent::Extent;
pub use html::html;
use layout::plain;
pub use layout::{padded, short, width, widths};
pub use loops::loops;
pub use place::{functions, landings, sources};
pub use returns::arrivals;
pub use search::{elsewhere, unstable};
pub use words::{count, end_words, event_words, listed, outcome_words, signals, step_words};

use crate::judge::title;
use crate::schedule::Schedule;
use crate::trace::{Broken, Trace};
use anstyle::{AnsiColor, Reset, Style};
use std::fmt::Display;
use std::path::Path;

/// No line is longer than this.
const LONGEST: usize = 1500;

/// What the text is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// True if it may hold colours.
    pub color: bool,
    /// Characters on a line; lines of tables and messages may be longer.
    pub width: usize,
}

impl Page {
    fn paint(self, style: Style, text: impl Display) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    fn strong(self, text: impl Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn faint(self, text: impl Display) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// What the harness did.
    fn step(self, text: impl Display) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    /// The text without the rest of lines that nobody would read: names of threads have no longest.
    fn bounded(self, text: &str) -> String {
        let reset = if self.color { Reset.render().to_string() } else { String::new() };
        let line = |line: &str| {
            let cut = short(line, LONGEST);
            if cut.len() < line.len() { cut + &reset + "\n" } else { cut + "\n" }
        };
        text.lines().map(line).collect()
    }

    /// What is wrong.
    pub(crate) fn wrong(self, text: impl Display) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }
}

/// A whole trace: what it is about, the run as a picture with a column for each thread, and how it ended.
pub fn terminal(trace: &Trace, page: Page) -> String {
    let mut text = String::new();
    let launch = &trace.launch;
    let name = launch.source.as_deref().unwrap_or(&launch.file).file_name().unwrap_or_default();
    let titles: Vec<_> = trace.breaks.iter().copied().map(title).collect();
    let about = if titles.is_empty() { "nothing broke".to_owned() } else { titles.join("; ") };
    let about = if titles.is_empty() { about } else { page.wrong(about) };
    text += &format!("{}: {about}\n", page.strong(plain(&name.to_string_lossy())));

    let command: Vec<_> = launch.argv.iter().map(|word| plain(word)).collect();
    text += &format!("command: {}\n", command.join(" "));
    if let Some(build) = &launch.build {
        text += &format!("build: {build}\n");
    }
    let (sigrace, kernel, arch) = (plain(&trace.sigrace), plain(&trace.kernel), plain(&trace.arch));
    text += &format!("recorded by sigrace {sigrace} on Linux {kernel} {arch}, seed {}\n", trace.seed);
    for folder in &trace.shared {
        text += &format!("note: {}\n", plain(folder));
    }
    text += &schedule(&trace.schedule, "schedule", page);
    text += "\n";
    page.bounded(&text) + &run(trace, page)
}

/// Only the run itself: where in the code each step landed, the picture with a column for each thread, and how it ended.
///
/// Source files are looked for where the compiler found them, beside the program and its source, and in the folder in which
/// the program ran.
pub fn run(trace: &Trace, page: Page) -> String {
    let mut places = place::Places::new(trace, page);
    let mut text = places.steps();
    if !text.is_empty() {
        text += "\n";
    }
    text += &picture::picture(trace, page);
    text += "\n";
    text += &ending::ending(&trace.outcome, &(places.crashes() + &places.end()), page);
    page.bounded(&text)
}

/// A finding in short: what broke, in one sentence, and the schedule that breaks it.
///
/// `name` is that of the scenario or program, `sentence` what [`judge::explain`](crate::judge::explain) says of it.
pub fn finding(name: &str, broken: Broken, sentence: &str, minimal: &Schedule, page: Page) -> String {
    let headline = page.wrong(format!("finding: {}: {}", plain(name), title(broken)));
    let text = format!(
        "{headline}\n  {}\n{}",
        plain(sentence),
        indented(&schedule(minimal, "minimal schedule", page))
    );
    page.bounded(&text)
}

/// The name of a file as a line can have it.
pub fn path(path: &Path) -> String {
    plain(&path.to_string_lossy())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// A schedule, one step a line.
fn schedule(schedule: &Schedule, what: &str, page: Page) -> String {
    let steps = schedule.steps.len();
    if steps == 0 {
        return format!("{what}: no step; this is the run that nobody disturbs\n");
    }
    let mut text = format!("{what}, {}:\n", count(steps as u64, "step"));
    for (index, step) in schedule.steps.iter().enumerate() {
        text += &format!("  {}. {}\n", index + 1, page.step(step_words(step)));
    }
    text
}

#[cfg(test)]
mod tests;
