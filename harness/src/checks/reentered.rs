//! Functions of libraries that a handler may enter while the main flow is in them.

use super::families::states;
use super::program::{Call, Program};
use super::runs::Runs;
use super::{Asked, natural};
use crate::signal::Signal;
use crate::supervise::{RunError, Supervise};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What handlers and the main flow have in common of libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reentered {
    /// Functions that the main flow calls and that work on what a handler's calls work on as well, as the linker knows them.
    pub functions: Vec<String>,
    /// The files that the process had in its memory as code, the program first.
    pub modules: Vec<PathBuf>,
}

/// Finds out, by one run and the program's code, which functions of libraries the main flow calls that share something with what
/// the handlers call: those of the signals that are sent, or of the signals that come by themselves if none is.
pub fn reentered(asked: &Asked<'_>, supervisor: &mut dyn Supervise) -> Result<Reentered, RunError> {
    let mut runs = Runs::new(asked, supervisor);
    let shown = runs.found()?;
    let wanted = |signal: &Signal| match asked.signals {
        [] => natural(*signal),
        signals => signals.contains(signal),
    };
    let mut handlers = shown.handlers_of(asked.process);
    handlers.retain(|one| wanted(&one.signal));
    let mut found = Reentered { functions: Vec::new(), modules: shown.modules.clone() };
    let Some(last) = handlers.last() else { return Ok(found) };
    let Ok(program) = Program::open(Path::new(&last.program)) else { return Ok(found) };
    let here = handlers.iter().filter(|one| one.program == last.program);
    let handlers: Vec<_> = here.filter_map(|one| program.handler(one.signal, one.address)).collect();
    let worked_on = |call: &Call| call.names.iter().flat_map(|name| states(name)).collect::<BTreeSet<_>>();
    let calls = handlers.iter().flat_map(|handler| program.calls_of(handler));
    let states: BTreeSet<_> = calls.filter(Call::is_unsafe).flat_map(|call| worked_on(&call)).collect();
    let shares = |call: &Call| call.is_unsafe() && !worked_on(call).is_disjoint(&states);
    let shared = program.all_calls().into_iter().filter(shares);
    let names: BTreeSet<String> = shared.filter_map(|call| call.names.into_iter().next()).collect();
    found.functions = names.into_iter().collect();
    Ok(found)
}
