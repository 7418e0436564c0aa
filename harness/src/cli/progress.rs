//! How far the search is, on standard error; nothing where that is no terminal.

use crate::explore::Finding;
use crate::suite::Baseline;
use crate::suite::report::Subject;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A bar with the runs so far, their speed, the points reached, the findings, and the time left.
pub(super) struct Progress {
    bar: ProgressBar,
    /// When the time is used up, if that is the budget.
    until: Option<Instant>,
    /// What is searched.
    name: String,
    /// Findings of the searches before; none if it is the only one.
    before: Option<u64>,
    /// What is accepted, and what this search is called there.
    accepted: Option<(Arc<Baseline>, Subject)>,
    /// False if nobody looks.
    seen: bool,
}

impl Progress {
    /// For so many runs; for an unknown number if the budget is a time.
    pub(super) fn new(runs: Option<u64>) -> Progress {
        let (bar, template) = match runs {
            Some(runs) => (
                ProgressBar::new(runs),
                "{bar:24} {human_pos}/{human_len} runs, {per_sec}, {msg}, {eta} left",
            ),
            None => (ProgressBar::no_length(), "{spinner} {human_pos} runs, {per_sec}, {msg}, {elapsed}"),
        };
        // The template is a constant, so a fault in it shows at the first use; the bar without it is still right.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, until: None, name: String::new(), before: None, accepted: None, seen: true }
    }

    /// For a search that may take so long, or if that is not limited make so many runs, if that is.
    pub(super) fn within(time: Option<Duration>, runs: Option<u64>) -> Progress {
        let until = time.and_then(|time| Instant::now().checked_add(time));
        let mut progress = Progress::new(runs.filter(|_| until.is_none()));
        progress.until = until;
        progress
    }

    /// Of a search with this name; of several, when those before have found so many.
    pub(super) fn of(mut self, name: &str, before: Option<u64>) -> Progress {
        (self.name, self.before) = (name.to_owned(), before);
        self
    }

    /// Of a search of which this may be accepted.
    pub(super) fn accepting(mut self, baseline: Option<&Arc<Baseline>>, subject: Subject) -> Progress {
        self.accepted = baseline.map(|baseline| (Arc::clone(baseline), subject));
        self
    }

    /// Whether there is somebody who looks.
    pub(super) fn seen(mut self, seen: bool) -> Progress {
        self.seen = seen;
        if !seen {
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        self
    }

    /// True if there is somebody who looks.
    pub(super) fn is_seen(&self) -> bool {
        self.seen
    }

    /// True if a finding may be accepted, so that nobody need be told at once.
    pub(super) fn is_accepted(&self, finding: &Finding) -> bool {
        self.accepted.as_ref().is_some_and(|(baseline, subject)| baseline.seems_to_have(subject, finding))
    }

    /// What is searched.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Findings of the searches before.
    pub(super) fn before(&self) -> u64 {
        self.before.unwrap_or(0)
    }

    /// What is known now.
    pub(super) fn set(&self, runs: u64, message: String) {
        self.bar.set_position(runs);
        let name = self.before.map_or_else(String::new, |_| format!("{}: ", self.name));
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()).as_secs());
        self.bar.set_message(match left {
            Some(seconds) => format!("{name}{message}, {seconds} s left"),
            None => name + &message,
        });
    }

    /// Does something that writes to the terminal, without the bar in between.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
