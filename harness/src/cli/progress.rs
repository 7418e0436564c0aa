//! How far the search is, on standard error; nothing where that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar with the runs so far, their speed, the points reached, the findings, and the time left.
pub(super) struct Progress {
    bar: ProgressBar,
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
        Progress { bar }
    }

    /// What is known now.
    pub(super) fn set(&self, runs: u64, message: String) {
        self.bar.set_position(runs);
        self.bar.set_message(message);
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
