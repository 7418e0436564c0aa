//! What children end with stays with whom it belongs to, in whatever order they end (wait(2); POSIX.1-2024, wait(): the order in
//! which several children are waited for that have ended is unspecified).
//!
//! A run breaks it if nothing but the order of processes differs from the reference run, children end in another order there
//! which have told nobody anything but their status, and every process has made the same calls and has ended alike; and yet the
//! output, which has the same lines but for the numbers in them, and the same numbers, has some of these in other lines. Lines in another
//! order are no breach. A program that means to tell who ended first looks the same: such a one is compared with `--any-output`.

use super::output::quoted;
use super::{Expectation, Held, Kind, Scope};
use crate::schedule::{Action, Site, Syscall, ThreadName};
use crate::trace::{Broken, Event, Outcome, Output, Run, Status, What, tells};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Paired,
    title: "results are mixed up when children end in another order",
    word: "paired",
    scope: Scope::Complete,
    of_scenario: |expect, reference| Ok(expect.paired.then(|| of(reference)).flatten()),
    against: |reference, how| {
        let compared = !how.any_output && !how.same_output && how.stdout.is_none();
        Ok(compared.then(|| of(reference)).flatten())
    },
};

/// Output that is longer is not looked into.
const LONGEST: usize = 1 << 16;

fn of(reference: &Arc<Run>) -> Option<Held> {
    reference.schedule.steps.is_empty().then(|| Arc::new(As(Arc::clone(reference))) as _)
}

/// One of the two outputs.
type Which = fn(&Outcome) -> &Output;

/// As the reference run, which nothing disturbed.
#[derive(Debug)]
struct As(Arc<Run>);

impl Expectation for As {
    fn breach(&self, run: &Run) -> Option<String> {
        let (before, now) = (&self.0.outcome, &run.outcome);
        let outputs: [(&str, Which); 2] =
            [("standard output", |outcome| &outcome.stdout), ("standard error", |outcome| &outcome.stderr)];
        if outputs.iter().all(|(_, which)| which(before) == which(now)) {
            return None;
        }
        let switched =
            |run: &Run| run.schedule.steps.iter().all(|step| matches!(step.action, Action::Switch(_)));
        if !switched(run) || calls(&self.0.events) != calls(&run.events) {
            return None;
        }
        let (first, then) = reordered(&self.0.events, &run.events)?;
        let (before, now) = (before.without_moments(), now.without_moments());
        let (name, which) = outputs.into_iter().find(|(_, which)| mixed(which(&before), which(&now)))?;
        Some(format!(
            "expected the lines of {name} {}, in any order, got the same numbers in other lines, {}; {then} has ended before {first}, \
             unlike in the reference run, they have written nothing, and every process has made the same calls and ended alike",
            quoted(which(&before).bytes()),
            quoted(which(&now).bytes())
        ))
    }
}

/// What each thread called and how each process ended, in whatever order they took turns.
fn calls(events: &[Event]) -> BTreeMap<&ThreadName, (Vec<Syscall>, Option<Status>)> {
    let mut did: BTreeMap<&ThreadName, (Vec<Syscall>, Option<Status>)> = BTreeMap::new();
    for event in events {
        match &event.what {
            What::Go(Site::Before(call), _) => did.entry(&event.thread).or_default().0.push(*call),
            What::End(status) => did.entry(&event.thread).or_default().1 = Some(*status),
            What::Go(
                Site::Entering(_) | Site::After(_) | Site::In(_) | Site::At(_) | Site::Probe(_) | Site::Quiet,
                _,
            )
            | What::Exec(_)
            | What::Step(_)
            | What::Make(_)
            | What::Signal(_)
            | What::Sleep(..)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..) => {}
        }
    }
    did
}

/// Two children of one process that end in this order, and in the other one now; they and all that they have made have told nobody
/// anything.
fn reordered(before: &[Event], now: &[Event]) -> Option<(ThreadName, ThreadName)> {
    let (earlier, later) = (ends(before), ends(now));
    let place = |child: &ThreadName| later.iter().position(|other| other == child);
    let of =
        |child: &ThreadName, thread: &ThreadName| thread.process() == *child || thread.descends_from(child);
    let silent = |child: &ThreadName| !now.iter().any(|event| of(child, &event.thread) && told(event));
    earlier.iter().enumerate().find_map(|(index, first)| {
        let then = earlier.iter().skip(index + 1).find(|then| {
            let siblings = then.parent().is_some() && then.parent() == first.parent();
            siblings && place(then).is_some() && place(then) < place(first)
        })?;
        (silent(first) && silent(then)).then(|| (first.clone(), then.clone()))
    })
}

