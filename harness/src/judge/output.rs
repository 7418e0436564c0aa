//! The first process's standard output and standard error are as they should be; and enough of them was kept to tell.

use super::{BadPattern, Comparison, Expectation, Held, Kind, Scope, regex};
use crate::scenario::Text;
use crate::trace::{Broken, Outcome, Output, Run};
use regex::bytes::Regex;
use std::sync::Arc;

pub(super) const STDOUT: Kind = Kind {
    broken: Broken::Stdout,
    title: "another standard output than expected",
    word: "stdout",
    scope: Scope::Complete,
    of_scenario: |expect, _| {
        Ok(of_text(expect.stdout.as_ref(), "standard output", |outcome| &outcome.stdout)?.map(held))
    },
    against: |reference, how| Ok(stdout_against(reference, how)?.map(held)),
};

pub(super) const STDERR: Kind = Kind {
    broken: Broken::Stderr,
    title: "another standard error than expected",
    word: "stderr",
    scope: Scope::Complete,
    of_scenario: |expect, _| {
        Ok(of_text(expect.stderr.as_ref(), "standard error", |outcome| &outcome.stderr)?.map(held))
    },
    against: |_, _| Ok(None),
};

pub(super) const LIMIT: Kind = Kind {
    broken: Broken::OutputLimit,
    title: "more output than is kept",
    word: "output-limit",
    scope: Scope::Complete,
    of_scenario: |expect, _| {
        let stdout = of_text(expect.stdout.as_ref(), "standard output", |outcome| &outcome.stdout)?;
        let stderr = of_text(expect.stderr.as_ref(), "standard error", |outcome| &outcome.stderr)?;
        Ok(kept(stdout.into_iter().chain(stderr)))
    },
    against: |reference, how| Ok(kept(stdout_against(reference, how)?.into_iter())),
};

/// What a text has to be.
#[derive(Debug)]
enum Wanted {
    Exactly(Output),
    Matching(Regex),
}

/// Whether a text is as it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// What was kept of it does not tell.
    Unknown,
}

impl Wanted {
    fn holds(&self, output: &Output) -> Holds {
        let bytes = output.bytes();
        let known = |holds| if holds { Holds::Yes } else { Holds::No };
        match (self, output.left_out()) {
            (Wanted::Exactly(wanted), 0) => known(wanted.left_out() == 0 && wanted.bytes() == bytes),
            // Both have been cut at the same limit, so that the digests are of the same part.
            (Wanted::Exactly(wanted @ Output::Cut { .. }), _) => known(wanted == output),
            (Wanted::Exactly(wanted), left_out) => {
                let length = bytes.len() as u64 + left_out;
                if wanted.bytes().len() as u64 == length && wanted.bytes().starts_with(bytes) {
                    Holds::Unknown
                } else {
                    Holds::No
                }
            }
            (Wanted::Matching(regex), 0) => known(regex.is_match(bytes)),
            // What matches up to the last byte that was kept may be something else in front of the next.
            (Wanted::Matching(regex), _) => match regex.shortest_match(bytes) {
                Some(end) if end < bytes.len() => Holds::Yes,
                _ => Holds::Unknown,
            },
        }
    }
}

/// Which of the outputs.
type Which = fn(&Outcome) -> &Output;

#[derive(Debug)]
struct Writes {
    wanted: Wanted,
    name: &'static str,
    which: Which,
}

/// Enough of these was kept to tell.
#[derive(Debug)]
struct Kept(Vec<Writes>);

fn of_text(text: Option<&Text>, name: &'static str, which: Which) -> Result<Option<Writes>, BadPattern> {
    let wanted = match text {
        None => return Ok(None),
        Some(Text::Is(text)) => Wanted::Exactly(Output::Text(text.clone())),
        Some(Text::Matches(pattern)) => Wanted::Matching(regex(pattern)?),
    };
    Ok(Some(Writes { wanted, name, which }))
}

fn stdout_against(reference: &Run, how: &Comparison) -> Result<Option<Writes>, BadPattern> {
    let wanted = match &how.stdout {
        Some(pattern) => Some(Wanted::Matching(regex(pattern)?)),
        None => how.same_output.then(|| Wanted::Exactly(reference.outcome.stdout.clone())),
    };
    Ok(wanted.map(|wanted| Writes { wanted, name: "standard output", which: |outcome| &outcome.stdout }))
}

fn held(writes: Writes) -> Held {
    Arc::new(writes)
}

fn kept(outputs: impl Iterator<Item = Writes>) -> Option<Held> {
    let outputs: Vec<Writes> = outputs.collect();
    (!outputs.is_empty()).then(|| Arc::new(Kept(outputs)) as Held)
}

impl Writes {
    /// What was expected and what came instead.
    fn words(&self, run: &Run) -> String {
        let (name, got) = (self.name, quoted((self.which)(&run.outcome).bytes()));
        match &self.wanted {
            Wanted::Exactly(wanted) => format!("expected {name} {}, got {got}", quoted(wanted.bytes())),
            Wanted::Matching(regex) => {
                format!("expected {name} to match {}, got {got}", quoted(regex.as_str().as_bytes()))
            }
        }
    }
}

impl Expectation for Writes {
    fn breach(&self, run: &Run) -> Option<String> {
        (self.wanted.holds((self.which)(&run.outcome)) == Holds::No).then(|| self.words(run))
    }
}

impl Expectation for Kept {
    fn breach(&self, run: &Run) -> Option<String> {
        let unknown =
            self.0.iter().find(|one| one.wanted.holds((one.which)(&run.outcome)) == Holds::Unknown)?;
        let left_out = (unknown.which)(&run.outcome).left_out();
        let words = unknown.words(run);
        Some(format!("{words} and {left_out} bytes more, which were not kept (limit: output)"))
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
