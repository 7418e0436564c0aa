//! The program's own code as the checks look at it.

use super::{Rule, Warning, safe};
use crate::code::{
    CodeError, Flow, Function, Image, Instruction, Place, SourceLine, StaticAccess, Target, Update,
};
use crate::schedule::{Label, Schedule};
use crate::signal::Signal;
use crate::supervise::images;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Programs with more bytes of own code are left alone.
const LARGEST: u64 = 1_000_000;

/// A program with its own functions.
#[derive(Debug)]
pub(super) struct Program {
    image: Arc<Image>,
    /// By their first addresses.
    functions: BTreeMap<u64, Body>,
    unfit: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Body {
    pub(super) function: Function,
    pub(super) code: Vec<Instruction>,
}

/// An instruction of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) address: u64,
    pub(super) place: Label,
    pub(super) function: String,
    pub(super) line: Option<SourceLine>,
}

/// A call of a function that is not the program's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) site: Site,
    /// The instruction after it; none for a jump, from which nobody comes back.
    pub(super) next: Option<Site>,
    /// The function's names; several may name the same.
    pub(super) names: Vec<String>,
}

/// A handler of one signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handler {
    pub(super) signal: Signal,
    pub(super) function: Function,
    /// The first addresses of itself and of all own functions that it calls.
    pub(super) code: Vec<u64>,
    /// Its first instruction.
    pub(super) entry: Site,
}

impl Site {
    /// `list.c:23`, or the place where there is no debug information.
    pub(super) fn text(&self) -> String {
        self.line.as_ref().map_or_else(|| self.place.to_string(), SourceLine::to_string)
    }

    /// `insert (list.c:23)`.
    pub(super) fn told(&self) -> String {
        match &self.line {
            Some(line) => format!("{} ({line})", self.function),
            None => self.place.to_string(),
        }
    }
}

impl Handler {
    /// The warning that this handler breaks a rule at `at` when it interrupts another place, seen in a run of `schedule`.
    pub(super) fn breaks(
        &self,
        rule: Rule,
        (at, interrupted): (&Site, &Site),
        what: String,
        schedule: Schedule,
    ) -> Warning {
        Warning {
            rule,
            signal: self.signal,
            handler: self.function.name.clone(),
            line: at.text(),
            interrupted: interrupted.text(),
            what,
            schedule,
        }
    }
}

impl Call {
    /// The function's name.
    pub(super) fn name(&self) -> &str {
        self.names.first().map_or("?", |name| safe::plain(name))
    }

    /// True if the function is one that is known by this.
    pub(super) fn is(&self, known: fn(&str) -> bool) -> bool {
        self.names.iter().any(|name| known(name))
    }

    /// True if it may not be called where a signal handler runs.
    pub(super) fn is_unsafe(&self) -> bool {
        !self.names.is_empty() && !self.is(safe::is_safe)
    }
}

impl Program {
    /// Reads a program's file, of which what has been read before is kept.
    pub(super) fn open(file: &Path) -> Result<Program, CodeError> {
        Ok(Program::of(images().open(file)?))
    }

    fn of(image: Arc<Image>) -> Program {
        let own = image.own_functions();
        let has_line = |function: &Function| image.describe(function.start).line.is_some();
        let size = own.iter().map(|function| function.size).fold(0, u64::saturating_add);
        let unfit = if image.is_static() && !own.iter().any(has_line) {
            Some(
                "it is linked statically without line information, so its own code cannot be told from its libraries'",
            )
        } else if size > LARGEST {
            Some("it has more than a million bytes of code of its own")
        } else {
            None
        };
        let own = if unfit.is_some() { Vec::new() } else { own };
        let bodies = own.into_iter().map(|function| {
            let code = image.instructions(&function);
            (function.start, Body { function, code })
        });
        let functions = bodies.collect();
        Program { image, functions, unfit }
    }

