//! A client that nobody has asked for is served, or not, as one would be.
//!
//! NOTE \[Nobody's clients\] What such a client says means nothing to the program, and what becomes of it is nobody's promise: a
//! server that is told to stop may leave at once. Two things no server does on purpose. One that goes on does not refuse who comes,
//! nor reset a connection. And an answer that has begun is not cut off by the program's end.

use super::super::Expectation;
use super::super::output::quoted;
use super::{AsBefore, ended, told};
use crate::schedule::{Site, ThreadName};
use crate::trace::{ClientEnd, End, Run, Status, What};
use syscalls::Sysno;

/// As those of the reference run, but for what may be.
#[derive(Debug)]
pub(super) struct AsOthers(pub(super) AsBefore);

impl Expectation for AsOthers {
    fn breach(&self, run: &Run) -> Option<String> {
        if AsBefore::is_no_matter(run) {
            return None;
        }
        run.outcome
            .clients
            .iter()
            .find_map(|client| self.turned_away(run, client).or_else(|| self.cut_off(run, client)))
    }
}

impl AsOthers {
    fn turned_away(&self, run: &Run, client: &ClientEnd) -> Option<String> {
        let allowed = self.0.allowed(run, client);
        let goes_on = matches!(run.outcome.end, End::Idle(_));
        let served = Some(Status::Exited(0));
        let always = !allowed.is_empty() && allowed.iter().all(|answer| answer.status == served);
        (goes_on && always && client.status.is_some() && client.status != served).then(|| {
            // The exit codes of a script are those of `client::SOURCE`.
            let how = match client.status {
                Some(Status::Exited(7)) => "is refused".to_owned(),
                Some(Status::Exited(55 | 56)) => "has its connection reset".to_owned(),
                status => format!("got {}", ended(status)),
            };
            format!("{} {how}, while the program goes on; in the reference run it is served", told(client))
        })
    }

    fn cut_off(&self, run: &Run, client: &ClientEnd) -> Option<String> {
        let got = client.stdout.bytes();
        let allowed = self.0.allowed(run, client);
        if got.is_empty()
            || self.0.is_hasty(client)
            || allowed.iter().any(|answer| answer.stdout == client.stdout)
            || !outlives(run, client)
        {
            return None;
        }
        let whole =
            allowed.iter().map(|answer| answer.stdout.bytes()).find(|whole| whole.starts_with(got))?;
        Some(format!(
            "{} got {}, and then the program had ended; in the reference run it gets {}",
            told(client),
            quoted(got),
            quoted(whole)
        ))
    }
}

/// True if the program has ended, by itself, before this client has closed its connection, or has ended.
fn outlives(run: &Run, client: &ClientEnd) -> bool {
    let last = |of: &ThreadName, is: &dyn Fn(&What) -> bool| {
        run.events.iter().rposition(|event| event.thread == *of && is(&event.what))
    };
    let ends = |what: &What| matches!(what, What::End(_));
    let closes =
        |what: &What| matches!(what, What::Go(Site::Before(call), _) if *call == Sysno::close.into());
    let left = last(&client.client, &closes).or_else(|| last(&client.client, &ends));
    let exits = matches!(run.outcome.end, End::Ended(Status::Exited(_)));
    exits && last(&ThreadName::root(), &ends).is_some_and(|ended| left.is_none_or(|left| ended < left))
}
