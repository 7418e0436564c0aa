//! The `--` before a program, where somebody has left it out.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// A command line on which a word stands where none is expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// There everything after it is the program's: so the line is as it was meant.
    Here(Vec<OsString>),
    /// The program begins with this word, or there; where the options end is not clear. With the line on which all from there on
    /// is the program's.
    Somewhere(String, Vec<OsString>),
}

/// What is missing on a command line that was refused for this reason; none if it is something else.
pub(super) fn missing(words: &[OsString], error: &clap::Error) -> Option<Missing> {
    if error.kind() != ErrorKind::UnknownArgument || words.iter().any(|word| word == "--") {
        return None;
    }
    let Some(ContextValue::String(first)) = error.get(ContextKind::InvalidArg) else { return None };
    if first.starts_with('-') {
        return None;
    }
    // The first two are the command and its verb.
    let mut places = (2..words.len()).filter(|at| words.get(*at).is_some_and(|word| word == first.as_str()));
    let (place, another) = (places.next()?, places.next());
    let (before, after) = words.split_at_checked(place)?;
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    let line = [before, &["--".into()], after].concat();
    if another.is_some() || after.iter().any(is_option) {
        return Some(Missing::Somewhere(first.clone(), line));
    }
    Some(Missing::Here(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    fn of(line: &str) -> Option<Missing> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        missing(&words, &Cli::try_parse_from(&words).unwrap_err())
    }

    #[test]
    fn dashes_are_missing_before_the_first_word_that_is_no_option() {
        let here = |line: &str| Some(Missing::Here(line.split(' ').map(OsString::from).collect()));
        assert_eq!(of("sigrace explore ls"), here("sigrace explore -- ls"));
        assert_eq!(of("sigrace explore --send TERM sh a b"), here("sigrace explore --send TERM -- sh a b"));
        assert_eq!(of("sigrace points ls"), here("sigrace points -- ls"));
    }

    #[test]
    fn where_options_follow_it_is_not_clear_whose_they_are() {
        let somewhere = |word: &str, line: &str| {
            Some(Missing::Somewhere(word.to_owned(), line.split(' ').map(OsString::from).collect()))
        };
        assert_eq!(of("sigrace explore ls -l"), somewhere("ls", "sigrace explore -- ls -l"));
        let line = "sigrace explore -- ls --send TERM";
        assert_eq!(of("sigrace explore ls --send TERM"), somewhere("ls", line));
        let line = "sigrace explore --send-to -- p0 p0";
        assert_eq!(of("sigrace explore --send-to p0 p0"), somewhere("p0", line));
    }

    #[test]
    fn what_is_wrong_otherwise_is_not_about_dashes() {
        assert_eq!(of("sigrace explore --nothing ls"), None);
        assert_eq!(of("sigrace explore --nothing -- ls"), None);
        assert_eq!(of("sigrace explore"), None);
        assert_eq!(of("sigrace nothing"), None);
    }
}