    /// These places, each once. Those come first that have called what was on a stack, by where calls return to; then those of
    /// functions in which such a call is, one of each function after the other; then those of the others in the same way.
    pub(super) fn in_order(&self, sites: Vec<Site>, on_stack: &BTreeSet<u64>) -> Vec<Site> {
        let mut sites: Vec<Site> = sites;
        sites.sort_by_key(|site| site.address);
        sites.dedup_by_key(|site| site.address);
        let mut nth: HashMap<u64, usize> = HashMap::new();
        let turn = |site: &Site| {
            let Some((start, body)) = self.functions.range(..=site.address).next_back() else {
                return (true, true, 0);
            };
            let end = start + body.function.size;
            let entered = on_stack.range(start..=&end).next().is_some();
            let own = body.code.iter().find(|instruction| instruction.address == site.address);
            let called = own.is_some_and(|own| on_stack.contains(&(own.address + u64::from(own.length))));
            let nth = nth.entry(*start).or_default();
            *nth += 1;
            (!called, !entered, *nth)
        };
        sites.sort_by_cached_key(turn);
        sites
    }

    /// Why nothing can be said of this program, if so.
    pub(super) fn cannot_be_checked(&self) -> Option<&'static str> {
        self.unfit
    }

    /// The handler of this signal that begins here; none if it is none of the program's own functions, or Go's runtime's.
    pub(super) fn handler(&self, signal: Signal, address: u64) -> Option<Handler> {
        let body = self.functions.get(&address).filter(|_| !self.is_of_go(address))?;
        let mut code: Vec<u64> = vec![address];
        let callees = self.image.own_callees(&body.function).into_iter().map(|callee| callee.start);
        code.extend(callees.filter(|start| self.functions.contains_key(start)));
        let entry = self.site(body, body.code.first()?);
        Some(Handler { signal, function: body.function.clone(), code, entry })
    }

    /// True if here is code of the program's file.
    pub(super) fn is_code(&self, address: u64) -> bool {
        self.image.is_code(address)
    }

    /// True if the runtime of Go has its handler here: the same for every signal, in which nothing of the program runs. What
    /// waits for the signal is told by it later (os/signal).
    pub(super) fn is_of_go(&self, address: u64) -> bool {
        const NAMES: [&str; 2] = ["runtime.sigtramp", "runtime.cgoSigtramp"];
        let body = self.functions.get(&address);
        // The assembler may add which convention it is called by.
        let name = body.map(|body| body.function.name.trim_end_matches(".abi0"));
        name.is_some_and(|name| NAMES.contains(&name))
    }

    pub(super) fn bodies(&self) -> impl Iterator<Item = &Body> {
        self.functions.values()
    }

    /// The functions that the handler runs.
    pub(super) fn bodies_of(&self, handler: &Handler) -> impl Iterator<Item = &Body> {
        handler.code.iter().filter_map(|start| self.functions.get(start))
    }

    pub(super) fn updates(&self, body: &Body) -> Vec<Update> {
        self.image.updates(&body.function)
    }

    /// Where the function that made this call looks at what the call's result points to.
    pub(super) fn reads_through(&self, body: &Body, call: &Call) -> Vec<Site> {
        let Some(next) = &call.next else { return Vec::new() };
        let found = self.image.reads_through_result(&body.function, next.address);
        found.into_iter().filter_map(|address| self.site_at(body, address)).collect()
    }

    /// The name of the data at this address.
    pub(super) fn data_name(&self, address: u64) -> String {
        let objects = self.image.data_objects();
        let object = objects.iter().find(|object| address.wrapping_sub(object.address) < object.size.max(1));
        object.map_or_else(|| format!("{address:#x}"), |object| object.name.clone())
    }

    pub(super) fn site(&self, body: &Body, instruction: &Instruction) -> Site {
        let offset = instruction.address - body.function.start;
        let place = Place::in_function(&body.function.name, offset).to_string();
        Site {
            address: instruction.address,
            place: Label::new(&place),
            function: body.function.name.clone(),
            line: instruction.line.clone(),
        }
    }

    /// The instruction at this address in a function, as a site.
    pub(super) fn site_at(&self, body: &Body, address: u64) -> Option<Site> {
        let found = body.code.iter().find(|instruction| instruction.address == address)?;
        Some(self.site(body, found))
    }

    /// The calls in a function of functions that are not the program's own and have a name.
    pub(super) fn calls(&self, body: &Body) -> Vec<Call> {
        let mut calls = Vec::new();
        for (index, instruction) in body.code.iter().enumerate() {
            let (target, returns) = match &instruction.flow {
                Flow::Call(target) => (target, true),
                Flow::Jump { target, .. } => (target, false),
                Flow::Next | Flow::Return | Flow::SystemCall | Flow::Trap => continue,
            };
            let names: Vec<String> = match target {
                Target::Import(name) => vec![name.clone()],
                Target::Address(address) => {
                    if self
                        .functions
                        .range(..=address)
                        .next_back()
                        .is_some_and(|(_, own)| own.function.contains(*address))
                    {
                        continue;
                    }
                    self.image.names_at(*address).into_iter().map(str::to_owned).collect()
                }
                Target::Computed => continue,
            };
            if names.is_empty() {
                continue;
            }
            let next = body.code.get(index + 1).filter(|_| returns).map(|next| self.site(body, next));
            calls.push(Call { site: self.site(body, instruction), next, names });
        }
        calls
    }

    /// The calls in all that the handler runs.
    pub(super) fn calls_of(&self, handler: &Handler) -> Vec<Call> {
        self.bodies_of(handler).flat_map(|body| self.calls(body)).collect()
    }

    /// The calls in all of the program's own code.
    pub(super) fn all_calls(&self) -> Vec<Call> {
        self.bodies().flat_map(|body| self.calls(body)).collect()
    }

    /// The places between two accesses that the main flow, or a handler that is interrupted itself, makes without a call to
    /// data with fixed addresses that the handler has as well, if one of the two writes: after each but the last of them. What
    /// follows the last one is seen at the next call.
    pub(super) fn between_shared(&self, handler: &Handler) -> Vec<Site> {
        let code = self.bodies_of(handler).flat_map(|body| &body.code);
        let its: Vec<StaticAccess> = code.flat_map(|instruction| instruction.data.iter().copied()).collect();
        let conflicts = |one: &StaticAccess| {
            its.iter().any(|other| {
                (one.writes || other.writes) && overlap((one.address, one.size), (other.address, other.size))
            })
        };
        let after = |body: &Body| -> Vec<Site> {
            let shared = |one: &Instruction| one.data.iter().any(conflicts);
            let goes_on = |one: &Instruction| match one.flow {
                Flow::Next | Flow::Jump { conditional: true, .. } => true,
                Flow::Jump { conditional: false, .. }
                | Flow::Call(_)
                | Flow::Return
                | Flow::SystemCall
                | Flow::Trap => false,
            };
            let followed = |index: &usize| {
                let rest = body.code.get(index + 1..).unwrap_or_default();
                body.code.get(*index).is_some_and(shared)
                    && rest.iter().take_while(|one| goes_on(one)).any(shared)
            };
            let indices = (0..body.code.len()).filter(followed);
            indices.filter_map(|index| body.code.get(index + 1)).map(|next| self.site(body, next)).collect()
        };
        self.bodies().flat_map(after).collect()
    }

    /// The data with fixed addresses that the handler writes: address and size.
    pub(super) fn written_by(&self, handler: &Handler) -> Vec<(u64, u32)> {
        let code = self.bodies_of(handler).flat_map(|body| &body.code);
        let accesses = code.flat_map(|instruction| &instruction.data);
        let written = accesses.filter(|access| access.writes);
        let mut written: Vec<(u64, u32)> = written.map(|access| (access.address, access.size)).collect();
        written.sort_unstable();
        written.dedup();
        written
    }
}

/// True if two pieces of memory have a byte in common.
pub(super) fn overlap(one: (u64, u32), other: (u64, u32)) -> bool {
    one.0 < other.0.saturating_add(u64::from(other.1)) && other.0 < one.0.saturating_add(u64::from(one.1))
}
