//! Data that a handler changes in the middle of an update.
//!
//! Seen: a function loads data with a fixed address, and stores there later what it made of that ([`crate::code::Update`]);
//! in a run where the signal came between the two, the handler has changed the same data. The store then undoes what the handler
//! did. A single instruction that does both, and data that is only read or only written in single instructions, is no update.
//!
//! Not seen: data on the heap and thread-local data; updates whose value goes through another function; data of several
//! words that are read or written one after the other; and a new value that does not depend on the old one, as in
//! `n = pending; pending = 0`, since the same code is right where the handler only ever sets a flag.

use super::program::{Body, Handler, Program, Site, overlap};
use super::runs::{Look, Open, Runs};
use super::{Rule, Warning};
use crate::code::Update;
use crate::supervise::{RunError, Word};

/// Updates that are tried, at most.
const MOST: usize = 24;

/// The updates of data that the handler writes.
fn candidates<'a>(program: &'a Program, handler: &Handler) -> Vec<(&'a Body, Update)> {
    let written = program.written_by(handler);
    let of = |body: &'a Body| program.updates(body).into_iter().map(move |update| (body, update));
    let shared = |(_, update): &(&Body, Update)| {
        (1..=8).contains(&update.size)
            && written.iter().any(|written| overlap(*written, (update.address, update.size)))
    };
    program.bodies().flat_map(of).filter(shared).collect()
}

pub(super) fn places(program: &Program, handler: &Handler) -> Vec<Site> {
    let updates = candidates(program, handler);
    updates.into_iter().filter_map(|(body, update)| program.site_at(body, update.store)).collect()
}

pub(super) fn prove(
    program: &Program,
    handler: &Handler,
    open: &Open,
    runs: &mut Runs<'_>,
) -> Result<Vec<Warning>, RunError> {
    let mut warnings = Vec::new();
    let mut tried = 0;
    for (body, update) in candidates(program, handler) {
        let (Some(load), Some(store)) =
            (program.site_at(body, update.load), program.site_at(body, update.store))
        else {
            continue;
        };
        let Some(moment) = open.at(&store, handler.signal) else { continue };
        if tried == MOST {
            break;
        }
        tried += 1;
        let look =
            Look { places: vec![&load], returns: true, word: Some(Word::Data(update.address, update.size)) };
        let Some(shown) = runs.bring(handler.signal, &store, &moment, &look)? else { continue };
        let loaded = shown.before.iter().any(|visit| visit.place == load.place);
        let Some((before, after)) = shown.word_around(&store) else { continue };
        if loaded && before != after {
            let name = program.data_name(update.address);
            let what = format!(
                "changes {name} while {} is between loading it ({}) and storing what it made of that",
                store.told(),
                load.text()
            );
            warnings.push(handler.breaks(Rule::SharedData, (&store, &store), what, shown.schedule));
        }
    }
    Ok(warnings)
}
