//! Each client ends as it should.
//!
//! NOTE \[Refused or dropped\] A signal may come at any moment: whether a client is still served, or is told already what one is
//! told after the signal, is no finding. So a client that ended before any signal was sent is compared with those of the
//! reference run that were started before one, a client that was started after all of them with those after all, and any
//! other with both. A request that is dropped in flight ends like neither.

mod visitors;

use super::exit::{is_exit, words};
use super::output::{Holds, Wanted, quoted, wanted};
use super::{BadPattern, Expectation, Held, Kind, Scope};
use crate::scenario::{Exit, Expect, Served};
use crate::schedule::{Action, ThreadName};
use crate::trace::{Broken, ClientEnd, End, Event, Output, Run, Status, What};
use std::sync::Arc;
use visitors::AsOthers;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Client,
    title: "a client ends otherwise than expected",
    word: "client",
    scope: Scope::Uncut,
    of_scenario: |expect, _| of_scenario(expect),
    // Of a reference run that was cut off nobody knows what its clients would have been told.
    against: |reference, how| {
        let whole = !reference.outcome.end.is_limit();
        let as_before = || AsBefore::new(reference, &how.hasty);
        Ok(whole.then(|| match how.visitors {
            true => Arc::new(AsOthers(as_before())) as _,
            false => Arc::new(as_before()) as _,
        }))
    },
};

/// In one of these ways.
#[derive(Debug)]
struct OneOf(Vec<(Exit, Option<Wanted>)>);

fn of_scenario(expect: &Expect) -> Result<Option<Held>, BadPattern> {
    let way = |Served { exit, stdout }: &Served| Ok((exit.clone(), stdout.as_ref().map(wanted).transpose()?));
    let ways = expect.clients.iter().map(way).collect::<Result<Vec<_>, _>>()?;
    Ok((!ways.is_empty()).then(|| Arc::new(OneOf(ways)) as _))
}

impl Expectation for OneOf {
    fn breach(&self, run: &Run) -> Option<String> {
        let as_told = |client: &ClientEnd| {
            let status = client.status?;
            let ways = self.0.iter().filter(|(exit, _)| is_exit(exit, status));
            let wrote = |wanted: &Wanted| wanted.holds(&client.stdout) != Holds::No;
            let mut ways = ways.map(|(_, text)| text.as_ref().is_none_or(wrote));
            ways.any(|holds| holds).then_some(())
        };
        let client = run.outcome.clients.iter().find(|client| as_told(client).is_none())?;
        let mut ways: Vec<String> = self.0.iter().map(|(exit, _)| words(exit)).collect();
        ways.dedup();
        let texts = self.0.iter().any(|(_, text)| text.is_some());
        let wrote =
            if texts { format!(", writing {}", quoted(client.stdout.bytes())) } else { String::new() };
        let (ways, client, got) = (ways.join(" or "), told(client), ended(client.status));
        Some(format!("expected {ways} of {client}, got {got}{wrote}"))
    }
}

/// As those of the reference run.
#[derive(Debug)]
struct AsBefore {
    clients: Vec<Answer>,
    /// How many signals it had sent when the last of them was started.
    sent: usize,
    /// False if what they are told differs in the reference run itself, or may depend on who comes first.
    outputs: bool,
    /// Those that do not read all that they are sent.
    hasty: Vec<String>,
}

/// What a client of the reference run was told.
#[derive(Debug)]
struct Answer {
    command: String,
    /// How many signals had been sent when it was started.
    sent: usize,
    status: Option<Status>,
    stdout: Output,
}

impl AsBefore {
    fn new(reference: &Run, hasty: &[String]) -> AsBefore {
        let answer = |client: &ClientEnd| Answer {
            command: client.command.clone(),
            sent: sent(reference, &client.client).0,
            status: client.status,
            stdout: client.stdout.clone(),
        };
        let clients: Vec<Answer> = reference.outcome.clients.iter().map(answer).collect();
        let alike = |one: &Answer, other: &Answer| {
            one.command == other.command && (one.status != other.status || one.stdout == other.stdout)
        };
        let outputs = clients.iter().all(|one| clients.iter().all(|other| alike(one, other)));
        AsBefore {
            sent: clients.iter().map(|client| client.sent).max().unwrap_or(0),
            clients,
            outputs,
            hasty: hasty.to_vec(),
        }
    }

