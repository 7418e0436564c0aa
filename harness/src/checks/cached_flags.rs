//! A loop that waits for a flag and does not look at it.
//!
//! Seen: a function loads data with a fixed address that the handler writes, and then has a loop that does not look at that data; in
//! a run where the signal came after the load and the handler ran, the program is found in that loop and goes on for ever,
//! while it comes to an end without the signal.
//!
//! Not seen: loops that call something which changes what they wait for, flags on the heap, and programs that spin anyway.

use super::program::{Body, Handler, Program, Site, overlap};
use super::runs::{Look, Open, Runs};
use super::{Rule, Warning};
use crate::code::{Flow, Instruction, Target};
use crate::supervise::RunError;
use std::collections::BTreeSet;

/// Places that are tried, at most: a program that spins takes its whole limit of CPU time.
const MOST: usize = 4;

/// A load before a loop that does not repeat it.
struct Cached {
    /// The instruction after the load.
    after: Site,
    data: u64,
    load: Site,
    /// The first instruction of the loop, and the jump back.
    span: (u64, u64),
    back: Site,
}

fn candidates(program: &Program, handler: &Handler) -> Vec<Cached> {
    // In the order of their addresses.
    let written = program.written_by(handler);
    program.bodies().flat_map(|body| cached(program, body, &written)).collect()
}

fn cached(program: &Program, body: &Body, written: &[(u64, u32)]) -> Vec<Cached> {
    let mut found = Vec::new();
    // Most functions have nothing to do with that data, and most of their instructions with none.
    let largest = written.iter().map(|(_, size)| u64::from(*size)).max().unwrap_or(0);
    let mut read: BTreeSet<(u64, u32)> = BTreeSet::new();
    for access in body.code.iter().flat_map(|instruction| &instruction.data).filter(|access| access.reads) {
        let end = access.address.saturating_add(u64::from(access.size));
        let from = written.partition_point(|(address, _)| address.saturating_add(largest) <= access.address);
        let near = written.iter().skip(from).take_while(|(address, _)| *address < end);
        read.extend(near.filter(|data| overlap((access.address, access.size), **data)));
    }
    if read.is_empty() {
        return found;
    }
    let with_data: Vec<(usize, &Instruction)> =
        body.code.iter().enumerate().filter(|(_, instruction)| !instruction.data.is_empty()).collect();
    let reads = |instruction: &Instruction, data: (u64, u32)| {
        instruction.data.iter().any(|access| access.reads && overlap((access.address, access.size), data))
    };
    let touches = |instruction: &Instruction, data: (u64, u32)| {
        instruction.data.iter().any(|access| overlap((access.address, access.size), data))
    };
    let loops: BTreeSet<(u64, u64)> = body
        .code
        .iter()
        .filter_map(|instruction| match instruction.flow {
            Flow::Jump { target: Target::Address(target), .. }
                if target <= instruction.address && body.function.contains(target) =>
            {
                Some((target, instruction.address))
            }
            Flow::Next | Flow::Call(_) | Flow::Jump { .. } | Flow::Return | Flow::SystemCall | Flow::Trap => {
                None
            }
        })
        .collect();
    for span in loops {
        for data in &read {
            let inside =
                with_data.iter().filter(|(_, instruction)| (span.0..=span.1).contains(&instruction.address));
            if inside.into_iter().any(|(_, instruction)| touches(instruction, *data)) {
                continue;
            }
            let load = with_data
                .iter()
                .rfind(|(_, instruction)| instruction.address < span.0 && reads(instruction, *data));
            let Some((index, load)) = load else { continue };
            let Some(after) = body.code.get(*index + 1) else { continue };
            let Some(back) = program.site_at(body, span.1) else { continue };
            let (after, load) = (program.site(body, after), program.site(body, load));
            found.push(Cached { after, data: data.0, load, span, back });
        }
    }
    found
}

pub(super) fn places(program: &Program, handler: &Handler) -> Vec<Site> {
    candidates(program, handler).into_iter().map(|cached| cached.after).collect()
}

pub(super) fn prove(
    program: &Program,
    handler: &Handler,
    open: &Open,
    runs: &mut Runs<'_>,
) -> Result<Vec<Warning>, RunError> {
    let mut warnings: Vec<Warning> = Vec::new();
    if open.spins {
        return Ok(warnings);
    }
    let all = candidates(program, handler);
    let tried = all.iter().filter_map(|one| open.at(&one.after, handler.signal).map(|moment| (one, moment)));
    for (one, moment) in tried.take(MOST) {
        let look = Look { places: vec![&handler.entry], ..Look::default() };
        let Some(shown) = runs.bring(handler.signal, &one.after, &moment, &look)? else { continue };
        let there = |address: &u64| (one.span.0..=one.span.1).contains(address);
        if shown.in_handler(handler.entry.place, &one.after) && shown.spins.iter().any(there) {
            let what = format!(
                "sets {}, but the loop in {} goes on for ever: it was loaded before ({}), and the loop does not look at it",
                program.data_name(one.data),
                one.back.told(),
                one.load.text()
            );
            warnings.push(handler.breaks(Rule::CachedFlags, (&one.back, &one.after), what, shown.schedule));
        }
    }
    Ok(warnings)
}
