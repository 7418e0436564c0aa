//! Where a handler's coming may matter, by the code alone: functions of libraries that it may enter while the main flow is in them,
//! the places that the rules propose, and those between accesses to data of both.

use super::families::states;
use super::program::{Call, Program, Site};
use super::runs::{Found, Runs};
use super::{Asked, Rule, natural};
use crate::schedule::{Label, ThreadName};
use crate::signal::Signal;
use crate::supervise::{Observed, RunError, Supervise};
use crate::trace::Run;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// More places than this are not told.
const MOST_PLACES: usize = 48;

/// What handlers and the main flow have in common of libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reentered {
    /// Functions that the main flow calls and that work on what a handler's calls work on as well, as the linker knows them.
    pub functions: Vec<String>,
    /// Places of the program where the other rules would have the signal come, and those between two accesses to data
    /// that is a handler's as well; each with its source line.
    pub places: Vec<(Label, Option<Label>)>,
    /// The files that the process had in its memory as code, the program first.
    pub modules: Vec<PathBuf>,
}

/// Which handlers a run has shown, and in which files the code of their process is.
#[derive(Clone, Debug)]
pub struct Handlers(Found);

impl Handlers {
    /// Those that a run without any step has shown, of the process that was looked at in it.
    pub fn of(process: &ThreadName, run: &Run, observed: &Observed) -> Handlers {
        Handlers(Found::of(process, run, observed))
    }

    /// False if there was no run that tells.
    pub fn are_seen(&self) -> bool {
        !self.0.modules.is_empty()
    }
}

/// Looks for the handlers, by one run.
pub fn handlers(asked: &Asked<'_>, supervisor: &mut dyn Supervise) -> Result<Handlers, RunError> {
    Runs::new(asked, supervisor).found(false).map(Handlers)
}

/// Finds out, by the program's code, which functions of libraries the main flow calls that share something with what the handlers
/// call: those of the signals that are sent, or of the signals that come by themselves if none is.
pub fn reentered(asked: &Asked<'_>, Handlers(shown): &Handlers) -> Reentered {
    let wanted = |signal: &Signal| match asked.signals {
        [] => natural(*signal),
        signals => signals.contains(signal),
    };
    let mut handlers = shown.handlers_of(asked.process);
    handlers.retain(|one| wanted(&one.signal));
    let mut found = Reentered { modules: shown.modules.clone(), ..Reentered::default() };
    let Some(last) = handlers.last() else { return found };
    let Ok(program) = Program::open(Path::new(&last.program)) else { return found };
    let here = handlers.iter().filter(|one| one.program == last.program);
    let handlers: Vec<_> = here.filter_map(|one| program.handler(one.signal, one.address)).collect();
    let worked_on = |call: &Call| call.names.iter().flat_map(|name| states(name)).collect::<BTreeSet<_>>();
    let calls = handlers.iter().flat_map(|handler| program.calls_of(handler));
    let states: BTreeSet<_> = calls.filter(Call::is_unsafe).flat_map(|call| worked_on(&call)).collect();
    let shares = |call: &Call| call.is_unsafe() && !worked_on(call).is_disjoint(&states);
    let shared = program.all_calls().into_iter().filter(shares);
    let names: BTreeSet<String> = shared.filter_map(|call| call.names.into_iter().next()).collect();
    found.functions = names.into_iter().collect();
    let of =
        |rule: Rule| handlers.iter().flat_map(|handler| rule.places(&program, handler)).collect::<Vec<_>>();
    let mut proposed: Vec<Site> = Vec::new();
    for rule in Rule::ALL {
        match rule {
            // Where the main flow calls what is not safe, the library itself is looked into.
            Rule::UnsafeCalls => {}
            Rule::Errno | Rule::SharedData | Rule::LongJumps | Rule::CachedFlags => {
                proposed.extend(of(rule));
            }
        }
    }
    let shared = handlers.iter().flat_map(|handler| program.between_shared(handler));
    let sites = proposed.into_iter().chain(shared).map(|site| (site.address, site));
    let sites: BTreeMap<u64, Site> = sites.collect();
    let line = |site: &Site| site.line.as_ref().map(|line| Label::new(&line.to_string()));
    found.places = sites.values().take(MOST_PLACES).map(|site| (site.place, line(site))).collect();
    found
}