/// The processes in the order of their ends.
fn ends(events: &[Event]) -> Vec<ThreadName> {
    let ended = events.iter().filter(|event| matches!(event.what, What::End(_)));
    ended.map(|event| event.thread.process()).filter(|process| process.client_of().is_none()).collect()
}

/// True for a call that gives others something to read or to find.
fn told(event: &Event) -> bool {
    matches!(event.what, What::Go(Site::Before(call), _) if tells(call))
}

/// True if both are the same lines but for the numbers in them, in any order, with the same numbers all together; and not the same
/// lines.
fn mixed(before: &Output, now: &Output) -> bool {
    let (Output::Text(before), Output::Text(now)) = (before, now) else { return false };
    if before.len() > LONGEST || now.len() > LONGEST {
        return false;
    }
    let (before, now) = (Lines::of(before), Lines::of(now));
    before.whole != now.whole && before.words == now.words && before.numbers == now.numbers
}

/// Lines, what they are without numbers, and the numbers; each in order.
struct Lines<'a> {
    whole: Vec<&'a str>,
    words: Vec<Vec<&'a str>>,
    numbers: Vec<&'a str>,
}

/// The line without how much of all is done, where it begins with that, as ninja(1) has it (`[1/2] `): that comes in its order
/// whatever the lines tell of.
fn without_progress(line: &str) -> &str {
    let number = |text: &str| text.trim_start().trim_start_matches(|one: char| one.is_ascii_digit()).len();
    let rest = line.strip_prefix(['[', '(']).unwrap_or(line);
    let (done, all) = rest.split_once('/').unwrap_or_default();
    match number(done) == 0 && !done.trim().is_empty() && all.starts_with(|one: char| one.is_ascii_digit()) {
        true => &all[all.len() - number(all)..],
        false => line,
    }
}

impl Lines<'_> {
    fn of(text: &str) -> Lines<'_> {
        let mut whole: Vec<&str> = text.lines().map(without_progress).collect();
        whole.sort_unstable();
        let (mut words, mut numbers) = (Vec::new(), Vec::new());
        for line in &whole {
            let pieces = line.split(|byte: char| byte.is_ascii_digit());
            words.push(pieces.filter(|word| !word.is_empty()).collect::<Vec<_>>());
            let pieces = line.split(|byte: char| !byte.is_ascii_digit());
            numbers.extend(pieces.filter(|number| !number.is_empty()));
        }
        words.sort_unstable();
        numbers.sort_unstable();
        Lines { whole, words, numbers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Output {
        Output::Text(text.to_owned())
    }

    #[test]
    fn numbers_that_change_their_lines_are_mixed_up_and_nothing_else_is() {
        let two = text("child 1 gave 10\nchild 2 gave 9\n");
        assert!(mixed(&two, &text("child 1 gave 9\nchild 2 gave 10\n")));
        assert!(mixed(&two, &text("child 2 gave 10\nchild 1 gave 9\n")));
        for same in [
            "child 1 gave 10\nchild 2 gave 9\n",
            "child 2 gave 9\nchild 1 gave 10\n",
            // Another number, another word, less, and lines that are torn.
            "child 1 gave 11\nchild 2 gave 9\n",
            "child 1 took 9\nchild 2 gave 10\n",
            "child 1 gave 10\n",
            "child 1 gave child 2 gave 9\n10\n",
        ] {
            assert!(!mixed(&two, &text(same)), "{same}");
        }
        assert!(!mixed(&text("a b\nc\n"), &text("a c\nb\n")));
        // How much is done is told in its order, whatever is.
        assert!(!mixed(&text("[1/2] cc 7\n[2/2] cc 9\n"), &text("[1/2] cc 9\n[2/2] cc 7\n")));
        assert!(!mixed(&text("( 9/10) a 1\n(10/10) a 2\n"), &text("( 9/10) a 2\n(10/10) a 1\n")));
        assert!(mixed(
            &text("[1/2] cc 7 is 1\n[2/2] cc 9 is 2\n"),
            &text("[1/2] cc 7 is 2\n[2/2] cc 9 is 1\n")
        ));
        assert!(!mixed(&two, &Output::from(vec![0xff])));
    }
}
