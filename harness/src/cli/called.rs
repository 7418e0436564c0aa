//! What a program asks that has sigrace as a library: verbs of the command, told to the caller and not to a terminal.

use super::exit::{Exit, Stop};
use super::replay::{self, Made, not_followed};
use super::report::{CALLERS_PAGE, Reader};
use super::{Cli, Verb, explore};
use crate::store;
use crate::suite::report::Report;
use crate::suite::worker;
use clap::Parser;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What a command would have printed, and how it would have ended.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its exit code.
    pub(crate) code: u8,
    /// What a person reads.
    pub(crate) text: String,
    /// What machines read; none if it ended before.
    pub(crate) report: Option<Report>,
}

impl Answer {
    fn of_stop(text: &str, Stop { exit, message }: Stop) -> Answer {
        Answer { code: exit as u8, text: format!("{text}sigrace: {message}\n"), report: None }
    }
}

/// `sigrace explore` with these words, in any thread; no signal of the process is touched.
pub(crate) fn explored(words: impl IntoIterator<Item = OsString>) -> Answer {
    let words = ["sigrace".into(), "explore".into()].into_iter().chain(words);
    let args = match Cli::try_parse_from(words) {
        Ok(Cli { verb: Verb::Explore(args) }) => args,
        Ok(_) => return Answer::of_stop("", Stop::new(Exit::Usage, "these are no words of explore")),
        Err(error) => return Answer::of_stop("", Stop::new(Exit::Usage, error.to_string().trim_end())),
    };
    let heard = Mutex::new(String::new());
    let result = explore::search(&args, Reader::Caller(&heard), &Arc::default(), &[]);
    let text = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
    match result {
        Ok((exit, report)) => Answer { code: exit as u8, text, report: Some(report) },
        Err(stop) => Answer::of_stop(&text, stop),
    }
}

/// `sigrace replay` of this trace, so often.
pub(crate) fn replayed(path: &Path, times: u64) -> Answer {
    let made = || {
        let trace = store::read_trace(path).map_err(Stop::refused)?;
        let settings = replay::settings(&trace, &Arc::default())?;
        replay::made(&trace, settings, times, CALLERS_PAGE)
    };
    // Whoever supervises stays on one CPU, which a caller must not.
    let made = worker::apart("that replays", made).map_err(Stop::from).and_then(|made| made);
    let (exit, text) = match made {
        Ok(Made::Followed) => (Exit::AsExpected, String::new()),
        Ok(Made::NotFollowed(done, how)) => (Exit::Unclear, not_followed(done, &how, times) + "\n"),
        Ok(Made::Interrupted(_)) => (Exit::Interrupted, String::new()),
        Err(stop) => return Answer::of_stop("", stop),
    };
    Answer { code: exit as u8, text, report: None }
}
