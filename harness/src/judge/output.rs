//! The first process's standard output and standard error are as they should be.

use super::{BadRegex, Expectation, Held, Kind, Scope, regex};
use crate::scenario::Text;
use crate::trace::{Broken, Outcome, Output, Run};
use regex::bytes::Regex;
use std::sync::Arc;

pub(super) const STDOUT: Kind = Kind {
    broken: Broken::Stdout,
    title: "another standard output than expected",
    word: "stdout",
    scope: Scope::Complete,
    of_scenario: |expect| of_text(expect.stdout.as_ref(), "standard output", |outcome| &outcome.stdout),
    against: |reference, how| {
        let wanted = match &how.stdout {
            Some(pattern) => Some(Wanted::Matching(regex(pattern)?)),
            None => how.same_output.then(|| Wanted::Exactly(reference.outcome.stdout.clone())),
        };
        Ok(wanted.map(|wanted| held(wanted, "standard output", |outcome| &outcome.stdout)))
    },
};

pub(super) const STDERR: Kind = Kind {
    broken: Broken::Stderr,
    title: "another standard error than expected",
    word: "stderr",
    scope: Scope::Complete,
    of_scenario: |expect| of_text(expect.stderr.as_ref(), "standard error", |outcome| &outcome.stderr),
    against: |_, _| Ok(None),
};

/// What a text has to be.
#[derive(Debug)]
enum Wanted {
    Exactly(Output),
    Matching(Regex),
}

/// Which of the outputs.
type Which = fn(&Outcome) -> &Output;

#[derive(Debug)]
struct Writes {
    wanted: Wanted,
    name: &'static str,
    which: Which,
}

fn of_text(text: Option<&Text>, name: &'static str, which: Which) -> Result<Option<Held>, BadRegex> {
    let wanted = match text {
        None => return Ok(None),
        Some(Text::Is(text)) => Wanted::Exactly(Output::Text(text.clone())),
        Some(Text::Matches(pattern)) => Wanted::Matching(regex(pattern)?),
    };
    Ok(Some(held(wanted, name, which)))
}

fn held(wanted: Wanted, name: &'static str, which: Which) -> Held {
    Arc::new(Writes { wanted, name, which })
}

impl Expectation for Writes {
    fn breach(&self, run: &Run) -> Option<String> {
        let output = (self.which)(&run.outcome);
        let (name, got) = (self.name, quoted(output.bytes()));
        match &self.wanted {
            Wanted::Exactly(wanted) => (wanted.bytes() != output.bytes())
                .then(|| format!("expected {name} {}, got {got}", quoted(wanted.bytes()))),
            Wanted::Matching(regex) => (!regex.is_match(output.bytes())).then(|| {
                format!("expected {name} to match {}, got {got}", quoted(regex.as_str().as_bytes()))
            }),
        }
    }
}

/// A text in quotes, escaped and shortened, for the middle of a sentence.
fn quoted(text: &[u8]) -> String {
    const MOST: usize = 60;
    let text = String::from_utf8_lossy(text);
    let short: String = text.chars().take(MOST).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}