    /// True for runs in which clients may be told something else.
    fn is_no_matter(run: &Run) -> bool {
        // What a server does that takes too long is an outcome of its own, as with its exit.
        let early = run.events.iter().any(|event| event.what == What::Step(Action::Fire));
        early || ended_before_it_served(run)
    }

    /// True if how much this client reads of what it is sent is chance.
    fn is_hasty(&self, client: &ClientEnd) -> bool {
        self.hasty.contains(&client.command)
    }

    /// What this client of a run may be told; nothing if that is not known.
    fn allowed(&self, run: &Run, client: &ClientEnd) -> Vec<&Answer> {
        let all = self.clients.iter().filter(|answer| answer.command == client.command);
        match sent(run, &client.client) {
            (_, 0) => all.filter(|answer| answer.sent == 0).collect(),
            // The reference run did not get the signal: it neither caught nor blocked it then.
            _ if self.sent == 0 => Vec::new(),
            (before, _) if before >= self.sent => all.filter(|answer| answer.sent == self.sent).collect(),
            _ => all.collect(),
        }
    }
}

/// True if a signal that was sent has ended the program before anybody talked to it: while it starts, it does with any.
fn ended_before_it_served(run: &Run) -> bool {
    let End::Ended(Status::Killed(signal)) = run.outcome.end else { return false };
    let at = |of: &dyn Fn(&Event) -> bool| run.events.iter().position(of);
    let sent = at(&|event| event.what == What::Step(Action::Send(signal)));
    let ended = at(&|event| event.thread == ThreadName::root() && matches!(event.what, What::End(_)));
    let served = at(&|event| event.thread.client_of().is_some());
    sent.is_some() && ended.is_some_and(|ended| served.is_none_or(|served| ended < served))
}

/// How many signals a run had sent when a client was started, and when that ended.
fn sent(run: &Run, client: &ThreadName) -> (usize, usize) {
    let sends = |events: &[Event]| {
        events.iter().filter(|event| matches!(event.what, What::Step(Action::Send(_)))).count()
    };
    let up_to =
        |at: Option<usize>| sends(run.events.get(..at.unwrap_or(run.events.len())).unwrap_or_default());
    let is_its_own = |event: &Event| event.thread == *client;
    let ends = |event: &Event| is_its_own(event) && matches!(event.what, What::End(_));
    (up_to(run.events.iter().position(is_its_own)), up_to(run.events.iter().position(ends)))
}

impl Expectation for AsBefore {
    fn breach(&self, run: &Run) -> Option<String> {
        if AsBefore::is_no_matter(run) {
            return None;
        }
        run.outcome.clients.iter().find_map(|client| {
            let allowed = self.allowed(run, client);
            // One that waits for ever says nothing of how others are served.
            if allowed.iter().any(|answer| answer.status.is_none()) {
                return None;
            }
            let same: Vec<_> = allowed.iter().filter(|answer| answer.status == client.status).collect();
            if same.is_empty() && !allowed.is_empty() {
                let mut ways: Vec<String> = allowed.iter().map(|answer| ended(answer.status)).collect();
                ways.dedup();
                let (expected, got) = (ways.join(" or "), ended(client.status));
                let client = told(client);
                return Some(format!("expected {expected} of {client} as in the reference run, got {got}"));
            }
            let differs = self.outputs
                && !self.is_hasty(client)
                && client.status.is_some()
                && same.iter().all(|answer| answer.stdout != client.stdout);
            let answer = same.first().filter(|_| differs)?;
            let (wanted, got) = (quoted(answer.stdout.bytes()), quoted(client.stdout.bytes()));
            Some(format!("expected {} to write {wanted} as in the reference run, got {got}", told(client)))
        })
    }
}

/// Who it is, before what is expected of it.
fn told(client: &ClientEnd) -> String {
    format!("{} ({})", client.client, client.command)
}

fn ended(status: Option<Status>) -> String {
    status.map_or_else(|| "that it still waits".to_owned(), |status| status.to_string())
}

#[cfg(test)]
mod tests;
